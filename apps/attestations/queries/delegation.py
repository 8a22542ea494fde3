"""Reading who prepares answers for whom. The signature is never passed on."""

from collections.abc import Iterable
from datetime import date, datetime

from django.db.models import Q, QuerySet

from apps.attestations.models import Assignment, Delegation
from apps.attestations.questions import Section
from apps.attestations.rules import OPEN_STATES, Problem
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


def prepared_for(person: Person, *, today: date) -> QuerySet[Delegation]:
    """What a person prepares today for others, nearest due date first."""
    return (
        Delegation.objects.filter(preparer=person, ended_at=None, until__gte=today)
        .filter(assignment__state__in=OPEN_STATES)
        .select_related("assignment__campaign", "assignment__system", "given_by")
        .order_by("assignment__due_on", "pk")
    )


def over(*, today: date) -> QuerySet[Delegation]:
    """What is still noted as running, and is over: its day, its preparer or its assignment is."""
    return (
        Delegation.objects.filter(ended_at=None)
        .filter(Q(until__lt=today) | Q(preparer__is_active=False) | ~Q(assignment__state__in=OPEN_STATES))
        .select_related("assignment__system")
        .order_by("pk")
    )


def covers(delegation: Delegation, slug: str) -> bool:
    """Whether a section may be filled in; none named means all."""
    return not delegation.sections or slug in delegation.sections


def unread_sections(assignment: Assignment, sections: Iterable[Section], signer: Person) -> dict[str, list[Problem]]:
    """Sections that somebody else filled in and that the signer has not opened since, each as a problem. Two queries.

    Nobody signs what another wrote and they have not read.
    """
    others = {
        answer.question: answer
        for answer in assignment.answers.exclude(answered_by=signer).exclude(value="").select_related("answered_by")
    }
    if not others:
        return {}
    seen: dict[str, datetime] = dict(assignment.views.filter(person=signer).values_list("section", "viewed_at"))
    unread = {}
    for section in sections:
        written = [others[question.key] for question in section.questions if question.key in others]
        last = max(written, key=lambda answer: answer.saved_at, default=None)
        if last is not None and (section.slug not in seen or seen[section.slug] < last.saved_at):
            text = f"Open {section.title} before you sign: {last.answered_by.display_name} filled it in"
            unread[section.slug] = [Problem(last.question, "value", text)]
    return unread
