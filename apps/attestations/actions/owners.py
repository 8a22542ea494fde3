"""Assignments follow the owner: where a system changed hands, a new row with the same facts and due date."""

from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q

from apps.attestations.models import Answer, Assignment, EvidenceFile
from apps.attestations.rules import OPEN_STATES
from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Kind
from apps.registry.actions.ownership import locked, system_subject
from apps.registry.models import System

COPIED = (
    "question", "value", "comment", "plan", "plan_date", "severity", "control", "plan_owner_id", "text", "person_id",
    "day", "fact", "contradiction", "explanation", "answered_by_id", "saved_at", "seconds", "version",
)  # fmt: skip

# The rows are copied; the bytes are the same.
COPIED_EVIDENCE = (
    "question", "name", "content_type", "size", "sha256", "effective_on", "expires_on", "uploaded_by_id", "recorded_at",
    "scan", "scanned_at", "scan_note",
)  # fmt: skip

# Open assignments whose system is somebody else's by now.
_MOVED_SQL = """
SELECT a.id FROM attestations_assignment a JOIN registry_system s ON s.id = a.system_id
JOIN attestations_campaign c ON c.id = a.campaign_id
WHERE a.state IN ('pending', 'in_progress', 'changes_requested') AND a.person_id <> s.owner_id
  AND c.state IN ('open', 'grace', 'rollup') AND %(now)s < coalesce(a.reopened_until, c.closes_at)
ORDER BY s.id LIMIT %(limit)s
"""


def follow(assignment: Assignment, *, now: datetime) -> Assignment:
    """The assignment of the system's owner of today: this one, or a new row that follows it.

    The caller holds the system and the assignment. What was typed goes along, with who typed it; the due date
    stays (a reassignment never buys time). A signed or closed assignment stays as it is.
    """
    system = System.objects.select_related("owner").get(pk=assignment.system_id)
    if not assignment.may_be_signed(now) or system.owner_id == assignment.person_id:
        return assignment
    state = assignment.state
    assignment.state = Assignment.State.REASSIGNED
    assignment.save(update_fields=["state"])
    fresh = Assignment(
        campaign=assignment.campaign, system=system, snapshot=assignment.snapshot, person=system.owner,
        owner_basis=system.owner_basis, tier=assignment.tier, unit_id=assignment.unit_id, due_on=assignment.due_on,
        delta=assignment.delta, sampled=assignment.sampled, predecessor=assignment,
        because=_because(assignment, system), state=state, round=assignment.round, opened_at=now,
        reopened_until=assignment.reopened_until, version=assignment.version,
    )  # fmt: skip
    fresh.save(force_insert=True)
    Answer.objects.bulk_create(
        [
            Answer(assignment=fresh, **{name: getattr(answer, name) for name in COPIED})
            for answer in assignment.answers.all()
        ]
    )
    EvidenceFile.objects.bulk_create(
        [
            EvidenceFile(assignment=fresh, **{name: getattr(file, name) for name in COPIED_EVIDENCE})
            for file in assignment.evidence.filter(removed_at=None)
        ]
    )
    # Who prepared did so for the person who has it no more.
    assignment.delegations.filter(ended_at=None).update(ended_at=now)
    record(
        Kind.ATTESTATION_PASSED_ON,
        actor=SCHEDULER,
        subject=system_subject(system),
        now=now,
        before={"assignment": assignment.pk, "person": assignment.person.audit_id},
        after={"assignment": fresh.pk, "person": system.owner.audit_id, "because": fresh.because},
    )
    return fresh


def _because(assignment: Assignment, system: System) -> str:
    if not assignment.person.is_active:
        return Assignment.Because.LEAVER
    said_yes = Q(state="accepted") | Q(nomination__state="accepted")
    agreed = assignment.reassignments.filter(said_yes, to_person=system.owner_id).exists()
    return Assignment.Because.REASSIGNED if agreed else Assignment.Because.OWNER_CHANGED


def follow_owners(*, now: datetime, limit: int = 5000) -> int:
    """Let every open assignment follow its system's owner. Returns how many passed on. Safe to run twice."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVED_SQL, {"limit": limit, "now": now})
        moved = [row[0] for row in cursor.fetchall()]
    return sum(_follow_one(pk, now) for pk in moved)


@transaction.atomic
def _follow_one(pk: int, now: datetime) -> bool:
    locked(System.objects.get(attestations=pk))
    row = Assignment.objects.select_for_update(no_key=True, of=("self",)).select_related(
        "campaign", "person", "snapshot"
    )
    assignment = row.filter(pk=pk, state__in=OPEN_STATES).first()
    return assignment is not None and follow(assignment, now=now).pk != pk
