"""The verbs of findings, by noun."""

from apps.findings.actions.correction import complete_action, plan_action, reject_action, verify_action
from apps.findings.actions.escalation import remind_overdue
from apps.findings.actions.findings import assign, close_finding, raise_finding, reassign_findings, reopen
from apps.findings.actions.risk import accept_risk, withdraw_acceptance
from apps.findings.actions.sweep import sweep_registry

__all__ = [
    "accept_risk",
    "assign",
    "close_finding",
    "complete_action",
    "plan_action",
    "raise_finding",
    "reassign_findings",
    "reject_action",
    "remind_overdue",
    "reopen",
    "sweep_registry",
    "verify_action",
    "withdraw_acceptance",
]
