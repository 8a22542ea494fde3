"""What would close most of the holes: a seat to fill, owners to nominate, a domain to give an A."""

from collections import defaultdict
from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse

from apps.access.queries import may
from apps.access.rules import Permission
from apps.people.models import Person
from apps.portal.queries.blind_spots import Scene
from apps.registry.models import Unit
from apps.registry.queries.blind_spots import NOBODY
from apps.registry.rules.patterns import small

SHOWN = 3
NAMED = 2


@dataclass(frozen=True)
class Closing:
    """One thing to do, how many holes (a system by a domain) it closes, who can, and where."""

    holes: int
    title: str
    text: str
    url: str
    action: str
    person: Person | None = None
    role: str = ""


def closing_most(here: Scene, reader: Person) -> list[Closing]:
    """The three that close the most holes; equal ones by title. No query beyond the reader's standing."""
    found = [*_seats(here, reader), *_owners(here, reader), *_domains(here)]
    return sorted(found, key=lambda one: (-one.holes, one.title))[:SHOWN]


def _seats(here: Scene, reader: Person) -> list[Closing]:
    """Each vacant seat to which letters fall. The mandate holder seats people."""
    by_seat: dict[str, dict[str, int]] = defaultdict(dict)
    for count in here.spots.counts:
        if count.cause.startswith("vacant:"):
            by_seat[count.cause.removeprefix("vacant:")][count.domain] = count.systems
    titles = {seat.function_id: seat.function.seat_title for seat in here.spots.seats}
    action = "Seat somebody" if may(reader, Permission.ADMINISTER_PEOPLE) else "Open the seats"
    return [
        Closing(
            sum(domains.values()),
            f"{titles[seat]}: vacant seat",
            f"{_named(here, domains)} {_fall(len(domains))} to this seat. Whoever takes it answers for "
            f"{_systems(max(domains.values()))}.",
            reverse("portal:seats"),
            action,
            *_mandate(here),
        )
        for seat, domains in by_seat.items()
    ]


def _owners(here: Scene, reader: Person) -> list[Closing]:
    """Nominations, unit by unit: at the top one for each unit there, inside a unit one for all of it."""
    units = [here.unit.pk] if here.unit else here.tree.children.get(None, [])
    found = []
    for pk in units:
        total = here.total(pk)
        if total.of_owners:
            found.append(_nominate(here, here.tree.units[pk], total.interim, total.of_owners, reader))
    return found


def _nominate(here: Scene, unit: Unit, interim: int, holes: int, reader: Person) -> Closing:
    head = _head(here, unit)
    person, role = _mandate(here)
    if head is not None:
        person, role = head.head, "head of this unit" if head.pk == unit.pk else f"head of {head.name}"
    return Closing(
        holes,
        unit.name,
        f"Nobody has accepted {_systems(interim)} there. Each has decisions that the matrix leaves to its owner.",
        f"{reverse('portal:systems')}?basis=interim&unit={unit.pk}",
        f"Nominate {interim:,}" if may(reader, Permission.NOMINATE_OWNER) else "Open list",
        person,
        role,
    )


def _head(here: Scene, unit: Unit) -> Unit | None:
    """The nearest unit, from this one up, whose head is active."""
    return next((one for one in reversed(here.tree.path(unit.pk)) if one.head and one.head.is_active), None)


def _domains(here: Scene) -> list[Closing]:
    """Domains to which the matrix gives nobody, or somebody who is not active any more."""
    found: dict[str, int] = defaultdict(int)
    for count in here.spots.counts:
        if count.cause in {"none", "inactive"}:
            found[count.domain] += count.systems
    gone = {count.domain for count in here.spots.counts if count.cause == "inactive"}
    matrix = _address("portal:raci")
    return [
        Closing(
            holes,
            here.names[domain],
            f"Its A is with somebody who is no longer active, for {_systems(holes)}."
            if domain in gone
            else f"The matrix gives {_systems(holes)} no A here. One letter closes it.",
            matrix or here.cell_url(domain, NOBODY),
            "Open the matrix" if matrix else "Open list",
            *_mandate(here),
        )
        for domain, holes in found.items()
    ]


def _address(name: str) -> str:
    """The path of a page, or nothing where it is not built."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def _mandate(here: Scene) -> tuple[Person | None, str]:
    return here.mandate_holder, "holds the mandate"


def _named(here: Scene, domains: dict[str, int]) -> str:
    names = [name for key, name in here.names.items() if key in domains]
    if len(names) > NAMED:
        return f"{len(names)} domains"
    return " and ".join([names[0], *(small(name) for name in names[1:])])


def _fall(count: int) -> str:
    return "falls" if count == 1 else "fall"


def _systems(count: int) -> str:
    return "1 system" if count == 1 else f"{count:,} systems"
