"""What raw SQL can't do to the record of incidents, as the application and as the owner of its tables."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.apps import apps
from psycopg import errors

from apps.incidents.actions.drill_run import answer_inject, end_exercise, give_inject
from apps.incidents.actions.drills import Plan, add_inject, make_ready, plan_exercise, start_exercise
from apps.incidents.actions.first_view import note_first_view
from apps.incidents.actions.leads import answer_handover, ask_handover
from apps.incidents.actions.rules import set_response_rule
from apps.incidents.actions.timeline import finish_task, set_task
from apps.incidents.models import Exercise, Incident, IncidentFile, LeadTerm, Page
from apps.incidents.queries.rules import RuleText
from apps.notify.actions import enqueue
from apps.notify.actions.deliveries import Call, enqueue_deliveries
from apps.notify.models import Delivery, Endpoint, Message
from tests import databases
from tests.cast import Cast
from tests.factories import a_system
from tests.incidents.clock_world import with_clocks
from tests.incidents.learning_world import LATER, NOW, active, contained, resolved
from tests.incidents.shell_world import again, closed, refused
from tests.incidents.world import settle

AT = NOW + timedelta(days=2)


BEGINS = "An incident begins as reported"


@pytest.mark.committed
def test_an_incident_begins_at_the_beginning(shell: psycopg.Connection[Any]) -> None:
    cast = Cast()
    incident = active(cast)
    own = {"code": "INC-7777", "number": 7777}
    said = str(NOW)

    again(shell, "incidents_incident", incident.pk, BEGINS, **own)  # active, as it stands
    reported = {**own, "state": "reported", "version": 1, "active_at": None, "lead_accepted_at": None}
    for change in (
        {"state": "closed", "closed_at": said}, {"lead_accepted_at": said}, {"version": 9}, {"reopened": 1},
        {"resolution": "x"}, {"resolved_at": said}, {"freeze_waiver": "x", "freeze_waived_by_id": str(cast.ada.pk)},
        {"classified_at": str(NOW - timedelta(hours=1))}, {"classify_by": str(NOW - timedelta(days=1))},
        {"state": "dismissed", "dismissed_at": said, "dismissed_because": "benign"},
    ):  # fmt: skip
        again(shell, "incidents_incident", incident.pk, BEGINS, **(reported | change))
    # Whole, and yet nobody leads it: at the end of the transaction it is refused.
    again(shell, "incidents_incident", incident.pk, "exactly one lead", **reported, severity="unclassified",
          classified_at=None)  # fmt: skip
    assert not Incident.objects.filter(code="INC-7777").exists()


@pytest.mark.committed
def test_what_was_declared_and_what_is_over_stays(shell: psycopg.Connection[Any]) -> None:
    cast = Cast()
    incident, token = active(cast), "0b8d2f34-5a1e-4a3c-9d5e-3f0f8e1f7c11"
    stays = "who led by which rule, does not change"
    change = "UPDATE incidents_incident SET {}, version = version + 1 WHERE id = %(pk)s"
    for what in ("form_token = %(token)s", "dedup_key = 'x'", "owner_id = %(ben)s", "basis = 'x'", "is_fallback = true",
                 "description = 'x'", "about = 'x'"):  # fmt: skip
        refused(shell, change.format(what), stays, pk=incident.pk, token=token, ben=cast.ben.pk)
    refused(shell, change.format("severity = 'sev4'"), "How bad it is stands on record", pk=incident.pk)
    over = closed(cast)
    for what in ("title = 'x'", "resolution = 'x'", "lead_id = %(ben)s", "resolved_at = now()", "visibility = 'open'",
                 "closed_at = now()", "reopened = 3"):  # fmt: skip
        sql = change.format(what if what != "visibility = 'open'" else "visibility = 'restricted'")
        refused(shell, sql, "What is over does not change", pk=over.pk, ben=cast.ben.pk)
    refused(shell, change.format("state = 'active', closed_at = NULL"), "opened again is counted", pk=over.pk)


@pytest.mark.committed
def test_who_led_and_who_was_asked_stays(shell: psycopg.Connection[Any]) -> None:
    cast = Cast()
    incident, over = active(cast), closed(cast)
    asked = ask_handover(incident, cast.ben, briefing="All is done", actor=cast.ada, now=LATER)
    answer_handover(asked, takes=True, actor=cast.ben, now=LATER)
    task = set_task(incident, what="Call them", person=cast.ben, actor=cast.ben, now=LATER)
    finish_task(task, outcome="Done", actor=cast.ben, now=LATER)
    running, ended = LeadTerm.objects.filter(incident=incident).order_by("-pk")[:2]
    kept = "stays on record"
    for what in ("person_id = %(una)s", "incident_id = %(over)s", "basis = 'x'", "proposed_at = now()",
                 "accepted_at = now()"):  # fmt: skip
        for term in (running, ended):
            refused(shell, f"UPDATE incidents_leadterm SET {what} WHERE id = %(pk)s", kept, pk=term.pk, over=over.pk,
                    una=cast.una.pk)  # fmt: skip
    for what in ("ended_at = NULL, ended_because = ''", "reason = 'x'", "ended_by_id = NULL"):
        refused(shell, f"UPDATE incidents_leadterm SET {what} WHERE id = %(pk)s", kept, pk=ended.pk)
    led = ("INSERT INTO incidents_leadterm (incident_id, person_id, basis, proposed_at, ended_at, ended_because, "
           "reason) VALUES (%(pk)s, %(who)s, 'x', now(), {}, {}, '')")  # fmt: skip
    refused(shell, led.format("now()", "'over'"), "begins to, before it ends", pk=incident.pk, who=cast.una.pk)
    for who in (cast.una, cast.ivan, cast.robot):  # beside who leads, and of what is over
        refused(shell, led.format("NULL", "''"), "one_lead_at_each_moment", pk=incident.pk, who=who.pk)
        refused(shell, led.format("NULL", "''"), "exactly one lead", pk=over.pk, who=who.pk)
    for table, pk, changes in (
        ("leadhandover", asked.pk, ("briefing = 'x'", "incoming_id = %(una)s", "state = 'declined', reason = 'x'",
                                    "state = 'asked', answered_at = NULL")),
        ("incidenttask", task.pk, ("what = 'x'", "done_at = NULL, done_by_id = NULL", "outcome = 'x'",
                                   "done_by_id = %(una)s")),
    ):  # fmt: skip
        for what in changes:
            refused(shell, f"UPDATE incidents_{table} SET {what} WHERE id = %(pk)s", kept, pk=pk, una=cast.una.pk)
    waits = set_task(incident, what="Call them again", person=cast.ben, actor=cast.ben, now=LATER)
    still = ask_handover(incident, cast.una, briefing="All is done", actor=cast.ben, now=LATER)
    refused(shell, "UPDATE incidents_incidenttask SET called = true WHERE id = %(pk)s", kept, pk=waits.pk)
    refused(shell, "UPDATE incidents_leadhandover SET by_rule = true WHERE id = %(pk)s", kept, pk=still.pk)
    again(shell, "incidents_leadhandover", asked.pk, "asked before they answer", id=asked.pk + 1000)
    again(shell, "incidents_incidenttask", task.pk, "set before it is done", id=task.pk + 1000)


@pytest.mark.committed
def test_calling_begins_by_calling_and_stops_with_the_incident(shell: psycopg.Connection[Any]) -> None:
    cast = Cast()
    incident, over = active(cast), closed(cast)
    page = Page.objects.filter(incident=incident).latest("pk")
    assert page.state == "acked"
    for what in ("state = 'queued'", "answered_at = NULL", "answered_by_id = %(una)s", "answered_by_way = 'link'",
                 "person_id = %(una)s", "queued_at = now()", "reason = 'x'"):  # fmt: skip
        with pytest.raises((errors.RestrictViolation, errors.RaiseException, errors.CheckViolation)):
            shell.execute(
                f"UPDATE incidents_page SET {what} WHERE id = %(pk)s",  # type: ignore[arg-type]
                {"pk": page.pk, "una": cast.una.pk},
            )
    other = with_clocks(cast)  # nobody has taken that one
    called = Page.objects.filter(incident=other).latest("pk")
    answered = {"state": "acked", "answered_at": str(NOW), "answered_by_id": str(cast.una.pk), "answered_by_way": "app"}
    for change in (answered, {"state": "sent"}, {"sent_at": str(NOW)}):
        again(shell, "incidents_page", called.pk, "goes out before it is answered", id=called.pk + 1000, step=9,
              **change)  # fmt: skip
    row = "UPDATE incidents_escalation SET {} WHERE incident_id = %(pk)s"
    stopped = row.format("state = 'stopped', due_at = NULL")
    refused(shell, stopped, "Calling stops when the incident is over", pk=other.pk)
    refused(shell, row.format("incident_id = %(over)s"), "stays on record", pk=other.pk, over=over.pk)
    refused(shell, row.format("due_at = NULL"), "escalation_running_is_timed", pk=other.pk)
    refused(shell, row.format("state = 'running', due_at = now()"), "begins again in a new round", pk=over.pk)
    for change in ({"state": "acked", "due_at": None, "acked_by_id": str(cast.robot.pk), "acked_at": str(NOW)},
                   {"state": "stopped", "due_at": None}, {"round": 7}):  # fmt: skip
        again(shell, "incidents_escalation", other.pk, "Calling begins with the first step", pk_is="incident_id",
              **change)  # fmt: skip


@pytest.mark.committed
def test_what_was_signed_and_decided_stays(shell: psycopg.Connection[Any]) -> None:
    cast = Cast()
    over = closed(cast)
    clock, review, signed = over.clocks.first(), over.review, over.review.signature
    other = resolved(cast)
    wait = with_clocks(cast).clocks.first()
    kept = "A signed decision not to report does not change"
    for what in ("decision = 'x'", "decided_by_id = %(una)s", "decided_at = now()"):
        refused(shell, f"UPDATE incidents_incidentclock SET {what} WHERE id = %(pk)s", kept, pk=clock.pk,
                una=cast.una.pk)  # fmt: skip
    # Somebody else's signature, another incident's, another rule's.
    sql = ("UPDATE incidents_incidentclock SET state = 'not_reportable', decision = 'x', decided_by_id = %(who)s, "
           "decided_at = now(), signature_id = %(signed)s WHERE id = %(pk)s")  # fmt: skip
    for who in (cast.lea, cast.una):
        refused(shell, sql, "is signed for this incident", pk=wait.pk, who=who.pk, signed=clock.signature_id)
    again(shell, "incidents_incidentclock", clock.pk, "is assessed before", id=clock.pk + 1000)
    for what in ("state = 'open', done_at = NULL, signature_id = NULL", "incident_id = %(other)s", "causes = 'x'"):
        with pytest.raises(errors.RestrictViolation):
            shell.execute(
                f"UPDATE incidents_review SET {what} WHERE id = %(pk)s",  # type: ignore[arg-type]
                {"pk": review.pk, "other": other.pk},
            )
    done = ("UPDATE incidents_review SET state = 'done', done_at = now(), timeline_ok = true, summary = 'x', "
            "causes = 'x', signature_id = %(signed)s WHERE incident_id = %(pk)s")  # fmt: skip
    refused(shell, done, "signed by who facilitates it", pk=other.pk, signed=signed.pk)
    whole = "says itself who signed what"
    own = {"id": signed.pk + 1000}
    for change in ({"person_id": str(cast.mara.pk)}, {"incident_id": other.pk}, {"kind": "skipped_review"},
                   {"statement": "x"}, {"signer_name": "Mara Lindt"}, {"method": "passkey"}):  # fmt: skip
        again(shell, "incidents_signature", signed.pk, whole, **own, **change)
    for person in (cast.ivan, cast.robot):
        again(shell, "incidents_signature", signed.pk, "An active person signs", **own, person_id=str(person.pk))
    again(shell, "incidents_signature", signed.pk, "can be read on its own", **own, payload="[1]")


@pytest.mark.committed
def test_the_signature_of_an_earlier_review_stands_for_that_one_alone(shell: psycopg.Connection[Any]) -> None:
    from apps.incidents.actions.leads import take_lead
    from apps.incidents.actions.states import reopen, resolve

    cast = Cast()
    incident = closed(cast)
    first = incident.review.signature
    incident = reopen(incident, reason="Again", actor=cast.mara, now=LATER)
    incident = take_lead(incident, cast.ada, actor=cast.ada, now=LATER)
    incident = resolve(contained(incident, cast.ada, LATER), resolution="x", actor=cast.ada, now=LATER)
    again_ = ("UPDATE incidents_review SET state = 'done', done_at = now(), timeline_ok = true, "
              "signature_id = %(signed)s WHERE incident_id = %(pk)s")  # fmt: skip
    refused(shell, again_, "signed as its incident stands now", pk=incident.pk, signed=first.pk)


@pytest.mark.committed
def test_drills_files_steps_and_rules_stay(shell: psycopg.Connection[Any]) -> None:
    cast = Cast()
    drill, inject = a_finished_drill(cast)
    refused(shell, "DELETE FROM incidents_exercise_systems WHERE exercise_id = %(pk)s", "once it started", pk=drill.pk)
    refused(shell, "INSERT INTO incidents_exercise_systems (exercise_id, system_id) VALUES (%(pk)s, %(system)s)",
            "once it started", pk=drill.pk, system=a_system(cast, owner=cast.ada).pk)  # fmt: skip
    for what in ("text = 'x'", "answer = 'x'", "given_at = now()", "answered_at = now()", '"order" = 9'):
        refused(shell, f"UPDATE incidents_inject SET {what} WHERE id = %(pk)s", "stays on record", pk=inject.pk)
    refused(shell, "DELETE FROM incidents_inject WHERE id = %(pk)s", "stays on record", pk=inject.pk)
    again(shell, "incidents_inject", inject.pk, "before it is told", id=inject.pk + 1000, order=8)
    again(shell, "incidents_exercise", drill.pk, "planned before it runs", id=drill.pk + 1000, code="EX-9998")
    incident = active(cast)
    file = IncidentFile.objects.create(
        incident=incident, number=1, name="a.txt", size=1, content_type="text/plain", sha256="0" * 64,
        added_by=cast.ada, added_at=NOW,
    )  # fmt: skip
    for what in ("sha256 = repeat('1', 64)", "name = 'x'", "incident_id = incident_id"):
        refused(shell, f"UPDATE incidents_incidentfile SET {what} WHERE id = %(pk)s", "stay as they were", pk=file.pk)
    step = incident.steps.first()
    changes = {"state": "done", "done_by_id": str(cast.ada.pk), "done_at": str(NOW), "evidence": "x"}
    again(shell, "incidents_incidentstep", step.pk, "to do before it is done", id=step.pk + 1000, order=99, **changes)
    note_first_view(incident, cast.dov, NOW)
    refused(shell, "UPDATE incidents_cardview SET at = now()", "Who looked first")
    refused(shell, "DELETE FROM incidents_cardview", "Who looked first")


def a_finished_drill(cast: Any) -> tuple[Exercise, Any]:
    """A tabletop that is talked through, with what it told and the answer."""
    system = a_system(cast, owner=cast.ada)
    settle()
    plan = Plan("tabletop", "An agent reads letters", "data-access", (system,), ("Who leads is known",), cast.mara, AT)
    drill = plan_exercise(plan, actor=cast.mara, now=NOW)
    inject = add_inject(drill, offset_minutes=1, text="A journalist calls", expected_action="Ask Legal",
                        actor=cast.mara, now=NOW)  # fmt: skip
    drill = make_ready(drill, actor=cast.mara, now=NOW)
    start_exercise(drill, actor=cast.mara, now=AT)
    give_inject(inject, actor=cast.mara, now=AT)
    answer_inject(inject, answer="I ask Lea", actor=cast.mara, now=AT)
    return end_exercise(drill, actor=cast.mara, now=AT), inject


@pytest.mark.committed
def test_a_rule_in_force_is_not_rewritten(shell: psycopg.Connection[Any]) -> None:
    cast = Cast()
    system = a_system(cast, owner=cast.ada)
    rule = set_response_rule(RuleText("Knows it", system=system, lead_person=cast.una), actor=cast.mara, now=NOW)
    change = "UPDATE incidents_responserule SET {} WHERE id = %(pk)s"
    for what in ("lead_person_id = %(ben)s", "reason = 'x'", "scenario = 'cost-spike'", "valid_from = now()",
                 "set_by_id = %(ben)s"):  # fmt: skip
        refused(shell, change.format(what), "A rule does not change", pk=rule.pk, ben=cast.ben.pk)
    shell.execute(change.format("valid_to = now(), ended_by_id = set_by_id"), {"pk": rule.pk})  # type: ignore[arg-type]
    refused(shell, change.format("valid_to = NULL, ended_by_id = NULL"), "A rule does not change", pk=rule.pk)


@pytest.mark.committed
def test_what_was_said_stays(shell: psycopg.Connection[Any]) -> None:
    cast, key = Cast(), f"x:{Message.objects.count()}"
    enqueue(key=key, recipient=cast.ada, subject="S", body="B", now=NOW)
    endpoint = Endpoint.objects.create(
        name=f"Room {key}", kind="generic", url="https://hooks.example.org/", created_by=cast.mara, created_at=NOW
    )
    enqueue_deliveries([Call(key, endpoint, {"title": "T"})], now=NOW)
    for model, stays in ((Message, ("subject = 'x'", "body = 'x'", "recipient_id = %(ben)s", "path = '/x/'",
                                    "urgent = true", "key = 'y'", "created_at = now()")),
                         (Delivery, ("content = '{}'", "urgent = true", "key = 'y'", "created_at = now()")),
                         ):  # fmt: skip
        table, row = model._meta.db_table, model.objects.get(key=key)
        change = f"UPDATE {table} SET {{}} WHERE id = %(pk)s"
        for what in stays:
            refused(shell, change.format(what), "stays as it was written", pk=row.pk, ben=cast.ben.pk)
        again(shell, table, row.pk, "waits before it is sent", id=row.pk + 1000, key=f"{key}!", state="sent",
              sent_at=str(NOW))  # fmt: skip
        shell.execute(change.format("state = 'failed', error = 'x'"), {"pk": row.pk})  # type: ignore[arg-type]
        for what in ("error = ''", "attempts = 9", "not_before = now()"):
            refused(shell, change.format(what), "What came of it stays on record", pk=row.pk)
        refused(shell, f"DELETE FROM {table}", "What was said stays on record")


# -- closed worlds

# What is not history: worked out anew from what is, or a draft, with who keeps it so.
NOT_HISTORY = {
    "incidents_responsecard": "worked out by the database, which alone writes it",
    "incidents_stalecard": "what is to be worked out at the end of a transaction; the database alone writes it",
    "incidents_preflight": "worked out anew each night from plans, people and channels",
    "incidents_incidentuserpermission": "who sees an incident, worked out from who takes part",
}
# A draft is given up, and what a drill will tell is taken out again before it runs: their own rule says until when.
DRAFTS = {"incidents_runbookversion", "incidents_runbookstep", "incidents_inject", "incidents_exercise_systems"}
GUARDED_SQL = """
SELECT c.relname, COALESCE(bool_or(t.tgtype & 8 > 0 AND t.tgtype & 2 > 0 AND t.tgenabled = 'A'), false),
    COALESCE(bool_or(t.tgtype & 32 > 0 AND t.tgtype & 2 > 0 AND t.tgenabled = 'A'), false),
    COALESCE(bool_or(t.tgtype & 16 > 0 AND t.tgtype & 2 > 0 AND t.tgenabled = 'A'), false),
    has_table_privilege('govportal_app', c.oid, 'TRUNCATE'), has_table_privilege('govportal_app', c.oid, 'DELETE')
FROM pg_class c LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal
WHERE c.relkind IN ('r', 'p') AND c.relname ~ '^(incidents|notify)_' GROUP BY c.oid, c.relname ORDER BY c.relname
"""
# Kept as they are by who may change them, each change with an event; nothing of them is a past that could be bent.
MAY_BE_REWRITTEN = {"incidents_authority", "incidents_responseprofile"}


@pytest.mark.committed
def test_every_table_keeps_its_history(rules_db: str) -> None:
    with psycopg.connect(databases.owner_url(rules_db)) as owner:
        found = {row[0]: row[1:] for row in owner.execute(GUARDED_SQL)}
    tables = {
        model._meta.db_table
        for app in ("incidents", "notify")
        for model in apps.get_app_config(app).get_models(include_auto_created=True)
    }
    assert set(found) == tables
    for table, (deletes, truncates, updates, may_truncate, may_delete) in found.items():
        assert not may_truncate, table
        if table in NOT_HISTORY:
            assert not may_delete or table in {"incidents_preflight", "incidents_incidentuserpermission"}, table
            continue
        assert deletes, f"{table} can be deleted from"
        assert truncates, f"{table} can be emptied by its owner"
        assert updates or table in MAY_BE_REWRITTEN, f"{table} can be rewritten"
    assert set(found) > DRAFTS


AS_OWNER_SQL = """
SELECT p.oid::regprocedure::text, p.proconfig, has_function_privilege('public', p.oid, 'EXECUTE'),
    has_function_privilege('govportal_app', p.oid, 'EXECUTE')
FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace
"""


@pytest.mark.committed
def test_what_runs_as_the_owner_is_called_by_the_application_alone(rules_db: str) -> None:
    with psycopg.connect(databases.owner_url(rules_db)) as owner:
        found = owner.execute(AS_OWNER_SQL).fetchall()
        paths = owner.execute("SELECT has_schema_privilege('public', 'public', 'CREATE')").fetchone()
    assert {row[0].split("(")[0] for row in found} == {
        "audit_ensure_partition", "incidents_note", "incidents_refresh_cards", "incidents_settle",
        "incidents_settle_rows",
    }  # fmt: skip
    for name, settings, by_all, by_app in found:
        assert "search_path=public, pg_temp" in settings, name
        assert (by_all, by_app) == (False, True), name
    assert paths == (False,)
