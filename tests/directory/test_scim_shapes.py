"""The request shapes that real identity providers send, each with the result that it has to have.

Facts restated from MicrosoftDocs/entra-docs (docs/identity/app-provisioning, commit 0596ed5; text CC BY 4.0) and
oktadev/okta-scim-beta (commit 14ca30a; Apache-2.0).
"""

import time
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from apps.access.actions import issue_token
from apps.access.models import ApiToken
from apps.common import clock
from apps.directory.models import OffboardingCase, ScimGroup, ScimUser
from apps.people.models import Person, RoleGrant
from apps.registry.models import System
from tests.cast import Cast
from tests.directory.provider import ENTERPRISE, PATCH_OP, USER, Provider, a_user, trail
from tests.factories import a_system

LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
DISABLE: dict[str, dict[str, Any]] = {
    "entra: boolean as text, capital op": {"op": "Replace", "path": "active", "value": "False"},
    "entra, later: boolean": {"op": "replace", "path": "active", "value": False},
    "okta: without a path": {"op": "replace", "value": {"active": False}},
}


@pytest.mark.parametrize("shape", DISABLE)
def test_disable(shape: str, provider: Provider, cast: Cast, browse: Any) -> None:
    """All sessions and tokens end, and what the person answers for passes on."""
    system = a_system(cast, owner=cast.ada)
    ada = provider.add("ada@example.org")
    issue_token(cast.ada, name="T", scopes=["read"], actor=cast.ada, now=clock.now())
    window = browse(cast.ada)
    assert window.get("/profile/").status_code == 200
    answer = provider.patch(f"/Users/{ada['id']}", DISABLE[shape])
    assert (answer.status, answer.body["active"]) == (200, False)
    assert window.get("/profile/").status_code == 302
    assert not ApiToken.objects.filter(person=cast.ada, revoked_at=None).exists()
    system.refresh_from_db()
    assert (system.owner, system.owner_basis) == (cast.ben, "interim")
    assert OffboardingCase.objects.get(person=cast.ada).source == "scim"
    assert provider.get(f"/Users/{ada['id']}").body["active"] is False


def test_okta_updates_with_a_full_put(provider: Provider) -> None:
    path = f"/Users/{provider.add('a@example.com')['id']}"
    body = {
        "schemas": [USER],
        "userName": "a@example.com",
        "name": {"givenName": "A", "familyName": "B"},
        "emails": [{"primary": True, "value": "a@example.com", "type": "work"}],
        "active": False,
        "favouriteColour": "green",
    }
    answer = provider.call("PUT", path, body)
    assert (answer.status, answer.body["active"]) == (200, False)
    assert Person.objects.get(email="a@example.com").is_active is False


def group_of(provider: Provider, *users: dict[str, Any], name: str = "Team") -> dict[str, Any]:
    answer = provider.call("POST", "/Groups", {"displayName": name, "members": [{"value": u["id"]} for u in users]})
    assert answer.status == 201
    return answer.body


def members(provider: Provider, group: dict[str, Any]) -> set[str]:
    return {member["display"] for member in provider.get(f"/Groups/{group['id']}").body.get("members", [])}


def test_entra_removes_a_member_with_a_list_of_values(provider: Provider) -> None:
    """By the letter of RFC 7644 `remove` of `members` would empty the group."""
    zoe, kim = provider.add("zoe@example.org"), provider.add("kim@example.org")
    group = group_of(provider, zoe, kim)
    operation = {"op": "Remove", "path": "members", "value": [{"value": zoe["id"]}]}
    assert provider.patch(f"/Groups/{group['id']}", operation).status == 200
    assert members(provider, group) == {"kim@example.org"}
    before = trail()
    unknown = {"op": "Remove", "path": "members", "value": [{"value": "u1091"}]}
    assert provider.patch(f"/Groups/{group['id']}", unknown).status == 200
    assert (members(provider, group), trail()) == ({"kim@example.org"}, before)


def test_entra_removes_a_member_by_filter(provider: Provider) -> None:
    zoe, kim = provider.add("zoe@example.org"), provider.add("kim@example.org")
    group = group_of(provider, zoe, kim)
    provider.patch(f"/Groups/{group['id']}", {"op": "remove", "path": f'members[value eq "{zoe["id"]}"]'})
    assert members(provider, group) == {"kim@example.org"}


@pytest.mark.parametrize("emails", [[], [{"value": "a@example.com", "type": "work"}]])
def test_entra_replaces_several_with_filter_and_urn(provider: Provider, emails: list[Any]) -> None:
    user = provider.add("a@example.com", emails=emails)
    answer = provider.patch(
        f"/Users/{user['id']}",
        {"op": "Replace", "path": "displayName", "value": "P"},
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "t@example.com"},
        {"op": "Replace", "path": "name.givenName", "value": "G"},
        {"op": "Replace", "path": f"{ENTERPRISE}:employeeNumber", "value": "E1"},
    )
    body = answer.body
    assert (answer.status, body["displayName"], body["name"]["givenName"]) == (200, "P", "G")
    assert body["emails"] == [{"type": "work", "value": "t@example.com"}] or body["emails"] == [
        {"value": "t@example.com", "type": "work"}
    ]
    assert body[ENTERPRISE] == {"employeeNumber": "E1"}
    assert Person.objects.get(email="t@example.com").display_name == "P"


def test_entra_dotted_and_urn_keys_without_a_path(provider: Provider) -> None:
    user = provider.add("a@example.com")
    value = {
        "displayName": "B",
        "name.givenName": "K",
        "name.familyName": "U",
        f"{ENTERPRISE}:employeeNumber": "A",
    }
    body = provider.patch(f"/Users/{user['id']}", {"op": "replace", "value": value}).body
    assert (body["displayName"], body["name"]) == ("B", {"givenName": "K", "familyName": "U"})
    assert body[ENTERPRISE]["employeeNumber"] == "A"
    assert not [key for key in body if "." in key and key != ENTERPRISE]


def test_existence_probe(provider: Provider) -> None:
    answer = provider.get("/Users?filter=userName%20eq%20%22nobody@example.com%22")
    assert (answer.status, answer.body["totalResults"], answer.body["Resources"]) == (200, 0, [])


def test_inactive_users_stay_visible(provider: Provider) -> None:
    user = provider.add("disabled@example.com")
    provider.patch(f"/Users/{user['id']}", DISABLE["okta: without a path"])
    answer = provider.get("/Users?filter=userName%20eq%20%22disabled@example.com%22")
    assert (answer.body["totalResults"], answer.body["Resources"][0]["active"]) == (1, False)


def test_group_without_members(provider: Provider) -> None:
    group = group_of(provider, provider.add("zoe@example.org"))
    assert "members" not in provider.get(f"/Groups/{group['id']}?excludedAttributes=members").body
    assert "members" not in provider.get("/Groups?excludedAttributes=members").body["Resources"][0]
    assert len(provider.get("/Groups").body["Resources"][0]["members"]) == 1


def test_okta_test_first_call(provider: Provider) -> None:
    for name in ("zoe", "kim", "ola"):
        provider.add(f"{name}@example.org")
    body = provider.get("/Users?count=2&startIndex=1").body
    assert body["schemas"] == [LIST]
    assert (body["itemsPerPage"], body["startIndex"], body["totalResults"]) == (2, 1, 3)
    assert provider.get("/Users?count=2&startIndex=3").body["itemsPerPage"] == 1
    assert provider.get("/Users?count=0").body["totalResults"] == 3
    assert provider.get("/Users?startIndex=0&count=-1").body["startIndex"] == 1
    provider.get("/Users?count=many").refused(400, "invalidValue")


def test_okta_test_unknown_id(provider: Provider) -> None:
    provider.get("/Users/does-not-exist").refused(404)
    provider.get("/Users/00000000-0000-4000-8000-000000000000").refused(404)


def test_a_conversation_as_okta_sends_it(provider: Provider, cast: Cast, settings: Any) -> None:
    """Provision, update, group, deactivate, update after that, reactivate; each answer in under 600 ms."""
    settings.SCIM_ROLE_GROUPS = {"AI auditors": "auditor"}
    began = time.monotonic()
    calls = 0
    assert provider.find('userName eq "zoe@example.org"') == []
    zoe = provider.call("POST", "/Users", a_user("zoe@example.org")).body
    path = f"/Users/{zoe['id']}"
    assert provider.get(path).body == zoe
    provider.call("PUT", path, a_user("zoe@example.org", title="Analyst"))
    group = provider.call("POST", "/Groups", {"displayName": "AI auditors", "members": []}).body
    add = {"op": "add", "path": "members", "value": [{"value": zoe["id"], "display": "zoe@example.org"}]}
    provider.patch(f"/Groups/{group['id']}", add)
    person = Person.objects.get(email="zoe@example.org")
    granted = RoleGrant.objects.get(person=person, revoked_at=None)
    assert (person.title, granted.role, granted.source) == ("Analyst", "auditor", "scim")
    for _ in range(2):
        assert provider.patch(path, DISABLE["okta: without a path"]).body["active"] is False
    assert not RoleGrant.objects.filter(person=person, revoked_at=None).exists()
    update = a_user("zoe@example.org", title="Director")
    del update["active"]
    assert provider.call("PUT", path, update).body["active"] is False
    for _ in range(2):
        assert provider.patch(path, {"op": "replace", "value": {"active": True}}).body["active"] is True
    person.refresh_from_db()
    assert (person.title, person.is_active, person.leaving_on) == ("Director", True, None)
    assert RoleGrant.objects.get(person=person, revoked_at=None).role == "auditor"
    assert OffboardingCase.objects.filter(person=person).count() == 1
    calls = 14
    assert (time.monotonic() - began) / calls < 0.6


def test_a_conversation_as_entra_sends_it(provider: Provider, cast: Cast) -> None:
    """Match a person who is known, link a manager, group, disable, delete, provision again."""
    system = a_system(cast, owner=cast.ada)
    una = provider.add("una@example.org", displayName="Una Brandt", externalId="e-una")
    assert provider.find('externalId eq "e-una"')[0]["id"] == una["id"]
    body = {
        "schemas": [USER, ENTERPRISE],
        "externalId": "ada-nick",
        "userName": "ada@example.org",
        "active": True,
        "addresses": None,
        "displayName": "Ada Nwosu",
        "emails": [{"type": "work", "value": "ada@example.org", "primary": True}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Ada Nwosu", "familyName": "Nwosu", "givenName": "Ada"},
        "roles": [],
    }
    ada = provider.call("POST", "/Users", body).body
    path = f"/Users/{ada['id']}"
    manager = {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": una["id"]}
    assert provider.patch(path, manager, {"op": "Add", "path": "title", "value": "Director"}).status == 200
    assert provider.find(f'id eq "{ada["id"]}" and manager eq "{una["id"]}"')[0]["id"] == ada["id"]
    group = provider.call("POST", "/Groups", {"displayName": "Everybody", "externalId": "g1"}).body
    add = {"op": "Add", "path": "members", "value": [{"$ref": None, "value": ada["id"]}]}
    assert provider.patch(f"/Groups/{group['id']}", add).status == 200
    assert (
        provider.find(f'id eq "{group["id"]}" and members eq "{ada["id"]}"', "Groups")[0]["displayName"] == "Everybody"
    )
    assert provider.patch(path, DISABLE["entra: boolean as text, capital op"]).body["active"] is False
    system.refresh_from_db()
    assert system.owner == cast.ben
    assert provider.call("DELETE", path).status == 204
    provider.get(path).refused(404)
    provider.call("DELETE", path).refused(404)
    provider.patch(path, {"op": "Replace", "path": "active", "value": "True"}).refused(404)
    again = provider.call("POST", "/Users", body)
    assert (again.status, again.body["active"]) == (201, True)
    assert again.body["id"] != ada["id"]
    cast.ada.refresh_from_db()
    assert cast.ada.is_active
    assert System.objects.get(pk=system.pk).owner == cast.ben


def test_deleting_an_active_user_off_boards(provider: Provider, cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    path = f"/Users/{provider.add('ada@example.org')['id']}"
    assert provider.call("DELETE", path).status == 204
    system.refresh_from_db()
    cast.ada.refresh_from_db()
    assert (system.owner, cast.ada.is_active, ScimUser.objects.count()) == (cast.ben, False, 0)


def test_the_holder_of_the_mandate_leaves(provider: Provider, cast: Cast) -> None:
    path = f"/Users/{provider.add('mara@example.org')['id']}"
    assert provider.patch(path, DISABLE["okta: without a path"]).status == 200
    cast.mara.refresh_from_db()
    assert not cast.mara.is_active


@pytest.mark.parametrize(
    ("operation", "scim_type"),
    [
        ({"op": "move", "path": "title"}, "invalidSyntax"),
        ({"op": "remove"}, "noTarget"),
        ({"op": "replace", "path": "title eq", "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": 'emails[type co "work"].value', "value": "x"}, "noTarget"),
        ({"op": "replace", "path": 7, "value": "x"}, "invalidPath"),
        ({"op": "replace", "value": "x"}, "invalidValue"),
        ({"op": "remove", "path": "userName"}, "invalidValue"),
        ({"op": "replace", "path": "active", "value": "maybe"}, "invalidValue"),
    ],
)
def test_a_bad_operation_changes_nothing(provider: Provider, operation: dict[str, Any], scim_type: str) -> None:
    user = provider.add("zoe@example.org", emails=[])
    before = trail()
    good = {"op": "replace", "path": "title", "value": "Changed"}
    provider.patch(f"/Users/{user['id']}", good, operation).refused(400, scim_type)
    assert provider.get(f"/Users/{user['id']}").body == user
    assert trail() == before


def test_too_many_operations(provider: Provider) -> None:
    path = f"/Users/{provider.add('zoe@example.org')['id']}"
    operations = [{"op": "replace", "path": "title", "value": "x"}] * 1001
    provider.call("PATCH", path, {"schemas": [PATCH_OP], "Operations": operations}).refused(413, "tooMany")


def test_groups_grant_and_take_back_only_their_own(provider: Provider, cast: Cast, settings: Any) -> None:
    settings.SCIM_ROLE_GROUPS = {"ai AUDITORS": "auditor"}
    eve, zoe = provider.add("eve@example.org"), provider.add("zoe@example.org")
    group = group_of(provider, eve, zoe, name="AI auditors")
    grants = RoleGrant.objects.filter(revoked_at=None, role="auditor")
    assert set(grants.values_list("person__email", "source")) == {
        ("eve@example.org", "portal"), ("zoe@example.org", "scim"),
    }  # fmt: skip
    assert System.objects.filter(owner__email="zoe@example.org").count() == 0
    provider.call("PUT", f"/Groups/{group['id']}", {"displayName": "AI auditors", "members": []})
    assert set(grants.values_list("person__email", "source")) == {("eve@example.org", "portal")}
    provider.call("PUT", f"/Groups/{group['id']}", {"displayName": "AI auditors", "members": [{"value": zoe["id"]}]})
    assert provider.call("DELETE", f"/Groups/{group['id']}").status == 204
    assert set(grants.values_list("person__email", "source")) == {("eve@example.org", "portal")}


def test_group_refusals(provider: Provider) -> None:
    group = group_of(provider)
    provider.call("POST", "/Groups", {"displayName": "TEAM"}).refused(409, "uniqueness")
    provider.call("POST", "/Groups", {"displayName": ""}).refused(400, "invalidValue")
    add = {"op": "add", "path": "members", "value": [{"value": "nobody"}]}
    before = trail()
    said = provider.patch(f"/Groups/{group['id']}", add).refused(400, "invalidValue")
    assert said == "These members are no users here: nobody. Nothing changed."
    assert (ScimGroup.objects.count(), trail()) == (1, before)
    other = group_of(provider, name="Other")
    rename = {"op": "replace", "value": {"id": other["id"], "displayName": "team"}}
    provider.patch(f"/Groups/{other['id']}", rename).refused(409, "uniqueness")


def test_sessions_are_gone_from_the_store(provider: Provider, cast: Cast, browse: Any) -> None:
    browse(cast.dov)
    client: Client = browse(cast.ada)
    path = f"/Users/{provider.add('ada@example.org')['id']}"
    provider.patch(path, DISABLE["okta: without a path"])
    assert client.get("/").status_code == 302
    assert Session.objects.exists()
