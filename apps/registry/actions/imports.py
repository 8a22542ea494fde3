"""Imports: receive a file and review it; then apply it whole, or discard it; undo what nobody touched."""

import hashlib
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from apps.access.queries import require
from apps.access.rules import Permission
from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject
from apps.common.errors import Refused
from apps.people.models import Person
from apps.registry.actions.import_apply import Application
from apps.registry.actions.import_undo import retire_untouched
from apps.registry.actions.succession import hold_tree
from apps.registry.models import ImportRun, Mandate
from apps.registry.queries.imports import Plan, plan_import, report_of
from apps.registry.rules.imports import FileProblem, Problem, read_rows

BEFORE_FIRST_START = "Nobody holds the governance mandate yet. Run the first start before importing systems."


class ImportRefused(Refused):
    """The file can't be imported as it is; `problems` says in which rows and what to do."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        more = f" There are {len(problems)} problems." if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more} Nothing was imported.")


class EffectChanged(Refused):
    """The register changed after the review, so that what was confirmed is not what would happen."""


def import_subject(run: ImportRun) -> Subject:
    """How the trail refers to an import."""
    return Subject("import", str(run.pk), run.file_name)


def refuse_too_large(size: int | None) -> None:
    """Raise ImportRefused for a file that is larger than the portal reads; ask before reading it."""
    if size is not None and size > settings.IMPORT_MAX_BYTES:
        megabytes = settings.IMPORT_MAX_BYTES // (1024 * 1024)
        raise ImportRefused(
            [Problem(0, "", f"it has {size / 1024 / 1024:,.0f} MB; {megabytes} MB are read. Split it.")]
        )


def review_content(content: bytes, format_name: str = "", *, lock: bool = False) -> Plan:
    """What a file would do now. Raises Refused before the first start, ImportRefused with every problem found."""
    if not Mandate.objects.exists():
        raise Refused(BEFORE_FIRST_START)
    refuse_too_large(len(content))
    try:
        parsed = read_rows(content, format_name)[1]
    except FileProblem as error:
        raise ImportRefused([error.problem]) from error
    if parsed.problems:
        raise ImportRefused(parsed.problems)
    plan = plan_import(parsed, lock=lock, again=_is_the_last_applied(content))
    if plan.problems:
        raise ImportRefused(sorted(plan.problems, key=lambda problem: problem.row))
    return plan


def _is_the_last_applied(content: bytes) -> bool:
    """Whether the last import was this very file: then it has nothing new to say, and changes by hand stand."""
    applied = ImportRun.objects.filter(state=ImportRun.State.APPLIED).order_by("-applied_at")
    return applied.values_list("sha256", flat=True).first() == hashlib.sha256(content).hexdigest()


@transaction.atomic
def receive_import(*, file_name: str, content: bytes, actor: Actor, now: datetime, format_name: str = "") -> ImportRun:
    """Keep a file with the review of its effect. Nothing is registered yet.

    Raises NotAllowed for who may not import, Refused before the first start, ImportRefused for a bad file.
    """
    _require_may_import(actor)
    report = report_of(review_content(content, format_name))
    run = ImportRun.objects.create(
        file_name=file_name[-255:] or "import.csv",
        format=report["format"],
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        report=report,
        created_by=actor if isinstance(actor, Person) else None,
        created_at=now,
    )
    _record_received(run, actor, now)
    return run


@transaction.atomic
def review_import_again(run: ImportRun, *, actor: Actor, now: datetime) -> ImportRun:
    """Bring a waiting import's review up to date with the register. Raises as receive_import does."""
    _require_may_import(actor)
    run = _waiting(run)
    run.report = report_of(review_content(_content(run), run.format))
    run.save(update_fields=["report"])
    _record_received(run, actor, now)
    return run


def _record_received(run: ImportRun, actor: Actor, now: datetime) -> None:
    record(
        Kind.IMPORT_RECEIVED,
        actor=actor,
        subject=import_subject(run),
        now=now,
        after={"format": run.format, "sha256": run.sha256, **_counts(run)},
    )


def apply_import(run: ImportRun, *, actor: Actor, now: datetime, reviewed: str = "") -> ImportRun:
    """Register and change everything that the review shows, in one transaction, or nothing.

    `reviewed` is the fingerprint of the effect that somebody confirmed. Raises EffectChanged where the register
    changed since, Refused where the import is not waiting any more or somebody else was quicker, ImportRefused
    where a row has become impossible, NotAllowed for who may not import.
    """
    _require_may_import(actor)
    try:
        with transaction.atomic():
            return _apply(run, actor, now, reviewed)
    except IntegrityError as error:
        raise EffectChanged(
            "Somebody changed the register at the same moment. Nothing was imported. Look at the effect again."
        ) from error


def _apply(run: ImportRun, actor: Actor, now: datetime, reviewed: str) -> ImportRun:
    _one_at_a_time()
    hold_tree()
    run = _waiting(run)
    plan = review_content(_content(run), run.format, lock=True)
    if plan.fingerprint() != (reviewed or run.report["fingerprint"]):
        raise EffectChanged(
            "The register changed since this review. Nothing was imported. Look at the effect again, then confirm."
        )
    run.state, run.applied_at = ImportRun.State.APPLIED, now
    run.save(update_fields=["state", "applied_at"])
    cause = record(
        Kind.IMPORT_APPLIED,
        actor=actor,
        subject=import_subject(run),
        now=now,
        after={"format": run.format, "sha256": run.sha256, **_counts(run)},
    )
    Application(run, plan, actor=actor, now=now, cause=cause).carry_out()
    return run


@transaction.atomic
def discard_import(run: ImportRun, *, actor: Actor, now: datetime) -> ImportRun:
    """Throw a waiting import away, with its content. Raises Refused where it is not waiting."""
    _require_may_import(actor)
    run = _waiting(run)
    run.state, run.content = ImportRun.State.DISCARDED, None
    run.save(update_fields=["state", "content"])
    record(Kind.IMPORT_DISCARDED, actor=actor, subject=import_subject(run), now=now)
    return run


@transaction.atomic
def undo_import(run: ImportRun, *, actor: Actor, now: datetime) -> ImportRun:
    """Retire the systems that an import registered and nobody touched since; the others are left alone and listed.

    Touched means: changed, another owner, or a nomination that was answered. What the import changed on other
    systems stays. Raises Refused for an import that is not applied, or was undone.
    """
    _require_may_import(actor)
    _one_at_a_time()
    run = ImportRun.objects.select_for_update(no_key=True).defer("content").get(pk=run.pk)
    if run.state != ImportRun.State.APPLIED:
        raise Refused(f"Only an applied import can be undone. This one is: {run.get_state_display().lower()}.")
    outcome = retire_untouched(run, actor=actor, now=now)
    run.state, run.report = ImportRun.State.UNDONE, {**run.report, "undone": outcome.as_json()}
    run.save(update_fields=["state", "report"])
    cause = record(
        Kind.IMPORT_UNDONE,
        actor=actor,
        subject=import_subject(run),
        now=now,
        after={
            "retired": len(outcome.retired),
            "retired_before": outcome.retired_before,
            "left_alone": len(outcome.left_alone),
        },
    )
    outcome.record(actor=actor, now=now, cause=cause)
    return run


def _counts(run: ImportRun) -> dict[str, int]:
    report = run.report
    names = ("rows_read", "created", "updated", "unchanged", "nominations", "units_created")
    return {**{name: report[name] for name in names}, "skipped": len(report["skipped"])}


def _require_may_import(actor: Actor) -> None:
    if isinstance(actor, Person):
        require(actor, Permission.IMPORT_SYSTEMS)


def _one_at_a_time() -> None:
    """Two imports wait for each other: the second one sees what the first one did."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('registry_import'))")


def _waiting(run: ImportRun) -> ImportRun:
    fresh = ImportRun.objects.select_for_update(no_key=True).get(pk=run.pk)
    if fresh.state != ImportRun.State.RECEIVED:
        raise Refused(f"This import is not waiting any more. It is: {fresh.get_state_display().lower()}.")
    return fresh


def _content(run: ImportRun) -> bytes:
    return bytes(run.content or b"")
