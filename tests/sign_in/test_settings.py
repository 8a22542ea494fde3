"""What the settings accept of identity providers and second factors: exactly what is known."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.core.exceptions import ImproperlyConfigured

from govportal import identity
from govportal.environment import env_choices
from tests.sign_in.providers import oidc, saml

ROOT = Path(__file__).resolve().parent.parent.parent


def read(monkeypatch: Any, value: Any) -> tuple[identity.IdentityProvider, ...]:
    monkeypatch.setenv("IDENTITY_PROVIDERS", value if isinstance(value, str) else json.dumps(value))
    return identity.env_providers("IDENTITY_PROVIDERS")


def test_none_and_two(monkeypatch: Any) -> None:
    assert read(monkeypatch, "") == read(monkeypatch, "[]") == ()
    found = read(monkeypatch, [oidc(origins=["https://adfs.example.org/x"]), saml()])
    assert [(one.id, one.origins) for one in found] == [
        ("corp", ("https://login.example.org", "https://adfs.example.org")),
        ("idp", ("https://idp.example.org",)),
    ]
    apps = identity.allauth_providers(found)
    assert [app["provider_id"] for kind in ("openid_connect", "saml") for app in apps[kind]["APPS"]] == ["corp", "idp"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("{", "is not JSON"),
        ("{}", "has to be a JSON list"),
        ('["x"]', "has to be a JSON list"),
        ([{"type": "ldap"}], 'is "oidc" or "saml"'),
        ([oidc(id="Corp!")], "the id of a provider"),
        ([oidc(), oidc()], "two providers with the same id"),
        ([oidc(secret="x")], "unknown fields: secret"),
        ([oidc(client_secret="")], "needs a text in client_secret"),
        ([oidc(issuer="http://login.example.org")], "has to be an https:// address"),
        ([oidc(issuer="login")], "has to be an https:// address"),
        ([oidc(email_domains="example.org")], "email_domains has to be a list"),
        ([oidc(second_factor="yes")], "second_factor has to be true or false"),
        ([saml(email_domains=[])], "needs email_domains"),
        ([saml(certificate=None)], "needs a text in certificate"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_anything_else_stops_the_start_with_a_sentence(monkeypatch: Any, value: Any, says: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        read(monkeypatch, value)
    assert says in str(caught.value)


def test_without_xmlsec_only_saml_is_missing(monkeypatch: Any) -> None:
    with patch.object(identity, "import_module", side_effect=ImportError("no xmlsec")):
        assert len(read(monkeypatch, [oidc()])) == 1
        with pytest.raises(ImproperlyConfigured, match="can't be loaded here: no xmlsec"):
            read(monkeypatch, [saml()])


def test_nothing_loads_saml_before_it_is_needed() -> None:
    code = "import django, sys; django.setup(); import govportal.urls; print('onelogin' in str(sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "False"


def test_who_needs_a_second_factor(monkeypatch: Any) -> None:
    known = ("administrator", "seat_holder")
    monkeypatch.setenv("MFA_REQUIRED_FOR", " administrator , seat_holder")
    assert env_choices("MFA_REQUIRED_FOR", known) == {"administrator", "seat_holder"}
    monkeypatch.setenv("MFA_REQUIRED_FOR", "administrators")
    with pytest.raises(ImproperlyConfigured, match="names administrators"):
        env_choices("MFA_REQUIRED_FOR", known)
