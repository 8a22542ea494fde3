"""Pure decisions about delivery: when to try again, and what a mail looks like. No Django here."""

import uuid
from datetime import timedelta
from urllib.parse import urlsplit

# Waiting times after the first, second, ... definite failure. The failure after the last one is final.
BACKOFF = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
)
# The same where somebody is called: who waits for an answer does not wait for hours.
URGENT_BACKOFF = (
    timedelta(seconds=15),
    timedelta(seconds=30),
    timedelta(minutes=1),
    timedelta(minutes=2),
    timedelta(minutes=5),
)
# Why somebody gets no mail at all.
DEACTIVATED = "The person is deactivated"
SERVICE_ACCOUNT = "A service account reads no mail"
NO_ADDRESS = "There is no address to send it to"
# Why nothing is sent to an endpoint.
ENDPOINT_ENDED = "The endpoint was ended"
CHANNEL_REMOVED = "The person removed this way to be reached"
# A claim this old without a confirmation was left behind by a crash: the mail may have been sent.
CLAIM_EXPIRES = timedelta(minutes=10)

_MESSAGES = uuid.uuid5(uuid.NAMESPACE_URL, "https://govportal.example/messages")


def why_not(address: str, *, is_active: bool, is_human: bool) -> str:
    """Why no mail can be sent to this person; empty where one can."""
    if not is_active:
        return DEACTIVATED
    if not is_human:
        return SERVICE_ACCOUNT
    return "" if "@" in address else NO_ADDRESS


def wait_after(failures: int, *, urgent: bool = False) -> timedelta | None:
    """How long to wait after this many definite failures, or None where it is given up."""
    backoff = URGENT_BACKOFF if urgent else BACKOFF
    return backoff[failures - 1] if failures <= len(backoff) else None


def message_id(key: str, site_url: str) -> str:
    """The same id for the same occasion, always, so that a mail system can drop a double."""
    return f"<{uuid.uuid5(_MESSAGES, key)}@{urlsplit(site_url).hostname or 'localhost'}>"


def text_of(body: str, link: str, organisation: str, *, demo: bool) -> str:
    """The whole text of a mail: what is said, where to go, who says it."""
    lines = [body.strip()]
    if link:
        lines += ["", link]
    lines += ["", "-- ", f"Govportal, {organisation}"]
    if demo:
        lines.append("This is a demonstration. The people in it are invented.")
    return "\n".join(lines).replace("\r\n", "\n").replace("\r", "\n") + "\n"
