"""What the palette shows of an answer and of a person."""

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from apps.people.models import Person
from apps.portal.queries.answers import Answer


def groups(systems: list[Answer], people: list[Person]) -> list[dict[str, Any]]:
    """The groups of `components/palette_results.html`; empty ones are left out."""
    found = [
        {"heading": "Systems and agents", "results": [_system(answer) for answer in systems]},
        {"heading": "People", "results": [_person(person) for person in people]},
    ]
    return [group for group in found if group["results"]]


def _system(answer: Answer) -> dict[str, Any]:
    system = answer.system
    return {
        "url": f"{reverse('portal:who')}?{urlencode({'system': system.key})}",
        "icon": "bot",
        "title": system.name,
        "meta": f"{system.key} · {system.get_tier_display() if system.tier != 'unknown' else 'Tier unknown'}",
        "person": answer.person,
        "kind": answer.kind,
        "role": answer.role,
        "phone": answer.phone,
        "deputy": answer.deputy,
        "next": next((n.person for n in answer.then if n.person != answer.deputy), None),
    }


def _person(person: Person) -> dict[str, Any]:
    return {
        "url": f"{reverse('portal:who')}?{urlencode({'person': person.pk})}",
        "icon": "user",
        "title": person.display_name,
        "meta": person.title,
        "person": person,
        "kind": "person",
        "role": person.title,
        "phone": person.phone,
    }
