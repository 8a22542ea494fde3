"""What the portal itself writes to the trail: signing in and out, and a password that was changed."""

from datetime import datetime

from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import Kind, Subject, SystemActor
from apps.people.actions import person_subject
from apps.people.models import Person

SIGN_IN = SystemActor("sign-in")


@transaction.atomic
def start_session(person: Person, *, actor: Person, now: datetime) -> None:
    """Say in the trail that somebody signed in."""
    record(Kind.SESSION_STARTED, actor=actor, subject=person_subject(person), now=now)


@transaction.atomic
def end_session(person: Person, *, actor: Person, now: datetime) -> None:
    """Say in the trail that somebody signed out."""
    record(Kind.SESSION_ENDED, actor=actor, subject=person_subject(person), now=now)


@transaction.atomic
def refuse_session(address: str, *, now: datetime, why: str = "") -> None:
    """Say in the trail that an attempt to sign in failed. The address is erasable; no password is kept."""
    person = Person.objects.filter(email=address.strip().lower()).first()
    record(
        Kind.SESSION_REFUSED,
        actor=SIGN_IN,
        subject=person_subject(person) if person else Subject("session", "unknown"),
        now=now,
        reason=why,
        private={"address": address.strip().lower()[:254]},
    )


@transaction.atomic
def change_password(person: Person, password: str, *, actor: Person, now: datetime) -> None:
    """Set a password that was validated. Every other session of the person ends by it."""
    person.set_password(password)
    person.save(update_fields=["password"])
    record(Kind.PERSON_CHANGED, actor=actor, subject=person_subject(person), now=now, after={"password": "changed"})
