"""One SMTP conversation. What matters is the moment from which the server may have taken the mail."""

import re
import smtplib
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import parseaddr
from types import TracebackType
from typing import Self

from django.conf import settings

# 354: go on; 250: taken.
SEND_NOW, TAKEN = 354, 250


class NotSentError(Exception):
    """The server certainly did not take the mail. It can be sent again."""


class UnreachableError(NotSentError):
    """There is no conversation at all: the other mails would fare no better now."""


class PerhapsSentError(Exception):
    """The conversation broke after the text was handed over. Nobody knows whether the server took it."""


class Outgoing:
    """A connection to the mail server in the settings, opened with the first mail and used for many."""

    def __init__(self) -> None:
        self._connection: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, mail: EmailMessage) -> None:
        """Hand over one mail. Returns only after the server said that it took it.

        Raises UnreachableError, NotSentError or PerhapsSentError, with a sentence for who reads the outbox.
        """
        try:
            sender = parseaddr(str(mail["From"]))[1].encode("ascii").decode()
            recipient = parseaddr(str(mail["To"]))[1].encode("ascii").decode()
        except UnicodeEncodeError:
            raise NotSentError("The address has letters that this mail server can't be given.") from None
        text = mail.as_bytes(policy=WIRE)
        connection = self._connected()
        self._begin(connection, sender, recipient)
        self._hand_over(connection, text)

    def close(self) -> None:
        """End the conversation. How the server takes it changes nothing."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.quit()
        except (OSError, smtplib.SMTPException):
            connection.close()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> smtplib.SMTP:
        if self._connection is not None:
            return self._connection
        connection: smtplib.SMTP | None = None
        try:
            connection = smtplib.SMTP(settings.EMAIL_HOST, settings.EMAIL_PORT, timeout=settings.EMAIL_TIMEOUT)
            connection.ehlo_or_helo_if_needed()
            if settings.EMAIL_USE_TLS:
                connection.starttls()
            if settings.EMAIL_HOST_USER:
                connection.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)
        except (OSError, smtplib.SMTPException) as error:
            if connection is not None:
                connection.close()
            raise UnreachableError(f"The mail server can't be reached: {_said(error)}") from error
        self._connection = connection
        return connection

    def _begin(self, connection: smtplib.SMTP, sender: str, recipient: str) -> None:
        """Everything before the text: whatever goes wrong here, the server has no mail."""
        steps: tuple[tuple[str, Callable[[], tuple[int, bytes]]], ...] = (
            ("the sender", lambda: connection.mail(sender)),
            ("the recipient", lambda: connection.rcpt(recipient)),
            ("the mail", lambda: connection.docmd("DATA")),
        )
        try:
            for what, step in steps:
                code, answer = step()
                if code not in {250, 251, SEND_NOW}:
                    self._drop()
                    raise NotSentError(f"The mail server refused {what}: {code} {_text(answer)}")
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise NotSentError(f"The mail server broke off before the mail was sent: {_said(error)}") from error

    def _hand_over(self, connection: smtplib.SMTP, text: bytes) -> None:
        try:
            connection.send(re.sub(rb"(?m)^\.", b"..", text) + b".\r\n")
            code, answer = connection.getreply()
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise PerhapsSentError(f"The mail server did not confirm the mail: {_said(error)}") from error
        if code == TAKEN:
            return
        self._drop()
        if 400 <= code < 600:
            raise NotSentError(f"The mail server refused the mail: {code} {_text(answer)}")
        raise PerhapsSentError(f"The mail server answered {code} {_text(answer)} after the mail was handed over.")


def _text(answer: bytes) -> str:
    return " ".join(answer.decode("utf-8", "replace").split())[:300]


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
