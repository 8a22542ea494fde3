"""What a source means with the owner that it names: one person, several, a team, a mailbox. No Django here.

CODEOWNERS names @user, @organisation/team or an address
(https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners).
A catalogue's spec.owner is an entity reference [kind:][namespace/]name whose kind is Group unless it says User
(https://backstage.io/docs/features/software-catalog/references).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import translate

from apps.people.rules import is_role_address


class Reading(StrEnum):
    """What a value names. The same words as in the table."""

    PERSON = "person"
    SEVERAL = "several"
    TEAM = "team"
    MAILBOX = "mailbox"
    SERVICE = "service"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Read:
    """A value as it was read: the address or the handle where it can name one person."""

    reading: Reading
    name: str = ""


def read_owner(value: str) -> Read:
    """What an owner's text names. Addresses and handles in lower case."""
    names = sorted({name for name in re.split(r"[\s,;]+", value.strip().lower()) if name})
    if not names:
        return Read(Reading.UNKNOWN)
    if len(names) > 1:
        return Read(Reading.SEVERAL)
    return _read_one(names[0])


def _read_one(name: str) -> Read:
    name = name.removeprefix("mailto:")
    if name.startswith("@"):
        return Read(Reading.TEAM) if "/" in name else Read(Reading.PERSON, name[1:])
    if "@" in name:
        return Read(Reading.MAILBOX) if is_role_address(name) else Read(Reading.PERSON, name)
    if name.startswith("user:"):
        return Read(Reading.PERSON, name.split(":", 1)[1].rsplit("/", 1)[-1])
    if name.startswith("group:"):
        return Read(Reading.TEAM)
    return Read(Reading.UNKNOWN)


@dataclass(frozen=True)
class Rule:
    """One line of a CODEOWNERS file."""

    pattern: str
    owners: tuple[str, ...]


def codeowners(text: str) -> list[Rule]:
    """The rules of a CODEOWNERS file in their order. Sections (GitLab) and comments are left out."""
    found = []
    for line in text.splitlines():
        words = line.split("#", 1)[0].split()
        if words and not words[0].startswith(("[", "^[")):
            found.append(Rule(words[0], tuple(words[1:])))
    return found


def owners_of(rules: Iterable[Rule], path: str) -> tuple[str, ...]:
    """Who owns a path: the last rule that matches it says so, also that nobody does.

    An empty path asks for the whole repository: the last rule for everything, else everybody whom the file names.
    """
    rules = list(rules)
    if path.strip("/"):
        matching = [rule for rule in rules if _matches(rule.pattern, path.strip("/"))]
        return matching[-1].owners if matching else ()
    whole = [rule for rule in rules if rule.pattern in {"*", "**", "/", "/**", "/*"}]
    if whole:
        return whole[-1].owners
    return tuple(sorted({owner for rule in rules for owner in rule.owners}))


def _matches(pattern: str, path: str) -> bool:
    """As in .gitignore: a pattern with a slash in it starts at the root, one for a folder covers what is in it."""
    anchored = "/" in pattern.rstrip("/")
    core = pattern.strip("/")
    tries = [core, f"{core}/*"] if anchored else [core, f"{core}/*", f"*/{core}", f"*/{core}/*"]
    return any(re.match(translate(one), path) for one in tries)


@dataclass(frozen=True)
class Entry:
    """One entity of a catalogue: how it may be known here, and who owns it."""

    names: tuple[str, ...]
    owner: str


# The key of a system here, said in a catalogue's entity.
KEY_ANNOTATION = "govportal/system-key"
OWNED_KINDS = {"component", "api", "resource", "system", "airesource", "template", "domain"}


def catalogue(documents: Iterable[object]) -> Iterator[Entry]:
    """The entities of a catalogue that have an owner. A user's own address stands in for the user's name."""
    entities = [document for document in documents if isinstance(document, dict)]
    addresses = dict(filter(None, map(_address, entities)))
    for entity in entities:
        owner = _text(entity, "spec", "owner")
        if str(entity.get("kind", "")).lower() in OWNED_KINDS and owner:
            named = addresses.get(_user_name(owner), "")
            yield Entry(_names(entity), named or (owner if ":" in owner else f"group:{owner}"))


def _address(entity: dict[str, object]) -> tuple[str, str] | None:
    email = _text(entity, "spec", "profile", "email")
    return (_text(entity, "metadata", "name").lower(), email) if entity.get("kind") == "User" and email else None


def _user_name(owner: str) -> str:
    return owner.lower().split(":", 1)[1].rsplit("/", 1)[-1] if owner.lower().startswith("user:") else ""


def _names(entity: dict[str, object]) -> tuple[str, ...]:
    name, namespace = _text(entity, "metadata", "name"), _text(entity, "metadata", "namespace") or "default"
    key = _text(entity, "metadata", "annotations", KEY_ANNOTATION)
    kind = str(entity.get("kind", "")).lower()
    return tuple(filter(None, (key, name, f"{kind}:{namespace}/{name}" if name else "")))


def _text(entity: object, *path: str) -> str:
    for step in path:
        entity = entity.get(step) if isinstance(entity, dict) else None
    return entity.strip() if isinstance(entity, str) else ""
