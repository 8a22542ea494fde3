"""OpenID Connect: the ID token is believed only where it is signed, ours, fresh, and asked for by this browser."""

import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
import requests
from allauth.socialaccount.models import SocialAccount
from django.core.cache import cache
from django.test import Client

from apps.audit.models import AuditEvent
from apps.common import clock
from apps.people.models import Person
from apps.people.requests import recent_confirmation
from apps.portal.sso import SocialAccountAdapter
from tests.cast import PASSWORD, Cast
from tests.sign_in.providers import ISSUER, Provider, configured, key_pair, oidc

CONFIRM = "/accounts/sso/corp/confirm/"


@pytest.fixture
def provider(cast: Cast, monkeypatch: Any) -> Iterator[Provider]:
    """A portal with one OpenID Connect provider that does what the test says."""
    cache.clear()
    found = Provider()
    with (
        configured(monkeypatch, oidc()),
        patch.object(SocialAccountAdapter, "get_requests_session", lambda self: found),
    ):
        yield found


def is_in(client: Client) -> bool:
    return client.get("/profile/").status_code == 200


def test_a_person_comes_in(provider: Provider, cast: Cast) -> None:
    client = Client()
    answer = provider.go(client, data={"next": "/people/"})
    assert (answer.status_code, answer["Location"]) == (302, "/people/")
    assert is_in(client)
    assert provider.asked["redirect_uri"] == ["http://localhost:8000/accounts/oidc/corp/login/callback/"]
    assert provider.asked["code_challenge_method"] == ["S256"]
    assert "prompt" not in provider.asked
    assert provider.posted["code_verifier"]
    account = SocialAccount.objects.get()
    assert (account.user_id, account.uid, account.extra_data) == (cast.ada.pk, "subject-of-ada", {})
    kinds = list(AuditEvent.objects.order_by("ts_us").values_list("kind", flat=True))
    assert kinds[-2:] == ["person.changed", "session.started"]
    cast.ada.refresh_from_db()
    assert cast.ada.check_password(PASSWORD), "the password stays"


def test_the_request_says_nothing_to_the_provider(provider: Provider) -> None:
    away = Client().post("/accounts/sso/corp/?scope=admin&auth_params=prompt%3Dnone&process=connect&action=x")
    assert "admin" not in away["Location"]
    assert "prompt" not in away["Location"]
    assert Client().get("/accounts/sso/corp/").status_code == 405, "nobody is sent off by a link"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"aud": "another client"},
        {"aud": ["govportal", "another"], "azp": "another"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"sub": None},
        {"sub": ""},
        {"nonce": "of another request"},
        {"nonce": None},
    ],
    ids=str,
)
def test_a_token_that_is_not_good(provider: Provider, claims: dict[str, Any]) -> None:
    provider.claims = claims
    client = Client()
    answer = provider.go(client)
    assert answer.status_code == 403
    assert b"could not be believed" in answer.content
    assert not is_in(client)
    assert SocialAccount.objects.count() == 0
    assert AuditEvent.objects.order_by("ts_us").last().kind == "session.refused"


@pytest.mark.parametrize("how", ["key", "none", "hmac", "kid", "issuer", "garbage", "missing"])
def test_a_signature_that_is_not_good(provider: Provider, how: str) -> None:
    if how == "key":
        provider.sign_with = key_pair("somebody else")[1]
    elif how == "none":
        provider.sign_with, provider.algorithm = "", "none"
    elif how == "hmac":
        provider.sign_with, provider.algorithm = "a" * 40, "HS256"
    elif how == "kid":
        provider.kid = "unknown"
    elif how == "issuer":
        provider.configuration = {"issuer": "https://other.example"}
    client = Client()
    with patch.object(provider, "id_token", return_value={"garbage": "x.y.z", "missing": None}.get(how)) if how in {
        "garbage", "missing",
    } else patch.object(provider, "posted", {}):  # fmt: skip
        answer = provider.go(client)
    assert answer.status_code == 403
    assert not is_in(client)


def test_an_answer_is_good_once_and_for_one_browser(provider: Provider) -> None:
    client = Client()
    assert provider.go(client).status_code == 302
    client.post("/accounts/logout/")
    assert provider.back(client).status_code == 403
    assert not is_in(client)
    provider.go(Client())
    stranger = Client()
    assert provider.back(stranger).status_code == 403
    assert stranger.get("/accounts/oidc/corp/login/callback/").status_code == 403
    assert stranger.get("/accounts/oidc/corp/login/callback/?error=access_denied").status_code == 403
    assert not is_in(stranger)


def test_a_token_is_good_once(provider: Provider) -> None:
    provider.claims = {"jti": "the-same"}
    client = Client()
    assert provider.go(client).status_code == 302
    client.post("/accounts/logout/")
    assert provider.go(client).status_code == 403


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"email": "stranger@example.org"}, b"Nobody here has this address"),
        ({"email": None}, b"Nobody here has this address"),
        ({"email_verified": False}, b"Nobody here has this address"),
        ({"email_verified": None}, b"Nobody here has this address"),
        ({"email_verified": "false"}, b"Nobody here has this address"),
        ({"email": "ivan@example.org"}, b"You cannot sign in any more"),
        ({"email": "robot@example.org"}, b"You cannot sign in any more"),
    ],
)
def test_only_people_who_are_known_and_active(provider: Provider, claims: dict[str, Any], says: bytes) -> None:
    provider.claims, client, before = claims, Client(), Person.objects.count()
    answer = provider.go(client)
    assert answer.status_code == 403
    assert says in answer.content
    assert not is_in(client)
    assert (Person.objects.count(), SocialAccount.objects.count()) == (before, 0)


def test_domains_say_about_whom_a_provider_is_believed(provider: Provider, monkeypatch: Any) -> None:
    with configured(monkeypatch, oidc(email_domains=["example.org"])):
        provider.claims = {"email_verified": None}
        client = Client()
        assert provider.go(client).status_code == 302
        assert is_in(client)
    with configured(monkeypatch, oidc(email_domains=["other.example"])):
        provider.claims = {"sub": "b", "email": "ben@example.org"}
        assert provider.go(Client()).status_code == 403


def test_a_linked_person_who_was_deactivated_stays_out(provider: Provider, cast: Cast) -> None:
    from apps.people import actions as people

    provider.claims = {"email": "nils@example.org", "sub": "n"}
    client = Client()
    provider.go(client)
    assert is_in(client)
    people.deactivate_person(cast.nils, actor=cast.mara, now=clock.now())
    assert not is_in(client)
    assert b"You cannot sign in any more" in provider.go(client).content


def test_the_own_second_factor_is_asked_unless_the_provider_does(
    provider: Provider, cast: Cast, monkeypatch: Any
) -> None:
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    TOTP.activate(cast.ada, generate_totp_secret())
    client = Client()
    assert provider.go(client)["Location"] == "/accounts/2fa/authenticate/"
    assert not is_in(client)
    with configured(monkeypatch, oidc(second_factor=True)):
        client = Client()
        assert provider.go(client)["Location"] == "/"
        assert is_in(client)


def test_confirming_before_a_signature(provider: Provider) -> None:
    client = Client()
    provider.go(client)
    now = int(time.time())
    for claims, says in (
        ({"auth_time": now - 3600}, b"did not ask you again"),
        ({}, b"did not ask you again"),
        ({"auth_time": "now"}, b"did not ask you again"),
        ({"auth_time": now, "sub": "somebody"}, b"as somebody else"),
    ):
        provider.claims = claims
        answer = provider.go(client, CONFIRM, {"next": "/people/"})
        assert answer.status_code == 403
        assert says in answer.content
        assert recent_confirmation(client.get("/profile/").wsgi_request, now=clock.now()) is None
    provider.claims = {"auth_time": now}
    answer = provider.go(client, CONFIRM, {"next": "/people/"})
    assert answer["Location"] == "/people/"
    assert provider.asked["prompt"] == ["login"]
    assert provider.asked["max_age"] == ["0"]
    found = recent_confirmation(client.get("/profile/").wsgi_request, now=clock.now())
    assert found is not None
    assert found.method == "sso:corp"
    assert Client().get(CONFIRM).status_code == 302


def test_a_provider_that_is_down(provider: Provider) -> None:
    with patch.object(provider, "request", side_effect=requests.ConnectionError):
        answer = Client().post("/accounts/sso/corp/")
    assert answer.status_code == 403
    assert b"does not answer" in answer.content


def test_thirty_tries_a_minute(provider: Provider) -> None:
    got = [Client().post("/accounts/sso/corp/").status_code for _ in range(31)]
    assert got == [302] * 30 + [429]
    cache.clear()


def test_the_sign_in_page_offers_it_first(provider: Provider) -> None:
    text = Client().get("/accounts/login/?next=/people/").content.decode()
    assert (
        0 < text.index("Sign in with Aldermoor SSO") < text.index("Continue with a passkey") < text.index("Work email")
    )
    assert text.count('name="next" value="/people/"') == 3
    assert ISSUER not in text
