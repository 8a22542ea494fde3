"""Home: what needs the person, by deadline, and what they answer for."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.attestations.actions import open_campaign
from apps.audit.rules import COMMAND
from apps.directory.actions import offboard
from apps.portal.queries.home import SINGLY, due_words, greeting, home_page
from apps.registry import actions as registry
from apps.registry.models import System
from tests.cast import BEGINNING, Cast
from tests.factories import NOW, a_system
from tests.registry.test_charter import in_force, signed

LATER = BEGINNING + timedelta(days=1)


def register(cast: Any, key: str) -> System:
    return registry.register_system(
        key=key, name=f"Agent {key}", unit=cast.claims, stage="production", tier="high", actor=cast.mara, now=LATER
    )


def test_nothing_yet(cast: Any, browse: Any) -> None:
    text = browse(cast.dov).get(reverse("portal:home")).content.decode()
    assert "You answer for nothing yet" in text
    assert "Nothing needs you today" in text
    assert 'id="home-q"' in text


def test_what_one_answers_for(cast: Any, browse: Any) -> None:
    register(cast, "SYS-1")
    register(cast, "SYS-2")
    text = browse(cast.una).get(reverse("portal:home")).content.decode()
    assert "<strong>2 systems</strong>" in text
    assert "Agent SYS-1" in text
    assert "Interim" in text
    assert "No deputy" in text


def test_a_nomination_needs_an_answer(cast: Any, browse: Any) -> None:
    nomination = registry.nominate_owner(register(cast, "SYS-1"), cast.ada, actor=cast.una, now=LATER)
    text = browse(cast.ada).get(reverse("portal:home")).content.decode()
    assert "One thing needs you." in text
    assert "Accept or decline: answer for Agent SYS-1" in text
    assert reverse("portal:nomination", args=[nomination.pk]) in text


def test_needs_are_sorted_by_deadline(cast: Any) -> None:
    for days, key in ((9, "SYS-1"), (0, "SYS-2"), (4, "SYS-3")):
        registry.nominate_owner(register(cast, key), cast.ada, actor=cast.una, now=LATER + timedelta(days=days))
    page = home_page(cast.ada, LATER)
    assert [need.about for need in page.needs] == ["Agent SYS-2", "Agent SYS-3", "Agent SYS-1"]
    assert page.needs_total == 3


def test_a_retired_system_is_not_answered_for(cast: Any) -> None:
    system = register(cast, "SYS-1")
    registry.retire_system(system, actor=cast.mara, now=LATER + timedelta(days=1), reason="Replaced.")
    assert home_page(cast.una, LATER).owned_total == 0


def test_the_mandate_is_shown_to_who_holds_it(cast: Any, browse: Any) -> None:
    assert "Your mandate" in browse(cast.mara).get(reverse("portal:home")).content.decode()
    assert "Your mandate" not in browse(cast.dov).get(reverse("portal:home")).content.decode()


def test_the_number_of_queries_does_not_grow(cast: Any, browse: Any) -> None:
    client = browse(cast.una)
    register(cast, "SYS-1")
    client.get(reverse("portal:home"))
    with CaptureQueriesContext(connection) as few:
        client.get(reverse("portal:home"))
    for n in range(10):
        register(cast, f"SYS-1{n}")
    with CaptureQueriesContext(connection) as many:
        client.get(reverse("portal:home"))
    assert len(few) == len(many)


@pytest.mark.parametrize(
    ("day", "words"),
    [(13, "4 days overdue"), (16, "1 day overdue"), (17, "Due today"), (18, "Due tomorrow"), (20, "Due in 3 days"),
     (21, "Due 21 Nov 2026")],
)  # fmt: skip
def test_a_deadline_in_words(day: int, words: str) -> None:
    assert due_words(date(2026, 11, day), date(2026, 11, 17)) == words


@pytest.mark.parametrize(
    ("hour", "zone", "part"),
    [(8, "UTC", "morning"), (13, "UTC", "afternoon"), (22, "UTC", "evening"), (22, "Asia/Tokyo", "morning")],
)
def test_the_greeting_goes_by_the_persons_clock(cast: Any, hour: int, zone: str, part: str) -> None:
    cast.ada.time_zone = zone
    assert greeting(cast.ada, datetime(2026, 11, 17, hour, tzinfo=UTC)) == f"Good {part}, Ada"


@pytest.mark.parametrize("name", ["menu", "keys", "home"])
def test_the_pages_without_script(cast: Any, browse: Any, name: str) -> None:
    assert browse(cast.dov).get(reverse(f"portal:{name}")).status_code == 200


def test_caught_mail_is_there_in_the_demo_only(cast: Any, browse: Any, tmp_path: Any, monkeypatch: Any) -> None:
    from apps.notify.caught import keep

    monkeypatch.setenv("MAIL_CATCHER_DIR", str(tmp_path))
    head = "From: a@localhost\nTo: ada@example.org\nSubject: Look <b>here</b>\nDate: Tue, 17 Nov 2026 09:00:00 +0000"
    message = f"{head}\n\nRead http://localhost/x"
    keep(tmp_path, message.encode(), LATER)
    assert browse(cast.dov).get(reverse("portal:demo_mail")).status_code == 404
    with override_settings(DEMO=True):
        text = browse(cast.dov).get(reverse("portal:demo_mail")).content.decode()
    assert "Look &lt;b&gt;here&lt;/b&gt;" in text
    assert 'href="http://localhost/x"' in text


def test_an_attestation_is_waiting(cast: Any, browse: Any) -> None:
    register(cast, "SYS-1")
    registry.nominate_owner(register(cast, "SYS-2"), cast.una, actor=cast.mara, now=LATER)
    open_campaign("2026Q4", actor=COMMAND, now=datetime(2026, 11, 10, 9, tzinfo=UTC))
    page = home_page(cast.una, datetime(2026, 11, 10, 10, tzinfo=UTC))
    assert [need.kind for need in page.needs] == ["nomination", "attestation", "attestation"]
    assert page.needs[1].title == "Sign the Q4 attestation for Agent SYS-1"
    assert page.period == "Q4 attestation"
    text = browse(cast.una).get(reverse("portal:home")).content.decode()
    assert reverse("attestations:assignment", args=["2026Q4", "SYS-1"]) in text
    assert ">0%<" in browse(cast.mara).get(reverse("portal:home")).content.decode()


def test_many_attestations_are_one_row_for_each_date(cast: Any, browse: Any) -> None:
    for number in range(SINGLY + 1):
        register(cast, f"SYS-{number}")
    open_campaign("2026Q4", actor=COMMAND, now=datetime(2026, 11, 10, 9, tzinfo=UTC))
    page = home_page(cast.una, datetime(2026, 11, 10, 10, tzinfo=UTC))
    (need,) = page.needs
    assert need.title == f"Sign {SINGLY + 1} Q4 attestations"
    assert need.text == "You stand in for all of them."
    assert need.url == reverse("attestations:campaigns")
    assert page.needs_total == page.owned_total == page.interim_total == SINGLY + 1
    text = browse(cast.una).get(reverse("portal:home")).content.decode()
    assert f"?basis=interim&amp;owner={cast.una.pk}" in text


def test_a_long_name_is_cut_in_a_duty(cast: Any) -> None:
    system = registry.register_system(
        key="SYS-1", name="Long " * 90, unit=cast.claims, stage="production", tier="high", actor=cast.mara, now=LATER
    )
    registry.nominate_owner(system, cast.ada, actor=cast.una, now=LATER)
    (need,) = home_page(cast.ada, LATER).needs
    assert need.title.endswith("…")
    assert len(need.title) < 140


def test_the_charter_and_a_leaver_need_somebody(cast: Cast, browse: Any) -> None:
    charter = in_force(cast)
    a_system(cast, owner=cast.ada)
    offboard(cast.ada, actor=cast.mara, now=NOW)
    lea = browse(cast.lea).get("/").content.decode()
    assert "Sign the charter of AI governance for General Counsel" in lea
    una = browse(cast.una).get("/").content.decode()
    assert "Find owners for what Ada Nwosu left" in una
    assert "1 system waits for somebody to accept." in una
    signed(cast, charter)
    assert "Sign the charter" not in browse(cast.cleo).get("/").content.decode()
