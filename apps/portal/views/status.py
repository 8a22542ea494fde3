"""Whether the portal does its duties: everything that happens without anybody asking, and what did not happen."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.access.queries import may
from apps.access.rules import Permission
from apps.audit.models import SweepRun
from apps.common import clock
from apps.common.errors import NotAllowed
from apps.people.requests import signed_in
from apps.portal.queries.watch import READERS, watched

# What each sweep does. One that is not here is shown by its name alone.
SWEEP_WORDS = {
    "attestations.add_supplements": "Asks for grave systems that came after the opening",
    "attestations.ask_reviewers": "Asks reviewers for what is signed",
    "attestations.finish_due": "Closes and seals campaigns that are decided",
    "attestations.follow_findings": "Lets exceptions follow their findings",
    "attestations.follow_owners": "Lets open attestations follow the owners of systems",
    "attestations.make_documents": "Makes receipts and reports as PDF",
    "attestations.move_on_due": "Moves campaigns on: past the due date, into the roll-up",
    "attestations.open_due": "Opens campaigns whose time has come",
    "attestations.raise_events": "Asks again about systems that changed since they were attested",
    "attestations.ready_nodes": "Says which steps of the roll-up can be signed",
    "attestations.remind_due": "Reminds owners of what is open",
    "attestations.scan_evidence": "Has evidence scanned",
    "attestations.sweep_passing": "Ends preparations, settles and reports requests to take over",
    "audit.heartbeat": "Shows that a worker takes work",
    "audit.prepare_partitions": "Prepares the trail's coming months",
    "directory.offboard_due": "Off-boards who left",
    "directory.watch_cases": "Watches the cases of leavers",
    "findings.remind_overdue": "Tells who comes next about overdue findings",
    "findings.sweep": "Brings the findings in line with what is so",
    "incidents.classify_overdue": "Lets the higher severity apply where nobody said how bad it is",
    "incidents.escalate": "Calls whoever is next until somebody takes the incident",
    "incidents.export_cards": "Writes who responds for when the portal is down",
    "incidents.preflight": "Looks every night whether calling people would work",
    "incidents.recompute_cards": "Works out every night who responds",
    "incidents.settle_cards": "Works out who responds where a change left it undone",
    "incidents.start_due_drills": "Starts drills whose time has come",
    "incidents.watch_clocks": "Reminds of legal deadlines, and says which were missed",
    "notify.deliver_pending": "Sends mail",
    "notify.deliver_webhooks": "Calls people and tells other programs by webhook",
    "portal.ask_for_tests": "Asks people whether calls still reach them",
    "portal.watch": "Watches the duties on this page",
    "registry.escalate_acceptances": "Tells who is above about letters that nobody accepted",
    "registry.escalate_handovers": "Tells who is above about hand-overs that nobody signed",
    "registry.escalate_nominations": "Tells who is above about nominations that nobody answered",
    "registry.follow_calendar": "Lets grants follow absences",
}


@dataclass(frozen=True)
class SweepLine:
    """One sweep as the page shows it."""

    run: SweepRun
    what: str
    every: str
    ago: str
    tone: str
    icon: str
    state: str


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """One sentence first, then what was not done, then everything else. Reads PostgreSQL only."""
    person = signed_in(request)
    if not may(person, Permission.OPERATIONS_READ):
        raise NotAllowed(f"This page is for {READERS}.")
    now = clock.now()
    found = watched(now, reader=person)
    return render(
        request, "portal/status.html", {"watched": found, "sweeps": [_line(run, now) for run in found.sweeps]}
    )


def _line(run: SweepRun, now: datetime) -> SweepLine:
    tone, icon, state = _state(run, now)
    ago = span_words(now - run.succeeded_at) + " ago" if run.succeeded_at else "never"
    return SweepLine(run, SWEEP_WORDS.get(run.name, ""), span_words(run.every), ago, tone, icon, state)


def _state(run: SweepRun, now: datetime) -> tuple[str, str, str]:
    """Tone, icon and word: the worst that is so."""
    if run.is_poisoned:
        return "bad", "circle-alert", f"Fails each time: {run.failures_in_a_row:,} in a row"
    if run.is_late(now):
        return "bad", "circle-alert", "Late"
    if run.failures_in_a_row:
        return "warn", "triangle-alert", "Failed, is tried again"
    if run.is_running(now):
        return "accent", "clock", "Runs now"
    return ("ok", "check", "Done") if run.runs else ("neutral", "clock", "Not due yet")


def span_words(span: timedelta) -> str:
    """A span in its largest whole unit: 15 seconds, 5 minutes, 2 hours, 3 days."""
    seconds = max(0, int(span.total_seconds()))
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length and (seconds >= 2 * length or seconds % length == 0 or unit != "day"):
            count = seconds // length
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
