"""Drills: the same resolver and plan, marked, without clocks; a report that is signed; gaps where it failed."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.directory.actions import offboard
from apps.findings.models import Finding
from apps.incidents.actions.drill_facilitator import replace_facilitator
from apps.incidents.actions.drill_run import (
    answer_inject,
    close_exercise,
    draft_report,
    end_exercise,
    give_inject,
    mark_time,
    observe,
    record_stop_test,
    sign_report,
)
from apps.incidents.actions.drills import (
    Plan,
    add_inject,
    cancel_exercise,
    change_exercise,
    make_ready,
    plan_exercise,
    start_due_drills,
    start_exercise,
)
from apps.incidents.actions.improvements import Improvement, add_action
from apps.incidents.actions.leads import ask_handover, decline_lead, relieve_lead, take_lead
from apps.incidents.actions.states import classify, resolve
from apps.incidents.models import Escalation, Exercise, Incident, IncidentClock, LeadTerm, ResponseProfile, Review
from apps.incidents.rules import CLOCK_OVER, ClockState
from apps.incidents.rules.drills import not_ready, report_lacks
from apps.notify.models import Message
from tests.factories import a_system
from tests.incidents.learning_world import LATER, NOW, active, contained, signing
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db
AT = NOW + timedelta(days=2)


def a_plan(cast: Any, **more: Any) -> Plan:
    values: dict[str, Any] = {
        "type": "tabletop", "title": "An agent reads letters", "scenario": "data-access",
        "objectives": ("The lead is known within a minute", "It is stopped within ten"),
        "facilitator": cast.mara, "planned_at": AT, "announced": True,
    } | more  # fmt: skip
    if "systems" not in values:
        values["systems"] = (a_system(cast, owner=cast.ada), a_system(cast, owner=cast.ada))
    settle()
    return Plan(**values)


def planned(cast: Any, **more: Any) -> Exercise:
    exercise = plan_exercise(a_plan(cast, **more), actor=cast.mara, now=NOW)
    if exercise.type == "tabletop":
        add_inject(
            exercise, offset_minutes=5, text="A customer calls", expected_action="Asks what was read",
            actor=cast.mara, now=NOW,
        )  # fmt: skip
        exercise.refresh_from_db()
    return exercise


def started(cast: Any, **more: Any) -> Exercise:
    exercise = make_ready(planned(cast, **more), actor=cast.mara, now=NOW)
    start_exercise(exercise, actor=exercise.facilitator, now=AT)
    exercise.refresh_from_db()
    return exercise


def drafted(cast: Any, outcome: str = "passed", rating: str = "P", **more: Any) -> Exercise:
    exercise = end_exercise(started(cast, **more), actor=cast.mara, now=AT + timedelta(hours=1))
    later = AT + timedelta(hours=2)
    for number in (1, 2):
        observe(exercise, objective=number, rating=rating, kind="strength", text="Seen", actor=cast.mara, now=later)
    return draft_report(
        exercise, outcome=outcome, summary="Ada knew at once.", strengths="Fast", weaknesses="", actor=cast.mara,
        now=later,
    )  # fmt: skip


def signed(cast: Any, outcome: str = "passed", **more: Any) -> Exercise:
    exercise = drafted(cast, outcome, **more)
    return sign_report(exercise, signing=signing(cast.mara, AT), actor=cast.mara, now=AT)


def test_what_is_missing_before_it_is_ready() -> None:
    assert not_ready(type="tabletop", announced=True, objectives=[], systems=0, injects=0) == [
        "Say what it is to show: one objective at least.",
        "Choose the systems.",
        "A tabletop needs something that the facilitator tells: one inject at least.",
    ]
    assert not_ready(type="call_tree", announced=True, objectives=["x"], systems=26, injects=0) == [
        "Choose 25 systems at most."
    ]
    assert not_ready(type="blind_page", announced=False, objectives=["x"], systems=1, injects=0) == []


def test_what_a_report_lacks() -> None:
    assert report_lacks(outcome="", summary=" ", objectives=2, rated={1: "P"}) == [
        "Say whether the drill passed or failed.",
        "Sum up what happened.",
        "Rate objective 2.",
    ]
    assert report_lacks(outcome="passed", summary="x", objectives=2, rated={1: "P", 2: "U"}) == [
        "Objective 2 could not be performed, so that the drill did not pass."
    ]
    assert report_lacks(outcome="failed", summary="x", objectives=2, rated={1: "P", 2: "U"}) == []


def test_ready_tells_those_concerned(cast: Any) -> None:
    exercise = planned(cast)
    assert not Message.objects.filter(path=exercise.path).exists()

    exercise = make_ready(exercise, actor=cast.mara, now=NOW)

    assert exercise.state == "ready"
    told = Message.objects.filter(path=exercise.path)
    assert set(told.values_list("recipient__email", flat=True)) == {cast.ada.email, cast.cleo.email}
    assert all(one.subject.startswith("DRILL: ") for one in told)


def test_a_surprise_is_told_to_nobody(cast: Any) -> None:
    exercise = make_ready(planned(cast, type="blind_page"), actor=cast.mara, now=NOW)

    assert not exercise.announced
    assert not Message.objects.filter(path=exercise.path).exists()
    events = AuditEvent.objects.filter(subject_id=exercise.code)
    assert events.count() == 2
    for event in events:
        assert exercise.title not in str(vars(event))
        assert "systems" not in str(event.body)


def test_who_leads_does_not_facilitate(cast: Any) -> None:
    exercise = planned(cast, facilitator=cast.cleo)
    with pytest.raises(Refused, match="Who facilitates does not lead"):
        make_ready(exercise, actor=cast.cleo, now=NOW)
    exercise.refresh_from_db()
    assert exercise.state == "planned"


def test_starting_declares_by_the_same_resolver(cast: Any) -> None:
    exercise = started(cast)

    incidents = list(exercise.incidents.order_by("system"))
    assert [one.mode for one in incidents] == ["drill", "drill"]
    assert {one.lead for one in incidents} == {cast.cleo}
    assert [one.prefix for one in incidents] == ["DRILL: ", "DRILL: "]
    assert Escalation.objects.filter(incident__in=incidents).count() == 2
    started_event = AuditEvent.objects.get(kind="exercise.started")
    caused = AuditEvent.objects.filter(kind="incident.declared")
    assert {event.cause for event in caused} == {started_event.pk}


def test_no_clock_runs_in_a_drill(cast: Any) -> None:
    exercise = started(cast)
    over = [state.value for state in CLOCK_OVER]
    running = IncidentClock.objects.filter(incident__exercise=exercise)
    assert not running.filter(state__in=[ClockState.RUNNING, ClockState.MISSED, *over]).exists()


def test_it_waits_for_what_is_real(cast: Any) -> None:
    exercise = make_ready(planned(cast), actor=cast.mara, now=NOW)
    active(cast, system=exercise.systems.first())
    with pytest.raises(Refused, match="A live incident goes on"):
        start_exercise(exercise, actor=cast.mara, now=AT)
    assert not Incident.objects.filter(mode="drill").exists()


def test_the_facilitator_does_not_take_it(cast: Any) -> None:
    incident = started(cast).incidents.first()
    assert incident is not None
    with pytest.raises(Refused, match="Who facilitates a drill does not lead"):
        take_lead(incident, cast.mara, actor=cast.mara, now=AT)
    raised = pytest.raises(DatabaseError, match="facilitates a drill")
    with raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE incidents_leadterm SET person_id = %s, accepted_at = now() WHERE incident_id = %s",
            [cast.mara.pk, incident.pk],
        )


def test_who_facilitates_is_not_put_in_the_lead_by_anybody(cast: Any) -> None:
    incident = started(cast, facilitator=cast.ada).incidents.first()
    assert incident is not None
    words = "Who facilitates a drill does not lead its response."
    with pytest.raises(Refused, match=words):
        relieve_lead(incident, cast.ada, reason="x", actor=cast.mara, now=AT)
    take_lead(incident, cast.cleo, actor=cast.cleo, now=AT)
    with pytest.raises(Refused, match=words):
        ask_handover(incident, cast.ada, briefing="x", actor=cast.cleo, now=AT)
    assert LeadTerm.objects.filter(incident=incident).count() == 1


@pytest.mark.parametrize("how", ["declines", "leaves"])
def test_the_next_in_line_is_nobody_who_facilitates(cast: Any, how: str) -> None:
    incident = started(cast, facilitator=cast.una).incidents.first()
    assert incident is not None
    if how == "declines":
        decline_lead(incident, reason="I am away", actor=cast.cleo, now=AT)
    else:
        offboard(cast.cleo, actor=cast.mara, now=AT)
    incident.refresh_from_db()
    assert incident.lead == cast.ada


def test_the_schedule_starts_it(cast: Any) -> None:
    exercise = make_ready(planned(cast, type="blind_page"), actor=cast.mara, now=NOW)
    assert start_due_drills(now=AT - timedelta(minutes=1)) == 0
    assert start_due_drills(now=AT + timedelta(minutes=1)) == 1
    assert start_due_drills(now=AT + timedelta(minutes=2)) == 0
    exercise.refresh_from_db()
    assert (exercise.state, exercise.incidents.count()) == ("running", 2)


def test_what_could_not_start_is_planned_anew(cast: Any) -> None:
    exercise = make_ready(planned(cast), actor=cast.mara, now=NOW)
    assert start_due_drills(now=AT + timedelta(hours=3)) == 0
    exercise.refresh_from_db()
    assert (exercise.state, exercise.incidents.count()) == ("planned", 0)
    told = Message.objects.get(recipient=cast.mara, subject=f"DRILL: {exercise.code} did not start")
    assert "more than two hours ago" in told.body


def test_injects_are_timed(cast: Any) -> None:
    exercise = started(cast)
    inject = exercise.injects.get()
    with pytest.raises(Refused, match="not told yet"):
        answer_inject(inject, answer="Stop it", actor=cast.cleo, now=AT)
    with pytest.raises(NotAllowed):
        give_inject(inject, actor=cast.cleo, now=AT)
    give_inject(inject, actor=cast.mara, now=AT)
    assert Message.objects.filter(key=f"inject:{inject.pk}:{cast.cleo.pk}").get().subject.startswith("DRILL: ")
    with pytest.raises(NotAllowed):
        answer_inject(inject, answer="Me too", actor=cast.nils, now=AT)
    inject = answer_inject(inject, answer="Stop it", actor=cast.cleo, now=AT + timedelta(minutes=3))
    assert (inject.given_at, inject.answered_at) == (AT, AT + timedelta(minutes=3))
    with pytest.raises(Refused):
        answer_inject(inject, answer="Again", actor=cast.cleo, now=AT)


def test_the_two_times(cast: Any) -> None:
    exercise = mark_time(started(cast), "decision", actor=cast.cleo, now=AT + timedelta(minutes=20))
    exercise = mark_time(exercise, "draft", actor=cast.cleo, now=AT + timedelta(minutes=50))
    assert (exercise.decision_at, exercise.draft_at) == (AT + timedelta(minutes=20), AT + timedelta(minutes=50))
    with pytest.raises(Refused, match="noted already"):
        mark_time(exercise, "draft", actor=cast.cleo, now=LATER)


def test_ending_ends_its_incidents_wherever_they_stand(cast: Any) -> None:
    exercise = started(cast)
    first, second = exercise.incidents.order_by("pk")
    first = take_lead(first, cast.ben, actor=cast.ben, now=AT)
    first = classify(first, "sev2", reason="Rehearsed", actor=cast.ben, now=AT)
    first = resolve(contained(first, cast.ben, AT), resolution="Done", actor=cast.ben, now=AT)
    assert first.state == "resolved"

    exercise = end_exercise(exercise, actor=cast.mara, now=AT + timedelta(hours=1))

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state, second.dismissed_because) == ("closed", "dismissed", "drill_over")
    assert exercise.state == "hotwash"
    assert not Escalation.objects.filter(state__in=["running", "acked"]).exists()
    assert not Review.objects.exists()


def test_a_real_one_is_not_ended_like_a_drill(cast: Any) -> None:
    incident = active(cast)
    assert incident.state == "active"
    raised = pytest.raises(DatabaseError, match="Only what is rehearsed")
    with raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE incidents_incident SET state = 'dismissed', dismissed_at = now(), "
            "dismissed_because = 'drill_over', version = version + 1 WHERE id = %s",
            [incident.pk],
        )


def test_a_stop_that_worked_is_its_last_test(cast: Any) -> None:
    exercise = started(cast, type="kill_switch")
    system = exercise.systems.first()
    assert system is not None
    record_stop_test(exercise, system, worked=False, note="Nothing happened", actor=cast.mara, now=AT)
    assert not ResponseProfile.objects.exists()
    record_stop_test(exercise, system, worked=True, note="In 40 s", actor=cast.mara, now=AT)
    assert ResponseProfile.objects.get().stop_tested_on == AT.date()
    with pytest.raises(Refused, match="not in this drill"):
        record_stop_test(exercise, a_system(cast), worked=True, note="x", actor=cast.mara, now=AT)


def test_the_report_is_signed_by_who_facilitated(cast: Any) -> None:
    exercise = drafted(cast)
    with pytest.raises(NotAllowed):
        sign_report(exercise, signing=signing(cast.cleo, AT), actor=cast.cleo, now=AT)

    exercise = sign_report(exercise, signing=signing(cast.mara, AT), actor=cast.mara, now=AT)

    assert (exercise.state, exercise.outcome) == ("aar_signed", "passed")
    assert exercise.signature is not None
    assert '"rating":"P"' in exercise.signature.payload
    assert not Finding.objects.exists()
    for statement in (
        "UPDATE incidents_exercise SET summary = 'x', version = version + 1",
        "UPDATE incidents_observation SET text = 'x'",
        "DELETE FROM incidents_exercise",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert close_exercise(exercise, actor=cast.mara, now=AT).state == "closed"


def test_what_could_not_be_performed_did_not_pass(cast: Any) -> None:
    exercise = drafted(cast, rating="U")
    with pytest.raises(Refused, match=r"Objective 1, 2 could not be performed"):
        sign_report(exercise, signing=signing(cast.mara, AT), actor=cast.mara, now=AT)


def test_a_drill_that_failed_opens_gaps(cast: Any) -> None:
    exercise = signed(cast, "failed")

    findings = Finding.objects.filter(code="drill-failed")
    assert [(one.person, one.severity, one.state) for one in findings] == [(cast.ada, "high", "in_progress")] * 2
    assert {one.system_id for one in findings} == set(exercise.systems.values_list("pk", flat=True))
    assert close_exercise(exercise, actor=cast.mara, now=AT).state == "closed"


def test_closed_only_when_all_is_owned(cast: Any) -> None:
    exercise = end_exercise(started(cast), actor=cast.mara, now=AT)
    for number in (1, 2):
        observe(exercise, objective=number, rating="M", kind="improvement", text="Slow", actor=cast.mara, now=AT)
    exercise = draft_report(
        exercise, outcome="passed", summary="Slow", strengths="", weaknesses="", actor=cast.mara, now=AT
    )
    exercise = sign_report(exercise, signing=signing(cast.mara, AT), actor=cast.mara, now=AT)
    with pytest.raises(Refused, match="Say who does by when"):
        close_exercise(exercise, actor=cast.mara, now=AT)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE incidents_exercise SET state = 'closed', version = version + 1")

    item = Improvement("training", "Train the night shift.", cast.una, (AT + timedelta(days=20)).date())
    row = add_action(exercise, item, actor=cast.mara, now=AT)

    assert row.finding.title == f"DRILL: {exercise.code} showed what to do: Train the night shift."
    assert close_exercise(exercise, actor=cast.mara, now=AT).state == "closed"


def test_changing_and_cancelling(cast: Any) -> None:
    exercise = make_ready(planned(cast), actor=cast.mara, now=NOW)
    exercise = change_exercise(
        exercise, a_plan(cast, title="Another", systems=(a_system(cast, owner=cast.ada),)), actor=cast.mara, now=NOW
    )
    assert (exercise.state, exercise.title, exercise.systems.count()) == ("planned", "Another", 1)
    with pytest.raises(NotAllowed):
        cancel_exercise(exercise, reason="No time", actor=cast.cleo, now=NOW)
    with pytest.raises(Refused, match="Say why"):
        cancel_exercise(exercise, reason=" ", actor=cast.mara, now=NOW)
    assert cancel_exercise(exercise, reason="No time", actor=cast.mara, now=NOW).state == "cancelled"
    with pytest.raises(Refused, match="cancelled now"):
        start_exercise(exercise, actor=cast.mara, now=AT)


def test_a_past_time_is_refused(cast: Any) -> None:
    with pytest.raises(Refused, match="has not passed"):
        plan_exercise(a_plan(cast, planned_at=NOW - timedelta(minutes=1)), actor=cast.mara, now=NOW)
    assert not Exercise.objects.exists()


def test_a_facilitator_who_left_is_replaced(cast: Any, browse: Any) -> None:
    exercise = make_ready(planned(cast, facilitator=cast.nils), actor=cast.mara, now=NOW)
    start_exercise(exercise, actor=cast.nils, now=AT)
    offboard(cast.nils, actor=cast.mara, now=AT)
    exercise.refresh_from_db()
    before = (exercise.version, AuditEvent.objects.count(), Message.objects.count())
    for person in (cast.cleo, cast.ivan, cast.robot):
        with pytest.raises(Refused):
            replace_facilitator(exercise, person, actor=cast.mara, now=AT)
    with pytest.raises(NotAllowed):
        replace_facilitator(exercise, cast.dov, actor=cast.dov, now=AT)
    exercise.refresh_from_db()
    assert (exercise.version, AuditEvent.objects.count(), Message.objects.count()) == before

    page = browse(cast.mara).get(exercise.path).content.decode()
    assert f"{cast.nils.display_name} has left." in page
    sent = browse(cast.mara).post(exercise.path, {"do": "facilitator", "person": "dov@example.org"})
    assert (sent.status_code, sent["Location"]) == (302, exercise.path)

    exercise.refresh_from_db()
    assert exercise.facilitator == cast.dov
    assert Message.objects.filter(recipient=cast.dov, subject=f"DRILL: you facilitate {exercise.code}").count() == 1
    with pytest.raises(NotAllowed, match="Nobody replaces them"):
        replace_facilitator(exercise, cast.bo, actor=cast.mara, now=AT)
    exercise = end_exercise(exercise, actor=cast.dov, now=AT + timedelta(hours=1))
    assert browse(cast.dov).get(exercise.path).status_code == 200


def test_the_database_keeps_who_facilitates(cast: Any) -> None:
    exercise = started(cast)
    rows = Exercise.objects.filter(pk=exercise.pk)
    for person in (cast.nils, cast.ada):
        with pytest.raises(DatabaseError, match="Who facilitates a drill that runs stays"), transaction.atomic():
            rows.update(facilitator=person, version=exercise.version + 1)
    assert rows.get().facilitator == cast.mara
