"""No system's key hides behind a page of the portal."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import resolve

from apps.attestations import urls as attestation_urls
from apps.common import clock
from apps.portal import urls as portal_urls
from apps.registry.actions import register_system
from apps.registry.models import System
from apps.registry.rules.addresses import FIXED_WORDS


def _fixed(patterns: Any, prefix: str) -> set[str]:
    """Fixed names at the place of a key."""
    routes = [str(found.pattern) for found in patterns]
    firsts = {route.removeprefix(prefix).partition("/")[0] for route in routes if route.startswith(prefix)}
    return {first for first in firsts if first and "<" not in first}


def test_every_fixed_name_at_the_place_of_a_key_is_known() -> None:
    found = _fixed(portal_urls.urlpatterns, "systems/")
    found |= _fixed(attestation_urls.urlpatterns, "<campaign:code>/")
    # Addresses of two parts that begin so leave the one part alone.
    assert found - {"receipts", "documents", "compare"} == FIXED_WORDS


@pytest.mark.parametrize("key", ["receipts", "documents", "compare", "Report", "SYS-1"])
def test_other_keys_lead_to_the_system(key: str) -> None:
    assert resolve(f"/attestations/2026Q4/{key}/").url_name == "assignment"
    assert resolve(f"/systems/{key}/").url_name == "system"


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["report", "register"])
def test_a_key_that_could_not_be_reached_is_refused(cast: Any, key: str) -> None:
    with pytest.raises(ValidationError, match=r"word in the portal's own addresses"):
        register_system(key=key, name="Weekly report", unit=cast.claims, actor=cast.mara, now=clock.now())
    assert not System.objects.filter(key=key).exists()
