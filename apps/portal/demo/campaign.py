"""One campaign in mid-course: signed in part, begun in part, overdue in part."""

from datetime import datetime

from apps.attestations.actions.campaigns import open_campaign
from apps.attestations.models import Campaign
from apps.attestations.queries import closing_moment, dates_of, opening_moment
from apps.attestations.rules import Period
from apps.common.clock import local_date
from apps.portal.demo.cast import MANDATE_HOLDER
from apps.portal.demo.moments import Moments
from apps.portal.demo.moments import moments as moments_for
from apps.portal.demo.people import cast


def period_for(now: datetime) -> Period:
    """The quarter of today, or the next one where today's campaign is over: one that is open today."""
    current = Period.of(local_date(now))
    return current if now < closing_moment(dates_of(current)) else current.next()


def calendar(now: datetime) -> Moments:
    """The demo's calendar. A campaign that was opened before keeps its opening."""
    opened = Campaign.objects.order_by("period").values_list("opened_at", flat=True).first()
    return Moments(now, opened) if opened else moments_for(now, opening_moment(dates_of(period_for(now))))


def load_campaign(moments: Moments) -> bool:
    """Open the campaign. False where there is one."""
    if Campaign.objects.exists():
        return False
    period = period_for(moments.now)
    return open_campaign(str(period), actor=cast()[MANDATE_HOLDER], now=moments.opened)[1]
