"""A filter of RFC 7644 as one condition for the database, so that a list costs the same at any size."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Lower
from django.db.models.lookups import (
    Contains,
    EndsWith,
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    IsNull,
    LessThan,
    LessThanOrEqual,
    StartsWith,
)

from apps.directory.rules.errors import ScimError
from apps.directory.rules.filters import ENTERPRISE, Attribute, Both, Compare, Element, Node, Not, equalities

Terms = Callable[[Compare], Q | None]
_TEXT_TESTS: dict[str, Any] = {
    "eq": Exact, "co": Contains, "sw": StartsWith, "ew": EndsWith,
    "gt": GreaterThan, "ge": GreaterThanOrEqual, "lt": LessThan, "le": LessThanOrEqual,
}  # fmt: skip
_SHARED = {"id", "externalid", "meta"}
_MOMENTS = {"created": "created_at", "lastmodified": "changed_at"}
# How resources are written; a filter may write the names in any case.
_WRITTEN = {
    name.lower(): name
    for name in (
        "displayName", "nickName", "profileUrl", "userType", "preferredLanguage", "givenName", "familyName",
        "middleName", "honorificPrefix", "honorificSuffix", "phoneNumbers", "employeeNumber", "costCenter",
    )
}  # fmt: skip


def users_matching(node: Node) -> Q:
    """The users for whom a filter is so. Raises ScimError with invalidFilter for what can't be asked."""
    return _condition(node, _user_term, _user_element)


def groups_matching(node: Node) -> Q:
    """The groups for which a filter is so. Raises ScimError with invalidFilter for what can't be asked."""
    return _condition(node, _group_term, _group_element)


def _condition(node: Node, term: Terms, element: Callable[[Element], Q]) -> Q:
    if isinstance(node, Both):
        left, right = _condition(node.left, term, element), _condition(node.right, term, element)
        return left & right if node.op == "and" else left | right
    if isinstance(node, Not):
        return ~_condition(node.inner, term, element)
    if isinstance(node, Element):
        return element(node)
    found = term(node)
    if found is None:
        raise ScimError(400, f"The filter can't ask {'.'.join(node.attribute.key)} {node.op}.", "invalidFilter")
    return found


def _user_term(node: Compare) -> Q | None:
    key = node.attribute.key
    if key == ("username",):
        return _on_column(node, "user_key", _lower)
    if key in (("emails",), ("emails", "value")):
        return _on_email(node)
    if key == ("active",):
        return _on_active(node)
    if key in ((ENTERPRISE.lower(), "manager"), (ENTERPRISE.lower(), "manager", "value"), ("manager",)):
        return _on_column(node, "manager_ref", str)
    return _shared_term(node) if key[0] in _SHARED else _on_document(node)


def _shared_term(node: Compare) -> Q | None:
    """What users and groups have alike."""
    key = node.attribute.key
    if key == ("id",):
        return _on_id(node)
    if key == ("externalid",):
        return _on_column(node, "external_id", str)
    if len(key) == 2 and key[0] == "meta" and key[1] in _MOMENTS:
        return _on_moment(node, _MOMENTS[key[1]])
    return None


def _lower(value: Any) -> str:
    return str(value).lower()


def _on_column(node: Compare, column: str, made: Callable[[Any], str]) -> Q:
    if node.op == "pr":
        return ~Q(**{column: ""})
    if node.op == "ne":
        return ~Q(**{column: made(node.value)})
    return (
        Q(_TEXT_TESTS[node.op](F(column), Value(made(node.value))))
        if node.op != "eq"
        else Q(**{column: made(node.value)})
    )


def _on_id(node: Compare, column: str = "scim_id") -> Q | None:
    if node.op == "pr":
        return Q(pk__isnull=False)
    if node.op not in ("eq", "ne"):
        return None
    try:
        found = Q(**{column: UUID(str(node.value))})
    except ValueError:
        found = Q(pk__in=[])
    return found if node.op == "eq" else ~found


def _on_active(node: Compare) -> Q | None:
    if node.op == "pr":
        return Q(pk__isnull=False)
    wanted = str(node.value).lower()
    if node.op not in ("eq", "ne") or wanted not in ("true", "false"):
        return None
    return Q(person__is_active=(wanted == "true") == (node.op == "eq"))


def _on_email(node: Compare) -> Q | None:
    """Equality reads an index; the person's address is one of those that were sent, or the userName."""
    text = str(node.value)
    if node.op == "pr":
        return Q(pk__isnull=False)
    if node.op in ("eq", "ne"):
        found = Q(document__contains={"emails": [{"value": text}]}) | Q(person__email=text.lower())
        return found if node.op == "eq" else ~found
    return Q(_TEXT_TESTS[node.op](F("person__email"), Value(text.lower())))


def _on_moment(node: Compare, column: str) -> Q | None:
    if node.op == "pr":
        return Q(pk__isnull=False)
    lookup = {"eq": "", "ne": "", "gt": "__gt", "ge": "__gte", "lt": "__lt", "le": "__lte"}.get(node.op)
    try:
        moment = datetime.fromisoformat(str(node.value))
    except ValueError:
        return None
    if lookup is None or moment.tzinfo is None:
        return None
    found = Q(**{f"{column}{lookup}": moment})
    return ~found if node.op == "ne" else found


def _on_document(node: Compare) -> Q:
    """Any other attribute, read from the resource as it was sent; text in any case."""
    text: Any = F("document")
    for name in _written(node.attribute):
        text = KeyTextTransform(name, text)
    if node.op == "pr":
        return ~Q(IsNull(text, True)) & ~Q(Exact(Coalesce(text, Value(""), output_field=TextField()), Value("")))
    said = Lower(Coalesce(text, Value(""), output_field=TextField()))
    wanted = Value("" if node.value is None else _lower(node.value))
    if node.op == "ne":
        return ~Q(Exact(said, wanted))
    return Q(_TEXT_TESTS[node.op](said, wanted))


def _written(attribute: Attribute) -> list[str]:
    names = [_WRITTEN.get(name.lower(), name[:1].lower() + name[1:]) for name in attribute.names]
    return [attribute.schema, *names] if attribute.schema else names


def _user_element(node: Element) -> Q:
    """`emails[type eq "work" and value eq "a@b"]`: only with eq and and, which an index answers."""
    said = equalities(node.inner)
    if said is None or node.attribute.schema:
        raise ScimError(400, "Inside brackets a filter asks with eq and and.", "invalidFilter")
    name = _written(node.attribute)[0]
    return Q(document__contains={name: [{_written(Attribute("", (key,)))[0]: value for key, value in said.items()}]})


def _group_term(node: Compare) -> Q | None:
    key = node.attribute.key
    if key == ("displayname",):
        return _on_column(node, "name_key", _lower)
    if key in (("members",), ("members", "value")):
        if node.op == "pr":
            return Q(members__isnull=False)
        return _on_id(node, "members__scim_id") if node.op == "eq" else None
    return _shared_term(node)


def _group_element(node: Element) -> Q:
    said = equalities(node.inner)
    if node.attribute.key != ("members",) or said is None or {key.lower() for key in said} != {"value"}:
        raise ScimError(400, "Groups are asked for members[value eq …] only.", "invalidFilter")
    value = next(iter(said.values()))
    return _on_id(Compare(Attribute("", ("members", "value")), "eq", value), "members__scim_id") or Q(pk__in=[])
