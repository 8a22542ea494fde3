"""Where findings come from: functions that each look for one sort of breach. FINDING_SOURCES lists them."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.conf import settings
from django.utils.module_loading import import_string

from apps.registry.rules.breaches import Breach

Source = Callable[[datetime], list[Breach]]


def all_sources() -> dict[str, Source]:
    """Name -> function. By their paths, because some of them gather from parts that lie above this one.

    The name stands in each finding: where a function fails or can't be loaded, what it found before stays as it is,
    and where a name goes from the setting, its findings are closed. A name is never used for something else.
    """
    return {name: partial(_found_by, path) for name, path in settings.FINDING_SOURCES.items()}


def _found_by(path: str, now: datetime) -> list[Breach]:
    """What the function of this path finds; loaded only now, so that one that can't be harms no other."""
    source: Source = import_string(path)
    return source(now)
