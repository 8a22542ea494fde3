"""Calling people for an incident: it begins, goes up step by step, falls silent, and begins again.

The rows are the timers: `Escalation` says which step is next and when. A step's pages, their messages and the time of
the next step are written in one transaction, so that a worker that is killed leaves either all of it or a row that is
still due. Whoever works on a row holds its incident; the order is system, incident, escalation.

How it goes on:

* A step calls the people whom its targets are at that moment (`queries.paging.Roster`). A step without anybody is
  skipped at once, with a line. The ones after it keep their distance, and so do all after a pause of the portal.
* After the last step, `LAST_WAIT` minutes later, the plan begins again with its first step (a lap), as often as the
  plan says. Then it is exhausted: the holder of the mandate is called, and the watchman says so until it is taken.
* A round ends when somebody takes it. The next begins, with the first step, when the acknowledgement runs out, when
  the one who has it is relieved or leaves, or when the incident is opened again. What an older round said is withdrawn.
* Declining brings the next step at once, and whoever leads then is called in it.
* A hand-over is silent: the one who has it keeps it until the other says yes; from then on it holds for them.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest

from apps.audit.actions import Entry, record_many
from apps.audit.rules import SCHEDULER, Kind
from apps.common.errors import Refused
from apps.incidents.actions.announcing import BEGAN, OVER, TAKEN, announce
from apps.incidents.actions.common import Line, incident_subject, line, sync_participants
from apps.incidents.models import Escalation, Incident, Page
from apps.incidents.queries.ack_links import ack_path
from apps.incidents.queries.paging import Around, Called, Roster
from apps.incidents.rules import ACK_HOLDS, SEVERITY_WORDS, PageState, Severity, Visibility
from apps.incidents.rules.plans import ALL_CHANNELS, Plan, Step, read_plan
from apps.notify.actions import Note, withdraw
from apps.notify.actions.reach import Said, send_to_many
from apps.people.models import Person
from apps.registry.queries.succession import mandate_holder

log = structlog.get_logger(__name__)

State = Escalation.State
# A call that waits for an answer.
WAITING = [PageState.QUEUED.value, PageState.SENT.value, PageState.DELIVERED.value]
# A step that is done within this time of its own moment keeps that moment for what follows; after a pause of the
# portal the people who are called now have all of their time.
ON_TIME = timedelta(minutes=1)
WAY_WORDS = {"email": "e-mail", "sms": "text message", "voice": "call", "chat": "chat"}


@dataclass
class Went:
    """What one go of calling did."""

    called: list[Called] = field(default_factory=list)
    lap: int = 0
    step: int = 0
    exhausted: bool = False


def begin_calling(incident: Incident, now: datetime, *, cause: uuid.UUID | None = None) -> None:
    """Start the plan of this incident and call its first step at once."""
    Escalation.objects.create(incident=incident, began_at=now, due_at=now)
    _at_once(incident, now, cause=cause)
    announce(incident, BEGAN, f"{incident.lead.display_name} leads the response and is called.", now, occasion=1)


def hush(incident: Incident, person: Person, now: datetime, *, human: bool = True, way: str = "app") -> None:
    """Somebody has it: nobody else is called, and what waits to be sent is taken back.

    Also renews it. Only a human's answer counts as the first one (`human`). Does nothing once calling was stopped.
    """
    row = locked_row(incident, now)
    if row.state == State.STOPPED:
        return
    note_sent(incident)
    row.refresh_from_db(fields=["first_page_at"])
    row.state, row.due_at, row.acked_by, row.acked_at = State.ACKED, None, person, now
    row.ack_until = _holds_until(incident, now)
    if human and row.first_ack_at is None:
        row.first_ack_at = now
    row.save()
    close_pages(incident, person, now, way=way)
    silence(incident, f"{person.display_name} has it.", now)
    announce(incident, TAKEN, f"{person.display_name} has it.", now, occasion=row.round)


def _holds_until(incident: Incident, now: datetime) -> datetime | None:
    holds = ACK_HOLDS[Severity(incident.severity)]
    return now + holds if holds else None


def follow_severity(incident: Incident, now: datetime) -> None:
    """How bad it is was said anew: an acknowledgement holds as long as that severity allows, never longer than before
    where it has to be renewed. It is renewed by the person, not by a change of the severity."""
    row = locked_row(incident, now)
    if row.state != State.ACKED:
        return
    until = _holds_until(incident, now)
    if until is not None and row.ack_until is not None:
        until = min(until, row.ack_until)
    row.ack_until = until
    row.save(update_fields=["ack_until"])


def stop_calling(incident: Incident, now: datetime) -> None:
    """It is over: nobody is called any more."""
    row = locked_row(incident, now)
    row.state, row.due_at, row.ack_until = State.STOPPED, None, None
    row.save()
    _end_pages(incident, PageState.CANCELLED)
    over = f"{incident.code} is {incident.get_state_display().lower()}."
    silence(incident, over, now)
    withdraw(prefix=brought_key(incident), reason=over, now=now)
    announce(incident, OVER, over, now, occasion=row.round)


def call_next(incident: Incident, now: datetime) -> bool:
    """Somebody else leads: they are called at once, with the next step of the plan.

    Where somebody had it, or nobody had answered, a new round begins. Returns whether calling goes on; not where it
    was stopped.
    """
    row = locked_row(incident, now)
    if row.state == State.STOPPED:
        return False
    if row.state != State.RUNNING:
        begin_again(incident, now)
        return True
    row.due_at = min(row.due_at or now, now)  # never put off, also where the sweep is late
    row.save(update_fields=["due_at"])
    _at_once(incident, now, also_lead=True)
    return True


def begin_again(incident: Incident, now: datetime, *, cause: uuid.UUID | None = None) -> None:
    """A new round of calling starts with the first step, by the plan of this incident."""
    row = locked_row(incident, now)
    _end_pages(incident, PageState.EXPIRED)
    silence(incident, "Calling began again.", now)
    row.state, row.round, row.lap, row.step, row.due_at = State.RUNNING, row.round + 1, 0, 0, now
    row.acked_by = row.acked_at = row.ack_until = None
    row.save()
    _at_once(incident, now, cause=cause)
    words = f"People are called again. {incident.lead.display_name} leads the response."
    announce(incident, BEGAN, words, now, occasion=row.round)


def locked_row(incident: Incident, now: datetime) -> Escalation:
    """The timer of an incident that is locked; made where it is missing, so that no incident stays without one."""
    row = Escalation.objects.select_for_update(no_key=True).filter(incident=incident).first()
    return row or Escalation.objects.create(incident=incident, began_at=now, due_at=now)


def _at_once(incident: Incident, now: datetime, *, also_lead: bool = False, cause: uuid.UUID | None = None) -> None:
    """Call what is due, in a savepoint: where that fails the row stays due, and the sweep does it again."""
    try:
        with transaction.atomic():
            row = Escalation.objects.select_for_update(no_key=True).get(incident=incident)
            done = advance(incident, row, now, also_lead=also_lead)
            if done.called and cause is not None:
                record_many([paged(incident, row, done)], actor=SCHEDULER, now=now, cause=cause)
    except (DatabaseError, Refused, LookupError, TypeError, ValueError):
        log.exception("calling.failed", incident=incident.code)


def paged(incident: Incident, row: Escalation, done: Went, kind: Kind = Kind.INCIDENT_PAGED) -> Entry:
    """The event of a step: opaque ids, no names. Steps are counted from one, as the timeline counts them."""
    people = [one.person.audit_id for one in done.called]
    at = {} if done.exhausted else {"lap": done.lap + 1, "step": done.step + 1}
    after = {"round": row.round, **at, "people": people}
    return Entry(kind, incident_subject(incident), after=after)


def advance(incident: Incident, row: Escalation, now: datetime, *, also_lead: bool = False) -> Went:
    """Do the step that is due, and set when the next one is. Incident and row are locked; the row is running.

    `also_lead`: whoever leads is called too, whatever the step says.
    """
    plan = read_plan(incident.plan)
    due = row.due_at or now
    base = due if now - due <= ON_TIME else now
    roster = Roster(Around.of_incident(incident), now, without=_declined(incident, row))
    Page.objects.filter(incident=incident, state__in=["sent", "delivered"]).update(state=PageState.EXPIRED.value)
    for _ in range(len(plan.steps) + 1):
        if plan.is_over(row.lap) or row.step >= len(plan.steps):
            break
        done = _do_step(incident, row, plan, roster, now, also_lead=also_lead)
        row.lap, row.step = plan.next_after(done.lap, done.step)
        row.due_at = base + timedelta(minutes=plan.wait_after(done.step))
        if done.called:
            row.save(update_fields=["lap", "step", "due_at"])
            return done
    return _exhaust(incident, row, plan, now)


def _declined(incident: Incident, row: Escalation) -> frozenset[uuid.UUID]:
    """Who said in this round that they can't: asked once is enough."""
    rows = Page.objects.filter(incident=incident, round=row.round, state=PageState.DECLINED.value)
    return frozenset(rows.values_list("person", flat=True))


def _do_step(
    incident: Incident, row: Escalation, plan: Plan, roster: Roster, now: datetime, *, also_lead: bool
) -> Went:
    step = plan.steps[row.step]
    done = Went(lap=row.lap, step=row.step)
    found = roster.people(step.targets)
    if also_lead and all(one.person.pk != incident.lead_id for one in found):
        found = [Called(incident.lead, "lead"), *found]
    number = row.step + 1
    if not found:
        line(incident, Line.FACT, f"Step {number} of the plan was skipped: nobody can be called.", now=now)
        return done
    done.called = _call(incident, row, step, found, now)
    return done


def _call(incident: Incident, row: Escalation, step: Step, found: list[Called], now: datetime) -> list[Called]:
    """Pages and messages for these people; who is called in this step already is left out."""
    place = {"incident": incident, "round": row.round, "lap": row.lap, "step": row.step}
    here = set(Page.objects.filter(**place).values_list("person", flat=True))
    pages = Page.objects.bulk_create(
        Page(**place, person=one.person, target=one.target, queued_at=now) for one in found if one.person.pk not in here
    )
    by_person = {one.person.pk: one for one in found}
    said = [_said(incident, page, by_person[page.person_id], now) for page in pages]
    ways = send_to_many(said, now=now, channels=step.channels, urgent=True)
    for page in pages:
        page.channels = ways.get(page.person_id, [])
    Page.objects.bulk_update(pages, ["channels"])
    for page in pages:
        line(incident, Line.FACT, _line_words(by_person[page.person_id], page, row.step + 1), now=now)
    sync_participants(incident)
    return found


def _line_words(one: Called, page: Page, number: int) -> str:
    place = f", in the place of {one.stands_in_for.display_name}" if one.stands_in_for else ""
    return f"{one.person.display_name} is called{ways_words(page.channels)}{place} (step {number})."


def ways_words(went: Iterable[Mapping[str, Any]]) -> str:
    """By which ways somebody is called, to follow "is called"; empty where nothing is known."""
    by = " and ".join(dict.fromkeys(WAY_WORDS.get(way["kind"], way["kind"]) for way in went))
    return f" by {by}" if by else ""


def brought_key(incident: Incident, task: int | str = "") -> str:
    """The key of what is said to somebody who is brought in beside the plan; without a task, how all of them begin."""
    return f"brought:{incident.pk}:{task}"


def page_key(page: Page) -> str:
    """The key of everything that is said to call one person in one step."""
    return f"page:{page.incident_id}:{page.round}:{page.lap}:{page.step}:{page.person_id}"


def _said(incident: Incident, page: Page, one: Called, now: datetime) -> Said:
    """What is said. Of what is restricted only the code leaves the portal."""
    is_open = incident.visibility == Visibility.OPEN
    severity = SEVERITY_WORDS[Severity(incident.severity)]
    about = f": {incident.title}" if is_open else ""
    title = f"{incident.code}: you are called{about}"
    facts = [["Severity", severity], *([["Where", incident.place]] if is_open else [])]
    path = ack_path(page.pk, now)
    body = "\n".join(
        [
            f"{incident.prefix}{incident.code}{about}",
            *(f"{name}: {value}" for name, value in facts),
            _why(one, incident),
            "",
            "Say that you take it, or that you can't, without signing in:",
            f"{settings.SITE_URL}{path}",
            "",
            "The incident itself:",
        ]
    )
    note = Note(page_key(page), one.person, f"{incident.prefix}{title}", body, incident.path, urgent=True)
    content = {
        "type": "incident.page", "title": title, "text": _why(one, incident), "mode": incident.mode,
        "severity": "" if incident.severity == Severity.UNCLASSIFIED else incident.severity, "link": path,
        "facts": facts,
    }  # fmt: skip
    return Said(note, content)


def _why(one: Called, incident: Incident) -> str:
    if one.stands_in_for is not None:
        return f"You are called in the place of {one.stands_in_for.display_name}, who is away."
    if one.person.pk == incident.lead_id:
        return "You lead the response."
    return f"{incident.lead.display_name} leads the response and has not answered yet."


def _exhaust(incident: Incident, row: Escalation, plan: Plan, now: datetime) -> Went:
    """Nobody is left: the holder of the mandate is called, and it stays an alarm until somebody takes it."""
    holder = mandate_holder()
    done = Went(lap=row.lap, step=row.step, exhausted=True)
    if holder is not None:
        step = Step(0, (), ALL_CHANNELS)
        done.called = _call(incident, row, step, [Called(holder, "seat")], now)
    row.state, row.due_at = State.EXHAUSTED, None
    row.save(update_fields=["state", "due_at", "lap", "step"])
    words = f"Nobody answered. The plan “{plan.name}” is at its end."
    if holder is not None:
        words += f" {holder.display_name}, who holds the mandate, is called."
    line(incident, Line.ALARM, words, now=now)
    return done


def silence(incident: Incident, reason: str, now: datetime) -> None:
    """Take back what waits to be sent to call somebody, or to ask them to lead."""
    for prefix in (f"page:{incident.pk}:", f"lead:{incident.pk}:"):
        withdraw(prefix=prefix, reason=reason, now=now)


def close_pages(incident: Incident, person: Person, now: datetime, *, way: str) -> None:
    """The calls that wait: those of the one who took it are answered, those of all others are cancelled."""
    waiting = Page.objects.filter(incident=incident, state__in=WAITING)
    waiting.filter(person=person).update(**_answer(PageState.ACKED, person, now, way))
    waiting.update(state=PageState.CANCELLED.value)


def _answer(state: PageState, person: Person, now: datetime, way: str) -> dict[str, object]:
    """Never before the call: two hosts may differ by some seconds."""
    at = Greatest(F("queued_at"), Value(now))
    return {"state": state.value, "answered_at": at, "answered_by": person, "answered_by_way": way}


def answer_pages(
    incident: Incident, person: Person, state: PageState, now: datetime, *, by: Person, way: str, reason: str = ""
) -> int:
    """Write the answer of one person onto each of their calls that has none. Returns how many."""
    late = [PageState.EXPIRED.value, PageState.FAILED.value]
    mine = Page.objects.filter(incident=incident, person=person, state__in=[*WAITING, *late])
    keys = [page_key(page) for page in mine]
    changed = mine.update(**_answer(state, by, now, way), reason=reason[:600])
    withdraw(keys=keys, reason="They answered.", now=now)
    return changed


def _end_pages(incident: Incident, state: PageState) -> None:
    Page.objects.filter(incident=incident, state__in=WAITING).update(state=state.value)


# What the outboxes know about calls that wait. Rows that somebody else works on are left for the next time, so that
# nobody waits for anybody here.
_SENT_SQL = """
WITH waiting AS (
    SELECT p.id, p.channels,
        concat_ws(':', 'page', p.incident_id, p.round, p.lap, p.step, p.person_id::text) AS key
    FROM incidents_page p WHERE p.state = 'queued' AND (%(incident)s::bigint IS NULL OR p.incident_id = %(incident)s)
    ORDER BY p.id FOR NO KEY UPDATE SKIP LOCKED),
told AS (
    SELECT w.id, m.state, m.sent_at FROM waiting w JOIN notify_message m ON m.key = w.key
    UNION ALL
    SELECT w.id, d.state, d.sent_at FROM waiting w
    CROSS JOIN LATERAL jsonb_array_elements(w.channels) AS c(way)
    JOIN notify_delivery d ON d.key = w.key || '#' || (c.way ->> 'channel')),
known AS (
    SELECT id, min(sent_at) AS sent_at FROM told GROUP BY id
    HAVING min(sent_at) IS NOT NULL OR bool_and(state = 'failed'))
UPDATE incidents_page p SET sent_at = k.sent_at, state = CASE WHEN k.sent_at IS NULL THEN 'failed' ELSE 'sent' END
FROM known k WHERE p.id = k.id AND p.state = 'queued'
"""
_FIRST_SQL = """
WITH unknown AS (
    SELECT e.incident_id FROM incidents_escalation e
    WHERE e.first_page_at IS NULL AND e.state <> 'stopped'
      AND (%(incident)s::bigint IS NULL OR e.incident_id = %(incident)s)
      AND EXISTS (SELECT FROM incidents_page p WHERE p.incident_id = e.incident_id AND p.sent_at IS NOT NULL)
    ORDER BY e.incident_id FOR NO KEY UPDATE SKIP LOCKED)
UPDATE incidents_escalation e SET first_page_at = (
    SELECT min(p.sent_at) FROM incidents_page p WHERE p.incident_id = e.incident_id)
FROM unknown u WHERE e.incident_id = u.incident_id
"""


def note_sent(incident: Incident | None = None) -> None:
    """Write down which calls went out, and which can't be delivered. Two statements, for one incident or for all."""
    with connection.cursor() as cursor:
        for sql in (_SENT_SQL, _FIRST_SQL):
            cursor.execute(sql, {"incident": incident.pk if incident else None})
