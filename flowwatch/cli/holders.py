"""Who runs on a folder and who writes its log, seen from outside."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def holder(lock: Path) -> str | None:
    """Who holds the lock file: a process number as text ("?" where it does not say), None where it is free.

    For a look now and then: while it looks, which takes microseconds, somebody who wants the lock finds it taken.
    """
    try:
        fd = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(fd, 64, 0).decode(errors="replace").strip() or "?"
    finally:
        os.close(fd)
    return None


def named_process_lives(lock: Path) -> bool:
    """Whether the process that the lock file names is alive: for looking often, because it does not touch the lock."""
    try:
        os.kill(int(lock.read_text()), 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
