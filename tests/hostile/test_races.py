"""Two people do two things to the same system at the same moment: each pair of verbs, in both orders.

The second begins while the first has done its work and not committed. What comes of it is an act or a sentence,
never an error of the database; and whatever came of it, the rules hold.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest

from apps.attestations import actions as attestations
from apps.audit.rules import COMMAND
from apps.people import actions as people
from apps.people.models import Person
from apps.people.rules import RoleName
from apps.registry import actions as registry
from apps.registry.actions.grants import sync_grants
from apps.registry.models import Nomination, OwnershipTerm, System, SystemUserPermission, Unit
from apps.registry.rules.imports import template_csv
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.hostile.races import sentence, while_held, while_open

pytestmark = pytest.mark.committed
LATER = NOW + timedelta(hours=1)
_numbers = count(1)


class Scene:
    """A system of its own unit, whose head answers in the interim; a nominee who was asked."""

    def __init__(self, cast: Cast) -> None:
        self.cast, self.number = cast, next(_numbers)
        self.by: dict[str, Any] = {"actor": cast.mara, "now": LATER}
        self.head, self.nominee, self.other = (self.person(name) for name in ("head", "nominee", "other"))
        self.unit = registry.create_unit(
            name=f"Unit {self.number}", code=f"unit-{self.number}", head=self.head, actor=cast.mara, now=NOW
        )
        self.heir = self.person("heir")
        self.below = registry.create_unit(
            name="Heirs", code=f"heirs-{self.number}", head=self.heir, parent=self.unit, actor=cast.mara, now=NOW
        )
        self.system = a_system(cast, unit=self.unit)
        self.unasked = a_system(cast, unit=self.unit)
        self.nomination = registry.nominate_owner(self.system, self.nominee, actor=cast.mara, now=NOW)
        header = template_csv().splitlines()[0]
        row = f"{self.system.key},Renamed,{self.unit.code},production,low,,,,,{self.nominee.email},,,"
        fresh = f"{self.system.key}-new,New,{self.unit.code},production,low,,,,,{self.nominee.email},,,"
        self.run = registry.receive_import(
            file_name="x.csv", content=f"{header}\n{row}\n{fresh}\n".encode(), actor=cast.mara, now=NOW
        )

    def person(self, name: str) -> Person:
        return people.provision_person(
            email=f"{name}{self.number}@example.org",
            display_name=f"{name} {self.number}",
            actor=self.cast.mara,
            now=NOW,
        )

    def fresh(self) -> System:
        return System.objects.get(pk=self.system.pk)

    def second(self) -> System:
        return System.objects.get(pk=self.unasked.pk)

    def asked(self) -> Nomination:
        return Nomination.objects.select_related("system", "nominee").get(pk=self.nomination.pk)


VERBS: dict[str, Callable[[Scene], Any]] = {
    "accept": lambda s: registry.accept_ownership(s.asked(), actor=s.nominee, now=LATER),
    "decline": lambda s: registry.decline_ownership(s.asked(), actor=s.nominee, now=LATER, reason="No."),
    "withdraw": lambda s: registry.withdraw_nomination(s.asked(), **s.by),
    "nominate": lambda s: registry.nominate_owner(s.second(), s.other, **s.by),
    "nominate again": lambda s: registry.nominate_owner(s.second(), s.nominee, **s.by),
    "retire": lambda s: registry.retire_system(s.fresh(), reason="Gone.", **s.by),
    "change": lambda s: registry.change_system(s.fresh(), tier="low", **s.by),
    "claim an identity": lambda s: registry.change_system(s.fresh(), identities=[("agent_id", f"a{s.number}")], **s.by),
    "register": lambda s: registry.register_system(
        key=f"NEW-{s.number}",
        name="New",
        unit=s.unit,
        stage="production",
        identities=[("agent_id", f"a{s.number}")],
        **s.by,
    ),
    "new head": lambda s: registry.change_unit(s.unit, head=s.other, **s.by),
    "nominee heads": lambda s: registry.change_unit(s.unit, head=s.nominee, **s.by),
    "rename the unit": lambda s: registry.change_unit(s.unit, name=f"Renamed {s.number}", **s.by),
    "create a unit": lambda s: registry.create_unit(name="Below", code=f"below-{s.number}", parent=s.unit, **s.by),
    "seat": lambda s: registry.seat_person("finance", s.nominee, **s.by),
    "mandate": lambda s: registry.seat_person("platform", s.other, **s.by),
    "deactivate the nominee": lambda s: registry.deactivate_person(_again(s.nominee), **s.by),
    "deactivate the head": lambda s: registry.deactivate_person(_again(s.head), **s.by),
    "deactivate the other": lambda s: registry.deactivate_person(_again(s.other), **s.by),
    "deputy": lambda s: registry.change_person(_again(s.nominee), deputy=s.other, **s.by),
    "deputy of the head": lambda s: registry.change_person(_again(s.head), deputy=s.nominee, **s.by),
    "register below": lambda s: registry.register_system(
        key=f"BELOW-{s.number}", name="Below", unit=s.below, stage="production", **s.by
    ),
    "deactivate the heir": lambda s: registry.deactivate_person(_again(s.heir), **s.by),
    "heir heads": lambda s: registry.change_unit(s.unit, head=s.heir, **s.by),
    "heir holds the mandate": lambda s: registry.seat_person("platform", s.heir, **s.by),
    "seat the heir": lambda s: registry.seat_person("finance", s.heir, **s.by),
    "grant": lambda s: people.grant_role(_again(s.nominee), RoleName.BOARD, **s.by),
    "provision": lambda s: people.provision_person(email=f"p{s.number}@example.org", display_name="P", **s.by),
    "save a view": lambda s: registry.save_view(name=f"V{s.number}", query="q=x", shared=False, **s.by),
    "import": lambda s: registry.apply_import(s.run, **s.by),
    "discard": lambda s: registry.discard_import(s.run, **s.by),
    "review again": lambda s: registry.review_import_again(s.run, **s.by),
    "campaign": lambda s: attestations.open_campaign(f"{2027 + s.number}Q1", actor=COMMAND, now=LATER),
}


def _again(person: Person) -> Person:
    return Person.objects.get(pk=person.pk)


def broken_rules(scene: Scene) -> list[str]:
    """What no race may leave behind."""
    found = []
    for system in System.objects.filter(unit=scene.unit):
        terms = OwnershipTerm.objects.filter(system=system, period__upper_inf=True)
        if [term.person_id for term in terms] != [system.owner_id]:
            found.append("the owner is not the one of the current term")
        before = _grants(system)
        sync_grants([system.pk])
        if _grants(system) != before:
            found.append("grants do not follow the facts")
    if Nomination.objects.filter(state="open", nominee__is_active=False, system__unit=scene.unit).exists():
        found.append("somebody who is deactivated is asked")
    if Nomination.objects.filter(state="open", system__stage="retired", system__unit=scene.unit).exists():
        found.append("somebody is asked for a retired system")
    if (
        System.objects.filter(unit=scene.unit, owner_basis="interim")
        .exclude(stage="retired")
        .exclude(owner=registry_interim(scene.unit))
        .exists()
    ):
        found.append("the interim owner is not the one of the tree")
    return found


def registry_interim(unit: Unit) -> Person:
    from apps.registry.queries.succession import interim_for

    return interim_for(Unit.objects.get(pk=unit.pk), now=NOW)[0]


def _grants(system: System) -> set[Any]:
    return set(SystemUserPermission.objects.filter(content_object=system).values_list("user_id", flat=True))


# Verbs that meet on the same rows, each with each and in both orders.
MEETINGS = {
    "nominee": ("accept", "decline", "withdraw", "nominate again", "deactivate the nominee", "deputy", "import"),
    "system": ("accept", "withdraw", "nominate", "retire", "change", "claim an identity", "rename the unit", "import"),
    "tree": ("register", "new head", "nominee heads", "rename the unit", "mandate", "deputy of the head"),
    "heir": ("register below", "deactivate the heir", "heir heads", "heir holds the mandate", "seat the heir"),
    "name": ("register", "provision", "save a view", "grant", "create a unit", "campaign"),
    "import": ("import", "discard", "review again", "deactivate the head"),
}
FIRSTS = [(meeting, first) for meeting, verbs in MEETINGS.items() for first in verbs if first != "deactivate the head"]


@pytest.mark.parametrize(("meeting", "first"), FIRSTS)
def test_two_at_once(committed_db: str, meeting: str, first: str) -> None:
    cast, wrong = Cast(), {}
    for second in MEETINGS[meeting]:
        scene = Scene(cast)
        results = while_open(partial(VERBS[first], scene), partial(VERBS[second], scene))
        bad = [f"{type(r).__name__}: {r}" for r in results if not sentence(r)] + broken_rules(scene)
        if bad:
            wrong[second] = bad
    assert wrong == {}


def test_accepting_and_deactivating_do_not_wait_for_each_other(committed_db: str) -> None:
    """Both have begun and neither has what the other one needs first: systems, then people, then nominations."""
    scene = Scene(Cast())
    results = while_held(
        "SELECT FROM registry_nomination WHERE id = %s FOR UPDATE",
        scene.nomination.pk,
        partial(VERBS["accept"], scene),
        partial(VERBS["deactivate the nominee"], scene),
    )
    assert [sentence(result) for result in results] == [True, True], results
    assert broken_rules(scene) == []


def test_nominating_many_in_two_orders(committed_db: str) -> None:
    cast = Cast()
    scene = Scene(cast)
    systems = [scene.unasked, *(a_system(cast, unit=scene.unit) for _ in range(3))]
    results = while_held(
        "SELECT FROM registry_system WHERE id = %s FOR UPDATE",
        systems[1].pk,
        lambda: registry.nominate_many(systems, scene.nominee, **scene.by),
        lambda: registry.nominate_many(reversed(systems), scene.other, **scene.by),
        lambda: registry.change_unit(scene.unit, name="Renamed", **scene.by),
    )
    assert all(sentence(result) for result in results), results
    assert Nomination.objects.filter(system__in=systems, state="open").count() == 4
