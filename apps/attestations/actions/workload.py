"""The mandate holder is told, once a campaign, who has more to attest than a person can look at."""

from datetime import datetime

from django.db import transaction

from apps.attestations.actions.campaigns import campaign_subject
from apps.attestations.models import Campaign
from apps.attestations.queries.workload import Load, overloaded
from apps.attestations.rules import LIST_ALL, LIST_FIRST, RUNNING
from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Kind
from apps.notify.actions import enqueue
from apps.registry.queries.succession import mandate_holder


@transaction.atomic
def tell_overload(campaign: Campaign, *, now: datetime) -> int:
    """Tell the mandate holder who has too many items; once a campaign. Returns how many people are named."""
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    holder, loads = mandate_holder(), overloaded(campaign)
    if holder is None or not loads or not campaign.takes_answers:
        return 0
    limit, count = campaign.term("items_per_person"), len(loads)
    people = "1 person answers" if count == 1 else f"{count:,} people answer"
    sent = enqueue(
        key=f"campaign:{campaign.code}:overload",
        recipient=holder,
        subject=f"{campaign.label}: {people} for more than {limit} systems",
        body=(
            f"{people} for more than {limit} systems in the {campaign.label} attestation:\n\n{_listed(loads)}\n\n"
            "Nobody looks closely at so many. Find more owners, or split the campaign."
        ),
        path=f"/attestations/{campaign.code}/",
        now=now,
    )
    if not sent:
        return 0
    record(
        Kind.CAMPAIGN_ESCALATED,
        actor=SCHEDULER,
        subject=campaign_subject(campaign),
        now=now,
        after={"campaign": campaign.code, "over": limit, "people": [str(load.person_id) for load in loads[:LIST_ALL]]},
    )
    return count


def _listed(loads: list[Load]) -> str:
    shown = loads if len(loads) <= LIST_ALL else loads[:LIST_FIRST]
    lines = [f"- {load.name}: {load.items:,}" for load in shown]
    return "\n".join(lines + ([f"and {len(loads) - len(shown):,} more"] if len(shown) < len(loads) else []))


def tell_overloads(*, now: datetime) -> int:
    """Look at every campaign that runs. Safe to run twice. Returns how many people were named anew."""
    return sum(tell_overload(campaign, now=now) for campaign in Campaign.objects.filter(state__in=RUNNING))
