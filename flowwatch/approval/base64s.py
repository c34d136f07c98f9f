"""Bytes as text: base64 in its one spelling, so that no two texts are one key or one signature."""

from __future__ import annotations

import base64
import binascii


def text(data: bytes) -> str:
    """`data` in base64."""
    return base64.b64encode(data).decode()


def raw(text: str, length: int) -> bytes:
    """The bytes that `text` is the base64 of. Raises ValueError for another number of bytes, and for another spelling.

    >>> raw("AQ==", 1)
    b'\\x01'
    >>> raw("AR==", 1)
    Traceback (most recent call last):
    ValueError: AR==
    """
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(text) from error
    if len(data) != length or base64.b64encode(data).decode() != text:
        raise ValueError(text)
    return data
