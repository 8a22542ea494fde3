"""What is frozen: canonical facts, what changed since last time, who left, what is sampled, what comes later."""

import hashlib
import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import rfc8785

from apps.attestations import actions
from apps.attestations.actions.sweeps import add_supplements
from apps.attestations.models import Assignment, Campaign, ScopeSnapshot
from apps.audit.rules import SCHEDULER
from apps.registry import actions as registry
from tests.attestations.world import NOW, register

LATER = datetime(2027, 2, 8, 9, 0, tzinfo=UTC)
NASTY = 'Ünï "quoted" \\ back / slash\b\t\n\f\r\x01\x1f\x7f \u2028 \U0001f512 end'


def opened(period: str = "2026Q4", now: datetime = NOW) -> Campaign:
    campaign, new = actions.open_campaign(period, actor=SCHEDULER, now=now)
    assert new
    return campaign


def facts(campaign: Campaign, key: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ScopeSnapshot.objects.get(campaign=campaign, system__key=key).facts)
    return found


def test_facts_are_canonical_whatever_stands_in_them(cast: Any) -> None:
    register(cast, "nasty", owner=cast.ada, purpose=NASTY, vendor=NASTY)
    campaign = opened()
    for snapshot in ScopeSnapshot.objects.filter(campaign=campaign):
        assert rfc8785.dumps(json.loads(snapshot.facts)).decode() == snapshot.facts
        assert snapshot.sha256 == hashlib.sha256(snapshot.facts.encode()).hexdigest()
    known = facts(campaign, "nasty")
    assert (known["purpose"], known["vendor"]) == (NASTY, NASTY)
    assert known["owner"]["name"] == cast.ada.display_name
    assert known["deputy"] == {"id": str(cast.ben.pk), "name": cast.ben.display_name}
    assert known["exceptions"] == {"open": 0, "overdue": 0}
    assert (known["last"], known["v"], known["unit"]["name"]) == (None, "3", cast.claims.name)
    assert known["response"] == {"drilled_on": None, "incidents": 0, "open": 0, "stop_tested_on": None}
    assert set(known["leads"]) == {"data-access", "harmful-decision", "cost-spike"}


def test_the_scope_hash_is_over_key_and_hash_in_order(cast: Any) -> None:
    for key in ("b", "B", "a"):
        register(cast, key, owner=cast.ada)
    campaign = opened()
    lines = [
        f"{row.system.key} {row.sha256}\n"
        for row in sorted(campaign.snapshots.select_related("system"), key=lambda row: row.system.key)
    ]
    assert [line.split()[0] for line in lines] == ["B", "a", "b"]
    assert campaign.scope_hash == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_next_campaign_knows_what_changed(cast: Any) -> None:
    same, other, gone = (register(cast, key, owner=cast.ada) for key in ("same", "other", "gone"))
    first = opened()
    assert set(first.assignments.values_list("delta", flat=True)) == {"new"}
    registry.change_system(other, actor=cast.mara, now=NOW, vendor="Another Vendor", tier="high")
    registry.retire_system(gone, actor=cast.mara, now=NOW, reason="replaced")
    register(cast, "fresh", owner=cast.ada, now=NOW)
    actions.move_on_due(now=first.closes_at + timedelta(hours=1))
    second = opened("2027Q1", LATER)
    deltas = {
        row.system.key: (row.delta, row.snapshot.changes) for row in second.assignments.select_related("snapshot")
    }
    assert deltas == {
        "same": ("unchanged", []),
        "other": ("changed", ["tier", "vendor"]),
        "fresh": ("new", []),
    }
    assert facts(second, "same")["last"] == {"campaign": "2026Q4", "on": None, "result": "not_attested"}
    assert [(row.system_id, row.stage) for row in second.retired.all()] == [(gone.pk, "retired")]
    assert same.pk in set(second.assignments.values_list("system", flat=True))


def test_every_critical_system_and_a_share_of_the_others_is_sampled(cast: Any) -> None:
    for number in range(43):
        register(cast, f"s-{number}", owner=cast.ada, tier="critical" if number < 3 else "low")
    campaign = opened()
    drawn = dict(campaign.assignments.values_list("system__key", "sampled"))
    assert {key for key, why in drawn.items() if why == "critical"} == {"s-0", "s-1", "s-2"}
    others = sorted(
        (key for key in drawn if drawn[key] != "critical"),
        key=lambda key: hashlib.sha256(f"{campaign.sampling_seed}:{key}".encode()).digest(),
    )
    assert {key for key, why in drawn.items() if why == "random"} == set(others[: math.ceil(40 * 5 / 100)])
    assert campaign.sampling_commitment == hashlib.sha256(campaign.sampling_seed.encode()).hexdigest()


def test_a_grave_system_that_comes_later_is_asked_for_too(cast: Any) -> None:
    register(cast, "one", owner=cast.ada)
    campaign = opened()
    hash_before = campaign.scope_hash
    for key, tier in (("late-critical", "critical"), ("late-low", "low")):
        register(cast, key, owner=cast.ada, tier=tier, now=NOW + timedelta(days=3))
    now = NOW + timedelta(days=4)  # Saturday the 14th
    assert add_supplements(now=now) == 1
    assert add_supplements(now=now) == 0
    late = Assignment.objects.get(campaign=campaign, system__key="late-critical")
    assert late.snapshot.is_supplement
    # Ten working days, not the critical date of the 16th that leaves no time.
    assert str(late.due_on) == "2026-11-27"
    campaign.refresh_from_db()
    assert campaign.scope_hash == hash_before
    assert campaign.assignments.count() == 2
