"""One flowwatch on a folder: the lock that says so, and the count of its lives.

The lock is on a descriptor that worker processes inherit, so that it is free only when the last of them is gone. The generation counts starts;
it fences deliveries of an older instance and never touches a decision.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from flowwatch.log.disk import replace_file, storage
from flowwatch.log.errors import LogError
from flowwatch.workspace import Workspace


class AlreadyRunning(LogError):  # noqa: N818 - named by what it says
    """Another flowwatch runs on this folder."""


@contextmanager
def sole_instance(workspace: Workspace) -> Iterator[int]:
    """Hold the folder's lock; gives the descriptor for workers to inherit. Raises `AlreadyRunning`, `DiskRefused`."""
    with storage(workspace.run_lock):
        workspace.state.mkdir(parents=True, exist_ok=True)
        lock = os.open(workspace.run_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 64, 0).decode(errors="replace").strip() or "unknown"
            raise AlreadyRunning(workspace.root, f"flowwatch already runs here (process {holder})", "one instance on a folder") from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield lock
    finally:
        os.close(lock)


def next_generation(workspace: Workspace) -> int:
    """Count this start; the first is 1."""
    try:
        generation = int(workspace.generation.read_text()) + 1
    except (FileNotFoundError, ValueError):
        generation = 1
    replace_file(workspace.generation, [str(generation).encode()])
    return generation
