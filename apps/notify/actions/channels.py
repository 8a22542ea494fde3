"""Verbs about channels: how a person is reached, proved by a code that came through."""

import hmac
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from apps.audit.actions import record
from apps.audit.rules import Kind
from apps.common.errors import NotAllowed, Refused
from apps.notify.actions import enqueue
from apps.notify.actions.deliveries import enqueue_delivery
from apps.notify.models import Channel, Delivery, Endpoint, Message
from apps.notify.rules.channels import (
    CARRIED_BY,
    CODE_AGAIN_AFTER,
    CODE_COUNTS,
    CODE_TRIES,
    CODES_AN_HOUR,
    EMAIL,
    MOST_CHANNELS,
    clean_address,
)
from apps.notify.rules.webhooks import OPSGENIE, PAGERDUTY, RESOLVE
from apps.people.actions import person_subject
from apps.people.models import Person

PATH = "/profile/channels/"


@transaction.atomic
def add_channel(
    person: Person, *, kind: str, actor: Person, now: datetime, address: str = "", endpoint: Endpoint | None = None
) -> Channel:
    """Add a way to reach oneself, and send a code through it.

    E-mail goes to the address of the profile. Raises Refused where it is here already, where nothing carries it or
    the address is none; NotAllowed for somebody else's.
    """
    _only_own(person, actor)
    # One at a time for each person, so that the order has no two in one place.
    Person.objects.select_for_update(of=("self",)).get(pk=person.pk)
    address, endpoint = _target(person, kind, address, endpoint)
    mine = Channel.objects.filter(person=person, removed_at=None)
    if mine.filter(kind=kind, address=address).exists():
        raise Refused("This way to reach you is here already.")
    if mine.count() >= MOST_CHANNELS:
        raise Refused(f"There are {MOST_CHANNELS} ways to reach you. Remove one that you don't use.")
    last: int | None = mine.aggregate(last=Max("position"))["last"]
    channel = Channel.objects.create(
        person=person, kind=kind, address=address, endpoint=endpoint, created_at=now,
        position=0 if last is None else last + 1,
    )  # fmt: skip
    record(
        Kind.CHANNEL_ADDED, actor=actor, subject=person_subject(person), now=now,
        after={"channel": channel.pk, "kind": kind}, private={"address": address},
    )  # fmt: skip
    _send_code(channel, now)
    return channel


@transaction.atomic
def test_channel(channel: Channel, *, actor: Person, now: datetime) -> Channel:
    """Send a new code through a channel: to verify it, or to show that it still works.

    The confirmation is the event. Raises Refused where a code was sent less than a minute ago, or six within the hour.
    """
    channel = _locked(channel, actor)
    _send_code(channel, now)
    return channel


def verify_channel(channel: Channel, code: str, *, actor: Person, now: datetime) -> Channel:
    """The code came through: the channel counts from now on, and was tested now.

    Raises Refused for a wrong code (five tries, ten minutes); the try counts although nothing else changes.
    """
    return _confirm(channel, code, actor, now)


def confirm_test(channel: Channel, code: str, *, actor: Person, now: datetime) -> Channel:
    """The test arrived. Raises Refused like verify_channel."""
    return _confirm(channel, code, actor, now)


@transaction.atomic
def move_channel(channel: Channel, *, up: bool, actor: Person, now: datetime) -> None:
    """Change places with the one before or after it in the order in which the person is reached."""
    _only_own(channel.person, actor)
    rows = list(
        Channel.objects.select_for_update().filter(person=channel.person, removed_at=None).order_by("position", "pk")
    )
    place = next((index for index, row in enumerate(rows) if row.pk == channel.pk), None)
    other = None if place is None else place + (-1 if up else 1)
    if place is None or other is None or not 0 <= other < len(rows):
        raise Refused("It is at the end of the order already.")
    rows[place], rows[other] = rows[other], rows[place]
    for position, row in enumerate(rows):
        row.position = position
    Channel.objects.bulk_update(rows, ["position"])
    record(
        Kind.CHANNEL_MOVED, actor=actor, subject=person_subject(channel.person), now=now,
        after={"order": [row.pk for row in rows]},
    )  # fmt: skip


@transaction.atomic
def remove_channel(channel: Channel, *, actor: Person, now: datetime) -> Channel:
    """The person is not reached by it any more. Raises Refused where it was removed before."""
    channel = _locked(channel, actor)
    channel.removed_at = now
    channel.save(update_fields=["removed_at"])
    record(
        Kind.CHANNEL_REMOVED, actor=actor, subject=person_subject(channel.person), now=now,
        after={"channel": channel.pk, "kind": channel.kind}, private={"address": channel.address},
    )  # fmt: skip
    return channel


def _only_own(person: Person, actor: Person) -> None:
    if actor.pk != person.pk:
        raise NotAllowed("Only the person decides how they are reached.")


def _locked(channel: Channel, actor: Person) -> Channel:
    row = Channel.objects.select_for_update(of=("self",)).select_related("person", "endpoint").get(pk=channel.pk)
    _only_own(row.person, actor)
    if row.removed_at:
        raise Refused("This way to reach you was removed. Add it again.")
    return row


def _target(person: Person, kind: str, address: str, endpoint: Endpoint | None) -> tuple[str, Endpoint | None]:
    if kind == EMAIL:
        if "@" not in person.email:
            raise Refused("Your profile has no e-mail address.")
        return person.email, None
    if endpoint is None or kind not in CARRIED_BY or endpoint.kind not in CARRIED_BY[kind]:
        raise Refused("Choose the endpoint that carries it.")
    # Held until the end: it is not ended at the same moment.
    endpoint = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    if endpoint.ended_at:
        raise Refused("This endpoint was ended. Choose another.")
    try:
        return clean_address(kind, address), endpoint
    except ValueError as error:
        raise Refused(str(error)) from None


def _send_code(channel: Channel, now: datetime) -> None:
    """A new code takes the place of the last one."""
    _refuse_too_many(channel, now)
    code = f"{secrets.randbelow(1_000_000):06d}"
    channel.code_digest, channel.code_until, channel.code_tries = _digest(channel, code), now + CODE_COUNTS, 0
    channel.test_sent_at = now
    channel.save(update_fields=["code_digest", "code_until", "code_tries", "test_sent_at"])
    key = f"channel:{channel.person_id}:code:{channel.pk}:{int(now.timestamp())}"
    path = f"{PATH}?channel={channel.pk}&code={code}"
    text = f"Your code is {code}. It counts for 10 minutes. Enter it on the page “How you are reached”."
    if channel.endpoint is None:
        subject = "Confirm that this mail reached you"
        enqueue(key=key, recipient=channel.person, subject=subject, body=text, path=path, now=now, urgent=True)
        return
    content = _content(channel, f"{code} is your code for Govportal", text) | {"link": path}
    enqueue_delivery(key=key, endpoint=channel.endpoint, content=content, channel=channel, now=now, urgent=True)


def _content(channel: Channel, title: str, text: str) -> dict[str, Any]:
    return {
        "type": "channel.code",
        "title": title,
        "text": text,
        "severity": "sev4",
        "thread": f"channel:{channel.pk}",
        "to": channel.address,
        "by": channel.kind,
    }


def _refuse_too_many(channel: Channel, now: datetime) -> None:
    if channel.test_sent_at and now - channel.test_sent_at < CODE_AGAIN_AFTER:
        raise Refused("A code was sent less than a minute ago. Wait until it arrives.")
    since, prefix = now - timedelta(hours=1), f"channel:{channel.person_id}:code:"
    sent = (
        Message.objects.filter(recipient=channel.person_id, key__startswith=prefix, created_at__gt=since).count()
        + Delivery.objects.filter(
            channel__person=channel.person_id, key__startswith=prefix, created_at__gt=since
        ).count()
    )
    if sent >= CODES_AN_HOUR:
        raise Refused(f"{CODES_AN_HOUR} codes were sent within the hour. Wait an hour.")


def _digest(channel: Channel, code: str) -> bytes:
    """Keyed, because a million codes are hashed in no time."""
    text = f"channel:{channel.pk}:{code}".encode()
    return hmac.new(b"channel codes:" + settings.SECRET_KEY.encode(), text, sha256).digest()


def _confirm(channel: Channel, code: str, actor: Person, now: datetime) -> Channel:
    with transaction.atomic():
        row = _locked(channel, actor)
        refused = _judge(row, code, now)
        if not refused:
            _confirmed(row, actor, now)
    # Outside: the count of tries stays, and the refusal is told.
    if refused:
        raise Refused(refused)
    return row


def _judge(row: Channel, code: str, now: datetime) -> str:
    """Why this code does not count; empty where it does. A wrong one is counted."""
    if row.code_digest is None or row.code_until is None or now > row.code_until:
        return "The code counts for 10 minutes. Send a new one."
    if row.code_tries >= CODE_TRIES:
        return f"The code was wrong {CODE_TRIES} times. Send a new one."
    if hmac.compare_digest(bytes(row.code_digest), _digest(row, "".join(code.split()))):
        return ""
    row.code_tries += 1
    row.save(update_fields=["code_tries"])
    left = CODE_TRIES - row.code_tries
    return f"This is not the code that was sent. {left} {'try' if left == 1 else 'tries'} left."


def _confirmed(row: Channel, actor: Person, now: datetime) -> None:
    kind = Kind.CHANNEL_TESTED if row.verified_at else Kind.CHANNEL_VERIFIED
    row.verified_at, row.tested_at = row.verified_at or now, now
    row.code_digest, row.code_until, row.code_tries = None, None, 0
    row.save(update_fields=["verified_at", "tested_at", "code_digest", "code_until", "code_tries"])
    after = {"channel": row.pk, "kind": row.kind}
    record(kind, actor=actor, subject=person_subject(row.person), now=now, after=after)
    if row.endpoint is not None and row.endpoint.kind in {PAGERDUTY, OPSGENIE}:
        # The code opened an alert there; it is done.
        content = _content(row, "The code was entered", "") | {"action": RESOLVE}
        key = f"channel:{row.person_id}:done:{row.pk}:{int(now.timestamp())}"
        enqueue_delivery(key=key, endpoint=row.endpoint, content=content, channel=row, now=now)
