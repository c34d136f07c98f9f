"""Where a restart begins: the engine's state between two ticks, in files beside the log, each named by the offset after which it holds.

    LOG/p03/00000000000000184320.ckpt

Two kinds share the name: at a segment's start they stay as long as the segment, because retention and replay build on them; others are only
for a quick restart, and the newest two are kept. A file is written under another name, synced and renamed, so that it is whole or absent; its
bytes check themselves (`core.state`), so a damaged one is passed over for an older one, and the log is read again from there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from flowwatch.core.state import StateError, load, seal
from flowwatch.log.disk import replace_file, storage
from flowwatch.log.errors import DiskRefused
from flowwatch.log.segments import checkpoint_file, offsets

QUICK_KEPT: Final = 2
"""Checkpoints kept beside those at segment starts: the newest, and one more in case it is damaged."""


def save(folder: Path, offset: int, body: bytes) -> Path:
    """Write `body` (of `core.state.pack`) as the checkpoint after `offset` rows; raises `DiskRefused`."""
    path = checkpoint_file(folder, offset)
    replace_file(path, [seal(body)])
    _prune(folder)
    return path


def read(path: Path) -> dict[str, Any]:
    """The engine's state in a checkpoint; raises `StateError` when it is damaged, `DiskRefused` when it cannot be read."""
    with storage(path):
        data = path.read_bytes()
    try:
        state = load(data)
    except StateError as error:
        raise StateError(f"{path}: {error}") from error
    if not isinstance(state, dict) or "engine" not in state:
        raise StateError(f"{path}: holds no engine's state")
    return state


def is_whole(path: Path) -> bool:
    """Whether a replay can start at the checkpoint in this file."""
    try:
        return bool(read(path))
    except (StateError, DiskRefused, FileNotFoundError):
        return False


def newest(folder: Path, *, not_after: int | None = None) -> tuple[int, dict[str, Any]] | None:
    """The newest whole checkpoint of a partition's folder (at or before `not_after`): its offset and state; None when there is none."""
    for offset in reversed(offsets(folder, ".ckpt")):
        if not_after is not None and offset > not_after:
            continue
        try:
            return offset, read(checkpoint_file(folder, offset))
        except StateError:
            continue
    return None


def _prune(folder: Path) -> None:
    starts = set(offsets(folder, ".seg"))
    quick = [o for o in offsets(folder, ".ckpt") if o not in starts]
    with storage(folder):
        for offset in quick[:-QUICK_KEPT]:
            checkpoint_file(folder, offset).unlink(missing_ok=True)
