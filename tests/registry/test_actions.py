"""The verbs of the registry, as people use them."""

import pytest

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.notify.models import Message
from apps.registry import actions
from apps.registry.models import Nomination, OwnershipTerm, SystemUserPermission
from tests.cast import Cast
from tests.factories import NOW, a_system


def test_nobody_owns_a_system_by_registering_it(cast: Cast) -> None:
    system = a_system(cast)
    assert (system.owner, system.owner_basis) == (cast.una, "interim")
    term = OwnershipTerm.objects.get(system=system)
    assert term.derivation == [
        {"source": "unit_head", "label": "Head of Claims", "person": str(cast.una.pk), "outcome": "chosen"}
    ]


def test_without_a_head_the_mandate_answers(cast: Cast) -> None:
    system = a_system(cast, unit=cast.devtools)
    assert system.owner == cast.mara
    outcomes = [(step["source"], step["outcome"]) for step in OwnershipTerm.objects.get(system=system).derivation]
    assert outcomes == [("unit_head", "nobody"), ("mandate", "chosen")]


def test_accepting_hands_the_system_over_and_leaves_one_event(cast: Cast) -> None:
    system = a_system(cast)
    nomination = actions.nominate_owner(system, cast.ada, actor=cast.mara, now=NOW)
    before = AuditEvent.objects.count()
    actions.accept_ownership(nomination, actor=cast.ada, now=NOW.replace(hour=10))
    system.refresh_from_db()
    assert (system.owner, system.owner_basis) == (cast.ada, "accepted")
    assert AuditEvent.objects.count() == before + 1
    assert AuditEvent.objects.filter(kind="system.owner.accepted", subject_id=str(system.pk)).count() == 1
    assert set(SystemUserPermission.objects.filter(content_object=system).values_list("user", flat=True)) == {
        cast.ada.pk,
        cast.ben.pk,
    }


def test_only_the_nominee_answers(cast: Cast) -> None:
    nomination = actions.nominate_owner(a_system(cast), cast.ada, actor=cast.mara, now=NOW)
    with pytest.raises(NotAllowed):
        actions.accept_ownership(nomination, actor=cast.dov, now=NOW)
    nomination.refresh_from_db()
    assert nomination.state == Nomination.State.OPEN


def test_declining_needs_a_reason_and_goes_up(cast: Cast) -> None:
    nomination = actions.nominate_owner(a_system(cast), cast.ada, actor=cast.mara, now=NOW)
    with pytest.raises(Refused):
        actions.decline_ownership(nomination, actor=cast.ada, now=NOW, reason=" ")
    assert not Message.objects.filter(recipient=cast.una).exists()
    actions.decline_ownership(nomination, actor=cast.ada, now=NOW, reason="I moved to another team.")
    assert Message.objects.get(recipient=cast.una).key == f"nomination:{nomination.pk}:declined"
    assert nomination.system.owner == cast.una


@pytest.mark.parametrize("name", ["ivan", "robot"])
def test_who_cannot_answer_is_never_nominated(cast: Cast, name: str) -> None:
    with pytest.raises(Refused):
        actions.nominate_owner(a_system(cast), getattr(cast, name), actor=cast.mara, now=NOW)
    assert not Nomination.objects.exists()
    assert not Message.objects.exists()


def test_one_open_nomination_a_system(cast: Cast) -> None:
    system = a_system(cast)
    actions.nominate_owner(system, cast.ada, actor=cast.mara, now=NOW)
    with pytest.raises(Refused, match="Ada Nwosu is nominated already"):
        actions.nominate_owner(system, cast.nils, actor=cast.mara, now=NOW)
    assert Nomination.objects.count() == 1


def test_a_new_head_answers_for_what_the_unit_left_open(cast: Cast) -> None:
    system, accepted = a_system(cast), a_system(cast, owner=cast.ada)
    _, moved = actions.change_unit(cast.claims, head=cast.nils, actor=cast.mara, now=NOW.replace(hour=12))
    system.refresh_from_db()
    accepted.refresh_from_db()
    assert (moved, system.owner, accepted.owner) == (1, cast.nils, cast.ada)


def test_overdue_nomination_escalates_once(cast: Cast) -> None:
    from apps.registry.actions.escalation import escalate_nominations

    nomination = actions.nominate_owner(a_system(cast), cast.ada, actor=cast.mara, now=NOW)
    due = nomination.due_on
    assert due.isoformat() == "2026-11-23"
    assert escalate_nominations(now=NOW.replace(day=23)) == 0
    assert escalate_nominations(now=NOW.replace(day=24)) == 1
    assert escalate_nominations(now=NOW.replace(day=24)) == 0
    assert Message.objects.filter(key__endswith=":escalated").count() == 1


def test_the_mandates_new_holder_stands_in_for_what_it_stood_in_for(cast: Cast) -> None:
    system, other = a_system(cast, unit=cast.devtools), a_system(cast)
    before = AuditEvent.objects.filter(kind="system.owner.interim").count()
    actions.seat_person("platform", cast.nils, actor=cast.mara, now=NOW.replace(hour=12))
    system.refresh_from_db()
    other.refresh_from_db()
    assert (system.owner, system.owner_basis, other.owner) == (cast.nils, "interim", cast.una)
    assert AuditEvent.objects.filter(kind="system.owner.interim").count() == before + 1
    assert set(SystemUserPermission.objects.filter(content_object=system).values_list("user", flat=True)) == {
        cast.nils.pk
    }
    actions.deactivate_person(cast.mara, actor=cast.nils, now=NOW.replace(hour=13))


def test_another_seat_moves_nothing(cast: Cast) -> None:
    system = a_system(cast, unit=cast.devtools)
    actions.seat_person("finance", cast.nils, actor=cast.mara, now=NOW.replace(hour=12))
    system.refresh_from_db()
    assert system.owner == cast.mara


def test_who_leaves_answers_no_nomination_any_more(cast: Cast) -> None:
    system = a_system(cast)
    nomination = actions.nominate_owner(system, cast.nils, actor=cast.mara, now=NOW)
    actions.deactivate_person(cast.nils, actor=cast.mara, now=NOW.replace(hour=12))
    nomination.refresh_from_db()
    assert (nomination.state, nomination.answer_reason) == ("withdrawn", "The nominee was deactivated.")
    assert actions.nominate_owner(system, cast.ada, actor=cast.mara, now=NOW.replace(hour=13)).state == "open"
