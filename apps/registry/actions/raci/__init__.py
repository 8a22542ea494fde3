"""Changing the matrix: drafts, acceptance, versions, many systems at once, leavers."""

from apps.registry.actions.raci.bulk import BulkRow, apply_to_systems, preview_bulk
from apps.registry.actions.raci.drafts import (
    LostUpdate,
    discard_draft,
    draft_from_version,
    inherit_row,
    note_draft,
    open_draft,
    rebase_draft,
    set_cell,
    withdraw_draft,
)
from apps.registry.actions.raci.leavers import lock_letters_of, move_letters
from apps.registry.actions.raci.sending import (
    accept_letters,
    decline_letters,
    escalate_acceptance,
    escalate_acceptances,
    send_draft,
)

__all__ = [
    "BulkRow",
    "LostUpdate",
    "accept_letters",
    "apply_to_systems",
    "decline_letters",
    "discard_draft",
    "draft_from_version",
    "escalate_acceptance",
    "escalate_acceptances",
    "inherit_row",
    "lock_letters_of",
    "move_letters",
    "note_draft",
    "open_draft",
    "preview_bulk",
    "rebase_draft",
    "send_draft",
    "set_cell",
    "withdraw_draft",
]
