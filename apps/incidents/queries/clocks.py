"""Reading legal clocks: which rules may matter, who decides, and what a page shows of each clock."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common.clock import local_date, organisation_zone
from apps.common.errors import Refused
from apps.incidents.models import Authority, ClockRule, Incident, IncidentClock
from apps.incidents.queries.incidents import visible_incidents
from apps.incidents.rules import ClockState, Mode, State
from apps.incidents.rules.clocks import (
    CALENDAR_WORDS,
    Deadline,
    Where,
    can_run,
    due_at,
    may_matter,
    share_over,
    span_words,
)
from apps.people.models import Person, Seat
from apps.people.queries import Presence
from apps.registry.queries.succession import mandate_holder

# The seat that signs that something is not reported.
LEGAL = "legal"
# Registers, patterns and duties that no incident starts.
NO_CLOCK_STAGES = ("record", "template", "waiver")
# Nothing happened, or it goes on as another incident.
NONE = (State.DISMISSED.value, State.MERGED.value)
RELATED = ("incident__system", "incident__lead", "rule__decides", "decides", "deputy", "decided_by", "submitted_by")


def where() -> Where:
    """Where the organisation is, for counting its days."""
    return Where(organisation_zone(), settings.HOLIDAY_COUNTRY)


def rules_in_use() -> QuerySet[ClockRule]:
    """The newest version of every rule, whatever its status."""
    return ClockRule.objects.filter(replaced_at=None).select_related("decides", "applies_by")


def candidates(incident: Incident) -> list[ClockRule]:
    """The rules that may start a clock for an incident: law on its day, not said to bind somebody else, and fitting.

    A later stage is none: it starts with the submission before it.
    """
    day = local_date(incident.declared_at)
    regulatory_class = incident.system.regulatory_class if incident.system is not None else ""
    rules = rules_in_use().exclude(applies=False).exclude(anchor="prev_submission").exclude(stage__in=NO_CLOCK_STAGES)
    return [
        rule
        for rule in rules
        if can_run(rule.status, rule.valid_from, rule.valid_to, day)
        and may_matter(rule.scenarios, rule.regulatory_classes, incident.scenario, regulatory_class)
    ]


def next_stages(rule: ClockRule, incident: Incident) -> list[ClockRule]:
    """The rules that a submission under this one starts."""
    day = local_date(incident.declared_at)
    later = rules_in_use().filter(anchor="prev_submission").exclude(applies=False)
    return [
        one for one in later if rule.key in one.after.split() and can_run(one.status, one.valid_from, one.valid_to, day)
    ]


@dataclass(frozen=True)
class Deciding:
    """Who decides for a seat at a moment, and why them. `holder` is None where the seat is vacant."""

    seat_title: str
    person: Person
    holder: Person | None
    deputy: Person | None
    capacity: str

    @property
    def is_vacant(self) -> bool:
        """Whether nobody holds the seat."""
        return self.holder is None


def deciding(functions: Collection[str], now: datetime) -> dict[str, Deciding]:
    """By function: who decides for its seat: the holder, who acts for them, or the mandate where it is vacant.

    Three queries for any number of seats. Raises Refused before the first start, when nobody holds the mandate.
    """
    seats = list(
        Seat.objects.filter(function__in=functions).select_related("function", "holder__deputy", "holder__line_manager")
    )
    mandate = mandate_holder()
    if mandate is None:
        raise Refused("Nobody holds the governance mandate yet.")
    presence = Presence.of([mandate, *(seat.holder for seat in seats)], now)
    return {seat.function_id: _deciding(seat, mandate, presence) for seat in seats}


def _deciding(seat: Seat, mandate: Person, presence: Presence) -> Deciding:
    title, holder = seat.function.seat_title, seat.holder
    if holder is None:
        acts = presence.acting(mandate).acts
        capacity = f"for the vacant seat {title}, by the governance mandate"
        return Deciding(title, acts, None, _other(acts, mandate, mandate.deputy), capacity)
    acts = presence.acting(holder).acts
    capacity = title if acts.pk == holder.pk else f"acting for {holder.display_name}, {title}"
    return Deciding(title, acts, holder, _other(acts, holder.deputy, holder.line_manager, mandate), capacity)


def _other(person: Person, *others: Person | None) -> Person | None:
    for other in others:
        if other is not None and other.pk != person.pk and other.is_active and other.kind == Person.Kind.HUMAN:
            return other
    return None


def signs_as(actor: Person, now: datetime) -> str:
    """In which capacity somebody signs for the legal seat; empty for who does not."""
    found = deciding([LEGAL], now)[LEGAL]
    if found.holder is not None and actor.pk == found.holder.pk:
        return found.seat_title
    return found.capacity if actor.pk == found.person.pk else ""


def who_signs(now: datetime) -> Person:
    """Who signs for the legal seat now."""
    return deciding([LEGAL], now)[LEGAL].person


def may_decide(clock: IncidentClock, actor: Person, now: datetime) -> bool:
    """Whether somebody decides about a clock: who was named, and who decides for its seat or the legal one today."""
    if not actor.is_active:
        return False
    if actor.pk in (clock.decides_id, clock.deputy_id):
        return True
    seats = deciding({clock.rule.decides_id, LEGAL}, now).values()
    return any(actor.pk in (one.person.pk, one.holder.pk if one.holder else None) for one in seats)


def may_start(clock: IncidentClock, actor: Person, now: datetime) -> bool:
    """Whether somebody may say that a trigger came true: also who leads the response, and who manages incidents."""
    leads = actor.is_active and actor.pk == clock.incident.lead_id
    return leads or may(actor, Permission.INCIDENTS_MANAGE) or may_decide(clock, actor, now)


def clocks_of(incident: Incident) -> QuerySet[IncidentClock]:
    """The clocks of an incident with what a page shows of each, the nearest deadline first."""
    return incident.clocks.select_related(*RELATED).order_by(Coalesce("due_at", "assess_by").asc(nulls_last=True), "pk")


def find_clock(actor: Person, code: str, clock_id: int) -> IncidentClock:
    """A clock of a visible incident. Raises IncidentClock.DoesNotExist for not there and not yours alike."""
    rows = IncidentClock.objects.select_related(*RELATED, "file", "signature")
    return rows.get(pk=clock_id, incident__code=code, incident__in=visible_incidents(actor))


@dataclass(frozen=True)
class Card:
    """A clock as the live page shows it."""

    clock: IncidentClock
    figure: str
    basis: str
    share: int
    absolute: str
    tone: str  # running | late | done | open
    href: str
    button: str

    @property
    def width(self) -> int:
        """How far the bar is filled, of 100; a sliver where it has only begun."""
        return max(self.share, 1) if self.tone in ("running", "open") else self.share


def card(clock: IncidentClock, now: datetime) -> Card:
    """What a clock says at a moment: time left, or how late, or what became of it."""
    href = f"{clock.incident.path}clocks/{clock.pk}/"
    if clock.state in (ClockState.NOT_ASSESSED, ClockState.ASSESSING):
        return _open_card(clock, now, href)
    if clock.state == ClockState.NOT_REPORTABLE:
        return Card(clock, "Not reported", clock.decision, 100, _moment(clock.decided_at), "done", href, "Open")
    if clock.state in (ClockState.SUBMITTED, ClockState.SUBMITTED_LATE):
        return _submitted_card(clock, href)
    if clock.due_at is None or clock.anchor_at is None:
        basis = f"no number in the law, since {_moment(clock.anchor_at)}"
        return Card(clock, "At once", basis, 100, "", "running", href, "Note the submission")
    left = clock.due_at - now
    basis = f"{clock.rule.get_anchor_display().lower()} {_moment(clock.anchor_at)}"
    if left < timedelta(0):
        return Card(clock, f"Late by {span_words(left)}", basis, 100, _moment(clock.due_at), "late", href, "Decide now")
    words = f"left of {clock.rule.term.words}, {basis}"
    share = share_over(clock.anchor_at, clock.due_at, now)
    return Card(clock, span_words(left), words, share, _moment(clock.due_at), "running", href, "Decide: notify or not")


def _open_card(clock: IncidentClock, now: datetime, href: str) -> Card:
    words = clock.rule.term.words or ("At once" if clock.rule.immediate else "No number")
    late = clock.assess_by is not None and clock.assess_by < now
    if_started = if_since(clock.rule, clock.incident.declared_at)
    absolute = f"{_moment(if_started.at)} if counted from declaring" if if_started else ""
    share = share_over(clock.opened_at, clock.assess_by, now) if clock.assess_by else 0
    # Only the first letter: a title holds names, such as ICT.
    basis = f"if: {clock.rule.title[:1].lower()}{clock.rule.title[1:]}"
    return Card(clock, words, basis, share, absolute, "late" if late else "open", href, "Open assessment")


def _submitted_card(clock: IncidentClock, href: str) -> Card:
    late = clock.state == ClockState.SUBMITTED_LATE
    at, due = clock.submitted_at, clock.due_at
    basis = clock.submission_ref
    if at is not None and due is not None:
        basis = f"{span_words(due - at)} {'late' if late else 'before the deadline'}, {clock.submission_ref}"
    figure = "Submitted late" if late else "Submitted"
    return Card(clock, figure, basis, 100, _moment(at), "done", href, "Open")


def if_since(rule: ClockRule, moment: datetime) -> Deadline | None:
    """When a rule's time would end, had its trigger come true at a moment. Nothing runs by this."""
    return due_at(rule.term, {rule.anchor: moment}, where())


def deadline_of(clock: IncidentClock) -> Deadline | None:
    """The deadline of a clock with the words on how it was worked out, from the moments on record."""
    newest = {anchor.anchor: anchor.at for anchor in clock.anchors.order_by("pk")}
    return due_at(clock.rule.term, newest, where())


def calendar_words(calendar: str) -> str:
    """What a rule's calendar leaves out, in words."""
    return CALENDAR_WORDS.get(calendar, f"Weekends and public holidays of {calendar}")


def moment_words(moment: datetime | None) -> str:
    """A moment as mails and the timeline say it: in the organisation's zone."""
    return _said(moment, organisation_zone())


def _moment(moment: datetime | None) -> str:
    """A moment as the reader of a page has it."""
    return _said(moment, timezone.get_current_timezone())


def _said(moment: datetime | None, zone: tzinfo) -> str:
    if moment is None:
        return ""
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b}, {local:%H:%M}"


@dataclass(frozen=True)
class Board:
    """The clocks of one incident as its page shows them: what counts first, and how many more to look at."""

    cards: list[Card]
    rest: list[Card]
    is_real: bool

    @property
    def more(self) -> int:
        """How many are not shown."""
        return len(self.rest)

    @property
    def waiting(self) -> list[Card]:
        """Those not shown that are not decided."""
        return [one for one in self.rest if not one.clock.is_over]

    @property
    def overdue(self) -> int:
        """Those not shown at which somebody should have looked."""
        return sum(one.tone == "late" for one in self.rest)

    @property
    def deciders(self) -> list[Person]:
        """Who decides about those that wait, each once."""
        return deciders(self.waiting)


def deciders(cards: Iterable[Card]) -> list[Person]:
    """Who decides about clocks, each once, in the order of the clocks."""
    return list({one.clock.decides_id: one.clock.decides for one in cards}.values())


def cards_of(incident: Incident, now: datetime) -> list[Card]:
    """Every clock of an incident, one query: what runs, what is overdue, what waits, what is decided.

    What was none, or goes on as another, has nothing to look at: only what was said or runs is left.
    """
    order = {"late": 0, "running": 0, "done": 4}

    def rank(one: Card) -> tuple[int, int]:
        if one.clock.state in (ClockState.NOT_ASSESSED, ClockState.ASSESSING):
            unsaid = one.clock.rule.applies is None and one.clock.state == ClockState.NOT_ASSESSED
            waits = 1 if one.tone == "late" else 3 if unsaid else 2
            return waits, 0 if one.clock.rule.law.startswith(("GDPR", "EU AI")) else 1
        return order[one.tone], 0

    clocks = clocks_of(incident)
    if incident.state in NONE:
        waits = (ClockState.NOT_ASSESSED.value, ClockState.ASSESSING.value)
        clocks = clocks.exclude(state__in=waits, decision="")
    return sorted((card(clock, now) for clock in clocks), key=rank)


def board(incident: Incident, now: datetime, *, most: int = 4) -> Board:
    """The cards for the live page, one query: running and late ones, then those that bind for sure, then decided."""
    cards = cards_of(incident, now)
    return Board(cards[:most], cards[most:], incident.mode == Mode.REAL)


def decisions(actor: Person) -> QuerySet[IncidentClock]:
    """Every clock of a real incident that somebody may see: the register of GDPR Art. 33(5), reported or not."""
    seen = visible_incidents(actor).filter(mode=Mode.REAL.value)
    return (
        IncidentClock.objects.filter(incident__in=seen)
        .select_related("incident__system", "rule", "decides", "decided_by", "submitted_by", "signature")
        .order_by("-opened_at", "-pk")
    )


def register_of_rules() -> QuerySet[ClockRule]:
    """The rules in use, with whether an authority is filled in for each."""
    known = Authority.objects.filter(rule_key=OuterRef("key"))
    return rules_in_use().annotate(has_authority=Exists(known)).order_by("instrument", "key")
