"""Typed readers for environment variables: a missing or bad value stops the start with a sentence."""

import os
import sys
from collections.abc import Collection
from importlib import import_module
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays
from django.core.exceptions import ImproperlyConfigured

TRUE_WORDS = {"1", "true", "yes", "on"}
FALSE_WORDS = {"0", "false", "no", "off", ""}


def load_settings() -> None:
    """Read the settings now: what is missing or no good ends the process with its sentence, without a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "govportal.settings")
    try:
        import_module(os.environ["DJANGO_SETTINGS_MODULE"])
    except ImproperlyConfigured as error:
        sys.exit(f"govportal: {error}")


def env_str(name: str, default: str | None = None) -> str:
    """The value of NAME, or the content of the file that NAME_FILE points to.

    Raises ImproperlyConfigured where neither is set, or is empty, and there is no default.
    """
    path = os.environ.get(f"{name}_FILE")
    value = _read_secret(name, path) if path else os.environ.get(name, default)
    if value is None or (value == "" and default is None):
        raise ImproperlyConfigured(f"{name} is not set. Set it, or set {name}_FILE to a file that holds it.")
    return value


def _read_secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE points to {path}, which can't be read: {error}.") from error


def env_bool(name: str, default: bool) -> bool:
    """A yes/no value. Raises ImproperlyConfigured for any other word."""
    word = env_str(name, "true" if default else "false").strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ImproperlyConfigured(f"{name} is {word!r}. Use true or false.")


def env_int(name: str, default: int, *, least: int = 0, most: int | None = None) -> int:
    """A whole number from `least` to `most`. Raises ImproperlyConfigured for anything else."""
    word = env_str(name, str(default))
    try:
        number = int(word)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {word!r}. Use a whole number.") from None
    if number < least or (most is not None and number > most):
        allowed = f"{least} or more" if most is None else f"{least} to {most}"
        raise ImproperlyConfigured(f"{name} is {word}. Use {allowed}.")
    return number


def env_list(name: str, default: str = "") -> list[str]:
    """Values separated by commas."""
    return [part.strip() for part in env_str(name, default).split(",") if part.strip()]


def env_choices(name: str, choices: Collection[str]) -> frozenset[str]:
    """Values separated by commas, each one of `choices`. Raises ImproperlyConfigured for any other."""
    chosen = frozenset(env_list(name))
    unknown = sorted(chosen - set(choices))
    if unknown:
        known = ", ".join(sorted(choices))
        raise ImproperlyConfigured(f"{name} names {', '.join(unknown)}. Known are: {known}.")
    return chosen


def env_map(name: str, allowed: Collection[str]) -> dict[str, str]:
    """Pairs as `Group=word, Other group=word`. Raises ImproperlyConfigured for another shape or word."""
    found = {}
    for part in env_list(name):
        key, _, word = part.rpartition("=")
        if not key.strip() or word.strip() not in allowed:
            words = ", ".join(sorted(allowed))
            raise ImproperlyConfigured(f"{name} holds {part!r}. Write a name, =, and one of: {words}.")
        found[key.strip()] = word.strip()
    return found


def env_networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Networks such as 10.20.0.0/16, separated by commas. Raises ImproperlyConfigured for what is none."""
    try:
        return [ip_network(part) for part in env_list(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}. Write networks such as 10.20.0.0/16.") from None


def env_zone(name: str, default: str) -> str:
    """The name of a time zone. Raises ImproperlyConfigured for one that does not exist."""
    zone = env_str(name, default)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ImproperlyConfigured(f"{name} is {zone!r}. Use the name of a time zone, such as Europe/Berlin.") from None
    return zone


def env_country(name: str) -> str:
    """The code of a country whose public holidays are known, or "". Raises ImproperlyConfigured for any other."""
    code = env_str(name, "")
    try:
        holidays.country_holidays(code or "US")
    except NotImplementedError:
        raise ImproperlyConfigured(f"{name} is {code!r}. Use the two letters of a country, such as DE.") from None
    return code


def env_site(name: str) -> str:
    """The address of the portal, without a slash at its end. Raises ImproperlyConfigured for what is none."""
    address = env_str(name).rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path:
        raise ImproperlyConfigured(f"{name} is {address!r}. It has to look like https://govportal.example.org.")
    return address


def database_from_url(url: str, name: str) -> dict[str, object]:
    """Django's database settings from postgres://user:password@host:port/name."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise ImproperlyConfigured(f"{name} has to look like postgres://user:password@host:5432/database.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


def mail_from_url(url: str) -> tuple[str, int, str, str, bool]:
    """Host, port, user, password and STARTTLS from smtp://user:password@host:port or smtp+tls://…"""
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtp+tls"} or not parts.hostname:
        raise ImproperlyConfigured("EMAIL_URL has to look like smtp+tls://user:password@host:587.")
    return (
        parts.hostname,
        parts.port or 25,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        parts.scheme == "smtp+tls",
    )
