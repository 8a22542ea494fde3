"""Runbooks that come with the portal, what the database refuses, versions, reviews and who may."""

import pytest

from apps.incidents.models import Runbook

pytestmark = pytest.mark.django_db


def test_seed() -> None:
    assert Runbook.objects.count() == 8
