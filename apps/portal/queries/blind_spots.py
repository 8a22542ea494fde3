"""The page of blind spots: the map of a unit or of everything, who covers what, where the holes are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlencode

from django.db.models import Count
from django.urls import reverse

from apps.access.queries import may
from apps.access.rules import Permission
from apps.people.models import Person
from apps.portal.queries.systems import HELD_BY
from apps.registry.models import Mandate, System, Unit
from apps.registry.queries.blind_spots import (
    NOBODY,
    OWNERS,
    PEOPLE,
    BlindSpots,
    UnitHoles,
    blind_spots,
    holes_by_unit,
    mapped_systems,
)
from apps.registry.rules.patterns import COVERED, Likeness, explanation, resembled, small

UNITS_SHOWN = 8


@dataclass(frozen=True)
class UnitTree:
    """Every unit by id, and what is directly below each. Read once."""

    units: Mapping[int, Unit]
    children: Mapping[int | None, list[int]]

    @classmethod
    def read(cls) -> "UnitTree":
        """The whole tree with heads. One query."""
        units = {unit.pk: unit for unit in Unit.objects.select_related("head")}
        children: dict[int | None, list[int]] = {}
        for unit in units.values():
            children.setdefault(unit.parent_id, []).append(unit.pk)
        return cls(units, children)

    def below(self, pk: int) -> list[int]:
        """A unit and all units below it."""
        found, queue = [], [pk]
        while queue:
            found.append(queue.pop())
            queue += self.children.get(found[-1], [])
        return found

    def path(self, pk: int) -> list[Unit]:
        """The units above one, from the top down, and itself."""
        found: list[Unit] = []
        at: int | None = pk
        while at is not None:
            found.insert(0, self.units[at])
            at = self.units[at].parent_id
        return found


@dataclass(frozen=True)
class Scene:
    """All that the page is made of. `unit` None is the whole organisation, as far as the reader sees it."""

    spots: BlindSpots
    tree: UnitTree
    by_unit: Mapping[int, UnitHoles]
    unit: Unit | None
    owners: int
    mandate_holder: Person | None
    # Whether the reader sees everything that there is here, but for what is restricted.
    whole: bool = True

    @cached_property
    def names(self) -> dict[str, str]:
        """Domains by key, in the order of the matrix."""
        return {domain.key: domain.name for domain in self.spots.domains}

    def list_url(self, **filters: str) -> str:
        """The systems list of this place, filtered."""
        place = {"unit": str(self.unit.pk)} if self.unit else {}
        return f"{reverse('portal:systems')}?{urlencode(filters | place)}"

    def cell_url(self, domain: str, holder: str) -> str:
        """The systems of one cell: the list has as many as the cell says."""
        return self.list_url(domain=domain, held_by=holder)

    def total(self, pk: int) -> UnitHoles:
        """A unit's systems and those of all units below it."""
        return sum((self.by_unit[unit] for unit in self.tree.below(pk) if unit in self.by_unit), UnitHoles())

    def holder(self, function: str) -> Person | None:
        """Who holds a function's seat."""
        return next((seat.holder for seat in self.spots.seats if seat.function_id == function), None)


def scene(reader: Person, unit_id: int | None = None) -> Scene:
    """The map for a reader. Nine queries, whatever the size of the register. Raises Unit.DoesNotExist."""
    tree = UnitTree.read()
    if unit_id is not None and unit_id not in tree.units:
        raise Unit.DoesNotExist
    systems = mapped_systems(reader, None if unit_id is None else tree.below(unit_id))
    spots = blind_spots(systems)
    accepted = systems.filter(owner_basis=System.Basis.ACCEPTED)
    mandate = Mandate.objects.values_list("holder_id", flat=True).first()
    return Scene(
        spots=spots,
        tree=tree,
        by_unit=holes_by_unit(systems),
        unit=None if unit_id is None else tree.units[unit_id],
        owners=accepted.aggregate(n=Count("owner", distinct=True))["n"],
        mandate_holder=next((seat.holder for seat in spots.seats if seat.function_id == mandate), None),
        whole=may(reader, Permission.SYSTEMS_READ_ALL),
    )


@dataclass(frozen=True)
class Widest:
    """The widest hole in two sentences; the first begins with the domain's name."""

    domain: str
    fact: str
    rest: str


def widest_hole(here: Scene) -> Widest | None:
    """The domain in which nobody answers for most systems, and who holds the others. None where there is no hole."""
    spots = here.spots
    first = spots.widest[0] if spots.widest else None
    holes = spots.holes(first.key) if first else 0
    if first is None or not holes:
        return None
    alike = [domain.name for domain in spots.widest[1:] if spots.holes(domain.key) == holes]
    numbers = f"for {holes:,} of {spots.live:,} system{_s(spots.live)} nobody answers."
    if not alike:
        return Widest(first.name, f"is the widest hole: {numbers}", _who_holds_the_rest(spots, first.key))
    others = small(alike[0]) if len(alike) == 1 else f"{len(alike)} other domains"
    return Widest(first.name, f"and {others} are the widest holes: {numbers}", _who_holds_the_rest(spots, first.key))


def _who_holds_the_rest(spots: BlindSpots, domain: str) -> str:
    held = [(row, n) for row in spots.rows if row != NOBODY and (n := spots.held(domain, row))]
    held.sort(key=lambda one: (-one[1], spots.rows.index(one[0])))
    if not held:
        return "No seat, no owner and no named person holds it anywhere."
    (row, most), rest = held[0], held[1:]
    name = {OWNERS: "Owners who accepted hold", PEOPLE: "Named people hold"}.get(row, f"{HELD_BY.get(row, row)} holds")
    if not rest:
        return f"{name} the other {most:,}."
    spread = sum(n for _, n in rest)
    where = "are with one other" if len(rest) == 1 else f"are spread over {len(rest)} others"
    return f"{name} {most:,}, and {spread:,} {where}."


def _s(count: int) -> str:
    return "" if count == 1 else "s"


@dataclass(frozen=True)
class Covered:
    """A domain that the resembled pattern usually misses, and who holds most of it here."""

    domain: str
    url: str
    nobody: int
    held: int
    by: str = ""
    person: Person | None = None


@dataclass(frozen=True)
class PatternFound:
    """Which pattern this resembles, why, what such a seat usually misses, and who covers that."""

    likeness: Likeness | None
    sentence: str
    covered: list[Covered] = field(default_factory=list)
    missed: list[Covered] = field(default_factory=list)


def pattern_found(here: Scene) -> PatternFound:
    """The pattern of this place and what follows from it. No query."""
    place = here.unit.name if here.unit else "The organisation"
    sentence = explanation(here.spots.shares, here.names, place if here.whole else "What you may open")
    likeness = resembled(here.spots.shares)
    if likeness is None:
        return PatternFound(None, sentence)
    lines = [_covered(here, domain) for domain in here.names if domain in likeness.pattern.missed]
    half = COVERED * here.spots.live
    return PatternFound(
        likeness,
        sentence,
        covered=[line for line in lines if here.spots.live - line.nobody >= half],
        missed=[line for line in lines if here.spots.live - line.nobody < half],
    )


def _covered(here: Scene, domain: str) -> Covered:
    """Who holds most of a domain: a seat with its holder, the owners, or named people."""
    spots = here.spots
    rows = [row for row in spots.rows if row != NOBODY]
    best = max(rows, key=lambda row: spots.held(domain, row))
    most = spots.held(domain, best)
    nobody = spots.holes(domain)
    name = here.names[domain]
    if not most:
        return Covered(name, here.cell_url(domain, NOBODY), nobody, 0)
    words = {OWNERS: "owners who accepted", PEOPLE: "named people"}.get(best, HELD_BY.get(best, best))
    return Covered(name, here.cell_url(domain, best), nobody, most, words, here.holder(best))


@dataclass(frozen=True)
class UnitLine:
    """A unit below this place, with its holes."""

    name: str
    url: str
    live: int
    holes: int


def unit_lines(here: Scene) -> list[UnitLine]:
    """The units directly below that have live systems, those with the most holes first, ties by name."""
    below = here.tree.children.get(here.unit.pk if here.unit else None, [])
    found = [(here.tree.units[pk], total) for pk in below if (total := here.total(pk)).live]
    found.sort(key=lambda one: (-one[1].holes, one[0].name))
    return [
        UnitLine(unit.name, f"{reverse('portal:blind_spots')}?unit={unit.pk}", total.live, total.holes)
        for unit, total in found
    ]
