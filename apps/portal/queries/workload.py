"""How much each person answers for, who stands in, and who comes next: the people page of ownership."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet

from apps.common.clock import day_words
from apps.people.models import Absence, Person
from apps.people.queries import Acting, Presence
from apps.registry.models import System
from apps.registry.queries import live

SORTS = {
    "name": ("owner__display_name", "owner__email"),
    "accepted": ("accepted", "owner__display_name", "owner__email"),
    "interim": ("interim", "owner__display_name", "owner__email"),
}
SHOWS = {
    "": "Everybody",
    "over": "Over the cap",
    "no_deputy": "No deputy",
    "away": "Away now",
    "leaving": "Leaving",
    "interim": "Interim owners",
}


@dataclass(frozen=True)
class WorkloadFilters:
    """The state of the list, as its address says it."""

    q: str = ""
    show: str = ""
    sort: str = "-accepted"

    @classmethod
    def read(cls, query: Mapping[str, Any]) -> "WorkloadFilters":
        """From an address. A value that makes no sense is left out."""
        show, sort = query.get("show", ""), query.get("sort", "-accepted")
        return cls(
            q=" ".join(str(query.get("q", "")).replace("\0", "").split())[:200],
            show=show if show in SHOWS else "",
            sort=sort if sort.removeprefix("-") in SORTS else "-accepted",
        )

    def query(self, **changes: str) -> str:
        """The address of this list with changes, without what is the default anyway."""
        wanted = replace(self, **changes)
        pairs = [(name, getattr(wanted, name)) for name in self.__dataclass_fields__]
        return urlencode([(name, value) for name, value in pairs if value != getattr(WorkloadFilters(), name)])


@dataclass(frozen=True)
class Load:
    """One accountable person: what they answer for, who acts today, who would take over."""

    person: Person
    accepted: int
    interim: int
    acting: Acting
    next_in_line: Person | None

    @property
    def over(self) -> bool:
        return self.accepted > settings.WORKLOAD_CAP

    @property
    def deputy(self) -> Person | None:
        """The deputy, where they are active."""
        return self.person.deputy if self.person.deputy and self.person.deputy.is_active else None

    @property
    def until(self) -> str:
        """The last day of an absence that runs."""
        return day_words(self.acting.absence.ends_on) if self.acting.absence and self.acting.away else ""

    @property
    def leaving(self) -> str:
        return day_words(self.person.leaving_on) if self.person.leaving_on else ""

    @property
    def next_word(self) -> str:
        """What the next in line is to the person."""
        if self.next_in_line is None:
            return "Head of the unit"
        return "Deputy" if self.next_in_line == self.person.deputy else "Line manager"


def loads(filters: WorkloadFilters) -> QuerySet[System, Any]:
    """One row for each person who answers for a live system: owner, accepted, interim. A query set."""
    found = live(System.objects.all()).order_by()
    for word in filters.q.split():
        names = Q(owner__display_name__icontains=word) | Q(owner__title__icontains=word)
        found = found.filter(names | Q(owner__email__icontains=word))
    found = _shown(found, filters.show)
    rows = found.values("owner", "owner__display_name", "owner__email").annotate(
        accepted=Count("pk", filter=Q(owner_basis="accepted")), interim=Count("pk", filter=Q(owner_basis="interim"))
    )
    if filters.show == "over":
        rows = rows.filter(accepted__gt=settings.WORKLOAD_CAP)
    elif filters.show == "interim":
        rows = rows.filter(interim__gt=0)
    first, *rest = SORTS[filters.sort.removeprefix("-")]
    descending = filters.sort.startswith("-")
    return rows.order_by(F(first).desc() if descending else F(first).asc(), *rest)


def _shown(found: QuerySet[System], show: str) -> QuerySet[System]:
    if show == "no_deputy":
        return found.filter(Q(owner__deputy=None) | Q(owner__deputy__is_active=False))
    if show == "leaving":
        return found.filter(owner__leaving_on__isnull=False)
    if show == "away":
        away = Absence.objects.filter(in_force=True, kind=Absence.Kind.AWAY).values("person")
        return found.filter(owner__in=away)
    return found


def load_rows(rows: Sequence[Mapping[str, Any]], now: datetime) -> list[Load]:
    """What the lines of one page show. Two queries, however many lines."""
    ids: list[UUID] = [row["owner"] for row in rows]
    people = Person.objects.select_related("deputy", "line_manager").in_bulk(ids)
    presence = Presence.of(people.values(), now)
    return [_load(people[row["owner"]], row, presence) for row in rows if row["owner"] in people]


def _load(person: Person, row: Mapping[str, Any], presence: Presence) -> Load:
    after = [person.deputy, person.line_manager]
    takes_over = next((one for one in after if presence.can_take_over(one)), None)
    return Load(person, row["accepted"], row["interim"], presence.acting(person), takes_over)


def load_lines(filters: WorkloadFilters, now: datetime, *, part: int = 2000) -> Iterator[tuple[object, ...]]:
    """The lines of the export; what stands beside the counts is read for a part at a time."""
    waiting: list[Mapping[str, Any]] = []
    for row in loads(filters).iterator(part):
        waiting.append(row)
        if len(waiting) == part:
            yield from _lines(waiting, now)
            waiting = []
    yield from _lines(waiting, now)


def _lines(rows: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[tuple[object, ...]]:
    for load in load_rows(rows, now):
        yield (
            load.person.display_name, load.person.title, load.person.email, load.accepted, load.interim,
            "yes" if load.over else "", load.deputy.display_name if load.deputy else "",
            load.until, load.acting.acts.display_name if load.acting.stood_in_for else "",
            load.person.leaving_on or "", load.next_in_line.display_name if load.next_in_line else load.next_word,
        )  # fmt: skip


def totals() -> dict[str, int]:
    """How many people answer, how many of them over the cap and without a deputy. Two queries."""
    everybody = live(System.objects.all()).order_by().values("owner")
    per_person = everybody.annotate(accepted=Count("pk", filter=Q(owner_basis="accepted")))
    counts: dict[str, int] = per_person.aggregate(
        people=Count("owner"), over=Count("owner", filter=Q(accepted__gt=settings.WORKLOAD_CAP))
    )
    without = Person.objects.filter(Q(deputy=None) | Q(deputy__is_active=False), pk__in=everybody)
    return counts | {"no_deputy": without.count()}
