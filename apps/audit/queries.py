"""Reading the trail: events newest first, and what was recorded beside them."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.audit.models import AuditEvent, AuditPrivate, SweepRun
from apps.audit.rules import commitment, microseconds

# What the text filter looks at: the words beside an event, never its canonical body.
SEARCHED_FIELDS = ("actor_name", "subject_label", "reason")

Position = tuple[int, uuid.UUID]


@dataclass(frozen=True)
class Filters:
    """What a reader asks the trail for. Everything combines with "and"; an empty value asks nothing."""

    actor: str = ""
    actor_named: str = ""
    kinds: Collection[str] = ()
    subject_kind: str = ""
    subject_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""


@dataclass(frozen=True)
class Value:
    """A value that stands beside an event, with the salt of its commitment."""

    salt: bytes
    text: str

    def matches(self, committed: str) -> bool:
        """Whether this is the value that the event committed to."""
        return commitment(self.salt, self.text) == committed


def events(filters: Filters) -> QuerySet[AuditEvent]:
    """The events that the filters leave, newest first."""
    found = AuditEvent.objects.order_by("-ts_us", "-id")
    equal = {"actor": filters.actor, "subject_kind": filters.subject_kind, "subject_id": filters.subject_id}
    found = found.filter(**{name: value for name, value in equal.items() if value})
    if filters.kinds:
        found = found.filter(kind__in=list(filters.kinds))
    if filters.since:
        found = found.filter(ts_us__gte=microseconds(filters.since), month__gte=_month(filters.since))
    if filters.until:
        found = found.filter(ts_us__lt=microseconds(filters.until), month__lte=_month(filters.until))
    for text, fields in ((filters.text, SEARCHED_FIELDS), (filters.actor_named, ("actor_name",))):
        if text.strip():
            beside = AuditPrivate.objects.filter(event_id=OuterRef("id"), field__in=fields)
            found = found.filter(Exists(beside.filter(value__icontains=text.strip())))
    return found


def _month(moment: datetime) -> date:
    """The partition of a moment: bounds on it let the database leave the other months alone."""
    return moment.astimezone(UTC).date().replace(day=1)


def older_than(found: QuerySet[AuditEvent], position: Position) -> QuerySet[AuditEvent]:
    """The events after a position in the reading order, which is newest first. Stable while events are added."""
    ts_us, event_id = position
    return found.filter(Q(ts_us__lt=ts_us) | Q(ts_us=ts_us, id__lt=event_id), ts_us__lte=ts_us)


def find_event(event_id: uuid.UUID) -> AuditEvent:
    """One event. Raises AuditEvent.DoesNotExist. The id tells its month, so one partition is read."""
    try:
        moment = datetime.fromtimestamp((event_id.int >> 80) // 1000, UTC)
    except (ValueError, OverflowError) as error:  # not an id of ours: its time is out of range
        raise AuditEvent.DoesNotExist from error
    return AuditEvent.objects.get(id=event_id, month=_month(moment))


def values_beside(found: Iterable[AuditEvent]) -> dict[uuid.UUID, dict[str, Value]]:
    """What is still kept beside these events, by event and field. One query; an erased value is not there."""
    beside: dict[uuid.UUID, dict[str, Value]] = defaultdict(dict)
    for row in AuditPrivate.objects.filter(event_id__in=[event.id for event in found]):
        beside[row.event_id][row.field] = Value(bytes(row.salt), row.value)
    return beside


def beginning() -> datetime | None:
    """When the first event happened; None for an empty trail."""
    first = AuditEvent.objects.order_by("ts_us", "id").only("id", "at").first()
    return first.at if first else None


def latest_event_id(kind: str, subject_kind: str, subject_id: str) -> uuid.UUID:
    """The id of the newest event of a kind about a subject: the cause of what a verb does next."""
    found = AuditEvent.objects.filter(kind=kind, subject_kind=subject_kind, subject_id=subject_id)
    return found.order_by("-ts_us", "-id").values_list("id", flat=True)[0]


def sweep_runs() -> list[SweepRun]:
    """Every sweep that a worker ever registered, by name. One query."""
    return list(SweepRun.objects.order_by("name"))


def months_without_partition(months: Collection[date]) -> list[date]:
    """Those of these months (first days) for which the trail has no partition yet. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m FROM unnest(%s::date[]) AS m"
            " WHERE to_regclass('audit_event_' || to_char(m, 'YYYY_MM')) IS NULL ORDER BY m",
            [list(months)],
        )
        return [row[0] for row in cursor.fetchall()]
