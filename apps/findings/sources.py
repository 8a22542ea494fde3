"""Where findings come from: functions that each look for one sort of breach. To add one, add a line to SOURCES."""

from collections.abc import Callable
from datetime import datetime

from apps.findings.queries.delivery import delivery_breaches
from apps.registry.queries.charter import charter_breaches
from apps.registry.queries.cover import cover_breaches
from apps.registry.queries.ownership import ownership_breaches
from apps.registry.queries.raci_checks import breaches as raci_breaches
from apps.registry.rules.breaches import Breach

Source = Callable[[datetime], list[Breach]]

# Name -> function. The name stands in each finding: where a function fails, what it found before stays as it is,
# and where a name goes from this list, its findings are closed. A name is never used for something else.
SOURCES: dict[str, Source] = {
    "charter": charter_breaches,
    "cover": cover_breaches,
    "delivery": delivery_breaches,
    "ownership": ownership_breaches,
    "raci": raci_breaches,
}
