"""Incidents: who responds, what went wrong, who was called, which clocks run, what was learnt, and rehearsals."""

from apps.incidents.models.cards import (
    SCENARIOS,
    CardView,
    ResponseCard,
    ResponseProfile,
    ResponseRule,
    StaleCard,
)
from apps.incidents.models.clocks import Authority, ClockAnchor, ClockRule, IncidentClock
from apps.incidents.models.incidents import (
    InboundSource,
    Incident,
    IncidentFile,
    IncidentTask,
    IncidentUserPermission,
    LeadHandover,
    LeadTerm,
    SeverityChange,
    TimelineEntry,
)
from apps.incidents.models.learning import Exercise, Inject, Observation, Review, ReviewAction, Signature
from apps.incidents.models.paging import Escalation, EscalationPlan, Page, Preflight
from apps.incidents.models.runbooks import IncidentStep, Runbook, RunbookStep, RunbookVersion

__all__ = [
    "SCENARIOS",
    "Authority",
    "CardView",
    "ClockAnchor",
    "ClockRule",
    "Escalation",
    "EscalationPlan",
    "Exercise",
    "InboundSource",
    "Incident",
    "IncidentClock",
    "IncidentFile",
    "IncidentStep",
    "IncidentTask",
    "IncidentUserPermission",
    "Inject",
    "LeadHandover",
    "LeadTerm",
    "Observation",
    "Page",
    "Preflight",
    "ResponseCard",
    "ResponseProfile",
    "ResponseRule",
    "Review",
    "ReviewAction",
    "Runbook",
    "RunbookStep",
    "RunbookVersion",
    "SeverityChange",
    "Signature",
    "StaleCard",
    "TimelineEntry",
]
