"""What waits for a reviewer or for who proposed a plan, as rows of the home page."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, Exists, Min, Q, QuerySet

from apps.attestations.models import Assignment, AttestationException, Campaign
from apps.attestations.queries.exceptions import on_record, to_decide
from apps.attestations.queries.reviews import SEATS, Reviewers, to_review, to_sample
from apps.attestations.rules.exceptions import DECIDE_WITHIN
from apps.common.clock import local_date
from apps.common.workdays import add_working_days
from apps.people.models import Person, Seat
from apps.registry.models import Unit

SHOWN = 6


@dataclass(frozen=True)
class Reviews:
    """How many signed attestations of one campaign wait for a person, and since when. `sample`: to re-perform."""

    campaign: Campaign
    count: int
    due_on: date
    sample: bool


@dataclass(frozen=True)
class Duties:
    """Everything that waits: reviews by campaign, exceptions to decide, own plans that were refused."""

    reviews: list[Reviews]
    decisions: list[AttestationException]
    refused: list[AttestationException]


def duties_of(person: Person, now: datetime) -> Duties:
    """What waits for a person. One query for who heads nothing, holds no seat and proposed nothing that was refused;
    a dozen for the others."""
    refused = on_record(AttestationException.objects.filter(owner=person, state="refused"))
    asked, proposes = _may_be_asked(person, refused)
    own = list(refused.order_by("due_on", "pk")[:SHOWN]) if proposes else []
    if not asked:
        return Duties([], [], own)
    reviewers = Reviewers(now)
    waiting = _by_campaign(to_review(person, now, reviewers=reviewers), sample=False)
    samples = _by_campaign(to_sample(person, now, reviewers=reviewers), sample=True)
    return Duties(waiting + samples, list(to_decide(person, now, reviewers=reviewers)[:SHOWN]), own)


def _may_be_asked(person: Person, refused: QuerySet[AttestationException]) -> tuple[bool, bool]:
    """Whether somebody may be asked for a review or a decision, and whether a plan of theirs was refused."""
    seats = Seat.objects.filter(Q(function__in=SEATS) | Q(function__mandates__isnull=False), holder=person)
    heads = Unit.objects.filter(head=person)
    rows = Person.objects.filter(pk=person.pk).values_list(Exists(heads), Exists(seats), Exists(refused))
    heads_one, sits, proposes = rows.get()
    return bool(heads_one or sits), bool(proposes)


def _by_campaign(rows: QuerySet[Assignment], *, sample: bool) -> list[Reviews]:
    counts = rows.order_by().values_list("campaign").annotate(n=Count("pk"), first=Min("submitted_at"))
    found = {campaign: (n, first) for campaign, n, first in counts}
    campaigns = Campaign.objects.in_bulk(found) if found else {}
    return [
        Reviews(campaigns[pk], n, add_working_days(local_date(first), DECIDE_WITHIN), sample)
        for pk, (n, first) in found.items()
    ]


def decide_by(exception: AttestationException) -> date:
    """The day by which somebody should have decided."""
    return add_working_days(exception.declared_on, DECIDE_WITHIN)
