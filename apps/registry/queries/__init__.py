"""Reading the registry, by noun. Every read of systems starts at `visible_systems`."""

from apps.registry.queries.raci import effective_matrix, leads_for
from apps.registry.queries.systems import (
    find_system,
    live,
    on_record,
    search,
    visible_systems,
    who_answers_systems,
)

__all__ = [
    "effective_matrix",
    "find_system",
    "leads_for",
    "live",
    "on_record",
    "search",
    "visible_systems",
    "who_answers_systems",
]
