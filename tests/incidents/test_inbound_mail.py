"""The pipe of a mail system: what is taken, and what the mail system is told by the exit code."""

import io
import os
from typing import Any
from unittest.mock import patch

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError

from apps.incidents.actions.inbound import revoke_source
from apps.incidents.models import Incident
from apps.incidents.queries.inbound import mail_address
from apps.incidents.rules.inbound_mail import MOST_BYTES
from tests.incidents.inbound_world import NOW, a_source, mail

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_calls_before() -> None:
    cache.clear()


def pipe(raw: bytes, **options: str) -> int:
    """Send bytes down the pipe; the exit code, 0 where it was taken."""
    with patch("sys.stdin", io.TextIOWrapper(io.BytesIO(raw))):
        try:
            call_command("receive_mail", **options)
        except CommandError as error:
            return error.returncode
    return 0


def test_a_mail_declares_and_its_thread_goes_on(cast: Any) -> None:
    source, token = a_source(cast, kind="email")

    assert pipe(mail("mail_person", token)) == 0
    assert pipe(mail("mail_person", token)) == 0
    assert pipe(mail("mail_html", token)) == 0

    incident = Incident.objects.get()
    assert (incident.source, incident.via) == (source, "email")
    source.refresh_from_db()
    assert source.last_used_at is not None


def test_the_envelope_wins_over_the_headers(cast: Any) -> None:
    one, first = a_source(cast, kind="email", name="One")
    two, second = a_source(cast, kind="email", name="Two")

    assert pipe(mail("mail_person", first), recipient=f"incident+{second.upper()}@example.org") == 0
    assert Incident.objects.get().source == two
    assert pipe(mail("mail_person", first), recipient="incident@example.org") == os.EX_NOUSER
    assert pipe(mail("mail_person", first)) == 0
    assert set(Incident.objects.values_list("source", flat=True)) == {one.pk, two.pk}


def test_an_address_of_nobody_is_sent_back(cast: Any) -> None:
    source, token = a_source(cast, kind="email")
    _, other = a_source(cast, kind="webhook", name="Program")
    raw = mail("mail_person", token)
    revoke_source(source, actor=cast.mara, now=NOW)

    for body in (raw, mail("mail_person", other), b"", b"Subject: x\r\n\r\nx"):
        assert pipe(body) == os.EX_NOUSER
    assert not Incident.objects.exists()


@pytest.mark.parametrize("name", ["mail_away", "mail_list", "mail_own", "mail_bounce"])
def test_a_loop_ends_here(cast: Any, name: str, settings: Any) -> None:
    settings.SITE_URL = "https://govportal.example.org"
    _, token = a_source(cast, kind="email")

    assert pipe(mail(name, token)) == 0
    assert not Incident.objects.exists()


def test_a_mail_that_is_too_long_is_read_from_its_beginning(cast: Any) -> None:
    _, token = a_source(cast, kind="email")
    raw = mail("mail_person", token).replace(b"iVBORw0KGgo=", b"iVBORw0KGgo=\n" * (MOST_BYTES // 12))

    assert len(raw) > MOST_BYTES
    assert pipe(raw) == 0
    incident = Incident.objects.get()
    assert "61 Stück bisher." in incident.description
    assert "The mail was longer than what is read of it." in incident.description


def test_the_mail_system_tries_again_later(cast: Any, settings: Any) -> None:
    _, token = a_source(cast, kind="email")
    with patch("apps.incidents.management.commands.receive_mail.receive_mail", side_effect=OperationalError("gone")):
        assert pipe(mail("mail_person", token)) == os.EX_TEMPFAIL
    settings.INBOUND_REQUESTS_A_MINUTE = 1
    assert pipe(mail("mail_person", token)) == os.EX_TEMPFAIL
    assert not Incident.objects.exists()
    cache.clear()
    assert pipe(mail("mail_person", token)) == 0


def test_the_address_of_a_source(settings: Any) -> None:
    settings.INBOUND_MAIL_ADDRESS = "incident@example.org"
    assert mail_address("inb_x") == "incident+inb_x@example.org"
    settings.INBOUND_MAIL_ADDRESS = ""
    assert mail_address("inb_x") == ""
