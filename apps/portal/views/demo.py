"""What the demo's mail catcher holds."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.notify.caught import mail_folder

NEWEST = 50


@dataclass(frozen=True)
class CaughtMail:
    """One mail as it was handed to the mail server."""

    to: str
    subject: str
    body: str
    at: datetime | None


@require_safe
def mail(request: HttpRequest) -> HttpResponse:
    """The newest mails. Only in the demo: elsewhere there is no such page."""
    if not settings.DEMO:
        raise Http404
    files = sorted(mail_folder().glob("*.eml"), reverse=True)
    context = {"mails": [_read(path) for path in files[:NEWEST]], "total": len(files), "newest": NEWEST}
    return render(request, "portal/demo_mail.html", context)


def _read(path: Path) -> CaughtMail:
    parsed = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
    text = parsed.get_body(preferencelist=("plain",))
    at = parsedate_to_datetime(parsed["Date"]) if parsed["Date"] else None
    if at is not None and at.tzinfo is None:  # "-0000" says UTC and reads as no zone at all
        at = at.replace(tzinfo=UTC)
    body = text.get_content() if text is not None else ""
    return CaughtMail(str(parsed["To"] or ""), str(parsed["Subject"] or ""), body, at)
