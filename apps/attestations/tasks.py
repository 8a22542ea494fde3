"""Sweeps of campaigns."""

from celery import shared_task

from apps.attestations import actions
from apps.attestations.actions import asking, closing, documents, exceptions, nodes
from apps.common import clock


@shared_task(name="attestations.open_due")
def open_due() -> None:
    """Open the campaign whose time has come."""
    actions.open_due(now=clock.now())


@shared_task(name="attestations.remind_due")
def remind_due() -> None:
    """Remind owners of what is open."""
    actions.remind_all_due(now=clock.now())


@shared_task(name="attestations.move_on_due")
def move_on_due() -> None:
    """Let campaigns move on whose day has come."""
    actions.move_on_due(now=clock.now())


@shared_task(name="attestations.add_supplements")
def add_supplements() -> None:
    """Ask for grave systems that went live in the middle of a campaign."""
    actions.add_supplements(now=clock.now())


@shared_task(name="attestations.raise_events")
def raise_events() -> None:
    """Ask again about systems that changed since they were attested."""
    actions.raise_events(now=clock.now())


@shared_task(name="attestations.follow_owners")
def follow_owners() -> None:
    """Let open assignments follow the owner."""
    actions.follow_owners(now=clock.now())


@shared_task(name="attestations.scan_evidence")
def scan_evidence() -> None:
    """Have evidence scanned that waits for it."""
    actions.scan_evidence(now=clock.now())


@shared_task(name="attestations.make_documents")
def make_documents() -> None:
    """Make the PDFs that were asked for."""
    documents.make_documents(now=clock.now())


@shared_task(name="attestations.follow_findings")
def follow_findings() -> None:
    """Bring exceptions in line with their findings, and open again what was accepted until yesterday."""
    exceptions.follow_findings(now=clock.now())


@shared_task(name="attestations.ask_reviewers")
def ask_reviewers() -> None:
    """Tell reviewers what waits for them."""
    asking.ask_reviewers(now=clock.now())


@shared_task(name="attestations.ready_nodes")
def ready_nodes() -> None:
    """Make parts of the roll-up ready below which everything is done."""
    nodes.ready_nodes(now=clock.now())


@shared_task(name="attestations.finish_due")
def finish_due() -> None:
    """Let campaigns move on that wait for nothing any more."""
    closing.finish_due(now=clock.now())


@shared_task(name="attestations.sweep_passing")
def sweep_passing() -> None:
    """End preparations that are over, settle and escalate requests to take over, tell of who has too much."""
    actions.sweep_passing(now=clock.now())
