"""A small HTTP client that signs in like a person: cookies, the form's token, no scripts. Standard library only."""

import html
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import Any

TIMEOUT = 30
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)


@dataclass(frozen=True)
class Page:
    """What came back, and how long it took."""

    path: str
    status: int
    milliseconds: int
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def title(self) -> str:
        found = _TITLE.search(self.text)
        return " ".join(html.unescape(found[1]).split()) if found else ""

    def json(self) -> Any:
        return json.loads(self.text)


class _Stay(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer of its own: to be sent to the sign-in page is not to be let in."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class Browser:
    """One person's visit."""

    def __init__(self, base_url: str, token: str = "") -> None:
        if not base_url.startswith(("http://", "https://")):
            raise ValueError("The base URL begins with http:// or https://.")
        self.base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(CookieJar()), urllib.request.ProxyHandler({}), _Stay()
        )

    def get(self, path: str, **query: str) -> Page:
        """Fetch one page; any status is an answer."""
        return self._open(f"{path}?{urllib.parse.urlencode(query)}" if query else path, None)

    def post(self, path: str, **fields: str) -> Page:
        """Send a form, with the token from its page."""
        found = _TOKEN.search(self.get(path).text)
        token = {"csrfmiddlewaretoken": found[1]} if found else {}
        return self._open(path, urllib.parse.urlencode({**fields, **token}).encode())

    def sign_in(self, email: str, password: str) -> Page:
        """The sign-in form; a redirect says that it worked."""
        return self.post("/accounts/login/", login=email, password=password)

    def _open(self, path: str, data: bytes | None) -> Page:
        address = self.base_url + path
        headers = {**self._headers, "Referer": address}
        request = urllib.request.Request(address, data=data, headers=headers)  # noqa: S310  (http, see __init__)
        begun = time.monotonic()
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read()
        milliseconds = round(1000 * (time.monotonic() - begun))
        return Page(path, status, milliseconds, body)
