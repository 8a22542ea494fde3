"""The pages of campaigns: for owners, for those who watch, and 404 for everybody else."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from apps.attestations import actions
from apps.attestations.models import Answer, Assignment, Signature
from apps.attestations.questions import DEFAULT_SET, Section
from apps.audit.models import AuditEvent
from apps.audit.rules import COMMAND
from apps.common import clock
from apps.notify.models import Message
from tests.attestations.world import NOW, PERIOD, register
from tests.cast import PASSWORD
from tests.factories import hand_over

SECTION = {"code": PERIOD, "key": "one", "slug": "response"}


@pytest.fixture
def assignment(cast: Any, monkeypatch: pytest.MonkeyPatch) -> Assignment:
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(days=1))
    register(cast, "one", owner=cast.ada, vendor="Initech")
    actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)
    return Assignment.objects.select_related("campaign", "system").get()


def url(name: str, **kwargs: str) -> str:
    return reverse(f"attestations:{name}", kwargs=kwargs or {"code": PERIOD, "key": "one"})


def all_yes(section: Section) -> dict[str, str]:
    """A form in which all is in order."""
    data = {}
    for question in section.questions:
        if question.is_chosen:
            data[question.key] = "yes"
        elif question.key != "successor":
            own = {"person": "ben@example.org", "date": "9 Nov 2026", "text": "By telephone"}
            data[f"{question.key}-{'day' if question.type == 'date' else question.type}"] = own[question.type]
        data[f"{question.key}-explanation"] = "Seen myself"
    return data


def fill(client: Any, **special: dict[str, str]) -> None:
    for section in DEFAULT_SET:
        data = all_yes(section) | special.get(section.slug, {})
        version = Assignment.objects.get().version
        place = {"code": PERIOD, "key": "one", "slug": section.slug}
        assert client.post(url("section", **place), data | {"version": version}).status_code == 302


def signing(**changed: str) -> dict[str, str]:
    version = Assignment.objects.get().version
    values = {"version": str(version), "declare": "on", "name": "Ada Nwosu", "password": PASSWORD}
    return {name: value for name, value in (values | changed).items() if value}


def test_an_owner_answers_checks_and_signs(cast: Any, browse: Any, assignment: Assignment) -> None:
    client = browse(cast.ada)
    assert b"Start" in client.get(url("assignment")).content
    page = client.get(url("section", **SECTION))
    assert page.status_code == 200
    assert b"Not known here" in page.content
    assert b" checked" not in page.content
    fill(client)
    check = client.get(url("check"))
    assert b"I answer for ONE." in check.content
    assert client.post(url("check"), signing()).url == url("receipt")
    receipt = client.get(url("receipt"))
    assert Signature.objects.get().receipt.encode() in receipt.content
    assert client.get(url("section", **SECTION)).url == url("receipt")
    assert client.get(url("check")).url == url("receipt")


def test_save_and_continue_goes_on_and_change_goes_back(cast: Any, browse: Any, assignment: Assignment) -> None:
    client = browse(cast.ada)
    reason = {"drills": "not_applicable", "drills-not_applicable-comment": "None was due"}
    saved = client.post(url("section", **SECTION), reason | {"version": "0"})
    assert saved.url == url("section", **{**SECTION, "slug": "changes"})
    back = client.post(url("section", **SECTION), {"drills": "no", "version": "1", "return": "check"})
    assert back.url == url("check")


def test_a_question_that_follows_is_asked_once_without_script(cast: Any, browse: Any, assignment: Assignment) -> None:
    client, page = browse(cast.ada), url("section", **SECTION)
    first = client.post(page, {"drills": "yes", "version": "0", "shown": ""})
    assert first.url == f"{page}?more=1#drills_on"
    text = client.get(f"{page}?more=1").content.decode()
    assert "Your answers raise something more" in text
    assert 'class="followup followup--open" data-after="yes yes_with_exception"' in text
    assert 'name="shown" value="drills_on"' in text
    again = client.post(page, {"drills": "yes", "version": "1", "shown": "drills_on"})
    assert again.url == url("section", **{**SECTION, "slug": "changes"})


def test_autosave_tells_when_and_refuses_a_stale_page(cast: Any, browse: Any, assignment: Assignment) -> None:
    client = browse(cast.ada)
    first = client.post(url("section", **SECTION), {"drills": "yes", "version": "0"}, headers={"X-Autosave": "1"})
    assert first.status_code == 200
    assert first.json()["version"] == 1
    assert first.json()["saved_at"].startswith("2026-11-11T")
    assert first["X-Version"] == "1"
    stale = {"drills": "no", "drills-no-comment": "None held", "version": "0"}
    second = client.post(url("section", **SECTION), stale, headers={"X-Autosave": "1"})
    assert second.status_code == 409
    assert "another window" in second.json()["conflict"]
    page = client.post(url("section", **SECTION), stale)
    assert page.status_code == 409
    assert b"None held" in page.content
    assert b'name="version" value="1"' in page.content
    assert Answer.objects.get().value == "yes"
    assert client.post(url("section", **SECTION), stale | {"version": "1"}).status_code == 302
    assert AuditEvent.objects.filter(kind="attestation.answered").count() == 2


def test_what_is_missing_is_asked_when_signing(cast: Any, browse: Any, assignment: Assignment) -> None:
    client = browse(cast.ada)
    fill(client, response={"kill_switch": "no", "kill_switch-no-comment": "Nobody tried"})
    failed = client.post(url("check"), signing(name="A. Nwosu", declare=""))
    assert failed.status_code == 422
    text = failed.content.decode()
    for words in ("There is a problem", "Say by which date", "Tick the box", "as it is in your profile: Ada Nwosu"):
        assert words in text
    assert 'value="A. Nwosu"' in text
    page = client.get(url("section", **SECTION) + "?errors=1").content.decode()
    assert "#kill_switch-no-date" in page
    assert 'aria-invalid="true"' in page


def test_exceptions_are_flagged_before_and_after(cast: Any, browse: Any, assignment: Assignment) -> None:
    client = browse(cast.ada)
    fill(
        client,
        response={
            "kill_switch": "yes_with_exception",
            "kill_switch-yes_with_exception-comment": "Only on the copy",
            "kill_switch-yes_with_exception-severity": "medium",
            "kill_switch-yes_with_exception-control": "Nothing",
            "kill_switch-yes_with_exception-plan": "Test it at night",
            "kill_switch-yes_with_exception-date": "11 Dec 2026",
        },
    )
    check = client.get(url("check")).content.decode()
    assert "You are declaring 1 exception." in check
    assert "I do not certify" in check
    client.post(url("check"), signing())
    receipt = client.get(url("receipt")).content.decode()
    assert "Only on the copy" in receipt
    assert "11 Dec 2026" in receipt


def test_the_password_is_asked_again(cast: Any, browse: Any, assignment: Assignment) -> None:
    client = browse(cast.ada)
    fill(client)
    wrong = client.post(url("check"), signing(password="not the password"))
    assert wrong.status_code == 422
    assert b"This is not your password" in wrong.content
    assert b"not the password" not in wrong.content
    codes = [client.post(url("check"), signing(password="wrong again")).status_code for _ in range(12)]
    assert codes[-1] == 429
    assert not Signature.objects.exists()


def test_a_second_factor_is_asked_where_it_is_set_up(cast: Any, browse: Any, assignment: Assignment) -> None:
    from allauth.mfa.totp.internal.auth import (
        TOTP,
        format_hotp_value,
        generate_totp_secret,
        hotp_value,
        yield_hotp_counters_from_time,
    )

    secret = generate_totp_secret()
    TOTP.activate(cast.ada, secret)
    client = browse(cast.ada)
    fill(client)
    assert b"Type the code" in client.post(url("check"), signing()).content
    assert b"This code is not right" in client.post(url("check"), signing(code="000000")).content
    code = format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))
    assert client.post(url("check"), signing(code=code)).status_code == 302
    assert Signature.objects.get().auth_method == "password+totp"


def test_save_without_signing(cast: Any, browse: Any, assignment: Assignment) -> None:
    client = browse(cast.ada)
    fill(client)
    assert client.post(url("check"), {"save": "1"}).url == reverse("attestations:campaigns")
    assert not Signature.objects.exists()


def test_others_read_the_receipt_or_nothing(cast: Any, browse: Any, assignment: Assignment) -> None:
    pages = [url("assignment"), url("section", **SECTION), url("check"), url("receipt")]
    for person in (cast.ben, cast.dov, cast.mara, cast.eve, cast.bo, cast.una):
        client = browse(person)
        assert [client.get(page).status_code for page in pages] == [404, 404, 404, 404], person
        assert client.post(url("section", **SECTION), {"drills": "yes"}).status_code == 404
        assert client.post(url("check"), signing()).status_code == 404
    fill(browse(cast.ada))
    browse(cast.ada).post(url("check"), signing())
    for person, status in ((cast.mara, 200), (cast.eve, 200), (cast.bo, 200), (cast.dov, 404), (cast.ben, 404)):
        assert browse(person).get(url("receipt")).status_code == status, person


def test_who_owns_it_today_sees_that_it_changed_hands(cast: Any, browse: Any, assignment: Assignment) -> None:
    hand_over(cast, assignment.system, cast.nils, now=NOW + timedelta(hours=1))
    assert b"This system changed hands" in browse(cast.nils).get(url("assignment")).content
    assert browse(cast.ada).get(url("assignment")).status_code == 404


def test_progress_is_for_those_who_watch(
    cast: Any, browse: Any, assignment: Assignment, django_assert_max_num_queries: Any
) -> None:
    page = url("campaign", code=PERIOD)
    for person, status in ((cast.mara, 200), (cast.eve, 200), (cast.bo, 200), (cast.dov, 404), (cast.ada, 404)):
        assert browse(person).get(page).status_code == status
    text = browse(cast.mara).get(page).content.decode()
    assert "Remind all open (1)" in text
    assert "Remind all open" not in browse(cast.eve).get(page).content.decode()
    client = browse(cast.mara)
    client.get(page)  # the counts of the menu are kept for a while
    with django_assert_max_num_queries(20):
        client.get(page)


@pytest.mark.parametrize("name", ["campaigns", "campaign"])
def test_pages_ask_the_same_number_of_times(
    name: str, cast: Any, browse: Any, assignment: Assignment, django_assert_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = browse(cast.eve)
    page = reverse("attestations:campaigns") if name == "campaigns" else url("campaign", code=PERIOD)
    client.get(page)
    with CaptureQueriesContext(connection) as few:
        client.get(page)
    for n in range(30):
        register(cast, f"more{n}", unit=cast.devtools, tier="critical")
    actions.open_campaign("2027Q1", actor=COMMAND, now=NOW)
    with CaptureQueriesContext(connection) as many:
        client.get(page.replace(PERIOD, "2027Q1"))
    # The list asks once for each campaign on it.
    assert len(many) <= len(few) + (1 if name == "campaigns" else 0)


def test_reminding_is_confirmed_and_refused_twice(cast: Any, browse: Any, assignment: Assignment) -> None:
    page = url("remind", code=PERIOD)
    assert browse(cast.eve).get(page).status_code == 403
    assert browse(cast.dov).get(page).status_code == 404
    client = browse(cast.mara)
    assert b"Remind 1 person" in client.get(page).content
    assert client.post(page).status_code == 302
    again = client.post(page)
    assert again.status_code == 422
    assert b"reminded today already" in again.content
    assert b"reminded today already" in client.get(page).content
    assert Message.objects.filter(key__startswith="campaign-asked:").count() == 1


def test_the_export_is_harmless(cast: Any, browse: Any, assignment: Assignment) -> None:
    register(cast, "evil", name="=HYPERLINK(1)")
    actions.open_campaign("2027Q1", actor=COMMAND, now=NOW)
    response = browse(cast.eve).get(url("export", code="2027Q1"))
    text = b"".join(response.streaming_content).decode()
    assert '"\'=HYPERLINK(1)"' in text
    assert len(text.splitlines()) == 3
    assert browse(cast.dov).get(url("export", code=PERIOD)).status_code == 404


def test_everybody_has_a_list(cast: Any, browse: Any, assignment: Assignment) -> None:
    text = browse(cast.ada).get(reverse("attestations:campaigns")).content.decode()
    assert "Waiting for your signature" in text
    assert "Running" not in text
    assert "Nothing waits for you" in browse(cast.dov).get(reverse("attestations:campaigns")).content.decode()
    assert "Running" in browse(cast.eve).get(reverse("attestations:campaigns")).content.decode()


def test_a_closed_campaign_takes_nothing_more(
    cast: Any, browse: Any, assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: assignment.campaign.closes_at + timedelta(hours=1))
    client = browse(cast.ada)
    assert b"was not attested" in client.get(url("section", **SECTION)).content
    late = client.post(url("section", **SECTION), {"drills": "yes"}, headers={"X-Autosave": "1"})
    assert late.status_code == 409
    actions.move_on_due(now=clock.now())
    text = browse(cast.mara).get(url("campaign", code=PERIOD)).content.decode()
    assert "Not attested" in text
    assert "Ada Nwosu" in text
    assert "Remind all" not in text


def test_odd_input_breaks_nothing(cast: Any, browse: Any, assignment: Assignment) -> None:
    client = browse(cast.ada)
    odd = {"drills": "maybe", "version": "x" * 50, "kill_switch": "no", "kill_switch-no-comment": "a\0b" + "x" * 6000}
    assert client.post(url("section", **SECTION), odd).status_code == 422
    assert client.get(url("section", **{**SECTION, "slug": "nothing"})).status_code == 404
    assert client.get("/attestations/2026Q7/").status_code == 404
    assert client.get("/attestations/2031Q1/").status_code == 404
    assert client.delete(url("section", **SECTION)).status_code == 405
