"""The rules of the matrix hold in the database: raw SQL, as the application's role and as the owner of the tables."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg import errors

from apps.common.errors import Refused
from apps.registry.actions import raci
from apps.registry.models import RaciAcceptance, RaciAssignment, RaciDraft, RaciVersion, System
from apps.registry.queries.raci_scope import Scope, history, own_rows
from tests import databases
from tests.cast import Cast
from tests.factories import NOW, a_system, set_letters

pytestmark = pytest.mark.committed

LATER = NOW + timedelta(hours=2)
BEGIN = (
    "INSERT INTO registry_raciassignment (domain_id, unit_id, system_id, letter, function_id, person_id, is_owner, "
    "valid_from, version_id) "
)
IN_FORCE = "system_id = %(system)s AND domain_id = 'stop' AND valid_to IS NULL"
END = f"UPDATE registry_raciassignment SET valid_to = now(), ended_by_id = %(version)s WHERE {IN_FORCE}"


@pytest.fixture(params=["application", "owner"])
def shell(committed_db: str, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection[Any]]:
    """A live database shell in each of the two roles."""
    url = databases.app_url if request.param == "application" else databases.owner_url
    with psycopg.connect(url(committed_db), autocommit=True) as connection:
        yield connection


@pytest.fixture
def values(committed_db: str) -> dict[str, Any]:
    """A system whose row "stop" is Nils's, with everything that statements name."""
    people = Cast()
    system = a_system(people, owner=people.ada)
    version = set_letters("stop", {str(people.nils.pk): "A", "engineering": "R", "ciso": "C"}, system=system)
    top = RaciVersion.objects.get(system=None, unit=None)
    return {
        "system": system.pk, "version": version.pk, "top": top.pk, "unit": people.claims.pk,
        "ivan": people.ivan.pk, "robot": people.robot.pk, "nils": people.nils.pk, "ada": people.ada.pk,
    }  # fmt: skip


STATEMENTS: list[tuple[str, type[Exception], str]] = [
    # Exactly one A and at least one R, at the end of every transaction.
    (BEGIN + "VALUES ('stop', NULL, NULL, 'A', 'ciso', NULL, false, now(), %(top)s)", errors.UniqueViolation, ""),
    (BEGIN + "VALUES ('stop', NULL, %(system)s, 'A', 'ciso', NULL, false, now(), %(version)s)",
     errors.UniqueViolation, ""),
    (BEGIN + "VALUES ('drills', NULL, %(system)s, 'A', 'ciso', NULL, false, now(), %(version)s)",
     errors.IntegrityConstraintViolation, "1 A and 0 R"),
    (BEGIN + "VALUES ('drills', NULL, %(system)s, 'R', 'ciso', NULL, false, now(), %(version)s)",
     errors.IntegrityConstraintViolation, "0 A and 1 R"),
    (END + " AND letter = 'A'", errors.IntegrityConstraintViolation, "0 A and 1 R"),
    (END + " AND letter = 'R'", errors.IntegrityConstraintViolation, "1 A and 0 R"),
    # Never two with the A at one time, in the past either.
    (BEGIN.replace("version_id)", "version_id, valid_to, ended_by_id)")
     + "SELECT 'stop', NULL, %(system)s, 'A', 'ciso', NULL, false, valid_from - interval '1 day', %(version)s, "
     f"valid_from + interval '1 microsecond', %(version)s FROM registry_raciassignment WHERE {IN_FORCE} "
     "AND letter = 'A'", errors.ExclusionViolation, "raci_one_accountable_at_a_time"),
    # The last row of the organisation stays.
    ("UPDATE registry_raciassignment SET valid_to = now(), ended_by_id = %(top)s WHERE system_id IS NULL "
     "AND unit_id IS NULL AND domain_id = 'stop' AND valid_to IS NULL",
     errors.IntegrityConstraintViolation, "can't be empty"),
    ("INSERT INTO registry_governancedomain (key, name, layer, scope, position) "
     "VALUES ('new', 'New', 'Prove', 'system', 99)", errors.IntegrityConstraintViolation, "The row new"),
    # An active human.
    (BEGIN + "VALUES ('stop', NULL, %(system)s, 'I', NULL, %(ivan)s, false, now(), %(version)s)",
     errors.ForeignKeyViolation, "raci_person_active"),
    (BEGIN + "VALUES ('stop', NULL, %(system)s, 'I', NULL, %(robot)s, false, now(), %(version)s)",
     errors.ForeignKeyViolation, "raci_person_human"),
    ("UPDATE people_person SET is_active = false, deactivated_at = now() WHERE id = %(nils)s",
     errors.ForeignKeyViolation, "raci_person_active"),
    # No letter without a version, and none of another matrix (R21).
    (BEGIN + "VALUES ('stop', NULL, %(system)s, 'I', 'legal', NULL, false, now(), NULL)", errors.NotNullViolation, ""),
    (BEGIN + "VALUES ('stop', NULL, %(system)s, 'I', 'legal', NULL, false, now(), %(top)s)",
     errors.IntegrityConstraintViolation, "a version of its own matrix"),
    (f"UPDATE registry_raciassignment SET valid_to = now() WHERE {IN_FORCE}", errors.CheckViolation,
     "raci_ends_with_a_version"),
    ("UPDATE registry_raciversion SET note = 'x' WHERE id = %(version)s", errors.RestrictViolation, ""),
    ("DELETE FROM registry_raciversion WHERE id = %(version)s", errors.RestrictViolation, ""),
    # Letters only end.
    (f"UPDATE registry_raciassignment SET function_id = 'legal', person_id = NULL WHERE {IN_FORCE} AND letter = 'A'",
     errors.RestrictViolation, ""),
    (END.replace("SET ", "SET letter = 'I', "), errors.RestrictViolation, ""),
    (f"DELETE FROM registry_raciassignment WHERE {IN_FORCE}", errors.RestrictViolation, ""),
    # R05 and R07, at every scope.
    (BEGIN + "VALUES ('operate-monitor', NULL, %(system)s, 'A', 'ciso', NULL, false, now(), %(version)s)",
     errors.CheckViolation, "raci_owner_operates"),
    (BEGIN + "VALUES ('independent-review', %(unit)s, NULL, 'R', NULL, NULL, true, now(), %(version)s)",
     errors.IntegrityConstraintViolation, ""),
    # Parties and scopes.
    (BEGIN + "VALUES ('stop', NULL, %(system)s, 'I', 'legal', %(ada)s, false, now(), %(version)s)",
     errors.CheckViolation, "raci_one_party"),
]  # fmt: skip


def test_what_is_in_force_is_never_wrong(shell: psycopg.Connection[Any], values: dict[str, Any]) -> None:
    before = _letters(shell)
    for statement, error, words in STATEMENTS:
        with pytest.raises(error, match=words or None):
            shell.execute(statement, values)
        assert _letters(shell) == before, statement


def _letters(shell: psycopg.Connection[Any]) -> list[Any]:
    rows = shell.execute("SELECT * FROM registry_raciassignment ORDER BY id").fetchall()
    return [*rows, shell.execute("SELECT count(*) FROM registry_governancedomain").fetchone()]


def test_nothing_is_truncated(committed_db: str, as_owner: Callable[[str], Any]) -> None:
    with as_owner(committed_db) as shell:
        for table in ("registry_raciassignment", "registry_raciversion"):
            with pytest.raises(errors.RestrictViolation):
                shell.execute(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize(
    ("change", "state"), [("in_force", "draft"), ("declined", "sent"), ("discarded", "draft"), ("sent", "discarded")]
)
def test_a_draft_goes_its_way_only(
    shell: psycopg.Connection[Any], values: dict[str, Any], change: str, state: str
) -> None:
    people = Cast()
    draft = raci.open_draft(Scope(unit=people.claims), actor=people.una, now=NOW)
    first = "sent" if change == "declined" else "draft"
    if first != "draft":
        _to(shell, draft, first)
    _to(shell, draft, change)
    with pytest.raises(errors.RaiseException, match="Invalid transition"):
        _to(shell, draft, state if change != "sent" else "discarded")


def _to(shell: psycopg.Connection[Any], draft: RaciDraft, state: str) -> None:
    closed = "NULL" if state in {"draft", "sent"} else "now()"
    shell.execute(
        f"UPDATE registry_racidraft SET state = %s, sent_at = now(), closed_at = {closed} WHERE id = %s",
        [state, draft.pk],
    )


def test_one_draft_of_an_author_and_one_sent(shell: psycopg.Connection[Any], values: dict[str, Any]) -> None:
    people = Cast()
    mine = raci.open_draft(Scope(), actor=people.mara, now=NOW)
    again = (
        "INSERT INTO registry_racidraft (id, author_id, note, state, revision, created_at, updated_at, sent_at) "
        "VALUES (gen_random_uuid(), %s, '', %s, 0, now(), now(), now())"
    )
    with pytest.raises(errors.UniqueViolation, match="one_raci_draft_of_an_author"):
        shell.execute(again, [people.mara.pk, "draft"])
    _to(shell, mine, "sent")
    with pytest.raises(errors.UniqueViolation, match="one_raci_draft_sent"):
        shell.execute(again, [people.una.pk, "sent"])


def test_an_answer_is_given_once(shell: psycopg.Connection[Any], values: dict[str, Any]) -> None:
    asked = _asked(Cast())
    raci.decline_letters(asked, reason="No", actor=Cast().ben, now=LATER)
    with pytest.raises(errors.RaiseException, match="Invalid transition"):
        shell.execute("UPDATE registry_raciacceptance SET state = 'accepted' WHERE id = %s", [asked.pk])


def _asked(people: Cast) -> RaciAcceptance:
    """Ben is asked to accept the A of the drills of a new system of Ada's."""
    system = a_system(people, owner=people.ada)
    raci.apply_to_systems({"drills": {str(people.ben.pk): "A"}}, [system], actor=people.mara, now=NOW)
    return RaciAcceptance.objects.select_related("draft").latest("pk")


def at_once(*acts: Callable[[], Any]) -> list[str]:
    """Several acts in threads of their own; what came of each: "done" or the refusal."""
    barrier, outcome = threading.Barrier(len(acts)), [""] * len(acts)

    def run(number: int) -> None:
        try:
            barrier.wait(timeout=10)
            acts[number]()
            outcome[number] = "done"
        except (Refused, raci.LostUpdate) as error:
            outcome[number] = str(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return outcome


def _row(scope: Scope, author: Any, letters: str) -> RaciDraft:
    draft = raci.open_draft(scope, actor=author, now=NOW)
    return raci.set_cell(draft, "drills", "board", letters, revision=0, actor=author, now=NOW)


def test_two_senders(committed_db: str) -> None:
    people = Cast()
    scope = Scope(system=a_system(people, owner=people.ada))
    first, second = _row(scope, people.ada, "C"), _row(scope, people.mara, "R")
    outcome = at_once(
        lambda: raci.send_draft(first, actor=people.ada, now=LATER),
        lambda: raci.send_draft(second, actor=people.mara, now=LATER),
    )
    assert sorted(word == "done" for word in outcome) == [False, True]
    assert "changed this matrix since you started" in " ".join(outcome)
    assert history(scope).get().number == 1
    assert own_rows(scope)["drills"]["board"] == ("C" if outcome[0] == "done" else "R")


def test_two_windows_of_one_author(committed_db: str) -> None:
    people = Cast()
    scope = Scope(system=a_system(people, owner=people.ada))
    draft = raci.open_draft(scope, actor=people.ada, now=NOW)
    outcome = at_once(*(
        lambda letters=letters: raci.set_cell(draft, "drills", "board", letters, revision=0, actor=people.ada, now=NOW)
        for letters in ("C", "R")
    ))  # fmt: skip
    assert sorted(word == "done" for word in outcome) == [False, True]
    assert "Somebody changed this draft" in " ".join(outcome)


def test_two_acceptors(committed_db: str) -> None:
    """Two people accept the last two questions of one draft: it comes into force once."""
    people = Cast()
    system = a_system(people, owner=people.ada)
    cells: Any = {"drills": {str(people.ben.pk): "A"}, "stop": {str(people.nils.pk): "A"}}
    raci.apply_to_systems(cells, [system], actor=people.mara, now=NOW)
    asked = {one.person_id: one for one in RaciAcceptance.objects.select_related("draft")}
    outcome = at_once(
        lambda: raci.accept_letters(asked[people.ben.pk], actor=people.ben, now=LATER),
        lambda: raci.accept_letters(asked[people.nils.pk], actor=people.nils, now=LATER),
    )
    assert outcome == ["done", "done"]
    assert history(Scope(system=system)).get().number == 1
    assert own_rows(Scope(system=system))["stop"][str(people.nils.pk)] == "A"


def test_one_answers_twice_at_once(committed_db: str) -> None:
    people = Cast()
    asked = _asked(people)
    outcome = at_once(
        lambda: raci.accept_letters(asked, actor=people.ben, now=LATER),
        lambda: raci.decline_letters(asked, reason="No", actor=people.ben, now=LATER),
    )
    assert sorted(word == "done" for word in outcome) == [False, True]
    assert RaciAssignment.objects.filter(person=people.ben, letter="A").count() == (outcome[0] == "done")


def test_the_versions_of_the_first_start(committed_db: str) -> None:
    version = RaciVersion.objects.get()
    assert (version.number, version.unit, version.system) == (1, None, None)
    assert RaciAssignment.objects.exclude(version=version).count() == 0
    assert System.objects.count() == 0
