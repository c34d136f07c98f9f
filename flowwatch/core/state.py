"""A checkpoint's bytes: nested dictionaries and lists of plain values and numpy arrays, as one self-checking container.

    magic (8 bytes) | sha256 of all that follows | length of the manifest (u64, little-endian) | manifest (JSON) | arrays, back to back

No pickle: reading a checkpoint can never run code. In the manifest an array stands as {"@": [offset, dtype, shape]}.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any, Final

import numpy as np

MAGIC: Final = b"FWSTATE1"
_HEAD: Final = struct.Struct("<8s32s")
_DTYPES: Final = {"|b1", "|u1", "<i4", "<i8", "<f8"}


class StateError(ValueError):
    """The bytes are no whole checkpoint."""


def pack(state: Any) -> bytes:
    """`state` as the body of a container: everything is copied, so that the state may move on. `seal` makes it whole.

    Dictionary keys must be strings; tuples come back as lists.
    """
    arrays: list[bytes] = []
    size = 0

    def plain(value: Any) -> Any:
        nonlocal size
        if isinstance(value, np.ndarray):
            if value.dtype.str not in _DTYPES:
                raise TypeError(f"an array of {value.dtype} has no place in a checkpoint")
            data = np.ascontiguousarray(value).tobytes()
            arrays.append(data)
            size += len(data)
            return {"@": [size - len(data), value.dtype.str, list(value.shape)]}
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        return [plain(v) for v in value] if isinstance(value, list | tuple) else value

    manifest = json.dumps(plain(state), separators=(",", ":"), allow_nan=False).encode()
    return b"".join([struct.pack("<Q", len(manifest)), manifest, *arrays])


def seal(body: bytes) -> bytes:
    """A packed body with its head: what `load` reads."""
    return _HEAD.pack(MAGIC, hashlib.sha256(body).digest()) + body


def dump(state: Any) -> bytes:
    """`state` as a whole container."""
    return seal(pack(state))


def load(data: bytes) -> Any:
    """What `dump` wrote; arrays are fresh and writable. Raises `StateError` when the bytes are damaged."""
    if len(data) < _HEAD.size + 8:
        raise StateError("shorter than a checkpoint's head")
    magic, digest = _HEAD.unpack_from(data)
    body = memoryview(data)[_HEAD.size :]
    if magic != MAGIC:
        raise StateError(f"starts with {magic!r}, expected {MAGIC!r}")
    if hashlib.sha256(body).digest() != digest:
        raise StateError("its checksum does not fit its bytes")
    (length,) = struct.unpack_from("<Q", body)
    arrays = body[8 + length :]

    def full(value: Any) -> Any:
        if isinstance(value, dict):
            if "@" in value:
                offset, dtype, shape = value["@"]
                count = int(np.prod(shape, dtype=np.int64))
                return np.frombuffer(arrays, dtype, count, offset).reshape(shape).copy() if count else np.zeros(shape, dtype)
            return {k: full(v) for k, v in value.items()}
        return [full(v) for v in value] if isinstance(value, list) else value

    return full(json.loads(bytes(body[8 : 8 + length])))
