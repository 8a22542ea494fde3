"""Somebody leaves: nothing they answered for is without a person, not for a moment."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from apps.access.actions import issue_token
from apps.access.models import ApiToken
from apps.audit.models import AuditEvent
from apps.common.errors import Refused
from apps.directory.actions import bring_back, offboard
from apps.directory.actions.offboard import close_done_cases, watch_cases
from apps.directory.models import OffboardingCase
from apps.notify.models import Message
from apps.people import actions as people
from apps.people.models import Person, RoleGrant, Seat
from apps.people.rules import RoleName
from apps.registry import actions as registry
from apps.registry.models import Mandate, Nomination, OwnershipTerm, System, Unit
from tests.cast import Cast
from tests.factories import NOW, a_system

LATER = NOW + timedelta(hours=3)


def leaves(person: Person, cast: Cast, **given: Any) -> OffboardingCase:
    return offboard(person, **{"actor": cast.mara, "now": LATER, **given})


def owner_of(system: System) -> tuple[str, str]:
    fresh = System.objects.select_related("owner").get(pk=system.pk)
    return fresh.owner.display_name, fresh.owner_basis


def test_the_deputy_stands_in(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    case = leaves(cast.ada, cast, reason="New job")
    assert owner_of(system) == ("Ben Ortega", "interim")
    assert not Person.objects.get(pk=cast.ada.pk).is_active
    assert (case.state, case.responsible, case.due_on.isoformat()) == ("open", cast.una, "2026-12-16")
    assert case.counts["systems"] == case.counts["accepted"] == 1
    term = OwnershipTerm.objects.get(system=system, period__upper_inf=True)
    assert [step["outcome"] for step in term.derivation] == ["chosen"]
    primary = AuditEvent.objects.get(kind="person.offboarded")
    subjects = [str(system.pk), str(cast.ada.pk)]
    caused = AuditEvent.objects.filter(kind__in=["system.owner.interim", "person.deactivated"], subject_id__in=subjects)
    assert {event.cause for event in caused} == {primary.id}
    told = set(Message.objects.filter(key__startswith="offboarding:").values_list("recipient__display_name", flat=True))
    assert told == {"Ben Ortega", "Una Brandt"}


def test_a_deputy_who_leaves_the_same_day_is_passed_over(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    Person.objects.filter(pk=cast.ben.pk).update(leaving_on=LATER.date())
    leaves(cast.ada, cast)
    assert owner_of(system) == ("Una Brandt", "interim")
    leaves(cast.ben, cast)
    leaves(cast.una, cast)
    assert owner_of(system) == ("Mara Lindt", "interim")


def test_whoever_stands_in_leaves_too(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    leaves(cast.ada, cast)
    leaves(cast.ben, cast, now=LATER + timedelta(minutes=1))
    assert owner_of(system) == ("Una Brandt", "interim")


def test_a_circle_of_managers_ends_at_the_mandate(cast: Cast) -> None:
    people.change_person(cast.nils, line_manager=cast.dov, actor=cast.mara, now=NOW)
    people.change_person(cast.dov, line_manager=cast.nils, actor=cast.mara, now=NOW)
    system = a_system(cast, owner=cast.nils, unit=cast.devtools)
    leaves(cast.nils, cast)
    assert owner_of(system) == ("Dov Watanabe", "interim")
    leaves(cast.dov, cast, now=LATER + timedelta(minutes=1))
    assert owner_of(system) == ("Mara Lindt", "interim")


def test_without_deputy_or_manager_the_unit_answers(cast: Cast) -> None:
    system = a_system(cast, owner=cast.nils)
    leaves(cast.nils, cast)
    assert owner_of(system) == ("Una Brandt", "interim")


def test_a_head_leaves_and_the_head_above_answers(cast: Cast) -> None:
    below = registry.create_unit(
        name="Motor", code="motor", parent=cast.claims, head=cast.nils, actor=cast.mara, now=NOW
    )
    system = a_system(cast, unit=below)
    assert owner_of(system) == ("Nils Okafor", "interim")
    case = leaves(cast.nils, cast)
    assert owner_of(system) == ("Una Brandt", "interim")
    assert Unit.objects.get(pk=below.pk).head is None
    assert case.counts["units"] == 1


def test_the_mandate_holder_leaves(cast: Cast) -> None:
    people.change_person(cast.mara, deputy=cast.nils, actor=cast.mara, now=NOW)
    system = a_system(cast, unit=cast.devtools)
    leaves(cast.mara, cast, actor=cast.cleo)
    seat = Seat.objects.get(function_id=Mandate.objects.get().holder_id)
    assert (seat.holder, seat.is_interim) == (cast.nils, True)
    assert owner_of(system) == ("Nils Okafor", "interim")


def test_the_mandate_goes_to_another_seat_where_there_is_no_deputy(cast: Cast) -> None:
    leaves(cast.mara, cast, actor=cast.cleo)
    assert Seat.objects.get(function_id="platform").holder == cast.cleo


def test_other_seats_are_vacated(cast: Cast) -> None:
    leaves(cast.cleo, cast)
    assert Seat.objects.get(function_id="ciso").holder is None
    assert AuditEvent.objects.filter(kind="seat.vacated").count() == 1


def test_the_last_person_cannot_leave(cast: Cast) -> None:
    for person in Person.objects.filter(is_active=True, kind="human").exclude(pk=cast.mara.pk):
        leaves(person, cast)
    events = AuditEvent.objects.count()
    with pytest.raises(Refused, match="Nobody could take over from Mara Lindt"):
        leaves(cast.mara, cast)
    assert Person.objects.get(pk=cast.mara.pk).is_active
    assert Person.objects.get(pk=cast.mara.pk).leaving_on is None
    assert AuditEvent.objects.count() == events


def test_everything_else_ends_or_moves(cast: Cast) -> None:
    asked = registry.nominate_owner(a_system(cast), cast.ben, actor=cast.mara, now=NOW)
    people.grant_role(cast.ben, RoleName.AUDITOR, actor=cast.mara, now=NOW)
    token, _ = issue_token(cast.ben, name="T", scopes=["read"], actor=cast.ben, now=NOW)
    people.change_person(cast.dov, line_manager=cast.ben, actor=cast.mara, now=NOW)
    people.change_person(cast.ben, line_manager=cast.una, actor=cast.mara, now=NOW)
    case = leaves(cast.ben, cast)
    assert Nomination.objects.get(pk=asked.pk).state == "withdrawn"
    assert not RoleGrant.objects.filter(person=cast.ben, revoked_at=None).exists()
    assert ApiToken.objects.get(pk=token.pk).revoked_at == LATER
    assert Person.objects.get(pk=cast.dov.pk).line_manager == cast.una
    assert Person.objects.get(pk=cast.ada.pk).deputy is None
    assert (case.state, case.counts["relations"], case.counts["nominations"]) == ("done", 2, 1)


def test_twice_is_refused_and_nothing_changes(cast: Cast) -> None:
    leaves(cast.nils, cast)
    events = AuditEvent.objects.count()
    with pytest.raises(Refused, match="deactivated already"):
        leaves(cast.nils, cast)
    assert (AuditEvent.objects.count(), OffboardingCase.objects.count()) == (events, 1)


def test_a_case_is_done_when_somebody_accepted_each_system(cast: Cast) -> None:
    first, second = a_system(cast, owner=cast.ada), a_system(cast, owner=cast.ada)
    case = leaves(cast.ada, cast)
    assert close_done_cases(now=LATER) == 0
    nomination = registry.nominate_owner(first, cast.nils, actor=cast.mara, now=LATER)
    registry.accept_ownership(nomination, actor=cast.nils, now=LATER + timedelta(minutes=1))
    assert close_done_cases(now=LATER) == 0
    registry.retire_system(second, actor=cast.mara, now=LATER, reason="Gone")
    assert close_done_cases(now=LATER + timedelta(days=1)) == 1
    case.refresh_from_db()
    assert case.state == "done"
    assert close_done_cases(now=LATER + timedelta(days=1)) == 0


def test_who_comes_back_gets_nothing_back_by_itself(cast: Cast, browse: Any) -> None:
    system = a_system(cast, owner=cast.ada)
    case = leaves(cast.ada, cast)
    back = bring_back(cast.ada, actor=cast.mara, now=LATER + timedelta(days=1))
    assert (back.is_active, back.leaving_on) == (True, None)
    assert owner_of(system) == ("Ben Ortega", "interim")
    case.refresh_from_db()
    assert case.state == "open", "a system still waits for an owner"
    page = browse(cast.mara).get(f"/directory/leavers/{case.pk}/").content.decode()
    assert "1 of 1 systems wait for an owner." in page
    assert "is back: nominate them again where they return." in page
    registry.accept_ownership(
        registry.nominate_owner(system, cast.ada, actor=cast.mara, now=LATER + timedelta(days=1)),
        actor=cast.ada,
        now=LATER + timedelta(days=2),
    )
    assert close_done_cases(now=LATER + timedelta(days=2)) == 1


def test_who_comes_back_to_nothing_has_no_open_case(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    case = leaves(cast.ada, cast)
    registry.retire_system(system, actor=cast.mara, now=LATER, reason="Gone")
    bring_back(cast.ada, actor=cast.mara, now=LATER + timedelta(days=1))
    case.refresh_from_db()
    assert (case.state, case.closed_at) == ("came_back", LATER + timedelta(days=1))


def test_who_leaves_again_has_one_case_with_all_that_waits(cast: Cast) -> None:
    old = a_system(cast, owner=cast.ada)
    first = leaves(cast.ada, cast)
    bring_back(cast.ada, actor=cast.mara, now=LATER + timedelta(days=1))
    Person.objects.filter(pk=cast.ada.pk).update(deputy=cast.nils)
    new = a_system(cast, owner=cast.ada)
    second = offboard(cast.ada, actor=cast.mara, now=LATER + timedelta(days=9))
    first.refresh_from_db()
    assert (first.state, second.state, second.due_on) == ("came_back", "open", first.due_on)
    assert {row.system: row.interim for row in second.handed_over.all()} == {old: cast.ben, new: cast.nils}


def test_statements_do_not_grow_with_the_systems(cast: Cast, django_assert_max_num_queries: Any) -> None:
    def statements(systems: int, person: Person) -> int:
        for _ in range(systems):
            a_system(cast, owner=person)
        with django_assert_max_num_queries(200) as found:
            leaves(person, cast)
        return len(found)

    few = statements(2, cast.nils)
    many = statements(12, cast.dov)
    assert connection.vendor == "postgresql"
    assert many == few


def test_who_sees_to_a_leaver_leaves_too(cast: Cast) -> None:
    a_system(cast, owner=cast.ada)
    case = leaves(cast.ada, cast)
    assert case.responsible == cast.una
    leaves(cast.una, cast, now=LATER + timedelta(minutes=1))
    case.refresh_from_db()
    assert case.responsible == cast.mara


def test_an_overdue_case_reminds_once(cast: Cast) -> None:
    a_system(cast, owner=cast.ada)
    leaves(cast.ada, cast)
    watch_cases(now=LATER + timedelta(days=30))
    assert not Message.objects.filter(key__endswith=":overdue").exists()
    for _ in range(2):
        watch_cases(now=LATER + timedelta(days=31))
    told = Message.objects.get(key__endswith=":overdue")
    assert told.recipient == cast.una
    assert "no owner who accepted: 1." in told.body
