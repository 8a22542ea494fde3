"""Verbs about endpoints: where the portal speaks to another program."""

import os
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject
from apps.common.errors import Refused
from apps.notify.actions import Note, enqueue_many
from apps.notify.actions.deliveries import Call, enqueue_deliveries
from apps.notify.models import Channel, Endpoint
from apps.notify.rules.networks import Target
from apps.notify.rules.webhooks import ADDRESS_IS_SECRET, GENERIC, OPSGENIE, PAGERDUTY, RESOLVE, new_secret
from apps.notify.safe_http import NotTakenError, RefusedTargetError, checked
from apps.notify.secrets import is_current, seal, unseal
from apps.notify.webhooks import TEST

ENDED = "This endpoint was ended. Add another."
# What a test opened in a program that keeps alerts is closed again after this.
TEST_ENDS_AFTER = timedelta(minutes=1)
_KEYS = {
    PAGERDUTY: (re.compile(r"[A-Za-z0-9]{32}\Z"), "A routing key of PagerDuty has 32 letters and digits."),
    OPSGENIE: (re.compile(r"[A-Za-z0-9-]{8,100}\Z"), "An API key of Opsgenie has letters, digits and hyphens."),
}


@dataclass(frozen=True)
class Saved:
    """An endpoint, and the secret that is shown this once; empty where the person brought it."""

    endpoint: Endpoint
    shown: str = ""


def endpoint_subject(endpoint: Endpoint) -> Subject:
    """How the trail refers to an endpoint."""
    return Subject("endpoint", str(endpoint.pk), endpoint.name)


def add_endpoint(
    *, name: str, kind: str, url: str, actor: Actor, now: datetime, created_by: Any, secret: str = "",
    announces: bool = False,
) -> Saved:  # fmt: skip
    """Add an endpoint. A generic one gets its secret here, which is returned once.

    Raises Refused where the portal does not send to this address or the secret is no good, ValidationError for a
    name that is taken.
    """
    target = _allowed(url)
    shown = new_secret(os.urandom(32)) if kind == GENERIC else ""
    given = _checked_secret(kind, url, shown or secret)
    endpoint = Endpoint(name=" ".join(name.split()), kind=kind, announces=announces, created_by=created_by)
    endpoint.url, endpoint.created_at = _shown_url(kind, url, target), now
    with transaction.atomic():
        endpoint.full_clean(exclude=["secret", "url"])
        endpoint.save()
        # Sealed for its row, so the row comes first.
        endpoint.secret = seal(given, row=endpoint.pk)
        endpoint.save(update_fields=["secret"])
        record(
            Kind.ENDPOINT_ADDED, actor=actor, subject=endpoint_subject(endpoint), now=now,
            after={"kind": kind, "announces": announces}, private={"address": endpoint.url},
        )  # fmt: skip
    return Saved(endpoint, shown)


def change_endpoint(
    endpoint: Endpoint, *, name: str, announces: bool, actor: Actor, now: datetime, url: str = "", secret: str = "",
    renew: bool = False,
) -> Saved:  # fmt: skip
    """Change an endpoint; an empty address or secret stays. `renew` gives a generic one a new secret, returned once.

    Raises Refused where it was ended, where the portal does not send to the address, and where a key that belongs to
    one host would be sent to another.
    """
    target = _allowed(url) if url else None
    with transaction.atomic():
        endpoint = _locked(endpoint)
        before = {"announces": endpoint.announces}
        shown = new_secret(os.urandom(32)) if renew and endpoint.kind == GENERIC else ""
        given = _new_secret(endpoint, url, shown or secret)
        if target:
            endpoint.url = _shown_url(endpoint.kind, url, target)
        if given:
            endpoint.secret = seal(given, row=endpoint.pk)
        endpoint.name, endpoint.announces = " ".join(name.split()), announces
        # What was tested was another address or another key.
        if target or given:
            endpoint.tested_at, endpoint.test_error = None, ""
        endpoint.full_clean(exclude=["secret", "url", "created_by"])
        endpoint.save()
        after = {"announces": announces, "address": "changed" if target else "same"}
        record(
            Kind.ENDPOINT_CHANGED, actor=actor, subject=endpoint_subject(endpoint), now=now, before=before,
            after={**after, "secret": "changed" if given else "same"}, private={"address": endpoint.url},
        )  # fmt: skip
    return Saved(endpoint, shown)


@transaction.atomic
def end_endpoint(endpoint: Endpoint, *, actor: Actor, now: datetime) -> Endpoint:
    """End it for good. Who was reached by it is told by mail. Raises Refused where it was ended before."""
    endpoint = _locked(endpoint)
    endpoint.ended_at = now
    endpoint.announces = False
    endpoint.save(update_fields=["ended_at", "announces"])
    record(Kind.ENDPOINT_ENDED, actor=actor, subject=endpoint_subject(endpoint), now=now)
    rows = Channel.objects.filter(endpoint=endpoint, removed_at=None).select_related("person").order_by("pk")
    enqueue_many([_ended_note(row, endpoint) for row in rows], now=now)
    return endpoint


def _ended_note(channel: Channel, endpoint: Endpoint) -> Note:
    return Note(
        f"channel:{channel.pk}:ended",
        channel.person,
        f"{endpoint.name} no longer carries calls to you",
        f"The endpoint {endpoint.name} was ended. You are not reached through it any more: "
        f"{channel.get_kind_display().lower()} {channel.address}. Add another way on your profile.",
        "/profile/channels/",
    )


@transaction.atomic
def test_endpoint(endpoint: Endpoint, *, actor: Actor, now: datetime) -> Endpoint:
    """Enqueue a test; what came of it stands beside the endpoint after the next sweep.

    Every text of it begins with "TEST: ". Raises Refused where the endpoint was ended.
    """
    endpoint = _locked(endpoint)
    endpoint.tested_at, endpoint.test_error = None, ""
    endpoint.save(update_fields=["tested_at", "test_error"])
    key = f"endpoint:{endpoint.pk}:test:{int(now.timestamp())}"
    content = {
        "type": TEST,
        "mode": "test",
        "title": f"Govportal reaches {endpoint.name}",
        "text": "Nothing happened. This shows that calls and announcements arrive here.",
        "severity": "sev4",
        "link": f"/endpoints/{endpoint.pk}/",
        "thread": key,
    }
    calls = [Call(key, endpoint, content, urgent=True)]
    if endpoint.kind in {PAGERDUTY, OPSGENIE}:
        ended = {**content, "action": RESOLVE}
        calls.append(Call(f"{key}:end", endpoint, ended, not_before=now + TEST_ENDS_AFTER))
    enqueue_deliveries(calls, now=now)
    record(Kind.ENDPOINT_TESTED, actor=actor, subject=endpoint_subject(endpoint), now=now)
    return endpoint


def seal_again() -> tuple[int, list[str]]:
    """Seal with today's key what an older one sealed. Returns how many were, and the names of those that no key
    opens. The secrets stay what they are, so the trail has nothing to tell."""
    done, lost = 0, []
    for endpoint in Endpoint.objects.filter(secret__isnull=False).order_by("name"):
        if endpoint.secret is None or is_current(endpoint.secret, row=endpoint.pk):
            continue
        try:
            endpoint.secret = seal(unseal(endpoint.secret, row=endpoint.pk), row=endpoint.pk)
        except Refused:
            lost.append(endpoint.name)
            continue
        endpoint.save(update_fields=["secret"])
        done += 1
    return done, lost


def _locked(endpoint: Endpoint) -> Endpoint:
    row = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    if row.ended_at:
        raise Refused(ENDED)
    return row


def _allowed(url: str) -> Target:
    """Where it goes. Looked up before the transaction: a slow name server holds no lock."""
    try:
        return checked(url.strip())[0]
    except (RefusedTargetError, NotTakenError) as error:
        raise Refused(str(error)) from None


def _shown_url(kind: str, url: str, target: Target) -> str:
    """The address as it is kept in the open: of a chat's webhook only the host, the rest is its secret."""
    return f"{target.scheme}://{target.host_header}/" if kind in ADDRESS_IS_SECRET else url.strip()


def _checked_secret(kind: str, url: str, secret: str) -> str:
    """What is sealed. Raises Refused for a key that can't be one."""
    if kind in ADDRESS_IS_SECRET:
        return url.strip()
    shape = _KEYS.get(kind)
    if shape and not shape[0].match(secret.strip()):
        raise Refused(shape[1])
    if not secret.strip():
        raise ValidationError({"secret": "Enter the secret."})
    return secret.strip()


def _new_secret(endpoint: Endpoint, url: str, secret: str) -> str:
    """The secret to seal, or empty where it stays. A key does not follow an address to another host."""
    if endpoint.kind in ADDRESS_IS_SECRET:
        return url.strip()
    if secret:
        return _checked_secret(endpoint.kind, url, secret)
    if url and endpoint.kind in _KEYS and url.strip() != endpoint.url:
        raise Refused("Enter the key again: with a new address it would be sent there.")
    return ""
