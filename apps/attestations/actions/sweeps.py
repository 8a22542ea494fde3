"""Sweeps over all campaigns: open, remind and close what is due. Each is safe to run twice and at once."""

from datetime import datetime

from apps.attestations.actions.campaigns import close_campaign, open_campaign
from apps.attestations.actions.reminders import remind_due
from apps.attestations.models import Campaign
from apps.attestations.queries import closing_moment, dates_of, opening_moment
from apps.attestations.rules import OFFICE_HOUR, Period
from apps.audit.rules import SCHEDULER
from apps.common.clock import local_date, organisation_zone
from apps.common.errors import Refused
from apps.registry.models import System
from apps.registry.queries import live


def open_due(*, now: datetime) -> list[str]:
    """Open each quarter whose opening has come, whose closing has not, and that is not open. Returns the periods.

    Before the first system is on the register nothing opens: an empty campaign would use up the quarter.
    """
    if not live(System.objects.all()).exists():
        return []
    current = Period.of(local_date(now))
    opened = []
    for period in (current.previous(), current, current.next()):
        dates = dates_of(period)
        if opening_moment(dates) <= now < closing_moment(dates):
            campaign, new = open_campaign(str(period), actor=SCHEDULER, now=now)
            if new:
                opened.append(campaign.period)
    return opened


def remind_all_due(*, now: datetime) -> int:
    """Remind in every open campaign, in the organisation's office hours only. Returns how many digests are new."""
    if now.astimezone(organisation_zone()).hour < OFFICE_HOUR:
        return 0
    running = Campaign.objects.filter(state=Campaign.State.OPEN)
    return sum(remind_due(campaign, actor=SCHEDULER, now=now) for campaign in running)


def close_due(*, now: datetime) -> list[str]:
    """Close every campaign whose closing date has come. Returns the periods."""
    closed = []
    for campaign in Campaign.objects.filter(state=Campaign.State.OPEN, closes_at__lte=now):
        try:
            closed.append(close_campaign(campaign, actor=SCHEDULER, now=now).period)
        except Refused:
            continue  # another sweep closed it in between
    return closed
