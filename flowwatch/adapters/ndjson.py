"""flowwatch's own reading format, one JSON object a line, decoded to columns.

    {"counter": "yuyuan/turnstile-1", "at": "2026-10-01T09:00:00+08:00", "in": 12, "out": 3}

Decides what is a reading and what is refused; `docs/readings.md` is the format in prose, `schemas/reading.schema.json` in JSON Schema. A
line is read or refused by itself: nothing in it has any effect on its neighbours. Lines of nothing but blanks are no lines. Knows no site,
no clock and no log; which counters exist, and whether a count is possible, is for others.

Speed comes from doing the same thing to many lines at once. A block of lines is decoded by one call, into structs that have only the fields
which the block before had (`SHAPES`): a field that such a struct does not know fails the block, which is then decoded with all fields, and
if that fails too, half by half down to the lines at fault. So every path accepts the same lines, and only the speed differs.

The decoder cares for JSON, not for lines. A block whose every line ends with "}" and that has as many objects as lines has one object a
line: a raw newline cannot stand in a JSON string, and a reading has no objects in it, so that "}" closes the line's object.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Annotated, Any, Final

import msgspec
import numpy as np

from flowwatch.adapters.batch import Batch, Refusal, unstamped
from flowwatch.adapters.lines import Stream
from flowwatch.adapters.times import column
from flowwatch.core.readings import ABSENT, Ints, Kind, Reason

MOST: Final = 10**15
"""No count is larger, either way: a thousandth of what 64 bits hold, so that arithmetic in 1/1000 person never overflows."""
DECLARED_IDS: Final = 2**62
"""Sequence numbers are below it; a declared identity becomes a number from here on, so the two are never confused."""

_Count = Annotated[int, msgspec.Meta(ge=-MOST, le=MOST)]
_Seq = Annotated[int, msgspec.Meta(ge=0, lt=DECLARED_IDS)]
_NEWLINE, _CLOSE = b"\n}"
_BLANKS: Final = b" \t\r"


class Reading(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, rename={"ingress": "in", "egress": "out"}):
    """One line, all fields. Exactly one of the groups (in, out), (in_total, out_total), (inside) is used; seq and id exclude each other."""

    counter: str
    at: str
    ingress: _Count = ABSENT
    egress: _Count = ABSENT
    in_total: _Count = ABSENT
    out_total: _Count = ABSENT
    inside: _Count = ABSENT
    seq: _Seq = ABSENT
    id: str | None = None


class Shape:
    """A decoder of lines that use no fields but these, as structs with the attributes counter, at, first, second and seq."""

    def __init__(self, kind: Kind, fields: tuple[str, ...]) -> None:
        places = ("first", "seq") if kind is Kind.ABSOLUTE else ("first", "second", "seq")
        names = dict(zip(places, fields, strict=False))
        types = [(place, _Seq if place == "seq" else _Count, ABSENT) for place in names]
        line = msgspec.defstruct(
            "Line", [("counter", str), ("at", str), *types], rename=names, gc=False, frozen=True, forbid_unknown_fields=True
        )
        self.kind = kind
        self.sequenced = "seq" in names
        self.decode = msgspec.json.Decoder(line).decode_lines

    def columns(self, block: bytes) -> Batch | None:
        """The block as a batch of readings, or None where a line in it has another shape or is no reading."""
        try:
            rows: list[Any] = self.decode(block)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        names, times, first = [row.counter for row in rows], [row.at for row in rows], [row.first for row in rows]
        flow, n = self.kind is not Kind.ABSOLUTE, len(rows)
        absent = np.full(n, ABSENT, np.int64)
        one = _ints(first)
        two = _ints([row.second for row in rows]) if flow else absent
        seq = _ints([row.seq for row in rows]) if self.sequenced else absent
        del rows
        at = column(times)
        if not _one_a_line(block, n) or (at == ABSENT).any() or ((one == ABSENT) & (two == ABSENT)).any():
            return None
        kind, raw = np.full(n, self.kind, np.uint8), Lines(block).raw
        if flow:
            return Batch(unstamped(names, kind, at, one, two, absent, raw, seq))
        return Batch(unstamped(names, kind, at, absent, absent, one, raw, seq))


_GROUPS: Final = ((Kind.DELTA, ("in", "out")), (Kind.CUMULATIVE, ("in_total", "out_total")), (Kind.ABSOLUTE, ("inside",)))
SHAPES: Final = {(kind, sequenced): Shape(kind, (*fields, *["seq"][: int(sequenced)])) for kind, fields in _GROUPS for sequenced in (False, True)}
_ALL: Final = msgspec.json.Decoder(Reading)


class Codec:
    """Turns blocks of whole lines into batches; remembers the shape of the last block, which is a matter of speed only."""

    def __init__(self) -> None:
        self._shape: Shape | None = SHAPES[Kind.DELTA, False]

    def batch(self, block: bytes) -> Batch:
        """The lines of `block` (any bytes; lines end with a newline, of the last one it may be missing) as readings and refusals. Never raises."""
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        if not block.endswith(b"\n"):
            block += b"\n"
        made = self._shape.columns(block) if self._shape else None
        if made is not None:
            return made
        made, self._shape = _any_shape(block)
        return made


def batches(stream: Stream) -> Iterator[Batch | None]:
    """The lines of a source; None when a live one pauses. Raises `SourceError` where it cannot be read."""
    codec = Codec()
    for block in stream.blocks():
        yield codec.batch(block) if block else None


class Lines:
    """The lines of a block by number, found when first asked for."""

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._ends: list[int] = []

    def raw(self, i: int) -> bytes:
        """Line `i` without its newline."""
        if not self._ends:
            self._ends = np.flatnonzero(np.frombuffer(self._block, np.uint8) == _NEWLINE).tolist()
        return self._block[self._ends[i - 1] + 1 if i else 0 : self._ends[i]]


def identity(declared: str) -> int:
    """The sequence number that stands for a declared identity: 62 bits of BLAKE2b of its UTF-8 bytes, plus `DECLARED_IDS`.

    >>> identity("card-17") == identity("card-17") >= DECLARED_IDS
    True
    """
    digest = blake2b(declared.encode(), digest_size=8).digest()
    return DECLARED_IDS | (int.from_bytes(digest, "little") >> 2)


def _ints(values: list[int]) -> Ints:
    """A column of integers. Most counts are below 256, and then they are bytes, three times as fast."""
    try:
        return np.frombuffer(bytes(values), np.uint8).astype(np.int64)
    except ValueError:
        return np.array(values, np.int64)


def _one_a_line(block: bytes, objects: int) -> bool:
    flat = np.frombuffer(block, np.uint8)
    newlines = flat == _NEWLINE
    closed = newlines[1:] & (flat[:-1] == _CLOSE)
    return objects == int(np.count_nonzero(newlines)) == int(np.count_nonzero(closed))


def _any_shape(block: bytes) -> tuple[Batch, Shape | None]:
    """The block as a batch, and the shape that its readings have, if all have one."""
    lines = [line for line in block.split(b"\n") if line.strip(_BLANKS)]
    rows: list[Reading | None] = []
    _decode([line.strip(_BLANKS) for line in lines], rows)
    read = [row for row in rows if row is not None]
    at = column([row.at for row in read])
    ingress, egress = _ints([row.ingress for row in read]), _ints([row.egress for row in read])
    in_total, out_total = _ints([row.in_total for row in read]), _ints([row.out_total for row in read])
    inside, seq = _ints([row.inside for row in read]), _ints([row.seq for row in read])
    declared = np.array([row.id is not None for row in read], np.bool_)
    delta, total, absolute = (ingress != ABSENT) | (egress != ABSENT), (in_total != ABSENT) | (out_total != ABSENT), inside != ABSENT
    groups = delta.astype(np.uint8) + total + absolute
    sequenced = seq != ABSENT
    good = (at != ABSENT) & (groups == 1) & ~(sequenced & declared)

    reasons = [Reason.UNREADABLE] * len(lines)
    place = np.flatnonzero(np.array([row is not None for row in rows], np.bool_))
    for i in place[(at != ABSENT) & (groups == 0)].tolist():
        reasons[i] = Reason.MISSING_COUNT
    kept = np.zeros(len(lines), np.bool_)
    kept[place[good]] = True
    before = np.cumsum(kept)
    refused = [Refusal(int(before[i]), lines[i], reasons[i]) for i in np.flatnonzero(~kept).tolist()]

    for i in np.flatnonzero(good & declared).tolist():
        seq[i] = identity(read[i].id or "")
    kind = np.where(delta, Kind.DELTA, np.where(total, Kind.CUMULATIVE, Kind.ABSOLUTE)).astype(np.uint8)[good]
    used = np.flatnonzero(good).tolist()
    kept_lines = [lines[i] for i in place[good].tolist()]
    readings = unstamped(
        [read[i].counter for i in used],
        kind,
        at[good],
        np.where(total, in_total, ingress)[good],
        np.where(total, out_total, egress)[good],
        inside[good],
        kept_lines.__getitem__,
        seq[good],
    )
    alike = len(kind) > 0 and bool((kind == kind[0]).all()) and not declared.any()
    return Batch(readings, refused), SHAPES[Kind(kind[0]), bool(sequenced.any())] if alike else None


def _decode(lines: list[bytes], rows: list[Reading | None]) -> None:
    """Append what each line holds, None for one that is no reading: all together if that works, else one half and then the other."""
    if not lines:
        return
    block = b"\n".join([*lines, b""])
    try:
        read = _ALL.decode_lines(block)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        read = []
    if _one_a_line(block, len(read)):
        rows += read
    elif len(lines) == 1:
        rows.append(None)
    else:
        half = len(lines) // 2
        _decode(lines[:half], rows)
        _decode(lines[half:], rows)
