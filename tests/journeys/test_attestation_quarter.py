"""A quarter in a real browser, at a desk and on a phone: from the owner's answers to the sealed report.

The pages follow the wall clock, so the campaign lies around today; the test moves it on by the sweeps of later days.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from playwright.sync_api import Page, expect

from apps.attestations import actions
from apps.attestations.actions import closing, documents, nodes
from apps.attestations.actions.campaigns import quarterly
from apps.attestations.models import (
    Answer,
    Assignment,
    AttestationException,
    Campaign,
    EvidenceFile,
    RollupNode,
    Signature,
)
from apps.attestations.queries.calendar import dates_of
from apps.attestations.rules import Period
from apps.audit.rules import COMMAND
from apps.common import clock
from apps.notify.models import Message
from apps.people import actions as people
from tests.attestations.after import seed_that_draws
from tests.attestations.files import PDF
from tests.cast import PASSWORD, Cast
from tests.factories import a_system
from tests.journeys.conftest import Site, Visit, follow
from tests.journeys.looks import barriers

pytestmark = [pytest.mark.journey, pytest.mark.committed]

DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
CRITICAL, WITH_EXCEPTION, SILENT = "Claims Adjudication Agent", "Software Approval Agent", "Letter Sorter"


def open_around_today(now: datetime) -> Campaign:
    """The quarterly campaign, opened two days ago and due in three days or more."""
    template, today = quarterly(), clock.local_date(now)
    running = Period.of(today)
    for period, month in ((one, month) for one in (running, running.next()) for month in (1, 2, 3)):
        template.due_month, template.opens_days_before = month, 0
        due_on = dates_of(period, template).due_on
        if due_on >= today + timedelta(days=3):
            break
    template.opens_days_before = (due_on - today).days + 3
    template.save()
    drawn = seed_that_draws("SYS-0120", ("SYS-0104", "SYS-0120"))
    with patch("apps.attestations.actions.campaigns.secrets.token_hex", return_value=drawn):
        return actions.open_campaign(str(period), actor=COMMAND, now=now - timedelta(days=2), template=template)[0]


@pytest.fixture
def patient(visit: Any) -> Iterator[Any]:
    """Windows that wait longer: seven of them are open at once, each with its own person."""

    def opened(**options: Any) -> Visit:
        window: Visit = visit(**options)
        window.context.set_default_timeout(40_000)
        return window

    expect.set_options(timeout=20_000)
    yield opened
    expect.set_options(timeout=5_000)


@pytest.fixture
def world(site: Site) -> Cast:
    """Ada answers for two systems, Dov for one; Nils is Head of AI. The campaign runs."""
    cast, now = Cast(), clock.now()
    before = now - timedelta(days=3)
    people.seat_person("ai_lead", cast.nils, actor=cast.mara, now=before)
    a_system(cast, key="SYS-0117", name=CRITICAL, owner=cast.ada, tier="critical", now=before)
    a_system(cast, key="SYS-0104", name=WITH_EXCEPTION, owner=cast.ada, tier="low", now=before)
    a_system(cast, key="SYS-0120", name=SILENT, owner=cast.dov, tier="medium", now=before)
    open_around_today(now)
    return cast


def fill(page: Page) -> None:
    """Answer what the page asks: all in order, today, by Ada, explained where the register says otherwise."""
    today = clock.day_words(clock.local_date(clock.now()))
    for question in page.locator("fieldset.question").all():
        if not question.is_visible():
            continue
        radios = question.locator(":scope > .choices > .choice > input[type=radio]")
        if radios.count() and not question.locator("input[type=radio]:checked").count():
            radios.first.check()
        for field in question.locator(":scope > .field > input[type=text]").all():
            if field.is_visible() and not field.input_value():
                named = field.get_attribute("list") == "people-known"
                field.fill("ada@example.org" if named else today)
        for text in question.locator(":scope > .field > textarea, :scope > .contradiction textarea").all():
            if text.is_visible() and not text.input_value():
                text.fill("Seen myself")


def go_on(page: Page) -> None:
    """Save the section."""
    follow(page.get_by_role("button", name="Save and continue").last)


def answer_the_rest(page: Page, seen: Any = None) -> None:
    """Section after section up to the check; each page is looked at."""
    for _ in range(40):
        if "/check/" in page.url:
            return
        # Twice: what follows from an answer shows once it is given.
        fill(page)
        fill(page)
        if seen is not None:
            assert barriers(seen) == []
        go_on(page)
    raise AssertionError(page.url)


def sign(page: Page, name: str, button: str) -> None:
    """Tick, type one's name, prove that it is oneself."""
    page.get_by_label("I have read the declaration and I mean it").check()
    page.get_by_label("Type your full name to sign").fill(name)
    page.get_by_label("Your password").fill(PASSWORD)
    follow(page.get_by_role("button", name=button, exact=True))


def declare(page: Page) -> None:
    """The stop was not tested: what is wrong, how grave, what protects, the plan and its day."""
    page.locator("#kill_switch-no").check()
    page.locator("#kill_switch-no-comment").fill("Nobody tried the stop")
    page.locator("#kill_switch-no-severity").select_option("medium")
    page.locator("#kill_switch-no-control").fill("Somebody is on call")
    page.locator("#kill_switch-no-plan").fill("We try it on the copy")
    by = clock.local_date(clock.now()) + timedelta(days=20)
    page.locator("#kill_switch-no-date").fill(clock.day_words(by))


def attach(page: Page, question: str) -> None:
    """A file under an answer."""
    if not page.locator(f"#{question}-file").is_visible():
        page.locator(f"#{question}-evidence summary").click()
    page.locator(f"#{question}-file").set_input_files(
        {"name": "stop-test.pdf", "mimeType": "application/pdf", "buffer": PDF}
    )
    follow(page.locator(f"#{question}-evidence button[name=attach]"))
    expect(page.get_by_role("link", name="stop-test.pdf")).to_be_visible()


def saved(page: Page, question: str, value: str) -> None:
    """Wait until an answer is kept, without any button."""
    for _ in range(50):
        if Answer.objects.filter(question=question, value=value).exists():
            return
        page.wait_for_timeout(200)
    raise AssertionError(question)


def two_tabs(ada: Visit) -> None:
    """The same section in two tabs: the second save is a conflict that shows both answers; nothing is lost."""
    page, other = ada.page, ada.context.new_page()
    other.goto(page.url)
    page.locator("#drills-yes").check()
    page.locator("#runbook-yes").check()
    saved(page, "runbook", "yes")
    other.locator("#drills-not_applicable").check()
    other.locator("#drills-not_applicable-comment").fill("It has no drill")
    expect(other.locator("[data-autosave-status]")).to_contain_text("Saved in another window too")
    other.get_by_role("button", name="Save and continue").last.click()
    expect(other.get_by_role("heading", name=re.compile("Saved in another window at"))).to_be_visible()
    conflict = other.get_by_role("group", name=re.compile("which answer stands"))
    expect(conflict).to_contain_text("It has no drill")
    expect(conflict).to_contain_text("What was saved by Ada Nwosu")
    other.get_by_label("What I typed here").check()
    follow(other.get_by_role("button", name="Save and continue").last)
    other.close()
    page.reload()
    expect(page.locator("#drills-not_applicable")).to_be_checked()
    expect(page.locator("#drills-not_applicable-comment")).to_have_value("It has no drill")
    expect(page.locator("#runbook-yes")).to_be_checked()


def owner_at_the_desk(ada: Visit) -> None:
    """Ada's critical system: from home through the sections, a file, both tabs, back and forth, and her signature."""
    page = ada.sign_in("ada")
    assert barriers(ada) == []
    follow(page.get_by_role("link", name=re.compile(f"^Start.*{CRITICAL}")))
    expect(page.get_by_role("heading", name=CRITICAL, level=1)).to_be_visible()
    assert barriers(ada) == []
    follow(page.get_by_role("link", name="Start", exact=True))
    fill(page)
    saved(page, "accountable", "yes")
    expect(page.locator("[data-autosave-status]")).to_contain_text("Saved at")
    go_on(page)
    page.go_back()
    expect(page.locator("#accountable-yes")).to_be_checked()
    follow(page.locator(".sections").get_by_role("link", name="Response"))
    two_tabs(ada)
    follow(page.locator(".sections").get_by_role("link", name="Grave harm"))
    attach(page, "grave_report")
    follow(page.locator(".sections").get_by_role("link", name="Ownership"))
    answer_the_rest(page, ada)
    expect(page.get_by_role("heading", name="Check your answers before you sign")).to_be_visible()
    assert barriers(ada) == []
    sign(page, "Ada Nwosu", "Sign and submit")
    assert page.url.endswith("/receipt/"), page.locator("main").inner_text()
    assert barriers(ada) == []


def owner_on_the_phone(phone: Visit) -> None:
    """The other one on the phone, with an exception that has a plan; the receipt leads on."""
    page = phone.sign_in("ada")
    assert barriers(phone) == []
    follow(page.get_by_role("link", name=re.compile(f"^Start.*{WITH_EXCEPTION}")), tap=True)
    follow(page.get_by_role("link", name="Start", exact=True), tap=True)
    while "/response/" not in page.url:
        fill(page)
        fill(page)
        go_on(page)
    declare(page)
    answer_the_rest(page, phone)
    expect(page.get_by_text("You are declaring 1 exception.")).to_be_visible()
    assert barriers(phone) == []
    sign(page, "Ada Nwosu", "Sign and submit")
    assert page.url.endswith("/receipt/"), page.locator("main").inner_text()
    expect(page.get_by_text("Nothing else waits for you.")).to_be_visible()
    assert barriers(phone) == []


def head_accepts(una: Visit) -> None:
    """The head finds it at home, reads it, accepts it, and approves the plan."""
    page = una.sign_in("una")
    follow(page.get_by_role("link", name=re.compile("^Review")).first)
    assert barriers(una) == []
    follow(page.get_by_role("link", name=re.compile(f"^Review.*{WITH_EXCEPTION}")))
    expect(page.get_by_text("Nobody tried the stop")).to_be_visible()
    assert barriers(una) == []
    sign(page, "Una Brandt", "Sign and accept")
    expect(page.get_by_text(f"You accepted the attestation of {WITH_EXCEPTION}.")).to_be_visible()
    una.go("/")
    follow(page.get_by_role("link", name=re.compile("^Decide.*Nobody tried the stop")))
    page.get_by_label("Approve the plan").check()
    assert barriers(una) == []
    page.get_by_label("I have read the exception and its plan, and I mean my decision").check()
    page.get_by_label("Type your full name to sign").fill("Una Brandt")
    if page.get_by_label("Your password").count():
        page.get_by_label("Your password").fill(PASSWORD)
    follow(page.get_by_role("button", name="Sign the decision"))
    assert AttestationException.objects.get().state == "approved"


def sampled(nils: Visit) -> None:
    """The Head of AI answers each question of the critical system again."""
    page = nils.sign_in("nils")
    follow(page.get_by_role("link", name=re.compile("^Review.*samples")).first)
    follow(page.get_by_role("link", name=re.compile(f"^Re-perform.*{CRITICAL}")))
    expect(page.get_by_text("stop-test.pdf")).to_be_visible()
    for agree in page.get_by_label("I come to the same answer").all():
        agree.check()
    assert barriers(nils) == []
    sign(page, "Nils Okafor", "Sign the sample")
    expect(page.get_by_text("You agree with all answers: it is accepted.")).to_be_visible()


def sweeps_of_later_days(campaign: Campaign, cast: Cast) -> None:
    """The ladder of who is silent, day after day; then the time is over: not attested, by name."""
    day = datetime.combine(campaign.due_on - timedelta(days=3), datetime.min.time(), clock.organisation_zone())
    while day < campaign.closes_at:
        actions.remind_all_due(now=day + timedelta(hours=10))
        actions.move_on_due(now=day + timedelta(hours=10))
        day += timedelta(days=1)
    heard = Message.objects.filter(key__startswith="campaign-digest:")
    assert heard.filter(recipient=cast.dov).count() >= 4
    assert {mail.recipient for mail in heard} == {cast.dov, cast.una, cast.cleo, cast.nils}
    keys = list(heard.values_list("recipient", "key"))
    assert len(set(keys)) == len(keys)
    assert actions.move_on_due(now=campaign.closes_at + timedelta(hours=9)) == [campaign.code]
    nodes.ready_nodes(now=campaign.closes_at + timedelta(hours=9))
    assert Assignment.objects.get(system__key="SYS-0120").state == "not_attested"


def signs_the_rollup(window: Visit, who: str, name: str, place: str) -> None:
    """Found at home, read, signed: with what is missing by name."""
    page = window.go("/") if window.page.url != "about:blank" else window.sign_in(who)
    follow(page.get_by_role("link", name=re.compile(f"^Read and sign.*the roll-up of {place}")))
    row = page.get_by_role("row", name=re.compile(SILENT))
    expect(row).to_contain_text("Dov Watanabe")
    expect(row).to_contain_text("Not attested")
    assert barriers(window) == []
    page.get_by_label("I sign the statement above").check()
    page.get_by_label("I have read the declaration and I mean it").check()
    page.get_by_label("Type your full name to sign").fill(name)
    if page.get_by_label("Your password").count():
        page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_text("Signed with exceptions on")).to_be_visible()


def closed_and_sealed(mara: Visit, campaign: Campaign) -> None:
    """What is not finished is carried over by name; it closes by itself; the seal; the report and its PDF."""
    now = campaign.closes_at + timedelta(hours=10)
    assert closing.finish_due(now=now) == [campaign.code]
    page = mara.sign_in("mara")
    mara.go(f"/attestations/{campaign.code}/closing/")
    expect(page.get_by_text("Nobody tried the stop")).to_be_visible()
    assert barriers(mara) == []
    follow(page.get_by_role("button", name="Carry over what is chosen"))
    assert closing.finish_due(now=now) == [campaign.code]
    mara.go(f"/attestations/{campaign.code}/closing/")
    page.get_by_role("button", name="Seal the campaign").click()
    expect(page.get_by_text("Manifest, SHA-256")).to_be_visible()
    assert barriers(mara) == []
    campaign.refresh_from_db()
    assert campaign.state == "sealed"

    mara.go(f"/attestations/{campaign.code}/")
    assert barriers(mara) == []
    follow(page.get_by_role("link", name="Report").first)
    expect(page.get_by_text("Dov Watanabe").first).to_be_visible()
    assert barriers(mara) == []
    as_pdf(page, "Make PDF")


def as_pdf(page: Page, button: str) -> None:
    """Asked for on the page; made by the sweep; downloaded where this machine can set PDFs."""
    page.get_by_role("button", name=button).click()
    page.wait_for_url("**/documents/*/")
    assert documents.make_documents(now=clock.now()) == 1
    page.reload()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the PDF").click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")


def test_a_quarter_in_the_browser(world: Cast, patient: Any) -> None:
    campaign = Campaign.objects.get()
    ada, phone, una, nils = patient(**DESK), patient(**PHONE), patient(**DESK), patient(**DESK)
    owner_at_the_desk(ada)
    owner_on_the_phone(phone)
    assert EvidenceFile.objects.get().question == "grave_report"
    head_accepts(una)
    sampled(nils)
    assert set(Assignment.objects.values_list("state", flat=True)) == {"accepted", "pending"}
    sweeps_of_later_days(campaign, world)

    cleo, lea, mara = patient(**DESK), patient(**PHONE), patient(**DESK)
    signs_the_rollup(una, "una", "Una Brandt", "Claims")
    signs_the_rollup(nils, "nils", "Nils Okafor", "Head of AI")
    signs_the_rollup(cleo, "cleo", "Cleo Marchetti", "CISO")
    signs_the_rollup(lea, "lea", "Lea Abelmann", "Top")
    top = Signature.objects.get(node__level="top")
    assert (top.signer, top.meaning, top.seat) == (world.lea, "acknowledge", "legal")
    assert {node.state for node in RollupNode.objects.all()} == {"signed_qualified"}
    closed_and_sealed(mara, campaign)

    page = ada.go("/attestations/")
    page.get_by_role("link", name=re.compile(CRITICAL)).first.click()
    page.wait_for_url("**/receipt/")
    assert Signature.objects.filter(kind="attestation", assignment__system__key="SYS-0117").exists()
    as_pdf(page, "Make PDF")
    for window in (ada, phone, una, nils, cleo, lea, mara):
        assert window.complaints == []


def test_the_owner_without_script(world: Cast, patient: Any) -> None:
    """The same forms: answers, what they raise, a file, a plan, and the signature, by pages alone."""
    ada = patient(java_script_enabled=False, **DESK)
    page = ada.sign_in("ada")
    follow(page.get_by_role("link", name=re.compile(f"^Start.*{WITH_EXCEPTION}")))
    follow(page.get_by_role("link", name="Start", exact=True))
    while "/response/" not in page.url:
        fill(page)
        go_on(page)
    declare(page)
    attach(page, "response_card")
    expect(page.locator("#kill_switch-no-plan")).to_have_value("We try it on the copy")
    answer_the_rest(page)
    expect(page.get_by_text("You are declaring 1 exception.")).to_be_visible()
    sign(page, "Ada Nwosu", "Sign and submit")
    assert page.url.endswith("/receipt/"), page.locator("main").inner_text()
    signature = Signature.objects.get()
    assert (signature.signer, signature.meaning, signature.exceptions) == (world.ada, "acknowledge", 1)
    assert ada.complaints == []
