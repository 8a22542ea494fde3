"""Trainings: on record until they expire or are revoked, never deleted."""

from datetime import date, datetime

from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind
from apps.common.clock import local_date
from apps.common.errors import Refused
from apps.common.saving import save_checked
from apps.people.actions.people import person_subject
from apps.people.models import Person, Training


@transaction.atomic
def record_training(
    person: Person,
    *,
    course: str,
    completed_on: date,
    actor: Actor,
    now: datetime,
    valid_until: date | None = None,
    evidence: str = "",
) -> Training:
    """Put a completed course on record. Raises Refused for a day to come, ValidationError for any bad field."""
    if completed_on > local_date(now):
        raise Refused("A training is recorded when it is completed, not before.")
    training = Training(
        person=person,
        course=course.strip(),
        completed_on=completed_on,
        valid_until=valid_until,
        evidence=evidence.strip(),
        recorded_by=actor if isinstance(actor, Person) else None,
        recorded_at=now,
    )
    save_checked(training, exclude=["recorded_by"])
    record(
        Kind.TRAINING_RECORDED,
        actor=actor,
        subject=person_subject(person),
        now=now,
        after={"training": training.pk, "completed": completed_on.isoformat()},
        private={"course": training.course},
    )
    return training


@transaction.atomic
def revoke_training(training: Training, *, actor: Actor, now: datetime, reason: str = "") -> None:
    """Take a training off the record, such as one entered by mistake. Raises Refused where it is revoked already."""
    if not Training.objects.filter(pk=training.pk, revoked_at=None).update(revoked_at=now):
        raise Refused("This training is revoked already.")
    record(
        Kind.TRAINING_REVOKED,
        actor=actor,
        subject=person_subject(training.person),
        now=now,
        before={"training": training.pk},
        reason=reason,
    )
