"""The verbs of campaigns, by noun."""

from apps.attestations.actions.answers import Stale, save_answers, view_assignment
from apps.attestations.actions.campaigns import close_campaign, open_campaign
from apps.attestations.actions.reminders import REMINDED_TODAY, remind_due, remind_open
from apps.attestations.actions.signing import sign
from apps.attestations.actions.sweeps import close_due, open_due, remind_all_due
from apps.people.rules import Confirmation

__all__ = [
    "REMINDED_TODAY",
    "Confirmation",
    "Stale",
    "close_campaign",
    "close_due",
    "open_campaign",
    "open_due",
    "remind_all_due",
    "remind_due",
    "remind_open",
    "save_answers",
    "sign",
    "view_assignment",
]
