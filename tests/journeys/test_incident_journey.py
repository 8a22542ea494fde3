"""An incident in a real browser: declared from the error page, taken by link, worked on, learnt from, closed."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.common import clock
from apps.common.dates import day_words
from apps.incidents.actions.files import add_file
from apps.incidents.actions.steps import finish_step, start_step
from apps.incidents.actions.timeline import finish_task, set_task
from apps.incidents.models import Escalation, Incident, IncidentClock, IncidentStep, LeadHandover, LeadTerm
from apps.incidents.models import Page as Call
from tests.cast import Cast
from tests.factories import a_system
from tests.journeys.conftest import Site, Visit
from tests.journeys.incident_walk import (
    SIZES,
    Letter,
    Post,
    act,
    looks_right,
    open_from_bar,
    open_step,
    post_office,
    sign,
    to,
    unfold,
)

pytestmark = [pytest.mark.journey, pytest.mark.committed]

TITLE = "It turned down claims that were due"


@pytest.fixture
def cast(site: Site) -> Cast:
    """A high-risk system that Ada answers for."""
    cast = Cast()
    a_system(
        cast, key="SYS-0117", name="Claims Adjudication Agent", owner=cast.ada, tier="critical",
        regulatory_class="high_risk", now=clock.now() - timedelta(days=20),
    )  # fmt: skip
    return cast


@pytest.fixture
def post(settings: Any, site: Site) -> Iterator[Post]:
    """Mail arrives."""
    with post_office(settings, site) as post:
        yield post


def declare_from_the_error_page(page: Page, what: str = "Not sure") -> Incident:
    """From a page that is not there, in two steps."""
    page.get_by_role("link", name="Declare an incident").click()
    expect(page.get_by_role("heading", name="Something went wrong")).to_be_visible()
    page.get_by_label("Name, key, agent ID or vendor").fill("claims")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_label(re.compile("Claims Adjudication Agent"))).to_be_checked()
    page.get_by_label(what).check()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Called the moment you declare")).to_be_visible()
    expect(page.locator(".called__name")).to_have_text("Ada Nwosu")
    page.get_by_label("What happened?").fill(TITLE)
    page.get_by_role("button", name="Declare the incident").click()
    expect(page.get_by_text(re.compile("is declared. Ada Nwosu is called now."))).to_be_visible()
    return Incident.objects.get()


def taken_by_link(phone: Visit, incident: Incident, letter: Letter) -> None:
    """Ada answers on whatever has her mail, where nobody is signed in."""
    assert letter.subject == f"{incident.code}: you are called: {TITLE}"
    page = phone.go(letter.ack_path)
    expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    expect(page.get_by_text("Ada Nwosu is asked to take the response.")).to_be_visible()
    # Opening the link, as mail scanners do, is no answer.
    assert Call.objects.get(incident=incident).state == "sent"
    looks_right(phone)
    page.get_by_role("button", name="I take it", exact=True).click()
    expect(page.get_by_text("You have it.")).to_be_visible()
    call = Call.objects.get(incident=incident)
    assert (call.state, call.answered_by_way, call.person.email) == ("acked", "link", "ada@example.org")
    term = LeadTerm.objects.get(incident=incident)
    assert (term.person.email, term.accepted_at is not None) == ("ada@example.org", True)
    assert Escalation.objects.get(incident=incident).state == "acked"


def classified(ada: Visit, incident: Incident) -> None:
    """From Home to the incident; how bad it is; then it is active."""
    page = ada.page
    expect(page.get_by_role("heading", name=f"You lead the response to {incident.code}")).to_be_visible()
    page.get_by_role("link", name=re.compile(f"^Open.*{incident.code}")).click()
    expect(page.get_by_text("took it at")).to_be_visible()
    page.get_by_role("link", name="Say how bad it is").locator("visible=true").first.click()
    page.get_by_label(re.compile("Severity 2")).check()
    page.get_by_label("Why?").fill("61 people, harm is possible")
    page.get_by_role("button", name="Say it").click()
    expect(page.get_by_text("The severity is noted.")).to_be_visible()
    incident.refresh_from_db()
    assert (incident.state, incident.severity) == ("active", "sev2")
    looks_right(ada)


def nothing_before_the_freeze(ada: Visit, incident: Incident) -> None:
    """A high-risk system is not changed, nor called contained, before its evidence is frozen."""
    page = ada.page
    open_step(page, "Start it again, confirmed by a second person")
    page.get_by_role("button", name="I do it").click()
    expect(page.get_by_role("alert")).to_contain_text("Freeze the evidence first: on a high-risk system")
    looks_right(ada)
    ada.go(incident.path)
    act(page, "It is contained", "It is contained", note="Paused")
    expect(page.get_by_role("alert")).to_contain_text("Do the step of the runbook that contains it first")
    assert not IncidentStep.objects.filter(incident=incident).exclude(state="todo").exists()
    ada.go(incident.path)


def frozen_by_the_deputy(ben: Visit, incident: Incident) -> None:
    """Ben sees on his own page what is live, and does what the runbook asks of the deputy."""
    ben.sign_in("ben")
    page = ben.page
    open_from_bar(page, incident)
    open_step(page, "Freeze the evidence")
    expect(page.locator(".owner-strip__name")).to_have_text("Ben Ortega")
    page.get_by_role("button", name="Mark done").click()
    expect(page.get_by_role("alert")).to_contain_text("Say what shows that step 2 is done.")
    page.get_by_label("What shows that it is done?").fill("Snapshot claims-0117, SHA-256 in the vault")
    page.get_by_role("button", name="Mark done").click()
    expect(page.get_by_text("Step 2 is done.")).to_be_visible()


def stopped_by_the_owner(ada: Visit, incident: Incident) -> None:
    """The step that comes next is done where it stands in the list, then the incident is contained."""
    page = ada.go(incident.path)
    now = page.locator("#live-steps [aria-current=step]")
    expect(now.get_by_role("heading")).to_contain_text("Stop its decisions, and let people decide")
    now.get_by_label("What shows that it is done?").fill("Rule pause-0117 at the gateway")
    now.get_by_role("button", name="Mark done").click()
    expect(page.get_by_text("Step 1 is done.")).to_be_visible()
    freeze: Any
    cut: Any
    freeze, cut = (IncidentStep.objects.get(incident=incident, order=order) for order in (2, 1))
    assert (freeze.state, freeze.done_by.email) == ("done", "ben@example.org")
    assert (cut.state, cut.done_by.email) == ("done", "ada@example.org")
    assert freeze.done_at < cut.done_at
    act(page, "It is contained", "It is contained", note="Paused at the gateway, nothing deleted")
    expect(page.get_by_text("The incident is contained.")).to_be_visible()


def decided_by_legal(lea: Visit, ada: Visit, incident: Incident) -> None:
    """One duty is looked at, started, submitted by its reference; the others are signed not to be reportable."""
    page = ada.go(f"{incident.path}clocks/")
    expect(page.get_by_text("Lea Abelmann signs for the legal seat that something is not reported.")).to_be_visible()
    expect(page.get_by_role("button", name="Sign", exact=True)).to_have_count(0)
    lea.sign_in("lea")
    page = lea.page
    page.get_by_role("link", name=re.compile(f"^Decide.*{incident.code}")).click()
    looks_right(lea)
    unfold(page)
    page.get_by_role("link", name="GDPR Art. 33(1)").click()
    page.get_by_role("button", name="I look at it").click()
    expect(page.get_by_text("You look at it. Others see that.")).to_be_visible()
    assert IncidentClock.objects.get(incident=incident, rule__key="GDPR-33").state == "assessing"
    became_aware = incident.declared_at.astimezone(clock.organisation_zone()).strftime("%H:%M")
    page.get_by_label("When did we become aware?").fill(became_aware)
    page.get_by_label("What happened, and how is it known?").fill("The letters name the illness, says the gateway")
    page.get_by_role("button", name="Start the clock").click()
    expect(page.get_by_text("The clock runs.")).to_be_visible()
    looks_right(lea)
    page.get_by_label("Reference").fill("LfDI-2026-4711")
    page.get_by_label("When was it submitted?").fill(became_aware)
    page.get_by_role("button", name="Note the submission").click()
    expect(page.get_by_text("Noted. Govportal has filed nothing.")).to_be_visible()
    row: Any = IncidentClock.objects.get(incident=incident, rule__key="GDPR-33")
    assert (row.state, row.submission_ref, row.submitted_by.email) == (
        "submitted", "LfDI-2026-4711", "lea@example.org",
    )  # fmt: skip
    assert row.due_at - row.anchor_at == timedelta(hours=72)


def the_others_are_not_reported(lea: Visit, incident: Incident) -> None:
    """Chosen all at once, signed once, with the reason."""
    page = lea.go(f"{incident.path}clocks/")
    left: Any = IncidentClock.objects.filter(incident=incident).exclude(rule__key="GDPR-33")
    assert left.count() > 1
    unfold(page)
    for one in left:
        page.locator(f"input[name=clock][value='{one.pk}']").check()
    looks_right(lea)
    page.get_by_label("Why is it not reportable?").fill("No medical device, no death, no serious harm")
    sign(page, "Lea Abelmann", "Sign")
    expect(page.get_by_text("Signed. It stands in the register of decisions.")).to_be_visible()
    looks_right(lea)
    assert {(one.state, one.decided_by.email) for one in left.all()} == {("not_reportable", "lea@example.org")}
    assert len({one.signature_id for one in left.all()}) == 1
    page.get_by_role("link", name="Register of decisions").click()
    expect(page.get_by_text("LfDI-2026-4711")).to_be_visible()


def handed_over(ada: Visit, nils: Visit, post: Post, incident: Incident) -> None:
    """Ada asks, and leads until Nils says yes."""
    page = ada.go(incident.path)
    act(
        page,
        "Hand over the response",
        "Ask them",
        person="nils@example.org",
        briefing="Contained; people decide",
    )
    expect(page.get_by_text("Nils Okafor is asked to take over.")).to_be_visible()
    incident.refresh_from_db()
    assert incident.lead.email == "ada@example.org"
    letter = to(post.arrived(), "nils", f"{incident.code}: Ada Nwosu asks you to take over")
    assert incident.path in letter.text
    nils.sign_in("nils")
    theirs = nils.page
    expect(theirs.get_by_role("heading", name=f"You are asked to take over {incident.code}")).to_be_visible()
    theirs.get_by_role("link", name=re.compile(f"^Open.*{incident.code}")).click()
    expect(theirs.get_by_text("Contained; people decide")).to_be_visible()
    looks_right(nils)
    theirs.get_by_role("button", name="I take over").click()
    expect(theirs.locator("#live-strip .owner-strip__name")).to_have_text("Nils Okafor")
    handover = LeadHandover.objects.get(incident=incident)
    assert (handover.state, handover.outgoing.email, handover.incoming.email) == (
        "taken", "ada@example.org", "nils@example.org",
    )  # fmt: skip


def started_by_one_confirmed_by_another(nils: Visit, ben: Visit, incident: Incident) -> None:
    """Nobody starts a system again alone."""
    title = "Start it again, confirmed by a second person"
    page = nils.go(incident.path)
    open_step(page, title)
    page.get_by_role("button", name="I do it").click()
    expect(page.get_by_text("Step 10 is yours.")).to_be_visible()
    page = ben.go(incident.path)
    open_step(page, title)
    page.get_by_label("What shows that it is done?").fill("Ten claims read, all decided by a person")
    page.get_by_role("button", name="I looked, it is done").click()
    expect(page.get_by_text("Step 10 is done.")).to_be_visible()
    step: Any = IncidentStep.objects.get(incident=incident, order=10)
    assert (step.started_by.email, step.done_by.email) == ("nils@example.org", "ben@example.org")


def resolved(nils: Visit, incident: Incident) -> None:
    """It is put right; the bar is gone; the review begins."""
    page = nils.go(incident.path)
    act(page, "It is resolved", "It is resolved", resolution="The old threshold is back, 61 claims are paid")
    expect(page.get_by_text("The incident is resolved.")).to_be_visible()
    expect(page.locator(".live-bar")).to_have_count(0)
    looks_right(nils)
    incident.refresh_from_db()
    assert (incident.state, incident.review.facilitator.email) == ("in_review", "una@example.org")
    # Not closed before it is reviewed: the way leads to the review, and closing says what is open.
    expect(page.get_by_role("link", name="Open the review").locator("visible=true").first).to_be_visible()
    nils.go(f"{incident.path}do/close/")
    page.get_by_role("button", name="Close it").click()
    expect(page.get_by_role("alert").first).to_contain_text("The review is not signed.")


def reviewed(una: Visit, incident: Incident) -> None:
    """Una, who did not lead, finds it on her own page, writes it, says who does what by when, and signs."""
    una.sign_in("una")
    page = una.page
    page.get_by_role("link", name=re.compile(f"^Review.*{incident.code}")).click()
    expect(page.locator(".owner-strip__name")).to_have_text("Una Brandt")
    expect(page.get_by_text("Before you can sign: ")).to_be_visible()
    page.get_by_label("What happened?").fill("61 claims were turned down that were due")
    page.get_by_label("What caused it?").fill("Its threshold was changed, and nobody looked")
    page.get_by_label("The timeline is right and complete as far as we know").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.get_by_text("Add an action").click()
    page.get_by_label("What is done?").fill("A second person looks at each new threshold")
    page.get_by_label("Who does it?").fill("ben@example.org")
    due = clock.local_date(clock.now()) + timedelta(days=14)
    page.get_by_label("By which day?").fill(day_words(due))
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_text("Added. Ben Ortega is told; somebody else verifies it.")).to_be_visible()
    looks_right(una)
    sign(page, "Una Brandt", "Sign the review")
    expect(page.get_by_text("Signed. The incident can be closed once every clock is decided.")).to_be_visible()
    review: Any = Incident.objects.get(pk=incident.pk).review
    assert (review.state, review.signature.person.email) == ("done", "una@example.org")
    action = incident.actions.get()
    assert (action.finding.person.email, action.finding.due_on) == ("ben@example.org", due)


def closed(nils: Visit, incident: Incident) -> None:
    """The one who leads closes it."""
    page = nils.go(incident.path)
    act(page, "Close the incident", "Close it")
    expect(page.get_by_text("The incident is closed.")).to_be_visible()
    looks_right(nils)
    incident.refresh_from_db()
    assert (incident.state, incident.lead.email, incident.mode) == ("closed", "nils@example.org", "real")
    assert Escalation.objects.get(incident=incident).state == "stopped"
    assert not LeadTerm.objects.filter(incident=incident, ended_at=None).exists()


@pytest.mark.parametrize("size", SIZES)
def test_from_the_error_page_to_closed(cast: Cast, visit: Any, post: Post, size: str) -> None:
    dov, phone, ada, ben, lea, nils, una = (visit(**SIZES[size]) for _ in range(7))
    dov.sign_in("dov")
    incident = declare_from_the_error_page(dov.go("/not/there/"), "It made a harmful decision")
    assert (incident.lead, incident.declared_by, incident.state) == (cast.ada, cast.dov, "reported")
    looks_right(dov)
    letters = post.arrived()
    assert {one.to for one in letters} == {"ada", "lea", "mara"}
    taken_by_link(phone, incident, to(letters, "ada", f"{incident.code}: you are called"))

    ada.sign_in("ada")
    classified(ada, incident)
    nothing_before_the_freeze(ada, incident)
    frozen_by_the_deputy(ben, incident)
    stopped_by_the_owner(ada, incident)
    decided_by_legal(lea, ada, incident)
    the_others_are_not_reported(lea, incident)
    handed_over(ada, nils, post, incident)
    started_by_one_confirmed_by_another(nils, ben, incident)
    resolved(nils, incident)
    reviewed(una, incident)
    closed(nils, incident)
    assert [one.complaints for one in (dov, phone, ada, ben, lea, nils, una)] == [[]] * 7


def test_without_script(cast: Cast, visit: Any) -> None:
    dov, ada = visit(java_script_enabled=False), visit(java_script_enabled=False)
    dov.sign_in("dov")
    incident = declare_from_the_error_page(dov.go("/not/there/"))
    dov.page.get_by_label("What happened, or what was decided?").fill("It began at 08:20")
    dov.page.get_by_role("button", name="Add note").click()
    expect(dov.page.locator("#live-lines p", has_text="It began at 08:20")).to_be_visible()
    ada.sign_in("ada")
    page = ada.go(incident.path)
    page.get_by_role("button", name="I take it").click()
    expect(page.get_by_text("took it at")).to_be_visible()
    expect(page.get_by_role("link", name="Reload")).to_be_visible()


def test_what_is_typed_stays_while_the_page_is_read_anew(cast: Cast, visit: Any) -> None:
    dov, ada = visit(), visit()
    dov.sign_in("dov")
    incident = declare_from_the_error_page(dov.go("/not/there/"))
    ada.sign_in("ada")
    page = ada.go(incident.path)
    words = page.get_by_label("What happened, or what was decided?")
    words.fill("Half a sentence that nobody sent y")
    as_of = page.locator("[data-as-of]").inner_text()

    dov.page.get_by_label("What happened, or what was decided?").fill("A second letter went out")
    dov.page.get_by_role("button", name="Add note").click()

    expect(page.locator("#live-lines p", has_text="A second letter went out")).to_be_visible(timeout=25_000)
    expect(words).to_have_value("Half a sentence that nobody sent y")
    expect(words).to_be_focused()
    expect(page.locator("#live-said")).to_contain_text("New line: A second letter went out")
    assert page.locator("[data-as-of]").inner_text() != as_of
    assert ada.complaints == []


def read_anew(page: Page) -> None:
    """What the page does by itself every 15 s, now."""
    page.evaluate("htmx.ajax('GET', location.pathname, {target: '#live-poll', swap: 'outerHTML'})")


def test_words_stay_in_each_field_while_others_work_on_the_same_section(cast: Cast, visit: Any) -> None:
    dov, ada = visit(), visit()
    dov.sign_in("dov")
    incident = declare_from_the_error_page(dov.go("/not/there/"))
    ada.sign_in("ada")
    page = ada.go(incident.path)
    column, note = page.locator("#live-steps"), page.get_by_label("What happened, or what was decided?")
    ben: dict[str, Any] = {"actor": cast.ben, "now": clock.now()}

    # Nothing is typed: what has the focus keeps it, though each element is a new one.
    column.get_by_role("button", name="Mark done").focus()
    task = set_task(incident, what="List the 61 claims", person=cast.ben, **ben)
    read_anew(page)
    expect(page.locator("#live-tasks")).to_contain_text("List the 61 claims")
    expect(column.get_by_role("button", name="Mark done")).to_be_focused()

    # Words in the runbook and beside the timeline: others work on the step, the task and the files.
    note.fill("Half a sentence")
    page.get_by_label("This is a decision").check()
    field = column.get_by_label("What shows that it is done?")
    field.fill("Rule pause-0117")
    field.press("ArrowLeft")
    start_step(incident.steps.get(order=1), **ben)
    finish_task(task, outcome="61 stand in the file", **ben)
    add_file(incident, name="claims.txt", content=b"61 lines", note="All of them", **ben)
    read_anew(page)
    expect(column).to_contain_text("started ")
    expect(page.locator("#live-tasks")).to_contain_text("61 stand in the file")
    expect(page.locator("#live-files")).to_contain_text("claims.txt")
    expect(field).to_be_focused()
    page.keyboard.type("0")
    expect(field).to_have_value("Rule pause-01107")
    expect(note).to_have_value("Half a sentence")
    expect(page.get_by_label("This is a decision")).to_be_checked()

    # The step is done by somebody else: the words stay, it is said why, and sent they can become a note.
    finish_step(incident.steps.get(order=1), evidence="Seen by Ben", **ben)
    read_anew(page)
    expect(column.get_by_role("status")).to_contain_text("Somebody worked on this meanwhile.")
    expect(field).to_have_value("Rule pause-01107")
    looks_right(ada)
    column.get_by_role("button", name="Mark done").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody worked on step 1 meanwhile: it is done.")
    expect(page.get_by_label("What you typed")).to_have_value("Rule pause-01107")
    looks_right(ada)
    page.get_by_role("button", name="Add it as a note").click()
    expect(page.locator("#live-lines p", has_text="Rule pause-01")).to_be_visible()
    assert incident.steps.get(order=1).evidence == "Seen by Ben"
    assert ada.complaints == []
