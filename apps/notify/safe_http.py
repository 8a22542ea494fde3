"""One request to a program outside, without being led to a place inside.

The name is looked up once, every address that it has is checked, and the connection goes to one of those checked:
a name that answers differently the second time is not asked a second time. No redirect is followed, no proxy is
taken from the environment, nothing waits for ever, and little is read.
"""

import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

from django.conf import settings

from apps.notify.rules.networks import Target, read_target, why_refused

CONNECT_SECONDS = 5.0
# From the first byte that is written to the last that is read.
ANSWER_SECONDS = 10.0
# Of the addresses that a name has, so many are tried.
MOST_ADDRESSES = 3
MOST_READ = 8 * 1024
MOST_SENT = 256 * 1024

Resolve = Callable[[str, int], list[str]]


class RefusedTargetError(Exception):
    """The portal does not speak to this address. Nothing was sent and nothing will be."""


class NotTakenError(Exception):
    """The other side certainly did not take it. It can be sent again."""

    def __init__(self, words: str, *, status: int | None = None, retry_after: int = 0) -> None:
        super().__init__(words)
        self.status, self.retry_after = status, retry_after


class OutOfReachError(NotTakenError):
    """There is no conversation at all: what else goes there would fare no better now."""


class PerhapsTakenError(Exception):
    """The conversation broke after the request was written. Nobody knows whether it was taken."""

    def __init__(self, words: str, *, status: int | None = None) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True)
class Answer:
    """What the other side said: 200 to 299, and the beginning of its text."""

    status: int
    text: str


def look_up(host: str, port: int) -> list[str]:
    """Every address of a host. Raises OutOfReachError where it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise OutOfReachError(f"The name {host} is not known.") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked(url: str, *, resolve: Resolve | None = None) -> tuple[Target, list[str]]:
    """Where a request would go, and the addresses that were checked. One refused address refuses all.

    Raises RefusedTargetError with the reason, or OutOfReachError where the name is not known.
    """
    try:
        target = read_target(url)
    except ValueError as error:
        raise RefusedTargetError(str(error)) from None
    if target.scheme == "http" and not settings.WEBHOOK_ALLOW_HTTP:
        raise RefusedTargetError("The address has to begin with https://.")
    addresses = (resolve or look_up)(target.host, target.port)
    for address in addresses:
        reason = why_refused(address, allowed=settings.WEBHOOK_ALLOWED_NETWORKS, plain=target.scheme == "http")
        if reason:
            raise RefusedTargetError(f"The portal does not send there: {reason}.")
    if not addresses:
        raise OutOfReachError(f"The name {target.host} is not known.")
    return target, addresses


def post(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    resolve: Resolve | None = None,
    hide: Sequence[str] = (),
) -> Answer:
    """Send one POST. Returns only where the other side answered 200 to 299. What is to `hide` no error repeats.

    Raises RefusedTargetError, OutOfReachError, NotTakenError or PerhapsTakenError with a sentence for who reads the
    list of what was not delivered.
    """
    target, addresses = checked(url, resolve=resolve)
    request = _request(target, headers, body)
    line = _connected(target, addresses)
    try:
        return _exchange(line, request, hide)
    finally:
        line.close()


def _request(target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    """The bytes of the request. Raises RefusedTargetError for a header that would become two, and for too much."""
    if len(body) > MOST_SENT:
        raise RefusedTargetError("There is more to say than a webhook takes.")
    lines = [f"POST {target.path} HTTP/1.1", f"Host: {target.host_header}", f"Content-Length: {len(body)}"]
    lines += ["Connection: close", "User-Agent: Govportal", *(f"{name}: {value}" for name, value in headers.items())]
    if any(not line.isascii() or not line.isprintable() for line in lines):
        raise RefusedTargetError("The secret or the address has a sign in it that a header can't have.")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _connected(target: Target, addresses: list[str]) -> socket.socket:
    """A connection to the first of the checked addresses that answers."""
    failed = ""
    for address in addresses[:MOST_ADDRESSES]:
        try:
            line = socket.create_connection((address, target.port), timeout=CONNECT_SECONDS)
        except OSError as error:
            failed = f"{target.host} does not answer: {_words(error)}."
            continue
        if target.scheme == "http":
            return line
        try:
            return tls_context().wrap_socket(line, server_hostname=target.host)
        except (OSError, ValueError) as error:
            line.close()
            failed = f"{target.host} can't be trusted or speaks no TLS: {_words(error)}."
    raise OutOfReachError(failed)


def tls_context() -> ssl.SSLContext:
    """TLS 1.2 or later, certificate and name checked; the organisation's own authority beside the usual ones."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.WEBHOOK_CA_FILE:
        context.load_verify_locations(cafile=settings.WEBHOOK_CA_FILE)
    return context


def _exchange(line: socket.socket, request: bytes, hide: Sequence[str]) -> Answer:
    until = time.monotonic() + ANSWER_SECONDS
    try:
        line.settimeout(ANSWER_SECONDS)
        line.sendall(request)
        # HTTPResponse asks for nothing of a socket but its file.
        response = HTTPResponse(cast(socket.socket, _Timed(line, until)), method="POST")
        response.begin()
        status, retry = response.status, response.headers.get("Retry-After", "")
    except (OSError, HTTPException, ValueError) as error:
        raise PerhapsTakenError(f"No answer after the request was sent: {_words(error)}.") from None
    text = _text(response)
    for secret in hide:
        text = text.replace(secret, "…")
    return _judged(status, retry, text)


def _text(response: HTTPResponse) -> str:
    """The beginning of the answer; what breaks off in it changes nothing, the status is known."""
    try:
        return response.read(MOST_READ).decode(errors="replace")
    except (OSError, HTTPException, ValueError):
        return ""


def _judged(status: int, retry: str, text: str) -> Answer:
    if 200 <= status < 300:
        return Answer(status, text)
    said = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:160]
    words = f"The other side answered {status}{': ' + said if said else ''}"
    if 300 <= status < 400:
        raise NotTakenError(
            f"The other side points to another address ({status}), and that is not followed", status=status
        )
    if status in {502, 504}:
        # A gateway that lost its answer: behind it the request may have been taken.
        raise PerhapsTakenError(words, status=status)
    raise NotTakenError(words, status=status, retry_after=int(retry) if retry.isdigit() and len(retry) < 6 else 0)


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message or "the certificate is not valid"
    if isinstance(error, TimeoutError):
        return "it took too long"
    words = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return words.strip(".")[:160]


class _Timed:
    """A socket whose file reads until a moment in time: a byte now and then does not keep the line open."""

    def __init__(self, line: socket.socket, until: float) -> None:
        self._line, self._until = line, until

    def makefile(self, *_: Any) -> io.BufferedReader:
        """The file that HTTPResponse reads."""
        return io.BufferedReader(_TimedFile(self._line, self._until))


class _TimedFile(io.RawIOBase):
    def __init__(self, line: socket.socket, until: float) -> None:
        self._line, self._until = line, until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._line.settimeout(left)
        return self._line.recv_into(buffer)
