"""What a Group resource says (RFC 7643 section 4.2). No Django here."""

from dataclasses import dataclass
from typing import Any

from apps.directory.rules.errors import ScimError
from apps.directory.rules.patch import value_of
from apps.directory.rules.users import clean

LONGEST_NAME = 255
MOST_MEMBERS = 100_000


@dataclass(frozen=True)
class GroupFacts:
    """A name, the directory's own id, and the ids of the members."""

    name: str
    external_id: str
    members: frozenset[str]


def group_facts(document: Any) -> GroupFacts:
    """What the resource says. Raises ScimError with invalidValue."""
    if not isinstance(document, dict):
        raise ScimError(400, "The body has to be a JSON object.", "invalidSyntax")
    name = value_of(document, "displayName")
    if not isinstance(name, str) or not clean(name):
        raise ScimError(400, "A group needs a displayName.", "invalidValue")
    external_id = clean(str(value_of(document, "externalId") or ""))
    if len(clean(name)) > LONGEST_NAME or len(external_id) > LONGEST_NAME:
        raise ScimError(400, f"displayName and externalId have {LONGEST_NAME} characters at most.", "invalidValue")
    return GroupFacts(clean(name), external_id, _members(value_of(document, "members")))


def _members(listed: Any) -> frozenset[str]:
    if listed is None:
        return frozenset()
    if not isinstance(listed, list):
        raise ScimError(400, "members has to be a list.", "invalidValue")
    if len(listed) > MOST_MEMBERS:
        raise ScimError(413, f"A group has {MOST_MEMBERS:,} members at most.", "tooMany")
    found = (value_of(one, "value") if isinstance(one, dict) else one for one in listed)
    return frozenset(str(value).lower() for value in found if value)
