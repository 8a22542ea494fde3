"""Overdue findings go up: the person, their line manager, the head, the mandate holder, the board's page."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Actor, Kind, Subject
from apps.common.clock import local_date, organisation_zone
from apps.findings.rules import LADDER, LIST_FIRST, Step, overdue_words
from apps.notify.actions import Note, enqueue_many
from apps.people.models import Person, Seat
from apps.people.queries import Presence
from apps.registry.models import Unit
from apps.registry.queries.succession import mandate_holder

# Mails leave from this hour of the organisation's day.
OFFICE_HOUR = 9

# Every finding that has come a step further, with the step before. One statement, so that no step is told twice.
_CLIMB_SQL = """
UPDATE findings_finding f SET step = w.wanted
FROM (SELECT one.id, one.step AS before,
             (SELECT count(*) FROM unnest(%(days)s::int[]) AS d(after) WHERE %(today)s::date - one.due_on >= d.after)
                 AS wanted
      FROM findings_finding one
      WHERE one.state IN ('open', 'in_progress', 'to_verify') AND one.due_on <= %(today)s::date AND one.step < 5
      ORDER BY one.id FOR NO KEY UPDATE) w
WHERE w.id = f.id AND w.wanted > w.before
RETURNING f.id, f.title, f.due_on, f.person_id, w.before, w.wanted,
    COALESCE(f.unit_id, (SELECT s.unit_id FROM registry_system s WHERE s.id = f.system_id))
"""


@dataclass(frozen=True)
class _Late:
    """A finding that has come further up."""

    pk: int
    title: str
    due_on: date
    person_id: UUID
    before: int
    step: int
    unit_id: int | None


@transaction.atomic
def remind_overdue(*, now: datetime, actor: Actor = SCHEDULER) -> int:
    """Tell who comes next about findings that are overdue: one digest a person. Returns how many digests are new.

    Each step of each finding is told once. After days without a sweep everybody up to today's step is told.
    The last step is the board's page, which reads the step itself. Outside office hours nothing is said.
    """
    if now.astimezone(organisation_zone()).hour < OFFICE_HOUR:
        return 0
    today = local_date(now)
    with connection.cursor() as cursor:
        cursor.execute(_CLIMB_SQL, {"days": [after for after, _ in LADDER], "today": today})
        late = [_Late(*row) for row in cursor.fetchall()]
    if not late:
        return 0
    told = _Recipients(late, now).lines(today)
    cause = record(
        Kind.FINDINGS_REMINDED,
        actor=actor,
        subject=Subject("findings", "registry", "The register"),
        now=now,
        after={"findings": len(late), "people": len(told)},
    )
    return enqueue_many([_digest(cause, person, lines) for person, lines in told.items()], now=now)


def _digest(cause: UUID, person: Person, lines: list[str]) -> Note:
    count = len(lines)
    noun = "1 finding is" if count == 1 else f"{count:,} findings are"
    body = "These are due or overdue:\n\n" + "\n".join(f"- {line}" for line in lines[:LIST_FIRST])
    if count > LIST_FIRST:
        body += f"\nand {count - LIST_FIRST:,} more"
    body += "\n\nWhat stays open goes further up, and after 10 days it is on the board's page by name."
    return Note(f"findings:overdue:{cause}:{person.pk}", person, f"{noun} due", body, "/findings/?tab=overdue")


class _Recipients:
    """Who hears of what: everybody who could be meant, read once (five queries)."""

    def __init__(self, late: list[_Late], now: datetime) -> None:
        self.late, self.presence = late, Presence(now)
        ids = {one.person_id for one in late}
        self.people: dict[UUID, Person] = {
            person.pk: person for person in Person.objects.filter(pk__in=ids).select_related("line_manager")
        }
        self.units = {unit.pk: unit for unit in Unit.objects.select_related("head")}
        self.heads = _function_heads(ids)
        self.mandate = mandate_holder()

    def lines(self, today: date) -> dict[Person, list[str]]:
        """Recipient -> what they are told, the longest overdue first; nobody hears of one finding twice."""
        told: dict[Person, dict[int, str]] = defaultdict(dict)
        for one in sorted(self.late, key=lambda one: (one.due_on, one.pk)):
            for place in range(one.before, min(one.step, len(LADDER) - 1)):
                meant, recipient = self._recipient(LADDER[place][1], one)
                if recipient is not None:
                    told[recipient].setdefault(one.pk, self._line(one, meant, recipient, today))
        return {person: list(lines.values()) for person, lines in told.items()}

    def _recipient(self, step: Step, one: _Late) -> tuple[Person | None, Person | None]:
        """Who is meant, and who acts for them today. Where a step has nobody who is active, the next one hears."""
        person = self.people[one.person_id]
        meant: Person | None = person
        if step == Step.MANAGER:
            meant = _able(person.line_manager) or self._head(one) or self.mandate
        elif step == Step.HEAD:
            meant = self._head(one) or self.mandate
        elif step == Step.MANDATE:
            meant = self.mandate
        return meant, self.presence.acting(meant).acts if meant else None

    def _head(self, one: _Late) -> Person | None:
        """The head of the unit or of one above it; without a unit the holder of the seat of the person's function."""
        unit = self.units.get(one.unit_id or 0)
        while unit is not None:
            if _able(unit.head):
                return unit.head
            unit = self.units.get(unit.parent_id or 0)
        return self.heads.get(one.person_id)

    def _line(self, one: _Late, meant: Person | None, recipient: Person, today: date) -> str:
        who = self.people[one.person_id].display_name
        line = f"{one.title} ({overdue_words(one.due_on, today)}; {who} puts it right)"
        if meant is not None and meant.pk != recipient.pk:
            line += f", because you act for {meant.display_name}"
        return line


def _able(person: Person | None) -> Person | None:
    return person if person is not None and person.is_active and person.kind == Person.Kind.HUMAN else None


def _function_heads(people: set[UUID]) -> dict[UUID, Person]:
    """Who holds the seat of each person's first function. Two queries."""
    links: Any = Person.functions.through.objects.filter(person__in=people).order_by("-function__position")
    holders = {seat.pk: seat.holder for seat in Seat.objects.select_related("holder") if seat.holder}
    return {
        person: holders[function] for person, function in links.values_list("person", "function") if function in holders
    }
