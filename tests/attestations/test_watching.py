"""The progress page: exact numbers, words, who reads it, and what it costs."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.attestations import actions, queries
from apps.attestations.models import Campaign, CampaignTemplate, QuestionSet
from apps.attestations.queries import watching
from apps.attestations.rules import Given
from apps.audit.rules import COMMAND
from apps.common import clock
from tests.attestations.signed import accept, assignment_of, sign
from tests.attestations.world import NOW, PERIOD, register

EXCEPTION = Given("no", "Nobody tried", "Test it at night", "2026-12-11", severity="low", control="A person watches")
DUE = date(2026, 11, 30)
PILOT: dict[str, Any] = {
    "name": "Pilot", "cadence": "month", "opens_days_before": 21, "closes_days_after": 5, "sampling_percent": 10,
    "consequence": "readiness", "top_seats": ["legal", "ciso"], "items_per_person": 25,
}  # fmt: skip


@pytest.fixture
def campaign(cast: Any, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(days=1))
    for key in ("one", "two", "three"):
        register(cast, key, owner=cast.ada)
    register(cast, "four")
    register(cast, "grave", owner=cast.ben, tier="critical")
    return actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)[0]


def test_the_cube_counts_what_became_of_each(cast: Any, campaign: Campaign) -> None:
    sign(assignment_of(campaign, "one"), cast.ada, NOW + timedelta(hours=2))
    sign(assignment_of(campaign, "two"), cast.ada, NOW + timedelta(hours=3), kill_switch=EXCEPTION)
    accept(assignment_of(campaign, "one"), cast.cleo, NOW + timedelta(hours=4))
    sign(assignment_of(campaign, "grave"), cast.ben, NOW + timedelta(days=10))
    counts = queries.completion(campaign, today=date(2026, 11, 12)).counts
    assert counts == queries.Counts(
        total=5, signed=3, not_started=2, interim=1, clean=2, qualified=1, late=1, accepted=1
    )  # fmt: skip
    assert (counts.to_accept, counts.percent) == (2, 60)


def test_a_campaign_over_some_systems_does_not_stand_for_the_register(cast: Any, campaign: Campaign) -> None:
    pilot = actions.create_template(
        key="pilot", values={**PILOT, "scope": {"tier": ["critical"]}}, question_sets=list(QuestionSet.objects.all()),
        actor=cast.mara, now=NOW + timedelta(hours=1),
    )  # fmt: skip
    newer, _ = actions.open_campaign("2026-11", actor=COMMAND, now=NOW + timedelta(hours=2), template=pilot)
    assert queries.campaigns().first() == newer
    assert queries.latest_campaign() == campaign
    CampaignTemplate.objects.exclude(pk=pilot.pk).update(is_active=False)
    assert queries.latest_campaign() == newer, "the newest, where none is over all systems any more"


def test_the_same_day_of_the_campaign_before(cast: Any, campaign: Campaign) -> None:
    assert watching.same_day(campaign, today=date(2026, 11, 12)) is None, "there is none before it"
    sign(assignment_of(campaign, "one"), cast.ada, NOW + timedelta(hours=2))
    sign(assignment_of(campaign, "two"), cast.ada, NOW + timedelta(days=3))
    following = actions.open_campaign("2027Q1", actor=COMMAND, now=NOW + timedelta(days=95))[0]
    assert following.due_on == date(2027, 2, 26)
    seen = watching.same_day(following, today=following.due_on - timedelta(days=18))
    assert seen == watching.SameDay("Q4 2026", date(2026, 11, 12), 20)
    later = watching.same_day(following, today=following.due_on - timedelta(days=17))
    assert later is not None
    assert later.percent == 40
    early = watching.same_day(following, today=following.due_on - timedelta(days=40))
    assert early is not None
    assert early.percent is None, "the one before was not open on that day: not known, not zero"


def test_each_state_says_what_happens_next(campaign: Campaign) -> None:
    for state, word in Campaign.State.choices:
        campaign.state, campaign.cancel_reason = state, "Wrong scope."
        found = watching.standing(campaign)
        assert found.word == word
        assert found.next.endswith(".")
    campaign.state = Campaign.State.GRACE
    assert "until the end of 10 Dec 2026" in watching.standing(campaign).next


def test_gaps_in_ownership_have_an_age(cast: Any, campaign: Campaign) -> None:
    gaps = watching.ownership_gaps(campaign, hidden=[], today=date(2026, 12, 20))
    assert (gaps.total, gaps.still, gaps.month, gaps.quarter, gaps.longer) == (1, 1, 0, 1, 0)
    assert [(gap.key, gap.owner, gap.days) for gap in gaps.rows] == [("four", cast.una.display_name, 45)]
    hidden = assignment_of(campaign, "four").system_id
    unnamed = watching.ownership_gaps(campaign, hidden=[hidden], today=date(2026, 12, 20))
    assert unnamed.total == 1, "counted all the same"
    assert unnamed.rows == ()


def test_what_stands_behind_the_numbers(cast: Any, campaign: Campaign) -> None:
    found = watching.behind(campaign)
    assert (found.new, found.changed, found.unchanged) == (5, 0, 0)
    assert found.sampled_critical == 1
    assert (found.passed_on, found.supplements, found.retired, found.contradictions) == (0, 0, 0, 0)
    campaign.terms["items_per_person"] = 2
    loads, people = watching.overloaded(campaign)
    assert [(load.person, load.systems) for load in loads] == [(cast.ada, 3)]
    assert people == 1


def test_the_page_says_it_all(cast: Any, browse: Any, campaign: Campaign) -> None:
    sign(assignment_of(campaign, "two"), cast.ada, NOW + timedelta(hours=3), kill_switch=EXCEPTION)
    client = browse(cast.mara)
    page = client.get(f"/attestations/{PERIOD}/").content.decode()
    for words in (
        "of 5 signed", "20%", "No campaign before this one", "After that a signature is late",
        "Signed with exceptions", "How it was answered", 'hx-trigger="every 30s"', "Overdue ladder",
    ):  # fmt: skip
        assert words in page, words
    part = client.get(f"/attestations/{PERIOD}/figures/", headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith("<div")
    assert 'hx-swap-oob="true"' in part
    assert "<html" not in part
    quality = client.get(f"/attestations/{PERIOD}/quality/").content.decode()
    assert "<html" in quality
    assert "not a verdict" in quality
    assert (
        "<html" not in client.get(f"/attestations/{PERIOD}/quality/", headers={"HX-Request": "true"}).content.decode()
    )


@pytest.mark.parametrize("path", ["", "figures/", "quality/"])
def test_nobody_else_learns_of_it(cast: Any, browse: Any, campaign: Campaign, path: str) -> None:
    for person in (cast.dov, cast.ada):
        assert browse(person).get(f"/attestations/{PERIOD}/{path}").status_code == 404
    assert browse(cast.eve).get(f"/attestations/{PERIOD}/{path}").status_code == 200
    assert browse(cast.eve).get(f"/attestations/2031Q1/{path}").status_code == 404


def test_a_page_costs_the_same_at_any_size(cast: Any, browse: Any, campaign: Campaign) -> None:
    from tests.attestations.world import many

    client = browse(cast.mara)
    client.get(f"/attestations/{PERIOD}/")
    with CaptureQueriesContext(connection) as few:
        client.get(f"/attestations/{PERIOD}/")
    with CaptureQueriesContext(connection) as again:
        client.get(f"/attestations/{PERIOD}/")
    assert len(few) == len(again)
    assert many is not None
