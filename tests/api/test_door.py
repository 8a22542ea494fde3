"""Who gets through the API's door, and how it says no."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from apps.access.actions import digest_of, issue_token, revoke_token
from apps.access.models import ApiToken
from apps.common import clock
from apps.people.actions import deactivate_person
from tests.api.conftest import Program
from tests.cast import Cast

Programs = Callable[..., Program]
PROBLEM = "application/problem+json"
ENDPOINTS = ("schema/", "systems/", "systems/x/", "who-answers/?q=x", "campaigns/", "campaigns/2026Q4/", "readiness/")


def problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == PROBLEM
    body: dict[str, Any] = json.loads(response.content)
    assert body["status"] == status
    assert {"type", "title", "detail", "instance"} <= set(body)
    assert body["instance"].removeprefix("urn:uuid:").replace("-", "") == response["X-Request-ID"]
    return body


@pytest.mark.parametrize("path", ENDPOINTS)
def test_nothing_without_a_token(cast: Cast, program: Programs, path: str, browse: Callable[[Any], Client]) -> None:
    response = program().get(path)
    problem(response, 401)
    assert response["WWW-Authenticate"].startswith("Bearer")
    problem(browse(cast.mara).get(f"/api/v1/{path}"), 401)  # a session is no token


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer a b", "Bearer gov_unknown", "Basic bWFyYTpw", "Token x", "Bearer \xff\xfe"]
)
def test_a_header_that_is_no_token(cast: Cast, header: str) -> None:
    problem(Client(HTTP_AUTHORIZATION=header).get("/api/v1/systems/"), 401)


@pytest.mark.parametrize(
    ("scopes", "read", "write"), [(["read"], 200, 403), (["write"], 403, 400), (["read", "write"], 200, 400)]
)
def test_scopes(cast: Cast, program: Programs, scopes: list[str], read: int, write: int) -> None:
    caller = program(cast.mara, scopes)
    assert caller.get("systems/").status_code == read
    assert caller.post("systems/", {}).status_code == write


@pytest.mark.parametrize(
    ("name", "register", "campaigns", "readiness"),
    [
        ("mara", 400, 200, 200), ("cleo", 400, 200, 200), ("eve", 403, 200, 200), ("bo", 403, 200, 200),
        ("ada", 403, 403, 403), ("dov", 403, 403, 403),
    ],
)  # fmt: skip
def test_roles(cast: Cast, program: Programs, name: str, register: int, campaigns: int, readiness: int) -> None:
    caller = program(getattr(cast, name))
    assert caller.get("systems/").status_code == 200
    assert caller.get("who-answers/?q=x").status_code == 200
    assert caller.post("systems/", {}).status_code == register
    assert caller.get("campaigns/").status_code == campaigns
    assert caller.get("readiness/").status_code == readiness


def test_a_token_ends(cast: Cast) -> None:
    now = clock.now()
    token, secret = issue_token(cast.cleo, name="T", scopes=["read"], actor=cast.cleo, now=now)
    caller = Program(secret)
    assert caller.get("systems/").status_code == 200
    revoke_token(token, actor=cast.cleo, now=now)
    problem(caller.get("systems/"), 401)
    _, secret = issue_token(
        cast.cleo, name="T", scopes=["read"], actor=cast.cleo, now=now - timedelta(days=2), lifetime=timedelta(days=1)
    )
    problem(Program(secret).get("systems/"), 401)


def test_a_deactivated_persons_token_is_dead(cast: Cast, program: Programs) -> None:
    caller = program(cast.dov)
    assert caller.get("systems/").status_code == 200
    deactivate_person(cast.dov, actor=cast.mara, now=clock.now())
    problem(caller.get("systems/"), 401)


def test_what_the_database_holds_opens_nothing(cast: Cast) -> None:
    token, secret = issue_token(cast.mara, name="T", scopes=["read"], actor=cast.mara, now=clock.now())
    kept = bytes(ApiToken.objects.get(pk=token.pk).digest)
    assert kept == digest_of(secret)
    for stolen in (kept.hex(), token.prefix, kept.decode("latin-1")):
        if stolen.isprintable():
            problem(Program(stolen).get("systems/"), 401)
    assert secret not in str(ApiToken.objects.values().get(pk=token.pk))


def test_each_token_has_an_allowance_of_its_own(cast: Cast, program: Programs, monkeypatch: Any) -> None:
    monkeypatch.setattr("apps.access.api.TokenThrottle.THROTTLE_RATES", {"user": "3/min"})
    busy, calm = program(cast.mara), program(cast.mara)
    assert [busy.get("systems/").status_code for _ in range(3)] == [200, 200, 200]
    response = busy.get("systems/")
    problem(response, 429)
    assert int(response["Retry-After"]) > 0
    assert calm.get("systems/").status_code == 200


@pytest.mark.parametrize("path", ["nothing/", "nothing", "systems/no-such-key/", "campaigns/2026Q9/", "campaigns/x"])
def test_not_there(cast: Cast, program: Programs, path: str) -> None:
    problem(program(cast.mara).get(path), 404)


@pytest.mark.parametrize("path", ["/api/", "/api", "/api/v2/systems/", "/api/v1"])
def test_no_page_anywhere_under_api(cast: Cast, path: str) -> None:
    response = Client().get(path)
    if path != "/api":
        problem(response, 404)


@pytest.mark.parametrize("path", ["systems", "who-answers?q=x", "campaigns", "readiness", "schema"])
def test_the_last_slash_may_be_left_out(cast: Cast, program: Programs, path: str) -> None:
    assert program(cast.mara).get(path).status_code == 200
    problem(program().get(path), 401)


def test_wrong_methods(cast: Cast, program: Programs) -> None:
    caller = program(cast.mara)
    response = caller.client.delete("/api/v1/systems/")
    problem(response, 405)
    assert "POST" in response["Allow"]
    problem(caller.post("readiness/", {}), 405)


def test_bodies_that_are_not_json(cast: Cast, program: Programs) -> None:
    caller = program(cast.mara)
    problem(caller.post("systems/", "{", content_type="application/json"), 400)
    problem(caller.post("systems/", "a=b", content_type="application/x-www-form-urlencoded"), 415)
    problem(caller.post("systems/", "[]", content_type="application/json"), 400)
    problem(caller.post("systems/", '"x"', content_type="application/json"), 400)


@pytest.mark.parametrize("path", ["systems/%00/", "who-answers?q=%00", "systems/?unit=a%00"])
def test_a_text_that_nothing_can_hold(cast: Cast, program: Programs, path: str) -> None:
    problem(program(cast.mara).get(path), 400)


def test_before_the_first_start(bare_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problem(Client().get("/api/v1/systems/"), 503)


def test_an_answer_nobody_wants_is_still_a_problem_in_json(cast: Cast, program: Programs) -> None:
    problem(program(cast.mara).get("systems/", HTTP_ACCEPT="image/png"), 406)
    problem(program().get("schema/", HTTP_ACCEPT="application/vnd.oai.openapi"), 401)


def test_a_mistake_of_ours_tells_no_secret(cast: Cast, program: Programs, monkeypatch: Any) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr("apps.registry.api.find_system", broken)
    response = program(cast.mara).get("systems/x/")
    problem(response, 500)
    assert b"hunter2" not in response.content
