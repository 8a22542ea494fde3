"""What the portal itself writes to the trail: signing in and out, and by what somebody proves who they are."""

from datetime import datetime

from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.db.models import F

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject, SystemActor
from apps.common.errors import Refused
from apps.people.actions import end_sessions, person_subject
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
    end_sessions(person)
    record(Kind.PERSON_CHANGED, actor=actor, subject=person_subject(person), now=now, after={"password": "changed"})


@transaction.atomic
def change_second_factor(person: Person, change: str, *, actor: Person, now: datetime) -> None:
    """Say in the trail that a passkey, an authenticator app or recovery codes came or went. No secret is kept."""
    record(Kind.PERSON_CHANGED, actor=actor, subject=person_subject(person), now=now, after={"second_factor": change})


@transaction.atomic
def link_identity(person: Person, *, provider: str, subject: str, actor: Person, now: datetime) -> SocialAccount:
    """Remember by which subject an identity provider knows a person, from their first sign-in on.

    Raises Refused where the provider knew this person by another subject: an address that went to somebody else
    there opens nobody's account here.
    """
    try:
        with transaction.atomic():
            account = SocialAccount.objects.create(user=person, provider=provider, uid=subject)
    except IntegrityError as error:
        raise Refused(f"{person.display_name} is known to this provider as somebody else.") from error
    record(
        Kind.PERSON_CHANGED,
        actor=actor,
        subject=person_subject(person),
        now=now,
        after={"identity": f"linked {provider}"},
        private={"subject": subject},
    )
    return account


@transaction.atomic
def unlink_identity(person: Person, *, provider: str, actor: Actor, now: datetime) -> None:
    """Forget by which subject a provider knows a person; the next sign-in links anew. Raises Refused for none."""
    if not SocialAccount.objects.filter(user=person, provider=provider).delete()[0]:
        raise Refused(f"{person.display_name} is not linked to {provider}.")
    record(
        Kind.PERSON_CHANGED,
        actor=actor,
        subject=person_subject(person),
        now=now,
        after={"identity": f"unlinked {provider}"},
    )


@transaction.atomic
def end_one_session(person: Person, session_id: int, *, actor: Person, now: datetime) -> None:
    """End one session of a person. Raises UserSession.DoesNotExist for one that is not theirs or has ended."""
    row = UserSession.objects.select_for_update().get(pk=session_id, user=person)
    Session.objects.filter(session_key=row.session_key).delete()
    row.delete()
    record(
        Kind.SESSION_ENDED, actor=actor, subject=person_subject(person), now=now, after={"which": "one", "sessions": 1}
    )


@transaction.atomic
def end_other_sessions(person: Person, *, keep: str, actor: Person, now: datetime) -> int:
    """End every session of a person but the one with the key `keep`, which has to take the new round over.

    Returns how many of them were known.
    """
    Person.objects.filter(pk=person.pk).update(session_round=F("session_round") + 1)
    person.refresh_from_db(fields=["session_round"])
    rows = UserSession.objects.filter(user=person).exclude(session_key=keep)
    Session.objects.filter(session_key__in=rows.values("session_key")).delete()
    ended: int = rows.delete()[0]
    record(
        Kind.SESSION_ENDED,
        actor=actor,
        subject=person_subject(person),
        now=now,
        after={"which": "others", "sessions": ended},
    )
    return ended
