"""Answering: section by section, saved as typed, with a check that no other window saved in between."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from apps.attestations.actions.keeping import changes_of, with_evidence, write_answers
from apps.attestations.actions.owners import follow
from apps.attestations.models import Answer, Assignment, Campaign, SectionView
from apps.attestations.queries.delegation import covers, running
from apps.attestations.queries.desk import held_against
from apps.attestations.questions import Section, thawed
from apps.attestations.rules import Given
from apps.audit.actions import record
from apps.audit.rules import Kind
from apps.common.clock import local_date
from apps.common.errors import NotAllowed, Refused
from apps.people.models import Person
from apps.registry.actions.ownership import locked, system_subject
from apps.registry.models import System


class Stale(Refused):
    """Somebody, or another window of the same person, saved after this page was opened."""

    def __init__(self, saved_at: datetime, version: int, newer: Sequence[Answer] = ()) -> None:
        super().__init__("These answers were saved in another window after you opened this page.")
        self.saved_at = saved_at
        self.version = version
        self.newer = newer


def locked_assignment(assignment: Assignment, *, actor: Person, now: datetime, section: str = "") -> Assignment:
    """The assignment as it is now, locked, system first as every verb does.

    With `section` it is the work on that section, which may be passed on: see Delegation. Raises NotAllowed for
    anybody but the system's owner of today and who prepares that section, Refused once it is signed or closed.
    """
    fresh = locked_row(assignment, now=now)
    if fresh.system.owner_id != actor.pk and not _prepares(fresh, actor, section, now):
        raise NotAllowed(f"Only {fresh.system.owner.display_name} can answer for {fresh.system.name}.")
    refuse_settled(fresh, now)
    return fresh


def locked_row(assignment: Assignment, *, now: datetime) -> Assignment:
    """The assignment of the system's owner of today, locked after its system, whatever its state is."""
    system = locked(assignment.system)
    fresh = (
        Assignment.objects.select_for_update(no_key=True, of=("self",))
        .select_related("campaign", "person", "snapshot")
        .get(pk=assignment.pk)
    )
    fresh = follow(fresh, now=now)
    fresh.system = System.objects.select_related("owner", "unit").get(pk=system.pk)
    return fresh


def refuse_settled(assignment: Assignment, now: datetime) -> None:
    """Raises Refused once an assignment is signed or closed."""
    if assignment.is_signed:
        raise Refused(f"{assignment.system.name} is signed. A signed attestation does not change.")
    if assignment.campaign.state == Campaign.State.CANCELLED:
        raise Refused(f"The campaign of {assignment.campaign.label} was cancelled. Nothing has to be signed in it.")
    if not assignment.may_be_signed(now):
        raise Refused(f"The campaign of {assignment.campaign.label} is closed. It takes no more answers.")


def _prepares(assignment: Assignment, actor: Person, section: str, now: datetime) -> bool:
    """Whether the work on a section was passed on to somebody."""
    delegation = running(assignment, actor, today=local_date(now)) if section else None
    return delegation is not None and covers(delegation, section)


@transaction.atomic
def view_assignment(assignment: Assignment, *, actor: Person, now: datetime, section: str = "") -> None:
    """Note when a section was looked at, for the times of decision; the trail keeps the first look of all.

    What is noted of later visits is no event: it says nothing but how long an answer took.
    """
    if section:
        SectionView.objects.bulk_create(
            [SectionView(assignment=assignment, section=section, person=actor, viewed_at=now)],
            update_conflicts=True,
            unique_fields=["assignment", "section", "person"],
            update_fields=["viewed_at"],
        )
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
    assignment = locked_assignment(assignment, actor=actor, now=now, section=slug)
    section = section_of(assignment, slug)
    kept = {answer.question: answer for answer in _answers(assignment, section)}
    against = held_against(assignment, local_date(now))
    answers = with_evidence(assignment, section, answers)
    changes = changes_of(section, kept, answers, against=against, version=version)
    if not changes:
        return assignment
    newer = [kept[key] for key in changes if key in kept and kept[key].version > version]
    if newer:
        raise Stale(max(answer.saved_at for answer in newer), assignment.version, newer)
    assignment.version += 1
    assignment.state = Assignment.State.IN_PROGRESS
    assignment.save(update_fields=["version", "state"])
    write_answers(assignment, section, kept, changes, against=against, actor=actor, now=now)
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


def sections_that_apply(assignment: Assignment) -> tuple[Section, ...]:
    """The sections of the campaign's frozen questions that apply to the assignment's frozen facts."""
    return thawed(assignment.campaign.question_set, json.loads(assignment.snapshot.facts))


def section_of(assignment: Assignment, slug: str) -> Section:
    """The section with this slug in the campaign's frozen questions. Raises KeyError for none."""
    return {section.slug: section for section in sections_that_apply(assignment)}[slug]


def section_with(assignment: Assignment, question: str) -> Section:
    """The section that asks a question of this assignment. Raises KeyError for none."""
    for section in sections_that_apply(assignment):
        if question in {asked.key for asked in section.questions}:
            return section
    raise KeyError(question)


def _answers(assignment: Assignment, section: Section) -> list[Answer]:
    keys = [question.key for question in section.questions]
    return list(Answer.objects.filter(assignment=assignment, question__in=keys))
