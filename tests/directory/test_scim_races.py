"""Two calls at the same moment, on a database in which transactions commit."""

from typing import Any

import pytest
from django.db import connection

from apps.directory import actions
from apps.directory.models import PeopleFile, ScimUser
from apps.people.actions import held
from apps.people.models import Person
from apps.registry import actions as registry
from apps.registry.actions.ownership import locked
from apps.registry.models import Nomination, System
from tests.cast import Cast
from tests.directory.provider import Provider, a_user
from tests.directory.test_hr_file import a_file, received
from tests.factories import NOW, a_system
from tests.hostile.races import at_once, while_open

pytestmark = pytest.mark.committed
OFF = {"op": "replace", "value": {"active": False}}


@pytest.fixture
def world(committed_db: str) -> Cast:
    return Cast()


def test_the_same_user_twice(world: Cast) -> None:
    provider = Provider()
    body = a_user("zoe@example.org")

    def act() -> int:
        return provider.call("POST", "/Users", body).status

    assert sorted(at_once(act, act)) == [201, 409]
    assert (ScimUser.objects.count(), Person.objects.filter(email="zoe@example.org").count()) == (1, 1)


def test_deactivated_while_nominated(world: Cast) -> None:
    """Whoever is first: nobody who left is asked, and the system has somebody active."""
    provider = Provider()
    system = a_system(world, owner=world.ada)
    other = a_system(world)
    path = f"/Users/{provider.add('ada@example.org')['id']}"
    results: list[Any] = at_once(
        lambda: provider.patch(path, OFF).status,
        lambda: registry.nominate_owner(other, world.ada, actor=world.mara, now=NOW),
    )
    assert results[0] == 200
    assert not Person.objects.get(pk=world.ada.pk).is_active
    assert not Nomination.objects.filter(nominee=world.ada, state="open").exists()
    assert not System.objects.filter(owner__is_active=False).exclude(stage="retired").exists()
    system.refresh_from_db()
    assert system.owner == world.ben


def test_deactivated_twice_and_brought_back_at_once(world: Cast) -> None:
    provider = Provider()
    path = f"/Users/{provider.add('dov@example.org')['id']}"
    on = {"op": "replace", "value": {"active": True}}
    results = at_once(*(lambda op=op: provider.patch(path, op).status for op in (OFF, OFF, on)))
    assert results == [200, 200, 200]
    shown = provider.get(path).body["active"]
    assert shown is Person.objects.get(pk=world.dov.pk).is_active


@pytest.mark.parametrize("row", ["ada@example.org,,,,,,,,left", "ada@example.org,,Chief,mara@example.org"])
def test_a_file_of_people_locks_systems_before_people(world: Cast, row: str) -> None:
    """Whoever has a system and needs its owner is not held up by a file that has the owner and needs the system."""
    system = a_system(world, owner=world.ada)
    file = received(world, a_file(row))
    leavers = file.report["leavers"] or None

    def hold() -> None:
        locked(system)

    def apply() -> PeopleFile:
        return actions.apply_people_file(file, actor=world.mara, now=NOW, leavers=leavers)

    def need(outcome: list[Any]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '2s'")
        outcome.append(held(world.ada))

    found: list[Any] = []
    _, applied = while_open(hold, apply, then=lambda: need(found))
    assert found == [world.ada]
    assert applied.state == "applied"


def test_a_leaver_and_their_deputy_at_once(world: Cast) -> None:
    provider = Provider()
    system = a_system(world, owner=world.ada)
    paths = [f"/Users/{provider.add(f'{name}@example.org')['id']}" for name in ("ada", "ben")]
    assert at_once(*(lambda path=path: provider.patch(path, OFF).status for path in paths)) == [200, 200]
    system.refresh_from_db()
    assert system.owner.is_active
    assert system.owner in (world.una, world.mara)
