"""Readings become movements: each counts once, in bounds, or is refused with a reason; nothing is raised, clamped or imputed.

Two steps. `accept` takes the rows that arrived since the last tick and refuses, in this order, what no later reading could change: unknown
counter, wrong kind of count, out of service, missing, negative or impossible counts, far future, too late, duplicate. `count` takes what is
due at a tick, in the order of event time, and turns it into people: deltas add within the rate that the counter's lanes allow; cumulative
totals are differenced; of headcounts the newest per counter stands.

Both steps are functions of the rows in log order and of nothing else, so it does not matter how the log was cut into batches. Disorder
between two ticks does not matter either, since counting is ordered by event time. A reading that comes after the tick of its own time is
judged by what is known then: a late delta adds, a late total is superseded, and the rate of a late delta is taken over one period.

This module knows counters, not places: who is inside is `occupancy`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from flowwatch.core.identities import Identities
from flowwatch.core.network import Network
from flowwatch.core.pending import Pending, Rows, joined
from flowwatch.core.readings import ABSENT, MINUTE, NEVER, SECOND, Block, Bools, Bytes, Int32s, Ints, Kind, Reason
from flowwatch.core.runs import Runs
from flowwatch.core.tally import Tally
from flowwatch.core.totals import LONGEST_US, MOST_PEOPLE, Totals

FUTURE_US: Final = 60 * SECOND
"""How far a device's clock may run ahead of the receipt time (a reading 5 min ahead is a fault seen in the field, domain.md)."""
MOST_TOTAL: Final = 10**15
"""No device has counted more than this since it was made."""


@dataclass(frozen=True, slots=True)
class Movements:
    """What one tick counted: people by counter (C,), and the newest headcounts (their rows, one a counter)."""

    ingress: Ints
    egress: Ints
    heard: Int32s
    """The counters that this tick brought newer evidence from (codes, ascending)."""
    headcounts: Rows | None


def _by_counter(counter: Int32s, counters: int) -> Ints:
    """Stable order by counter; two bytes are sorted by radix, ten times faster than four."""
    return np.argsort(counter.astype(np.uint16) if counters <= 65_536 else counter, kind="stable")


class Intake:
    """The state of all counters of a partition."""

    def __init__(self) -> None:
        self.totals = Totals.empty()
        self.seen = Identities()
        self.pending = Pending()
        self.accepted = 0
        self.horizon = NEVER
        """Identities of readings before this time may have been forgotten: they are too late for good, whatever lateness is granted later."""
        self._refused: list[tuple[Ints, Bytes]] = []
        self.tally = Tally()

    # -- refusals ---------------------------------------------------------------------------------------------------------------------

    def refuse(self, offsets: Ints, reasons: Bytes) -> None:
        """Note rows (by offset) as refused; the engine collects them with `refusals`."""
        self._refused.append((offsets, reasons))
        self.tally.refuse(reasons)

    def refusals(self) -> tuple[Ints, Bytes]:
        """Take all refusals noted since the last call: offsets and `Reason` codes, sorted by offset."""
        if not self._refused:
            return np.zeros(0, np.int64), np.zeros(0, np.uint8)
        offsets, reasons = (np.concatenate(column) for column in zip(*self._refused, strict=True))
        self._refused = []
        order = np.argsort(offsets, kind="stable")
        return offsets[order], reasons[order]

    # -- accept -----------------------------------------------------------------------------------------------------------------------

    def accept(self, network: Network, block: Block, offsets: Ints, tick: int) -> Rows | None:
        """Check `block` (readings only, at `offsets` in the log) against what may be known before its time; what passes comes back.

        `tick` is the time of the last decision (NEVER before the first).
        """
        reasons = _static_refusals(network, block, tick, self.horizon)
        order = _by_counter(block.counter, len(network.counters))
        if reasons is not None:
            bad = reasons != 0
            self.refuse(offsets[bad], reasons[bad])
            order = order[~bad[order]]
        if not len(order):
            return None
        rows = Rows(block.kind, block.counter, block.at, block.seq, block.ordinal, block.ingress, block.egress, block.headcount, offsets)
        rows = rows.take(order)
        again = self._repeats(rows)
        if again is not None:
            self.refuse(rows.offset[again], np.full(int(again.sum()), Reason.DUPLICATE, np.uint8))
            rows = rows.take(np.flatnonzero(~again))
            if not len(rows):
                return None
        self.seen.add(rows.counter, rows.at, rows.seq, rows.ordinal)
        self.accepted += len(rows)
        return rows

    def _repeats(self, rows: Rows) -> Bools | None:
        """Which rows (sorted by counter) repeat a reading already seen; None when none does.

        Only rows of counters where some row is not newer than all before it are looked up.
        """
        declared = rows.seq != ABSENT
        if not declared.any():
            doubtful = self._not_newer(Runs(rows.counter), rows.at, self.totals.newest_at)
        else:
            doubtful = np.zeros(len(rows), np.bool_)
            for mask, ident, newest in ((declared, rows.seq, self.totals.newest_seq), (~declared, rows.at, self.totals.newest_at)):
                where = np.flatnonzero(mask)
                part = self._not_newer(Runs(rows.counter[where]), ident[where], newest) if len(where) else None
                if part is not None:
                    doubtful[where] = part
        if doubtful is None or not doubtful.any():
            return None
        where = np.flatnonzero(doubtful)
        again = self.seen.repeats(rows.counter[where], rows.at[where], rows.seq[where], rows.ordinal[where], self.horizon)
        if not again.any():
            return None
        found = np.zeros(len(rows), np.bool_)
        found[where] = again
        return found

    @staticmethod
    def _not_newer(runs: Runs, ident: Ints, newest: Ints) -> Bools | None:
        """Rows of counters where some row is not newer than all before it (None: there are none); moves `newest` on."""
        rising = ident > runs.before(ident, newest[runs.at])
        if rising.all():
            newest[runs.at] = runs.last(ident)
            return None
        newest[runs.at] = np.maximum(newest[runs.at], runs.highest(ident))
        return runs.spread(~runs.every(rising))

    # -- count ------------------------------------------------------------------------------------------------------------------------

    def due(self, network: Network, fresh: Rows | None, tick: int) -> Rows | None:
        """All that counts at `tick`: of `fresh` and of what waited, sorted by counter and then by event time."""
        if fresh is not None and int(fresh.at.max()) > tick:
            self.pending.put(fresh)
            fresh = None
        waited = self._still_right(network, self.pending.due(tick)) if len(self.pending) else None
        if waited is None:
            rows = fresh
        else:
            rows = waited if fresh is None else joined([waited, fresh])
            rows = rows.take(_by_counter(rows.counter, len(self.totals.last_at)))
        if rows is None:
            return None
        same = rows.counter[1:] == rows.counter[:-1]
        if (same & (rows.at[1:] <= rows.at[:-1])).any() or (rows.seq != ABSENT).any():
            key = np.where((rows.kind == Kind.CUMULATIVE) & (rows.seq != ABSENT), rows.seq, rows.at)
            rows = rows.take(np.lexsort((rows.offset, rows.ordinal, key, rows.counter)))
        return rows

    def _still_right(self, network: Network, waited: Rows | None) -> Rows | None:
        """What waited, without readings of counters that were declared to send another kind of count meanwhile."""
        if waited is None:
            return None
        wrong = network.kind[waited.counter] != waited.kind
        if wrong.any():
            self.accepted -= int(wrong.sum())
            self.refuse(waited.offset[wrong], np.full(int(wrong.sum()), Reason.WRONG_KIND, np.uint8))
            waited = waited.take(np.flatnonzero(~wrong))
        return waited if len(waited) else None

    def count(self, network: Network, rows: Rows | None, tick: int) -> Movements:
        """Turn rows that are due at `tick` (from `due`) into movements."""
        n = len(network.counters)
        self.horizon = max(self.horizon, tick - network.longest_lateness)
        self.seen.forget(self.horizon)
        ingress, egress = np.zeros(n, np.int64), np.zeros(n, np.int64)
        if rows is None:
            return Movements(ingress, egress, np.zeros(0, np.int32), None)
        runs = Runs(rows.counter)
        counted_before = self.totals.counted_at[runs.at].copy()
        kinds = runs.first(rows.kind)
        headcounts = None
        unfit: list[Int32s] = []
        if (kinds == Kind.DELTA).all():
            unfit += self._deltas(network, rows, runs, ingress, egress)
        else:
            kind_of = runs.spread(kinds)
            deltas, totals = (rows.take(np.flatnonzero(kind_of == kind)) for kind in (Kind.DELTA, Kind.CUMULATIVE))
            if len(deltas):
                unfit += self._deltas(network, deltas, Runs(deltas.counter), ingress, egress)
            if len(totals):
                for i, reason in self.totals.difference(network, totals, Runs(totals.counter), ingress, egress):
                    self.accepted -= 1
                    self.refuse(totals.offset[i : i + 1], np.full(1, reason, np.uint8))
                    unfit.append(totals.counter[i : i + 1])
            headcounts = rows.take(runs.last(np.arange(len(rows)))[kinds == Kind.ABSOLUTE])
            self.totals.counted(headcounts.counter, headcounts.at, headcounts.offset)
        self.totals.last_at[runs.at] = np.maximum(self.totals.last_at[runs.at], runs.highest(rows.at))
        newer = self.totals.counted_at[runs.at] > counted_before
        self.tally.counted(runs, ingress, egress)
        for counters in unfit:
            self.tally.judged_unfit(counters)
        return Movements(ingress, egress, runs.heads if newer.all() else runs.heads[newer], headcounts)

    def _deltas(self, network: Network, rows: Rows, runs: Runs, ingress: Ints, egress: Ints) -> list[Int32s]:
        """Add what was counted to `ingress` and `egress` (C,); the counters of the rows that were refused instead, one a row."""
        counter, heads = rows.counter, runs.heads
        people_in, people_out = _given(rows.ingress), _given(rows.egress)
        people = people_in + people_out
        if (people > network.always_fair[runs.at if runs.single else counter]).any():
            before = runs.before(rows.at, self.totals.last_at[runs.at])
            every = network.every[counter]
            since = np.where(before == NEVER, every, np.clip(rows.at - before, every, LONGEST_US))
            over = people * MINUTE > network.max_per_min[counter] * (since + every)
            self.accepted -= int(over.sum())
            self.refuse(rows.offset[over], np.full(int(over.sum()), Reason.IMPOSSIBLE_RATE, np.uint8))
            people_in, people_out = np.where(over, 0, people_in), np.where(over, 0, people_out)
            last = runs.highest(np.where(over, -1, np.arange(len(rows))))
            last, told = last[last >= 0], heads[last >= 0]
            self.totals.counted(told, rows.at[last], rows.offset[last])
            unfit = [counter[over]]
        else:
            self.totals.counted(runs.at, runs.last(rows.at), runs.last(rows.offset))
            unfit = []
        ingress[runs.at] = runs.total(people_in)
        egress[runs.at] = runs.total(people_out)
        return unfit

    # -- state ------------------------------------------------------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        offsets, reasons = self.refusals()
        if len(offsets):
            self._refused.append((offsets, reasons))
        return {
            "totals": {f.name: getattr(self.totals, f.name) for f in fields(Totals)},
            "seen": self.seen.to_state(),
            "pending": self.pending.to_state(),
            "accepted": self.accepted,
            "horizon": self.horizon,
            "refused": {"offsets": offsets, "reasons": reasons},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Intake:
        """What `to_state` wrote."""
        made = cls()
        made.totals = Totals(**state["totals"])
        made.seen = Identities.from_state(state["seen"])
        made.pending = Pending.from_state(state["pending"])
        made.accepted, made.horizon = state["accepted"], state["horizon"]
        if len(state["refused"]["offsets"]):
            made._refused.append((state["refused"]["offsets"], state["refused"]["reasons"]))
        return made


def _given(counts: Ints) -> Ints:
    """Counts with "not given" as nobody."""
    return counts if int(counts.min()) >= 0 else np.maximum(counts, 0)


def _static_refusals(network: Network, block: Block, tick: int, horizon: int) -> Bytes | None:
    """The reason for each row that needs no memory to refuse, 0 where there is none; None when nothing is refused."""
    counter, at = block.counter, block.at
    n = len(network.counters)
    unknown = (counter < 0) | (counter >= n)
    any_unknown = bool(unknown.any())
    if n == 0:
        return np.full(len(block), Reason.UNKNOWN_COUNTER, np.uint8)
    c: Any = np.where(unknown, 0, counter) if any_unknown else counter
    doubts: list[tuple[Bools, Reason]] = []
    other_kind = network.kind[c] != block.kind
    if any_unknown or other_kind.any():
        doubts.append((unknown | ~network.known[c], Reason.UNKNOWN_COUNTER))
        doubts.append((other_kind, Reason.WRONG_KIND))
    if network.dated:
        doubts.append(((at < network.valid_from[c]) | (at >= network.valid_to[c]), Reason.NOT_IN_SERVICE))
    least, greatest = min(int(block.ingress.min()), int(block.egress.min())), max(int(block.ingress.max()), int(block.egress.max()))
    if least < 0 or greatest > MOST_PEOPLE or int(block.kind.max()) == Kind.ABSOLUTE:
        absolute = block.kind == Kind.ABSOLUTE
        no_in, no_out, no_head = block.ingress == ABSENT, block.egress == ABSENT, block.headcount == ABSENT
        doubts.append((np.where(absolute, no_head, no_in & no_out), Reason.MISSING_COUNT))
        negative = np.where(absolute, block.headcount < 0, ((block.ingress < 0) & ~no_in) | ((block.egress < 0) & ~no_out))
        doubts.append((negative, Reason.NEGATIVE_COUNT))
        doubts.append((absolute & (block.headcount > network.headcount_max[c]), Reason.IMPOSSIBLE_HEADCOUNT))
        most = np.where(block.kind == Kind.DELTA, MOST_PEOPLE, MOST_TOTAL)
        huge = np.maximum(block.ingress, block.egress) > most
        doubts.append((huge, Reason.IMPOSSIBLE_RATE))
    doubts.append((at > block.received + FUTURE_US, Reason.FAR_FUTURE))
    forgotten = max(horizon, 0)
    if int(at.min()) < max(tick - network.shortest_lateness, forgotten):
        doubts.append((at < np.maximum(tick - network.lateness[c], forgotten), Reason.TOO_LATE))
    reasons: Bytes | None = None
    for mask, reason in doubts:
        if mask.any():
            if reasons is None:
                reasons = np.zeros(len(block), np.uint8)
            reasons[mask & (reasons == 0)] = reason
    return reasons
