"""Durable files: what is written here is on the disk when the call returns, or the call raises.

A file is replaced by writing a neighbour, syncing it, renaming it and syncing the folder, so that a crash leaves the old file or the new
one. Every error of the operating system leaves as `DiskRefused` with the file's name and what would help.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flowwatch.log.errors import DiskRefused, LogLocked

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

TEMPORARY: Final = ".tmp"
"""How the name of a file ends that is not finished; whoever finds one may delete it."""

_REMEDY: Final = {
    errno.ENOSPC: "free space on the disk (after making some, open the log again)",
    errno.EDQUOT: "free space in the disk quota (after making some, open the log again)",
    errno.EFBIG: "a file size within the limit of this process (`ulimit -f`)",
    errno.EROFS: "a file system that can be written",
    errno.EACCES: "a folder that this user may read and write",
    errno.EPERM: "a folder that this user may read and write",
    errno.ENOENT: "the folder of a log made by `flowwatch log create`",
    errno.EIO: "a device that works",
}


@contextmanager
def storage(where: Path | str) -> Iterator[None]:
    """Turn an `OSError` within into `DiskRefused` about `where`."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDY.get(error.errno or 0, "a working file system")
        raise DiskRefused(where, (error.strerror or str(error)).lower(), remedy) from error


def write_all(fd: int, parts: Sequence[ReadableBuffer]) -> None:
    """Write every byte of `parts`, in order. Raises OSError; what was written before it stays in the file."""
    views = [memoryview(part).cast("B") for part in parts]
    while views:
        written = os.writev(fd, views)
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if views:
            views[0] = views[0][written:]


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace_file(path: Path, parts: Sequence[ReadableBuffer]) -> None:
    """Put `parts` at `path`, durably and at once: a crash leaves what was there before, or all of the new. Raises `DiskRefused`."""
    beside = path.with_name(path.name + TEMPORARY)
    with storage(path):
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            write_all(fd, parts)
            os.fsync(fd)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
        beside.rename(path)
        sync_folder(path.parent)


class Lock:
    """The right to write, held until `release` or until the process ends, however it ends.

    The descriptor is not inherited by programs that this process starts; a plain fork does share it, and with it the lock.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock at `path` at once. Raises `LogLocked`, `DiskRefused`."""
        with storage(path):
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 20, 0).strip()
            os.close(self._fd)
            raise LogLocked(path, int(holder) if holder.isdigit() else None) from None
        with suppress(OSError):  # the number only helps people; a full disk must not keep anyone from opening the log to make room
            os.pwrite(self._fd, b"%-19d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._fd)
