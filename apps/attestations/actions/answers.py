"""Answering: section by section, saved as typed, with a check that no other window saved in between."""

import json
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from apps.attestations.actions.owners import follow
from apps.attestations.models import Answer, Assignment
from apps.attestations.questions import Section, thawed
from apps.attestations.rules import STORED_LENGTH, Given
from apps.audit.actions import record
from apps.audit.rules import Kind
from apps.common.errors import NotAllowed, Refused
from apps.people.models import Person
from apps.registry.actions.ownership import locked, system_subject
from apps.registry.models import System

EMPTY = Given()


class Stale(Refused):
    """Somebody, or another window of the same person, saved after this page was opened."""

    def __init__(self, saved_at: datetime, version: int) -> None:
        super().__init__("These answers were saved in another window after you opened this page.")
        self.saved_at = saved_at
        self.version = version


def locked_assignment(assignment: Assignment, *, actor: Person, now: datetime) -> Assignment:
    """The assignment as it is now, locked, system first as every verb does.

    Raises NotAllowed for anybody but the system's owner of today, Refused once it is signed or closed.
    """
    system = locked(assignment.system)
    fresh = (
        Assignment.objects.select_for_update(no_key=True, of=("self",))
        .select_related("campaign", "person", "snapshot")
        .get(pk=assignment.pk)
    )
    fresh = follow(fresh, now=now)
    fresh.system = System.objects.select_related("owner").get(pk=system.pk)
    if fresh.system.owner_id != actor.pk:
        raise NotAllowed(f"Only {fresh.system.owner.display_name} can answer for {fresh.system.name}.")
    if fresh.is_signed:
        raise Refused(f"{fresh.system.name} is signed. A signed attestation does not change.")
    if not fresh.is_open or now >= (fresh.reopened_until or fresh.campaign.closes_at):
        raise Refused(f"The campaign of {fresh.campaign.label} is closed. It takes no more answers.")
    return fresh


@transaction.atomic
def view_assignment(assignment: Assignment, *, actor: Person, now: datetime) -> None:
    """Note the first time that the owner opened the questions. Later visits write nothing."""
    first = Assignment.objects.filter(pk=assignment.pk, first_viewed_at=None, state=Assignment.State.PENDING)
    if not first.update(first_viewed_at=now):
        return
    record(
        Kind.ATTESTATION_VIEWED,
        actor=actor,
        subject=system_subject(assignment.system),
        now=now,
        after={"campaign": assignment.campaign.code, "assignment": assignment.pk},
    )


@transaction.atomic
def save_answers(
    assignment: Assignment,
    slug: str,
    answers: Mapping[str, Given],
    *,
    version: int,
    actor: Person,
    now: datetime,
) -> Assignment:
    """Keep what was typed in one section; whether it is complete is asked at the signature.

    `version` is the assignment's version that the page was opened with. Saving what is there already writes
    nothing. Raises Stale where this section was saved after that version, NotAllowed for anybody but the owner
    of today, Refused once signed or closed and for a text that is far too long.
    """
    assignment = locked_assignment(assignment, actor=actor, now=now)
    section = section_of(assignment, slug)
    kept = {answer.question: answer for answer in _answers(assignment, section)}
    changes = _changes(section, kept, answers)
    if not changes:
        return assignment
    newer = [kept[key] for key in changes if key in kept and kept[key].version > version]
    if newer:
        raise Stale(max(answer.saved_at for answer in newer), assignment.version)
    assignment.version += 1
    assignment.state = Assignment.State.IN_PROGRESS
    assignment.save(update_fields=["version", "state"])
    _write(assignment, changes, actor, now)
    record(
        Kind.ATTESTATION_ANSWERED,
        actor=actor,
        subject=system_subject(assignment.system),
        now=now,
        before={key: kept[key].value if key in kept else "" for key in changes},
        after={
            "campaign": assignment.campaign.code,
            "assignment": assignment.pk,
            "section": slug,
            "version": assignment.version,
            "answers": {key: given.value for key, given in changes.items()},
        },
    )
    return assignment


def section_of(assignment: Assignment, slug: str) -> Section:
    """The section with this slug in the campaign's frozen questions. Raises KeyError for none."""
    return {
        section.slug: section
        for section in thawed(assignment.campaign.question_set, json.loads(assignment.snapshot.facts))
    }[slug]


def _answers(assignment: Assignment, section: Section) -> list[Answer]:
    keys = [question.key for question in section.questions]
    return list(Answer.objects.filter(assignment=assignment, question__in=keys))


def _changes(section: Section, kept: Mapping[str, Answer], answers: Mapping[str, Given]) -> dict[str, Given]:
    """What differs from what is kept. Raises Refused for a text that can't be an answer, ValueError for a value."""
    changes = {}
    for question in section.questions:
        given = answers.get(question.key)
        if given is None:
            continue
        if given.value and given.value not in question.values:
            raise ValueError(f"{given.value!r} is no answer to {question.key}")
        if max(len(given.comment), len(given.plan)) > STORED_LENGTH or len(given.plan_date) > 40:
            raise Refused(f"This text is too long to be kept: {question.short}. Shorten it and save again.")
        if given != (kept[question.key].given if question.key in kept else EMPTY):
            changes[question.key] = given
    return changes


def _write(assignment: Assignment, changes: Mapping[str, Given], actor: Person, now: datetime) -> None:
    Answer.objects.bulk_create(
        [
            Answer(
                assignment=assignment,
                question=key,
                value=given.value,
                comment=given.comment,
                plan=given.plan,
                plan_date=given.plan_date,
                answered_by=actor,
                saved_at=now,
                version=assignment.version,
            )
            for key, given in changes.items()
        ],
        update_conflicts=True,
        unique_fields=["assignment", "question"],
        update_fields=["value", "comment", "plan", "plan_date", "answered_by", "saved_at", "version"],
    )
