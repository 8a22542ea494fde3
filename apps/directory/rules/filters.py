"""Filters and paths of RFC 7644 (sections 3.4.2.2 and 3.5.2): text in, a small tree out. No Django here.

The parser is our own: the one that is published reads `a or b and c` as `(a or b) and c`, knows no escaped quote,
no number of two digits and no path that goes on after a bracket.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apps.directory.rules.errors import ScimError

LONGEST = 4000
DEEPEST = 20
OPERATORS = {"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"}
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
SCHEMAS = {urn.lower(): urn for urn in (USER, GROUP, ENTERPRISE)}

_TOKEN = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])|(?P<mark>[()\[\]])'
    r"|(?P<rest>\.[A-Za-z$][\w$-]*)|(?P<word>[A-Za-z$][\w:.$-]*))"
)


@dataclass(frozen=True)
class Attribute:
    """One attribute: `schema` is "" for those of the core; `names` are one or two, as they were written."""

    schema: str
    names: tuple[str, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """The names in lower case, with the extension in front: attribute names have no case."""
        return ((self.schema.lower(),) if self.schema else ()) + tuple(name.lower() for name in self.names)


@dataclass(frozen=True)
class Compare:
    """`attribute op value`; `pr` has no value."""

    attribute: Attribute
    op: str
    value: Any = None


@dataclass(frozen=True)
class Both:
    """`left and right`, or `left or right`."""

    op: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True)
class Not:
    """`not (inner)`."""

    inner: "Node"


@dataclass(frozen=True)
class Element:
    """`attribute[inner]`: one value of many for which all of inner is so."""

    attribute: Attribute
    inner: "Node"


Node = Compare | Both | Not | Element


@dataclass(frozen=True)
class Path:
    """What a PATCH operation is about: an attribute, which of its values, and what of those."""

    attribute: Attribute
    element: Node | None = None
    sub: str = ""


def attribute_named(text: str) -> Attribute:
    """`userName`, `name.givenName`, or either behind the name of a schema. Raises ScimError for none of these."""
    schema, name = "", text
    if text.lower().startswith("urn:"):
        if text.lower() in SCHEMAS:
            return Attribute(SCHEMAS[text.lower()], ())
        schema, _, name = text.rpartition(":")
        schema = SCHEMAS.get(schema.lower(), schema)
    names = tuple(name.split("."))
    if not all(re.fullmatch(r"[A-Za-z$][\w$-]*", part) for part in names) or len(names) > 2:
        raise ScimError(400, f"{text[:100]} is no attribute.", "invalidPath")
    return Attribute("" if schema in (USER, GROUP) else schema, names)


def parse_filter(text: str) -> Node:
    """The tree of a filter. Raises ScimError with invalidFilter."""
    parser = _Parser(text, "invalidFilter")
    node = parser.either(0)
    parser.end()
    return node


def parse_path(text: str) -> Path:
    """The path of a PATCH operation. Raises ScimError with invalidPath."""
    parser = _Parser(text, "invalidPath")
    attribute = parser.attribute()
    element, sub = None, ""
    if parser.take("mark", "["):
        element = parser.either(1)
        parser.need("]")
        if parser.kind == "rest":
            sub = parser.value[1:]
            parser.step()
    parser.end()
    return Path(attribute, element, sub)


class _Parser:
    """Reads one token ahead."""

    def __init__(self, text: str, scim_type: str) -> None:
        self.text, self.scim_type, self.at = text, scim_type, 0
        self.kind, self.value = "", ""
        if len(text) > LONGEST:
            raise ScimError(400, f"A filter or path has {LONGEST} characters at most.", scim_type)
        self.step()

    def wrong(self) -> ScimError:
        """The error at this place."""
        return ScimError(400, f"The expression can't be read at character {self.at + 1}.", self.scim_type)

    def step(self) -> None:
        """Read the next token; kind "" is the end."""
        if not self.text[self.at :].strip():
            self.kind = self.value = ""
            return
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            raise self.wrong()
        self.kind, self.value, self.at = str(found.lastgroup), found[str(found.lastgroup)], found.end()

    def take(self, kind: str, value: str) -> bool:
        """Step over this token where it stands here; words in any case."""
        if self.kind != kind or self.value.lower() != value:
            return False
        self.step()
        return True

    def need(self, mark: str) -> None:
        """Step over a bracket that has to stand here."""
        if not self.take("mark", mark):
            raise self.wrong()

    def end(self) -> None:
        """Nothing may follow."""
        if self.kind:
            raise self.wrong()

    def attribute(self) -> Attribute:
        """The attribute that has to stand here."""
        if self.kind != "word":
            raise self.wrong()
        try:
            found = attribute_named(self.value)
        except ScimError as error:
            raise self.wrong() from error
        self.step()
        return found

    def either(self, depth: int) -> Node:
        """`and` binds more strongly than `or`."""
        if depth > DEEPEST:
            raise self.wrong()
        node = self._both(depth)
        while self.take("word", "or"):
            node = Both("or", node, self._both(depth))
        return node

    def _both(self, depth: int) -> Node:
        node = self._one(depth)
        while self.take("word", "and"):
            node = Both("and", node, self._one(depth))
        return node

    def _one(self, depth: int) -> Node:
        if self.kind == "word" and self.value.lower() == "not":
            self.step()
            self.need("(")
            return self._closed(Not, depth)
        if self.take("mark", "("):
            return self._closed(lambda inner: inner, depth)
        attribute = self.attribute()
        if self.take("mark", "["):
            inner = self.either(depth + 1)
            self.need("]")
            return Element(attribute, inner)
        return self._compare(attribute)

    def _closed(self, made: Callable[[Node], Node], depth: int) -> Node:
        inner = self.either(depth + 1)
        self.need(")")
        return made(inner)

    def _compare(self, attribute: Attribute) -> Compare:
        op = self.value.lower() if self.kind == "word" else ""
        if not attribute.names or op not in OPERATORS | {"pr"}:
            raise self.wrong()
        self.step()
        if op == "pr":
            return Compare(attribute, op)
        return Compare(attribute, op, self._literal())

    def _literal(self) -> Any:
        words = {"true": True, "false": False, "null": None}
        if self.kind in ("text", "number"):
            try:
                value = json.loads(self.value)
            except ValueError as error:
                raise self.wrong() from error
        elif self.kind == "word" and self.value.lower() in words:
            value = words[self.value.lower()]
        else:
            raise self.wrong()
        self.step()
        return value


def matches(node: Node, value: Any) -> bool:
    """Whether one value of a multi-valued attribute is meant by a filter. Text is compared in any case."""
    if isinstance(node, Both):
        sides = (matches(node.left, value), matches(node.right, value))
        return all(sides) if node.op == "and" else any(sides)
    if isinstance(node, Not):
        return not matches(node.inner, value)
    if isinstance(node, Element):
        return False
    return _compared(node, _found(value, node.attribute.names))


def _found(value: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        if not isinstance(value, dict):
            return value if name.lower() == "value" else None
        value = next((held for key, held in value.items() if key.lower() == name.lower()), None)
    return value


def _compared(node: Compare, found: Any) -> bool:
    if node.op == "pr":
        return found not in (None, "", [], {})
    left, right = _plain(found), _plain(node.value)
    if node.op in ("eq", "ne"):
        return bool(left == right) == (node.op == "eq")
    if not isinstance(left, str) or not isinstance(right, str):
        return False
    tests = {"co": right in left, "sw": left.startswith(right), "ew": left.endswith(right)}
    ordered = {"gt": left > right, "ge": left >= right, "lt": left < right, "le": left <= right}
    return (tests | ordered)[node.op]


def _plain(value: Any) -> Any:
    """Text without case; Entra writes booleans as text."""
    if isinstance(value, str):
        return value.lower()
    return str(value).lower() if isinstance(value, bool) else value


def equalities(node: Node) -> dict[str, Any] | None:
    """What `type eq "work" and primary eq true` says as values; None for any other filter."""
    if isinstance(node, Compare) and node.op == "eq" and len(node.attribute.names) == 1:
        return {node.attribute.names[0]: node.value}
    if isinstance(node, Both) and node.op == "and":
        left, right = equalities(node.left), equalities(node.right)
        return None if left is None or right is None else left | right
    return None
