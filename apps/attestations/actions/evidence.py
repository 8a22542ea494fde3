"""Evidence: files under answers, kept outside what is served, scanned, and bound by the signature."""

from datetime import date, datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from apps.attestations.actions.answers import locked_assignment, section_with
from apps.attestations.actions.keeping import with_evidence
from apps.attestations.models import Answer, Assignment, EvidenceFile
from apps.attestations.questions import Section
from apps.attestations.rules.evidence import FILES_EACH
from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Actor, Kind
from apps.common import evidence_store
from apps.common.errors import Refused
from apps.common.evidence_scan import refuse_too_large, scan
from apps.common.file_types import BadFile, clean_name, type_of
from apps.notify.actions import Note, enqueue_many
from apps.people.models import Person
from apps.registry.actions.ownership import locked, system_subject

SCAN_AT_ONCE = 50
# After which a scan that failed is tried again.
SCAN_AGAIN = timedelta(hours=1)


@transaction.atomic
def add_evidence(
    assignment: Assignment,
    question: str,
    *,
    name: str,
    content: bytes,
    effective_on: date,
    expires_on: date | None,
    actor: Person,
    now: datetime,
) -> EvidenceFile:
    """Attach a file to an answer. Its bytes are on the disk before its row is written.

    Raises NotAllowed for who neither answers for the system nor prepares this section, Refused once signed or closed,
    for a type, a size or days that are not taken, and for a file that is attached there already.
    """
    section = section_with(assignment, question)
    assignment = locked_assignment(assignment, actor=actor, now=now, section=section.slug)
    refuse_too_large(len(content))
    if assignment.evidence.filter(question=question, removed_at=None).count() >= FILES_EACH:
        raise Refused(f"{FILES_EACH} files are attached to this answer. Put more of them into one file.")
    try:
        name = clean_name(name)
        content_type = type_of(name, content)
    except BadFile as error:
        raise Refused(str(error)) from error
    try:
        sha256 = evidence_store.keep(content)
    except evidence_store.Damaged as error:
        raise Refused(f"{name} was not kept: {error} Tell whoever runs the portal.") from error
    file = EvidenceFile(
        assignment=assignment, question=question, name=name, content_type=content_type, size=len(content),
        sha256=sha256, effective_on=effective_on, expires_on=expires_on, uploaded_by=actor, recorded_at=now,
        scan=EvidenceFile.Scan.PENDING if settings.EVIDENCE_SCAN_COMMAND else EvidenceFile.Scan.NOT_SCANNED,
    )  # fmt: skip
    _save_new(file)
    _changed(assignment, section, question, actor, now)
    _record(Kind.EVIDENCE_ADDED, file, actor, now, size=file.size, type=content_type)
    return file


def _save_new(file: EvidenceFile) -> None:
    try:
        file.full_clean(exclude=["uploaded_by"])
    except ValidationError as error:
        if "expires" in str(error):
            raise Refused("A file expires after the day from which it is true.") from error
        raise Refused(error.messages[0]) from error
    file.save(force_insert=True)


def _changed(assignment: Assignment, section: Section, question: str, actor: Person, now: datetime) -> None:
    """What would be signed is another by now: a page that was opened before has to be read again.

    A question for evidence is answered by its file.
    """
    assignment.version += 1
    assignment.state = Assignment.State.IN_PROGRESS
    assignment.save(update_fields=["version", "state"])
    for key, given in with_evidence(assignment, section, {}).items():
        if key == question:
            Answer.objects.update_or_create(
                assignment=assignment,
                question=key,
                defaults={
                    "value": given.value, "answered_by": actor, "saved_at": now, "version": assignment.version,
                },
            )  # fmt: skip


@transaction.atomic
def remove_evidence(file: EvidenceFile, *, actor: Person, now: datetime) -> EvidenceFile:
    """Take a file away from an answer while the assignment is open. The row and the bytes stay.

    Raises NotAllowed for who neither answers nor prepares this section, Refused once signed or closed, and where it
    was removed already.
    """
    section = section_with(file.assignment, file.question)
    assignment = locked_assignment(file.assignment, actor=actor, now=now, section=section.slug)
    file = EvidenceFile.objects.select_for_update(no_key=True).get(pk=file.pk)
    if file.removed_at is not None or file.assignment_id != assignment.pk:
        raise Refused(f"{file.name} was removed already.")
    file.removed_at, file.removed_by = now, actor
    file.save(update_fields=["removed_at", "removed_by"])
    file.assignment = assignment
    _changed(assignment, section, file.question, actor, now)
    _record(Kind.EVIDENCE_REMOVED, file, actor, now)
    return file


def _record(kind: Kind, file: EvidenceFile, actor: Actor, now: datetime, **more: object) -> None:
    record(
        kind,
        actor=actor,
        subject=system_subject(file.assignment.system),
        now=now,
        after={
            "campaign": file.assignment.campaign.code,
            "assignment": file.assignment_id,
            "question": file.question,
            "file": file.pk,
            "sha256": file.sha256,
            **more,
        },
        private={"file_name": file.name},
    )


@transaction.atomic
def record_scan(file: EvidenceFile, result: str, *, note: str = "", actor: Actor = SCHEDULER, now: datetime) -> bool:
    """Note what the scanner said about a file. Returns whether it is news.

    Who gave an infected file and who answers for the system are told: it is locked from then on, and while it is
    attached nobody signs.
    """
    system = locked(file.assignment.system)
    file = (
        EvidenceFile.objects.select_for_update(no_key=True, of=("self",))
        .select_related("assignment__campaign", "uploaded_by")
        .get(pk=file.pk)
    )
    if file.scan in {EvidenceFile.Scan.CLEAN, EvidenceFile.Scan.INFECTED}:
        return False
    before = file.scan
    file.scan, file.scanned_at, file.scan_note = result, now, note[:300]
    file.save(update_fields=["scan", "scanned_at", "scan_note"])
    if before == result:
        return False
    file.assignment.system = system
    if result == EvidenceFile.Scan.INFECTED:
        _tell_infected(file, now)
    _record(Kind.EVIDENCE_SCANNED, file, actor, now, scan=result)
    return True


def _tell_infected(file: EvidenceFile, now: datetime) -> None:
    system, campaign = file.assignment.system, file.assignment.campaign
    what = "Remove it before you sign." if file.assignment.is_open else "It was signed before this was found."
    people = {file.uploaded_by_id: file.uploaded_by, system.owner_id: system.owner}
    enqueue_many(
        [
            Note(
                key=f"evidence:{file.pk}:infected:{person.pk}",
                recipient=person,
                subject=f"Infected: {file.name}, evidence for {system.name}",
                body=(
                    f"The scanner found something in {file.name}, which {file.uploaded_by.display_name} attached for "
                    f"{system.name} ({system.key}) in {campaign.label}.\nIt is locked: nobody can open it. {what}"
                ),
                path=f"/attestations/{campaign.code}/{system.key}/",
            )
            for person in people.values()
        ],
        now=now,
    )


def scan_evidence(*, now: datetime, limit: int = SCAN_AT_ONCE) -> int:
    """Have the files scanned that wait for it; returns how many results are news. Safe to run twice and at once.

    Nothing is locked while the scanner works: two sweeps may scan one file, and the second finds it done. A scan that
    failed is tried again after an hour.
    """
    command = list(settings.EVIDENCE_SCAN_COMMAND)
    if not command:
        return 0
    waiting = EvidenceFile.objects.select_related("assignment__system").filter(
        Q(scan__in=["pending", "not_scanned"]) | Q(scan="failed", scanned_at__lte=now - SCAN_AGAIN), removed_at=None
    )
    said: dict[str, tuple[str, str]] = {}
    news = 0
    for file in waiting.order_by("pk")[:limit]:
        if file.sha256 not in said:
            said[file.sha256] = scan(command, file.sha256)
        result, note = said[file.sha256]
        news += record_scan(file, result, note=note, now=now)
    return news
