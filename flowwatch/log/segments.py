"""Segments: the files of one partition, each named by the offset of its first row, and the file that is being written.

A segment begins right after a tick, so that a checkpoint taken there (`<offset>.ckpt`, the engine's, opaque here) is a state between two
ticks. Its title repeats what a reader of the rest could not know: the names of the counter codes, the newest version of each site's
document, the last tick. A new segment appears whole under its name or not at all, and only after the one before it is on the disk.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flowwatch.log.disk import TEMPORARY, replace_file, storage, write_all
from flowwatch.log.errors import LogDamaged
from flowwatch.log.frames import FrameFile, Title, title_frame
from flowwatch.log.settings import FORMAT

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class SegmentTitle(Title, frozen=True, kw_only=True):
    """What a segment opens with; `first`: offset of its first row; `names`: counters in the order of their codes.

    `documents`: site -> version of its newest document before this segment; `last_tick_us`: the last tick before it, `ABSENT` for none.
    """

    partition: str
    first: int
    last_tick_us: int
    names: list[str]
    documents: dict[str, str]
    created: str


class Segment(FrameFile[SegmentTitle]):
    """The read side of a segment."""

    def __init__(self, folder: Path, first: int) -> None:
        super().__init__(segment_file(folder, first), SegmentTitle)
        if (self.title.partition, self.title.first) != (folder.name, first):
            self.close()
            found = f"the title names partition {self.title.partition} and row {self.title.first}"
            raise LogDamaged(self.path, 0, found, f"partition {folder.name} and row {first}, as the file is named")


def segment_file(folder: Path, first: int) -> Path:
    """The segment of a partition's folder whose first row has that offset."""
    return folder / f"{first:020d}.seg"


def checkpoint_file(folder: Path, offset: int) -> Path:
    """The engine's checkpoint after `offset` rows of the partition with that folder."""
    return folder / f"{offset:020d}.ckpt"


def offsets(folder: Path, suffix: str) -> list[int]:
    """The offsets that the folder's files of that kind (".seg" or ".ckpt") are named by, ascending."""
    with storage(folder), os.scandir(folder) as entries:
        names = [entry.name.removesuffix(suffix) for entry in entries if entry.name.endswith(suffix)]
    return sorted(int(name) for name in names if len(name) == 20 and name.isdigit())


def drop_unfinished(folder: Path) -> None:
    """Delete what a crash left half-written under a temporary name."""
    with storage(folder):
        for path in folder.glob(f"*.seg{TEMPORARY}"):
            path.unlink(missing_ok=True)


class SegmentWriter:
    """The write side of a partition's newest segment. `size`: bytes in it, synced or not. Every method raises `DiskRefused`."""

    def __init__(self, path: Path, salt: int, size: int) -> None:
        """Go on writing the segment at `path` after its first `size` bytes; what follows them is cut off, and the file synced."""
        self.path = path
        self.salt = salt
        self.size = size
        self._safe = size
        with storage(path):
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND)
            try:
                if os.fstat(self._fd).st_size > size:
                    os.ftruncate(self._fd, size)
                os.fsync(self._fd)
            except OSError:
                os.close(self._fd)
                raise

    @classmethod
    def create(cls, folder: Path, first: int, last_tick_us: int, names: Sequence[str], documents: dict[str, str]) -> SegmentWriter:
        """Make a partition's next segment."""
        title = SegmentTitle(
            format=FORMAT,
            salt=secrets.randbits(63),
            partition=folder.name,
            first=first,
            last_tick_us=last_tick_us,
            names=list(names),
            documents=documents,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        path = segment_file(folder, first)
        frame = title_frame(title, first, last_tick_us)
        replace_file(path, [frame])
        return cls(path, title.salt, len(frame))

    def write(self, parts: Sequence[ReadableBuffer]) -> None:
        """Add bytes at the end; they are safe only after `sync`."""
        with storage(self.path):
            write_all(self._fd, parts)
        self.size += sum(memoryview(part).nbytes for part in parts)

    def sync(self) -> None:
        """Wait until everything written is on the disk."""
        with storage(self.path):
            os.fdatasync(self._fd)

    def settle(self) -> None:
        """Everything written is safe and told so: `undo` no longer takes it back."""
        self._safe = self.size

    def undo(self) -> None:
        """Take back what was written since it was last safe, if the disk lets us; opening the log anew does it otherwise."""
        with suppress(OSError):
            os.ftruncate(self._fd, self._safe)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
