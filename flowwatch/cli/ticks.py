"""How far a log's time has come, found by walking over the heads of its newest frames."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from flowwatch.core.readings import ABSENT
from flowwatch.log import load
from flowwatch.log.segments import Segment, offsets


def last_tick(folder: Path) -> int:
    """The last tick of the partition with that folder (microseconds), `ABSENT` where it has none. Raises `LogError`."""
    firsts = offsets(folder, ".seg")
    if not firsts:
        return ABSENT
    with closing(Segment(folder, firsts[-1])) as segment:
        position, tick = segment.start.position, segment.start.tick
        while (head := segment.head(position)) is not None and head.rows:
            tick = head.tick
            position += head.size
    return tick


def log_time(log: Path) -> int:
    """The last tick of the whole log, `ABSENT` before the first. Raises `LogError`."""
    return max(last_tick(log / name) for name in load(log).folders)
