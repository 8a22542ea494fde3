"""The benchmark's floor leaves the same cards as the verb; otherwise its ratio would mean nothing."""

from typing import Any

import pytest

from apps.audit.rules import COMMAND
from apps.people.actions import provision_person, seat_person
from benchmarks import cards
from tests.cast import Cast
from tests.factories import NOW, a_system


@pytest.mark.committed
def test_the_floor_leaves_the_same_cards(committed_db: str, as_owner: Any) -> None:
    cast = Cast()
    by: dict[str, Any] = {"actor": COMMAND, "now": NOW}
    first = provision_person(email=cards.FIRST, display_name="First", deputy=cast.nils, **by)
    second = provision_person(email=cards.SECOND, display_name="Second", deputy=cast.dov, **by)
    for n in range(6):
        a_system(cast, owner=cast.ada if n % 2 else None, unit=(cast.claims, cast.devtools)[n % 2])
    seat_person("ciso", second, **by)
    with as_owner(committed_db) as owner:
        by_verb = owner.execute(cards.KEPT).fetchall()
        assert {row[1] for row in by_verb} == {second.pk}
        assert len(by_verb) == 6
    seat_person("ciso", first, **by)
    with as_owner(committed_db) as owner:
        assert owner.execute(cards.KEPT).fetchall() != by_verb
        floor = cards.FLOOR.read_text(encoding="utf-8")
        assert owner.execute(floor, {"email": cards.SECOND}).rowcount == 6
        assert owner.execute(cards.KEPT).fetchall() == by_verb
