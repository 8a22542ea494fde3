"""The page of a section: types of questions, what follows, what contradicts, two windows, what took how long."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from apps.attestations import actions
from apps.attestations.models import Answer, Assignment, SectionView, Signature
from apps.audit.rules import COMMAND
from apps.common import clock
from apps.registry import actions as registry
from tests.attestations.world import NOW, PERIOD, answer_all, register
from tests.cast import PASSWORD

LATER = NOW + timedelta(days=1)


@pytest.fixture
def assignment(cast: Any, monkeypatch: pytest.MonkeyPatch) -> Assignment:
    monkeypatch.setattr(clock, "now", lambda: LATER)
    register(cast, "one", owner=cast.ada, vendor="Initech", operating_model="vendor_saas")
    actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)
    return Assignment.objects.select_related("campaign", "system", "snapshot").get()


def page(slug: str) -> str:
    return reverse("attestations:section", kwargs={"code": PERIOD, "key": "one", "slug": slug})


def post(client: Any, slug: str, version: int = 0, **data: str) -> Any:
    return client.post(
        page(slug), {name.replace("__", "-"): text for name, text in data.items()} | {"version": version}
    )


def test_a_person_is_picked_from_the_directory(cast: Any, browse: Any, assignment: Assignment) -> None:
    client = browse(cast.ada)
    assert post(client, "oversight", overseers="yes", overseer__person="Ben Ortega").status_code == 302
    answer = Answer.objects.get(question="overseer")
    assert (answer.value, answer.person, answer.answered_by) == ("given", cast.ben, cast.ada)
    assert 'value="ben@example.org"' in client.get(page("oversight")).content.decode()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("robot@example.org", "Deployment robot is a service account. Choose a person."),
        ("team@example.org", "team@example.org is a mailbox. Choose a person."),
        ("ivan@example.org", "is deactivated. Choose an active person."),
        ("Jon Nobody", "Nobody here is called Jon Nobody."),
    ],
)
def test_nobody_else_is_a_person_and_nothing_typed_is_lost(
    cast: Any, browse: Any, assignment: Assignment, typed: str, said: str
) -> None:
    client = browse(cast.ada)
    failed = post(client, "oversight", overseers="yes", overseer__person=typed)
    assert failed.status_code == 422
    text = failed.content.decode()
    assert said in text
    assert f'value="{typed}"' in text
    answer = Answer.objects.get(question="overseer")
    assert (answer.value, answer.person, answer.text) == ("", None, typed)
    # The rest was saved.
    assert Answer.objects.get(question="overseers").value == "yes"
    assert f'value="{typed}"' in client.get(page("oversight")).content.decode()


def test_who_carries_a_plan_out_is_a_person(cast: Any, browse: Any, assignment: Assignment) -> None:
    client = browse(cast.ada)
    data = {"drills": "no", "drills__no__owner": "robot@example.org", "drills__no__comment": "None held"}
    failed = post(client, "response", **data)
    assert failed.status_code == 422
    assert "is a service account" in failed.content.decode()
    assert Answer.objects.get(question="drills").plan_owner is None
    assert post(client, "response", 1, **{**data, "drills__no__owner": "ben@example.org"}).status_code == 302
    assert Answer.objects.get(question="drills").plan_owner == cast.ben


def test_an_answer_that_does_not_apply_any_more_is_cleared(cast: Any, browse: Any, assignment: Assignment) -> None:
    client = browse(cast.ada)
    post(client, "response", drills="yes", drills_on__day="9 Nov 2026", shown="drills_on")
    assert Answer.objects.get(question="drills_on").day == "2026-11-09"
    post(
        client, "response", 1, drills="cannot_attest", drills__cannot_attest__comment="New", drills_on__day="9 Nov 2026"
    )
    assert (Answer.objects.get(question="drills_on").value, Answer.objects.get(question="drills_on").day) == ("", "")


def test_a_fact_is_confirmed_or_corrected(cast: Any, browse: Any, assignment: Assignment) -> None:
    client = browse(cast.ada)
    text = client.get(page("vendor")).content.decode()
    assert "On the register" in text
    assert "Initech" in text
    post(client, "vendor", vendor_name="no", vendor_name__no__text="Umbrella")
    answer = Answer.objects.get(question="vendor_name")
    assert (answer.text, answer.comment) == ("Umbrella", "The register says: Initech. Right is: Umbrella")
    assert answer.fact == "Vendor: Initech"


def test_a_contradiction_is_asked_about_and_forbids_the_signature(
    cast: Any, browse: Any, assignment: Assignment
) -> None:
    client = browse(cast.ada)
    asked = post(client, "oversight", identities="yes")
    assert asked.url == f"{page('oversight')}?more=1#identities"
    answer = Answer.objects.get(question="identities")
    assert answer.contradiction == "The register lists no identity."
    text = client.get(f"{page('oversight')}?more=1").content.decode()
    assert "The register lists no identity." in text
    assert "Why is it so all the same?" in text
    saved = answer_all(assignment, cast.ada, now=LATER)
    Answer.objects.filter(question="identities").update(explanation="")
    check = reverse("attestations:check", kwargs={"code": PERIOD, "key": "one"})
    sign = {"version": str(saved.version), "declare": "on", "name": "Ada Nwosu", "password": PASSWORD}
    refused = client.post(check, sign)
    assert refused.status_code == 422
    assert "Say why your answer holds: Identities complete" in refused.content.decode()
    assert not Signature.objects.exists()
    rest = {"overseers": "yes", "overseer__person": "Ben Ortega", "identities": "yes"}
    post(client, "oversight", saved.version, **rest, identities__explanation="It acts under none")
    assert "It acts under none" in client.get(check).content.decode()
    sign["version"] = str(Assignment.objects.get().version)
    assert client.post(check, sign).status_code == 302
    assert '"contradiction":"The register lists no identity."' in Signature.objects.get().payload


def test_two_windows_are_shown_side_by_side_with_a_choice(cast: Any, browse: Any, assignment: Assignment) -> None:
    client = browse(cast.ada)
    na = {"drills__not_applicable__comment": "None was due"}
    post(client, "response", drills="not_applicable", **na)
    stale = post(client, "response", drills="no", drills__no__comment="None held")
    assert stale.status_code == 409
    text = stale.content.decode()
    assert "No. None held" in text
    assert "It does not apply. None was due" in text
    assert 'name="drills-keep" value="saved"' in text
    kept = post(client, "response", 1, drills="no", drills__no__comment="None held", drills__keep="saved")
    assert kept.status_code == 302
    assert Answer.objects.get(question="drills").value == "not_applicable"
    post(client, "response", 1, drills="no", drills__no__comment="None held", drills__keep="here")
    assert Answer.objects.get(question="drills").value == "no"


def test_what_another_window_answered_stays_where_this_one_left_it_open(
    cast: Any, browse: Any, assignment: Assignment
) -> None:
    client = browse(cast.ada)
    post(client, "response", drills="no")
    assert post(client, "response", 0, runbook="no").status_code == 302
    assert {a.question: a.value for a in Answer.objects.exclude(value="")} == {"drills": "no", "runbook": "no"}


def test_the_back_button_shows_the_newest(cast: Any, browse: Any, assignment: Assignment) -> None:
    assert browse(cast.ada).get(page("response"))["Cache-Control"] == "no-store"


def test_how_long_an_answer_took_is_shared_and_capped(
    cast: Any, browse: Any, assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = browse(cast.ada)
    client.get(page("response"))
    client.get(page("response"))
    assert SectionView.objects.count() == 1
    monkeypatch.setattr(clock, "now", lambda: LATER + timedelta(seconds=40))
    post(client, "response", drills="no", runbook="no")
    assert {a.seconds for a in Answer.objects.exclude(value="")} == {20}
    monkeypatch.setattr(clock, "now", lambda: LATER + timedelta(seconds=47))
    post(client, "response", 1, drills="no", runbook="no", response_card="no")
    assert Answer.objects.get(question="response_card").seconds == 7
    # Changing an answer later does not change how long it took.
    monkeypatch.setattr(clock, "now", lambda: LATER + timedelta(hours=5))
    post(
        client,
        "response",
        2,
        drills="no",
        drills__no__comment="None",
        runbook="no",
        response_card="no",
        kill_switch="no",
    )
    assert Answer.objects.get(question="drills").seconds == 20
    assert Answer.objects.get(question="kill_switch").seconds == 3600


def test_what_changed_stands_on_top_and_what_changed_since_is_said(
    cast: Any, browse: Any, assignment: Assignment
) -> None:
    registry.change_system(assignment.system, actor=cast.mara, now=NOW + timedelta(hours=1), vendor="Umbrella")
    actions.open_campaign("2027Q1", actor=COMMAND, now=NOW + timedelta(hours=2))
    registry.change_system(assignment.system, actor=cast.mara, now=NOW + timedelta(hours=3), vendor="Hooli")
    client = browse(cast.ada)
    desk = client.get(reverse("attestations:assignment", kwargs={"code": "2027Q1", "key": "one"})).content.decode()
    assert "Changed since the last attestation: vendor." in desk
    assert "vendor is now Hooli (was Umbrella)" in desk
    text = client.get(page("changes").replace(PERIOD, "2027Q1")).content.decode()
    assert "Before: Initech" in text
    assert "Unchanged since the last attestation: 5" in text
    assert "From the register, 10 Nov 2026" in text
