"""Template tags that the components share: icons, initials, bars, matches."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from django import template
from django.conf import settings
from django.forms import BoundField
from django.template import Context
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from lucide.templatetags.lucide import lucide as draw

register = template.Library()

SEAT_WORDS = {
    "owner": "owner, accepted",
    "deputy": "deputy",
    "interim": "interim owner",
    "vacant": "vacant seat",
    "mailbox": "a mailbox, not a person",
    "committee": "a committee, not a person",
}
# The colours of a shape on paper. On screen the class of the same name wins.
PRINT_FILL = {
    "bar-done": "#2645a6",
    "bar-progress": "#c2d1f4",
    "bar-open": "#e2dfda",
    "bar-bad": "#ce302d",
    "bar-hole": "none",
}


@register.filter
def without_placeholder(field: BoundField) -> BoundField:
    """A field of a library's form without its placeholder: the label stands above the field and stays there."""
    field.field.widget.attrs.pop("placeholder", None)
    return field


@register.simple_tag
def icon(name: str, size: int = 16) -> str:
    """An inline Lucide icon, hidden from screen readers because a word always stands beside it."""
    return _svg(str(name), int(size))


@lru_cache(maxsize=256)
def _svg(name: str, size: int) -> str:
    return draw(name, size=size, stroke_width="1.75", aria_hidden="true", focusable="false")


@register.filter
def person_name(person: object) -> str:
    """The display name of a person given as an object, a mapping or a plain string."""
    if person is None:
        return ""
    if isinstance(person, Mapping):
        return str(person.get("display_name") or person.get("name") or "")
    name = getattr(person, "display_name", None) or getattr(person, "name", None)
    return str(name or person)


@register.filter
def initials(person: object) -> str:
    """First letters of the first and the last name: "Amara Nwosu" gives "AN"."""
    words = [word for word in re.split(r"[\s-]+", person_name(person)) if word[:1].isalnum()]
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()


@register.filter
def seat_words(person: object, kind: str) -> str:
    """What a seat says when no name stands beside it: "Amara Nwosu, deputy"."""
    return ", ".join(part for part in (person_name(person), SEAT_WORDS.get(kind, "")) if part)


@register.filter
def mark_match(text: object, query: object) -> SafeString:
    """Wrap the part of a text that matches the query in <mark>; everything is escaped."""
    value, needle = str(text), str(query or "").strip()
    start = value.lower().find(needle.lower()) if needle else -1
    if start < 0:
        return escape(value)
    end = start + len(needle)
    return format_html("{}<mark>{}</mark>{}", value[:start], value[start:end], value[end:])


@register.simple_tag
def fonts_installed() -> bool:
    """Whether the font packages are there; without them the system's fonts are used."""
    return bool(getattr(settings, "FONTS_INSTALLED", False))


@dataclass(frozen=True, slots=True)
class BarPart:
    """One rectangle of a stacked bar; x and width are percentages of the bar."""

    css_class: str
    label: str
    n: int
    x: str
    width: str
    fill: str
    hatched: bool


@dataclass(frozen=True, slots=True)
class StackedBar:
    """A bar ready to draw; ``id`` keeps the hatch pattern unique, ``rest_x`` is where nothing is."""

    id: str
    parts: tuple[BarPart, ...]
    rest_x: str
    description: str


@register.simple_tag(takes_context=True)
def stacked_bar(
    context: Context,
    parts: Iterable[Mapping[str, object]],
    total: int | None = None,
    gap: float = 0.3,
) -> StackedBar:
    """Lay out parts ({"n", "class", "label"}) as percentages; ``gap`` is the space between two of them."""
    counted = [(_count(part), part) for part in parts]
    whole = max(int(total or 0) or sum(n for n, _ in counted), 1)
    shapes, x = [], 0.0
    for n, part in counted:
        width = min(100 * n / whole, 100 - x)
        if n > 0 and width > 0:
            shapes.append(_part(part, n, x, max(width - gap, 0.2) if x + width < 99.99 else width))
        x += width
    words = ", ".join(f"{part.get('label', '')} {n}" for n, part in counted)
    rest_x = f"{x:.2f}%" if x < 99.99 else ""
    number = next(_bar_numbers(context))
    return StackedBar(id=f"bar-{number}", parts=tuple(shapes), rest_x=rest_x, description=words)


def _count(part: Mapping[str, object]) -> int:
    return int(str(part.get("n") or 0))


def _part(part: Mapping[str, object], n: int, x: float, width: float) -> BarPart:
    css_class = str(part.get("class") or "bar-done")
    return BarPart(
        css_class=css_class,
        label=str(part.get("label", "")),
        n=n,
        x=f"{x:.2f}%",
        width=f"{width:.2f}%",
        fill=PRINT_FILL.get(css_class, "#85817a"),
        hatched=css_class == "bar-hole",
    )


def _bar_numbers(context: Context) -> Iterator[int]:
    """One counter a rendering: two bars on one page never share the id of a pattern."""
    shared = cast("dict[str, Iterator[int]]", context.render_context.dicts[0])
    return shared.setdefault("bar_numbers", itertools.count(1))
