"""OpenID Connect in a real browser, against allauth's own identity provider on a port of this machine."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from apps.attestations.models import Signature
from apps.people.models import Person
from tests.cast import Cast
from tests.journeys.conftest import ROOT, Site, free_port, start_web
from tests.sign_in.identity_server import PASSWORD, SECRET
from tests.sign_in.signing import ready_to_sign

pytestmark = [pytest.mark.journey, pytest.mark.committed]


@pytest.fixture
def site(committed_db: str) -> Iterator[Site]:
    """The portal with a provider that runs beside it."""
    port, theirs = free_port(), free_port()
    callback = f"http://localhost:{port}/accounts/oidc/corp/login/callback/"
    provider = subprocess.Popen(
        [sys.executable, "-m", "tests.sign_in.identity_server", str(theirs), callback],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert provider.stdout is not None
    assert provider.stdout.readline().startswith("ready")
    row = {
        "type": "oidc", "id": "corp", "name": "Aldermoor SSO", "issuer": f"http://127.0.0.1:{theirs}",
        "client_id": "govportal", "client_secret": SECRET,
    }  # fmt: skip
    process = start_web(committed_db, port, IDENTITY_PROVIDERS=json.dumps([row]))
    yield Site(f"http://localhost:{port}", committed_db)
    for one in (process, provider):
        one.send_signal(signal.SIGTERM)
        one.wait(timeout=20)
    provider.stdout.close()


def at_the_provider(page: Any, name: str) -> None:
    page.locator("[name=login]").fill(f"{name}@example.org")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")


def test_in_through_the_provider_then_confirm_there_and_sign(visit: Any) -> None:
    cast = Cast()
    path = ready_to_sign(cast)
    Person.objects.filter(pk=cast.ada.pk).update(password="!")
    there = visit()
    page = there.go("/accounts/login/")
    page.get_by_role("button", name="Sign in with Aldermoor SSO").click()
    at_the_provider(page, "ada")
    page.wait_for_url(f"{there.site.url}/")
    expect(page.locator(".top__user")).to_contain_text("Ada")

    there.go(path)
    page.get_by_label("I have read the declaration").check()
    page.get_by_label("Type your full name to sign").fill(cast.ada.display_name)
    page.get_by_role("button", name="Sign and submit").click()
    page.get_by_role("button", name="Confirm at Aldermoor SSO").click()
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    expect(page.get_by_text("Identity provider")).to_be_visible()
    assert page.url.endswith("/receipt/")
    signature = Signature.objects.get()
    assert (signature.auth_method, signature.signer_id) == ("sso:corp", cast.ada.pk)
    assert there.reports() == []
    assert there.complaints == []


@pytest.mark.parametrize(
    ("name", "says"), [("stranger", "Nobody here has this address"), ("ivan", "You cannot sign in any more")]
)
def test_who_is_not_known_here_stays_out(visit: Any, name: str, says: str) -> None:
    there = visit()
    page = there.go("/accounts/login/")
    page.get_by_role("button", name="Sign in with Aldermoor SSO").click()
    at_the_provider(page, name)
    expect(page.get_by_role("heading", name=says)).to_be_visible()
    there.go("/profile/")
    assert "/accounts/login/" in page.url
