"""Home: what incidents ask of somebody: legal duties to decide, tasks, a review, to take over."""

from datetime import datetime, timedelta
from typing import Any

from apps.incidents.actions.leads import ask_handover
from apps.incidents.actions.timeline import set_task
from apps.portal.queries.home import Need, home_page
from tests.incidents.clock_world import sign_off, with_clocks
from tests.incidents.learning_world import NOW, active, resolved


def asked(person: Any, now: datetime) -> dict[str, Need]:
    """What needs somebody, by its kind."""
    return {need.kind: need for need in home_page(person, now).needs}


def test_who_decides_finds_the_duties_by_their_nearest_end(cast: Any) -> None:
    incident = with_clocks(cast)
    need = asked(cast.lea, incident.declared_at)["clock"]
    waiting: Any = incident.clocks.filter(decides=cast.lea)
    first = min(row.assess_by for row in waiting)
    assert need.title == f"Decide {waiting.count()} legal duties of {incident.code}"
    assert (need.due_on, need.url) == (first.date(), f"{incident.path}clocks/")
    assert "clock" not in asked(cast.dov, incident.declared_at)
    sign_off(incident, cast, incident.declared_at + timedelta(minutes=5))
    assert "clock" not in asked(cast.lea, incident.declared_at)


def test_a_task_stands_there_until_it_is_done(cast: Any) -> None:
    incident = active(cast)
    set_task(incident, what="List them", person=cast.ben, due_at=NOW, actor=cast.ada, now=NOW)
    need = asked(cast.ben, NOW)["task"]
    assert (need.title, need.url) == ("List them", f"{incident.path}#tasks")
    assert "Ada Nwosu asked you" in need.text
    assert "task" not in asked(cast.nils, NOW)


def test_who_facilitates_finds_the_review(cast: Any) -> None:
    incident = resolved(cast)
    need = asked(cast.una, NOW)["incident_review"]
    assert need.title == f"Review {incident.code}: It read letters of others"
    assert (need.due_on, need.url) == (incident.review.due_on, f"{incident.path}review/")
    assert "incident_review" not in asked(cast.ada, NOW)


def test_who_is_asked_to_take_over_is_told_so(cast: Any) -> None:
    incident = active(cast)
    ask_handover(incident, cast.nils, briefing="All is paused", actor=cast.ada, now=NOW + timedelta(minutes=9))
    assert asked(cast.nils, NOW)["incident"].title == f"You are asked to take over {incident.code}"
    assert asked(cast.ada, NOW)["incident"].title == f"You lead the response to {incident.code}"
