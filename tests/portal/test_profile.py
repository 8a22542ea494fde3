"""One's own profile: only one's own, a person as deputy, a token that is shown once."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from apps.access.models import ApiToken
from apps.audit.models import AuditEvent
from apps.registry import actions as registry
from apps.registry.queries import visible_systems
from tests.cast import BEGINNING

PROFILE = {
    "display_name": "Nils Okafor",
    "title": "Reviewer",
    "phone": "+49 30 5550 0177",
    "time_zone": "Europe/Berlin",
    "deputy": "",
    "theme": "dark",
    "shortcuts": "on",
}


def save(client: Any, **change: str) -> Any:
    return client.post(reverse("portal:profile"), PROFILE | change)


def test_a_person_changes_their_own_profile(cast: Any, browse: Any) -> None:
    client = browse(cast.nils)
    assert save(client, deputy="Dov Watanabe").status_code == 302
    cast.nils.refresh_from_db()
    assert (cast.nils.phone, cast.nils.theme, cast.nils.deputy) == ("+49 30 5550 0177", "dark", cast.dov)
    assert AuditEvent.objects.filter(kind="person.changed", subject_id=str(cast.nils.pk)).count() == 1
    assert "dov@example.org" in client.get(reverse("portal:profile")).content.decode()


@pytest.mark.parametrize(
    ("deputy", "said"),
    [
        ("claims-team@example.org", "claims-team@example.org is a mailbox. Choose a person."),
        ("stranger@example.org", "Nobody known here has the address stranger@example.org."),
        ("The Board", "Nobody here is called The Board."),
        ("ivan@example.org", "Ivan Kolar is deactivated. Choose an active person."),
        ("robot@example.org", "Deployment robot is a service account. Choose a person."),
        ("nils@example.org", "Choose another person than yourself."),
    ],
)
def test_only_an_active_person_deputises(cast: Any, browse: Any, deputy: str, said: str) -> None:
    answer = save(browse(cast.nils), deputy=deputy)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert said in text
    assert "There is a problem" in text
    assert "Reviewer" in text  # what was typed is kept


def test_a_bad_value_is_refused(cast: Any, browse: Any) -> None:
    client = browse(cast.nils)
    for change in ({"phone": "call me"}, {"time_zone": "Mars/Olympus"}, {"display_name": ""}, {"theme": "pink"}):
        assert save(client, **change).status_code == 422


def test_nobody_makes_themselves_more_than_they_are(cast: Any, browse: Any) -> None:
    browse(cast.nils).post(
        reverse("portal:profile"),
        PROFILE | {"line_manager": str(cast.mara.pk), "email": "x@example.org", "is_superuser": "1", "kind": "service"},
    )
    cast.nils.refresh_from_db()
    assert (cast.nils.line_manager, cast.nils.email, cast.nils.is_superuser) == (None, "nils@example.org", False)


def test_a_new_deputy_sees_the_systems(cast: Any, browse: Any) -> None:
    now = BEGINNING + timedelta(days=1)
    system = registry.register_system(
        key="SYS-1", name="Agent", unit=cast.claims, stage="production", actor=cast.mara, now=now
    )
    browse(cast.una).post(
        reverse("portal:profile"), PROFILE | {"display_name": "Una Brandt", "deputy": "dov@example.org"}
    )
    assert system in visible_systems(cast.dov)


def test_a_token_is_shown_once(cast: Any, browse: Any) -> None:
    client = browse(cast.nils)
    answer = client.post(reverse("portal:token_issue"), {"name": "Export", "scopes": ["read"], "days": "30"})
    found = re.search(r"gov_\w+_[\w-]+", answer.content.decode())
    assert found is not None
    assert found.group(0) not in client.get(reverse("portal:profile")).content.decode()
    assert ApiToken.objects.get().person == cast.nils


@pytest.mark.parametrize("change", [{"name": ""}, {"scopes": []}, {"scopes": ["root"]}, {"days": "9999"}])
def test_a_bad_token_is_not_issued(cast: Any, browse: Any, change: dict[str, Any]) -> None:
    data = {"name": "Export", "scopes": ["read"], "days": "30"} | change
    assert browse(cast.nils).post(reverse("portal:token_issue"), data).status_code == 422
    assert not ApiToken.objects.exists()


def test_one_revokes_ones_own_token_only(cast: Any, browse: Any) -> None:
    browse(cast.nils).post(reverse("portal:token_issue"), {"name": "Export", "scopes": ["read"], "days": "30"})
    url = reverse("portal:token_revoke", args=[ApiToken.objects.get().pk])
    assert browse(cast.dov).post(url).status_code == 404
    assert browse(cast.nils).post(url).status_code == 302
    assert ApiToken.objects.get().revoked_at is not None
    assert browse(cast.nils).post(url).status_code == 422
