"""Whoever waits for a row while another writes it to point elsewhere finds it as it is then, and never nothing."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from apps.attestations.actions import accept_reassignment, save_answers
from apps.attestations.models import Signature
from apps.attestations.rules import Given
from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed
from apps.common.locks import hold_row
from apps.directory.actions import offboard
from apps.findings.actions import assign, complete_action, plan_action, verify_action
from apps.findings.models import CorrectiveAction
from apps.incidents.actions.runbooks import confirm_runbook, set_runbook_owner
from apps.incidents.models import Runbook
from apps.people.actions.people import seat_person, vacate_seat
from apps.people.models import Person, Seat
from apps.registry import actions as registry
from apps.registry.models import Authority, System
from apps.registry.rules.authority import Powers
from tests.attestations.test_passing import ask
from tests.attestations.test_signing import answer, sign, start
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.findings.world import LATER, a_finding, an_action, done
from tests.hostile.races import while_open
from tests.registry.test_import import own, receive

pytestmark = pytest.mark.committed
STOP = Powers(may_stop=True)
MINUTE = timedelta(minutes=1)


def now_so(person: Person) -> Person:
    return Person.objects.get(pk=person.pk)


def succeeded(result: Any) -> Any:
    assert not isinstance(result, Exception), repr(result)
    return result


def test_an_action_is_planned_while_the_finding_goes_to_somebody_else(committed_db: str) -> None:
    cast = Cast()
    finding = a_finding(cast)
    _, action = while_open(
        lambda: assign(finding, now_so(cast.nils), actor=cast.mara, now=LATER),
        lambda: plan_action(
            finding, what="Test it", person=now_so(cast.ben), due_on=finding.due_on, actor=now_so(cast.ada), now=LATER
        ),
    )
    assert succeeded(action).finding.person == cast.nils
    finding.refresh_from_db()
    assert (finding.person, finding.state) == (cast.nils, "in_progress")


def test_a_finding_goes_to_two_people_one_after_the_other(committed_db: str) -> None:
    cast = Cast()
    finding = a_finding(cast)
    _, second = while_open(
        lambda: assign(finding, now_so(cast.nils), actor=cast.mara, now=LATER),
        lambda: assign(finding, now_so(cast.ben), actor=now_so(cast.mara), now=LATER + MINUTE),
    )
    assert succeeded(second).person == cast.ben
    events = AuditEvent.objects.filter(kind="finding.assigned").order_by("at")
    assert [json.loads(event.body)["before"]["person"] for event in events] == [cast.ada.audit_id, cast.nils.audit_id]


def test_somebody_says_it_is_done_while_the_person_leaves(committed_db: str) -> None:
    """Whoever leaves holds their actions and not the findings of others."""
    cast = Cast()
    action = an_action(cast, a_finding(cast), person=cast.nils)
    _, second = while_open(
        lambda: offboard(now_so(cast.nils), actor=cast.mara, now=LATER),
        lambda: complete_action(action, evidence="Tested", actor=now_so(cast.dov), now=LATER),
    )
    assert succeeded(second).done_by == cast.dov
    kept = CorrectiveAction.objects.get(pk=action.pk)
    assert (kept.state, kept.person, kept.done_by) == ("done", cast.ada, cast.dov)


def test_somebody_verifies_while_who_was_asked_to_leaves(committed_db: str) -> None:
    cast = Cast()
    action = done(cast, a_finding(cast, person=cast.nils))
    assert action.verifier == cast.nils
    _, second = while_open(
        lambda: offboard(now_so(cast.nils), actor=cast.mara, now=LATER),
        lambda: verify_action(action, verdict="Seen", actor=now_so(cast.mara), now=LATER),
    )
    assert succeeded(second).state == "verified"


@pytest.mark.parametrize("act", ["answer", "sign"])
def test_an_assignment_is_passed_on_while_its_person_works_on_it(committed_db: str, act: str) -> None:
    """It follows the system, which everybody locks first: whoever waited is told that it is somebody else's now."""
    cast = Cast()
    assignment = answer(start(cast, owner=None), cast.una)
    request = ask(assignment, cast, actor=cast.una)
    given, seen = {"drills": Given("no")}, assignment.version
    by_una: dict[str, Any] = {"actor": now_so(cast.una), "now": LATER}
    acts: dict[str, Callable[[], Any]] = {
        "answer": lambda: save_answers(assignment, "response", given, version=seen, **by_una),
        "sign": lambda: sign(assignment, now_so(cast.una)),
    }
    fresh, second = while_open(lambda: accept_reassignment(request, actor=now_so(cast.nils), now=LATER), acts[act])
    assert isinstance(second, NotAllowed), repr(second)
    assert not Signature.objects.exists()
    assert (succeeded(fresh).person, fresh.answers.get(question="drills").value) == (cast.nils, "yes")


def test_authority_is_granted_while_the_owner_changes(committed_db: str) -> None:
    """It is given to whoever answers for the system then."""
    cast = Cast()
    system = a_system(cast)
    nomination = registry.nominate_owner(system, cast.nils, actor=cast.mara, now=NOW)
    _, authority = while_open(
        lambda: registry.accept_ownership(nomination, actor=now_so(cast.nils), now=LATER),
        lambda: registry.grant_authority(system, STOP, actor=now_so(cast.mara), now=LATER),
    )
    assert succeeded(authority).term.person == cast.nils
    assert [one.term.person for one in Authority.objects.filter(ended_at=None)] == [cast.nils]


def test_nobody_grants_themselves_what_they_have_just_taken_over(committed_db: str) -> None:
    cast = Cast()
    system = a_system(cast)
    nomination = registry.nominate_owner(system, cast.una, actor=cast.mara, now=NOW)
    _, refused = while_open(
        lambda: registry.accept_ownership(nomination, actor=now_so(cast.una), now=LATER),
        lambda: registry.grant_authority(system, STOP, actor=now_so(cast.una), now=LATER),
    )
    assert isinstance(refused, NotAllowed), repr(refused)
    assert not Authority.objects.exists()


@pytest.mark.parametrize("act", ["owner", "confirm"])
def test_a_runbook_changes_hands_while_somebody_works_on_it(committed_db: str, act: str) -> None:
    cast = Cast()
    runbook = Runbook.objects.get(key="data-access")
    set_runbook_owner(runbook, cast.una, actor=cast.mara, now=NOW)
    acts = {
        "owner": lambda: set_runbook_owner(runbook, now_so(cast.ben), actor=now_so(cast.mara), now=LATER + MINUTE),
        "confirm": lambda: confirm_runbook(runbook, note="Read it", actor=now_so(cast.mara), now=LATER),
    }
    _, second = while_open(lambda: set_runbook_owner(runbook, now_so(cast.ada), actor=cast.mara, now=LATER), acts[act])
    assert succeeded(second).owner == (cast.ben if act == "owner" else cast.ada)
    events = AuditEvent.objects.filter(kind="runbook.owned").order_by("at")
    kept_by = [json.loads(event.body)["before"]["owner"] for event in events][1:]
    assert kept_by == [cast.una.audit_id, cast.ada.audit_id][: 2 if act == "owner" else 1]


def test_a_seat_is_left_vacant_while_somebody_sits_down(committed_db: str) -> None:
    """The trail says who left it: not nobody."""
    cast = Cast()
    assert Seat.objects.get(function_id="finance").holder is None
    _, second = while_open(
        lambda: seat_person("finance", cast.nils, actor=cast.mara, now=NOW),
        lambda: vacate_seat("finance", actor=now_so(cast.mara), now=LATER),
    )
    assert succeeded(second).holder is None
    event = AuditEvent.objects.get(kind="seat.vacated")
    assert json.loads(event.body)["before"] == {"holder": cast.nils.audit_id}


def test_an_import_finds_a_system_whose_owner_changes(committed_db: str) -> None:
    cast = Cast()
    system = a_system(cast, key="K-1", name="System 1", tier="unknown")
    nomination = registry.nominate_owner(system, cast.nils, actor=cast.mara, now=NOW)
    run = receive(cast, own({}, {}))
    assert (run.report["created"], run.report["unchanged"]) == (1, 1)
    _, applied = while_open(
        lambda: registry.accept_ownership(nomination, actor=now_so(cast.nils), now=LATER),
        lambda: registry.apply_import(run, actor=now_so(cast.mara), now=LATER),
    )
    assert succeeded(applied).state == "applied"
    assert System.objects.get(key="K-1").owner == cast.nils


def test_a_row_is_held_where_it_is_there_and_free(committed_db: str) -> None:
    seats = Seat.objects.all()

    def hold() -> tuple[bool, bool]:
        with transaction.atomic():
            return hold_row(seats, "ciso", skip_locked=True), hold_row(seats, "finance", skip_locked=True)

    assert while_open(lambda: hold_row(seats, "ciso"), hold) == (True, (False, True))
