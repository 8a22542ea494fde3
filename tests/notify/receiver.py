"""A program that takes webhooks, for the tests: a real HTTP server that remembers, or does what it should not."""

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Taken:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """What it answers, and what it took."""

    status: int = 202
    text: str = '{"status":"success"}'
    headers: dict[str, str] = field(default_factory=dict)
    # Called in the middle of a request, before it is answered.
    meanwhile: Any = None
    taken: list[Taken] = field(default_factory=list)
    port: int = 0

    def url(self, path: str = "/hook", scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@contextmanager
def listening(receiver: Receiver, *, context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A server in a thread of its own, on this machine only."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.taken.append(Taken(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            if receiver.meanwhile:
                receiver.meanwhile()
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(receiver.text.encode())))
            self.end_headers()
            self.wfile.write(receiver.text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def verifies(secret: str, taken: Taken) -> bool:
    """The receiver's side of Standard Webhooks, written from its text and not from the sender's code."""
    key = base64.b64decode(secret[len("whsec_") :])
    content = taken.headers["webhook-id"] + "." + taken.headers["webhook-timestamp"] + "." + taken.body.decode()
    expected = base64.b64encode(hmac.digest(key, content.encode(), hashlib.sha256)).decode()
    return any(
        version == "v1" and hmac.compare_digest(given, expected)
        for version, _, given in (part.partition(",") for part in taken.headers["webhook-signature"].split(" "))
    )


class Hanging:
    """Takes a request whole and then says nothing, or drips, or breaks off."""

    def __init__(self, *, then: str = "hang") -> None:
        self.then = then
        self.requests: list[bytes] = []
        self.reached = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close everything."""
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for line in self._open:
            line.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(line)
            try:
                self._talk(line)
            except OSError:
                line.close()

    def _talk(self, line: socket.socket) -> None:
        text = b""
        while b"\r\n\r\n" not in text:
            text += line.recv(65536)
        head, _, body = text.partition(b"\r\n\r\n")
        length = int(
            next(row.split(b":")[1] for row in head.split(b"\r\n") if row.lower().startswith(b"content-length"))
        )
        while len(body) < length:
            body += line.recv(65536)
        self.requests.append(body)
        self.reached.set()
        if self.then == "close":
            line.close()
        elif self.then == "nonsense":
            line.sendall(b"220 smtp.example.org ESMTP\r\n")
            line.close()
        elif self.then == "drip":
            for sign in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000:
                if self._ended.wait(0.05):
                    return
                line.sendall(bytes([sign]))
