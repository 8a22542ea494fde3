"""How ready the organisation is to respond: what is not known says so; what happened and drills stay apart."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from apps.incidents.actions.drill_run import end_exercise
from apps.incidents.queries.response_readiness import as_json, response_readiness
from apps.incidents.rules.metrics import Share, Spread
from apps.notify.models import Channel
from tests.factories import a_system
from tests.incidents.learning_world import NOW, active
from tests.incidents.test_drills import AT, started
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db
LOOK = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
ANSWERABLE = """
SELECT count(*) FROM registry_system s WHERE s.stage = 'production' AND 3 = (
    SELECT count(*) FROM incidents_responsecard c WHERE c.system_id = s.id AND c.scenario <> '' AND NOT c.is_fallback
      AND c.deputy_id IS NOT NULL AND EXISTS (SELECT FROM notify_channel n WHERE n.person_id = c.lead_id
          AND n.removed_at IS NULL AND n.verified_at IS NOT NULL AND n.tested_at >= %s))
"""


def reached(person: Any, tested: datetime) -> None:
    """An e-mail address that the person confirmed a test of."""
    Channel.objects.create(
        person=person, kind="email", address=person.email, created_at=NOW, verified_at=NOW, tested_at=tested
    )


def test_nothing_is_not_known(cast: Any) -> None:
    found = response_readiness(LOOK)

    assert as_json(found) == {
        "answerable": None, "reachable": None, "drilled": None,
        "real": {"incidents": 0, "acknowledge": None, "accepted": None},
        "drill": {"incidents": 0, "acknowledge": None, "accepted": None},
    }  # fmt: skip


def test_answerable_needs_a_channel_that_was_tested(cast: Any) -> None:
    a_system(cast, owner=cast.ada)
    settle()
    assert response_readiness(LOOK).answerable == Share(0, 1)
    leads = [cast.cleo, cast.ada, cast.mara, cast.lea]
    for person in leads:
        reached(person, LOOK - timedelta(days=91))
    assert response_readiness(LOOK).reachable.n == 0
    Channel.objects.update(tested_at=LOOK - timedelta(days=89))
    found = response_readiness(LOOK)
    with connection.cursor() as cursor:
        cursor.execute(ANSWERABLE, [LOOK - timedelta(days=90)])
        assert found.answerable == Share(cursor.fetchone()[0], 1)
    assert found.reachable.n == found.reachable.of > 0


def test_both_series_stay_apart(cast: Any) -> None:
    active(cast)
    exercise = started(cast)
    end_exercise(exercise, actor=cast.mara, now=AT + timedelta(hours=1))

    found = response_readiness(LOOK)

    assert found.drilled == Share(2, 9)
    assert found.real.span("accepted") == Spread(1, 120.0, 120.0)
    assert found.drill.span("accepted") == Spread()
    assert (found.real.incidents, found.drill.incidents) == (1, 2)


def test_the_board_shows_both(cast: Any, browse: Any) -> None:
    page = browse(cast.bo).get("/readiness/").content.decode()
    assert "Not known: no incident yet" in page
    assert "Not known: no drill yet" in page
    active(cast)
    page = browse(cast.bo).get("/readiness/").content.decode()
    assert "2 min" in page
    assert "Not known: no drill yet" in page
