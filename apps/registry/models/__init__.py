"""The registry's tables, by noun."""

from apps.registry.models.imports import ImportRun
from apps.registry.models.ownership import Nomination, OwnershipTerm
from apps.registry.models.raci import GovernanceDomain, Mandate, RaciAssignment
from apps.registry.models.systems import (
    SavedView,
    System,
    SystemIdentity,
    SystemUserPermission,
    Unit,
)

__all__ = [
    "GovernanceDomain",
    "ImportRun",
    "Mandate",
    "Nomination",
    "OwnershipTerm",
    "RaciAssignment",
    "SavedView",
    "System",
    "SystemIdentity",
    "SystemUserPermission",
    "Unit",
]
