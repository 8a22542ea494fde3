"""The registry's verbs, by noun."""

from apps.registry.actions.ownership import (
    accept_ownership,
    decline_ownership,
    nominate_owner,
    withdraw_nomination,
)
from apps.registry.actions.people import change_person
from apps.registry.actions.start import start_portal
from apps.registry.actions.systems import change_system, register_system, retire_system
from apps.registry.actions.units import change_unit, create_unit
from apps.registry.actions.views import delete_view, save_view

__all__ = [
    "accept_ownership",
    "change_person",
    "change_system",
    "change_unit",
    "create_unit",
    "decline_ownership",
    "delete_view",
    "nominate_owner",
    "register_system",
    "retire_system",
    "save_view",
    "start_portal",
    "withdraw_nomination",
]
