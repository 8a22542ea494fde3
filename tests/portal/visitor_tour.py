"""The visitor's part of docs/tour.md as steps: who signs in, what is opened or followed, which words are there."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urljoin

from django.conf import settings
from django.test import Client

TOUR = Path(settings.BASE_DIR) / "docs" / "tour.md"
_PART = re.compile(r"^## Twenty minutes with the demo$(.*?)^## ", re.DOTALL | re.MULTILINE)
_STEP = re.compile(r"^### (\d+)\. (.+)$", re.MULTILINE)
_ROLE = re.compile(r"(?:Sign in|Still) as \*\*(.+?)\*\*")
_ITEM = re.compile(r'^- (?:Open `(?P<open>[^`]+)`|Follow "(?P<follow>[^"]+)"): (?P<rest>.+)$')
_LINK = re.compile(r'<a\b[^>]*?\bhref="([^"]+)"[^>]*>(.*?)</a>', re.DOTALL)


@dataclass(frozen=True)
class Walk:
    """One line of a step: an address, or the words of a link on the page before."""

    step: int
    role: str
    address: str
    link: str
    words: tuple[str, ...]


def walks() -> list[Walk]:
    """Every line of the visitor's tour, in its order."""
    part = _PART.search(TOUR.read_text(encoding="utf-8"))
    assert part is not None
    heads = list(_STEP.finditer(part[1]))
    assert [int(head[1]) for head in heads] == list(range(1, len(heads) + 1))
    ends = [head.start() for head in heads[1:]] + [len(part[1])]
    return [
        walk
        for head, end in zip(heads, ends, strict=True)
        for walk in _of_step(int(head[1]), part[1][head.end() : end])
    ]


def _of_step(step: int, text: str) -> Iterator[Walk]:
    role = ""
    for block in re.split(r"\n\n|\n(?=- )", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE).strip()):
        line = " ".join(block.split())
        found = _ROLE.search(line)
        role = found[1] if found else role
        if line.startswith("- "):
            item = _ITEM.match(line)
            assert item is not None, f"step {step} is not understood: {line}"
            words = tuple(re.findall(r'"([^"]+)"', item["rest"]))
            assert words, f"step {step} quotes nothing: {line}"
            yield Walk(step, role, item["open"] or "", item["follow"] or "", words)


class Visitor:
    """A person in front of the demo, who remembers the page before."""

    def __init__(self, email: str, password: str) -> None:
        self.client = Client()
        answer = self.client.post("/accounts/login/", {"login": email, "password": password})
        assert answer.status_code == 302, email
        self._at, self._page = "/", ""

    def take(self, walk: Walk) -> None:
        """Open or follow, and look for every word."""
        address = _escaped(walk.address) if walk.address else self._link(walk)
        answer = self.client.get(address)
        self._at, self._page = address, answer.content.decode()
        assert answer.status_code == 200, f"step {walk.step}: {address} answers {answer.status_code}"
        text = _text(self._page)
        for word in walk.words:
            assert word in text, f'step {walk.step}: "{word}" is not on {address}'

    def _link(self, walk: Walk) -> str:
        """The first link that begins with the words, else the first that has them: some begin with a date."""
        links = [(target, _text(inner)) for target, inner in _LINK.findall(self._page.split("<main", 1)[-1])]
        for target, text in sorted(links, key=lambda link: not link[1].startswith(walk.link)):
            if walk.link in text:
                return urljoin(self._at, html.unescape(target)).split("#")[0]
        raise AssertionError(f'step {walk.step}: no link "{walk.link}" on {self._at}')


def _escaped(address: str) -> str:
    path, _, query = address.partition("?")
    return f"{path}?{urlencode(parse_qsl(query))}" if query else path


def _text(markup: str) -> str:
    """What a reader sees, with each gap one space and none before a full stop, comma or question mark."""
    bare = re.sub(r"<(script|style|svg)\b.*?</\1>", "", markup, flags=re.DOTALL)
    words = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", bare)).replace("’", "'").split())
    return re.sub(r" ([,.?])", r"\1", words)
