"""What the contact of a row is. Only an address of one person's own can lead to a person."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

from apps.people.rules import is_role_address

_ADDRESS = re.compile(r"[^\s,;:<>()\"'|]+@[^\s,;:<>()\"'|@]+\.[^\s,;:<>()\"'|@]+")


class ContactClass(StrEnum):
    """From nothing at all to a person whom the portal knows. Every row is in exactly one class."""

    NONE = "none"
    NOT_AN_ADDRESS = "not_an_address"
    SEVERAL = "several"
    SHARED = "shared"
    UNKNOWN = "unknown"
    PERSON = "person"


def single_address(contact: str) -> tuple[ContactClass | None, str]:
    """The one address of a contact in lower case, or the class that says why there is none.

    A comma left at the end does not make several; an address beside other words is not an address.
    """
    text = contact.strip()
    if not text:
        return ContactClass.NONE, ""
    found = {match.lower() for match in _ADDRESS.findall(text)}
    if len(found) > 1:
        return ContactClass.SEVERAL, ""
    rest = _ADDRESS.sub("", text).strip(" \t\r\n,;")
    if not found or rest or "://" in text:
        return ContactClass.NOT_AN_ADDRESS, ""
    return None, found.pop()


def classify_contacts(
    contacts: Iterable[tuple[int, str]], people: Mapping[str, object], threshold: int
) -> tuple[dict[int, tuple[ContactClass, str]], Counter[str]]:
    """The class and address of each row's contact, and how many rows stand behind each shared address.

    `people` has the addresses (lower case) of active people known to the portal. An address behind more than
    `threshold` rows of the file is shared, and so is one that names a duty or a team.
    """
    read = {row: single_address(contact) for row, contact in contacts}
    behind = Counter(address for kind, address in read.values() if kind is None)
    classes = {
        row: (kind or _class_of(address, behind[address], people, threshold), address)
        for row, (kind, address) in read.items()
    }
    shared = {address for kind, address in classes.values() if kind == ContactClass.SHARED}
    return classes, Counter({address: behind[address] for address in shared})


def _class_of(address: str, rows: int, people: Mapping[str, object], threshold: int) -> ContactClass:
    if rows > threshold or is_role_address(address):
        return ContactClass.SHARED
    return ContactClass.PERSON if address in people else ContactClass.UNKNOWN


def contact_class(contact: str) -> ContactClass:
    """The class of one contact without its file: an address that many rows share can't be told from one's own."""
    kind, address = single_address(contact)
    return kind or _class_of(address, 1, {}, 1)
