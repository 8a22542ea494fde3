"""Carrying out a plan with statements for many rows at once. Only `apply_import` calls this, in its transaction."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from apps.audit.actions import Entry, record_many
from apps.audit.rules import Actor, Kind
from apps.notify.actions import Note, enqueue_many
from apps.people.models import Person
from apps.registry.actions.grants import sync_grants
from apps.registry.actions.ownership import answer_due, system_subject
from apps.registry.actions.systems import system_facts
from apps.registry.actions.units import unit_subject
from apps.registry.models import Handover, ImportRun, Nomination, OwnershipTerm, System, SystemIdentity, Unit
from apps.registry.models.handover import RUNNING
from apps.registry.queries.imports import Change, Plan
from apps.registry.queries.succession import Succession
from apps.registry.rules import Stage, Step
from apps.registry.rules.imports import ImportRow

BATCH = 500
NAMED_IN_MAIL = 10

T = TypeVar("T")


class Application:
    """One plan on its way into the tables. The events belong to the primary event `cause`."""

    def __init__(self, run: ImportRun, plan: Plan, *, actor: Actor, now: datetime, cause: uuid.UUID) -> None:
        self.run, self.plan, self.actor, self.now, self.cause = run, plan, actor, now, cause
        self.units = {unit.code: unit for unit in Unit.objects.all()}
        self.systems: dict[str, System] = {change.row.key: change.system for change in plan.updated}

    def carry_out(self) -> None:
        """Units, new systems, changes, nominations, grants, messages, events: in this order."""
        self._create_units()
        self._create_systems()
        self._change_systems()
        nominations = self._nominate()
        touched = [system.pk for system in self.systems.values()] + [n.system_id for n in nominations]
        sync_grants(sorted(set(touched)))
        self._tell(nominations)

    def _record(self, entries: Iterable[Entry]) -> None:
        for batch in _batches(entries, BATCH):
            record_many(batch, actor=self.actor, now=self.now, cause=self.cause)

    def _create_units(self) -> None:
        """Parents first: the plan lists them so."""
        levels: dict[bool, list[Unit]] = defaultdict(list)
        for new in self.plan.new_units:
            parent = self.units[new.parent] if new.parent else None
            unit = Unit(name=new.name, code=new.code, parent=parent)
            self.units[new.code] = unit
            levels[new.parent is not None].append(unit)
        for below in (False, True):
            Unit.objects.bulk_create(levels[below], batch_size=BATCH)
        created = levels[False] + levels[True]
        self._record(
            Entry(
                Kind.UNIT_CREATED,
                unit_subject(unit),
                after={"name": unit.name, "code": unit.code, "parent": unit.parent_id, "head": None},
            )
            for unit in created
        )

    def _create_systems(self) -> None:
        succession = Succession(self.now)
        answers: dict[int, tuple[Person, list[Step]]] = {}
        systems, terms = [], []
        for row in self.plan.created:
            unit = self.units[row.units[-1].code]
            owner, steps = answers.setdefault(unit.pk, answers.get(unit.pk) or succession.derive(unit.pk))
            system = self._new_system(row, unit, owner)
            systems.append(system)
            terms.append(self._first_term(system, [step.as_json() for step in steps]))
        System.objects.bulk_create(systems, batch_size=BATCH)
        OwnershipTerm.objects.bulk_create(terms, batch_size=BATCH)
        self.systems |= {system.key: system for system in systems}
        self._add_identities((row, self.systems[row.key]) for row in self.plan.created)
        self._record(
            Entry(
                Kind.SYSTEM_REGISTERED,
                system_subject(system),
                after={**system_facts(system), "owner": system.owner.audit_id, "basis": "interim"},
                private={"owner_name": system.owner.display_name},
            )
            for system in systems
        )

    def _new_system(self, row: ImportRow, unit: Unit, owner: Person) -> System:
        return System(
            key=row.key,
            unit=unit,
            owner=owner,
            owner_basis=System.Basis.INTERIM,
            created_at=self.now,
            updated_at=self.now,
            retired_at=self.now if row.stage == Stage.RETIRED else None,
            import_run=self.run,
            **row.fields,
        )

    def _first_term(self, system: System, derivation: list[Any]) -> OwnershipTerm:
        return OwnershipTerm(
            system=system,
            person=system.owner,
            basis=System.Basis.INTERIM,
            period=DateTimeTZRange(self.now, None),
            derivation=derivation,
        )

    def _add_identities(self, described: Iterable[tuple[ImportRow, System]]) -> None:
        SystemIdentity.objects.bulk_create(
            [
                SystemIdentity(system=system, kind=kind, value=value)
                for row, system in described
                for kind, value in row.identities or ()
            ],
            batch_size=BATCH,
        )

    def _change_systems(self) -> None:
        """What the file says stands, whoever edited it since; what it does not say stays."""
        before = [system_facts(change.system) for change in self.plan.updated]
        retired = [change.system.pk for change in self.plan.updated if self._change(change)]
        written = sorted({name for change in self.plan.updated for name in change.changed} - {"identities"})
        System.objects.bulk_update(
            [change.system for change in self.plan.updated],
            [*written, "updated_at", *(["retired_at"] if "stage" in written else [])],
            batch_size=BATCH,
        )
        Nomination.objects.filter(system__in=retired, state="open").update(
            state="withdrawn", answered_at=self.now, answer_reason="The system was retired by an import."
        )
        Handover.objects.filter(system__in=retired, state__in=RUNNING).update(
            state="cancelled", ended_at=self.now, end_reason="The system was retired by an import."
        )
        renamed = [change for change in self.plan.updated if "identities" in change.changed]
        SystemIdentity.objects.filter(system__in=[change.system.pk for change in renamed]).delete()
        self._add_identities((change.row, change.system) for change in renamed)
        self._record(
            self._changed_entry(change, old, change.system.pk in retired)
            for change, old in zip(self.plan.updated, before, strict=True)
        )

    def _change(self, change: Change) -> bool:
        """Set the changed fields; True where that takes the system out of use."""
        system = change.system
        for name in set(change.changed) - {"unit", "identities"}:
            setattr(system, name, change.row.fields[name])
        if "unit" in change.changed:
            system.unit = self.units[change.row.units[-1].code]
        system.updated_at = self.now
        if "stage" in change.changed:
            system.retired_at = self.now if system.stage == Stage.RETIRED else None
        return "stage" in change.changed and system.stage == Stage.RETIRED

    def _changed_entry(self, change: Change, before: dict[str, Any], retired: bool) -> Entry:
        after = system_facts(change.system)
        told = sorted(name for name in after if after[name] != before[name])
        return Entry(
            Kind.SYSTEM_RETIRED if retired else Kind.SYSTEM_CHANGED,
            system_subject(change.system),
            before={name: before[name] for name in told},
            after={**{name: after[name] for name in told}, "fields": sorted(change.changed)},
        )

    def _nominate(self) -> list[Nomination]:
        """A known person's address is a question to that person, never an appointment."""
        absent = [key for key, _ in self.plan.nominations if key not in self.systems]
        named = self.systems | {system.key: system for system in System.objects.filter(key__in=absent)}
        due = answer_due(self.now)
        nominations = [
            Nomination(
                system=named[key],
                nominee=person,
                nominated_by=self.actor if isinstance(self.actor, Person) else None,
                source=Nomination.Source.IMPORT,
                reason=f"Named as the contact in {self.run.file_name}",
                created_at=self.now,
                due_on=due,
            )
            for key, person in self.plan.nominations
        ]
        Nomination.objects.bulk_create(nominations, batch_size=BATCH)
        self._record(
            Entry(
                Kind.SYSTEM_OWNER_NOMINATED,
                system_subject(n.system),
                after={"nominee": n.nominee.audit_id, "nomination": n.pk, "due": n.due_on.isoformat()},
                private={"nominee_name": n.nominee.display_name},
            )
            for n in nominations
        )
        return nominations

    def _tell(self, nominations: list[Nomination]) -> None:
        """One message a person for the whole import, whatever the number of systems."""
        by_person: dict[Person, list[Nomination]] = defaultdict(list)
        for nomination in nominations:
            by_person[nomination.nominee].append(nomination)
        enqueue_many((self._note(person, asked) for person, asked in by_person.items()), now=self.now)

    def _note(self, person: Person, asked: list[Nomination]) -> Note:
        count = f"{len(asked)} systems" if len(asked) > 1 else asked[0].system.name
        lines = [f"- {n.system.name} ({n.system.key})" for n in asked[:NAMED_IN_MAIL]]
        if len(asked) > NAMED_IN_MAIL:
            lines.append(f"- and {len(asked) - NAMED_IN_MAIL} more, listed on your page")
        return Note(
            key=f"import:{self.run.pk}:{person.pk}",
            recipient=person,
            subject=f"Accept or decline: answer for {count}",
            body=(
                f"The import of {self.run.file_name} names you as the contact of:\n" + "\n".join(lines) + "\n"
                "Until you accept, an interim owner answers.\n"
                f"Accept or decline by {asked[0].due_on:%d %b %Y}."
            ),
            path="/" if len(asked) > 1 else f"/nominations/{asked[0].pk}/",
        )


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
