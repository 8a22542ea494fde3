"""How the same thing is said to each kind of program. Pure functions: content in, request out. No Django here.

The content of a delivery is independent of the kind. Its fields, all but `title` optional:

type        what happened: "incident.page", "incident.update", "channel.code", "endpoint.test", ...
title, text one line, and what follows; plain text
mode        real, drill or test; the last two begin every text with "DRILL: " or "TEST: "
severity    sev1 to sev4, or empty
link        where to go: a path of the portal or a whole address
facts       pairs of label and value
action      trigger, acknowledge or resolve, for programs that keep alerts (default: trigger)
thread      what alerts about the same thing have in common (default: the key of the delivery)
to, by      the number or name that a gateway delivers to, and how: sms, voice, chat

Sources: Standard Webhooks 1.0.0, PagerDuty Events API v2, Opsgenie Alert API, Slack Block Kit, Adaptive Cards 1.4 in a
Teams workflow.
"""

import base64
import hashlib
import hmac
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

GENERIC, SLACK, TEAMS, PAGERDUTY, OPSGENIE = "generic", "slack", "teams", "pagerduty", "opsgenie"
# They drop a request that they have: by its id, its dedup_key or its alias. To the others nothing is sent twice
# where the first may have arrived.
DROPS_DOUBLES = frozenset({GENERIC, PAGERDUTY, OPSGENIE})
# For these the whole address is the secret.
ADDRESS_IS_SECRET = frozenset({SLACK, TEAMS})
TRIGGER, ACKNOWLEDGE, RESOLVE = "trigger", "acknowledge", "resolve"
PREFIXES = {"drill": "DRILL: ", "test": "TEST: "}
SECRET_PREFIX = "whsec_"
SOURCE = "Govportal"
# What is shorter is no secret, and would take words out of an answer.
SHORTEST_HIDDEN = 6

_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "https://govportal.example/deliveries")
_PAGERDUTY_SEVERITY = {"sev1": "critical", "sev2": "error", "sev3": "warning", "sev4": "info"}
_OPSGENIE_PRIORITY = {"sev1": "P1", "sev2": "P2", "sev3": "P3", "sev4": "P4"}
_SLACK_MEMBER = re.compile(r"[UW][A-Z0-9]{6,20}\Z")


@dataclass(frozen=True)
class Outgoing:
    """What is said once, with all that a request needs beside it."""

    key: str
    content: Mapping[str, Any]
    url: str
    secret: str
    site_url: str
    now: datetime

    @property
    def action(self) -> str:
        """What happens to the alert."""
        return str(self.content.get("action") or TRIGGER)

    @property
    def thread(self) -> str:
        """What requests about the same thing have in common; two modes never share one."""
        thread = str(self.content.get("thread") or self.key)
        return thread if self.mode == "real" else f"{self.mode}:{thread}"

    @property
    def mode(self) -> str:
        """Real, drill or test."""
        return str(self.content.get("mode") or "real")

    @property
    def title(self) -> str:
        """One line."""
        return self.said(str(self.content.get("title", "")))

    @property
    def text(self) -> str:
        """What follows."""
        text = str(self.content.get("text", ""))
        return self.said(text) if text else ""

    @property
    def link(self) -> str:
        """A whole address, or empty."""
        link = str(self.content.get("link") or "")
        return f"{self.site_url}{link}" if link.startswith("/") else link

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Pairs of label and value, without empty ones."""
        return [(str(label), str(value)) for label, value in self.content.get("facts") or [] if value]

    def said(self, text: str) -> str:
        """The text with the word of a drill or test in front, once."""
        prefix = PREFIXES.get(self.mode, "")
        return text if text.startswith(prefix) else prefix + text


@dataclass(frozen=True)
class Request:
    """An HTTP POST. `hide` is what no answer may say back into a list of errors: its secret, in all its forms."""

    url: str
    headers: dict[str, str]
    body: bytes
    hide: tuple[str, ...] = ()


def request_of(kind: str, outgoing: Outgoing) -> Request:
    """The request that says it to a program of this kind. Raises KeyError for a kind that is not known."""
    hide = [outgoing.secret, outgoing.secret.removeprefix(SECRET_PREFIX)]
    if kind in ADDRESS_IS_SECRET:
        parts = urlsplit(outgoing.secret)
        hide += [f"{parts.path}?{parts.query}", parts.path, parts.path.rpartition("/")[2]]
    return replace(_KINDS[kind](outgoing), hide=tuple(one for one in hide if len(one) >= SHORTEST_HIDDEN))


def delivery_id(key: str) -> str:
    """The same id for the same occasion, always, so that a receiver can drop a double."""
    return f"msg_{uuid.uuid5(_IDS, key).hex}"


def new_secret(random: bytes) -> str:
    """A secret of Standard Webhooks from random bytes: whsec_ and base64."""
    return SECRET_PREFIX + base64.b64encode(random).decode()


def secret_bytes(secret: str) -> bytes:
    """The key in a secret. Raises ValueError where it is none, or has fewer than 24 bytes."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    if not 24 <= len(key) <= 64:
        raise ValueError("A secret has 24 to 64 bytes.")
    return key


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """ "v1," and the base64 of HMAC-SHA256 over id, time and body (Standard Webhooks 1.0.0, symmetric)."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret_bytes(secret), signed, hashlib.sha256).digest()).decode()


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _posted(url: str, value: Any, **headers: str) -> Request:
    return Request(url, {"Content-Type": "application/json", **headers}, _json(value))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def generic(one: Outgoing) -> Request:
    """Standard Webhooks: an id that stays, the time of this try, and a signature over both and the body."""
    data = {name: value for name, value in one.content.items() if name not in {"type", "title", "text", "link"}}
    data |= {"title": one.title, "text": one.text, "link": one.link, "mode": one.mode, "action": one.action}
    data["thread"] = one.thread
    stamp = str(int(one.now.timestamp()))
    moment = datetime.fromtimestamp(int(stamp), UTC).isoformat().replace("+00:00", "Z")
    body = _json({"type": str(one.content.get("type") or "message"), "timestamp": moment, "data": data})
    name = delivery_id(one.key)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": signature(one.secret, name, stamp, body),
    }
    return Request(one.url, headers, body)


def _slack_text(text: str) -> str:
    """Slack reads <…> as a link or a call to everybody; three signs are all that it wants escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def slack(one: Outgoing) -> Request:
    """An incoming webhook with blocks; `text` is what a notification shows. The address is the secret."""
    to = str(one.content.get("to") or "")
    mention = f"<@{to}> " if _SLACK_MEMBER.match(to) else (f"{_slack_text(to)}: " if to else "")
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(one.title, 150), "emoji": False}}
    ]
    if one.text or mention:
        blocks.append(_section(_cut(mention + _slack_text(one.text), 3000)))
    if one.facts:
        fields = [f"*{_slack_text(label)}*\n{_slack_text(value)}" for label, value in one.facts[:10]]
        blocks.append({"type": "section", "fields": [{"type": "mrkdwn", "text": _cut(text, 2000)} for text in fields]})
    if one.link:
        blocks.append(_section(f"<{quote(one.link, safe=':/?#&=%+,;@!~*()-._')}|Open in Govportal>"))
    shown = _cut(mention + _slack_text(one.title), 4000)
    return _posted(one.secret, {"text": shown, "blocks": blocks, "unfurl_links": False})


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _teams_text(text: str) -> str:
    """Teams reads [words](address) as a link: what somebody wrote into a title leads nowhere."""
    return text.replace("](", "] (")


def teams(one: Outgoing) -> Request:
    """An adaptive card for a Teams workflow. The address is the secret."""
    to = str(one.content.get("to") or "")
    lines: list[dict[str, Any]] = [
        {
            "type": "TextBlock",
            "text": _cut(_teams_text(one.title), 300),
            "weight": "Bolder",
            "size": "Large",
            "wrap": True,
        }
    ]
    if one.text:
        lines.append({"type": "TextBlock", "text": _cut(_teams_text(one.text), 8000), "wrap": True})
    facts = [*([("For", to)] if to else []), *((label, _teams_text(value)) for label, value in one.facts[:20])]
    if facts:
        lines.append({"type": "FactSet", "facts": [{"title": label, "value": value} for label, value in facts]})
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": _teams_text(one.title),
        "body": lines,
    }
    if one.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open in Govportal", "url": one.link}]
    attached = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return _posted(one.secret, {"type": "message", "attachments": [attached]})


def pagerduty(one: Outgoing) -> Request:
    """Events API v2. One dedup_key for one thread: what is known there is acknowledged and resolved by it."""
    event: dict[str, Any] = {
        "routing_key": one.secret,
        "event_action": one.action,
        "dedup_key": _cut_key(one.thread, 255),
    }
    if one.action == TRIGGER:
        details = {"text": one.text, **dict(one.facts)}
        if one.content.get("to"):
            details["to"] = str(one.content["to"])
        event["payload"] = {
            "summary": _cut(one.title, 1024),
            "source": SOURCE,
            "severity": _PAGERDUTY_SEVERITY.get(str(one.content.get("severity")), "error"),
            "timestamp": one.now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "custom_details": details,
        }
        event["client"] = SOURCE
        if one.link:
            event["client_url"] = one.link
            event["links"] = [{"href": one.link, "text": "Open in Govportal"}]
    return _posted(one.url, event)


def opsgenie(one: Outgoing) -> Request:
    """The alert API: create, acknowledge and close by the alias."""
    key = {"Authorization": f"GenieKey {one.secret}"}
    alias = _cut_key(one.thread, 512)
    if one.action != TRIGGER:
        verb = "acknowledge" if one.action == ACKNOWLEDGE else "close"
        parts = urlsplit(one.url)
        path = f"{parts.path.rstrip('/')}/{quote(alias, safe='')}/{verb}"
        url = urlunsplit((parts.scheme, parts.netloc, path, "identifierType=alias", ""))
        return _posted(url, {"source": SOURCE, "note": _cut(one.title, 25000)}, **key)
    alert: dict[str, Any] = {
        "message": _cut(one.title, 130),
        "alias": alias,
        "description": _cut("\n\n".join(part for part in (one.text, one.link) if part), 15000),
        "priority": _OPSGENIE_PRIORITY.get(str(one.content.get("severity")), "P2"),
        "source": SOURCE,
        "details": dict(one.facts),
    }
    if one.mode != "real":
        alert["tags"] = [one.mode]
    if one.content.get("to"):
        alert["details"] = {**alert["details"], "to": str(one.content["to"])}
    return _posted(one.url, alert, **key)


def _cut_key(key: str, most: int) -> str:
    """A key that fits: what is too long is named by its digest, so that two never become one."""
    return key if len(key) <= most else hashlib.sha256(key.encode()).hexdigest()


_KINDS: dict[str, Callable[[Outgoing], Request]] = {
    GENERIC: generic,
    SLACK: slack,
    TEAMS: teams,
    PAGERDUTY: pagerduty,
    OPSGENIE: opsgenie,
}
