"""The trail as people read it: names beside ids, words beside kinds, links to what can be opened."""

import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.urls import NoReverseMatch, reverse

from apps.access.queries import may
from apps.access.rules import Permission
from apps.assurance.rules import field_words, words_of
from apps.audit import queries as audit
from apps.audit.models import AuditEvent
from apps.audit.queries import Filters, Value
from apps.audit.rules import canonical
from apps.findings.models import Finding
from apps.incidents.models import Exercise
from apps.incidents.queries.incidents import hidden_incidents, visible_incidents
from apps.people.models import Person
from apps.registry.models import System, Unit
from apps.registry.queries import visible_systems

PAGE_SIZE = 50
EXPORT_CHUNK = 1000
# Subjects of which some are not every reader's to see.
MAY_BE_HIDDEN = frozenset({"system", "finding", "incident", "exercise"})
TOLD_FIRST = ("owner", "nominee", "holder", "person", "basis", "stage", "tier", "role")
_PERSON_ID = re.compile(r"^u:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$")
_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_MOMENT = re.compile(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}")


@dataclass(frozen=True)
class Change:
    """One fact before and after an act, as words."""

    label: str
    before: str
    after: str


@dataclass(frozen=True)
class Row:
    """One event as a reader sees it. `actor_name` is None where the name was erased."""

    id: uuid.UUID
    at: datetime
    kind: str
    words: str
    actor: str
    actor_name: str | None
    actor_function: str
    by_person: bool
    subject_kind: str
    subject_id: str
    subject_label: str | None
    href: str
    changes: tuple[Change, ...]
    reason: str
    request_id: str
    cause: uuid.UUID | None

    @property
    def who(self) -> str:
        """The actor in words, also where the name is gone."""
        return self.actor_name or "Erased"

    @property
    def deed(self) -> str:
        """What happened, said whole where the subject stands elsewhere: "accepted to answer for it"."""
        return f"{self.words} it" if self.words.endswith(" for") else self.words

    @property
    def told(self) -> tuple[Change, ...]:
        """The changes that say something in a list: a fact that was empty and stays empty does not."""
        return tuple(change for change in self.changes if change.before or change.after)

    @property
    def about(self) -> str:
        """The subject in words, also where its label is gone."""
        return self.subject_label if self.subject_label is not None else "Erased"


@dataclass(frozen=True)
class Committed:
    """One value that an event committed to: what is kept of it, and whether it is still that value."""

    field: str
    digest: str
    value: str | None
    holds: bool

    @property
    def verdict(self) -> str:
        """One word for the table."""
        if self.value is None:
            return "Erased"
        return "Verified" if self.holds else "Does not match"


@dataclass(frozen=True)
class Page:
    """A part of the trail, newest first, and the position of the next, older part."""

    rows: list[Row]
    older: str


def trail(reader: Person, filters: Filters) -> QuerySet[AuditEvent]:
    """The events that a reader may see: all but those about restricted systems and incidents not theirs to see.

    What is found about such a system, and a drill of it, is hidden with it: they name the system. So is every event of
    an incident that the reader may not open, whatever its words are.
    """
    hidden = System.objects.filter(restricted=True).exclude(pk__in=visible_systems(reader).filter(restricted=True))
    ids = hidden.annotate(as_text=Cast("pk", TextField())).values("as_text")
    about = Finding.objects.filter(system__in=hidden).annotate(as_text=Cast("pk", TextField())).values("as_text")
    seen = audit.events(filters).exclude(subject_kind="system", subject_id__in=ids)
    seen = seen.exclude(subject_kind="finding", subject_id__in=about)
    seen = seen.exclude(subject_kind="incident", subject_id__in=hidden_incidents(reader).values("code"))
    drilled = Exercise.objects.filter(systems__in=hidden).exclude(Q(facilitator=reader) | Q(created_by=reader))
    return seen.exclude(subject_kind="exercise", subject_id__in=drilled.values("code"))


def page_of(reader: Person, filters: Filters, older: str = "") -> Page:
    """One page from a position on. A position that makes no sense is the beginning."""
    found = trail(reader, filters)
    position = _position(older)
    if position:
        found = audit.older_than(found, position)
    events = list(found[: PAGE_SIZE + 1])
    last = events[PAGE_SIZE - 1] if len(events) > PAGE_SIZE else None
    return Page(rows(events[:PAGE_SIZE], reader=reader), f"{last.ts_us}.{last.id}" if last else "")


def _position(text: str) -> audit.Position | None:
    moment, _, event_id = text.partition(".")
    try:
        return (int(moment), uuid.UUID(event_id)) if len(moment) < 19 else None
    except ValueError:
        return None


def export_rows(reader: Person, filters: Filters) -> Iterator[Row]:
    """Everything that the filters leave, read in parts as it is sent."""
    found = trail(reader, filters)
    events = list(found[:EXPORT_CHUNK])
    while events:
        yield from rows(events, reader=reader)
        last = events[-1]
        full = len(events) == EXPORT_CHUNK
        events = list(audit.older_than(found, (last.ts_us, last.id))[:EXPORT_CHUNK]) if full else []


def trail_of_system(system: System, limit: int = PAGE_SIZE, *, reader: Person | None = None) -> list[Row]:
    """The latest events about a system that the caller has found through `visible_systems`. Four queries."""
    found = audit.events(Filters(subject_kind="system", subject_id=str(system.pk)))
    return rows(list(found[:limit]), reader=reader)


def find_row(reader: Person, event_id: uuid.UUID) -> tuple[AuditEvent, Row, list[Committed]]:
    """One event with all that stands beside it. Raises AuditEvent.DoesNotExist for not there and not yours."""
    event = audit.find_event(event_id)
    about = Filters(subject_kind=event.subject_kind, subject_id=event.subject_id)
    if event.subject_kind in MAY_BE_HIDDEN and not trail(reader, about).filter(id=event.id, month=event.month).exists():
        raise AuditEvent.DoesNotExist
    beside = audit.values_beside([event])[event.id]
    return event, rows([event], reader=reader)[0], commitments(event, beside)


def effects_of(reader: Person, event_id: uuid.UUID, limit: int = PAGE_SIZE) -> list[Row]:
    """Events that happened because of this one, oldest first."""
    found = trail(reader, Filters()).filter(cause=event_id).order_by("ts_us", "id")
    return rows(list(found[:limit]), reader=reader)


def commitments(event: AuditEvent, beside: dict[str, Value]) -> list[Committed]:
    """Each commitment of an event held against the value beside it."""
    committed: dict[str, str] = json.loads(event.body).get("commitments", {})
    found = []
    for field, digest in sorted(committed.items()):
        value = beside.get(field)
        holds = value is not None and value.matches(digest)
        found.append(Committed(field_words(field), digest, value.text if value else None, holds))
    return found


def is_canonical(event: AuditEvent) -> bool:
    """Whether the stored text is byte for byte the canonical form of what it says."""
    return canonical(json.loads(event.body)) == event.body


def rows(events: Sequence[AuditEvent], *, reader: Person | None = None) -> list[Row]:
    """Events as a reader sees them: five queries at most, however many there are.

    Links are given for what the reader may open; without a reader there are none.
    """
    bodies = {event.id: json.loads(event.body) for event in events}
    beside = audit.values_beside(events)
    names = _Names(bodies.values())
    link = _links(events, reader)
    return [_row(event, bodies[event.id], beside.get(event.id, {}), names, link) for event in events]


def _row(
    event: AuditEvent,
    body: dict[str, Any],
    beside: dict[str, Value],
    names: "_Names",
    link: Callable[[AuditEvent], str],
) -> Row:
    committed = body.get("commitments", {})

    def kept(field: str, erased: str | None) -> str | None:
        if field in beside:
            return beside[field].text
        return erased if field in committed else ""

    return Row(
        id=event.id,
        at=event.at,
        kind=event.kind,
        words=words_of(event.kind),
        actor=event.actor,
        actor_name=kept("actor_name", None),
        actor_function=kept("actor_function", "") or "",
        by_person=event.actor.startswith("u:"),
        subject_kind=event.subject_kind,
        subject_id=event.subject_id,
        subject_label=kept("subject_label", None),
        href=link(event),
        changes=_changes(body, names),
        reason=kept("reason", "Erased") or "",
        request_id=event.request_id,
        cause=event.cause,
    )


def _changes(body: dict[str, Any], names: "_Names") -> tuple[Change, ...]:
    before, after = body.get("before") or {}, body.get("after") or {}
    return tuple(
        Change(field_words(field), names.words(field, before.get(field)), names.words(field, after.get(field)))
        for field in sorted({*before, *after}, key=_weight)
    )


def _weight(field: str) -> tuple[int, str]:
    """Who comes first, then what matters for who must act, then the rest by name."""
    return (TOLD_FIRST.index(field) if field in TOLD_FIRST else len(TOLD_FIRST), field)


class _Names:
    """Names for the ids in a number of bodies: people and units, one query each."""

    def __init__(self, bodies: Iterable[dict[str, Any]]) -> None:
        facts = [part for body in bodies for part in (body.get("before"), body.get("after")) if part]
        people = {match[1] for value in _texts(facts) if (match := _PERSON_ID.match(value))}
        units = {part[name] for part in facts for name in ("unit", "parent") if isinstance(part.get(name), int)}
        self.people = {f"u:{pk}": person.display_name for pk, person in Person.objects.in_bulk(people).items()}
        self.units = {unit.pk: unit.name for unit in Unit.objects.filter(pk__in=units).only("name")}

    def words(self, field: str, value: Any) -> str:
        """A value as a reader says it."""
        if value is None or value in ("", []):
            return ""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if field in ("unit", "parent") and value in self.units:
            return self.units[value]
        if isinstance(value, dict):
            said = {name: self.words(name, part) for name, part in value.items()}
            return ", ".join(f"{field_words(name)}: {part.replace('_', ' ')}" for name, part in said.items() if part)
        if isinstance(value, list):
            return ", ".join(self.words(field, part) for part in value)
        return self.people.get(str(value)) or _day_words(str(value))


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, however deep it lies."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _day_words(text: str) -> str:
    """A date as people write it here, 17 Nov 2026, a moment with its time in UTC; any other text as it is."""
    if _MOMENT.match(text):
        return _moment_words(text)
    if not _DAY.match(text):
        return text
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return text
    return f"{day.day} {day:%b %Y}"


def _moment_words(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    if moment.tzinfo is None:
        return text
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def _links(events: Sequence[AuditEvent], reader: Person | None) -> Callable[[AuditEvent], str]:
    """Where each event's subject can be opened by the reader. One query for systems, one for incidents."""
    if reader is None:
        return lambda event: ""
    ids = {int(event.subject_id) for event in events if event.subject_kind == "system"}
    keys = dict(visible_systems(reader).filter(pk__in=ids).values_list("pk", "key")) if ids else {}
    codes = {event.subject_id for event in events if event.subject_kind == "incident"}
    seen = set(visible_incidents(reader).filter(code__in=codes).values_list("code", flat=True)) if codes else set()
    administers, imports = may(reader, Permission.ADMINISTER_UNITS), may(reader, Permission.IMPORT_SYSTEMS)

    def link(event: AuditEvent) -> str:
        subject = event.subject_id
        if event.subject_kind == "system":
            key = keys.get(int(subject))
            return _url("portal:system", key) if key else ""
        if event.subject_kind == "person":
            return _url("portal:person", subject)
        if event.subject_kind == "seat":
            return _url("portal:seats")
        if event.subject_kind == "unit" and administers:
            return _url("portal:unit_edit", subject)
        if event.subject_kind == "import" and imports:
            return _url("portal:import_review", subject)
        if event.subject_kind == "campaign":
            return _url("attestations:campaign", subject)
        if event.subject_kind == "finding":
            return _url("findings:finding", subject)
        if event.subject_kind == "incident" and subject in seen:
            return _url("incidents:incident", subject)
        return ""

    return link


def _url(name: str, *args: object) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:  # a subject that the page's address can't express
        return ""
