"""The first start: one person, her seat, the mandate; before it there is no other page, after it not this one."""

import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.people.models import Person, Seat
from apps.portal import middleware
from apps.registry.models import Mandate

GOOD = {
    "display_name": "Jo Weber",
    "email": "Jo.Weber@example.org",
    "function": "platform",
    "password": "a sentence of her own",
}


@pytest.fixture
def not_started(bare_db: str, django_db_blocker: Any) -> Any:
    """A portal that nobody has started."""
    middleware._started.discard(bare_db)
    with django_db_blocker.unblock():
        yield bare_db
    middleware._started.discard(bare_db)


def test_every_page_leads_to_the_first_start(not_started: str) -> None:
    for path in ("/", "/systems/", "/accounts/login/", "/who/?q=x"):
        answer = Client().get(path)
        assert (answer.status_code, answer["Location"]) == (302, reverse("portal:first_start"))
    assert Client().get("/api/v1/systems/").status_code == 503
    assert Client().get("/healthz").status_code == 200


def test_the_first_person_starts_the_portal(not_started: str) -> None:
    client = Client()
    assert client.get(reverse("portal:first_start")).status_code == 200
    answer = client.post(reverse("portal:first_start"), GOOD)
    assert (answer.status_code, answer["Location"]) == (302, reverse("account_login"))
    person = Person.objects.get()
    assert person.email == "jo.weber@example.org"
    assert Seat.objects.get(function="platform").holder == person
    assert Mandate.objects.get().holder_id == "platform"
    assert client.get(reverse("portal:first_start")).status_code == 404
    signed_in = client.post(reverse("account_login"), {"login": person.email, "password": GOOD["password"]})
    assert signed_in.status_code == 302


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password": "short"}, "too short"),
        ({"email": "ai-team@example.org"}, "is a mailbox"),
        ({"email": "nobody"}, "valid email"),
        ({"display_name": " "}, "required"),
        ({"function": "janitor"}, "valid choice"),
    ],
)
def test_a_bad_value_changes_nothing(not_started: str, change: dict[str, str], said: str) -> None:
    answer = Client().post(reverse("portal:first_start"), GOOD | change)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Person.objects.exists()


def test_a_form_of_another_site_does_not_start_it(not_started: str) -> None:
    assert Client(enforce_csrf_checks=True).post(reverse("portal:first_start"), GOOD).status_code == 403
    assert not Person.objects.exists()


def test_of_many_who_start_it_at_once_one_does(not_started: str) -> None:
    clicks = 4
    together = Barrier(clicks)

    def click(number: int) -> tuple[int, str]:
        try:
            client = Client()
            together.wait(10)
            answer = client.post(reverse("portal:first_start"), GOOD | {"email": f"jo{number}@example.org"})
            return answer.status_code, answer.headers.get("Location", "")
        finally:
            connection.close()

    with ThreadPoolExecutor(clicks) as pool:
        answers = set(pool.map(click, range(clicks)))
    # Whoever comes after the first one has finished finds no page any more.
    assert (302, reverse("account_login")) in answers
    assert answers <= {(302, reverse("account_login")), (404, "")}
    assert Person.objects.count() == Mandate.objects.count() == 1


def test_the_command_starts_it_once(not_started: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a sentence of her own\n"))
    out = io.StringIO()
    call_command("setup", email="jo@example.org", name="Jo Weber", password_stdin=True, stdout=out)
    assert "Jo Weber holds the seat VP IT and Platform" in out.getvalue()
    assert Person.objects.get().check_password("a sentence of her own")
    with pytest.raises(CommandError, match="started already"):
        call_command("setup", email="li@example.org", name="Li Other", stdout=io.StringIO())


@pytest.mark.parametrize("email", ["ai-team@example.org", "nobody"])
def test_the_command_refuses_a_bad_address(not_started: str, email: str) -> None:
    with pytest.raises(CommandError):
        call_command("setup", email=email, name="Jo Weber", stdout=io.StringIO())
    assert not Person.objects.exists()
