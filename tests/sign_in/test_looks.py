"""axe finds nothing on the pages of signing in: light, dark, 390 px; the policy refuses nothing on them."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import Site, Visit, free_port, start_web
from tests.journeys.looks import barriers_in_every_look
from tests.sign_in.test_passkey_journey import add, authenticator, sign_out, type_password

pytestmark = [pytest.mark.journey, pytest.mark.committed]

# A folder for pictures of the pages, for whoever wants to look at them.
PICTURES = os.environ.get("PICTURES", "")


@pytest.fixture
def site(committed_db: str) -> Iterator[Site]:
    """A portal with two providers, of which none answers."""
    port = free_port()
    rows = [
        {"type": "oidc", "id": "corp", "name": "Aldermoor SSO", "issuer": f"http://127.0.0.1:{free_port()}",
         "client_id": "govportal", "client_secret": "x"},
        {"type": "oidc", "id": "partner", "name": "Partner login", "issuer": f"http://127.0.0.1:{free_port()}",
         "client_id": "govportal", "client_secret": "x"},
    ]  # fmt: skip
    process = start_web(committed_db, port, IDENTITY_PROVIDERS=json.dumps(rows))
    yield Site(f"http://localhost:{port}", committed_db)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=20)


def faults(there: Visit, name: str) -> list[str]:
    """What is wrong with the page that is open, in each look."""
    wrong = [f"{name} {fault}" for fault in barriers_in_every_look(there)]
    if PICTURES:
        there.page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)
    return wrong


def test_every_page_of_signing_in(visit: Any) -> None:
    there = visit()
    page = there.go("/accounts/login/")
    wrong = faults(there, "sign-in")
    page.get_by_role("button", name="Sign in with Aldermoor SSO").click()
    page.get_by_role("heading", name="Aldermoor SSO does not answer").wait_for()
    wrong += faults(there, "refused")
    there.sign_in("ada")
    authenticator(page)
    there.go("/accounts/2fa/passkeys/add/")
    wrong += faults(there, "confirm-password")
    add(there)
    wrong += faults(there, "recovery-codes")
    for name, path in {
        "security": "/accounts/2fa/",
        "passkey-add": "/accounts/2fa/passkeys/add/",
        "passkey-confirm": "/accounts/2fa/passkeys/reauthenticate/?next=/profile/",
        "sso-confirm": "/accounts/sso/corp/confirm/?next=/profile/",
        "sessions": "/profile/sessions/",
        "profile": "/profile/",
    }.items():
        there.go(path)
        wrong += faults(there, name)
    there.go("/accounts/2fa/")
    for name, link in {"passkey-rename": "Rename Laptop", "passkey-remove": "Remove Laptop"}.items():
        there.go("/accounts/2fa/")
        page.get_by_role("link", name=link).click()
        wrong += faults(there, name)
    sign_out(there)
    type_password(there, "ada")
    page.get_by_role("heading", name="Your second factor").wait_for()
    wrong += faults(there, "second-factor")
    assert wrong == []
    assert [text for text in there.complaints if "Content Security Policy" not in text] == []
