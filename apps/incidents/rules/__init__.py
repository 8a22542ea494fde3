"""Pure decisions of incidents: states and what may follow them, severities, who is next. No Django here."""

from datetime import timedelta
from enum import StrEnum

from apps.registry.rules import Scenario

# Every live system has a card for these, whatever else is asked.
MANDATORY = (Scenario.DATA_ACCESS, Scenario.HARMFUL_DECISION, Scenario.COST_SPIKE)


class Mode(StrEnum):
    """Whether it happened, is rehearsed, or tries the plumbing out. The three are never counted together."""

    REAL = "real"
    DRILL = "drill"
    TEST = "test"


# How the code of an incident begins: INC-0042.
CODE_PREFIX = {Mode.REAL: "INC", Mode.DRILL: "DRILL", Mode.TEST: "TEST"}


class Severity(StrEnum):
    """How bad it is. Unclassified until somebody says, or until the time for that is over."""

    UNCLASSIFIED = "unclassified"
    SEV1 = "sev1"
    SEV2 = "sev2"
    SEV3 = "sev3"
    SEV4 = "sev4"


SEVERITY_WORDS = {
    Severity.UNCLASSIFIED: "Not classified yet",
    Severity.SEV1: "Severity 1",
    Severity.SEV2: "Severity 2",
    Severity.SEV3: "Severity 3",
    Severity.SEV4: "Severity 4",
}
# From which severity on a response rule leads; one without leads at every severity, also before it is said.
FROM_SEVERITY = {
    Severity.SEV1: "At severity 1",
    Severity.SEV2: "From severity 2 on",
    Severity.SEV3: "From severity 3 on",
}
# What each means, so that two people choose the same.
SEVERITY_MEANS = {
    Severity.SEV1: "People are harmed or may be soon, or sensitive data is leaving, or the whole service is down.",
    Severity.SEV2: "Harm is possible, some people or records are affected, or the cost is far above its limit.",
    Severity.SEV3: "The effect is small and known, and nobody is harmed.",
    Severity.SEV4: "A fault without effect on people, data or money.",
}
# Undecided for so long, the higher level applies.
CLASSIFY_WITHIN = timedelta(minutes=30)
UNDECIDED_BECOMES = Severity.SEV1
# How long an acknowledgement holds before it has to be renewed, by severity; None: for good.
ACK_HOLDS = {
    Severity.UNCLASSIFIED: timedelta(minutes=60),
    Severity.SEV1: timedelta(minutes=60),
    Severity.SEV2: timedelta(hours=4),
    Severity.SEV3: None,
    Severity.SEV4: None,
}


class State(StrEnum):
    """Where an incident stands."""

    REPORTED = "reported"
    TRIAGE = "triage"
    ACTIVE = "active"
    CONTAINED = "contained"
    RESOLVED = "resolved"
    IN_REVIEW = "in_review"
    CLOSED = "closed"
    DISMISSED = "dismissed"
    MERGED = "merged"


STATE_WORDS = {
    State.REPORTED: "Reported",
    State.TRIAGE: "Being looked at",
    State.ACTIVE: "Active",
    State.CONTAINED: "Contained",
    State.RESOLVED: "Resolved",
    State.IN_REVIEW: "In review",
    State.CLOSED: "Closed",
    State.DISMISSED: "Dismissed",
    State.MERGED: "Merged",
}
# Something is going on, and somebody answers for the response now.
LIVE = (State.REPORTED, State.TRIAGE, State.ACTIVE, State.CONTAINED)
# Not over: it has a lead, who is an active person.
OPEN = (*LIVE, State.RESOLVED, State.IN_REVIEW)
TRANSITIONS: dict[State, tuple[State, ...]] = {
    State.REPORTED: (State.TRIAGE, State.DISMISSED, State.MERGED),
    State.TRIAGE: (State.ACTIVE, State.DISMISSED, State.MERGED),
    State.ACTIVE: (State.CONTAINED, State.MERGED),
    State.CONTAINED: (State.ACTIVE, State.RESOLVED, State.MERGED),
    State.RESOLVED: (State.ACTIVE, State.IN_REVIEW, State.MERGED),
    State.IN_REVIEW: (State.ACTIVE, State.CLOSED, State.MERGED),
    State.CLOSED: (State.ACTIVE,),
    State.DISMISSED: (State.TRIAGE,),
    State.MERGED: (),
}
# What is rehearsed or tried out ends wherever it stands. The database refuses the same for a real one.
ENDS_WITH_DRILL = ((State.ACTIVE, State.DISMISSED), (State.CONTAINED, State.DISMISSED), (State.RESOLVED, State.CLOSED))


class Visibility(StrEnum):
    """Who sees an incident: whoever sees the system; only those taking part; those and the legal seat."""

    OPEN = "open"
    RESTRICTED = "restricted"
    PRIVILEGED = "privileged"


class Dismissed(StrEnum):
    """Why it was none."""

    BENIGN = "benign"
    DUPLICATE = "duplicate"
    FALSE_POSITIVE = "false_positive"
    ACKNOWLEDGED_BY_USER = "acknowledged_by_user"
    OTHER = "other"
    DRILL_OVER = "drill_over"


class Via(StrEnum):
    """By which way it was declared."""

    PORTAL = "portal"
    API = "api"
    EMAIL = "email"
    ALERTMANAGER = "alertmanager"
    PAGERDUTY = "pagerduty"
    WEBHOOK = "webhook"
    DRILL = "drill"


class PageState(StrEnum):
    """One call to one person."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    ACKED = "acked"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Target(StrEnum):
    """Whom a step of an escalation plan calls."""

    LEAD = "lead"
    DEPUTY = "deputy"
    OWNER = "owner"
    MANAGER = "manager"
    FUNCTION_HEAD = "function_head"
    SEAT = "seat"
    PERSON = "person"


# Minutes after which others are called where nobody set a plan.
SECOND_CALL = 5
# Minutes after the first page, whom, and by how many channels (0: all). The proposal for a new portal.
DEFAULT_PLAN = (
    {"after": 0, "targets": [{"kind": "lead"}], "channels": 2},
    {"after": SECOND_CALL, "targets": [{"kind": "deputy"}], "channels": 2},
    {"after": 10, "targets": [{"kind": "lead"}, {"kind": "deputy"}], "channels": 0},
    {"after": 15, "targets": [{"kind": "function_head"}], "channels": 2},
    {"after": 30, "targets": [{"kind": "seat", "seat": "ciso"}, {"kind": "seat", "seat": "ai_lead"}], "channels": 2},
    {"after": 60, "targets": [{"kind": "seat", "seat": "legal"}], "channels": 2},
)
REPEAT_AT_MOST = 3


class ClockState(StrEnum):
    """Where one legal clock of one incident stands."""

    NOT_ASSESSED = "not_assessed"
    ASSESSING = "assessing"
    RUNNING = "running"
    SUBMITTED = "submitted"
    NOT_REPORTABLE = "not_reportable"
    MISSED = "missed"
    SUBMITTED_LATE = "submitted_late"


CLOCK_OVER = (ClockState.SUBMITTED, ClockState.NOT_REPORTABLE, ClockState.SUBMITTED_LATE)


class ExerciseState(StrEnum):
    """Where a drill stands."""

    PLANNED = "planned"
    READY = "ready"
    RUNNING = "running"
    HOTWASH = "hotwash"
    AAR_DRAFT = "aar_draft"
    AAR_SIGNED = "aar_signed"
    CLOSED = "closed"
    CANCELLED = "cancelled"


def may_follow(old: State, new: State) -> bool:
    """Whether an incident may go from one state to the other; guards come on top."""
    return new in TRANSITIONS[old]
