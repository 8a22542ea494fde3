"""Secrets of endpoints at rest: sealed with a key that is derived from SECRET_KEY, bound to their row.

A new SECRET_KEY does not lose them while the old one stands in SECRET_KEY_FALLBACKS: what was sealed with it still
opens, and is sealed with the new one when the endpoint is saved or `manage.py seal_secrets` runs.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from apps.common.errors import Refused

_VERSION = b"\x01"
_NONCE = 12
_PURPOSE = b"govportal endpoint secrets 1"


def seal(text: str, *, row: int) -> bytes:
    """The text, encrypted with AES-256-GCM. It opens only for the same row: sealed bytes can't be moved to another."""
    nonce = os.urandom(_NONCE)
    return _VERSION + nonce + AESGCM(_key(settings.SECRET_KEY)).encrypt(nonce, text.encode(), _bound_to(row))


def unseal(sealed: bytes | memoryview, *, row: int) -> str:
    """The text again. Raises Refused where no key that the portal has opens it."""
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        text = _opened(bytes(sealed), key, row)
        if text is not None:
            return text
    raise Refused("The endpoint's secret can't be read: SECRET_KEY has changed. Enter the secret again.")


def is_current(sealed: bytes | memoryview, *, row: int) -> bool:
    """Whether today's key opens it, and not only a fallback."""
    return _opened(bytes(sealed), settings.SECRET_KEY, row) is not None


def _opened(sealed: bytes, key: str, row: int) -> str | None:
    nonce, rest = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
    try:
        return AESGCM(_key(key)).decrypt(nonce, rest, _bound_to(row)).decode()
    except (InvalidTag, ValueError):
        return None


def _key(secret: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())


def _bound_to(row: int) -> bytes:
    return f"endpoint:{row}".encode()
