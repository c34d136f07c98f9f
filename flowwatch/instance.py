"""One engine and one service on a folder: the locks that say so, and the counts of their lives.

The engine's lock is on a descriptor that worker processes inherit, so that it is free only when the last of them is gone. A generation counts
starts; that of the service fences deliveries of an older one, and neither ever touches a decision.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flowwatch.log.disk import replace_file, storage
from flowwatch.log.errors import LogError
from flowwatch.workspace import Workspace


class AlreadyRunning(LogError):  # noqa: N818 - named by what it says
    """Another engine, or another service, runs on this folder."""


@contextmanager
def sole_instance(workspace: Workspace, *, service: bool = False) -> Iterator[int]:
    """Hold the engine's lock on a folder, or the service's; gives the descriptor, for workers to inherit.

    Raises `AlreadyRunning`, `DiskRefused`.
    """
    file = workspace.serve_lock if service else workspace.run_lock
    with storage(file):
        workspace.state.mkdir(parents=True, exist_ok=True)
        lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 64, 0).decode(errors="replace").strip() or "unknown"
            what = "a flowwatch service" if service else "flowwatch"
            raise AlreadyRunning(workspace.root, f"{what} already runs here (process {holder})", "one instance on a folder") from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield lock
    finally:
        os.close(lock)


def next_generation(file: Path, at_least: int = 1) -> int:
    """Count this start in `file`; the first is `at_least`, and none is less. Raises `DiskRefused`."""
    try:
        generation = max(int(file.read_text()) + 1, at_least)
    except (FileNotFoundError, ValueError):
        generation = at_least
    replace_file(file, [str(generation).encode()])
    return generation
