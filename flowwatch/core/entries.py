"""What the engine says: journal entries and minute estimates. Their bodies are functions of the log prefix and of nothing else.

An entry belongs to a *chain*: a site's own, or a partition's (named "@" and the partition's name) for what belongs to no site. Within its
chain it has a sequence number (1, 2, ...) and the hash

    hash(n) = sha256( hash(n-1) || kind(n) || " " || at(n) || " " || body(n) ),   hash(0) = 32 zero bytes

so that a missing, altered or re-ordered entry shows. Its id is "<chain>-<seq>".
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

GENESIS: Final = bytes(32)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


class EntryKind(StrEnum):
    """What a journal entry tells. The last two stand in the record of handling (`flowwatch.handling`), which is a journal beside the engine's."""

    TRANSITION = "transition"
    COMMAND = "command"
    DEVICE = "device"
    TASK = "task"
    INCIDENT = "incident"
    ACTION = "action"
    DOCUMENT = "document"
    REFUSALS = "refusals"
    ENGINE = "engine"
    ALERT = "alert"
    HANDLING = "handling"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the journal: `body` is canonical JSON (sorted keys, no spaces, UTF-8) and `hash` its link in the chain."""

    chain: str
    seq: int
    kind: EntryKind
    at: int
    body: bytes
    hash: bytes

    @property
    def id(self) -> str:
        """The entry's name for people and machines: "<chain>-<seq>"."""
        return f"{self.chain}-{self.seq}"


@dataclass(frozen=True, slots=True)
class Estimate:
    """One site's minute: `body` is canonical JSON {"zones": {zone: {...}}, "stage": ...}; `at` the tick (microseconds) that closed it."""

    site: str
    at: int
    body: bytes


def canonical(body: dict[str, Any]) -> bytes:
    """`body` as the bytes that are hashed and stored: sorted keys, no spaces, UTF-8."""
    return _ENCODER.encode(body).encode()


def read_object(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`, one that `canonical` can write again; raises ValueError for anything else, however deep or odd."""
    try:
        found = json.loads(data)
        canonical(found)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("expected an object")  # noqa: TRY004 - bad bytes, not a wrong call
    return found


def link(previous: bytes, kind: str, at: int, body: bytes) -> bytes:
    """The hash of an entry of `kind` at tick `at` with `body`, after one whose hash is `previous`."""
    return hashlib.sha256(previous + f"{kind} {at} ".encode() + body).digest()


def digest(previous: bytes, estimate: bytes) -> bytes:
    """The running digest of a site's minute estimates after one more, whose body is `estimate`."""
    return hashlib.sha256(previous + estimate).digest()
