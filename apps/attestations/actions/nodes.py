"""The roll-up's places, planted when a campaign opens."""

from apps.attestations.models import Campaign, RollupNode


def plant(campaign: Campaign) -> None:
    """One node for the top, the CISO, the Head of AI, and each top unit in scope."""
    top = RollupNode.objects.create(campaign=campaign, level=RollupNode.Level.TOP)
    ciso = RollupNode.objects.create(campaign=campaign, level=RollupNode.Level.CISO, parent=top)
    RollupNode.objects.create(campaign=campaign, level=RollupNode.Level.AI_LEAD, parent=ciso)
