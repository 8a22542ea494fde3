"""Reviews: when one is required, until when it is due, and what a gap in who answers is called. No Django here."""

from datetime import date, datetime

from apps.common.clock import local_date
from apps.common.workdays import add_working_days
from apps.incidents.rules import SEVERITY_WORDS, Severity, Visibility

# Working days after it was resolved.
DUE_WITHIN = 5
# The check of a finding that says that it was not clear who answers; and of one about a drill that failed.
OWNERSHIP_GAP = "ownership-gap"
DRILL_FAILED = "drill-failed"
LEARNT = "incident-action"

SKIPPED_WORDS = "I did not lead this response. No review of it is needed, for the reason that I give."
REVIEW_WORDS = (
    "I looked at this incident together with those who took part. The timeline is right and complete as far as I know, "
    "and causes and actions are as they stand here."
)


def required_by(*, severity: str, visibility: str, tier: str, regulatory_class: str) -> str:
    """Which rule asks for a review, in words; empty where it may be skipped with a signed reason."""
    if severity in {Severity.SEV1, Severity.SEV2}:
        return SEVERITY_WORDS[Severity(severity)]
    if visibility != Visibility.OPEN:
        return "Restricted incident"
    if regulatory_class == "high_risk":
        return "High-risk system"
    return "Critical system" if tier == "critical" else ""


def review_due(resolved_at: datetime) -> date:
    """The day by which the review is signed: five working days after it was resolved."""
    return add_working_days(local_date(resolved_at), DUE_WITHIN)
