"""A source in a real browser: added, tried with the very command of its page, seen, revoked."""

import json
import os
import re
from pathlib import Path
from typing import Any

from tests.cast import Cast
from tests.factories import a_system
from tests.incidents.inbound_world import sample
from tests.journeys.conftest import Visit
from tests.journeys.looks import barriers_in_every_look

FORM = "form[aria-labelledby=new-source]"


def post(window: Visit, url: str, token: str, body: dict[str, Any]) -> int:
    """Send it as Alertmanager does; the status."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return window.page.request.post(url, data=json.dumps(body), headers=headers).status


def picture(window: Visit, name: str) -> None:
    """Keep a picture of the page where somebody wants to look at it."""
    if folder := os.environ.get("PICTURES"):
        window.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def in_every_look(window: Visit, name: str) -> list[str]:
    """What is wrong with the page, and pictures of it."""
    picture(window, name)
    found = barriers_in_every_look(window)
    if os.environ.get("PICTURES"):
        window.page.emulate_media(color_scheme="dark")
        picture(window, f"{name}-dark")
        window.page.emulate_media(color_scheme="light")
        window.page.set_viewport_size({"width": 390, "height": 844})
        picture(window, f"{name}-390")
        window.page.set_viewport_size({"width": 1440, "height": 1000})
    return found


def test_a_source_from_its_beginning_to_its_end(visit: Any) -> None:
    cast = Cast()
    a_system(cast, key="claims-agent", name="Claims Adjudication Agent", owner=cast.ada)
    window: Visit = visit()
    page = window.sign_in("mara")
    window.go("/incidents/sources/")
    wrong = in_every_look(window, "sources-none")
    page.click(f"{FORM} button[type=submit]")
    wrong += in_every_look(window, "sources-error")
    page.fill("[name=name]", "Alertmanager production")
    page.select_option("[name=mode]", "real")
    page.click(f"{FORM} button[type=submit]")
    wrong += in_every_look(window, "source-added")

    token = re.findall(r"inb_[0-9a-f]{8}_[a-z2-7]{40}", page.inner_text("section[aria-labelledby=token]"))[0]
    command = page.inner_text("pre[aria-label=Command]")
    url = re.findall(r"http://\S+", command)[0]
    body = json.loads(re.findall(r"-d '(.*)'", command, re.DOTALL)[0])
    assert post(window, url, token, body) == 201
    assert post(window, url, token, sample("alertmanager_firing")) == 201
    assert post(window, url, token, sample("alertmanager_resolved")) == 200

    window.go("/incidents/sources/")
    wrong += in_every_look(window, "sources")
    page.click("text=Alertmanager production")
    assert token not in page.content()
    assert "Claims agent read records outside its case (2 alerts)" in page.inner_text(
        "section[aria-labelledby=declared]"
    )
    wrong += in_every_look(window, "source")
    page.click("text=Revoke…")
    wrong += in_every_look(window, "source-revoke")
    page.click("button:has-text('Revoke')")
    assert "Alertmanager production is revoked." in page.inner_text("main")
    assert post(window, url, token, sample("alertmanager_firing")) == 401
    assert wrong == []
    assert window.complaints == []
