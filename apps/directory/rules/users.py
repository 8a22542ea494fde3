"""What a User resource says about a person (RFC 7643 sections 4.1 and 4.3). No Django here."""

import zoneinfo
from dataclasses import dataclass, field
from typing import Any

from apps.directory.rules.errors import ScimError
from apps.directory.rules.filters import ENTERPRISE, USER
from apps.directory.rules.patch import Document, key_of, value_of

# Ours to say, or never kept: a password that is sent along is dropped unread.
NOT_KEPT = {"id", "meta", "schemas", "groups", "password"}
LONGEST = {"user_name": 254, "email": 254, "display_name": 200, "title": 200, "phone": 40, "external_id": 255}
ZONES = zoneinfo.available_timezones()


@dataclass(frozen=True)
class UserFacts:
    """What the portal takes from a resource. `None` where the directory says nothing."""

    user_name: str
    external_id: str
    active: bool
    email: str
    display_name: str
    manager: str
    department: str
    employee_number: str
    # Of the profile: title, phone, time_zone; "" empties it, a name that is missing says nothing.
    profile: dict[str, str] = field(default_factory=dict)


def kept(document: Any) -> Document:
    """The resource as it is kept: what was sent, without what is ours to say. Raises ScimError for no object."""
    if not isinstance(document, dict):
        raise ScimError(400, "The body has to be a JSON object.", "invalidSyntax")
    return {name: value for name, value in document.items() if name.lower() not in NOT_KEPT}


def boolean(value: Any) -> bool:
    """True or false, also as Entra writes it. Raises ScimError with invalidValue."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ScimError(400, "active has to be true or false.", "invalidValue")


def facts_of(document: Document, *, active: bool) -> UserFacts:
    """What the resource says; `active` is what holds where it does not say. Raises ScimError with invalidValue."""
    user_name = _text(document, "userName")
    if not user_name:
        raise ScimError(400, "A user needs a userName.", "invalidValue")
    said = value_of(document, "active")
    return UserFacts(
        user_name=_short("user_name", user_name),
        external_id=_short("external_id", _text(document, "externalId")),
        active=active if said is None else boolean(said),
        email=_short("email", _email(document, user_name)),
        display_name=_name(document, user_name),
        manager=manager_of(document)[:255],
        department=_text(document, ENTERPRISE, "department")[:200],
        employee_number=_text(document, ENTERPRISE, "employeeNumber")[:100],
        profile=_profile(document),
    )


def manager_of(document: Document) -> str:
    """What names the manager: the id in an object, in a list of one, as bare text, or the end of a $ref."""
    manager = value_of(document, ENTERPRISE, "manager")
    if isinstance(manager, list):
        manager = manager[0] if manager else None
    if isinstance(manager, dict):
        manager = value_of(manager, "value") or str(value_of(manager, "$ref") or "").rstrip("/").rpartition("/")[2]
    return str(manager).strip() if manager else ""


def _text(document: Document, *names: str) -> str:
    value = value_of(document, *names)
    if value is None or isinstance(value, dict | list):
        return ""
    return clean(str(value))


def clean(text: str) -> str:
    """One line. Raises ScimError for a NUL, which the database does not keep."""
    if "\0" in text:
        raise ScimError(400, "No text here can hold a NUL character.", "invalidValue")
    return " ".join(text.split())


def _short(name: str, text: str) -> str:
    if len(text) > LONGEST[name]:
        raise ScimError(400, f"{name.replace('_', ' ')} has {LONGEST[name]} characters at most.", "invalidValue")
    return text


def _email(document: Document, user_name: str) -> str:
    """The primary address, else the one for work, else the first; else the userName where it is an address."""
    listed = value_of(document, "emails")
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    ranked = sorted(found, key=lambda one: (not _primary(one), str(value_of(one, "type")).lower() != "work"))
    addresses = [clean(str(value_of(one, "value") or "")) for one in ranked]
    address = next((address for address in [*addresses, user_name] if "@" in address), "")
    if not address:
        raise ScimError(400, "A user needs an email address: in emails, or as userName.", "invalidValue")
    return address.lower()


def _primary(one: Document) -> bool:
    return str(value_of(one, "primary")).lower() == "true"


def _name(document: Document, user_name: str) -> str:
    parts = [_text(document, "name", part) for part in ("givenName", "familyName")]
    given = " ".join(part for part in parts if part)
    chosen = _text(document, "displayName") or _text(document, "name", "formatted") or given or user_name
    return chosen[: LONGEST["display_name"]]


def _profile(document: Document) -> dict[str, str]:
    profile = {}
    if value_of(document, "title") is not None:
        profile["title"] = _text(document, "title")[: LONGEST["title"]]
    if (phone := _phone(document)) is not None:
        profile["phone"] = phone[: LONGEST["phone"]]
    if (zone := _text(document, "timezone")) in ZONES:
        profile["time_zone"] = zone
    return profile


def _phone(document: Document) -> str | None:
    listed = value_of(document, "phoneNumbers")
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not found:
        return None
    order = {"work": 1, "mobile": 2}
    best = min(found, key=lambda one: (not _primary(one), order.get(str(value_of(one, "type")).lower(), 3)))
    return clean(str(value_of(best, "value") or ""))


def with_active(document: Document, active: bool) -> Document:
    """The document with this `active`, under the key that it has."""
    return document | {key_of(document, "active"): active}


def schemas_of(document: Document) -> list[str]:
    """The schemas of what a resource holds."""
    return [USER, *(key for key in document if key.lower() == ENTERPRISE.lower())]
