"""What a person finds on their home page: what needs them, what they answer for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.urls import reverse

from apps.attestations.models import Assignment
from apps.attestations.queries import due_summary, status_by_system, waiting_for
from apps.attestations.questions import DEFAULT_SET
from apps.attestations.rules import Period
from apps.common.clock import local_date, zone_named
from apps.people.models import Person
from apps.portal.queries.answers import day_words
from apps.registry.models import Nomination, System
from apps.registry.queries import live, on_record
from apps.registry.queries.systems import by_tier

# Rows of each list; the systems list has the rest.
SHOWN = 12


@dataclass(frozen=True)
class Need:
    """One duty: what, by when, and the next action."""

    kind: str  # attestation | nomination
    title: str
    text: str
    due_on: date
    today: date
    url: str
    action: str
    about: str

    @property
    def days(self) -> int:
        return (self.due_on - self.today).days

    @property
    def tone(self) -> str:
        """Overdue is bad, three days or less is a warning."""
        return "bad" if self.days < 0 else "warn" if self.days <= 3 else "neutral"

    @property
    def words(self) -> str:
        return due_words(self.due_on, self.today)


@dataclass(frozen=True)
class Owned:
    """A system that the person answers for, with where its attestation stands."""

    system: System
    status: str
    tone: str


@dataclass(frozen=True)
class HomePage:
    """Everything on the page."""

    needs: list[Need]
    needs_total: int
    owned: list[Owned]
    owned_total: int
    period: str


def due_words(due_on: date, today: date) -> str:
    """ "4 days overdue", "Due tomorrow", "Due 20 Nov 2026"."""
    days = (due_on - today).days
    if days < 0:
        return f"{-days} day{'' if days == -1 else 's'} overdue"
    if days <= 3:
        return ("Due today", "Due tomorrow", "Due in 2 days", "Due in 3 days")[days]
    return f"Due {day_words(due_on)}"


def greeting(person: Person, now: datetime) -> str:
    """By the hour where the person is."""
    hour = now.astimezone(zone_named(person.time_zone)).hour
    part = "morning" if 4 <= hour < 12 else "afternoon" if 12 <= hour < 18 else "evening"
    return f"Good {part}, {person.display_name.split()[0]}"


def home_page(person: Person, now: datetime) -> HomePage:
    """The page in six queries, whatever the person answers for."""
    today = local_date(now)
    waiting = list(waiting_for(person)[:SHOWN])
    nominations = list(
        Nomination.objects.filter(nominee=person, state=Nomination.State.OPEN)
        .select_related("system__owner", "nominated_by")
        .order_by("due_on", "pk")[:SHOWN]
    )
    needs = [_attestation(item, today) for item in waiting] + [_nomination(n, today) for n in nominations]
    mine = live(on_record(System.objects.filter(owner=person)))
    systems = list(by_tier(mine)[:SHOWN])
    total = len(systems) if len(systems) < SHOWN else mine.count()
    owned, period = _owned(systems, today)
    attestations = len(waiting) if len(waiting) < SHOWN else int(due_summary(person)["n"])
    return HomePage(
        needs=sorted(needs, key=lambda need: (need.due_on, need.title)),
        needs_total=attestations + len(nominations),
        owned=owned,
        owned_total=total,
        period=period,
    )


def _attestation(item: Assignment, today: date) -> Need:
    quarter = Period.parse(item.campaign.period)
    started = item.state == Assignment.State.IN_PROGRESS
    return Need(
        kind="attestation",
        title=f"Sign the Q{quarter.quarter} attestation for {item.system.name}",
        text="Started, not signed." if started else f"Not started. {len(DEFAULT_SET)} sections.",
        due_on=item.due_on,
        today=today,
        url=reverse("attestations:assignment", args=[item.campaign.period, item.system.key]),
        action="Continue" if started else "Start",
        about=item.system.name,
    )


def _nomination(nomination: Nomination, today: date) -> Need:
    by = nomination.nominated_by.display_name if nomination.nominated_by else "an import"
    asked = day_words(local_date(nomination.created_at))
    return Need(
        kind="nomination",
        title=f"Accept or decline: answer for {nomination.system.name}",
        text=f"Nominated by {by} on {asked}. Until you accept, {nomination.system.owner.display_name} answers.",
        due_on=nomination.due_on,
        today=today,
        url=reverse("portal:nomination", args=[nomination.pk]),
        action="Review",
        about=nomination.system.name,
    )


def _owned(systems: Sequence[System], today: date) -> tuple[list[Owned], str]:
    found = status_by_system([system.pk for system in systems], today=today)
    rows, period = [], ""
    for system in systems:
        status = found.get(system.pk)
        if status is None:
            rows.append(Owned(system, "Not in a campaign yet", "neutral"))
            continue
        period = period or f"Q{status.period.quarter} attestation"
        if status.submitted_at:
            rows.append(Owned(system, f"Signed {day_words(local_date(status.submitted_at))}", "ok"))
        elif status.state == Assignment.State.NOT_ATTESTED:
            rows.append(Owned(system, "Not attested", "bad"))
        else:
            tone = "bad" if status.overdue else "warn" if (status.due_on - today).days <= 3 else "neutral"
            rows.append(Owned(system, due_words(status.due_on, today), tone))
    return rows, period or "Attestation"
