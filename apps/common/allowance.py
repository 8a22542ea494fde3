"""So many in a minute: counted in the cache, which lies in the database and works while Redis is down."""

from datetime import datetime

from django.core.cache import cache


def is_above(key: str, most: int, *, now: datetime) -> bool:
    """Count one more in this minute under a key; whether that is more than is allowed."""
    minute = f"{key}:{int(now.timestamp()) // 60}"
    if cache.add(minute, 1, 120):
        return most < 1
    try:
        return bool(cache.incr(minute) > most)
    except ValueError:  # it ended between the two
        return False
