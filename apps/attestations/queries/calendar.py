"""Which campaigns open by themselves, and when."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Min

from apps.attestations.models import Campaign, CampaignTemplate
from apps.attestations.queries import closing_moment, dates_of, opening_moment
from apps.attestations.queries.scope import covered
from apps.attestations.rules import Period, cadence_of
from apps.common.clock import local_date
from apps.registry.models import Mandate, System
from apps.registry.queries import live


def began() -> datetime | None:
    """From when on campaigns open by themselves: somebody holds the mandate, and a system is on the register.

    A new organisation is not asked for a quarter that was under way before; by hand it can be. None before both.
    """
    since = Mandate.objects.values_list("since", flat=True).first()
    first = live(System.objects.all()).aggregate(first=Min("created_at"))["first"]
    return max(since, first) if since and first else None


def cyclic() -> list[CampaignTemplate]:
    """The templates that come again by the calendar."""
    return list(CampaignTemplate.objects.filter(is_active=True).exclude(cadence=CampaignTemplate.Cadence.EVENT))


def periods_at(template: CampaignTemplate, now: datetime) -> Iterator[Period]:
    """The periods whose campaign would run now: opened, and not closed."""
    current = Period.of(local_date(now), cadence_of(template.cadence))
    for period in (current.previous(), current, current.next()):
        dates = dates_of(period, template)
        if opening_moment(dates) <= now < closing_moment(dates):
            yield period


def due_openings(now: datetime) -> list[tuple[CampaignTemplate, Period]]:
    """What the sweep opens now: what was planned by hand, and each template's period that begins late enough.

    A template whose scope covers no system waits: an empty campaign would use up the period.
    """
    planned = Campaign.objects.filter(
        state=Campaign.State.SCHEDULED, opens_at__lte=now, closes_at__gt=now
    ).select_related("template")
    found = {(one.template_id, one.period): (one.template, one.quarter) for one in planned}
    beginning = began()
    for template in cyclic():
        for period in periods_at(template, now):
            if beginning and opening_moment(dates_of(period, template)) >= beginning and _is_open_to(template, period):
                found[(template.pk, str(period))] = (template, period)
    return [(template, period) for template, period in found.values() if covered(template.scope)]


def _is_open_to(template: CampaignTemplate, period: Period) -> bool:
    known = Campaign.objects.filter(template=template, period=str(period)).values_list("state", flat=True).first()
    return known in (None, Campaign.State.DRAFT)


def upcoming(now: datetime) -> list[tuple[CampaignTemplate, Period]]:
    """The next period of each template that has not been opened, soonest first."""
    found = []
    for template in cyclic():
        taken = set(template.campaigns.filter(opened_at__isnull=False).values_list("period", flat=True))
        taken |= set(template.campaigns.filter(state=Campaign.State.CANCELLED).values_list("period", flat=True))
        period = Period.of(local_date(now), cadence_of(template.cadence)).previous()
        while str(period) in taken or closing_moment(dates_of(period, template)) <= now:
            period = period.next()
        found.append((template, period))
    return sorted(found, key=lambda one: opening_moment(dates_of(one[1], one[0])))
