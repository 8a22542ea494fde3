"""The verbs of campaigns, by noun."""

from apps.attestations.actions.answers import Stale, save_answers, view_assignment
from apps.attestations.actions.campaigns import (
    add_supplements_to,
    begin_grace,
    begin_rollup,
    cancel_campaign,
    open_campaign,
)
from apps.attestations.actions.cannot import cannot_attest
from apps.attestations.actions.delegation import delegate_work, end_delegation, end_delegations_due
from apps.attestations.actions.events import raise_events
from apps.attestations.actions.evidence import add_evidence, record_scan, remove_evidence, scan_evidence
from apps.attestations.actions.ladder import escalate_item, remind_due, remind_item, snooze
from apps.attestations.actions.owners import follow_owners
from apps.attestations.actions.passing import sweep_passing
from apps.attestations.actions.questions import change_draft, draft_version, publish_version
from apps.attestations.actions.reassignment import (
    accept_reassignment,
    decline_reassignment,
    disown,
    escalate_reassignments,
    keep_with_owner,
    name_successor,
    reassign,
    settle_reassignments,
    withdraw_reassignment,
)
from apps.attestations.actions.reminders import REMINDED_TODAY, remind_open, withdraw_reminders
from apps.attestations.actions.signing import sign
from apps.attestations.actions.sweeps import add_supplements, move_on_due, open_due, remind_all_due
from apps.attestations.actions.templates import (
    change_template,
    create_template,
    schedule_campaign,
    set_template_active,
)
from apps.attestations.actions.together import sign_together
from apps.attestations.actions.workload import tell_overload, tell_overloads
from apps.people.rules import Confirmation

__all__ = [
    "REMINDED_TODAY",
    "Confirmation",
    "Stale",
    "accept_reassignment",
    "add_evidence",
    "add_supplements",
    "add_supplements_to",
    "begin_grace",
    "begin_rollup",
    "cancel_campaign",
    "cannot_attest",
    "change_draft",
    "change_template",
    "create_template",
    "decline_reassignment",
    "delegate_work",
    "disown",
    "draft_version",
    "end_delegation",
    "end_delegations_due",
    "escalate_item",
    "escalate_reassignments",
    "follow_owners",
    "keep_with_owner",
    "move_on_due",
    "name_successor",
    "open_campaign",
    "open_due",
    "publish_version",
    "raise_events",
    "reassign",
    "record_scan",
    "remind_all_due",
    "remind_due",
    "remind_item",
    "remind_open",
    "remove_evidence",
    "save_answers",
    "scan_evidence",
    "schedule_campaign",
    "set_template_active",
    "settle_reassignments",
    "sign",
    "sign_together",
    "snooze",
    "sweep_passing",
    "tell_overload",
    "tell_overloads",
    "view_assignment",
    "withdraw_reassignment",
    "withdraw_reminders",
]
