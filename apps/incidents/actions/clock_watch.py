"""The watchman of legal clocks: reminds at 50, 75 and 90 percent and in the last hour, and says what was missed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import Q

from apps.audit.actions import Entry, record_many
from apps.audit.rules import SCHEDULER, Kind
from apps.incidents.actions.clocks import clock_body, open_clocks
from apps.incidents.actions.common import (
    Line,
    each_alone,
    incident_subject,
    line,
    locked_incident,
    sync_participants,
)
from apps.incidents.models import Incident, IncidentClock, TimelineEntry
from apps.incidents.queries.clocks import deciding, moment_words
from apps.incidents.rules import CLOCK_OVER, LIVE, ClockState, Mode
from apps.incidents.rules.clocks import ALERT_WORDS, MISSED
from apps.notify.actions import Note, enqueue_many
from apps.people.models import Person

log = structlog.get_logger(__name__)
# As many at once: what is left is taken up a minute later.
BATCH = 500
# A declared incident whose clocks could not be opened gets them within this time.
CATCH_UP = timedelta(days=2)
# Said once that nobody assessed it in time.
ASKED_AGAIN = 1


def watch_clocks(*, now: datetime) -> int:
    """Everything that time brings: clocks that were not opened, deciders who left, missed ones, reminders.

    Each step does its clocks at once; where that fails, one after the other, so that one clock keeps no other waiting.
    Raises RuntimeError, after all others were done, where one failed.
    """
    done, failed = 0, list[Exception]()
    steps: list[Callable[[], int]] = [partial(catch_up, now=now)]
    steps += [partial(_all_or_each, step, due, now) for step, due in STEPS]
    for act in steps:
        try:
            done += act()
        except Exception as error:
            failed.append(error)
            log.exception("clocks.sweep_failed", step=str(error))
    if failed:
        raise RuntimeError(f"Watching clocks failed in {len(failed)} steps.") from failed[-1]
    return done


def _all_or_each(step: Callable[..., int], due: Callable[[datetime], Q], now: datetime) -> int:
    try:
        return step(now=now)
    except Exception:
        log.exception("clocks.batch_failed", step=step.__name__)
    wanted = list(IncidentClock.objects.filter(due(now)).order_by("pk").values_list("pk", flat=True)[:BATCH])
    return each_alone(wanted, lambda pk: step(now=now, only=pk), step.__name__.replace("_", " "))


def catch_up(*, now: datetime) -> int:
    """Open the clocks of incidents where that failed, or where a system became known. Returns how many incidents.

    Raises RuntimeError, after all others were done, where one failed.
    """
    rows = Incident.objects.filter(
        mode__in=[Mode.REAL.value, Mode.DRILL.value], state__in=[state.value for state in LIVE],
        declared_at__gt=now - CATCH_UP, clocks=None,
    )  # fmt: skip
    return each_alone(rows.order_by("pk")[:BATCH], partial(_open_late, now=now), "opening clocks")


@transaction.atomic
def _open_late(incident: Incident, *, now: datetime) -> bool:
    incident = locked_incident(incident)
    open_clocks(incident, now)
    sync_participants(incident)
    return incident.clocks.exists()


def _decider_left(now: datetime) -> Q:
    return Q(decides__is_active=False) & ~Q(state__in=[state.value for state in CLOCK_OVER])


@transaction.atomic
def pass_on(*, now: datetime, only: int | None = None) -> int:
    """Clocks of deciders who left go to who decides for the seat now. Returns how many."""
    rows = _locked(_decider_left(now), only)
    if not rows:
        return 0
    by_seat = deciding({clock.rule.decides_id for clock in rows}, now)
    for clock in rows:
        by = by_seat[clock.rule.decides_id]
        clock.decides, clock.deputy = by.person, by.deputy
    IncidentClock.objects.bulk_update(rows, ["decides", "deputy"])
    _events(Kind.CLOCK_PASSED_ON, rows, now)
    enqueue_many(
        [
            Note(
                f"clock:{clock.pk}:passed:{clock.decides_id}", clock.decides,
                f"{clock.incident.prefix}{clock.incident.code}: you decide on {clock.rule.law}",
                "Who decided has left the organisation.", _path(clock), urgent=_is_real(clock),
            )
            for clock in rows
        ],
        now=now,
    )  # fmt: skip
    for incident in {clock.incident_id: clock.incident for clock in rows}.values():
        sync_participants(incident)
    return len(rows)


def _too_late(now: datetime) -> Q:
    return Q(state=ClockState.RUNNING.value, due_at__lt=now)


@transaction.atomic
def mark_missed(*, now: datetime, only: int | None = None) -> int:
    """Clocks whose time is over are missed, with a line, an event and a message each. Returns how many."""
    rows = _locked(_too_late(now), only)
    if not rows:
        return 0
    for clock in rows:
        clock.state, clock.alerted = ClockState.MISSED.value, MISSED
    IncidentClock.objects.bulk_update(rows, ["state", "alerted"])
    TimelineEntry.objects.bulk_create(
        TimelineEntry(
            incident=clock.incident, kind=Line.ALARM, at=now, written_at=now,
            text=f"{clock.rule.law}: the deadline of {moment_words(clock.due_at)} has passed.",
        )
        for clock in rows
    )  # fmt: skip
    _events(Kind.CLOCK_MISSED, rows, now)
    enqueue_many([note for clock in rows for note in _notes(clock, MISSED)], now=now)
    return len(rows)


# The latest reminder whose time has come after the last one given: of four hours, three are over before the last one.
_DUE_SQL = """
WITH given AS (
    SELECT c.id, c.alerted, v.level, v.at
    FROM incidents_incidentclock c CROSS JOIN LATERAL (VALUES
        (50, c.anchor_at + (c.due_at - c.anchor_at) * 0.5), (75, c.anchor_at + (c.due_at - c.anchor_at) * 0.75),
        (90, c.anchor_at + (c.due_at - c.anchor_at) * 0.9),
        (99, CASE WHEN c.due_at - c.anchor_at > interval '1 hour' THEN c.due_at - interval '1 hour' END)
    ) AS v(level, at)
    WHERE c.state = 'running' AND c.due_at >= %(now)s AND v.at IS NOT NULL)
SELECT DISTINCT ON (g.id) g.id, g.level FROM given g
LEFT JOIN given last ON last.id = g.id AND last.level = g.alerted
WHERE g.at <= %(now)s AND (last.id IS NULL OR (g.at, g.level) > (last.at, last.level))
ORDER BY g.id, g.at DESC, g.level DESC LIMIT %(most)s
"""


def _levels(now: datetime) -> dict[int, int]:
    """By clock: the reminder that is due."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE_SQL, {"now": now, "most": BATCH})
        return dict(cursor.fetchall())


def _to_remind(now: datetime) -> Q:
    return Q(pk__in=_levels(now), state=ClockState.RUNNING.value)


@transaction.atomic
def alert(*, now: datetime, only: int | None = None) -> int:
    """Remind who decides, their deputy and the lead, each stage once. Returns how many clocks."""
    levels = _levels(now)
    if not levels:
        return 0
    rows = _locked(Q(pk__in=levels, state=ClockState.RUNNING.value), only)
    for clock in rows:
        clock.alerted = levels[clock.pk]
    IncidentClock.objects.bulk_update(rows, ["alerted"])
    enqueue_many([note for clock in rows for note in _notes(clock, clock.alerted)], now=now)
    return len(rows)


def _unassessed(now: datetime) -> Q:
    waits = Q(state=ClockState.NOT_ASSESSED.value, assess_by__lt=now, alerted=0)
    return waits & Q(incident__state__in=[state.value for state in LIVE])


@transaction.atomic
def ask_again(*, now: datetime, only: int | None = None) -> int:
    """Duties that nobody assessed in time: one more message a person and incident. Returns how many duties."""
    rows = _locked(_unassessed(now), only)
    if not rows:
        return 0
    for clock in rows:
        clock.alerted = ASKED_AGAIN
    IncidentClock.objects.bulk_update(rows, ["alerted"])
    told: dict[tuple[int, UUID], tuple[Incident, Person, list[IncidentClock]]] = {}
    for clock in rows:
        for person in _people(clock):
            told.setdefault((clock.incident_id, person.pk), (clock.incident, person, []))[2].append(clock)
    enqueue_many([_late_assessment(*one) for one in told.values()], now=now)
    for incident, clocks in _by_incident(rows):
        laws = ", ".join(clock.rule.law for clock in clocks)
        line(incident, Line.ALARM, f"Nobody has said in time whether it has to be reported: {laws}.", now=now)
    return len(rows)


# What is done to clocks, and to which of them.
STEPS: tuple[tuple[Callable[..., int], Callable[[datetime], Q]], ...] = (
    (pass_on, _decider_left), (mark_missed, _too_late), (alert, _to_remind), (ask_again, _unassessed),
)  # fmt: skip


def _by_incident(rows: list[IncidentClock]) -> list[tuple[Incident, list[IncidentClock]]]:
    found: dict[int, tuple[Incident, list[IncidentClock]]] = {}
    for clock in rows:
        found.setdefault(clock.incident_id, (clock.incident, []))[1].append(clock)
    return list(found.values())


def _late_assessment(incident: Incident, person: Person, clocks: list[IncidentClock]) -> Note:
    laws = "\n".join(f"{clock.rule.law}, {clock.rule.title}" for clock in clocks)
    return Note(
        f"clock-assess:{incident.pk}:{person.pk}:{min(clock.pk for clock in clocks)}",
        person,
        f"{incident.prefix}{incident.code}: nobody has said whether it has to be reported",
        f"The time to say so is over. Start the clock, or sign that it is not reportable.\n\n{laws}",
        f"{incident.path}clocks/",
        urgent=incident.mode == Mode.REAL,
    )


def _locked(wanted: Q, only: int | None) -> list[IncidentClock]:
    """The clocks, locked; one that somebody decides about at this moment is left for the next minute."""
    rows = IncidentClock.objects.filter(wanted)
    if only is not None:
        rows = rows.filter(pk=only)
    free = rows.order_by("pk").select_for_update(no_key=True, of=("self",), skip_locked=True)
    # Read after they are locked: who decides may have become somebody else in between, and then nobody were told.
    held = IncidentClock.objects.filter(pk__in=list(free.values_list("pk", flat=True)[:BATCH])).order_by("pk")
    return list(held.select_related("incident__lead", "rule", "decides", "deputy"))


def _people(clock: IncidentClock) -> list[Person]:
    people = {person.pk: person for person in (clock.decides, clock.deputy, clock.incident.lead) if person is not None}
    return list(people.values())


def _notes(clock: IncidentClock, level: int) -> list[Note]:
    """Which deadline it is about stands in the key, so that a corrected one is reminded of anew."""
    due = clock.due_at
    stamp = f"{due:%Y%m%d%H%M%S}" if due else ""
    words = (
        f"{clock.rule.law}, {clock.rule.title}. Deadline: {moment_words(due)}. {clock.decides.display_name} decides. "
        "Govportal files nothing: submit it yourself, then note the reference."
    )
    return [
        Note(
            f"clock:{clock.pk}:{stamp}:{level}:{person.pk}", person,
            f"{clock.incident.code}, {clock.rule.law}: {ALERT_WORDS[level]}", words, _path(clock), urgent=True,
        )
        for person in _people(clock)
    ]  # fmt: skip


def _path(clock: IncidentClock) -> str:
    return f"{clock.incident.path}clocks/{clock.pk}/"


def _is_real(clock: IncidentClock) -> bool:
    return clock.incident.mode == Mode.REAL


def _events(kind: Kind, rows: list[IncidentClock], now: datetime) -> None:
    record_many(
        [Entry(kind, incident_subject(clock.incident), after=clock_body(clock)) for clock in rows],
        actor=SCHEDULER,
        now=now,
    )
