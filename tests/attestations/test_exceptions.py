"""Exceptions: declared with the signature, decided by another, verified by another, open again by themselves."""

from datetime import date, timedelta
from typing import Any

import pytest

from apps.attestations.actions.exceptions import (
    ask_extension,
    decide_exception,
    decide_extension,
    follow_findings,
    propose_plan,
)
from apps.attestations.actions.reviews import request_changes
from apps.attestations.models import AttestationException, Extension, Signature
from apps.attestations.queries.exceptions import Filters, decider, listed, rights_over, to_decide
from apps.attestations.queries.reviews import Reviewers
from apps.attestations.rules import Given
from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.findings.actions import reopen
from apps.findings.models import Finding
from apps.notify.models import Message
from tests.attestations.after import (
    EXCEPTION,
    NEXT,
    approved,
    confirmed,
    exception_of,
    found,
    opened,
    put_right,
    signed,
)
from tests.attestations.test_signing import answer, refused, sign

TODAY = NEXT.date()


def test_each_exception_is_a_row_and_a_finding(cast: Any) -> None:
    opened(cast, "one", tier="high")
    signed(cast, kill_switch=EXCEPTION, drills=Given("cannot_attest", "New team"))
    first, second = AttestationException.objects.select_related("finding").order_by("question")
    assert (first.question, first.severity, first.plan) == ("drills", "high", "Find out, and answer the question.")
    assert first.due_on == date(2027, 1, 9)
    assert (second.question, second.severity, second.due_on) == ("kill_switch", "medium", date(2026, 12, 11))
    assert (second.owner, second.state, second.control) == (cast.ada, "requested", "On call")
    finding = second.finding
    assert finding is not None
    assert (finding.code, finding.person, finding.due_on) == ("attestation.exception", cast.ada, date(2026, 12, 11))
    assert finding.title == "ONE (one), Stop tested: Nobody tried"
    assert AuditEvent.objects.filter(kind="exception.declared", cause__isnull=False).count() == 2
    assert AuditEvent.objects.filter(kind="attestation.signed").count() == 1


def test_somebody_else_approves_under_a_signature(cast: Any) -> None:
    exception = exception_of(cast)
    assert decider(exception, Reviewers(NEXT)) == cast.una
    assert list(to_decide(cast.una, NEXT)) == [exception]
    assert not list(to_decide(cast.cleo, NEXT))
    decided = decide_exception(exception, verdict="approved", note="", **confirmed(cast.una))
    assert (decided.state, decided.approver, decided.decided_at) == ("approved", cast.una, NEXT)
    signature = Signature.objects.get(kind="exception")
    assert (signature.meaning, signature.exception_id) == ("approve", exception.pk)
    assert not list(to_decide(cast.una, NEXT))
    assert Message.objects.filter(recipient=cast.ada, key__startswith=f"exception:{exception.pk}:").count() == 1


@pytest.mark.parametrize("name", ["ada", "ben", "eve", "dov"])
def test_nobody_else_decides(cast: Any, name: str) -> None:
    exception = exception_of(cast)
    for verdict in ("approved", "refused", "risk_accepted"):
        with pytest.raises(NotAllowed):
            decide_exception(
                exception, verdict=verdict, note="Because", until=TODAY + timedelta(days=9),
                **confirmed(getattr(cast, name)),
            )  # fmt: skip
    exception.refresh_from_db()
    assert exception.state == "requested"
    assert not Signature.objects.filter(kind="exception").exists()
    assert not Message.objects.filter(key__startswith="exception:").exists()


def test_a_refused_plan_is_proposed_anew(cast: Any) -> None:
    exception = exception_of(cast)
    with pytest.raises(Refused, match="Say why"):
        decide_exception(exception, verdict="refused", note=" ", **confirmed(cast.una))
    decide_exception(exception, verdict="refused", note="A copy is not the system", **confirmed(cast.una))
    with pytest.raises(NotAllowed):
        propose_plan(exception, plan="Mine", control="", actor=cast.ben, now=NEXT)
    again = propose_plan(exception, plan="We stop the system at night", control="On call", actor=cast.ada, now=NEXT)
    assert (again.state, again.plan, again.control) == ("requested", "We stop the system at night", "On call")
    with pytest.raises(Refused):
        propose_plan(exception, plan="Other", control="", actor=cast.ada, now=NEXT)


def test_a_risk_is_accepted_until_a_day_and_is_open_again_by_itself(cast: Any) -> None:
    exception = exception_of(cast)
    until = TODAY + timedelta(days=10)
    with pytest.raises(NotAllowed):  # Una may decide about the plan, not about the risk
        decide_exception(exception, verdict="risk_accepted", note="Low use", until=until, **confirmed(cast.una))
    with pytest.raises(Refused, match="not after"):
        decide_exception(
            exception, verdict="risk_accepted", note="Low use", until=TODAY + timedelta(days=400),
            **confirmed(cast.mara),
        )  # fmt: skip
    decide_exception(exception, verdict="risk_accepted", note="Low use", until=until, **confirmed(cast.mara))
    exception.refresh_from_db()
    assert (exception.state, exception.accepted_until) == ("risk_accepted", until)
    assert exception.finding is not None
    exception.finding.refresh_from_db()
    assert exception.finding.state == "accepted"
    assert found("one").result == "qualified"
    assert follow_findings(now=NEXT + timedelta(days=10)) == 0
    later = NEXT + timedelta(days=11)
    assert follow_findings(now=later) == 1
    assert follow_findings(now=later) == 0
    exception.refresh_from_db()
    exception.finding.refresh_from_db()
    assert (exception.state, exception.approver, exception.finding.state) == ("requested", None, "open")
    assert AuditEvent.objects.filter(kind="exception.reopened").count() == 1


def test_what_is_verified_at_the_finding_is_verified_here(cast: Any) -> None:
    exception = approved(cast)
    put_right(cast, exception)
    assert follow_findings(now=NEXT) == 1
    exception.refresh_from_db()
    assert exception.state == "verified"
    finding = Finding.objects.get(pk=exception.finding_id)
    reopen(finding, actor=cast.una, now=NEXT, reason="It failed again")
    assert follow_findings(now=NEXT) == 1
    exception.refresh_from_db()
    assert exception.state == "requested"


def test_a_later_day_is_granted_by_another_and_counted(cast: Any) -> None:
    exception = approved(cast)
    later = date(2026, 12, 31)
    with pytest.raises(NotAllowed):
        ask_extension(exception, to_day=later, reason="Supplier", actor=cast.una, now=NEXT)
    with pytest.raises(Refused, match="Choose a day after 11 Dec 2026"):
        ask_extension(exception, to_day=date(2026, 12, 11), reason="Supplier", actor=cast.ada, now=NEXT)
    extension = ask_extension(exception, to_day=later, reason="Supplier", actor=cast.ada, now=NEXT)
    with pytest.raises(Refused, match="already"):
        ask_extension(exception, to_day=later, reason="Supplier", actor=cast.ada, now=NEXT)
    assert list(to_decide(cast.una, NEXT)) == [exception]
    with pytest.raises(NotAllowed):
        decide_extension(extension, granted=True, note="", **confirmed(cast.ada))
    decide_extension(extension, granted=True, note="", **confirmed(cast.una))
    exception.refresh_from_db()
    assert (exception.due_on, exception.first_due_on) == (later, date(2026, 12, 11))
    assert exception.finding is not None
    exception.finding.refresh_from_db()
    assert exception.finding.due_on == later
    second = ask_extension(exception, to_day=date(2027, 1, 31), reason="Supplier", actor=cast.ada, now=NEXT)
    assert second.number == 2
    decide_extension(second, granted=False, note="Enough", **confirmed(cast.una))
    exception.refresh_from_db()
    assert exception.due_on == later


def test_signed_anew_the_finding_goes_on_under_the_new_exception(cast: Any) -> None:
    exception = approved(cast)
    request_changes(found("one"), note="Which copy?", actor=cast.una, now=NEXT)
    again = Given("no", "Nobody dared", "Test", "2026-12-01", "high", "None")
    assignment = answer(found("one"), cast.ada, kill_switch=again)
    sign(assignment, cast.ada)
    old = AttestationException.objects.get(pk=exception.pk)
    new = AttestationException.objects.exclude(pk=exception.pk).get()
    assert (old.state, old.finding_id, new.state) == ("superseded", None, "requested")
    assert new.finding_id == exception.finding_id
    assert Finding.objects.count() == 1
    assert Finding.objects.get().due_on == date(2026, 12, 1)


def test_the_list_shows_the_readers_first_and_filters(cast: Any) -> None:
    exception = exception_of(cast)
    for person, seen in ((cast.ada, 1), (cast.una, 1), (cast.mara, 1), (cast.eve, 1), (cast.dov, 0), (cast.nils, 0)):
        assert listed(person, Filters(), NEXT, TODAY).count() == seen, person
    assert listed(cast.ada, Filters(severity="high"), NEXT, TODAY).count() == 0
    assert listed(cast.ada, Filters(age="overdue"), NEXT, TODAY).count() == 0
    assert listed(cast.ada, Filters(age="overdue"), NEXT, date(2026, 12, 12)).count() == 1
    assert rights_over(cast.ada, exception, NEXT).ask
    assert not rights_over(cast.ada, exception, NEXT).decide
    assert rights_over(cast.mara, exception, NEXT).accept


SET = "UPDATE attestations_attestationexception SET "


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("due_on = due_on + 1", "moves when somebody else grants"),
        ("plan = 'Nothing'", "plan changes when it was refused"),
        ("description = 'Fine'", "does not change"),
        ("severity = 'low'", "does not change"),
        ("state = 'approved', approver_id = %(una)s, decided_at = now()", "signed by who decides"),
        ("state = 'approved', approver_id = %(ada)s, decided_at = now()", ""),
        ("state = 'refused', approver_id = %(una)s, decided_at = now(), decision_note = 'No'", "signed by who decides"),
        ("state = 'verified', approver_id = %(una)s, decided_at = now()", ""),
    ],
)
def test_the_database_keeps_an_exception(cast: Any, change: str, said: str) -> None:
    exception_of(cast)
    values = {"una": f"'{cast.una.pk}'", "ada": f"'{cast.ada.pk}'"}
    assert said in refused(SET + change % values)


def test_verified_needs_a_closed_finding_and_nothing_is_deleted(cast: Any) -> None:
    approved(cast)
    assert "verified it at its finding" in refused(SET + "state = 'verified'")
    for sql in ("DELETE FROM attestations_attestationexception", "TRUNCATE attestations_extension"):
        assert "permission denied" in refused(sql)


def test_no_day_beyond_the_cap_by_sql(cast: Any) -> None:
    exception = exception_of(cast)
    sql = (
        "INSERT INTO attestations_attestationexception (campaign_id, assignment_id, signature_id, question, severity,"
        " description, control, plan, owner_id, declared_on, first_due_on, due_on, state, decision_note)"
        " SELECT campaign_id, assignment_id, signature_id, 'other', %s, 'x', '', 'y', owner_id, declared_on,"
        " declared_on + %s, declared_on + %s, 'requested', '' FROM attestations_attestationexception WHERE id = %s"
    )
    for severity, days in (("critical", 30), ("high", 60), ("medium", 90), ("low", 180)):
        assert "exception_not_too_long" in refused(sql, severity, days + 1, days + 1, exception.pk)


def test_an_extension_is_decided_once_and_by_another(cast: Any) -> None:
    exception = approved(cast)
    extension = ask_extension(exception, to_day=date(2026, 12, 31), reason="Late", actor=cast.ada, now=NEXT)
    grant = "UPDATE attestations_extension SET is_granted = true, decided_at = now(), approver_id = %s WHERE id = %s"
    assert "extension_by_another" in refused(grant, cast.ada.pk, extension.pk) or "can't grant" in refused(
        grant, cast.ada.pk, extension.pk
    )
    decide_extension(extension, granted=False, note="No", **confirmed(cast.una))
    assert "decided about once" in refused(grant, cast.una.pk, extension.pk)
    assert Extension.objects.get().is_granted is False


def test_an_accepted_risk_does_not_outlive_the_signature_that_declared_it(cast: Any) -> None:
    exception = exception_of(cast)
    until = TODAY + timedelta(days=10)
    decide_exception(exception, verdict="risk_accepted", note="Low use", until=until, **confirmed(cast.mara))
    request_changes(found("one"), note="Which copy?", actor=cast.una, now=NEXT)
    sign(answer(found("one"), cast.ada, kill_switch=EXCEPTION), cast.ada)
    old, new = AttestationException.objects.order_by("pk")
    assert (old.state, old.accepted_until, new.state) == ("superseded", None, "requested")
    finding = Finding.objects.get()
    assert (finding.state, finding.accepted_until, new.finding_id) == ("open", None, finding.pk)
