"""Filters: read by the rules of RFC 7644, asked of the database; pages at a constant cost."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.common import clock
from apps.directory.models import ScimUser
from apps.directory.rules.errors import ScimError
from apps.directory.rules.filters import Both, Compare, Element, Not, parse_filter, parse_path
from apps.people.models import Person
from tests.directory.provider import ENTERPRISE, USER, Provider


def test_and_binds_more_strongly_than_or() -> None:
    tree = parse_filter('title eq "a" or title eq "b" and active eq true')
    assert isinstance(tree, Both)
    assert tree.op == "or"
    assert isinstance(tree.right, Both)
    assert tree.right.op == "and"


def test_escapes_numbers_words_and_brackets() -> None:
    assert parse_filter(r'userName eq "o\"neil \\ x"').value == 'o"neil \\ x'  # type: ignore[union-attr]
    assert parse_filter("size ge 120").value == 120  # type: ignore[union-attr]
    assert parse_filter("active EQ True").value is True  # type: ignore[union-attr]
    assert isinstance(parse_filter("not (title pr)"), Not)
    assert isinstance(parse_filter('emails[type eq "work" and value co "@x"]'), Element)
    urn = parse_filter(f'{ENTERPRISE}:manager.value eq "x"')
    assert isinstance(urn, Compare)
    assert urn.attribute.key == (ENTERPRISE.lower(), "manager", "value")
    assert parse_path('emails[type eq "work"].value').sub == "value"
    assert parse_path(f"{USER}:name.givenName").attribute.key == ("name", "givenname")


@pytest.mark.parametrize(
    "text",
    ["", "userName", "userName eq", "userName eq 'a'", 'userName is "a"', "(title pr", "title pr)", "title pr and",
     'userName eq "a', "a.b.c.d pr", "(" * 5000 + "a pr" + ")" * 5000, "title pr " * 1000, '"a" eq title',
     "not title pr"],
)  # fmt: skip
def test_bad_filters(text: str) -> None:
    with pytest.raises(ScimError) as refused:
        parse_filter(text)
    assert (refused.value.status, refused.value.scim_type) == (400, "invalidFilter")


FOUND: dict[str, set[str]] = {
    'userName eq "ZOE@example.org"': {"zoe"},
    'USERNAME Eq "zoe@example.org"': {"zoe"},
    'userName ne "zoe@example.org"': {"kim", "ola"},
    'userName sw "k"': {"kim"},
    'userName co "example"': {"zoe", "kim", "ola"},
    'userName ew ".org" and active eq true': {"zoe", "kim"},
    "active eq false": {"ola"},
    'active eq "False"': {"ola"},
    'externalId eq "00uzoe@example.org"': {"zoe"},
    'externalId eq "00UZOE@example.org"': set(),
    'emails.value eq "zoe@example.org"': {"zoe"},
    'emails eq "KIM@example.org"': {"kim"},
    'emails[type eq "work" and value eq "kim@example.org"]': {"kim"},
    'emails[type eq "home"]': set(),
    'title eq "analyst"': {"zoe"},
    "title pr": {"zoe"},
    "not (title pr)": {"kim", "ola"},
    'title ne "Analyst"': {"kim", "ola"},
    'name.givenName eq "Kim" or title pr': {"zoe", "kim"},
    'displayName co "EXAMPLE"': {"zoe", "kim", "ola"},
    f'{ENTERPRISE}:department eq "Claims"': {"zoe"},
    f'{ENTERPRISE}:manager eq "boss"': {"zoe"},
    'meta.lastModified gt "2020-01-01T00:00:00Z"': {"zoe", "kim", "ola"},
    'meta.created lt "2020-01-01T00:00:00Z"': set(),
    'id eq "nothing"': set(),
    'favouriteColour eq "green"': set(),
    '(active eq true) and (not (userName eq "kim@example.org"))': {"zoe"},
}


def test_what_filters_find(provider: Provider) -> None:
    provider.add("zoe@example.org", title="Analyst", **{ENTERPRISE: {"department": "Claims", "manager": "boss"}})
    provider.add("kim@example.org")
    provider.add("ola@example.org", active=False)
    found = {text: {one["userName"].partition("@")[0] for one in provider.find(text)} for text in FOUND}
    assert found == FOUND


@pytest.mark.parametrize(
    "text", ['emails[value co "x"]', 'meta.created gt "yesterday"', 'id co "x"', "active gt true", 'userName eq "\0"']
)
def test_what_filters_can_not_ask(provider: Provider, text: str) -> None:
    response = provider.client.get("/scim/v2/Users", {"filter": text})
    assert response.status_code == 400
    assert response.json()["scimType"] == "invalidFilter"


def test_five_thousand_users_cost_as_many_statements_as_three(provider: Provider) -> None:
    now = clock.now()

    def add(first: int, many: int) -> None:
        people = [
            Person(email=f"u{n}@example.org", display_name=f"U{n}", created_at=now) for n in range(first, first + many)
        ]
        Person.objects.bulk_create(people)
        ScimUser.objects.bulk_create(
            ScimUser(
                person=person, user_name=person.email, user_key=person.email, created_at=now, changed_at=now,
                document={"userName": person.email},
            )
            for person in people
        )  # fmt: skip

    def cost(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            answer = provider.get(path)
        assert answer.status == 200
        return len([one for one in captured if not re.search("common_cache|SAVEPOINT", one["sql"])])

    paths = ("/Users?count=200", '/Users?filter=userName%20eq%20"u2@example.org"', "/Users?startIndex=4801&count=200")
    add(0, 3)
    provider.get("/Users")
    few = [cost(path) for path in paths]
    add(3, 4997)
    assert [cost(path) for path in paths] == few
    body = provider.get("/Users?startIndex=4901&count=500").body
    assert (body["totalResults"], body["startIndex"], body["itemsPerPage"]) == (5000, 4901, 100)
    seen: list[Any] = []
    for start in range(1, 5001, 200):
        seen += [
            one["id"] for one in provider.get(f"/Users?startIndex={start}&count=200&attributes=id").body["Resources"]
        ]
    assert len(set(seen)) == 5000


def test_the_plan_of_a_probe_reads_an_index(provider: Provider) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT 1 FROM directory_scimuser WHERE user_key = 'x'")
        assert re.search("Index", str(cursor.fetchall()))
