"""The pages from one owner to the next: nominate with authority, accept, hand over, history, undo."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.common import clock
from apps.notify.models import Message
from apps.registry import actions
from apps.registry.actions.facts import note_ownership_fact
from apps.registry.models import Authority, Handover, HandoverSignature, Nomination, OwnershipTerm, System
from apps.registry.rules.authority import Powers
from tests.cast import PASSWORD, Cast
from tests.factories import NOW, a_system

Browse = Callable[[Any], Client]


def text_of(response: Any) -> str:
    """The page without tags, spaces folded."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def a_handover(cast: Cast, **fields: Any) -> Handover:
    """Ada's system, for which Nils has said yes; now, because pages read the clock."""
    now = clock.now()
    system = a_system(cast, owner=cast.ada, now=now - timedelta(hours=3), **fields)
    nomination = actions.nominate_owner(system, cast.nils, actor=cast.mara, now=now - timedelta(hours=2))
    found = actions.accept_ownership(nomination, actor=cast.nils, now=now - timedelta(hours=1))
    assert isinstance(found, Handover)
    return found


def signature_of(response: Any, name: str, **fields: str) -> dict[str, str]:
    """What somebody who signs posts: with the hash of the pack that the page showed."""
    read = re.search(r'name="read_sha256" value="([0-9a-f]{64})"', response.content.decode())
    assert read
    return {"read_sha256": read[1], "declare": "on", "name": name, "password": PASSWORD, **fields}


def test_from_yes_to_both_signatures(cast: Cast, browse: Browse) -> None:
    handover = a_handover(cast)
    url = reverse("portal:handover", args=[handover.pk])
    ada, nils = browse(cast.ada), browse(cast.nils)
    assert "Sign the hand-over of" in text_of(ada.get("/"))
    assert "Ada Nwosu signs next, from Ada Nwosu" in text_of(nils.get("/"))
    assert "Hand-over to Nils Okafor, waiting for Ada Nwosu since" in text_of(
        ada.get(reverse("portal:system", args=[handover.system.key]))
    )
    page = ada.get(url)
    assert "Incidents None open Exceptions None open" in text_of(page)
    saved = ada.post(url, {"save": "1", "judgement": "Watch the Monday batch.", "vendor_contacts": "Kim"})
    assert saved.status_code == 302
    page = ada.get(url)
    assert "Watch the Monday batch." in page.content.decode()
    signed = ada.post(url, signature_of(page, "Ada Nwosu", judgement="Watch the Monday batch.", vendor_contacts="Kim"))
    assert signed.status_code == 302, text_of(signed)
    system = System.objects.get(pk=handover.system_id)
    assert (system.owner_id, system.owner_basis) == (cast.ada.pk, "accepted")
    page = nils.get(url)
    assert "Watch the Monday batch." in text_of(page)
    done = nils.post(url, signature_of(page, "Nils Okafor"))
    assert done.status_code == 302, text_of(done)
    system.refresh_from_db()
    assert (system.owner_id, system.owner_basis) == (cast.nils.pk, "accepted")
    assert "Complete." in text_of(ada.get(url))
    assert HandoverSignature.objects.filter(handover=handover).count() == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"judgement": " "}, "Write your judgement before you sign"),
        ({"name": "Somebody"}, "Type your name as it is in your profile"),
        ({"password": "wrong"}, "This is not your password"),
        ({"read_sha256": "0" * 64}, "changed since you opened this page"),
    ],
)
def test_a_signature_that_is_refused(cast: Cast, browse: Browse, change: dict[str, str], words: str) -> None:
    handover = a_handover(cast)
    url, ada = reverse("portal:handover", args=[handover.pk]), browse(cast.ada)
    given = signature_of(ada.get(url), "Ada Nwosu", judgement="Fine", vendor_contacts="") | change
    response = ada.post(url, given)
    assert (response.status_code, words in text_of(response)) == (422, True)
    assert not HandoverSignature.objects.exists()


def test_who_reads_and_who_signs(cast: Cast, browse: Browse) -> None:
    handover = a_handover(cast)
    url = reverse("portal:handover", args=[handover.pk])
    got = {
        name: browse(getattr(cast, name)).get(url).status_code for name in ("ada", "nils", "mara", "eve", "dov", "ben")
    }
    assert got == {"ada": 200, "nils": 200, "mara": 200, "eve": 200, "dov": 404, "ben": 404}
    assert browse(cast.mara).post(url, {"save": "1", "judgement": "x"}).status_code == 403
    assert browse(cast.nils).post(url, {"save": "1", "judgement": "x"}).status_code == 403
    cancel = reverse("portal:handover_cancel", args=[handover.pk])
    assert browse(cast.eve).post(cancel, {"reason": "x"}).status_code == 403
    assert browse(cast.dov).post(cancel, {"reason": "x"}).status_code == 404
    assert browse(cast.nils).post(cancel, {"reason": ""}).status_code == 422
    handover.refresh_from_db()
    assert (handover.state, handover.judgement) == ("open", "")
    assert browse(cast.nils).post(cancel, {"reason": "Too much"}).status_code == 302
    handover.refresh_from_db()
    assert (handover.state, handover.end_reason) == ("cancelled", "Too much")


def test_authority_is_offered_shown_and_takes_force(cast: Cast, browse: Browse) -> None:
    system = a_system(cast, now=clock.now() - timedelta(days=1))
    url = reverse("portal:system_nominate", args=[system.key])
    mara = browse(cast.mara)
    assert mara.post(url, {"nominee": "nils@example.org", "spend_cap": "5000"}).status_code == 422
    given = {"nominee": "nils@example.org", "may_stop": "on", "spend_cap": "5000", "currency": "EUR"}
    assert mara.post(url, given).status_code == 302
    nomination = Nomination.objects.get(system=system)
    page = text_of(browse(cast.nils).get(reverse("portal:nomination", args=[nomination.pk])))
    assert "Stop the system Cap spend up to 5,000.00 EUR" in page
    assert "Open incidents None" in page
    browse(cast.nils).post(reverse("portal:nomination", args=[nomination.pk]), {"answer": "accept"})
    granted = Authority.objects.get(term__system=system)
    assert (granted.may_stop, granted.may_revoke, granted.spend_cap) == (True, False, Decimal("5000.00"))
    assert "Granted by Mara Lindt" in text_of(mara.get(reverse("portal:system", args=[system.key])))


def test_who_may_not_grant_does_not_offer(cast: Cast, browse: Browse) -> None:
    system = a_system(cast, owner=cast.ada, now=clock.now() - timedelta(days=1))
    url = reverse("portal:system_nominate", args=[system.key])
    assert "without asking" not in text_of(browse(cast.ada).get(url))
    given = {"nominee": "nils@example.org", "may_stop": "on"}
    assert browse(cast.ada).post(url, given).status_code == 302
    assert not hasattr(Nomination.objects.get(system=system, state="open"), "offer")
    grant = reverse("portal:system_authority", args=[system.key])
    got = {name: browse(getattr(cast, name)).get(grant).status_code for name in ("ada", "cleo", "una", "mara", "dov")}
    assert got == {"ada": 403, "cleo": 403, "una": 404, "mara": 200, "dov": 404}
    assert browse(cast.mara).post(grant, {"may_stop": "on", "note": "Charter"}).status_code == 302
    assert Authority.objects.get(term__system=system).may_stop


def test_the_hole_is_shown(cast: Cast, browse: Browse) -> None:
    system = a_system(cast, owner=cast.ada, now=clock.now() - timedelta(days=1))
    assert "Authority to stop: not granted" in text_of(
        browse(cast.ada).get(reverse("portal:system", args=[system.key]))
    )


def test_undo_one_and_many(cast: Cast, browse: Browse) -> None:
    systems = [a_system(cast, now=clock.now() - timedelta(days=1)) for _ in range(3)]
    mara = browse(cast.mara)
    response = mara.post(
        reverse("portal:systems_nominate"),
        {"system": [one.key for one in systems], "confirm": "1", "nominee": "nils@example.org"},
        follow=True,
    )
    ids = re.search(r'name="nominations" value="([\d,]+)"', response.content.decode())
    assert ids
    assert "Undo" in text_of(response)
    undo = reverse("portal:nominations_undo")
    assert browse(cast.cleo).post(undo, {"nominations": ids[1]}).status_code == 404
    assert Nomination.objects.filter(state="open").count() == 3
    assert mara.post(undo, {"nominations": ids[1]}).status_code == 302
    assert Nomination.objects.filter(state="withdrawn").count() == 3
    told = Message.objects.get(key__contains=":withdrawn:3")
    assert (told.recipient_id, told.subject) == (
        cast.nils.pk, "Withdrawn: you are not asked to answer for 3 systems",
    )  # fmt: skip
    assert mara.post(undo, {"nominations": "x,,999999"}).status_code == 404


def test_the_prediction_is_offered_not_applied(cast: Cast, browse: Browse) -> None:
    system = a_system(cast, now=clock.now() - timedelta(days=30))
    note_ownership_fact(
        system, kind="code_owner", value="@nils", source="claims-agent", actor=cast.mara,
        seen_at=clock.now() - timedelta(days=12), now=clock.now(),
    )  # fmt: skip
    mara, url = browse(cast.mara), reverse("portal:system_nominate", args=[system.key])
    page = mara.get(url)
    assert "From the code owners file of claims-agent, 12 days ago" in text_of(page)
    assert 'value="nils@example.org"' not in page.content.decode().split("<datalist")[0]
    assert (
        'value="nils@example.org"' in mara.get(f"{url}?nominee=nils@example.org").content.decode().split("<datalist")[0]
    )
    assert "Predicted: Nils Okafor" in text_of(mara.get("/systems/?basis=interim"))
    many = mara.post(reverse("portal:systems_nominate"), {"system": [system.key]})
    assert "Fill in Nils Okafor" in text_of(many)
    filled = mara.post(
        reverse("portal:systems_nominate"), {"system": [system.key], "confirm": "1", "fill": "nils@example.org"}
    )
    assert filled.status_code == 200
    assert not Nomination.objects.filter(system=system).exists()


def test_history_and_the_day(cast: Cast, browse: Browse) -> None:
    system = a_system(cast, owner=cast.ada, now=NOW)
    url, ada = reverse("portal:system_history", args=[system.key]), browse(cast.ada)
    assert "Nominated and accepted" in text_of(ada.get(url))
    day = text_of(ada.get(url, {"on": "2026-11-16"}))
    assert "Una Brandt" in day
    assert "Owner, accepted" in day
    assert "Nobody answered yet: the system is on the register since 16 Nov 2026" in text_of(
        ada.get(url, {"on": "2026-11-15"})
    )
    assert "This day is in the future" in text_of(ada.get(url, {"on": "2999-01-01"}))
    for wrong in ("x", "2026-13-01", "20261116", "0001-01-01"):
        assert ada.get(url, {"on": wrong}).status_code == 422
    assert browse(cast.dov).get(url).status_code == 404


def test_a_yes_opens_a_hand_over_on_the_page(cast: Cast, browse: Browse) -> None:
    now = clock.now()
    system = a_system(cast, owner=cast.ada, now=now - timedelta(days=1))
    nomination = actions.nominate_owner(system, cast.nils, actor=cast.mara, now=now, powers=Powers(may_stop=True))
    url = reverse("portal:nomination", args=[nomination.pk])
    assert "Your yes changes nothing yet" in text_of(browse(cast.nils).get(url))
    response = browse(cast.nils).post(url, {"answer": "accept"}, follow=True)
    assert "You said yes. Nothing changes hands yet: Ada Nwosu signs the hand-over, then you do." in text_of(response)
    assert OwnershipTerm.objects.get(system=system, period__upper_inf=True).person_id == cast.ada.pk
    assert "Open the hand-over" in text_of(browse(cast.nils).get(url))
