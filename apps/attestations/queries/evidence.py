"""Reading evidence: what lies under which answer, and who may have it."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.db.models import Q, QuerySet

from apps.access.queries import may
from apps.access.rules import Permission
from apps.attestations.models import Assignment, EvidenceFile
from apps.attestations.questions import Section
from apps.attestations.rules import Problem
from apps.attestations.rules.evidence import Evidence, evidence_problems
from apps.people.models import Person
from apps.registry.queries import visible_systems


def attached(assignment: Assignment) -> QuerySet[EvidenceFile]:
    """The files under an assignment's answers that nobody removed, oldest first."""
    return assignment.evidence.filter(removed_at=None).select_related("uploaded_by").order_by("recorded_at", "pk")


def by_question(files: Iterable[EvidenceFile]) -> dict[str, list[EvidenceFile]]:
    """The files of each question."""
    found: dict[str, list[EvidenceFile]] = defaultdict(list)
    for file in files:
        found[file.question].append(file)
    return dict(found)


def evidence_of(assignment: Assignment) -> dict[str, list[dict[str, Any]]]:
    """What a signature binds of the evidence: for each question the files with name, hash, size and days."""
    return {
        question: [
            {
                "name": file.name,
                "sha256": file.sha256,
                "size": file.size,
                "effective_on": file.effective_on.isoformat(),
                "expires_on": file.expires_on.isoformat() if file.expires_on else None,
            }
            for file in files
        ]
        for question, files in by_question(attached(assignment)).items()
    }


def problems_of_section(section: Section, files: Iterable[EvidenceFile], *, today: date) -> list[Problem]:
    """What is wrong with a section's evidence on this day: expired, not true yet, infected."""
    found = by_question(files)
    return [
        problem
        for question in section.questions
        for problem in evidence_problems(
            question.key,
            question.short,
            [_judged(file) for file in found.get(question.key, [])],
            today=today,
        )
    ]


def _judged(file: EvidenceFile) -> Evidence:
    return Evidence(file.name, file.effective_on, file.expires_on, file.scan == EvidenceFile.Scan.INFECTED)


def find_evidence(actor: Person, code: str, key: str, number: int, *, today: date) -> EvidenceFile:
    """A file of a system's assignment that the actor may have.

    That is whoever answers for the system, prepares the answers, signed them, heads the unit or reads campaigns.
    Raises EvidenceFile.DoesNotExist for not there and for not theirs alike.
    """
    prepares = Q(assignment__delegations__preparer=actor, assignment__delegations__ended_at=None,
                 assignment__delegations__until__gte=today)  # fmt: skip
    file = (
        EvidenceFile.objects.select_related("assignment__campaign", "assignment__system__unit", "uploaded_by")
        .filter(Q(assignment__system__in=visible_systems(actor)) | prepares)
        .filter(pk=number, assignment__campaign__code=code, assignment__system__key=key, removed_at=None)
        .distinct()
        .first()
    )
    if file is None or not _may_have(actor, file, today=today):
        raise EvidenceFile.DoesNotExist
    return file


def _may_have(actor: Person, file: EvidenceFile, *, today: date) -> bool:
    assignment = file.assignment
    return (
        actor.pk in {assignment.system.owner_id, file.uploaded_by_id, assignment.system.unit.head_id}
        or may(actor, Permission.CAMPAIGN_READ)
        or assignment.signatures.filter(signer=actor).exists()
        or assignment.delegations.filter(preparer=actor, ended_at=None, until__gte=today).exists()
    )
