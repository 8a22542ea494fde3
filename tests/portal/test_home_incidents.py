"""Home: what incidents ask of somebody: legal duties to decide, tasks, a review, to take over."""

from datetime import datetime, timedelta
from typing import Any

from apps.incidents.actions.declare import declare
from apps.incidents.actions.leads import ask_handover
from apps.incidents.actions.states import dismiss
from apps.incidents.actions.timeline import bring_in, set_task
from apps.incidents.rules import Mode
from apps.portal.queries.home import Need, home_page
from apps.portal.queries.home_incidents import CalledFirst
from tests.factories import a_system
from tests.incidents.clock_world import sign_off, with_clocks
from tests.incidents.learning_world import NOW, active, resolved
from tests.incidents.world import settle


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


def test_a_duty_whose_hour_is_over_is_late_the_same_day(cast: Any) -> None:
    incident = with_clocks(cast)
    first = min(row.assess_by for row in incident.clocks.filter(decides=cast.lea))
    before = asked(cast.lea, first - timedelta(minutes=1))["clock"]
    after = asked(cast.lea, first)["clock"]
    assert (before.is_late, before.text.startswith("The first by ")) == (False, True)
    assert (after.tone, after.words, after.text.startswith("The first was due ")) == ("bad", "Late today", True)


def test_who_declared_follows_it_until_two_weeks_after_its_end(cast: Any) -> None:
    incident = declare(
        title="It told me a stranger's address", about="The letters agent", actor=cast.dov, now=NOW - timedelta(hours=1)
    )
    [row] = home_page(cast.dov, NOW).followed
    assert (row.incident, row.stands, row.mine, row.outcome) == (incident, "is called", True, "")
    dismiss(incident, because="benign", note="It was their own address.", actor=incident.lead, now=NOW)
    [row] = home_page(cast.dov, NOW + timedelta(days=14)).followed
    assert (row.stands, row.outcome) == ("", "It was their own address.")
    assert home_page(cast.dov, NOW + timedelta(days=14, minutes=1)).followed == []
    assert home_page(cast.nils, NOW).followed == []


def test_who_was_brought_in_follows_it_while_it_is_live_and_the_lead_finds_it_once(cast: Any) -> None:
    incident = active(cast)
    bring_in(incident, cast.ben, why="Say what it read.", actor=cast.ada, now=NOW)
    [row] = home_page(cast.ben, NOW).followed
    assert (row.incident.code, row.stands, row.mine) == (incident.code, "answers", False)
    assert home_page(cast.ada, NOW).followed == []


def test_who_is_called_first_is_told_by_the_cards(cast: Any, browse: Any) -> None:
    a_system(cast, owner=cast.ada)
    settle()
    owner, seat = home_page(cast.ada, NOW).called_first, home_page(cast.cleo, NOW).called_first
    assert (owner.systems, "Anything else, or not sure" in owner.when, owner.more) == (1, True, False)
    assert seat == CalledFirst(1, "It accessed data", more=False)
    assert home_page(cast.dov, NOW).called_first == CalledFirst(0, "", more=False)
    text = browse(cast.cleo).get("/").content.decode()
    assert "You are called first for 1 system." in text


def test_what_is_real_comes_before_what_is_rehearsed(cast: Any) -> None:
    real = active(cast)
    drill = declare(
        title="Stop it", system=real.system, actor=cast.mara, now=NOW + timedelta(minutes=5), mode=Mode.TEST
    )  # fmt: skip
    first, second = [need for need in home_page(cast.ada, NOW).needs if need.kind == "incident"]
    assert (first.about, first.words, first.tone) == (real.code, "Live", "bad")
    assert (second.about, second.words, second.tone) == (drill.code, "Test", "neutral")
