"""A running portal and a browser, as the journeys have them."""

from tests.journeys.conftest import browser, site, visit

__all__ = ["browser", "site", "visit"]
