"""Incidents with legal clocks, for tests."""

from datetime import UTC, datetime
from typing import Any

from apps.incidents.actions.clocks import decide_not_reportable, open_clocks
from apps.incidents.actions.common import sync_participants
from apps.incidents.actions.declare import declare
from apps.incidents.models import ClockRule, Incident, IncidentClock
from apps.incidents.models.learning import Exercise
from apps.people.rules import Confirmation
from tests.factories import a_system
from tests.incidents.world import settle

# A Friday in Berlin, 10:14.
NOW = datetime(2026, 11, 20, 9, 14, tzinfo=UTC)


def rule(key: str) -> ClockRule:
    """The version in use."""
    return ClockRule.objects.get(key=key, replaced_at=None)


def with_clocks(cast: Any, *, now: datetime = NOW, **more: Any) -> Incident:
    """A real incident of Ada's system, with the duties that may matter."""
    system = more.pop("system", None) or a_system(cast, owner=cast.ada, regulatory_class="high_risk")
    settle()
    more.setdefault("scenario", "data-access")
    more.setdefault("actor", cast.dov)
    incident = declare(title="It read letters of others", system=system, now=now, **more)
    if not incident.clocks.exists():
        open_clocks(incident, now)
        sync_participants(incident)
    return incident


def clock(incident: Incident, key: str) -> IncidentClock:
    """The clock of a rule, as it is in the database."""
    return IncidentClock.objects.select_related("incident__lead", "rule", "decides").get(
        incident=incident, rule__key=key
    )


def signed(cast: Any, person: Any, now: datetime) -> dict[str, Any]:
    """What a signature needs."""
    return {
        "declared_true": True, "typed_name": person.display_name, "confirmation": Confirmation("password", now),
        "actor": person, "now": now,
    }  # fmt: skip


def sign_off(incident: Incident, cast: Any, now: datetime) -> None:
    """Nothing of it is reportable, where anything is left to decide: an incident can be closed after it."""
    left = list(incident.clocks.exclude(state__in=["submitted", "submitted_late", "not_reportable"]))
    if left and incident.mode == "real":
        decide_not_reportable(left, reason="Only test data.", **signed(cast, cast.lea, now))


def a_drill(cast: Any, now: datetime = NOW) -> Exercise:
    """A drill that runs."""
    drill = Exercise.objects.create(
        code="EX-0001", type="tabletop", title="Data leaves", scenario="data-access", objectives=["Who decides"],
        facilitator=cast.mara, planned_at=now, created_by=cast.mara, created_at=now,
    )  # fmt: skip
    Exercise.objects.filter(pk=drill.pk).update(state="ready", version=2)
    Exercise.objects.filter(pk=drill.pk).update(state="running", version=3, started_at=now)
    drill.refresh_from_db()
    return drill
