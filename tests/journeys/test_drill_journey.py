"""A drill by surprise in a real browser; then the board reads what happened and what was rehearsed apart."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from apps.common import clock
from apps.incidents.models import ClockAnchor, Escalation, Exercise, Incident, IncidentClock
from apps.incidents.models import Page as Call
from apps.incidents.queries.metrics import metrics
from tests.cast import Cast
from tests.factories import a_system
from tests.incidents.learning_world import resolved
from tests.journeys.conftest import Site, Visit
from tests.journeys.incident_walk import SIZES, Letter, Post, looks_right, post_office, sign, to, unfold

pytestmark = [pytest.mark.journey, pytest.mark.committed]

TITLE = "An agent reads the letters of others"
TOLD = "A customer calls and reads from somebody else's letter"


@pytest.fixture
def cast(site: Site) -> Cast:
    """Ada answers for a system at which something happened last week, and for one at which nothing ever did."""
    cast, now = Cast(), clock.now()
    before = now - timedelta(days=20)
    letters = a_system(cast, key="SYS-0300", name="Letter Reading Agent", owner=cast.ada, tier="critical", now=before)
    a_system(cast, key="SYS-0117", name="Claims Adjudication Agent", owner=cast.ada, tier="critical", now=before)
    resolved(cast, system=letters, now=now - timedelta(days=7), answered=timedelta(minutes=7))
    return cast


@pytest.fixture
def post(settings: Any, site: Site) -> Iterator[Post]:
    """Mail arrives."""
    with post_office(settings, site) as post:
        post.arrived()
        yield post


def planned(mara: Visit) -> Exercise:
    """A page by surprise, with something that is told during it."""
    mara.sign_in("mara")
    page = mara.go("/incidents/drills/")
    page.get_by_role("link", name="Plan a drill").first.click()
    page.get_by_label("Page by surprise").check()
    page.get_by_label("What happens in it?").fill(TITLE)
    page.get_by_label("What went wrong?").select_option(label="It made a harmful decision")
    page.get_by_label("Which systems?").fill("SYS-0117")
    page.get_by_label("What is it to show?").fill("The lead says “I take it” within 5 minutes")
    at = (clock.now() + timedelta(days=2)).astimezone(clock.organisation_zone())
    page.get_by_label("When does it start?").fill(f"{at.day} {at:%b %Y, %H:%M}")
    page.get_by_label("Those concerned are told before").uncheck()
    looks_right(mara)
    page.get_by_role("button", name="Plan it").click()
    expect(page.get_by_text("Planned. Nobody is told before it is ready.")).to_be_visible()
    expect(page.get_by_text("Only you know of it")).to_be_visible()
    page.get_by_label("After how many minutes?").fill("5")
    page.get_by_label("What do you tell?").fill(TOLD)
    page.get_by_label("What should they do then?").fill("Asks what was read, and whose it is")
    page.get_by_label("Who should?").fill("ada@example.org")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_text("Not told yet")).to_be_visible()
    page.get_by_role("button", name="Make it ready").click()
    expect(page.get_by_text("Ready. It starts by itself at its time.")).to_be_visible()
    looks_right(mara)
    return Exercise.objects.get()


def nobody_knows(ada: Visit, post: Post, exercise: Exercise) -> None:
    """Whom it will surprise finds nothing of it, and gets no mail."""
    assert [one for one in post.arrived() if "DRILL" in one.subject] == []
    ada.sign_in("ada")
    page = ada.go("/incidents/drills/")
    expect(page.get_by_text("No drill concerns you")).to_be_visible()
    expect(page.get_by_text(TITLE)).to_have_count(0)
    ada.go(exercise.path)
    expect(page.get_by_role("heading", level=1)).not_to_contain_text(TITLE)


def started(mara: Visit, post: Post, exercise: Exercise) -> tuple[Incident, Letter]:
    """The facilitator starts it; one person is called, by a mail that says what it is."""
    page = mara.go(exercise.path)
    page.get_by_role("button", name="Start the drill now").click()
    expect(page.get_by_text("The drill runs.")).to_be_visible()
    incident = Incident.objects.get(mode="drill")
    assert (incident.code, incident.lead.email, incident.exercise) == ("DRILL-0001", "ada@example.org", exercise)
    letters = post.arrived()
    assert [one for one in letters if not one.subject.startswith("DRILL: ")] == []
    letter = to(letters, "ada", f"DRILL: {incident.code}: you are called: {TITLE}")
    assert letter.text.startswith("DRILL: ")
    return incident, letter


def answered(phone: Visit, incident: Incident, letter: Letter) -> None:
    """By the link, where nobody is signed in; the page says that it is a drill before all else."""
    page = phone.go(letter.ack_path)
    expect(page).to_have_title(re.compile(f"^DRILL: {incident.code}"))
    expect(page.get_by_text(f"DRILL: {incident.code}", exact=True)).to_be_visible()
    looks_right(phone)
    page.get_by_role("button", name="I take it", exact=True).click()
    expect(page.get_by_text("You have it.")).to_be_visible()
    call = Call.objects.get(incident=incident)
    assert (call.state, call.answered_by_way, call.person.email) == ("acked", "link", "ada@example.org")
    assert Escalation.objects.get(incident=incident).state == "acked"


def the_bar_says_so(windows: list[Visit], incident: Incident) -> None:
    """While it runs each page of those who take part says that nothing happened."""
    for window in windows:
        for path in ("/", "/systems/SYS-0117/", "/incidents/"):
            bar = window.go(path).locator(".live-bar--rehearsed")
            expect(bar).to_contain_text(f"DRILL {incident.code} Claims Adjudication Agent")
            expect(bar).to_contain_text("nothing happened, Ada Nwosu leads the rehearsal")
            expect(window.page.locator(".live-bar:not(.live-bar--rehearsed)")).to_have_count(0)
    looks_right(*windows)


def told_and_answered(mara: Visit, ada: Visit, post: Post, exercise: Exercise) -> None:
    """What the facilitator tells is answered on the drill's page, to which the responder comes from the incident."""
    page = mara.go(exercise.path)
    page.get_by_role("button", name=re.compile("^Tell it now")).click()
    expect(page.get_by_text("Told. The time runs.")).to_be_visible()
    letter = to(post.arrived(), "ada", "DRILL: EX-0001, A customer calls")
    assert exercise.path in letter.text
    theirs = ada.go("/")
    theirs.locator(".live-bar--rehearsed").get_by_role("link").first.click()
    expect(theirs.get_by_role("heading", level=1)).to_have_text(f"DRILL: {TITLE}")
    looks_right(ada)
    expect(theirs.get_by_role("heading", name="DRILL: Mara Lindt tells you")).to_be_visible()
    theirs.get_by_role("link", name="Say what you do").click()
    expect(theirs.get_by_text("Expected")).to_have_count(0)
    theirs.get_by_label("What do you do?").fill("I ask for the number of the letter, and stop the agent")
    looks_right(ada)
    theirs.get_by_role("button", name="Answer").click()
    expect(theirs.get_by_text("Answered.")).to_be_visible()
    theirs.get_by_role("button", name="It is decided now").click()
    expect(theirs.get_by_text("The time is noted.")).to_be_visible()
    inject: Any = exercise.injects.get()
    assert inject.answer == "I ask for the number of the letter, and stop the agent"
    assert inject.given_at < inject.answered_at


def no_clock_runs(ada: Visit, incident: Incident) -> None:
    """What would be decided is noted; nothing starts, nothing is signed."""
    page = ada.go(f"{incident.path}clocks/")
    expect(page.get_by_role("button", name="Sign", exact=True)).to_have_count(0)
    unfold(page)
    page.get_by_role("link", name=re.compile("^GDPR Art. 33\\(1\\)")).click()
    expect(page.get_by_role("button", name="Start the clock")).to_have_count(0)
    page.get_by_label("What would you decide, and why?").fill("I would tell the authority: letters of others were read")
    looks_right(ada)
    page.get_by_role("button", name="Note the decision").click()
    expect(page.get_by_text("Noted, with the time it took.")).to_be_visible()
    rows = IncidentClock.objects.filter(incident=incident)
    assert rows.count() > 1
    assert set(rows.values_list("state", flat=True)) == {"not_assessed", "assessing"}
    assert not rows.exclude(anchor_at=None, due_at=None).exists()
    assert not ClockAnchor.objects.filter(clock__incident=incident).exists()


def reported(mara: Visit, exercise: Exercise) -> None:
    """It ends; what was seen is written down and rated; the report is signed; the drill is closed."""
    page = mara.go(exercise.path)
    page.get_by_role("button", name="End the drill").click()
    expect(page.get_by_text("The drill is over. Nobody is called any more.")).to_be_visible()
    expect(page.locator(".live-bar")).to_have_count(0)
    page.get_by_text("Write down what you saw").click()
    page.get_by_label("What did you see?").fill("She answered within a minute, by the link")
    page.get_by_role("button", name="Note it").click()
    expect(page.get_by_text("Noted.")).to_be_visible()
    page.get_by_label("What happened, in short?").fill("Ada was called by surprise and took it at once")
    page.get_by_label("It passed").check()
    page.get_by_role("button", name="Save the report").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    looks_right(mara)
    sign(page, "Mara Lindt", "Sign the report")
    expect(page.get_by_text("Report signed.")).to_be_visible()
    page.get_by_role("link", name="The report on one sheet").click()
    expect(page.get_by_text("No legal clock ran. Nothing of this happened.")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("It passed.")
    looks_right(mara)
    mara.go(exercise.path)
    page.get_by_role("button", name="Close the drill").click()
    expect(page.get_by_text("The drill is closed.")).to_be_visible()
    exercise.refresh_from_db()
    report: Any = exercise.signature
    assert (exercise.state, exercise.outcome, report.person.email) == (
        "closed", "passed", "mara@example.org",
    )  # fmt: skip


def read_apart(bo: Visit) -> None:
    """A board member comes from the board's page; what happened took 7 minutes, what was rehearsed some seconds."""
    bo.sign_in("bo")
    page = bo.page
    page.get_by_role("link", name="Open Readiness").click()
    looks_right(bo)
    page.get_by_role("link", name="All numbers about incidents").click()
    expect(page.get_by_text("1 that happened, 1 rehearsed")).to_be_visible()
    found = metrics(now=clock.now())
    assert (found.real.incidents, found.drill.incidents) == (1, 1)
    real, drill = found.real.span("acknowledge"), found.drill.span("acknowledge")
    assert (real.n, real.median, drill.n) == (1, 420.0, 1)
    assert drill.median is not None
    assert 0 < drill.median < 300
    row = page.locator(".metric", has=page.get_by_role("heading", name="Time to acknowledge"))
    expect(row.locator(".metric__row").nth(0)).to_contain_text(re.compile(r"What happened\s*7 min\s+measured once"))
    expect(row.locator(".metric__row").nth(1)).to_contain_text(
        re.compile(rf"Drills\s*{drill.median_words}\s+measured once")
    )
    # What is only rehearsed, and what only happens.
    decision = page.locator(".metric", has=page.get_by_role("heading", name="Time to decision"))
    expect(decision.locator(".metric__row")).to_have_count(1)
    contain = page.locator(".metric", has=page.get_by_role("heading", name="Time to contain"))
    expect(contain.locator(".metric__row").nth(0)).to_contain_text("1 h 00 min")
    expect(contain.locator(".metric__row").nth(1)).to_contain_text("Not known: not measured in any yet")
    coverage = page.get_by_role("row", name=re.compile("^Drill coverage"))
    expect(coverage).to_contain_text("1 of 6")
    looks_right(bo)


@pytest.mark.parametrize("size", SIZES)
def test_a_drill_by_surprise_and_what_the_board_reads(cast: Cast, visit: Any, post: Post, size: str) -> None:
    mara, phone, ada, bo = (visit(**SIZES[size]) for _ in range(4))
    exercise = planned(mara)
    nobody_knows(ada, post, exercise)
    incident, letter = started(mara, post, exercise)
    answered(phone, incident, letter)
    the_bar_says_so([mara, ada], incident)
    told_and_answered(mara, ada, post, exercise)
    no_clock_runs(ada, incident)
    reported(mara, exercise)
    read_apart(bo)
    assert not IncidentClock.objects.filter(incident=incident).exclude(anchor_at=None).exists()
    assert [one.complaints for one in (mara, phone, ada, bo)] == [[]] * 4
