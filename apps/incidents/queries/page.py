"""What the page of one incident shows, and what its reader may do."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, Value, When

from apps.access.queries import may
from apps.access.rules import Permission
from apps.incidents.models import (
    Escalation,
    Incident,
    IncidentFile,
    IncidentTask,
    IncidentUserPermission,
    LeadHandover,
    LeadTerm,
    Page,
    SeverityChange,
    TimelineEntry,
)
from apps.incidents.queries.incidents import live_incidents
from apps.incidents.queries.steps import deputy_id_of
from apps.incidents.rules import LIVE, SEVERITY_WORDS, Mode, PageState, Severity, Target
from apps.incidents.rules.clocks import span_words
from apps.incidents.rules.plans import read_plan
from apps.incidents.rules.words import state_tone
from apps.people.models import Person, Seat
from apps.registry.models import System

# Lines of the timeline on the page; all of them are one link away.
LINES = 60
# Incidents that the bar above each page names; the list has the rest.
IN_BAR = 3
TARGET_WORDS = {
    Target.LEAD.value: "leads", Target.DEPUTY.value: "deputy", Target.OWNER.value: "owner",
    Target.MANAGER.value: "line manager", Target.FUNCTION_HEAD.value: "head of the function",
    Target.SEAT.value: "seat", Target.PERSON.value: "named in the plan",
}  # fmt: skip
CALL_WORDS = {
    PageState.QUEUED.value: ("Being called", "neutral", ""),
    PageState.SENT.value: ("Called, no answer yet", "warn", "clock"),
    PageState.DELIVERED.value: ("Reached, no answer yet", "warn", "clock"),
    PageState.ACKED.value: ("Took it", "ok", "check"),
    PageState.DECLINED.value: ("Can't take it", "bad", "x"),
    PageState.EXPIRED.value: ("Did not answer", "bad", "circle-alert"),
    PageState.CANCELLED.value: ("Not needed any more", "neutral", ""),
    PageState.FAILED.value: ("Not reached", "bad", "circle-alert"),
}
LINE_CLASS = {"alarm": "timeline__alarm", "contained": "timeline__good", "decision": "timeline__person",
              "person": "timeline__person", "update": "timeline__person"}  # fmt: skip


@dataclass(frozen=True)
class Rights:
    """What the reader may do. `who` says who may, to those who may not."""

    writes: bool
    runs: bool
    manages: bool
    leads: bool
    who: str


def rights_over(actor: Person, incident: Incident) -> Rights:
    """Who takes part writes; who leads, was called, answers for the system or manages incidents runs it. One query."""
    of = OuterRef("pk")
    facts = (
        Incident.objects.filter(pk=incident.pk)
        .annotate(
            part=Exists(IncidentUserPermission.objects.filter(content_object=of, user=actor)),
            called=Exists(Page.objects.filter(incident=of, person=actor)),
            led=Exists(LeadTerm.objects.filter(incident=of, person=actor)),
        )
        .values("part", "called", "led")
        .get()
    )
    manages = may(actor, Permission.INCIDENTS_MANAGE)
    near = {incident.lead_id, incident.owner_id, incident.owner.deputy_id, deputy_id_of(incident)}
    runs = actor.is_active and (manages or actor.pk in near or facts["called"] or facts["led"])
    return Rights(
        writes=runs or (actor.is_active and facts["part"]),
        runs=runs,
        manages=manages,
        leads=actor.pk == incident.lead_id,
        who=f"{incident.lead.display_name} leads the response. They, who is called to it, and who manages incidents "
        "may do this.",
    )


@dataclass(frozen=True)
class Card:
    """A box with one figure: how long it took, or what is left."""

    title: str
    icon: str
    figure: str
    basis: str
    percent: int
    tone: str  # ok | warn | bad | accent
    foot: str
    name: str = ""
    until: datetime | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class TimelineLine:
    """One line, with its class and the lines that correct it."""

    entry: TimelineEntry
    css_class: str
    head: str
    corrected: bool


@dataclass(frozen=True)
class Call:
    """One call to one person, and what came of it."""

    page: Page
    target: str
    words: str
    tone: str
    icon: str


@dataclass(frozen=True)
class IncidentPage:
    """Everything on the page that other parts do not bring themselves."""

    incident: Incident
    as_of: datetime
    term: LeadTerm | None
    deputy: Person | None
    legal: Person | None
    security: Person | None
    tone: str
    cards: list[Card]
    lines: list[TimelineLine]
    more_lines: bool
    calls: list[Call]
    escalation: Escalation | None
    handover: LeadHandover | None
    tasks: list[IncidentTask] = field(default_factory=list)
    files: list[IncidentFile] = field(default_factory=list)
    severities: list[SeverityChange] = field(default_factory=list)
    leads: list[LeadTerm] = field(default_factory=list)

    @property
    def last_line(self) -> int:
        """The newest line that was written, for the script that announces new ones."""
        return max((line.entry.pk for line in self.lines), default=0)

    @property
    def lasted(self) -> str:
        """How long it goes on, or went on."""
        over = self.incident.resolved_at or self.incident.dismissed_at or self.incident.merged_at
        return span_words(((None if self.incident.is_live else over) or self.as_of) - self.incident.declared_at)


def incident_page(incident: Incident, now: datetime, *, all_lines: bool = False) -> IncidentPage:
    """The page, in a fixed number of queries."""
    terms = list(LeadTerm.objects.filter(incident=incident).select_related("person", "accepted_by"))
    lines = _lines(incident, None if all_lines else LINES + 1)
    more_lines = not all_lines and len(lines) > LINES
    seats = {seat.function_id: seat.holder for seat in _seats()}
    deputy = deputy_id_of(incident)
    escalation = Escalation.objects.filter(incident=incident).select_related("acked_by").first()
    return IncidentPage(
        incident=incident,
        as_of=now,
        term=next((term for term in reversed(terms) if term.ended_at is None), terms[-1] if terms else None),
        deputy=Person.objects.filter(pk=deputy).first() if deputy else None,
        legal=seats.get("legal"),
        security=seats.get("ciso"),
        tone=state_tone(incident.state),
        cards=[_first_response(incident, terms, now), *_next_update(incident, now)],
        lines=lines[:LINES] if more_lines else lines,
        more_lines=more_lines,
        calls=_calls(incident),
        escalation=escalation,
        handover=_handover(incident),
        tasks=list(incident.tasks.select_related("person", "done_by").order_by("done_at", "due_at", "pk")),
        files=list(incident.files.select_related("added_by")),
        severities=list(incident.severity_changes.select_related("person")),
        leads=terms,
    )


def _seats() -> QuerySet[Seat]:
    return Seat.objects.filter(function__in=["legal", "ciso"], holder__isnull=False).select_related("holder")


def _handover(incident: Incident) -> LeadHandover | None:
    return LeadHandover.objects.filter(incident=incident, state="asked").select_related("outgoing", "incoming").first()


def _lines(incident: Incident, limit: int | None) -> list[TimelineLine]:
    rows = incident.timeline.select_related("corrects").annotate(
        corrected=Exists(TimelineEntry.objects.filter(corrects=OuterRef("pk")))
    )
    return [
        TimelineLine(entry, LINE_CLASS.get(entry.kind, ""), _head(entry), entry.corrected) for entry in rows[:limit]
    ]


def _head(entry: TimelineEntry) -> str:
    """The words in bold before the text of a line that somebody wrote."""
    if entry.corrects is not None:
        return "Correction."
    return {"update": "Status update.", "decision": "Decision."}.get(entry.kind, "") if entry.person_id else ""


def _calls(incident: Incident) -> list[Call]:
    pages = incident.pages.select_related("person", "answered_by").order_by("-queued_at", "-pk")[:40]
    return [Call(page, _aim(page), *CALL_WORDS[page.state]) for page in pages]


def _aim(page: Page) -> str:
    """As what somebody was called; for a seat their own title says more."""
    words = TARGET_WORDS.get(page.target, page.target)
    return (page.person.title or words) if page.target == Target.SEAT else words


def respond_within(incident: Incident) -> timedelta:
    """How long the first one who is called has, before the next is: by the plan of this incident."""
    return timedelta(minutes=read_plan(incident.plan).wait_after(0))


def _first_response(incident: Incident, terms: list[LeadTerm], now: datetime) -> Card:
    """How fast somebody took it: named is who did, also where somebody else leads by now."""
    allowed, taken = respond_within(incident), incident.lead_accepted_at
    took = (taken or now) - incident.declared_at
    percent = min(int(100 * took / allowed), 100)
    basis = f"of {span_words(allowed)} allowed"
    if taken is not None:
        tone, icon = ("ok", "check") if took <= allowed else ("bad", "circle-alert")
        words = "Met by" if tone == "ok" else "Late, by"
        first = next((term.person for term in terms if term.accepted_at is not None), incident.lead)
        return Card("First response", icon, span_words(took), basis, percent, tone, words, first.display_name)
    tone = "bad" if took > allowed else "warn"
    if not incident.is_open:
        return Card("First response", "timer", "Nobody", "said that they take it", 0, "accent", "")
    foot = "Waiting for"
    return Card("First response", "timer", span_words(took), basis, percent, tone, foot, incident.lead.display_name,
                since=incident.declared_at)  # fmt: skip


def _next_update(incident: Incident, now: datetime) -> list[Card]:
    due = incident.update_due_at
    if due is None or not incident.is_open:
        return []
    last = incident.timeline.filter(kind="update").values_list("written_at", flat=True).first() or incident.declared_at
    every = max(due - last, timedelta(minutes=1))
    late = due <= now
    figure = f"late by {span_words(now - due)}" if late else span_words(due - now)
    percent = min(max(int(100 * (now - last) / every), 0), 100)
    return [
        Card("Next status update", "megaphone", figure, f"{span_words(every)} after the last one", percent,
             "bad" if late else "accent", "Writes:", incident.lead.display_name, until=due)
    ]  # fmt: skip


def called_again(incident: Incident) -> bool:
    """Whether people are called although somebody took it: they did not say again that they have it.

    Reads `escalation`: select it with the incidents of a list.
    """
    row = getattr(incident, "escalation", None)
    calls = row is not None and row.state in (Escalation.State.RUNNING, Escalation.State.EXHAUSTED)
    return calls and incident.is_live and incident.lead_accepted_at is not None


@dataclass(frozen=True)
class LiveOne:
    """A live incident as the bar above each page names it."""

    incident: Incident
    lasts: str

    @property
    def is_drill(self) -> bool:
        """Whether it is a rehearsal."""
        return self.incident.mode != Mode.REAL

    @property
    def stands(self) -> str:
        """Whether whoever leads has it: answers, is called, or is called again."""
        if self.incident.lead_accepted_at is None:
            return "is called"
        return "is called again" if called_again(self.incident) else "answers"


@dataclass(frozen=True)
class LiveNow:
    """What is live for one reader: the first few of each kind, and how many there are."""

    real: list[LiveOne] = field(default_factory=list)
    drills: list[LiveOne] = field(default_factory=list)
    real_count: int = 0
    drill_count: int = 0


def live_now(actor: Person, now: datetime) -> LiveNow:
    """What is live and the reader may see. One query where nothing is live anywhere, three else."""
    if not Incident.objects.filter(state__in=[state.value for state in LIVE]).exists():
        return LiveNow()
    found = [
        LiveOne(one, span_words(now - one.declared_at))
        for one in live_incidents(actor).select_related("escalation")[:200]
    ]
    real, drills = ([one for one in found if one.is_drill is drill] for drill in (False, True))
    return LiveNow(real[:IN_BAR], drills[:IN_BAR], len(real), len(drills))


def live_on(actor: Person, systems: Collection[System]) -> dict[int, Incident]:
    """The newest real live incident of each of these systems that the reader may see, by the system's id."""
    if not systems:
        return {}
    live = live_incidents(actor, modes=(Mode.REAL,)).filter(system__in=systems)
    return {one.system_id: one for one in reversed(live) if one.system_id}


def live_one(actor: Person, system: System, now: datetime) -> LiveOne | None:
    """The newest real live incident of a system that the reader may see, as a strip on its pages names it."""
    live = live_incidents(actor, modes=(Mode.REAL,)).filter(system=system).select_related("escalation")
    found = live.first()
    return LiveOne(found, span_words(now - found.declared_at)) if found else None


def needing(person: Person, seen: QuerySet[Incident]) -> list[Incident]:
    """Live incidents that a person leads, was called to, or is asked to take over (`asked`). What is real comes first.

    `seen` are those that the person may open (`visible_incidents`).
    """
    rows = seen.filter(state__in=[state.value for state in LIVE])
    mine = rows.annotate(
        asked=Exists(LeadHandover.objects.filter(incident=OuterRef("pk"), incoming=person, state="asked"))
    ).filter(
        Exists(Page.objects.filter(incident=OuterRef("pk"), person=person, state__in=["queued", "sent", "delivered"]))
        | Q(asked=True)
        | Q(lead=person)
    )
    rehearsed = Case(When(mode=Mode.REAL.value, then=Value(0)), default=Value(1), output_field=IntegerField())
    return list(mine.select_related("system", "lead").order_by(rehearsed, "-declared_at", "-pk")[:12])


def classify_words(incident: Incident, now: datetime) -> str:
    """How long there is left to say how bad it is."""
    if incident.severity != Severity.UNCLASSIFIED:
        return SEVERITY_WORDS[Severity(incident.severity)]
    if incident.classify_by <= now:
        return f"Not classified, late by {span_words(now - incident.classify_by)}"
    return f"Not classified, {span_words(incident.classify_by - now)} left"


def summary_text(incident: Incident, page: IncidentPage, moment: str) -> str:
    """The incident in plain text, to paste into a chat."""
    legal = f"Legal: {page.legal.display_name}\n" if page.legal else ""
    phone = f", {incident.lead.phone}" if incident.lead.phone else ""
    took = "leads" if page.term and page.term.accepted_at else "is called to lead"
    recent = "\n".join(f"- {line.entry.text}" for line in page.lines[:5])
    return (
        f"{incident.prefix}{incident.code} {incident.title}\n{incident.place}\n"
        f"{incident.get_state_display()}, {incident.get_severity_display().lower()}, {page.lasted}\n"
        f"{incident.lead.display_name} {took}{phone}\n{legal}\nLast lines:\n{recent}\n\nAs of {moment}\n"
    )
