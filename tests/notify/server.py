"""Mail servers for the tests: a real one that remembers what it took, and one that breaks off on cue."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class Box:
    """An aiosmtpd handler: keeps mails, or answers as it is told."""

    mails: list[bytes] = field(default_factory=list)
    sessions: set[int] = field(default_factory=set)
    refuse_recipient: str = ""
    refuse_data: str = ""
    address: str = ""

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.refuse_recipient:
            return self.refuse_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuse_data:
            return self.refuse_data
        self.sessions.add(id(session))
        self.mails.append(envelope.original_content)
        return "250 taken"


@contextmanager
def mail_server(box: Box) -> Iterator[int]:
    """A mail server in a thread of its own; yields its port."""
    port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Scripted:
    """Speaks SMTP up to a point, then drops the line or says nothing more."""

    def __init__(self, *, last: str, hang: bool = False) -> None:
        self.last, self.hang = last, hang
        self.texts = 0
        self.reached = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close everything."""
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
        line.sendall(b"220 hello\r\n")
        file = line.makefile("rb")
        while command := file.readline():
            word = command[:4].decode().upper().strip()
            if word == "DATA" and self.last != "DATA":
                line.sendall(b"354 go on\r\n")
                while file.readline() != b".\r\n":
                    pass
                self.texts += 1
                word = "TEXT"
            if word == self.last:
                self.reached.set()
                if self.hang:
                    return
                file.close()
                line.close()
                return
            line.sendall(b"221 bye\r\n" if word == "QUIT" else b"250 OK\r\n")
