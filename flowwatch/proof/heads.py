"""The daily head: how far every chain was at the end of a day, signed, to be kept where who can write the files cannot.

A chain alone does not show that its end is missing, nor that it was made anew from some place on. A head does: whoever keeps one can say later which
entry stood in which place, and every chain that was not tampered with still passes through it. Heads are a chain themselves, because each names
the hash of the one before: one that was left out or replaced shows, too.

What is signed is the line `DOMAIN` and the head without its signature as canonical JSON on one line, so that any tool can check it (docs/proof.md).
Everything here is a function of what is given; `audit.py` reads files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from flowwatch.approval import keys
from flowwatch.core.entries import canonical

DOMAIN: Final = "flowwatch: the heads of the chains of an installation at the end of a day, form 1"
"""The first line of what is signed: no signature for another purpose, or of another form, is one of a head."""
FORM: Final = 1
MOST_BYTES: Final = 64 << 20
"""No head is larger: 200 bytes a chain, 10,000 sites in two files."""


class HeadError(Exception):
    """A file is no head; the text says which, what was found and what was expected."""


class BrokenError(HeadError):
    """Nothing is signed, because what would be signed does not follow from what was."""


class ChainHead(Struct, frozen=True, kw_only=True):
    """Where a chain was: `seq` and `hash` (hex) of its last entry; it began behind entry `begins`; `entries`: how many of that day."""

    begins: int
    seq: int
    hash: str
    entries: int


class DayOfMinutes(Struct, frozen=True, kw_only=True):
    """A site's minute estimates of the day, up to the last that was there: how many, and the digest of their bodies, chained from 32 zero bytes."""

    count: int
    last_us: int
    digest: str


class FileHead(Struct, frozen=True, kw_only=True):
    """One file of chains."""

    chains: dict[str, ChainHead]
    estimates: dict[str, DayOfMinutes] = msgspec.field(default_factory=dict)


class Head(Struct, frozen=True, kw_only=True):
    """The head of one day: since_us <= at < until_us is the day `day` in `zone`.

    `previous`: the SHA-256 of the file of the head before this one, None for the first. `files`: "journal", and "handling" where there is a book.
    """

    form: int
    installation: str
    day: str
    zone: str
    since_us: int
    until_us: int
    signed_us: int
    previous: str | None
    files: dict[str, FileHead]
    key: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A head as a file holds it. `hash`: what the next one names."""

    name: str
    head: Head
    hash: str
    exact: bool
    """Whether the file is written as flowwatch writes it."""


def day_of(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """(since, until) of a day in a zone, microseconds UTC.

    >>> since, until = day_of(date(2026, 10, 1), ZoneInfo("Asia/Shanghai"))
    >>> since, (until - since) // 3_600_000_000
    (1790784000000000, 24)
    """
    start, end = (round(datetime.combine(d, time(), zone).timestamp()) * 1_000_000 for d in (day, day + timedelta(days=1)))
    return start, end


def sign(head: Head, key: keys.PrivateKey) -> Head:
    """The head with the signature of `key`, which it names."""
    named = msgspec.structs.replace(head, key=keys.public(key), signature="")
    return msgspec.structs.replace(named, signature=keys.sign(key, statement(named)))


def statement(head: Head) -> bytes:
    """What is signed."""
    plain = msgspec.to_builtins(head)
    del plain["signature"]
    return DOMAIN.encode() + b"\n" + canonical(plain) + b"\n"


def written(head: Head) -> bytes:
    """The head as it stands in its file: canonical JSON on one line."""
    return canonical(msgspec.to_builtins(head)) + b"\n"


def kept(data: bytes, name: str) -> Kept:
    """The head in a file. Raises `HeadError`."""
    try:
        plain: dict[str, Any] = json.loads(data)
        head = msgspec.convert(plain, Head)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise HeadError(f"{name}: found no head ({error}), expected one as `flowwatch audit head` writes it") from error
    if head.form != FORM:
        raise HeadError(f"{name}: found a head of form {head.form}, expected form {FORM}; a later flowwatch wrote it, use that one")
    return Kept(name, head, hashlib.sha256(data).hexdigest(), data == written(head))


def read(path: Path) -> Kept:
    """The head in the file at `path`. Raises `HeadError`, `OSError`."""
    with path.open("rb") as file:
        return kept(file.read(MOST_BYTES), str(path))


def unsigned(found: Kept, key: str | None) -> str | None:
    """Why a head is not signed by the owner of the public `key` (None: of the key that it names); None where it is."""
    head = found.head
    if key is not None and head.key != key:
        return f"signed with the key {head.key}, expected {key}"
    if not found.exact or not keys.verify(head.key, head.signature, statement(head)):
        return "its signature is not that of what it says: it was changed"
    return None


def unchained(heads: list[Kept]) -> dict[str, str]:
    """Name of a head -> what is wrong between it and the one before it, of heads in the order of their days."""
    faults: dict[str, str] = {}
    for before, after in pairwise(heads):
        if after.head.installation != before.head.installation:
            faults[after.name] = f'is of the installation "{after.head.installation}", the one before of "{before.head.installation}"'
        elif after.head.day == before.head.day:
            faults[after.name] = f"is of the same day as {before.name} and another one"
        elif after.head.previous is None:
            faults[after.name] = f"names no head before it, expected that of {before.head.day}"
        elif _next_day(before.head.day) == after.head.day and after.head.previous != before.hash:
            faults[after.name] = f"follows from another head of {before.head.day} than {before.name}"
    return faults


def _next_day(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def named(chains: Mapping[str, ChainHead]) -> str:
    """How many chains and entries, for people."""
    return f"{len(chains)} chains, {sum(chain.seq - chain.begins for chain in chains.values()):,} entries"
