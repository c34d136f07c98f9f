"""How far decisions have come: a small file for each partition, written by its engine each time the journal holds what it decided.

Whoever waits for a decision, or wants to know how far the engine is behind the log, reads it. Nothing depends on it: it is never synced, and
after a start it says nothing until the first decision.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final, NamedTuple

from flowwatch.log.disk import storage
from flowwatch.workspace import Workspace

_PLACE: Final = struct.Struct("<qqq")
_MASK: Final = 2**62


class Place(NamedTuple):
    """Rows before `offset` are decided, up to the tick at `tick` (microseconds)."""

    offset: int
    tick: int


class Note:
    """One partition's file; for the one engine that decides there."""

    def __init__(self, workspace: Workspace, partition: str) -> None:
        """Begin to note. Raises `DiskRefused`."""
        file = _file(workspace, partition)
        with storage(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)

    def put(self, place: Place) -> None:
        """The journal holds what was decided up to here."""
        os.pwrite(self._fd, _PLACE.pack(place.offset, place.tick, place.offset ^ place.tick ^ _MASK), 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def decided(workspace: Workspace, partition: str) -> Place | None:
    """How far a partition is decided; None where no engine has said since it was started."""
    try:
        data = _file(workspace, partition).read_bytes()
    except OSError:
        return None
    if len(data) != _PLACE.size:
        return None
    offset, tick, check = _PLACE.unpack(data)
    return Place(offset, tick) if check == offset ^ tick ^ _MASK else None


def _file(workspace: Workspace, partition: str) -> Path:
    return workspace.state / "decided" / partition
