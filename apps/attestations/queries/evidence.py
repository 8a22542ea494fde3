"""Reading evidence: what lies under which answer, and who may have it."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.db.models import QuerySet

from apps.access.queries import may
from apps.access.rules import Permission
from apps.attestations.models import Assignment, EvidenceFile
from apps.attestations.queries.delegation import running
from apps.attestations.queries.reviews import find_review
from apps.attestations.questions import Section
from apps.attestations.rules import Problem
from apps.attestations.rules.evidence import Evidence, evidence_problems
from apps.common.clock import local_date
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


def find_evidence(actor: Person, code: str, key: str, number: int, *, now: datetime) -> EvidenceFile:
    """A file of a system's assignment that the actor may have.

    That is whoever answers for the system, prepares the answers, signed them, reviews them or reads campaigns.
    Raises EvidenceFile.DoesNotExist for not there and for not theirs alike.
    """
    file = (
        EvidenceFile.objects.select_related("assignment__campaign", "assignment__system", "uploaded_by")
        .filter(pk=number, assignment__campaign__code=code, assignment__system__key=key, removed_at=None)
        .first()
    )
    if file is None or not _may_have(actor, file, now):
        raise EvidenceFile.DoesNotExist
    return file


def _may_have(actor: Person, file: EvidenceFile, now: datetime) -> bool:
    assignment = file.assignment
    if actor.pk == assignment.system.owner_id or assignment.signatures.filter(signer=actor).exists():
        return True
    if may(actor, Permission.CAMPAIGN_READ) and visible_systems(actor).filter(pk=assignment.system_id).exists():
        return True
    return running(assignment, actor, today=local_date(now)) is not None or _reviews(actor, assignment, now)


def _reviews(actor: Person, assignment: Assignment, now: datetime) -> bool:
    for sample in (False, True):
        try:
            find_review(actor, assignment.campaign.code, assignment.system.key, now, sample=sample)
        except Assignment.DoesNotExist:
            continue
        return True
    return False
