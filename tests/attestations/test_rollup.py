"""The roll-up: who signs what, and that one qualified, declined or missing child forbids a clean parent."""

import json
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from apps.attestations import actions
from apps.attestations.actions import nodes, rollup, samples
from apps.attestations.actions.rollup import OwnException
from apps.attestations.actions.samples import Check
from apps.attestations.models import AttestationException, RollupNode, Signature
from apps.attestations.queries.reviews import Reviewers, asked_questions
from apps.attestations.queries.rollup import Signatories, below, nodes_for
from apps.attestations.rules.rollup import child_line, node_line
from apps.audit.models import AuditEvent
from apps.audit.rules import SCHEDULER, digest
from apps.common.errors import NotAllowed, Refused
from apps.notify.models import Message
from apps.registry import actions as registry
from tests.attestations.rollup_world import (
    AFTER,
    EXCEPTION,
    node,
    of,
    opened,
    proof,
    reviewed,
    rolled_up,
    sign_all,
    sign_node,
    signed,
)
from tests.cast import Cast


def states(campaign: Any) -> dict[str, str]:
    rows = campaign.nodes.select_related("unit")
    return {found.unit.name if found.unit else found.level: found.state for found in rows}


def refused(sql: str, *params: Any) -> str:
    with pytest.raises(DatabaseError) as caught:
        _run(sql, params)
    return str(caught.value)


@transaction.atomic
def _run(sql: str, params: tuple[Any, ...]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_campaign_is_planted_once_with_a_node_for_each_top_unit(cast: Any) -> None:
    campaign = opened(cast)
    nodes.plant(campaign)
    rows = {found.unit.name if found.unit else found.level: found for found in campaign.nodes.select_related("unit")}
    assert set(rows) == {"top", "ciso", "ai_lead", "Claims", "Developer Tools"}
    assert rows["Claims"].units == [cast.claims.pk]
    assert rows["Claims"].parent == rows["ai_lead"]
    assert rows["ai_lead"].parent == rows["ciso"]
    assert rows["ciso"].parent == rows["top"]


def test_below_a_single_root_the_units_right_under_it(cast: Any) -> None:
    root = registry.create_unit(name="Aldermoor", code="root", actor=cast.mara, now=AFTER)
    for unit in (cast.claims, cast.devtools):
        type(unit).objects.filter(pk=unit.pk).update(parent=root)
    deep = registry.create_unit(name="Motor", code="motor", parent=cast.claims, actor=cast.mara, now=AFTER)
    type(cast.ada).objects.filter(pk=cast.ada.pk).update(is_active=True)
    from tests.attestations.world import register

    register(cast, "deep", owner=cast.ada, unit=deep)
    campaign = opened(cast)
    assert sorted(node(campaign, "unit", cast.claims).units) == sorted([cast.claims.pk, deep.pk])
    assert "Aldermoor" not in states(campaign)


def test_a_node_is_ready_when_everything_below_is_accepted_or_named(cast: Any) -> None:
    campaign = opened(cast)
    signed("one")
    reviewed("one")
    signed("two")
    actions.begin_rollup(campaign, actor=SCHEDULER, now=AFTER)
    assert nodes.ready_nodes(now=AFTER) == 1
    assert states(campaign) == {
        "top": "not_ready", "ciso": "not_ready", "ai_lead": "not_ready", "Claims": "not_ready",
        "Developer Tools": "ready",
    }  # fmt: skip
    reviewed("two", AFTER)
    assert nodes.ready_nodes(now=AFTER) == 1
    assert nodes.ready_nodes(now=AFTER) == 0
    assert states(campaign)["Claims"] == "ready"
    assert Message.objects.filter(key__contains=":node:").count() == 2
    assert Message.objects.get(key__contains=":node:", recipient=cast.una).subject.endswith("roll-up of Claims")
    assert AuditEvent.objects.filter(kind="rollup.ready").count() == 2


def test_what_a_sample_opens_again_makes_its_node_not_ready(cast: Any) -> None:
    campaign = rolled_up(cast)
    sampled = next(of(key) for key in ("one", "two", "tool") if of(key).sampled)
    sampled_unit = node(campaign, "unit", sampled.unit)
    other = next(of(key) for key in ("one", "two", "tool") if not of(key).sampled and of(key).unit != sampled.unit)
    found = node(campaign, "unit", other.unit)
    assert found.state == sampled_unit.state == "ready"
    reviewer = Reviewers(AFTER).able(other.unit_id, [other.person_id], sample=True)[0]
    checks = {question.key: Check(False, "No drill took place") for question in asked_questions(other)}
    samples.perform_sample(other, checks=checks, **proof(reviewer, AFTER))
    assert nodes.ready_nodes(now=AFTER) == 1
    found.refresh_from_db()
    assert (found.state, found.ready_at) == ("not_ready", None)


def test_who_signs_a_unit(cast: Any) -> None:
    campaign = rolled_up(cast)
    who = Signatories(AFTER)
    [head] = who.of(node(campaign, "unit", cast.claims))
    assert (head.person, head.basis, head.first) == (cast.una, "holder", "I head Claims.")
    [nobody] = who.of(node(campaign, "unit", cast.devtools))
    assert (nobody.person, nobody.basis) == (cast.mara, "mandate")
    [lead] = who.of(node(campaign, "ai_lead"))
    assert (lead.person, lead.seat) == (cast.mara, "ai_lead")
    assert lead.first == "The seat Head of AI is vacant. I sign as the holder of the governance mandate."
    [ciso] = who.of(node(campaign, "ciso"))
    assert (ciso.person, ciso.first) == (cast.cleo, "I hold the seat CISO.")
    [top] = who.of(node(campaign, "top"))
    assert top.person == cast.lea


def test_who_acts_for_a_head_who_is_away(cast: Any) -> None:
    campaign = rolled_up(cast)
    day = AFTER.date()
    registry.record_absence(
        cast.una, starts_on=day, ends_on=day + timedelta(days=3), delegate=cast.ben, actor=cast.una, now=AFTER
    )
    [acting] = Signatories(AFTER).of(node(campaign, "unit", cast.claims))
    assert (acting.person, acting.basis) == (cast.ben, "acting")
    assert acting.first == "I act for Una Brandt, who heads Claims and is away."
    signature = sign_node(node(campaign, "unit", cast.claims), cast.ben)
    assert signature.statement.startswith("I act for Una Brandt")


def test_a_clean_roll_up_to_the_top(cast: Any) -> None:
    campaign = rolled_up(cast)
    assert [found.unit.name for found in nodes_for(cast.una, AFTER) if found.unit] == ["Claims"]
    signature = sign_node(node(campaign, "unit", cast.claims), cast.una)
    assert (signature.meaning, signature.exceptions, signature.seat) == ("certify", 0, "")
    assert nodes_for(cast.una, AFTER) == []
    payload = json.loads(signature.payload)
    lines = [child_line(key, "accepted", "clean", of(key).signature.payload_sha256) for key in ("one", "two")]
    assert payload["below"]["sha256"] == digest("".join(lines))
    assert payload["below"]["total"] == 2
    assert "Each was attested by the person who answers for it" in signature.statement
    sign_all(campaign)
    assert set(states(campaign).values()) == {"signed_clean"}
    top = json.loads(node(campaign, "top").signatures.get().payload)
    ciso = node(campaign, "ciso").signatures.get().payload_sha256
    assert top["children"] == [{"level": "ciso", "unit": None, "state": "signed_clean", "signatures": [ciso]}]
    assert top["below"]["sha256"] == digest(node_line("ciso", None, "signed_clean", [ciso]))
    assert AuditEvent.objects.filter(kind="rollup.signed").count() == 5


def test_one_exception_forbids_a_clean_parent_up_to_the_top(cast: Any) -> None:
    campaign = rolled_up(cast, kill_switch=EXCEPTION)
    signature = sign_node(node(campaign, "unit", cast.claims), cast.una)
    assert (signature.meaning, signature.exceptions) == ("acknowledge", 1)
    assert "1 was attested with exceptions" in signature.statement
    sign_all(campaign)
    assert states(campaign) == {
        "Claims": "signed_qualified", "Developer Tools": "signed_clean", "ai_lead": "signed_qualified",
        "ciso": "signed_qualified", "top": "signed_qualified",
    }  # fmt: skip


def test_what_is_not_attested_is_named_under_every_signature_above(cast: Any) -> None:
    campaign = rolled_up(cast, silent=("two",))
    sign_all(campaign)
    assert states(campaign)["top"] == "signed_qualified"
    payload = json.loads(node(campaign, "top").signatures.get().payload)
    assert payload["not_attested"] == [{"key": "two", "name": "TWO", "person": "Ada Nwosu"}]
    assert payload["below"]["not_attested"] == 1


def test_who_declines_says_why_and_nobody_above_is_clean(cast: Any) -> None:
    campaign = rolled_up(cast)
    found = node(campaign, "unit", cast.claims)
    with pytest.raises(Refused, match="why you decline"):
        rollup.decline_node(found, reason=" ", **proof(cast.una, AFTER))
    rollup.decline_node(found, reason="I was not told", **proof(cast.una, AFTER))
    sign_all(campaign)
    assert states(campaign)["Claims"] == "declined"
    assert states(campaign)["top"] == "signed_qualified"
    statement = node(campaign, "top").signatures.get().statement
    assert "1 part declined to sign" in statement


def test_own_exceptions_qualify_a_node(cast: Any) -> None:
    campaign = rolled_up(cast)
    own = OwnException("high", "Nobody watches the costs", "We set a budget", date(2027, 1, 15), cast.ben)
    signature = sign_node(node(campaign, "unit", cast.claims), cast.una, exceptions=[own])
    assert (signature.meaning, signature.exceptions) == ("acknowledge", 1)
    kept = AttestationException.objects.get()
    assert (kept.node, kept.owner, kept.severity, kept.state) == (
        node(campaign, "unit", cast.claims), cast.ben, "high", "requested",
    )  # fmt: skip
    assert states(campaign)["Claims"] == "signed_qualified"


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"due_on": date(2027, 6, 1)}, "Choose a date between today and 18 Feb 2027"), ({"plan": " "}, "Say what"),
     ({"severity": "grave"}, "how grave"), ({"due_on": date(2026, 12, 1)}, "Choose a date")],
)  # fmt: skip
def test_an_own_exception_needs_a_plan_and_a_day(cast: Any, changed: dict[str, Any], why: str) -> None:
    campaign = rolled_up(cast)
    values = {"severity": "high", "description": "D", "plan": "P", "due_on": date(2027, 1, 15), "owner": cast.ben}
    with pytest.raises(Refused, match=why):
        sign_node(node(campaign, "unit", cast.claims), cast.una, exceptions=[OwnException(**values | changed)])
    assert not AttestationException.objects.exists()
    assert states(campaign)["Claims"] == "ready"


def test_two_seats_at_the_top_are_two_people(cast: Any) -> None:
    campaign = rolled_up(cast, two_seats=True)
    for found in (node(campaign, "unit", cast.claims), node(campaign, "unit", cast.devtools)):
        sign_node(found, cast.una if found.unit == cast.claims else cast.mara)
    sign_node(node(campaign, "ai_lead"), cast.mara)
    sign_node(node(campaign, "ciso"), cast.cleo)
    sign_node(node(campaign, "top"), cast.lea)
    assert states(campaign)["top"] == "ready"
    with pytest.raises(NotAllowed):
        sign_node(node(campaign, "top"), cast.lea)
    own = OwnException("low", "The log is short", "We keep it longer", date(2027, 1, 15), cast.ben)
    second = sign_node(node(campaign, "top"), cast.cleo, exceptions=[own])
    assert (second.seat, second.meaning) == ("ciso", "acknowledge")
    assert states(campaign)["top"] == "signed_qualified"


def test_nobody_else_signs_and_nothing_is_written(cast: Any) -> None:
    campaign = rolled_up(cast)
    before = AuditEvent.objects.count(), Signature.objects.count(), Message.objects.count()
    found = node(campaign, "unit", cast.claims)
    for person in (cast.mara, cast.cleo, cast.ada, cast.eve):
        with pytest.raises(NotAllowed):
            sign_node(found, person)
    with pytest.raises(Refused, match="changed after you opened"):
        sign_node(found, cast.una, read="0" * 64)
    with pytest.raises(Refused, match="Tick the box"):
        sign_node(found, cast.una, declared_true=False)
    with pytest.raises(Refused, match="not done"):
        sign_node(node(campaign, "ciso"), cast.cleo)
    assert before == (AuditEvent.objects.count(), Signature.objects.count(), Message.objects.count())


@pytest.mark.parametrize("level", ["unit", "ai_lead"])
def test_raw_sql_makes_no_clean_parent_over_a_fault(cast: Any, level: str) -> None:
    campaign = rolled_up(cast, kill_switch=EXCEPTION)
    unit = cast.claims
    if level == "ai_lead":
        sign_node(node(campaign, "unit", cast.claims), cast.una)
        sign_node(node(campaign, "unit", cast.devtools), cast.mara)
        unit = None
    found = node(campaign, level, unit)
    signer = cast.una if unit else cast.mara
    sql = """INSERT INTO attestations_signature (kind, node_id, seat, round, batch_size, signer_id, signer_name,
        signer_title, signer_function, signer_basis, assigned_name, meaning, statement, exceptions, payload,
        payload_sha256, prev_hash, auth_method, auth_at, signed_at)
        SELECT 'rollup', %s, %s, 1, 1, %s, 'X', '', '', '', '', 'certify', 'S', 0, '{}', encode(sha256('{}'), 'hex'),
        (SELECT payload_sha256 FROM attestations_signature ORDER BY id DESC LIMIT 1), 'p', now(), now()"""
    seat = "" if unit else "ai_lead"
    assert "forbids a clean signature" in refused(sql, found.pk, seat, signer.pk)
    assert "for a seat that signs it" in refused(sql, found.pk, "legal", signer.pk)
    update = "UPDATE attestations_rollupnode SET state = %s, signed_at = now(), reason = 'x' WHERE id = %s"
    for state in ("signed_clean", "signed_qualified"):
        assert "signature of each seat" in refused(update, state, found.pk)
    assert "under a signature" in refused(update, "declined", found.pk)


def test_a_signed_node_and_what_is_below_it_do_not_change(cast: Any) -> None:
    campaign = rolled_up(cast, silent=("two",))
    sign_node(node(campaign, "unit", cast.claims), cast.una)
    found = node(campaign, "unit", cast.claims)
    for change in ("reason = 'y'", "told_at = NULL", "units = '{}'", "state = 'ready', signed_at = NULL"):
        refused(f"UPDATE attestations_rollupnode SET {change} WHERE id = %s", found.pk)
    assert "below it does not change" in refused(
        "UPDATE attestations_assignment SET late_days = 9 WHERE id = %s", of("one").pk
    )
    reviewer = Reviewers(AFTER).able(of("one").unit_id, [cast.ada.pk], sample=True)[0]
    if not of("one").sampled:
        checks = {question.key: Check(False, "No") for question in asked_questions(of("one"))}
        with pytest.raises(DatabaseError, match="below it does not change"), transaction.atomic():
            samples.perform_sample(of("one"), checks=checks, **proof(reviewer, AFTER))


@pytest.mark.committed
def test_nodes_keep_their_place_and_are_never_removed(committed_db: str, as_owner: Any) -> None:
    cast = Cast()
    found = node(rolled_up(cast), "unit", cast.claims)
    with as_owner(committed_db) as owner:
        for sql in (
            f"DELETE FROM attestations_rollupnode WHERE id = {found.pk}",
            "TRUNCATE attestations_rollupnode CASCADE",
            f"UPDATE attestations_rollupnode SET units = '{{}}' WHERE id = {found.pk}",
            f"UPDATE attestations_rollupnode SET state = 'signed_clean', signed_at = now() WHERE id = {found.pk}",
        ):
            with pytest.raises(psycopg.DatabaseError, match=r"never|place|signature"):
                owner.execute(sql)
    assert RollupNode.objects.count() == 5


def test_the_lines_that_are_hashed_are_the_same_in_sql(cast: Any) -> None:
    campaign = rolled_up(cast, silent=("two",), kill_switch=EXCEPTION)
    lines = [
        child_line("one", "sealed", "qualified", of("one").signature.payload_sha256),
        child_line("two", "not_attested", "", ""),
    ]
    found = below(node(campaign, "unit", cast.claims))
    assert (found.sha256, found.qualified, found.not_attested) == (digest("".join(lines)), 1, 1)
