"""Identity providers of the organisation: read from one JSON text, strictly, into what allauth expects."""

import json
import re
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from govportal.environment import env_str

COMMON = {"id", "type", "name", "email_domains", "second_factor", "origins"}
NEEDED = {
    "oidc": {"issuer", "client_id", "client_secret"},
    "saml": {"entity_id", "sso_url", "certificate"},
}
OPTIONAL = {"oidc": {"scope"}, "saml": {"email_attribute", "subject_attribute"}}
EMAIL_ATTRIBUTES = (
    "urn:oid:0.9.2342.19200300.100.1.3",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "mail",
    "email",
)


@dataclass(frozen=True)
class IdentityProvider:
    """One way to sign in that somebody else runs."""

    id: str
    type: str  # oidc | saml
    name: str
    # Addresses that the provider is believed about. None: those that it says are verified (OIDC only).
    email_domains: tuple[str, ...]
    # Whether the provider itself asks for a second factor, so that ours is not asked and not demanded.
    second_factor: bool
    origins: tuple[str, ...]
    options: dict[str, Any]

    @property
    def app(self) -> dict[str, Any]:
        """What allauth keeps of it."""
        options = self.options
        if self.type == "oidc":
            return {
                "provider_id": self.id,
                "name": self.name,
                "client_id": options["client_id"],
                "secret": options["client_secret"],
                "settings": {
                    "server_url": options["issuer"],
                    "oauth_pkce_enabled": True,
                    "scope": ["openid", "email", *options.get("scope", [])],
                },
            }
        return {
            "provider_id": self.id,
            "name": self.name,
            "client_id": self.id,
            "settings": {
                "idp": {
                    "entity_id": options["entity_id"],
                    "sso_url": options["sso_url"],
                    "x509cert": options["certificate"],
                },
                "attribute_mapping": {
                    "email": [options["email_attribute"]] if "email_attribute" in options else list(EMAIL_ATTRIBUTES)
                }
                | ({"uid": options["subject_attribute"]} if "subject_attribute" in options else {}),
            },
        }


def env_providers(name: str) -> tuple[IdentityProvider, ...]:
    """The providers in NAME, a JSON list. Raises ImproperlyConfigured with a sentence for anything unknown in it."""
    try:
        rows = json.loads(env_str(name, "[]") or "[]")
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is not JSON: {error}.") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ImproperlyConfigured(f"{name} has to be a JSON list of objects, one for each provider.")
    providers = tuple(_provider(name, row) for row in rows)
    ids = [provider.id for provider in providers]
    if len(set(ids)) != len(ids):
        raise ImproperlyConfigured(f"{name} names two providers with the same id.")
    if any(provider.type == "saml" for provider in providers):
        _need_saml(name)
    return providers


def allauth_providers(providers: tuple[IdentityProvider, ...]) -> dict[str, dict[str, Any]]:
    """SOCIALACCOUNT_PROVIDERS."""
    return {
        kind: {"APPS": [provider.app for provider in providers if provider.type == short]}
        for short, kind in (("oidc", "openid_connect"), ("saml", "saml"))
    }


def _provider(name: str, row: dict[str, Any]) -> IdentityProvider:
    kind = row.get("type")
    if kind not in NEEDED:
        raise ImproperlyConfigured(f'{name}: the type of a provider is "oidc" or "saml", not {kind!r}.')
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,29}", str(row.get("id", ""))):
        raise ImproperlyConfigured(f"{name}: the id of a provider is 1 to 30 small letters, digits or hyphens.")
    where = f"{name}: provider {row['id']}"
    unknown = set(row) - COMMON - NEEDED[kind] - OPTIONAL[kind]
    if unknown:
        raise ImproperlyConfigured(f"{where} has unknown fields: {', '.join(sorted(unknown))}.")
    for field in sorted({"name"} | NEEDED[kind]):
        if not isinstance(row.get(field), str) or not row[field].strip():
            raise ImproperlyConfigured(f"{where} needs a text in {field}.")
    for field in ("email_domains", "origins", "scope"):
        if not _texts(row.get(field, [])):
            raise ImproperlyConfigured(f"{where}: {field} has to be a list of texts.")
    if not isinstance(row.get("second_factor", False), bool):
        raise ImproperlyConfigured(f"{where}: second_factor has to be true or false.")
    if kind == "saml" and not row.get("email_domains"):
        raise ImproperlyConfigured(f"{where} needs email_domains: SAML does not say which addresses are verified.")
    address = row["issuer" if kind == "oidc" else "sso_url"]
    return IdentityProvider(
        id=row["id"],
        type=kind,
        name=row["name"].strip()[:40],
        email_domains=tuple(domain.lower().lstrip("@") for domain in row.get("email_domains", [])),
        second_factor=row.get("second_factor", False),
        origins=(_origin(where, address), *(_origin(where, other) for other in row.get("origins", []))),
        options={key: row[key] for key in (NEEDED[kind] | OPTIONAL[kind]) & set(row)},
    )


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one for one in value)


def _origin(where: str, address: str) -> str:
    parts = urlsplit(address)
    local = parts.hostname in {"localhost", "127.0.0.1"}
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise ImproperlyConfigured(f"{where}: {address!r} has to be an https:// address.")
    return f"{parts.scheme}://{parts.netloc}"


def _need_saml(name: str) -> None:
    try:
        import_module("onelogin.saml2.auth")
    except (ImportError, OSError) as error:
        raise ImproperlyConfigured(
            f"{name} names a SAML provider, but python3-saml or xmlsec can't be loaded here: {error}. "
            "Install them, or use OpenID Connect."
        ) from error
