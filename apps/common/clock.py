"""The one place that reads the wall clock; verbs and rules take `now` or `today` as an argument."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings

from apps.common.dates import day_words

__all__ = ["day_words", "local_date", "now", "organisation_zone", "zone_named"]


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def organisation_zone() -> ZoneInfo:
    """The zone in which the organisation's deadlines are local dates."""
    return ZoneInfo(settings.ORGANISATION_TIME_ZONE)


def local_date(moment: datetime, zone: ZoneInfo | None = None) -> date:
    """The calendar date at a moment, in the organisation's zone or in another."""
    return moment.astimezone(zone or organisation_zone()).date()


def zone_named(name: str) -> ZoneInfo:
    """A time zone by its name; the organisation's where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return organisation_zone()
