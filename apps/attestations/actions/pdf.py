"""PDFs by WeasyPrint, which needs Pango: both are looked for only where a document is made.

Nothing is fetched: styles and fonts come from the static files, everything else is refused.
"""

import logging
from ctypes.util import find_library
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils import timezone

from apps.attestations.models import Campaign, Signature
from apps.attestations.queries.receipts import receipt_content
from apps.attestations.queries.report import is_final, report_sha256
from apps.common.clock import organisation_zone

# Where the template's style sheets seem to lie. The address leads nowhere: the fetcher reads the static files.
BASE = "https://static.invalid/"
PANGO = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"


class NotInstalled(Exception):
    """This machine has no WeasyPrint, or no Pango for it."""


@cache
def why_no_pdf() -> str:
    """What to install before a PDF can be made here; empty where it can."""
    if find_spec("weasyprint") is None:
        return "Install the Python package weasyprint"
    if find_library("pango-1.0") is None or find_library("pangoft2-1.0") is None:
        return f"Install {PANGO} (Debian and Ubuntu), or Pango 1.44 or newer"
    return ""


def report_pdf(campaign: Campaign, body: dict[str, Any], now: datetime) -> bytes:
    """The report as PDF; it says "Draft" where the campaign is not closed."""
    context = {"campaign": campaign, "body": body, "draft": not is_final(campaign), "body_sha256": report_sha256(body)}
    return _pdf("attestations/report_document.html", context | {"as_of": now})


def receipt_pdf(signature: Signature, campaign: Campaign) -> bytes:
    """The receipt of a signature as PDF."""
    context = {"signature": signature, "campaign": campaign, **receipt_content(signature)}
    return _pdf("attestations/receipt_document.html", context)


def _pdf(template: str, context: dict[str, Any]) -> bytes:
    # On paper the organisation's time counts, whoever asked for it and wherever the worker runs.
    with timezone.override(organisation_zone()):
        html = render_to_string(template, context | {"organisation": settings.ORGANISATION_NAME})
    return rendered(html)


def rendered(html: str) -> bytes:
    """A page as tagged PDF (PDF/UA-1). Raises NotInstalled where WeasyPrint or Pango is missing."""
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher, URLFetcherResponse
    except (ImportError, OSError) as error:
        raise NotInstalled(why_no_pdf() or str(error)) from error

    class StaticOnly(URLFetcher):  # type: ignore[misc]  # the library has no types
        """Reads static files and nothing else: no network, no other file."""

        def fetch(self, url: str, headers: Any = None) -> Any:
            return URLFetcherResponse(url, _static(url), {"Content-Type": _kind(url)})

    # They tell of each property that paper has no use for; only what is broken is of interest.
    for name in ("weasyprint", "fontTools"):
        logging.getLogger(name).setLevel(logging.ERROR)
    document = HTML(string=html, base_url=BASE, url_fetcher=StaticOnly(), media_type="print")
    made: bytes = document.write_pdf(pdf_variant="pdf/ua-1")
    return made


_KINDS = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".woff2": "font/woff2"}


def _kind(url: str) -> str:
    return next((kind for end, kind in _KINDS.items() if url.endswith(end)), "application/octet-stream")


def _static(url: str) -> bytes:
    """The bytes of a static file. Raises ValueError for every other address."""
    name = url.partition("?")[0].removeprefix(BASE)
    if name == url or ".." in name.split("/"):
        raise ValueError(f"{url} is no static file")
    path = finders.find(name)
    if path is None:
        raise ValueError(f"{url} is not there")
    with open(path, "rb") as file:
        return file.read()
