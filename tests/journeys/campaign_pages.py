"""Campaigns with something on every page of theirs: one that runs, and the one before it in its roll-up."""

from datetime import datetime, timedelta
from typing import Any

from apps.attestations import actions
from apps.attestations.actions.documents import make_document, request_report
from apps.attestations.actions.nodes import ready_nodes
from apps.attestations.actions.pdf import why_no_pdf
from apps.attestations.models import AttestationException, Campaign, EvidenceFile, QuestionSet
from apps.attestations.queries import dates_of, opening_moment
from apps.attestations.rules import Given
from apps.audit.actions import prepare_partitions
from apps.audit.rules import COMMAND, SCHEDULER
from tests.attestations.calendar import running_period
from tests.attestations.signed import accept, assignment_of
from tests.attestations.signed import sign as attested
from tests.cast import Cast
from tests.factories import a_system

RUNNING = running_period()
ENDED = RUNNING.previous()
EARLIER = opening_moment(dates_of(ENDED)) + timedelta(hours=1)
PERIOD, BEFORE = f"/attestations/{RUNNING}/", f"/attestations/{ENDED}/"


def campaign_pages(cast: Cast, now: datetime) -> dict[str, list[str]]:
    """What is there from now on, and the pages of it by who reads them."""
    for key, tier in (("SYS-REV", "medium"), ("SYS-ODD", "medium"), ("SYS-CRIT", "critical"), ("SYS-NOT", "medium")):
        a_system(cast, key=key, owner=cast.ada, tier=tier, now=now)
    earlier = _earlier(cast)
    running, _ = actions.open_campaign(str(RUNNING), actor=COMMAND, now=now + timedelta(hours=4))
    now = now + timedelta(hours=5)
    for key, special in (("SYS-REV", {}), ("SYS-ODD", {"kill_switch": _exception(now)}), ("SYS-CRIT", {})):
        attested(assignment_of(running, key), cast.ada, now, **special)
    parts = [_watched(cast, running, earlier, now), _answered(cast, running, now), _rolled_up(cast, earlier)]
    parts += [_reviewed(running), _passed_on(cast, running, now)]
    pages: dict[str, list[str]] = {}
    for part in parts:
        for reader, paths in part.items():
            pages.setdefault(reader, []).extend(paths)
    return pages


def _exception(now: datetime) -> Given:
    day = (now + timedelta(days=20)).date().isoformat()
    return Given("no", "Nobody tried", "We test it on the copy", day, "medium", "Somebody watches")


def _earlier(cast: Cast) -> Campaign:
    """One clean, one with an exception, the others silent; Claims is ready to be signed."""
    prepare_partitions(now=EARLIER, months=3)
    campaign, _ = actions.open_campaign(str(ENDED), actor=COMMAND, now=EARLIER)
    for key, special in (("SYS-REV", {}), ("SYS-ODD", {"kill_switch": _exception(EARLIER)})):
        attested(assignment_of(campaign, key), cast.ada, EARLIER + timedelta(days=1), **special)
        accept(assignment_of(campaign, key), cast.cleo, EARLIER + timedelta(days=2))
    over = campaign.closes_at + timedelta(hours=1)
    campaign = actions.begin_rollup(campaign, actor=SCHEDULER, now=over)
    ready_nodes(now=over)
    return campaign


def _watched(cast: Cast, running: Campaign, earlier: Campaign, now: datetime) -> dict[str, list[str]]:
    """A document that is made and one that waits; a draft of questions."""
    made, _ = request_report(earlier, actor=cast.mara, now=now)
    if not why_no_pdf():
        make_document(made.pk, now=now)
    waits, _ = request_report(running, actor=cast.mara, now=now)
    draft = actions.draft_version(QuestionSet.objects.get(key="vendor"), actor=cast.mara, now=now)
    return {
        "mara": [
            "/attestations/", PERIOD, f"{PERIOD}cancel/", f"{PERIOD}quality/", f"{PERIOD}report/", f"{PERIOD}rollup/",
            f"{PERIOD}closing/", f"{PERIOD}remind/", f"{PERIOD}SYS-ADA/remind/", f"{PERIOD}SYS-ADA/escalate/",
            f"{PERIOD}compare/{ENDED}/", f"{PERIOD}documents/{waits.pk}/", BEFORE, f"{BEFORE}quality/",
            f"{BEFORE}report/", f"{BEFORE}documents/{made.pk}/", "/attestations/templates/",
            "/attestations/templates/new/", "/attestations/templates/quarterly/",
            "/attestations/templates/quarterly/plan/", "/attestations/templates/quarterly/rest/",
            "/attestations/questions/", "/attestations/questions/base/1/",
            f"/attestations/questions/vendor/{draft.number}/",
        ],
    }  # fmt: skip


def _rolled_up(cast: Cast, earlier: Campaign) -> dict[str, list[str]]:
    claims, top = earlier.nodes.get(unit=cast.claims), earlier.nodes.get(level="top")
    return {
        "mara": [f"{BEFORE}rollup/", f"{BEFORE}rollup/{top.pk}/", f"{BEFORE}closing/"],
        "una": [f"{BEFORE}rollup/{claims.pk}/"],
    }


def _answered(cast: Cast, running: Campaign, now: datetime) -> dict[str, list[str]]:
    """A file that waits to be scanned, beside answers that somebody prepares: its page says that it waits."""
    assignment, by = assignment_of(running, "SYS-ADA"), {"actor": cast.ada, "now": now}
    actions.delegate_work(assignment, cast.dov, sections=["response"], reason="Knows it", until=running.due_on, **by)
    file = actions.add_evidence(
        assignment, "drills", name="Drill report.txt", content=b"Done.", effective_on=now.date(), expires_on=None, **by
    )
    EvidenceFile.objects.filter(pk=file.pk).update(scan="pending")
    row = f"{PERIOD}SYS-ADA/"
    return {
        "ada": [
            "/", "/attestations/", f"{PERIOD}snooze/", row, f"{row}ownership/", f"{row}response/", f"{row}check/",
            f"{row}delegate/", f"{row}reassign/", f"{row}cannot/", f"{row}evidence/{file.pk}/", f"{PERIOD}together/",
            f"{PERIOD}SYS-ODD/correction/", f"{PERIOD}SYS-ODD/receipt/", f"{BEFORE}SYS-CRIT/correction/",
        ],
        "dov": ["/attestations/", f"{row}response/"],
    }  # fmt: skip


def _reviewed(running: Campaign) -> dict[str, list[str]]:
    exception = AttestationException.objects.get(assignment__campaign=running)
    page = f"/attestations/exceptions/{exception.pk}/"
    return {
        "una": ["/", f"{PERIOD}reviews/", f"{PERIOD}SYS-ODD/review/", "/attestations/exceptions/", page],
        "cleo": [f"{PERIOD}reviews/", f"{PERIOD}SYS-CRIT/sample/", page],
        "ada": [page, "/attestations/exceptions/?state=all"],
    }


def _passed_on(cast: Cast, running: Campaign, now: datetime) -> dict[str, list[str]]:
    """One that is nobody's, so that Una is asked; one that Nils is asked to take over."""
    by: dict[str, Any] = {"actor": cast.ada, "now": now}
    actions.disown(assignment_of(running, "SYS-NOT"), reason="It was built by another team", **by)
    page = f"{PERIOD}SYS-NOT/reassign/"
    return {"una": [page], "ada": [page]}
