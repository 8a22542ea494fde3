"""What every answer carries, how one gets in and out, and what a stranger's headers can't do."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from apps.access.actions import issue_token
from apps.common import clock
from apps.people import actions as people
from apps.people.rules import RoleName
from apps.registry import actions as registry
from tests.access.test_permission_matrix import API, PAGES, ROLES, address, client_of
from tests.cast import PASSWORD, Cast
from tests.hostile.races import at_once

Browse = Callable[[Any], Client]
LOGIN = "/accounts/login/"
ACCOUNT = ("account_login", "account_reset_password", "account_reset_password_done", "account_logout", "account_signup",
           "account_change_password", "account_reauthenticate", "account_inactive", "mfa_index")  # fmt: skip


def sign_in(client: Client, email: str = "ada@example.org", password: str = PASSWORD, **extra: Any) -> Any:
    return client.post(LOGIN, {"login": email, "password": password}, **extra)


@pytest.mark.usefixtures("in_the_world")
@pytest.mark.parametrize("role", ROLES)
def test_every_answer_carries_the_headers(
    role: str, cast: Cast, browse: Browse, world: dict[str, dict[str, Any]]
) -> None:
    client = client_of(role, cast, browse)
    paths = [address(name, world) for name in PAGES] + [reverse(name) for name in ACCOUNT]
    given = {
        name: {key: "x" if value == "" else value for key, value in kwargs.items()} for name, kwargs in API.items()
    }
    paths += [reverse(name, kwargs=kwargs) for name, kwargs in given.items()]
    paths += ["/nothing/here/", "/api/v1/nothing", "/accounts/nothing/", "/a%00b", "/?q=%00"]
    for path in paths:
        for method in ("GET", "POST", "PUT"):
            answer = client.generic(method, path)
            assert "default-src 'none'" in answer["Content-Security-Policy"], path
            assert "unsafe" not in answer["Content-Security-Policy"], path
            assert answer["X-Content-Type-Options"] == "nosniff", path
            assert answer["Referrer-Policy"] == "same-origin", path
            assert answer["X-Frame-Options"] == "DENY", path
            assert "no-store" in answer["Cache-Control"], path
            assert answer.get("Server") is None, path
            for close in answer._resource_closers:  # a file; the answer's own close ends the connection, too
                close()


def test_an_unknown_host_gets_the_headers_too(cast: Cast) -> None:
    answer = Client().get("/", headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert b"evil.example" not in answer.content
    for header in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options"):
        assert header in answer, header


def test_our_own_fault_shows_nothing_of_the_inside(cast: Cast, browse: Browse) -> None:
    client = browse(cast.ada)
    client.raise_request_exception = False
    with patch("apps.portal.views.home.home_page", side_effect=RuntimeError("secret-detail")):
        answer = client.get("/")
    assert answer.status_code == 500
    assert b"secret-detail" not in answer.content
    assert b"Traceback" not in answer.content
    assert "default-src 'none'" in answer["Content-Security-Policy"]


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "\thttps://evil.example",
     "https:evil.example", "http://testserver@evil.example/", "/%0d%0aSet-Cookie:x=1", "//////evil.example"],
)  # fmt: skip
@pytest.mark.parametrize("page", [LOGIN, "/accounts/logout/", "/accounts/reauthenticate/"])
def test_next_stays_here(cast: Cast, browse: Browse, page: str, target: str) -> None:
    client = Client() if page == LOGIN else browse(cast.ada)
    data = {"login": "ada@example.org", "password": PASSWORD, "next": target}
    answer = client.post(page, data, query_params={"next": target})
    where = answer.headers.get("Location", "/")
    assert re.match(r"^/($|[^/\\])", where), where
    assert "\n" not in where


def test_the_session_is_another_one_after_signing_in(cast: Cast) -> None:
    client = Client()
    client.get("/people/")
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies["govportal_session"] = session.session_key
    assert sign_in(client).status_code == 302
    assert client.cookies["govportal_session"].value != session.session_key
    assert not Session.objects.filter(session_key=session.session_key).exists()


def signed_in(client: Client) -> bool:
    return client.get("/profile/").status_code == 200


def test_sessions_end(cast: Cast, browse: Browse) -> None:
    here, there = browse(cast.ada), Client()
    sign_in(here)
    sign_in(there)
    stolen = Client()
    stolen.cookies["govportal_session"] = there.cookies["govportal_session"].value
    assert signed_in(stolen)
    there.post("/accounts/logout/")
    assert not signed_in(stolen), "signing out ends the session, not only the cookie"
    sign_in(there)
    new = "another sentence of hers"
    data = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert here.post("/accounts/password/change/", data).status_code == 302
    assert signed_in(here)
    assert not signed_in(there), "a new password ends the other sessions"
    people.deactivate_person(cast.nils, actor=cast.mara, now=clock.now())
    nils = browse(cast.nils)
    assert not signed_in(nils)


def test_deactivating_ends_every_session(cast: Cast, browse: Browse) -> None:
    nils = browse(cast.nils)
    assert signed_in(nils)
    people.deactivate_person(cast.nils, actor=cast.mara, now=clock.now())
    assert not signed_in(nils)
    people.reactivate_person(cast.nils, actor=cast.mara, now=clock.now())
    assert not signed_in(nils), "an ended session does not come back"


def test_a_token_ends_with_its_person(cast: Cast) -> None:
    _, secret = issue_token(cast.nils, name="T", scopes=["read"], actor=cast.nils, now=clock.now())
    program = Client(headers={"Authorization": f"Bearer {secret}"})
    assert program.get("/api/v1/systems/").status_code == 200
    registry.deactivate_person(cast.nils, actor=cast.mara, now=clock.now())
    assert program.get("/api/v1/systems/").status_code == 401
    people.reactivate_person(cast.nils, actor=cast.mara, now=clock.now())
    assert program.get("/api/v1/systems/").status_code == 401, "whoever comes back issues a new one"


def test_a_role_ends_on_its_day(cast: Cast, browse: Browse) -> None:
    now = clock.now()
    day = timedelta(days=1)
    people.grant_role(cast.nils, RoleName.AUDITOR, actor=cast.mara, now=now - day, until=now + day)
    assert browse(cast.nils).get("/trail/").status_code == 200
    type(cast.nils.role_grants.get()).objects.update(until=now - timedelta(seconds=1))
    assert browse(cast.nils).get("/trail/").status_code == 403


def test_five_wrong_passwords_for_one_account(cast: Cast) -> None:
    """Whatever the stranger says about where they come from, and which of our names they call us by."""
    cache.clear()
    got = []
    for number in range(8):
        extra = {"headers": {"X-Forwarded-For": f"10.0.0.{number}", "X-Real-IP": f"10.0.0.{number}",
                             "Forwarded": f"for=10.0.0.{number}", "Host": f"testserver:{8000 + number}"}}  # fmt: skip
        got.append(sign_in(Client(REMOTE_ADDR=f"192.0.2.{number}"), "Ada@Example.org ", "wrong", **extra).status_code)
    assert got == [422] * 5 + [429] * 3
    cache.clear()


def test_ten_wrong_passwords_from_one_place(cast: Cast) -> None:
    cache.clear()
    got = [
        sign_in(
            Client(), f"n{number}@example.org", "wrong", headers={"X-Forwarded-For": f"10.0.0.{number}"}
        ).status_code
        for number in range(12)
    ]
    assert got == [422] * 10 + [429] * 2
    cache.clear()


@pytest.mark.committed
def test_wrong_passwords_at_once(committed_db: str) -> None:
    """The count is in the database, so that it is one for all workers; and no two tries count as one."""
    places = [partial_try(number) for number in range(9)]
    got = at_once(*places)
    assert got.count(422) <= 5
    assert got.count(422) + got.count(429) == 9


def partial_try(number: int) -> Callable[[], int]:
    return lambda: int(sign_in(Client(REMOTE_ADDR=f"192.0.2.{number}"), password="wrong").status_code)


def test_a_reset_tells_nobody_who_is_here(cast: Cast) -> None:
    cache.clear()
    said = []
    for email in ("ada@example.org", "nobody@example.org", "ivan@example.org", "robot@example.org"):
        answer = Client().post("/accounts/password/reset/", {"email": email}, follow=True)
        body = re.sub(rb'name="csrfmiddlewaretoken" value="[^"]*"', b"", answer.content)
        said.append((answer.status_code, answer.redirect_chain, body))
    assert all(one == said[0] for one in said)
    assert [message.to for message in mail.outbox] == [["ada@example.org"]]


def test_the_mailed_link_leads_here(cast: Cast) -> None:
    """Not to where the stranger says that they reach us."""
    cache.clear()
    headers = {"Host": "testserver:6666", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    Client(headers=headers).post("/accounts/password/reset/", {"email": "ada@example.org"})
    [message] = mail.outbox
    links = re.findall(r"https?://[^/\s]+", str(message.body))
    assert links
    assert set(links) == {settings.SITE_URL}


def test_forwarded_headers_of_a_stranger_are_ignored(cast: Cast, browse: Browse) -> None:
    _, secret = issue_token(cast.mara, name="T", scopes=["read"], actor=cast.mara, now=clock.now())
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Authorization": f"Bearer {secret}"}
    answer = Client(headers=headers).get("/api/v1/systems/")
    assert b"evil.example" not in answer.content
    assert not answer.wsgi_request.is_secure()
