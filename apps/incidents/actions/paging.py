"""Answering a call, putting a renewal off, and the sweep that calls whoever is next."""

from datetime import datetime, timedelta
from functools import partial

import structlog
from django.db import connection, transaction

from apps.audit.actions import record, record_many
from apps.audit.rules import SCHEDULER, Actor, Kind
from apps.common.errors import NotAllowed, Refused
from apps.common.locks import hold_row
from apps.incidents.actions.calling import (
    WAITING,
    advance,
    answer_pages,
    begin_again,
    call_next,
    locked_row,
    note_sent,
    paged,
)
from apps.incidents.actions.checks import given
from apps.incidents.actions.common import Line, by, incident_subject, line, locked_incident, told
from apps.incidents.actions.leads import decline_lead, running_term, take_lead
from apps.incidents.models import Escalation, Incident, Page
from apps.incidents.rules import LIVE, PageState
from apps.people.actions import held
from apps.people.models import Person

log = structlog.get_logger(__name__)

State = Escalation.State
APP, LINK, BEHALF, API = "app", "link", "behalf", "api"
# The longest time for which a renewal is put off.
SNOOZE_AT_MOST = timedelta(hours=4)
# Rows of one sweep; what is left is due in the next, seconds later.
AT_A_TIME = 500
_LIVE = [state.value for state in LIVE]


@transaction.atomic
def acknowledge(
    what: Page | Incident,
    *,
    actor: Actor,
    now: datetime,
    way: str = APP,
    person: Person | None = None,
    version: int | None = None,
) -> Incident:
    """ "I take it": the person leads from now on, nobody else is called, and what waits to be sent is taken back.

    `person` is who takes it where somebody else says so (on behalf); without it the one who was called, or the actor.
    By whoever has it already it is renewed. Raises Refused where somebody else has it, where it is over, and for who
    can't act; NotAllowed for a call of another person.
    """
    incident, person = _whose(what, actor, person, way)
    incident = locked_incident(incident, version=version)
    _refuse_over(incident)
    row = locked_row(incident, now)
    if row.state == State.ACKED and row.acked_by_id != person.pk:
        holder = row.acked_by.display_name if row.acked_by else "Somebody"
        raise Refused(f"{holder} has it already. Ask them to hand it over.")
    note_sent(incident)
    term = running_term(incident)
    renews = term.person_id == person.pk and term.accepted_at is not None
    said_by = by(actor) or person
    answer_pages(incident, person, PageState.ACKED, now, by=said_by, way=BEHALF if said_by != person else way)
    incident = take_lead(incident, person, actor=actor, now=now, kind=Kind.INCIDENT_ACKNOWLEDGED)
    if renews:
        line(incident, Line.FACT, f"{person.display_name} still has it.", now=now, person=by(actor))
        record(
            Kind.INCIDENT_ACKNOWLEDGED, actor=actor, subject=incident_subject(incident), now=now,
            after=told(incident, by=person.audit_id, renewed=True),
        )  # fmt: skip
    return incident


def _whose(what: Page | Incident, actor: Actor, person: Person | None, way: str) -> tuple[Incident, Person]:
    """The incident that is meant and who takes it."""
    meant = what.person if isinstance(what, Page) else person or by(actor)
    if meant is None:
        raise Refused("Say who takes it.")
    if isinstance(what, Page) and way != BEHALF and actor != what.person:
        raise NotAllowed(f"{what.person.display_name} was called. Only they can answer this call.")
    return (what.incident if isinstance(what, Page) else what), meant


def _refuse_over(incident: Incident) -> None:
    if not incident.is_live:
        raise Refused(f"{incident.code} is {incident.get_state_display().lower()}. Nobody has to take it any more.")


@transaction.atomic
def decline_page(page: Page, *, reason: str, actor: Person, now: datetime, way: str = APP) -> Page:
    """ "I can't": the next step comes at once where nobody else is waited for; another person leads if they led.

    Raises Refused without a reason, where it was answered, and where it is over; NotAllowed for another's call.
    """
    incident = locked_incident(page.incident)
    _refuse_over(incident)
    reason = given(reason, "Say why you can't take it.")
    if page.person_id != actor.pk:
        raise NotAllowed(f"{page.person.display_name} was called. Only they can answer this call.")
    if not held(actor).is_active:
        raise NotAllowed("Who has left answers no call.")
    row = locked_row(incident, now)
    note_sent(incident)
    changed = answer_pages(incident, actor, PageState.DECLINED, now, by=actor, way=way, reason=reason)
    if not changed:
        raise Refused("This call was answered already, or nobody waits for an answer any more.")
    line(incident, Line.FACT, f"{actor.display_name} can't take it: {reason}", now=now, person=actor)
    if not _passed_on(incident, reason, actor, now):
        record(
            Kind.PAGE_DECLINED, actor=actor, subject=incident_subject(incident), now=now,
            after={"round": page.round, "lap": page.lap + 1, "step": page.step + 1}, reason=reason,
        )  # fmt: skip
        if row.state == State.RUNNING and not _waits(incident, row):
            call_next(incident, now)
    page.refresh_from_db()
    return page


def _passed_on(incident: Incident, reason: str, actor: Person, now: datetime) -> bool:
    """Who leads and can't passes the lead on; where nobody else could lead they stay named, and others are called."""
    if incident.lead_id != actor.pk or running_term(incident).accepted_at:
        return False
    try:
        with transaction.atomic():
            decline_lead(incident, reason=reason, actor=actor, now=now)
    except Refused:
        return False
    return True


def _waits(incident: Incident, row: Escalation) -> bool:
    """Whether somebody else was called in this round and may still answer."""
    return Page.objects.filter(incident=incident, round=row.round, state__in=WAITING).exists()


@transaction.atomic
def snooze(incident: Incident, *, minutes: int, reason: str, actor: Person, now: datetime) -> Escalation:
    """Whoever has it need not say so again for some time, four hours at most, and says why.

    Raises Refused without a reason, for a longer time, for one that is over before the renewal is due, and where it
    need not be renewed; NotAllowed for others.
    """
    incident = locked_incident(incident)
    _refuse_over(incident)
    row = locked_row(incident, now)
    reason = given(reason, "Say why nobody need ask you again until then.")
    if not 0 < minutes <= SNOOZE_AT_MOST / timedelta(minutes=1):
        raise Refused("Choose a time of 4 hours at most.")
    if row.state != State.ACKED or row.acked_by_id != actor.pk:
        raise NotAllowed("Only whoever has the incident can put the renewal off.")
    if row.ack_until is None:
        raise Refused("At this severity it need not be renewed.")
    until = now + timedelta(minutes=minutes)
    if until < row.ack_until:
        raise Refused("Nobody asks before then anyway. Choose a longer time.")
    row.ack_until = until
    row.save(update_fields=["ack_until"])
    words = f"{actor.display_name} need not renew for {minutes} min: {reason}"
    line(incident, Line.DECISION, words, now=now, person=actor)
    record(
        Kind.ACKNOWLEDGEMENT_SNOOZED, actor=actor, subject=incident_subject(incident), now=now,
        after={"minutes": minutes}, reason=reason,
    )  # fmt: skip
    return row


def advance_due(*, now: datetime) -> int:
    """Call whoever is next wherever that is due, and begin again where an acknowledgement ran out.

    Rows decide, so that it can run twice at once, late or not at all: each is done in a transaction of its own, and one
    on which somebody works is left for the next time. Returns how many were done. Raises RuntimeError, after all
    others were done, where one failed.
    """
    early, failed = _before_calling(now), list[Exception]()
    running = Escalation.objects.filter(state=State.RUNNING, due_at__lte=now).order_by("due_at")
    over = Escalation.objects.filter(state=State.ACKED, ack_until__lte=now, incident__state__in=_LIVE)
    due = [*running.values_list("pk", flat=True)[:AT_A_TIME]]
    due += over.order_by("ack_until").values_list("pk", flat=True)[:AT_A_TIME]
    done = 0
    for pk in due:
        try:
            done += _advance_one(pk, now)
        except Exception as error:  # one incident that can't be worked on must not keep the others waiting
            failed.append(error)
            log.exception("calling.sweep_failed", incident=pk)
    if failed or early:
        before = f", and in {len(early)} of 3 steps before" if early else ""
        raise RuntimeError(f"Calling failed for {len(failed)} of {len(due)} incidents{before}.") from (failed + early)[
            0
        ]
    return done


def _before_calling(now: datetime) -> list[Exception]:
    """What is known about calls that went out, and timers that are missing; returns what failed.

    Each is one statement over all incidents: one row that it can't read must not keep those from being called who
    are due.
    """
    failed: list[Exception] = []
    for name, act in (("sent", note_sent), ("forward", partial(_bring_forward, now)),
                      ("missing", partial(_start_missing, now))):  # fmt: skip
        try:
            with transaction.atomic():
                act()
        except Exception as error:
            failed.append(error)
            log.exception("calling.sweep_failed", step=name)
    return failed


@transaction.atomic
def _advance_one(pk: int, now: datetime) -> bool:
    """One incident, once: what another sweep did meanwhile is not due any more."""
    if not hold_row(Incident.objects.all(), pk, skip_locked=True):
        return False
    incident = Incident.objects.select_related("system", "lead", "owner").get(pk=pk)
    row = Escalation.objects.select_for_update(no_key=True).get(pk=pk)
    if row.state == State.RUNNING and row.due_at is not None and row.due_at <= now:
        if incident.is_live:
            _next_step(incident, row, now)
        else:
            row.state, row.due_at = State.STOPPED, None
            row.save(update_fields=["state", "due_at"])
        return True
    if row.state == State.ACKED and row.ack_until is not None and row.ack_until <= now and incident.is_live:
        _run_out(incident, row, now)
        return True
    return False


def _next_step(incident: Incident, row: Escalation, now: datetime) -> None:
    done = advance(incident, row, now)
    kind = Kind.ESCALATION_EXHAUSTED if done.exhausted else Kind.ESCALATION_ADVANCED
    record_many([paged(incident, row, done, kind)], actor=SCHEDULER, now=now)


def _run_out(incident: Incident, row: Escalation, now: datetime) -> None:
    """Nobody said again that they have it: calling begins again, with the one who had it."""
    holder = row.acked_by
    cause = record(
        Kind.ACKNOWLEDGEMENT_EXPIRED, actor=SCHEDULER, subject=incident_subject(incident), now=now,
        after={"round": row.round, "person": holder.audit_id if holder else None},
    )  # fmt: skip
    name = holder.display_name if holder else "Somebody"
    words = f"{name} did not say again that they have it. Calling begins again."
    line(incident, Line.ALARM, words, now=now)
    begin_again(incident, now, cause=cause)


# Everybody whom the round called is known not to be reachable: waiting for them helps nobody.
_FORWARD_SQL = """
UPDATE incidents_escalation SET due_at = %(now)s WHERE incident_id IN (
    SELECT e.incident_id FROM incidents_escalation e
    WHERE e.state = 'running' AND e.due_at > %(now)s
      AND EXISTS (SELECT FROM incidents_page p WHERE p.incident_id = e.incident_id AND p.round = e.round
                  AND p.state = 'failed')
      AND NOT EXISTS (SELECT FROM incidents_page p WHERE p.incident_id = e.incident_id AND p.round = e.round
                      AND p.state IN ('queued', 'sent', 'delivered'))
    ORDER BY e.incident_id FOR NO KEY UPDATE SKIP LOCKED)
"""
# An incident that goes on and has no timer: whatever was in the way when it was declared, it gets one now.
_MISSING_SQL = """
INSERT INTO incidents_escalation (incident_id, state, round, lap, step, began_at, due_at)
SELECT i.id, 'running', 1, 0, 0, %(now)s, %(now)s FROM incidents_incident i
WHERE i.state = ANY(%(live)s)
  AND NOT EXISTS (SELECT FROM incidents_escalation e WHERE e.incident_id = i.id)
ON CONFLICT DO NOTHING
"""


def _bring_forward(now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_FORWARD_SQL, {"now": now})


def _start_missing(now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_MISSING_SQL, {"now": now, "live": _LIVE})
