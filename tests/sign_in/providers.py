"""Identity providers for the tests: one of OpenID Connect and one of SAML, with keys made on the spot."""

import base64
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.test import override_settings
from onelogin.saml2.constants import OneLogin_Saml2_Constants
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from govportal.identity import allauth_providers, env_providers

ISSUER = "https://login.example.org"
IDP = "https://idp.example.org/metadata"


@cache
def key_pair(name: str) -> tuple[Any, str, str]:
    """A private key, the same as PEM, and a certificate for it."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    day = timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - day)
        .not_valid_after(datetime.now(UTC) + day)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return key, pem, certificate.public_bytes(serialization.Encoding.PEM).decode()


def oidc(**changes: Any) -> dict[str, Any]:
    """An OpenID Connect provider as in the environment."""
    return {
        "type": "oidc",
        "id": "corp",
        "name": "Aldermoor SSO",
        "issuer": ISSUER,
        "client_id": "govportal",
        "client_secret": "not a real secret",
    } | changes


def saml(**changes: Any) -> dict[str, Any]:
    """A SAML provider as in the environment."""
    return {
        "type": "saml",
        "id": "idp",
        "name": "Partner login",
        "entity_id": IDP,
        "sso_url": "https://idp.example.org/sso",
        "certificate": key_pair("idp")[2],
        "email_domains": ["example.org"],
    } | changes


@contextmanager
def configured(monkeypatch: Any, *rows: dict[str, Any]) -> Iterator[None]:
    """The settings as they are with these providers in the environment."""
    import json

    monkeypatch.setenv("IDENTITY_PROVIDERS", json.dumps(rows))
    providers = env_providers("IDENTITY_PROVIDERS")
    with override_settings(IDENTITY_PROVIDERS=providers, SOCIALACCOUNT_PROVIDERS=allauth_providers(providers)):
        yield


class Provider:
    """What an OpenID Connect provider answers over HTTP. `claims` change the next ID token."""

    def __init__(self) -> None:
        self.key, self.pem, _ = key_pair("oidc")
        self.kid, self.algorithm, self.sign_with = "k1", "RS256", self.pem
        self.claims: dict[str, Any] = {}
        self.asked: dict[str, list[str]] = {}
        self.configuration: dict[str, Any] = {}
        self.posted: dict[str, Any] = {}

    def request(self, method: str, url: str, **kwargs: Any) -> "Answer":
        """In place of the session of requests."""
        if url.endswith("/.well-known/openid-configuration"):
            return Answer(
                {
                    "issuer": ISSUER,
                    "authorization_endpoint": f"{ISSUER}/authorize",
                    "token_endpoint": f"{ISSUER}/token",
                    "jwks_uri": f"{ISSUER}/keys",
                    "token_endpoint_auth_methods_supported": ["client_secret_post"],
                }
                | self.configuration
            )
        if url == f"{ISSUER}/keys":
            public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
            return Answer({"keys": [{**public, "kid": "k1", "alg": "RS256", "use": "sig"}]})
        assert url == f"{ISSUER}/token"
        self.posted = kwargs["data"]
        return Answer({"access_token": "a", "token_type": "Bearer", "id_token": self.id_token()})

    def get(self, url: str, **kwargs: Any) -> "Answer":
        """GET."""
        return self.request("GET", url, **kwargs)

    def __enter__(self) -> "Provider":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def id_token(self) -> str:
        """Signed, for the request that was made, unless `claims` says otherwise."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": "govportal",
            "sub": "subject-of-ada",
            "email": "ada@example.org",
            "email_verified": True,
            "iat": now,
            "exp": now + 300,
            "nonce": self.asked.get("nonce", [""])[0],
        } | self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.sign_with, algorithm=self.algorithm, headers={"kid": self.kid})

    def go(self, client: Any, begin: str = "/accounts/sso/corp/", data: Any = None) -> Any:
        """Off to the provider and back."""
        away = client.post(begin, data or {})
        assert away.status_code == 302, away.content
        assert away["Location"].startswith(f"{ISSUER}/authorize?")
        self.asked = parse_qs(urlsplit(away["Location"]).query)
        return self.back(client)

    def back(self, client: Any, state: str = "") -> Any:
        """The provider sends the browser back with a code."""
        state = state or self.asked["state"][0]
        return client.get("/accounts/oidc/corp/login/callback/", {"code": "c", "state": state})


class Answer:
    """An answer of the provider."""

    status_code = 200

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
        self.headers = {"content-type": "application/json"}
        self.text = self.content = "{}"

    def json(self) -> dict[str, Any]:
        """The body."""
        return self.body

    def raise_for_status(self) -> None:
        """All is well."""


def request_id(location: str) -> str:
    """The ID of the request that we sent, as the provider reads it."""
    packed = parse_qs(urlsplit(location).query)["SAMLRequest"][0]
    xml = zlib.decompress(base64.b64decode(packed), -15)
    return str(ElementTree.fromstring(xml).attrib["ID"])  # noqa: S314


def at(seconds: int) -> str:
    """A moment of SAML, so many seconds from now."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def saml_response(
    asked: str,
    *,
    email: str = "ada@example.org",
    subject: str = "subject-of-ada",
    key: str = "idp",
    until: int = 300,
    audience: str | None = "",
    recipient: str = "",
    issuer: str = IDP,
    authenticated: int = -5,
    signed: bool = True,
    answers: bool = True,
    number: str = "1",
) -> str:
    """A response as a provider sends it, signed with xmlsec."""
    site = settings.SITE_URL
    acs = recipient or f"{site}/accounts/saml/idp/acs/"
    audience = f"{site}/accounts/saml/idp/metadata/" if audience == "" else audience
    to = f' InResponseTo="{asked}"' if asked else ""
    told = to if answers else ""
    restriction = (
        f"<saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction>"
        if audience
        else ""
    )
    assertion = f"""<saml:Assertion xmlns:saml="{OneLogin_Saml2_Constants.NS_SAML}" ID="_a{number}" Version="2.0"
  IssueInstant="{at(-5)}">
<saml:Issuer>{issuer}</saml:Issuer>
<saml:Subject>
<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{subject}</saml:NameID>
<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
<saml:SubjectConfirmationData{told} NotOnOrAfter="{at(until)}" Recipient="{acs}"/>
</saml:SubjectConfirmation>
</saml:Subject>
<saml:Conditions NotBefore="{at(-600)}" NotOnOrAfter="{at(until)}">{restriction}</saml:Conditions>
<saml:AuthnStatement AuthnInstant="{at(authenticated)}">
<saml:AuthnContext>
<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>
</saml:AuthnContext>
</saml:AuthnStatement>
<saml:AttributeStatement>
<saml:Attribute Name="mail">
<saml:AttributeValue>{email}</saml:AttributeValue>
</saml:Attribute>
</saml:AttributeStatement>
</saml:Assertion>"""
    if signed:
        _, pem, certificate = key_pair(key)
        made = OneLogin_Saml2_Utils.add_sign(assertion, pem, certificate)
        assertion = made.decode() if isinstance(made, bytes) else made
        assertion = assertion.split("?>", 1)[-1]
    response = f"""<samlp:Response xmlns:samlp="{OneLogin_Saml2_Constants.NS_SAMLP}"
  xmlns:saml="{OneLogin_Saml2_Constants.NS_SAML}"
  ID="_r{number}" Version="2.0" IssueInstant="{at(-5)}" Destination="{site}/accounts/saml/idp/acs/"{to}>
<saml:Issuer>{issuer}</saml:Issuer>
<samlp:Status>
<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>
</samlp:Status>{assertion}</samlp:Response>"""
    return base64.b64encode(response.encode()).decode()
