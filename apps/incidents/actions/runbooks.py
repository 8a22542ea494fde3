"""Runbooks: write a version, publish it, confirm that it is still right, pin it to an incident."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

import structlog
from django.db import DatabaseError, transaction
from django.db.models import Max
from django.utils.text import slugify

from apps.access.queries import may
from apps.access.rules import Permission
from apps.audit.actions import record
from apps.audit.rules import Kind, Subject
from apps.common.clock import day_words, local_date
from apps.common.errors import NotAllowed, Refused
from apps.common.locks import hold_row
from apps.common.saving import save_checked
from apps.incidents.actions.checks import given
from apps.incidents.actions.common import Line, incident_subject, line, locked_incident, save_incident
from apps.incidents.models import Incident, IncidentStep, Runbook, RunbookStep, RunbookVersion
from apps.incidents.queries.runbooks import (
    effective_runbook,
    may_edit,
    published,
    revision_of,
    roles,
    steps_of,
    text_of,
)
from apps.incidents.queries.steps import may_work
from apps.incidents.rules import MANDATORY
from apps.incidents.rules.runbooks import REVIEW_EVERY, WITHOUT_RUNBOOK, Fault, StepText, lint
from apps.notify.actions import Note, enqueue_many
from apps.people.actions import held
from apps.people.models import Person
from apps.registry.models import System, Unit

log = structlog.get_logger(__name__)
WHO_EDITS = "its owner, the owner of its system, and who manages incidents"


class DraftChanged(Refused):
    """Somebody saved the draft after it was read."""


class Faulty(Refused):
    """A draft that can't be published; `faults` says what blocks, at which step, with what puts it right."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        super().__init__("It can't be published yet. " + " ".join(f"{_at(fault)}{fault.text}" for fault in faults))


def _at(fault: Fault) -> str:
    return f"Step {fault.step}: " if fault.step else ""


def _subject(runbook: Runbook) -> Subject:
    return Subject("runbook", runbook.key, runbook.title)


def _locked(runbook: Runbook, actor: Person) -> Runbook:
    """The runbook as it is now, locked. Raises NotAllowed for who does not edit it, Refused once it is retired."""
    hold_row(Runbook.objects.all(), runbook.pk)
    found = Runbook.objects.select_related("system__owner", "owner", "unit").get(pk=runbook.pk)
    if not may_edit(actor, found):
        raise NotAllowed(f"You may read this runbook, but only {WHO_EDITS} change it.")
    if found.retired_at is not None:
        raise Refused("This runbook is retired. Write another one.")
    return found


def _locked_draft(version: RunbookVersion, read: str) -> RunbookVersion:
    found = RunbookVersion.objects.select_for_update(no_key=True, of=("self",)).filter(pk=version.pk).first()
    if found is None or found.state != RunbookVersion.State.DRAFT:
        raise Refused("This is not a draft any more. Start the next version.")
    if read and revision_of(found) != read:
        raise DraftChanged("Somebody saved this draft after you opened it. Nothing of yours is saved yet.")
    return found


@transaction.atomic
def begin_runbook(
    *,
    title: str,
    scenario: str,
    actor: Person,
    now: datetime,
    system: System | None = None,
    operating_model: str = "",
    unit: Unit | None = None,
    owner: Person | None = None,
) -> Runbook:
    """Write a runbook for a scenario and a scope. It begins with what stands there today.

    Raises NotAllowed for who neither manages incidents nor answers for the system, ValidationError where there is
    one for this scenario and scope, or for more than one scope.
    """
    runbook = Runbook(
        key=_free_key(title), title=" ".join(title.split()), scenario=scenario, system=system,
        operating_model=operating_model, unit=unit, created_at=now,
        owner=held(owner or (system.owner if system else actor)),
    )  # fmt: skip
    answers = system is not None and system.owner_id == actor.pk
    if not answers and not may(actor, Permission.INCIDENTS_MANAGE):
        raise NotAllowed("Only who manages incidents writes runbooks, and for a system whoever answers for it.")
    _refuse_nobody(runbook.owner)
    before = effective_runbook(system, scenario)
    save_checked(runbook, force_insert=True)
    steps = steps_of(before) if before else list(WITHOUT_RUNBOOK)
    _new_version(runbook, 1, steps, actor, now)
    _recorded(Kind.RUNBOOK_DRAFTED, runbook, actor, now, after={"version": 1, "scenario": scenario})
    return runbook


def _free_key(title: str) -> str:
    base = slugify(title)[:50] or "runbook"
    taken = set(Runbook.objects.filter(key__startswith=base).values_list("key", flat=True)) | {"new"}
    number = 2
    key = base
    while key in taken:
        key, number = f"{base}-{number}", number + 1
    return key


def _refuse_nobody(owner: Person | None) -> None:
    if owner is None or not owner.is_active or owner.kind != Person.Kind.HUMAN:
        raise Refused("Choose an active person who keeps the runbook.")


def _new_version(
    runbook: Runbook, number: int, steps: Sequence[StepText], actor: Person, now: datetime
) -> RunbookVersion:
    version = RunbookVersion(runbook=runbook, number=number, written_by=actor, written_at=now)
    save_checked(version, force_insert=True)
    _write_steps(version, steps)
    return version


def _write_steps(version: RunbookVersion, steps: Sequence[StepText]) -> None:
    RunbookStep.objects.bulk_create(
        RunbookStep(version=version, order=order, **asdict(step)) for order, step in enumerate(steps, 1)
    )


def _recorded(
    kind: Kind, runbook: Runbook, actor: Person, now: datetime, *, after: Mapping[str, object], reason: str = ""
) -> UUID:
    return record(kind, actor=actor, subject=_subject(runbook), now=now, after=after, reason=reason)


@transaction.atomic
def draft_runbook(runbook: Runbook, *, actor: Person, now: datetime) -> RunbookVersion:
    """Start the next version with what the one in use says. Raises ValidationError while there is a draft."""
    runbook = _locked(runbook, actor)
    before = published(runbook)
    number = (runbook.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    version = _new_version(runbook, number, steps_of(before) if before else list(WITHOUT_RUNBOOK), actor, now)
    _recorded(Kind.RUNBOOK_DRAFTED, runbook, actor, now, after={"version": number})
    return version


@transaction.atomic
def change_runbook_draft(
    version: RunbookVersion, *, steps: Sequence[StepText], note: str, read: str, actor: Person, now: datetime
) -> RunbookVersion:
    """Write the whole list of steps of a draft. `read` is the `revision_of` what was read.

    A draft may have faults; publishing names them. Raises Refused for no draft and where a step says nothing at
    all, DraftChanged where somebody saved meanwhile.
    """
    runbook = _locked(version.runbook, actor)
    version = _locked_draft(version, read)
    for number, step in enumerate(steps, 1):
        if not step.title.strip() or not step.instruction.strip():
            raise Refused(f"Step {number} says nothing. Give it a title and say what to do, or remove it.")
    version.steps.all().delete()
    _write_steps(version, steps)
    version.note, version.written_by, version.written_at = note.strip()[:600], actor, now
    version.save(update_fields=["note", "written_by", "written_at"])
    _recorded(Kind.RUNBOOK_CHANGED, runbook, actor, now, after={"version": version.number, "steps": len(steps)})
    return version


@transaction.atomic
def publish_runbook(version: RunbookVersion, *, read: str, actor: Person, now: datetime) -> RunbookVersion:
    """Put a draft in use. Incidents that are declared from now on pin it; those that run keep theirs.

    Who publishes has read it: that counts as its review. Raises Faulty with what blocks, DraftChanged where it is
    not what was read.
    """
    runbook = _locked(version.runbook, actor)
    version = _locked_draft(version, read)
    faults = [fault for fault in lint(steps_of(version), roles()) if fault.blocks]
    if faults:
        raise Faulty(faults)
    runbook.versions.filter(state="published").update(state="replaced")
    version.state, version.published_by, version.published_at = RunbookVersion.State.PUBLISHED, actor, now
    version.save(update_fields=["state", "published_by", "published_at"])
    _reviewed(runbook, actor, now)
    _recorded(Kind.RUNBOOK_PUBLISHED, runbook, actor, now, after={"version": version.number}, reason=version.note)
    return version


def _reviewed(runbook: Runbook, actor: Person, now: datetime) -> None:
    runbook.reviewed_at, runbook.reviewed_by = now, actor
    runbook.review_due = local_date(now + REVIEW_EVERY)
    runbook.save(update_fields=["reviewed_at", "reviewed_by", "review_due"])


@transaction.atomic
def discard_runbook_draft(version: RunbookVersion, *, actor: Person, now: datetime) -> Runbook:
    """Give a draft up. A runbook that never had another version is retired with it. Raises Refused for no draft."""
    runbook = _locked(version.runbook, actor)
    version = _locked_draft(version, "")
    number = version.number
    version.steps.all().delete()
    version.delete()
    if not runbook.versions.exists():
        runbook.retired_at = now
        runbook.save(update_fields=["retired_at"])
    after = {"version": number, "retired": runbook.retired_at is not None}
    _recorded(Kind.RUNBOOK_DISCARDED, runbook, actor, now, after=after)
    return runbook


@transaction.atomic
def confirm_runbook(runbook: Runbook, *, note: str, actor: Person, now: datetime) -> Runbook:
    """Say that the version in use is still right, and what was looked at. This answer alone moves the due date.

    Raises Refused without words, and where no version is in use.
    """
    runbook = _locked(runbook, actor)
    version = published(runbook)
    if version is None:
        raise Refused("No version is in use yet. Publish one first.")
    note = given(note, "Say what you looked at.")
    _reviewed(runbook, actor, now)
    _recorded(Kind.RUNBOOK_REVIEWED, runbook, actor, now, after={"version": version.number}, reason=note[:600])
    return runbook


@transaction.atomic
def set_runbook_owner(runbook: Runbook, owner: Person, *, actor: Person, now: datetime) -> Runbook:
    """Say who keeps a runbook: oneself, or somebody else, who is told by mail.

    Raises Refused for nobody who is active, and for who keeps it already.
    """
    runbook = _locked(runbook, actor)
    owner = held(owner)
    _refuse_nobody(owner)
    if runbook.owner_id == owner.pk:
        raise Refused(f"{owner.display_name} keeps it already.")
    before, runbook.owner = runbook.owner, owner
    runbook.save(update_fields=["owner"])
    event = record(
        Kind.RUNBOOK_OWNED, actor=actor, subject=_subject(runbook), now=now,
        before={"owner": before.audit_id if before else None}, after={"owner": owner.audit_id},
    )  # fmt: skip
    if owner.pk != actor.pk:
        enqueue_many([_told(runbook, owner, event)], now=now)
    return runbook


def _told(runbook: Runbook, owner: Person, event: UUID) -> Note:
    due = f" The next review is due on {day_words(runbook.review_due)}." if runbook.review_due else ""
    body = f"You keep the runbook “{runbook.title}” from now on.{due}"
    return Note(f"runbook:owner:{event}", owner, f"You keep a runbook: {runbook.title}", body, path_of(runbook))


def path_of(runbook: Runbook) -> str:
    """The address of its page."""
    return f"/incidents/runbooks/{runbook.key}/"


@transaction.atomic
def retire_runbook(runbook: Runbook, *, reason: str, actor: Person, now: datetime) -> Runbook:
    """Take a runbook out of use; the more general one stands in its place.

    Raises Refused without a reason, while there is a draft, and for the organisation's own for a mandatory scenario
    or for "not sure": there is always one.
    """
    runbook = _locked(runbook, actor)
    reason = given(reason, "Say why it is retired.")
    everywhere = not (runbook.system_id or runbook.unit_id or runbook.operating_model)
    if everywhere and runbook.scenario in {"", *(scenario.value for scenario in MANDATORY)}:
        raise Refused("There is always one for this. Publish a new version instead.")
    if runbook.versions.filter(state="draft").exists():
        raise Refused("There is a draft. Publish or discard it first.")
    runbook.retired_at = now
    runbook.save(update_fields=["retired_at"])
    _recorded(Kind.RUNBOOK_RETIRED, runbook, actor, now, after={"retired": True}, reason=reason[:600])
    return runbook


def pin_runbook(incident: Incident, now: datetime) -> None:
    """Copy the steps of the runbook that stands now into the incident, in the transaction that declares it.

    Never in the way of declaring: where the runbook can't be read, the three steps that no incident goes without
    are pinned, and the timeline says so. A runbook that is changed later changes nothing here.
    """
    try:
        with transaction.atomic():
            version = effective_runbook(incident.system, incident.scenario)
    except DatabaseError:
        log.exception("runbook.not_read", incident=incident.code)
        version = None
    if version is None:
        _copy(incident, None, WITHOUT_RUNBOOK, 0)
        line(incident, Line.ALARM, "No runbook was found. The steps that always apply are pinned.", now=now)
        return
    _copy(incident, version, steps_of(version), 0)
    words = f"Runbook: {version.runbook.title}, version {version.number}, {len(version.steps.all())} steps."
    line(incident, Line.FACT, words, now=now)


def _copy(incident: Incident, version: RunbookVersion | None, steps: Sequence[StepText], after: int) -> None:
    IncidentStep.objects.bulk_create(
        IncidentStep(incident=incident, version=version, order=order, **asdict(step))
        for order, step in enumerate(steps, after + 1)
    )


@transaction.atomic
def add_runbook_steps(
    incident: Incident, *, scenario: str, actor: Person, now: datetime, version: int | None = None
) -> int:
    """Add what the runbook of a scenario has beyond the steps that are pinned, once it is known what it is.

    Returns how many. What is there already, by its title, is not added twice, nor is a second step that contains or
    freezes. Raises NotAllowed for who takes no part, Refused once it is over and where nothing is to be added.
    """
    incident = locked_incident(incident, version=version)
    if not may_work(actor, incident):
        raise NotAllowed("You may read this, but only who takes part in the response adds steps.")
    if not incident.is_open:
        raise Refused("It is over. Nothing is added to it.")
    found = effective_runbook(incident.system, scenario)
    steps = _beyond(incident, found) if found else []
    if found is None or not steps:
        raise Refused("There is nothing to add: its steps are here already.")
    last = incident.steps.aggregate(last=Max("order"))["last"] or 0
    _copy(incident, found, steps, last)
    save_incident(incident)
    line(incident, Line.FACT, f"{len(steps)} steps were added from the runbook {found.runbook.title}.", now=now,
         person=actor)  # fmt: skip
    record(
        Kind.INCIDENT_STEP_CHANGED, actor=actor, subject=incident_subject(incident), now=now,
        after={"added": len(steps), "runbook": found.runbook.key, "version": found.number},
    )  # fmt: skip
    return len(steps)


def _beyond(incident: Incident, version: RunbookVersion) -> list[StepText]:
    there = {title.casefold() for title in incident.steps.values_list("title", flat=True)}
    meant = set(incident.steps.values_list("does", flat=True)) & {"containment", "evidence_freeze"}
    return [
        text_of(step) for step in version.steps.all() if step.title.casefold() not in there and step.does not in meant
    ]
