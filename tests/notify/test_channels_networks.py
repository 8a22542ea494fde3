"""No endpoint leads the portal to a place inside: how an address is read, and which addresses are spoken to."""

from ipaddress import IPv4Address, ip_network
from typing import Any

import pytest

from apps.notify.rules.networks import Target, read_target, why_refused
from apps.notify.safe_http import OutOfReachError, RefusedTargetError, checked, look_up, post
from tests.notify.receiver import Receiver, listening

NOWHERE = str(IPv4Address(0))
PUBLIC = "93.184.215.14"
INSIDE = [
    ("127.0.0.1", "this computer"),
    ("127.255.255.254", "this computer"),
    ("::1", "this computer"),
    ("10.0.0.1", "a private address"),
    ("10.255.255.255", "a private address"),
    ("172.16.0.1", "a private address"),
    ("172.31.255.255", "a private address"),
    ("192.168.1.1", "a private address"),
    ("100.64.0.1", "a private address of a provider"),
    ("169.254.169.254", "a link-local address"),
    (NOWHERE, "not an address of a computer"),
    ("0.1.2.3", "not an address of a computer"),
    ("224.0.0.1", "a multicast address"),
    ("239.255.255.250", "a multicast address"),
    ("240.0.0.1", "a reserved address"),
    ("255.255.255.255", "a broadcast address"),
    ("192.0.0.8", "a reserved address"),
    ("192.0.2.1", "a reserved address"),
    ("198.18.0.1", "a reserved address"),
    ("198.51.100.7", "a reserved address"),
    ("203.0.113.7", "a reserved address"),
    ("::", "not an address of a computer"),
    ("fe80::1", "a link-local address"),
    ("fec0::1", "a private address"),
    ("fc00::1", "a private address"),
    ("fd12:3456::1", "a private address"),
    ("fd00:ec2::254", "a metadata address of a cloud"),
    ("ff02::1", "a multicast address"),
    ("ff0e::1", "a multicast address"),
    ("2001:db8::1", "a reserved address"),
    ("100::1", "a reserved address"),
    ("::ffff:127.0.0.1", "an IPv4 address written as IPv6"),
    ("::ffff:93.184.215.14", "an IPv4 address written as IPv6"),
    ("::127.0.0.1", "an IPv4 address written as IPv6"),
    ("2002:7f00:1::", "an IPv4 address inside 6to4"),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "an IPv4 address inside Teredo"),
    ("64:ff9b::7f00:1", "an IPv4 address inside NAT64"),
    ("64:ff9b:1::a00:1", "an IPv4 address inside NAT64"),
]


@pytest.mark.parametrize(("address", "why"), INSIDE)
def test_an_address_inside_is_refused_with_the_reason(address: str, why: str) -> None:
    assert why_refused(address) == f"{address} is {why}"


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001:80e::200e"])
def test_a_public_address_is_spoken_to(address: str) -> None:
    assert why_refused(address) == ""
    assert why_refused(address, plain=True) == "Without TLS only networks of the organisation are spoken to"


def test_the_organisation_allows_its_own_networks_and_nothing_allows_the_metadata_of_a_cloud() -> None:
    everything = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    assert why_refused("10.20.3.4", allowed=[ip_network("10.20.0.0/16")]) == ""
    assert why_refused("10.20.3.4", allowed=[ip_network("10.20.0.0/16")], plain=True) == ""
    assert why_refused("10.21.3.4", allowed=[ip_network("10.20.0.0/16")]) == "10.21.3.4 is a private address"
    assert why_refused("fd12::5", allowed=[ip_network("fd12::/16")]) == ""
    for address in ("169.254.169.254", "fe80::1", "224.0.0.1", NOWHERE, "fd00:ec2::254", "::ffff:169.254.169.254"):
        assert why_refused(address, allowed=everything) != ""
    assert why_refused("::ffff:10.20.3.4", allowed=[ip_network("10.20.0.0/16")]) != ""


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://user:pass@hooks.example.org/", "a user name in it"),
        ("https://hooks.example.org@127.0.0.1/", "a user name in it"),
        ("https://@127.0.0.1/", "a user name in it"),
        ("https://2130706433/", "is a number and not a name"),
        ("https://0x7f000001/", "is a number and not a name"),
        ("https://0x7f.0.0.1/", "is a number and not a name"),
        ("https://0177.0.0.1/", "is a number and not a name"),
        ("https://127.1/", "is a number and not a name"),
        ("https://127.0.0.01/", "is a number and not a name"),
        ("https://127.0.0.0x1/", "is a number and not a name"),
        ("https://example.org\\@127.0.0.1/", "no address has"),
        ("https://example.org/\r\nHost: inside", "no address has"),
        ("https://exa mple.org/", "no address has"),
        ("https://example.org\t/", "no address has"),
        ("https://[fe80::1%25eth0]/", "a zone in it"),
        ("https://[::1", "can't be read"),
        ("https://example.org:99999/", "can't be read"),
        ("https://example.org:0/", "the port 0"),
        ("https:///path", "name a host"),
        ("ftp://example.org/", "begin with https"),
        ("gopher://127.0.0.1:25/_HELO", "begin with https"),
        ("file:///etc/passwd", "begin with https"),
        ("//example.org/", "begin with https"),
        ("https://-example.org/", "not the name of a host"),
        ("https://exam..ple.org/", "not the name of a host"),
        ("https://example.org/ü", "percent signs"),
        ("https://example.org/" + "a" * 600, "no address has"),
    ],
)
def test_what_two_programs_read_differently_is_refused(url: str, said: str) -> None:
    with pytest.raises((ValueError, RefusedTargetError), match=said):
        read_target(url)


def test_how_an_address_is_read() -> None:
    assert read_target("https://Hooks.Example.org./a?b=c#d") == Target("https", "hooks.example.org", 443, "/a?b=c")
    assert read_target("https://bücher.example/").host == "xn--bcher-kva.example"
    assert read_target("http://[2606:4700::1]:8080").host_header == "[2606:4700::1]:8080"
    # Letters of full width are digits after IDNA, and are checked after it.
    assert read_target("https://１２７.0.0.1/").host == "127.0.0.1"


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://１２７.0.0.1/"])
def test_this_computer_is_refused_by_each_of_its_names(url: str) -> None:
    with pytest.raises(RefusedTargetError, match="is this computer"):
        checked(url)


def test_without_tls_nothing_is_sent_unless_the_organisation_says_so(settings: Any) -> None:
    with pytest.raises(RefusedTargetError, match="has to begin with https"):
        checked("http://93.184.215.14/")
    settings.WEBHOOK_ALLOW_HTTP = True
    with pytest.raises(RefusedTargetError, match="Without TLS"):
        checked("http://93.184.215.14/")
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("93.184.215.0/24")]
    assert checked("http://93.184.215.14/")[1] == ["93.184.215.14"]


def test_one_refused_address_of_a_name_refuses_all() -> None:
    with pytest.raises(RefusedTargetError, match=r"10\.0\.0\.5 is a private address"):
        checked("https://hooks.example.org/", resolve=lambda host, port: [PUBLIC, "10.0.0.5"])
    with pytest.raises(RefusedTargetError, match="fc00::5 is a private address"):
        checked("https://hooks.example.org/", resolve=lambda host, port: [PUBLIC, "fc00::5"])


def test_a_name_that_is_not_known_is_out_of_reach() -> None:
    with pytest.raises(OutOfReachError, match="not known"):
        look_up("no-such-host.invalid", 443)
    with pytest.raises(OutOfReachError, match="not known"):
        checked("https://hooks.example.org/", resolve=lambda host, port: [])


class Rebinding:
    """A name server that answers with a public address first and with this computer from then on."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def test_a_name_is_looked_up_once_and_the_checked_address_is_the_one_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: the second answer, this computer with a listening port, is never asked for."""
    tried: list[Any] = []

    def connect(address: Any, timeout: float) -> Any:
        tried.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr("apps.notify.safe_http.socket.create_connection", connect)
    name = Rebinding([PUBLIC], ["127.0.0.1"])
    with pytest.raises(OutOfReachError, match=r"hooks\.example\.org does not answer: Connection refused"):
        post("https://hooks.example.org/x", {}, b"{}", resolve=name)
    assert (name.asked, tried) == (1, [(PUBLIC, 443)])
    # Saved while it was public, sent when it is not: refused at the time of sending.
    with pytest.raises(RefusedTargetError, match=r"127\.0\.0\.1 is this computer"):
        post("https://hooks.example.org/x", {}, b"{}", resolve=name)
    assert tried == [(PUBLIC, 443)]


def test_rebinding_never_reaches_the_server_beside_the_portal(settings: Any) -> None:
    with listening(Receiver()) as inside:
        name = Rebinding(["127.0.0.1"])
        with pytest.raises(RefusedTargetError):
            post(inside.url(scheme="https", host="hooks.example.org"), {}, b"{}", resolve=name)
        settings.WEBHOOK_ALLOW_HTTP = True
        with pytest.raises(RefusedTargetError):
            post(inside.url(host="hooks.example.org"), {}, b"{}", resolve=name)
    assert inside.taken == []
