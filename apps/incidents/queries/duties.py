"""What incidents ask of one person beside leading them: duties to decide, tasks, reviews. One query each.

Each starts at the incidents that the person may open (`visible_incidents`), given once for all three.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Min, QuerySet
from django.db.models.functions import Coalesce

from apps.incidents.models import Incident, IncidentClock, IncidentTask, Review
from apps.incidents.rules import CLOCK_OVER, OPEN, Mode
from apps.people.models import Person

_OPEN = [state.value for state in OPEN]


@dataclass(frozen=True)
class ToDecide:
    """The legal duties of one incident on which somebody decides. `by` is the nearest end."""

    code: str
    count: int
    by: datetime
    runs: int


def to_decide(person: Person, seen: QuerySet[Incident]) -> list[ToDecide]:
    """By incident: how many duties wait for this person's decision, the nearest first. A drill decides nothing."""
    incidents = seen.filter(state__in=_OPEN, mode=Mode.REAL.value).values("pk")
    waiting = IncidentClock.objects.filter(decides=person, incident__in=incidents).exclude(
        state__in=[state.value for state in CLOCK_OVER]
    )
    rows = waiting.values("incident__code").annotate(
        count=Count("pk"), by=Min(Coalesce("due_at", "assess_by", "opened_at")), runs=Count("anchor_at")
    )
    return [ToDecide(row["incident__code"], row["count"], row["by"], row["runs"]) for row in rows.order_by("by")]


def tasks_of(person: Person, seen: QuerySet[Incident]) -> QuerySet[IncidentTask]:
    """What somebody was asked to do in incidents that are not over, the nearest first."""
    incidents = seen.filter(state__in=_OPEN).values("pk")
    rows = IncidentTask.objects.filter(person=person, done_at=None, incident__in=incidents)
    return rows.select_related("incident__system", "set_by").order_by(F("due_at").asc(nulls_last=True), "pk")


def reviews_of(person: Person, seen: QuerySet[Incident]) -> QuerySet[Review]:
    """The reviews that somebody facilitates and has not signed, the longest due first."""
    rows = Review.objects.filter(facilitator=person, state=Review.State.OPEN, incident__in=seen.values("pk"))
    return rows.select_related("incident").order_by("due_on", "pk")
