"""Who acts for whom: exactly one person, computed from the calendar at a moment."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.people import actions as people
from apps.people.models import Absence, Person
from apps.people.queries import Presence, acting_for
from apps.registry import actions as registry
from apps.registry.models import System
from apps.registry.queries import on_record
from apps.registry.queries.acting import acting_owners
from tests.cast import Cast
from tests.factories import NOW, a_system

TODAY = NOW.date()
DAY = timedelta(days=1)


def away(cast: Cast, name: str, days: int = 5, **fields: Any) -> Absence:
    """Somebody is away from today on."""
    wanted = {"starts_on": TODAY, "ends_on": TODAY + days * DAY, "actor": cast.mara, "now": NOW} | fields
    return people.record_absence(getattr(cast, name), **wanted)


def outcomes(cast: Cast) -> list[tuple[str, str]]:
    """The steps for Ada, in words."""
    return [(step.source, step.outcome) for step in acting_for(cast.ada, NOW).steps]


def test_who_is_here_acts(cast: Cast) -> None:
    acting = acting_for(cast.ada, NOW)
    assert (acting.acts, acting.absence, acting.steps) == (cast.ada, None, ())
    assert (acting.stood_in_for, acting.away, acting.uncovered) == (False, False, False)


def test_the_deputy_acts_for_who_is_away(cast: Cast) -> None:
    away(cast, "ada")
    assert acting_for(cast.ada, NOW).acts == cast.ben
    assert outcomes(cast) == [("deputy", "chosen")]


def test_the_delegate_comes_before_the_deputy(cast: Cast) -> None:
    away(cast, "ada", delegate=cast.nils)
    assert acting_for(cast.ada, NOW).acts == cast.nils
    assert outcomes(cast) == [("delegate", "chosen")]


def test_delegate_deputy_manager_in_turn(cast: Cast) -> None:
    away(cast, "ada", delegate=cast.nils)
    away(cast, "nils")
    assert acting_for(cast.ada, NOW).acts == cast.ben
    away(cast, "ben")
    assert acting_for(cast.ada, NOW).acts == cast.una
    assert outcomes(cast) == [("delegate", "absent"), ("deputy", "absent"), ("manager", "chosen")]
    away(cast, "una")
    acting = acting_for(cast.ada, NOW)
    assert (acting.acts, acting.uncovered) == (cast.ada, True)


def test_a_delegate_who_was_deactivated_is_passed_over(cast: Cast) -> None:
    away(cast, "ada", delegate=cast.nils)
    registry.deactivate_person(cast.nils, actor=cast.mara, now=NOW)
    assert acting_for(Person.objects.get(pk=cast.ada.pk), NOW).acts == cast.ben
    assert outcomes(cast)[0] == ("delegate", "inactive")


def test_who_leaves_soon_still_acts_and_takes_nothing_over(cast: Cast) -> None:
    Person.objects.filter(pk=cast.ben.pk).update(leaving_on=TODAY + DAY)
    cast.ben.refresh_from_db()
    away(cast, "ada")
    assert acting_for(cast.ada, NOW).acts == cast.ben
    presence = Presence(NOW)
    assert (presence.can_act(cast.ben), presence.can_take_over(cast.ben)) == (True, False)


def test_who_is_away_can_still_take_over(cast: Cast) -> None:
    away(cast, "ben")
    presence = Presence(NOW)
    assert (presence.can_act(cast.ben), presence.can_take_over(cast.ben)) == (False, True)
    assert not presence.can_take_over(cast.ivan)
    assert not presence.can_act(cast.robot)


def test_each_other_s_deputies_both_away_is_no_circle(cast: Cast) -> None:
    people.change_person(cast.ben, deputy=cast.ada, line_manager=cast.ada, actor=cast.mara, now=NOW)
    people.change_person(cast.ada, deputy=cast.ben, line_manager=cast.ben, actor=cast.mara, now=NOW)
    away(cast, "ada", delegate=cast.ben)
    away(cast, "ben", delegate=cast.ada)
    for person in (cast.ada, cast.ben):
        assert acting_for(person, NOW).acts == person
        assert acting_for(person, NOW).uncovered


def test_delegating_is_not_being_away(cast: Cast) -> None:
    people.delegate(cast.ada, cast.nils, starts_on=TODAY, ends_on=TODAY + DAY, actor=cast.ada, now=NOW)
    acting = acting_for(cast.ada, NOW)
    assert (acting.acts, acting.away) == (cast.nils, False)
    assert Presence(NOW).can_act(cast.ada)


def test_who_delegated_acts_where_the_delegate_is_away(cast: Cast) -> None:
    people.delegate(cast.ada, cast.nils, starts_on=TODAY, ends_on=TODAY + DAY, actor=cast.ada, now=NOW)
    away(cast, "nils")
    acting = acting_for(cast.ada, NOW)
    assert (acting.acts, acting.uncovered) == (cast.ada, False)
    assert outcomes(cast) == [("delegate", "absent")]


def test_nobody_passes_on_what_was_passed_to_them(cast: Cast) -> None:
    away(cast, "ada")
    people.delegate(cast.ben, cast.nils, starts_on=TODAY, ends_on=TODAY + DAY, actor=cast.ben, now=NOW)
    assert acting_for(cast.ada, NOW).acts == cast.ben


@pytest.mark.parametrize(
    ("zone", "moment", "is_away"),
    [
        ("UTC", datetime(2026, 11, 19, 23, 59, 59, tzinfo=UTC), False),
        ("UTC", datetime(2026, 11, 20, 0, 0, tzinfo=UTC), True),
        ("UTC", datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC), True),
        ("UTC", datetime(2026, 11, 21, 0, 0, tzinfo=UTC), False),
        ("Pacific/Kiritimati", datetime(2026, 11, 19, 10, 0, tzinfo=UTC), True),  # UTC+14: the 20th began
        ("Pacific/Kiritimati", datetime(2026, 11, 19, 9, 59, tzinfo=UTC), False),
        ("Pacific/Kiritimati", datetime(2026, 11, 20, 10, 0, tzinfo=UTC), False),
        ("Pacific/Pago_Pago", datetime(2026, 11, 20, 10, 59, tzinfo=UTC), False),  # UTC-11: still the 19th
        ("Pacific/Pago_Pago", datetime(2026, 11, 20, 11, 0, tzinfo=UTC), True),
        ("Pacific/Pago_Pago", datetime(2026, 11, 21, 10, 59, tzinfo=UTC), True),
        ("Nowhere/Atlantis", datetime(2026, 11, 19, 23, 0, tzinfo=UTC), True),  # the organisation's: Berlin
    ],
)
def test_days_are_those_of_the_person(cast: Cast, zone: str, moment: datetime, is_away: bool) -> None:
    Person.objects.filter(pk=cast.ada.pk).update(time_zone=zone)
    cast.ada.refresh_from_db()
    day = date(2026, 11, 20)
    people.record_absence(cast.ada, starts_on=day, ends_on=day, actor=cast.ada, now=NOW)
    assert Presence(moment).is_away(cast.ada) is is_away
    assert Presence.of([cast.ada], moment).is_away(cast.ada) is is_away


def test_the_past_is_told_as_it_was_known_then(cast: Cast) -> None:
    absence = away(cast, "ada", days=10)
    people.cancel_absence(absence, actor=cast.ada, now=NOW + 2 * DAY)
    assert not Presence(NOW + DAY).is_away(cast.ada)
    assert Presence(NOW + DAY, past=True).is_away(cast.ada)
    assert not Presence(NOW + 3 * DAY, past=True).is_away(cast.ada)
    assert not Presence(NOW - DAY, past=True).is_away(cast.ada)


def test_presence_of_a_few_does_not_read_the_rest(cast: Cast) -> None:
    away(cast, "ada", delegate=cast.nils)
    away(cast, "nils")
    away(cast, "dov")
    with CaptureQueriesContext(connection) as captured:
        presence = Presence.of([cast.ada], NOW)
        assert presence.acting(cast.ada).acts == cast.ben
    assert len(captured) == 1
    assert set(presence.absences) == {cast.ada.pk, cast.nils.pk}


def test_above_the_people_the_unit_and_the_mandate(cast: Cast) -> None:
    registry.change_unit(cast.devtools, head=cast.nils, actor=cast.mara, now=NOW)
    registry.change_unit(cast.claims, parent=cast.devtools, actor=cast.mara, now=NOW)
    system, other = a_system(cast, owner=cast.ada), a_system(cast, owner=cast.dov)
    for name in ("ada", "ben", "una"):
        away(cast, name)
    found = acting_owners([system, other], NOW)
    assert (found[system.pk].acts, found[other.pk].acts) == (cast.nils, cast.dov)
    assert [(tried.label, tried.step.outcome) for tried in found[system.pk].steps] == [
        ("Deputy", "absent"),
        ("Line manager", "absent"),
        ("Head of Claims", "absent"),
        ("Head of Developer Tools", "chosen"),
    ]
    away(cast, "nils")
    assert acting_owners([system], NOW)[system.pk].acts == cast.mara
    away(cast, "mara", delegate=cast.cleo)
    assert acting_owners([system], NOW)[system.pk].acts == cast.cleo
    away(cast, "cleo")
    last = acting_owners([system], NOW)[system.pk]
    assert (last.acts, last.nobody_stands_in, last.until) == (cast.ada, True, TODAY + 5 * DAY)
    assert last.steps[-1].step.outcome == "absent"


def test_queries_do_not_grow_with_systems(cast: Cast) -> None:
    for name in ("ada", "ben", "una"):
        away(cast, name)
    systems = [a_system(cast, owner=cast.ada) for _ in range(4)] + [a_system(cast, owner=cast.nils)]
    systems = [on_record(System.objects.all()).get(pk=system.pk) for system in systems]
    counts = []
    for some in (systems[:1], systems):
        with CaptureQueriesContext(connection) as captured:
            acting_owners(some, NOW)
        counts.append(len(captured))
    assert counts == [5, 5]
    with CaptureQueriesContext(connection) as captured:
        acting_owners(systems[-1:], NOW)
    assert len(captured) == 1
