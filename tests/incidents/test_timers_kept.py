"""No deadline, reminder, call or day is moved or skipped, also by raw SQL, as the application or as the owner."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from apps.common import clock as wall
from apps.incidents.actions.clock_rules import new_rule_version
from apps.incidents.actions.clock_watch import alert, ask_again
from apps.incidents.actions.clocks import correct_anchor, start_clock
from apps.incidents.actions.declare import declare
from apps.incidents.actions.reviews import open_review
from apps.incidents.actions.timeline import add_note
from apps.incidents.models import ClockRule
from apps.incidents.rules.reviews import review_due
from tests.cast import Cast
from tests.incidents.clock_world import clock, with_clocks
from tests.incidents.learning_world import LATER, NOW, active, resolved
from tests.incidents.shell_world import again, all_refused, closed, refused


@pytest.mark.committed
def test_a_legal_deadline_moves_only_with_its_start(shell: psycopg.Connection[Any]) -> None:
    cast = Cast()
    incident = with_clocks(cast)
    made = start_clock(clock(incident, "GDPR-33"), anchor_at=NOW, reason="Read", actor=cast.lea, now=NOW)
    change = "UPDATE incidents_incidentclock SET {} WHERE id = %(pk)s"
    for what in ("due_at = due_at + interval '30 days'", "due_at = due_at - interval '1 hour'",
                 "anchor_at = anchor_at + interval '1 hour', due_at = due_at + interval '1 hour'"):  # fmt: skip
        refused(shell, change.format(what), "at a moment that is on record", pk=made.pk)
    # With a start on record: still no later than the law has it.
    start = ("INSERT INTO incidents_clockanchor (clock_id, anchor, at, reason, said_at) VALUES "
             "(%(pk)s, 'aware', %(at)s, 'x', %(at)s)")  # fmt: skip
    for hours in (73, -1):
        due = NOW + timedelta(hours=hours)
        statements = (start, change.format("due_at = %(due)s"))
        all_refused(shell, statements, "no later than the rule", pk=made.pk, at=NOW, due=due)
    waits = clock(incident, "GDPR-34")
    refused(shell, change.format("assess_by = assess_by + interval '1 day'"), "Until when a duty", pk=waits.pk)
    refused(shell, change.format("assess_by = NULL"), "Until when a duty", pk=waits.pk)
    corrected = correct_anchor(made, anchor_at=NOW - timedelta(hours=2), reason="Earlier", actor=cast.lea, now=LATER)
    assert corrected.due_at == NOW + timedelta(hours=70)


@pytest.mark.committed
def test_a_duty_is_replaced_by_its_next_version_alone(shell: psycopg.Connection[Any]) -> None:
    cast = Cast()
    refused(shell, "UPDATE incidents_clockrule SET replaced_at = now() WHERE key = 'GDPR-33' AND replaced_at IS NULL",
            "never by nothing")  # fmt: skip
    rule = ClockRule.objects.get(key="NIS2-24", replaced_at=None)
    changes = {"note": f"Read again after version {rule.version}"}
    assert new_rule_version(rule, changes, reason="Read", actor=cast.lea, now=NOW).version == rule.version + 1


@pytest.mark.committed
def test_calling_is_not_put_off(shell: psycopg.Connection[Any]) -> None:
    cast = Cast()
    waits, taken = with_clocks(cast, severity="sev1"), active(cast)
    row = "UPDATE incidents_escalation SET {} WHERE incident_id = %(pk)s"
    later, longer = "not called later than they were", "neither is put off for longer"
    for what in ("due_at = due_at + interval '1 second'", "due_at = '2100-01-01'"):
        refused(shell, row.format(what), later, pk=waits.pk)
    for what in ("step = step + 1, due_at = '2100-01-01'", "round = round + 1, due_at = '2100-01-01'"):
        refused(shell, row.format(what), longer, pk=waits.pk)
    for what in ("ack_until = NULL", "ack_until = '2100-01-01'"):
        refused(shell, row.format(what), longer, pk=taken.pk)
    shell.execute(row.format("due_at = due_at - interval '1 minute'"), {"pk": waits.pk})  # type: ignore[arg-type]


@pytest.mark.committed
def test_nobody_falls_silent_who_did_not_take_it(shell: psycopg.Connection[Any]) -> None:
    cast = Cast()
    waits, taken, over = with_clocks(cast), active(cast), resolved(cast)
    row = "UPDATE incidents_escalation SET {} WHERE incident_id = %(pk)s"
    silent = "state = 'acked', due_at = NULL, acked_by_id = %(who)s, acked_at = now(), ack_until = now()"
    where = "where the one who leads took it"
    for who in (cast.ada, cast.una):
        refused(shell, row.format(silent), where, pk=waits.pk, who=who.pk)
    refused(shell, row.format("acked_by_id = %(who)s"), where, pk=taken.pk, who=cast.una.pk)
    # Somebody else is named as the lead, and nobody asks them.
    relieved = (
        "UPDATE incidents_leadterm SET ended_at = now(), ended_because = 'relieved', reason = 'x' "
        "WHERE incident_id = %(pk)s AND ended_at IS NULL",
        "INSERT INTO incidents_leadterm (incident_id, person_id, basis, proposed_at, ended_because, reason) "
        "VALUES (%(pk)s, %(who)s, 'x', now(), '', '')",
        "UPDATE incidents_incident SET lead_id = %(who)s, version = version + 1 WHERE id = %(pk)s",
    )
    for who in (cast.una, cast.ada):
        all_refused(shell, relieved, where, pk=taken.pk, who=who.pk)
    change = "UPDATE incidents_incident SET {}, version = version + 1 WHERE id = %(pk)s"
    goes = "nobody is once it is over"
    refused(shell, row.format("state = 'running', round = round + 1, due_at = began_at"), goes, pk=over.pk)
    refused(shell, change.format("state = 'active', reopened = 1"), goes, pk=over.pk)
    refused(shell, change.format("state = 'merged', merged_at = now(), merged_into_id = %(into)s"), goes, pk=waits.pk,
            into=taken.pk)  # fmt: skip


@pytest.mark.committed
def test_what_was_measured_stays(shell: psycopg.Connection[Any]) -> None:
    cast = Cast()
    incident, over = resolved(cast), closed(cast)
    waits = with_clocks(cast)
    change = "UPDATE incidents_incident SET {}, version = version + 1 WHERE id = %(pk)s"
    for what in ("classify_by = classify_by + interval '1 second'", "classify_by = declared_at"):
        refused(shell, change.format(what), "The time for saying how bad it is stays", pk=waits.pk)
    again(shell, "incidents_incident", waits.pk, "within 30 minutes", code="INC-7778", number=7778, state="reported",
          version=1, classify_by="2100-01-01")  # fmt: skip
    for what in ("lead_accepted_at = declared_at", "active_at = declared_at", "contained_at = declared_at",
                 "resolved_at = declared_at", "resolution = 'Nothing'", "classified_at = active_at"):  # fmt: skip
        refused(shell, change.format(what), "stays on record", pk=incident.pk)
    merged = change.format("state = 'merged', merged_at = now(), merged_into_id = %(into)s")
    test = declare(title="T", system=waits.system, actor=cast.mara, now=NOW, mode="test")
    for into in (over, test):
        refused(shell, merged, "one of its kind that goes on", pk=waits.pk, into=into.pk)


@pytest.mark.committed
def test_each_step_of_a_plan_calls_somebody(shell: psycopg.Connection[Any]) -> None:
    add = ("INSERT INTO incidents_escalationplan (name, scenario, steps, repeat, reason, valid_from) VALUES "
           "('x', 'cost-spike', %(steps)s, 1, '', now())")  # fmt: skip
    lead = {"kind": "lead"}
    for steps in (
        {}, "x", None, 7, [7], ["x"], [[]], [{}], [{"after": 0}], [{"after": "0", "targets": [lead]}],
        [{"after": -1, "targets": [lead]}], [{"after": 1441, "targets": [lead]}], [{"after": 0, "targets": []}],
        [{"after": 0, "targets": "lead"}], [{"after": 0, "targets": ["lead"]}], [{"after": 0, "targets": [{}]}],
        [{"after": 0, "targets": [{"kind": "boss"}]}], [{"after": 0, "targets": [{"kind": "person"}]}],
        [{"after": 0, "targets": [{"kind": "person", "person": "ada"}]}], [{"after": 0, "targets": [{"kind": "seat"}]}],
        [{"after": 0, "targets": [lead]}, {"after": 5, "targets": [{"kind": "boss"}]}],
    ):  # fmt: skip
        refused(shell, add, "plan_", steps=Jsonb(steps))
    whole = [{"after": 0, "targets": [lead, {"kind": "seat", "seat": "ciso"}], "channels": 2},
             {"after": 1440, "targets": [{"kind": "person", "person": str(Cast().ada.pk)}], "channels": 0}]  # fmt: skip
    with shell.transaction(force_rollback=True):
        shell.execute(add, {"steps": Jsonb(whole)})


# -- what is owed


@pytest.mark.committed
def test_a_reminder_is_given_when_its_time_has_come(shell: psycopg.Connection[Any]) -> None:
    cast, now = Cast(), wall.now()
    made = start_clock(
        clock(with_clocks(cast, now=now), "GDPR-33"), anchor_at=now, reason="Read", actor=cast.lea, now=now
    )
    change = "UPDATE incidents_incidentclock SET {} WHERE id = %(pk)s"
    early = "is reminded when the time has come"
    for what in ("alerted = 1", "alerted = 50", "alerted = 99", "alerted = 100", "alerted = 32767"):
        refused(shell, change.format(what), early, pk=made.pk)
    refused(shell, change.format("state = 'missed', alerted = 100"), "once it has passed", pk=made.pk)
    other = start_clock(
        clock(with_clocks(cast, now=now), "GDPR-33"), anchor_at=now, reason="Read", actor=cast.lea, now=now
    )
    assert alert(now=now + timedelta(hours=54), only=other.pk) == 1
    other.refresh_from_db()
    assert other.alerted == 75
    for what in ("alerted = 0", "alerted = 90", "alerted = 99"):
        refused(shell, change.format(what), "", pk=other.pk)
    refused(shell, change.format("alerted = 0"), "stays given", pk=other.pk)
    start = ("INSERT INTO incidents_clockanchor (clock_id, anchor, at, reason, said_at) VALUES "
             "(%(pk)s, 'aware', %(at)s, 'x', %(at)s)")  # fmt: skip
    earlier = now - timedelta(hours=1)
    moved = change.format("anchor_at = %(at)s, due_at = due_at - interval '1 hour'")
    all_refused(shell, (start, moved), early, pk=other.pk, at=earlier)  # as if it had come by the new deadline
    corrected = correct_anchor(other, anchor_at=earlier, reason="Earlier", actor=cast.lea, now=now)
    assert corrected.alerted == 0


@pytest.mark.committed
def test_who_did_not_assess_is_asked_again(shell: psycopg.Connection[Any]) -> None:
    cast, now = Cast(), wall.now()
    incident = with_clocks(cast, now=now)
    waits = clock(incident, "DORA-INI")
    change = "UPDATE incidents_incidentclock SET alerted = {} WHERE id = %(pk)s"
    for level in (1, 50, 100):
        refused(shell, change.format(level), "is reminded when the time has come", pk=waits.pk)
    again(shell, "incidents_incidentclock", waits.pk, "before it was there", id=waits.pk + 1000, alerted=1)
    assert ask_again(now=now + timedelta(hours=6, seconds=1), only=waits.pk) == 1
    refused(shell, change.format(0), "stays given", pk=waits.pk)


@pytest.mark.committed
def test_the_day_of_a_review_stays(shell: psycopg.Connection[Any]) -> None:
    cast = Cast()
    incident, over = resolved(cast), closed(cast)
    change = "UPDATE incidents_review SET {} WHERE incident_id = %(pk)s"
    for what in ("due_on = due_on + 1", "due_on = due_on - 1", "due_on = '2100-01-01'",
                 "due_on = '2100-01-01', opened_at = '2099-12-30'", "opened_at = opened_at + interval '1 day'",
                 "version = version + 1, due_on = due_on + 3"):  # fmt: skip
        refused(shell, change.format(what), "The day of a review stays", pk=incident.pk)
        refused(shell, change.format(what), "", pk=over.pk)
    # Where it is to begin anew, no later either.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("apps.incidents.actions.reviews.suggested_facilitator", lambda *_: None)
        alone = resolved(cast)
    add = ("INSERT INTO incidents_review (incident_id, required_by, facilitator_id, lead_id, due_on, state, "
           "timeline_ok, summary, causes, contributing_factors, what_worked, opened_at, skip_reason, version) VALUES "
           "(%(pk)s, '', %(mara)s, %(ada)s, %(due)s, 'open', false, '', '', '', '', %(at)s, '', 1)")  # fmt: skip
    for at, due, said in ((LATER, LATER + timedelta(days=26), "five working days after"),
                          (LATER, LATER - timedelta(days=1), "five working days after"),
                          (LATER + timedelta(days=9), LATER + timedelta(days=14), "the timeline says so")):  # fmt: skip
        refused(shell, add, said, pk=alone.pk, mara=cast.mara.pk, ada=cast.ada.pk, at=at, due=due.date())
    assert open_review(alone, cast.mara, actor=cast.mara, now=LATER).due_on == review_due(LATER)


@pytest.mark.committed
def test_a_line_corrects_one_of_its_own_incident(shell: psycopg.Connection[Any]) -> None:
    cast = Cast()
    incident, other = active(cast), active(cast)
    mine, theirs = (add_note(one, text="Nobody knows", actor=cast.ada, now=LATER) for one in (incident, other))
    own = {"id": mine.pk + 1000}
    for corrects in (theirs.pk, mine.pk + 1000, mine.pk + 2000):
        again(shell, "incidents_timelineentry", mine.pk, "one of the same incident", **own, corrects_id=corrects)
    right = add_note(incident, text="Ben knows", corrects=mine, actor=cast.ada, now=LATER)
    assert right.corrects == mine
