"""Frames: the self-checking pieces that the log's files are made of, and what a broken one means.

A file is a *title* frame (JSON: what the file is) and then frames of rows, each

    magic     4 bytes    f1 57 46 01
    length    u32        bytes of payload, a multiple of 8
    checksum  u64        xxh3-64 of everything that follows, seeded with the file's salt
    rows      u32        rows in the payload; 0 in the title
    flags     u32        see `Flag`
    first     u64        offset of the first row
    tick      i64        the partition's last tick at the end of this frame
    group     u64        offset of the first row of the commit that the frame belongs to
    payload              an Arrow record batch message, `schema.encode`

all little-endian and aligned to 8 bytes. The salt is a random number in the title (whose own seed is 0), so that neither a frame of another
file nor one that somebody sent us inside a reading can pass for one of ours.

**Torn or damaged?** A commit's frames are synced together, and the next commit begins only after that. So where a frame is not whole, and
a whole frame of a *later* commit follows, accepted rows were damaged; with none following, the last commit was cut short and nobody was
told that its rows are safe. Only the second may be cut off.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from enum import IntFlag
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

import msgspec
import xxhash

from flowwatch.log.disk import storage
from flowwatch.log.errors import LogDamaged, LogError
from flowwatch.log.settings import FORMAT

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MAGIC: Final = b"\xf1WF\x01"
_START: Final = struct.Struct("<4sIQ")
_SEALED: Final = struct.Struct("<IIQqQ")
HEAD_BYTES: Final = _START.size + _SEALED.size
_ALIGNMENT: Final = 8
_SEARCH_BYTES: Final = 16 << 20
MOST_BYTES: Final = 64 << 20
"""No payload is longer; a head that says so is none."""

_BACKUP: Final = "the bytes that were written; put this file back from a backup (`flowwatch doctor` lists every damaged file)"


class Flag(IntFlag):
    """What a frame holds besides readings. The numbers are on disk and never change."""

    TITLE = 1
    DOCUMENTS = 2
    """At least one DOCUMENT row: whoever rebuilds the names must read it."""


class Title(msgspec.Struct, frozen=True, kw_only=True):
    """What every title says: the format's number and the salt of the file's checksums."""

    format: int
    salt: int


class Head(NamedTuple):
    """A frame's head; `size` is the frame's length in the file."""

    rows: int
    flags: int
    first: int
    tick: int
    group: int
    checksum: int
    size: int


class Frame(NamedTuple):
    """A whole frame: its head and its payload, checked."""

    head: Head
    payload: bytes


class Tail(NamedTuple):
    """How far a file is whole: the byte after its last whole frame, the offset after its last row, its last tick."""

    position: int
    end: int
    tick: int


def seal(payload: ReadableBuffer, *, rows: int, flags: int, first: int, tick: int, group: int, salt: int) -> bytes:
    """The head of a frame with that payload, whose length must be a multiple of 8."""
    length = memoryview(payload).nbytes
    assert length % _ALIGNMENT == 0, length
    assert length <= MOST_BYTES, length
    sealed = _SEALED.pack(rows, flags, first, tick, group)
    checksum = xxhash.xxh3_64(sealed, seed=salt)
    checksum.update(payload)
    return _START.pack(MAGIC, length, checksum.intdigest()) + sealed


def title_frame(title: Title, first: int, tick: int) -> bytes:
    """The frame that a file with this title opens with."""
    text = msgspec.json.encode(title)
    text += b" " * (-len(text) % _ALIGNMENT)
    return seal(text, rows=0, flags=Flag.TITLE, first=first, tick=tick, group=first, salt=0) + text


T = TypeVar("T", bound=Title)


class FrameFile(Generic[T]):
    """The read side of one file of frames; every frame it gives is whole and checked.

    Raises `LogDamaged` for a title that is not whole, `LogError` for one of another format, `DiskRefused`.
    """

    def __init__(self, path: Path, title: type[T]) -> None:
        self.path = path
        with storage(path):
            self._fd = os.open(path, os.O_RDONLY)
        self._salt = 0
        try:
            frame = self._title_frame()
            self.title: T = self._decoded(frame, title)
        except LogError:
            self.close()
            raise
        self._salt = self.title.salt
        self.start = Tail(frame.head.size, frame.head.first, frame.head.tick)
        """The place after the title."""

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def size(self) -> int:
        """Bytes in the file now."""
        with storage(self.path):
            return os.fstat(self._fd).st_size

    def head(self, position: int) -> Head | None:
        """The head at that byte, *unchecked*, or None where there is none."""
        read = self._head(position)
        return read[0] if read else None

    def frame(self, position: int) -> Frame | None:
        """The frame at that byte, or None where there is no whole one."""
        read = self._head(position)
        if read is None:
            return None
        head, sealed = read
        with storage(self.path):
            payload = os.pread(self._fd, head.size - HEAD_BYTES, position + HEAD_BYTES)
        checksum = xxhash.xxh3_64(sealed, seed=self._salt)
        checksum.update(payload)
        if len(payload) != head.size - HEAD_BYTES or checksum.intdigest() != head.checksum:
            return None
        return Frame(head, payload)

    def scan(self, since: Tail, visit: Callable[[Frame], None] | None = None) -> Tail:
        """Read every whole frame from `since` on, show each to `visit`, and say where the whole ones end."""
        position, end, tick = since
        while (frame := self.frame(position)) is not None and frame.head.first == end and frame.head.rows:
            if visit is not None:
                visit(frame)
            position += frame.head.size
            end += frame.head.rows
            tick = frame.head.tick
        return Tail(position, end, tick)

    def judge(self, tail: Tail, accepted: int) -> bool:
        """Whether what follows `tail` is a torn commit (True) or nothing at all (False).

        `accepted`: an offset before which all rows are known to have been accepted. Raises `LogDamaged` for anything else.
        """
        if tail.end < accepted:
            raise LogDamaged(self.path, tail.position, f"rows {tail.end} to {accepted - 1} were accepted and are gone or altered", _BACKUP)
        if tail.position == self.size():
            return False
        later = self._later_commit(tail)
        if later is not None:
            what = f"damaged frame; rows {tail.end} to {later[1].first - 1} cannot be read, whole frames go on at byte {later[0]}"
            raise LogDamaged(self.path, tail.position, what, _BACKUP)
        return True

    def _title_frame(self) -> Frame:
        frame = self.frame(0)
        if frame is None or not frame.head.flags & Flag.TITLE:
            raise LogDamaged(self.path, 0, "no whole title frame", "a file made by flowwatch, as it was written")
        return frame

    def _decoded(self, frame: Frame, title: type[T]) -> T:
        try:
            number = msgspec.json.decode(frame.payload, type=Title).format
            if number != FORMAT:
                raise LogError(self.path, f"format {number}", f"format {FORMAT}; another version of flowwatch wrote this file")
            return msgspec.json.decode(frame.payload, type=title)
        except msgspec.MsgspecError as error:
            raise LogDamaged(self.path, 0, f"title unreadable: {error}", f"the fields of format {FORMAT}") from error

    def _head(self, position: int) -> tuple[Head, bytes] | None:
        with storage(self.path):
            data = os.pread(self._fd, HEAD_BYTES, position)
        if len(data) < HEAD_BYTES or not data.startswith(MAGIC):
            return None
        _, length, checksum = _START.unpack_from(data)
        if length > MOST_BYTES:
            return None
        sealed = data[_START.size :]
        rows, flags, first, tick, group = _SEALED.unpack(sealed)
        return Head(rows, flags, first, tick, group, checksum, HEAD_BYTES + length), sealed

    def _later_commit(self, tail: Tail) -> tuple[int, Head] | None:
        """The first whole frame after the place that belongs to a later commit than the rows missing there."""
        size = self.size()
        position = tail.position + _ALIGNMENT
        while position < size:
            with storage(self.path):
                data = os.pread(self._fd, _SEARCH_BYTES, position)
            at = data.find(MAGIC)
            while at >= 0:
                head = self.head(position + at) if at % _ALIGNMENT == 0 else None
                if head and head.group > tail.end and position + at + head.size <= size and self.frame(position + at):
                    return position + at, head
                at = data.find(MAGIC, at + 1)
            position += _SEARCH_BYTES
        return None
