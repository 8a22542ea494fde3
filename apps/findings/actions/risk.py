"""Living with a finding until a day: accepted with authority, a reason and an expiry; withdrawn; expired."""

from datetime import date, datetime

from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import Kind
from apps.common.clock import local_date
from apps.common.dates import day_words
from apps.common.errors import NotAllowed, Refused
from apps.findings.actions.common import end_acceptances, finding_subject, locked_open, require_text, working_state
from apps.findings.actions.findings import due_on
from apps.findings.models import Finding, RiskAcceptance
from apps.findings.queries.authority import authority_over, who_may_accept
from apps.findings.rules import accepted_until_at_most
from apps.notify.actions import enqueue
from apps.people.actions import held
from apps.people.models import Person


@transaction.atomic
def accept_risk(finding: Finding, *, reason: str, until: date, actor: Person, now: datetime) -> RiskAcceptance:
    """Live with a finding until a day, by somebody with the authority for its severity.

    Raises NotAllowed for who should put it right and for who has no authority, Refused without a reason, for a
    day that has passed or lies too far, and where it is accepted or closed.
    """
    reason = require_text(reason, "Say why the risk is accepted. It is kept, and it is read again when it ends.")
    held(actor)
    finding = locked_open(finding)
    if finding.state == Finding.State.ACCEPTED:
        raise Refused("The risk of this finding is accepted already.")
    if finding.person_id == actor.pk:
        raise NotAllowed("You should put this right, so that somebody else has to accept the risk.")
    authority = authority_over(finding, actor)
    if authority is None:
        raise NotAllowed(who_may_accept(finding))
    today = local_date(now)
    latest = accepted_until_at_most(finding.severity, today)
    if not today < until <= latest:
        raise Refused(f"Choose a day after today and not after {day_words(latest)}.")
    acceptance = RiskAcceptance(
        finding=finding,
        severity=finding.severity,
        person=finding.person,
        accepted_by=actor,
        accepted_at=now,
        accepted_on=today,
        function_id=authority.function,
        authority=authority.words,
        reason=reason,
        until=until,
    )
    acceptance.full_clean(exclude=["finding"])
    acceptance.save(force_insert=True)
    before, finding.state, finding.accepted_until = finding.state, Finding.State.ACCEPTED, until
    finding.save(update_fields=["state", "accepted_until"])
    _tell(finding, f"{actor.display_name} accepted the risk until {day_words(until)}.", f"{acceptance.pk}:made", now)
    record(
        Kind.FINDING_RISK_ACCEPTED,
        actor=actor,
        subject=finding_subject(finding),
        now=now,
        before={"state": before},
        after={"state": "accepted", "until": until.isoformat(), "severity": finding.severity},
        reason=reason,
        private={"authority": authority.words},
    )
    return acceptance


@transaction.atomic
def withdraw_acceptance(finding: Finding, *, reason: str, actor: Person, now: datetime) -> Finding:
    """The risk is not accepted any more; the finding waits again, with a new due date.

    Raises Refused without a reason and where no acceptance is in force.
    """
    reason = require_text(reason, "Say why the risk is not accepted any more.")
    finding = locked_open(finding)
    if finding.state != Finding.State.ACCEPTED:
        raise Refused("The risk of this finding is not accepted.")
    end_acceptances([finding.pk], RiskAcceptance.Ended.WITHDRAWN, now=now, by=actor, reason=reason)
    finding.state, finding.accepted_until = working_state(finding), None
    finding.due_on, finding.step = due_on(finding.severity, now), 0
    finding.save(update_fields=["state", "accepted_until", "due_on", "step"])
    _tell(finding, f"{actor.display_name} withdrew the acceptance: {reason}", f"{now:%Y%m%d%H%M%S%f}:withdrawn", now)
    record(
        Kind.FINDING_ACCEPTANCE_ENDED,
        actor=actor,
        subject=finding_subject(finding),
        now=now,
        before={"state": "accepted"},
        after={"state": finding.state, "because": "withdrawn", "due": finding.due_on.isoformat()},
        reason=reason,
    )
    return finding


def _tell(finding: Finding, first: str, occasion: str, now: datetime) -> None:
    enqueue(
        key=f"finding:{finding.pk}:acceptance:{occasion}",
        recipient=finding.person,
        subject=f"Risk of a finding: {finding.title}"[:600],
        body=f"{first}\n\n{finding.title}",
        path=f"/findings/{finding.pk}/",
        now=now,
    )
