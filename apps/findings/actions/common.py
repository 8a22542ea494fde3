"""What the verbs of findings share."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from apps.audit.actions import Entry, record_many
from apps.audit.rules import Actor, Kind, Subject
from apps.common.errors import Refused
from apps.common.locks import hold_row
from apps.findings.models import CorrectiveAction, Finding, RiskAcceptance
from apps.people.models import Person

ON_RECORD = ("person", "system", "unit", "domain")


def finding_subject(finding: Finding) -> Subject:
    """How the trail refers to a finding."""
    return Subject("finding", str(finding.pk), finding.title)


def locked(finding: Finding) -> Finding:
    """The finding's row, locked for this transaction, with whom and what it is about."""
    hold_row(Finding.objects.all(), finding.pk)
    return Finding.objects.select_related(*ON_RECORD).get(pk=finding.pk)


def locked_open(finding: Finding) -> Finding:
    """As `locked`. Raises Refused for a closed finding."""
    finding = locked(finding)
    if finding.state == Finding.State.CLOSED:
        raise Refused("This finding is closed. Reopen it first.")
    return finding


def require_active(person: Person) -> None:
    """Raise Refused for somebody who can't be asked to do something."""
    if person.kind != Person.Kind.HUMAN:
        raise Refused(f"{person.display_name} is a service account. Choose a person.")
    if not person.is_active:
        raise Refused(f"{person.display_name} is deactivated. Choose an active person.")


def require_text(text: str, sentence: str) -> str:
    """The text without space around it. Raises Refused with the sentence where nothing is left."""
    text = text.strip()
    if not text:
        raise Refused(sentence)
    return text


def working_state(finding: Finding) -> str:
    """The state that the finding's actions give it, acceptance aside. One query."""
    states = set(finding.actions.values_list("state", flat=True))
    if CorrectiveAction.State.PLANNED in states:
        return Finding.State.IN_PROGRESS
    if CorrectiveAction.State.DONE in states:
        return Finding.State.TO_VERIFY
    if states - {CorrectiveAction.State.DROPPED}:
        return Finding.State.IN_PROGRESS
    return Finding.State.OPEN


def follow_actions(finding: Finding) -> None:
    """Bring the state in line with the actions. An accepted finding stays accepted."""
    if finding.state != Finding.State.ACCEPTED:
        finding.state = working_state(finding)
        finding.save(update_fields=["state"])


def end_acceptances(
    findings: list[int], because: str, *, now: datetime, by: Person | None = None, reason: str = ""
) -> int:
    """End what is in force for these findings. Their states are the caller's to set."""
    in_force = RiskAcceptance.objects.filter(Q(finding__in=findings), ended_at=None)
    return in_force.update(ended_at=now, ended_because=because, ended_by=by, ending_reason=reason)


def close_all(findings: list[int], because: str, *, now: datetime, reason: str = "") -> int:
    """Close findings with all that hangs on them. The findings have to be locked; the caller writes the trail."""
    end_acceptances(findings, RiskAcceptance.Ended.CLOSED, now=now)
    waiting = [CorrectiveAction.State.PLANNED, CorrectiveAction.State.DONE]
    CorrectiveAction.objects.filter(Q(finding__in=findings), state__in=waiting).update(
        state=CorrectiveAction.State.DROPPED
    )
    return Finding.objects.filter(pk__in=findings).update(
        state=Finding.State.CLOSED,
        closed_at=now,
        closed_because=because,
        closing_reason=reason,
        accepted_until=None,
    )


def record_each(
    kind: Kind,
    findings: list[tuple[int, str]],
    *,
    actor: Actor,
    now: datetime,
    cause: UUID,
    after: Mapping[str, object],
) -> None:
    """One caused event for each finding, given as (id, title), some thousands a statement."""
    for start in range(0, len(findings), 5000):
        part = findings[start : start + 5000]
        entries = [Entry(kind, Subject("finding", str(pk), title), after=after) for pk, title in part]
        record_many(entries, actor=actor, now=now, cause=cause)
