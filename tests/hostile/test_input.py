"""Every form and every address with input that nobody means well: never our fault, never a 500."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from apps.access.actions import issue_token
from apps.common import clock
from tests.access.test_permission_matrix import PAGES, address
from tests.cast import Cast

pytestmark = pytest.mark.usefixtures("in_the_world")

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
NASTY = (
    "\0",
    "x" * 1_000_000,
    "e\u0301 \u2126 \ufb01 \u202egnp.exe\u200f\u2066 \ud800",
    "'\"`;-- %(x)s {0} {{ 7*7 }} {% debug %} _%\\%",
    "-1",
    "99999999999999999999999999",
    "\u00b2",
    "\u2474 \u02bc \u0149 \u00bd :* & | ! ( ) <-> '",
    "\u02bc",
    "<script>alert(1)</script>",
    "a\r\nBcc: x@example.org",
    "9999-12-31",
    "0001-01-01",
)
# What the pages read from an address.
PARAMETERS = (
    "q", "page", "basis", "tier", "stage", "unit", "owner", "deputy", "age", "attestation", "live", "sort", "seat",
    "do", "state", "show", "next", "system", "person", "scenario", "since", "until", "who", "kind", "about", "older",
    "units", "errors", "return", "parent", "format", "cursor", "limit",
)  # fmt: skip
# And from a form.
FIELDS = (
    *PARAMETERS, "key", "name", "reason", "purpose", "vendor", "chat_channel", "value_0", "kind_0", "nominee",
    "confirm",
    "back", "answer", "query", "shared", "display_name", "title", "phone", "time_zone", "line_manager", "functions",
    "email", "role", "holder", "code", "head", "scopes", "days", "theme", "reviewed", "version", "declare", "password",
    "regulatory_class", "operating_model", "restricted", "login", "save",
)  # fmt: skip
ACCOUNT_PAGES = ("account_login", "account_logout", "account_reset_password", "account_change_password",
                 "account_reauthenticate", "account_signup", "mfa_index")  # fmt: skip


@pytest.fixture
def walk(cast: Cast, world: dict[str, dict[str, Any]]) -> Any:
    """Ask every page as somebody, and tell which answers are our fault."""

    def walked(role: str, ask: Callable[[Client, str], Any]) -> dict[str, int]:
        client = Client(raise_request_exception=False)
        if role != "anonymous":
            client.force_login(getattr(cast, role), backend=BACKEND)
        paths = [address(name, world) for name in PAGES] + [reverse(name) for name in ACCOUNT_PAGES]
        wrong = {}
        for path in paths:
            with transaction.atomic():  # a page that fails takes no other page with it
                response = ask(client, path)
                status = response.status_code
                if response.streaming:
                    response.getvalue()
                transaction.set_rollback(status >= 500)
            if status >= 500:
                wrong[path] = status
        return wrong

    return walked


# Mara reaches most of the code, so that she tries everything and the others some of it.
TRIES = [*(("mara", value) for value in NASTY), *(("ada", value) for value in (NASTY[0], NASTY[5], NASTY[7])),
         ("anonymous", NASTY[0]), ("anonymous", NASTY[2])]  # fmt: skip


def _named(value: str) -> str:
    return ascii(value[:12])


@pytest.mark.parametrize(("role", "value"), TRIES, ids=_named)
def test_addresses(walk: Any, role: str, value: str) -> None:
    value = value[:4000].replace("\ud800", "\ufffd")
    query = {name: [value, value] for name in PARAMETERS}
    assert walk(role, lambda client, path: client.get(path, query)) == {}


@pytest.mark.parametrize(("role", "value"), TRIES, ids=_named)
def test_forms(walk: Any, role: str, value: str) -> None:
    fields = FIELDS if len(value) < 1000 else ("name", "purpose", "q", "login")
    body = dict.fromkeys(fields, [value.replace("\ud800", "\ufffd")] * (2 if len(value) < 1000 else 1))
    body |= {"do": [value if value.startswith("x") else "apply"], "answer": ["decline"]}
    assert walk(role, lambda client, path: client.post(path, body)) == {}


@pytest.mark.parametrize("name", ["portal:person", "portal:seats", "portal:import_review", "portal:nomination"])
def test_forms_that_do_several_things(cast: Cast, world: dict[str, dict[str, Any]], name: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(cast.ada if name == "portal:nomination" else cast.mara, backend=BACKEND)
    verbs = ("edit", "deactivate", "grant", "revoke", "reactivate", "vacate", "undo", "discard", "accept", "decline")
    wrong = {}
    for do in verbs:
        for value in ("\0", "9999-12-31", "0001-01-01", "\u00b2", "<b>x</b>"):
            body = dict.fromkeys(FIELDS, value) | {"do": do, "answer": do, "seat": "finance", "role": "auditor"}
            with transaction.atomic():
                status = client.post(address(name, world), body).status_code
                transaction.set_rollback(True)
            if status >= 500:
                wrong[do, value] = status
    assert wrong == {}


CONTENT_TYPES = (
    "application/json",
    "text/plain",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "multipart/form-data; boundary=x; charset=bogus",
    "application/x-www-form-urlencoded; charset=utf-16",
    "application/x-www-form-urlencoded; charset=bogus",
    "\u00ff/\u00ff",
    "",
)
PART = b'--x\r\nContent-Disposition: form-data; name="a\0"\r\n\r\n\xff\r\n--x--\r\n'


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_bodies_of_a_wrong_kind(walk: Any, content_type: str) -> None:
    body = PART if "boundary=x" in content_type else b"name=%ff%00&a=\xff\xfe\0{"
    assert walk("mara", lambda client, path: client.generic("POST", path, body, content_type)) == {}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "CONNECT", "BREW"])
def test_other_methods_do_nothing(walk: Any, method: str) -> None:
    answers: list[int] = []

    def ask(client: Client, path: str) -> Any:
        response = client.generic(method, path)
        answers.append(response.status_code)
        return response

    assert walk("mara", ask) == {}
    assert set(answers) <= {302, 403, 404, 405} | ({200} if method == "OPTIONS" else set())


@pytest.mark.parametrize("cookie", ["x\\000", "abcdefghij\\000", "\\377" * 40, "a" * 5000, "';--"])
def test_cookies(walk: Any, cookie: str) -> None:
    def ask(client: Client, path: str) -> Any:
        header = (
            f'govportal_session="{cookie}"; govportal_csrf="{cookie}"; messages="{cookie}"; __Host-session="{cookie}"'
        )
        return client.get(path, headers={"cookie": header})

    assert walk("anonymous", ask) == {}


def test_the_api(cast: Cast, world: dict[str, dict[str, Any]]) -> None:
    _, secret = issue_token(cast.mara, name="T", scopes=["read", "write"], actor=cast.mara, now=clock.now())
    client = Client(headers={"Authorization": f"Bearer {secret}"}, raise_request_exception=False)
    asked = {"api:systems": ("q", "cursor", "limit", "unit", "live"), "api:campaigns": ("cursor",),
             "api:who_answers": ("q", "scenario")}  # fmt: skip
    wrong = {}
    for value in NASTY:
        text = value[:4000].replace("\ud800", "\ufffd")
        for route, name in ((route, name) for route, names in asked.items() for name in names):
            with transaction.atomic():
                status = client.get(reverse(route), {name: [text, text]}).status_code
                transaction.set_rollback(status >= 500)
            if status >= 500:
                wrong[route, name, ascii(value[:12])] = status
    assert wrong == {}


CURSORS = ("cD1hYmM=", "cD0lMDA=", "cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "bz05OTk5OTk5OTk5OTk5OTk5OTk5", "bz0tMQ==",
           "cj0x", "cD0tMQ==", "/////w==", "=", "cD0yMDI2LTAxLTAx")  # fmt: skip


@pytest.mark.parametrize("cursor", CURSORS)
def test_cursors_of_the_api(cast: Cast, world: dict[str, dict[str, Any]], cursor: str) -> None:
    _, secret = issue_token(cast.mara, name="T", scopes=["read"], actor=cast.mara, now=clock.now())
    client = Client(headers={"Authorization": f"Bearer {secret}"}, raise_request_exception=False)
    for route in ("api:systems", "api:campaigns"):
        assert client.get(reverse(route), {"cursor": cursor}).status_code in {200, 400, 404}


BODIES = (
    b"", b"{", b"[]", b"null", b"1", b'"x"', b"[" * 100_000, b'{"a":' * 50_000, b"{\"key\": NaN}", b"\xff", b"\0",
    b'{"key": "A", "name": "\\ud800", "unit": "claims"}', b'{"key": "A", "name": "\\u0000", "unit": "claims"}',
    b'{"key": "A", "name": "x", "unit": "\\u0000"}', b'{"key": "A", "name": "x", "unit": "\\ud800"}',
    b'{"key": "A", "name": "x", "unit": {"a": 1}}', b'{"key": "A", "name": "x", "unit": [1]}',
    b'{"key": "A", "name": "x", "unit": "claims", "identities": [{"kind": "agent_id", "value": "\\u0000"}]}',
    b'{"key": "A", "name": "x", "unit": "claims", "identities": {"a": 1}}',
    b'{"key": "A", "name": "x", "unit": "claims", "identities": [{"kind": "agent_id", "value": "x"},'
    b' {"kind": "agent_id", "value": "x"}]}',
    b'{"key": ' + b"9" * 5000 + b"}", b'{"key": "A\\n", "name": "x", "unit": "claims"}',
    b'{"key": "A", "name": "x", "unit": "claims", "restricted": {"a": []}, "tier": ["x"], "stage": {}}',
)  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=lambda body: ascii(body[:40]))
def test_bodies_to_the_api(cast: Cast, body: bytes) -> None:
    _, secret = issue_token(cast.mara, name="T", scopes=["write"], actor=cast.mara, now=clock.now())
    client = Client(headers={"Authorization": f"Bearer {secret}"}, raise_request_exception=False)
    got = client.post(reverse("api:systems"), body, content_type="application/json")
    assert got.status_code in {201, 400, 422}, got.content[:300]
    assert json.loads(got.content)
