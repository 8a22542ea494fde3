"""Documents that are made in the background: asked for once per content, made by a sweep, three attempts."""

import hashlib
import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from apps.attestations.actions.campaigns import campaign_subject
from apps.attestations.actions.pdf import NotInstalled, receipt_pdf, report_pdf, why_no_pdf
from apps.attestations.models import Campaign, CampaignDocument, Signature
from apps.attestations.queries.receipts import campaign_of
from apps.attestations.queries.report import report_body, report_sha256
from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Kind, digest
from apps.people.models import Person

__all__ = ["make_documents", "request_receipt", "request_report", "why_no_pdf"]

log = logging.getLogger(__name__)

ATTEMPTS = 3
# Longer lists are cut, with their number: the files have them whole.
ROWS_IN_PDF = 300
# A new layout is another document of the same content.
LAYOUT = "2"


@transaction.atomic
def request_report(campaign: Campaign, *, actor: Person, now: datetime) -> tuple[CampaignDocument, bool]:
    """Ask for the report as PDF. Returns the document, and whether it is new: the same content is made once.

    It names no restricted system, so that it is the same for everybody who may read it.
    """
    source = digest(f"{LAYOUT}:{report_sha256(_pdf_body(campaign, now))}")
    return _request(CampaignDocument.Kind.REPORT, campaign, None, source, actor, now)


@transaction.atomic
def request_receipt(signature: Signature, *, actor: Person, now: datetime) -> tuple[CampaignDocument, bool]:
    """Ask for the receipt of a signature as PDF. Returns the document, and whether it is new."""
    source = digest(f"{LAYOUT}:{signature.payload_sha256}")
    return _request(CampaignDocument.Kind.RECEIPT, campaign_of(signature), signature, source, actor, now)


def _request(
    kind: str, campaign: Campaign, signature: Signature | None, source: str, actor: Person, now: datetime
) -> tuple[CampaignDocument, bool]:
    # One after the other: two presses at once ask for one document.
    Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    known = CampaignDocument.objects.defer("content").filter(
        kind=kind, campaign=campaign, signature=signature, source_sha256=source
    )
    found = known.exclude(state=CampaignDocument.State.FAILED).first()
    if found is not None:
        return found, False
    found = CampaignDocument.objects.create(
        kind=kind, campaign=campaign, signature=signature, source_sha256=source, requested_by=actor, requested_at=now
    )
    record(Kind.DOCUMENT_REQUESTED, actor=actor, subject=campaign_subject(campaign), now=now, after=_facts(found))
    return found, True


def _facts(document: CampaignDocument) -> dict[str, Any]:
    return {
        "document": document.pk,
        "kind": document.kind,
        "signature": document.signature_id,
        "source_sha256": document.source_sha256,
    }


def _pdf_body(campaign: Campaign, now: datetime) -> dict[str, Any]:
    return report_body(campaign, now=now, reader=None, limit=ROWS_IN_PDF)


def make_documents(*, now: datetime) -> int:
    """Make what was asked for. Safe to run twice and at once; returns how many are ready now.

    Each attempt is counted before it begins, so that a document that ends the process is not tried for ever.
    """
    if why_no_pdf():
        return 0
    return sum(make_document(pk, now=now) for pk in _waiting())


def _waiting() -> Iterable[int]:
    queued = CampaignDocument.objects.filter(state=CampaignDocument.State.QUEUED).order_by("pk")
    return list(queued.values_list("pk", flat=True))


def make_document(pk: int, *, now: datetime) -> bool:
    """Make one document. Returns whether it is ready; a failure is written down, and after three it stays failed."""
    if not _begin_attempt(pk, now):
        return False
    try:
        return _make(pk, now)
    except NotInstalled:
        raise
    except Exception as error:
        # Whatever a renderer stumbles over must not stop the others; the document says what it was.
        log.exception("document %s was not made", pk)
        _note_failure(pk, f"{type(error).__name__}: {error}", now)
        return False


@transaction.atomic
def _begin_attempt(pk: int, now: datetime) -> bool:
    found = _locked(pk)
    if found is None:
        return False
    if found.attempts >= ATTEMPTS:
        _fail(found, found.error or "It ended the process that made it.", now)
        return False
    CampaignDocument.objects.filter(pk=pk).update(attempts=F("attempts") + 1)
    return True


def _locked(pk: int) -> CampaignDocument | None:
    """The queued document, unless another process has it."""
    return (
        CampaignDocument.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("campaign__template", "signature")
        .defer("content")
        .filter(pk=pk, state=CampaignDocument.State.QUEUED)
        .first()
    )


@transaction.atomic
def _make(pk: int, now: datetime) -> bool:
    found = _locked(pk)
    if found is None:
        return False
    content = _rendered(found, now)
    found.content, found.sha256 = content, hashlib.sha256(content).hexdigest()
    found.state, found.made_at, found.error = CampaignDocument.State.READY, now, ""
    found.save(update_fields=["content", "sha256", "state", "made_at", "error"])
    record(
        Kind.DOCUMENT_MADE,
        actor=SCHEDULER,
        subject=campaign_subject(found.campaign),
        now=now,
        after={**_facts(found), "sha256": found.sha256, "bytes": len(content)},
    )
    return True


def _rendered(document: CampaignDocument, now: datetime) -> bytes:
    if document.signature is not None:
        return receipt_pdf(document.signature, document.campaign)
    return report_pdf(document.campaign, _pdf_body(document.campaign, now), now)


@transaction.atomic
def _note_failure(pk: int, error: str, now: datetime) -> None:
    found = _locked(pk)
    if found is None:
        return
    if found.attempts >= ATTEMPTS:
        _fail(found, error, now)
    else:
        CampaignDocument.objects.filter(pk=pk).update(error=error[:300])


def _fail(document: CampaignDocument, error: str, now: datetime) -> None:
    document.state, document.error = CampaignDocument.State.FAILED, error[:300]
    document.save(update_fields=["state", "error"])
    record(
        Kind.DOCUMENT_FAILED,
        actor=SCHEDULER,
        subject=campaign_subject(document.campaign),
        now=now,
        after={**_facts(document), "attempts": document.attempts},
        reason=document.error,
    )
