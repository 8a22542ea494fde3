"""Who holds the A of every domain, over all effective matrices of the live systems that a reader may see.

One statement, set-based: overrides are few, so each unit's effective matrix is worked out once, the systems of a unit
are counted by whether their owner accepted, and only systems with letters of their own are corrected one by one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BigIntegerField, Func, Q, QuerySet, Value

from apps.people.models import Person, Seat
from apps.registry.models import GovernanceDomain, RaciAssignment, System
from apps.registry.queries.systems import live, visible_systems

OWNERS, PEOPLE, NOBODY = "owners", "people", "nobody"

# Who a scope's A falls to. "Says anything" is any letter: a scope with an R and no A stands, and names nobody.
#   party  a function's code, "owners" (decided per system), "people", or "nobody"
#   cause  why nobody: "vacant:<function>", "none", "inactive"
_SCOPED = """
scoped AS MATERIALIZED (
    SELECT r.domain_id, r.unit_id, r.system_id,
        coalesce(max(CASE
            WHEN r.letter <> 'A' THEN NULL
            WHEN r.is_owner THEN 'owners'
            WHEN r.function_id IS NOT NULL AND seat.holder_id IS NOT NULL THEN r.function_id
            WHEN r.person_id IS NOT NULL AND p.is_active AND p.kind = 'human' THEN coalesce((
                SELECT f.code FROM people_person_functions m JOIN people_function f ON f.code = m.function_id
                WHERE m.person_id = r.person_id ORDER BY f.position LIMIT 1), 'people')
        END), 'nobody') AS party,
        coalesce(max(CASE
            WHEN r.letter = 'A' AND r.function_id IS NOT NULL THEN 'vacant:' || r.function_id
            WHEN r.letter = 'A' AND r.person_id IS NOT NULL THEN 'inactive'
        END), 'none') AS cause
    FROM registry_raciassignment r
    LEFT JOIN people_seat seat ON seat.function_id = r.function_id
    LEFT JOIN people_person p ON p.id = r.person_id
    WHERE r.valid_to IS NULL {of_domain}
    GROUP BY r.domain_id, r.unit_id, r.system_id)"""

# Every unit's effective matrix: what is set in the nearest unit, else in the organisation.
_MATRIX = """
up(unit_id, above, height) AS (
    SELECT u.id, u.id, 0 FROM registry_unit u
    UNION ALL
    SELECT up.unit_id, u.parent_id, up.height + 1
    FROM up JOIN registry_unit u ON u.id = up.above WHERE u.parent_id IS NOT NULL),
own AS (
    SELECT DISTINCT ON (up.unit_id, s.domain_id) up.unit_id, s.domain_id, s.party, s.cause
    FROM scoped s JOIN up ON up.above = s.unit_id
    ORDER BY up.unit_id, s.domain_id, up.height),
matrix AS MATERIALIZED (
    SELECT u.id AS unit_id, d.key AS domain_id,
        coalesce(own.party, org.party, 'nobody') AS party, coalesce(own.cause, org.cause, 'none') AS cause
    FROM registry_unit u CROSS JOIN registry_governancedomain d
    LEFT JOIN own ON own.unit_id = u.id AND own.domain_id = d.key
    LEFT JOIN scoped org ON org.domain_id = d.key AND org.unit_id IS NULL AND org.system_id IS NULL
    {where_domain})"""

_MAP_SQL = """
WITH RECURSIVE mine AS NOT MATERIALIZED ({systems}),
counted AS MATERIALIZED (SELECT unit_id, owner_basis, count(*) AS n FROM mine GROUP BY unit_id, owner_basis),
{scoped}, {matrix},
here AS MATERIALIZED (
    SELECT s.domain_id, s.party, s.cause, mine.unit_id, mine.owner_basis, count(*) AS n
    FROM scoped s JOIN mine ON mine.id = s.system_id GROUP BY 1, 2, 3, 4, 5),
held AS (
    SELECT unit_id, domain_id, party, cause, owner_basis, n FROM matrix JOIN counted USING (unit_id)
    UNION ALL
    SELECT unit_id, domain_id, party, cause, owner_basis, n FROM here
    UNION ALL
    SELECT unit_id, domain_id, m.party, m.cause, here.owner_basis, -n
    FROM here JOIN matrix m USING (unit_id, domain_id)),
answered AS (
    SELECT unit_id, domain_id, n,
        CASE WHEN party = 'owners' AND owner_basis <> 'accepted' THEN 'nobody' ELSE party END AS holder,
        CASE WHEN party = 'owners' AND owner_basis <> 'accepted' THEN 'owner'
             WHEN party = 'nobody' THEN cause ELSE '' END AS cause
    FROM held)
"""

_BY_DOMAIN = """
SELECT domain_id, holder, cause, sum(n)::bigint FROM answered
GROUP BY domain_id, holder, cause HAVING sum(n) > 0 ORDER BY domain_id, holder, cause
"""

_BY_UNIT = """
SELECT c.unit_id, sum(c.n)::bigint, coalesce(sum(c.n) FILTER (WHERE c.owner_basis <> 'accepted'), 0)::bigint,
    coalesce(max(h.holes), 0)::bigint, coalesce(max(h.of_owners), 0)::bigint
FROM counted c LEFT JOIN (
    SELECT unit_id, sum(n) AS holes, sum(n) FILTER (WHERE cause = 'owner') AS of_owners
    FROM answered WHERE holder = 'nobody' GROUP BY unit_id) h USING (unit_id)
GROUP BY c.unit_id ORDER BY c.unit_id
"""

# One domain: what each unit's systems inherit, and whether any system has letters of its own there.
_UNITS_SQL = """
WITH RECURSIVE {scoped}, {matrix}
SELECT unit_id, party, EXISTS (SELECT FROM scoped WHERE system_id IS NOT NULL) FROM matrix
"""


_OWN_SQL = """(
WITH asked(domain_id, party) AS (VALUES (%(expressions)s)), {scoped}
SELECT system_id FROM scoped WHERE party = (SELECT party FROM asked))"""


class _WithOwn(Func):
    """The systems with letters of their own in a domain (first value) that fall to a party (second value)."""

    template = _OWN_SQL.format(
        scoped=_SCOPED.format(of_domain="AND r.domain_id = (SELECT domain_id FROM asked) AND r.system_id IS NOT NULL")
    )
    output_field = BigIntegerField()


@dataclass(frozen=True)
class Count:
    """So many live systems whose A in this domain is held by `holder`; `cause` says why it is nobody."""

    domain: str
    holder: str
    cause: str
    systems: int


@dataclass(frozen=True)
class UnitHoles:
    """One unit's own live systems: how many, how many that nobody accepted, and their holes (system by domain)."""

    live: int = 0
    interim: int = 0
    holes: int = 0
    of_owners: int = 0

    def __add__(self, other: "UnitHoles") -> "UnitHoles":
        return UnitHoles(
            self.live + other.live,
            self.interim + other.interim,
            self.holes + other.holes,
            self.of_owners + other.of_owners,
        )


def mapped_systems(reader: Person, units: Iterable[int] | None = None) -> QuerySet[System]:
    """The live systems of the map: what the reader may see, in some units or in all."""
    systems = live(visible_systems(reader)).order_by()
    return systems if units is None else systems.filter(unit_id__in=list(units))


def counts_by_domain(systems: QuerySet[System]) -> list[Count]:
    """Functions by domains: every cell that is not zero. One query, whatever the size of the register.

    Per domain the counts add up to the number of systems. A vacant seat, an inactive person, an owner who has not
    accepted and a scope without an A are nobody (product, "Governance domains").
    """
    return [Count(*row) for row in _asked(systems, _BY_DOMAIN)]


def holes_by_unit(systems: QuerySet[System]) -> dict[int, UnitHoles]:
    """For each unit that has such systems itself: their number and their holes. One query."""
    return {unit: UnitHoles(*numbers) for unit, *numbers in _asked(systems, _BY_UNIT)}


def _asked(systems: QuerySet[System], select: str) -> Sequence[tuple[Any, ...]]:
    try:
        inner, params = systems.values_list("id", "unit_id", "owner_basis").query.sql_with_params()
    except EmptyResultSet:  # somebody who may see nothing at all
        return []
    sql = _MAP_SQL.format(systems=inner, scoped=_SCOPED.format(of_domain=""), matrix=_MATRIX.format(where_domain=""))
    with connection.cursor() as cursor:
        cursor.execute(sql + select, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def held_by(systems: QuerySet[System], domain: str, holder: str) -> QuerySet[System]:
    """Those whose A in a domain falls to a function (its code), "owners", "people" or "nobody": the cell's systems.

    One query for what the units inherit. The condition that comes of it names units and the owner's basis, which the
    list's own indexes cover; only systems with letters of their own are looked up one by one.
    """
    sql = _UNITS_SQL.format(
        scoped=_SCOPED.format(of_domain="AND r.domain_id = %s"), matrix=_MATRIX.format(where_domain="WHERE d.key = %s")
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [domain, domain])
        rows = cursor.fetchall()
    inherited = _falls_to(holder, lambda party: Q(unit_id__in=[unit for unit, its, _ in rows if its == party]))
    if not any(overridden for _, _, overridden in rows):
        return systems.filter(inherited)
    own = _falls_to(holder, lambda party: Q(pk__in=_WithOwn(Value(domain), Value(party))))
    letters = RaciAssignment.objects.filter(domain=domain, valid_to=None, system__isnull=False)
    return systems.filter((inherited & ~Q(pk__in=letters.values("system"))) | own)


def _falls_to(holder: str, where: Callable[[str], Q]) -> Q:
    """What `where` says of a party, with the owner's A decided by whether the owner has accepted."""
    if holder == OWNERS:
        return where(OWNERS) & Q(owner_basis=System.Basis.ACCEPTED)
    if holder == NOBODY:
        return where(NOBODY) | (where(OWNERS) & Q(owner_basis=System.Basis.INTERIM))
    return where(holder)


@dataclass(frozen=True)
class BlindSpots:
    """The map: what each row holds in each domain. Every column adds up to `live`."""

    domains: tuple[GovernanceDomain, ...]
    seats: tuple[Seat, ...]
    live: int
    counts: tuple[Count, ...]

    @cached_property
    def cells(self) -> Mapping[tuple[str, str], int]:
        """Systems by (domain, row); a pair that is missing is zero."""
        found: dict[tuple[str, str], int] = {}
        for count in self.counts:
            at = (count.domain, count.holder)
            found[at] = found.get(at, 0) + count.systems
        return found

    def held(self, domain: str, holder: str) -> int:
        """One cell."""
        return self.cells.get((domain, holder), 0)

    def holes(self, domain: str) -> int:
        """Live systems for which nobody answers in a domain."""
        return self.held(domain, NOBODY)

    @cached_property
    def all_holes(self) -> int:
        """Pairs of a system and a domain in which nobody answers."""
        return sum(self.holes(domain.key) for domain in self.domains)

    @cached_property
    def shares(self) -> dict[str, float]:
        """Per domain, the share of live systems for which somebody holds the A."""
        if not self.live:
            return {domain.key: 0.0 for domain in self.domains}
        return {domain.key: (self.live - self.holes(domain.key)) / self.live for domain in self.domains}

    @cached_property
    def rows(self) -> tuple[str, ...]:
        """The codes of the rows, in the order of the matrix; named people only where there are any."""
        people = (PEOPLE,) if any(holder == PEOPLE for _, holder in self.cells) else ()
        return (*(seat.function_id for seat in self.seats), OWNERS, *people, NOBODY)

    @cached_property
    def widest(self) -> tuple[GovernanceDomain, ...]:
        """Domains by holes, the widest first; equally wide ones by name."""
        return tuple(sorted(self.domains, key=lambda domain: (-self.holes(domain.key), domain.name)))

    @cached_property
    def has_matrix(self) -> bool:
        """Whether anything is in force in any scope of these systems."""
        return any(count.cause != "none" for count in self.counts)


def blind_spots(systems: QuerySet[System]) -> BlindSpots:
    """The map of these systems. Four queries: the count, the map, domains, seats."""
    seats = Seat.objects.select_related("function", "holder").order_by("function__position")
    return BlindSpots(
        tuple(GovernanceDomain.objects.order_by("position")),
        tuple(seats),
        systems.count(),
        tuple(counts_by_domain(systems)),
    )
