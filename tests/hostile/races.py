"""Several people press a button at the same moment: threads of their own, each with its own connection."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

from apps.common.errors import NotAllowed, Refused

WAITS = 20.0  # seconds, then somebody waits for ever


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run all of them together; the result of each, or the exception that ended it."""
    start, results = threading.Barrier(len(acts)), [None] * len(acts)

    def run(place: int, act: Callable[[], Any]) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '15s'")
            start.wait(WAITS)
            results[place] = act()
        except Exception as error:  # whatever it is, the test judges it
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place, act)) for place, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAITS)
    assert not any(thread.is_alive() for thread in threads), "they wait for each other"
    return results


def while_open(
    first: Callable[[], Any], second: Callable[[], Any], then: Callable[[], Any] = lambda: None
) -> tuple[Any, Any]:
    """The second begins while the first has done all of its work and has not committed.

    Deterministic: the first commits when the second waits for a lock, or has ended; `then` is its last work.
    """
    done, outcome = threading.Event(), []

    def run() -> None:
        try:
            outcome.append(second())
        except Exception as error:
            outcome.append(error)
        finally:
            done.set()
            connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        result = first()
        thread.start()
        _until_it_waits(done)
        then()
    thread.join(WAITS)
    assert not thread.is_alive(), "they wait for each other"
    return result, outcome[0]


def while_held(lock: str, row: Any, *acts: Callable[[], Any]) -> list[Any]:
    """All begin while a third party holds a row that they need; then it lets go and they meet.

    Deterministic: the next one begins when the one before it waits. An act that does not need the row may end.
    """
    results: list[Any] = [None] * len(acts)

    def run(place: int, act: Callable[[], Any], done: threading.Event) -> None:
        try:
            results[place] = act()
        except Exception as error:
            results[place] = error
        finally:
            done.set()
            connection.close()

    threads = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(lock, [row])
        for place, act in enumerate(acts):
            done = threading.Event()
            threads.append(threading.Thread(target=run, args=(place, act, done)))
            threads[-1].start()
            _until_it_waits(done, waiting=place + 1)
    for thread in threads:
        thread.join(WAITS)
    assert not any(thread.is_alive() for thread in threads), "they wait for each other"
    return results


_WAITING = """
SELECT count(DISTINCT pid) FROM pg_locks l JOIN pg_database d ON d.datname = current_database()
WHERE NOT granted AND pid IN (SELECT pid FROM pg_locks WHERE database = d.oid)
"""


def _until_it_waits(done: threading.Event, *, waiting: int = 1) -> None:
    """Until so many connections to this database wait for a lock, or the other thread has ended."""
    for _ in range(1000):
        with connection.cursor() as cursor:
            cursor.execute(_WAITING)
            if cursor.fetchone()[0] >= waiting or done.wait(0.005):
                return
    raise AssertionError("it neither waits nor ends")


def sentence(result: Any) -> bool:
    """Whether it ended as a person can be told."""
    return not isinstance(result, Exception) or isinstance(result, Refused | NotAllowed) or hasattr(result, "messages")
