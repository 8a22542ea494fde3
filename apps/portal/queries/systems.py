"""The systems list: what its address says, which rows that means, what each row shows."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.cache import cache
from django.db.models import Count, Q, QuerySet
from django.http import QueryDict

from apps.attestations.models import Assignment
from apps.attestations.queries import latest_campaign
from apps.attestations.rules import OPEN_STATES, SIGNED_STATES
from apps.people.models import Person
from apps.people.rules import FUNCTIONS
from apps.registry.models import GovernanceDomain, SavedView, System, Unit
from apps.registry.queries import live, on_record, search, visible_systems
from apps.registry.queries.blind_spots import NOBODY, OWNERS, PEOPLE, held_by
from apps.registry.queries.interim import interim_since_before
from apps.registry.queries.systems import by_tier
from apps.registry.rules import NOT_LIVE, Stage, Tier

# Counts on the tabs can be a minute old; the count below the table is exact.
COUNTS_KEPT = 60
SORTS = {"name": ("name", "id"), "stage": ("stage", "name", "id"), "owner": ("owner__display_name", "name", "id")}
ATTESTATION = {
    "signed": "signed",
    "clean": "signed clean",
    "qualified": "signed with exceptions",
    "open": "not signed yet",
    "overdue": "overdue",
    "none": "not attested",
}
BASIS = {"accepted": "accepted", "interim": "interim"}
HELD_BY = {code: seat_title for code, (_, seat_title) in FUNCTIONS.items()} | {
    OWNERS: "the system's owner",
    PEOPLE: "a named person",
    NOBODY: "nobody",
}
LIVE = {"1": "live", "0": "not live", "all": "any"}


@dataclass(frozen=True)
class Filters:
    """The state of the list, as its address says it. Values within a field are joined by or, fields by and."""

    q: str = ""
    basis: str = ""
    tier: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()
    unit: str = ""
    owner: str = ""
    deputy: str = ""
    age: int = 0
    attestation: str = ""
    domain: str = ""
    held_by: str = ""
    live: str = "1"
    sort: str = "name"

    @classmethod
    def read(cls, query: QueryDict) -> "Filters":
        """From an address. A value that makes no sense is left out, as if it had not been given."""
        stage = tuple(value for value in query.getlist("stage") if value in set(Stage))
        default_live = "all" if set(stage) & set(NOT_LIVE) else "1"
        given_live = query.get("live", default_live)
        sort = query.get("sort", "name")
        domain, holder = _slug(query.get("domain", "")), _known(query.get("held_by", ""), HELD_BY)
        return cls(
            q=" ".join(query.get("q", "").split())[:200],
            basis=_known(query.get("basis", ""), BASIS),
            tier=tuple(value for value in query.getlist("tier") if value in set(Tier)),
            stage=stage,
            unit=_number(query.get("unit", ""), digits=18),
            owner=_uuid(query.get("owner", "")),
            deputy="none" if query.get("deputy") == "none" else "",
            age=int(_number(query.get("age", ""), digits=5) or 0),
            attestation=_known(query.get("attestation", ""), ATTESTATION),
            # Who holds the A of a domain: one without the other asks nothing.
            domain=domain if holder else "",
            held_by=holder if domain else "",
            live=given_live if given_live in LIVE else default_live,
            sort=sort if sort.lstrip("-") in {*SORTS, "tier"} else "name",
        )

    def query(self, **changes: Any) -> str:
        """The address of this list with changes, without what is the default anyway."""
        wanted = replace(self, **changes)
        pairs: list[tuple[str, Any]] = []
        for name in self.__dataclass_fields__:
            value = getattr(wanted, name)
            if value and value != getattr(Filters(), name):
                pairs += [(name, part) for part in value] if isinstance(value, tuple) else [(name, value)]
        return urlencode(pairs)

    @property
    def is_narrowed(self) -> bool:
        return self != Filters(sort=self.sort)


def _known(value: str, among: Mapping[str, str]) -> str:
    return value if value in among else ""


def _number(value: str, *, digits: int) -> str:
    """A number that the database can hold; other scripts have digits too, which int() does not all read."""
    return value if value.isascii() and value.isdigit() and len(value) <= digits else ""


def _slug(value: str) -> str:
    """A key as the database could hold it; others are no key."""
    return value if len(value) <= 60 and re.fullmatch(r"[a-z0-9-]+", value) else ""


def _uuid(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        return ""


def rows_of(reader: Person, filters: Filters, *, now: datetime, today: date) -> QuerySet[System]:
    """The systems that the filters leave, in order. A query set: nothing is read yet."""
    found = _narrowed(visible_systems(reader), filters, now=now, today=today)
    if filters.sort.lstrip("-") == "tier":
        return by_tier(found, descending=filters.sort.startswith("-"))
    order = SORTS[filters.sort.lstrip("-")]
    if filters.sort.startswith("-"):
        return found.order_by(*(f"-{name}" for name in order))
    return found.order_by(*order)


def _narrowed(found: QuerySet[System], filters: Filters, *, now: datetime, today: date) -> QuerySet[System]:
    if filters.live == "1":
        found = live(found)
    elif filters.live == "0":
        found = found.filter(stage__in=NOT_LIVE)
    for name, value in (("owner_basis", filters.basis), ("owner_id", filters.owner)):
        if value:
            found = found.filter(**{name: value})
    if filters.tier:
        found = found.filter(tier__in=filters.tier)
    if filters.stage:
        found = found.filter(stage__in=filters.stage)
    if filters.unit:
        found = found.filter(unit_id__in=units_below(int(filters.unit)))
    if filters.deputy:
        found = found.filter(Q(owner__deputy=None) | Q(owner__deputy__is_active=False))
    if filters.age:
        found = interim_since_before(found, now - timedelta(days=filters.age))
    if filters.attestation:
        found = found.filter(pk__in=_attested(filters.attestation, today))
    if filters.held_by:
        found = held_by(found, filters.domain, filters.held_by)
    return search(found, filters.q) if filters.q else found


def units_below(unit_id: int) -> list[int]:
    """A unit and all units below it. One query."""
    children: dict[int | None, list[int]] = {}
    for child, parent in Unit.objects.values_list("pk", "parent_id"):
        children.setdefault(parent, []).append(child)
    found, queue = [], [unit_id]
    while queue:
        found.append(queue.pop())
        queue += children.get(found[-1], [])
    return found


def _attested(state: str, today: date) -> QuerySet[Any, Any]:
    campaign = latest_campaign()
    assignments = Assignment.objects.filter(campaign=campaign).exclude(state=Assignment.State.REASSIGNED)
    wanted = {
        "signed": Q(state__in=SIGNED_STATES),
        "clean": Q(state__in=SIGNED_STATES, result=Assignment.Result.CLEAN),
        "qualified": Q(state__in=SIGNED_STATES, result=Assignment.Result.QUALIFIED),
        "open": Q(state__in=OPEN_STATES, due_on__gte=today),
        "overdue": Q(state__in=OPEN_STATES, due_on__lt=today),
        "none": Q(state=Assignment.State.NOT_ATTESTED),
    }[state]
    return assignments.filter(wanted).values("system")


@dataclass(frozen=True)
class Tab:
    """A view of the list with its number of systems."""

    label: str
    query: str
    count: int
    view: SavedView | None = None


BUILT_IN = (
    ("All", Filters()),
    ("Not accepted", Filters(basis="interim")),
    ("Critical", Filters(tier=("critical",))),
    ("High", Filters(tier=("high",))),
)


def tabs(reader: Person, *, now: datetime, today: date) -> list[Tab]:
    """The built-in views and the saved ones with their counts, at most a minute old."""
    views = list(SavedView.objects.filter(Q(person=reader) | Q(shared=True)).order_by("name")[:20])
    key = f"tabs:{reader.pk}:{hash_of(views)}"
    counts: list[int] | None = cache.get(key)
    if counts is None:
        counts = [*_built_in_counts(reader), *(_count(reader, view, now=now, today=today) for view in views)]
        cache.set(key, counts, COUNTS_KEPT)
    built_in = [Tab(label, filters.query(), count) for (label, filters), count in zip(BUILT_IN, counts, strict=False)]
    saved = zip(views, counts[len(BUILT_IN) :], strict=True)
    return [*built_in, *(Tab(view.name, view.query, count, view) for view, count in saved)]


def hash_of(views: list[SavedView]) -> str:
    """Changes when a view comes, goes or is another one."""
    return "-".join(str(view.pk)[:8] for view in views)


def _built_in_counts(reader: Person) -> list[int]:
    """One statement for all of them."""
    conditions = [Q(), Q(owner_basis="interim"), Q(tier="critical"), Q(tier="high")]
    aggregates = {f"n{place}": Count("pk", filter=condition) for place, condition in enumerate(conditions)}
    found = live(visible_systems(reader)).order_by().aggregate(**aggregates)
    return [found[f"n{place}"] for place in range(len(conditions))]


def _count(reader: Person, view: SavedView, *, now: datetime, today: date) -> int:
    filters = Filters.read(QueryDict(view.query))
    return _narrowed(visible_systems(reader), filters, now=now, today=today).count()


_ANYBODY = {"domain": "", "held_by": ""}


@dataclass(frozen=True)
class Chip:
    """A filter that is set: field, value in words, and the address without it."""

    field: str
    value: str
    without: str


def chips(filters: Filters) -> list[Chip]:
    """The filters in force, each with the address that removes it. One query where a unit or owner is named."""
    found = []
    if filters.q:
        found.append(Chip("Words are", filters.q, filters.query(q="")))
    if filters.basis:
        found.append(Chip("Owner is", filters.basis, filters.query(basis="")))
    if filters.owner:
        name = Person.objects.filter(pk=filters.owner).values_list("display_name", flat=True).first()
        found.append(Chip("Owner is", name or "unknown", filters.query(owner="")))
    if filters.tier:
        found.append(Chip("Tier is", " or ".join(filters.tier), filters.query(tier=())))
    if filters.stage:
        found.append(Chip("Stage is", " or ".join(filters.stage), filters.query(stage=())))
    if filters.unit:
        name = Unit.objects.filter(pk=filters.unit).values_list("name", flat=True).first()
        found.append(Chip("Unit is", name or "unknown", filters.query(unit="")))
    if filters.deputy:
        found.append(Chip("Deputy is", "missing", filters.query(deputy="")))
    if filters.age:
        found.append(Chip("Interim for more than", f"{filters.age} days", filters.query(age=0)))
    if filters.attestation:
        found.append(Chip("Attestation is", ATTESTATION[filters.attestation], filters.query(attestation="")))
    if filters.held_by:
        name = GovernanceDomain.objects.filter(pk=filters.domain).values_list("name", flat=True).first()
        found.append(Chip(f"{name or 'Unknown domain'} is with", HELD_BY[filters.held_by], filters.query(**_ANYBODY)))
    if filters.live == "0":
        found.append(Chip("Systems are", "not live", filters.query(live="1")))
    elif filters.live == "all":
        found.append(Chip("Systems are", "live or not", filters.query(live="1", stage=())))
    return found


def for_export(reader: Person, filters: Filters, *, now: datetime, today: date) -> QuerySet[System]:
    """The same systems with what the export tells of each."""
    return on_record(rows_of(reader, filters, now=now, today=today))


def known_form(keys: Sequence[str]) -> list[str]:
    """The posted keys that the database can be asked for: it knows no text with a NUL in it."""
    return [key for key in keys if "\0" not in key]


def selected(reader: Person, keys: Sequence[str]) -> QuerySet[System]:
    """The systems that were ticked, live or not, as far as the reader sees them."""
    return on_record(visible_systems(reader).filter(key__in=known_form(keys))).order_by("name", "id")
