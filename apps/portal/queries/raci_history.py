"""Versions of a matrix: who put it in force, what changed in words, what lies between two of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from apps.people.models import Function, Person
from apps.portal.queries.raci_grid import OWNER
from apps.portal.queries.raci_words import change_words, row_words
from apps.registry.models import GovernanceDomain, RaciVersion
from apps.registry.queries.raci_scope import Scope, history, letters_at, stored_changes

Letters = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Change:
    """One row that a version changed."""

    domain: str
    words: str


@dataclass(frozen=True)
class VersionRow:
    """One version as the list shows it."""

    number: int
    at: datetime
    by: str
    note: str
    changes: list[Change]
    previous: int | None
    is_current: bool


@dataclass(frozen=True)
class Comparison:
    """What lies between two versions."""

    older: RaciVersion
    newer: RaciVersion
    changes: list[Change]

    @property
    def title(self) -> str:
        return f"From version {self.older.number} to version {self.newer.number}"


def versions_of(scope: Scope) -> QuerySet[RaciVersion]:
    """The versions of a scope, newest first, with who put them in force."""
    return history(scope)


def version_numbers(scope: Scope) -> list[int]:
    """Every number, newest first."""
    return list(history(scope).values_list("number", flat=True))


def find_version(scope: Scope, text: str) -> RaciVersion | None:
    """The version of a number that somebody sent."""
    return history(scope).filter(number=int(text)).first() if text.isdecimal() and len(text) < 7 else None


def version_rows(versions: Sequence[RaciVersion], numbers: Sequence[int]) -> list[VersionRow]:
    """The list, each with what it changed. Three queries for all of them, and one for the first version of all."""
    said = [stored_changes(version) for version in versions]
    names = party_names(party for rows in said for before, after in rows.values() for party in (*before, *after))
    domains = dict(GovernanceDomain.objects.values_list("key", "name"))
    latest = max(numbers, default=0)
    return [
        VersionRow(
            number=version.number,
            at=version.applied_at,
            by=version.applied_by.display_name if version.applied_by else "",
            note=version.note,
            changes=[Change(name, _words(*rows[key], names)) for key, name in domains.items() if key in rows],
            previous=max((number for number in numbers if number < version.number), default=None),
            is_current=version.number == latest,
        )
        for version, rows in zip(versions, said, strict=True)
    ]


def _words(before: Mapping[str, str], after: Mapping[str, str], names: Mapping[str, str]) -> str:
    """A scope that said nothing before, or says nothing any more, is told as that."""
    if not after:
        return "not set here any more"
    if not before:
        return f"set here: {row_words(after, names)}"
    return "; ".join(change_words(before, after, names)) or "the same letters"


def comparison(scope: Scope, older: str, newer: str) -> tuple[Comparison | None, str]:
    """What lies between two versions, or a sentence that says why they are not compared."""
    first, second = find_version(scope, older), find_version(scope, newer)
    if first is None or second is None:
        return None, "One of the versions is not there. Choose two from the list."
    if first.number == second.number:
        return None, "Choose two different versions."
    if first.number > second.number:
        first, second = second, first
    return Comparison(first, second, _between(letters_at(first), letters_at(second))), ""


def _between(before: Letters, after: Letters) -> list[Change]:
    parties = {party for rows in (before, after) for row in rows.values() for party in row}
    names = party_names(parties)
    found = []
    for domain in GovernanceDomain.objects.all():
        was, now = before.get(domain.key, {}), after.get(domain.key, {})
        if was != now:
            found.append(Change(domain.name, _words(was, now, names)))
    return found


def party_names(parties: Iterable[str]) -> dict[str, str]:
    """What parties are called in a history: a seat by its title, because holders change; a person by name."""
    seats = dict(Function.objects.values_list("code", "seat_title"))
    wanted = [UUID(party) for party in set(parties) - set(seats) - {OWNER}]
    people = Person.objects.filter(pk__in=wanted).values_list("pk", "display_name") if wanted else []
    return {**seats, OWNER: "System owner", **{str(pk): name for pk, name in people}}
