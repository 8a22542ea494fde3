"""The pages of passing on, as people use them."""

from datetime import timedelta
from typing import Any

import pytest

from apps.attestations import actions
from apps.attestations.models import Assignment, Delegation, Reassignment
from tests.attestations.test_passing import ask, delegate
from tests.attestations.test_signing import start
from tests.attestations.test_together import THEN, twice
from tests.attestations.world import NOW, PERIOD
from tests.cast import PASSWORD

LATER = NOW + timedelta(hours=1)
DESK = f"/attestations/{PERIOD}/one/"


@pytest.fixture(autouse=True)
def then(monkeypatch: Any) -> None:
    monkeypatch.setattr("apps.common.clock.now", lambda: LATER)


def test_let_somebody_prepare_and_end_it(cast: Any, browse: Any) -> None:
    start(cast)
    client = browse(cast.ada)
    assert client.get(f"{DESK}delegate/").status_code == 200
    fields = {"preparer": "dov@example.org", "sections": ["response"], "until": "30 Nov 2026", "reason": "Knows it"}
    assert client.post(f"{DESK}delegate/", fields).status_code == 302
    row = Delegation.objects.get()
    assert (row.preparer, row.sections, str(row.until)) == (cast.dov, ["response"], "2026-11-30")
    assert "Dov Watanabe" in client.get(f"{DESK}delegate/").content.decode()
    again = client.post(f"{DESK}delegate/", fields)
    assert (again.status_code, b"prepares it already" in again.content) == (422, True)
    wrong = client.post(f"{DESK}delegate/", {**fields, "preparer": "ada@example.org", "until": "soon"})
    assert (wrong.status_code, b"Write a date like" in wrong.content) == (422, True)
    assert client.post(f"{DESK}delegate/", {"end": str(row.pk)}).status_code == 302
    assert client.post(f"{DESK}delegate/", {"end": "x"}).status_code == 404


def test_who_prepares_sees_their_sections_and_nothing_to_sign(cast: Any, browse: Any) -> None:
    assignment = start(cast)
    client = browse(cast.dov)
    assert client.get(DESK).status_code == 404
    delegate(assignment, cast, sections=["response"])
    page = client.get(DESK).content.decode()
    assert "You prepare this for Ada Nwosu, until 30 Nov 2026" in page
    assert "Check and sign" not in page
    assert client.get(f"{DESK}response/").status_code == 200
    for place in ("ownership/", "check/", "delegate/", "reassign/", "cannot/", "receipt/"):
        assert client.get(f"{DESK}{place}").status_code == 404, place
    saved = client.post(f"{DESK}response/", {"version": "0", "drills": "yes"})
    assert saved.status_code == 302
    assert "Prepare ONE for Ada Nwosu" in client.get("/attestations/").content.decode()
    owner = browse(cast.ada).get(f"{DESK}response/").content.decode()
    assert "Filled in by" in owner
    assert "Dov Watanabe" in owner
    actions.end_delegation(Delegation.objects.get(), actor=cast.ada, now=LATER)
    assert client.get(DESK).status_code == 404


def test_the_owner_asks_and_the_other_answers(cast: Any, browse: Any) -> None:
    start(cast)
    client = browse(cast.ada)
    assert client.get(f"{DESK}reassign/").status_code == 200
    missing = client.post(f"{DESK}reassign/", {"do": "ask", "ask-to": "", "ask-reason": ""})
    assert (missing.status_code, b"Choose a person." in missing.content) == (422, True)
    fields = {"do": "ask", "ask-to": "nils@example.org", "ask-reason": "His team"}
    assert client.post(f"{DESK}reassign/", fields).status_code == 302
    assert "Nils Okafor was asked to take it over." in client.get(DESK).content.decode()
    other = browse(cast.nils)
    assert "Take over ONE from Ada Nwosu" in other.get("/attestations/").content.decode()
    assert "Will you take it over?" in other.get(f"{DESK}reassign/").content.decode()
    assert other.post(f"{DESK}reassign/", {"do": "decline", "decline-reason": ""}).status_code == 422
    assert other.post(f"{DESK}reassign/", {"do": "nothing"}).status_code == 404
    answered = other.post(f"{DESK}reassign/", {"do": "accept"})
    assert (answered.status_code, answered.url.startswith("/handovers/")) == (302, True)
    assert Reassignment.objects.get().state == "accepted"


def test_not_mine_and_the_head_answers(cast: Any, browse: Any) -> None:
    start(cast)
    assert browse(cast.ada).post(
        f"{DESK}reassign/", {"do": "disown", "disown-reason": "Moved teams"}
    ).status_code == 302  # fmt: skip
    head = browse(cast.una)
    assert "Find somebody, or say why it stays" in head.get(f"{DESK}reassign/").content.decode()
    assert head.post(f"{DESK}reassign/", {"do": "keep", "keep-reason": "Until January"}).status_code == 302
    assert Reassignment.objects.get().state == "returned"
    assert "Until January" in browse(cast.ada).get(f"{DESK}reassign/").content.decode()


def test_nobody_else_reaches_it(cast: Any, browse: Any) -> None:
    assignment = start(cast)
    ask(assignment, cast)
    got = {name: browse(getattr(cast, name)).get(f"{DESK}reassign/").status_code
           for name in ("ada", "nils", "una", "mara", "cleo", "eve", "bo", "dov", "ben")}  # fmt: skip
    assert got == {"ada": 200, "nils": 200, "una": 200, "mara": 200, "cleo": 200, "eve": 404, "bo": 404, "dov": 404,
                   "ben": 404}  # fmt: skip


def test_cannot_say(cast: Any, browse: Any) -> None:
    start(cast)
    client = browse(cast.ada)
    assert client.get(f"{DESK}cannot/").status_code == 200
    assert client.post(f"{DESK}cannot/", {"reason": ""}).status_code == 422
    done = client.post(f"{DESK}cannot/", {"reason": "New here"})
    assert (done.status_code, done.url) == (302, f"{DESK}check/")
    assert Assignment.objects.get().answers.filter(value="cannot_attest").exists()
    assert client.post(f"{DESK}cannot/", {"reason": "Again"}).status_code == 422


def test_the_page_of_signing_together(cast: Any, browse: Any, monkeypatch: Any) -> None:
    twice(cast, "one", "two")
    monkeypatch.setattr("apps.common.clock.now", lambda: THEN)
    client = browse(cast.ada)
    place = "/attestations/2027Q1/together/"
    page = client.get(place).content.decode()
    assert page.count('name="system"') == 2
    assert "no exception" in page
    fields = {"declare": "on", "name": "Ada Nwosu", "password": PASSWORD}
    none = client.post(place, fields)
    assert (none.status_code, b"Choose 1 to 25 systems." in none.content) == (422, True)
    assert client.post(place, {**fields, "system": ["one", "two"]}).status_code == 302
    assert set(Assignment.objects.filter(campaign__period="2027Q1").values_list("state", flat=True)) == {"submitted"}
    assert "Nothing can be signed together" in browse(cast.dov).get(place).content.decode()
    assert client.get("/attestations/2031Q1/together/").status_code == 404
