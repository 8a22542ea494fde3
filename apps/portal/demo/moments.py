"""When the demo's past happened. Everything hangs on today: no date is written down anywhere."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from apps.common.clock import local_date, organisation_zone

# So long before today the campaign was opened at least, or there would be no days on which people signed.
CAMPAIGN_DAYS = 12
BEFORE_CAMPAIGN = timedelta(days=75)


@dataclass(frozen=True)
class Moments:
    """The demo's calendar, from the first start to now."""

    now: datetime
    opened: datetime

    @property
    def started(self) -> datetime:
        """The first start: people, seats and units."""
        return self.opened - BEFORE_CAMPAIGN

    @property
    def imported(self) -> datetime:
        return self.started + timedelta(days=1)

    def nominated(self, place: int, of: int) -> datetime:
        """Nominations that were accepted: over four weeks, from two days after the import on."""
        return self.imported + timedelta(days=2) + timedelta(days=28) * place / of

    def working_hour(self, days_ago: int, minutes: int) -> datetime:
        """A moment in the office hours of a day that lies `days_ago` days back in the organisation's zone."""
        day = local_date(self.now) - timedelta(days=days_ago)
        begins = datetime.combine(day, time(9, 0), organisation_zone())
        return begins.astimezone(UTC) + timedelta(minutes=minutes % 480)


def moments(now: datetime, opens: datetime) -> Moments:
    """The calendar for a campaign that opens, or would open, at `opens`; it is opened earlier where need be."""
    latest = now - timedelta(days=CAMPAIGN_DAYS)
    return Moments(now, min(opens, latest).astimezone(UTC))
