"""Where one is signed in, and signing out there."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audit.models import AuditEvent
from apps.people import actions as people
from apps.portal.queries.sessions import device
from tests.cast import PASSWORD, Cast

Browse = Callable[[Any], Client]
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


def sign_in(agent: str = FIREFOX, name: str = "ada") -> Client:
    cache.clear()
    client = Client(headers={"user-agent": agent})
    assert client.post("/accounts/login/", {"login": f"{name}@example.org", "password": PASSWORD}).status_code == 302
    return client


def is_in(client: Client) -> bool:
    return client.get("/profile/").status_code == 200


def test_the_list(cast: Cast) -> None:
    here, there = sign_in(FIREFOX), sign_in(CHROME)
    assert is_in(there)
    text = here.get("/profile/sessions/").content.decode()
    assert text.index("Firefox on Windows") < text.index("This one") < text.index("Chrome on Linux")
    assert text.count("127.0.0.1") == 2
    there.post("/accounts/logout/")
    text = here.get("/profile/sessions/").content.decode()
    assert "Chrome on Linux" not in text
    assert "Nowhere else." in text
    assert UserSession.objects.count() == 1


def test_one_is_ended(cast: Cast) -> None:
    here, there, bens = sign_in(), sign_in(CHROME), sign_in(name="ben")
    row = UserSession.objects.get(session_key=there.session.session_key)
    assert bens.post(f"/profile/sessions/{row.pk}/end/").status_code == 404, "somebody else's is not there"
    assert is_in(there)
    assert here.post(f"/profile/sessions/{row.pk}/end/").status_code == 302
    assert not is_in(there)
    assert is_in(here)
    assert is_in(bens)
    assert here.post(f"/profile/sessions/{row.pk}/end/").status_code == 404
    assert AuditEvent.objects.filter(kind="session.ended").count() == 1


def test_all_others_are_ended(cast: Cast, browse: Browse) -> None:
    here, there, bens = sign_in(), sign_in(CHROME), sign_in(name="ben")
    without_row = browse(cast.ada)
    cast.ada.refresh_from_db()
    before = here.session.session_key
    answer = here.post("/profile/sessions/end-others/", follow=True)
    assert b"Signed out in 1 other place." in answer.content
    assert here.session.session_key != before
    assert is_in(here)
    assert is_in(bens)
    assert not is_in(there)
    assert not is_in(without_row), "a session that nobody had noted ends too"
    assert UserSession.objects.filter(user=cast.ada).count() == 1
    assert b"This one" in here.get("/profile/sessions/").content
    assert is_in(sign_in()), "signing in anew works"


def test_ending_everything_reads_no_session(cast: Cast, browse: Browse) -> None:
    clients = [sign_in() for _ in range(3)]
    bens, unseen = sign_in(name="ben"), browse(cast.ada)
    with CaptureQueriesContext(connection) as captured:
        assert people.end_sessions(cast.ada) == 3
    assert len(captured) <= 5
    assert not [query for query in captured if "session_data" in query["sql"]]
    assert [is_in(client) for client in [*clients, unseen]] == [False] * 4
    assert is_in(bens)
    assert UserSession.objects.filter(user=cast.ada).count() == 0
    assert Session.objects.filter(session_key__in=[client.session.session_key for client in clients]).count() == 0


def test_a_new_password_ends_the_others(cast: Cast) -> None:
    here, there = sign_in(), sign_in(CHROME)
    new = "another sentence of hers"
    data = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert here.post("/accounts/password/change/", data).status_code == 302
    assert is_in(here)
    assert not is_in(there)
    assert UserSession.objects.filter(user=cast.ada).count() == 1


def test_a_session_is_noted_every_five_minutes_and_costs_nothing_in_between(cast: Cast) -> None:
    client = sign_in()
    client.get("/keys/")
    with CaptureQueriesContext(connection) as captured:
        client.get("/keys/")
    assert not [query for query in captured if "usersession" in query["sql"]]
    row = UserSession.objects.get()
    session = client.session
    session["seen_at"] -= 301
    session.save()
    client.get("/keys/", headers={"user-agent": CHROME})
    newer = UserSession.objects.get()
    assert newer.last_seen_at > row.last_seen_at
    assert newer.user_agent == CHROME


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        (FIREFOX, "Firefox on Windows"),
        (CHROME, "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1",
         "Safari on iPhone"),
        ("", "A browser"),
        ("<script>alert(1)</script>", "A browser"),
    ],
)  # fmt: skip
def test_devices_have_names(agent: str, said: str) -> None:
    assert device(agent) == said
