"""Digests: all that one person hears of on a day, gathered and put into words."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings

from apps.attestations.queries.recipients import Heard, Item, Place, Recipients, Whom
from apps.attestations.rules import LIST_ALL, LIST_FIRST
from apps.attestations.rules.ladder import Reached, Role, due_words, is_office_time, reached, steps_of
from apps.common.clock import local_date, zone_named
from apps.common.workdays import is_working_day
from apps.notify.actions import Note
from apps.people.models import Person

DIGEST_PATH = "/attestations/"
RANK = {role: place for place, role in enumerate(Role)}


def count_words(number: int) -> str:
    """1 system, 12 systems."""
    return "1 system" if number == 1 else f"{number:,} systems"


@dataclass(frozen=True, slots=True)
class Line:
    """One item as one person hears of it."""

    item: Item
    why: str = ""


@dataclass
class Section:
    """What a person hears of in one role: how many, and the first of them."""

    total: int = 0
    lines: list[Line] = field(default_factory=list)

    def add(self, line: Line) -> None:
        """Items come nearest date first; beyond what a mail lists they are counted."""
        self.total += 1
        if len(self.lines) < LIST_ALL:
            self.lines.append(line)

    @property
    def listed(self) -> list[Line]:
        """The lines that a mail shows."""
        return self.lines if self.total <= LIST_ALL else self.lines[:LIST_FIRST]


@dataclass
class Digest:
    """All of one person's sections, and the newest step among them."""

    person: Person
    sections: dict[Role, Section] = field(default_factory=dict)
    newest: date | None = None
    labels: set[str] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)

    def add(self, role: Role, line: Line) -> None:
        """One more item, in the section of its role."""
        self.sections.setdefault(role, Section()).add(line)
        self.labels.add(line.item.label)
        self.codes.add(line.item.code)

    def reach(self, step: date | None) -> None:
        """A step that has come; the newest counts."""
        if step is not None and (self.newest is None or step > self.newest):
            self.newest = step


class Calendar:
    """Steps and office hours at one moment, each computed once."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.working = cache(is_working_day)
        self.zone = cache(zone_named)
        self.in_office = cache(lambda name: is_office_time(now, self.zone(name), self.working))
        self.date_in = cache(lambda name: local_date(now, self.zone(name)))
        self.reached: Callable[[Role, date, date, date], Reached] = cache(self._reached)

    def today(self, person: Person) -> date:
        """The date where somebody is."""
        day: date = self.date_in(person.time_zone)
        return day

    def zone_of(self, person: Person) -> ZoneInfo:
        """Somebody's zone; the organisation's where it is unknown."""
        return self.zone(person.time_zone)

    def may_write(self, person: Person) -> bool:
        """Whether it is office time where somebody is."""
        may: bool = self.in_office(person.time_zone)
        return may

    def _reached(self, role: Role, due: date, opened_on: date, today: date) -> Reached:
        steps = steps_of(role, due=due, opened_on=opened_on, is_working_day=self.working)
        return reached(steps, today)


STEP_ROLES = (Role.OWNER, Role.SEATS, Role.HEAD, Role.MANAGER, Role.DEPUTY)
Plan = dict[tuple[int, date, date, UUID, int], list[tuple[UUID, Role, str]]]


def gather(
    places: Iterable[Place], recipients: Recipients, calendar: Calendar, snoozed: Mapping[tuple[int, UUID], date]
) -> tuple[dict[UUID, Digest], Plan]:
    """Everybody who may be written to now with their newest step, and who hears of what. Nothing is written.

    Who put reminders off hears of others' items all the same.
    """
    found: dict[UUID, Digest] = {}
    plan: Plan = {}
    reader = _Reader(found, recipients, calendar, snoozed)
    for place in places:
        told: dict[UUID, tuple[UUID, Role, str]] = {}
        for role in STEP_ROLES:
            for entry in reader.told(role, place):
                before = told.get(entry[0])
                if before is None or RANK[entry[1]] < RANK[before[1]]:
                    told[entry[0]] = entry
        plan[place.alike] = list(told.values())
    return found, plan


class _Reader:
    """Who is written to about a place in one role. Places that are alike for it are looked at once: there are
    far fewer of them than systems. On the way everybody's digest learns its newest step."""

    def __init__(
        self, found: dict[UUID, Digest], recipients: Recipients, calendar: Calendar,
        snoozed: Mapping[tuple[int, UUID], date],
    ) -> None:  # fmt: skip
        self.found, self.recipients, self.calendar, self.snoozed = found, recipients, calendar, snoozed
        self.latest = local_date(calendar.now, ZoneInfo("Pacific/Kiritimati"))
        self._known: dict[tuple[int, date, date, Whom], list[tuple[UUID, Role, str]]] = {}

    def told(self, role: Role, place: Place) -> list[tuple[UUID, Role, str]]:
        """Who may be written to now, in which role and why."""
        opened = place.opened_on if role == Role.OWNER else place.campaign_opened
        if role != Role.OWNER and not self.calendar.reached(role, place.due, opened, self.latest).yet:
            return []
        key = (place.campaign, place.due, opened, self.recipients.whom(role, place))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = list(self._told(role, place, opened))
        return known

    def _told(self, role: Role, place: Place, opened: date) -> Iterator[tuple[UUID, Role, str]]:
        for one in self.recipients.heard(role, place):
            person = one.person
            if not self.calendar.may_write(person) or _is_off(one, place, self.calendar, self.snoozed):
                continue
            state = self.calendar.reached(role, place.due, opened, self.calendar.today(person))
            if not state.yet and role != Role.OWNER:
                continue
            self.found.setdefault(person.pk, Digest(person)).reach(state.step)
            yield person.pk, one.role, one.why


def fill(digests: Mapping[UUID, Digest], items: Iterable[Item], plan: Plan) -> None:
    """Put the items, nearest date first, into the digests of those who hear of them. An item stands once in each."""
    for item in items:
        for person, role, why in plan.get(item.alike, ()):
            if person in digests:
                digests[person].add(role, Line(item, why))


def _is_off(one: Heard, item: Place, calendar: Calendar, snoozed: Mapping[tuple[int, UUID], date]) -> bool:
    """Whether somebody put off being reminded of their own items of this campaign."""
    if one.role != Role.OWNER:
        return False
    until = snoozed.get((item.campaign, one.person.pk))
    return until is not None and calendar.today(one.person) <= until


def digest_note(digest: Digest, key: str, today: date, owners: Mapping[UUID, Person]) -> Note:
    """The one mail of a day."""
    several = len(digest.labels) > 1
    parts = [
        _section(role, digest.sections[role], today, owners, several=several)
        for role in Role
        if role in digest.sections
    ]
    end = "What is not signed when the campaign closes is reported as not attested, by name."
    return Note(key, digest.person, _subject(digest, today), "\n\n".join([*parts, end]), DIGEST_PATH)


def _subject(digest: Digest, today: date) -> str:
    prefix = f"{next(iter(digest.labels))}: " if len(digest.labels) == 1 else ""
    own = digest.sections.get(Role.OWNER)
    others = sum(section.total for role, section in digest.sections.items() if role != Role.OWNER)
    words = []
    if own is not None:
        first = own.lines[0].item.due
        overdue = first < today
        words.append(
            f"{count_words(own.total)} to sign, "
            + (f"{(today - first).days} days overdue" if overdue else f"first by {first.day} {first:%b %Y}")
        )
        words[-1] = words[-1].replace(" 1 days", " 1 day")
    if others:
        role = next(role for role in Role if role in digest.sections and role != Role.OWNER)
        words.append(f"{count_words(others)} of others {'not signed' if role == Role.ACTING else 'overdue'}")
    return prefix + "; ".join(words)


_TITLES = {
    Role.OWNER: "You have not signed for {count}:",
    Role.SEATS: "{count} in the organisation nobody has signed for, told to you by the seat you hold:",
    Role.HEAD: "{count} of your unit nobody has signed for. On the page of a system you can nominate another owner:",
    Role.MANAGER: "{count} of people who report to you are not signed:",
    Role.DEPUTY: "{count} whose owner you are the deputy of are not signed:",
    Role.ACTING: "{count} of others, because you act for somebody who is away:",
}


def _section(role: Role, section: Section, today: date, owners: Mapping[UUID, Person], *, several: bool) -> str:
    title = _TITLES[role].format(count=count_words(section.total))
    if section.total == 1:
        title = title.replace(" are not signed", " is not signed")
    lines = [line_words(line, role, today, owners, several=several) for line in section.listed]
    more = section.total - len(lines)
    return "\n".join([title, "", *lines, *([f"- and {more:,} more"] if more else [])])


def line_words(line: Line, role: Role, today: date, owners: Mapping[UUID, Person], *, several: bool = False) -> str:
    """One item in a mail: what, when, who, why, and its address."""
    item = line.item
    words = f"- {item.name} ({item.key}), {due_words(item.due, today)}"
    if several:
        words += f", {item.label}"
    if role != Role.OWNER:
        words += f". {owners[item.owner].display_name} answers for it. Tier {item.tier}."
        words += f" {line.why}" if line.why else ""
    return f"{words}\n  {address(item, own=role == Role.OWNER)}"


def address(item: Item, *, own: bool) -> str:
    """Where an item is seen to: its questions for the owner, the system's page for everybody else."""
    path = f"/attestations/{item.code}/{item.key}/" if own else f"/systems/{item.key}/"
    return f"{settings.SITE_URL}{path}"
