"""Opening and closing a campaign."""

from datetime import datetime
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any

from django.db import connection, transaction

from apps.attestations.actions.scope import freeze
from apps.attestations.models import Assignment, Campaign
from apps.attestations.queries import closing_moment, dates_of, opening_moment
from apps.attestations.questions import frozen as frozen_questions
from apps.attestations.rules import LIST_ALL, LIST_FIRST, OPEN_STATES, Period
from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject
from apps.common.errors import Refused
from apps.notify.actions import Note, enqueue_many
from apps.people.models import Person

MAIL_BATCH = 1000

# Every owner with how many systems and the first of them, nearest date first.
_OWNERS_SQL = """
SELECT person_id, total, due_on, name, key FROM (
    SELECT a.person_id, a.due_on, s.name, s.key,
           count(*) OVER (PARTITION BY a.person_id) AS total,
           row_number() OVER (PARTITION BY a.person_id ORDER BY a.due_on, s.name, s.key) AS place
    FROM attestations_assignment a JOIN registry_system s ON s.id = a.system_id
    WHERE a.campaign_id = %(campaign)s) AS ranked
WHERE place <= CASE WHEN total > %(all)s THEN %(first)s ELSE %(all)s END
ORDER BY person_id, place
"""


def campaign_subject(campaign: Campaign) -> Subject:
    """How the trail refers to a campaign."""
    return Subject("campaign", campaign.period, f"{campaign.quarter.label} attestation")


@transaction.atomic
def open_campaign(period: str, *, actor: Actor, now: datetime) -> tuple[Campaign, bool]:
    """Open a quarter's campaign: freeze the scope, assign every live system once, write one mail a person.

    All or nothing, in one transaction: a worker that dies leaves no trace, and two that run at once open one
    campaign. Returns the campaign and whether this call opened it; a second call changes nothing.
    Raises ValueError for what is no quarter, Refused where the closing date has passed or nothing is live.
    """
    quarter = Period.parse(period)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('attestations_open_campaign'))")
    known = Campaign.objects.filter(period=str(quarter)).first()
    if known is not None:
        return known, False
    dates = dates_of(quarter)
    if closing_moment(dates) <= now:
        raise Refused(f"The campaign of {quarter.label} would have closed on {dates.closes_on:%d %b %Y}.")
    campaign = Campaign.objects.create(
        period=str(quarter),
        opens_at=opening_moment(dates),
        opened_at=now,
        opened_by=actor.audit_name,
        due_critical_on=dates.due_critical_on,
        due_high_on=dates.due_high_on,
        due_on=dates.due_on,
        closes_at=closing_moment(dates),
        question_set=frozen_questions(),
    )
    total, interim, campaign.scope_hash = freeze(campaign, dates, now=now)
    if not total:
        raise Refused("No live system is on the register. A campaign without systems is not opened.")
    campaign.save(update_fields=["scope_hash"])
    mails = _write_mails(campaign, now=now)
    record(
        Kind.CAMPAIGN_OPENED,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        after={
            "systems": total,
            "interim": interim,
            "mails": mails,
            "scope_sha256": campaign.scope_hash,
            "due": {"critical": str(dates.due_critical_on), "high": str(dates.due_high_on), "rest": str(dates.due_on)},
        },
    )
    return campaign, True


def _write_mails(campaign: Campaign, *, now: datetime) -> int:
    """One mail a person with all their systems, a thousand people at a time. Returns how many."""
    mails = 0
    with connection.chunked_cursor() as cursor:
        cursor.execute(_OWNERS_SQL, {"campaign": campaign.pk, "all": LIST_ALL, "first": LIST_FIRST})
        people = groupby(chain.from_iterable(iter(lambda: cursor.fetchmany(5000), [])), key=itemgetter(0))
        while batch := {person: list(rows) for person, rows in islice(people, MAIL_BATCH)}:
            recipients = Person.objects.in_bulk(list(batch))
            notes = [_opening_note(campaign, recipients[person], rows) for person, rows in batch.items()]
            mails += enqueue_many(notes, now=now)
    return mails


def system_line(name: str, key: str, due: Any) -> str:
    """One system in a mail."""
    return f"- {name} ({key}), by {due.day} {due:%b %Y}"


def system_list(lines: list[str], total: int) -> str:
    """The systems of a mail, and how many more there are."""
    more = f"\n- and {total - len(lines)} more" if total > len(lines) else ""
    return "\n".join(lines) + more


def count_words(number: int) -> str:
    """1 system, 12 systems."""
    return "1 system" if number == 1 else f"{number} systems"


def _opening_note(campaign: Campaign, person: Person, rows: list[tuple[Any, ...]]) -> Note:
    label, total = campaign.quarter.label, rows[0][1]
    lines = [system_line(name, key, due) for _, _, due, name, key in rows]
    return Note(
        key=f"campaign:{campaign.period}:{person.pk}:opened",
        recipient=person,
        subject=f"{label}: state and sign what is true for {count_words(total)}",
        body=(
            f"The {label} attestation is open. You answer for {count_words(total)}:\n\n"
            f"{system_list(lines, total)}\n\n"
            "For each one, answer six short sections, check your answers and sign. "
            "If a system is not yours, say so there: silence counts as not attested, by name."
        ),
        path="/attestations/",
    )


@transaction.atomic
def close_campaign(campaign: Campaign, *, actor: Actor, now: datetime) -> Campaign:
    """End a campaign: what nobody signed becomes "not attested". Nothing is ever attested by silence.

    Raises Refused where it is closed already or its closing date has not come.
    """
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    if campaign.state == Campaign.State.CLOSED:
        raise Refused(f"The campaign of {campaign.quarter.label} is closed already.")
    if now < campaign.closes_at:
        raise Refused(f"The campaign of {campaign.quarter.label} has not reached its closing date.")
    rows = Assignment.objects.filter(campaign=campaign)
    silent = rows.filter(state__in=OPEN_STATES).update(state=Assignment.State.NOT_ATTESTED)
    campaign.state, campaign.closed_at = Campaign.State.CLOSED, now
    campaign.save(update_fields=["state", "closed_at"])
    record(
        Kind.CAMPAIGN_CLOSED,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        before={"state": "open"},
        after={
            "state": "closed",
            "signed": rows.filter(state=Assignment.State.SUBMITTED).count(),
            "not_attested": silent,
        },
    )
    return campaign
