"""Systems through the API: what is seen, what is refused, cursors that hold still."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.models import AuditEvent
from apps.registry.actions import register_system
from apps.registry.models import System
from tests.api.conftest import Program
from tests.api.test_door import problem
from tests.cast import Cast

Programs = Callable[..., Program]
NOW = datetime(2026, 12, 7, 9, 0, tzinfo=UTC)
GOOD = {"key": "new-1", "name": "New", "unit": "claims"}


def register(cast: Cast, key: str, **fields: Any) -> System:
    fields = {"name": f"System {key}", "unit": cast.claims, "stage": "production", "tier": "low"} | fields
    return register_system(key=key, actor=cast.mara, now=NOW, **fields)


def keys(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [system["key"] for system in response.json()["results"]]


def test_what_a_system_says(cast: Cast, program: Programs) -> None:
    register(cast, "one", identities=[("agent_id", "agent-7")], vendor="Acme")
    seen = program(cast.cleo).get("systems/one/").json()
    assert seen["owner"] == {
        "person": {"id": str(cast.una.pk), "name": "Una Brandt", "title": "Head of Claims", "email": None},
        "basis": "interim",
        "deputy": None,
    }
    assert seen["identities"] == [{"kind": "agent_id", "value": "agent-7"}]
    assert seen["live"] is True
    assert seen["url"].endswith("/api/v1/systems/one/")
    assert program(cast.mara).get("systems/one/").json()["owner"]["person"]["email"] == "una@example.org"
    assert "email" in json.dumps(program(cast.cleo).get("systems/").json())
    assert "example.org" not in json.dumps(program(cast.cleo).get("systems/").json()["results"])


def test_who_sees_what(cast: Cast, program: Programs) -> None:
    register(cast, "open")
    register(cast, "secret", restricted=True, unit=cast.devtools)
    assert keys(program(cast.mara).get("systems/")) == ["open", "secret"]
    assert keys(program(cast.eve).get("systems/")) == ["open", "secret"]
    assert keys(program(cast.bo).get("systems/")) == ["open"]
    assert keys(program(cast.una).get("systems/")) == ["open"]
    assert keys(program(cast.dov).get("systems/")) == []
    problem(program(cast.bo).get("systems/secret/"), 404)
    problem(program(cast.dov).get("systems/open/"), 404)


def test_filters(cast: Cast, program: Programs) -> None:
    register(cast, "a", tier="critical", vendor="Acme")
    register(cast, "b", stage="proposed", unit=cast.devtools)
    caller = program(cast.mara)
    assert keys(caller.get("systems/?tier=critical")) == ["a"]
    assert keys(caller.get("systems/?stage=proposed")) == ["b"]
    assert keys(caller.get("systems/?unit=devtools")) == ["b"]
    assert keys(caller.get("systems/?live=1")) == ["a"]
    assert keys(caller.get("systems/?live=false")) == ["b"]
    assert keys(caller.get("systems/?q=acme")) == ["a"]
    assert keys(caller.get("systems/?basis=accepted")) == []
    assert keys(caller.get("systems/?basis=interim&q=nothing")) == []


@pytest.mark.parametrize("query", ["tiers=low", "tier=lowest", "live=perhaps", "limit=0", "limit=9999", "limit=x"])
def test_a_filter_that_is_not_known_is_refused(cast: Cast, program: Programs, query: str) -> None:
    body = problem(program(cast.mara).get(f"systems/?{query}"), 400)
    assert list(body["errors"]) == [query.split("=")[0]]


def test_a_cursor_holds_still(cast: Cast, program: Programs) -> None:
    for number in range(7):
        register(cast, f"s-{number}")
    caller, seen, path = program(cast.mara), [], "systems/?limit=3"
    while path:
        page = caller.get(path).json()
        seen += [system["key"] for system in page["results"]]
        path = (page["next"] or "").split("/api/v1/")[-1]
        if len(seen) == 3:
            register(cast, "aaa-first-by-name", name="AAA")
            connection.cursor().execute("UPDATE registry_system SET name = 'Zzz' WHERE key = 's-4'")
    assert seen == [*(f"s-{number}" for number in range(7)), "aaa-first-by-name"]
    problem(caller.get("systems/?cursor=nonsense"), 404)


def test_register(cast: Cast, program: Programs) -> None:
    sent = GOOD | {"tier": "high", "identities": [{"kind": "namespace", "value": "prod/claims"}]}
    response = program(cast.cleo).post("systems/", sent)
    assert response.status_code == 201, response.content
    assert response["Location"] == response.json()["url"]
    assert response["Location"].endswith("/api/v1/systems/new-1/")
    system = System.objects.get(key="new-1")
    assert (system.owner, system.owner_basis, system.tier, system.stage) == (cast.una, "interim", "high", "unknown")
    event = AuditEvent.objects.get(subject_kind="system", subject_id=str(system.pk))
    assert (event.kind, event.actor) == ("system.registered", cast.cleo.audit_id)
    assert event.request_id == response["X-Request-ID"]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"owner": "someone"}, "owner"), ({"owner_id": "x"}, "owner_id"), ({"owner_basis": "accepted"}, "owner_basis"),
        ({"id": 7}, "id"), ({"created_at": "2020-01-01T00:00:00Z"}, "created_at"), ({"import_run": "x"}, "import_run"),
        ({"contact_given": "x"}, "contact_given"), ({"search_text": "x"}, "search_text"), ({"actor": "x"}, "actor"),
        ({"now": "2020-01-01T00:00:00Z"}, "now"), ({"retired_at": None}, "retired_at"),
        ({"key": ""}, "key"), ({"key": "a/b"}, "key"), ({"key": "é"}, "key"), ({"key": "x" * 81}, "key"),
        ({"name": "x" * 501}, "name"), ({"name": " "}, "name"), ({"name": "a\x00b"}, "name"),
        ({"unit": "nowhere"}, "unit"), ({"unit": None}, "unit"), ({"unit": 7.5}, "unit"),
        ({"tier": "huge"}, "tier"), ({"stage": "Production"}, "stage"), ({"restricted": "maybe"}, "restricted"),
        ({"identities": [{"kind": "agent_id"}]}, "identities.0.value"),
        ({"identities": [{"kind": "agent_id", "value": "v", "system": 1}]}, "identities.0.system"),
        ({"identities": "agent"}, "identities"),
    ],
)  # fmt: skip
def test_what_is_not_asked_for_or_wrong_is_refused(
    cast: Cast, program: Programs, more: dict[str, Any], field: str
) -> None:
    body = problem(program(cast.mara).post("systems/", GOOD | more), 400)
    assert list(body["errors"]) == [field]
    assert not System.objects.exists()


def test_a_key_or_an_identity_that_is_taken(cast: Cast, program: Programs) -> None:
    register(cast, "new-1", identities=[("agent_id", "a-1")])
    caller = program(cast.mara)
    assert "key" in problem(caller.post("systems/", GOOD), 400)["errors"]
    body = problem(
        caller.post("systems/", GOOD | {"key": "b", "identities": [{"kind": "agent_id", "value": "a-1"}]}), 400
    )
    assert "identities" in body["errors"]
    assert System.objects.count() == 1


def test_another_program_that_was_faster(cast: Cast, program: Programs, monkeypatch: Any) -> None:
    register(cast, "new-1")
    monkeypatch.setattr(System, "full_clean", lambda self, **kwargs: None)
    body = problem(program(cast.mara).post("systems/", GOOD), 400)
    assert "key" in body["errors"]


def test_as_many_queries_for_many_systems(cast: Cast, program: Programs) -> None:
    caller = program(cast.mara)
    for number in range(3):
        register(cast, f"s-{number}")
    caller.get("systems/")  # the token's first use is noted
    with CaptureQueriesContext(connection) as few:
        caller.get("systems/")
        caller.get("systems/s-1/")
        caller.get("who-answers/?q=system")
        caller.get("readiness/")
    for number in range(3, 60):
        register(cast, f"s-{number}")
    with CaptureQueriesContext(connection) as many:
        caller.get("systems/")
        caller.get("systems/s-1/")
        caller.get("who-answers/?q=system")
        caller.get("readiness/")
    assert len(many) <= len(few) + 1  # readiness looks up who is over the cap


def test_who_answers(cast: Cast, program: Programs) -> None:
    register(cast, "claims-1", name="Claims triage")
    register(cast, "claims-2", name="Claims letters")
    caller = program(cast.dov)
    one = caller.get("who-answers", {"q": "claims-1"}).json()
    assert one["outcome"] == "one"
    assert one["answer"]["person"]["name"] == "Una Brandt"
    assert one["answer"]["derivation"]
    many = caller.get("who-answers", {"q": "claims"}).json()
    assert many["outcome"] == "many"
    assert many["answer"] is None
    assert {match["system"]["key"] for match in many["matches"]} == {"claims-1", "claims-2"}
    assert caller.get("who-answers", {"q": "zeppelin"}).json()["outcome"] == "nothing"
    lead = caller.get("who-answers", {"q": "claims-1", "scenario": "data-access"}).json()
    assert lead["answer"]["person"]["name"] == "Cleo Marchetti"
    assert lead["answer"]["owner"]["name"] == "Una Brandt"


@pytest.mark.parametrize(
    ("query", "field"),
    [({}, "q"), ({"q": " "}, "q"), ({"q": "x" * 201}, "q"), ({"q": "x", "scenario": "fire"}, "scenario"),
     ({"q": "x", "secnario": "data-access"}, "secnario")],
)  # fmt: skip
def test_questions_that_make_no_sense(cast: Cast, program: Programs, query: dict[str, str], field: str) -> None:
    assert list(problem(program(cast.dov).get("who-answers", query), 400)["errors"]) == [field]


def test_readiness(cast: Cast, program: Programs) -> None:
    register(cast, "claims-1")
    said = program(cast.bo).get("readiness/").json()
    assert said["headline"] == "For the one live system, nobody has accepted."
    assert said["systems"] == {"live": 1, "accepted": 0, "interim": 1, "interim_long": 0}
