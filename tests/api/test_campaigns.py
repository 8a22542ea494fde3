"""Campaigns through the API."""

import hashlib
from datetime import UTC, datetime

import pytest

from apps.attestations.actions import begin_rollup, open_campaign
from apps.attestations.models import Campaign
from apps.audit.rules import COMMAND
from apps.common import clock
from apps.registry.actions import register_system
from tests.api.test_door import Programs, problem
from tests.cast import Cast

NOW = datetime(2026, 11, 10, 9, 0, tzinfo=UTC)


@pytest.fixture
def campaign(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    for number, tier in enumerate(("critical", "high", "low")):
        register_system(
            key=f"s-{number}", name="S", unit=cast.claims, stage="production", tier=tier, actor=cast.mara, now=NOW
        )
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 17, 9, 0, tzinfo=UTC))
    return open_campaign("2026Q4", actor=COMMAND, now=NOW)[0]


def test_a_campaign_and_how_far_it_is(cast: Cast, program: Programs, campaign: Campaign) -> None:
    caller = program(cast.bo)
    listed = caller.get("campaigns/").json()["results"]
    assert [one["period"] for one in listed] == ["2026Q4"]
    one = caller.get("campaigns/2026Q4/").json()
    assert one["completion"]["counts"] | {"total": 3, "overdue": 1, "not_started": 2} == one["completion"]["counts"]
    assert [tier["tier"] for tier in one["completion"]["tiers"]] == ["critical", "high", "rest"]
    assert one["completion"]["units"][0]["code"] == "claims"
    assert one["due_critical_on"] == "2026-11-16"


def test_the_board_sees_the_same_numbers(cast: Cast, program: Programs, campaign: Campaign) -> None:
    said = program(cast.bo).get("readiness/").json()
    numbers = {one["key"]: (one["count"], one["of"]) for one in said["indicators"]}
    assert numbers["attested"] == (0, 3)
    assert numbers["attestation_overdue"] == (1, 3)
    assert [line["text"].split()[0] for line in said["exceptions"]] == ["Attestation"] or said["exceptions"]
    problem(program(cast.bo).get("campaigns/?page=2"), 400)


def test_the_report_is_a_draft_and_its_hash_is_that_of_its_bytes(
    cast: Cast, program: Programs, campaign: Campaign
) -> None:
    begin_rollup(campaign, actor=COMMAND, now=campaign.closes_at)
    answer = program(cast.eve).get("campaigns/2026Q4/report/")
    said = answer.json()
    assert said["campaign"]["draft"] is True
    assert said["results"]["all"]["not_attested"] == 3
    assert [row["key"] for row in said["not_attested"]["rows"]] == ["s-0", "s-1", "s-2"]
    assert answer["X-Content-SHA256"] == hashlib.sha256(answer.content).hexdigest()
    problem(program(cast.dov).get("campaigns/2026Q4/report/"), 403)
    problem(program(cast.eve).get("campaigns/2031Q1/report/"), 404)
    numbers = {one["key"]: one["count"] for one in program(cast.bo).get("readiness/").json()["indicators"]}
    assert (numbers["attested"], numbers["attested_clean"], numbers["not_attested"]) == (0, 0, 3)
    lines = [line["text"] for line in program(cast.bo).get("readiness/").json()["exceptions"]]
    assert "Not attested in Q4 2026" in lines
