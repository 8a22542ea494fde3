"""The list of incidents: what is live first, then what is open, then what is over. Real and rehearsed never mix."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import Count, Q, QuerySet

from apps.incidents.models import Incident
from apps.incidents.models.incidents import LIST_ORDER
from apps.incidents.queries.incidents import on_page, visible_incidents
from apps.incidents.queries.page import called_again
from apps.incidents.rules import LIVE, OPEN, Mode, Severity, State
from apps.incidents.rules.clocks import span_words
from apps.incidents.rules.words import scenario_words, state_tone
from apps.people.models import Person
from apps.registry.rules import Scenario

CSV_HEADER = (
    "code", "kind", "title", "system", "key", "scenario", "severity", "state", "led by", "declared", "declared by",
    "taken", "contained", "resolved", "closed",
)  # fmt: skip
_LIVE = [state.value for state in LIVE]
_OPEN = [state.value for state in OPEN]
_GROUPS = {"live": Q(state__in=_LIVE), "open": Q(state__in=_OPEN), "over": ~Q(state__in=_OPEN)}


class Series(StrEnum):
    """The two lists."""

    REAL = "real"
    REHEARSED = "rehearsed"


SERIES_WORDS = {Series.REAL: "Real", Series.REHEARSED: "Drills and tests"}
_MODES = {Series.REAL: [Mode.REAL.value], Series.REHEARSED: [Mode.DRILL.value, Mode.TEST.value]}


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to; a value that is none is left out."""

    state: str = ""  # live | open | over, or one state
    mode: str = ""  # drill | test
    severity: str = ""
    system: str = ""
    scenario: str = ""
    q: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "Filters":
        """From a query string."""
        known = {
            "state": {*_GROUPS, *(state.value for state in State)},
            "mode": {Mode.DRILL.value, Mode.TEST.value},
            "severity": {one.value for one in Severity},
            "scenario": {"none", *(one.value for one in Scenario)},
        }
        kept = {name: given.get(name, "") for name, values in known.items() if given.get(name, "") in values}
        return cls(system=given.get("system", "")[:80], q=" ".join(given.get("q", "").split())[:200], **kept)

    @property
    def asked(self) -> dict[str, str]:
        """Those that narrow the list."""
        return {name: value for name, value in vars(self).items() if value}


@dataclass(frozen=True)
class Tab:
    """One of the two lists, with how many are in it and how many of those are live."""

    series: Series
    label: str
    count: int
    live: int


@dataclass(frozen=True)
class Row:
    """One line of the list."""

    incident: Incident
    tone: str
    state: str
    scenario: str
    lasted: str
    called_again: bool


def tabs(actor: Person) -> list[Tab]:
    """Both lists with their counts. One statement."""
    found = (
        visible_incidents(actor).values_list("mode").annotate(n=Count("pk"), live=Count("pk", filter=_GROUPS["live"]))
    )
    counts = {mode: (n, live) for mode, n, live in found.order_by("mode")}
    return [
        Tab(series, SERIES_WORDS[series], *(sum(counts.get(mode, (0, 0))[at] for mode in modes) for at in (0, 1)))
        for series, modes in _MODES.items()
    ]


def listed(actor: Person, series: Series, filters: Filters) -> QuerySet[Incident]:
    """The incidents of one list: live first, then open, then over; the newest first in each."""
    rows = visible_incidents(actor).filter(mode__in=_MODES[series])
    if filters.state:
        rows = rows.filter(_GROUPS.get(filters.state) or Q(state=filters.state))
    if filters.mode:
        rows = rows.filter(mode=filters.mode)
    if filters.severity:
        rows = rows.filter(severity=filters.severity)
    if filters.scenario:
        rows = rows.filter(scenario="" if filters.scenario == "none" else filters.scenario)
    if filters.system:
        rows = rows.filter(system__key__iexact=filters.system)
    if filters.q:
        rows = rows.filter(_containing(filters.q))
    return on_page(rows).select_related("escalation").order_by(LIST_ORDER, "-declared_at", "-pk")


def _containing(text: str) -> Q:
    columns = ("code", "title", "system__name", "system__key", "about", "lead__display_name")
    found = Q()
    for column in columns:
        found |= Q(**{f"{column}__icontains": text})
    return found


def row_of(incident: Incident, now: datetime) -> Row:
    """A line of the list."""
    return Row(
        incident,
        state_tone(incident.state),
        incident.state_words,
        scenario_words(incident.scenario),
        span_words((over_at(incident) or now) - incident.declared_at),
        called_again(incident),
    )


def over_at(incident: Incident) -> datetime | None:
    """When it was over: resolved, dismissed or merged; None while it goes on."""
    return None if incident.is_live else incident.resolved_at or incident.dismissed_at or incident.merged_at


def last_closed(actor: Person) -> Incident | None:
    """The real incident that was closed last."""
    closed = visible_incidents(actor).filter(mode=Mode.REAL, state=State.CLOSED)
    return closed.order_by("-closed_at").first()


def csv_rows(incidents: QuerySet[Incident]) -> Iterator[tuple[object, ...]]:
    """One line an incident; times in ISO 8601."""
    for one in incidents.iterator(chunk_size=2000):
        system = one.system
        yield (
            one.code, one.mode, one.title, one.place, system.key if system else "", scenario_words(one.scenario),
            one.get_severity_display(), one.get_state_display(), one.lead.display_name, _at(one.declared_at),
            one.declared_as, _at(one.lead_accepted_at), _at(one.contained_at), _at(one.resolved_at), _at(one.closed_at),
        )  # fmt: skip


def _at(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds") if moment else ""
