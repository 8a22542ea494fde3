"""What did not arrive is shown to those who run campaigns."""

from collections.abc import Callable
from typing import Any

from django.test import Client

from apps.notify.actions import enqueue
from apps.notify.models import Message
from tests.cast import Cast
from tests.factories import NOW


def test_what_failed_or_is_uncertain_is_shown(cast: Cast, browse: Callable[[Any], Client]) -> None:
    for place, person in enumerate((cast.ada, cast.ben, cast.nils)):
        enqueue(key=f"k{place}", recipient=person, subject=f"Subject {place}", body="b", path="/", now=NOW)
    Message.objects.filter(key="k0").update(state="failed", attempts=6, error="550 no such user")
    Message.objects.filter(key="k1").update(state="claimed", claimed_at=NOW)
    Message.objects.filter(key="k1").update(state="uncertain")
    Message.objects.filter(key="k2").update(state="claimed", claimed_at=NOW)
    Message.objects.filter(key="k2").update(state="sent", sent_at=NOW)
    text = browse(cast.mara).get("/mail/").content.decode()
    assert "550 no such user" in text
    assert "Uncertain" in text
    assert "Subject 2" not in text


def test_where_a_mail_leads_is_a_link_for_whoever_it_is_to(cast: Cast, browse: Callable[[Any], Client]) -> None:
    for name in ("ada", "mara"):
        enqueue(key=name, recipient=getattr(cast, name), subject=f"To {name}", body="b", path=f"/{name}/", now=NOW)
    Message.objects.update(state="failed", attempts=6, error="550 no such user")
    text = browse(cast.mara).get("/mail/").content.decode()
    assert '<a href="/mara/">To mara</a>' in text
    assert "To ada" in text
    assert "/ada/" not in text


def test_nothing_to_show(cast: Cast, browse: Callable[[Any], Client]) -> None:
    assert "Every mail was delivered" in browse(cast.mara).get("/mail/").content.decode()
