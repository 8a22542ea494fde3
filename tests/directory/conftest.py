"""An identity provider with a token."""

import pytest

from tests.cast import Cast
from tests.directory.provider import Provider


@pytest.fixture
def provider(cast: Cast) -> Provider:
    """Okta."""
    return Provider()
