"""What applying a file would do to the register, row by row. Reads only."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from apps.people.models import Person
from apps.people.queries import active_people
from apps.people.rules import is_role_address
from apps.registry.models import ImportRun, Nomination, System, SystemIdentity, Unit
from apps.registry.rules import NOT_LIVE, Stage, Tier
from apps.registry.rules.imports import FEDERAL, ContactClass, ImportRow, Parsed, Problem, classify_contacts

# How the file calls what the database refuses, so that a problem names a column that is there.
_COLUMNS = {
    FEDERAL: {"stage": "development_stage", "unit": "agency_bureau"},
}
ROWS_KEPT = 20_000
SHARED_KEPT = 50


@dataclass(frozen=True)
class NewUnit:
    """A unit that the import creates: nobody heads it yet."""

    code: str
    name: str
    parent: str | None


@dataclass(frozen=True)
class Change:
    """A system on the register that the file describes differently; `changed` has the fields that differ."""

    row: ImportRow
    system: System
    changed: tuple[str, ...]


@dataclass
class Plan:
    """The whole effect of a file. created + updated + unchanged + skipped are all rows read."""

    parsed: Parsed
    created: list[ImportRow] = field(default_factory=list)
    updated: list[Change] = field(default_factory=list)
    unchanged: list[ImportRow] = field(default_factory=list)
    nominations: list[tuple[str, Person]] = field(default_factory=list)
    new_units: list[NewUnit] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    contacts: dict[int, tuple[ContactClass, str]] = field(default_factory=dict)
    shared: Counter[str] = field(default_factory=Counter)

    def fingerprint(self) -> str:
        """The same for the same effect: tells whether the register changed between review and confirmation."""
        effect = [
            sorted(row.key for row in self.created),
            sorted([change.row.key, *change.changed, str(change.system.updated_at)] for change in self.updated),
            sorted([key, str(person.pk)] for key, person in self.nominations),
            sorted(unit.code for unit in self.new_units),
        ]
        return hashlib.sha256(json.dumps(effect).encode()).hexdigest()


class _Register:
    """The part of the register that a file speaks of, read in a fixed number of queries."""

    def __init__(self, parsed: Parsed, *, lock: bool) -> None:
        keys = [row.key for row in parsed.rows]
        systems = System.objects.filter(key__in=keys).order_by("pk")
        if lock:  # by themselves, or one whose owner another is changing would not be found
            list(systems.select_for_update(no_key=True).values_list("pk"))
        self.systems = {system.key: system for system in systems.select_related("owner")}
        ids = [system.pk for system in self.systems.values()]
        asked = Nomination.objects.filter(system__in=ids).values_list("system_id", "nominee_id", "state")
        self.asked = {(system, nominee) for system, nominee, _ in asked}
        self.waiting = {system for system, _, state in asked if state == Nomination.State.OPEN}
        units = list(Unit.objects.all())
        self.units = {unit.code: unit for unit in units}
        self.codes = {unit.pk: unit.code for unit in units}
        self.named = {(self.codes.get(unit.parent_id or 0), unit.name): unit.code for unit in units}
        self._read_identities(parsed, ids)

    def _read_identities(self, parsed: Parsed, ids: list[int]) -> None:
        claimed = {identity for row in parsed.rows for identity in row.identities or ()}
        rows = SystemIdentity.objects.filter(value__in={value for _, value in claimed}) | SystemIdentity.objects.filter(
            system__in=ids
        )
        self.holders: dict[tuple[str, str], str] = {}
        self.identities: dict[str, set[tuple[str, str]]] = {}
        for key, kind, value in rows.values_list("system__key", "kind", "value") if claimed or ids else ():
            self.holders[kind, value] = key
            self.identities.setdefault(key, set()).add((kind, value))


def plan_import(parsed: Parsed, *, lock: bool = False, again: bool = False) -> Plan:
    """What the file would do now. `lock` holds the systems that it names until the transaction ends.

    With `again` the file was imported last: the systems that it brought stay as they are, changed since or not.
    """
    plan = Plan(parsed, problems=list(parsed.problems))
    register = _Register(parsed, lock=lock)
    people = _known_people(contact for _, contact in parsed.contacts)
    plan.contacts, plan.shared = classify_contacts(parsed.contacts, people, settings.SHARED_ADDRESS_THRESHOLD)
    _plan_units(plan, register)
    for row in parsed.rows:
        system = register.systems.get(row.key)
        _check_identities(plan, register, row)
        if system is None:
            plan.created.append(row)
        elif again:
            plan.unchanged.append(row)
        else:
            _plan_existing(plan, register, row, system)
        person = people.get(plan.contacts[row.row][1])
        if plan.contacts[row.row][0] == ContactClass.PERSON and person and _is_to_ask(register, row, system, person):
            plan.nominations.append((row.key, person))
    return plan


def _known_people(contacts: Iterable[str]) -> dict[str, Person]:
    """Active people by address, of those whose address stands in the file on its own."""
    addresses = {contact.strip().rstrip(",; ").lower() for contact in contacts if "@" in contact}
    return {person.email: person for person in active_people().filter(email__in=addresses)}


def _plan_units(plan: Plan, register: _Register) -> None:
    """Units that are not there yet. The inventory brings its own; our own format names units that exist."""
    named = dict(register.named)
    new: dict[str, NewUnit] = {}
    for row in plan.parsed.rows:
        parent: str | None = None
        for unit in row.units:
            if unit.code not in register.units and unit.code not in new:
                taken = named.setdefault((parent, unit.name), unit.code)
                problem = _unit_problem(plan.parsed.format, row, unit.code, unit.name, taken)
                if problem:
                    plan.problems.append(problem)
                    break
                new[unit.code] = NewUnit(unit.code, unit.name, parent)
            parent = unit.code
    plan.new_units = list(new.values())


def _unit_problem(format_name: str, row: ImportRow, code: str, name: str, taken: str) -> Problem | None:
    column = _column(format_name, "unit")
    if not name:
        return Problem(
            row.row, column, f"“{code[:90]}” is not the code of a unit. Create the unit first, or correct it."
        )
    if taken != code:
        return Problem(
            row.row,
            column,
            f"a unit called {name} is there with the code {taken}. Give that unit the code {code}, then import.",
        )
    return None


def _column(format_name: str, name: str) -> str:
    return _COLUMNS.get(format_name, {}).get(name, name)


def _check_identities(plan: Plan, register: _Register, row: ImportRow) -> None:
    """An identity stays with its system unless the file takes it from there."""
    described = register.systems
    for kind, value in row.identities or ():
        holder = register.holders.get((kind, value))
        if holder is not None and holder != row.key and holder not in described:
            plan.problems.append(
                Problem(
                    row.row, "identities", f"{kind}:{value} belongs to {holder}. An identity belongs to one system."
                )
            )


def _plan_existing(plan: Plan, register: _Register, row: ImportRow, system: System) -> None:
    changed = [name for name, value in row.fields.items() if getattr(system, name) != value]
    if register.codes[system.unit_id] != row.units[-1].code:
        changed.append("unit")
    if row.identities is not None and set(row.identities) != register.identities.get(system.key, set()):
        changed.append("identities")
    if not changed:
        plan.unchanged.append(row)
        return
    plan.updated.append(Change(row, system, tuple(changed)))
    if row.stage not in NOT_LIVE and not system.owner.is_active:
        plan.problems.append(
            Problem(
                row.row,
                _column(plan.parsed.format, "stage"),
                f"{system.key} can't be live: {system.owner.display_name}, who answers for it, is deactivated. "
                "Nominate an owner who accepts, then import.",
            )
        )


def _is_to_ask(register: _Register, row: ImportRow, system: System | None, person: Person) -> bool:
    """Nobody is asked twice, while somebody else is asked, where somebody has accepted, or for what is retired."""
    if row.stage == Stage.RETIRED:
        return False
    if system is None:
        return True
    if system.owner_basis == System.Basis.ACCEPTED or system.pk in register.waiting:
        return False
    return (system.pk, person.pk) not in register.asked


def report_of(plan: Plan) -> dict[str, Any]:
    """The review as JSON: what the page and the command say."""
    parsed = plan.parsed
    classes = Counter(str(kind) for kind, _ in plan.contacts.values())
    changed = {change.row.row: list(change.changed) for change in plan.updated}
    return {
        "format": parsed.format,
        "rows_read": parsed.rows_read,
        "created": len(plan.created),
        "updated": len(plan.updated),
        "unchanged": len(plan.unchanged),
        "skipped": [skipped.as_json() for skipped in parsed.skipped],
        "contacts": {kind.value: classes[kind.value] for kind in ContactClass},
        "shared_addresses": [
            {"address": address, "systems": count, "role": is_role_address(address)}
            for address, count in sorted(plan.shared.items(), key=lambda item: (-item[1], item[0]))[:SHARED_KEPT]
        ],
        "shared_addresses_total": len(plan.shared),
        "shared_threshold": settings.SHARED_ADDRESS_THRESHOLD,
        "systems_live": sum(row.stage not in NOT_LIVE for row in parsed.rows),
        "high_live_without_contact": sum(_is_high_and_alone(plan, row) for row in parsed.rows),
        "nominations": len(plan.nominations),
        "nominees": len({person.pk for _, person in plan.nominations}),
        "units_created": len(plan.new_units),
        "updates": [{"row": c.row.row, "key": c.row.key, "changed": list(c.changed)} for c in plan.updated],
        "rows": _rows(plan, changed),
        "fingerprint": plan.fingerprint(),
    }


def _is_high_and_alone(plan: Plan, row: ImportRow) -> bool:
    return (
        plan.contacts[row.row][0] == ContactClass.NONE
        and row.stage == Stage.PRODUCTION
        and row.fields["tier"] in (Tier.HIGH, Tier.CRITICAL)
    )


def _rows(plan: Plan, changed: dict[int, list[str]]) -> list[list[Any]]:
    """[row, outcome, key, name, class of the contact, contact as given, what changes], by row."""
    created = {row.row for row in plan.created}
    asked = {key for key, _ in plan.nominations}
    rows: list[list[Any]] = []
    for row in plan.parsed.rows:
        outcome = "created" if row.row in created else ("updated" if row.row in changed else "unchanged")
        note = ", ".join(changed.get(row.row, []))
        kind = str(plan.contacts[row.row][0])
        rows.append([row.row, outcome, row.key, row.name, kind, row.contact.strip()[:120], note, row.key in asked])
    rows += [
        [skipped.row, "skipped", "", skipped.label, str(plan.contacts[skipped.row][0]), "", skipped.reason, False]
        for skipped in plan.parsed.skipped
    ]
    return sorted(rows, key=lambda line: line[0])[:ROWS_KEPT]


def latest_imports(limit: int = 10) -> list[ImportRun]:
    """The latest imports, without their content and report."""
    return list(
        ImportRun.objects.defer("content", "report").select_related("created_by").order_by("-created_at")[:limit]
    )
