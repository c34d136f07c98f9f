"""Whether 32 bytes are a public key of Ed25519 that stands for one secret.

Verification itself takes any bytes as a key, and with a few of them anybody's signature fits: the eight points of low order. They, what is no
point of the curve, and points written in a second way (so that one key could pass for two) are refused where keys are read. Numbers and
formulas are those of RFC 8032, section 5.1; nothing here is secret, so it need not be quick or take the same time for every key.
"""

from __future__ import annotations

from typing import Final

_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
_ROOT: Final = pow(2, (_P - 1) // 4, _P)
"""A square root of -1."""

_Point = tuple[int, int]


def is_key(data: bytes) -> bool:
    """Whether `data` is the one encoding of a point that is not of low order.

    >>> is_key(bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))
    True
    >>> is_key(bytes(32)), is_key(b"\\x01" + bytes(31))
    (False, False)
    """
    point = _decoded(data)
    if point is None:
        return False
    for _ in range(3):
        point = _doubled(point)
    return point != (0, 1)


def _decoded(data: bytes) -> _Point | None:
    """The point that `data` encodes; None if there is none, or if the point has another encoding."""
    if len(data) != 32:
        return None
    number = int.from_bytes(data, "little")
    odd, y = number >> 255, number & (1 << 255) - 1
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * _ROOT % _P
    if x * x % _P != square or (x == 0 and odd):
        return None
    return (x if x % 2 == odd else _P - x), y


def _doubled(point: _Point) -> _Point:
    x, y = point
    product = _D * x * x * y * y
    return 2 * x * y * pow(1 + product, -1, _P) % _P, (y * y + x * x) * pow(1 - product, -1, _P) % _P
