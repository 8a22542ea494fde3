"""What a person may do with one finding: decides which forms its page shows, and what a POST may do."""

from dataclasses import dataclass
from datetime import date

from apps.access.queries import may
from apps.access.rules import Permission
from apps.findings.models import CorrectiveAction, Finding
from apps.findings.queries.authority import Authority, authority_over, who_may_accept
from apps.findings.rules import accepted_until_at_most
from apps.people.models import Person


@dataclass(frozen=True)
class Rights:
    """Each is whether the actor may, as the finding is now."""

    actor: Person
    finding: Finding
    manages: bool
    authority: Authority | None

    @property
    def closed(self) -> bool:
        return self.finding.state == Finding.State.CLOSED

    @property
    def accepted(self) -> bool:
        return self.finding.state == Finding.State.ACCEPTED

    @property
    def assign(self) -> bool:
        return self.manages and not self.closed and not self.accepted

    @property
    def plan(self) -> bool:
        return self.manages and not self.closed

    @property
    def accept(self) -> bool:
        return self.authority is not None and self.finding.is_open and self.finding.person_id != self.actor.pk

    @property
    def may_withdraw(self) -> bool:
        """Those who manage findings, and those who could accept: never the one whose finding was accepted."""
        return may(self.actor, Permission.FINDINGS_MANAGE) or self.authority is not None

    @property
    def withdraw(self) -> bool:
        return self.accepted and self.may_withdraw

    @property
    def reopen(self) -> bool:
        return self.closed and (self.manages or self.finding.raised_by_id == self.actor.pk)

    def complete(self, action: CorrectiveAction) -> bool:
        """Whoever is to do it, and those who manage the finding."""
        planned = action.state == CorrectiveAction.State.PLANNED
        return planned and (action.person_id == self.actor.pk or self.manages)

    def verify(self, action: CorrectiveAction) -> bool:
        """Whoever is asked to, and those who manage the finding; never who did it or was to."""
        if action.state != CorrectiveAction.State.DONE or self.actor.pk in {action.done_by_id, action.person_id}:
            return False
        return action.verifier_id == self.actor.pk or self.manages

    def latest(self, today: date) -> date:
        """The last day for which the risk could be accepted."""
        return accepted_until_at_most(self.finding.severity, today)

    @property
    def who_accepts(self) -> str:
        """A sentence for those who may not accept. One query."""
        return who_may_accept(self.finding)


def rights_over(actor: Person, finding: Finding) -> Rights:
    """What the actor may do. The person who puts it right manages it, and those who manage all. A few queries."""
    manages = may(actor, Permission.FINDINGS_MANAGE) or finding.person_id == actor.pk
    return Rights(actor, finding, manages, authority_over(finding, actor))
