"""The bare SQL beside the benchmark says what the progress page says."""

from datetime import date, timedelta
from typing import Any

from django.db import connection

from apps.attestations import actions
from apps.audit.rules import COMMAND
from benchmarks.campaigns import FLOOR, same
from tests.attestations.signed import accept, answer, assignment_of, sign
from tests.attestations.world import NOW, PERIOD, register


def test_the_floor_gives_the_same_rows(cast: Any) -> None:
    for key, tier in (("one", "critical"), ("two", "high"), ("three", "low")):
        register(cast, key, owner=cast.ada, tier=tier)
    register(cast, "four", unit=cast.devtools)
    campaign = actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)[0]
    sign(assignment_of(campaign, "one"), cast.ada, NOW + timedelta(days=9))
    accept(assignment_of(campaign, "one"), cast.cleo, NOW + timedelta(days=9))
    answer(assignment_of(campaign, "two"), cast.ada, NOW)
    for today in (date(2026, 11, 12), date(2026, 11, 25)):
        with connection.cursor() as cursor:
            cursor.execute(FLOOR.read_text(), {"campaign": campaign.pk, "today": today})
            rows = cursor.fetchall()
        assert len(rows) == 4
        assert same(campaign, today, rows)
