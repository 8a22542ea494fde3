"""Which state follows which. No Django here."""

from enum import StrEnum


class CampaignState(StrEnum):
    """How far a campaign is. Cancelled is the only way out before the end."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SNAPSHOTTING = "snapshotting"
    OPEN = "open"
    GRACE = "grace"
    ROLLUP = "rollup"
    PENDING_ACTIONS = "pending_actions"
    CLOSED = "closed"
    SEALED = "sealed"
    CANCELLED = "cancelled"


CAMPAIGN_TRANSITIONS = (
    ("draft", "scheduled"),
    ("draft", "snapshotting"),
    ("draft", "cancelled"),
    ("scheduled", "snapshotting"),
    ("scheduled", "cancelled"),
    ("snapshotting", "open"),
    ("open", "grace"),
    ("open", "cancelled"),
    ("grace", "rollup"),
    ("rollup", "pending_actions"),
    ("pending_actions", "closed"),
    ("closed", "sealed"),
)
# Owners answer and sign; late ones in grace.
RUNNING = (CampaignState.OPEN, CampaignState.GRACE)
# Silence has become "not attested".
OVER = (CampaignState.ROLLUP, CampaignState.PENDING_ACTIONS, CampaignState.CLOSED, CampaignState.SEALED)


class State(StrEnum):
    """What became of one assignment. Overdue is computed, never stored."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    SUBMITTED = "submitted"
    CHANGES_REQUESTED = "changes_requested"
    ACCEPTED = "accepted"
    SEALED = "sealed"
    REASSIGNED = "reassigned"
    NOT_ATTESTED = "not_attested"


ASSIGNMENT_TRANSITIONS = (
    ("pending", "in_progress"),
    ("pending", "reassigned"),
    ("pending", "not_attested"),
    ("in_progress", "submitted"),
    ("in_progress", "reassigned"),
    ("in_progress", "not_attested"),
    ("submitted", "accepted"),
    ("submitted", "changes_requested"),
    # A sample that disagrees opens it again.
    ("accepted", "changes_requested"),
    ("accepted", "sealed"),
    ("changes_requested", "in_progress"),
    ("changes_requested", "reassigned"),
    ("changes_requested", "not_attested"),
)
OPEN_STATES = (State.PENDING, State.IN_PROGRESS, State.CHANGES_REQUESTED)
SIGNED_STATES = (State.SUBMITTED, State.ACCEPTED, State.SEALED)

NODE_TRANSITIONS = (
    ("not_ready", "ready"),
    # Something below was opened again.
    ("ready", "not_ready"),
    ("ready", "signed_clean"),
    ("ready", "signed_qualified"),
    ("ready", "declined"),
)
NODE_SIGNED = ("signed_clean", "signed_qualified", "declined")

EXCEPTION_TRANSITIONS = (
    ("requested", "approved"),
    ("requested", "refused"),
    ("requested", "risk_accepted"),
    ("requested", "superseded"),
    # The owner proposes another plan.
    ("refused", "requested"),
    ("refused", "superseded"),
    ("approved", "verified"),
    ("approved", "risk_accepted"),
    ("approved", "superseded"),
    # The acceptance ended: it is open again.
    ("risk_accepted", "requested"),
    ("risk_accepted", "verified"),
    ("verified", "requested"),
)
# The longest time to put an exception right, in days from its declaration.
EXCEPTION_DAYS = {"critical": 30, "high": 60, "medium": 90, "low": 180}
