"""Watching a campaign: where it is, what happens next, what stands behind the numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from apps.attestations.models import Campaign, RollupNode, Signature
from apps.attestations.queries import Counts, campaigns
from apps.common.clock import day_words, local_date, organisation_zone
from apps.people.models import Person
from apps.registry.models import System
from apps.registry.queries import visible_systems

GAPS_SHOWN = OVERLOADED_SHOWN = 10
SEVERITIES = ("critical", "high", "medium", "low")


def previous_campaign(campaign: Campaign) -> Campaign | None:
    """The last campaign of the same template that was opened before this one and not cancelled."""
    if campaign.opened_at is None:
        return None
    return (
        campaigns()
        .filter(template=campaign.template_id, opened_at__lt=campaign.opened_at)
        .exclude(state=Campaign.State.CANCELLED)
        .first()
    )


@dataclass(frozen=True)
class SameDay:
    """How far the campaign before was, as many days before or after its due date. `percent` None: not known."""

    label: str
    day: date
    percent: int | None


# What was passed on was never signed (constraint), so that the first count reads the index of signatures alone.
_SAME_DAY_SQL = """
SELECT (SELECT count(*) FROM attestations_assignment
        WHERE campaign_id = %(campaign)s AND submitted_at IS NOT NULL AND submitted_at < %(end)s),
       (SELECT count(*) FROM attestations_assignment WHERE campaign_id = %(campaign)s AND state <> 'reassigned')
"""


def same_day(campaign: Campaign, *, today: date) -> SameDay | None:
    """The share that was signed on the same day of the campaign before. None where there is none.

    Whoever was asked for changes and signed again counts on the day of the last signature. Two queries.
    """
    before = previous_campaign(campaign)
    if before is None:
        return None
    day = before.due_on + (min(today, campaign.last_day) - campaign.due_on)
    if before.opened_at is None or day < local_date(before.opened_at):
        return SameDay(before.label, day, None)
    with connection.cursor() as cursor:
        cursor.execute(_SAME_DAY_SQL, {"campaign": before.pk, "end": _end_of(day)})
        signed, total = cursor.fetchone()
    return SameDay(before.label, day, 100 * signed // total if total else None)


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), organisation_zone())


@dataclass(frozen=True)
class Standing:
    """Where a campaign is, in a word and a sentence that says what happens next and when."""

    word: str
    next: str
    tone: str = "neutral"


def standing(campaign: Campaign) -> Standing:
    """The state of a campaign in words."""
    due, last = day_words(campaign.due_on), day_words(campaign.last_day)
    opens = day_words(local_date(campaign.opens_at))
    found = {
        "draft": Standing("Draft", f"It opens when it is scheduled, on {opens} at the earliest."),
        "scheduled": Standing("Scheduled", f"It opens by itself on {opens}."),
        "snapshotting": Standing("Being opened", "The scope is being frozen. It is open in a moment."),
        "open": Standing("Open", f"Due by {due}. After that a signature is late; signing ends with {last}.", "accent"),
        "grace": Standing(
            "Past its due date",
            f"Late signatures are taken until the end of {last}. What nobody has signed then is not attested, by name.",
            "warn",
        ),
        "rollup": Standing(
            "Being rolled up",
            "Heads of units, then the Head of AI, then the CISO and the top sign what is below them.",
            "accent",
        ),
        "pending_actions": Standing(
            "Waiting for decisions", "It closes when each exception is decided or carried over by name.", "warn"
        ),
        "closed": Standing("Closed", "It is sealed next: a manifest of all hashes is written, then nothing changes."),
        "sealed": Standing("Sealed", "Nothing in it changes any more. Corrections are signed beside it.", "ok"),
        "cancelled": Standing("Cancelled", f"{campaign.cancel_reason} What was signed stays.", "bad"),
    }
    return found[campaign.state]


@dataclass(frozen=True)
class Severity:
    """Exceptions of one severity: how many, how many wait for a decision, how many are past their day."""

    severity: str
    total: int
    undecided: int
    overdue: int


_EXCEPTIONS_SQL = """
SELECT severity, count(*), count(*) FILTER (WHERE state = 'requested'),
       count(*) FILTER (WHERE state IN ('requested', 'approved', 'refused') AND due_on < %(today)s)
FROM attestations_attestationexception WHERE campaign_id = %(campaign)s AND state <> 'superseded' GROUP BY severity
"""


def exceptions_by_severity(campaign: Campaign, *, today: date) -> list[Severity]:
    """Exceptions that stand, gravest first. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_EXCEPTIONS_SQL, {"campaign": campaign.pk, "today": today})
        found = {row[0]: Severity(*row) for row in cursor.fetchall()}
    return [found[severity] for severity in SEVERITIES if severity in found]


def nodes(campaign: Campaign) -> QuerySet[RollupNode]:
    """The steps of the roll-up from the bottom, with those who signed."""
    return (
        campaign.nodes.select_related("unit", "unit__head")
        .prefetch_related("signatures")
        .order_by("level", "unit__name", "pk")
    )


LEVELS = ("unit", "ai_lead", "ciso", "top")


@dataclass(frozen=True)
class Level:
    """A level of the roll-up: how many steps, how many of them signed and how."""

    code: str
    label: str
    total: int
    ready: int
    clean: int
    qualified: int
    declined: int
    signers: tuple[str, ...] = ()

    @property
    def signed(self) -> int:
        return self.clean + self.qualified

    @property
    def parts(self) -> list[dict[str, object]]:
        """For the stacked bar."""
        return [
            {"n": self.clean, "class": "bar-done", "label": "Signed clean"},
            {"n": self.qualified, "class": "bar-done", "label": "Signed with exceptions"},
            {"n": self.total - self.clean - self.qualified - self.declined, "class": "bar-open", "label": "Not signed"},
            {"n": self.declined, "class": "bar-hole", "label": "Declined"},
        ]


_LEVELS_SQL = """
SELECT n.level, count(*), count(*) FILTER (WHERE n.state = 'ready'), count(*) FILTER (WHERE n.state = 'signed_clean'),
       count(*) FILTER (WHERE n.state = 'signed_qualified'), count(*) FILTER (WHERE n.state = 'declined')
FROM attestations_rollupnode n WHERE n.campaign_id = %s GROUP BY n.level
"""


def rollup_levels(campaign: Campaign) -> list[Level]:
    """How far the roll-up is, from the units to the top; who signed above the units is named. Two queries."""
    with connection.cursor() as cursor:
        cursor.execute(_LEVELS_SQL, [campaign.pk])
        found = {row[0]: row[1:] for row in cursor.fetchall()}
    if not found:
        return []
    signers: dict[str, list[str]] = {}
    above = Signature.objects.filter(node__campaign=campaign).exclude(node__level="unit").order_by("pk")
    for level, name in above.values_list("node__level", "signer_name"):
        signers.setdefault(level, []).append(name)
    return [_level(code, found[code], tuple(signers.get(code, ()))) for code in LEVELS if code in found]


def _level(code: str, counted: tuple[int, ...], signers: tuple[str, ...]) -> Level:
    total, ready, clean, qualified, declined = counted
    return Level(code, str(RollupNode.Level(code).label), total, ready, clean, qualified, declined, signers)


@dataclass(frozen=True)
class Behind:
    """What stands behind the numbers, counted in one pass over the assignments."""

    new: int
    changed: int
    unchanged: int
    stale: int
    by_agreement: int
    owner_changed: int
    owner_left: int
    sampled_critical: int
    sampled_drawn: int
    sampled_signed: int
    retired: int
    supplements: int
    re_performed: int
    disagreed: int
    passing_on: int
    contradictions: int

    @property
    def passed_on(self) -> int:
        return self.by_agreement + self.owner_changed + self.owner_left

    @property
    def sampled(self) -> int:
        return self.sampled_critical + self.sampled_drawn


_BEHIND_SQL = """
SELECT count(*) FILTER (WHERE delta = 'new'), count(*) FILTER (WHERE delta = 'changed'),
       count(*) FILTER (WHERE delta = 'unchanged'), count(*) FILTER (WHERE stale_at IS NOT NULL),
       count(*) FILTER (WHERE because = 'reassigned'), count(*) FILTER (WHERE because = 'owner_changed'),
       count(*) FILTER (WHERE because = 'leaver'),
       count(*) FILTER (WHERE sampled = 'critical'), count(*) FILTER (WHERE sampled = 'random'),
       count(*) FILTER (WHERE sampled <> '' AND state IN ('submitted', 'accepted', 'sealed')),
       (SELECT count(*) FROM attestations_retiredsystem r WHERE r.campaign_id = %(campaign)s),
       (SELECT count(*) FROM attestations_scopesnapshot s WHERE s.campaign_id = %(campaign)s AND s.is_supplement),
       (SELECT count(DISTINCT r.assignment_id) FROM attestations_review r
        JOIN attestations_assignment d ON d.id = r.assignment_id
        WHERE d.campaign_id = %(campaign)s AND r.kind = 'sample'),
       (SELECT count(DISTINCT r.assignment_id) FROM attestations_review r
        JOIN attestations_assignment d ON d.id = r.assignment_id
        WHERE d.campaign_id = %(campaign)s AND r.kind = 'sample' AND r.verdict = 'changes'),
       (SELECT count(*) FROM attestations_reassignment r JOIN attestations_assignment d ON d.id = r.assignment_id
        WHERE d.campaign_id = %(campaign)s AND r.state = 'open'),
       (SELECT count(*) FROM attestations_answer n JOIN attestations_assignment d ON d.id = n.assignment_id
        WHERE d.campaign_id = %(campaign)s AND d.state <> 'reassigned' AND n.contradiction <> '')
FROM attestations_assignment WHERE campaign_id = %(campaign)s AND state <> 'reassigned'
"""


def behind(campaign: Campaign) -> Behind:
    """New and changed systems, what was passed on, samples, retired systems, supplements. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND_SQL, {"campaign": campaign.pk})
        return Behind(*cursor.fetchone())


@dataclass(frozen=True)
class Load:
    """Somebody who was asked about more systems than one person should be."""

    person: Person
    systems: int


_LOADS_SQL = """
SELECT person_id, count(*), count(*) OVER () FROM attestations_assignment
WHERE campaign_id = %(campaign)s AND state <> 'reassigned'
GROUP BY person_id HAVING count(*) > %(cap)s ORDER BY count(*) DESC, person_id LIMIT %(shown)s
"""


def overloaded(campaign: Campaign) -> tuple[list[Load], int]:
    """Who has more than the campaign's number of systems, heaviest first, and how many people that are. Two queries."""
    cap = int(campaign.term("items_per_person"))
    with connection.cursor() as cursor:
        cursor.execute(_LOADS_SQL, {"campaign": campaign.pk, "cap": cap, "shown": OVERLOADED_SHOWN})
        rows = cursor.fetchall()
    people = Person.objects.in_bulk([row[0] for row in rows])
    return [Load(people[row[0]], row[1]) for row in rows], rows[0][2] if rows else 0


@dataclass(frozen=True)
class Gap:
    """A system in scope that nobody has accepted: who stands in, and since when."""

    key: str
    name: str
    unit: str
    owner: str
    tier: str
    days: int
    still: bool


@dataclass(frozen=True)
class Gaps:
    """Systems in scope without an owner who accepted, by how long."""

    total: int = 0
    still: int = 0
    month: int = 0
    quarter: int = 0
    longer: int = 0
    rows: tuple[Gap, ...] = ()


# Interim since: the end of the last accepted term before it was asked, else the first day on the register.
_GAPS_SQL = """
WITH gap AS MATERIALIZED (
    SELECT a.id, a.system_id, a.unit_id, a.person_id, a.tier, a.opened_at FROM attestations_assignment a
    WHERE a.campaign_id = %(campaign)s AND a.state <> 'reassigned' AND a.owner_basis = 'interim'),
since AS (
    SELECT gap.id, coalesce(
        max(upper(t.period)) FILTER (WHERE t.basis = 'accepted' AND upper(t.period) <= gap.opened_at),
        min(lower(t.period))) AS moment
    FROM gap JOIN registry_ownershipterm t ON t.system_id = gap.system_id GROUP BY gap.id),
aged AS (
    SELECT gap.*, greatest(0, %(today)s::date - (since.moment AT TIME ZONE %(zone)s)::date) AS days
    FROM gap JOIN since USING (id))
SELECT NULL AS key, count(*)::text, count(*) FILTER (WHERE s.owner_basis = 'interim')::text,
       count(*) FILTER (WHERE days <= 30)::text, count(*) FILTER (WHERE days BETWEEN 31 AND 90)::text,
       count(*) FILTER (WHERE days > 90), false
FROM aged JOIN registry_system s ON s.id = aged.system_id
UNION ALL (
    SELECT s.key, s.name, u.name, p.display_name, aged.tier, days, s.owner_basis = 'interim'
    FROM aged JOIN registry_system s ON s.id = aged.system_id JOIN registry_unit u ON u.id = aged.unit_id
    JOIN people_person p ON p.id = aged.person_id
    WHERE NOT s.id = ANY(%(hidden)s::bigint[]) ORDER BY days DESC, s.key LIMIT %(shown)s)
"""


def hidden_from(reader: Person | None) -> list[int]:
    """Restricted systems that are counted but not named: those that the reader may not open; all without a reader."""
    restricted = System.objects.filter(restricted=True)
    if reader is not None:
        restricted = restricted.exclude(pk__in=visible_systems(reader).filter(restricted=True).values("pk"))
    return list(restricted.values_list("pk", flat=True))


def ownership_gaps(campaign: Campaign, *, hidden: Sequence[int], today: date, shown: int | None = GAPS_SHOWN) -> Gaps:
    """How many systems in scope nobody had accepted when it was asked, how long, and the longest. One query.

    All are counted; `hidden` ones are not named. Without `shown` all are listed.
    """
    values: dict[str, Any] = {
        "campaign": campaign.pk,
        "today": today,
        "zone": str(organisation_zone()),
        "hidden": list(hidden),
        "shown": shown,
    }
    with connection.cursor() as cursor:
        cursor.execute(_GAPS_SQL, values)
        rows = cursor.fetchall()
    total = next(row for row in rows if row[0] is None)
    found = tuple(Gap(*row) for row in rows if row[0] is not None)
    return Gaps(int(total[1]), int(total[2]), int(total[3]), int(total[4]), total[5], found)


def reviews_words(counts: Counts) -> Sequence[tuple[str, int, str]]:
    """What became of the signed ones, for the summary: label, how many, tone."""
    return (
        ("Signed clean", counts.clean, ""),
        ("Signed with exceptions", counts.qualified, "warn" if counts.qualified else ""),
        ("Signed late", counts.late, "warn" if counts.late else ""),
        ("Accepted by somebody else", counts.accepted, ""),
        ("Waiting to be accepted", counts.to_accept, ""),
        ("Sent back for changes", counts.sent_back, "warn" if counts.sent_back else ""),
    )
