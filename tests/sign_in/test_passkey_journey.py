"""A passkey in a real browser: add it, sign in with it, confirm and sign with it, remove it."""

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from apps.attestations.models import Signature
from apps.audit.models import AuditEvent
from tests.cast import PASSWORD, Cast
from tests.journeys.conftest import Site, Visit, free_port, start_web
from tests.sign_in.signing import ready_to_sign

pytestmark = [pytest.mark.journey, pytest.mark.committed]


def authenticator(page: Any) -> tuple[Any, str]:
    """A device with a fingerprint sensor, played by Chromium."""
    tools = page.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    return tools, str(tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"])


def add(there: Any) -> None:
    """Add the passkey Laptop, as a person who is signed in does."""
    page = there.page
    there.go("/accounts/2fa/")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()


def sign_out(there: Any) -> None:
    there.go("/accounts/logout/")
    there.page.get_by_role("button", name="Sign out").last.click()
    there.page.wait_for_url("**/accounts/login/**")


def type_password(there: Any, name: str) -> None:
    page = there.go("/accounts/login/")
    page.fill("[name=login]", f"{name}@example.org")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")


def sign_the_answers(page: Any, cast: Cast) -> None:
    page.get_by_label("I have read the declaration").check()
    page.get_by_label("Type your full name to sign").fill(cast.ada.display_name)
    page.get_by_role("button", name="Sign and submit").click()


def test_a_passkey_from_first_to_last(visit: Any) -> None:
    cast = Cast()
    path = ready_to_sign(cast)
    there = visit()
    page = there.sign_in("ada")
    authenticator(page)
    add(there)
    sign_out(there)
    there.go("/accounts/login/?next=/profile/")
    page.get_by_role("button", name="Continue with a passkey").click()
    page.wait_for_url(f"{there.site.url}/profile/")

    there.go(path)
    sign_the_answers(page, cast)
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    page.get_by_role("button", name="Use your passkey").click()
    expect(page.get_by_text("Passkey").first).to_be_visible()
    assert page.url.endswith("/receipt/")
    assert Signature.objects.get().auth_method == "passkey"

    there.go("/accounts/2fa/")
    page.get_by_role("link", name="Rename Laptop").click()
    page.get_by_label("Name").fill("My laptop")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("rowheader", name="My laptop")).to_be_visible()
    page.get_by_role("link", name="Remove My laptop").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("The passkey was removed.")).to_be_visible()
    assert there.reports() == []
    assert there.complaints == []
    bodies = [json.loads(event.body) for event in AuditEvent.objects.order_by("ts_us")]
    said = [(body.get("after") or {}).get("second_factor") for body in bodies]
    assert [one for one in said if one] == [
        "passkey added", "recovery codes added", "passkey removed", "recovery codes removed",
    ]  # fmt: skip


def test_a_passkey_after_the_password_and_none_at_all(visit: Any) -> None:
    there = visit()
    page = there.sign_in("ada")
    tools, device = authenticator(page)
    add(there)
    sign_out(there)
    type_password(there, "ada")
    page.get_by_role("button", name="Use your passkey").click()
    page.wait_for_url(f"{there.site.url}/")

    sign_out(there)
    tools.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    there.go("/accounts/login/")
    page.get_by_role("button", name="Continue with a passkey").click()
    expect(page.get_by_text("No passkey was used.")).to_be_visible(timeout=60_000)
    there.go("/profile/")
    assert "/accounts/login/" in page.url


def test_without_javascript_there_is_no_dead_button(visit: Any) -> None:
    there = visit(java_script_enabled=False)
    page = there.go("/accounts/login/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_role("button", name="Continue with a passkey")).to_be_hidden()


@pytest.fixture
def demanding(committed_db: str) -> Iterator[Site]:
    """A portal that wants a second factor of the mandate holder."""
    port = free_port()
    process = start_web(committed_db, port, MFA_REQUIRED_FOR="mandate_holder")
    yield Site(f"http://localhost:{port}", committed_db)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=20)


def test_who_has_to_have_a_second_factor_is_led_to_it(demanding: Site, browser: Any) -> None:
    context = browser.new_context()
    there = Visit(demanding, context)
    page = there.page
    authenticator(page)
    type_password(there, "mara")
    expect(page.get_by_text("Set one up to go on.")).to_be_visible()
    there.go("/systems/")
    assert page.url.endswith("/accounts/2fa/")
    add(there)
    there.go("/systems/")
    assert page.url.endswith("/systems/")
    assert there.complaints == []
    context.close()
