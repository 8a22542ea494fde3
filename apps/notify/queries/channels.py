"""How each person is reached: their channels in order, with what is known about each."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.notify.models import Channel, Endpoint
from apps.notify.rules.masks import masked
from apps.people.models import Person

# A test that is older says nothing about today (section 1.5: the preflight looks for it).
TEST_HOLDS = timedelta(days=90)


@dataclass(frozen=True)
class Reach:
    """One way to reach a person. `channel` is None for the e-mail address of the profile that nobody tested."""

    person: Person
    kind: str
    address: str
    channel: Channel | None = None
    endpoint: Endpoint | None = None
    verified_at: datetime | None = None
    tested_at: datetime | None = None

    @property
    def label(self) -> str:
        """ "Text message"."""
        return Channel.Kind(self.kind).label

    @property
    def masked(self) -> str:
        """The address as everybody may see it."""
        return masked(self.address)

    @property
    def usable(self) -> bool:
        """Whether something can be sent by it now: e-mail always, another way after its code came back."""
        if self.endpoint is None:
            return self.kind == Channel.Kind.EMAIL
        return self.verified_at is not None and self.endpoint.ended_at is None

    def is_tested(self, now: datetime) -> bool:
        """Whether the person confirmed a test within the last 90 days."""
        return self.tested_at is not None and now - self.tested_at <= TEST_HOLDS


def reach(person: Person) -> list[Reach]:
    """The ways to reach a person, in the order that they chose. One query."""
    return reach_many([person])[person.pk]


def reach_many(people: Collection[Person]) -> dict[UUID, list[Reach]]:
    """The same for many, by their keys, in one query.

    The e-mail address of the profile always counts: last and never tested, unless a row says otherwise. A row about
    an address that the person has no more says nothing.
    """
    by_person: dict[UUID, list[Reach]] = {person.pk: [] for person in people}
    known = {person.pk: person for person in people}
    rows = Channel.objects.filter(person__in=list(known), removed_at=None).select_related("endpoint")
    for row in rows.order_by("person", "position", "pk"):
        person = known[row.person_id]
        if row.kind == Channel.Kind.EMAIL and row.address.lower() != person.email.lower():
            continue
        by_person[person.pk].append(
            Reach(person, row.kind, row.address, row, row.endpoint, row.verified_at, row.tested_at)
        )
    for pk, found in by_person.items():
        if not any(one.kind == Channel.Kind.EMAIL for one in found) and "@" in known[pk].email:
            found.append(Reach(known[pk], Channel.Kind.EMAIL.value, known[pk].email))
    return by_person
