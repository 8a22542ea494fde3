"""Opening a campaign, and moving it on until its roll-up begins."""

import secrets
from datetime import datetime
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from apps.attestations.actions.nodes import plant
from apps.attestations.actions.questions import frozen_questions
from apps.attestations.actions.scope import Frozen, freeze, supplement
from apps.attestations.actions.silence import tell_silence
from apps.attestations.models import Assignment, Campaign, CampaignTemplate
from apps.attestations.queries import closing_moment, dates_of, opening_moment
from apps.attestations.rules import LIST_ALL, LIST_FIRST, OPEN_STATES, QUARTERLY, SIGNED_STATES, Period
from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject, digest
from apps.common.clock import day_words, local_date
from apps.common.errors import Refused
from apps.notify.actions import Note, enqueue_many, withdraw
from apps.people.models import Person

MAIL_BATCH = 1000
PLANNED = (Campaign.State.DRAFT, Campaign.State.SCHEDULED)

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
    return Subject("campaign", campaign.code, f"{campaign.label} attestation")


@transaction.atomic
def open_campaign(
    period: str, *, actor: Actor, now: datetime, template: CampaignTemplate | None = None
) -> tuple[Campaign, bool]:
    """Open a period's campaign: freeze the scope, ask for every system in it once, write one mail a person.

    Without a template the quarterly one. All or nothing, in one transaction: a worker that dies leaves no trace,
    and two that run at once open one campaign. Returns the campaign and whether this call opened it; a second call
    changes nothing. Raises ValueError for what is no period, Refused where the closing date has passed or nothing
    is in scope.
    """
    span = Period.parse(period)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('attestations_open_campaign'))")
    template = template or quarterly()
    campaign = Campaign.objects.filter(template=template, period=str(span)).first()
    if campaign is not None and campaign.state not in PLANNED:
        return campaign, False
    campaign = _begin(campaign or plan(template, span), actor, now)
    frozen = freeze(campaign, now=now)
    if not frozen.systems and not campaign.is_event:
        raise Refused("No live system is in its scope. A campaign without systems is not opened.")
    campaign.state, campaign.scope_hash = Campaign.State.OPEN, frozen.scope_hash or digest("")
    campaign.save(update_fields=["state", "scope_hash"])
    plant(campaign)
    mails = _write_mails(campaign, now=now)
    record(
        Kind.CAMPAIGN_OPENED,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        after=_opened_facts(campaign, frozen, mails),
    )
    return campaign, True


def _begin(campaign: Campaign, actor: Actor, now: datetime) -> Campaign:
    """Freeze what the campaign asks, of whom and on which terms. Raises Refused where it would be over already."""
    template = campaign.template
    if campaign.closes_at <= now:
        raise Refused(f"The campaign of {campaign.label} would have closed on {day_words(campaign.last_day)}.")
    campaign.state = Campaign.State.SNAPSHOTTING
    campaign.opened_at, campaign.opened_by = now, actor.audit_name
    campaign.question_set = frozen_questions(template)
    campaign.terms = {
        "scope": template.scope,
        "sampling_percent": template.sampling_percent,
        "consequence": template.consequence,
        "top_seats": template.top_seats,
        "items_per_person": template.items_per_person,
    }
    campaign.sampling_seed = secrets.token_hex(32)
    campaign.sampling_commitment = digest(campaign.sampling_seed)
    if campaign.pk:
        campaign.save()
    else:
        begin, campaign.state = campaign.state, Campaign.State.DRAFT
        campaign.save(force_insert=True)
        campaign.state = begin
        campaign.save(update_fields=["state"])
    return campaign


def _opened_facts(campaign: Campaign, frozen: Frozen, mails: int) -> dict[str, Any]:
    return {
        "systems": frozen.systems,
        "interim": frozen.interim,
        "retired": frozen.retired,
        "mails": mails,
        "scope_sha256": campaign.scope_hash,
        "questions": [part["key"] for part in campaign.question_set["sets"]],
        "sampling_commitment": campaign.sampling_commitment,
        "due": {
            "critical": str(campaign.due_critical_on),
            "high": str(campaign.due_high_on),
            "rest": str(campaign.due_on),
        },
    }


def plan(template: CampaignTemplate, span: Period) -> Campaign:
    """A campaign of this period as it would be, with its dates; not written."""
    dates = dates_of(span, template)
    is_quarterly = template.key == QUARTERLY
    return Campaign(
        template=template,
        period=str(span),
        code=str(span) if is_quarterly else f"{span}-{template.key}",
        title=span.label if is_quarterly else f"{span.label}, {template.name}",
        is_event=template.cadence == CampaignTemplate.Cadence.EVENT,
        opens_at=opening_moment(dates),
        due_critical_on=dates.due_critical_on,
        due_high_on=dates.due_high_on,
        due_on=dates.due_on,
        closes_at=closing_moment(dates),
    )


def quarterly() -> CampaignTemplate:
    """The template that every portal begins with: all live systems, every quarter."""
    return CampaignTemplate.objects.get(key=QUARTERLY)


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
    label, total = campaign.label, rows[0][1]
    lines = [system_line(name, key, due) for _, _, due, name, key in rows]
    return Note(
        key=f"campaign:{campaign.code}:{person.pk}:opened",
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
def begin_grace(campaign: Campaign, *, actor: Actor, now: datetime) -> Campaign:
    """The last due date has passed: from now on whoever signs is late. Raises Refused where it is not so."""
    campaign = locked_campaign(campaign)
    if campaign.state != Campaign.State.OPEN or local_date(now) <= campaign.due_on:
        raise Refused(f"The campaign of {campaign.label} is not past its due date, or it is further already.")
    campaign.state = Campaign.State.GRACE
    campaign.save(update_fields=["state"])
    record(
        Kind.CAMPAIGN_GRACE_BEGAN,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        before={"state": "open"},
        after={"state": "grace"},
    )
    return campaign


@transaction.atomic
def begin_rollup(campaign: Campaign, *, actor: Actor, now: datetime) -> Campaign:
    """The grace period is over: what nobody signed becomes "not attested", by name. Nothing is attested by silence.

    What was sent back to its owner shortly before stays open until its own day. Raises Refused where the closing
    date has not come or the roll-up has begun.
    """
    campaign = locked_campaign(campaign)
    if now < campaign.closes_at:
        raise Refused(f"The campaign of {campaign.label} has not reached its closing date.")
    if not campaign.takes_answers:
        raise Refused(f"The campaign of {campaign.label} is closed already.")
    if (before := campaign.state) == Campaign.State.OPEN:
        campaign.state = Campaign.State.GRACE
        campaign.save(update_fields=["state"])
    rows = Assignment.objects.filter(campaign=campaign)
    silent = silence(campaign, now=now)
    campaign.state, campaign.rollup_at = Campaign.State.ROLLUP, now
    campaign.save(update_fields=["state", "rollup_at"])
    tell_silence(campaign, now=now)
    record(
        Kind.CAMPAIGN_ROLLUP_BEGAN,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        before={"state": before},
        after={
            "state": "rollup",
            "signed": rows.filter(state__in=SIGNED_STATES).count(),
            "not_attested": silent,
        },
    )
    return campaign


def silence(campaign: Campaign, *, now: datetime) -> int:
    """What is open and may not be signed any more becomes "not attested". Returns how many. The caller holds it."""
    return (
        Assignment.objects.filter(campaign=campaign, state__in=OPEN_STATES)
        .filter(Q(reopened_until=None) | Q(reopened_until__lte=now))
        .update(state=Assignment.State.NOT_ATTESTED)
    )


def locked_campaign(campaign: Campaign) -> Campaign:
    """The campaign's row, locked for this transaction."""
    return Campaign.objects.select_for_update(no_key=True, of=("self",)).select_related("template").get(pk=campaign.pk)


@transaction.atomic
def cancel_campaign(campaign: Campaign, *, reason: str, actor: Actor, now: datetime) -> Campaign:
    """End a campaign before its due date, with a reason. What was signed stays; nothing is "not attested" by it.

    Raises Refused without a reason and once it is past its due date.
    """
    campaign = locked_campaign(campaign)
    if not reason.strip():
        raise Refused("Say why the campaign is cancelled.")
    if campaign.state not in (*PLANNED, Campaign.State.OPEN):
        raise Refused(f"The campaign of {campaign.label} can't be cancelled any more.")
    before, campaign.state = campaign.state, Campaign.State.CANCELLED
    campaign.cancelled_at, campaign.cancel_reason = now, reason.strip()[:600]
    campaign.save(update_fields=["state", "cancelled_at", "cancel_reason"])
    withdraw(prefix=f"campaign:{campaign.code}:", reason="The campaign was cancelled.", now=now)
    record(
        Kind.CAMPAIGN_CANCELLED,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        before={"state": before},
        after={"state": "cancelled"},
        reason=campaign.cancel_reason,
    )
    return campaign


@transaction.atomic
def add_supplements_to(campaign: Campaign, *, actor: Actor, now: datetime) -> int:
    """Ask for the grave systems that came into a running campaign's scope since it opened. Returns how many."""
    campaign = locked_campaign(campaign)
    if not campaign.takes_answers or campaign.is_event or not (count := supplement(campaign, now=now)):
        return 0
    record(
        Kind.CAMPAIGN_SUPPLEMENTED,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        after={"systems": count, "mails": tell_of_supplements(campaign, now=now)},
    )
    return count


def tell_of_supplements(campaign: Campaign, *, now: datetime) -> int:
    """One mail for each system that was asked for after the opening and not told of. Returns how many are new."""
    rows = Assignment.objects.filter(campaign=campaign, snapshot__is_supplement=True, opened_at=now)
    return enqueue_many(
        [
            Note(
                key=f"campaign:{campaign.code}:{row.person_id}:supplement:{row.pk}",
                recipient=row.person,
                subject=f"{campaign.label}: state and sign what is true for {row.system.name}",
                body=(
                    f"{row.system.name} ({row.system.key}) came into the {campaign.label} attestation after it opened."
                    f"\n\n{system_line(row.system.name, row.system.key, row.due_on)}"
                ),
                path=f"/attestations/{campaign.code}/{row.system.key}/",
            )
            for row in rows.select_related("person", "system")
        ],
        now=now,
    )
