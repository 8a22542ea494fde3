"""Authority: who grants, what holds, when it ends; and what is wrong about ownership, as the sweep finds it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.common.errors import NotAllowed, Refused
from apps.people import actions as people
from apps.people.models import Person
from apps.people.rules import RoleName
from apps.registry import actions
from apps.registry.models import Authority, System
from apps.registry.queries.authority import authorities_of, cannot_stop
from apps.registry.queries.ownership import ownership_breaches
from apps.registry.rules.authority import Powers
from tests.cast import Cast
from tests.factories import NOW, a_system, hand_over

STOP = Powers(may_stop=True)
LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("who", "allowed"), [("mara", True), ("una", True), ("dov", False), ("cleo", False), ("ada", False), ("eve", False)]
)
def test_who_grants(cast: Cast, who: str, allowed: bool) -> None:
    system = a_system(cast, owner=cast.ada)
    if allowed:
        actions.grant_authority(system, STOP, actor=getattr(cast, who), now=LATER)
    else:
        with pytest.raises(NotAllowed):
            actions.grant_authority(system, STOP, actor=getattr(cast, who), now=LATER)
    assert Authority.objects.count() == int(allowed)


def test_nobody_grants_themselves_but_the_mandate_holder(cast: Cast) -> None:
    people.grant_role(cast.nils, RoleName.ADMINISTRATOR, actor=cast.mara, now=NOW)
    system = a_system(cast, owner=cast.nils)
    with pytest.raises(NotAllowed, match="themselves"):
        actions.grant_authority(system, STOP, actor=Person.objects.get(pk=cast.nils.pk), now=LATER)
    own = a_system(cast, owner=cast.mara)
    actions.grant_authority(own, STOP, actor=cast.mara, now=LATER)
    assert set(authorities_of([system, own])) == {own.pk}


def test_a_change_keeps_what_held_before(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    actions.grant_authority(system, STOP, actor=cast.mara, now=LATER)
    more = Powers(may_stop=True, may_revoke=True, spend_cap=Decimal("99.50"), currency="USD")
    actions.grant_authority(system, more, actor=cast.una, now=LATER + timedelta(hours=1))
    kept = [(one.may_revoke, one.ended_at is None) for one in Authority.objects.order_by("pk")]
    assert kept == [(False, False), (True, True)]
    actions.grant_authority(system, Powers(), actor=cast.mara, now=LATER + timedelta(hours=2))
    assert list(cannot_stop(System.objects.all())) == [system]


@pytest.mark.parametrize(
    "powers",
    [
        Powers(spend_cap=Decimal(5)),
        Powers(spend_cap=Decimal(-1), currency="EUR"),
        Powers(spend_cap=Decimal(1), currency="eur"),
    ],
)
def test_an_amount_and_its_currency(cast: Cast, powers: Powers) -> None:
    system = a_system(cast, owner=cast.ada)
    with pytest.raises(ValidationError):
        actions.grant_authority(system, powers, actor=cast.mara, now=LATER)
    assert not Authority.objects.exists()


def test_it_ends_with_the_term(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    actions.grant_authority(system, STOP, actor=cast.mara, now=LATER)
    hand_over(cast, system, cast.nils, now=LATER + timedelta(hours=1))
    assert authorities_of([system]) == {}
    assert Authority.objects.get().ended_at == LATER + timedelta(hours=1)


def test_what_was_offered_by_who_may_not_any_more_is_not_granted(cast: Cast) -> None:
    system = a_system(cast)
    nomination = actions.nominate_owner(system, cast.nils, actor=cast.una, now=NOW, powers=STOP)
    actions.change_unit(cast.claims, actor=cast.mara, now=NOW, head=cast.lea)
    actions.accept_ownership(nomination, actor=cast.nils, now=LATER)
    assert not Authority.objects.exists()
    with pytest.raises(NotAllowed):
        actions.nominate_owner(a_system(cast), cast.nils, actor=cast.una, now=NOW, powers=STOP)


def test_a_retired_system_needs_none(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    actions.retire_system(system, actor=cast.mara, now=LATER, reason="Old")
    with pytest.raises(Refused, match="retired"):
        actions.grant_authority(system, STOP, actor=cast.mara, now=LATER)


def found(now: object) -> dict[str, list[tuple[str, str]]]:
    """Per check: subject kind and the person who puts it right."""
    names = dict(Person.objects.values_list("pk", "display_name"))
    rows: dict[str, list[tuple[str, str]]] = {}
    for breach in ownership_breaches(now):  # type: ignore[arg-type]
        rows.setdefault(breach.check, []).append((breach.subject.split(":")[0], names[breach.person_id]))
    return rows


def test_what_is_wrong(cast: Cast) -> None:
    a_system(cast)
    a_system(cast, unit=cast.devtools)
    a_system(cast, owner=cast.ada), a_system(cast, owner=cast.ada)
    waiting = a_system(cast)
    actions.nominate_owner(waiting, cast.dov, actor=cast.mara, now=NOW)
    handed = a_system(cast, owner=cast.lea)
    nomination = actions.nominate_owner(handed, cast.nils, actor=cast.mara, now=NOW)
    actions.accept_ownership(nomination, actor=cast.nils, now=LATER)
    assert found(LATER) == {
        "unit-without-head": [("unit", "Mara Lindt")],
        "no-authority-to-stop": [("person", "Mara Lindt")] * 2,
    }
    late = found(NOW + timedelta(days=31))
    assert late["interim-too-long"] == [("system", "Una Brandt"), ("system", "Mara Lindt"), ("system", "Una Brandt")]
    assert late["nomination-overdue"] == [("nomination", "Una Brandt")]
    assert late["handover-overdue"] == [("handover", "Lea Abelmann")]


def test_a_branch_without_any_head_is_one_breach(cast: Cast) -> None:
    fleet = actions.create_unit(name="Fleet", code="fleet", parent=cast.devtools, actor=cast.mara, now=NOW)
    motor = actions.create_unit(name="Motor", code="motor", parent=cast.claims, actor=cast.mara, now=NOW)
    for unit in (fleet, fleet, cast.devtools, motor):
        a_system(cast, unit=unit)
    titles = [breach.title for breach in ownership_breaches(NOW) if breach.check == "unit-without-head"]
    assert titles == ["Nobody heads Developer Tools: 3 live systems fall to the holder of the mandate."]


def test_the_sweep_asks_as_much_for_many(cast: Cast) -> None:
    def asked() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            ownership_breaches(NOW + timedelta(days=40))
        return len(queries)

    a_system(cast, owner=cast.ada), a_system(cast)
    few = asked()
    for person in (cast.ada, cast.lea, cast.bo, None, None):
        a_system(cast, owner=person)
    assert asked() == few
