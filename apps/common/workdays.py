"""Working days of the organisation: weekends and public holidays are skipped."""

from datetime import date, timedelta

import holidays
from django.conf import settings


def is_working_day(day: date) -> bool:
    """Monday to Friday, and no public holiday of the configured country."""
    if day.weekday() >= 5:
        return False
    return not settings.HOLIDAY_COUNTRY or day not in holidays.country_holidays(
        settings.HOLIDAY_COUNTRY, years=day.year
    )


def add_working_days(day: date, count: int) -> date:
    """The date `count` working days after `day`."""
    while count > 0:
        day += timedelta(days=1)
        count -= is_working_day(day)
    return day


def last_working_day(year: int, month: int) -> date:
    """The last working day of a month."""
    day = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    while not is_working_day(day):
        day -= timedelta(days=1)
    return day
