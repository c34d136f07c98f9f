"""What `flowwatch doctor` tells of a log: every segment read through, every damage at once, nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from flowwatch.core.readings import ABSENT
from flowwatch.log.errors import LogDamaged, LogError
from flowwatch.log.segments import Segment, offsets, segment_file
from flowwatch.log.settings import load
from flowwatch.log.watermark import WatermarkReader


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One segment: its rows `first` to `end` - 1, its bytes, the bytes of a torn commit at its end, and what is wrong with it."""

    partition: str
    path: Path
    first: int
    end: int
    bytes: int
    torn_bytes: int
    last_tick_us: int
    fault: str | None


def survey(path: Path | str) -> Iterator[Surveyed]:
    """Every segment of the log, each partition's oldest first. A log that is being written may show a torn end that is none.

    Raises `LogError` only where there is no log.
    """
    path = Path(path)
    for number, partition in enumerate(load(path).folders):
        with closing(WatermarkReader(path, number)) as mark:
            accepted = mark.read()[1]
        folder = path / partition
        firsts = offsets(folder, ".seg")
        for first, following in zip_longest(firsts, firsts[1:]):
            yield _surveyed(folder, first, following, accepted)
        if accepted and not firsts:
            yield Surveyed(partition, folder, 0, 0, 0, 0, ABSENT, f"{accepted} rows were accepted and there is no segment")


def _surveyed(folder: Path, first: int, following: int | None, accepted: int) -> Surveyed:
    file = segment_file(folder, first)
    try:
        segment = Segment(folder, first)
    except LogError as error:
        return Surveyed(folder.name, file, first, first, 0, 0, ABSENT, str(error))
    with closing(segment):
        tail = segment.scan(segment.start)
        size = segment.size()
        fault = None
        torn = False
        try:
            torn = segment.judge(tail, accepted if following is None else following)
            if following is not None and (torn or tail.end > following):
                raise LogDamaged(
                    file, tail.position, f"rows up to {tail.end} and {size - tail.position} bytes more", f"rows up to {following}"
                )
        except LogError as error:
            fault = str(error)
        torn_bytes = size - tail.position if torn and fault is None else 0
        return Surveyed(folder.name, file, first, tail.end, size, torn_bytes, tail.tick, fault)
