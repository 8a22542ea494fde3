"""What happened to a finding, told from the trail, for whoever may see the finding."""

from dataclasses import dataclass
from datetime import datetime

from apps.audit import queries as audit
from apps.audit.rules import Kind
from apps.findings.models import Finding

SHOWN = 40
WORDS = {
    Kind.FINDING_RAISED: "raised it",
    Kind.FINDING_ASSIGNED: "assigned it",
    Kind.FINDING_ACTION_PLANNED: "planned an action",
    Kind.FINDING_ACTION_DONE: "finished an action",
    Kind.FINDING_ACTION_VERIFIED: "verified an action",
    Kind.FINDING_ACTION_REJECTED: "rejected an action",
    Kind.FINDING_RISK_ACCEPTED: "accepted the risk",
    Kind.FINDING_ACCEPTANCE_ENDED: "withdrew the acceptance",
    Kind.FINDING_CLOSED: "closed it",
    Kind.FINDING_REOPENED: "opened it again",
}
_CLASSES = {
    Kind.FINDING_RAISED: "timeline__alarm",
    Kind.FINDING_REOPENED: "timeline__alarm",
    Kind.FINDING_ACTION_REJECTED: "timeline__alarm",
    Kind.FINDING_CLOSED: "timeline__good",
}


@dataclass(frozen=True)
class Happened:
    """One line of the history."""

    at: datetime
    who: str
    words: str
    tone: str
    reason: str
    person: str


def history_of(finding: Finding) -> list[Happened]:
    """What happened, newest first. Two queries."""
    events = list(audit.events(_about(finding))[:SHOWN])
    beside = audit.values_beside(events)
    lines = []
    for event in events:
        kind, values = Kind(event.kind), {name: value.text for name, value in beside.get(event.pk, {}).items()}
        by_person = event.actor.startswith("u:")
        lines.append(
            Happened(
                at=event.at,
                who=values.get("actor_name", "Somebody"),
                words=WORDS.get(kind, event.kind),
                tone=_CLASSES.get(kind, "timeline__person" if by_person else ""),
                reason=values.get("reason", ""),
                person=values.get("person_name", "") if kind == Kind.FINDING_ASSIGNED else "",
            )
        )
    return lines


def _about(finding: Finding) -> audit.Filters:
    """Its events; the day it was raised tells which months of the trail are read."""
    return audit.Filters(subject_kind="finding", subject_id=str(finding.pk), since=finding.raised_at)
