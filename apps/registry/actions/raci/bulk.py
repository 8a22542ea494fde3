"""Letters for many systems at once: what would change, what blocks; all or nothing."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from apps.audit.actions import record
from apps.audit.rules import Kind, Subject
from apps.common.clock import local_date
from apps.common.errors import Refused
from apps.common.workdays import add_working_days
from apps.notify.actions import Note, enqueue_many
from apps.people.models import Person
from apps.registry.actions.ownership import locked_in_order
from apps.registry.actions.raci.applying import Planned, lock_scopes, put_in_force
from apps.registry.actions.raci.drafts import check_party
from apps.registry.actions.raci.sending import ANSWER_WITHIN, holders_of
from apps.registry.models import RaciAcceptance, RaciDraft, RaciDraftRow, RaciVersion, System, Unit
from apps.registry.queries.raci_checks import Checker
from apps.registry.queries.raci_scope import OWNER, Cells, Rows, Scope, letters_in_force, ordered
from apps.registry.rules.breaches import Breach, Level

Wanted = Mapping[str, Mapping[str, str] | None]


@dataclass(frozen=True)
class BulkRow:
    """One system: the rows that would change, what blocks, and who would have to accept.

    `after` has the effective rows; `own` what would be set for the system, None where the row is inherited again.
    """

    system: System
    before: Rows
    after: Rows
    own: Mapping[str, Cells | None]
    blocks: list[Breach] = field(default_factory=list)
    asked: list[Person] = field(default_factory=list)
    asked_for: Mapping[Person, list[str]] = field(default_factory=dict)


def preview_bulk(cells: Wanted, systems: Sequence[System], *, actor: Person, now: datetime) -> list[BulkRow]:
    """What would change for each system. A fixed number of queries for any number of systems.

    `cells` maps a row to the letters of the parties that change ("" clears them), or to None: inherit it again. An A
    that somebody gets is taken from whoever had it. Raises Refused for a party that there is not.
    """
    for row in cells.values():
        for party, letters in (row or {}).items():
            if letters:
                check_party(party)
    checker, above, own = Checker(now), _Above(systems), _own(systems)
    checker.facts.read({system.owner_id for system in systems})
    unknown = set(cells) - set(checker.names)
    if unknown:
        raise Refused("There is no such row.")
    parties = {party for row in cells.values() for party in row or {}} - {OWNER} - set(checker.facts.seats)
    people = Person.objects.in_bulk([UUID(party) for party in parties])
    # Systems without letters of their own are alike where unit, owner and tier are.
    alike: dict[tuple[int, UUID, str], BulkRow] = {}
    lines = []
    for system in systems:
        key = (system.unit_id, system.owner_id, system.tier)
        line = alike.get(key) if system.pk not in own else None
        if line is None or line.blocks:
            line = _line(system, cells, above.rows(system.unit_id), own.get(system.pk, {}), checker, actor, people)
            if system.pk not in own:
                alike[key] = line
        lines.append(replace(line, system=system))
    return lines


def _line(
    system: System,
    cells: Wanted,
    above: Rows,
    own: Rows,
    checker: Checker,
    actor: Person,
    people: Mapping[UUID, Person],
) -> BulkRow:
    before = {**above, **own}
    wanted: dict[str, Cells | None] = {}
    for key, row in cells.items():
        merged = None if row is None else merge(before.get(key, {}), row)
        if merged is None and key in own:
            wanted[key] = None
        elif merged is not None and merged != before.get(key, {}):
            wanted[key] = merged
    after = {**above, **{key: row for key, row in own.items() if key not in wanted}}
    after |= {key: row for key, row in wanted.items() if row is not None}
    if not wanted:
        return BulkRow(system, {}, {}, {})
    scope = Scope(system=system)
    found = checker.added(scope, before, after, may_stop=True)
    seats = {code: seat.holder for code, seat in checker.facts.seats.items()}
    gained = {key: party for key, row in wanted.items() if row for party, letters in row.items() if "A" in letters}
    asked = {
        person: rows for person, rows in holders_of(scope, gained, before, seats, people).items() if person != actor
    }
    return BulkRow(
        system,
        {key: before.get(key, {}) for key in wanted},
        {key: after[key] for key in wanted},
        wanted,
        [checker.breach(scope, fault) for fault in found if fault.level is Level.BLOCK],
        list(asked),
        asked,
    )


def merge(held: Mapping[str, str], changes: Mapping[str, str]) -> Cells:
    """A row with some parties changed. Who gets the A takes it from whoever had it; their R stays."""
    found = dict(held)
    if any("A" in letters for letters in changes.values()):
        found = {party: letters.replace("A", "") for party, letters in found.items()}
    found |= dict(changes)
    return {party: ordered(letters) for party, letters in found.items() if letters}


class _Above:
    """What the units of some systems say, each unit once. Two queries."""

    def __init__(self, systems: Iterable[System]) -> None:
        self.parents = dict(Unit.objects.values_list("pk", "parent_id"))
        self.in_force = letters_in_force(Q(system=None))
        self._rows: dict[int | None, Rows] = {None: self.in_force.get((None, None), {})}

    def rows(self, unit: int | None) -> Rows:
        """The effective rows of a unit."""
        if unit is not None and unit not in self._rows:
            self._rows[unit] = {**self.rows(self.parents[unit]), **self.in_force.get((unit, None), {})}
        return self._rows[unit]


def _own(systems: Sequence[System]) -> dict[int, Rows]:
    found = letters_in_force(Q(system__in=[system.pk for system in systems]))
    return {system: rows for (_, system), rows in found.items() if system is not None}


@transaction.atomic
def apply_to_systems(
    cells: Wanted, systems: Iterable[System], *, note: str = "", actor: Person, now: datetime
) -> list[RaciDraft]:
    """Set letters for many systems: all or nothing, a version for each system that changes.

    Where somebody gets an A that they do not hold, that system's change waits until they accept, and they get one
    message for all of them. Raises Refused with what blocks, where nothing would change, and while another change of
    one of the systems waits.
    """
    found = locked_in_order(systems)
    lock_scopes([Scope(system=system) for system in found])
    lines = [line for line in preview_bulk(cells, found, actor=actor, now=now) if line.own]
    _refuse(lines)
    drafts = _drafts(lines, note.strip()[:600], actor, now)
    event = record(
        Kind.RACI_DRAFT_SENT,
        actor=actor,
        subject=Subject("matrix", "systems", f"The matrices of {len(lines)} systems"),
        now=now,
        after={"systems": len(lines), "rows": sorted(cells)},
        reason=note,
    )
    plans = [Planned(Scope(system=line.system), line.own, note) for line in lines if not line.asked]
    put_in_force(plans, actor=actor, now=now, cause=event)
    _ask(lines, drafts, actor, now)
    return drafts


def _refuse(lines: list[BulkRow]) -> None:
    if not lines:
        raise Refused("Nothing would change. Choose other letters or other systems.")
    blocked = [line for line in lines if line.blocks]
    if blocked:
        first = blocked[0]
        raise Refused(
            f"{len(blocked)} of {len(lines)} systems can't have this. {first.system.name}: "
            f"{first.blocks[0].title.rstrip('.')}. {first.blocks[0].remedy}"
        )
    waiting = RaciDraft.objects.filter(system__in=[line.system for line in lines], state=RaciDraft.State.SENT)
    if one := waiting.select_related("system").first():
        name = one.system.name if one.system else ""
        raise Refused(f"A change of {name} waits for acceptance. Leave it out, or wait for the answer.")


def _drafts(lines: list[BulkRow], note: str, actor: Person, now: datetime) -> list[RaciDraft]:
    current = {
        version.system_id: version
        for version in RaciVersion.objects.filter(system__in=[line.system for line in lines]).order_by("number")
    }
    drafts = [
        RaciDraft(
            id=uuid.uuid4(),
            system=line.system,
            author=actor,
            based_on=current.get(line.system.pk),
            note=note,
            state=RaciDraft.State.SENT if line.asked else RaciDraft.State.IN_FORCE,
            created_at=now,
            updated_at=now,
            sent_at=now,
            closed_at=None if line.asked else now,
        )
        for line in lines
    ]
    RaciDraft.objects.bulk_create(drafts, batch_size=2000)
    RaciDraftRow.objects.bulk_create(
        [
            RaciDraftRow(draft=draft, domain_id=key, inherits=row is None, cells=row or {})
            for draft, line in zip(drafts, lines, strict=True)
            for key, row in line.own.items()
        ],
        batch_size=2000,
    )
    return drafts


def _ask(lines: list[BulkRow], drafts: list[RaciDraft], actor: Person, now: datetime) -> None:
    due = add_working_days(local_date(now), ANSWER_WITHIN)
    asked = [
        RaciAcceptance(draft=draft, person=person, domains=rows, asked_at=now, due_on=due)
        for draft, line in zip(drafts, lines, strict=True)
        for person, rows in line.asked_for.items()
    ]
    if not asked:
        return
    RaciAcceptance.objects.bulk_create(asked, batch_size=2000)
    by_person: dict[UUID, list[RaciAcceptance]] = {}
    for one in asked:
        by_person.setdefault(one.person_id, []).append(one)
    enqueue_many([_note(rows, actor) for rows in by_person.values()], now=now)


def _note(rows: list[RaciAcceptance], actor: Person) -> Note:
    first, count = rows[0], len(rows)
    due = f"{first.due_on.day} {first.due_on:%b %Y}"
    what = "1 system" if count == 1 else f"{count} systems"
    return Note(
        key=f"raci:{first.pk}:asked",
        recipient=first.person,
        subject=f"Accept or decline: letters of {what}",
        body=f"{actor.display_name} asks you to be accountable in {what}.\n"
        f"Until you accept, nothing changes. Accept or decline by {due}.",
        path=f"/ownership/acceptances/{first.pk}/" if count == 1 else "/",
    )
