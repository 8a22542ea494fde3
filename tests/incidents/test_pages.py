"""The list, the page of one incident, the bar above every page."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.incidents.actions.declare import declare
from apps.incidents.actions.leads import take_lead
from apps.incidents.models import Incident
from tests.factories import a_system
from tests.incidents.world import settle

NOW = datetime(2026, 11, 20, 9, 14, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def declared(cast: Any, **more: Any) -> Incident:
    system = more.pop("system", None) or a_system(cast, owner=cast.ada, name="Claims Adjudication Agent")
    settle()
    return declare(
        title=more.pop("title", "It read letters of others"), system=system, actor=more.pop("actor", cast.dov), now=NOW,
        **more,
    )  # fmt: skip


def test_smoke(cast: Any, browse: Any) -> None:
    incident = declared(cast)
    for who in ("mara", "ada", "dov", "bo"):
        client = browse(getattr(cast, who))
        for path in ("/incidents/", incident.path, f"{incident.path}summary.txt", "/incidents/declare/"):
            assert client.get(path).status_code == 200, (who, path)
