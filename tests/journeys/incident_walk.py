"""What the journeys of incidents and drills share: the post, a signature, a step, looking at a page."""

import email
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.policy import default as mail_policy
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from apps.incidents.actions.calling import note_sent
from apps.incidents.models import Incident
from apps.notify.delivery import deliver_pending
from tests.cast import PASSWORD
from tests.journeys.conftest import Site, Visit
from tests.journeys.looks import PHONE, barriers
from tests.notify.server import Box, mail_server

SIZES: dict[str, dict[str, Any]] = {
    "desk": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": PHONE},
}
ACK_LINK = re.compile(r"^https?://\S+/incidents/ack/\S+$", re.MULTILINE)


@dataclass(frozen=True)
class Letter:
    """A mail as it arrived."""

    to: str
    subject: str
    text: str

    @property
    def ack_path(self) -> str:
        """The path of the signed link that answers a call. Fails where there is none, or another one too."""
        (link,) = ACK_LINK.findall(self.text)
        return str(urlsplit(link).path)


class Post:
    """The mail server: sends what waits in the outbox as the worker does, and hands out what arrived."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def arrived(self) -> list[Letter]:
        """Send what is due; every mail that arrived since the last time."""
        deliver_pending()
        note_sent()
        taken, self._box.mails[:] = list(self._box.mails), []
        return [self._read(raw) for raw in taken]

    def _read(self, raw: bytes) -> Letter:
        mail = email.message_from_bytes(raw, policy=mail_policy)
        body = mail.get_body(("plain",))
        assert body is not None
        return Letter(
            str(mail["To"]).split("@")[0], str(mail["Subject"]).strip(), body.get_content().replace("\r\n", "\n")
        )


@contextmanager
def post_office(fixed: Any, site: Site) -> Iterator[Post]:
    """A mail server to which the settings point; mails name the site as the worker beside it would."""
    box = Box()
    with mail_server(box) as port:
        fixed.EMAIL_HOST, fixed.EMAIL_PORT = "127.0.0.1", port
        fixed.SITE_URL = site.url
        yield Post(box)


def to(letters: list[Letter], name: str, subject: str) -> Letter:
    """The one mail to somebody whose subject begins like this."""
    found = [one for one in letters if one.to == name and one.subject.startswith(subject)]
    assert len(found) == 1, [(one.to, one.subject) for one in letters]
    return found[0]


def act(page: Page, link: str, button: str, **fields: str) -> None:
    """Follow the link to one thing that can be done, fill it in, send it."""
    page.get_by_role("link", name=link).locator("visible=true").first.click()
    for name, value in fields.items():
        page.locator(f"#id_{name}").fill(value)
    page.get_by_role("button", name=button, exact=True).click()


def sign(page: Page, name: str, button: str) -> None:
    """Say that one means it, type one's name, prove that it is oneself where that is asked."""
    page.get_by_label(re.compile("and I mean it")).locator("visible=true").check()
    page.get_by_label("Type your full name to sign").locator("visible=true").fill(name)
    password = page.get_by_label("Your password").locator("visible=true")
    if password.count():
        password.fill(PASSWORD)
    page.get_by_role("button", name=button, exact=True).click()


def open_from_bar(page: Page, incident: Incident) -> None:
    """From whatever page, by the bar that says what is live."""
    page.locator(".live-bar").get_by_role("link", name=re.compile(incident.code)).click()
    expect(page.get_by_role("heading", level=1, name=incident.title)).to_be_visible()


def open_step(page: Page, title: str) -> None:
    """From the incident to one of its steps."""
    page.locator("#live-steps").get_by_role("link", name=title, exact=True).click()
    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()


def unfold(page: Page) -> None:
    """Open what stands folded: the laws of which nobody has said whether they bind us."""
    folded = page.locator("details.clock-fold:not([open]) > summary")
    if folded.count():
        folded.click()


def looks_right(*windows: Visit) -> None:
    """No barrier on the page that each has open, nothing wider than the window, nothing that the browser minds."""
    for window in windows:
        assert barriers(window) == [], window.page.url
        window.is_inspected = False
        assert window.complaints == [], window.page.url
