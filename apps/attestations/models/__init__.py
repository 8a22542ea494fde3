"""Campaigns and all that hangs from them, by noun."""

from apps.attestations.models.after import AttestationException, Extension, Review, RollupNode
from apps.attestations.models.campaigns import Campaign, CampaignTemplate, QuestionSet, QuestionSetVersion
from apps.attestations.models.documents import CampaignDocument, CampaignRecord, EvidenceFile
from apps.attestations.models.scope import Assignment, RetiredSystem, ScopeSnapshot
from apps.attestations.models.signatures import Signature
from apps.attestations.models.work import Answer, Delegation, Reassignment, SectionView, Snooze

__all__ = [
    "Answer",
    "Assignment",
    "AttestationException",
    "Campaign",
    "CampaignDocument",
    "CampaignRecord",
    "CampaignTemplate",
    "Delegation",
    "EvidenceFile",
    "Extension",
    "QuestionSet",
    "QuestionSetVersion",
    "Reassignment",
    "RetiredSystem",
    "Review",
    "RollupNode",
    "ScopeSnapshot",
    "SectionView",
    "Signature",
    "Snooze",
]
