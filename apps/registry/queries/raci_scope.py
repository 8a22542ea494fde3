"""The matrix of one scope: what is set here, what comes from above, and what a draft would make of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from apps.access.queries import may
from apps.access.rules import Permission
from apps.people.models import Person
from apps.registry.models import GovernanceDomain, RaciAssignment, RaciDraft, RaciVersion, System, Unit

OWNER = "owner"
ORGANISATION = "organisation"

# Domain -> party -> letters. A party is a function's code, "owner", or the id of a person.
Cells = dict[str, str]
Rows = dict[str, Cells]

_ABOVE = """
WITH RECURSIVE up(id, parent_id, name, head_id, height) AS (
    SELECT u.id, u.parent_id, u.name, u.head_id, 0 FROM registry_unit u WHERE u.id = %s
    UNION ALL SELECT u.id, u.parent_id, u.name, u.head_id, up.height + 1 FROM registry_unit u
        JOIN up ON u.id = up.parent_id)
SELECT id, name, head_id FROM up ORDER BY height
"""


@dataclass(frozen=True)
class Scope:
    """Where letters are set: the organisation (neither), a unit, or a system."""

    unit: Unit | None = None
    system: System | None = None

    @property
    def kind(self) -> str:
        """organisation | unit | system."""
        return "system" if self.system else "unit" if self.unit else ORGANISATION

    @property
    def name(self) -> str:
        """The scope in a sentence."""
        return self.system.name if self.system else self.unit.name if self.unit else "the organisation"

    @property
    def path(self) -> str:
        """The address of its page."""
        if self.system:
            return f"/systems/{self.system.key}/ownership/"
        return f"/ownership/matrix/units/{self.unit.pk}/" if self.unit else "/ownership/matrix/"

    @property
    def here(self) -> dict[str, Any]:
        """Field values of rows of exactly this scope."""
        return {"unit": self.unit, "system": self.system}


def scope_of(row: RaciDraft | RaciVersion) -> Scope:
    """The scope that a draft or a version is about."""
    return Scope(unit=row.unit, system=row.system)


@dataclass(frozen=True)
class ScopeRow:
    """One domain. `source` is where its letters come from; `above` is where they would come from if not from here."""

    domain: GovernanceDomain
    letters: Cells
    source: str
    is_own: bool
    above: str
    above_letters: Cells
    changed: bool = False


@dataclass(frozen=True)
class ScopeMatrix:
    """Every domain of a scope, in order."""

    scope: Scope
    rows: list[ScopeRow]

    @property
    def letters(self) -> Rows:
        """Domain -> party -> letters."""
        return {row.domain.key: row.letters for row in self.rows}


def ordered(letters: Iterable[str]) -> str:
    """The letters of one party in their order: "AR", never "RA"."""
    return "".join(letter for letter in "ARCI" if letter in set(letters))


def units_above(unit_id: int | None) -> list[tuple[int, str, Any]]:
    """A unit and those above it, nearest first: id, name, head. One query, none without a unit."""
    if unit_id is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_ABOVE, [unit_id])
        return [tuple(row) for row in cursor.fetchall()]


def party_of(function: str | None, person: Any, is_owner: bool) -> str:
    """The one word for whom a letter belongs to."""
    return OWNER if is_owner else function or str(person)


def letters_in_force(where: Q) -> dict[tuple[int | None, int | None], Rows]:
    """Letters in force by (unit, system), then domain, then party. One query."""
    found: dict[tuple[int | None, int | None], Rows] = {}
    rows = RaciAssignment.objects.filter(where, valid_to=None).order_by("pk")
    fields = ("unit_id", "system_id", "domain_id", "letter", "function_id", "person_id", "is_owner")
    for unit, system, domain, letter, function, person, is_owner in rows.values_list(*fields).iterator(5000):
        cells = found.setdefault((unit, system), {}).setdefault(domain, {})
        party = party_of(function, person, is_owner)
        cells[party] = ordered(cells.get(party, "") + letter)
    return found


def own_rows(scope: Scope) -> Rows:
    """What is set in exactly this scope."""
    where = Q(unit=scope.unit, system=scope.system)
    return letters_in_force(where).get((_pk(scope.unit), _pk(scope.system)), {})


def _pk(row: Unit | System | None) -> int | None:
    return row.pk if row else None


def scope_matrix(scope: Scope, draft: RaciDraft | None = None) -> ScopeMatrix:
    """Every domain with its letters and where they come from; with a draft, as it would be. Four queries at most."""
    unit = scope.system.unit_id if scope.system else _pk(scope.unit)
    chain = units_above(unit)
    where = Q(unit=None, system=None) | Q(unit__in=[row[0] for row in chain])
    if scope.system:
        where |= Q(system=scope.system)
    in_force = letters_in_force(where)
    own = in_force.get((_pk(scope.unit), _pk(scope.system)), {})
    higher = [(name, in_force.get((pk, None), {})) for pk, name, _ in chain if scope.system or pk != unit]
    if scope.system or scope.unit:
        higher.append((ORGANISATION, in_force.get((None, None), {})))
    wanted = draft_rows(draft) if draft else {}
    rows = [_row(domain, own, higher, wanted) for domain in GovernanceDomain.objects.all()]
    return ScopeMatrix(scope, rows)


def _row(
    domain: GovernanceDomain, own: Rows, higher: list[tuple[str, Rows]], wanted: Mapping[str, Cells | None]
) -> ScopeRow:
    key = domain.key
    above, above_letters = next(((name, rows[key]) for name, rows in higher if key in rows), (ORGANISATION, {}))
    letters = wanted[key] if key in wanted else own.get(key)
    changed = key in wanted and wanted[key] != own.get(key)
    if letters is None:
        return ScopeRow(domain, above_letters, above, not higher, above, above_letters, changed)
    return ScopeRow(domain, letters, "set here", True, above, above_letters, changed)


def draft_rows(draft: RaciDraft) -> dict[str, Cells | None]:
    """What a draft says: domain -> cells, None where the row is inherited again. One query."""
    return {row.domain_id: None if row.inherits else dict(row.cells) for row in draft.rows.all()}


def history(scope: Scope) -> QuerySet[RaciVersion]:
    """The versions of a scope, newest first, with who put them in force."""
    return RaciVersion.objects.filter(**scope.here).select_related("applied_by").order_by("-number")


def current_version(scope: Scope) -> RaciVersion | None:
    """The version in force; None where nothing was ever set here."""
    return history(scope).first()


def stored_changes(version: RaciVersion) -> dict[str, tuple[Cells, Cells]]:
    """What a version changed: domain -> (before, after); an empty side means that nothing was set here.

    The first version of all keeps no changes: it began with everything that it set.
    """
    if version.changes:
        return {key: (said["before"] or {}, said["after"] or {}) for key, said in version.changes.items()}
    return {key: ({}, cells) for key, cells in _letters_where(Q(version=version)).items()}


def letters_at(version: RaciVersion) -> Rows:
    """What was set in a version's scope while it was the newest. One query."""
    here = Q(unit=version.unit_id, system=version.system_id, version__number__lte=version.number)
    return _letters_where(here & (Q(ended_by=None) | Q(ended_by__number__gt=version.number)))


def _letters_where(where: Q) -> Rows:
    found: Rows = {}
    fields = ("domain_id", "letter", "function_id", "person_id", "is_owner")
    for domain, letter, function, person, is_owner in (
        RaciAssignment.objects.filter(where).order_by("pk").values_list(*fields)
    ):
        cells = found.setdefault(domain, {})
        party = party_of(function, person, is_owner)
        cells[party] = ordered(cells.get(party, "") + letter)
    return found


def may_change_raci(actor: Person, scope: Scope) -> bool:
    """Whether a person may set letters in a scope.

    The mandate holder and administrators everywhere; in a unit also its head and the heads above; in a system also
    those and the owner who accepted. Two queries at most.
    """
    if not actor.is_active or actor.kind != Person.Kind.HUMAN:
        return False
    if may(actor, Permission.RACI_CHANGE):
        return True
    system = scope.system
    if system and system.owner_id == actor.pk and system.owner_basis == System.Basis.ACCEPTED:
        return True
    unit = system.unit_id if system else _pk(scope.unit)
    return any(head == actor.pk for _, _, head in units_above(unit))
