"""Saying something to a person on the ways that they chose."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.notify.actions import ON_CHANNEL, Note, enqueue_many
from apps.notify.actions.deliveries import Call, enqueue_deliveries
from apps.notify.models import Channel
from apps.notify.queries.channels import Reach, reach_many
from apps.people.models import Person

# Where it went, as a page of an incident keeps it: {"channel": id or None, "kind", "address" masked}.
Went = list[dict[str, Any]]


@dataclass(frozen=True)
class Said:
    """What is said to one person: the mail, and what goes to the other channels."""

    note: Note
    content: Mapping[str, Any]


def send_to(
    person: Person,
    note: Note,
    content: Mapping[str, Any],
    *,
    now: datetime,
    channels: int = 2,
    urgent: bool = True,
) -> Went:
    """Enqueue one thing to a person on their first channels that work, in the caller's transaction.

    Returns where it goes: [{"channel": id or None, "kind", "address" masked}]. `channels` 0 means all. A webhook's
    row has the note's key, "#" and the channel's id, so that withdraw(keys=[note.key]) takes back all of them.
    A person who can't be reached by anything else gets the mail; a deactivated one gets a row that says why not.
    """
    return send_to_many([Said(replace(note, recipient=person), content)], now=now, channels=channels, urgent=urgent)[
        person.pk
    ]


def send_to_many(said: Iterable[Said], *, now: datetime, channels: int = 2, urgent: bool = True) -> dict[UUID, Went]:
    """The same to many people, one thing each, in three statements; returns where it goes by person."""
    by_person = {one.note.recipient.pk: one for one in said}
    ways = reach_many([one.note.recipient for one in by_person.values()])
    chosen = {pk: _chosen(ways[pk], channels) for pk in by_person}
    # Who has no way at all gets the row of a mail, which says so.
    mails = [by_person[pk].note for pk, found in chosen.items() if not found or any(not one.endpoint for one in found)]
    enqueue_many([replace(note, urgent=urgent) for note in mails], now=now)
    enqueue_deliveries(
        [_call(by_person[pk], one, urgent) for pk, found in chosen.items() for one in found if one.endpoint], now=now
    )
    return {pk: [_went(one) for one in found] for pk, found in chosen.items()}


def _chosen(ways: list[Reach], count: int) -> list[Reach]:
    """The first that work. A deactivated person is told nothing through a gateway; the mail's row says why."""
    usable = [one for one in ways if one.usable]
    if usable and not usable[0].person.is_active:
        usable = [one for one in usable if one.endpoint is None]
    return usable[:count] if count else usable


def _call(said: Said, way: Reach, urgent: bool) -> Call:
    if way.endpoint is None or way.channel is None:
        raise ValueError("A mail goes through the outbox of mails.")
    content = {**said.content, "to": way.address, "by": way.kind}
    return Call(f"{said.note.key}{ON_CHANNEL}{way.channel.pk}", way.endpoint, content, way.channel, urgent=urgent)


def _went(way: Reach) -> dict[str, Any]:
    channel: Channel | None = way.channel
    return {"channel": channel.pk if channel else None, "kind": str(way.kind), "address": way.masked}
