"""The pages of sources: added with a token shown once, looked at, revoked."""

import re
from typing import Any

import pytest

from apps.incidents.models import InboundSource
from apps.incidents.queries.inbound import live_source
from tests.factories import a_system
from tests.incidents.inbound_world import a_source

pytestmark = pytest.mark.django_db
PAGE = "/incidents/sources/"
NEW = {"name": "Alertmanager prod", "kind": "alertmanager", "mode": "real", "system": "", "scenario": "", "labels": ""}


def test_the_token_is_shown_once(cast: Any, browse: Any) -> None:
    system = a_system(cast, key="SYS-GW", owner=cast.ada)
    browser = browse(cast.mara)

    shown = browser.post(PAGE, NEW | {"system": "sys-gw", "labels": "App, service"}).content.decode()

    source = InboundSource.objects.get()
    tokens = set(re.findall(r"inb_[0-9a-f]{8}_[a-z2-7]{40}", shown))
    assert {live_source(token) for token in tokens} == {source}
    assert (source.system, source.labels, source.mode) == (system, ["app", "service"], "real")
    for path in (PAGE, f"{PAGE}{source.pk}/"):
        later = browser.get(path).content.decode()
        assert tokens.pop() not in later if tokens else not re.search(r"inb_[0-9a-f]{8}_[a-z2-7]{40}", later)
        assert source.prefix in later


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": " "}, "Name what sends."),
        ({"kind": "pigeon"}, "Select a valid choice."),
        ({"mode": "drill"}, "Select a valid choice."),
        ({"system": "SYS-NONE"}, "There is no system of this key that you may see."),
        ({"labels": ",".join(f"l{number}" for number in range(21))}, "Name 20 labels at most"),
    ],
)
def test_what_is_wrong_is_said(cast: Any, browse: Any, wrong: dict[str, str], words: str) -> None:
    response = browse(cast.mara).post(PAGE, NEW | wrong)

    assert response.status_code == 422
    assert words in response.content.decode()
    assert not InboundSource.objects.exists()


def test_a_name_that_is_taken(cast: Any, browse: Any) -> None:
    browse(cast.mara).post(PAGE, NEW)

    response = browse(cast.mara).post(PAGE, NEW)

    assert response.status_code == 422
    assert "There is a source of this name." in response.content.decode()


@pytest.mark.parametrize("kind", ["alertmanager", "pagerduty", "webhook", "email"])
def test_how_to_connect_it(cast: Any, browse: Any, kind: str, settings: Any) -> None:
    settings.INBOUND_MAIL_ADDRESS = "incident@example.org"
    source, _ = a_source(cast, kind=kind)

    page = browse(cast.cleo).get(f"{PAGE}{source.pk}/").content.decode()

    assert f"{settings.SITE_URL}/api/v1/inbound/{kind}/" in page
    assert "inb_YOUR_TOKEN" in page
    assert ("incident+inb_YOUR_TOKEN@example.org" in page) == (kind == "email")


def test_it_is_asked_before_it_ends(cast: Any, browse: Any) -> None:
    source, token = a_source(cast)
    browser = browse(cast.mara)

    assert "dead at once" in browser.get(f"{PAGE}{source.pk}/revoke/").content.decode()
    assert live_source(token) == source
    assert browser.post(f"{PAGE}{source.pk}/revoke/").status_code == 302
    assert live_source(token) is None
    assert browser.post(f"{PAGE}{source.pk}/revoke/").status_code in (409, 422)
    assert source.name in browser.get(f"{PAGE}?show=revoked").content.decode()
    assert "Nothing declares by itself yet." in browser.get(PAGE).content.decode()
    assert browser.get(f"{PAGE}{source.pk}/").status_code == 200


def test_what_is_restricted_is_not_named(cast: Any, browse: Any) -> None:
    secret = a_system(cast, key="SYS-SECRET", name="Project Nightjar", owner=cast.ada, restricted=True)
    source, _ = a_source(cast, system=secret)

    for path in (PAGE, f"{PAGE}{source.pk}/"):
        assert "Project Nightjar" in browse(cast.mara).get(path).content.decode()
        assert "Nightjar" not in browse(cast.lea).get(path).content.decode()


def test_who_does_not_manage_incidents_sees_nothing(cast: Any, browse: Any) -> None:
    source, _ = a_source(cast)

    for person in (cast.dov, cast.ada, cast.eve, cast.bo):
        for path in (PAGE, f"{PAGE}{source.pk}/", f"{PAGE}{source.pk}/revoke/"):
            assert browse(person).get(path).status_code == 403
            assert browse(person).post(path, NEW).status_code in (403, 405)
    assert browse(cast.mara).get(f"{PAGE}999/").status_code == 404


def test_the_list_takes_as_many_statements_for_many(cast: Any, browse: Any, django_assert_max_num_queries: Any) -> None:
    browser = browse(cast.mara)
    for number in range(30):
        a_source(cast, name=f"Source {number:02}", system=a_system(cast, owner=cast.ada))
    browser.get(PAGE)

    with django_assert_max_num_queries(25):
        page = browser.get(PAGE).content.decode()
    assert "Source 24" in page
    assert "Source 25" not in page
