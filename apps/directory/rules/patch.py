"""PATCH as identity providers really send it (RFC 7644 section 3.5.2, and what Entra and Okta make of it).

Beyond the letter: `op` in any case; keys inside a value without a path may be dotted, or carry the name of an
extension; `remove` of `members` with a list of values removes only these; `replace` of `emails[type eq "work"].value`
makes the element where there is none. No Django here.
"""

from copy import deepcopy
from typing import Any

from apps.directory.rules.errors import ScimError
from apps.directory.rules.filters import Attribute, Node, Path, attribute_named, equalities, matches, parse_path

MOST_OPERATIONS = 1000
MULTI_VALUED = {
    "addresses", "emails", "entitlements", "groups", "ims", "members", "phonenumbers", "photos", "roles",
    "x509certificates",
}  # fmt: skip

Document = dict[str, Any]


def apply_patch(document: Document, body: Any) -> Document:
    """The document after every operation. Raises ScimError for one that can't be done; then nothing is changed."""
    changed = deepcopy(document)
    for operation in operations_of(body):
        _apply(changed, operation)
    return changed


def operations_of(body: Any) -> list[Document]:
    """The operations of a PATCH body. Raises ScimError with invalidSyntax, or tooMany."""
    found = value_of(body, "Operations") if isinstance(body, dict) else None
    if not isinstance(found, list) or not found or not all(isinstance(one, dict) for one in found):
        raise ScimError(400, "A PATCH needs a list of Operations.", "invalidSyntax")
    if len(found) > MOST_OPERATIONS:
        raise ScimError(413, f"A PATCH has {MOST_OPERATIONS} operations at most.", "tooMany")
    return found


def key_of(holder: Document, name: str) -> str:
    """The key under which an attribute is kept; names have no case."""
    return next((key for key in holder if key.lower() == name.lower()), name)


def value_of(holder: Any, *names: str) -> Any:
    """The value below these names, in any case; None where there is none."""
    for name in names:
        if not isinstance(holder, dict):
            return None
        holder = holder.get(key_of(holder, name))
    return holder


def _apply(document: Document, operation: Document) -> None:
    op, path, value = (value_of(operation, name) for name in ("op", "path", "value"))
    op = op.lower() if isinstance(op, str) else ""
    if op not in ("add", "replace", "remove"):
        raise ScimError(400, "op has to be add, replace or remove.", "invalidSyntax")
    if path is not None and not isinstance(path, str):
        raise ScimError(400, "path has to be text.", "invalidPath")
    if path:
        _at(document, op, parse_path(path), value)
    elif op == "remove":
        raise ScimError(400, "A removal needs a path.", "noTarget")
    elif not isinstance(value, dict):
        raise ScimError(400, "Without a path the value has to be an object.", "invalidValue")
    else:
        for name, part in value.items():
            _at(document, op, _path_of_key(name), part)


def _path_of_key(name: str) -> Path:
    return parse_path(name) if "[" in name else Path(attribute_named(name))


def _at(document: Document, op: str, path: Path, value: Any) -> None:
    holder, names = _holder(document, path.attribute, create=op != "remove")
    if holder is None:
        return
    if not names:  # the extension as a whole
        _whole(document, path.attribute.schema, op, value)
    elif path.element is not None:
        _elements(holder, names[0], op, path.element, path.sub, value)
    elif op == "remove":
        _remove(holder, names[0], value)
    else:
        _put(holder, names[0], op, value)


def _holder(document: Document, attribute: Attribute, *, create: bool) -> tuple[Document | None, tuple[str, ...]]:
    """The object that keeps the last name of an attribute, and that name."""
    holder = document
    for name in ((attribute.schema,) if attribute.schema else ()) + attribute.names[:-1]:
        key = key_of(holder, name)
        inner = holder.get(key)
        if isinstance(inner, list):  # emails.value means the first one
            inner = inner[0] if inner and isinstance(inner[0], dict) else None
            if inner is None and create:
                holder[key] = [inner := {}]
        elif not isinstance(inner, dict):
            inner = None
            if create:
                holder[key] = inner = {}
        if inner is None:
            return None, attribute.names[-1:]
        holder = inner
    return holder, attribute.names[-1:]


def _whole(document: Document, schema: str, op: str, value: Any) -> None:
    key = key_of(document, schema)
    if op == "remove":
        document.pop(key, None)
        return
    if not isinstance(value, dict):
        raise ScimError(400, "The value of an extension has to be an object.", "invalidValue")
    for name, part in value.items():
        _put(document[key], name, op, part)


def _put(holder: Document, name: str, op: str, value: Any) -> None:
    key = key_of(holder, name)
    held = holder.get(key)
    if value is None:
        holder.pop(key, None)
    elif name.lower() in MULTI_VALUED:
        values = value if isinstance(value, list) else [value]
        holder[key] = _joined(held if isinstance(held, list) else [], values) if op == "add" else values
    elif isinstance(held, dict) and isinstance(value, dict):
        for inner, part in value.items():
            _put(held, inner, op, part)
    else:
        holder[key] = value


def _joined(held: list[Any], added: list[Any]) -> list[Any]:
    """Both lists; what has the same `value` (and type) is there once, as it was sent last."""
    joined: dict[str, Any] = {}
    for one in [*held, *added]:
        joined[_identity(one)] = one
    return list(joined.values())


def _identity(one: Any) -> str:
    if isinstance(one, dict):
        return f"{value_of(one, 'value')}\0{value_of(one, 'type') or ''}"
    return str(one)


def _remove(holder: Document, name: str, value: Any) -> None:
    key = key_of(holder, name)
    held = holder.get(key)
    if isinstance(held, list) and value not in (None, [], ""):
        gone = {_value_in(one) for one in (value if isinstance(value, list) else [value])}
        holder[key] = [one for one in held if _value_in(one) not in gone]
    else:
        holder.pop(key, None)


def _value_in(one: Any) -> str:
    return str(value_of(one, "value") if isinstance(one, dict) else one).lower()


def _elements(holder: Document, name: str, op: str, element: Node, sub: str, value: Any) -> None:
    key = key_of(holder, name)
    held = holder.get(key)
    elements: list[Any] = held if isinstance(held, list) else []
    chosen = [one for one in elements if matches(element, one)]
    if op == "remove":
        if sub:
            for one in chosen:
                one.pop(key_of(one, sub), None)
        elif elements:
            holder[key] = [one for one in elements if one not in chosen]
        return
    if not chosen:
        chosen = [_made(element, path=name)]
        holder[key] = [*elements, *chosen]
    for one in chosen:
        _set(one, sub, value)


def _made(element: Node, *, path: str) -> Document:
    said = equalities(element)
    if said is None:
        raise ScimError(400, f"No value of {path} is meant by this filter.", "noTarget")
    return dict(said)


def _set(one: Document, sub: str, value: Any) -> None:
    if sub:
        one[key_of(one, sub)] = value
    elif isinstance(value, dict):
        for name, part in value.items():
            one[key_of(one, name)] = part
    else:
        raise ScimError(400, "The value has to be an object.", "invalidValue")
