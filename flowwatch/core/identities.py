"""Which readings have been seen: the memory behind "the same reading counts once".

A reading is known by (counter, sequence) where the device declares one, else by (counter, event time, ordinal within its source). The
memory is exact within the lateness that counters declare; what is older is refused as too late before anyone asks here, so forgetting
it changes nothing.

Most readings are newer than everything seen of their counter and never need a look-up: the caller asks only for the suspicious ones. So
adding is an append; sorted runs by a 64-bit mix of the identity are built when somebody asks, merged like a log-structured tree, and a
match of the mix is confirmed on the identity itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from flowwatch.core.readings import ABSENT, Bools, Int32s, Ints

_FIELDS: Final = ("counter", "at", "seq", "ordinal")
_PRIMES: Final = tuple(np.uint64(p) for p in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93))
"""Odd 64-bit constants with well-spread bits (the golden ratio's, and xxHash's primes)."""


@dataclass(slots=True)
class _Run:
    mix: npt.NDArray[np.uint64]
    counter: Int32s
    at: Ints
    seq: Ints
    ordinal: Int32s

    def newest(self) -> int:
        return int(self.at.max(initial=ABSENT))


def _mix(counter: Int32s, at: Ints, seq: Ints, ordinal: Int32s) -> npt.NDArray[np.uint64]:
    declared = seq != ABSENT
    ident = np.where(declared, seq, at).astype(np.uint64)
    place = np.where(declared, 0, ordinal).astype(np.uint64) * np.uint64(2) + declared.astype(np.uint64)
    mix = (counter.astype(np.uint64) * _PRIMES[0]) ^ (ident * _PRIMES[1]) ^ (place * _PRIMES[2])
    mix ^= mix >> np.uint64(29)
    return np.asarray(mix * _PRIMES[3])


def _run(counter: Int32s, at: Ints, seq: Ints, ordinal: Int32s) -> _Run:
    mix = _mix(counter, at, seq, ordinal)
    order = np.argsort(mix, kind="stable")
    return _Run(mix[order], counter[order], at[order], seq[order], ordinal[order])


def _merge(runs: list[_Run]) -> _Run:
    columns = [np.concatenate([getattr(r, f) for r in runs]) for f in _FIELDS]
    return _run(*columns)


def _without(run: _Run, horizon: int) -> _Run:
    """The run without what is older than `horizon`, once that is most of it."""
    if len(run.at) <= 1024 or int(np.count_nonzero(run.at < horizon)) * 2 <= len(run.at):
        return run
    keep = run.at >= horizon
    return _Run(run.mix[keep], *(getattr(run, f)[keep] for f in _FIELDS))


class Identities:
    """The identities seen within the lateness; grows by `add`, shrinks by `forget`."""

    def __init__(self) -> None:
        self._fresh: list[tuple[tuple[Int32s, Ints, Ints, Int32s], int]] = []
        self._runs: list[_Run] = []

    def add(self, counter: Int32s, at: Ints, seq: Ints, ordinal: Int32s) -> None:
        """Remember rows (n,) as seen; the arrays become this memory's own."""
        self._fresh.append(((counter, at, seq, ordinal), int(at.max(initial=ABSENT))))

    def forget(self, horizon: int) -> None:
        """Let go of readings whose event time is before `horizon` (microseconds), as far as that is cheap; `repeats` passes over the rest."""
        while self._fresh and self._fresh[0][1] < horizon:
            del self._fresh[0]
        self._runs = [_without(run, horizon) for run in self._runs if run.newest() >= horizon]

    def repeats(self, counter: Int32s, at: Ints, seq: Ints, ordinal: Int32s, horizon: int) -> Bools:
        """Which of the rows (n,), in their order, repeat an earlier one among themselves, or a remembered one not before `horizon`."""
        order = np.argsort(_mix(counter, at, seq, ordinal), kind="stable")
        asked = _run(counter, at, seq, ordinal)
        again = np.zeros(len(counter), np.bool_)
        again[1:] = _same(asked, np.arange(1, len(counter)), asked, np.arange(len(counter) - 1))
        self._settle()
        for run in self._runs:
            place = np.maximum(np.searchsorted(run.mix, asked.mix, side="right") - 1, 0)  # of equal ones the last is the newest
            again |= _same(asked, np.arange(len(counter)), run, place) & (run.at[place] >= horizon)
        found = np.empty_like(again)
        found[order] = again
        return found

    def _settle(self) -> None:
        """Fold what is fresh into sorted runs, each at least twice as long as the next."""
        if self._fresh:
            self._runs.append(_run(*(np.concatenate(column) for column in zip(*(columns for columns, _ in self._fresh), strict=True))))
            self._fresh = []
        while len(self._runs) > 1 and len(self._runs[-1].at) * 2 > len(self._runs[-2].at):
            self._runs[-2:] = [_merge(self._runs[-2:])]

    def to_state(self) -> dict[str, Any]:
        """All that is remembered, as columns; of equal identities the newer stands later."""
        parts = [(r.counter, r.at, r.seq, r.ordinal) for r in self._runs] + [columns for columns, _ in self._fresh]
        return {f: np.concatenate(column) for f, column in zip(_FIELDS, zip(*parts, strict=True), strict=True)} if parts else {}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Identities:
        """The memory that `to_state` wrote."""
        made = cls()
        if state:
            made.add(*(state[f] for f in _FIELDS))
        return made


def _same(a: _Run, i: Ints, b: _Run, j: Ints) -> Bools:
    """Whether rows i of `a` and j of `b` are one identity: equal mixes, confirmed on the identity itself."""
    maybe = a.mix[i] == b.mix[j]
    if not maybe.any():
        return np.asarray(maybe)
    seq = a.seq[i]
    by_time = (a.at[i] == b.at[j]) & (a.ordinal[i] == b.ordinal[j])
    return np.asarray(maybe & (a.counter[i] == b.counter[j]) & (seq == b.seq[j]) & ((seq != ABSENT) | by_time))
