"""Reading one mail (RFC 5322) as a report: headers and charsets as they come, plain text only. No Django here."""

import hashlib
import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses, parseaddr
from html.parser import HTMLParser

from apps.incidents.rules.inbound import TOKEN, Report, Status, fitting_key, plain

# More is not read: the first text of a mail stands at its beginning, and pictures after it are not taken in.
MOST_BYTES = 5 * 1024 * 1024
# Where a mail system says for whom a mail was, best first.
_RECIPIENT_HEADERS = ("X-Original-To", "Delivered-To", "Envelope-To", "To", "Cc")
_SKIPPED = {"script", "style", "head", "title", "template"}
_LINES = {"p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "blockquote", "hr"}


@dataclass(frozen=True)
class Mail:
    """What a mail says: who it claims to be from, and its words. A sender can be forged."""

    sender: str
    sender_name: str
    subject: str
    text: str
    message_id: str
    references: tuple[str, ...]
    recipients: tuple[str, ...]
    # Why nobody reads it: it was written by a machine that answers machines, or by this portal. "" for a person's.
    loop: str
    left_out: int = 0
    was_cut: bool = False


class _Text(HTMLParser):
    """The words of an HTML text, one line for each block; nothing of it is ever run or shown as HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.skipping = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A block begins a line; what is no text is skipped."""
        self.skipping += tag in _SKIPPED
        if tag in _LINES:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """A block ends its line."""
        if tag in _SKIPPED and self.skipping:
            self.skipping -= 1
        if tag in _LINES:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        """Words."""
        if not self.skipping:
            self.parts.append(re.sub(r"\s+", " ", data))


def text_of_html(html: str) -> str:
    """The words of an HTML text."""
    reader = _Text()
    reader.feed(html)
    reader.close()
    lines = (line.strip() for line in "".join(reader.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def read_mail(raw: bytes, *, own_domain: str) -> Mail:
    """Read a mail. Nothing in it can make this fail: what can't be decoded is replaced, what is missing is empty."""
    message = message_from_bytes(raw[:MOST_BYTES], policy=policy.compat32)
    name, sender = parseaddr(_header(message, "From"))
    text, left_out = _body(message)
    message_id = _header(message, "Message-ID")
    return Mail(
        sender=plain(sender)[:254].lower(),
        sender_name=plain(name)[:100],
        subject=plain(" ".join(_header(message, "Subject").split())),
        text=plain(text),
        message_id=message_id or f"sha256:{hashlib.sha256(raw).hexdigest()}",
        references=tuple(dict.fromkeys(re.findall(r"<[^<>\s]+>", _thread(message))))[-20:],
        recipients=_recipients(message),
        loop=_loop(message, message_id, own_domain),
        left_out=left_out,
        was_cut=len(raw) > MOST_BYTES,
    )


def _thread(message: Message) -> str:
    return f"{_header(message, 'References')} {_header(message, 'In-Reply-To')}"


def _header(message: Message, name: str) -> str:
    """A header, unfolded and decoded; what can't be decoded is shown as it came."""
    found = message.get(name)
    if found is None:
        return ""
    raw = re.sub(r"\r?\n[ \t]*", " ", str(found))
    try:
        return str(make_header(decode_header(raw))).strip()
    except (LookupError, ValueError):
        return raw.strip()


def _recipients(message: Message) -> tuple[str, ...]:
    found = [str(value) for name in _RECIPIENT_HEADERS for value in message.get_all(name, [])]
    return tuple(address for _, address in getaddresses(found) if address)


def _loop(message: Message, message_id: str, own_domain: str) -> str:
    """Why this mail is not read (RFC 3834): machines that answer each other would never end."""
    submitted = re.split("[;(]", _header(message, "Auto-Submitted"))[0].strip().lower()
    if submitted not in ("", "no"):
        return f"it was sent by a machine (Auto-Submitted: {submitted[:40]})"
    precedence = _header(message, "Precedence").lower()
    if precedence in ("bulk", "junk", "list", "auto_reply"):
        return f"it went to many (Precedence: {precedence})"
    if _header(message, "Return-Path") == "<>" or message.get_content_type() == "multipart/report":
        return "it says that another mail could not be delivered"
    if own_domain and message_id.lower().rstrip("> ").endswith(f"@{own_domain.lower()}"):
        return "this portal wrote it"
    return ""


def _body(message: Message) -> tuple[str, int]:
    """The first text, plain before HTML, and how many parts are left out."""
    parts = [part for part in message.walk() if not part.is_multipart()]
    texts = [part for part in parts if part.get_content_maintype() == "text" and not part.get_filename()]
    chosen = next((part for part in texts if part.get_content_subtype() == "plain"), None) or next(iter(texts), None)
    left_out = sum(bool(part.get_filename()) for part in parts)
    if chosen is None:
        return "", left_out
    text = _decoded(chosen)
    return (text_of_html(text) if chosen.get_content_subtype() == "html" else text), left_out


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else str(payload or "").encode()
    try:
        return data.decode(str(part.get_content_charset() or "utf-8"), "replace")
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")


def tokens_in(texts: tuple[str, ...]) -> list[str]:
    """The tokens that stand in these addresses, each once."""
    return list(dict.fromkeys(token.lower() for text in texts for token in TOKEN.findall(text)))


def from_mail(mail: Mail) -> Report:
    """A mail as a report: the subject is the title. A line "System: …", or [the key] in the subject, names it."""
    named = re.search(r"^\s*system\s*:\s*(\S.{0,300})$", mail.text, re.IGNORECASE | re.MULTILINE)
    labels: dict[str, tuple[str, ...]] = {"system": (plain(named[1]),)} if named else {}
    if brackets := re.findall(r"\[([^\[\]]{1,300})\]", mail.subject)[:3]:
        labels["subject"] = tuple(dict.fromkeys(plain(value) for value in brackets))
    notes = [f"{mail.left_out} attached file{'s were' if mail.left_out > 1 else ' was'} not taken in."] * (
        mail.left_out > 0
    )
    notes += ["The mail was longer than what is read of it."] * mail.was_cut
    return Report(
        status=Status.FIRING,
        title=mail.subject or (mail.text.splitlines() or ["A mail without words"])[0],
        text="\n".join([mail.text, *notes]).strip(),
        dedup_key=fitting_key(mail.message_id),
        labels=labels,
        follows=tuple(fitting_key(reference) for reference in mail.references),
    )
