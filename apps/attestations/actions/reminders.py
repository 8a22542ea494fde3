"""Reminding owners: one digest a person a step, by rule or by hand; nobody after they signed."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from apps.attestations.actions.campaigns import campaign_subject, count_words, system_line, system_list
from apps.attestations.models import Campaign
from apps.attestations.rules import LIST_ALL, LIST_FIRST, reminder_step
from apps.audit.actions import record
from apps.audit.rules import Actor, Kind
from apps.common.clock import local_date
from apps.common.errors import Refused
from apps.notify.actions import Note, enqueue_many
from apps.notify.models import Message
from apps.people.models import Person

REMINDED_TODAY = "Everybody with something open was reminded today already. The next reminder can go tomorrow."

# The open items of everybody: how many, their dates, and the first of them. Owners as they are today.
_OPEN_SQL = """
SELECT owner_id, total, dates, due_on, name, key FROM (
    SELECT s.owner_id, a.due_on, s.name, s.key,
           count(*) OVER person AS total,
           array_agg(a.due_on) OVER person AS dates,
           row_number() OVER (PARTITION BY s.owner_id ORDER BY a.due_on, s.name, s.key) AS place
    FROM attestations_assignment a JOIN registry_system s ON s.id = a.system_id
    WHERE a.campaign_id = %(campaign)s AND a.state IN ('pending', 'in_progress', 'changes_requested')
    WINDOW person AS (PARTITION BY s.owner_id)) AS ranked
WHERE place <= CASE WHEN total > %(all)s THEN %(first)s ELSE %(all)s END
ORDER BY owner_id, place
"""


@dataclass
class _Open:
    """What one person has open."""

    total: int
    dates: set[date]
    lines: list[str] = field(default_factory=list)


def _open_items(campaign: Campaign) -> dict[Any, _Open]:
    found: dict[Any, _Open] = {}
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_SQL, {"campaign": campaign.pk, "all": LIST_ALL, "first": LIST_FIRST})
        for person, total, dates, due, name, key in cursor.fetchall():
            if person not in found:
                found[person] = _Open(total, set(dates))
            found[person].lines.append(system_line(name, key, due))
    return found


@transaction.atomic
def remind_due(campaign: Campaign, *, actor: Actor, now: datetime) -> int:
    """Put the digests of the step that has come into the outbox; returns how many are new.

    The step is part of the message's key, so running this again says nothing twice. Only the latest step is
    sent, and never one before a step that was sent. Writes to the trail only where something was said.
    """
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    if not campaign.takes_answers or now >= campaign.closes_at:
        return 0
    today, opened_on = local_date(now), local_date(campaign.opened_at)
    said = _steps_said(campaign)
    steps: dict[Any, date] = {}
    items = _open_items(campaign)
    for person, item in items.items():
        step = reminder_step(item.dates, today=today, opened_on=opened_on)
        if step is not None and step > said.get(str(person), opened_on):
            steps[person] = step
    people = Person.objects.in_bulk(list(steps)) if steps else {}
    sent = enqueue_many(
        [_digest(campaign, people[person], items[person], f"remind:{step}") for person, step in steps.items()],
        now=now,
    )
    if sent:
        _record(campaign, sent, "schedule", actor, now)
    return sent


def _steps_said(campaign: Campaign) -> dict[str, date]:
    """The last step that each person was reminded at, from the keys in the outbox."""
    prefix = f"campaign:{campaign.code}:"
    said: dict[str, date] = {}
    keys = Message.objects.filter(key__startswith=prefix, key__contains=":remind:").values_list("key", flat=True)
    for key in keys:
        person, _, day = key.removeprefix(prefix).split(":")
        said[person] = max(said.get(person, date.min), date.fromisoformat(day))
    return said


@transaction.atomic
def remind_open(campaign: Campaign, *, actor: Actor, now: datetime) -> int:
    """Remind everybody who has something open, because somebody asked to; returns to how many it went.

    Raises Refused for a second time on one day, in a closed campaign, and where nothing is open.
    """
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    today = local_date(now)
    if not campaign.takes_answers or now >= campaign.closes_at:
        raise Refused(f"The campaign of {campaign.label} is closed. Nobody can sign any more.")
    if campaign.reminded_on == today:
        raise Refused(REMINDED_TODAY)
    items = _open_items(campaign)
    if not items:
        raise Refused("Everything is signed. There is nobody to remind.")
    people = Person.objects.in_bulk(list(items))
    sent = enqueue_many(
        [_digest(campaign, people[person], item, f"asked:{today}") for person, item in items.items()], now=now
    )
    campaign.reminded_on = today
    campaign.save(update_fields=["reminded_on"])
    _record(campaign, sent, "hand", actor, now)
    return sent


def _record(campaign: Campaign, people: int, by: str, actor: Actor, now: datetime) -> None:
    record(
        Kind.CAMPAIGN_REMINDED,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        after={"people": people, "by": by},
    )


def _digest(campaign: Campaign, person: Person, item: _Open, occasion: str) -> Note:
    first = min(item.dates)
    return Note(
        key=f"campaign:{campaign.code}:{person.pk}:{occasion}",
        recipient=person,
        subject=f"{campaign.label}: {count_words(item.total)} to sign, first by {first.day} {first:%b %Y}",
        body=(
            f"You have not signed for {count_words(item.total)} in the {campaign.label} attestation:\n\n"
            f"{system_list(item.lines, item.total)}\n\n"
            "What is not signed when the campaign closes is reported as not attested, by name."
        ),
        path="/attestations/",
    )
