"""The rules hold in the database: raw SQL, as the application's role and as the owner of the tables."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

from apps.registry.models import System
from tests import databases
from tests.cast import Cast
from tests.factories import a_system

pytestmark = pytest.mark.committed


@pytest.fixture(params=["application", "owner"])
def shell(rules_db: str, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection[Any]]:
    """A live database shell in each of the two roles."""
    url = databases.app_url if request.param == "application" else databases.owner_url
    with psycopg.connect(url(rules_db), autocommit=True) as connection:
        yield connection


@pytest.fixture
def system(rules_db: str) -> System:
    """A live system that Ada has accepted."""
    people = Cast()
    return a_system(people, owner=people.ada)


def refused(
    shell: psycopg.Connection[Any],
    statement: str,
    *values: Any,
    by: type[Exception] | tuple[type[Exception], ...],
) -> None:
    """The statement is refused, with this error, and leaves the row counts as they were."""
    counts = _counts(shell)
    with pytest.raises(by):
        shell.execute(statement, values)
    assert _counts(shell) == counts


def _counts(shell: psycopg.Connection[Any]) -> list[int]:
    tables = (
        "registry_system",
        "registry_ownershipterm",
        "registry_raciassignment",
        "people_person",
        "audit_event",
    )
    return [shell.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]  # type: ignore[index]


def test_no_system_without_an_owner(shell: psycopg.Connection[Any], system: System) -> None:
    refused(
        shell,
        "UPDATE registry_system SET owner_id = NULL WHERE id = %s",
        system.pk,
        by=errors.NotNullViolation,
    )


def test_no_system_without_a_term(shell: psycopg.Connection[Any], system: System) -> None:
    refused(
        shell,
        "INSERT INTO registry_system (key, name, purpose, unit_id, stage, tier, regulatory_class, operating_model, "
        "vendor, chat_channel, restricted, owner_id, owner_basis, contact_given, created_at, updated_at, search_text) "
        "SELECT 'X-1', 'x', '', unit_id, 'production', 'low', 'unknown', 'unknown', '', '', false, owner_id, "
        "'accepted', '', now(), now(), '' FROM registry_system WHERE id = %s",
        system.pk,
        by=errors.IntegrityConstraintViolation,
    )


def test_no_second_current_term(shell: psycopg.Connection[Any], system: System) -> None:
    refused(
        shell,
        "INSERT INTO registry_ownershipterm (system_id, person_id, basis, period, derivation) "
        "VALUES (%s, %s, 'accepted', tstzrange(now(), NULL), '[]')",
        system.pk,
        Cast().nils.pk,
        by=errors.ExclusionViolation,
    )


def test_no_overlap_in_the_past(shell: psycopg.Connection[Any], system: System) -> None:
    refused(
        shell,
        "INSERT INTO registry_ownershipterm (system_id, person_id, basis, period, derivation) "
        "SELECT system_id, person_id, basis, tstzrange(lower(period) - interval '1 day', lower(period) + "
        "interval '1 microsecond'), '[]' FROM registry_ownershipterm WHERE system_id = %s AND upper_inf(period)",
        system.pk,
        by=errors.ExclusionViolation,
    )


@pytest.mark.parametrize("column", ["owner_id = %s", "owner_basis = 'interim', owner_id = %s"])
def test_owner_is_the_current_terms_person(shell: psycopg.Connection[Any], system: System, column: str) -> None:
    other = Cast().nils if column.startswith("owner_id") else Cast().ada
    refused(
        shell,
        f"UPDATE registry_system SET {column} WHERE id = %s",
        other.pk,
        system.pk,
        by=errors.IntegrityConstraintViolation,
    )


def test_a_term_that_nobody_follows_is_not_closed(shell: psycopg.Connection[Any], system: System) -> None:
    refused(
        shell,
        "UPDATE registry_ownershipterm SET period = tstzrange(lower(period), now() + interval '1 day') "
        "WHERE system_id = %s AND upper_inf(period)",
        system.pk,
        by=errors.IntegrityConstraintViolation,
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE registry_ownershipterm SET person_id = '{nils}' WHERE system_id = {system}",
        "UPDATE registry_ownershipterm SET period = tstzrange(lower(period) - interval '1 day', upper(period)) "
        "WHERE system_id = {system}",
        "DELETE FROM registry_ownershipterm WHERE system_id = {system}",
    ],
)
def test_history_is_not_rewritten(shell: psycopg.Connection[Any], system: System, statement: str) -> None:
    refused(shell, statement.format(nils=Cast().nils.pk, system=system.pk), by=errors.RestrictViolation)


def test_terms_and_systems_are_not_truncated(rules_db: str, system: System, as_owner: Callable[[str], Any]) -> None:
    with as_owner(rules_db) as shell:
        for table in ("registry_ownershipterm", "registry_system", "people_person"):
            refused(shell, f"TRUNCATE {table} CASCADE", by=errors.RestrictViolation)


@pytest.mark.parametrize(("name", "constraint"), [("ivan", "system_owner_active"), ("robot", "system_owner_human")])
def test_who_cannot_answer_owns_nothing(
    shell: psycopg.Connection[Any], system: System, name: str, constraint: str
) -> None:
    person = getattr(Cast(), name)
    with pytest.raises(errors.ForeignKeyViolation, match=constraint):
        shell.execute("UPDATE registry_system SET owner_id = %s WHERE id = %s", [person.pk, system.pk])
    system.refresh_from_db()
    assert system.owner == Cast().ada


def test_a_service_account_does_not_own_a_proposed_system(shell: psycopg.Connection[Any], system: System) -> None:
    shell.execute("UPDATE registry_system SET stage = 'proposed' WHERE id = %s", [system.pk])
    with pytest.raises(errors.ForeignKeyViolation, match="system_owner_human"):
        shell.execute("UPDATE registry_system SET owner_id = %s WHERE id = %s", [Cast().robot.pk, system.pk])


@pytest.mark.alone
def test_going_live_checks_the_owner_again(shell: psycopg.Connection[Any], system: System) -> None:
    shell.execute("UPDATE registry_system SET stage = 'proposed' WHERE id = %s", [system.pk])
    shell.execute("UPDATE people_person SET is_active = false, deactivated_at = now() WHERE id = %s", [Cast().ada.pk])
    for stage in ("production", "unknown", "pilot", "suspended", "development"):
        refused(
            shell,
            "UPDATE registry_system SET stage = %s WHERE id = %s",
            stage,
            system.pk,
            by=errors.ForeignKeyViolation,
        )


def test_an_owner_is_not_deactivated(shell: psycopg.Connection[Any], system: System) -> None:
    with pytest.raises(errors.ForeignKeyViolation, match="system_owner_active"):
        shell.execute(
            "UPDATE people_person SET is_active = false, deactivated_at = now() WHERE id = %s",
            [system.owner_id],
        )
    assert Cast().ada.is_active


def test_nobody_is_deleted(shell: psycopg.Connection[Any], system: System) -> None:
    for name in ("ada", "nils"):
        refused(
            shell,
            "DELETE FROM people_person WHERE id = %s",
            getattr(Cast(), name).pk,
            by=(errors.RestrictViolation, errors.ForeignKeyViolation),
        )


def test_the_mandates_seat_is_not_vacated(shell: psycopg.Connection[Any], system: System) -> None:
    with pytest.raises(errors.ForeignKeyViolation, match="mandate_seat_is_held"):
        shell.execute("UPDATE people_seat SET holder_id = NULL, since = NULL WHERE function_id = 'platform'")
    with pytest.raises(errors.ForeignKeyViolation, match="mandate_seat_is_held"):
        shell.execute("UPDATE registry_mandate SET holder_id = 'finance'")
    shell.execute("UPDATE people_seat SET holder_id = NULL, since = NULL WHERE function_id = 'ciso'")


def test_a_seat_is_held_by_an_active_human(shell: psycopg.Connection[Any], system: System) -> None:
    for name in ("ivan", "robot"):
        with pytest.raises(errors.ForeignKeyViolation):
            shell.execute(
                "UPDATE people_seat SET holder_id = %s, since = now() WHERE function_id = 'finance'",
                [getattr(Cast(), name).pk],
            )


def test_the_key_is_stable_and_a_system_never_deleted(shell: psycopg.Connection[Any], system: System) -> None:
    refused(
        shell,
        "UPDATE registry_system SET key = 'OTHER' WHERE id = %s",
        system.pk,
        by=errors.RestrictViolation,
    )
    refused(shell, "DELETE FROM registry_system WHERE id = %s", system.pk, by=errors.RestrictViolation)


def test_units_form_no_circle(shell: psycopg.Connection[Any], system: System) -> None:
    cast = Cast()
    shell.execute("UPDATE registry_unit SET parent_id = %s WHERE id = %s", [cast.claims.pk, cast.devtools.pk])
    refused(
        shell,
        "UPDATE registry_unit SET parent_id = %s WHERE id = %s",
        cast.devtools.pk,
        cast.claims.pk,
        by=errors.CheckViolation,
    )


@pytest.mark.alone
@pytest.mark.parametrize("first", ["appoint", "deactivate"])
def test_appointing_and_deactivating_at_once(rules_db: str, first: str) -> None:
    """Two open transactions, one appoints Nils, the other deactivates him: exactly one of them commits."""
    people = Cast()
    system = a_system(people)
    statements = {
        "appoint": [
            ("UPDATE registry_ownershipterm SET period = tstzrange(lower(period), clock_timestamp()) "
             "WHERE system_id = %(system)s AND upper_inf(period)"),
            ("INSERT INTO registry_ownershipterm (system_id, person_id, basis, period, derivation) "
             "VALUES (%(system)s, %(nils)s, 'accepted', tstzrange(clock_timestamp(), NULL), '[]')"),
            "UPDATE registry_system SET owner_id = %(nils)s, owner_basis = 'accepted' WHERE id = %(system)s",
        ],
        "deactivate": ["UPDATE people_person SET is_active = false, deactivated_at = now() WHERE id = %(nils)s"],
    }  # fmt: skip
    second = "deactivate" if first == "appoint" else "appoint"
    values = {"system": system.pk, "nils": people.nils.pk}
    outcome: dict[str, str] = {}

    def run_second() -> None:
        try:
            with psycopg.connect(databases.app_url(rules_db)) as connection:
                for statement in statements[second]:
                    connection.execute(statement, values)
            outcome[second] = "committed"
        except errors.ForeignKeyViolation:
            outcome[second] = "refused"

    with psycopg.connect(databases.app_url(rules_db)) as connection:
        for statement in statements[first]:
            connection.execute(statement, values)
        thread = threading.Thread(target=run_second)
        thread.start()
        thread.join(timeout=1)
        assert thread.is_alive(), "the second transaction waits for the first"
    thread.join(timeout=10)
    assert outcome == {second: "refused"}
    with psycopg.connect(databases.app_url(rules_db)) as connection:
        row = connection.execute(
            "SELECT s.owner_id = %(nils)s, p.is_active FROM registry_system s, people_person p "
            "WHERE s.id = %(system)s AND p.id = %(nils)s", values
        ).fetchone()  # fmt: skip
    assert row == ((True, True) if first == "appoint" else (False, False))
