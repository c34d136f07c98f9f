"""Secrets that the service makes: session cookies and tokens, 256 random bits each, kept only as their SHA-256."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

TOKEN_PREFIX: Final = "fw_"  # noqa: S105 - what every token begins with, so that scanners for leaked secrets find one
_BYTES: Final = 32


def new_secret() -> str:
    """256 random bits as URL-safe text (43 characters)."""
    return secrets.token_urlsafe(_BYTES)


def new_token() -> str:
    """A machine's token."""
    return TOKEN_PREFIX + new_secret()


def hash_of(secret: str) -> bytes:
    """What is kept of a secret: its SHA-256."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def csrf_of(cookie: str) -> str:
    """The text that a page must send beside the session's cookie to change anything: only who reads the log-in's answer has it."""
    return hmac.new(cookie.encode("utf-8", "surrogateescape"), b"flowwatch csrf", hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape"))
