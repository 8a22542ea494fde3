"""People and seats, through the pages."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.access.queries import standings_of
from apps.access.rules import Standing
from apps.audit.models import AuditEvent
from apps.audit.rules import Kind
from apps.common import clock
from apps.directory.models import OffboardingCase
from apps.people.actions import change_person, provision_person, seat_person
from apps.people.models import Person, RoleGrant, Seat
from apps.registry import actions
from tests.cast import Cast
from tests.factories import NOW, a_system

Browse = Callable[[Any], Client]


def page_of(person: Person) -> str:
    return f"/people/{person.pk}/"


def text_of(client: Client, path: str, **query: str) -> str:
    response = client.get(path, query)
    assert response.status_code == 200, path
    return str(response.content.decode())


def test_the_list_counts_live_systems_and_names_holes(cast: Cast, browse: Browse) -> None:
    a_system(cast, owner=cast.ada)
    a_system(cast, owner=cast.ada, stage="proposed")
    gone = a_system(cast, owner=cast.ada)
    actions.retire_system(gone, actor=cast.mara, now=NOW + timedelta(hours=1), reason="Gone")
    a_system(cast)
    response = browse(cast.dov).get("/people/")
    rows = {person.email: (person.accepted, person.interim) for person in response.context["page"]}
    assert rows["ada@example.org"] == (1, 0)
    assert rows["una@example.org"] == (0, 1)
    page = response.content.decode()
    assert page.count("No deputy") == 1, "Una answers for a system; who answers for nothing needs no deputy"
    assert "Ivan Kolar" not in page
    assert "Deployment robot" not in page


def test_only_those_who_administer_see_the_deactivated(cast: Cast, browse: Browse) -> None:
    assert "Ivan Kolar" not in text_of(browse(cast.eve), "/people/", state="deactivated")
    assert "Ivan Kolar" in text_of(browse(cast.mara), "/people/", state="deactivated")
    assert "Ivan Kolar" not in text_of(browse(cast.mara), "/people/")
    assert browse(cast.eve).get(page_of(cast.ivan)).status_code == 404
    assert "Deactivated" in text_of(browse(cast.mara), page_of(cast.ivan))
    assert browse(cast.mara).get(page_of(cast.robot)).status_code == 404


def test_searching_the_list(cast: Cast, browse: Browse) -> None:
    client = browse(cast.dov)
    found = client.get("/people/", {"q": "claims director"}).context["page"]
    assert [person.display_name for person in found] == ["Ada Nwosu"]
    assert "Nobody here matches" in text_of(client, "/people/", q="zzz")


def test_the_list_is_paged_and_asks_the_same_number_of_questions(cast: Cast, browse: Browse) -> None:
    client = browse(cast.mara)

    def questions() -> int:
        client.get("/people/")
        with CaptureQueriesContext(
            connection,
        ) as asked:
            client.get("/people/")
        return len(asked)

    before = questions()
    for number in range(30):
        provision_person(
            email=f"p{number}@example.org", display_name=f"Person {number}", functions=["finance"],
            deputy=cast.ben, actor=cast.mara, now=NOW,
        )  # fmt: skip
    a_system(cast, owner=cast.ada)
    assert questions() == before
    assert len(client.get("/people/", {"page": "2"}).context["page"]) == 15


def test_over_the_cap_is_marked(cast: Cast, browse: Browse, settings: Any) -> None:
    settings.WORKLOAD_CAP = 1
    a_system(cast, owner=cast.ada)
    assert "over 1" not in text_of(browse(cast.mara), "/people/")
    a_system(cast, owner=cast.ada)
    assert "over 1" in text_of(browse(cast.mara), "/people/")
    assert "Over the cap" in text_of(browse(cast.mara), page_of(cast.ada))


def test_a_person_lists_only_the_systems_that_the_reader_sees(cast: Cast, browse: Browse) -> None:
    a_system(cast, name="Open agent", owner=cast.ada)
    a_system(cast, name="Secret agent", owner=cast.ada, restricted=True)
    seen = {name: text_of(browse(getattr(cast, name)), page_of(cast.ada)) for name in ("dov", "cleo", "mara")}
    assert "Secret agent" in seen["mara"]
    assert "Secret agent" not in seen["cleo"]
    assert "Open agent" in seen["cleo"]
    assert "1 more is counted" in seen["cleo"]
    assert "Open agent" not in seen["dov"]
    assert "2 live systems" in seen["dov"]
    assert "+49 30 5550 0142" in seen["dov"]
    assert "Ben Ortega" in seen["dov"]
    assert "Grant the role" not in seen["dov"]


def test_new_person_sets_the_password_themselves(cast: Cast, browse: Browse) -> None:
    client = browse(cast.mara)
    assert "Forgot password" in text_of(client, "/people/new/")
    data = {
        "email": "Zoe@Example.org", "display_name": "Zoë Zhang", "title": "Analyst", "time_zone": "Europe/Berlin",
        "line_manager": "una@example.org", "deputy": "Ben Ortega", "functions": ["finance", "legal"],
    }  # fmt: skip
    response = client.post("/people/new/", data)
    zoe = Person.objects.get(email="zoe@example.org")
    assert (response.status_code, response["Location"]) == (302, page_of(zoe))
    assert not zoe.has_usable_password()
    assert (zoe.line_manager, zoe.deputy) == (cast.una, cast.ben)
    assert set(zoe.functions.values_list("code", flat=True)) == {"finance", "legal"}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"email": "ai-team@example.org"}, "is a mailbox"),
        ({"email": "ADA@example.org"}, "Ada Nwosu has this address already"),
        ({"email": "not an address"}, "Write the address as name@example.org"),
        ({"display_name": "   "}, "Give a name."),
        ({"phone": "call me"}, "Write the number with digits"),
        ({"deputy": "ivan@example.org"}, "is deactivated. Choose an active person"),
        ({"line_manager": "robot@example.org"}, "is a service account"),
        ({"time_zone": "Mars/Base"}, "Mars/Base"),
        ({"functions": ["magic"]}, "magic"),
    ],
)
def test_what_a_new_person_cannot_be(cast: Cast, browse: Browse, fields: dict[str, Any], sentence: str) -> None:
    data = {"email": "zoe@example.org", "display_name": "Zoe", "time_zone": "UTC"} | fields
    response = browse(cast.mara).post("/people/new/", data)
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not Person.objects.filter(email="zoe@example.org").exists()


def test_editing(cast: Cast, browse: Browse) -> None:
    client, path = browse(cast.mara), page_of(cast.dov)
    assert "dov@example.org" in text_of(client, path, do="edit")
    data = {
        "do": "edit",
        "display_name": "Dov W. Watanabe",
        "time_zone": "UTC",
        "deputy": "ben@example.org",
        "functions": ["cto"],
    }
    assert client.post(path, data).status_code == 302
    cast.dov.refresh_from_db()
    assert (cast.dov.display_name, cast.dov.deputy) == ("Dov W. Watanabe", cast.ben)
    own = client.post(path, data | {"deputy": "dov@example.org"})
    assert own.status_code == 422
    assert "Nobody is their own deputy" in own.content.decode()


def test_a_new_deputy_sees_the_systems(cast: Cast, browse: Browse) -> None:
    a_system(cast, key="SYS-1", owner=cast.ada)
    data = {"do": "edit", "display_name": "Ada Nwosu", "time_zone": "UTC", "deputy": "nils@example.org"}
    browse(cast.mara).post(page_of(cast.ada), data)
    assert browse(cast.nils).get("/systems/SYS-1/").status_code == 200
    assert browse(cast.ben).get("/systems/SYS-1/").status_code == 404


@pytest.mark.parametrize("who", ["dov", "ada", "cleo", "bo", "eve"])
@pytest.mark.parametrize("do", ["edit", "deactivate", "reactivate", "grant", "revoke", "nonsense", ""])
def test_nobody_else_administers(cast: Cast, browse: Browse, who: str, do: str) -> None:
    events = AuditEvent.objects.count()
    data = {"do": do, "display_name": "X", "time_zone": "UTC", "reason": "x", "role": "administrator"}
    client = browse(getattr(cast, who))
    assert client.post(page_of(cast.nils), data).status_code == 403
    if do:
        assert client.get(page_of(cast.nils), {"do": do}).status_code == 403
    assert AuditEvent.objects.count() == events


def test_roles_are_granted_until_a_day_and_revoked(cast: Cast, browse: Browse) -> None:
    client, path = browse(cast.mara), page_of(cast.nils)
    day = clock.local_date(clock.now()) + timedelta(days=30)
    assert client.post(path, {"do": "grant", "role": "auditor", "until": day.isoformat()}).status_code == 302
    grant = RoleGrant.objects.get(person=cast.nils)
    assert grant.until is not None
    assert clock.local_date(grant.until) == day + timedelta(days=1)
    assert Standing.AUDITOR in standings_of(Person.objects.get(pk=cast.nils.pk))
    again = client.post(path, {"do": "grant", "role": "auditor"})
    assert again.status_code == 422
    assert "has this role already" in again.content.decode()
    assert (
        "This day is over"
        in client.post(path, {"do": "grant", "role": "board", "until": "2020-01-01"}).content.decode()
    )
    assert client.post(path, {"do": "revoke", "role": "auditor"}).status_code == 302
    assert client.post(path, {"do": "revoke", "role": "auditor"}).status_code == 422
    assert client.post(path, {"do": "revoke", "role": "king"}).status_code == 422
    assert client.get(path, {"do": "revoke"}).status_code == 302


def test_what_passes_on_is_shown_before_it_does(cast: Cast, browse: Browse) -> None:
    system = a_system(cast, key="SYS-1", name="Claims agent", owner=cast.cleo)
    client, path = browse(cast.mara), page_of(cast.cleo)
    page = text_of(client, path, do="deactivate")
    assert "Head of Claims" in page
    assert "The seat CISO is vacant until somebody is seated." in page
    gone = client.post(path, {"do": "deactivate", "reason": "Left"})
    case = OffboardingCase.objects.get(person=cast.cleo)
    assert gone["Location"] == f"/directory/leavers/{case.pk}/"
    system.refresh_from_db()
    assert (system.owner, system.owner_basis) == (cast.una, "interim")
    shown = client.get(gone["Location"]).content.decode()
    assert "1 of 1 systems wait for an owner." in shown
    assert "/systems/SYS-1/nominate/" in shown


def test_leaving_and_coming_back(cast: Cast, browse: Browse) -> None:
    client, path, theirs = browse(cast.mara), page_of(cast.dov), browse(cast.dov)
    assert client.post(path, {"do": "deactivate", "reason": ""}).status_code == 422
    assert client.post(path, {"do": "deactivate", "reason": "Left the company"}).status_code == 302
    assert theirs.get("/").status_code == 302
    event = AuditEvent.objects.filter(kind=Kind.PERSON_DEACTIVATED).latest("ts_us")
    assert event.subject_id == str(cast.dov.pk)
    assert "Reactivate" in text_of(client, path)
    assert client.get(path, {"do": "reactivate"}).status_code == 302
    cast.dov.refresh_from_db()
    assert not cast.dov.is_active, "a link changes nothing"
    assert client.post(path, {"do": "reactivate"}).status_code == 302
    assert client.post(path, {"do": "reactivate"}).status_code == 422


def test_a_line_manager_who_left_is_not_shown_as_one(cast: Cast, browse: Browse) -> None:
    change_person(cast.dov, actor=cast.mara, now=NOW, line_manager=cast.nils)
    browse(cast.mara).post(page_of(cast.nils), {"do": "deactivate", "reason": "Left"})
    assert "Nils Okafor" not in text_of(browse(cast.mara), page_of(cast.dov))


def test_seats_in_order_with_the_mandate(cast: Cast, browse: Browse) -> None:
    response = browse(cast.dov).get("/people/seats/")
    rows = response.context["rows"]
    assert [row["seat"].function_id for row in rows] == [
        "ciso", "engineering", "cto", "platform", "ai_lead", "finance", "legal", "board",
    ]  # fmt: skip
    assert [row["seat"].function_id for row in rows if row["mandate"]] == ["platform"]
    page = response.content.decode()
    assert page.count("Vacant seat") == 5
    assert page.count("Holds the mandate") == 1
    assert "?seat=" not in page


def test_seating_and_vacating(cast: Cast, browse: Browse) -> None:
    client = browse(cast.mara)
    assert "Vacant seat" in text_of(client, "/people/seats/", seat="finance")
    assert client.post("/people/seats/", {"seat": "finance", "holder": "Dov Watanabe"}).status_code == 302
    assert Seat.objects.get(function_id="finance").holder == cast.dov
    wrong = client.post("/people/seats/", {"seat": "finance", "holder": "finance-team@example.org"})
    assert wrong.status_code == 422
    assert "is a mailbox" in wrong.content.decode()
    assert "Leave the seat vacant" in text_of(client, "/people/seats/", seat="finance")
    assert client.post("/people/seats/", {"seat": "finance", "do": "vacate"}).status_code == 302
    assert Seat.objects.get(function_id="finance").holder is None
    assert client.get("/people/seats/", {"seat": "king"}).status_code == 404


def test_the_seat_of_the_mandate_is_never_vacant(cast: Cast, browse: Browse) -> None:
    client = browse(cast.mara)
    page = text_of(client, "/people/seats/", seat="platform")
    assert "This seat can't be vacated" in page.replace("&#x27;", "'")
    refused = client.post("/people/seats/", {"seat": "platform", "do": "vacate"})
    assert refused.status_code == 422
    assert "Seat a successor" in refused.content.decode()
    assert Seat.objects.get(function_id="platform").holder == cast.mara


def test_only_those_who_administer_change_seats(cast: Cast, browse: Browse) -> None:
    seat_person("finance", cast.nils, actor=cast.mara, now=NOW)
    for who in (cast.dov, cast.cleo, cast.eve, cast.bo):
        assert browse(who).get("/people/seats/", {"seat": "finance"}).status_code == 403
        assert browse(who).post("/people/seats/", {"seat": "finance", "do": "vacate"}).status_code == 403
    assert Seat.objects.get(function_id="finance").holder == cast.nils
