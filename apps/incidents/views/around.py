"""The pages around the list of incidents: what is prepared, rehearsed and learnt, for who may open it."""

from dataclasses import dataclass

from django.urls import reverse

from apps.access.queries import may
from apps.access.rules import Permission
from apps.incidents.actions.card_export import may_export
from apps.people.models import Person


@dataclass(frozen=True)
class Link:
    """One page: its words and its address."""

    words: str
    url: str


@dataclass(frozen=True)
class Group:
    """Pages under one word."""

    heading: str
    links: tuple[Link, ...]


def around(reader: Person) -> list[Group]:
    """The pages that the reader may open, none that would refuse them. One query, which the reader's page asks
    anyhow."""
    reads, manages = may(reader, Permission.INCIDENTS_READ_ALL), may(reader, Permission.INCIDENTS_MANAGE)
    groups = {
        "Prepare": [
            ("Who responds", "rules", True),
            ("Who is called when", "plans", True),
            ("Would calling work?", "preflight", reads),
            ("Runbooks", "runbooks", True),
            ("Legal clocks", "clock_rules", True),
            ("Sources", "sources", manages),
            ("For when the portal is down", "cards_export", may_export(reader)),
        ],
        "Rehearse": [("Drills", "drills", True)],
        "Learn": [
            ("Reviews", "reviews", True),
            ("Register of decisions", "clock_register", True),
            ("Incidents in numbers", "metrics", reads),
        ],
    }
    return [
        Group(heading, tuple(Link(words, reverse(f"incidents:{name}")) for words, name, allowed in links if allowed))
        for heading, links in groups.items()
    ]
