"""Several people press a button at the same moment: threads of their own, each with its own connection."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

from apps.common.errors import NotAllowed, Refused

WAITS = 20.0


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


def while_open(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any]:
    """The second begins while the first has done all of its work and has not committed.

    Deterministic: the first commits when the second waits for a lock, or has ended.
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
    thread.join(WAITS)
    assert not thread.is_alive(), "they wait for each other"
    return result, outcome[0]


def _until_it_waits(done: threading.Event) -> None:
    """Until some other connection waits for a lock of this one, or the other thread has ended."""
    for _ in range(400):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
            )
            if cursor.fetchone()[0] or done.wait(0.01):
                return
    raise AssertionError("the second neither waits nor ends")


def sentence(result: Any) -> bool:
    """Whether it ended as a person can be told."""
    return not isinstance(result, Exception) or isinstance(result, Refused | NotAllowed) or hasattr(result, "messages")
