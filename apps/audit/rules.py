"""Kinds of events, actors that are not people, and the canonical form of an event. No Django here."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import rfc8785


class Kind(StrEnum):
    """Every kind of act, in alphabetical order. A kind is never renamed and never reused."""

    ABSENCE_CANCELLED = "absence.cancelled"
    ABSENCE_CHANGED = "absence.changed"
    ABSENCE_IMPORTED = "absence.imported"
    ABSENCE_RECORDED = "absence.recorded"
    ACKNOWLEDGEMENT_EXPIRED = "acknowledgement.expired"
    ACKNOWLEDGEMENT_SNOOZED = "acknowledgement.snoozed"
    API_TOKEN_ISSUED = "api.token.issued"
    API_TOKEN_REVOKED = "api.token.revoked"
    ATTESTATION_ACCEPTED = "attestation.accepted"
    ATTESTATION_ANSWERED = "attestation.answered"
    ATTESTATION_BECAME_STALE = "attestation.became_stale"
    ATTESTATION_CHANGES_REQUESTED = "attestation.changes_requested"
    ATTESTATION_CORRECTED = "attestation.corrected"
    ATTESTATION_DELEGATED = "attestation.delegated"
    ATTESTATION_DELEGATION_ENDED = "attestation.delegation_ended"
    ATTESTATION_EVENT_RAISED = "attestation.event_raised"
    ATTESTATION_PASSED_ON = "attestation.passed_on"
    ATTESTATION_REASSIGNMENT_ANSWERED = "attestation.reassignment_answered"
    ATTESTATION_REASSIGNMENT_ASKED = "attestation.reassignment_asked"
    ATTESTATION_REASSIGNMENT_ESCALATED = "attestation.reassignment_escalated"
    ATTESTATION_SAMPLED = "attestation.sampled"
    ATTESTATION_SIGNED = "attestation.signed"
    ATTESTATION_SIGNED_TOGETHER = "attestation.signed_together"
    ATTESTATION_VIEWED = "attestation.viewed"
    AUTHORITY_GRANTED = "authority.granted"
    CAMPAIGN_ACTIONS_PENDING = "campaign.actions_pending"
    CAMPAIGN_CANCELLED = "campaign.cancelled"
    CAMPAIGN_CLOSED = "campaign.closed"
    CAMPAIGN_DRAFTED = "campaign.drafted"
    CAMPAIGN_ESCALATED = "campaign.escalated"
    CAMPAIGN_GRACE_BEGAN = "campaign.grace_began"
    CAMPAIGN_OPENED = "campaign.opened"
    CAMPAIGN_REMINDED = "campaign.reminded"
    CAMPAIGN_ROLLUP_BEGAN = "campaign.rollup_began"
    CAMPAIGN_SEALED = "campaign.sealed"
    CAMPAIGN_SNOOZED = "campaign.snoozed"
    CAMPAIGN_SUPPLEMENTED = "campaign.supplemented"
    CAMPAIGN_TEMPLATE_CHANGED = "campaign_template.changed"
    CARD_EXPORTED = "card.exported"
    CHANNEL_ADDED = "channel.added"
    CHANNEL_MOVED = "channel.moved"
    CHANNEL_REMOVED = "channel.removed"
    CHANNEL_TESTED = "channel.tested"
    CHANNEL_VERIFIED = "channel.verified"
    CHARTER_CHANGED = "charter.changed"
    CHARTER_DISCARDED = "charter.discarded"
    CHARTER_DRAFTED = "charter.drafted"
    CHARTER_IN_FORCE = "charter.in_force"
    CHARTER_SIGNED = "charter.signed"
    CHARTER_WITHDRAWN = "charter.withdrawn"
    CLOCK_ANCHORED = "clock.anchored"
    CLOCK_ASSESSED = "clock.assessed"
    CLOCK_MISSED = "clock.missed"
    CLOCK_NOT_REPORTABLE = "clock.not_reportable"
    CLOCK_PASSED_ON = "clock.passed_on"
    CLOCK_RULE_CHANGED = "clock.rule.changed"
    CLOCK_SUBMITTED = "clock.submitted"
    DIRECTORY_GROUP_DELETED = "directory.group.deleted"
    DIRECTORY_GROUP_SYNCED = "directory.group.synced"
    DIRECTORY_TOKEN_ISSUED = "directory.token.issued"
    DIRECTORY_TOKEN_REVOKED = "directory.token.revoked"
    DIRECTORY_USER_DELETED = "directory.user.deleted"
    DIRECTORY_USER_SYNCED = "directory.user.synced"
    DOCUMENT_FAILED = "document.failed"
    DOCUMENT_MADE = "document.made"
    DOCUMENT_REQUESTED = "document.requested"
    ENDPOINT_ADDED = "endpoint.added"
    ENDPOINT_CHANGED = "endpoint.changed"
    ENDPOINT_ENDED = "endpoint.ended"
    ENDPOINT_TESTED = "endpoint.tested"
    ESCALATION_ADVANCED = "escalation.advanced"
    ESCALATION_EXHAUSTED = "escalation.exhausted"
    ESCALATION_PLAN_ENDED = "escalation_plan.ended"
    ESCALATION_PLAN_SET = "escalation_plan.set"
    EVIDENCE_ADDED = "evidence.added"
    EVIDENCE_REMOVED = "evidence.removed"
    EVIDENCE_SCANNED = "evidence.scanned"
    EXCEPTION_CARRIED_OVER = "exception.carried_over"
    EXCEPTION_DECIDED = "exception.decided"
    EXCEPTION_DECLARED = "exception.declared"
    EXCEPTION_EXTENDED = "exception.extended"
    EXCEPTION_EXTENSION_ASKED = "exception.extension_asked"
    EXCEPTION_PROPOSED = "exception.proposed"
    EXCEPTION_REOPENED = "exception.reopened"
    EXCEPTION_VERIFIED = "exception.verified"
    EXERCISE_CANCELLED = "exercise.cancelled"
    EXERCISE_CHANGED = "exercise.changed"
    EXERCISE_CLOSED = "exercise.closed"
    EXERCISE_ENDED = "exercise.ended"
    EXERCISE_INJECT_ANSWERED = "exercise.inject_answered"
    EXERCISE_INJECT_GIVEN = "exercise.inject_given"
    EXERCISE_OBSERVED = "exercise.observed"
    EXERCISE_PLANNED = "exercise.planned"
    EXERCISE_REPORTED = "exercise.reported"
    EXERCISE_STARTED = "exercise.started"
    FINDINGS_REASSIGNED = "findings.reassigned"
    FINDINGS_REMINDED = "findings.reminded"
    FINDINGS_SWEPT = "findings.swept"
    FINDING_ACCEPTANCE_ENDED = "finding.acceptance.ended"
    FINDING_ACTION_DONE = "finding.action.done"
    FINDING_ACTION_PLANNED = "finding.action.planned"
    FINDING_ACTION_REJECTED = "finding.action.rejected"
    FINDING_ACTION_VERIFIED = "finding.action.verified"
    FINDING_ASSIGNED = "finding.assigned"
    FINDING_CLOSED = "finding.closed"
    FINDING_RAISED = "finding.raised"
    FINDING_REOPENED = "finding.reopened"
    FINDING_RISK_ACCEPTED = "finding.risk.accepted"
    HANDOVER_CANCELLED = "handover.cancelled"
    HANDOVER_CHANGED = "handover.changed"
    HANDOVER_COMPLETED = "handover.completed"
    HANDOVER_ENDED = "handover.ended"
    HANDOVER_ESCALATED = "handover.escalated"
    HANDOVER_OPENED = "handover.opened"
    HANDOVER_SIGNED = "handover.signed"
    IMPORT_APPLIED = "import.applied"
    IMPORT_DISCARDED = "import.discarded"
    IMPORT_RECEIVED = "import.received"
    IMPORT_UNDONE = "import.undone"
    INBOUND_SOURCE_ADDED = "inbound_source.added"
    INBOUND_SOURCE_REVOKED = "inbound_source.revoked"
    INCIDENT_ACKNOWLEDGED = "incident.acknowledged"
    INCIDENT_CHANGED = "incident.changed"
    INCIDENT_CLASSIFIED = "incident.classified"
    INCIDENT_CLOSED = "incident.closed"
    INCIDENT_CONTAINED = "incident.contained"
    INCIDENT_DECLARED = "incident.declared"
    INCIDENT_DISMISSED = "incident.dismissed"
    INCIDENT_FILE_ADDED = "incident.file_added"
    INCIDENT_FREEZE_WAIVED = "incident.freeze_waived"
    INCIDENT_MERGED = "incident.merged"
    INCIDENT_NOTED = "incident.noted"
    INCIDENT_PAGED = "incident.paged"
    INCIDENT_REOPENED = "incident.reopened"
    INCIDENT_RESOLVED = "incident.resolved"
    INCIDENT_STEP_CHANGED = "incident.step_changed"
    INCIDENT_TASK_DONE = "incident.task_done"
    INCIDENT_TASK_SET = "incident.task_set"
    INCIDENT_UPDATED = "incident.updated"
    LEAD_ACCEPTED = "lead.accepted"
    LEAD_ASKED = "lead.asked"
    LEAD_DECLINED = "lead.declined"
    LEAD_HANDED_OVER = "lead.handed_over"
    LEAD_HANDOVER_ENDED = "lead.handover_ended"
    LEAD_RELIEVED = "lead.relieved"
    NOMINATION_ESCALATED = "nomination.escalated"
    OFFBOARDING_DONE = "offboarding.done"
    OWNERSHIP_FACT_RECORDED = "ownership.fact.recorded"
    PAGE_DECLINED = "page.declined"
    PEOPLE_FILE_APPLIED = "people.file.applied"
    PEOPLE_FILE_DISCARDED = "people.file.discarded"
    PEOPLE_FILE_RECEIVED = "people.file.received"
    PERSON_CHANGED = "person.changed"
    PERSON_DEACTIVATED = "person.deactivated"
    PERSON_OFFBOARDED = "person.offboarded"
    PERSON_PROVISIONED = "person.provisioned"
    PERSON_REACTIVATED = "person.reactivated"
    PORTAL_STARTED = "portal.started"
    PREFLIGHT_RUN = "preflight.run"
    QUESTIONS_DRAFTED = "questions.drafted"
    QUESTIONS_PUBLISHED = "questions.published"
    RACI_ACCEPTANCE_ESCALATED = "raci.acceptance.escalated"
    RACI_ACCEPTED = "raci.accepted"
    RACI_CHANGED = "raci.changed"
    RACI_DECLINED = "raci.declined"
    RACI_DRAFT_CHANGED = "raci.draft.changed"
    RACI_DRAFT_DISCARDED = "raci.draft.discarded"
    RACI_DRAFT_OPENED = "raci.draft.opened"
    RACI_DRAFT_SENT = "raci.draft.sent"
    RACI_DRAFT_WITHDRAWN = "raci.draft.withdrawn"
    RACI_LETTERS_MOVED = "raci.letters.moved"
    RESPONSE_PROFILE_CHANGED = "response_profile.changed"
    RESPONSE_RULE_ENDED = "response_rule.ended"
    RESPONSE_RULE_SET = "response_rule.set"
    REVIEW_ACTION_ADDED = "review.action_added"
    REVIEW_COMPLETED = "review.completed"
    REVIEW_OPENED = "review.opened"
    REVIEW_SAVED = "review.saved"
    REVIEW_SKIPPED = "review.skipped"
    ROLE_GRANTED = "role.granted"
    ROLE_REVOKED = "role.revoked"
    ROLLUP_DECLINED = "rollup.declined"
    ROLLUP_READY = "rollup.ready"
    ROLLUP_SIGNED = "rollup.signed"
    RUNBOOK_CHANGED = "runbook.changed"
    RUNBOOK_DISCARDED = "runbook.discarded"
    RUNBOOK_DRAFTED = "runbook.drafted"
    RUNBOOK_OWNED = "runbook.owned"
    RUNBOOK_PUBLISHED = "runbook.published"
    RUNBOOK_RETIRED = "runbook.retired"
    RUNBOOK_REVIEWED = "runbook.reviewed"
    SEAT_HELD = "seat.held"
    SEAT_VACATED = "seat.vacated"
    SESSION_ENDED = "session.ended"
    SESSION_REFUSED = "session.refused"
    SESSION_STARTED = "session.started"
    SYSTEM_CHANGED = "system.changed"
    SYSTEM_OWNER_ACCEPTED = "system.owner.accepted"
    SYSTEM_OWNER_DECLINED = "system.owner.declined"
    SYSTEM_OWNER_INTERIM = "system.owner.interim"
    SYSTEM_OWNER_NOMINATED = "system.owner.nominated"
    SYSTEM_OWNER_WITHDRAWN = "system.owner.withdrawn"
    SYSTEM_REGISTERED = "system.registered"
    SYSTEM_RETIRED = "system.retired"
    TRAINING_RECORDED = "training.recorded"
    TRAINING_REVOKED = "training.revoked"
    UNIT_CHANGED = "unit.changed"
    UNIT_CREATED = "unit.created"
    VIEW_DELETED = "view.deleted"
    VIEW_SAVED = "view.saved"


class Actor(Protocol):
    """Who acts: a person or a part of the portal itself."""

    @property
    def audit_id(self) -> str: ...
    @property
    def audit_name(self) -> str: ...
    @property
    def audit_function(self) -> str: ...


@dataclass(frozen=True)
class SystemActor:
    """A part of Govportal that acts by rule: a sweep, a command, the first start."""

    name: str

    @property
    def audit_id(self) -> str:
        return f"s:{self.name}"

    @property
    def audit_name(self) -> str:
        return f"Govportal ({self.name})"

    @property
    def audit_function(self) -> str:
        return ""


SCHEDULER = SystemActor("scheduler")
COMMAND = SystemActor("command line")


@dataclass(frozen=True)
class Subject:
    """What an act was about. `label` may name a person, so it is kept in the erasable side table."""

    kind: str
    id: str
    label: str = ""


def commitment(salt: bytes, value: str) -> str:
    """SHA-256 over 0x02, a 32-byte salt and the value: proves the value while it is kept, says nothing after."""
    return hashlib.sha256(b"\x02" + salt + value.encode()).hexdigest()


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970 in UTC, without floating point."""
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1_000_000 + moment.microsecond


def canonical(body: Mapping[str, Any]) -> str:
    """The bytes that are stored and later sealed: JSON by RFC 8785 (sorted keys, no spaces)."""
    return rfc8785.dumps(dict(body)).decode()


def digest(text: str) -> str:
    """SHA-256 of a canonical text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
