"""Sweeps over all campaigns: open, remind and close what is due. Each is safe to run twice and at once."""

from datetime import datetime

from apps.attestations.actions.campaigns import add_supplements_to, begin_grace, begin_rollup, open_campaign
from apps.attestations.actions.ladder import remind_due
from apps.attestations.models import Campaign
from apps.attestations.queries import closing_moment, dates_of, opening_moment
from apps.attestations.rules import RUNNING, Period
from apps.audit.rules import SCHEDULER
from apps.common.clock import local_date
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
    """Write the digests that are due, over all campaigns. Returns how many mails are new."""
    return remind_due(actor=SCHEDULER, now=now)


def move_on_due(*, now: datetime) -> list[str]:
    """Let every campaign whose day has come move on: past its due date, then into the roll-up. Returns the codes."""
    moved = []
    for campaign in Campaign.objects.filter(state__in=RUNNING):
        try:
            if now >= campaign.closes_at:
                moved.append(begin_rollup(campaign, actor=SCHEDULER, now=now).code)
            elif campaign.state == Campaign.State.OPEN and local_date(now) > campaign.due_on:
                moved.append(begin_grace(campaign, actor=SCHEDULER, now=now).code)
        except Refused:
            continue  # another sweep did it in between
    return moved


def add_supplements(*, now: datetime) -> int:
    """Ask for grave systems that went live in the middle of a campaign. Returns how many are new."""
    running = Campaign.objects.filter(state__in=RUNNING, is_event=False)
    return sum(add_supplements_to(campaign, actor=SCHEDULER, now=now) for campaign in running)
