"""The numbers of the board's page: a fixed number of set-based queries, whatever the number of systems."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from time import perf_counter
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from django.urls import reverse

from apps.attestations.models import Assignment, Campaign
from apps.attestations.queries import Counts, completion, latest_campaign
from apps.attestations.rules import OPEN_STATES
from apps.common.clock import local_date
from apps.findings.models import Finding
from apps.findings.queries import late_on_the_board
from apps.incidents.queries.response_readiness import Readiness, response_readiness
from apps.incidents.queries.response_readiness import as_json as response_json
from apps.people.models import Person, Seat
from apps.people.queries import seats
from apps.readiness import rules
from apps.readiness.rules import INTERIM_LONG, SEATS, Headline, SeatPattern
from apps.registry.models import ImportRun, Mandate, RaciAssignment, System
from apps.registry.queries import visible_systems
from apps.registry.rules import NOT_LIVE, TIER_ORDER, Tier

PEOPLE_SHOWN = 5
FINDINGS_SHOWN = 5


@dataclass(frozen=True)
class Indicator:
    """One number that can be clicked through to its rows. `count` is None where it is not known."""

    key: str
    label: str
    count: int | None
    of: int | None = None
    href: str = ""
    bad: bool = False
    note: str = ""


@dataclass(frozen=True)
class Load:
    """Somebody who answers for more systems than one person should; accepted and interim are counted apart."""

    person: Person
    accepted: int
    interim: int
    href: str


@dataclass(frozen=True)
class Cover:
    """Who is accountable for what a seat tends to miss. No `person` and no `owners` means nobody."""

    party: str
    domains: tuple[str, ...]
    person: Person | None
    owners: bool = False
    hole: str = ""

    @property
    def gap(self) -> str:
        """What stands where a name should be."""
        return "Nobody" if self.party == "Nobody" else f"{self.party}: {self.hole}"

    @property
    def domains_text(self) -> str:
        """The domains in one line."""
        return ", ".join(self.domains)


@dataclass(frozen=True)
class SeatLine:
    """A seat, who holds it, what it tends to miss, and who covers that."""

    pattern: SeatPattern
    holders: tuple[Seat, ...]
    covers: tuple[Cover, ...]


@dataclass(frozen=True)
class ExceptionLine:
    """Something the board should know by name."""

    text: str
    system: System
    person: Person | None
    on: date
    href: str


@dataclass(frozen=True)
class Totals:
    """Counts over all live systems, restricted ones too."""

    live: int = 0
    accepted: int = 0
    no_deputy: int = 0
    stage_unknown: int = 0
    tier_unknown: int = 0

    @property
    def interim(self) -> int:
        return self.live - self.accepted


@dataclass(frozen=True)
class Board:
    """Everything on the board's page."""

    as_of: datetime
    organisation: str
    headline: Headline
    lead: str
    mandate: Seat | None
    totals: Totals
    interim_long: int
    campaign: Campaign | None
    counts: Counts | None
    indicators: tuple[Indicator, ...]
    loads: tuple[Load, ...]
    overloaded: int
    seats: tuple[SeatLine, ...]
    failures: tuple[rules.Failure, ...]
    exceptions: tuple[ExceptionLine, ...]
    contacts: tuple[tuple[str, int], ...]
    contacts_on: datetime | None
    hidden: int
    late: tuple[Finding, ...]
    late_total: int
    response: Readiness
    milliseconds: int = 0


def board(*, now: datetime, reader: Person | None = None) -> Board:
    """The board's page at a moment.

    Numbers are over all live systems, so that they are the same for every reader. Systems are named only where
    the reader may open them; without a reader only those that are not restricted. Nineteen queries at most.
    """
    started = perf_counter()
    today = local_date(now)
    totals, heavy = _totals()
    named = visible_systems(reader) if reader else System.objects.filter(restricted=False)
    hidden = _hidden(named)
    long, grave = _interim_long(now, hidden)
    campaign = latest_campaign()
    counts = completion(campaign, today=today).counts if campaign else None
    held = list(seats())
    mandate = _mandate(held)
    contacts, contacts_on = _contacts()
    late = late_on_the_board(named, today)
    page = Board(
        as_of=now,
        organisation=settings.ORGANISATION_NAME,
        headline=rules.headline(totals.live, totals.accepted),
        lead=rules.lead(totals.live, totals.interim, long),
        mandate=mandate,
        totals=totals,
        interim_long=long,
        campaign=campaign,
        counts=counts,
        indicators=tuple(_indicators(totals, long, campaign, counts, held, mandate, len(heavy))),
        loads=_loads(heavy),
        overloaded=len(heavy),
        seats=_seat_lines(held, totals),
        failures=rules.FAILURES,
        exceptions=_exceptions(named, campaign, grave, today=today),
        contacts=contacts,
        contacts_on=contacts_on,
        hidden=len(hidden),
        late=tuple(late[:FINDINGS_SHOWN]),
        late_total=late.count(),
        response=response_readiness(now),
    )
    return replace(page, milliseconds=round(1000 * (perf_counter() - started)))


# One pass over the systems: summed by owner first, because deputy and workload are facts about owners.
_TOTALS_SQL = """
WITH held AS (
    SELECT owner_id, count(*) AS n, count(*) FILTER (WHERE owner_basis = 'accepted') AS accepted,
           count(*) FILTER (WHERE stage = 'unknown') AS stage_unknown,
           count(*) FILTER (WHERE tier = 'unknown') AS tier_unknown
    FROM registry_system WHERE NOT stage = ANY(%(not_live)s) GROUP BY owner_id),
numbers AS (
    SELECT held.*, deputy.id IS NULL AS alone FROM held
    JOIN people_person p ON p.id = held.owner_id
    LEFT JOIN people_person deputy ON deputy.id = p.deputy_id AND deputy.is_active)
SELECT NULL::uuid, coalesce(sum(n), 0), coalesce(sum(accepted), 0), coalesce(sum(n) FILTER (WHERE alone), 0),
       coalesce(sum(stage_unknown), 0), coalesce(sum(tier_unknown), 0) FROM numbers
UNION ALL
SELECT owner_id, n, accepted, 0, 0, 0 FROM numbers WHERE accepted > %(cap)s OR n - accepted > %(cap)s
"""

_Heavy = tuple[Any, int, int]


def _totals() -> tuple[Totals, list[_Heavy]]:
    """Counts over all live systems, and the people over the cap as (id, accepted, interim), heaviest first."""
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS_SQL, {"not_live": [s.value for s in NOT_LIVE], "cap": settings.WORKLOAD_CAP})
        rows = cursor.fetchall()
    total = next(row for row in rows if row[0] is None)
    heavy = [(row[0], int(row[2]), int(row[1] - row[2])) for row in rows if row[0] is not None]
    return Totals(*map(int, total[1:])), sorted(heavy, key=lambda row: (-row[1] - row[2], str(row[0])))


# Interim since: the end of the last accepted term, else the first day on the register. A change from one interim
# owner to another does not start it again.
_LONG_SQL = """
WITH long AS (
    SELECT s.id, s.tier,
           coalesce(max(upper(t.period)) FILTER (WHERE t.basis = 'accepted'), min(lower(t.period))) AS since
    FROM registry_system s JOIN registry_ownershipterm t ON t.system_id = s.id
    WHERE s.owner_basis = 'interim' AND NOT s.stage = ANY(%(not_live)s)
    GROUP BY s.id
    HAVING coalesce(max(upper(t.period)) FILTER (WHERE t.basis = 'accepted'), min(lower(t.period))) < %(before)s)
SELECT NULL::bigint, count(*), NULL::timestamptz FROM long
UNION ALL (SELECT id, 0, since FROM long WHERE tier = 'critical' AND NOT id = ANY(%(hidden)s)
           ORDER BY since, id LIMIT %(shown)s)
UNION ALL (SELECT id, 0, since FROM long WHERE tier = 'high' AND NOT id = ANY(%(hidden)s)
           ORDER BY since, id LIMIT %(shown)s)
"""


def _interim_long(now: datetime, hidden: list[int]) -> tuple[int, dict[int, datetime]]:
    """How many systems have been interim for too long, and since when the gravest that may be named."""
    values: dict[str, Any] = {
        "not_live": [stage.value for stage in NOT_LIVE],
        "before": now - timedelta(days=INTERIM_LONG),
        "hidden": hidden,
        "shown": rules.EXCEPTIONS_SHOWN,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LONG_SQL, values)
        rows = cursor.fetchall()
    total = next(row[1] for row in rows if row[0] is None)
    return int(total), {row[0]: row[2] for row in rows if row[0] is not None}


def _mandate(held: Sequence[Seat]) -> Seat | None:
    function = Mandate.objects.values_list("holder_id", flat=True).first()
    return next((seat for seat in held if seat.function_id == function), None)


def _contacts() -> tuple[tuple[tuple[str, int], ...], datetime | None]:
    """What the latest applied import gave as contacts, by class."""
    applied = ImportRun.objects.filter(state=ImportRun.State.APPLIED).order_by("-applied_at")
    classes, applied_at = applied.values_list("report__contacts", "applied_at").first() or ({}, None)
    counted = [(rules.contact_words(name), count) for name, count in (classes or {}).items()]
    return tuple(counted), applied_at if counted else None


def _hidden(named: QuerySet[System]) -> list[int]:
    """Live restricted systems that are counted but that this reader may not open."""
    unseen = System.objects.filter(restricted=True).exclude(stage__in=NOT_LIVE)
    return list(unseen.exclude(pk__in=named.filter(restricted=True).values("pk")).values_list("pk", flat=True))


def systems_url(**filters: str) -> str:
    """The systems list, filtered to the rows behind a number."""
    return f"{reverse('portal:systems')}?{urlencode({'live': '1', **filters})}"


def _indicators(
    totals: Totals,
    long: int,
    campaign: Campaign | None,
    counts: Counts | None,
    held: Sequence[Seat],
    mandate: Seat | None,
    overloaded: int,
) -> Iterable[Indicator]:
    def systems(
        key: str, label: str, count: int, *, bad: bool = True, of: int = totals.live, **filters: str
    ) -> Indicator:
        return Indicator(key, label, count, of, systems_url(**filters), bad and count > 0)

    yield systems("accepted", "Systems whose owner has accepted", totals.accepted, bad=False, basis="accepted")
    yield systems(
        "interim_long", f"Interim for more than {INTERIM_LONG} days", long, of=totals.interim,
        basis="interim", age=str(INTERIM_LONG),
    )  # fmt: skip
    yield systems("no_deputy", "Owner without a deputy who can act", totals.no_deputy, deputy="none")
    yield systems("stage_unknown", "Stage not known", totals.stage_unknown, stage="unknown")
    yield systems("tier_unknown", "Tier not known", totals.tier_unknown, tier="unknown")
    yield from _attested(campaign, counts)
    vacant = sum(seat.holder_id is None for seat in held)
    yield Indicator("seats_vacant", "Seats vacant", vacant, len(held), reverse("portal:seats"), vacant > 0)
    yield Indicator(
        "mandate",
        "Holder of the governance mandate",
        int(mandate is not None),
        1,
        reverse("portal:seats"),
        mandate is None,
    )
    cap = settings.WORKLOAD_CAP
    yield Indicator(
        "overloaded", f"People who answer for more than {cap} systems", overloaded, None, reverse("portal:people"),
        overloaded > 0, "accepted and interim counted apart",
    )  # fmt: skip


def _attested(campaign: Campaign | None, counts: Counts | None) -> Iterable[Indicator]:
    if campaign is None or counts is None:
        note = "no campaign has been opened yet"
        yield Indicator("attested", "Attested this quarter", None, None, reverse("attestations:campaigns"), False, note)
        return
    label = campaign.label
    parts = [
        ("attested", f"Attested in {label}", counts.signed, "signed", False),
        ("attested_clean", "of these clean", counts.clean, "clean", False),
        ("attested_qualified", "of these with exceptions", counts.qualified, "qualified", False),
    ]
    if campaign.takes_answers:
        parts.append(
            (
                "attestation_open",
                "Not signed yet, still in time",
                counts.in_progress + counts.not_started,
                "open",
                False,
            )
        )
        parts.append(("attestation_overdue", "Overdue", counts.overdue, "overdue", counts.overdue > 0))
    else:
        parts.append(("not_attested", f"Not attested in {label}", counts.not_attested, "none", counts.not_attested > 0))
    for key, words, count, state, bad in parts:
        yield Indicator(key, words, count, counts.total, systems_url(live="all", attestation=state), bad)


def _loads(heavy: list[_Heavy]) -> tuple[Load, ...]:
    """The heaviest few by name."""
    people = Person.objects.in_bulk([row[0] for row in heavy[:PEOPLE_SHOWN]])
    return tuple(
        Load(people[pk], accepted, interim, systems_url(owner=str(pk)))
        for pk, accepted, interim in heavy[:PEOPLE_SHOWN]
    )


def _seat_lines(held: Sequence[Seat], totals: Totals) -> tuple[SeatLine, ...]:
    """Each seat with who is accountable, in the organisation's matrix, for what it tends to miss."""
    by_code = {seat.function_id: seat for seat in held}
    wanted = {domain for pattern in SEATS for domain in pattern.domains}
    letters = RaciAssignment.objects.filter(letter="A", valid_to=None, unit=None, system=None, domain__in=wanted)
    accountable = {letter.domain_id: letter for letter in letters.select_related("domain", "person")}
    return tuple(
        SeatLine(
            pattern,
            tuple(by_code[code] for code in pattern.functions if code in by_code),
            _covers(pattern, accountable, by_code, totals),
        )
        for pattern in SEATS
    )


def _covers(
    pattern: SeatPattern, accountable: dict[str, RaciAssignment], by_code: dict[str, Seat], totals: Totals
) -> tuple[Cover, ...]:
    found: dict[str, Cover] = {}
    for domain in pattern.domains:
        cover = _cover(domain, accountable.get(domain), by_code, totals)
        known = found.get(cover.party)
        found[cover.party] = replace(known, domains=known.domains + cover.domains) if known else cover
    return tuple(found.values())


def _cover(domain: str, letter: RaciAssignment | None, by_code: dict[str, Seat], totals: Totals) -> Cover:
    if letter is None:
        return Cover("Nobody", (domain.replace("-", " "),), None, hole="nobody is accountable")
    name = (letter.domain.name,)
    if letter.is_owner:
        hole = f"{_systems(totals.interim)}: nobody" if totals.interim else ""
        return Cover("Each system's owner", name, None, owners=True, hole=hole)
    if letter.function_id:
        seat = by_code[letter.function_id]
        return Cover(seat.function.seat_title, name, seat.holder, hole="" if seat.holder_id else "vacant seat")
    person = letter.person
    active = person is not None and person.is_active
    party = person.display_name if person else ""
    return Cover(party, name, person if active else None, hole="" if active else "deactivated")


def _systems(count: int) -> str:
    return "1 system" if count == 1 else f"{rules.number(count)} systems"


def _exceptions(
    named: QuerySet[System], campaign: Campaign | None, grave: dict[int, datetime], *, today: date
) -> tuple[ExceptionLine, ...]:
    """At most five: grave systems that nobody accepted for too long, critical attestations overdue or never made."""
    found = [*_overdue(named, campaign, today=today), *_interim_grave(named, grave, today=today)]
    found.sort(key=lambda line: (TIER_ORDER.index(Tier(line.system.tier)), line.on, line.system.pk))
    return tuple(found[: rules.EXCEPTIONS_SHOWN])


def _overdue(named: QuerySet[System], campaign: Campaign | None, *, today: date) -> list[ExceptionLine]:
    if campaign is None:
        return []
    missing = Q(state__in=OPEN_STATES, due_on__lt=today) | Q(state=Assignment.State.NOT_ATTESTED)
    rows = Assignment.objects.filter(missing, campaign=campaign, tier=Tier.CRITICAL)
    rows = rows.filter(system__in=named).select_related("system__owner").order_by("due_on", "pk")
    named_people = settings.NAME_OVERDUE_PEOPLE
    return [
        ExceptionLine(
            f"Not attested in {campaign.label}"
            if row.state == Assignment.State.NOT_ATTESTED
            else f"Attestation {rules.days((today - row.due_on).days)} overdue",
            row.system,
            row.system.owner if named_people else None,
            row.due_on,
            reverse("portal:system", args=[row.system.key]),
        )
        for row in rows[: rules.EXCEPTIONS_SHOWN]
    ]


def _interim_grave(named: QuerySet[System], grave: dict[int, datetime], *, today: date) -> list[ExceptionLine]:
    found: list[ExceptionLine] = []
    for system in named.filter(pk__in=list(grave)).select_related("owner"):
        began = local_date(grave[system.pk])
        text = f"Interim for {rules.days((today - began).days)}"
        href = reverse("portal:system", args=[system.key])
        found.append(ExceptionLine(text, system, system.owner, began, href))
    return found


def as_json(page: Board) -> dict[str, Any]:
    """The same numbers as the command and the API say them."""
    return {
        "as_of": page.as_of.isoformat(),
        "organisation": page.organisation,
        "headline": str(page.headline),
        "lead": page.lead,
        "mandate_holder": _person_json(page.mandate.holder if page.mandate else None),
        "systems": {
            "live": page.totals.live,
            "accepted": page.totals.accepted,
            "interim": page.totals.interim,
            "interim_long": page.interim_long,
        },
        "campaign": page.campaign.code if page.campaign else None,
        "indicators": [
            {"key": one.key, "label": one.label, "count": one.count, "of": one.of, "rows": one.href, "note": one.note}
            for one in page.indicators
        ],
        "seats": [_seat_json(line) for line in page.seats],
        "failures": [{"title": failure.title, "known": False, "measure": failure.measure} for failure in page.failures],
        "exceptions": [
            {
                "text": line.text,
                "system": {"key": line.system.key, "name": line.system.name},
                "person": _person_json(line.person),
                "on": line.on.isoformat(),
            }
            for line in page.exceptions
        ],
        "contacts": dict(page.contacts),
        "response": response_json(page.response),
        "milliseconds": page.milliseconds,
    }


def _seat_json(line: SeatLine) -> dict[str, Any]:
    return {
        "seat": line.pattern.title,
        "held_by": [_person_json(seat.holder) for seat in line.holders if seat.holder],
        "tends_to_miss": line.pattern.misses,
        "covered_by": [
            {
                "party": cover.party,
                "domains": list(cover.domains),
                "person": _person_json(cover.person),
                "gap": cover.hole,
            }
            for cover in line.covers
        ],
    }


def _person_json(person: Person | None) -> dict[str, str] | None:
    return {"id": str(person.pk), "name": person.display_name, "title": person.title} if person else None
