"""The one place where letters come into force and end: a version for each scope, set-based for any number of scopes."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from apps.audit.actions import Entry, record_many
from apps.audit.rules import Actor, Kind, Subject
from apps.common.errors import Refused
from apps.people.models import Person
from apps.people.rules import FUNCTIONS
from apps.registry.actions.grants import sync_grants
from apps.registry.models import RaciAssignment, RaciVersion
from apps.registry.queries.raci_scope import OWNER, Cells, Rows, Scope, ordered, party_of

_LAST_NUMBERS = """
SELECT w.place, COALESCE(CASE
    WHEN w.system_id IS NOT NULL THEN
        (SELECT max(v.number) FROM registry_raciversion v WHERE v.system_id = w.system_id)
    WHEN w.unit_id IS NOT NULL THEN (SELECT max(v.number) FROM registry_raciversion v WHERE v.unit_id = w.unit_id)
    ELSE (SELECT max(v.number) FROM registry_raciversion v WHERE v.system_id IS NULL AND v.unit_id IS NULL)
END, 0)
FROM unnest(%(places)s::int[], %(units)s::bigint[], %(systems)s::bigint[]) AS w(place, unit_id, system_id)
"""
_END = """
UPDATE registry_raciassignment r SET valid_to = e.at, ended_by_id = e.version
FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[]) AS e(id, at, version) WHERE r.id = e.id
"""


@dataclass
class Planned:
    """What one scope is to say from now on: domain -> cells, None where the row is inherited again."""

    scope: Scope
    rows: Mapping[str, Cells | None]
    note: str = ""
    letters: list[RaciAssignment] = field(default_factory=list)

    @property
    def place(self) -> tuple[int | None, int | None]:
        return (
            self.scope.unit.pk if self.scope.unit else None,
            self.scope.system.pk if self.scope.system else None,
        )


def matrix_subject(scope: Scope) -> Subject:
    """How the trail refers to a scope's matrix. A system's matrix is told with the system."""
    if scope.system:
        return Subject("system", str(scope.system.pk), f"{scope.system.name} ({scope.system.key})")
    if scope.unit:
        return Subject("unit", str(scope.unit.pk), scope.unit.name)
    return Subject("matrix", "organisation", "The organisation's matrix")


def lock_scopes(scopes: Sequence[Scope]) -> None:
    """Nobody else changes these matrices before this transaction ends. Systems have to be locked before."""
    keys = [f"registry_raci {subject.kind} {subject.id}" for subject in map(matrix_subject, scopes)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(key) FROM (SELECT DISTINCT hashtextextended(k, 0) AS key "
            "FROM unnest(%s::text[]) AS k ORDER BY key) AS keys",
            [keys],
        )


def put_in_force(
    plans: Sequence[Planned], *, actor: Actor, now: datetime, cause: uuid.UUID, kind: Kind = Kind.RACI_CHANGED
) -> list[RaciVersion]:
    """End the letters that go, begin those that come, write a version for each scope and bring grants in line.

    A plan that changes nothing is passed over. The scopes have to be locked. Raises Refused where a person was
    deactivated at the same moment.
    """
    _read_letters(plans)
    changing = [(plan, changes) for plan in plans if (changes := changes_of(plan))]
    if not changing:
        return []
    versions = _versions([plan for plan, _ in changing], [changes for _, changes in changing], actor, now)
    ends: list[tuple[int, datetime, int]] = []
    begins: list[RaciAssignment] = []
    for (plan, changes), version in zip(changing, versions, strict=True):
        _plan_letters(plan, changes, version, now, ends, begins)
    _write(ends, begins)
    sync_grants([plan.scope.system.pk for plan, _ in changing if plan.scope.system])
    entries = [
        Entry(
            kind,
            matrix_subject(plan.scope),
            before={"version": version.number - 1},
            after={"version": version.number, "rows": sorted(changes)},
            reason=plan.note,
        )
        for (plan, changes), version in zip(changing, versions, strict=True)
    ]
    record_many(entries, actor=actor, now=now, cause=cause)
    return versions


def _read_letters(plans: Sequence[Planned]) -> None:
    by_place = {plan.place: plan for plan in plans}
    units = [unit for unit, _ in by_place if unit is not None]
    systems = [system for _, system in by_place if system is not None]
    where = Q(system__in=systems) | Q(unit__in=units)
    if (None, None) in by_place:
        where |= Q(unit=None, system=None)
    domains = {domain for plan in plans for domain in plan.rows}
    for plan in plans:
        plan.letters = []
    for letter in RaciAssignment.objects.filter(where, valid_to=None, domain__in=domains).iterator(5000):
        by_place[letter.unit_id, letter.system_id].letters.append(letter)


def changes_of(plan: Planned) -> dict[str, dict[str, Cells | None]]:
    """Row by row what a plan changes against what is in force; both sides null where nothing is set here."""
    held: Rows = {}
    for letter in plan.letters:
        cells = held.setdefault(letter.domain_id, {})
        party = party_of(letter.function_id, letter.person_id, letter.is_owner)
        cells[party] = ordered(cells.get(party, "") + letter.letter)
    return {
        domain: {"before": held.get(domain), "after": cells or None}
        for domain, cells in plan.rows.items()
        if (cells or None) != held.get(domain)
    }


def _versions(
    plans: Sequence[Planned], changes: Sequence[Mapping[str, Any]], actor: Actor, now: datetime
) -> list[RaciVersion]:
    with connection.cursor() as cursor:
        values: dict[str, Any] = {
            "places": list(range(len(plans))),
            "units": [plan.place[0] for plan in plans],
            "systems": [plan.place[1] for plan in plans],
        }
        cursor.execute(_LAST_NUMBERS, values)
        last = dict(cursor.fetchall())
    versions = [
        RaciVersion(
            **plan.scope.here,
            number=last[place] + 1,
            applied_at=now,
            applied_by=actor if isinstance(actor, Person) else None,
            note=plan.note,
            changes=dict(changed),
        )
        for place, (plan, changed) in enumerate(zip(plans, changes, strict=True))
    ]
    return RaciVersion.objects.bulk_create(versions, batch_size=2000)


def _plan_letters(
    plan: Planned,
    changes: Mapping[str, dict[str, Cells | None]],
    version: RaciVersion,
    now: datetime,
    ends: list[tuple[int, datetime, int]],
    begins: list[RaciAssignment],
) -> None:
    """Only letters that differ end or begin. Where the clock went back, a letter lasts one microsecond."""
    for domain, change in changes.items():
        wanted = {(party, letter) for party, letters in (change["after"] or {}).items() for letter in letters}
        held = {
            (party_of(one.function_id, one.person_id, one.is_owner), one.letter): one
            for one in plan.letters
            if one.domain_id == domain
        }
        gone = [one for key, one in held.items() if key not in wanted]
        at = max([now, *(one.valid_from + timedelta(microseconds=1) for one in gone)])
        ends += [(one.pk, at, version.pk) for one in gone]
        for party, letter in sorted(wanted - set(held)):
            begins.append(
                RaciAssignment(
                    **plan.scope.here,
                    domain_id=domain,
                    letter=letter,
                    is_owner=party == OWNER,
                    function_id=party if party in FUNCTIONS else None,
                    person_id=None if party == OWNER or party in FUNCTIONS else uuid.UUID(party),
                    valid_from=at,
                    version=version,
                )
            )


def _write(ends: list[tuple[int, datetime, int]], begins: list[RaciAssignment]) -> None:
    try:
        with transaction.atomic():
            if ends:
                with connection.cursor() as cursor:
                    cursor.execute(_END, [list(column) for column in zip(*ends, strict=True)])
            RaciAssignment.objects.bulk_create(begins, batch_size=5000)
    except IntegrityError as error:
        if "raci_person" not in str(error):
            raise
        raise Refused(
            "A person who would get a letter was deactivated at the same moment. Nothing was changed. Try again."
        ) from error
