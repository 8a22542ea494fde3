"""Users over SCIM: taken in, changed, listed; what is refused changes nothing."""

from typing import Any

import pytest
from django.test import Client

from apps.audit.models import AuditEvent
from apps.directory.models import Placement, ScimUser
from apps.people.models import Person
from apps.registry.models import Nomination, System
from tests.cast import Cast
from tests.directory.provider import ENTERPRISE, USER, Provider, a_user, trail
from tests.factories import a_system


def test_a_new_user_becomes_a_person(provider: Provider) -> None:
    before = trail()
    answer = provider.call(
        "POST",
        "/Users",
        a_user(
            "Zoe.Quinn@Example.org",
            title="Analyst",
            timezone="Europe/Paris",
            phoneNumbers=[{"value": "+33 1 5550 0100", "type": "work"}],
            nickName="Zo",
        ),
    )
    assert answer.status == 201
    person = Person.objects.get(email="zoe.quinn@example.org")
    assert (person.display_name, person.title, person.phone, person.time_zone, person.is_active) == (
        "Zoe.quinn Example", "Analyst", "+33 1 5550 0100", "Europe/Paris", True,
    )  # fmt: skip
    assert not person.has_usable_password()
    body = answer.body
    assert body["userName"] == "Zoe.Quinn@Example.org"
    assert body["active"] is True
    assert body["nickName"] == "Zo"
    assert body["emails"] == [{"primary": True, "value": "Zoe.Quinn@Example.org", "type": "work"}]
    assert "password" not in body
    assert body["meta"]["location"] == answer.headers["Location"]
    assert answer.headers["ETag"] == body["meta"]["version"] == 'W/"1"'
    assert "1mz050nq" not in str(ScimUser.objects.values_list("document", flat=True))
    assert trail() - before == {"directory.user.synced": 1, "caused person.provisioned": 1}
    assert AuditEvent.objects.get(kind="directory.user.synced").actor == "s:directory (Okta)"


def test_a_person_who_is_known_is_taken_over_not_doubled(provider: Provider, cast: Cast) -> None:
    people = Person.objects.count()
    body = provider.add("ADA@example.org", displayName="Ada Nwosu")
    assert Person.objects.count() == people
    user = ScimUser.objects.get(scim_id=body["id"])
    assert user.person == cast.ada
    cast.ada.refresh_from_db()
    assert (cast.ada.title, cast.ada.deputy, cast.ada.line_manager) == (
        "Director, Claims Automation", cast.ben, cast.una,
    )  # fmt: skip


@pytest.mark.parametrize("again", ["zoe@example.org", "ZOE@Example.org"])
def test_the_same_user_name_twice_is_a_conflict(provider: Provider, again: str) -> None:
    provider.add("zoe@example.org")
    before = trail()
    provider.call("POST", "/Users", a_user(again)).refused(409, "uniqueness")
    assert ScimUser.objects.count() == 1
    assert trail() == before


def test_an_address_of_another_user_is_a_conflict(provider: Provider) -> None:
    provider.add("zoe@example.org")
    other = provider.add("kim@example.org")
    shared = [{"value": "zoe@example.org", "type": "work"}]
    provider.call("POST", "/Users", a_user("other@example.org", emails=shared)).refused(409, "uniqueness")
    path = f"/Users/{other['id']}"
    operation = {"op": "replace", "path": 'emails[type eq "work"].value', "value": "zoe@example.org"}
    provider.patch(path, operation).refused(409, "uniqueness")
    assert provider.get(path).body == other
    assert Person.objects.filter(email="kim@example.org").count() == 1


@pytest.mark.parametrize("address", ["ciso@example.org", "ai-team@example.org", "noreply@example.org"])
def test_a_mailbox_is_no_person(provider: Provider, address: str) -> None:
    people, before = Person.objects.count(), trail()
    said = provider.call("POST", "/Users", a_user(address)).refused(400, "invalidValue")
    assert said == f"{address} is a mailbox or a service account, not a person. Assign people only."
    assert (Person.objects.count(), ScimUser.objects.count(), trail()) == (people, 0, before)


def test_a_service_account_of_ours_is_no_person(provider: Provider, cast: Cast) -> None:
    provider.call("POST", "/Users", a_user("robot@example.org")).refused(400, "invalidValue")
    assert ScimUser.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "scim_type"),
    [
        (b"{", "invalidSyntax"),
        (b"", "invalidSyntax"),
        (b"[1]", "invalidSyntax"),
        (b'"x"', "invalidSyntax"),
        (b'{"userName": NaN}', "invalidSyntax"),
        (b"[" * 100_000, "invalidSyntax"),
        (b'{"userName": "\\ud800@example.org"}', "invalidSyntax"),
        (b'{"userName": "\\u0000@example.org"}', "invalidValue"),
        (b"{}", "invalidValue"),
        (b'{"userName": "nobody"}', "invalidValue"),
        (b'{"userName": "a@example.org", "active": "perhaps"}', "invalidValue"),
        (b'{"userName": "not an@address"}', "invalidValue"),
        (b'{"userName": "%s@example.org"}' % (b"a" * 300), "invalidValue"),
        (b"\xff\xfe", "invalidSyntax"),
    ],
)
def test_a_bad_body_is_refused_whole(provider: Provider, body: bytes, scim_type: str) -> None:
    before = trail()
    provider.call("POST", "/Users", body).refused(400, scim_type)
    assert (trail(), ScimUser.objects.count()) == (before, 0)


def test_a_body_that_is_too_large_is_not_read(provider: Provider) -> None:
    provider.call("POST", "/Users", b"x" * (5 * 1024 * 1024 + 1)).refused(413, "tooMany")


def test_the_same_put_twice_writes_one_event(provider: Provider) -> None:
    path = f"/Users/{provider.add('zoe@example.org')['id']}"
    body = a_user("zoe@example.org", title="Analyst")
    first = provider.call("PUT", path, body)
    before = trail()
    again = provider.call("PUT", path, body)
    assert (again.status, again.body) == (200, first.body)
    assert trail() == before


def test_what_somebody_changed_here_stays_until_the_directory_says_something_new(provider: Provider) -> None:
    path = f"/Users/{provider.add('zoe@example.org', title='Analyst')['id']}"
    Person.objects.filter(email="zoe@example.org").update(title="Chief analyst")
    provider.call("PUT", path, a_user("zoe@example.org", title="Analyst", nickName="Z"))
    assert Person.objects.get(email="zoe@example.org").title == "Chief analyst"
    provider.call("PUT", path, a_user("zoe@example.org", title="Director"))
    assert Person.objects.get(email="zoe@example.org").title == "Director"
    provider.call("PUT", path, a_user("zoe@example.org"))
    assert Person.objects.get(email="zoe@example.org").title == ""


def test_a_new_address_replaces_the_old_one(provider: Provider) -> None:
    path = f"/Users/{provider.add('zoe@example.org')['id']}"
    provider.call("PUT", path, a_user("zoe.new@example.org"))
    assert not Person.objects.filter(email="zoe@example.org").exists()
    assert Person.objects.get(email="zoe.new@example.org").scim_user.user_name == "zoe.new@example.org"


def test_department_finds_the_unit_and_makes_nobody_owner(provider: Provider, cast: Cast) -> None:
    system = a_system(cast)
    extension = {ENTERPRISE: {"department": "CLAIMS", "employeeNumber": "E1"}}
    body = provider.add("zoe@example.org", **extension)
    assert body["schemas"] == [USER, ENTERPRISE]
    assert body[ENTERPRISE] == extension[ENTERPRISE]
    placed = Placement.objects.get(person__email="zoe@example.org")
    assert (placed.unit, placed.employee_number) == (cast.claims, "E1")
    assert System.objects.get(pk=system.pk).owner == cast.una
    assert Nomination.objects.count() == 0


def manager(value: Any) -> dict[str, Any]:
    return {ENTERPRISE: {"manager": value}}


def test_the_manager_is_linked_at_once_or_when_they_arrive(provider: Provider) -> None:
    boss = provider.add("boss@example.org")
    provider.add("kim@example.org", **manager({"value": boss["id"]}))
    provider.add("ola@example.org", **manager({"$ref": f"../Users/{boss['id']}"}))
    provider.add("pat@example.org", **manager([{"value": boss["id"]}]))
    provider.add("zoe@example.org", **manager("00ulate@example.org"))
    led = Person.objects.filter(line_manager__email="boss@example.org").order_by("email")
    assert [person.email for person in led] == ["kim@example.org", "ola@example.org", "pat@example.org"]
    assert Person.objects.get(email="zoe@example.org").line_manager is None
    before = trail()
    provider.add("late@example.org")
    assert Person.objects.get(email="zoe@example.org").line_manager.email == "late@example.org"
    assert trail() - before == {"directory.user.synced": 1, "caused person.provisioned": 1, "caused person.changed": 1}


def test_nobody_is_their_own_manager_and_a_circle_is_a_fact(provider: Provider) -> None:
    kim = provider.add("kim@example.org", **manager("00ukim@example.org"))
    assert Person.objects.get(email="kim@example.org").line_manager is None
    provider.add("zoe@example.org", **manager({"value": kim["id"]}))
    path = f"{ENTERPRISE}:manager"
    answer = provider.patch(
        f"/Users/{kim['id']}", {"op": "Add", "path": path, "value": [{"value": "00uzoe@example.org"}]}
    )
    assert answer.status == 200
    people = {person.email: person.line_manager for person in Person.objects.filter(scim_user__isnull=False)}
    assert people["kim@example.org"].email == "zoe@example.org"
    assert people["zoe@example.org"].email == "kim@example.org"
    provider.patch(f"/Users/{kim['id']}", {"op": "Remove", "path": path})
    assert Person.objects.get(email="kim@example.org").line_manager is None


def test_versions(provider: Provider) -> None:
    path = f"/Users/{provider.add('zoe@example.org')['id']}"
    title = {"op": "replace", "path": "title", "value": "Analyst"}
    assert provider.get(path, **{"If-None-Match": 'W/"1"'}).status == 304
    assert provider.get(path, **{"If-None-Match": 'W/"2"'}).status == 200
    assert provider.patch(path, title, **{"If-Match": 'W/"1"'}).headers["ETag"] == 'W/"2"'
    provider.patch(path, title | {"value": "Other"}, **{"If-Match": 'W/"1"'}).refused(412)
    provider.call("DELETE", path, **{"If-Match": '"1"'}).refused(412)
    assert provider.get(path).body["title"] == "Analyst"
    assert provider.patch(path, title | {"value": "Other"}, **{"If-Match": "*"}).status == 200


def test_what_is_shown(provider: Provider) -> None:
    path = f"/Users/{provider.add('zoe@example.org')['id']}"
    assert set(provider.get(f"{path}?attributes=userName,name.givenName").body) == {"schemas", "id", "userName", "name"}
    assert "emails" not in provider.get(f"{path}?excludedAttributes=emails,meta").body
    assert set(provider.get(f"/Users?attributes={USER}:userName").body["Resources"][0]) == {"schemas", "id", "userName"}


def test_the_server_describes_itself(provider: Provider) -> None:
    config = provider.get("/ServiceProviderConfig").body
    assert [config[name]["supported"] for name in ("patch", "bulk", "filter", "etag", "sort")] == [
        True, False, True, True, False,
    ]  # fmt: skip
    assert [one["id"] for one in provider.get("/ResourceTypes").body["Resources"]] == ["User", "Group"]
    assert provider.get("/Schemas").body["totalResults"] == 3
    assert provider.get(f"/Schemas/{ENTERPRISE}").body["name"] == "EnterpriseUser"
    assert provider.get("/ResourceTypes/User").body["endpoint"] == "/Users"
    provider.get("/Schemas/nothing").refused(404)
    provider.call("POST", "/Bulk", {}).refused(501)
    provider.get("/Nothing/there").refused(404)
    provider.call("DELETE", "/Users").refused(405)


def test_only_a_living_token_of_the_directory_opens(provider: Provider, cast: Cast, browse: Any) -> None:
    from apps.access.actions import issue_token
    from apps.common import clock
    from apps.directory.actions import revoke_scim_token

    now = clock.now()
    _, api_secret = issue_token(cast.mara, name="API", scopes=["read", "write"], actor=cast.mara, now=now)
    for headers in ({}, {"Authorization": f"Bearer {api_secret}"}, {"Authorization": "Basic x"},
                    {"Authorization": f"Bearer {provider.secret[:-1]}"}):  # fmt: skip
        response = Client(headers=headers).get("/scim/v2/Users")
        assert response.status_code == 401, headers
        assert response["WWW-Authenticate"].startswith("Bearer")
    assert browse(cast.mara).get("/scim/v2/Users").status_code == 401
    headers = {"Authorization": f"Bearer {provider.secret}"}
    assert Client(headers=headers).get("/api/v1/systems/").status_code == 401
    revoke_scim_token(provider.token, actor=cast.mara, now=now)
    provider.get("/Users").refused(401)


def test_an_expired_token_opens_nothing(provider: Provider) -> None:
    from apps.directory.models import ScimToken

    ScimToken.objects.update(expires_at="2026-01-01T00:00:00Z")
    provider.get("/Users").refused(401)


def test_guesses_and_floods_are_slowed(provider: Provider, settings: Any) -> None:
    settings.SCIM_REQUESTS_A_MINUTE = 3
    statuses = [provider.get("/Users").status for _ in range(5)]
    assert statuses[:3] == [200, 200, 200]
    assert 429 in statuses
    guesser = Client(headers={"Authorization": "Bearer scim_00000000_x"}, REMOTE_ADDR="192.0.2.1")
    assert {guesser.get("/scim/v2/Users").status_code for _ in range(70)} == {401, 429}
