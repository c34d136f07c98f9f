"""Sending a city's stream at its own pace, and telling honestly at what pace it went.

The schedule is laid down before the first reading is sent and never moves: a batch that is due at 10:00:07 is due then even if the sink was busy
until 10:00:09, and the two seconds are told as lag. A generator that waited for its sink instead would measure the sink's patience, not its
latency (coordinated omission).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowwatch.core.readings import SECOND
from flowwatch_sim.sinks import Sink
from flowwatch_sim.stream import City

STEP_US: Final = SECOND
"""How much of the city's time goes in one batch."""
BATCH: Final = 10_000
"""About how many readings go in one batch where no pace is kept: enough that a batch costs little beside its readings."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent, and how."""

    readings: int
    seconds: float
    """From the first batch until the sink had them all."""
    asked_per_s: float | None
    """Readings a second that the schedule asked for; None where there was none."""
    late_batches: int
    """Batches that went out more than a step of the schedule after they were due."""
    most_lag_s: float

    @property
    def per_s(self) -> float:
        """Readings a second that were sent."""
        return self.readings / self.seconds if self.seconds > 0 else 0.0


def send(
    city: City,
    sink: Sink,
    start_us: int,
    *,
    speed: float | None,
    advance: Callable[[int], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Sent:
    """Send everything; `speed` is how many times as fast as life (None: as fast as the sink takes it). `advance` hears of readings sent.

    Raises `SinkError` where the sink does.
    """
    began = clock()
    readings = late = 0
    most, behind, until = 0.0, 0.0, 0
    step_us = STEP_US if speed is not None else max(STEP_US, city.lasts_us * BATCH // max(1, len(city)))
    for until, batch in city.steps(step_us):
        if speed is not None:
            due = began + until / SECOND / speed
            lag = clock() - due
            behind = max(0.0, lag)
            if lag < 0:
                sleep(-lag)
            else:
                most = max(most, lag)
                late += lag > STEP_US / SECOND / speed
        sink.send(batch, start_us, behind)
        readings += len(batch)
        advance(len(batch))
    sink.close()
    seconds = clock() - began
    asked = None if speed is None or not until else readings / (until / SECOND / speed)
    return Sent(readings, seconds, asked, late, most)


def write_truth(file: Path, city: City, names: Sequence[str], zones: Sequence[Sequence[str]], start_us: int) -> None:
    """The truth beside a stream, one JSON object a line: each minute of each site with the people in its zones, then each fault.

    `zones`: those of each site; of fewer sites than there are, they are said again and again.
    """
    with file.open("w", encoding="utf-8") as out:
        for i, name in enumerate(names):
            day, shift = city.recordings[int(city.day[i])], int(city.shift_us[i])
            for m, row in enumerate(day.minutes.tolist()):
                at = start_us + (m + 1) * 60 * SECOND + shift
                out.write(json.dumps({"site": name, "at_us": at, "inside": dict(zip(zones[i % len(zones)], row, strict=True))}) + "\n")
            for fault in day.faults:
                told = {"site": name, "at_us": start_us + round(fault["at_s"] * SECOND) + shift}
                out.write(json.dumps(told | {"counter": fault["counter"], "fault": fault["what"]}) + "\n")
