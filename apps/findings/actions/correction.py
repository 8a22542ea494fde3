"""What is done about a finding: plan, finish, and have somebody else verify or reject it."""

import uuid
from datetime import date, datetime

from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import Kind
from apps.common.clock import local_date
from apps.common.dates import day_words
from apps.common.errors import NotAllowed, Refused
from apps.common.locks import hold_row
from apps.findings.actions.common import (
    close_all,
    finding_subject,
    follow_actions,
    locked_open,
    require_active,
    require_text,
)
from apps.findings.models import CorrectiveAction, Finding
from apps.findings.queries.authority import verifier_for
from apps.notify.actions import enqueue
from apps.people.actions import held
from apps.people.models import Person


@transaction.atomic
def plan_action(
    finding: Finding,
    *,
    what: str,
    person: Person,
    due_on: date,
    actor: Person,
    now: datetime,
    cause: uuid.UUID | None = None,
) -> CorrectiveAction:
    """Say what one person does about a finding, and by when. The finding is in progress.

    `cause` is the event that it follows from, where it follows from one.

    Raises Refused for a closed finding, without words, for a day that has passed, and for who can't be asked.
    """
    finding, person = locked_open(finding), held(person)
    require_active(person)
    if due_on < local_date(now):
        raise Refused("Choose a day that has not passed.")
    action = CorrectiveAction(
        finding=finding,
        what=require_text(what, "Say what is done about it."),
        person=person,
        due_on=due_on,
        planned_by=actor,
        planned_at=now,
    )
    action.full_clean(exclude=["finding"])
    action.save(force_insert=True)
    follow_actions(finding)
    if person.pk != actor.pk:
        _tell_doer(action, actor, now)
    _record(
        Kind.FINDING_ACTION_PLANNED,
        action,
        actor,
        now,
        after={"action": action.pk, "person": person.audit_id, "due": due_on.isoformat()},
        cause=cause,
    )
    return action


def _tell_doer(action: CorrectiveAction, by: Person, now: datetime) -> None:
    enqueue(
        key=f"finding-action:{action.pk}:planned",
        recipient=action.person,
        subject=f"By {day_words(action.due_on)}: an action on a finding",
        body=(
            f"{by.display_name} planned an action for you, by {day_words(action.due_on)}.\n\n{action.what}\n\n"
            f"The finding: {action.finding.title}"
        ),
        path=f"/findings/{action.finding_id}/",
        now=now,
    )


def _record(
    kind: Kind,
    action: CorrectiveAction,
    actor: Person,
    now: datetime,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
    reason: str = "",
    cause: uuid.UUID | None = None,
) -> object:
    return record(
        kind,
        actor=actor,
        subject=finding_subject(action.finding),
        now=now,
        before=before,
        after=after,
        reason=reason,
        private={"action_person_name": action.person.display_name},
        cause=cause,
    )


def _locked_action(action: CorrectiveAction, state: str) -> CorrectiveAction:
    """The action and its finding, locked finding first. Raises Refused where it is in another state by now."""
    finding = locked_open(action.finding)
    hold_row(CorrectiveAction.objects.all(), action.pk)  # whoever leaves holds the actions, not their findings
    fresh = CorrectiveAction.objects.select_related("person", "done_by", "verifier").get(pk=action.pk)
    fresh.finding = finding
    if fresh.state != state:
        raise Refused(f"This action is {fresh.get_state_display().lower()} by now. Look at the finding again.")
    return fresh


@transaction.atomic
def complete_action(action: CorrectiveAction, *, evidence: str, actor: Person, now: datetime) -> CorrectiveAction:
    """An action is done; somebody else is asked to verify it.

    Raises Refused without evidence and where it is not planned any more.
    """
    evidence = require_text(evidence, "Say what shows that it is done.")
    action = _locked_action(action, CorrectiveAction.State.PLANNED)
    verifier = verifier_for(action, done_by=actor)
    action.state, action.done_by, action.done_at = CorrectiveAction.State.DONE, actor, now
    action.evidence, action.verifier = evidence, held(verifier) if verifier else None
    action.save(update_fields=["state", "done_by", "done_at", "evidence", "verifier"])
    follow_actions(action.finding)
    if action.verifier:
        _tell_verifier(action, action.verifier, now)
    _record(
        Kind.FINDING_ACTION_DONE,
        action,
        actor,
        now,
        before={"state": "planned"},
        after={
            "action": action.pk,
            "state": "done",
            "verifier": action.verifier.audit_id if action.verifier else None,
        },
    )
    return action


def _tell_verifier(action: CorrectiveAction, verifier: Person, now: datetime) -> None:
    done_by = action.done_by.display_name if action.done_by else ""
    enqueue(
        key=f"finding-action:{action.pk}:verify",
        recipient=verifier,
        subject=f"Verify: {action.finding.title}"[:600],
        body=(
            f"{done_by} says that this is done. Look, and verify or reject it.\n\n{action.what}\n"
            f"Evidence: {action.evidence}\n\nThe finding: {action.finding.title}"
        ),
        path=f"/findings/{action.finding_id}/",
        now=now,
    )


def _require_another(action: CorrectiveAction, actor: Person) -> None:
    if actor.pk in {action.done_by_id, action.person_id}:
        raise NotAllowed("Who did it can't verify it. Somebody else has to look.")


@transaction.atomic
def verify_action(action: CorrectiveAction, *, actor: Person, now: datetime, verdict: str = "") -> CorrectiveAction:
    """Somebody else has looked: it is done. With nothing else open, the finding is closed.

    Raises NotAllowed for who did it and for who was to do it, Refused where it does not wait to be verified.
    """
    _require_another(action, actor)
    action = _locked_action(action, CorrectiveAction.State.DONE)
    _require_another(action, actor)
    finding = action.finding
    _decide(action, CorrectiveAction.State.VERIFIED, verdict.strip(), actor, now)
    waiting = [CorrectiveAction.State.PLANNED, CorrectiveAction.State.DONE]
    closes = not finding.actions.filter(state__in=waiting).exists()
    cause = record(
        Kind.FINDING_ACTION_VERIFIED,
        actor=actor,
        subject=finding_subject(finding),
        now=now,
        before={"state": "done"},
        after={"action": action.pk, "state": "verified"},
        reason=verdict,
    )
    if not closes:
        follow_actions(finding)
        return action
    close_all([finding.pk], Finding.Because.VERIFIED, now=now)
    record(
        Kind.FINDING_CLOSED,
        actor=actor,
        subject=finding_subject(finding),
        now=now,
        before={"state": finding.state},
        after={"state": "closed", "because": "verified"},
        cause=cause,
    )
    finding.refresh_from_db()
    return action


@transaction.atomic
def reject_action(action: CorrectiveAction, *, actor: Person, now: datetime, verdict: str) -> CorrectiveAction:
    """Somebody else has looked: it is not put right. The finding is in progress again.

    Raises NotAllowed as verify_action does, Refused without a reason or where it does not wait to be verified.
    """
    verdict = require_text(verdict, "Say why it is not put right.")
    _require_another(action, actor)
    action = _locked_action(action, CorrectiveAction.State.DONE)
    _require_another(action, actor)
    _decide(action, CorrectiveAction.State.REJECTED, verdict, actor, now)
    follow_actions(action.finding)
    _tell_rejected(action, actor, now)
    _record(
        Kind.FINDING_ACTION_REJECTED,
        action,
        actor,
        now,
        before={"state": "done"},
        after={"action": action.pk, "state": "rejected"},
        reason=verdict,
    )
    return action


def _decide(action: CorrectiveAction, state: str, verdict: str, actor: Person, now: datetime) -> None:
    action.state, action.verified_by, action.verified_at, action.verdict = state, actor, now, verdict[:600]
    action.save(update_fields=["state", "verified_by", "verified_at", "verdict"])


def _tell_rejected(action: CorrectiveAction, by: Person, now: datetime) -> None:
    finding = action.finding
    enqueue(
        key=f"finding-action:{action.pk}:rejected",
        recipient=finding.person,
        subject=f"Not put right yet: {finding.title}"[:600],
        body=f"{by.display_name} looked and says why it is not put right: {action.verdict}\n\n{finding.title}\n"
        f"Plan what is done next. It is due {day_words(finding.due_on)}.",
        path=f"/findings/{finding.pk}/",
        now=now,
    )
