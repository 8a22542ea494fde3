"""What the invented owners answered: mostly yes, now and then an exception with a plan and a date."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from apps.attestations.actions import Confirmation, save_answers, sign, view_assignment
from apps.attestations.models import Assignment
from apps.attestations.questions import GIVEN, Question, Section, Type, Value, thawed
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
        "The vendor can cut the connection by telephone within 10 minutes.",
    ),
    "overseers": (
        "Two of the five people who oversee it have not finished the training.",
        "Both are booked on the next course.",
        "The two work beside somebody who finished it.",
    ),
    "cost": (
        "There is a budget, but the alert still goes to a mailbox.",
        "Name one person in the gateway's settings.",
        "Nothing.",
    ),
}
REASONS = {
    "incidents": "No incident and no near miss came up in the weekly review.",
    "changes": "Vendor and model are those of last quarter.",
    "open_exceptions": "This is the first attestation of this system.",
    "drills": "No drill was due this quarter.",
}
# The tour shows this system's answers: it has this exception on whatever day the demo is loaded.
TOLD_OF, TOLD_EXCEPTION = "ModelAngelo", "kill_switch"
# Where the register says less than the owner knows.
EXPLANATION = "The register is behind. I checked it against the running system and asked for the change."
TEXTS = {"vendor_reached": "The vendor's incident line, day and night; the number is in the runbook."}


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
        _carry_out(item, _exception(item, place), moments)


def _exception(item: Work, place: int) -> str:
    """The question that is answered with an exception, or nothing."""
    if item.assignment.system.name == TOLD_OF:
        return TOLD_EXCEPTION
    return sorted(EXCEPTIONS)[place % len(EXCEPTIONS)] if place % EXCEPTION_EVERY == 3 else ""


def _carry_out(item: Work, exception: str, moments: Moments) -> None:
    assignment = item.assignment
    began = item.at - timedelta(minutes=11)
    view_assignment(assignment, actor=item.person, now=began)
    sections = thawed(assignment.campaign.question_set, json.loads(assignment.snapshot.facts))
    version = 0
    for place, section in enumerate(sections[: item.sections]):
        at = began + timedelta(minutes=1 + place)
        given = _given(section, exception, item, at)
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


def _given(section: Section, exception: str, item: Work, at: datetime) -> Mapping[str, Given]:
    return {question.key: _answer(question, exception, item, local_date(at)) for question in section.questions}


def _answer(question: Question, exception: str, item: Work, today: date) -> Given:
    if question.key == exception:
        comment, plan, control = EXCEPTIONS[exception]
        day = (today + timedelta(days=28)).isoformat()
        return Given(Value.YES_WITH_EXCEPTION.value, comment, plan, day, "medium", control)
    if question.key in REASONS:
        return Given(Value.NOT_APPLICABLE.value, REASONS[question.key], explanation=EXPLANATION)
    if question.type == Type.PERSON:
        helper = item.person.deputy or item.person.line_manager or item.person
        return Given(GIVEN, person=str(helper.pk), explanation=EXPLANATION)
    if question.type == Type.DATE:
        day = max(item.assignment.campaign.quarter.first_day, today - timedelta(days=9)).isoformat()
        return Given(GIVEN, day=day, explanation=EXPLANATION)
    if question.type == Type.TEXT:
        return Given(GIVEN, text=TEXTS.get(question.key, "As it is in the runbook."), explanation=EXPLANATION)
    return Given(Value.YES.value, explanation=EXPLANATION) if question.is_chosen else Given()
