"""Letters for many systems: the choices, and what would change where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.common.errors import NotAllowed
from apps.people.models import Function, Person
from apps.portal.queries.raci import WHO_CHANGES
from apps.portal.queries.raci_grid import OWNER
from apps.portal.queries.raci_history import Change, party_names
from apps.portal.queries.raci_words import change_words
from apps.registry.actions.raci.bulk import BulkRow, preview_bulk
from apps.registry.models import GovernanceDomain, System
from apps.registry.queries.raci_scope import Scope, may_change_raci

Cells = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class PreviewRow:
    """One system: what would change, and what stands in the way."""

    system: System
    changes: list[Change]
    blocks: list[str]


@dataclass(frozen=True)
class Preview:
    """All systems of one change."""

    rows: list[PreviewRow]
    asked: list[str]

    @property
    def changing(self) -> int:
        return sum(bool(row.changes) for row in self.rows)

    @property
    def blocked(self) -> int:
        return sum(bool(row.blocks) for row in self.rows)

    @property
    def words(self) -> str:
        same = len(self.rows) - self.changing
        return f"{self.changing:,} would change, {same:,} stay as they are, {self.blocked:,} blocked"

    @property
    def blocked_words(self) -> str:
        n = self.blocked
        return f"For {n:,} system{'' if n == 1 else 's'} a row would be wrong. It is applied to all, or to none."

    @property
    def asked_words(self) -> str:
        verb = "is" if len(self.asked) == 1 else "are"
        return f"{', '.join(self.asked)} {verb} asked to accept."

    @property
    def may_apply(self) -> bool:
        return bool(self.changing) and not self.blocked

    @property
    def why_not(self) -> str:
        return "Change the letters, or select other systems." if self.blocked else "Nothing would change."

    @property
    def button(self) -> str:
        return f"Apply to {self.changing:,} system{'' if self.changing == 1 else 's'}"


def require_may_change_all(actor: Person, systems: Sequence[System]) -> None:
    """Raise NotAllowed unless the actor may change the letters of each of these systems."""
    refused = [system for system in systems if not may_change_raci(actor, Scope(system=system))]
    if refused:
        name = refused[0].name
        raise NotAllowed(f"You may not set responsibilities for {name}. {WHO_CHANGES['system_ownership']}")


def domain_choices() -> list[tuple[str, str]]:
    """Every row, in the order of the matrix."""
    return [(domain.key, f"{domain.layer}: {domain.name}") for domain in GovernanceDomain.objects.all()]


def party_choices() -> list[tuple[str, str]]:
    """The seats and the owner; a person is named in a field of their own."""
    return [(OWNER, "System owner"), *Function.objects.values_list("code", "seat_title")]


def preview(systems: Sequence[System], cells: Cells, *, actor: Person, now: datetime) -> Preview:
    """What each system's matrix would become."""
    found = preview_bulk(cells, systems, actor=actor, now=now)
    parties = {party for one in found for row in (*one.before.values(), *one.after.values()) for party in row}
    names = party_names(parties)
    domains = dict(GovernanceDomain.objects.values_list("key", "name"))
    return Preview(
        rows=[PreviewRow(one.system, _changes(one, names, domains), [b.title for b in one.blocks]) for one in found],
        asked=sorted({person.display_name for one in found for person in one.asked}),
    )


def _changes(one: BulkRow, names: Mapping[str, str], domains: Mapping[str, str]) -> list[Change]:
    return [
        Change(name, "; ".join(words))
        for key, name in domains.items()
        if (words := change_words(one.before.get(key, {}), one.after.get(key, {}), names))
    ]
