"""Working on the pinned steps of an incident: who may, what each verb refuses, what the database refuses."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions import steps as verbs
from apps.incidents.actions.common import MeanwhileChanged
from apps.incidents.models import Incident, IncidentStep, TimelineEntry
from apps.incidents.queries.steps import may_work, speakers, steps_of_incident
from apps.people import actions as people
from apps.registry.actions import record_absence
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.incidents.steps_world import CONTAIN, FREEZE, GATE, LATER, RESTART, TELL, an_incident, step

pytestmark = pytest.mark.django_db
PROOF = "gateway-eu-1, rule pause-0117"


def done(incident: Incident, order: int, actor: Any, *, now: Any = LATER) -> IncidentStep:
    return verbs.finish_step(step(incident, order), evidence=PROOF, actor=actor, now=now)


def last(incident: Incident) -> tuple[str, str, str]:
    entry = TimelineEntry.objects.filter(incident=incident).latest("pk")
    return entry.kind, entry.text, entry.person_name


def events(incident: Incident) -> int:
    return AuditEvent.objects.filter(subject_id=incident.code).count()


def refused(sql: str, *values: Any) -> str:
    """What the database says to a statement of the application's role."""
    with pytest.raises(DatabaseError) as error, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)
    return str(error.value).splitlines()[0]


def test_a_step_is_taken_up_and_done(cast: Cast) -> None:
    incident = an_incident(cast)
    version, before = Incident.objects.get(pk=incident.pk).version, events(incident)
    verbs.start_step(step(incident, 1), actor=cast.ben, now=NOW, seen="todo")
    made = verbs.finish_step(step(incident, 1), evidence=f" {PROOF} ", actor=cast.ada, now=LATER, seen="doing")
    assert (made.state, made.started_by, made.done_by, made.done_at, made.evidence) == (
        "done", cast.ben, cast.ada, LATER, PROOF,
    )  # fmt: skip
    assert last(incident) == ("contained", f"Step 1, Stop it: done. {PROOF}", "Ada Nwosu")
    assert Incident.objects.get(pk=incident.pk).version == version + 2
    assert events(incident) == before + 2
    body = AuditEvent.objects.filter(kind="incident.step_changed").latest("ts_us").body
    assert '"after":{"agreed":false,"does":"containment","state":"done","step":1}' in body
    assert PROOF not in body


@pytest.mark.parametrize(
    ("name", "may"),
    [("ada", True), ("ben", True), ("dov", True), ("mara", True), ("cleo", True), ("lea", True), ("una", False),
     ("nils", False), ("eve", False), ("bo", False), ("ivan", False)],
)  # fmt: skip
def test_who_works_on_steps(cast: Cast, name: str, may: bool) -> None:
    """Ada leads, Ben is her deputy, Dov declared it; Mara, Cleo and Lea manage incidents."""
    incident = an_incident(cast)
    actor, before, lines = getattr(cast, name), events(incident), incident.timeline.count()
    assert may_work(actor, incident) is may
    one = step(incident, 3)
    acts: list[Any] = [
        lambda: verbs.start_step(one, actor=actor, now=NOW),
        lambda: verbs.block_step(one, reason="No access", actor=actor, now=NOW),
        lambda: verbs.unblock_step(one, actor=actor, now=NOW),
        lambda: verbs.skip_step(one, reason="Known already", actor=actor, now=NOW),
        lambda: verbs.finish_step(step(incident, 4), evidence="", actor=actor, now=NOW),
    ]
    for act in acts:
        if may:
            act()
        else:
            with pytest.raises(NotAllowed):
                act()
    many = len(acts) if may else 0
    assert (events(incident), incident.timeline.count()) == (before + many, lines + many)


def test_what_was_seen_decides(cast: Cast) -> None:
    incident = an_incident(cast)
    verbs.start_step(step(incident, 1), actor=cast.ben, now=NOW)
    before = events(incident)
    with pytest.raises(MeanwhileChanged, match="Somebody worked on step 1 meanwhile: it is under way"):
        verbs.start_step(step(incident, 1), actor=cast.ada, now=NOW, seen="todo")
    with pytest.raises(Refused, match="under way already"):
        verbs.start_step(step(incident, 1), actor=cast.ada, now=NOW)
    assert events(incident) == before
    assert step(incident, 1).started_by == cast.ben


def test_what_is_done_stays_done(cast: Cast) -> None:
    incident = an_incident(cast)
    done(incident, 4, cast.ada)
    one = step(incident, 4)
    for act in (
        lambda: verbs.start_step(one, actor=cast.ada, now=LATER),
        lambda: verbs.finish_step(one, evidence="x", actor=cast.ada, now=LATER),
        lambda: verbs.skip_step(one, reason="x", actor=cast.ada, now=LATER),
        lambda: verbs.block_step(one, reason="x", actor=cast.ada, now=LATER),
        lambda: verbs.unblock_step(one, actor=cast.ada, now=LATER),
    ):
        with pytest.raises(Refused, match="Step 4 is done already"):
            act()
    says = refused("UPDATE incidents_incidentstep SET evidence = 'other' WHERE id = %s", one.pk)
    assert says == "A runbook is pinned when the incident is declared, and what was done stays done."


def test_evidence_is_asked_for(cast: Cast) -> None:
    incident = an_incident(cast)
    with pytest.raises(Refused, match="Say what shows that step 1 is done"):
        verbs.finish_step(step(incident, 1), evidence=" ", actor=cast.ada, now=NOW)
    done(incident, 4, cast.ada)
    sql = "UPDATE incidents_incidentstep SET state = 'done', done_by_id = %s, done_at = now() WHERE id = %s"
    assert "incident_step_has_evidence" in refused(sql, cast.ada.pk, step(incident, 1).pk)


def test_a_required_step_is_left_out_by_the_lead_or_who_manages(cast: Cast) -> None:
    incident = an_incident(cast)
    with pytest.raises(NotAllowed, match="Only the lead"):
        verbs.skip_step(step(incident, 4), reason="x", actor=cast.ben, now=NOW)
    with pytest.raises(Refused, match="Say why"):
        verbs.skip_step(step(incident, 4), reason=" ", actor=cast.ada, now=NOW)
    made = verbs.skip_step(step(incident, 4), reason="She was in the room", actor=cast.ada, now=NOW)
    assert (made.state, made.done_by, made.reason) == ("skipped", cast.ada, "She was in the room")
    assert last(incident)[:2] == ("decision", "Step 4, Tell the CISO: left out. She was in the room")
    sql = "UPDATE incidents_incidentstep SET state = 'skipped', done_by_id = %s, done_at = now() WHERE id = %s"
    assert "incident_step_says_why" in refused(sql, cast.ada.pk, step(incident, 3).pk)


def test_containing_and_freezing_are_not_left_out(cast: Cast) -> None:
    incident = an_incident(cast)
    with pytest.raises(Refused, match="It has to be contained"):
        verbs.skip_step(step(incident, 1), reason="x", actor=cast.ada, now=NOW)
    with pytest.raises(Refused, match="the General Counsel or the CISO waives it"):
        verbs.skip_step(step(incident, 2), reason="x", actor=cast.mara, now=NOW)


def test_blocked_says_why_and_goes_on(cast: Cast) -> None:
    incident = an_incident(cast)
    verbs.start_step(step(incident, 3), actor=cast.ben, now=NOW)
    with pytest.raises(Refused, match="Say what is in the way"):
        verbs.block_step(step(incident, 3), reason="", actor=cast.ben, now=NOW)
    verbs.block_step(step(incident, 3), reason="No access to the logs", actor=cast.ben, now=NOW)
    assert last(incident)[:2] == ("alarm", "Step 3, Find out: blocked. No access to the logs")
    with pytest.raises(Refused, match="blocked already"):
        verbs.block_step(step(incident, 3), reason="x", actor=cast.ben, now=NOW)
    made = verbs.unblock_step(step(incident, 3), actor=cast.ada, now=NOW)
    assert (made.state, made.started_by, made.reason) == ("doing", cast.ben, "")
    with pytest.raises(Refused, match="is not blocked"):
        verbs.unblock_step(step(incident, 3), actor=cast.ada, now=NOW)


# -- the law


def test_the_general_counsel_agrees_first(cast: Cast) -> None:
    incident = an_incident(cast)
    with pytest.raises(Refused, match="The General Counsel has to agree"):
        done(incident, 5, cast.ada)
    before = events(incident)
    for actor in (cast.ada, cast.cleo, cast.mara, cast.dov):
        with pytest.raises(NotAllowed, match="only the General Counsel"):
            verbs.agree_legal_gate(step(incident, 5), actor=actor, now=NOW)
    assert events(incident) == before
    made = verbs.agree_legal_gate(step(incident, 5), actor=cast.lea, now=NOW, note="Article 33 applies")
    assert (made.agreed_by, made.agreed_at, made.state) == (cast.lea, NOW, "todo")
    assert last(incident)[:2] == (
        "decision", "Step 5, Decide whether to report: the General Counsel agrees. Article 33 applies",
    )  # fmt: skip
    with pytest.raises(Refused, match="agreed already"):
        verbs.agree_legal_gate(step(incident, 5), actor=cast.lea, now=NOW)
    with pytest.raises(Refused, match="does not wait for"):
        verbs.agree_legal_gate(step(incident, 4), actor=cast.lea, now=NOW)
    says = refused("UPDATE incidents_incidentstep SET agreed_by_id = NULL, agreed_at = NULL WHERE id = %s", made.pk)
    assert says == "A runbook is pinned when the incident is declared, and who agreed stays on record."
    assert done(incident, 5, cast.ada).state == "done"


def test_the_database_keeps_the_gate_too(cast: Cast) -> None:
    incident = an_incident(cast)
    sql = "UPDATE incidents_incidentstep SET state = 'done', done_by_id = %s, done_at = now() WHERE id = %s"
    assert "incident_step_legal_gate" in refused(sql, cast.ada.pk, step(incident, 5).pk)


def test_who_stands_in_for_the_general_counsel_agrees(cast: Cast) -> None:
    people.change_person(cast.lea, deputy=cast.nils, actor=cast.mara, now=NOW)
    assert {person.pk for person in speakers(["legal"], NOW)} == {cast.lea.pk, cast.nils.pk}
    record_absence(cast.lea, starts_on=NOW.date(), ends_on=NOW.date(), delegate=cast.una, actor=cast.lea, now=NOW)
    assert {person.pk for person in speakers(["legal"], NOW)} == {cast.lea.pk, cast.nils.pk, cast.una.pk}
    incident = an_incident(cast)
    assert verbs.agree_legal_gate(step(incident, 5), actor=cast.una, now=NOW).agreed_by == cast.una


def test_a_vacant_seat_never_stops_a_response(cast: Cast) -> None:
    people.vacate_seat("legal", actor=cast.mara, now=NOW)
    incident = an_incident(cast)
    assert [person.pk for person in speakers(["legal"], NOW)] == [cast.mara.pk]
    assert verbs.agree_legal_gate(step(incident, 5), actor=cast.mara, now=NOW).agreed_by == cast.mara


# -- evidence before change


def test_on_a_high_risk_system_nothing_changes_before_the_freeze(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada, regulatory_class="high_risk")
    incident = an_incident(cast, system=system)
    with pytest.raises(Refused, match="Freeze the evidence first"):
        verbs.start_step(step(incident, 6), actor=cast.ada, now=NOW)
    with pytest.raises(Refused, match="Freeze the evidence first"):
        done(incident, 6, cast.ada)
    says = refused("UPDATE incidents_incidentstep SET state = 'doing' WHERE id = %s", step(incident, 6).pk)
    never = "Freeze the evidence first: on a high-risk system nothing is changed before (AI Act Art. 73(6))."
    assert says == never
    sql = """INSERT INTO incidents_incidentstep (incident_id, "order", phase, does, title, instruction, expected_result,
             if_not, role, required, evidence_required, legal_gate, state, evidence, reason)
             VALUES (%s, 99, 'recover', 'changes_system', 'x', 'x', '', '', 'lead', true, false, false, 'doing', '',
             '')"""
    assert refused(sql, incident.pk) == never
    done(incident, 2, cast.ben)
    assert verbs.start_step(step(incident, 6), actor=cast.ada, now=LATER).state == "doing"


def test_starting_again_takes_two(cast: Cast) -> None:
    incident = an_incident(cast)
    with pytest.raises(Refused, match="Somebody starts it first"):
        done(incident, 6, cast.ada)
    verbs.start_step(step(incident, 6), actor=cast.ada, now=NOW)
    with pytest.raises(Refused, match="You started it"):
        done(incident, 6, cast.ada)
    sql = """UPDATE incidents_incidentstep SET state = 'done', evidence = 'x', done_by_id = %s, done_at = now()
             WHERE id = %s"""
    assert "incident_step_two_people" in refused(sql, cast.ada.pk, step(incident, 6).pk)
    made = done(incident, 6, cast.cleo)
    assert (made.started_by, made.done_by) == (cast.ada, cast.cleo)


@pytest.mark.parametrize(
    ("name", "may"),
    [("lea", True), ("cleo", True), ("mara", False), ("ada", False), ("ben", False), ("dov", False), ("eve", False)],
)
def test_who_waives_the_freeze(cast: Cast, name: str, may: bool) -> None:
    incident = an_incident(cast)
    actor, before = getattr(cast, name), events(incident)
    if not may:
        with pytest.raises(NotAllowed):
            verbs.waive_evidence_freeze(incident, reason="People are in danger", actor=actor, now=LATER)
        assert (events(incident), Incident.objects.get(pk=incident.pk).freeze_waiver) == (before, "")
        return
    with pytest.raises(Refused, match="Say why"):
        verbs.waive_evidence_freeze(incident, reason=" ", actor=actor, now=LATER)
    verbs.waive_evidence_freeze(incident, reason="People are in danger", actor=actor, now=LATER)
    found = Incident.objects.get(pk=incident.pk)
    assert (found.freeze_waiver, found.freeze_waived_by) == ("People are in danger", actor)
    freeze = step(incident, 2)
    assert (freeze.state, freeze.done_by, freeze.reason) == ("skipped", actor, "Waived: People are in danger")
    assert last(incident)[:2] == ("decision", "Freezing the evidence is waived. People are in danger")
    event = AuditEvent.objects.get(kind="incident.freeze_waived")
    assert '"after":{"steps":[2]}' in event.body
    assert "danger" not in event.body
    with pytest.raises(Refused, match="waived already"):
        verbs.waive_evidence_freeze(incident, reason="Again", actor=actor, now=LATER)
    says = refused(
        "UPDATE incidents_incident SET freeze_waiver = 'other', version = version + 1 WHERE id = %s", found.pk
    )
    assert says == "Who waived freezing the evidence, and why, stays on record."


def test_the_lead_does_not_waive_what_they_would_have_to_do(cast: Cast) -> None:
    incident = an_incident(cast, system=a_system(cast, owner=cast.cleo))
    assert incident.lead == cast.cleo
    with pytest.raises(NotAllowed, match="You lead the response"):
        verbs.waive_evidence_freeze(incident, reason="x", actor=cast.cleo, now=NOW)
    sql = """UPDATE incidents_incident SET freeze_waiver = 'x', freeze_waived_by_id = lead_id, version = version + 1
             WHERE id = %s"""
    assert refused(sql, incident.pk) == "Somebody other than the lead waives freezing the evidence."


def test_what_is_frozen_is_not_waived(cast: Cast) -> None:
    incident = an_incident(cast)
    done(incident, 2, cast.ben)
    with pytest.raises(Refused, match="frozen already"):
        verbs.waive_evidence_freeze(incident, reason="x", actor=cast.lea, now=LATER)


def test_once_it_is_over_steps_stay(cast: Cast) -> None:
    incident = an_incident(cast)
    one = step(incident, 3)
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE incidents_incident SET state = 'dismissed', dismissed_at = now(), dismissed_because = 'benign',
               version = version + 1 WHERE id = %s""", [incident.pk],
        )  # fmt: skip
        cursor.execute("UPDATE incidents_leadterm SET ended_at = proposed_at, ended_because = 'over'")
        cursor.execute("UPDATE incidents_escalation SET state = 'stopped', due_at = NULL")
    for act in (
        lambda: verbs.start_step(one, actor=cast.ada, now=LATER),
        lambda: verbs.agree_legal_gate(step(incident, 5), actor=cast.lea, now=LATER),
        lambda: verbs.waive_evidence_freeze(incident, reason="x", actor=cast.lea, now=LATER),
    ):
        with pytest.raises(Refused, match="over"):
            act()


def test_what_a_pinned_step_says_stays(cast: Cast) -> None:
    incident = an_incident(cast)
    pk = step(incident, 3).pk
    for column, value in (("title", "'x'"), ("role", "'ciso'"), ("if_not", "'x'"), ("target_minutes", "1"),
                          ("required", "true"), ("does", "'containment'")):  # fmt: skip
        says = refused(f"UPDATE incidents_incidentstep SET {column} = {value} WHERE id = %s", pk)
        assert says.startswith("A runbook is pinned when the incident is declared"), column
    assert refused("DELETE FROM incidents_incidentstep") == "The steps of an incident stay on record."
    assert "incident_step_known_words" in refused(
        """INSERT INTO incidents_incidentstep (incident_id, "order", phase, does, title, instruction, expected_result,
           if_not, role, required, evidence_required, legal_gate, state, evidence, reason)
           VALUES (%s, 99, 'panic', '', 'x', 'x', '', '', 'lead', true, false, false, 'todo', '', '')""", incident.pk,
    )  # fmt: skip


# -- the column


def test_the_column_says_who_when_and_what_is_now(cast: Cast) -> None:
    incident = an_incident(cast)
    done(incident, 1, cast.ben)
    verbs.start_step(step(incident, 2), actor=cast.ben, now=LATER)
    found = steps_of_incident(Incident.objects.select_related("system", "lead", "owner").get(), cast.ada, LATER)
    assert (found.title, found.version, found.done, found.total) == (f"Own of {incident.system.key}", 1, 1, 6)  # type: ignore[union-attr]
    assert found.now is not None
    assert found.now.step.order == 2
    rows = [
        (line.who.display_name if line.who else "", line.role, line.is_late, line.waits_for) for line in found.lines
    ]
    assert rows == [
        ("Ben Ortega", "Owner of the system", False, ""),
        ("Ben Ortega", "Lead of the response", False, ""),
        ("Ada Nwosu", "Lead of the response", True, ""),
        ("Ada Nwosu", "Lead of the response", False, ""),
        ("Lea Abelmann", "General Counsel", False, "The General Counsel agrees first"),
        ("Ada Nwosu", "Lead of the response", False, "Needs a second person"),
    ]
    assert found.lines[2].due_at == NOW + timedelta(minutes=60)
    assert [sorted(line.can) for line in found.lines] == [
        [], ["block", "finish"], ["block", "finish", "skip", "start"], ["block", "finish", "skip", "start"],
        ["block", "skip", "start"], ["block", "skip", "start"],
    ]  # fmt: skip


def test_what_each_reader_may_do(cast: Cast) -> None:
    incident = an_incident(cast)
    found = {
        name: {verb for line in steps_of_incident(incident, getattr(cast, name), NOW).lines for verb in line.can}
        for name in ("eve", "ben", "lea")
    }
    assert found == {
        "eve": set(), "ben": {"start", "finish", "block", "skip"},
        "lea": {"start", "finish", "block", "skip", "agree"},
    }  # fmt: skip
    waives = [
        steps_of_incident(incident, getattr(cast, name), NOW).may_waive for name in ("lea", "cleo", "ada", "mara")
    ]
    assert waives == [True, True, False, False]


def test_the_column_costs_the_same_whatever_its_length(cast: Cast) -> None:
    short = an_incident(cast, steps=[CONTAIN, FREEZE, TELL, GATE])
    many = [replace(TELL, title=f"Tell {number}", role="ciso") for number in range(20)]
    long = an_incident(cast, steps=[CONTAIN, FREEZE, *many, GATE, RESTART])
    counts = []
    for incident in (short, long):
        one = Incident.objects.select_related("system", "lead", "owner").get(pk=incident.pk)
        person = type(cast.ben).objects.get(pk=cast.ben.pk)
        with CaptureQueriesContext(connection) as captured:
            steps_of_incident(one, person, NOW)
        counts.append(len(captured))
    assert counts[0] == counts[1]
    assert counts[0] <= 11


def test_an_incident_without_steps_has_an_empty_column(cast: Cast) -> None:
    other = Incident(pk=0, code="INC-0000", state="reported", lead=cast.ada, card={})
    assert steps_of_incident(other, cast.ada, NOW).total == 0


def test_what_went_wrong_is_known_later(cast: Cast, browse: Any) -> None:
    """The page offers the steps of the runbook that stands by then, and no others."""
    incident = an_incident(cast, steps=None)
    address = f"/incidents/{incident.code}/steps/"
    client = browse(cast.ada)
    assert address not in re.findall(r'action="([^"]+)"', client.get(incident.path).content.decode())
    type(incident).objects.filter(pk=incident.pk).update(scenario="data-access", version=incident.version + 1)
    page = client.get(incident.path).content.decode()
    assert address in re.findall(r'action="([^"]+)"', page)
    answer = client.post(address, {"scenario": "data-access"})
    assert answer["Location"] == f"{incident.path}#runbook"
    assert incident.steps.filter(title="Establish what was read, and whose it is").count() == 1
    assert address not in re.findall(r'action="([^"]+)"', client.get(incident.path).content.decode())
