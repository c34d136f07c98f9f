"""Private keys in files, signing, verifying: the only module that knows `cryptography`.

A private key is a PEM file (PKCS #8, Ed25519) that its owner alone may read, with a passphrase or without one. A public key is its 32 bytes in
base64, 44 characters, short enough to be read out on the telephone; a signature is its 64 bytes, 88 characters.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from flowwatch.approval.base64s import raw, text

MOST_BYTES: Final = 1 << 14
"""No file with one private key is longer."""

PrivateKey = Ed25519PrivateKey


class KeyFileError(Exception):
    """A private key cannot be made, or read; the message says which file, what was found and what was expected."""


def create(path: Path, passphrase: str | None = None) -> PrivateKey:
    """Make a private key and write it to `path`, which must not be there yet, for its owner alone. Raises `KeyFileError`, `OSError`."""
    key = PrivateKey.generate()
    seal = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, seal)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyFileError(f"{path}: found a file, expected none: a key is never overwritten; name another file") from None
    with open(fd, "wb") as file:  # noqa: PTH123 - opened above, so that nobody else may ever read it
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    return key


def read(path: Path, passphrase: Callable[[], str]) -> PrivateKey:
    """The private key in `path`; `passphrase` is asked only where the file needs one. Raises `KeyFileError`, `OSError`."""
    with path.open("rb") as file:
        pem = file.read(MOST_BYTES)
    expected = "expected a private Ed25519 key as `flowwatch plan key` writes it"
    try:
        key = load_pem_private_key(pem, passphrase().encode() if b"ENCRYPTED" in pem else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        told = "a wrong passphrase, or a damaged file" if b"ENCRYPTED" in pem else "no private key"
        raise KeyFileError(f"{path}: found {told}, {expected}") from error
    if not isinstance(key, PrivateKey):
        raise KeyFileError(f"{path}: found a key of another kind ({type(key).__name__.lstrip('_')}), {expected}")
    return key


def public(key: PrivateKey) -> str:
    """The public key of a private one, in base64."""
    return text(key.public_key().public_bytes_raw())


def sign(key: PrivateKey, message: bytes) -> str:
    """The signature of `message`, in base64."""
    return text(key.sign(message))


def verify(key: str, signature: str, message: bytes) -> bool:
    """Whether `signature` is that of `message` by the owner of the public `key`; both in base64."""
    try:
        Ed25519PublicKey.from_public_bytes(raw(key, 32)).verify(raw(signature, 64), message)
    except (ValueError, InvalidSignature):
        return False
    return True
