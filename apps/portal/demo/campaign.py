"""One campaign in mid-course: signed in part, begun in part, overdue in part."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from apps.attestations.actions import open_campaign
from apps.attestations.models import Assignment, Campaign
from apps.attestations.queries import closing_moment, dates_of, opening_moment
from apps.attestations.rules import QUARTERLY, Period
from apps.common.clock import local_date
from apps.people.models import Person
from apps.portal.demo.answers import TOLD_OF, Work, carry_out
from apps.portal.demo.cast import CAST, FIRST_OWNER, MANDATE_HOLDER
from apps.portal.demo.moments import Moments
from apps.portal.demo.moments import moments as moments_for
from apps.portal.demo.people import cast


def period_for(now: datetime) -> Period:
    """The quarter of today, or the next one where today's campaign is over: one that is open today."""
    current = Period.of(local_date(now))
    return current if now < closing_moment(dates_of(current)) else current.next()


def calendar(now: datetime) -> Moments:
    """The demo's calendar. A campaign that was opened before keeps its opening."""
    opened = _quarterly().values_list("opened_at", flat=True).first()
    return Moments(now, opened) if opened else moments_for(now, opening_moment(dates_of(period_for(now))))


def _quarterly() -> QuerySet[Campaign]:
    return Campaign.objects.filter(template__key=QUARTERLY).order_by("period")


# The tour shows how its attestation is accepted; a sample is answered again instead, and the draw is a matter of luck.
DRAWS = 50


def load_campaign(moments: Moments) -> bool:
    """Open the campaign, drawn again where the tour's system became a sample. False where there is one."""
    if _quarterly().exists():
        return False
    period = str(period_for(moments.now))
    for left in reversed(range(DRAWS)):
        with transaction.atomic():
            campaign, opened = open_campaign(period, actor=cast()[MANDATE_HOLDER], now=moments.opened)
            drawn = campaign.assignments.filter(system__name=TOLD_OF, sampled="random").exists()
            if not drawn or not left:
                return opened
            transaction.set_rollback(True)
    raise AssertionError("unreachable: the last draw is taken")


# Of the systems that a person accepted: the share that is signed. People differ; together it is a bit under half.
SIGNED_SHARES = (0.5, 0.9, 0.1, 0.35, 0.2)
# The owner whom the tour shows has some of each.
FIRST_OWNER_SHARE = 0.4
# Of the next three after the signed ones one is begun.
BEGUN_AMONG, BEGUN_EVERY = 3, 3
# Heads who sign for systems that nobody accepted, and for how many each.
INTERIM_SIGNERS, INTERIM_EACH = ("HHS", "VA", "DOT", "SEC"), 3


@transaction.atomic
def load_answers(moments: Moments) -> bool:
    """Sign and begin a part. False where anything has been answered."""
    campaign = _quarterly().last()
    if campaign is None or campaign.assignments.exclude(state=Assignment.State.PENDING).exists():
        return False
    work: list[Work] = []
    for place, (person, assignments) in enumerate(_by_owner(campaign)):
        work += _work_of(person, assignments, place, moments)
    carry_out(work, moments)
    return True


def _by_owner(campaign: Campaign) -> Iterator[tuple[Person, list[Assignment]]]:
    """What each invented owner is to sign, in the order of the cast, graver tiers first. Three queries."""
    found: dict[tuple[UUID, str], list[Assignment]] = {}
    rows = campaign.assignments.select_related("campaign", "person", "system", "system__owner")
    for assignment in rows.order_by("due_on", "system__key"):
        found.setdefault((assignment.system.owner_id, assignment.owner_basis), []).append(assignment)
    people = cast()
    for part in CAST:
        person = people[part.handle]
        if part.accepts:
            yield person, found.get((person.pk, "accepted"), [])
        if part.heads in INTERIM_SIGNERS:
            yield person, found.get((person.pk, "interim"), [])[: 2 * INTERIM_EACH]


def _work_of(person: Person, assignments: list[Assignment], place: int, moments: Moments) -> Iterator[Work]:
    """Every other one of the gravest stays open, so that something is late as soon as a date has passed."""
    first = person.email.startswith(f"{FIRST_OWNER}@")
    share = FIRST_OWNER_SHARE if first else SIGNED_SHARES[place % len(SIGNED_SHARES)]
    signed = round(len(assignments) * share)
    mixed = assignments[::2] + assignments[1::2]
    for number, assignment in enumerate(mixed):
        at = _moment(7 * place + number, place, moments)
        if number < signed:
            yield Work(assignment, person, at)
        elif number % BEGUN_EVERY == 0 and number < signed + BEGUN_AMONG:
            yield Work(assignment, person, at, sections=1 + (number + place) % 4)


def _moment(spread: int, place: int, moments: Moments) -> datetime:
    """Office hours of the days since the opening; a person's signatures lie a quarter of an hour apart."""
    days = max(1, (moments.now - moments.opened).days - 1)
    return moments.working_hour(1 + (place * 5 + spread // 9) % days, 47 * place + 16 * spread)
