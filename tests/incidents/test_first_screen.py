"""The first screen of an incident: who leads, who is called, what comes next; and nothing of what was dismissed."""

from datetime import timedelta
from typing import Any

import pytest

from apps.common import clock as wall
from apps.incidents.actions.clocks import assess
from apps.incidents.actions.paging import acknowledge, advance_due
from apps.incidents.actions.states import classify, dismiss
from apps.incidents.queries.clock_groups import grouped
from apps.incidents.queries.clocks import board, cards_of
from tests.incidents.clock_world import clock, rule, with_clocks
from tests.incidents.paging_world import declared, timer

pytestmark = pytest.mark.django_db


def ago(minutes: float) -> Any:
    return wall.now() - timedelta(minutes=minutes)


def page_of(browse: Any, person: Any, incident: Any) -> str:
    return browse(person).get(incident.path).content.decode()


def test_a_lead_who_did_not_say_it_again_is_asked_and_not_shown_as_having_it(cast: Any, browse: Any) -> None:
    incident = acknowledge(declared(cast, now=ago(90)), actor=cast.ada, now=ago(89))
    classify(incident, "sev1", reason="Many", actor=cast.ada, now=ago(88))
    assert "has not said again" not in page_of(browse, cast.mara, incident)
    advance_due(now=wall.now())
    assert timer(incident).state == "running"

    others = page_of(browse, cast.mara, incident)
    assert "has not said again that they have it" in others
    assert "Called now" in others
    assert "is called again" in others  # the bar above each page
    lead = page_of(browse, cast.ada, incident)
    assert "You lead the response. Do you still have it?" in lead
    assert "I still have it" in lead
    answer = browse(cast.ada).post(f"{incident.path}do/take/", {"version": ""})
    assert answer.status_code == 302
    assert timer(incident).state == "acked"
    assert "has not said again" not in page_of(browse, cast.mara, incident)


def test_the_first_screen_names_the_step_that_comes_next(cast: Any, browse: Any) -> None:
    incident = declared(cast, now=ago(1))
    page = page_of(browse, cast.ada, incident)
    assert page.index('id="live-now"') < page.index('id="live-cards"')
    assert "What comes next" in page


def test_what_runs_or_is_overdue_comes_first_and_unsaid_laws_are_folded(cast: Any) -> None:
    now = wall.now()
    incident = with_clocks(cast, now=now - timedelta(hours=2))
    assess(clock(incident, "HIPAA"), actor=cast.lea, now=now)
    groups = grouped(cards_of(incident, now))
    urgent = [card.clock.rule.key for card in groups.urgent]
    assert "DORA-INI" in urgent, "to be looked at within an hour"
    assert "HIPAA" in urgent, "somebody looks at it"
    assert groups.overdue == 1
    assert groups.open == incident.clocks.count()
    assert len({law.name for law in groups.laws}) == len(groups.laws)
    assert all(card.clock.rule.applies is None for card in groups.unsaid)
    assert board(incident, now).cards[0].clock.rule == rule("DORA-INI")


def test_what_was_none_asks_nobody(cast: Any, browse: Any) -> None:
    incident = with_clocks(cast, now=ago(180))
    assert "was due" in page_of(browse, cast.lea, incident)
    dismiss(incident, because="false_positive", note="The wrong week", actor=incident.lead, now=wall.now())
    page = page_of(browse, cast.lea, incident)
    assert "was due" not in page
    assert "to look at" not in page
    assert "Nothing to decide here" in browse(cast.lea).get(f"{incident.path}clocks/").content.decode()
    register = browse(cast.lea).get("/incidents/clocks/register/?state=open").content.decode()
    assert incident.code not in register
