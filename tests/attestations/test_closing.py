"""The end of a campaign: what is pending, what is carried over by name, who did not attest, the seal."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from apps.attestations.actions import closing
from apps.attestations.actions.exceptions import decide_exception
from apps.attestations.actions.rollup import OwnException
from apps.attestations.models import AttestationException, Campaign, CampaignRecord
from apps.attestations.queries.rollup import pending_of
from apps.audit.models import AuditEvent
from apps.audit.rules import digest
from apps.common.errors import Refused
from tests.attestations.rollup_world import (
    AFTER,
    closed,
    node,
    of,
    proof,
    rolled_up,
    sealed,
    sign_all,
    sign_node,
)
from tests.attestations.world import PERIOD

OWN = {"severity": "high", "description": "Nobody watches", "plan": "We do", "due_on": date(2027, 1, 15)}


def refused(sql: str, *params: Any) -> str:
    with pytest.raises(DatabaseError) as caught:
        _run(sql, params)
    return str(caught.value)


@transaction.atomic
def _run(sql: str, params: tuple[Any, ...]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def with_own(cast: Any) -> tuple[Campaign, AttestationException]:
    """Signed to the top; the head of Claims added an exception that Ben puts right."""
    campaign = rolled_up(cast)
    sign_node(node(campaign, "unit", cast.claims), cast.una, exceptions=[OwnException(**OWN, owner=cast.ben)])
    sign_all(campaign)
    closing.finish_due(now=AFTER)
    campaign.refresh_from_db()
    return campaign, AttestationException.objects.get()


def decide(exception: AttestationException, person: Any) -> None:
    by = proof(person, AFTER)
    decide_exception(exception, verdict="approved", note="", **by)


def test_without_exceptions_it_closes_by_itself(cast: Any) -> None:
    campaign = closed(cast, silent=("two",))
    assert (campaign.state, campaign.closed_at) == ("closed", AFTER)
    body = json.loads(campaign.records.get().body)
    assert body["not_attested"] == [
        {"key": "two", "name": "TWO", "person": "Ada Nwosu", "basis": "accepted", "unit": "Claims", "tier": "medium",
         "due": "2026-11-30"}
    ]  # fmt: skip
    assert body["counts"] == {"total": 3, "clean": 2, "qualified": 0, "late": 0, "not_attested": 1}
    assert {one["place"]: one["state"] for one in body["nodes"]}["Top"] == "signed_qualified"
    assert [AuditEvent.objects.filter(kind=f"campaign.{kind}").count() for kind in ("actions_pending", "closed")] == [
        1,
        1,
    ]
    assert closing.finish_due(now=AFTER) == []


def test_it_waits_until_the_top_is_signed(cast: Any) -> None:
    campaign = rolled_up(cast)
    sign_node(node(campaign, "unit", cast.claims), cast.una)
    assert closing.finish_due(now=AFTER) == []
    with pytest.raises(Refused, match="top of the roll-up"):
        closing.end_rollup(campaign, actor=cast.mara, now=AFTER)
    update = "UPDATE attestations_campaign SET state = 'pending_actions' WHERE id = %s"
    assert "every part of it is signed or declined" in refused(update, campaign.pk)


def test_an_exception_is_decided_then_carried_over_by_name(cast: Any) -> None:
    campaign, exception = with_own(cast)
    assert campaign.state == "pending_actions"
    assert exception.finding is not None
    assert exception.finding.person == cast.ben
    with pytest.raises(Refused, match="1 without a decision"):
        closing.close_campaign(campaign, actor=cast.mara, now=AFTER)
    with pytest.raises(Refused, match="waiting for a decision"):
        closing.carry_over(campaign, [exception], actor=cast.mara, now=AFTER)
    assert AuditEvent.objects.filter(kind="exception.carried_over").count() == 0
    decide(exception, cast.mara)
    pending = pending_of(campaign, today=AFTER.date())
    assert (pending.unfinished, pending.nothing) == ([exception], False)
    assert closing.finish_due(now=AFTER) == []
    [carried] = closing.carry_over(campaign, [exception], actor=cast.mara, now=AFTER)
    assert carried.carried_over_at == AFTER
    assert closing.finish_due(now=AFTER) == [PERIOD]
    body = json.loads(CampaignRecord.objects.get().body)
    assert [(one["owner"], one["due"]) for one in body["carried_over"]] == [("Ben Ortega", "2027-01-15")]


def test_what_is_past_its_date_is_not_carried_over(cast: Any) -> None:
    campaign, exception = with_own(cast)
    decide(exception, cast.mara)
    late = AFTER + timedelta(days=60)
    assert pending_of(campaign, today=late.date()).overdue == [exception]
    with pytest.raises(Refused, match="past its date"):
        closing.carry_over(campaign, [exception], actor=cast.mara, now=late)
    for nothing in ([], [AttestationException(pk=99)]):
        with pytest.raises(Refused, match="Choose the exceptions"):
            closing.carry_over(campaign, nothing, actor=cast.mara, now=AFTER)


def test_raw_sql_closes_nothing_with_a_gap(cast: Any) -> None:
    campaign = rolled_up(cast, silent=("two",))
    sign_all(campaign)
    closing.end_rollup(campaign, actor=cast.mara, now=AFTER)
    close = "UPDATE attestations_campaign SET state = 'closed', closed_at = now() WHERE id = %s"
    assert "name of everybody" in refused(close, campaign.pk)
    record = (
        "INSERT INTO attestations_campaignrecord (campaign_id, kind, body, sha256, made_at)"
        " VALUES (%s, %s, %s, %s, now())"
    )
    for body in ('{"not_attested":[]}', '{"not_attested":[{"key":"two","person":""}]}'):
        values = (campaign.pk, "closing", body, digest(body), campaign.pk)
        assert "name of everybody" in refused(f"{record}; {close}", *values)
    assert "when it is sealed" in refused(record, campaign.pk, "manifest", "{}", digest("{}"))


def test_raw_sql_closes_nothing_with_an_open_exception(cast: Any) -> None:
    campaign, _ = with_own(cast)
    body = '{"not_attested":[]}'
    CampaignRecord.objects.create(campaign=campaign, kind="closing", body=body, sha256=digest(body), made_at=AFTER)
    close = "UPDATE attestations_campaign SET state = 'closed', closed_at = now() WHERE id = %s"
    assert "every exception is decided" in refused(close, campaign.pk)


def test_sealing_writes_the_manifest_and_then_nothing_changes(cast: Any) -> None:
    campaign = sealed(cast, silent=("two",))
    manifest = campaign.records.get(kind="manifest")
    assert digest(manifest.body) == manifest.sha256 == campaign.manifest_sha256
    said = json.loads(manifest.body)
    assert [(one["key"], one["state"]) for one in said["systems"]] == [
        ("one", "sealed"), ("tool", "sealed"), ("two", "not_attested"),
    ]  # fmt: skip
    assert digest(said["sampling"]["seed"]) == said["sampling"]["commitment"]
    assert json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")) == manifest.body
    event = AuditEvent.objects.get(kind="campaign.sealed")
    assert json.loads(event.body)["after"]["manifest_sha256"] == campaign.manifest_sha256
    with pytest.raises(Refused, match="sealed already"):
        closing.seal(campaign, actor=cast.mara, now=AFTER)
    pk = of("one").pk
    for sql in (
        "UPDATE attestations_campaign SET manifest_sha256 = repeat('0', 64)",
        "UPDATE attestations_campaignrecord SET body = '{}'",
        "DELETE FROM attestations_campaignrecord",
        "UPDATE attestations_rollupnode SET reason = 'x'",
        f"UPDATE attestations_assignment SET late_days = 3 WHERE id = {pk}",
        f"UPDATE attestations_assignment SET state = 'accepted' WHERE id = {pk}",
        f"UPDATE attestations_answer SET comment = 'x' WHERE assignment_id = {pk}",
        "INSERT INTO attestations_campaignrecord (campaign_id, kind, body, sha256, made_at)"
        " SELECT campaign_id, 'manifest', '{}', encode(sha256('{}'), 'hex'), now() FROM attestations_campaignrecord",
        "INSERT INTO attestations_rollupnode (campaign_id, level, unit_id, parent_id, units, state, reason)"
        " SELECT campaign_id, 'unit', unit_id, parent_id, units, 'not_ready', '' FROM attestations_rollupnode"
        " WHERE level = 'unit'",
    ):
        refused(sql)


def test_a_campaign_is_not_sealed_without_its_manifest(cast: Any) -> None:
    campaign = closed(cast)
    update = (
        "UPDATE attestations_campaign SET state = 'sealed', sealed_at = now(), manifest_sha256 = repeat('0', 64)"
        " WHERE id = %s"
    )
    assert "sealed with its manifest" in refused(update, campaign.pk)
