"""The register of rules: versions, what binds, contracts, authorities; and what the database itself refuses."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions.clock_rules import add_contract_rule, new_rule_version, set_authority, set_rule_applies
from apps.incidents.actions.clocks import decide_not_reportable, note_submission, start_clock
from apps.incidents.models import Authority, ClockRule
from tests.incidents.clock_world import NOW, a_drill, clock, rule, signed, with_clocks
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db


def refused(act: Callable[[], Any], error: type[Exception] = Refused) -> str:
    before = list(ClockRule.objects.order_by("pk").values()), AuditEvent.objects.count(), Authority.objects.count()
    with pytest.raises(error) as raised, transaction.atomic():
        act()
    after = list(ClockRule.objects.order_by("pk").values()), AuditEvent.objects.count(), Authority.objects.count()
    assert before == after
    return str(raised.value)


def by_sql(statement: str, *values: Any, settled: bool = False) -> str:
    """What the database says to the application's own role."""

    def run() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, values)
            if settled:
                settle()

    with pytest.raises(DatabaseError) as raised:
        run()
    return str(raised.value)


def test_somebody_says_whether_a_rule_binds(cast: Any) -> None:
    said = set_rule_applies(rule("NIS2-24"), True, reason="Important entity", actor=cast.lea, now=NOW)
    assert (said.applies, said.applies_reason, said.applies_by, said.applies_at) == (
        True, "Important entity", cast.lea, NOW,
    )  # fmt: skip
    # A seat holder manages incidents too.
    assert set_rule_applies(rule("NIS2-24"), None, reason="Being looked at", actor=cast.cleo, now=NOW).applies is None
    assert AuditEvent.objects.filter(kind="clock.rule.changed", subject_id="NIS2-24").count() == 2


def test_who_does_not_keep_the_register(cast: Any) -> None:
    one = rule("NIS2-24")
    by = {"reason": "x", "now": NOW}
    for other in (cast.dov, cast.ada, cast.eve, cast.bo):
        refused(lambda a=other: set_rule_applies(one, True, actor=a, **by), NotAllowed)
        refused(lambda a=other: new_rule_version(one, {"amount": 12}, actor=a, **by), NotAllowed)
        refused(lambda a=other: set_authority(one, name="BSI", actor=a, now=NOW), NotAllowed)
        refused(lambda a=other: _contract(a), NotAllowed)
    refused(lambda: set_rule_applies(one, True, reason=" ", actor=cast.lea, now=NOW))


def _contract(actor: Any, **more: Any) -> ClockRule:
    values = {
        "counterparty": "Nordlicht Re", "clause": "§ 12.3", "trigger": "Were their data read?", "amount": 24,
        "unit": "h", "contact": "security@nordlicht.example",
    } | more  # fmt: skip
    return add_contract_rule(actor=actor, now=NOW, **values)


def test_a_change_of_law_is_a_new_version(cast: Any) -> None:
    set_rule_applies(rule("CO-189"), True, reason="We decide there", actor=cast.lea, now=NOW)
    made = new_rule_version(rule("CO-189"), {"status": "in_force"}, reason="In force", actor=cast.lea, now=NOW)
    assert (made.version, made.status, made.applies, made.set_by) == (2, "in_force", True, cast.lea)
    old = ClockRule.objects.get(key="CO-189", version=1)
    assert (old.status, old.replaced_at) == ("enacted", NOW)
    refused(lambda: new_rule_version(old, {"amount": 1}, reason="x", actor=cast.lea, now=NOW))
    refused(lambda: new_rule_version(made, {"amount": made.amount}, reason="x", actor=cast.lea, now=NOW))
    refused(lambda: new_rule_version(made, {"key": "X"}, reason="x", actor=cast.lea, now=NOW))
    refused(lambda: new_rule_version(made, {"amount": None}, reason="x", actor=cast.lea, now=NOW), ValidationError)


def test_a_contract_is_a_rule_of_its_own_and_runs(cast: Any) -> None:
    made = _contract(cast.lea)
    assert (made.key, made.law, made.applies) == (
        "CONTRACT-NORDLICHT-RE-12-3",
        "Contract with Nordlicht Re § 12.3",
        True,
    )
    refused(lambda: _contract(cast.lea), ValidationError)
    refused(lambda: _contract(cast.lea, counterparty="?", clause="§"))
    incident = with_clocks(cast, scenario="cost-spike")
    assert list(incident.clocks.values_list("rule__key", flat=True)) == [made.key]
    started = start_clock(clock(incident, made.key), anchor_at=NOW, reason="Read", actor=cast.lea, now=NOW)
    assert started.due_at == NOW + timedelta(hours=24)


def test_an_authority_is_filled_in_and_changed(cast: Any) -> None:
    gdpr = rule("GDPR-33")
    first = set_authority(gdpr, name="BfDI", portal="https://bfdi.example/", actor=cast.lea, now=NOW)
    again = set_authority(gdpr, name="BfDI", portal="https://other.example/", actor=cast.lea, now=NOW)
    assert (first.pk, again.portal) == (again.pk, "https://other.example/")
    refused(lambda: set_authority(gdpr, name="", actor=cast.lea, now=NOW), ValidationError)
    refused(lambda: set_authority(gdpr, name="X", portal="javascript:1", actor=cast.lea, now=NOW), ValidationError)


# What the database refuses, whoever asks.


def test_a_version_stays(cast: Any) -> None:
    message = "A version of a rule does not change"
    assert message in by_sql("UPDATE incidents_clockrule SET amount = 96 WHERE key = 'GDPR-33'")
    assert message in by_sql("UPDATE incidents_clockrule SET status = 'in_force' WHERE key = 'CO-205'")
    assert "never deleted" in by_sql("DELETE FROM incidents_clockrule WHERE key = 'GDPR-33'")
    assert "clock_rule_applies_says_why" in by_sql("UPDATE incidents_clockrule SET applies = true")


RUN = "UPDATE incidents_incidentclock SET state = 'running', anchor_at = %s, due_at = %s WHERE id = %s"


def test_no_clock_runs_in_a_drill(cast: Any) -> None:
    drill = with_clocks(cast, mode="drill", exercise=a_drill(cast))
    waits = clock(drill, "GDPR-33")
    assert "starts no legal clock" in by_sql(RUN, NOW, NOW + timedelta(hours=72), waits.pk)


@pytest.mark.parametrize("key", ["CIRCIA-72", "CO-205", "NY-RAISE"])
def test_no_clock_runs_for_what_is_not_law(cast: Any, key: str) -> None:
    incident = with_clocks(cast)
    made = incident.clocks.create(rule=rule(key), opened_at=NOW, decides=cast.lea)
    assert "not in force here" in by_sql(RUN, NOW, NOW + timedelta(hours=72), made.pk)


def test_no_clock_runs_for_a_law_that_begins_later_or_does_not_bind(cast: Any) -> None:
    incident = with_clocks(cast)
    begins = new_rule_version(
        rule("CO-189"), {"status": "in_force"}, reason="Enrolled text read", actor=cast.lea, now=NOW
    )
    made = incident.clocks.create(rule=begins, opened_at=NOW, decides=cast.lea)
    assert "not in force here" in by_sql(RUN, NOW, NOW + timedelta(hours=72), made.pk)
    set_rule_applies(rule("GDPR-34"), False, reason="No personal data", actor=cast.lea, now=NOW)
    assert "not in force here" in by_sql(RUN, NOW, None, clock(incident, "GDPR-34").pk)


def test_a_deadline_stands_on_a_moment_on_record(cast: Any) -> None:
    waits = clock(with_clocks(cast), "GDPR-33")
    assert "at a moment that is on record" in by_sql(RUN, NOW, NOW + timedelta(hours=72), waits.pk, settled=True)
    assert "clock_runs_from_an_anchor" in by_sql(
        "UPDATE incidents_incidentclock SET state = 'running', due_at = now() WHERE id = %s", waits.pk
    )


def test_a_number_means_a_deadline_and_none_means_none(cast: Any) -> None:
    incident = with_clocks(cast)
    message = "A rule that gives a number has a deadline"
    assert message in by_sql(RUN, NOW, None, clock(incident, "GDPR-33").pk)
    assert message in by_sql(RUN, NOW, NOW, clock(incident, "GDPR-33-2").pk)


def test_a_stage_needs_the_submission_before_it(cast: Any) -> None:
    made = with_clocks(cast).clocks.create(rule=rule("DORA-INT"), opened_at=NOW, decides=cast.lea)
    assert "starts with the submission before it" in by_sql(RUN, NOW, NOW + timedelta(hours=72), made.pk)


def test_not_reportable_is_signed_for_this_incident(cast: Any) -> None:
    incident, other = with_clocks(cast), with_clocks(cast)
    signature = decide_not_reportable([clock(other, "GDPR-33")], reason="None", **signed(cast, cast.lea, NOW))
    decide = (
        "UPDATE incidents_incidentclock SET state = 'not_reportable', decision = 'x', decided_by_id = %s, "
        "decided_at = now(), signature_id = %s WHERE id = %s"
    )
    waits = clock(incident, "GDPR-33").pk
    assert "is signed for this incident" in by_sql(decide, cast.lea.pk, signature.pk, waits)
    assert "is signed for this incident" in by_sql(decide, cast.lea.pk, None, waits)


def test_what_was_submitted_and_when_it_started_stays(cast: Any) -> None:
    incident = with_clocks(cast)
    made = start_clock(clock(incident, "GDPR-33"), anchor_at=NOW, reason="Read", actor=cast.lea, now=NOW)
    assert "stays on record" in by_sql("UPDATE incidents_clockanchor SET at = now() WHERE clock_id = %s", made.pk)
    assert "stays on record" in by_sql("DELETE FROM incidents_clockanchor WHERE clock_id = %s", made.pk)
    late = (
        "UPDATE incidents_incidentclock SET state = 'submitted', submission_ref = 'R', submitted_by_id = %s, "
        "submitted_at = due_at + interval '1 second' WHERE id = %s"
    )
    assert "clock_submitted_in_time" in by_sql(late, cast.lea.pk, made.pk)
    note_submission(made, reference="R-1", at=NOW, actor=cast.lea, now=NOW)
    assert "what was submitted stays so" in by_sql(
        "UPDATE incidents_incidentclock SET submission_ref = 'other' WHERE id = %s", made.pk
    )
    assert "what was submitted stays so" in by_sql(
        "UPDATE incidents_incidentclock SET rule_id = %s WHERE id = %s", rule("GDPR-34").pk, made.pk
    )


def test_states_follow_their_order(cast: Any) -> None:
    waits = clock(with_clocks(cast), "GDPR-33")
    for state in ("missed", "submitted", "submitted_late"):
        assert by_sql(
            "UPDATE incidents_incidentclock SET state = %s, anchor_at = %s, due_at = %s, submitted_at = %s, "
            "submitted_by_id = %s, submission_ref = 'R', late_reason = 'x' WHERE id = %s",
            state, NOW, NOW, NOW, cast.lea.pk, waits.pk,
        )  # fmt: skip
    waits.refresh_from_db()
    assert waits.state == "not_assessed"
