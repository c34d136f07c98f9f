"""Time in an archive: the source's clock, and the ticks that a log needs and an archive does not have.

The *clock* of a source is the running maximum of its readings' event times; it stands for the receipt time in a log with an event clock. One
device with a wrong date must not move it: a reading more than `max_jump` ahead is held until its successors tell. If `WITNESSES` readings in
a row, of two counters (or of the only one that the source has), are all that far ahead, the archive has a gap there, and the clock goes
on from the earliest of them. If one falls back before that, or the source ends, the clock stays: the readings enter the log as far in the
future as they are, and the engine refuses them for it. The clock starts at the earliest of the first `WITNESSES` readings. What is no reading
has the clock of the reading before it; before the first one it has that one's, unless `HELD` rows come before it, and then 0.

A *tick* T on the grid of `tick_us` is due before the first reading that takes the clock beyond T + lateness: every reading of up to T that
keeps to the declared lateness is then in the log already. When all sources have ended, ticks run up to the newest time, rounded up.

Ticks follow the data: in an hour with readings and in the hour after it there is one at every step of the grid, in other hours there is
none (an archive of two holidays a year apart has no 31 million seconds between them). The hours are those since 1970-01-01T00:00Z.

Nothing here depends on how the input was cut into batches.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import numpy as np

from flowwatch.adapters.batch import Batch, joined, pieces, stamped
from flowwatch.core.readings import ABSENT, MINUTE, Ints

HOUR: Final = 60 * MINUTE
MAX_JUMP_US: Final = 24 * HOUR
WITNESSES: Final = 3
HELD: Final = 1024
"""The most rows that are held for a verdict; who is still ahead after them is believed."""


class EventClock:
    """The clock of sources that are read one after the other; `now` is `ABSENT` before the first reading."""

    def __init__(self, max_jump_us: int = MAX_JUMP_US) -> None:
        """`max_jump_us`: how far ahead of the clock (microseconds) a reading is believed by itself."""
        self.now = ABSENT
        self._max_jump = max_jump_us
        self._held: list[Batch] = []
        self._early = 0
        self._only: str | None = None
        self._several = False

    def stamp(self, batch: Batch) -> Batch | None:
        """What was held and `batch`, with receipt times; rows that wait for their successors are held in turn."""
        return self._advance(batch, ended=False)

    def end(self) -> Batch | None:
        """A source has ended: what is still held, with receipt times."""
        return self._advance(None, ended=True)

    def _advance(self, batch: Batch | None, *, ended: bool) -> Batch | None:
        waiting = self._held if batch is None else [*self._held, batch]
        if not waiting:
            return None
        rows, before = joined(waiting), self.now
        received, decided = self._received(rows, ended=ended)
        early = sum(refusal.place == 0 for refusal in rows.refused) if before == ABSENT else 0
        if self.now == ABSENT and not ended and self._early + early < HELD:
            self._held = waiting
            return None
        if decided == 0 < len(rows) and not rows.refused:
            self._held = waiting
            return None
        ready, rest = pieces(rows, [decided])
        self._held = [rest] if len(rest) or rest.refused else []
        if before == ABSENT:
            before = int(received[0]) if decided and self._early + early < HELD else 0
        self._early += early
        return stamped(ready, received[:decided], before)

    def _received(self, rows: Batch, *, ended: bool) -> tuple[Ints, int]:
        """The clock at each reading, and how many readings are decided."""
        at, names = rows.readings.at, rows.readings.names
        received = np.empty(len(at), np.int64)
        i = 0
        while i < len(at):
            if self.now != ABSENT:
                clock = np.maximum.accumulate(np.concatenate([[self.now], at[i:]]))
                ahead = at[i:] - clock[:-1] > self._max_jump
                stop = i + int(ahead.argmax()) if ahead.any() else len(at)
                received[i:stop] = clock[1 : stop - i + 1]
                self.now = int(clock[stop - i])
                self._meet(names[i:stop])
                i = stop
                if i == len(at):
                    break
            stop, earliest = self._verdict(rows, i, ended=ended)
            if stop == i and earliest is None:
                return received, i
            if earliest is None:
                received[i:stop] = self.now
                self._meet(names[i:stop])
                i = stop
            else:
                self.now = earliest
        return received, len(at)

    def _verdict(self, rows: Batch, first: int, *, ended: bool) -> tuple[int, int | None]:
        """What to think of the reading `first`, which is ahead of the clock.

        (stop, None): readings first..stop-1 are not believed; (_, time): they are, and the clock goes on from `time`; (first, None): wait.
        """
        at, names = rows.readings.at, rows.readings.names
        places = [refusal.place for refusal in rows.refused]
        begin = first + bisect_right(places, first)
        bar = ABSENT if self.now == ABSENT else self.now + self._max_jump
        seen: set[str] = set()
        k = first
        while k < len(at) and k + bisect_right(places, k) - begin < HELD:
            if at[k] <= bar:
                return k, None
            seen.add(names[k])
            k += 1
            if k - first >= WITNESSES and (len(seen) > 1 or self.now == ABSENT or (not self._several and seen == {self._only})):
                return k, int(at[first:k].min())
        enough = len(at) + len(places) - begin >= HELD
        if (self.now == ABSENT and (ended or enough)) or (enough and k - first >= WITNESSES):
            return k, int(at[first:k].min())
        return (k if ended or enough else first), None

    def _meet(self, names: Sequence[str]) -> None:
        """Learn whether the source has more than one counter."""
        if not self._several and len(names):
            self._only = self._only or names[0]
            self._several = any(name != self._only for name in names)


class Ticks:
    """The ticks of an archive, in order; none is at or before `last_us`, the log's last one (`ABSENT`: it has none)."""

    def __init__(self, tick_us: int, lateness_us: int, last_us: int = ABSENT) -> None:
        """All in microseconds."""
        self._tick = tick_us
        self._lateness = lateness_us
        self._span = max(HOUR, tick_us)
        self._done = ABSENT if last_us == ABSENT else last_us // tick_us
        self._newest = ABSENT
        self._hours: set[int] = set()

    def due(self, at: Ints, received: Ints) -> list[tuple[int, list[int]]]:
        """The ticks that stand before readings of these event and receipt times (n,): pairs (reading, ticks before it)."""
        if not len(at):
            return []
        upto = (received - self._lateness - 1) // self._tick
        if self._newest == ABSENT:
            self._done = max(self._done, int(upto[0]))
        self._newest = int(received[-1])
        known = at <= received
        hours, first = np.unique(at[known] // self._span, return_index=True)
        new = [(int(i), int(h)) for i, h in zip(np.flatnonzero(known)[first], hours, strict=True) if int(h) not in self._hours]
        new.sort(reverse=True)
        pairs = []
        for i in np.flatnonzero(upto > np.concatenate([[self._done], upto[:-1]])).tolist():
            while new and new[-1][0] <= i:
                self._hours.add(new.pop()[1])
            ticks = self._upto(int(upto[i]))
            if ticks:
                pairs.append((i, ticks))
        self._hours.update(hour for _, hour in new)
        return pairs

    def end(self) -> list[int]:
        """The ticks after the last reading of all sources."""
        return [] if self._newest == ABSENT else self._upto(-(-self._newest // self._tick))

    def _upto(self, last: int) -> list[int]:
        """The ticks after the one numbered `_done`, up to the one numbered `last`, in hours that have any."""
        first, self._done = self._done + 1, max(self._done, last)
        if last < first:
            return []
        low = first * self._tick // self._span
        self._hours = {hour for hour in self._hours if hour >= low - 1}
        ticks: list[int] = []
        for hour in sorted(self._hours | {hour + 1 for hour in self._hours}):
            begin, end = -(-hour * self._span // self._tick), -(-(hour + 1) * self._span // self._tick)
            ticks += (number * self._tick for number in range(max(first, begin), min(last + 1, end)))
        return ticks
