"""Reading campaigns, their progress, and what waits for a person."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.models import Case, Q, QuerySet, When

from apps.attestations.models import Assignment, Campaign, CampaignTemplate, Signature
from apps.attestations.queries.delegation import prepared_by
from apps.attestations.rules import (
    EVENT_DAYS,
    OFFICE_HOUR,
    OPEN_STATES,
    QUARTERLY,
    RUNNING,
    SIGNED_STATES,
    Period,
    Schedule,
    schedule,
)
from apps.common import clock
from apps.common.clock import organisation_zone
from apps.common.workdays import add_working_days, is_working_day, last_working_day
from apps.people.models import Person
from apps.registry.models import Unit
from apps.registry.queries import visible_systems

# Of a sealed campaign no assignment changes any more: what was counted once is kept for a day.
_KEPT = "attestations:totals:{0.pk}"
KEPT_SECONDS = 24 * 3600

TIER_GROUPS = (
    ("critical", "Critical", ("critical",)),
    ("high", "High", ("high",)),
    ("rest", "Medium, low and unknown", ("medium", "low", "unknown")),
)


@dataclass(frozen=True)
class Counts:
    """How many assignments are where. `overdue` counts open ones past their date; the four add up to `total`."""

    total: int = 0
    signed: int = 0
    in_progress: int = 0
    not_started: int = 0
    overdue: int = 0
    not_attested: int = 0
    interim: int = 0
    # Of the signed: clean or with exceptions, late, accepted by somebody else. Of the open: sent back.
    clean: int = 0
    qualified: int = 0
    late: int = 0
    accepted: int = 0
    sent_back: int = 0

    @property
    def open(self) -> int:
        return self.in_progress + self.not_started + self.overdue

    @property
    def percent(self) -> int:
        """Signed, in whole percent, never rounded up to 100."""
        return 100 * self.signed // self.total if self.total else 0

    @property
    def to_accept(self) -> int:
        """Signed, and nobody else has looked at it yet."""
        return self.signed - self.accepted

    @property
    def missing(self) -> int:
        """Open past the date, or closed without an answer: what a board asks about."""
        return self.overdue + self.not_attested

    @property
    def parts(self) -> list[dict[str, object]]:
        """For the stacked bar."""
        hole = ("Not attested", self.not_attested) if self.not_attested else ("Overdue", self.overdue)
        return [
            {"n": self.signed, "class": "bar-done", "label": "Signed"},
            {"n": self.in_progress, "class": "bar-progress", "label": "In progress"},
            {"n": self.not_started, "class": "bar-open", "label": "Not started"},
            {"n": hole[1], "class": "bar-hole", "label": hole[0]},
        ]


_FIELDS = (
    "total", "signed", "in_progress", "not_started", "overdue", "not_attested", "interim", "clean", "qualified", "late",
    "accepted", "sent_back",
)  # fmt: skip


def _sum(parts: Iterable[Counts]) -> Counts:
    parts = list(parts)
    return Counts(**{name: sum(getattr(part, name) for part in parts) for name in _FIELDS})


@dataclass(frozen=True)
class TierGroup:
    code: str
    label: str
    due_on: date
    counts: Counts


@dataclass(frozen=True)
class UnitRow:
    """A top unit with everything below it."""

    unit: Unit
    counts: Counts


@dataclass(frozen=True)
class Completion:
    """A campaign's progress, from one statement."""

    counts: Counts
    tiers: list[TierGroup]
    by_unit: dict[int, Counts]


# What is counted, in the order of the fields of `Counts`.
_COUNTED = (
    "true",
    "state IN ('submitted', 'accepted', 'sealed')",
    "state IN ('in_progress', 'changes_requested') AND due_on >= %(today)s",
    "state = 'pending' AND due_on >= %(today)s",
    "state IN ('pending', 'in_progress', 'changes_requested') AND due_on < %(today)s",
    "state = 'not_attested'",
    "owner_basis = 'interim'",
    "result = 'clean'",
    "result = 'qualified'",
    "late_days > 0",
    "state IN ('accepted', 'sealed')",
    "state = 'changes_requested'",
)
_COUNTS = ", ".join(f"coalesce(sum(n) FILTER (WHERE {what}), 0)::bigint" for what in _COUNTED)
# Reads the index `assignment_progress` only, in its order: rows that are alike in all of it are one.
_ALIKE = """
FROM (SELECT campaign_id, state, due_on, tier, unit_id, owner_basis, result, late_days, count(*) AS n
      FROM attestations_assignment WHERE campaign_id = ANY(%(campaigns)s) AND state <> 'reassigned'
      GROUP BY campaign_id, state, due_on, tier, unit_id, owner_basis, result, late_days) AS alike
"""
# Rows of unit x tier, so a few hundred at most.
_CUBE = f"SELECT unit_id, tier, {_COUNTS} {_ALIKE} GROUP BY unit_id, tier"
_TOTALS = f"SELECT campaign_id, {_COUNTS} {_ALIKE} GROUP BY campaign_id"


def totals(campaigns: Iterable[Campaign], *, today: date) -> dict[int, Counts]:
    """Counts of several campaigns, by id. One query, and one for what is kept of sealed ones."""
    rows = list(campaigns)
    kept = {campaign.pk: _KEPT.format(campaign) for campaign in rows if campaign.state == Campaign.State.SEALED}
    known = cache.get_many(kept.values()) if kept else {}
    found = {pk: Counts(*known[key]) for pk, key in kept.items() if key in known}
    if ids := [campaign.pk for campaign in rows if campaign.pk not in found]:
        with connection.cursor() as cursor:
            cursor.execute(_TOTALS, {"campaigns": ids, "today": today})
            fresh = {pk: numbers for pk, *numbers in cursor.fetchall()}
        if still := {kept[pk]: numbers for pk, numbers in fresh.items() if pk in kept}:
            cache.set_many(still, KEPT_SECONDS)
        found |= {pk: Counts(*fresh.get(pk, ())) for pk in ids}
    return found


def completion(campaign: Campaign, *, today: date) -> Completion:
    """Counts of a campaign: all, by tier, by unit. One query, whatever the number of systems."""
    by_tier: dict[str, list[Counts]] = defaultdict(list)
    by_unit: dict[int, list[Counts]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_CUBE, {"campaigns": [campaign.pk], "today": today})
        for unit, tier, *numbers in cursor.fetchall():
            counts = Counts(*numbers)
            by_tier[tier].append(counts)
            by_unit[unit].append(counts)
    due = {"critical": campaign.due_critical_on, "high": campaign.due_high_on}
    tiers = [
        TierGroup(code, label, due.get(code, campaign.due_on), _sum(c for tier in names for c in by_tier[tier]))
        for code, label, names in TIER_GROUPS
    ]
    return Completion(
        _sum(group.counts for group in tiers), tiers, {unit: _sum(parts) for unit, parts in by_unit.items()}
    )


def unit_rows(progress: Completion) -> list[UnitRow]:
    """Top units with the sums of everything below them, worst first: most missing, then least signed.

    Where the tree has a single root, the units below that root. One query.
    """
    units = {unit.pk: unit for unit in Unit.objects.select_related("head")}
    roots = [unit for unit in units.values() if unit.parent_id is None]
    single = roots[0].pk if len(roots) == 1 else None
    sums: dict[int, list[Counts]] = defaultdict(list)
    for unit_id, counts in progress.by_unit.items():
        sums[_top(units, unit_id, single)].append(counts)
    rows = [UnitRow(units[unit_id], _sum(parts)) for unit_id, parts in sums.items()]
    return sorted(rows, key=lambda row: (-row.counts.missing, row.counts.percent, row.unit.name))


def _top(units: dict[int, Unit], unit_id: int, single: int | None) -> int:
    """The unit that a row stands for: the highest above, or the one right below a single root."""
    parent = units[unit_id].parent_id
    while parent is not None and parent != single:
        unit_id, parent = parent, units[parent].parent_id
    return unit_id


def campaigns() -> QuerySet[Campaign]:
    """All campaigns that were opened, newest first."""
    return Campaign.objects.filter(opened_at__isnull=False).order_by("-opened_at", "-pk")


def latest_campaign() -> Campaign | None:
    """The campaign of a period that runs, or the last one; never one of changes or a cancelled one.

    The menu, the list of systems and the board's page speak of the whole register: a campaign over all systems goes
    before one over some of them, a pilot or the critical ones, however new that is.
    """
    whole = Case(When(template__scope={}, template__is_active=True, then=0), default=1)
    rows = campaigns().filter(is_event=False).exclude(state=Campaign.State.CANCELLED)
    return rows.order_by(whole, "-opened_at", "-pk").first()


def open_assignments(campaign: Campaign | None = None) -> QuerySet[Assignment]:
    """What nobody has signed yet, of one open campaign or of all."""
    rows = Assignment.objects.filter(state__in=OPEN_STATES).filter(
        Q(campaign__state__in=RUNNING) | Q(campaign__state=Campaign.State.ROLLUP, reopened_until__isnull=False)
    )
    return rows if campaign is None else rows.filter(campaign=campaign)


def waiting_for(person: Person) -> QuerySet[Assignment]:
    """What this person has to answer and sign, nearest date first: the open items of the systems they own today."""
    return (
        open_assignments()
        .filter(system__owner=person)
        .select_related("campaign", "system", "system__unit")
        .order_by("due_on", "system__name", "pk")
    )


def signed_by(person: Person) -> QuerySet[Signature]:
    """What this person has signed, newest first."""
    return (
        Signature.objects.filter(signer=person, assignment__isnull=False)
        .select_related("assignment__campaign", "assignment__system")
        .order_by("-pk")
    )


def people_to_remind(campaign: Campaign) -> int:
    """How many people have something open."""
    return open_assignments(campaign).values("system__owner").distinct().count()


def longest_overdue(actor: Person, campaign: Campaign, *, today: date) -> QuerySet[Assignment]:
    """Open items past their date among the systems that the actor may see, oldest first."""
    return (
        open_assignments(campaign)
        .filter(due_on__lt=today, system__in=visible_systems(actor))
        .select_related("system__owner")
        .order_by("due_on", "pk")
    )


def not_attested(actor: Person, campaign: Campaign) -> QuerySet[Assignment]:
    """What the campaign closed without an answer, among the systems that the actor may see."""
    return (
        campaign.assignments.filter(state=Assignment.State.NOT_ATTESTED, system__in=visible_systems(actor))
        .select_related("system__owner", "person")
        .order_by("due_on", "pk")
    )


def find_assignment(actor: Person, code: str, key: str) -> Assignment:
    """The present assignment of a system that the actor may see or prepares, in the campaign with this code.

    Raises Assignment.DoesNotExist for not there and for not theirs alike.
    """
    found = (
        Assignment.objects.select_related("campaign", "person", "snapshot", "system__owner", "system__unit")
        .prefetch_related("signatures")
        .filter(campaign__code=code, system__key=key)
        .filter(Q(system__in=visible_systems(actor)) | prepared_by(actor, today=clock.local_date(clock.now())))
        .exclude(state=Assignment.State.REASSIGNED)
        .order_by("-snapshot__number")
        .first()
    )
    if found is None:
        raise Assignment.DoesNotExist
    return found


@dataclass(frozen=True)
class SystemStatus:
    """Where a system stands in the latest campaign that it was in."""

    period: Period
    state: str
    due_on: date
    overdue: bool
    submitted_at: datetime | None
    code: str = ""
    label: str = ""
    result: str = ""
    # What changed after the signature; empty while it stands.
    stale_because: tuple[str, ...] = ()

    @property
    def is_signed(self) -> bool:
        return self.state in SIGNED_STATES

    @property
    def words(self) -> str:
        """For a list: one word or two."""
        if self.overdue:
            return "Overdue"
        if self.stale_because:
            return "Changed since"
        return str(Assignment.State(self.state).label)


def status_by_system(system_ids: Sequence[int], *, today: date) -> dict[int, SystemStatus]:
    """The latest standing of each of these systems; systems that were in no campaign are not in the answer."""
    rows = (
        Assignment.objects.filter(system_id__in=list(system_ids), campaign__is_event=False)
        .exclude(state=Assignment.State.REASSIGNED)
        .exclude(campaign__state=Campaign.State.CANCELLED)
        .order_by("system_id", "-campaign_id")
        .distinct("system_id")
        .values_list(
            "system_id", "campaign__period", "state", "due_on", "submitted_at", "campaign__code", "campaign__title",
            "result", "stale_at", "stale_because",
        )
    )  # fmt: skip
    return {row[0]: _status(today, *row[1:]) for row in rows}


def _status(
    today: date, period: str, state: str, due_on: date, submitted_at: datetime | None, code: str, label: str,
    result: str, stale_at: datetime | None, because: list[str],
) -> SystemStatus:  # fmt: skip
    overdue = state in OPEN_STATES and due_on < today
    stale = tuple(because) if stale_at else ()
    return SystemStatus(Period.parse(period), state, due_on, overdue, submitted_at, code, label, result, stale)


def dates_of(period: Period, template: CampaignTemplate | None = None) -> Schedule:
    """The dates of a period's campaign: by its template, else by the settings. Due on the last working day of the
    due month."""
    own = template or CampaignTemplate()
    if own.cadence == CampaignTemplate.Cadence.EVENT:
        return _all_of(period)
    opens, closes = own.opens_days_before, own.closes_days_after
    return schedule(
        last_working_day(period.year, period.month(own.due_month or settings.CAMPAIGN_DUE_MONTH)),
        opens_before=settings.CAMPAIGN_OPENS_DAYS_BEFORE if opens is None else opens,
        closes_after=settings.CAMPAIGN_CLOSES_DAYS_AFTER if closes is None else closes,
        is_working_day=is_working_day,
    )


def _all_of(period: Period) -> Schedule:
    """The dates of what is asked when something changes: the whole period, and time for its last day."""
    due = add_working_days(period.last_day, EVENT_DAYS)
    closes = due + timedelta(days=settings.CAMPAIGN_CLOSES_DAYS_AFTER)
    return Schedule(period.first_day, due, due, due, closes)


def opening_moment(dates: Schedule) -> datetime:
    """When a campaign opens: in the morning of its day, in the organisation's zone."""
    return datetime.combine(dates.opens_on, time(OFFICE_HOUR), organisation_zone())


def closing_moment(dates: Schedule) -> datetime:
    """When a campaign closes: at the end of its last day, in the organisation's zone."""
    return datetime.combine(dates.closes_on + timedelta(days=1), time(), organisation_zone())


def next_period(now: datetime) -> Period:
    """The first quarter whose campaign has not been opened and is not over. One query."""
    period = Period.of(now.astimezone(organisation_zone()).date()).previous()
    known = set(
        Campaign.objects.filter(template__key=QUARTERLY, period__gte=str(period), opened_at__isnull=False).values_list(
            "period", flat=True
        )
    )
    while str(period) in known or closing_moment(dates_of(period)) <= now:
        period = period.next()
    return period


def export_rows(actor: Person, campaign: Campaign) -> QuerySet[Assignment]:
    """Every assignment of a campaign whose system the actor may see, for the export."""
    return (
        campaign.assignments.filter(Q(system__in=visible_systems(actor)))
        .exclude(state=Assignment.State.REASSIGNED)
        .select_related("system__owner", "person", "unit")
        .prefetch_related("signatures")
        .order_by("due_on", "system__key")
    )
