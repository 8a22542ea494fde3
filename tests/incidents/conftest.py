"""A database shell for tests that write past the verbs."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests import databases


@pytest.fixture(params=["application", "owner"])
def shell(rules_db: str, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection[Any]]:
    """A database shell in each of the two roles."""
    url = databases.app_url if request.param == "application" else databases.owner_url
    with psycopg.connect(url(rules_db), autocommit=True) as connection:
        yield connection
