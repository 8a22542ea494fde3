"""No path through verbs and raw SQL signs without answers, closes with an unnamed gap, or makes a clean parent over
a qualified child; and raw SQL cannot skip a state.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.attestations import actions
from apps.attestations.actions import closing, nodes, rollup
from apps.attestations.actions.reviews import request_changes
from apps.attestations.actions.rollup import OwnException
from apps.attestations.models import Campaign
from apps.attestations.queries.reviews import Reviewers
from apps.attestations.queries.rollup import Signatories
from apps.attestations.rules import (
    ASSIGNMENT_TRANSITIONS,
    CAMPAIGN_TRANSITIONS,
    EXCEPTION_TRANSITIONS,
    NODE_TRANSITIONS,
    Given,
)
from apps.audit.rules import COMMAND, SCHEDULER
from apps.common.errors import NotAllowed, Refused
from tests.attestations.rollup_world import AFTER, LATER, of, proof, reviewed, rolled_up, sign_node
from tests.attestations.test_signing import answer, sign
from tests.attestations.world import NOW, PERIOD, register
from tests.cast import Cast

KEYS = ("one", "tool")
EXCEPTION = Given("no", "Nobody tried", "We test it", "2026-12-11", "high", "Nothing")
FSMS = {
    "campaign": CAMPAIGN_TRANSITIONS,
    "assignment": ASSIGNMENT_TRANSITIONS,
    "rollupnode": NODE_TRANSITIONS,
    "attestationexception": EXCEPTION_TRANSITIONS,
}
# What each state needs beside its name, so that no check is what refuses.
COLUMNS = {
    "campaign": "rollup_at = coalesce(rollup_at, now()), closed_at = coalesce(closed_at, now())",
    "assignment": "submitted_at = now(), late_days = 0, result = 'clean', accepted_at = now()",
    "rollupnode": "ready_at = now(), signed_at = now(), reason = 'x'",
}
UNSIGNED = """
SELECT count(*) FROM attestations_assignment a WHERE a.state IN ('submitted', 'accepted', 'sealed') AND (
    EXISTS (SELECT FROM attestations_unanswered(a.id)) OR NOT EXISTS (
        SELECT FROM attestations_signature s
        WHERE s.assignment_id = a.id AND s.kind = 'attestation' AND s.round = a.round))
"""
UNCLEAN = """
SELECT count(*) FROM attestations_rollupnode n WHERE n.state = 'signed_clean' AND (
    EXISTS (SELECT FROM attestations_rollupnode c WHERE c.parent_id = n.id AND c.state <> 'signed_clean')
    OR EXISTS (SELECT FROM attestations_assignment a
        WHERE n.level = 'unit' AND a.campaign_id = n.campaign_id AND a.unit_id = ANY(n.units)
          AND a.state <> 'reassigned' AND NOT (a.state IN ('accepted', 'sealed') AND a.result = 'clean'))
    OR EXISTS (SELECT FROM attestations_attestationexception x WHERE x.node_id = n.id))
"""
UNNAMED = """
SELECT count(*) FROM attestations_campaign c JOIN attestations_assignment a ON a.campaign_id = c.id
JOIN registry_system s ON s.id = a.system_id
WHERE c.state IN ('closed', 'sealed') AND (a.state NOT IN ('accepted', 'sealed', 'not_attested', 'reassigned')
  OR a.state = 'not_attested' AND NOT EXISTS (
    SELECT FROM attestations_campaignrecord r, jsonb_array_elements(r.body::jsonb->'not_attested') AS one
    WHERE r.campaign_id = c.id AND r.kind = 'closing' AND one->>'key' = s.key AND one->>'person' <> ''))
"""


def count(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])


@contextmanager
def step() -> Iterator[None]:
    """One step as a transaction of its own: refused as a whole, or done with all that is checked at its end."""
    with suppress(Refused, NotAllowed, DatabaseError, StopIteration), transaction.atomic():
        yield
        connection.check_constraints()


def _sign_owner(cast: Any, key: str) -> None:
    assignment = of(key)
    sign(assignment, assignment.system.owner, version=assignment.version, **_when())


def _when() -> dict[str, Any]:
    when = AFTER if Campaign.objects.get().state == "rollup" else LATER
    return {"now": when, "confirmation": actions.Confirmation("password", when)}


def _sign_ready(cast: Any, key: str, *, own: bool = False) -> None:
    found = Campaign.objects.get().nodes.filter(state="ready").select_related("campaign", "unit").first()
    assert found is not None or own in (True, False)
    if found is None:
        raise Refused("Nothing is ready.")
    person = next(one.person for one in Signatories(AFTER).of(found) if one.person)
    added = [OwnException("low", "Short log", "Longer", date(2027, 1, 15), cast.ben)] if own else []
    if key == "tool" and own:
        rollup.decline_node(found, reason="No", **proof(person, AFTER))
    else:
        sign_node(found, person, exceptions=added)


def _changes(cast: Any, key: str) -> None:
    reviewer = Reviewers(AFTER).of(of(key))
    assert reviewer is not None
    request_changes(of(key), note="Say when", actor=reviewer, now=AFTER)


def _raw(table: str, state: str) -> Callable[[Any, str], None]:
    """The state written by hand, with and without what else it needs."""

    def act(cast: Any, key: str) -> None:
        more = f", {COLUMNS[table]}" if key == "one" else ""
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE attestations_{table} SET state = %s{more}", [state])

    return act


def _campaign(verb: Callable[..., Any]) -> Callable[[Any, str], None]:
    return lambda cast, key: verb(Campaign.objects.get(), actor=SCHEDULER, now=AFTER)


STEPS: dict[str, Callable[[Any, str], None]] = {
    "answer": lambda cast, key: answer(of(key), of(key).system.owner) and None,
    "answer with an exception": lambda cast, key: answer(of(key), of(key).system.owner, runbook=EXCEPTION) and None,
    "sign": _sign_owner,
    "review": lambda cast, key: reviewed(key, AFTER) and None,
    "ask for changes": _changes,
    "roll up": _campaign(actions.begin_rollup),
    "look": lambda cast, key: nodes.ready_nodes(now=AFTER) and None,
    "sign a node": _sign_ready,
    "sign a node with an exception, or decline": lambda cast, key: _sign_ready(cast, key, own=True),
    "end the roll-up": _campaign(closing.end_rollup),
    "close": _campaign(closing.close_campaign),
    "seal": _campaign(closing.seal),
    **{f"raw {table} {state}": _raw(table, state)
       for table in ("campaign", "assignment", "rollupnode") for state in sorted({b for _, b in FSMS[table]})},
}  # fmt: skip
# Where a sequence begins: so that each end of the table is reached.
PREFIXES = (
    (),
    ("answer", "sign", "review"),
    ("answer with an exception", "sign", "review", "roll up", "look"),
    ("answer", "sign", "review", "roll up", "look", "sign a node", "sign a node", "sign a node", "sign a node"),
    ("roll up", "look", "sign a node", "sign a node", "sign a node", "sign a node", "sign a node", "end the roll-up"),
)


@settings(max_examples=30, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
@given(prefix=st.sampled_from(PREFIXES), more=st.lists(
    st.tuples(st.sampled_from(sorted(STEPS)), st.sampled_from(KEYS)), min_size=3, max_size=12))  # fmt: skip
def test_no_path_breaks_a_rule(cast: Any, prefix: tuple[str, ...], more: list[tuple[str, str]]) -> None:
    with transaction.atomic():
        register(cast, "one", owner=cast.ada)
        register(cast, "tool", owner=cast.nils, unit=cast.devtools)
        actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)
        connection.check_constraints()
        done = [(name, key) for name in prefix for key in (KEYS if name in ("answer", "sign", "review") else KEYS[:1])]
        for name, key in [*done, *more]:
            with step():
                STEPS[name](cast, key)
            assert count(UNSIGNED) == 0, (name, key)
            assert count(UNCLEAN) == 0, (name, key)
            assert count(UNNAMED) == 0, (name, key)
        transaction.set_rollback(True)


def test_the_ends_are_reached(cast: Any) -> None:
    """The steps above are able to do it all: without that the property would say nothing."""
    register(cast, "one", owner=cast.ada)
    register(cast, "tool", owner=cast.nils, unit=cast.devtools)
    actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)
    path = ["answer", "sign", "review", "roll up", "look", *["sign a node"] * 5, "end the roll-up", "close", "seal"]
    for name in path:
        for key in KEYS if name in ("answer", "sign", "review") else KEYS[:1]:
            with step():
                STEPS[name](cast, key)
    assert Campaign.objects.get().state == "sealed"
    assert set(Campaign.objects.get().nodes.values_list("state", flat=True)) == {"signed_clean"}


@pytest.mark.committed
def test_raw_sql_cannot_skip_a_state(committed_db: str, as_owner: Any) -> None:
    """Each pair that the tables do not hold is refused, to the application's role and to the owner of the database."""
    cast = Cast()
    campaign = rolled_up(cast)
    found = campaign.nodes.select_related("campaign", "unit").get(unit=cast.claims)
    sign_node(found, cast.una, exceptions=[OwnException("low", "D", "P", date(2027, 1, 15), cast.ben)])
    refused = 0
    with as_owner(committed_db) as owner:
        for table, transitions in FSMS.items():
            checks = [row[0] for row in owner.execute(
                "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass",
                [f"attestations_{table}"])]  # fmt: skip
            for name in checks:
                owner.execute(f'ALTER TABLE attestations_{table} DROP CONSTRAINT "{name}"')
            states = sorted({state for pair in transitions for state in pair})
            for before in states:
                owner.execute(f"ALTER TABLE attestations_{table} DISABLE TRIGGER USER")
                owner.execute(f"UPDATE attestations_{table} SET state = %s", [before])
                owner.execute(f"ALTER TABLE attestations_{table} ENABLE TRIGGER USER")
                for after in states:
                    if after != before and (before, after) not in transitions:
                        refused += _both_refuse(owner, f"UPDATE attestations_{table} SET state = '{after}'")
    assert refused == 2 * sum(
        len({s for pair in t for s in pair}) * (len({s for pair in t for s in pair}) - 1) - len(t)
        for t in FSMS.values()
    )  # fmt: skip


def _both_refuse(owner: Any, sql: str) -> int:
    with pytest.raises(psycopg.DatabaseError):
        owner.execute(sql)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    return 2
