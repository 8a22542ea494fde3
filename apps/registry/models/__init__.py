"""The registry's tables, by noun."""

from apps.registry.models.authority import Authority, AuthorityOffer
from apps.registry.models.charter import Charter, CharterDomain, CharterSignature
from apps.registry.models.facts import OwnershipFact
from apps.registry.models.handover import Handover, HandoverSignature
from apps.registry.models.imports import ImportRun
from apps.registry.models.ownership import Nomination, OwnershipTerm
from apps.registry.models.raci import GovernanceDomain, Mandate, RaciAssignment, RaciVersion
from apps.registry.models.raci_drafts import RaciAcceptance, RaciDraft, RaciDraftRow
from apps.registry.models.systems import (
    SavedView,
    System,
    SystemIdentity,
    SystemUserPermission,
    Unit,
)

__all__ = [
    "Authority",
    "AuthorityOffer",
    "Charter",
    "CharterDomain",
    "CharterSignature",
    "GovernanceDomain",
    "Handover",
    "HandoverSignature",
    "ImportRun",
    "Mandate",
    "Nomination",
    "OwnershipFact",
    "OwnershipTerm",
    "RaciAcceptance",
    "RaciAssignment",
    "RaciDraft",
    "RaciDraftRow",
    "RaciVersion",
    "SavedView",
    "System",
    "SystemIdentity",
    "SystemUserPermission",
    "Unit",
]
