"""Which addresses the portal speaks to. No Django here, and no look-up of names: that is done where it connects.

An endpoint's address is given by a person. Without these rules it could name the cloud's metadata service, the
database beside the portal, or a printer, and the portal would knock there from inside.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST = 600
_PORTS = {"https": 443, "http": 80}
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
# 2130706433, 0x7f000001, 0177.1: numbers that some resolvers read as an address.
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z")

# Named first, so that the refusal says which; `is_global` below covers what a registry adds later.
_NEVER = (
    ("169.254.0.0/16", "a link-local address"),
    ("fe80::/10", "a link-local address"),
    ("224.0.0.0/4", "a multicast address"),
    ("ff00::/8", "a multicast address"),
    ("0.0.0.0/8", "not an address of a computer"),
    ("::/128", "not an address of a computer"),
    ("255.255.255.255/32", "a broadcast address"),
    ("fd00:ec2::/32", "a metadata address of a cloud"),
    ("::ffff:0:0/96", "an IPv4 address written as IPv6"),
    ("::/96", "an IPv4 address written as IPv6"),
    ("2002::/16", "an IPv4 address inside 6to4"),
    ("2001::/32", "an IPv4 address inside Teredo"),
    ("64:ff9b::/96", "an IPv4 address inside NAT64"),
    ("64:ff9b:1::/48", "an IPv4 address inside NAT64"),
)
_UNLESS_ALLOWED = (
    ("127.0.0.0/8", "this computer"),
    ("::1/128", "this computer"),
    ("10.0.0.0/8", "a private address"),
    ("172.16.0.0/12", "a private address"),
    ("192.168.0.0/16", "a private address"),
    ("100.64.0.0/10", "a private address of a provider"),
    ("fc00::/7", "a private address"),
    ("fec0::/10", "a private address"),
    ("192.0.0.0/24", "a reserved address"),
    ("192.88.99.0/24", "a reserved address"),
    ("198.18.0.0/15", "a reserved address"),
    ("240.0.0.0/4", "a reserved address"),
)
NEVER: tuple[tuple[Network, str], ...] = tuple((ip_network(net), why) for net, why in _NEVER)
UNLESS_ALLOWED: tuple[tuple[Network, str], ...] = tuple((ip_network(net), why) for net, why in _UNLESS_ALLOWED)


@dataclass(frozen=True)
class Target:
    """Where a request goes: read from its address, before any name is looked up."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        """The host as the request names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def read_target(url: str) -> Target:
    """Take an address apart. Raises ValueError with a sentence for anything that is read in two ways.

    Two programs that read an address differently are how a check is passed by: no user, no backslash, no control
    sign, no number in place of a name.
    """
    if len(url) > LONGEST or any(sign <= " " or sign in "\\\x7f" for sign in url):
        raise ValueError("The address has a sign in it that no address has.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("The address can't be read. It has to look like https://hooks.example.org/ai.") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("The address has to begin with https:// and name a host.")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise ValueError("The address has a user name in it. Put the secret into its own field.")
    if port == 0:
        raise ValueError("The address has the port 0.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise ValueError("The path has letters that an address can't have. Encode them with percent signs.")
    return Target(parts.scheme, _host(parts.hostname), port or _PORTS[parts.scheme], path)


def _host(name: str) -> str:
    """The host in lower case and ASCII."""
    if ":" in name:
        if "%" in name:
            raise ValueError("The address has a zone in it.")
        return str(IPv6Address(name))
    try:
        host = name.encode("idna").decode().lower().removesuffix(".")
    except UnicodeError:
        raise ValueError(f"{name} is not the name of a host.") from None
    labels = host.split(".")
    if not all(_LABEL.match(label) for label in labels):
        raise ValueError(f"{name} is not the name of a host.")
    if _NUMBER.match(labels[-1]) and not _is_plain(host):
        raise ValueError(f"{name} is a number and not a name. Write the name of the host.")
    return host


def _is_plain(host: str) -> bool:
    """Four decimal numbers without leading zeros, which everybody reads the same way."""
    try:
        return str(IPv4Address(host)) == host
    except ValueError:
        return False


def why_refused(found: str, *, allowed: Sequence[Network] = (), plain: bool = False) -> str:
    """Why the portal does not speak to this address; empty where it does.

    `allowed` are the organisation's own networks with receivers in them. Without TLS (`plain`) only they are spoken
    to. Nothing allows a link-local address, behind which clouds keep their credentials.
    """
    try:
        address = ip_address(found)
    except ValueError:
        return f"{found} is not an address"
    if address.version == 6 and str(address) == "::1":
        never = ""
    else:
        never = next((why for net, why in NEVER if _within(address, net)), "")
    if never:
        return f"{found} is {never}"
    if any(_within(address, net) for net in allowed):
        return ""
    reason = next((why for net, why in UNLESS_ALLOWED if _within(address, net)), "")
    if not reason and (not address.is_global or address.is_multicast or address.is_reserved):
        reason = "a reserved address"
    if reason:
        return f"{found} is {reason}"
    return "Without TLS only networks of the organisation are spoken to" if plain else ""


def _within(address: Address, net: Network) -> bool:
    return address.version == net.version and address in net
