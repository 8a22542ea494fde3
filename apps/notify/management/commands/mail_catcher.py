"""`manage.py mail_catcher`: keeps every mail of the demo in a folder. Nothing leaves the machine."""

import asyncio
import signal
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.common import clock
from apps.notify.caught import keep, mail_folder

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Catcher:
    """Stores each mail as a file named by its time and a hash of its text."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # The name is aiosmtpd's.
    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep one mail before it is confirmed."""
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        await asyncio.to_thread(keep, self.folder, content, clock.now())
        return "250 Message accepted for delivery"


class Command(BaseCommand):
    """Runs until it is stopped."""

    help = "Catch the demo's mail on EMAIL_URL's port and keep it in MAIL_CATCHER_DIR."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Listen until SIGINT or SIGTERM. Raises CommandError outside the demo and off the loopback."""
        if not settings.DEMO:
            raise CommandError("The mail catcher belongs to the demo. Use a real mail server.")
        if settings.EMAIL_HOST not in LOOPBACK:
            raise CommandError(f"EMAIL_URL names {settings.EMAIL_HOST}. The mail catcher listens on 127.0.0.1 only.")
        folder = mail_folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        asyncio.run(_serve(folder, settings.EMAIL_HOST, settings.EMAIL_PORT))


async def _serve(folder: Path, host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    catcher = Catcher(folder)

    def speak() -> SMTP:
        return SMTP(catcher, hostname="localhost", ident="Mail catcher", enable_SMTPUTF8=True, loop=loop)

    server = await loop.create_server(speak, host=host, port=port)
    async with server:
        await stopped.wait()
