"""The registry's verbs, by noun."""

from apps.registry.actions.absences import (
    cancel_absence,
    change_absence,
    delegate,
    import_calendar,
    record_absence,
)
from apps.registry.actions.authority import grant_authority
from apps.registry.actions.handover import (
    cancel_handover,
    cancel_handovers_of,
    complete_handover,
    note_handover,
    sign_handover,
)
from apps.registry.actions.imports import (
    apply_import,
    discard_import,
    receive_import,
    review_import_again,
    undo_import,
)
from apps.registry.actions.ownership import (
    accept_ownership,
    decline_ownership,
    nominate_many,
    nominate_owner,
    withdraw_many,
    withdraw_nomination,
)
from apps.registry.actions.people import change_person, deactivate_person, seat_person
from apps.registry.actions.start import start_portal
from apps.registry.actions.systems import change_system, register_system, retire_system
from apps.registry.actions.units import change_unit, create_unit
from apps.registry.actions.views import delete_view, save_view

__all__ = [
    "accept_ownership",
    "apply_import",
    "cancel_absence",
    "cancel_handover",
    "cancel_handovers_of",
    "change_absence",
    "change_person",
    "change_system",
    "change_unit",
    "complete_handover",
    "create_unit",
    "deactivate_person",
    "decline_ownership",
    "delegate",
    "delete_view",
    "discard_import",
    "grant_authority",
    "import_calendar",
    "nominate_many",
    "nominate_owner",
    "note_handover",
    "receive_import",
    "record_absence",
    "register_system",
    "retire_system",
    "review_import_again",
    "save_view",
    "seat_person",
    "sign_handover",
    "start_portal",
    "undo_import",
    "withdraw_many",
    "withdraw_nomination",
]
