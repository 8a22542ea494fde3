"""The checks R01 to R21: on save for what a draft adds, at night for everything in force.

At night one cause gives one breach: a scope is told only what is not wrong above it already, what lies with a person is
told once a person, and owners are asked once each, not once for each of their systems.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from apps.common.errors import Refused
from apps.registry.models import Authority, RaciAssignment, RaciDraft, System, Unit
from apps.registry.queries.raci_facts import Facts, people_in
from apps.registry.queries.raci_scope import (
    OWNER,
    Cells,
    Rows,
    Scope,
    draft_rows,
    letters_in_force,
    scope_matrix,
    scope_of,
)
from apps.registry.queries.succession import Succession, mandate_holder
from apps.registry.rules import NOT_LIVE
from apps.registry.rules.breaches import Breach, Level, Severity
from apps.registry.rules.raci_checks import OF_THE_OWNER, Fault, added, faults, without_echoes

MATRIX = "/ownership/matrix/"
# What lies with a person, whatever the row: one breach a person.
_OF_A_PERSON = frozenset({"R07", "R08", "R10", "R13", "R15", "R20"})
_SEVERITY = {Level.BLOCK: Severity.HIGH, Level.WARN: Severity.LOW}

# Live systems by unit and owner, those with letters of their own apart.
_OWNERS = """
SELECT s.unit_id, s.owner_id, bool_or(s.tier IN ('critical', 'high')), count(*)
FROM registry_system s
WHERE s.stage <> ALL(%(not_live)s)
  AND NOT EXISTS (SELECT FROM registry_raciassignment r WHERE r.system_id = s.id AND r.valid_to IS NULL)
GROUP BY s.unit_id, s.owner_id
"""
# A letter in force that its version does not tell of was written outside the portal. The seed keeps no changes.
_UNTOLD = """
SELECT DISTINCT r.unit_id, r.system_id, r.domain_id
FROM registry_raciassignment r JOIN registry_raciversion v ON v.id = r.version_id
WHERE r.valid_to IS NULL AND v.changes <> '{}'::jsonb AND position(r.letter IN COALESCE(
    v.changes -> r.domain_id -> 'after' ->> CASE WHEN r.is_owner THEN 'owner'
        ELSE COALESCE(r.function_id, r.person_id::text) END, '')) = 0
"""

Place = tuple[int | None, int | None]


def check_draft(draft: RaciDraft, *, now: datetime) -> list[Breach]:
    """What a draft would add or worsen, against what is in force: blocks first. A fixed number of queries."""
    scope, wanted = scope_of(draft), draft_rows(draft)
    before, after = scope_matrix(scope).letters, scope_matrix(scope, draft).letters
    checker = Checker(now)
    found = checker.added(scope, before, after, own_empty=_emptied(wanted))
    return sorted((checker.breach(scope, fault) for fault in found), key=lambda one: one.level != Level.BLOCK)


def _emptied(wanted: Mapping[str, Cells | None]) -> list[str]:
    return [key for key, cells in wanted.items() if cells is not None and not cells]


class Checker:
    """The checks for several scopes with what they need read once."""

    def __init__(self, now: datetime, *, with_loads: bool = True) -> None:
        self.now, self.facts = now, Facts(now, with_loads=with_loads)
        self.names = {domain.key: domain.name for domain in self.facts.domains}
        self.mandate = mandate_holder()
        self._known: dict[Any, list[Fault]] = {}
        self._succession: Succession | None = None

    def added(
        self,
        scope: Scope,
        before: Rows,
        after: Rows,
        *,
        own_empty: Iterable[str] = (),
        may_stop: bool | None = None,
    ) -> list[Fault]:
        """What a change adds or worsens. A row that says nothing at all has no A: empty rows are always refused."""
        system = scope.system
        about: dict[str, Any] = {"owner": system.owner_id, "tier": system.tier} if system else {}
        if system:
            about["may_stop"] = _may_stop(system) if may_stop is None else may_stop
        was, now = (self.faults_of(scope.kind, rows, about) for rows in (before, after))
        found = without_echoes(added(was, now), keep="R02")
        known = {(fault.check, fault.domain) for fault in found}
        for key in own_empty:
            if ("R06", key) not in known:
                text = f"{self.names[key]} has no A."
                found.append(Fault("R01", Level.BLOCK, text, "Set an A and an R, or inherit the row.", key))
        return found

    def breach(self, scope: Scope, fault: Fault, person: UUID | None = None) -> Breach:
        """A fault as the rest of the portal speaks of it."""
        place = (
            f"system:{scope.system.pk}" if scope.system else f"unit:{scope.unit.pk}" if scope.unit else "organisation"
        )
        return Breach(
            check=fault.check,
            level=fault.level,
            severity=_severity(fault, scope),
            subject=":".join(part for part in (place, fault.domain, fault.about) if part),
            title=fault.text,
            remedy=fault.remedy,
            person_id=person or self.answers(scope),
            system_id=scope.system.pk if scope.system else None,
            unit_id=scope.unit.pk if scope.unit else None,
            domain=fault.domain or None,
            path=f"{scope.path}#row-{fault.domain}" if fault.domain else scope.path,
        )

    @property
    def holder(self) -> UUID:
        """Who holds the mandate. Raises Refused before the first start."""
        if self.mandate is None:
            raise Refused("Nobody holds the governance mandate yet.")
        return self.mandate.pk

    def faults_of(self, kind: str, rows: Rows, about: dict[str, Any]) -> list[Fault]:
        """What is wrong with a matrix; many systems of one owner have the same one."""
        letters = tuple((key, tuple(sorted(cells.items()))) for key, cells in sorted(rows.items()))
        key = (kind, letters, *about.values())
        if key not in self._known:
            self._known[key] = faults(self.facts.sheet(kind, rows, **about))
        return self._known[key]

    def answers(self, scope: Scope) -> UUID:
        """Who puts it right: the owner, the head of the unit or above, the mandate holder."""
        if scope.system:
            return scope.system.owner_id
        if scope.unit:
            self._succession = self._succession or Succession(self.now)
            return self._succession.derive(scope.unit.pk)[0].pk
        return self.holder


def _severity(fault: Fault, scope: Scope) -> Severity:
    if fault.level is Level.BLOCK and scope.system and scope.system.tier == "critical":
        return Severity.CRITICAL
    return _SEVERITY[fault.level]


def _may_stop(system: System) -> bool:
    return Authority.objects.filter(
        term__system=system, term__period__upper_inf=True, ended_at=None, may_stop=True
    ).exists()


def breaches(now: datetime) -> list[Breach]:
    """Everything that is wrong in the matrices in force. A fixed number of queries for any number of systems."""
    checker = Checker(now, with_loads=False)  # who has too many systems is told with the cover of people
    if checker.mandate is None:
        return []
    return _Night(checker).run()


@dataclass
class _OfPerson:
    """One check of one person over everything they hold letters in."""

    fault: Fault
    systems: int = 0
    places: set[Place] = field(default_factory=set)


class _Night:
    """One reading of everything in force."""

    def __init__(self, checker: Checker) -> None:
        self.checker, self.facts = checker, checker.facts
        self.in_force = letters_in_force(Q())
        self.top = self.in_force.get((None, None), {})
        self.units = Unit.objects.in_bulk()
        self.found: list[Breach] = []
        self.people: dict[tuple[str, str], _OfPerson] = {}
        self._rows: dict[int | None, Rows] = {None: self.top}
        self._holder: dict[int, int | None] = {}
        self._plain: dict[int | None, list[Fault]] = {}
        named = {pk for rows in self.in_force.values() for pk in people_in(rows, self.facts.seats)}
        self.facts.read(named | set(self.facts.loads))

    def run(self) -> list[Breach]:
        """The organisation, then units with letters of their own, then owners, then systems with their own."""
        self._tell(Scope(), self._of_unit(None))
        for unit in sorted({unit for unit, system in self.in_force if unit is not None}):
            parent = self.holder(self.units[unit].parent_id)
            self._tell(Scope(unit=self.units[unit]), added(self._of_unit(parent), self._of_unit(unit)))
        self._owners()
        self._systems()
        self._spans_and_versions()
        self._waiting()
        return [*self.found, *self._of_people()]

    def holder(self, unit: int | None) -> int | None:
        """The nearest unit at or above this one that has letters of its own; None for the organisation."""
        if unit is None:
            return None
        if unit not in self._holder:
            own = (unit, None) in self.in_force
            self._holder[unit] = unit if own else self.holder(self.units[unit].parent_id)
        return self._holder[unit]

    def rows(self, unit: int | None) -> Rows:
        """The effective rows of a unit that has letters of its own, or of the organisation."""
        if unit is None:
            return self.top
        if unit not in self._rows:
            above = self.rows(self.holder(self.units[unit].parent_id))
            self._rows[unit] = {**above, **self.in_force[(unit, None)]}
        return self._rows[unit]

    def _of_unit(self, unit: int | None) -> list[Fault]:
        if unit not in self._plain:
            sheet = self.facts.sheet("unit" if unit else "organisation", self.rows(unit))
            self._plain[unit] = without_echoes(faults(sheet), keep="R18")
        return self._plain[unit]

    def _tell(self, scope: Scope, found: Iterable[Fault], systems: int = 0) -> None:
        place = (scope.unit.pk if scope.unit else None, scope.system.pk if scope.system else None)
        for fault in found:
            if fault.check == "R14" and fault.about == OWNER:
                continue  # an owner without the authority to stop is told with the ownership of the system
            if fault.check in _OF_A_PERSON:
                self._add(fault, place, systems or int(scope.system is not None))
            else:
                self.found.append(self.checker.breach(scope, fault))

    def _add(self, fault: Fault, place: Place, systems: int) -> None:
        known = self.people.setdefault((fault.check, fault.about), _OfPerson(fault))
        if fault.measure > known.fault.measure:
            known.fault = fault
        known.systems += systems
        known.places.add(place)

    def _owners(self) -> None:
        """Every owner of systems without letters of their own, once for each matrix that stands for them."""
        groups: dict[tuple[int | None, UUID], tuple[bool, int]] = {}
        with connection.cursor() as cursor:
            cursor.execute(_OWNERS, {"not_live": [stage.value for stage in NOT_LIVE]})
            for unit, owner, high, count in cursor.fetchall():
                key = (self.holder(unit), owner)
                known = groups.get(key, (False, 0))
                groups[key] = (known[0] or high, known[1] + count)
        for (unit, owner), (high, count) in groups.items():
            sheet = self.facts.sheet("system", self.rows(unit), owner=owner, tier="high" if high else "low")
            told = added(self._of_unit(unit), faults(sheet, OF_THE_OWNER))
            for fault in told:
                self._add(fault, (unit, None), count)

    def _systems(self) -> None:
        """Live systems with letters of their own, each against the matrix above it with the same owner."""
        own = {system: rows for (_, system), rows in self.in_force.items() if system is not None}
        systems = System.objects.filter(pk__in=list(own)).exclude(stage__in=[stage.value for stage in NOT_LIVE])
        for system in systems.order_by("pk").iterator(5000):
            above = self.rows(self.holder(system.unit_id))
            about = {"owner": system.owner_id, "tier": system.tier}
            before = self.checker.faults_of("system", above, about)
            after = self.checker.faults_of("system", {**above, **own[system.pk]}, about)
            self._tell(Scope(system=system), without_echoes(added(before, after), keep="R18"))
            # What lies with the owner and was so before: told with the owner's other systems.
            known = [fault for fault in after if fault.check in _OF_A_PERSON and fault in before]
            for fault in added(self._of_unit(self.holder(system.unit_id)), known):
                self._add(fault, (None, system.pk), 1)

    def _spans_and_versions(self) -> None:
        """R04 over the organisation's history, R21 over everything in force."""
        spans: dict[str, list[Any]] = {}
        history = RaciAssignment.objects.filter(letter="A", unit=None, system=None)
        for domain, begins, ends in history.values_list("domain_id", "valid_from", "valid_to"):
            spans.setdefault(domain, []).append((begins, ends))
        sheet = self.facts.sheet("organisation", self.top)
        past = replace(sheet, spans={key: tuple(value) for key, value in spans.items()})
        self._tell(Scope(), [fault for fault in faults(past) if fault.check == "R04"])
        with connection.cursor() as cursor:
            cursor.execute(_UNTOLD)
            untold = cursor.fetchall()
        systems = System.objects.in_bulk([row[1] for row in untold if row[1]])
        for unit, system, domain in untold:
            scope = Scope(self.units[unit] if unit else None, systems[system] if system else None)
            one = replace(sheet, unversioned=(domain,))
            self._tell(scope, [fault for fault in faults(one) if fault.check == "R21"])

    def _waiting(self) -> None:
        sheet = self.facts.sheet("organisation", self.top)
        for scope, waiting in self.facts.waiting():
            late = [fault for fault in faults(replace(sheet, waiting=(waiting,))) if fault.check == "R16"]
            self.found.extend(self.checker.breach(scope, fault, UUID(waiting.person)) for fault in late)

    def _of_people(self) -> list[Breach]:
        """One breach for each check and person, with the one system or unit where it is only one."""
        found = []
        for (check, person), one in sorted(self.people.items()):
            more = f" It concerns {one.systems:,} systems." if one.systems > 1 else ""
            found.append(
                Breach(
                    check=check,
                    level=one.fault.level,
                    severity=_SEVERITY[one.fault.level],
                    subject=f"person:{person}",
                    title=f"{one.fault.text}{more}",
                    remedy=one.fault.remedy,
                    person_id=self.checker.holder,
                    system_id=next(iter(one.places))[1] if len(one.places) == 1 else None,
                    path=MATRIX,
                )
            )
        return found
