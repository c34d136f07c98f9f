"""Files and streams as blocks of whole lines, in bounded memory.

Decides where a line ends (at a newline; the last line of a source may do without), how long it may be, and what is unpacked (gzip, told by
its first bytes and not by the name). Knows nothing of what the lines say.

A stream that is live must not keep what has arrived: when nothing more has come for `PAUSE_S`, there is an empty block, which is the moment
to make durable what came before.
"""

from __future__ import annotations

import os
import select
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np

BLOCK: Final = 1 << 19
"""Bytes taken at a time, some 6,000 lines: enough that what is done once a block costs little, and what it becomes stays in the cache."""
LONGEST_LINE: Final = 1 << 20
"""A longer line is cut to this many bytes and ends with `CUT`, which no JSON ends with."""
CUT: Final = "…".encode()
PAUSE_S: Final = 0.01
_NEWLINE: Final = 10
_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"


class SourceError(Exception):
    """A source cannot be read, or not to its end. `where` is its name."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where


class Stream:
    """One source. `name` is for people, `size` its bytes where known, `taken` how many of them were read so far (packed ones, if packed)."""

    def __init__(self, descriptor: int, name: str, size: int | None = None) -> None:
        """Read from an open file descriptor, which stays the caller's to close."""
        self.name = name
        self.size = size
        self.taken = 0
        self._descriptor = descriptor

    def blocks(self) -> Iterator[bytes]:
        """Whole lines, about `BLOCK` bytes at a time, every block ending with a newline; an empty block when a live source pauses.

        Raises `SourceError`, after everything that could be read.
        """
        return whole_lines(self._unpacked())

    def _pieces(self) -> Iterator[bytes]:
        while True:
            if not select.select([self._descriptor], [], [], PAUSE_S)[0]:
                yield b""
                select.select([self._descriptor], [], [])
            try:
                piece = os.read(self._descriptor, BLOCK)
            except OSError as error:
                raise SourceError(self.name, f"cannot be read: {error.strerror}") from error
            if not piece:
                return
            self.taken += len(piece)
            yield piece

    def _unpacked(self) -> Iterator[bytes]:
        pieces = self._pieces()
        head = b""
        for piece in pieces:
            head += piece
            if len(head) >= len(_BOM):
                break
        if head.startswith(_GZIP):
            pieces = self._gunzipped(chain([head], pieces))
            head = next(pieces, b"")
        yield head.removeprefix(_BOM)
        yield from pieces

    def _gunzipped(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        unpacker = None
        try:
            for piece in pieces:
                packed, full = piece, False
                while packed or full:
                    unpacker = unpacker or zlib.decompressobj(wbits=31)
                    plain = unpacker.decompress(packed, BLOCK)
                    packed, full = unpacker.unconsumed_tail, len(plain) == BLOCK and not unpacker.eof
                    if plain:
                        yield plain
                    if unpacker.eof:
                        packed, unpacker = unpacker.unused_data.lstrip(b"\0"), None
        except zlib.error as error:
            raise SourceError(self.name, f"damaged gzip data before byte {self.taken}: {error}") from error
        if unpacker is not None:
            raise SourceError(self.name, f"the gzip data breaks off at byte {self.taken}; is the file complete?")


@contextmanager
def opened(path: Path | str) -> Iterator[Stream]:
    """A file as a stream. Raises `SourceError` where it cannot be opened."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise SourceError(str(path), f"cannot be opened: {error.strerror}") from error
    try:
        yield Stream(descriptor, str(path), os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


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


def whole_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces of bytes, none longer than `BLOCK`, as blocks of whole lines; empty pieces, which mark a pause, pass through."""
    line = _Line()
    failed: SourceError | None = None
    while True:
        try:
            piece = next(pieces, None)
        except SourceError as error:
            failed, piece = error, None
        if piece is None:
            break
        end = piece.rfind(b"\n") + 1
        if end:
            yield line.ended(piece, end)
        if piece[end:]:
            line.add(piece[end:])
        elif not piece:
            yield b""
    if line.length:
        yield line.ended()
    if failed is not None:
        raise failed


class _Line:
    """A line whose end has not come yet."""

    def __init__(self) -> None:
        self.length = 0
        self._parts: list[bytes] = []

    def add(self, part: bytes) -> None:
        """Go on with `part`; what is beyond the longest line is not kept."""
        if self.length <= LONGEST_LINE:
            self._parts.append(part)
        self.length += len(part)

    def ended(self, piece: bytes = b"\n", end: int = 1) -> bytes:
        """The line, which ends in `piece`, and all of the piece up to `end`; the next line begins. A line that is too long is cut."""
        parts, length = self._parts, self.length
        self._parts, self.length = [], 0
        rest = piece.find(b"\n")
        if length + rest <= LONGEST_LINE:
            return b"".join([*parts, memoryview(piece)[:end]])
        return b"".join([*parts, piece[:rest]])[:LONGEST_LINE] + CUT + piece[rest:end]
