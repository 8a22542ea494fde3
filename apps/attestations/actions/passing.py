"""The sweep of what is passed on."""

from datetime import datetime

from apps.attestations.actions.delegation import end_delegations_due
from apps.attestations.actions.reassignment import escalate_reassignments, settle_reassignments
from apps.attestations.actions.workload import tell_overloads


def sweep_passing(*, now: datetime) -> int:
    """End preparations that are over, settle what was answered elsewhere, let what was not answered go up, and tell
    of people with too many items. Safe to run twice. Returns how much changed."""
    changed = end_delegations_due(now=now) + settle_reassignments(now=now)
    return changed + escalate_reassignments(now=now) + tell_overloads(now=now)
