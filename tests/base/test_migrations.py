"""Every migration of ours can be taken back on a portal that nobody has started, and applied again."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests import databases

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = """
SELECT array_agg(line ORDER BY line) FROM (
    SELECT format('%s %s %s', tgrelid::regclass, tgname, tgenabled) AS line FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT format('%s %s %s %s %s', table_name, column_name, udt_name, is_nullable, column_default)
              FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT pg_get_functiondef(p.oid) FROM pg_proc p
              WHERE p.pronamespace = 'public'::regnamespace AND p.prokind IN ('f', 'p')
                AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    UNION ALL SELECT 'domain ' || key FROM registry_governancedomain
    UNION ALL SELECT 'seat ' || function_id FROM people_seat) AS lines
"""


@pytest.fixture
def scratch(worker: str, template_names: tuple[str, str]) -> Iterator[str]:
    """The owner's address of a migrated database of this test's own."""
    name = f"migrations_{worker}"
    databases.create(name, template_names[0])
    yield databases.owner_url(name)
    databases.drop(name)


def migrate(url: str, *target: str) -> None:
    environ = os.environ | {"DATABASE_URL": url, "DATABASE_OWNER_URL": url}
    command = [sys.executable, "-m", "tests.base.quick_migrate", *target]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr


def schema(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        row = connection.execute(SCHEMA).fetchone()
    assert row is not None
    return list(row[0])


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


# The rules of people and what stands on them, with the seeded rows left in place; then everything.
@pytest.mark.parametrize("target", [("people", "0001"), ("common", "zero")])
def test_back_and_forth(scratch: str, target: tuple[str, str]) -> None:
    before = schema(scratch)
    migrate(scratch, *target)
    assert not {"incidents_incident", "registry_system"} & tables(scratch)
    migrate(scratch)
    assert schema(scratch) == before
