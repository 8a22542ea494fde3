"""What machines and mails say, as one shape: tokens, alerts of three formats, words. No Django here."""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from apps.incidents.rules import SEVERITY_WORDS, Severity

# Lower-case letters and digits only: a mail system may change the case of an address, and its part before the @ has
# 64 characters at most (RFC 5321, 4.5.3.1.1).
TOKEN = re.compile(r"inb_[0-9a-f]{8}_[a-z2-7]{40}", re.IGNORECASE)
PREFIX_LENGTH = 12
LONGEST_TEXT = 20_000
LONGEST_KEY = 300
LISTED_ALERTS = 20
# The labels whose value may name a system, the first one that does wins.
DEFAULT_LABELS = (
    "system", "service", "agent_id", "spiffe_id", "namespace", "service_account", "gateway_key_alias", "key",
)  # fmt: skip
# How others call how bad it is, and what that would be here. A machine never classifies: a person does.
_WOULD_BE = {
    Severity.SEV1: ("critical", "fatal", "emergency", "page", "p1", "sev1"),
    Severity.SEV2: ("error", "high", "major", "p2", "sev2"),
    Severity.SEV3: ("warning", "warn", "medium", "minor", "p3", "sev3"),
    Severity.SEV4: ("info", "informational", "low", "notice", "none", "p4", "p5", "sev4"),
}
PROPOSED = {word: severity for severity, words in _WOULD_BE.items() for word in words}


class Status(StrEnum):
    """What a message says of the trouble that it names."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Report:
    """What one message says, whatever its format was. `labels` are in lower case, each with its values."""

    status: Status
    title: str
    text: str = ""
    dedup_key: str = ""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scenario: str = ""
    # Keys of earlier messages that this one goes on with, such as the mails of a thread.
    follows: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """What is said of the system, for where none on record is meant."""
        named = [f"{label} {value}" for label in DEFAULT_LABELS for value in self.labels.get(label, ())]
        return (", ".join(named) or self.title)[:600]


def new_token() -> str:
    """A secret of 200 random bits behind a prefix by which it is found."""
    return f"inb_{secrets.token_hex(4)}_{base64.b32encode(secrets.token_bytes(25)).decode().lower()}"


def prefix_of(token: str) -> str:
    """The part of a token that may be shown; "" for a text of another shape."""
    return token.lower()[:PREFIX_LENGTH] if TOKEN.fullmatch(token) else ""


def digest_of(token: str) -> bytes:
    """SHA-256 of a token, in whatever case it arrived. A slow hash would add nothing to 200 random bits."""
    return hashlib.sha256(token.lower().encode()).digest()


def plain(text: object) -> str:
    """Text that can be kept: without tokens, NUL, control characters and halves of characters."""
    found = str(text).encode("utf-8", "replace").decode().replace("\r\n", "\n")
    found = "".join(one for one in found if one in "\n\t" or (one >= " " and one != "\x7f"))
    return TOKEN.sub("inb_…", found).strip()


def kept(text: str) -> str:
    """A text as it is kept: plain, and cut where it is very long, which it then says."""
    found = plain(text)
    if len(found) <= LONGEST_TEXT:
        return found
    return f"{found[:LONGEST_TEXT]}\n[Cut here: {len(found) - LONGEST_TEXT:,} more characters were sent.]"


def fitting_key(key: str) -> str:
    """What the sender calls the trouble, as it fits the column; a long one by its SHA-256, never by its beginning."""
    found = plain(key)
    if found == key and len(key) <= LONGEST_KEY:
        return key
    return f"sha256:{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()}"


def severity_words(said: str) -> str:
    """What the sender says of how bad it is, in words; "" where nothing is said."""
    said = plain(said)
    if not said:
        return ""
    severity = PROPOSED.get(said.lower())
    would_be = f", which would be {SEVERITY_WORDS[severity].lower()}" if severity else ""
    return f"The sender says “{said[:60]}”{would_be}. A person says how bad it is."


def _joined(parts: Iterable[str]) -> str:
    return "\n".join(part for part in parts if part)


def _pairs(labels: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))


def _labels(*found: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """All values of each label, in the order in which they are met, each once."""
    values: dict[str, dict[str, None]] = {}
    for labels in found:
        for name, value in labels.items():
            if isinstance(value, str | int) and not isinstance(value, bool) and plain(value):
                values.setdefault(name.lower(), {})[plain(value)] = None
    return {name: tuple(those) for name, those in values.items()}


def from_alertmanager(data: Mapping[str, Any]) -> Report:
    """A notification of Alertmanager (webhook, version 4): one group is one trouble, called by its groupKey."""
    alerts = data["alerts"]
    firing = [alert for alert in alerts if alert["status"] == "firing"]
    shown = firing or alerts
    status = Status.FIRING if data["status"] == "firing" and firing else Status.RESOLVED
    common = data.get("commonLabels", {})
    labels = _labels(common, data.get("groupLabels", {}), *(alert["labels"] for alert in shown))
    listed = [_alert_words(alert) for alert in shown[:LISTED_ALERTS]]
    more = len(shown) - LISTED_ALERTS + data.get("truncatedAlerts", 0)
    return Report(
        status=status,
        title=_alert_title(data, shown),
        text=_joined([
            data.get("commonAnnotations", {}).get("description", ""),
            *listed,
            f"{more} more." if more > 0 else "",
            severity_words(" / ".join(labels.get("severity", ())[:3])),
            data.get("externalURL", ""),
        ]),
        dedup_key=fitting_key(data["groupKey"]),
        labels=labels,
        scenario=common.get("scenario", ""),
    )  # fmt: skip


def _alert_title(data: Mapping[str, Any], shown: list[Mapping[str, Any]]) -> str:
    names = (
        data.get("commonAnnotations", {}).get("summary"),
        shown[0].get("annotations", {}).get("summary"),
        data.get("commonLabels", {}).get("alertname"),
        shown[0]["labels"].get("alertname"),
    )
    title = next((plain(name) for name in names if name and plain(name)), "An alert without a name")
    return title if len(shown) == 1 else f"{title} ({len(shown)} alerts)"


def _alert_words(alert: Mapping[str, Any]) -> str:
    notes = alert.get("annotations", {})
    name = notes.get("summary") or alert["labels"].get("alertname", "Alert")
    since = f", since {alert['startsAt']}" if alert.get("startsAt") else ""
    lines = [f"{name}{since}: {_pairs(alert['labels'])}", notes.get("description", ""), alert.get("generatorURL", "")]
    return _joined(lines)


_PAGERDUTY_STATUS = {
    "trigger": Status.FIRING, "acknowledge": Status.ACKNOWLEDGED, "resolve": Status.RESOLVED,
}  # fmt: skip


def from_pagerduty(data: Mapping[str, Any]) -> Report:
    """An event of PagerDuty's Events API v2. A trigger without a key gets one, as there."""
    payload = data.get("payload") or {}
    details = payload.get("custom_details") or {}
    pairs = details if isinstance(details, dict) else {}
    own = {name: payload[name] for name in ("component", "source", "group", "class") if payload.get(name)}
    words = json.dumps(details, ensure_ascii=False, indent=1, sort_keys=True, default=str) if details else ""
    return Report(
        status=_PAGERDUTY_STATUS[data["event_action"]],
        title=plain(payload.get("summary", "")) or "An event without a summary",
        text=_joined([
            _pairs(own),
            words,
            severity_words(payload.get("severity", "")),
            *(f"{link.get('text', '')} {link.get('href', '')}".strip() for link in data.get("links", [])),
            data.get("client_url", ""),
        ]),
        dedup_key=fitting_key(data.get("dedup_key") or secrets.token_hex(16)),
        labels=_labels(pairs, own),
        scenario=str(pairs.get("scenario", "")),
    )  # fmt: skip


def from_json(data: Mapping[str, Any]) -> Report:
    """Our own JSON."""
    named = {"system": data["system"]} if data.get("system") else {}
    key = data.get("dedup_key", "")
    return Report(
        status=Status(data.get("status", Status.FIRING)),
        title=plain(data.get("title", "")) or "A report without a title",
        text=data.get("description", ""),
        dedup_key=fitting_key(key) if key else "",
        labels=_labels(named),
        scenario=data.get("scenario", ""),
    )


def with_words(report: Report, *words: str) -> Report:
    """The report with more said in it, after what it says itself."""
    return replace(report, text=_joined([kept(report.text), *words]))
