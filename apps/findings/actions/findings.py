"""A finding's own verbs: raise, assign, close, reopen, and move those of somebody who leaves."""

import uuid
from datetime import date, datetime

from django.db import connection, transaction

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject
from apps.common.clock import local_date
from apps.common.dates import day_words
from apps.common.errors import Refused
from apps.common.workdays import add_working_days
from apps.findings.actions.common import (
    close_all,
    finding_subject,
    locked,
    locked_open,
    require_active,
    require_text,
    working_state,
)
from apps.findings.models import CorrectiveAction, Finding
from apps.findings.rules import DUE_WITHIN, REPORTED
from apps.notify.actions import enqueue
from apps.people.actions import held
from apps.people.models import Person
from apps.registry.models import GovernanceDomain, System, Unit
from apps.registry.rules.breaches import Severity


def due_on(severity: str, now: datetime) -> date:
    """The local date by which a finding raised now is put right."""
    return add_working_days(local_date(now), DUE_WITHIN[Severity(severity)])


@transaction.atomic
def raise_finding(
    *,
    title: str,
    remedy: str,
    severity: str,
    person: Person,
    actor: Person,
    now: datetime,
    system: System | None = None,
    unit: Unit | None = None,
    domain: GovernanceDomain | None = None,
    cause: uuid.UUID | None = None,
    code: str = REPORTED,
    due: date | None = None,
    path: str = "",
    told: bool = False,
) -> Finding:
    """A person reports what should not be so. The scope is a system, a unit, or (with neither) the organisation.

    `cause` is the event that it follows from, where it follows from one; `code` names the check where it is more than
    a report; `due` stands instead of the day that follows from the severity; `told`: the person hears of it already.

    Raises Refused without a title or a remedy, and for a person who can't be asked.
    """
    person = held(person)
    require_active(person)
    finding = Finding(
        code=code,
        subject=str(uuid.uuid4()),
        source=Finding.Source.PERSON,
        level=Finding.Level.WARN,
        severity=Severity(severity),
        scope=_scope(system, unit),
        system=system,
        unit=unit,
        domain=domain,
        title=require_text(title, "Say what should not be so."),
        remedy=require_text(remedy, "Say what would put it right."),
        path=path or (f"/systems/{system.key}/" if system else ""),
        person=person,
        is_assigned=True,
        raised_by=actor,
        raised_at=now,
        due_on=due or due_on(severity, now),
    )
    finding.full_clean()
    finding.save(force_insert=True)
    if person.pk != actor.pk and not told:
        _tell(finding, f"{actor.display_name} reported a finding. You put it right.", "raised", now)
    _record(Kind.FINDING_RAISED, finding, actor, now, after=_facts(finding), cause=cause)
    return finding


def _scope(system: System | None, unit: Unit | None) -> str:
    if system is not None:
        return Finding.Scope.SYSTEM
    return Finding.Scope.ORGANISATION if unit is None else Finding.Scope.UNIT


def _facts(finding: Finding) -> dict[str, object]:
    return {
        "check": finding.code,
        "severity": finding.severity,
        "person": finding.person.audit_id,
        "due": finding.due_on.isoformat(),
        "system": finding.system_id,
        "unit": finding.unit_id,
    }


def _tell(finding: Finding, first: str, occasion: str, now: datetime) -> None:
    enqueue(
        key=f"finding:{finding.pk}:{occasion}",
        recipient=finding.person,
        subject=f"By {day_words(finding.due_on)}: {finding.title}"[:600],
        body=f"{first}\n\n{finding.title}\n{finding.remedy}\n\nPut it right by {day_words(finding.due_on)}.",
        path=f"/findings/{finding.pk}/",
        now=now,
    )


def _record(
    kind: Kind,
    finding: Finding,
    actor: Actor,
    now: datetime,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
    reason: str = "",
    cause: uuid.UUID | None = None,
) -> uuid.UUID:
    private = {"person_name": finding.person.display_name}
    return record(
        kind,
        actor=actor,
        subject=finding_subject(finding),
        now=now,
        before=before,
        after=after,
        reason=reason,
        private=private,
        cause=cause,
    )


@transaction.atomic
def assign(finding: Finding, person: Person, *, actor: Person, now: datetime, reason: str = "") -> Finding:
    """Somebody else puts it right. The due date stays; later sweeps leave the person.

    Raises Refused for a closed or accepted finding, for who has it already, and for a person who can't be asked.
    """
    finding, person = locked_open(finding), held(person)
    require_active(person)
    if finding.state == Finding.State.ACCEPTED:
        raise Refused("The risk of this finding is accepted. Withdraw that first.")
    if finding.person_id == person.pk:
        raise Refused(f"{person.display_name} puts this right already.")
    before, finding.person, finding.is_assigned = finding.person, person, True
    # The new person has not heard of it yet, however late it is.
    finding.step = 0
    finding.save(update_fields=["person", "is_assigned", "step"])
    if person.pk != actor.pk:
        _tell(finding, f"{actor.display_name} assigned this finding to you.", f"assigned:{now:%Y%m%d%H%M%S%f}", now)
    _record(
        Kind.FINDING_ASSIGNED,
        finding,
        actor,
        now,
        before={"person": before.audit_id},
        after={"person": person.audit_id},
        reason=reason,
    )
    return finding


@transaction.atomic
def close_finding(finding: Finding, *, actor: Actor, now: datetime, reason: str = "") -> Finding:
    """Close a finding whose action somebody verified, once nothing else is open on it.

    Raises Refused where nothing is verified, or nothing since it was opened again, or an action is still open: only a
    check that no longer sees the breach closes without.
    """
    finding = locked_open(finding)
    if not any(finding.is_closed_by(action) for action in finding.actions.all()):
        since = "since it was opened again" if finding.reopened_at else "yet"
        raise Refused(f"Nothing is verified {since}. Somebody else than who did it has to verify an action first.")
    if finding.actions.filter(state__in=[CorrectiveAction.State.PLANNED, CorrectiveAction.State.DONE]).exists():
        raise Refused("An action is still open. Finish and verify it first.")
    close_all([finding.pk], Finding.Because.VERIFIED, now=now, reason=reason.strip())
    before = finding.state
    _record(
        Kind.FINDING_CLOSED,
        finding,
        actor,
        now,
        before={"state": before},
        after={"state": "closed", "because": "verified"},
        reason=reason,
    )
    finding.refresh_from_db()
    return finding


@transaction.atomic
def reopen(finding: Finding, *, actor: Actor, now: datetime, reason: str) -> Finding:
    """A closed finding was not put right after all. It gets a new due date.

    Raises Refused without a reason, where it is not closed, where the same is open already, and where its person
    left: then report it anew.
    """
    reason = require_text(reason, "Say why it is not put right.")
    finding = locked(finding)
    if finding.state != Finding.State.CLOSED:
        raise Refused("This finding is open already.")
    if not held(finding.person).is_active:
        raise Refused(f"{finding.person.display_name} left. Report it anew, to somebody who is here.")
    same = Finding.objects.filter(code=finding.code, subject=finding.subject).exclude(state=Finding.State.CLOSED)
    if same.exists():
        raise Refused("The same is an open finding again already.")
    finding.state, finding.closed_at, finding.closed_because, finding.closing_reason = Finding.State.OPEN, None, "", ""
    finding.due_on, finding.step, finding.reopened_at = due_on(finding.severity, now), 0, now
    changed = ["state", "closed_at", "closed_because", "closing_reason", "due_on", "step", "reopened_at"]
    finding.save(update_fields=changed)
    state = working_state(finding)
    if state != finding.state:
        finding.state = state
        finding.save(update_fields=["state"])
    _tell(finding, "A finding of yours is open again.", f"reopened:{now:%Y%m%d%H%M%S%f}", now)
    _record(
        Kind.FINDING_REOPENED,
        finding,
        actor,
        now,
        before={"state": "closed"},
        after={"state": finding.state, "due": finding.due_on.isoformat()},
        reason=reason,
    )
    return finding


# Findings about a system go to the person who owns it by now, where that is somebody else who is here.
_MOVE_SQL = """
UPDATE findings_finding f SET step = 0, person_id = CASE
    WHEN o.id IS NOT NULL THEN o.id ELSE %(to)s::uuid END
FROM findings_finding same
LEFT JOIN registry_system s ON s.id = same.system_id
LEFT JOIN people_person o ON o.id = s.owner_id AND o.is_active AND o.kind = 'human' AND o.id <> %(from)s::uuid
WHERE same.id = f.id AND f.person_id = %(from)s::uuid AND f.state <> 'closed'
"""
_MOVE_PLANNED_SQL = """
UPDATE findings_correctiveaction a SET person_id = f.person_id FROM findings_finding f
WHERE f.id = a.finding_id AND a.state = 'planned' AND a.person_id = %(from)s::uuid
"""
# Whoever did it, or was to, never verifies it: then whoever holds the right to may.
_MOVE_VERIFIER_SQL = """
UPDATE findings_correctiveaction a SET verifier_id = CASE
    WHEN f.person_id NOT IN (a.person_id, a.done_by_id) THEN f.person_id
    WHEN %(to)s::uuid NOT IN (a.person_id, a.done_by_id) THEN %(to)s::uuid END
FROM findings_finding f
WHERE f.id = a.finding_id AND a.state = 'done' AND a.verifier_id = %(from)s::uuid
"""


@transaction.atomic
def reassign_findings(
    from_person: Person, to_person: Person, *, actor: Actor, now: datetime, cause: uuid.UUID | None = None
) -> int:
    """Move everything open that waits for somebody who leaves: findings, planned actions, verifications.

    A finding about a system goes to whoever owns the system now, if that is another active person; all else to
    `to_person`. Call it after the systems went over and before the person is deactivated. Returns how many rows
    moved; where none did, nothing is written. Raises Refused where `to_person` can't be asked.
    """
    to_person = held(to_person)
    require_active(to_person)
    if from_person.pk == to_person.pk:
        raise Refused("Findings move to another person.")
    people = {"from": from_person.pk, "to": to_person.pk}
    moved = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM findings_finding WHERE person_id = %s AND state <> 'closed' ORDER BY id FOR NO KEY UPDATE",
            [from_person.pk],
        )
        for statement in (_MOVE_SQL, _MOVE_PLANNED_SQL, _MOVE_VERIFIER_SQL):
            cursor.execute(statement, people)
            moved.append(cursor.rowcount)
    if any(moved):
        record(
            Kind.FINDINGS_REASSIGNED,
            actor=actor,
            subject=Subject("person", str(from_person.pk), from_person.display_name),
            now=now,
            after=dict(zip(("findings", "actions", "verifications"), moved, strict=True)) | {"to": to_person.audit_id},
            private={"to_name": to_person.display_name},
            cause=cause,
        )
    return sum(moved)
