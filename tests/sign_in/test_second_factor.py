"""Codes and passkeys: limits, the trail, who has to have one, and what confirms a signature."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.core.cache import cache
from django.test import Client, override_settings

from apps.access.actions import issue_token
from apps.audit.models import AuditEvent
from apps.common import clock
from apps.people.actions import grant_role
from apps.people.requests import recent_confirmation
from apps.people.rules import RoleName
from tests.cast import PASSWORD, Cast

Browse = Callable[[Any], Client]


@pytest.fixture(autouse=True)
def fresh_limits(db: None) -> Iterator[None]:
    """No attempts were made yet."""
    cache.clear()
    yield
    cache.clear()


def code(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time()))))


def sign_in(name: str = "ada", **extra: Any) -> tuple[Client, Any]:
    client = Client(**extra)
    return client, client.post("/accounts/login/", {"login": f"{name}@example.org", "password": PASSWORD})


def test_five_wrong_codes_are_too_many_and_say_when_to_try_again(cast: Cast) -> None:
    secret = generate_totp_secret()
    TOTP.activate(cast.ada, secret)
    client, _ = sign_in()
    got = [client.post("/accounts/2fa/authenticate/", {"code": "000000"}) for _ in range(6)]
    assert [answer.status_code for answer in got] == [422] * 5 + [429]
    assert got[-1]["Retry-After"] == "300"
    until = (clock.now() + timedelta(minutes=5)).astimezone(clock.organisation_zone())
    assert any(
        f"Try again in five minutes, at {moment:%H:%M}" in got[-1].content.decode()
        for moment in (until, until - timedelta(minutes=1))
    )
    other, _ = sign_in(REMOTE_ADDR="192.0.2.9")
    assert other.post("/accounts/2fa/authenticate/", {"code": code(secret)}).status_code == 429, "from anywhere"
    assert AuditEvent.objects.filter(kind="session.refused").count() == 5
    assert secret not in str(list(AuditEvent.objects.values()))


def test_a_password_confirms_only_where_there_is_no_second_factor(cast: Cast) -> None:
    client, _ = sign_in()
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    request = client.get("/profile/").wsgi_request
    found = recent_confirmation(request, now=clock.now())
    assert found is not None
    assert found.method == "password"
    assert recent_confirmation(request, now=clock.now() + timedelta(minutes=6)) is None
    secret = generate_totp_secret()
    TOTP.activate(cast.ada, secret)
    assert recent_confirmation(request, now=clock.now()) is None
    page = client.get("/accounts/reauthenticate/?next=/people/")
    assert page["Location"] == "/accounts/2fa/reauthenticate/?next=%2Fpeople%2F"
    answer = client.post("/accounts/2fa/reauthenticate/?next=/people/", {"code": code(secret)})
    assert answer["Location"] == "/people/"
    found = recent_confirmation(client.get("/profile/").wsgi_request, now=clock.now())
    assert found is not None
    assert found.method == "totp"


def test_signing_in_alone_confirms_nothing(cast: Cast) -> None:
    client, _ = sign_in()
    assert recent_confirmation(client.get("/profile/").wsgi_request, now=clock.now()) is None


@pytest.mark.parametrize("credential", ["", "{}", "[]", "x", '{"response": {}}', '{"response": {"userHandle": "eA"}}'])
def test_nonsense_for_a_passkey(cast: Cast, credential: str) -> None:
    client = Client()
    assert (
        "request_options" in client.get("/accounts/2fa/passkeys/login/", headers={"accept": "application/json"}).json()
    )
    answer = client.post("/accounts/2fa/passkeys/login/", {"credential": credential})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/")
    assert client.get("/profile/").status_code == 302


def test_ten_passkeys_a_minute_from_one_place(cast: Cast) -> None:
    got = [Client().post("/accounts/2fa/passkeys/login/", {"credential": "x"}).status_code for _ in range(12)]
    assert got == [302] * 10 + [429] * 2


@pytest.mark.parametrize(
    ("required", "name", "led"),
    [
        ("mandate_holder", "mara", True),
        ("mandate_holder", "cleo", False),
        ("seat_holder", "cleo", True),
        ("auditor", "eve", True),
        ("board", "bo", True),
        ("administrator", "nils", True),
        ("administrator", "ada", False),
        ("everybody", "ada", True),
    ],
)
def test_who_has_to_have_one_is_led_to_set_it_up(
    cast: Cast, browse: Browse, required: str, name: str, led: bool
) -> None:
    grant_role(cast.nils, RoleName.ADMINISTRATOR, actor=cast.mara, now=clock.now())
    person = getattr(cast, name)
    client = browse(person)
    with override_settings(MFA_REQUIRED_FOR=frozenset({required})):
        for path in ("/", "/people/", "/profile/", "/systems/"):
            answer = client.get(path)
            assert (answer.status_code == 302 and answer["Location"] == "/accounts/2fa/") == led, path
        assert (b"Set one up to go on." in client.get("/accounts/2fa/").content) == led
        TOTP.activate(person, generate_totp_secret())
        assert client.get("/people/").status_code == 200
        assert b"Set one up to go on." not in client.get("/accounts/2fa/").content
        Authenticator.objects.filter(user=person).delete()
        assert (client.get("/people/").status_code == 302) == led
        assert client.post("/accounts/logout/").status_code == 302


def test_programs_and_strangers_are_not_asked(cast: Cast) -> None:
    _, secret = issue_token(cast.mara, name="T", scopes=["read"], actor=cast.mara, now=clock.now())
    with override_settings(MFA_REQUIRED_FOR=frozenset({"everybody"})):
        program = Client(headers={"Authorization": f"Bearer {secret}"})
        assert program.get("/api/v1/systems/").status_code == 200
        assert Client().get("/accounts/login/").status_code == 200
        assert Client().get("/healthz").status_code == 200
