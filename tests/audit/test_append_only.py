"""The trail can't be changed: as the application's role, as the owner, and as a superuser with triggers in force."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import errors

from apps.audit.actions import prepare_partitions
from tests import databases

pytestmark = pytest.mark.committed


@pytest.fixture
def owner(committed_db: str) -> Iterator[psycopg.Connection[Any]]:
    """A shell of the tables' owner."""
    with psycopg.connect(databases.owner_url(committed_db), autocommit=True) as connection:
        yield connection


@pytest.fixture
def application(committed_db: str) -> Iterator[psycopg.Connection[Any]]:
    """A shell of the application's role."""
    with psycopg.connect(databases.app_url(committed_db), autocommit=True) as connection:
        yield connection


def partitions(shell: psycopg.Connection[Any]) -> list[str]:
    rows = shell.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_event'::regclass")
    return sorted(row[0] for row in rows)


def test_the_owner_cannot_change_or_empty_any_partition(owner: psycopg.Connection[Any]) -> None:
    prepare_partitions(now=datetime(2031, 5, 4, tzinfo=UTC), months=1)
    names = partitions(owner)
    assert {"audit_event_2026_11", "audit_event_2031_05", "audit_event_2031_06"} <= set(names)
    before = owner.execute("SELECT count(*) FROM audit_event").fetchone()
    assert before is not None
    assert before[0] > 10
    for table in ["audit_event", *names]:
        with pytest.raises(errors.RestrictViolation):
            owner.execute(f"TRUNCATE {table} CASCADE")
    for statement in ("UPDATE {} SET body = body", "DELETE FROM {}"):
        for table in ("audit_event", "audit_event_2026_11"):
            with pytest.raises(errors.RestrictViolation):
                owner.execute(statement.format(table))
    assert owner.execute("SELECT count(*) FROM audit_event").fetchone() == before


def test_row_triggers_hold_on_a_new_partition(owner: psycopg.Connection[Any]) -> None:
    prepare_partitions(now=datetime(2031, 5, 4, tzinfo=UTC), months=0)
    owner.execute(
        """INSERT INTO audit_event (id, month, body) SELECT id, month, replace(body, id0::text, id::text) FROM (
             SELECT uuidv7() AS id, date '2031-05-01' AS month, id AS id0,
                    (body::jsonb || '{"ts": "1935619200000000", "month": "2031-05-01"}')::text AS body
             FROM audit_event LIMIT 1) AS x"""
    )
    for statement in ("UPDATE audit_event_2031_05 SET body = body", "DELETE FROM audit_event_2031_05"):
        with pytest.raises(errors.RestrictViolation):
            owner.execute(statement)


def test_triggers_hold_in_replica_mode(committed_db: str) -> None:
    """ENABLE ALWAYS: session_replication_role needs a superuser, and does not switch these triggers off."""
    with psycopg.connect(databases.owner_url(committed_db), autocommit=True) as owner:
        states = owner.execute(
            "SELECT c.relname, t.tgname, t.tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "WHERE c.relname LIKE 'audit_%' AND NOT t.tgisinternal"
        ).fetchall()
    assert len(states) > 20
    assert {state for _, _, state in states} == {"A"}, states


def test_the_application_has_no_right_to_try(application: psycopg.Connection[Any]) -> None:
    for table in ["audit_event", "audit_private", "audit_event_2026_11"]:
        for statement in ("UPDATE {} SET event_id = event_id", "DELETE FROM {}", "TRUNCATE {}"):
            sql = statement.format(table)
            if table != "audit_private":
                sql = sql.replace("event_id = event_id", "body = body")
            with pytest.raises(errors.InsufficientPrivilege):
                application.execute(sql)
    for statement in (
        "CREATE TABLE x (y int)",
        "DROP TABLE audit_event",
        "ALTER TABLE audit_event DISABLE TRIGGER ALL",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            application.execute(statement)


def test_a_body_that_disagrees_with_its_row_is_refused(application: psycopg.Connection[Any]) -> None:
    insert = "INSERT INTO audit_event (id, month, body) SELECT {} FROM audit_event LIMIT 1"
    for select in (
        "uuidv7(), month, body",
        "id, (month + interval '1 month')::date, body",
        "uuidv7(), month, (body::jsonb - 'id')::text",
        "id, month, (body::jsonb - 'v')::text",
        "id, month, jsonb_set(body::jsonb, '{ts}', '\"1\"')::text",
    ):
        with pytest.raises((errors.CheckViolation, errors.NotNullViolation)):
            application.execute(insert.format(select))


def test_erasing_what_names_a_person_leaves_the_event(owner: psycopg.Connection[Any]) -> None:
    row = owner.execute("SELECT event_id FROM audit_private WHERE field = 'actor_name' LIMIT 1").fetchone()
    assert row is not None
    with pytest.raises(errors.RestrictViolation):
        owner.execute("UPDATE audit_private SET value = 'Somebody else'")
    owner.execute("DELETE FROM audit_private WHERE event_id = %s", [row[0]])
    body = owner.execute("SELECT body FROM audit_event WHERE id = %s", [row[0]]).fetchone()
    assert body is not None
    assert "Mara" not in body[0]
    assert "commitments" in body[0]
