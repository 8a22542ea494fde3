"""The registry's verbs, by noun."""

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
    "change_person",
    "change_system",
    "change_unit",
    "create_unit",
    "deactivate_person",
    "decline_ownership",
    "delete_view",
    "discard_import",
    "nominate_many",
    "nominate_owner",
    "receive_import",
    "register_system",
    "retire_system",
    "review_import_again",
    "save_view",
    "seat_person",
    "start_portal",
    "undo_import",
    "withdraw_nomination",
]
