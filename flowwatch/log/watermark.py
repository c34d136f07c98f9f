"""How far the log is on the disk: the file `committed`, which the writer moves forward and readers look at first.

A frame is visible to other processes as soon as it is written, and durable only once it is synced. Were the engine to decide on rows that a
power failure then takes away, the journal would know more than the log. So readers stop at this mark, which the writer sets after the sync.
The same mark makes a poll that finds nothing new cost one small read.

The file is never synced itself, so after a power failure it may be old. It names the machine's boot: within the same boot it is exact,
after another it is only a lower bound, and then everything that the files hold is on the disk by nature. As a lower bound it also tells
damage from a torn end: rows before it were accepted, whatever the files say now.

    magic   8 bytes   "fwmark01"
    boot    16 bytes  of /proc/sys/kernel/random/boot_id; zero where the system has none (then no reader trusts the mark)
    marks   16 bytes a partition: the offset after its last durable row (u64), and the complement of that number (u64)
"""

from __future__ import annotations

import os
import struct
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from flowwatch.log.disk import storage

_MAGIC: Final = b"fwmark01"
_HEAD: Final = struct.Struct("<8s16s")
_MARK: Final = struct.Struct("<QQ")
_MASK: Final = 2**64 - 1
_BOOT_FILE: Final = Path("/proc/sys/kernel/random/boot_id")
_UNKNOWN_BOOT: Final = bytes(16)


def boot_id() -> bytes:
    """The name of the machine's present boot (16 bytes), zeros where it has none."""
    try:
        return uuid.UUID(_BOOT_FILE.read_text().strip()).bytes
    except (OSError, ValueError):
        return _UNKNOWN_BOOT


def watermark_file(path: Path) -> Path:
    """The file of the marks of the log at `path`."""
    return path / "committed"


class WatermarkReader:
    """One partition's mark."""

    def __init__(self, path: Path, number: int) -> None:
        self._file = watermark_file(path)
        self._at = _HEAD.size + number * _MARK.size
        self._boot = boot_id()
        self._fd: int | None = None

    def read(self) -> tuple[int | None, int]:
        """The mark where it is exact, else None; and the lower bound, 0 where there is no mark."""
        if self._fd is None:
            with storage(self._file):
                try:
                    self._fd = os.open(self._file, os.O_RDONLY)
                except FileNotFoundError:
                    return None, 0
        for _ in range(3):  # the writer may be at work on these very bytes
            with storage(self._file):
                data = os.pread(self._fd, self._at + _MARK.size, 0)
            if len(data) < self._at + _MARK.size:
                break
            magic, boot = _HEAD.unpack_from(data)
            mark, complement = _MARK.unpack_from(data, self._at)
            if magic == _MAGIC and mark == complement ^ _MASK:
                exact = boot == self._boot and boot != _UNKNOWN_BOOT
                return (mark if exact else None), mark
        return None, 0

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class WatermarkWriter:
    """The marks of all partitions; only the holder of the log's lock has one."""

    def __init__(self, path: Path) -> None:
        self._file = watermark_file(path)
        self._boot = boot_id()
        with storage(self._file):
            self._fd = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)

    def publish(self, ends: Sequence[int]) -> None:
        """Say that each partition is durable up to its offset in `ends`. Raises `DiskRefused`."""
        data = _HEAD.pack(_MAGIC, self._boot) + b"".join(_MARK.pack(end, end ^ _MASK) for end in ends)
        with storage(self._file):
            os.pwrite(self._fd, data, 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
