"""Reading what machines and mails send: pure decisions."""

import json
from pathlib import Path

import pytest

from apps.incidents.rules.inbound import (
    LONGEST_TEXT,
    TOKEN,
    Status,
    digest_of,
    fitting_key,
    from_alertmanager,
    from_json,
    from_pagerduty,
    kept,
    new_token,
    plain,
    prefix_of,
    severity_words,
)
from apps.incidents.rules.inbound_mail import from_mail, read_mail, text_of_html, tokens_in

SAMPLES = Path(__file__).parent / "inbound"


def sample(name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((SAMPLES / name).read_text(encoding="utf-8"))
    return found


def test_a_token_fits_an_address_in_any_case() -> None:
    token = new_token()

    assert TOKEN.fullmatch(token)
    assert len(f"incident+{token}") <= 64
    assert (digest_of(token.upper()), prefix_of(token.upper())) == (digest_of(token), token[:12])
    assert prefix_of("inb_short") == ""
    assert tokens_in((f"incident+{token.upper()}@example.org", f"x {token}")) == [token]


def test_what_is_kept_holds_no_token_and_nothing_unprintable() -> None:
    token = new_token()

    assert plain(f"a\0b\x1b[0m \ud800 to incident+{token}@example.org\r\n") == "ab[0m ? to incident+inb_…@example.org"
    assert kept("x" * (LONGEST_TEXT + 1200)).endswith("x\n[Cut here: 1,200 more characters were sent.]")


def test_a_long_key_is_kept_by_its_digest_and_not_by_its_beginning() -> None:
    long = "k" * 400

    assert fitting_key("k" * 300) == "k" * 300
    assert fitting_key(long + "1") != fitting_key(long + "2")
    assert len(fitting_key(long)) == 71
    assert fitting_key("a\0") != fitting_key("a")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("critical", "The sender says “critical”, which would be severity 1. A person says how bad it is."),
        ("Warning", "The sender says “Warning”, which would be severity 3. A person says how bad it is."),
        ("purple", "The sender says “purple”. A person says how bad it is."),
        (" ", ""),
    ],
)
def test_a_severity_is_a_word_of_the_sender(said: str, words: str) -> None:
    assert severity_words(said) == words


def test_alertmanager() -> None:
    report = from_alertmanager(sample("alertmanager_firing.json"))

    assert report.status == Status.FIRING
    assert report.title == "Claims agent read records outside its case (2 alerts)"
    assert report.dedup_key == '{}/{team="claims-ai"}:{alertname="AgentReadOutsideCase", service="claims-agent"}'
    assert report.labels["service"] == ("claims-agent",)
    assert report.labels["instance"] == ("agent-7f9c:9464", "agent-b21d:9464")
    assert "The sender says “critical”, which would be severity 1." in report.text
    assert "agent-7f9c:9464" in report.text
    assert from_alertmanager(sample("alertmanager_resolved.json")).status == Status.RESOLVED
    assert from_alertmanager(sample("alertmanager_resolved.json")).dedup_key == report.dedup_key


def test_pagerduty() -> None:
    report = from_pagerduty(sample("pagerduty_trigger.json"))

    assert (report.status, report.title) == (Status.FIRING, "Spend of the gateway key doc-assist is 6 times its plan")
    assert report.dedup_key == "budget/doc-assist/2026-11-20"
    assert report.labels["gateway_key_alias"] == ("doc-assist",)
    assert report.labels["component"] == ("llm-gateway",)
    assert "which would be severity 3" in report.text
    assert from_pagerduty(sample("pagerduty_acknowledge.json")).status == Status.ACKNOWLEDGED
    assert from_pagerduty(sample("pagerduty_resolve.json")).status == Status.RESOLVED


def test_a_pagerduty_event_without_a_key_gets_one() -> None:
    event = sample("pagerduty_trigger.json") | {"dedup_key": ""}

    assert len(from_pagerduty(event).dedup_key) == 32
    assert from_pagerduty(event).dedup_key != from_pagerduty(event).dedup_key


def test_our_own_json() -> None:
    report = from_json(sample("generic.json"))

    assert (report.title, report.labels) == ("Refund agent paid twice", {"system": ("SYS-REFUND",)})
    assert (report.scenario, report.dedup_key) == ("harmful-decision", "refunds-2026-11-20")


def test_a_mail_in_parts_with_encoded_headers() -> None:
    found = read_mail((SAMPLES / "mail_person.eml").read_bytes(), own_domain="govportal.example.org")

    assert (found.sender, found.sender_name) == ("ada@example.org", "Ada Nwosu")
    assert found.subject == "[SYS-ADA] Prüfagent liest fremde Akten – bitte sofort ansehen"
    assert found.text.startswith("System: Claims Adjudication Agent\n\nSeit 9:10 zeigt der Agent Akten")
    assert (found.message_id, found.loop, found.left_out) == ("<2f1c.9a@mail.example.org>", "", 1)
    report = from_mail(found)
    assert report.labels == {"system": ("Claims Adjudication Agent",), "subject": ("SYS-ADA",)}
    assert report.text.endswith("1 attached file was not taken in.")
    assert tokens_in(found.recipients) == ["inb_0a1b2c3d_" + "a2b3c4d5" * 5]


def test_a_mail_in_html_is_its_words() -> None:
    found = read_mail((SAMPLES / "mail_html.eml").read_bytes(), own_domain="govportal.example.org")

    assert found.text == "It approved a loan of 90,000 & nobody looked.\n\nSecond line\nA list"
    assert "alert(" not in found.text
    assert found.references == ("<2f1c.9a@mail.example.org>",)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("mail_away.eml", "it was sent by a machine (Auto-Submitted: auto-replied)"),
        ("mail_list.eml", "it went to many (Precedence: bulk)"),
        ("mail_own.eml", "this portal wrote it"),
        ("mail_bounce.eml", "it says that another mail could not be delivered"),
    ],
)
def test_a_loop_is_known(name: str, why: str) -> None:
    assert read_mail((SAMPLES / name).read_bytes(), own_domain="govportal.example.org").loop == why


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0\xff\xfe",
        b"Subject: =?utf-9?B?8J+Y?= =?utf-8?q?=ff?=\r\nFrom: <<>>,,\r\nTo: undisclosed\r\n\r\n\xff\xfe",
        b"Content-Type: text/plain; charset=klingon\r\n\r\ncaf\xc3\xa9",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nno end",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!",
        b"Message-ID: <a\r\n b@x>\r\nReferences: " + b"<" * 5000 + b"\r\n\r\nx",
        b"Content-Type: text/html\r\n\r\n<p><<!--<script>x",
    ],
)
def test_no_mail_makes_the_reader_fail(raw: bytes) -> None:
    report = from_mail(read_mail(raw, own_domain="x"))

    assert report.title
    assert report.dedup_key


def test_html_within_html() -> None:
    assert text_of_html("<style>p{}</style><p>One<br>Two</p><script>x()</script><div>Three &lt;b&gt;</div>") == (
        "One\nTwo\n\nThree <b>"
    )
