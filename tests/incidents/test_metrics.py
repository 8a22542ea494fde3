"""The numbers about incidents, held against statements that were written apart from them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.incidents.actions.declare import declare
from apps.incidents.actions.drill_run import end_exercise, mark_time
from apps.incidents.actions.first_view import note_first_view
from apps.incidents.actions.improvements import Improvement, add_action
from apps.incidents.actions.leads import answer_handover, ask_handover, relieve_lead, take_lead
from apps.incidents.actions.reviews import complete_review, save_review
from apps.incidents.models import CardView, Incident
from apps.incidents.queries.learning_findings import learning_breaches
from apps.incidents.queries.metrics import as_json, metrics
from apps.incidents.rules.metrics import Share, Spread, period_start, span_words
from tests.factories import a_system
from tests.incidents.learning_world import LATER, NOW, active, called, resolved, signing
from tests.incidents.test_drills import AT, started

pytestmark = pytest.mark.django_db
LOOK = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3540, "59 min"), (3599, "1 h 00 min"), (255_900, "71 h 05 min")],
)
def test_spans_in_words(seconds: float, words: str) -> None:
    assert span_words(seconds) == words


def test_periods() -> None:
    assert period_start("90", date(2026, 12, 1)) == date(2026, 9, 2)
    assert period_start("365", date(2026, 12, 1)) == date(2025, 12, 1)
    assert period_start("all", date(2026, 12, 1)) is None


def test_nothing_is_unknown_and_never_nought(cast: Any) -> None:
    found = metrics(now=LOOK)

    assert found.real.span("acknowledge") == Spread(0, None, None)
    assert found.real.wrong_lead.percent is None
    assert not found.reviews_on_time.known
    told = as_json(found)
    assert told["real"]["seconds"]["resolve"] == {"n": 0, "median": None, "p90": None}
    assert told["real"]["handovers"] is None
    assert told["drill_coverage"] is None


def a_year(cast: Any) -> None:
    """Five that happened, one of them not answered; two rehearsed; a test that nothing counts."""
    system = a_system(cast, owner=cast.ada)
    for hours, seconds in ((0, 30), (5, 90), (10, 240), (30, 600)):
        looked(cast, resolved(cast, now=NOW + timedelta(hours=hours), answered=timedelta(seconds=seconds)), hours)
    incident = declare(title="Unanswered", system=system, actor=cast.dov, now=NOW + timedelta(hours=60))
    looked(cast, incident, 60)
    active(cast, mode="test", answered=timedelta(seconds=1))
    exercise = started(cast)
    for incident in exercise.incidents.order_by("pk"):
        called(incident)
        take_lead(incident, cast.cleo, actor=cast.cleo, now=AT + timedelta(minutes=2))
    mark_time(exercise, "decision", actor=cast.mara, now=AT + timedelta(minutes=20))
    exercise.refresh_from_db()
    end_exercise(exercise, actor=cast.mara, now=AT + timedelta(hours=1))


def looked(cast: Any, incident: Incident, hours: int) -> None:
    note_first_view(incident, cast.ada, incident.declared_at + timedelta(seconds=5 + hours))
    note_first_view(incident, cast.dov, incident.declared_at + timedelta(hours=9))


FLOOR = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY s), percentile_cont(0.9) WITHIN GROUP (ORDER BY s), count(*)
FROM (SELECT extract(epoch FROM e.first_ack_at) - extract(epoch FROM e.first_page_at) AS s
      FROM incidents_escalation e WHERE e.incident_id IN (SELECT id FROM incidents_incident WHERE mode = %s)
      AND e.first_ack_at IS NOT NULL) AS answered
"""


def test_the_times(cast: Any) -> None:
    a_year(cast)

    found = metrics(now=LOOK)

    assert CardView.objects.count() == 5
    assert (found.real.incidents, found.drill.incidents) == (5, 2)
    # 30, 90, 240, 600: between 90 and 240; 70 % of the way from 240 to 600.
    assert found.real.span("acknowledge") == Spread(4, 165.0, 492.0)
    assert found.drill.span("acknowledge") == Spread(2, 120.0, 120.0)
    assert found.real.span("owner_answer").median == 15.0
    assert found.real.span("accepted") == Spread(4, 165.0, 492.0)
    assert found.real.span("contain") == Spread(4, 3600.0, 3600.0)
    assert found.real.span("resolve") == Spread(4, 7200.0, 7200.0)
    assert found.drill.span("decision") == Spread(1, 1200.0, 1200.0)
    assert found.drill.span("draft") == Spread()
    for mode, series in (("real", found.real), ("drill", found.drill)):
        with connection.cursor() as cursor:
            cursor.execute(FLOOR, [mode])
            median, p90, n = cursor.fetchone()
        assert series.span("acknowledge") == Spread(n, round(float(median), 3), round(float(p90), 3))


def test_a_fixed_number_of_statements(cast: Any) -> None:
    with CaptureQueriesContext(
        connection,
    ) as few:
        metrics(now=LOOK)
    a_year(cast)
    with CaptureQueriesContext(connection) as many:
        metrics(now=LOOK)
    assert len(few) == len(many) == 4


def test_leads_that_change(cast: Any) -> None:
    first = active(cast)  # ada was asked and took it
    relieve_lead(first, cast.ben, reason="On a plane", actor=cast.mara, now=NOW + timedelta(minutes=59))
    second = active(cast)
    handover = ask_handover(second, cast.ben, briefing="Paused", actor=cast.ada, now=NOW + timedelta(minutes=55))
    answer_handover(handover, takes=True, actor=cast.ben, now=NOW + timedelta(minutes=61))
    active(cast, now=LOOK - timedelta(minutes=30))  # too young to tell

    found = metrics(now=LOOK).real

    assert found.handovers == 1
    assert found.wrong_lead == Share(1, 2)
    assert (found.wrong_lead.percent, found.incidents) == (50, 3)


def test_what_is_repeated(cast: Any) -> None:
    system = a_system(cast, owner=cast.ada)
    active(cast, system=system, now=NOW - timedelta(days=91), scenario="data-access")
    active(cast, system=system, now=NOW, scenario="data-access")
    active(cast, system=system, now=NOW + timedelta(days=1), scenario="cost-spike")
    active(cast, system=system, now=NOW + timedelta(days=2), scenario="data-access")

    assert metrics(now=LOOK).real.repeat == Share(1, 4)
    assert metrics(now=LOOK, period="90").real.repeat == Share(1, 3)


def test_reviews_and_actions(cast: Any) -> None:
    on_time, late, open_ = (resolved(cast) for _ in range(3))
    for incident, at in ((on_time, LATER), (late, LATER + timedelta(days=10))):
        review = save_review(
            incident.review, actor=cast.una, now=at, timeline_ok=True, summary="Letters", causes="Too wide"
        )
        complete_review(review, signing=signing(cast.una, at), actor=cast.una, now=at)
    for day in (date(2026, 11, 25), date(2026, 12, 20)):
        add_action(open_, Improvement("fix", "Narrow it", cast.ben, day), actor=cast.una, now=LATER)

    found = metrics(now=LOOK)

    assert found.reviews_on_time == Share(1, 3)
    assert found.real.actions_overdue == Share(1, 2)
    assert found.drill.actions_overdue == Share(0, 0)
    late_now = [one for one in learning_breaches(LOOK) if one.check == "review-overdue"]
    assert [one.title for one in late_now] == [f"The review of {open_.code} was due on 27 Nov 2026."]


COVERED = """
SELECT count(*) FROM registry_system s CROSS JOIN (VALUES ('data-access'), ('harmful-decision'), ('cost-spike')) c(n)
WHERE s.stage = 'production' AND EXISTS (SELECT FROM incidents_exercise e
    JOIN incidents_exercise_systems x ON x.exercise_id = e.id
    WHERE x.system_id = s.id AND e.scenario = c.n AND e.ended_at IS NOT NULL)
"""


def test_drill_coverage(cast: Any) -> None:
    a_system(cast, owner=cast.ada)
    exercise = started(cast)
    assert metrics(now=LOOK).coverage == Share(0, 9)
    end_exercise(exercise, actor=cast.mara, now=AT + timedelta(hours=1))
    with connection.cursor() as cursor:
        cursor.execute(COVERED)
        covered = cursor.fetchone()[0]
    assert metrics(now=LOOK).coverage == Share(covered, 9) == Share(2, 9)
    assert metrics(now=LOOK + timedelta(days=400)).coverage == Share(0, 9)


def test_grave_systems_without_drills_are_one_finding_a_head(cast: Any) -> None:
    for _ in range(3):
        a_system(cast, owner=cast.ada, tier="critical")
    a_system(cast, owner=cast.ada, tier="low", unit=cast.devtools, regulatory_class="high_risk")
    a_system(cast, owner=cast.ada, tier="low")

    found = {(one.check, one.person_id): one.title for one in learning_breaches(LOOK)}

    assert found == {
        ("drill-no-tabletop", cast.una.pk): "3 high-risk or critical systems in the units that Una Brandt answers for "
        "had no tabletop within 12 months.",
        ("drill-no-stop-test", cast.una.pk): "3 high-risk or critical systems in the units that Una Brandt answers "
        "for had no live test of the stop within 12 months.",
        ("drill-no-tabletop", cast.mara.pk): "1 high-risk or critical system in the units that Mara Lindt answers for "
        "had no tabletop within 12 months.",
        ("drill-no-stop-test", cast.mara.pk): "1 high-risk or critical system in the units that Mara Lindt answers "
        "for had no live test of the stop within 12 months.",
    }


@pytest.mark.parametrize(
    ("n", "of", "words"),
    [(0, 0, ""), (0, 9888, "0%"), (1, 9888, "under 1%"), (98, 9888, "under 1%"), (99, 9888, "1%"), (7, 7, "100%")],
)
def test_one_of_many_is_not_none(n: int, of: int, words: str) -> None:
    assert Share(n, of).words == words
