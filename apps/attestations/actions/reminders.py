"""Reminding by hand, and taking reminders back the moment that they are not needed any more."""

from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from apps.attestations.actions.campaigns import campaign_subject
from apps.attestations.actions.digests import Calendar, Digest, Line, digest_note
from apps.attestations.actions.ladder import ASKED, LADDER_MAIL, LOOK_BACK
from apps.attestations.models import Assignment, Campaign
from apps.attestations.queries.recipients import Recipients, open_items
from apps.attestations.rules import OPEN_STATES, RUNNING
from apps.attestations.rules.ladder import Role, next_office_time
from apps.audit.actions import record
from apps.audit.rules import Actor, Kind
from apps.common.clock import local_date
from apps.common.errors import Refused
from apps.notify.actions import Note, enqueue_many, withdraw
from apps.notify.models import Message
from apps.people.models import Person

REMINDED_TODAY = "Everybody with something open was reminded today already. The next reminder can go tomorrow."
# Campaign, person, day: all that is open. A reminder of one system names its assignment beside them.
ASKED_ALL = f"{ASKED}{{campaign}}:{{person}}:{{day}}"


@transaction.atomic
def remind_open(campaign: Campaign, *, actor: Actor, now: datetime) -> int:
    """Remind everybody who has something open, because somebody asked to; returns to how many it went.

    It leaves in the office hours of each; who acts for somebody who is away hears too. Raises Refused for a second
    time on one day, in a closed campaign, and where nothing is open.
    """
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    today = local_date(now)
    if not campaign.takes_answers or now >= campaign.closes_at:
        raise Refused(f"The campaign of {campaign.label} is closed. Nobody can sign any more.")
    if campaign.reminded_on == today:
        raise Refused(REMINDED_TODAY)
    notes = _asked(campaign, today, now)
    if not notes:
        raise Refused("Everything is signed. There is nobody to remind.")
    sent = enqueue_many(notes, now=now)
    campaign.reminded_on = today
    campaign.save(update_fields=["reminded_on"])
    record(
        Kind.CAMPAIGN_REMINDED,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        after={"people": sent, "by": "hand"},
    )
    return sent


def _asked(campaign: Campaign, day: date, now: datetime) -> list[Note]:
    """One mail for each owner with something open, and for who acts for them. A fixed number of queries."""
    items = open_items(now, campaign=campaign.pk)
    recipients = Recipients((item.owner for item in items), now, since=now - LOOK_BACK)
    digests: dict[UUID, Digest] = {}
    for item in items:
        for one in recipients.heard(Role.OWNER, item):
            digests.setdefault(one.person.pk, Digest(one.person)).add(one.role, Line(item, one.why))
    calendar, notes = Calendar(now), []
    for pk, digest in digests.items():
        note = digest_note(
            digest,
            ASKED_ALL.format(campaign=campaign.code, person=pk, day=day),
            calendar.today(digest.person),
            recipients.people,
        )
        leaves = next_office_time(now, calendar.zone_of(digest.person), calendar.working)
        notes.append(replace(note, not_before=leaves))
    return notes


def withdraw_reminders(person: Person, *, now: datetime, system: str = "") -> int:
    """Take back what waits in the outbox about somebody's open systems; returns how many mails will not be sent.

    Part of a signature's transaction: the digest of the signer, and every mail to others that names the system with
    this key. What is still open is said anew by the next sweep, within ten minutes. A reminder by hand stays while the
    person has more to sign. One query where nothing waits.
    """
    about = Q(recipient=person)
    if system:
        about |= Q(body__contains=f"({system})")
    mails = Q()
    for prefix in LADDER_MAIL:
        mails |= Q(key__startswith=prefix)
    waiting = Message.objects.filter(mails, about, state__in=[Message.State.QUEUED, Message.State.CLAIMED])
    rows = list(waiting.values_list("key", "body"))
    more = bool(rows) and _has_more(person)
    keys = [key for key, body in rows if not (more and key.startswith(ASKED) and _asks_for_more(key, body, system))]
    return withdraw(now=now, reason="What it asks for was signed.", keys=keys) if keys else 0


def _asks_for_more(key: str, body: str, system: str) -> bool:
    """Whether a reminder by hand names other systems than the one that was signed."""
    is_list = key.count(":") == ASKED_ALL.count(":")
    return is_list or not system or f"({system})" not in body


def _has_more(person: Person) -> bool:
    return Assignment.objects.filter(
        system__owner=person, state__in=OPEN_STATES, campaign__state__in=[*RUNNING, Campaign.State.ROLLUP]
    ).exists()
