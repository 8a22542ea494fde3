"""Sweeps over all campaigns: open, remind and close what is due. Each is safe to run twice and at once."""

from datetime import datetime

from apps.attestations.actions.campaigns import add_supplements_to, begin_grace, begin_rollup, open_campaign
from apps.attestations.actions.ladder import remind_due
from apps.attestations.models import Campaign
from apps.attestations.queries.calendar import due_openings
from apps.attestations.rules import RUNNING
from apps.audit.rules import SCHEDULER
from apps.common.clock import local_date
from apps.common.errors import Refused
from apps.findings.actions import sweep_registry


def open_due(*, now: datetime) -> list[str]:
    """Open the campaign of each template's period whose opening has come and whose closing has not.

    Returns the codes of what is new. See `due_openings` for what waits.
    """
    opened = []
    for template, period in due_openings(now):
        campaign, new = open_campaign(str(period), actor=SCHEDULER, now=now, template=template)
        if new:
            opened.append(campaign.code)
    return opened


def remind_all_due(*, now: datetime) -> int:
    """Write the digests that are due, over all campaigns. Returns how many mails are new."""
    return remind_due(actor=SCHEDULER, now=now)


def move_on_due(*, now: datetime) -> list[str]:
    """Let every campaign whose day has come move on: past its due date, then into the roll-up. Returns the codes."""
    moved = []
    began = False
    for campaign in Campaign.objects.filter(state__in=RUNNING):
        try:
            if now >= campaign.closes_at:
                moved.append(begin_rollup(campaign, actor=SCHEDULER, now=now).code)
                began = True
            elif campaign.state == Campaign.State.OPEN and local_date(now) > campaign.due_on:
                moved.append(begin_grace(campaign, actor=SCHEDULER, now=now).code)
        except Refused:
            continue  # another sweep did it in between
    if began:  # who was silent is a finding at once, not only tonight
        sweep_registry(now=now)
    return moved


def add_supplements(*, now: datetime) -> int:
    """Ask for grave systems that went live in the middle of a campaign. Returns how many are new."""
    running = Campaign.objects.filter(state__in=RUNNING, is_event=False)
    return sum(add_supplements_to(campaign, actor=SCHEDULER, now=now) for campaign in running)
