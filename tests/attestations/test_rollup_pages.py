"""Pages of the roll-up: who reads them, who signs on them, what they say."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client

from apps.attestations.actions import closing
from apps.attestations.actions.exceptions import decide_exception
from apps.attestations.models import AttestationException, Signature
from apps.registry.models import System
from tests.attestations.rollup_world import AFTER, EXCEPTION, closed, node, proof, rolled_up, sign_all
from tests.cast import PASSWORD

Browse = Callable[[Any], Client]
OWN = {
    "own1-description": "Nobody watches", "own1-severity": "high", "own1-plan": "We do",
    "own1-owner": "ben@example.org", "own1-due_on": "15 Jan 2027", "stated": "1",
}  # fmt: skip


@pytest.fixture(autouse=True)
def at_the_time() -> Any:
    """The pages read the clock: it is the day of the roll-up."""
    with patch("apps.common.clock.now", return_value=AFTER + timedelta(hours=1)):
        yield


def address(found: Any) -> str:
    return f"/attestations/{found.campaign.code}/rollup/{found.pk}/"


def signing(person: Any, page: Any, **more: str) -> dict[str, str]:
    """What is posted to sign."""
    return {
        "verdict": "sign", "declare": "on", "name": person.display_name, "password": PASSWORD,
        "read": page.context["below"].sha256, **more,
    }  # fmt: skip


def test_the_tree_names_who_signs_and_what_is_below(cast: Any, browse: Browse) -> None:
    campaign = rolled_up(cast, silent=("two",))
    page = browse(cast.eve).get(f"/attestations/{campaign.code}/rollup/").content.decode()
    for words in ("Una Brandt", "Cleo Marchetti", "Lea Abelmann", "holds the governance mandate", "Ready to sign"):
        assert words in page
    for person in (cast.dov, cast.ada):
        assert browse(person).get(f"/attestations/{campaign.code}/rollup/").status_code == 404
    assert browse(cast.eve).get("/attestations/2031Q1/rollup/").status_code == 404


def test_the_head_of_a_unit_signs_on_their_page(cast: Any, browse: Browse) -> None:
    campaign = rolled_up(cast, silent=("two",), kill_switch=EXCEPTION)
    found = node(campaign, "unit", cast.claims)
    client = browse(cast.una)
    home = client.get("/").content.decode()
    assert "Sign the Q4 2026 roll-up of Claims" in home
    page = client.get(address(found))
    text = page.content.decode()
    assert "I do not certify that everything is in order: 1 was attested with exceptions; 1 was not attested" in text
    for words in ("TWO", "Not attested", "With exceptions", "Nobody tried"):
        assert words in text
    refused = client.post(address(found), signing(cast.una, page, name="Una"))
    assert refused.status_code == 422
    assert not Signature.objects.filter(kind="rollup").exists()
    done = client.post(address(found), signing(cast.una, page), follow=True)
    text = done.content.decode()
    signature = Signature.objects.get(kind="rollup")
    assert signature.receipt in text
    assert "acknowledge" in text
    assert client.post(address(found), signing(cast.una, page)).status_code == 404
    assert "roll-up of Claims" not in client.get("/").content.decode()


def test_an_exception_of_ones_own_is_whole_or_not_there(cast: Any, browse: Browse) -> None:
    campaign = rolled_up(cast)
    found = node(campaign, "unit", cast.claims)
    client = browse(cast.una)
    page = client.get(address(found))
    assert "certify it" in page.content.decode()
    half = client.post(address(found), signing(cast.una, page, **OWN | {"own1-plan": ""}))
    assert half.status_code == 422
    assert "Say what is done about it" in half.content.decode()
    assert "Nobody watches" in half.content.decode()
    late = client.post(address(found), signing(cast.una, page, **OWN | {"own1-due_on": "15 Jan 2029"}))
    assert (late.status_code, AttestationException.objects.count()) == (422, 0)
    unread = client.post(address(found), signing(cast.una, page, **OWN | {"stated": "0"}))
    assert (unread.status_code, AttestationException.objects.count()) == (422, 0)
    assert "I add 1 exception of my own" in unread.content.decode()
    assert client.post(address(found), signing(cast.una, page, **OWN)).status_code == 302
    assert AttestationException.objects.get().owner == cast.ben
    assert node(campaign, "unit", cast.claims).state == "signed_qualified"


def test_who_declines_says_why(cast: Any, browse: Browse) -> None:
    campaign = rolled_up(cast)
    found = node(campaign, "unit", cast.claims)
    client = browse(cast.una)
    page = client.get(address(found))
    assert client.post(address(found), signing(cast.una, page, verdict="decline")).status_code == 422
    given = signing(cast.una, page, verdict="decline", reason="I was not told")
    assert "I was not told" in client.post(address(found), given, follow=True).content.decode()


def test_a_page_that_is_old_is_not_signed(cast: Any, browse: Browse) -> None:
    campaign = rolled_up(cast)
    found = node(campaign, "unit", cast.claims)
    page = browse(cast.una).get(address(found))
    stale = browse(cast.una).post(address(found), signing(cast.una, page, read="0" * 64))
    assert stale.status_code == 422
    assert "changed after you opened" in stale.content.decode()


def test_others_read_and_do_not_sign(cast: Any, browse: Browse) -> None:
    campaign = rolled_up(cast)
    found = node(campaign, "unit", cast.claims)
    page = browse(cast.eve).get(address(found))
    assert "Waits for Una Brandt" in page.content.decode()
    assert page.context["form"] is None
    for person, status in ((cast.eve, 404), (cast.mara, 404), (cast.dov, 404), (cast.ada, 404)):
        assert browse(person).post(address(found), {"verdict": "sign"}).status_code == status
    assert browse(cast.una).get(f"/attestations/2031Q1/rollup/{found.pk}/").status_code == 404


def test_a_restricted_system_is_named_to_who_signs_and_counted_for_the_others(cast: Any, browse: Browse) -> None:
    campaign = rolled_up(cast, silent=("two",), kill_switch=EXCEPTION)
    System.objects.filter(key__in=["one", "two"]).update(restricted=True)
    found = node(campaign, "unit", cast.claims)
    for person, named in ((cast.una, True), (cast.eve, True), (cast.mara, True), (cast.bo, False), (cast.cleo, False)):
        page = browse(person).get(address(found))
        text = page.content.decode()
        assert [f">{key}<" in text for key in ("one", "two")] == [named, named], person
        assert (page.context["below"].total, page.context["exceptions_total"]) == (2, 1 if named else 0)
    sign_all(campaign)
    closing.finish_due(now=AFTER)
    pending = browse(cast.bo).get(f"/attestations/{campaign.code}/closing/").content.decode()
    assert "A restricted system" in pending
    assert "Nobody tried" not in pending
    assert "Nobody tried" in browse(cast.eve).get(f"/attestations/{campaign.code}/closing/").content.decode()


def test_carried_over_and_sealed_on_the_page(cast: Any, browse: Browse) -> None:
    campaign = rolled_up(cast)
    found = node(campaign, "unit", cast.claims)
    client = browse(cast.una)
    client.post(address(found), signing(cast.una, client.get(address(found)), **OWN))
    sign_all(campaign)
    closing.finish_due(now=AFTER)
    where, mara = f"/attestations/{campaign.code}/closing/", browse(cast.mara)
    assert "Without a decision" in mara.get(where).content.decode()
    exception = AttestationException.objects.get()
    decide_exception(exception, verdict="approved", note="", **proof(cast.mara, AFTER))
    assert browse(cast.eve).post(where, {"do": "carry", "exception": exception.pk}).status_code == 403
    assert mara.post(where, {"do": "carry"}).status_code == 422
    assert mara.post(where, {"do": "carry", "exception": exception.pk}).status_code == 302
    closing.finish_due(now=AFTER)
    assert "Seal the campaign" in mara.get(where).content.decode()
    assert "Seal the campaign" not in browse(cast.eve).get(where).content.decode()
    assert mara.post(where, {"do": "seal"}).status_code == 302
    campaign.refresh_from_db()
    assert campaign.manifest_sha256 in browse(cast.eve).get(where).content.decode()


def test_the_queries_do_not_grow_with_the_units(cast: Any, browse: Browse, django_assert_max_num_queries: Any) -> None:
    campaign = closed(cast)
    client = browse(cast.eve)
    client.get("/")
    with django_assert_max_num_queries(24):
        client.get(f"/attestations/{campaign.code}/rollup/")
    with django_assert_max_num_queries(34):
        client.get(address(node(campaign, "top")))
