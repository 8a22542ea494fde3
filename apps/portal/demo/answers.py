"""What the invented owners answered: mostly yes, now and then an exception with a plan and a date."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.attestations.actions import Confirmation, save_answers, sign, view_assignment
from apps.attestations.models import Assignment
from apps.attestations.questions import Question, Section, Value, thawed
from apps.attestations.rules import Given
from apps.common.clock import local_date
from apps.people.models import Person
from apps.portal.demo.moments import Moments

# Every so many signatures one declares an exception.
EXCEPTION_EVERY = 7
EXCEPTIONS = {
    "kill_switch": (
        "The stop was tested on a copy only. The running system has not been stopped since spring.",
        "Stop the running system in the next maintenance window and time it.",
    ),
    "overseers": (
        "Two of the five people who oversee it have not finished the training.",
        "Both are booked on the next course.",
    ),
    "cost": (
        "There is a budget, but the alert still goes to a mailbox.",
        "Name one person in the gateway's settings.",
    ),
}
REASONS = {
    "incidents": "No incident and no near miss came up in the weekly review.",
    "changes": "Vendor and model are those of last quarter.",
    "open_exceptions": "This is the first attestation of this system.",
    "drills": "No drill was due this quarter.",
}


@dataclass(frozen=True)
class Work:
    """One assignment, who works on it, when, and how far they get: all sections and the signature, or some."""

    assignment: Assignment
    person: Person
    at: datetime
    sections: int | None = None


def carry_out(work: list[Work], moments: Moments) -> None:
    """Do the work in the order of its moments, as the chain of signatures demands."""
    for place, item in enumerate(sorted(work, key=lambda item: (item.at, item.assignment.pk))):
        exception = sorted(EXCEPTIONS)[place % len(EXCEPTIONS)] if place % EXCEPTION_EVERY == 3 else ""
        _carry_out(item, exception, moments)


def _carry_out(item: Work, exception: str, moments: Moments) -> None:
    assignment = item.assignment
    began = item.at - timedelta(minutes=11)
    view_assignment(assignment, actor=item.person, now=began)
    sections = thawed(assignment.campaign.question_set)
    version = 0
    for place, section in enumerate(sections[: item.sections]):
        at = began + timedelta(minutes=1 + place)
        given = _given(section, exception, moments)
        saved = save_answers(assignment, section.slug, given, version=version, actor=item.person, now=at)
        version = saved.version
    if item.sections is None:
        sign(
            assignment,
            version=version,
            declared_true=True,
            typed_name=item.person.display_name,
            confirmation=Confirmation("password", item.at - timedelta(seconds=40)),
            actor=item.person,
            now=item.at,
        )


def _given(section: Section, exception: str, moments: Moments) -> Mapping[str, Given]:
    return {question.key: _answer(question, exception, moments) for question in section.questions}


def _answer(question: Question, exception: str, moments: Moments) -> Given:
    if question.key == exception:
        comment, plan = EXCEPTIONS[exception]
        day = local_date(moments.now) + timedelta(days=28)
        return Given(Value.YES_WITH_EXCEPTION.value, comment, plan, day.isoformat())
    if question.key in REASONS:
        return Given(Value.NOT_APPLICABLE.value, REASONS[question.key])
    return Given(Value.YES.value)
