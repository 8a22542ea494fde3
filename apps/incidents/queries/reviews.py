"""Reading reviews: those that are open, one with its actions, and gaps in who answers."""

from datetime import date
from typing import Any

from django.db.models import Q, QuerySet

from apps.findings.models import Finding
from apps.incidents.models import Incident, Review, ReviewAction
from apps.incidents.queries.drills import visible_exercises
from apps.incidents.queries.incidents import visible_incidents
from apps.incidents.rules.reviews import OWNERSHIP_GAP
from apps.people.models import Person
from apps.registry.models import System

RELATED = ("incident__system", "incident__lead", "incident__exercise", "facilitator", "lead", "signature__person")


def visible_reviews(actor: Person) -> QuerySet[Review]:
    """Reviews of the incidents that somebody may open."""
    return Review.objects.filter(incident__in=visible_incidents(actor).values("pk")).select_related(*RELATED)


def open_reviews(actor: Person) -> QuerySet[Review]:
    """What is to be reviewed, the longest due first."""
    return visible_reviews(actor).filter(state=Review.State.OPEN).order_by("due_on", "pk")


def decided_reviews(actor: Person) -> QuerySet[Review]:
    """What was reviewed or needed none, the latest first."""
    return visible_reviews(actor).exclude(state=Review.State.OPEN).order_by("-done_at", "-pk")


def find_review(actor: Person, code: str) -> Review:
    """The review of one visible incident. Raises Review.DoesNotExist for not there and for not yours alike."""
    return visible_reviews(actor).get(incident__code=code)


def actions_of(**about: Any) -> QuerySet[ReviewAction]:
    """The actions of an incident or a drill, with who does each and where it stands."""
    found = ReviewAction.objects.filter(**about).select_related("finding__person", "finding__system", "added_by")
    return found.prefetch_related("finding__actions__person", "finding__actions__verifier")


def open_actions(actor: Person) -> QuerySet[ReviewAction]:
    """What is not put right yet of the incidents and drills that somebody may open, the nearest day first."""
    incidents, drills = visible_incidents(actor).values("pk"), visible_exercises(actor).values("pk")
    found = ReviewAction.objects.filter(Q(incident__in=incidents) | Q(exercise__in=drills))
    rows = found.exclude(finding__state=Finding.State.CLOSED)
    rows = rows.select_related("finding__person", "finding__system", "incident", "exercise")
    return rows.order_by("finding__due_on", "pk")


def unreviewed(actor: Person) -> QuerySet[Incident]:
    """Resolved, and nobody could be found who facilitates the review."""
    return visible_incidents(actor).filter(state="resolved", mode="real").select_related("system", "lead")


def overdue(reviews: QuerySet[Review], today: date) -> QuerySet[Review]:
    """Those whose day has passed."""
    return reviews.filter(due_on__lt=today)


def ownership_gaps(system: System) -> QuerySet[Finding]:
    """What reviews found about who answers for a system, and is not put right."""
    open_ = Finding.objects.filter(system=system, code=OWNERSHIP_GAP).exclude(state=Finding.State.CLOSED)
    return open_.select_related("person").order_by("due_on", "pk")
