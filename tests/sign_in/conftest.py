"""A running portal and windows on it, as the journeys have them."""

from tests.journeys.conftest import site, visit

__all__ = ["site", "visit"]
