"""SAML: what a provider signs is read, and nothing else."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.core.cache import cache
from django.test import Client

from apps.audit.models import AuditEvent
from apps.people.models import Person
from tests.cast import Cast
from tests.sign_in.providers import configured, request_id, saml, saml_response


@pytest.fixture
def client(cast: Cast, monkeypatch: Any) -> Iterator[Client]:
    """A stranger's browser at a portal with one SAML provider."""
    cache.clear()
    with configured(monkeypatch, saml()):
        yield Client()


def ask(client: Client, path: str = "/accounts/sso/idp/", **data: str) -> str:
    """Off to the provider; the ID of the request."""
    away = client.post(path, data)
    assert away["Location"].startswith("https://idp.example.org/sso?SAMLRequest=")
    return request_id(away["Location"])


def bring(client: Client, response: str) -> Any:
    """The provider's page posts the response, from another site: without the session's cookie."""
    usual = client.cookies.pop("govportal_session", None)
    kept = client.post("/accounts/saml/idp/acs/", {"SAMLResponse": response})
    if usual is not None:
        client.cookies["govportal_session"] = usual.value
    assert kept.status_code == 302, kept.content
    return client.get(kept["Location"])


def is_in(client: Client) -> bool:
    return client.get("/profile/").status_code == 200


def kinds() -> list[str]:
    return list(AuditEvent.objects.order_by("ts_us").values_list("kind", flat=True))


def test_a_person_comes_in_and_is_known_by_the_subject_from_then_on(client: Client, cast: Cast) -> None:
    answer = bring(client, saml_response(ask(client, next="/people/")))
    assert answer.status_code == 302
    assert answer["Location"] == "/people/"
    assert is_in(client)
    account = SocialAccount.objects.get()
    assert (account.user_id, account.provider, account.uid, account.extra_data) == (
        cast.ada.pk, "idp", "subject-of-ada", {},
    )  # fmt: skip
    assert kinds()[-2:] == ["person.changed", "session.started"]
    client.post("/accounts/logout/")
    bring(client, saml_response(ask(client), email="new@example.org", number="2"))
    assert is_in(client)
    assert client.get("/profile/").wsgi_request.user == cast.ada
    assert SocialAccount.objects.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": "somebody else"},
        {"signed": False},
        {"until": -60},
        {"audience": "https://other.example/metadata/"},
        {"audience": None},
        {"issuer": "https://other.example/metadata"},
        {"recipient": "https://other.example/accounts/saml/idp/acs/"},
        {"answers": False},
        {"subject": ""},
    ],
    ids=lambda wrong: "-".join(f"{key}={value}" for key, value in wrong.items())[:40],
)
def test_what_is_not_good_is_refused(client: Client, wrong: dict[str, Any]) -> None:
    before = Person.objects.values_list("pk", "password", "session_round")
    rows = list(before)
    answer = bring(client, saml_response(ask(client), **wrong))
    assert answer.status_code == 403
    assert b"could not be believed" in answer.content
    assert not is_in(client)
    assert SocialAccount.objects.count() == 0
    assert list(before.all()) == rows
    assert kinds()[-1] == "session.refused"
    assert mail.outbox == []


def test_a_response_is_good_once(client: Client) -> None:
    response = saml_response(ask(client))
    assert bring(client, response).status_code == 302
    client.post("/accounts/logout/")
    assert bring(client, response).status_code == 403
    assert not is_in(client)


def test_an_assertion_is_good_once_in_another_response_too(client: Client) -> None:
    asked = ask(client)
    assert bring(client, saml_response(asked)).status_code == 302
    other = Client()
    assert bring(other, saml_response(ask(other))).status_code == 403, "the same assertion ID"
    assert not is_in(other)


def test_nobody_is_signed_in_who_did_not_ask(client: Client) -> None:
    assert bring(client, saml_response("")).status_code == 403
    stolen = saml_response(ask(client))
    stranger = Client()
    assert bring(stranger, stolen).status_code == 403, "the request of another browser"
    assert not is_in(stranger)


def test_nonsense_is_refused(client: Client) -> None:
    for posted in ("x", "PHg+", "%%%", "é"):
        assert bring(client, posted).status_code == 403
    assert client.post("/accounts/saml/idp/acs/", {}).status_code == 403
    assert client.post("/accounts/saml/idp/acs/", {"SAMLResponse": "x" * 300_000}).status_code == 403
    assert client.get("/accounts/saml/idp/acs/finish/").status_code == 403
    assert client.get("/accounts/saml/idp/acs/").status_code == 405
    assert client.get("/accounts/saml/nobody/metadata/").status_code == 404
    assert client.post("/accounts/sso/nobody/").status_code == 404
    assert client.get("/accounts/oidc/idp/login/callback/").status_code == 404


@pytest.mark.parametrize(
    ("email", "says"),
    [
        ("stranger@example.org", b"Nobody here has this address"),
        ("ada@elsewhere.example", b"Nobody here has this address"),
        ("ivan@example.org", b"You cannot sign in any more"),
        ("robot@example.org", b"You cannot sign in any more"),
    ],
)
def test_only_people_who_are_known_and_active(client: Client, email: str, says: bytes) -> None:
    people = Person.objects.count()
    answer = bring(client, saml_response(ask(client), email=email, subject="s"))
    assert answer.status_code == 403
    assert says in answer.content
    assert not is_in(client)
    assert (Person.objects.count(), SocialAccount.objects.count()) == (people, 0)


def test_an_address_that_went_to_somebody_else_opens_nothing(client: Client) -> None:
    bring(client, saml_response(ask(client)))
    client.post("/accounts/logout/")
    answer = bring(client, saml_response(ask(client), subject="another-ada", number="2"))
    assert answer.status_code == 403
    assert b"as somebody else" in answer.content
    assert not is_in(client)


def test_metadata_names_our_own_address(client: Client) -> None:
    answer = client.get("/accounts/saml/idp/metadata/", headers={"host": "testserver:666"})
    assert answer.status_code == 200
    assert b"666" not in answer.content
    assert b"/accounts/saml/idp/acs/" in answer.content
    assert b'WantAssertionsSigned="true"' in answer.content


def test_confirming_before_a_signature(client: Client, cast: Cast, browse: Callable[[Any], Client]) -> None:
    from apps.common import clock
    from apps.people.requests import recent_confirmation

    cast.ada.set_unusable_password()
    cast.ada.save()
    bring(client, saml_response(ask(client)))
    page = client.get("/accounts/2fa/passkeys/add/")
    assert page["Location"] == "/accounts/sso/idp/confirm/?next=%2Faccounts%2F2fa%2Fpasskeys%2Fadd%2F"
    asked = ask(client, "/accounts/sso/idp/confirm/", next="/accounts/2fa/passkeys/add/")
    stale = bring(client, saml_response(asked, authenticated=-3600, number="2"))
    assert stale.status_code == 403
    assert b"did not ask you again" in stale.content
    asked = ask(client, "/accounts/sso/idp/confirm/", next="/accounts/2fa/passkeys/add/")
    somebody = bring(client, saml_response(asked, subject="s-of-ben", email="ben@example.org", number="3"))
    assert b"as somebody else" in somebody.content
    asked = ask(client, "/accounts/sso/idp/confirm/", next="/accounts/2fa/passkeys/add/")
    back = bring(client, saml_response(asked, number="4"))
    assert back["Location"] == "/accounts/2fa/passkeys/add/"
    page = client.get("/accounts/2fa/passkeys/add/")
    assert page.status_code == 200
    found = recent_confirmation(page.wsgi_request, now=clock.now())
    assert found is not None
    assert found.method == "sso:idp"
