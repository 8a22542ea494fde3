"""Nominations that nobody answered in five working days go up to the unit's head."""

from datetime import datetime

from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Kind
from apps.common.clock import local_date
from apps.notify.actions import enqueue
from apps.registry.actions.ownership import acting_head_above, system_subject
from apps.registry.models import Nomination

BATCH = 500


def escalate_nominations(*, now: datetime) -> int:
    """Escalate each overdue nomination once; returns how many. Safe to run twice or in parallel."""
    due = Nomination.objects.filter(state="open", escalated_at=None, due_on__lt=local_date(now))
    return sum(escalate_nomination(pk, now=now) for pk in due.values_list("pk", flat=True)[:BATCH])


@transaction.atomic
def escalate_nomination(nomination_id: int, *, now: datetime) -> bool:
    """Tell the unit's head that a nomination waits. False where another sweep was first or it was answered."""
    changed = Nomination.objects.filter(pk=nomination_id, state="open", escalated_at=None).update(escalated_at=now)
    if not changed:
        return False
    nomination = Nomination.objects.select_related("system__unit", "nominee").get(pk=nomination_id)
    system = nomination.system
    enqueue(
        key=f"nomination:{nomination.pk}:escalated",
        recipient=acting_head_above(system, now),
        subject=f"Not answered: {nomination.nominee.display_name} and {system.name}",
        body=(
            f"{nomination.nominee.display_name} was asked to answer for {system.name} ({system.key}) and has not "
            f"answered by {nomination.due_on:%d %b %Y}. Ask them, or nominate somebody else."
        ),
        path=f"/systems/{system.key}/",
        now=now,
    )
    record(
        Kind.NOMINATION_ESCALATED,
        actor=SCHEDULER,
        subject=system_subject(system),
        now=now,
        after={"nomination": nomination.pk},
    )
    return True
