"""What stands around every page: the menu by permission, signing in and out, the pages for what went wrong."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.portal.middleware import ErrorsMiddleware
from apps.portal.queries.navigation import duty_lead, menu
from tests.cast import PASSWORD

LOGIN = "account_login"


@pytest.fixture(autouse=True)
def _no_limits_left(db: None) -> None:
    cache.clear()


def kinds() -> list[str]:
    """Events of the test, oldest first."""
    return list(AuditEvent.objects.filter(kind__startswith="session.").order_by("ts_us").values_list("kind", flat=True))


def sign_in(client: Client, email: str, password: str = PASSWORD) -> HttpResponse:
    return client.post(reverse(LOGIN), {"login": email, "password": password})  # type: ignore[return-value]


def labels(person: Any) -> set[str]:
    return {item.label for group in menu(person, "/") for item in group.items}


def test_the_menu_shows_what_a_person_may_use(cast: Any) -> None:
    assert {"Home", "Who answers?", "Systems"} <= labels(cast.dov)
    assert not {"Audit trail", "Readiness", "Units"} & labels(cast.dov)
    assert {"Audit trail"} <= labels(cast.eve)
    assert {"People", "Units"} <= labels(cast.mara)


def test_the_duty_lead_is_who_holds_the_mandate(cast: Any) -> None:
    lead = duty_lead()
    assert lead is not None
    assert lead.name == "Mara Lindt"


def test_the_frame_costs_two_queries(cast: Any, browse: Any, django_assert_num_queries: Any) -> None:
    client = browse(cast.dov)
    client.get(reverse("portal:keys"))
    with django_assert_num_queries(6):  # session, person, standing, counts from the cache, live incidents, duty lead
        client.get(reverse("portal:keys"))


def test_signing_in_and_out_enters_the_trail(cast: Any) -> None:
    client = Client()
    assert sign_in(client, "ada@example.org").status_code == 302
    assert client.get(reverse("portal:home")).status_code == 200
    client.post(reverse("account_logout"))
    assert client.get(reverse("portal:home")).status_code == 302
    assert kinds() == ["session.started", "session.ended"]


def test_a_wrong_password_is_a_failed_form_and_enters_the_trail(cast: Any) -> None:
    page = sign_in(Client(), "ada@example.org", "wrong wrong wrong")
    assert page.status_code == 422
    assert "The address or the password is not right." in page.content.decode()
    event = AuditEvent.objects.get(kind="session.refused")
    assert (event.subject_kind, event.subject_id) == ("person", str(cast.ada.pk))


def test_an_unknown_address_reads_the_same(cast: Any) -> None:
    known = sign_in(Client(), "ada@example.org", "wrong wrong wrong").content.decode()
    unknown = sign_in(Client(), "xyz@example.org", "wrong wrong wrong").content.decode()
    varying = re.compile(r'name="csrfmiddlewaretoken" value="\w+"|\w+@example\.org')
    assert varying.sub("", known) == varying.sub("", unknown)


def test_too_many_attempts_are_429_with_a_page(cast: Any) -> None:
    client = Client()
    answers = [sign_in(client, "ada@example.org", "wrong wrong wrong") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [422] * 5 + [429]
    assert "Too many attempts" in answers[-1].content.decode()
    assert "Mara Lindt" in answers[-1].content.decode()


def test_a_deactivated_person_gets_the_plain_page(cast: Any) -> None:
    client = Client()
    answer = client.post(reverse(LOGIN), {"login": "ivan@example.org", "password": PASSWORD}, follow=True)
    assert "You cannot sign in any more" in answer.content.decode()
    assert client.get(reverse("portal:home")).status_code == 302


def test_sign_in_stays_on_this_site(cast: Any) -> None:
    answer = Client().post(
        f"{reverse(LOGIN)}?next=https://evil.example/", {"login": "ada@example.org", "password": PASSWORD}
    )
    assert answer["Location"] == reverse("portal:home")


def test_a_new_password_is_mailed_to_active_people_only(cast: Any) -> None:
    client = Client()
    url = reverse("account_reset_password")
    addresses = ("ada@example.org", "ivan@example.org", "robot@example.org", "nobody@example.org")
    pages = [client.post(url, {"email": address}, follow=True) for address in addresses]
    assert [message.to for message in mail.outbox] == [["ada@example.org"]]
    assert all("Look in your mail" in page.content.decode() for page in pages)


def test_the_mailed_link_sets_a_new_password(cast: Any) -> None:
    client = Client()
    client.post(reverse("account_reset_password"), {"email": "ada@example.org"})
    body = str(mail.outbox[0].body)
    found = re.search(re.escape(str(settings.SITE_URL)) + r"(/\S+)", body)
    assert found is not None
    form = client.get(found.group(1), follow=True)
    action = form.request["PATH_INFO"]
    assert client.post(action, {"password1": "short"}).status_code == 422
    new = {"password1": "an entirely new sentence", "password2": "an entirely new sentence"}
    assert client.post(action, new).status_code == 302
    assert sign_in(Client(), "ada@example.org", "an entirely new sentence").status_code == 302
    assert AuditEvent.objects.filter(kind="person.changed", subject_id=str(cast.ada.pk)).count() == 1


def test_nobody_signs_up_or_adds_an_address(cast: Any, browse: Any) -> None:
    assert "they do not sign up" in Client().get(reverse("account_signup")).content.decode()
    assert browse(cast.ada).get("/accounts/email/").status_code == 404


def test_not_there_is_a_page_with_the_person_to_ask(cast: Any, browse: Any) -> None:
    page = browse(cast.dov).get("/nowhere/")
    assert page.status_code == 404
    assert "Mara Lindt" in page.content.decode()


@pytest.mark.parametrize(("error", "status"), [(NotAllowed("Only Mara may."), 403), (Refused("Too late."), 422)])
def test_what_a_rule_says_becomes_a_page(cast: Any, error: Exception, status: int) -> None:
    request = _request(cast.dov)
    answer = ErrorsMiddleware(lambda _: HttpResponse()).process_exception(request, error)
    assert answer is not None
    assert answer.status_code == status
    assert str(error) in answer.content.decode()


def _request(person: Any) -> HttpRequest:
    request = RequestFactory().get("/")
    request.user = person
    request.session = {}  # type: ignore[assignment]
    return request


def test_our_own_fault_asks_the_database_nothing(cast: Any, django_assert_num_queries: Any) -> None:
    from apps.portal.views.errors import server_error

    with django_assert_num_queries(0):
        answer = server_error(_request(cast.dov))
    assert answer.status_code == 500
    assert "Sorry, there is a problem with Govportal" in answer.content.decode()


def test_a_form_of_another_site_is_refused(cast: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post(reverse(LOGIN), {"login": "ada@example.org", "password": PASSWORD})
    assert answer.status_code == 403
    assert "This form is too old" in answer.content.decode()


def test_the_theme_is_set_without_script(cast: Any, browse: Any) -> None:
    type(cast.dov).objects.filter(pk=cast.dov.pk).update(theme="dark", shortcuts=False)
    text = browse(cast.dov).get(reverse("portal:keys")).content.decode()
    assert 'data-theme="dark"' in text
    assert 'data-keys="off"' in text


def test_a_second_factor_can_be_set_up_without_data_images(cast: Any) -> None:
    client = Client()
    sign_in(client, "ada@example.org")
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    text = client.get(reverse("mfa_activate_totp")).content.decode()
    assert "<svg" in text
    assert "data:" not in text.replace("data-", "")
    assert " style=" not in text
    assert client.get(reverse("mfa_index")).status_code == 200
