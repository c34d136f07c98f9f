"""Which old segments may go.

A replay starts at a checkpoint, and a checkpoint stands at a segment's start; so a partition's oldest segments may go only up to a segment
that has a whole checkpoint at its start. Without one, nothing goes, however full the disk. What goes first is what is oldest by ticks,
over all partitions, until the log is within its bytes and its age. The newest segment always stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flowwatch.log.disk import storage, sync_folder
from flowwatch.log.segments import Segment, checkpoint_file, offsets, segment_file


@dataclass(frozen=True, slots=True)
class Held:
    """A segment that the log holds. `since_us`: the last tick before it; `restart`: whether a replay can start with it."""

    folder: Path
    first: int
    bytes: int
    since_us: int
    restart: bool


def present(path: Path) -> bool:
    """Whether there is a checkpoint file with anything in it (it is written under another name and renamed, so it is whole)."""
    return path.is_file() and path.stat().st_size > 0


def held(folder: Path, whole: Callable[[Path], bool] = present) -> list[Held]:
    """A partition's segments, oldest first; `whole` tells whether a checkpoint file can be started from. Raises `LogError`."""
    found = []
    for first in offsets(folder, ".seg"):
        segment = Segment(folder, first)
        try:
            restart = whole(checkpoint_file(folder, first))
            found.append(Held(folder, first, segment.size(), segment.title.last_tick_us, restart))
        finally:
            segment.close()
    return found


def plan(partitions: Iterable[Sequence[Held]], last_tick_us: int, max_bytes: int | None, max_age_us: int | None) -> list[Held]:
    """The segments to delete, in the order in which to delete them.

    `partitions`: the segments of each, oldest first. `max_age_us` counts back from `last_tick_us`. None: no such limit.
    """
    total = 0
    steps: list[tuple[int, list[Held]]] = []
    for segments in partitions:
        total += sum(segment.bytes for segment in segments)
        begin = 0
        for i, segment in enumerate(segments):
            if i and segment.restart:
                steps.append((segment.since_us, list(segments[begin:i])))
                begin = i
    gone: list[Held] = []
    for until_us, segments in sorted(steps, key=lambda step: (step[0], step[1][0].folder)):
        too_old = max_age_us is not None and until_us < last_tick_us - max_age_us
        too_much = max_bytes is not None and total > max_bytes
        if not (too_old or too_much):
            break
        gone += segments
        total -= sum(segment.bytes for segment in segments)
    return gone


def delete(segments: Sequence[Held]) -> list[Path]:
    """Delete them, oldest first, with the checkpoints that only they made use of; the segment files deleted. Raises `DiskRefused`."""
    deleted = []
    for segment in segments:
        file = segment_file(segment.folder, segment.first)
        with storage(file):
            file.unlink(missing_ok=True)
        deleted.append(file)
    for folder in {segment.folder for segment in segments}:
        oldest = offsets(folder, ".seg")[0]
        with storage(folder):
            for offset in offsets(folder, ".ckpt"):
                if offset < oldest:
                    checkpoint_file(folder, offset).unlink(missing_ok=True)
            sync_folder(folder)
    return deleted
