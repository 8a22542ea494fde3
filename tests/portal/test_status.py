"""The status page and its API: one sentence first, what was not done, who sees to it, and every sweep."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from apps.access.actions import issue_token
from apps.audit import sweeps
from apps.common import clock
from apps.findings.models import Finding
from apps.portal.tasks import watch
from apps.portal.views.status import SWEEP_WORDS, span_words
from govportal.celery import app
from tests.cast import Cast
from tests.portal.test_watch import SCHEDULE, alive

Browse = Callable[[Any], Client]


def text(client: Client) -> str:
    response = client.get("/status/")
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_all_is_done(cast: Cast, browse: Browse) -> None:
    alive(clock.now())
    page = text(browse(cast.eve))
    assert "<strong>All 26 duties are done.</strong> Last looked " in page
    assert "Not done" not in page
    assert "Shows that a worker takes work" in page
    assert page.count('id="sweep-') == 2


def test_before_anything_ran(cast: Cast, browse: Browse) -> None:
    page = text(browse(cast.mara))
    assert "<strong>1 of 26 duties was not done.</strong>" in page
    assert "No worker has ever reported." in page
    assert "No sweep has run yet" in page
    assert "not told yet: the next look is within 10 minutes" in page


def test_what_was_not_done_names_who_was_told(cast: Cast, browse: Browse) -> None:
    watch()
    finding = Finding.objects.get()
    page = text(browse(cast.cleo))
    assert f'href="/findings/{finding.pk}/"' in page
    assert "told " in page
    assert "Mara Lindt" in page


def test_a_sweep_that_fails_shows_its_error(cast: Cast, browse: Browse) -> None:
    now = clock.now()
    sweeps.register(SCHEDULE, now=now)
    for _ in range(5):
        sweeps.begun("a", 600, now=now)
        sweeps.failed("a", OSError("disk <full>"), now=now)
    page = text(browse(cast.mara))
    assert "Fails each time: 5 in a row" in page
    assert "OSError: disk &lt;full&gt;" in page
    assert "5 failed" in page


def test_it_is_in_the_menu_of_who_may_read_it(cast: Cast, browse: Browse) -> None:
    cache.clear()
    shown = {name: 'href="/status/"' in browse(person).get("/").content.decode() for name, person in _people(cast)}
    assert shown == {"mara": True, "cleo": True, "eve": True, "bo": False, "ada": False}
    assert browse(cast.bo).get("/status/").status_code == 403


def _people(cast: Cast) -> list[tuple[str, Any]]:
    return [(name, getattr(cast, name)) for name in ("mara", "cleo", "eve", "bo", "ada")]


def test_every_sweep_of_the_schedule_has_words() -> None:
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} - set(SWEEP_WORDS) == set()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (-5, "0 seconds"),
        (1, "1 second"),
        (15, "15 seconds"),
        (60, "1 minute"),
        (119, "1 minute"),
        (300, "5 minutes"),
        (3600, "1 hour"),
        (86_400, "1 day"),
        (100_000, "27 hours"),
        (172_800, "2 days"),
        (200_000, "2 days"),
    ],
)
def test_spans_in_words(seconds: int, words: str) -> None:
    assert span_words(timedelta(seconds=seconds)) == words


def _asked(person: Any) -> Any:
    cache.clear()
    _, secret = issue_token(person, name="Monitor", scopes=["read"], actor=person, now=clock.now())
    return Client(headers={"Authorization": f"Bearer {secret}"}).get("/api/v1/status/")


def test_a_monitor_reads_it_by_token(cast: Cast) -> None:
    sweeps.register(SCHEDULE, now=clock.now())
    sweeps.begun("a", 600, now=clock.now())
    sweeps.succeeded("a", 12, now=clock.now())
    body = _asked(cast.eve).json()
    assert (body["done"], body["verdict"]) == (True, "All 26 duties are done."), "nothing is late yet"
    worker = next(one for one in body["duties"] if one["key"] == "worker")
    assert set(worker) == {
        "key", "what", "by_when", "done", "looked", "undone", "words", "action", "person", "told_at", "finding",
    }  # fmt: skip
    assert [(one["name"], one["last_result"], one["runs"], one["late"]) for one in body["sweeps"]] == [
        ("a", 12, 1, False),
        ("audit.heartbeat", None, 0, False),
    ]


def test_a_monitor_is_told_who_sees_to_it(cast: Cast) -> None:
    watch()
    body = _asked(cast.mara).json()
    assert (body["done"], body["verdict"]) == (False, "1 of 26 duties was not done.")
    worker = body["duties"][0]
    assert (worker["key"], worker["done"], worker["undone"], worker["words"]) == (
        "worker", False, 1, "No worker takes work from the queue",
    )  # fmt: skip
    assert worker["person"] == {"id": str(cast.mara.pk), "name": "Mara Lindt"}
    assert worker["finding"] == Finding.objects.get().pk
    assert all(one["person"] is None for one in body["duties"] if one["done"])


@pytest.mark.parametrize("who", ["ada", "bo"])
def test_a_monitor_needs_the_right(cast: Cast, who: str) -> None:
    assert _asked(getattr(cast, who)).status_code == 403
