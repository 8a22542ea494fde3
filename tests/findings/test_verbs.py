"""From raised to closed, and living with it: what each verb does, and what it refuses."""

from datetime import date, timedelta
from typing import Any

import pytest

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.findings import actions
from apps.findings.models import CorrectiveAction, Finding, RiskAcceptance
from apps.findings.queries.authority import authority_over
from apps.notify.models import Message
from apps.people import actions as people
from apps.registry.models import RaciAssignment
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.findings.world import LATER, a_finding, an_action, done


def refused(verb: Any, *args: Any, by: type[Exception] = Refused, **kwargs: Any) -> str:
    """The verb is refused, changes nothing and says nothing; the sentence."""
    before = _everything()
    with pytest.raises(by) as caught:
        verb(*args, **kwargs)
    assert _everything() == before
    return str(caught.value)


def _everything() -> list[Any]:
    rows = [list(model.objects.order_by("pk").values()) for model in (Finding, CorrectiveAction, RiskAcceptance)]
    return [*rows, Message.objects.count(), AuditEvent.objects.count()]


def test_a_report_has_a_person_and_a_date(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    finding = a_finding(cast, system=system, severity="critical")
    assert (finding.scope, finding.person, finding.due_on, finding.raised_by, finding.state) == (
        "system", cast.ada, date(2026, 11, 18), cast.mara, "open",
    )  # fmt: skip
    mail = Message.objects.get(key=f"finding:{finding.pk}:raised")
    assert (mail.recipient, mail.subject) == (cast.ada, "By 18 Nov 2026: The channel is not tested.")


@pytest.mark.parametrize(("severity", "due"), [("critical", 18), ("high", 23), ("medium", 30)])
def test_the_graver_the_sooner(cast: Cast, severity: str, due: int) -> None:
    assert a_finding(cast, severity=severity).due_on == date(2026, 11, due)


def test_a_report_needs_words_and_somebody_who_is_here(cast: Cast) -> None:
    assert refused(a_finding, cast, title=" ") == "Say what should not be so."
    assert refused(a_finding, cast, remedy=" ") == "Say what would put it right."
    assert refused(a_finding, cast, person=cast.ivan) == "Ivan Kolar is deactivated. Choose an active person."
    assert refused(a_finding, cast, person=cast.robot) == "Deployment robot is a service account. Choose a person."


def test_from_raised_to_closed(cast: Cast) -> None:
    finding = a_finding(cast)
    action = an_action(cast, finding)
    finding.refresh_from_db()
    assert (finding.state, action.state) == ("in_progress", "planned")
    action = actions.complete_action(action, evidence="Tested at 10:00", actor=cast.ben, now=LATER)
    finding.refresh_from_db()
    assert (finding.state, action.state, action.verifier, action.done_by) == ("to_verify", "done", cast.ada, cast.ben)
    assert Message.objects.get(key=f"finding-action:{action.pk}:verify").recipient == cast.ada
    action = actions.verify_action(action, actor=cast.ada, now=LATER, verdict="I saw it")
    finding.refresh_from_db()
    assert (action.state, action.verified_by, action.verdict) == ("verified", cast.ada, "I saw it")
    assert (finding.state, finding.closed_at, finding.closed_because) == ("closed", LATER, "verified")


def test_who_did_it_never_verifies_it(cast: Cast) -> None:
    by_ben = done(cast, a_finding(cast))
    sentence = "Who did it can't verify it. Somebody else has to look."
    assert refused(actions.verify_action, by_ben, actor=cast.ben, now=LATER, by=NotAllowed) == sentence
    assert refused(actions.reject_action, by_ben, actor=cast.ben, now=LATER, verdict="No", by=NotAllowed) == sentence
    planned = an_action(cast, a_finding(cast))
    by_ada = actions.complete_action(planned, evidence="I did it for Ben", actor=cast.ada, now=NOW)
    assert by_ada.verifier == cast.mara, "neither who did it nor who was to"
    assert refused(actions.verify_action, by_ada, actor=cast.ben, now=LATER, by=NotAllowed) == sentence


def test_a_rejected_action_brings_the_finding_back(cast: Cast) -> None:
    finding = a_finding(cast)
    action = done(cast, finding)
    assert (
        refused(actions.reject_action, action, actor=cast.ada, now=LATER, verdict=" ") == "Say why it is not put right."
    )
    actions.reject_action(action, actor=cast.ada, now=LATER, verdict="The channel is still silent")
    finding.refresh_from_db()
    assert (finding.state, finding.actions.get().state) == ("in_progress", "rejected")
    assert refused(actions.close_finding, finding, actor=cast.mara, now=LATER).startswith("Nothing is verified yet.")


def test_one_verified_of_two_leaves_it_open(cast: Cast) -> None:
    finding = a_finding(cast)
    first, second = done(cast, finding), an_action(cast, finding, person=cast.nils)
    actions.verify_action(first, actor=cast.ada, now=LATER)
    finding.refresh_from_db()
    assert finding.state == "in_progress"
    sentence = "An action is still open. Finish and verify it first."
    assert refused(actions.close_finding, finding, actor=cast.mara, now=LATER) == sentence
    second = actions.complete_action(second, evidence="Yes", actor=cast.nils, now=LATER)
    actions.reject_action(second, actor=cast.ada, now=LATER, verdict="Not needed")
    closed = actions.close_finding(finding, actor=cast.mara, now=LATER)
    assert (closed.state, closed.closed_because) == ("closed", "verified")


def test_nothing_is_done_twice(cast: Cast) -> None:
    action = done(cast, a_finding(cast))
    assert "is done, to verify by now" in refused(
        actions.complete_action, action, evidence="Again", actor=cast.ben, now=LATER
    )
    actions.verify_action(action, actor=cast.ada, now=LATER)
    assert (
        refused(actions.verify_action, action, actor=cast.ada, now=LATER) == "This finding is closed. Reopen it first."
    )


def test_assigning_to_somebody_else(cast: Cast) -> None:
    finding = actions.assign(a_finding(cast), cast.nils, actor=cast.ada, now=LATER, reason="Knows it")
    assert (finding.person, finding.is_assigned, finding.step) == (cast.nils, True, 0)
    assert Message.objects.filter(recipient=cast.nils).count() == 1
    assert (
        refused(actions.assign, finding, cast.nils, actor=cast.ada, now=LATER) == "Nils Okafor puts this right already."
    )
    assert refused(actions.assign, finding, cast.ivan, actor=cast.ada, now=LATER).startswith(
        "Ivan Kolar is deactivated"
    )


def test_reopening(cast: Cast) -> None:
    finding = a_finding(cast)
    sentence = "This finding is open already."
    assert refused(actions.reopen, finding, reason="x", actor=cast.mara, now=LATER) == sentence
    actions.verify_action(done(cast, finding), actor=cast.ada, now=LATER)
    assert refused(actions.reopen, finding, reason=" ", actor=cast.mara, now=LATER) == "Say why it is not put right."
    week = NOW + timedelta(days=7)
    again = actions.reopen(finding, reason="Silent again", actor=cast.mara, now=week)
    assert (again.state, again.due_on, again.closed_at, again.closed_because) == (
        "in_progress", date(2026, 12, 7), None, "",
    )  # fmt: skip


def test_what_was_verified_before_closes_it_no_more(cast: Cast) -> None:
    finding = a_finding(cast)
    actions.verify_action(done(cast, finding), actor=cast.ada, now=LATER)
    again = actions.reopen(finding, reason="Silent again", actor=cast.mara, now=LATER + timedelta(hours=1))
    assert again.reopened_at == LATER + timedelta(hours=1)
    sentence = (
        "Nothing is verified since it was opened again. Somebody else than who did it has to verify an action first."
    )
    later = LATER + timedelta(hours=2)
    assert refused(actions.close_finding, finding, actor=cast.mara, now=later) == sentence
    second, third = done(cast, finding), an_action(cast, finding)
    actions.verify_action(second, actor=cast.ada, now=later)
    third = actions.complete_action(third, evidence="Yes", actor=cast.ben, now=later)
    actions.reject_action(third, actor=cast.ada, now=later, verdict="Not needed")
    assert actions.close_finding(finding, actor=cast.mara, now=later).state == "closed"


def accept(finding: Finding, actor: Any, until: date, reason: str = "We live with it") -> RiskAcceptance:
    return actions.accept_risk(finding, reason=reason, until=until, actor=actor, now=NOW)


def test_a_medium_risk_is_accepted_by_the_mandate_holder(cast: Cast) -> None:
    finding = a_finding(cast)
    acceptance = accept(finding, cast.mara, date(2027, 5, 16))
    finding.refresh_from_db()
    assert (finding.state, finding.accepted_until) == ("accepted", date(2027, 5, 16))
    assert (acceptance.authority, acceptance.function_id, acceptance.severity, acceptance.person) == (
        "Holds the governance mandate", "platform", "medium", cast.ada,
    )  # fmt: skip
    withdrawn = actions.withdraw_acceptance(finding, reason="It happened", actor=cast.cleo, now=LATER)
    assert (withdrawn.state, withdrawn.accepted_until, withdrawn.due_on) == ("open", None, date(2026, 11, 30))
    assert RiskAcceptance.objects.get().ended_by == cast.cleo


@pytest.mark.parametrize(
    ("severity", "latest"),
    [("critical", (2027, 2, 16)), ("high", (2027, 2, 16)), ("medium", (2027, 5, 16)), ("low", (2027, 11, 16))],
)
def test_no_risk_is_accepted_for_too_long(cast: Cast, severity: str, latest: tuple[int, int, int]) -> None:
    people.seat_person("board", cast.bo, actor=cast.mara, now=NOW)
    finding, by = a_finding(cast, severity=severity), cast.bo if severity in {"critical", "high"} else cast.mara
    last = date(*latest)
    words = f"Choose a day after today and not after {last.day} {last:%b %Y}."
    assert refused(accept, finding, by, last + timedelta(days=1)) == words
    assert refused(accept, finding, by, date(2026, 11, 16)) == words
    assert accept(finding, by, last).until == last


def test_a_grave_risk_needs_who_is_accountable_for_residual_risk(cast: Cast) -> None:
    finding = a_finding(cast, severity="high")
    until = date(2026, 12, 1)
    vacant = "A critical or high risk is accepted by who is accountable for residual risk. That seat is vacant."
    assert refused(accept, finding, cast.mara, until, by=NotAllowed) == vacant
    of_cleos = a_finding(cast, severity="high", system=a_system(cast, owner=cast.cleo))
    assert refused(accept, of_cleos, cast.cleo, until, by=NotAllowed) == vacant, "no owner steps in for a vacant seat"
    people.seat_person("board", cast.bo, actor=cast.mara, now=NOW)
    named = "Only Bo Herrera, who is accountable for accepting residual risk, may accept this."
    assert refused(accept, finding, cast.mara, until, by=NotAllowed) == named
    assert accept(finding, cast.bo, until).authority == "Accountable for accepting residual risk"


def test_who_holds_the_mandate_and_the_boards_seat_accepts_grave_risks(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.seat_person("board", cast.mara, actor=cast.mara, now=NOW)
    monkeypatch.setattr("apps.findings.queries.authority.accountable", lambda finding, domain: (None, None))
    authority = authority_over(a_finding(cast, severity="critical"), cast.mara)
    assert authority is not None
    assert authority.words == "Holds the mandate and the board's seat"


def test_a_mild_risk_is_accepted_by_the_seat_accountable_for_its_domain(cast: Cast) -> None:
    from apps.registry.models import GovernanceDomain

    a_of_ciso = RaciAssignment.objects.filter(letter="A", function="ciso", unit=None, system=None).first()
    assert a_of_ciso is not None
    domain = GovernanceDomain.objects.get(pk=a_of_ciso.domain_id)
    finding = a_finding(cast, severity="low", domain=domain)
    until = date(2026, 12, 1)
    assert "Only a seat holder" in refused(accept, finding, cast.lea, until, by=NotAllowed)
    assert "Only a seat holder" in refused(accept, finding, cast.dov, until, by=NotAllowed)
    assert accept(finding, cast.cleo, until).function_id == "ciso"


def test_who_should_put_it_right_does_not_accept_it_alone(cast: Cast) -> None:
    finding = a_finding(cast, person=cast.mara)
    words = "You should put this right, so that somebody else has to accept the risk."
    assert refused(accept, finding, cast.mara, date(2026, 12, 1), by=NotAllowed) == words


def test_accepting_needs_a_reason_and_happens_once(cast: Cast) -> None:
    finding = a_finding(cast)
    assert refused(accept, finding, cast.mara, date(2026, 12, 1), " ").startswith("Say why the risk is accepted.")
    accept(finding, cast.mara, date(2026, 12, 1))
    sentence = "The risk of this finding is accepted already."
    assert refused(accept, finding, cast.mara, date(2026, 12, 1)) == sentence


def test_a_leavers_findings_go_to_who_owns_the_system_by_now(cast: Cast) -> None:
    mine, other = a_system(cast, owner=cast.nils), a_system(cast, owner=cast.dov)
    on_mine, on_other, alone = a_finding(cast, system=mine), a_finding(cast, system=other), a_finding(cast)
    for one in (on_mine, on_other, alone):
        actions.assign(one, cast.nils, actor=cast.mara, now=NOW)
    planned = an_action(cast, alone, person=cast.nils)
    asked = done(cast, a_finding(cast, person=cast.nils))
    assert asked.verifier == cast.nils
    moved = actions.reassign_findings(cast.nils, cast.una, actor=cast.mara, now=LATER)
    assert moved == 6
    three = Finding.objects.filter(pk__in=[on_mine.pk, on_other.pk, alone.pk]).order_by("pk")
    assert [one.person for one in three] == [cast.una, cast.dov, cast.una]
    for row, expected in ((planned, "person"), (asked, "verifier")):
        row.refresh_from_db()
        assert getattr(row, expected) == cast.una
    event = AuditEvent.objects.get(kind="findings.reassigned")
    assert '"actions":1,"findings":4' in event.body
    assert actions.reassign_findings(cast.nils, cast.una, actor=cast.mara, now=LATER) == 0
    assert AuditEvent.objects.filter(kind="findings.reassigned").count() == 1


def test_somebody_with_an_open_finding_cannot_be_deactivated(cast: Cast) -> None:
    a_finding(cast, person=cast.dov)
    refused(people.deactivate_person, cast.dov, actor=cast.mara, now=LATER)
    actions.reassign_findings(cast.dov, cast.una, actor=cast.mara, now=LATER)
    people.deactivate_person(cast.dov, actor=cast.mara, now=LATER)
    cast.dov.refresh_from_db()
    assert not cast.dov.is_active
