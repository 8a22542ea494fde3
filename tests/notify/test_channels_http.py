"""One request to a real server: what is sent, what is believed, and what is never followed."""

import datetime
import ssl
import time
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apps.notify import safe_http
from apps.notify.safe_http import NotTakenError, OutOfReachError, PerhapsTakenError, RefusedTargetError, post
from tests.notify.receiver import Hanging, Receiver, listening
from tests.notify.server import free_port

HEADERS = {"Content-Type": "application/json"}
LOOPBACK = [ip_network("127.0.0.0/8")]


@pytest.fixture(autouse=True)
def local_receivers(settings: Any) -> None:
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = LOOPBACK


def test_what_arrives() -> None:
    with listening(Receiver(status=202, text="ok")) as receiver:
        answer = post(receiver.url("/a/b?c=d"), HEADERS, b'{"a":1}')
    assert (answer.status, answer.text) == (202, "ok")
    (taken,) = receiver.taken
    assert (taken.path, taken.body) == ("/a/b?c=d", b'{"a":1}')
    assert taken.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "content-length": "7",
        "connection": "close",
        "user-agent": "Govportal",
        "content-type": "application/json",
    }


def test_the_host_is_the_name_and_not_the_address() -> None:
    with listening(Receiver()) as receiver:
        url = receiver.url(host="hooks.example.org")
        post(url, HEADERS, b"{}", resolve=lambda host, port: ["127.0.0.1"])
    assert receiver.taken[0].headers["host"] == f"hooks.example.org:{receiver.port}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with listening(Receiver()) as inside:
        there = Receiver(status=status, headers={"Location": inside.url("/secret")})
        with listening(there) as outside, pytest.raises(NotTakenError, match=rf"another address \({status}\)") as error:
            post(outside.url(), HEADERS, b"{}")
    assert error.value.status == status
    assert len(outside.taken) == 1
    assert inside.taken == []


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(Receiver()) as proxy, listening(Receiver()) as receiver:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url("/"))
        post(receiver.url(), HEADERS, b"{}")
    assert (len(proxy.taken), len(receiver.taken)) == (0, 1)


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, NotTakenError), (401, NotTakenError), (404, NotTakenError), (429, NotTakenError), (500, NotTakenError),
     (503, NotTakenError), (502, PerhapsTakenError), (504, PerhapsTakenError)],
)  # fmt: skip
def test_what_each_answer_means(status: int, error: type[Exception]) -> None:
    receiver = Receiver(status=status, text="no\x00 such\nhook", headers={"Retry-After": "120"})
    with listening(receiver), pytest.raises(error, match=f"The other side answered {status}: no such hook") as caught:
        post(receiver.url(), HEADERS, b"{}")
    if error is NotTakenError:
        assert caught.value.retry_after == 120  # type: ignore[attr-defined]


def test_nobody_listens() -> None:
    with pytest.raises(OutOfReachError, match="does not answer: Connection refused"):
        post(f"http://127.0.0.1:{free_port()}/", HEADERS, b"{}")


@pytest.mark.parametrize("then", ["hang", "close", "nonsense", "drip"])
def test_no_answer_after_the_request_was_sent_is_uncertain(then: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_http, "ANSWER_SECONDS", 0.5)
    server, begun = Hanging(then=then), time.monotonic()
    try:
        with pytest.raises(PerhapsTakenError, match="No answer after the request was sent"):
            post(f"http://127.0.0.1:{server.port}/", HEADERS, b'{"a":1}')
    finally:
        server.stop()
    assert server.requests == [b'{"a":1}']
    assert time.monotonic() - begun < 3, "a byte now and then does not keep the line open"


def test_little_is_read() -> None:
    with listening(Receiver(status=200, text="x" * 5_000_000)) as receiver:
        answer = post(receiver.url(), HEADERS, b"{}")
    assert len(answer.text) == safe_http.MOST_READ


def test_too_much_and_a_broken_header_are_not_sent() -> None:
    with listening(Receiver()) as receiver:
        with pytest.raises(RefusedTargetError, match="more to say"):
            post(receiver.url(), HEADERS, b"x" * (safe_http.MOST_SENT + 1))
        with pytest.raises(RefusedTargetError, match="a header can't have"):
            post(receiver.url(), {"Authorization": "GenieKey a\r\nHost: inside"}, b"{}")
    assert receiver.taken == []


def _certificate(folder: Path, name: str, *, host: str) -> tuple[Path, Path]:
    """A certificate of its own authority for a host, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(host), x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(names, False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, secret


@pytest.fixture
def over_tls(tmp_path: Path) -> Iterator[tuple[Receiver, Path]]:
    """A receiver over TLS for hooks.example.org, and the authority that vouches for it."""
    pem, key = _certificate(tmp_path, "receiver", host="hooks.example.org")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    with listening(Receiver(), context=context) as receiver:
        yield receiver, pem


def _here(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def test_tls_with_the_organisations_own_authority(over_tls: tuple[Receiver, Path], settings: Any) -> None:
    receiver, authority = over_tls
    settings.WEBHOOK_CA_FILE = str(authority)
    settings.WEBHOOK_ALLOW_HTTP = False
    assert post(receiver.url(scheme="https", host="hooks.example.org"), HEADERS, b"{}", resolve=_here).status == 202
    assert receiver.taken[0].headers["host"] == f"hooks.example.org:{receiver.port}"


def test_a_certificate_that_nobody_vouches_for_is_not_spoken_to(over_tls: tuple[Receiver, Path]) -> None:
    receiver, _ = over_tls
    with pytest.raises(OutOfReachError, match="can't be trusted or speaks no TLS: self-signed certificate"):
        post(receiver.url(scheme="https", host="hooks.example.org"), HEADERS, b"{}", resolve=_here)
    assert receiver.taken == []


def test_a_certificate_for_another_name_is_not_believed(over_tls: tuple[Receiver, Path], settings: Any) -> None:
    receiver, authority = over_tls
    settings.WEBHOOK_CA_FILE = str(authority)
    with pytest.raises(OutOfReachError, match="Hostname mismatch"):
        post(receiver.url(scheme="https", host="other.example.org"), HEADERS, b"{}", resolve=_here)
    assert receiver.taken == []


def test_a_server_that_speaks_no_tls(settings: Any) -> None:
    with listening(Receiver()) as receiver, pytest.raises(OutOfReachError, match="speaks no TLS"):
        post(receiver.url(scheme="https"), HEADERS, b"{}")
    assert receiver.taken == []


def test_the_second_checked_address_is_tried_where_the_first_does_not_answer() -> None:
    with listening(Receiver()) as receiver:
        url = receiver.url(host="hooks.example.org")
        assert post(url, HEADERS, b"{}", resolve=lambda host, port: ["127.0.0.2", "127.0.0.1"]).status == 202
    assert len(receiver.taken) == 1
