"""Business units, through the pages."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.registry import actions
from apps.registry.models import System, Unit
from tests.cast import Cast
from tests.factories import NOW, a_system

Browse = Callable[[Any], Client]


def unit(cast: Cast, name: str, parent: Unit | None = None, **fields: Any) -> Unit:
    return actions.create_unit(name=name, code=name.lower(), parent=parent, actor=cast.mara, now=NOW, **fields)


def counts(client: Client, **query: str) -> dict[str, int]:
    return {row["unit"].name: row["live"] for row in client.get("/units/", query).context["rows"]}


def test_counts_include_what_is_below_and_only_live_systems(cast: Cast, browse: Browse) -> None:
    motor = unit(cast, "Motor", cast.claims)
    fleet = unit(cast, "Fleet", motor)
    a_system(cast, unit=cast.claims)
    a_system(cast, unit=motor)
    a_system(cast, unit=fleet)
    a_system(cast, unit=fleet, stage="proposed")
    gone = a_system(cast, unit=fleet)
    actions.retire_system(gone, actor=cast.mara, now=NOW + timedelta(hours=1), reason="Gone")
    secret = a_system(cast, unit=fleet, restricted=True)
    client = browse(cast.mara)
    assert counts(client) == {"Claims": 4, "Developer Tools": 0}
    assert counts(client, unit=str(cast.claims.pk)) == {"Motor": 3}
    assert counts(browse(cast.dov)) == {"Claims": 3, "Developer Tools": 0}, secret.name
    page = client.get("/units/", {"unit": str(motor.pk)}).content.decode()
    assert "3 live systems, 1 of them directly in it" in page
    assert ">Claims</a>" in page


def test_holes_are_named(cast: Cast, browse: Browse) -> None:
    page = browse(cast.dov).get("/units/").content.decode()
    assert page.count("No head") == 1
    assert "Una Brandt" in page
    assert "New unit" not in page
    inside = browse(cast.dov).get("/units/", {"unit": str(cast.claims.pk)}).content.decode()
    assert "No unit below this one" in inside


def test_searching_all_levels(cast: Cast, browse: Browse) -> None:
    unit(cast, "Motor", cast.claims, head=cast.nils)
    client = browse(cast.dov)
    assert list(counts(client, q="motor")) == ["Motor"]
    assert list(counts(client, q="okafor")) == ["Motor"]
    assert "in Claims" in client.get("/units/", {"q": "moto"}).content.decode()
    assert "No unit matches" in client.get("/units/", {"q": "zzz"}).content.decode()


def test_the_number_of_queries_does_not_grow(cast: Cast, browse: Browse) -> None:
    client = browse(cast.mara)
    client.get("/units/")
    with CaptureQueriesContext(connection) as few:
        client.get("/units/")
    for number in range(40):
        unit(cast, f"Unit {number}", cast.devtools if number % 2 else None, head=cast.una)
    a_system(cast)
    with CaptureQueriesContext(connection) as many:
        page = client.get("/units/").context["page"]
    assert len(many) == len(few)
    assert (len(page), page.paginator.num_pages) == (22, 1)


def test_addresses_that_name_no_unit(cast: Cast, browse: Browse) -> None:
    client = browse(cast.mara)
    for value in ("0", "x", "9" * 30, "-1", "²"):
        assert client.get("/units/", {"unit": value}).status_code == 404
    assert client.get("/units/99999999/").status_code == 404


def test_adding_a_unit(cast: Cast, browse: Browse) -> None:
    client = browse(cast.mara)
    form = client.get("/units/new/", {"parent": str(cast.claims.pk)}).content.decode()
    assert f'<option value="{cast.claims.pk}" selected>' in form
    data = {"name": "Motor", "code": "motor", "parent": str(cast.claims.pk), "head": "nils@example.org"}
    response = client.post("/units/new/", data)
    motor = Unit.objects.get(code="motor")
    assert (response.status_code, response["Location"]) == (302, f"/units/?unit={motor.pk}")
    assert (motor.parent, motor.head) == (cast.claims, cast.nils)
    twice = client.post("/units/new/", data)
    assert twice.status_code == 422
    assert "already" in twice.content.decode()
    assert client.post("/units/new/", {"name": "", "code": "", "parent": "777"}).status_code == 422
    mailbox = client.post("/units/new/", data | {"code": "m2", "name": "M2", "head": "ai-team@example.org"})
    assert "is a mailbox" in mailbox.content.decode()


def test_a_new_head_takes_over_as_interim(cast: Cast, browse: Browse) -> None:
    a_system(cast)
    a_system(cast, owner=cast.ada)
    data = {"name": "Claims", "code": "claims", "parent": "", "head": "nils@example.org"}
    response = browse(cast.mara).post(f"/units/{cast.claims.pk}/", data)
    assert [str(message) for message in get_messages(response.wsgi_request)] == ["Saved. 1 interim owner changed."]
    assert set(System.objects.values_list("owner__display_name", flat=True)) == {"Nils Okafor", "Ada Nwosu"}
    same = browse(cast.mara).post(f"/units/{cast.claims.pk}/", data)
    assert "No interim owner changed" in str(next(iter(get_messages(same.wsgi_request))))


def test_a_unit_is_never_above_itself(cast: Cast, browse: Browse) -> None:
    motor = unit(cast, "Motor", cast.claims)
    data = {"name": "Claims", "code": "claims", "parent": str(motor.pk), "head": ""}
    response = browse(cast.mara).post(f"/units/{cast.claims.pk}/", data)
    assert response.status_code == 422
    assert "above itself" in response.content.decode()
