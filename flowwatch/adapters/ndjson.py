"""flowwatch's own reading format, one JSON object a line, decoded to columns.

    {"counter": "yuyuan/turnstile-1", "at": "2026-10-01T09:00:00+08:00", "in": 12, "out": 3}

Decides what is a reading and what is refused; `docs/readings.md` is the format in prose, `schemas/reading.schema.json` in JSON Schema. A
line is read or refused by itself: nothing in it has any effect on its neighbours. Lines of nothing but blanks are no lines. Knows no site,
no clock and no log; which counters exist, and whether a count is possible, is for others.

Speed comes from doing the same thing to many lines at once. A block of lines is decoded by one call, into structs that have only the fields
which the block before had (`Shape`): a field that such a struct does not know fails the block, which is then decoded with all fields, and
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
from msgspec import Meta

from flowwatch.adapters.batch import Batch, Refusal, unstamped
from flowwatch.adapters.lines import Lines, Stream
from flowwatch.adapters.times import column
from flowwatch.core.readings import ABSENT, Ints, Kind, Reason

MOST: Final = 10**15
"""No count is larger, either way: a thousandth of what 64 bits hold, so that arithmetic in 1/1000 person never overflows."""
DECLARED_IDS: Final = 2**62
"""Sequence numbers are below it; a declared identity becomes a number from here on, so the two are never confused."""

_Count = Annotated[int, Meta(ge=-MOST, le=MOST)]
_Seq = Annotated[int, Meta(ge=0, lt=DECLARED_IDS)]
_NEWLINE, _CLOSE = b"\n}"
_BLANKS: Final = b" \t\r"


class Reading(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, rename={"ingress": "in", "egress": "out"}):
    """What one counter reported at one time. Figures of one kind: (in, out), (in_total, out_total) or inside; one of a pair is enough."""

    counter: Annotated[str, Meta(description='full name, "<site>/<counter>"')]
    at: Annotated[str, Meta(description="when it was taken: RFC 3339 with an offset, such as 2026-10-01T09:00:00+08:00")]
    ingress: Annotated[_Count, Meta(description="people in since the counter's last message")] = ABSENT
    egress: Annotated[_Count, Meta(description="people out since the counter's last message")] = ABSENT
    in_total: Annotated[_Count, Meta(description="people in since the counter was reset")] = ABSENT
    out_total: Annotated[_Count, Meta(description="people out since the counter was reset")] = ABSENT
    inside: Annotated[_Count, Meta(description="people in view")] = ABSENT
    seq: Annotated[_Seq, Meta(description="the counter's own running number of its messages, below 2^62")] = ABSENT
    id: Annotated[str, Meta(min_length=1, description="any other text that no other message of the counter has; not beside seq")] = ""


class Shape:
    """A decoder of lines that use no fields but these, as structs with the attributes counter, at, first, second and seq."""

    def __init__(self, kind: Kind, figures: tuple[str, ...], *, sequenced: bool) -> None:
        names = dict(zip(("first", "second"), figures, strict=False)) | ({"seq": "seq"} if sequenced else {})
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [("counter", str), ("at", str)]
        fields += [(place, _Seq if place == "seq" else _Count, ABSENT) for place in names]
        line = msgspec.defstruct("Line", fields, rename=names, gc=False, frozen=True, forbid_unknown_fields=True)
        self._kind = kind
        self._sequenced = sequenced
        self._decode = msgspec.json.Decoder(line).decode_lines

    def batch(self, block: bytes) -> Batch | None:
        """The block as a batch of readings, or None where a line in it has another shape or is no reading."""
        try:
            rows: list[Any] = self._decode(block)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        passers, n = self._kind is not Kind.ABSOLUTE, len(rows)
        names, texts = [row.counter for row in rows], [row.at for row in rows]
        absent = np.full(n, ABSENT, np.int64)
        first = _ints([row.first for row in rows])
        second = _ints([row.second for row in rows]) if passers else absent
        seq = _ints([row.seq for row in rows]) if self._sequenced else absent
        del rows
        at = column(texts)
        if not _one_a_line(block, n) or (at == ABSENT).any() or ((first == ABSENT) & (second == ABSENT)).any():
            return None
        ingress, egress, headcount = (first, second, absent) if passers else (absent, absent, first)
        return Batch(unstamped(names, np.full(n, self._kind, np.uint8), at, ingress, egress, headcount, Lines(block).raw, seq))


FIGURES: Final = {Kind.DELTA: ("in", "out"), Kind.CUMULATIVE: ("in_total", "out_total"), Kind.ABSOLUTE: ("inside",)}
"""The fields that hold the figures of each kind."""
SHAPES: Final = {(kind, seq): Shape(kind, figures, sequenced=seq) for kind, figures in FIGURES.items() for seq in (False, True)}
_ALL: Final = msgspec.json.Decoder(Reading)


class Codec:
    """Turns blocks of whole lines into batches; what it remembers of the block before is a matter of speed only."""

    def __init__(self) -> None:
        self._shape: Shape | None = SHAPES[Kind.DELTA, False]

    def batch(self, block: bytes) -> Batch:
        """The lines of `block` as readings and refusals: any bytes, the last line's newline may be missing. Never raises."""
        if not block.endswith(b"\n"):
            block += b"\n"
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        batch = None if self._shape is None else self._shape.batch(block)
        if batch is None:
            batch = _parsed(block)
            self._shape = _shape_of(batch)
        return batch


def _shape_of(batch: Batch) -> Shape | None:
    """The shape of all readings of a batch, if they have one."""
    kind, seq = batch.readings.kind, batch.readings.seq
    if not len(kind) or (kind != kind[0]).any() or (seq >= DECLARED_IDS).any():
        return None
    return SHAPES[Kind(int(kind[0])), bool((seq != ABSENT).any())]


def batches(stream: Stream) -> Iterator[Batch | None]:
    """The lines of a source; None when a live one pauses. Raises `SourceError` where it cannot be read."""
    codec = Codec()
    for block in stream.blocks():
        yield codec.batch(block) if block else None


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


def _parsed(block: bytes) -> Batch:
    lines = [line for line in block.split(b"\n") if line.strip(_BLANKS)]
    rows: list[Reading | None] = []
    _decode([line.strip(_BLANKS) for line in lines], rows)
    read = [row for row in rows if row is not None]
    at = column([row.at for row in read])
    ingress, egress = _ints([row.ingress for row in read]), _ints([row.egress for row in read])
    in_total, out_total = _ints([row.in_total for row in read]), _ints([row.out_total for row in read])
    inside, seq = _ints([row.inside for row in read]), _ints([row.seq for row in read])
    declared = np.array([row.id != "" for row in read], np.bool_)
    delta, total = (ingress != ABSENT) | (egress != ABSENT), (in_total != ABSENT) | (out_total != ABSENT)
    groups = delta.astype(np.uint8) + total + (inside != ABSENT)
    good = (at != ABSENT) & (groups == 1) & ~((seq != ABSENT) & declared)
    for i in np.flatnonzero(good & declared).tolist():
        seq[i] = identity(read[i].id)

    place = np.flatnonzero(np.array([row is not None for row in rows], np.bool_))
    kept = np.zeros(len(lines), np.bool_)
    kept[place[good]] = True
    empty = set(place[(at != ABSENT) & (groups == 0)].tolist())
    before = np.cumsum(kept)
    refused = [
        Refusal(int(before[i]), lines[i], Reason.MISSING_COUNT if i in empty else Reason.UNREADABLE) for i in np.flatnonzero(~kept).tolist()
    ]
    used = np.flatnonzero(good).tolist()
    used_lines = [lines[i] for i in place[good].tolist()]
    readings = unstamped(
        [read[i].counter for i in used],
        np.where(delta, Kind.DELTA, np.where(total, Kind.CUMULATIVE, Kind.ABSOLUTE)).astype(np.uint8)[good],
        at[good],
        np.where(total, in_total, ingress)[good],
        np.where(total, out_total, egress)[good],
        inside[good],
        used_lines.__getitem__,
        seq[good],
    )
    return Batch(readings, refused)


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
