"""Absences: who may say what about which days, and what follows."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ValidationError
from psycopg import errors

from apps.audit.models import AuditEvent
from apps.common.errors import Refused
from apps.notify.models import Message
from apps.people.models import Absence, Person
from apps.registry import actions as registry
from apps.registry.actions.absences import follow_calendar
from apps.registry.queries import visible_systems
from tests import databases
from tests.cast import Cast
from tests.factories import NOW, a_system

TODAY = NOW.date()
DAY = timedelta(days=1)


def record(cast: Cast, **fields: Any) -> Absence:
    """Ada is away from today for five days."""
    wanted = {"starts_on": TODAY, "ends_on": TODAY + 5 * DAY, "actor": cast.ada, "now": NOW} | fields
    return registry.record_absence(cast.ada, **wanted)


def left() -> tuple[int, int, int]:
    """What a refusal must not add to."""
    return Absence.objects.count(), Message.objects.count(), AuditEvent.objects.count()


def test_an_absence_is_kept_with_its_event(cast: Cast) -> None:
    absence = record(cast, delegate=cast.nils)
    assert (absence.kind, absence.in_force, absence.source) == ("away", True, "person")
    event = AuditEvent.objects.get(kind="absence.recorded")
    assert event.subject_id == str(cast.ada.pk)
    message = Message.objects.get(key=f"absence:{absence.pk}:named")
    assert message.recipient == cast.nils
    assert message.subject == "You act for Ada Nwosu from 16 Nov 2026 to 21 Nov 2026"
    assert not Message.objects.filter(key=f"absence:{absence.pk}:recorded").exists()


def test_somebody_else_s_entry_is_told_to_the_person(cast: Cast) -> None:
    absence = record(cast, actor=cast.una)
    assert Message.objects.get(key=f"absence:{absence.pk}:recorded").recipient == cast.ada


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"starts_on": TODAY - 3 * DAY, "ends_on": TODAY - DAY}, "These days are over: 15 Nov 2026"),
        ({"ends_on": TODAY + 1101 * DAY}, "An absence lasts 1100 days at most"),
        ({"delegate": "ivan"}, "Ivan Kolar can't stand in"),
        ({"delegate": "robot"}, "Deployment robot can't stand in"),
    ],
)
def test_refused(cast: Cast, fields: dict[str, Any], said: str) -> None:
    if name := fields.get("delegate"):
        fields = {**fields, "delegate": getattr(cast, name)}
    before = left()
    with pytest.raises(Refused, match=said):
        record(cast, **fields)
    assert left() == before


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"starts_on": TODAY + DAY, "ends_on": TODAY}, "The last day is not before the first."),
        ({"delegate": "ada"}, "Nobody stands in for themselves. Choose another person."),
    ],
)
def test_not_valid(cast: Cast, fields: dict[str, Any], said: str) -> None:
    if name := fields.get("delegate"):
        fields = {**fields, "delegate": getattr(cast, name)}
    before = left()
    with pytest.raises(ValidationError) as caught:
        record(cast, **fields)
    assert caught.value.messages == [said]
    assert left() == before


def test_a_delegate_who_leaves_before_the_end(cast: Cast) -> None:
    Person.objects.filter(pk=cast.nils.pk).update(leaving_on=TODAY + DAY)
    before = left()
    with pytest.raises(Refused, match="Nils Okafor leaves on 17 Nov 2026, before these days end"):
        record(cast, delegate=cast.nils)
    assert left() == before


def test_no_day_twice(cast: Cast) -> None:
    record(cast)
    before = left()
    with pytest.raises(ValidationError) as caught:
        record(cast, starts_on=TODAY + 5 * DAY, ends_on=TODAY + 9 * DAY)
    assert caught.value.messages == ["There is an absence on some of these days already."]
    assert left() == before


def test_a_deactivated_person_and_a_program_are_not_away(cast: Cast) -> None:
    for person in (cast.ivan, cast.robot):
        with pytest.raises(Refused, match="is not an active person"):
            registry.record_absence(person, starts_on=TODAY, ends_on=TODAY, actor=cast.mara, now=NOW)
    assert not Absence.objects.exists()


def test_a_change_is_a_new_row(cast: Cast) -> None:
    old = record(cast, delegate=cast.nils)
    new = registry.change_absence(
        old, starts_on=TODAY, ends_on=TODAY + DAY, delegate=cast.dov, actor=cast.ada, now=NOW + DAY
    )
    old.refresh_from_db()
    assert (old.cancelled_at, old.in_force, old.ends_on) == (NOW + DAY, False, TODAY + 5 * DAY)
    assert (new.ends_on, new.delegate, new.in_force) == (TODAY + DAY, cast.dov, True)
    assert Message.objects.get(key=f"absence:{old.pk}:ended").recipient == cast.nils
    assert AuditEvent.objects.filter(kind="absence.changed").count() == 1


def test_cancelling_once(cast: Cast) -> None:
    absence = record(cast)
    registry.cancel_absence(absence, actor=cast.ada, now=NOW)
    before = left()
    with pytest.raises(Refused, match="cancelled already"):
        registry.cancel_absence(absence, actor=cast.ada, now=NOW)
    assert left() == before
    record(cast)  # the days are free again


def test_what_is_over_is_not_changed(cast: Cast) -> None:
    absence = record(cast)
    before = left()
    with pytest.raises(Refused, match="ended on 21 Nov 2026"):
        registry.cancel_absence(absence, actor=cast.ada, now=NOW + 9 * DAY)
    assert left() == before


def test_who_stands_in_sees_the_systems_while_it_lasts(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada, unit=cast.devtools)

    def seers() -> set[str]:
        people = (cast.ada, cast.ben, cast.nils, cast.una, cast.dov)
        return {person.display_name for person in people if system in visible_systems(person)}

    usual = {"Ada Nwosu", "Ben Ortega"}
    assert seers() == usual
    absence = record(cast, starts_on=TODAY + 2 * DAY, delegate=cast.nils)
    assert seers() == usual
    assert follow_calendar(now=NOW + 2 * DAY) == 1
    assert seers() == usual | {"Nils Okafor", "Una Brandt"}
    assert follow_calendar(now=NOW + 2 * DAY) == 0
    assert follow_calendar(now=NOW + 6 * DAY) == 1
    assert seers() == usual
    follow_calendar(now=NOW + 3 * DAY)
    assert seers() == usual | {"Nils Okafor", "Una Brandt"}
    registry.cancel_absence(absence, actor=cast.ada, now=NOW + 3 * DAY)
    assert seers() == usual


def test_a_new_head_sees_the_systems_of_who_is_away(cast: Cast) -> None:
    away = a_system(cast, owner=cast.ada, unit=cast.claims)
    here = a_system(cast, owner=cast.nils, unit=cast.claims)
    record(cast)
    assert [away in visible_systems(cast.una), here in visible_systems(cast.una)] == [True, False]
    Person.objects.filter(pk=cast.ada.pk).update(line_manager=None)
    registry.change_unit(cast.claims, head=cast.dov, actor=cast.mara, now=NOW)
    assert [away in visible_systems(cast.dov), here in visible_systems(cast.dov)] == [True, False]
    assert away not in visible_systems(cast.una)
    registry.change_unit(cast.claims, head=None, actor=cast.mara, now=NOW)
    assert away not in visible_systems(cast.dov)


def test_the_head_of_a_new_unit_sees_the_system_of_who_is_away(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada, unit=cast.claims)
    registry.change_unit(cast.devtools, head=cast.dov, actor=cast.mara, now=NOW)
    record(cast)
    assert system not in visible_systems(cast.dov)
    registry.change_system(system, unit=cast.devtools, actor=cast.mara, now=NOW)
    assert system in visible_systems(cast.dov)
    registry.change_system(system, unit=cast.claims, actor=cast.mara, now=NOW)
    assert system not in visible_systems(cast.dov)


def test_a_new_owner_who_is_away_is_stood_in_for_too(cast: Cast) -> None:
    record(cast, delegate=cast.nils)
    system = a_system(cast, owner=cast.ada, unit=cast.devtools)
    assert system in visible_systems(cast.nils)


class TestDatabase:
    """The rules hold for raw SQL, as the application's role and as the owner of the tables."""

    pytestmark = pytest.mark.committed

    @pytest.fixture(params=["application", "owner"])
    def shell(self, committed_db: str, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection[Any]]:
        """A live database shell in each of the two roles."""
        url = databases.app_url if request.param == "application" else databases.owner_url
        with psycopg.connect(url(committed_db), autocommit=True) as connection:
            yield connection

    INSERT = (
        "INSERT INTO people_absence (person_id, kind, starts_on, ends_on, delegate_id, source, uid, created_at, "
        "in_force, cancelled_at) VALUES (%s, %s, %s, %s, %s, 'calendar', %s, now(), %s, %s)"
    )

    def add(self, shell: psycopg.Connection[Any], person: Person, **fields: Any) -> None:
        row = {
            "kind": "away", "starts": "2026-12-01", "ends": "2026-12-05", "delegate": None, "uid": "", "on": False,
            "cancelled": None,
        } | fields  # fmt: skip
        shell.execute(self.INSERT, (person.pk, *row.values()))

    @pytest.mark.parametrize(
        ("fields", "by"),
        [
            ({"ends": "2026-11-30"}, (errors.CheckViolation, errors.DataException)),
            ({"ends": "2036-11-30"}, errors.CheckViolation),
            ({"kind": "asleep"}, errors.CheckViolation),
            ({"kind": "delegated"}, errors.CheckViolation),
            ({"delegate": "ada"}, errors.CheckViolation),
            ({"delegate": "robot"}, errors.ForeignKeyViolation),
            ({"on": True, "cancelled": "2026-11-01"}, errors.CheckViolation),
        ],
    )
    def test_no_nonsense(self, shell: psycopg.Connection[Any], fields: dict[str, Any], by: Any) -> None:
        cast = Cast()
        if name := fields.get("delegate"):
            fields = {**fields, "delegate": getattr(cast, name).pk}
        with pytest.raises(by):
            self.add(shell, cast.ada, **fields)
        assert not Absence.objects.exists()

    def test_no_program_is_away(self, shell: psycopg.Connection[Any]) -> None:
        with pytest.raises(errors.ForeignKeyViolation):
            self.add(shell, Cast().robot)

    def test_no_day_and_no_entry_twice(self, shell: psycopg.Connection[Any]) -> None:
        ada = Cast().ada
        self.add(shell, ada, uid="a")
        with pytest.raises(errors.ExclusionViolation):
            self.add(shell, ada, starts="2026-12-05", ends="2026-12-06")
        with pytest.raises(errors.UniqueViolation):
            self.add(shell, ada, uid="a", starts="2027-12-05", ends="2027-12-06")
        self.add(shell, ada, starts="2026-12-06", ends="2026-12-06")

    def test_history_is_not_changed(self, shell: psycopg.Connection[Any]) -> None:
        ada = Cast().ada
        self.add(shell, ada)
        for statement in (
            "UPDATE people_absence SET ends_on = ends_on + 1",
            "UPDATE people_absence SET delegate_id = (SELECT id FROM people_person WHERE email = 'ben@example.org')",
            "DELETE FROM people_absence",
        ):
            with pytest.raises((errors.RestrictViolation, errors.InsufficientPrivilege)):
                shell.execute(statement)
        with pytest.raises((errors.RestrictViolation, errors.InsufficientPrivilege)):
            shell.execute("TRUNCATE people_absence")
        shell.execute("UPDATE people_absence SET cancelled_at = now()")
        with pytest.raises(errors.RestrictViolation):
            shell.execute("UPDATE people_absence SET cancelled_at = NULL")
        assert Absence.objects.get().cancelled_at is not None
