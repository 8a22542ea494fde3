"""What somebody would answer for, as the person who is asked sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from apps.common.clock import local_date
from apps.people.models import Person
from apps.portal.queries.raci import columns_of
from apps.portal.queries.raci_grid import Column, GridCell, letters_in_words
from apps.portal.queries.raci_place import place_of
from apps.registry.models import RaciAcceptance
from apps.registry.queries.raci_scope import Scope, ScopeRow, scope_matrix


@dataclass(frozen=True)
class AskedRow:
    """One domain: the letters that the person would hold, who holds the A today, who does the work."""

    name: str
    layer: str
    letters: str
    seat: str
    before: str
    doers: str

    @property
    def words(self) -> str:
        return letters_in_words(self.letters)


@dataclass(frozen=True)
class Asked:
    """An acceptance with everything on its page."""

    acceptance: RaciAcceptance
    rows: list[AskedRow]
    where: str
    reach: str
    overdue: bool

    @property
    def title(self) -> str:
        """ "Acting on cost", or how many."""
        return self.rows[0].name if len(self.rows) == 1 else f"{len(self.rows)} domains"

    @property
    def place(self) -> str:
        return f"for {self.where}"

    @property
    def state(self) -> str:
        return self.acceptance.state

    @property
    def is_open(self) -> bool:
        return self.acceptance.state == RaciAcceptance.State.OPEN

    @property
    def waits(self) -> bool:
        return self.acceptance.draft.is_open

    @property
    def sender(self) -> str:
        return self.acceptance.draft.author.display_name

    @property
    def note(self) -> str:
        return self.acceptance.draft.note

    @property
    def due_on(self) -> date:
        return self.acceptance.due_on

    @property
    def answered_at(self) -> datetime | None:
        return self.acceptance.answered_at

    @property
    def reason(self) -> str:
        return self.acceptance.reason


def find_acceptance(person: Person, number: int) -> RaciAcceptance | None:
    """The acceptance, for the person who is asked alone."""
    if number >= 2**63:
        return None
    asked = RaciAcceptance.objects.filter(pk=number, person=person)
    return asked.select_related("draft__author", "draft__unit", "draft__system__owner", "draft__system__unit").first()


def asked_of(acceptance: RaciAcceptance, now: datetime) -> Asked:
    """The rows as they would be. After the answer, as the draft said."""
    draft = acceptance.draft
    scope = Scope(unit=draft.unit, system=draft.system)
    in_force, wanted = scope_matrix(scope), scope_matrix(scope, draft)
    columns = columns_of(place_of(scope), [in_force, wanted], [])
    before = {row.domain.key: row for row in in_force.rows}
    rows = [
        _row(acceptance.person, row, before[row.domain.key], columns)
        for row in wanted.rows
        if row.domain.key in acceptance.domains
    ]
    where, reach = _where(scope)
    return Asked(acceptance, rows, where, reach, acceptance.due_on < local_date(now))


def _row(person: Person, row: ScopeRow, before: ScopeRow, columns: Sequence[Column]) -> AskedRow:
    cells = [GridCell(row.letters.get(column.party, ""), column, row.domain.name) for column in columns]
    mine = next((cell for cell in cells if "A" in cell.letters and cell.person == person), None)
    held = [column for column in columns if "A" in before.letters.get(column.party, "") and not column.is_vacant]
    doers = [cell.who for cell in cells if "R" in cell.letters and not cell.is_vacant]
    return AskedRow(
        name=row.domain.name,
        layer=row.domain.layer,
        letters=mine.letters if mine else "A",
        seat=mine.seat if mine else "person",
        before=", ".join(column.who for column in held),
        doers=", ".join(dict.fromkeys(doers)),
    )


def _where(scope: Scope) -> tuple[str, str]:
    """What it is for, and how far it reaches."""
    if scope.system:
        return scope.system.name, f"It goes for {scope.system.name} alone."
    if scope.unit:
        return scope.unit.name, f"It goes for each system in {scope.unit.name} that says nothing else."
    return "the organisation", "It goes for each unit and system that says nothing else."
