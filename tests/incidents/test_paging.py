"""Calling people: who is called when, what an answer does, and what the database refuses."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.directory.actions import offboard
from apps.incidents.actions import calling
from apps.incidents.actions.leads import answer_handover, ask_handover, relieve_lead
from apps.incidents.actions.paging import acknowledge, advance_due, decline_page, snooze
from apps.incidents.actions.states import classify, reopen, resolve
from apps.incidents.models import Escalation, EscalationPlan, Incident, Page
from apps.notify import delivery
from apps.notify.models import Delivery, Endpoint, Message
from apps.people.actions import seat_person
from apps.registry.actions import record_absence
from tests.factories import a_system
from tests.incidents.paging_world import NOW, called_at, contained, declared, minutes, pages, texts, timer, waiting_mail
from tests.incidents.verbs_paging import WAYS
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db


def events(kind: str) -> int:
    return AuditEvent.objects.filter(kind=kind).count()


def test_the_lead_is_called_with_the_declaration(cast: Any) -> None:
    incident = declared(cast)

    assert pages(incident) == [(1, 0, 0, "ada", "queued")]
    assert (timer(incident).state, timer(incident).due_at) == ("running", minutes(5))
    message = Message.objects.get(key=f"page:{incident.pk}:1:0:0:{cast.ada.pk}")
    assert message.urgent
    assert message.subject == f"{incident.code}: you are called: It read letters of others"
    assert "/incidents/ack/" in message.body
    assert message.path == incident.path
    assert incident.plan["name"] == "Default plan"
    assert texts(incident)[2] == "Ada Nwosu is called by e-mail (step 1)."
    assert events("incident.paged") == 1


def test_the_default_plan_minute_by_minute(cast: Any) -> None:
    seat_person("ai_lead", cast.nils, actor=cast.mara, now=NOW)
    incident = declared(cast)

    assert called_at(incident, minutes(4.99)) == []
    assert called_at(incident, minutes(5)) == ["ben"]
    assert called_at(incident, minutes(10)) == ["ada", "ben"]
    assert called_at(incident, minutes(15)) == ["una"]
    assert called_at(incident, minutes(29)) == []
    assert called_at(incident, minutes(30)) == ["cleo", "nils"]
    assert called_at(incident, minutes(60)) == ["lea"]
    assert timer(incident).due_at == minutes(70)
    # Once more from the beginning.
    assert called_at(incident, minutes(70)) == ["ada"]
    assert [called_at(incident, minutes(70 + m)) for m in (5, 10, 15, 30, 60)] == [
        ["ben"], ["ada", "ben"], ["una"], ["cleo", "nils"], ["lea"],
    ]  # fmt: skip
    assert called_at(incident, minutes(140)) == ["mara"]
    assert (timer(incident).state, timer(incident).due_at) == ("exhausted", None)
    assert called_at(incident, minutes(900)) == []
    assert events("escalation.exhausted") == 1
    assert events("escalation.advanced") == 11
    assert texts(incident)[-1].startswith("Nobody answered. The plan “Default plan” is at its end. Mara Lindt")
    settle()


def test_a_step_that_was_swept_a_little_late_keeps_its_time(cast: Any) -> None:
    incident = declared(cast)

    called_at(incident, minutes(5.25))
    assert timer(incident).due_at == minutes(10)


def test_after_a_pause_of_the_portal_each_has_all_of_their_time(cast: Any) -> None:
    incident = declared(cast)

    assert called_at(incident, minutes(180)) == ["ben"]
    assert called_at(incident, minutes(181)) == []
    assert timer(incident).due_at == minutes(185)


def test_whoever_is_there_of_a_step_is_called(cast: Any) -> None:
    incident = declared(cast)  # the seat of the AI lead is vacant, which leaves the CISO in that step
    for when in (5, 10, 15):
        called_at(incident, minutes(when))

    assert called_at(incident, minutes(30)) == ["cleo"]


def test_a_step_of_nobody_is_a_line_and_the_next_one_comes(cast: Any) -> None:
    EscalationPlan.objects.filter(valid_to=None).update(valid_to=NOW)
    steps = [(0, {"kind": "lead"}), (5, {"kind": "seat", "seat": "ai_lead"}), (10, {"kind": "seat", "seat": "legal"})]
    EscalationPlan.objects.create(
        name="Short",
        valid_from=NOW,
        repeat=0,
        steps=[{"after": m, "targets": [aim], "channels": 1} for m, aim in steps],
    )
    incident = declared(cast)

    # Nobody holds the seat of the AI lead: the next step comes at once, and what follows keeps its distance.
    assert called_at(incident, minutes(5)) == ["lea"]
    assert "Step 2 of the plan was skipped: nobody can be called." in texts(incident)
    assert timer(incident).due_at == minutes(15)
    assert called_at(incident, minutes(15)) == ["mara"]
    settle()


def test_nobody_at_all_is_the_end_at_once(cast: Any) -> None:
    EscalationPlan.objects.filter(valid_to=None).update(valid_to=NOW)
    steps = [{"after": m, "targets": [{"kind": "seat", "seat": "ai_lead"}], "channels": 1} for m in (0, 5)]
    EscalationPlan.objects.create(name="Vacant", valid_from=NOW, repeat=3, steps=steps)
    incident = declared(cast)

    assert pages(incident) == [(1, 1, 1, "mara", "queued")]
    assert timer(incident).state == "exhausted"
    settle()
    acknowledge(incident, actor=cast.mara, now=minutes(1))
    assert timer(incident).state == "acked"


def test_an_absence_that_starts_calls_who_stands_in(cast: Any) -> None:
    incident = declared(cast)
    day = NOW.date()
    record_absence(cast.ada, starts_on=day, ends_on=day, delegate=cast.nils, actor=cast.ada, now=minutes(1))

    assert called_at(incident, minutes(5)) == ["ben"]
    assert called_at(incident, minutes(10)) == ["nils", "ben"]
    page = Page.objects.get(incident=incident, person=cast.nils)
    assert page.target == "lead"
    assert "Nils Okafor is called by e-mail in the place of Ada Nwosu (step 3)." in [
        text.replace(", in", " in") for text in texts(incident)
    ]


def test_the_first_answer_silences_everybody(cast: Any) -> None:
    incident = declared(cast)
    called_at(incident, minutes(5))
    assert waiting_mail(incident) == ["ada", "ben"]

    acknowledge(Page.objects.get(incident=incident, person=cast.ben), actor=cast.ben, now=minutes(6))

    incident.refresh_from_db()
    row = timer(incident)
    assert (incident.lead, row.state, row.acked_by) == (cast.ben, "acked", cast.ben)
    assert (row.first_ack_at, row.ack_until, row.due_at) == (minutes(6), minutes(66), None)
    assert pages(incident) == [(1, 0, 0, "ada", "cancelled"), (1, 0, 1, "ben", "acked")]
    assert waiting_mail(incident) == []
    assert called_at(incident, minutes(40)) == []
    assert events("incident.acknowledged") == 1
    with pytest.raises(Refused, match="Ben Ortega has it already"):
        acknowledge(incident, actor=cast.ada, now=minutes(7))


def test_when_a_call_went_out_is_what_the_answer_is_measured_by(cast: Any) -> None:
    incident = declared(cast)
    Message.objects.filter(key__startswith="page:").update(state="claimed", claimed_at=minutes(0.1))
    Message.objects.filter(key__startswith="page:").update(state="sent", sent_at=minutes(0.2))

    acknowledge(incident, actor=cast.ada, now=minutes(3))

    assert (timer(incident).first_page_at, timer(incident).first_ack_at) == (minutes(0.2), minutes(3))
    assert Page.objects.get(incident=incident).sent_at == minutes(0.2)


def test_who_can_not_be_reached_is_not_waited_for(cast: Any) -> None:
    incident = declared(cast)
    Message.objects.filter(key__startswith="page:").update(state="failed", error="No such mailbox")

    assert called_at(incident, minutes(1)) == ["ben"]
    assert pages(incident) == [(1, 0, 0, "ada", "failed"), (1, 0, 1, "ben", "queued")]


def test_an_answer_has_to_be_renewed(cast: Any) -> None:
    incident = declared(cast, severity="sev1")
    acknowledge(incident, actor=cast.ada, now=minutes(2))

    acknowledge(incident, actor=cast.ada, now=minutes(50))
    assert timer(incident).ack_until == minutes(110)
    assert called_at(incident, minutes(109)) == []
    assert called_at(incident, minutes(110)) == ["ada"]
    row = timer(incident)
    assert (row.state, row.round, row.due_at, row.first_ack_at) == ("running", 2, minutes(115), minutes(2))
    incident.refresh_from_db()
    assert incident.lead == cast.ada
    assert events("acknowledgement.expired") == 1
    assert called_at(incident, minutes(115)) == ["ben"]
    settle()
    acknowledge(incident, actor=cast.ada, now=minutes(116))
    assert timer(incident).state == "acked"
    assert events("incident.acknowledged") == 3


@pytest.mark.parametrize(("severity", "holds"), [("sev1", 60), ("sev2", 240), ("sev3", None), ("sev4", None)])
def test_how_long_an_answer_holds(cast: Any, severity: str, holds: int | None) -> None:
    incident = declared(cast, severity=severity)
    acknowledge(incident, actor=cast.ada, now=NOW)

    assert timer(incident).ack_until == (minutes(holds) if holds else None)


def test_a_severity_said_later_decides_until_when(cast: Any) -> None:
    incident = acknowledge(declared(cast), actor=cast.ada, now=NOW)
    assert timer(incident).ack_until == minutes(60)

    incident = classify(incident, "sev3", reason="Small", actor=cast.ada, now=minutes(1))
    assert timer(incident).ack_until is None
    classify(incident, "sev1", reason="It is not small", actor=cast.ada, now=minutes(2))
    assert timer(incident).ack_until == minutes(62)


def test_a_renewal_is_put_off_for_four_hours_at_most(cast: Any) -> None:
    incident = acknowledge(declared(cast), actor=cast.ada, now=NOW)

    with pytest.raises(Refused, match="4 hours at most"):
        snooze(incident, minutes=241, reason="Long restore", actor=cast.ada, now=NOW)
    with pytest.raises(Refused, match="Say why"):
        snooze(incident, minutes=60, reason=" ", actor=cast.ada, now=NOW)
    with pytest.raises(NotAllowed):
        snooze(incident, minutes=60, reason="Long restore", actor=cast.ben, now=NOW)
    assert timer(incident).ack_until == minutes(60)
    assert snooze(incident, minutes=240, reason="Long restore", actor=cast.ada, now=NOW).ack_until == minutes(240)
    assert events("acknowledgement.snoozed") == 1


def test_on_behalf_is_allowed_and_said(cast: Any) -> None:
    incident = declared(cast)

    acknowledge(incident, person=cast.ada, actor=cast.dov, now=minutes(1), way="behalf")

    page = Page.objects.get(incident=incident)
    assert (page.state, page.answered_by, page.answered_by_way) == ("acked", cast.dov, "behalf")
    assert "Ada Nwosu took the response, said by Dov Watanabe." in texts(incident)


def test_a_machine_answers_for_nobody_first(cast: Any) -> None:
    incident = declared(cast)

    acknowledge(incident, person=cast.ada, actor=cast.robot, now=minutes(1), way="api")

    assert timer(incident).first_ack_at is None
    with pytest.raises(Refused):
        acknowledge(incident, actor=cast.robot, now=minutes(2), way="api")


def test_a_call_is_answered_by_who_was_called(cast: Any) -> None:
    incident = declared(cast)
    page = Page.objects.get(incident=incident)

    with pytest.raises(NotAllowed, match="Ada Nwosu was called"):
        acknowledge(page, actor=cast.ben, now=NOW)
    with pytest.raises(NotAllowed, match="Ada Nwosu was called"):
        decline_page(page, reason="No", actor=cast.ben, now=NOW)
    with pytest.raises(Refused, match="Say why"):
        decline_page(page, reason="", actor=cast.ada, now=NOW)
    assert pages(incident) == [(1, 0, 0, "ada", "queued")]


def test_declining_brings_the_next_at_once(cast: Any) -> None:
    incident = declared(cast)

    decline_page(Page.objects.get(incident=incident), reason="On a plane", actor=cast.ada, now=minutes(1))

    incident.refresh_from_db()
    assert incident.lead == cast.ben
    assert pages(incident) == [(1, 0, 0, "ada", "declined"), (1, 0, 1, "ben", "queued")]
    # Nobody is told twice: the call is what tells the one who leads now.
    assert Message.objects.filter(key__startswith=f"lead:{incident.pk}:").count() == 0
    assert timer(incident).due_at == minutes(6)
    # Who said no is not called again in this round.
    assert called_at(incident, minutes(6)) == ["ben"]
    assert events("lead.declined") == 1
    assert events("page.declined") == 0


def test_somebody_else_who_declines_is_waited_past(cast: Any) -> None:
    incident = declared(cast)
    called_at(incident, minutes(5))
    decline_page(Page.objects.get(incident=incident, person=cast.ben), reason="Ill", actor=cast.ben, now=minutes(6))

    # The lead was called and has not answered yet: that is waited for.
    assert pages(incident) == [(1, 0, 0, "ada", "queued"), (1, 0, 1, "ben", "declined")]
    assert timer(incident).due_at == minutes(10)
    assert events("page.declined") == 1
    # Who said no is left out of the next step.
    assert called_at(incident, minutes(10)) == ["ada"]


def test_a_leaver_in_mid_incident_is_replaced_and_calling_goes_on(cast: Any) -> None:
    incident = acknowledge(declared(cast), actor=cast.ada, now=minutes(1))

    offboard(cast.ada, actor=cast.mara, now=minutes(2))

    row = timer(incident)
    assert (row.state, row.round, row.acked_by) == ("running", 2, None)
    assert pages(incident)[-1] == (2, 0, 0, "ben", "queued")
    assert waiting_mail(incident) == ["ben"]


def test_relieved_is_called_again(cast: Any) -> None:
    incident = acknowledge(declared(cast), actor=cast.ada, now=minutes(1))

    relieve_lead(incident, cast.nils, reason="Ada sleeps", actor=cast.mara, now=minutes(2))

    assert pages(incident)[-1] == (2, 0, 0, "nils", "queued")
    assert timer(incident).state == "running"


def test_a_handover_is_silent(cast: Any) -> None:
    incident = acknowledge(declared(cast), actor=cast.ada, now=minutes(1))
    handover = ask_handover(incident, cast.ben, briefing="Paused", actor=cast.ada, now=minutes(2))
    answer_handover(handover, takes=True, actor=cast.ben, now=minutes(3))

    row = timer(incident)
    assert (row.state, row.round, row.acked_by, row.ack_until) == ("acked", 1, cast.ben, minutes(63))
    assert len(pages(incident)) == 1


def _resolved(cast: Any) -> Incident:
    incident = acknowledge(declared(cast, severity="sev2"), actor=cast.ada, now=minutes(1))
    incident = contained(incident, cast.ada, minutes(2))
    return resolve(incident, resolution="Narrowed", actor=cast.ada, now=minutes(3))


def test_resolved_calls_nobody_and_nobody_has_to_take_it(cast: Any) -> None:
    incident = _resolved(cast)

    assert timer(incident).state == "stopped"
    with pytest.raises(Refused, match="is in review"):
        acknowledge(incident, actor=cast.ben, now=minutes(4))
    assert called_at(incident, minutes(500)) == []


def test_opened_again_is_a_new_round(cast: Any) -> None:
    incident = reopen(_resolved(cast), reason="It happens again", actor=cast.ada, now=minutes(9))

    assert pages(incident)[-1] == (2, 0, 0, "ada", "queued")
    assert timer(incident).due_at == minutes(14)


def test_an_edited_plan_does_not_change_what_runs(cast: Any) -> None:
    incident = declared(cast)
    EscalationPlan.objects.filter(valid_to=None).update(valid_to=NOW)
    EscalationPlan.objects.create(
        name="Nobody but Lea", valid_from=NOW,
        steps=[{"after": 0, "targets": [{"kind": "seat", "seat": "legal"}], "channels": 1}],
    )  # fmt: skip

    assert called_at(incident, minutes(5)) == ["ben"]
    other = declared(cast)
    assert pages(other) == [(1, 0, 0, "lea", "queued")]
    assert other.plan["name"] == "Nobody but Lea"


def test_without_any_plan_the_built_in_one_calls(cast: Any) -> None:
    EscalationPlan.objects.filter(valid_to=None).update(valid_to=NOW)
    incident = declared(cast)

    assert incident.plan["plan"] is None
    assert pages(incident) == [(1, 0, 0, "ada", "queued")]


def test_of_what_is_restricted_only_the_code_leaves(cast: Any) -> None:
    incident = declared(cast, visibility="restricted")

    message = Message.objects.get(key__startswith=f"page:{incident.pk}:")
    assert message.subject == f"{incident.code}: you are called"
    assert incident.title not in message.body
    assert incident.place not in message.body


def test_an_incident_that_has_no_timer_gets_one(cast: Any, monkeypatch: Any) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise DatabaseError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(Escalation.objects, "create", broken)
        incident = declared(cast)
    assert not Escalation.objects.filter(incident=incident).exists()
    assert "Could not call somebody (DatabaseError). See to it by hand." in texts(incident)

    assert called_at(incident, minutes(1)) == ["ada"]


def test_a_first_step_that_fails_is_due_for_the_sweep(cast: Any, monkeypatch: Any) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise DatabaseError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(calling, "send_to_many", broken)
        incident = declared(cast)
    assert (pages(incident), timer(incident).due_at) == ([], NOW)

    assert called_at(incident, minutes(0.25)) == ["ada"]


def test_one_incident_that_fails_keeps_no_other_waiting(cast: Any, monkeypatch: Any) -> None:
    first, second = declared(cast), declared(cast)
    usual = calling.advance

    def broken(incident: Incident, *args: Any, **more: Any) -> Any:
        if incident.pk == first.pk:
            raise DatabaseError("gone")
        return usual(incident, *args, **more)

    with monkeypatch.context() as patched:
        patched.setattr("apps.incidents.actions.paging.advance", broken)
        with pytest.raises(RuntimeError, match="1 of 2"):
            advance_due(now=minutes(5))
    assert [who for *_, who, _ in pages(second)] == ["ada", "ben"]
    assert called_at(first, minutes(5.5)) == ["ben"]


def refused(sql: str, *params: Any) -> str:
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)
    return str(caught.value)


PAGE = """
INSERT INTO incidents_page (incident_id, round, lap, step, person_id, target, state, channels, queued_at,
    answered_by_way, reason) VALUES (%s, %s, 0, 3, %s, 'lead', 'queued', '[]', %s, '', '')
"""


def test_the_database_calls_nobody_once_somebody_has_it(cast: Any) -> None:
    incident = declared(cast)
    assert "by a round that is past" in refused(PAGE, incident.pk, 2, cast.ben.pk, NOW)
    acknowledge(incident, actor=cast.ada, now=minutes(1))

    assert "Nobody is called while somebody has it" in refused(PAGE, incident.pk, 1, cast.ben.pk, NOW)
    assert len(pages(incident)) == 1


def test_the_database_keeps_who_was_called_and_the_first_answer(cast: Any) -> None:
    incident = acknowledge(declared(cast), actor=cast.ada, now=minutes(1))
    page = Page.objects.get(incident=incident)

    assert "does not change" in refused("UPDATE incidents_page SET person_id = %s WHERE id = %s", cast.ben.pk, page.pk)
    assert "does not change" in refused("UPDATE incidents_page SET answered_at = now() WHERE id = %s", page.pk)
    assert "stays on record" in refused("DELETE FROM incidents_page WHERE id = %s", page.pk)
    assert "stay on record" in refused("UPDATE incidents_escalation SET first_ack_at = now()")
    assert "never goes back" in refused("UPDATE incidents_escalation SET round = 0")
    assert "never goes back" in refused("UPDATE incidents_escalation SET began_at = now()")
    assert "A human has it" in refused(
        "UPDATE incidents_escalation SET state = 'acked', acked_by_id = %s", cast.robot.pk
    )
    assert "A plan does not change" in refused("UPDATE incidents_escalationplan SET repeat = 3")


def test_what_is_being_sent_when_somebody_answers_is_not_tried_again(cast: Any) -> None:
    incident = declared(cast)
    Message.objects.filter(key__startswith="page:").update(state="claimed", claimed_at=NOW)
    acknowledge(incident, actor=cast.ada, now=minutes(1))

    message = Message.objects.get(key__startswith="page:")
    assert (message.state, message.error) == ("claimed", "Ada Nwosu has it.")
    assert delivery.was_withdrawn(message)


@pytest.mark.parametrize("way", WAYS)
def test_each_way_leaves_one_event_of_its_own(cast: Any, way: str) -> None:
    prepare, expected = WAYS[way]
    act = prepare(
        SimpleNamespace(cast=cast, system=a_system(cast, owner=cast.ada), by={"actor": cast.mara, "now": NOW})
    )
    before = counted()
    act()
    assert counted() - before == expected


def counted() -> Counter[str]:
    rows = AuditEvent.objects.values_list("kind", "cause")
    return Counter(f"caused {kind}" if cause else kind for kind, cause in rows)


def told() -> list[tuple[str, str]]:
    return [(row.content["action"], row.content["title"]) for row in Delivery.objects.order_by("pk")]


def test_endpoints_that_want_to_hear_of_each_incident_are_told_once(cast: Any) -> None:
    Endpoint.objects.create(
        name="Room", kind="slack", url="https://hooks.example.org/x", announces=True, created_by=cast.mara,
        created_at=NOW,
    )  # fmt: skip
    incident = declared(cast, severity="sev2")
    title = f"{incident.code}: It read letters of others"
    assert told() == [("trigger", title)]
    incident = acknowledge(incident, actor=cast.ada, now=minutes(1))
    acknowledge(incident, actor=cast.ada, now=minutes(2))
    assert told() == [("trigger", title), ("acknowledge", title)]
    incident = contained(incident, cast.ada, minutes(3))
    resolve(incident, resolution="Narrowed", actor=cast.ada, now=minutes(4))
    assert told()[2:] == [("resolve", title)]
    assert {row.content["thread"] for row in Delivery.objects.all()} == {f"incident:{incident.code}"}
    other = declared(cast, visibility="restricted")
    assert told()[3:] == [("trigger", other.code)]
    declared(cast, visibility="privileged")
    assert len(told()) == 4
