"""Workers at the same time, and workers that are killed: nobody gets a second mail."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings as loaded
from django.db import connection

from apps.common import clock
from apps.notify.delivery import deliver_pending
from apps.notify.models import Message
from apps.people.models import Person
from tests import databases
from tests.notify.server import Box, mail_server

MANY = 60


def test_two_workers_share_the_outbox(committed_db: str, box: Box, say: Callable[..., Message]) -> None:
    ada = Person.objects.get(email="ada@example.org")
    for number in range(MANY):
        say(ada, f"shared:{number}")
    sent: list[int] = []
    ready = threading.Barrier(2)

    def work() -> None:
        try:
            ready.wait()
            sent.append(deliver_pending().sent)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert sum(sent) == MANY
    assert all(sent)
    assert len(box.mails) == len(set(box.mails)) == MANY
    assert set(Message.objects.values_list("state", flat=True)) == {"sent"}


def test_a_killed_worker_leaves_one_in_doubt_and_none_twice(
    committed_db: str, say: Callable[..., Message], scripted: Callable[..., Any], settings: Any
) -> None:
    ada = Person.objects.get(email="ada@example.org")
    for number in range(5):
        say(ada, f"killed:{number}")
    server = scripted(last="TEXT", hang=True)
    worker = _worker(committed_db, server.port)
    assert server.reached.wait(60)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait(10)
    assert list(Message.objects.filter(state="claimed").values_list("attempts", flat=True)) == [1]

    box = Box()
    with _mail(box, settings):
        assert deliver_pending().sent == 4
        later = deliver_pending(clock_now=lambda: clock.now() + timedelta(minutes=11))
        assert (later.uncertain, later.sent) == (1, 0)
    assert server.texts + len(box.mails) == 5
    assert Message.objects.filter(state="uncertain").count() == 1


def _worker(database: str, port: int) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "DATABASE_URL": databases.app_url(database),
        "EMAIL_URL": f"smtp://127.0.0.1:{port}",
    }
    return subprocess.Popen(
        [sys.executable, "manage.py", "deliver_mail"],
        cwd=loaded.BASE_DIR,
        env=environment,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def _mail(box: Box, settings: Any) -> Iterator[None]:
    with mail_server(box) as port:
        settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = port, 10
        yield
