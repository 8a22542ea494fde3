"""Campaigns through the API."""

from datetime import UTC, date, datetime

import pytest

from apps.attestations.models import Assignment, Campaign
from apps.registry.actions import register_system
from tests.api.test_door import Programs, problem
from tests.cast import Cast

NOW = datetime(2026, 11, 10, 9, 0, tzinfo=UTC)


@pytest.fixture
def campaign(cast: Cast) -> Campaign:
    opened = Campaign.objects.create(
        period="2026Q4", opens_at=NOW, opened_at=NOW, opened_by="scheduler", closes_at=datetime(2030, 1, 1, tzinfo=UTC),
        due_critical_on=date(2026, 11, 16), due_high_on=date(2026, 11, 20), due_on=date(2029, 12, 1),
        scope_hash="0" * 64, question_set={},
    )  # fmt: skip
    for number, tier in enumerate(("critical", "high", "low")):
        system = register_system(
            key=f"s-{number}", name="S", unit=cast.claims, stage="production", tier=tier, actor=cast.mara, now=NOW
        )
        Assignment.objects.create(
            campaign=opened, system=system, person=system.owner, owner_basis="interim", tier=tier, unit=cast.claims,
            due_on={"critical": opened.due_critical_on}.get(tier, opened.due_on),
        )  # fmt: skip
    return opened


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
