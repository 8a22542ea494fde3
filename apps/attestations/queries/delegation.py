"""Reading who prepares answers for whom. The signature is never passed on."""

from datetime import date

from django.db.models import Q, QuerySet

from apps.attestations.models import Assignment, Delegation
from apps.people.models import Person


def delegations(assignment: Assignment) -> QuerySet[Delegation]:
    """Everybody who prepares or prepared an assignment's answers, those who do so now first."""
    return assignment.delegations.select_related("preparer", "given_by").order_by("-ended_at", "preparer__display_name")


def running(assignment: Assignment, person: Person, *, today: date) -> Delegation | None:
    """What a person prepares of an assignment today."""
    return assignment.delegations.filter(preparer=person, ended_at=None, until__gte=today).first()


def prepared_by(person: Person, *, today: date) -> Q:
    """The assignments that a person prepares today, as a condition on assignments."""
    mine = Delegation.objects.filter(preparer=person, ended_at=None, until__gte=today)
    return Q(pk__in=mine.values("assignment"))


def covers(delegation: Delegation, slug: str) -> bool:
    """Whether a section may be filled in; none named means all."""
    return not delegation.sections or slug in delegation.sections
