"""The heat map as the page shows it: columns by layer, rows by function, a shade for each number."""

from dataclasses import dataclass
from functools import cached_property

from apps.people.models import Seat
from apps.portal.queries.blind_spots import Scene
from apps.registry.models import GovernanceDomain
from apps.registry.queries.blind_spots import NOBODY, OWNERS, PEOPLE
from apps.registry.rules.patterns import BLIND_SPOTS_OF

COLUMNS = 9
# As many of the widest holes are drawn larger.
LOUD = 2
# Up to which share of the systems each of the first four shades goes.
SHADES = (0.08, 0.20, 0.36, 0.65)


@dataclass(frozen=True)
class Cell:
    """One number. `shade` 0 is nothing held; `blind` says that this function usually does not look there."""

    domain: GovernanceDomain
    n: int
    shade: int
    url: str
    blind: bool = False


@dataclass(frozen=True)
class Hole:
    """The last row's cell: for how many nobody answers."""

    domain: GovernanceDomain
    n: int
    percent: str
    url: str
    loud: bool = False


@dataclass(frozen=True)
class Row:
    """A function with its seat, the owners, or the named people."""

    code: str
    title: str
    seat: Seat | None
    note: str
    cells: list[Cell]


@dataclass(frozen=True)
class Layer:
    """Columns under one heading."""

    name: str
    domains: list[GovernanceDomain]


@dataclass(frozen=True)
class Table:
    """The map. Every column adds up to the number of live systems."""

    layers: list[Layer]
    rows: list[Row]
    holes: list[Hole]
    live: int
    all_domains: int
    shown: int = COLUMNS

    @cached_property
    def domains(self) -> list[GovernanceDomain]:
        """The columns from left to right."""
        return [domain for layer in self.layers for domain in layer.domains]

    @cached_property
    def lists(self) -> list[tuple[str, list[tuple[Hole, list[tuple[Row, Cell]]]]]]:
        """The same by domain: the hole first, then who holds it, the most first."""
        found, place = [], 0
        for layer in self.layers:
            lines = []
            for _ in layer.domains:
                held = [(row, row.cells[place]) for row in self.rows if row.cells[place].n]
                held.sort(key=lambda one: -one[1].n)
                lines.append((self.holes[place], held))
                place += 1
            found.append((layer.name, lines))
        return found


def table(here: Scene, *, every_domain: bool = False) -> Table:
    """The nine domains with the widest holes, or all of them; within a layer the widest first. No query."""
    spots = here.spots
    chosen = set(spots.widest if every_domain else spots.widest[:COLUMNS])
    layers: dict[str, list[GovernanceDomain]] = {}
    for domain in spots.domains:
        if domain in chosen:
            layers.setdefault(domain.layer, []).append(domain)
    columns = [
        Layer(name, sorted(domains, key=lambda domain: (-spots.holes(domain.key), domain.position)))
        for name, domains in layers.items()
    ]
    domains = [domain for layer in columns for domain in layer.domains]
    seats = {seat.function_id: seat for seat in spots.seats}
    return Table(
        layers=columns,
        rows=[_row(here, code, seats.get(code), domains) for code in spots.rows if code != NOBODY],
        holes=_holes(here, domains),
        live=spots.live,
        all_domains=len(spots.domains),
    )


def _row(here: Scene, code: str, seat: Seat | None, domains: list[GovernanceDomain]) -> Row:
    blind = BLIND_SPOTS_OF.get(code, frozenset())
    cells = []
    for domain in domains:
        n = here.spots.held(domain.key, code)
        url = here.cell_url(domain.key, code) if n else ""
        cells.append(Cell(domain, n, shade(n, here.spots.live), url, blind=not n and domain.key in blind))
    if seat is not None:
        return Row(code, seat.function.seat_title, seat, "", cells)
    if code == OWNERS:
        return Row(code, "System owners", None, _people(here.owners), cells)
    return Row(code, "Named people" if code == PEOPLE else code, None, "by name, in no function", cells)


def _people(count: int) -> str:
    return "nobody has accepted yet" if not count else ("1 person" if count == 1 else f"{count:,} people")


def _holes(here: Scene, domains: list[GovernanceDomain]) -> list[Hole]:
    loud = [domain for domain in here.spots.widest[:LOUD] if here.spots.holes(domain.key)]
    found = []
    for domain in domains:
        n = here.spots.holes(domain.key)
        url = here.cell_url(domain.key, NOBODY) if n else ""
        found.append(Hole(domain, n, percent(n, here.spots.live), url, loud=domain in loud))
    return found


def shade(n: int, live: int) -> int:
    """From 1 (a few) to 5 (most); 0 for none."""
    if not n or not live:
        return 0
    return 1 + sum(1 for limit in SHADES if n / live > limit)


def percent(n: int, live: int) -> str:
    """A share in whole percent. What is there is never 0 %, and what is missing something never 100 %."""
    if not live or not n:
        return "0%"
    share = 100 * n / live
    if share < 1:
        return "<1%"
    return ">99%" if 99 < share < 100 else f"{round(share)}%"
