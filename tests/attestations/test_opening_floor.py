"""The benchmark's floor writes the same rows as the opening; otherwise its ratio would mean nothing."""

from typing import Any

import pytest

from apps.attestations import actions
from apps.audit.rules import COMMAND
from benchmarks import opening
from tests.attestations import world
from tests.cast import Cast


@pytest.mark.committed
def test_the_floor_writes_the_same_rows(committed_db: str, as_owner: Any) -> None:
    Cast()
    world.many(60, 12)
    campaign, _ = actions.open_campaign(opening.PERIOD, actor=COMMAND, now=opening.NOW)
    with as_owner(committed_db) as owner:
        owner.autocommit = True
        opening.tables(owner)
        opening.floor(owner, campaign)
        counts = {name: owner.execute(f"SELECT count(*) FROM floor_{name}").fetchone() for name in opening.OF}
        assert counts == {"snapshot": (60,), "assignment": (60,), "message": (12,)}
        assert [opening.same(owner, name) for name in opening.OF] == [True, True, True]
        first = "(SELECT min(id) FROM floor_assignment)"
        owner.execute(f"UPDATE floor_assignment SET due_on = due_on + 1 WHERE id = {first}")
        assert not opening.same(owner, "assignment")
