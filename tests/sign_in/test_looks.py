"""axe finds nothing on the pages of signing in: light, dark, 390 px; the policy refuses nothing on them."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.journeys.conftest import Site, Visit, free_port, start_web
from tests.journeys.looks import AXE
from tests.sign_in.test_passkey_journey import add, authenticator, sign_out, type_password

pytestmark = [pytest.mark.journey, pytest.mark.committed]

LOOKS = {"light": ("light", 1440), "dark": ("dark", 1440), "390": ("light", 390)}
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
    page, wrong = there.page, list(there.reports())
    for look, (scheme, width) in LOOKS.items():
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        found = Axe().run(page, options=AXE).response["violations"]
        wrong += [f"{name} {look}: {v['id']} {v['nodes'][0]['target']}" for v in found]
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        wrong += [f"{name} {look}: {wide} px too wide"] if wide > 0 else []
        if PICTURES:
            page.screenshot(path=str(Path(PICTURES) / f"{name}-{look}.png"), full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1440, "height": 900})
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
