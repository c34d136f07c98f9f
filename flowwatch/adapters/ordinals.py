"""Numbers the readings that look alike: the k-th reading of one counter at one time within a source gets ordinal k (0, 1, ...).

Two people who tap at one turnstile in the same second are two readings, and a file that is read twice is not twice as many people. Devices
that declare no sequence tell the two apart only by their place in the source: so a source (a file, a stream, a request) is numbered as it is
read, and the engine counts (counter, time, ordinal) once. A reading with a declared sequence needs no number and gets 0.

The numbers do not depend on how the source was cut into batches. They are exact for readings whose time is within the *horizon* before the
source's clock (their receipt time); what is older than that, or ahead of the clock by more than clocks may differ, is not counted and gets
0. The horizon is never less than the lateness that an import declares, and behind the lateness the engine refuses a reading anyway.

Most readings are newer than all others of their counter, and then nothing is looked up: seen readings are kept as arrays of sorted keys (8
bytes a reading), merged only when somebody asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from flowwatch.core.readings import ABSENT, MINUTE, Bools, Int32s, Ints

HOUR: Final = 60 * MINUTE
MOST_HORIZON_US: Final = 31 * 24 * HOUR
AHEAD_US: Final = MINUTE
"""How far ahead of the receipt time a reading is still counted; the engine refuses what is further ahead."""
_CODE_BITS: Final = 20
MOST_COUNTERS: Final = 2**_CODE_BITS
"""A source with more names than this is forgotten and numbered anew: no city has as many counters."""
_SPAN_US: Final = 2 ** (63 - _CODE_BITS)
"""The times that keys can tell apart, 101 days: more than three times the longest horizon."""

Keys = npt.NDArray[np.int64]


class _Codes(dict[str, int]):
    """Numbers names in the order in which they are first asked for."""

    def __missing__(self, name: str) -> int:
        code = self[name] = len(self)
        return code


class Ordinals:
    """The numbering of one source."""

    def __init__(self, horizon_us: int = HOUR) -> None:
        """Count readings up to `horizon_us` microseconds behind the clock. Raises ValueError above `MOST_HORIZON_US`."""
        if not 0 <= horizon_us <= MOST_HORIZON_US:
            raise ValueError(f"a horizon of {horizon_us} us, expected 0 to {MOST_HORIZON_US}")
        self._horizon = horizon_us
        self._restart()

    def _restart(self) -> None:
        self._codes = _Codes()
        self._newest = np.full(1024, ABSENT, np.int64)
        self._fresh: deque[Keys] = deque()
        self._runs: list[Keys] = []
        self._base = ABSENT

    def number(self, names: Sequence[str], at: Ints, received: Ints, seq: Ints) -> Int32s:
        """The ordinals (n,) of the next n readings of the source, in its order."""
        counted = (seq == ABSENT) & (at >= received - self._horizon) & (at <= received + AHEAD_US)
        if counted.all():
            return self._steady(names, at, received)
        ordinals = np.zeros(len(names), np.int32)
        chosen = np.flatnonzero(counted)
        ordinals[chosen] = self._steady([names[i] for i in chosen.tolist()], at[chosen], received[chosen])
        return ordinals

    def _steady(self, names: Sequence[str], at: Ints, received: Ints) -> Int32s:
        """Number rows that all count, in one go unless the clock leaps over a long gap within them."""
        parts = [np.zeros(0, np.int32)]
        start = 0
        while start < len(names):
            first, last, stop = int(received[start:].min()), int(received[start:].max()), len(names)
            if last - first > MOST_HORIZON_US:
                stop = start + int((np.abs(received[start:] - received[start]) > MOST_HORIZON_US // 2).argmax())
                first, last = int(received[start:stop].min()), int(received[start:stop].max())
            codes = self._coded(names[start:stop])
            self._make_room(min(int(at[start:stop].min()), first - self._horizon), last)
            self._forget(first - self._horizon)
            parts.append(self._count(codes, at[start:stop]))
            start = stop
        return parts[1] if len(parts) == 2 else np.concatenate(parts)

    def _coded(self, names: Sequence[str]) -> Ints:
        if len(self._codes) + len(names) > MOST_COUNTERS:
            self._restart()
        codes = np.fromiter(map(self._codes.__getitem__, names), np.int64, len(names))
        if len(self._codes) > len(self._newest):
            self._newest = np.concatenate([self._newest, np.full(len(self._codes), ABSENT, np.int64)])
        return codes

    def _count(self, codes: Ints, at: Ints) -> Int32s:
        keys = ((at - self._base) << _CODE_BITS) | codes
        late = at <= self._newest[codes]
        ordered = np.sort(keys)
        alike = bool((ordered[1:] == ordered[:-1]).any())
        ordinals = self._look_up(keys, late) if alike or late.any() else np.zeros(len(keys), np.int32)
        self._fresh.append(ordered)
        np.maximum.at(self._newest, codes, at)
        return ordinals

    def _look_up(self, keys: Keys, late: Bools) -> Int32s:
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        ordinals = np.empty(len(keys), np.int32)
        ordinals[order] = _ranks(ordered[1:] != ordered[:-1], len(keys))
        if late.any():
            asked = keys[late]
            self._settle()
            for run in self._runs:
                ordinals[late] += (np.searchsorted(run, asked, "right") - np.searchsorted(run, asked)).astype(np.int32)
        return ordinals

    def _settle(self) -> None:
        """Merge what is fresh into sorted runs, each at least twice as long as the next."""
        if self._fresh:
            self._runs.append(np.sort(np.concatenate(self._fresh), kind="stable"))
            self._fresh.clear()
        while len(self._runs) > 1 and len(self._runs[-1]) * 2 > len(self._runs[-2]):
            self._runs[-2:] = [np.sort(np.concatenate(self._runs[-2:]), kind="stable")]

    def _make_room(self, oldest: int, newest: int) -> None:
        """Move the base of the keys so that they tell the times `oldest` to `newest` apart; what is too old for them is forgotten."""
        if self._base != ABSENT and self._base <= oldest and newest + AHEAD_US - self._base < _SPAN_US:
            return
        self._settle()
        base = oldest - self._horizon
        shift = base - self._base
        kept = self._runs if 0 <= shift < _SPAN_US else []
        self._runs = [run[np.searchsorted(run, shift << _CODE_BITS) :] - (shift << _CODE_BITS) for run in kept]
        self._base = base

    def _forget(self, before: int) -> None:
        """Let go of keys of times before `before`, as far as that is cheap."""
        least = (before - self._base) << _CODE_BITS
        while self._fresh and self._fresh[0][-1] < least:
            self._fresh.popleft()
        if any(not len(run) or run[len(run) // 2] < least for run in self._runs):
            self._runs = [run for run in (run[np.searchsorted(run, least) :] for run in self._runs) if len(run)]


def number_whole(names: Sequence[str], at: Ints, seq: Ints) -> Int32s:
    """The ordinals (n,) of a source that is held whole; no horizon limits them."""
    ordinals = np.zeros(len(names), np.int32)
    code = np.fromiter(map(_Codes().__getitem__, names), np.int64, len(names))
    chosen = np.flatnonzero(seq == ABSENT)
    order = chosen[np.lexsort((at[chosen], code[chosen]))]
    ordinals[order] = _ranks((code[order][1:] != code[order][:-1]) | (at[order][1:] != at[order][:-1]), len(order))
    return ordinals


def _ranks(changes: Bools, n: int) -> Ints:
    """The place of each of n sorted rows among its equals; `changes` (n-1,) says where a row differs from the one before."""
    starts = np.concatenate([np.zeros(min(n, 1), np.int64), np.flatnonzero(changes) + 1])
    begun: Ints = np.repeat(starts, np.diff(starts, append=n))
    return np.arange(n) - begun
