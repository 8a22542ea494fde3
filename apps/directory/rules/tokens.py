"""The shape of a token for an identity provider. No Django here."""

import hashlib
import re
import secrets

PREFIX = "scim"


def new_secret() -> str:
    """A secret of 256 random bits behind a prefix by which it is found."""
    return f"{PREFIX}_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"


def prefix_of(secret: str) -> str:
    """The part of a token that may be shown; "" for a text of another shape."""
    found = re.match(rf"{PREFIX}_[0-9a-f]{{8}}(?=_)", secret)
    return found[0] if found else ""


def digest_of(secret: str) -> bytes:
    """SHA-256 of a token. A slow hash would add nothing to 256 random bits."""
    return hashlib.sha256(secret.encode()).digest()
