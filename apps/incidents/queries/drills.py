"""Reading drills: who sees which, what is drilled and what is not, and what went how."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common.clock import local_date, organisation_zone
from apps.incidents.models import (
    Exercise,
    Incident,
    IncidentUserPermission,
    Inject,
    ResponseCard,
    ResponseProfile,
)
from apps.incidents.rules import ExerciseState
from apps.incidents.rules.drills import counts_since
from apps.incidents.rules.metrics import span_words
from apps.people.models import Person
from apps.registry.models import System
from apps.registry.queries import visible_systems
from apps.registry.queries.systems import live

State = ExerciseState


def visible_exercises(actor: Person) -> QuerySet[Exercise]:
    """Every drill that somebody may open. A surprise is seen by nobody but who facilitates and planned it, before.

    Then by those who take part, by who reads all incidents, and, of what was announced, by those who were told.
    """
    if not actor.is_active:
        return Exercise.objects.none()
    mine = Q(facilitator=actor) | Q(created_by=actor)
    open_ = Q(announced=True) | Q(started_at__isnull=False)
    if may(actor, Permission.INCIDENTS_READ_ALL):
        return Exercise.objects.filter(mine | open_)
    called = IncidentUserPermission.objects.filter(user=actor, content_object__exercise=OuterRef("pk"))
    linked = Exercise.systems.through._base_manager.filter(exercise=OuterRef("pk"))
    owned = linked.filter(system__owner=actor)
    led = linked.filter(system__in=ResponseCard.objects.filter(lead=actor).values("system"))
    told = open_ & ~Q(state__in=[State.PLANNED, State.CANCELLED])
    return Exercise.objects.filter(mine | Exists(called) | told & (Exists(owned) | Exists(led)))


def on_page(exercises: QuerySet[Exercise]) -> QuerySet[Exercise]:
    """With what a page about drills shows of each."""
    return exercises.select_related("facilitator", "created_by", "signature").prefetch_related("systems")


def find_exercise(actor: Person, code: str) -> Exercise:
    """One visible drill. Raises Exercise.DoesNotExist for not there and for not yours alike."""
    return on_page(visible_exercises(actor)).get(code=code)


def systems_of(actor: Person, exercise: Exercise) -> tuple[list[System], int]:
    """The systems that the reader may open, and how many others there are."""
    every = exercise.systems.count()
    seen = list(visible_systems(actor).filter(exercises=exercise).select_related("owner", "unit").order_by("name"))
    if actor.pk in {exercise.facilitator_id, exercise.created_by_id}:
        seen = list(exercise.systems.select_related("owner", "unit").order_by("name"))
    return seen, every - len(seen)


@dataclass(frozen=True)
class InDrill:
    """The drill that an incident belongs to, as its page names it, and what was told and waits for an answer."""

    exercise: Exercise
    told: list[Inject]


def in_drill(actor: Person, incident: Incident) -> InDrill | None:
    """The drill of an incident, where the reader may open it; None for what is real. Two queries for a drill."""
    if incident.exercise_id is None:
        return None
    exercise = visible_exercises(actor).select_related("facilitator").filter(pk=incident.exercise_id).first()
    if exercise is None:
        return None
    told: list[Inject] = []
    if exercise.state == State.RUNNING:
        told = list(exercise.injects.filter(given_at__isnull=False, answered_at=None).order_by("given_at", "order"))
    return InDrill(exercise, told)


@dataclass(frozen=True)
class Called:
    """How calling went for one system of a drill."""

    incident: Incident
    acked_seconds: float | None
    accepted_seconds: float | None

    @property
    def acked_words(self) -> str:
        """The time to the first answer; empty where nobody answered a call."""
        return "" if self.acked_seconds is None else span_words(self.acked_seconds)

    @property
    def accepted_words(self) -> str:
        """The time to an accepted lead; empty where nobody took it."""
        return "" if self.accepted_seconds is None else span_words(self.accepted_seconds)


def called_in(exercise: Exercise, incidents: QuerySet[Incident]) -> list[Called]:
    """Each of these incidents of a drill with its times. One query."""
    rows = incidents.filter(exercise=exercise).select_related("system", "lead", "escalation").order_by("system__name")
    return [_called(one) for one in rows]


def _called(incident: Incident) -> Called:
    row = getattr(incident, "escalation", None)
    acked = None
    if row is not None and row.first_ack_at and row.first_page_at:
        acked = (row.first_ack_at - row.first_page_at).total_seconds()
    accepted = incident.lead_accepted_at
    return Called(incident, acked, (accepted - incident.declared_at).total_seconds() if accepted else None)


def first_moment(today: date) -> datetime:
    """Since when a drill counts."""
    return datetime.combine(counts_since(today), time.min, organisation_zone())


def last_drill(system: System) -> Exercise | None:
    """The latest drill of a system that ended. One query."""
    return Exercise.objects.filter(systems=system, ended_at__isnull=False).order_by("-ended_at", "-pk").first()


def stale_systems(systems: QuerySet[System], now: datetime) -> QuerySet[System]:
    """Live high-risk and critical systems without a tabletop, or without a test of the stop, within twelve months."""
    today = local_date(now)
    tabletop = Exercise.objects.filter(
        systems=OuterRef("pk"), type=Exercise.Type.TABLETOP, ended_at__gte=first_moment(today)
    )
    stop = ResponseProfile.objects.filter(system=OuterRef("pk"), stop_tested_on__gte=counts_since(today))
    grave = live(systems).filter(Q(tier="critical") | Q(regulatory_class="high_risk"))
    grave = grave.annotate(has_tabletop=Exists(tabletop), has_stop=Exists(stop))
    return grave.filter(Q(has_tabletop=False) | Q(has_stop=False)).select_related("owner", "unit")


_STALE_SQL = """
SELECT s.unit_id, count(*) FILTER (WHERE t.system_id IS NULL), count(*) FILTER (WHERE p.system_id IS NULL)
FROM registry_system s
LEFT JOIN (SELECT DISTINCT x.system_id FROM incidents_exercise_systems x
           JOIN incidents_exercise e ON e.id = x.exercise_id
           WHERE e.type = 'tabletop' AND e.ended_at >= %(since)s) AS t ON t.system_id = s.id
LEFT JOIN incidents_responseprofile p ON p.system_id = s.id AND p.stop_tested_on >= %(since_day)s
WHERE s.stage NOT IN ('proposed', 'retired') AND (s.tier = 'critical' OR s.regulatory_class = 'high_risk')
GROUP BY s.unit_id
"""


def stale_by_unit(now: datetime) -> list[tuple[int, int, int]]:
    """Unit -> how many grave live systems lack a tabletop, and how many a test of the stop. One statement."""
    today = local_date(now)
    with connection.cursor() as cursor:
        cursor.execute(_STALE_SQL, {"since": first_moment(today), "since_day": counts_since(today)})
        rows: Sequence[Any] = cursor.fetchall()
    return [(int(unit), int(no_tabletop), int(no_stop)) for unit, no_tabletop, no_stop in rows]
