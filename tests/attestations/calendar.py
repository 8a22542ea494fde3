"""Quarters by the real clock, for tests that a browser looks at today, whatever today is."""

from datetime import datetime, timedelta

from apps.attestations.queries import closing_moment, dates_of
from apps.attestations.rules import Period
from apps.common import clock
from apps.common.clock import local_date


def running_period(now: datetime | None = None) -> Period:
    """The quarter whose campaign is open now, or can be opened now, and stays so for some days."""
    now = now or clock.now()
    period = Period.of(local_date(now)).previous()
    while closing_moment(dates_of(period)) <= now + timedelta(days=3):
        period = period.next()
    return period
