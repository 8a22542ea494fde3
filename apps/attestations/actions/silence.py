"""Who is told when a campaign's time is over: silence became "not attested", by name, with what it costs."""

from collections import defaultdict
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection

from apps.attestations.models import Campaign
from apps.attestations.queries.recipients import Heard, Item, Recipients
from apps.attestations.rules import LIST_FIRST
from apps.attestations.rules.ladder import CONSEQUENCES, Role, next_office_time
from apps.common.clock import day_words, zone_named
from apps.common.workdays import is_working_day
from apps.notify.actions import Note, enqueue_many
from apps.people.models import Person

SILENCE = "campaign-silence:"

_SILENT_SQL = """
SELECT c.id, c.code, c.title, (c.opened_at AT TIME ZONE %(zone)s)::date, NULL::date, a.due_on, a.person_id, a.unit_id,
       a.id, a.tier, s.name, s.key
FROM attestations_assignment a
JOIN attestations_campaign c ON c.id = a.campaign_id
JOIN registry_system s ON s.id = a.system_id
WHERE a.campaign_id = %(campaign)s AND a.state = 'not_attested'
ORDER BY a.due_on, s.name, s.key, a.id
"""


def tell_silence(campaign: Campaign, *, now: datetime) -> int:
    """Tell the owner, the line manager and the unit's head of what was not attested; returns how many mails are new.

    Part of the verb that ends the campaign's time. One mail a person and campaign, in the office hours of each. A
    step that has nobody goes to the next person. A fixed number of queries.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SILENT_SQL, {"zone": settings.ORGANISATION_TIME_ZONE, "campaign": campaign.pk})
        items = [Item(*row) for row in cursor.fetchall()]
    if not items:
        return 0
    recipients = Recipients((item.owner for item in items), now, since=now - timedelta(days=14))
    told: dict[UUID, dict[int, tuple[Heard, Item]]] = defaultdict(dict)
    for item in items:
        for role in (Role.OWNER, Role.MANAGER, Role.HEAD):
            for one in recipients.heard(role, item):
                told[one.person.pk].setdefault(item.assignment, (one, item))
    notes = (_note(campaign, list(lines.values()), recipients.people, now) for lines in told.values())
    return enqueue_many(notes, now=now)


def _note(campaign: Campaign, lines: list[tuple[Heard, Item]], owners: dict[UUID, Person], now: datetime) -> Note:
    person = lines[0][0].person
    own = [line for line in lines if line[1].owner == person.pk]
    others = [line for line in lines if line[1].owner != person.pk]
    parts = [f"The {campaign.label} attestation took answers until {day_words(campaign.last_day)}."]
    if own:
        parts.append(_list("You did not sign for {count}. Not attested:", own, owners, named=False))
    if others:
        parts.append(_list("Nobody signed for {count} of others. Not attested:", others, owners, named=True))
    parts.append(
        f"{CONSEQUENCES[campaign.terms.get('consequence', 'readiness')]} The report names each system and its owner."
    )
    return Note(
        f"{SILENCE}{campaign.code}:{person.pk}",
        person,
        f"{campaign.label}: not attested, {_count(len(lines))}",
        "\n\n".join(parts),
        f"/systems/{lines[0][1].key}/" if len(lines) == 1 else "/attestations/",
        next_office_time(now, zone_named(person.time_zone), is_working_day),
    )


def _count(number: int) -> str:
    return "1 system" if number == 1 else f"{number:,} systems"


def _list(title: str, lines: list[tuple[Heard, Item]], owners: dict[UUID, Person], *, named: bool) -> str:
    rows = []
    for one, item in lines[:LIST_FIRST]:
        words = f"- {item.name} ({item.key}), was due {day_words(item.due)}"
        if named:
            words += f". {owners[item.owner].display_name} answers for it. Tier {item.tier}. {one.why}".rstrip()
        rows.append(f"{words}\n  {settings.SITE_URL}/systems/{item.key}/")
    more = [f"- and {len(lines) - len(rows):,} more"] if len(lines) > len(rows) else []
    return "\n".join([title.format(count=_count(len(lines))), "", *rows, *more])
