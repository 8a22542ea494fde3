"""What a file of people would do: read at a constant number of statements, whatever its size."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.common.clock import local_date
from apps.directory.models import PeopleFile, Placement
from apps.directory.rules.people_file import LEFT, Days, PeopleRows, PersonRow
from apps.people.models import Absence, Person
from apps.registry.models import Unit
from apps.registry.rules.imports import Problem

# Columns that become fields of the person as they are.
PLAIN = {"name": "display_name", "title": "title", "phone": "phone", "time_zone": "time_zone"}
LINKS = {"manager_email": "line_manager", "deputy_email": "deputy"}
LINK_WORDS = {"manager_email": "line manager", "deputy_email": "deputy"}
OUTCOMES = ("joiner", "returning", "mover", "leaver", "unchanged")
ROWS_KEPT = 5_000


@dataclass
class Effect:
    """What becomes of one person. `fields` are for change_person; links are addresses, because they may be new."""

    row: int
    email: str
    name: str
    outcome: str
    person: Person | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    links: dict[str, str | None] = field(default_factory=dict)
    functions: tuple[str, ...] | None = None
    unit: tuple[int | None] | None = None
    absences: tuple[Days, ...] | None = None
    cancelled: tuple[int, ...] = ()
    notes: list[str] = field(default_factory=list)

    @property
    def changes(self) -> list[str]:
        """Names of what changes, for the review."""
        words = [*self.fields, *self.links]
        words += [word for word, what in (("function", self.functions), ("unit", self.unit)) if what is not None]
        if self.absences or self.cancelled:
            words.append("absences")
        return [word.replace("display_name", "name").replace("_", " ") for word in words]

    @property
    def known(self) -> Person:
        """The person, once they are here. Raises ValueError before."""
        if self.person is None:
            raise ValueError(f"row {self.row} has no person yet")
        return self.person

    def as_json(self) -> list[Any]:
        """A row of the review."""
        return [self.row, self.outcome, self.email, self.name, self.changes, self.notes]


@dataclass
class PeoplePlan:
    """The whole effect of a file."""

    effects: list[Effect]
    problems: list[Problem]
    # Active people who are not in the file: leavers where the file is complete.
    missing: list[Person]
    circles: list[str]
    complete: bool

    @property
    def leavers(self) -> list[Person]:
        """Everybody who is off-boarded, by name."""
        named = [effect.person for effect in self.effects if effect.outcome == "leaver" and effect.person]
        return named + (self.missing if self.complete else [])

    def fingerprint(self) -> str:
        """Changes with anything that would happen."""
        told = [
            [*effect.as_json(), sorted((name, str(value)) for name, value in {**effect.fields, **effect.links}.items()),
             str((effect.functions, effect.unit, effect.absences, effect.cancelled))]
            for effect in self.effects if effect.outcome != "unchanged"
        ]  # fmt: skip
        gone = sorted(str(person.pk) for person in self.leavers)
        return hashlib.sha256(json.dumps([told, gone], default=str).encode()).hexdigest()

    def report(self) -> dict[str, Any]:
        """What the page and the command say. Rows of those who stay as they are come last."""
        counts = dict.fromkeys(OUTCOMES, 0)
        for effect in self.effects:
            counts[effect.outcome] += 1
        ordered = sorted(self.effects, key=lambda effect: (OUTCOMES.index(effect.outcome), effect.row))
        return {
            "rows_read": len(self.effects) + len({problem.row for problem in self.problems}),
            "counts": counts,
            "leavers": len(self.leavers),
            "missing": len(self.missing),
            "missing_people": [[person.display_name, person.email] for person in self.missing[:ROWS_KEPT]],
            "circles": self.circles,
            "problems": [problem.as_json() for problem in self.problems],
            "rows": [effect.as_json() for effect in ordered[:ROWS_KEPT]],
            "fingerprint": self.fingerprint(),
        }


def plan_people(read: PeopleRows, *, complete: bool, now: datetime) -> PeoplePlan:
    """What the rows would do now, and everything that stands in the way. A constant number of statements."""
    world = _World(read.rows, local_date(now))
    problems = list(read.problems)
    effects = []
    for row in read.rows:
        effect = world.effect(row, problems)
        if effect is not None:
            effects.append(effect)
    missing = list(
        Person.objects.filter(is_active=True, kind=Person.Kind.HUMAN)
        .exclude(email__in=world.rows)
        .order_by("display_name", "pk")
    )
    problems.sort(key=lambda problem: problem.row)
    return PeoplePlan(effects, problems, missing, world.circles(), complete)


class _World:
    """Everything that the rows name, read once."""

    def __init__(self, rows: list[PersonRow], today: date) -> None:
        self.today = today
        self.rows = {row.email: row for row in rows}
        named = set(self.rows) | {str(row.said.get(link)) for row in rows for link in LINKS}
        found = Person.objects.filter(email__in=named).select_related("line_manager", "deputy")
        self.people = {person.email: person for person in found.prefetch_related("functions")}
        self.units = {unit.code.lower(): unit.pk for unit in Unit.objects.all()}
        ids = [person.pk for email, person in self.people.items() if email in self.rows]
        self.placed = dict(Placement.objects.filter(person__in=ids).values_list("person", "unit"))
        self.absences: dict[UUID, list[Absence]] = {}
        ahead = Q(person__in=ids, cancelled_at=None, ends_on__gt=today)
        for absence in Absence.objects.filter(ahead).order_by("starts_on"):
            self.absences.setdefault(absence.person_id, []).append(absence)

    def leaves(self, row: PersonRow) -> bool:
        """Whether the row says that the person has left."""
        last = row.said.get("last_working_day")
        return row.status == LEFT or (last is not None and last < self.today)

    def effect(self, row: PersonRow, problems: list[Problem]) -> Effect | None:
        """What becomes of the person; None where something is wrong, which is added to the problems."""
        person = self.people.get(row.email)
        before = len(problems)
        if person is not None and person.kind != Person.Kind.HUMAN:
            problems.append(Problem(row.row, "email", f"{row.email} is a service account here. Remove the row."))
            return None
        if self.leaves(row):
            return self._leaver(row, person)
        if person is None and not row.said.get("name"):
            problems.append(Problem(row.row, "name", f"{row.email} is new and has no name. Write the name."))
        made = Effect(row.row, row.email, row.said.get("name") or str(person or row.email), "unchanged", person)
        self._fields(row, made)
        self._links(row, made, problems)
        self._unit(row, made, problems)
        self._absences(row, made)
        if len(problems) > before:
            return None
        made.outcome = "joiner" if person is None else "mover" if made.changes else "unchanged"
        if person is not None and not person.is_active:
            made.outcome = "returning"
        return made

    def _leaver(self, row: PersonRow, person: Person | None) -> Effect:
        made = Effect(row.row, row.email, row.said.get("name") or str(person or row.email), "leaver", person)
        if person is None or not person.is_active:
            made.outcome = "unchanged"
            made.notes.append("Left already." if person else "Not known here, so that nothing has to be handed over.")
        return made

    def _fields(self, row: PersonRow, made: Effect) -> None:
        person = made.person
        for column, name in PLAIN.items():
            if column in row.said:
                value = row.said[column] or ""
                if person is None or getattr(person, name) != value:
                    made.fields[name] = value
        if "last_working_day" in row.said:
            last = row.said["last_working_day"]
            if (person.leaving_on if person else None) != last:
                made.fields["leaving_on"] = last
        if "function" in row.said:
            held = {function.code for function in person.functions.all()} if person else set()
            if row.said["function"] not in held:
                made.functions = tuple(sorted({*held, row.said["function"]}))

    def _links(self, row: PersonRow, made: Effect, problems: list[Problem]) -> None:
        for column, name in LINKS.items():
            if column not in row.said:
                continue
            address = row.said[column]
            held = getattr(made.person, name) if made.person else None
            if address == row.email:
                if column == "deputy_email":
                    problems.append(Problem(row.row, column, "nobody is their own deputy. Name another person."))
                else:
                    made.notes.append("Is named as their own line manager; that says nothing.")
            elif address is None:
                if held is not None:
                    made.links[name] = None
            elif (said := self._cannot_lead(address)) == "unknown":
                message = f"nobody has the address {address}. Add a row for them, or correct the address."
                problems.append(Problem(row.row, column, message))
            elif said:
                made.notes.append(f"The {LINK_WORDS[column]} {address} {said}; nothing changes.")
            elif held is None or held.email != address:
                made.links[name] = address

    def _cannot_lead(self, address: str) -> str:
        """Why somebody can't be named: "" for somebody who can."""
        row, person = self.rows.get(address), self.people.get(address)
        if row is not None:
            return "has left" if self.leaves(row) else ""
        if person is None:
            return "unknown"
        if person.kind != Person.Kind.HUMAN:
            return "is a service account"
        return "" if person.is_active else "has left"

    def _unit(self, row: PersonRow, made: Effect, problems: list[Problem]) -> None:
        if "unit_code" not in row.said:
            return
        code = row.said["unit_code"]
        unit = self.units.get(code.lower()) if code else None
        if code and unit is None:
            problems.append(Problem(row.row, "unit_code", f"no unit has the code {code}. Add the unit first."))
        elif (self.placed.get(made.person.pk) if made.person else None) != unit:
            made.unit = (unit,)

    def _absences(self, row: PersonRow, made: Effect) -> None:
        if "absences" not in row.said:
            return
        held = self.absences.get(made.person.pk, []) if made.person else []
        wanted = [days for days in row.said["absences"] or () if days[1] > self.today]
        ours = {(one.starts_on, one.ends_on): one for one in held if one.source == Absence.Source.DIRECTORY}
        made.cancelled = tuple(one.pk for days, one in ours.items() if days not in wanted)
        others = [one for one in held if one.source != Absence.Source.DIRECTORY]
        new = []
        for days in wanted:
            if any(one.starts_on <= days[1] and days[0] <= one.ends_on for one in others):
                made.notes.append(f"There is an absence of their own around {days[0]:%d %b %Y}; it stays.")
            elif days not in ours:
                new.append(days)
        made.absences = tuple(new)

    def circles(self) -> list[str]:
        """Circles of line managers that the file says, each once. They work: what nobody can take goes upward."""
        leads = {row.email: row.said.get("manager_email") for row in self.rows.values() if not self.leaves(row)}
        seen: set[str] = set()
        found = []
        for start in leads:
            path: list[str] = []
            at: str | None = start
            while at in leads and at not in seen:
                seen.add(at)
                path.append(at)
                at = leads[at]
            if at in path and len(path) - path.index(at) > 1:
                found.append(" → ".join([*path[path.index(at) :], at]))
        return found


def find_people_file(file_id: UUID) -> PeopleFile:
    """One file without its content. Raises PeopleFile.DoesNotExist."""
    return PeopleFile.objects.defer("content").select_related("created_by").get(pk=file_id)


def latest_people_files() -> Iterable[PeopleFile]:
    """The newest ones, without content and rows."""
    return PeopleFile.objects.defer("content", "report").select_related("created_by").order_by("-created_at")[:10]


TABS = (
    ("", "All rows"),
    ("joiner", "Joiners"),
    ("returning", "Returning"),
    ("mover", "Changes"),
    ("leaver", "Leavers"),
    ("unchanged", "Unchanged"),
)
# More than this takes longer than a web request may; the command has no such limit.
MOST_BY_PAGE = 3_000


@dataclass(frozen=True)
class ReviewRow:
    """One row of the file as the page shows it."""

    number: int
    outcome: str
    email: str
    name: str
    changes: list[str]
    notes: list[str]


class FileReview:
    """A file as its page shows it. `show` names the tab."""

    def __init__(self, file: PeopleFile, show: str) -> None:
        self.file, self.report = file, file.report
        self.show = show if show in dict(TABS) else ""

    @property
    def waiting(self) -> bool:
        return self.file.state == PeopleFile.State.RECEIVED

    @property
    def changed(self) -> int:
        """People who are joined, changed or brought back."""
        counts = self.report["counts"]
        return int(counts["joiner"]) + int(counts["returning"]) + int(counts["mover"])

    @property
    def too_many(self) -> bool:
        """True where the effect is too large for a web request."""
        return self.changed + int(self.report["leavers"]) > MOST_BY_PAGE

    @property
    def rows(self) -> list[ReviewRow]:
        """The rows of the tab that is shown."""
        rows = (ReviewRow(*values) for values in self.report["rows"])
        return [row for row in rows if not self.show or row.outcome == self.show]

    @property
    def tabs(self) -> list[dict[str, Any]]:
        """Tabs with their counts; one that would be empty is left out."""
        counts = {"": sum(self.report["counts"].values()), **self.report["counts"]}
        return [
            {"show": show, "label": label, "n": counts[show], "current": show == self.show}
            for show, label in TABS
            if counts[show] or show == self.show
        ]

    @property
    def rows_left_out(self) -> int:
        """Rows that are counted and not listed."""
        return int(sum(self.report["counts"].values())) - len(self.report["rows"])
