"""Choosing a password by mail: how somebody who was just added gets in."""

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from apps.common import clock
from apps.people.actions import provision_person
from govportal.embedded.state import free_port
from tests.cast import Cast

PASSWORD = "a sentence of her own"


def ask(address: str) -> Any:
    return Client().post(reverse("account_reset_password"), {"email": address})


def test_a_new_person_chooses_a_password_and_signs_in(cast: Cast) -> None:
    provision_person(email="new@example.org", display_name="Nia New", actor=cast.mara, now=clock.now())
    assert ask("new@example.org").status_code == 302
    link = re.search(r"http://[^/]+(/\S+)", str(mail.outbox[0].body))
    assert link is not None
    client = Client()
    page = client.get(link[1])
    done = client.post(page["Location"], {"password1": PASSWORD, "password2": PASSWORD})
    assert (done.status_code, done["Location"]) == (302, reverse("account_reset_password_from_key_done"))
    signed_in = client.post(reverse("account_login"), {"login": "new@example.org", "password": PASSWORD})
    assert (signed_in.status_code, signed_in["Location"]) == (302, reverse("portal:home"))


@pytest.mark.parametrize("address", ["known", "stranger@example.org"])
def test_a_mail_server_that_is_down_tells_nobody_who_is_known(cast: Cast, settings: Any, address: str) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port(set())
    answer = ask(cast.ada.email if address == "known" else address)
    assert (answer.status_code, answer["Location"]) == (302, reverse("account_reset_password_done"))
