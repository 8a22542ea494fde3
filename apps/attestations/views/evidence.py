"""Evidence on the section page, and its download: always as an attachment, hashed anew, never shown in the page."""

import logging
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from apps.attestations.actions.evidence import add_evidence, remove_evidence
from apps.attestations.models import Assignment, EvidenceFile
from apps.attestations.queries.evidence import find_evidence
from apps.attestations.questions import Section
from apps.attestations.rules import Problem, read_date
from apps.common import clock, evidence_store
from apps.common.errors import Refused
from apps.common.evidence_scan import refuse_too_large
from apps.people.models import Person
from apps.people.requests import signed_in

log = logging.getLogger(__name__)


@dataclass
class Posted:
    """What became of the files of a form: where to go on, what was wrong, which days were typed."""

    place: str = ""
    problems: list[Problem] = field(default_factory=list)
    days: dict[str, tuple[str, str]] = field(default_factory=dict)


def post_evidence(
    request: HttpRequest, assignment: Assignment, part: Section, *, actor: Person, now: datetime
) -> Posted:
    """Attach every file that was chosen in a section, and take away the one whose button was pressed.

    A file goes with any button: who chose one and pressed "Save and continue" does not lose it.
    """
    done = Posted()
    for question in part.questions:
        upload = request.FILES.get(f"{question.key}-file")
        days = tuple(request.POST.get(f"{question.key}-{name}", "").strip()[:40] for name in ("from", "until"))
        if upload is None and request.POST.get("attach") != question.key:
            continue
        try:
            _attach(assignment, question.key, upload, days[0], days[1], actor=actor, now=now)
            done.place = f"{question.key}-evidence"
        except Refused as error:
            done.problems.append(Problem(question.key, "evidence", str(error)))
            done.days[question.key] = days[0], days[1]
    if number := request.POST.get("remove", ""):
        _remove(assignment, part, number, done, actor=actor, now=now)
    return done


def _attach(
    assignment: Assignment, question: str, upload: "UploadedFile[Any] | None", begins: str, ends: str, *, actor: Person,
    now: datetime,
) -> None:  # fmt: skip
    if upload is None:
        raise Refused("Choose a file, then attach it.")
    refuse_too_large(upload.size)
    add_evidence(
        assignment,
        question,
        name=upload.name or "",
        content=upload.read(),
        effective_on=_day(begins, "From when is it true?") or clock.local_date(now),
        expires_on=_day(ends, "Until when is it true?"),
        actor=actor,
        now=now,
    )


def _day(text: str, asked: str) -> date | None:
    if not text:
        return None
    day = read_date(text)
    if day is None:
        raise Refused(f"{asked} Write a date like 11 Dec 2026, and choose the file again.")
    return day


def _remove(assignment: Assignment, part: Section, number: str, done: Posted, *, actor: Person, now: datetime) -> None:
    keys = [question.key for question in part.questions]
    rows = EvidenceFile.objects.select_related("assignment__campaign", "assignment__system", "assignment__snapshot")
    if not (number.isascii() and number.isdigit() and len(number) < 18):
        raise Http404
    file = rows.filter(pk=int(number), assignment=assignment, question__in=keys, removed_at=None).first()
    if file is None:
        raise Http404
    try:
        remove_evidence(file, actor=actor, now=now)
        done.place = f"{file.question}-evidence"
    except Refused as error:
        done.problems.append(Problem(file.question, "evidence", str(error)))


@require_safe
def download(request: HttpRequest, code: str, key: str, number: int) -> HttpResponse:
    """A file of evidence, for those who may see the answers. Refused while it waits to be scanned, where it is
    infected, and where its bytes are not those that were given."""
    person = signed_in(request)
    try:
        file = find_evidence(person, code, key, number, now=clock.now())
    except EvidenceFile.DoesNotExist as error:
        raise Http404 from error
    if file.scan in {EvidenceFile.Scan.INFECTED, EvidenceFile.Scan.PENDING}:
        return _refused(request, file, file.scan)
    try:
        content = evidence_store.read(file.sha256)
    except evidence_store.Damaged as error:
        log.error("Evidence %s: %s", file.pk, error)
        return _refused(request, file, "damaged")
    return HttpResponse(
        content,
        content_type="application/octet-stream" if file.content_type.startswith("text/") else file.content_type,
        headers={
            "Content-Disposition": content_disposition_header(True, file.name) or "attachment",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        },
    )


def _refused(request: HttpRequest, file: EvidenceFile, why: str) -> HttpResponse:
    context = {"file": file, "why": why, "campaign": file.assignment.campaign, "system": file.assignment.system}
    return render(request, "attestations/evidence_refused.html", context, status=409)
