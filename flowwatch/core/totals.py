"""What is remembered of each counter, and cumulative totals turned into movements.

A cumulative total that falls is a *wrap* (declared modulus), a *reset* (it fell by more than half, and the new value is within what the
rate allows since), the device *counting down* in that direction (declared, or five falls running), or it is refused. A refused value is
kept as a candidate: when the next reading continues plausibly from it, counting goes on from there, so one bad value never silences a
counter.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from flowwatch.core.network import Network
from flowwatch.core.pending import Rows
from flowwatch.core.readings import ABSENT, DAY, MINUTE, NEVER, Bools, Int32s, Ints, Reason
from flowwatch.core.runs import Runs

MOST_PEOPLE: Final = 1_000_000_000
"""No message counts more people than this; keeps the arithmetic of rates within 64 bits."""
LONGEST_US: Final = DAY
"""The longest silence that a count may make good at the counter's full rate."""
FALLS: Final = 5
"""Falls running after which a cumulative counter is taken to count down (of 5,000 subway turnstiles 44 do, data/README.md)."""


@dataclass(slots=True)
class Totals:
    """What is remembered of each counter, (C,) arrays at the counter's code."""

    last_at: Ints
    """Newest event time heard, NEVER before the first."""
    counted_at: Ints
    """Newest event time of a reading that was counted: what was refused is no evidence."""
    last_offset: Ints
    """Where the newest counted reading stands in the log, or -1."""
    newest_at: Ints
    """Newest event time among identities without, and newest sequence among those with one."""
    newest_seq: Ints
    total_in: Ints
    total_out: Ints
    total_at: Ints
    total_seq: Ints
    jump_in: Ints
    """The candidate: the last refused total, if the last one was refused (else jump_at is NEVER)."""
    jump_out: Ints
    jump_at: Ints
    falls_in: Ints
    """Falls running of each direction: devices are known that count down in one direction only."""
    falls_out: Ints
    down_in: Bools
    """Learned, beside the declared."""
    down_out: Bools

    @classmethod
    def empty(cls) -> Totals:
        """For no counters."""
        return cls(*(np.zeros(0, np.bool_ if f.name.startswith("down") else np.int64) for f in fields(cls)))

    def grow(self, n: int) -> None:
        """Make room for `n` counters in all."""
        fresh = {"last_offset": -1, "falls_in": 0, "falls_out": 0, "down_in": False, "down_out": False}
        fresh |= {"total_in": ABSENT, "total_out": ABSENT, "total_seq": ABSENT}
        for f in fields(self):
            old = getattr(self, f.name)
            more = np.full(n - len(old), fresh.get(f.name, NEVER), old.dtype)
            setattr(self, f.name, np.concatenate([old, more]))

    def counted(self, counter: slice | Int32s, at: Ints, offset: Ints) -> None:
        """Note readings (one a counter) as evidence, where they are newer than what is noted."""
        newer = at >= self.counted_at[counter]
        if newer.all():
            self.counted_at[counter], self.last_offset[counter] = at, offset
        else:
            self.counted_at[counter] = np.where(newer, at, self.counted_at[counter])
            self.last_offset[counter] = np.where(newer, offset, self.last_offset[counter])

    def difference(self, network: Network, rows: Rows, runs: Runs, ingress: Ints, egress: Ints) -> list[tuple[int, Reason]]:
        """Add the movements between cumulative totals to `ingress` and `egress` (C,); which rows were refused instead, and why.

        Whole runs that only rise within the rate are counted at once, the others one reading at a time.
        """
        t, counter, head = self, rows.counter, runs.heads
        down = network.counts_down[head]
        moved_in, fair_in = _rises(rows.ingress, runs, t.total_in[head], runs.spread(down ^ t.down_in[head]))
        moved_out, fair_out = _rises(rows.egress, runs, t.total_out[head], runs.spread(down ^ t.down_out[head]))
        before = runs.before(rows.at, t.total_at[head])
        every = network.every[counter]
        limit = network.max_per_min[counter] * (np.clip(rows.at - before, every, LONGEST_US) + every)
        fair = fair_in & fair_out & (rows.at > before) & (rows.seq == ABSENT) & (moved_in + moved_out <= MOST_PEOPLE)
        fair &= np.minimum(moved_in + moved_out, MOST_PEOPLE) * MINUTE <= limit
        whole = runs.every(fair) & (t.total_at[head] != NEVER) & (t.total_seq[head] == ABSENT) & (t.jump_at[head] == NEVER)
        plain = head[whole]
        ingress[plain] = runs.total(moved_in)[whole]
        egress[plain] = runs.total(moved_out)[whole]
        t.total_in[plain], t.total_out[plain] = runs.last(rows.ingress)[whole], runs.last(rows.egress)[whole]
        t.total_at[plain] = runs.last(rows.at)[whole]
        self.counted(plain, t.total_at[plain], runs.last(rows.offset)[whole])
        counted = runs.spread(whole)
        t.falls_in[counter[counted & (moved_in > 0)]] = 0
        t.falls_out[counter[counted & (moved_out > 0)]] = 0
        refused = []
        for i in np.flatnonzero(~counted).tolist():
            reason = self._follow(network, rows, i, ingress, egress)
            if reason is None:
                self.counted(counter[i : i + 1], rows.at[i : i + 1], rows.offset[i : i + 1])
            else:
                refused.append((i, reason))
        return refused

    def _follow(self, network: Network, rows: Rows, i: int, ingress: Ints, egress: Ints) -> Reason | None:
        """Count one cumulative reading, or say why not."""
        t, c = self, int(rows.counter[i])
        at, seq = int(rows.at[i]), int(rows.seq[i])
        value = int(rows.ingress[i]), int(rows.egress[i])
        if t.total_at[c] == NEVER:
            self._base(c, value, at, seq)
            return None
        newer = seq > t.total_seq[c] if ABSENT not in (seq, t.total_seq[c]) else at > t.total_at[c]
        if not newer:
            return Reason.SUPERSEDED
        base, since = (int(t.total_in[c]), int(t.total_out[c])), at - int(t.total_at[c])
        moved, reason = self._movement(network, c, base, value, since)
        if moved is None:
            if t.jump_at[c] != NEVER:
                base, since = (int(t.jump_in[c]), int(t.jump_out[c])), at - int(t.jump_at[c])
                moved, _ = self._movement(network, c, base, value, since, resets=False)
            if moved is None and self._turns(network, c, base, value, since):
                moved, _ = self._movement(network, c, base, value, since, resets=False)
        if moved is None:
            t.jump_in[c], t.jump_out[c], t.jump_at[c] = *value, at
            return reason
        t.falls_in[c] = 0 if moved[0] else t.falls_in[c]
        t.falls_out[c] = 0 if moved[1] else t.falls_out[c]
        ingress[c] += moved[0]
        egress[c] += moved[1]
        self._base(c, tuple(b if v == ABSENT else v for v, b in zip(value, base, strict=True)), at, seq)
        return None

    def _base(self, c: int, value: tuple[int, ...], at: int, seq: int) -> None:
        t = self
        t.total_in[c], t.total_out[c] = value
        t.total_at[c] = max(at, int(t.total_at[c]))
        t.total_seq[c], t.jump_at[c] = seq, NEVER

    def _movement(
        self, network: Network, c: int, base: tuple[int, int], value: tuple[int, int], since: int, *, resets: bool = True
    ) -> tuple[tuple[int, int] | None, Reason]:
        """People in and out between two totals `since` microseconds apart, or None and the reason."""
        limit, modulus = self._limit(network, c, since), int(network.modulus[c])
        moved, reason = [], Reason.DECREASED
        for before, after, down in zip(base, value, self._down(network, c), strict=True):
            if ABSENT in (before, after):
                moved.append(0)
                continue
            step = before - after if down else after - before
            if step < 0 and modulus != ABSENT and step % modulus * MINUTE <= limit:
                step %= modulus
            elif step < 0 and resets and not down and 2 * after < before and after * MINUTE <= limit:
                step = after
            moved.append(step)
        if min(moved) >= 0:
            if sum(moved) * MINUTE <= limit:
                return (moved[0], moved[1]), reason
            reason = Reason.IMPOSSIBLE_RATE
        return None, reason

    @staticmethod
    def _limit(network: Network, c: int, since: int) -> int:
        """People x MINUTE that may pass in `since` microseconds, and one period's grace."""
        every = int(network.every[c])
        return int(network.max_per_min[c]) * (min(max(since, every), LONGEST_US) + every)

    def _down(self, network: Network, c: int) -> tuple[bool, bool]:
        """Whether the counter counts down, in and out."""
        declared = bool(network.counts_down[c])
        return declared ^ bool(self.down_in[c]), declared ^ bool(self.down_out[c])

    def _turns(self, network: Network, c: int, base: tuple[int, int], value: tuple[int, int], since: int) -> bool:
        """Count falls that would be plausible movements of a device that counts the other way; whether a direction turned just now."""
        t, limit, turned = self, self._limit(network, c, since), False
        ways = ((t.falls_in, t.down_in), (t.falls_out, t.down_out))
        for before, after, down, (falls, learned) in zip(base, value, self._down(network, c), ways, strict=True):
            fall = 0 if ABSENT in (before, after) else after - before if down else before - after
            if fall > 0 and fall * MINUTE <= limit:
                falls[c] += 1
            elif fall:
                falls[c] = 0
            if falls[c] >= FALLS:
                learned[c], falls[c], turned = not learned[c], 0, True
        return turned


def _rises(values: Ints, runs: Runs, seeds: Ints, down: Bools) -> tuple[Ints, Bools]:
    """Steps of totals within runs (turned where they count `down`), and which of them are no falls and neither gain nor lose the direction."""
    before = runs.before(values, seeds)
    given, was = values != ABSENT, before != ABSENT
    step = np.where(given & was, np.where(down, before - values, values - before), 0)
    return step, (given == was) & (step >= 0)
