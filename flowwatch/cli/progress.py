"""How far long work has come: a bar with rate and time left on a terminal, plain lines every few seconds elsewhere.

Progress goes to stderr, so that stdout stays data. Colours follow NO_COLOR (rich does that by itself).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

Advance = Callable[[int], None]
"""Told how many units were done since it was last called."""

EVERY_S: Final = 5.0
"""Seconds between two plain lines: a log collector's reader wants to know that it lives, not to watch it."""


@contextmanager
def progress(what: str, total: int | None, unit: str, stream: TextIO | None = None) -> Iterator[Advance]:
    """Show how far `what` is, out of `total` `unit`s (None: unknown), while the body calls what it is given."""
    stream = sys.stderr if stream is None else stream
    if stream.isatty():
        with _bar(what, total, unit, stream) as advance:
            yield advance
    else:
        lines = Lines(what, total, unit, stream, time.monotonic)
        yield lines.advance
        lines.close()


@contextmanager
def _bar(what: str, total: int | None, unit: str, stream: TextIO) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Units a second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else pace(speed, unit))

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=stream), redirect_stdout=sys.stdout.isatty(), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


class Lines:
    """Progress as plain lines, at most one each `EVERY_S` seconds and one at the end of work that took longer than that.

    `clock` gives seconds, from anywhere, never falling.
    """

    def __init__(self, what: str, total: int | None, unit: str, stream: TextIO, clock: Callable[[], float]) -> None:
        self._what, self._total, self._unit, self._stream, self._clock = what, total, unit, stream, clock
        self._done = self._told = 0
        self._start = self._said = clock()

    def advance(self, done: int) -> None:
        """`done` more units are done."""
        self._done += done
        now = self._clock()
        if now - self._said >= EVERY_S and self._told < self._done:
            self._said = now
            self._say(now)

    def close(self) -> None:
        """The work is done."""
        now = self._clock()
        if now - self._start >= EVERY_S and self._told < self._done:
            self._say(now)

    def _say(self, now: float) -> None:
        self._told = self._done
        rate = self._done / max(now - self._start, 1e-9)
        line = f"{self._what}: {self._done:,} {self._unit}"
        if self._total is not None:
            line += f" of {self._total:,}"
        line += f", {pace(rate, self._unit)}"
        left = (self._total or 0) - self._done
        if left > 0 and rate > 0:
            line += f", {left / rate:,.0f} s left"
        self._stream.write(line + "\n")
        self._stream.flush()


def pace(per_s: float, unit: str) -> str:
    """How fast work goes, in a number that says something: what takes long is told by the minute.

    >>> pace(1234.0, "rows"), pace(2.0, "days"), pace(0.3, "days")
    ('1,234 rows/s', '2.0 days/s', '18 days/min')
    """
    if per_s < 1:
        return f"{60 * per_s:,.0f} {unit}/min"
    return f"{per_s:,.{0 if per_s >= 10 else 1}f} {unit}/s"
