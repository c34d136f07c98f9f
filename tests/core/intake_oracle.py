"""What the intake must count and refuse, one reading at a time in plain Python, after the rules at the head of `core.intake`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flowwatch.core.readings import ABSENT, Kind, Reason
from tests.core.world import Row

MINUTE = 60_000_000
DAY = 24 * 60 * MINUTE
Pair = tuple[int, int]
KINDS = {"delta": Kind.DELTA, "cumulative": Kind.CUMULATIVE, "absolute": Kind.ABSOLUTE}


@dataclass
class Device:
    """One counter: what the site file says (`told`) and what is remembered of it."""

    told: dict[str, Any]
    last: int | None = None
    base: Pair | None = None
    """The total that counting goes on from (ABSENT for a direction never given), its time and sequence."""
    base_at: int = 0
    base_seq: int = ABSENT
    jump: Pair | None = None
    """The total refused last, if the last one was."""
    jump_at: int = 0
    falls: list[int] = field(default_factory=lambda: [0, 0])
    turned: list[bool] = field(default_factory=lambda: [False, False])
    """Which direction has been learned to count the other way than declared."""

    def limit(self, since: int) -> int:
        """The most people in `since` microseconds, times a minute."""
        every = int(self.told["every_us"])
        return int(self.told["max_per_min"]) * (min(max(since, every), DAY) + every)

    def movement(self, base: Pair, value: Pair, since: int, *, resets: bool) -> tuple[list[int] | None, Reason]:
        """People between two totals, or None and why they cannot be."""
        moved = []
        for before, after, turned in zip(base, value, self.turned, strict=True):
            down = bool(self.told["counts_down"]) != turned
            step = 0 if ABSENT in (before, after) else (before - after if down else after - before)
            modulus = self.told["modulus"]
            if step < 0 and modulus is not None and step % modulus * MINUTE <= self.limit(since):
                step %= modulus
            elif step < 0 and resets and not down and after < before / 2 and after * MINUTE <= self.limit(since):
                step = after
            moved.append(step)
        if min(moved) < 0:
            return None, Reason.DECREASED
        return (moved, Reason.DECREASED) if sum(moved) * MINUTE <= self.limit(since) else (None, Reason.IMPOSSIBLE_RATE)

    def turns(self, base: Pair, value: Pair, since: int) -> bool:
        """Whether the fifth fall running that the other direction of counting would explain has turned a direction."""
        any_turned = False
        for i in (0, 1):
            step = 0 if ABSENT in (base[i], value[i]) else value[i] - base[i]
            against = step if bool(self.told["counts_down"]) != self.turned[i] else -step
            if step:
                self.falls[i] = self.falls[i] + 1 if against > 0 and against * MINUTE <= self.limit(since) else 0
            if self.falls[i] == 5:
                self.turned[i], self.falls[i], any_turned = not self.turned[i], 0, True
        return any_turned

    def total(self, at: int, seq: int, value: Pair) -> tuple[list[int], Reason | None]:
        """People in and out that a total brings, or why it brings none."""
        if self.base is None:
            self.base, self.base_at, self.base_seq = value, at, seq
            return [0, 0], None
        newer = at > self.base_at if ABSENT in (seq, self.base_seq) else seq > self.base_seq
        if not newer:
            return [0, 0], Reason.SUPERSEDED
        start, since = self.base, at - self.base_at
        moved, reason = self.movement(start, value, since, resets=True)
        if moved is None and self.jump is not None:
            start, since = self.jump, at - self.jump_at
            moved, _ = self.movement(start, value, since, resets=False)
        if moved is None and self.turns(start, value, since):
            moved, _ = self.movement(start, value, since, resets=False)
        if moved is None:
            self.jump, self.jump_at = value, at
            return [0, 0], reason
        self.falls = [0 if people else falls for people, falls in zip(moved, self.falls, strict=True)]
        self.base = (start[0] if value[0] == ABSENT else value[0], start[1] if value[1] == ABSENT else value[1])
        self.base_at, self.base_seq, self.jump = max(at, self.base_at), seq, None
        return moved, None


@dataclass
class Oracle:
    """All counters of a site."""

    devices: list[Device]
    headcount_most: dict[int, int]
    seen: set[tuple[int, ...]] = field(default_factory=set)
    waiting: list[tuple[int, Row]] = field(default_factory=list)

    def tick(
        self, rows: list[tuple[int, Row]], before: int | None, now: int
    ) -> tuple[dict[int, list[int]], dict[int, int], list[tuple[int, Reason]]]:
        """Rows are (offset, row). Gives people in and out by counter, the newest headcount by counter, and the refusals by offset."""
        refused: list[tuple[int, Reason]] = []
        for offset, row in rows:
            reason = self._why_not(row, before)
            if reason is None:
                self.seen.add(_identity(row))
                self.waiting.append((offset, row))
            else:
                refused.append((offset, reason))
        due = [(o, r) for o, r in self.waiting if r.at <= now]
        self.waiting = [(o, r) for o, r in self.waiting if r.at > now]
        due.sort(key=lambda pair: (pair[1].counter, _turn(pair[1]), pair[1].ordinal, pair[0]))
        moved: dict[int, list[int]] = {}
        heads: dict[int, int] = {}
        newest: dict[int, int] = {}
        before_it: dict[int, int | None] = {c: d.last for c, d in enumerate(self.devices)}
        for offset, row in due:
            device, people = self.devices[row.counter], moved.setdefault(row.counter, [0, 0])
            newest[row.counter] = max(row.at, newest.get(row.counter, row.at))
            reason = None
            if row.kind is Kind.ABSOLUTE:
                heads[row.counter] = row.headcount
            elif row.kind is Kind.CUMULATIVE:
                came, reason = device.total(row.at, row.seq, (row.ingress, row.egress))
                people[0], people[1] = people[0] + came[0], people[1] + came[1]
            else:
                came = [max(row.ingress, 0), max(row.egress, 0)]
                last = before_it[row.counter]
                since = device.told["every_us"] if last is None else row.at - last
                if sum(came) * MINUTE > device.limit(since):
                    reason = Reason.IMPOSSIBLE_RATE
                else:
                    people[0], people[1] = people[0] + came[0], people[1] + came[1]
                before_it[row.counter] = row.at
            if reason is not None:
                refused.append((offset, reason))
        for c, at in newest.items():
            last = self.devices[c].last
            self.devices[c].last = at if last is None else max(last, at)
        return moved, heads, sorted(refused)

    def _why_not(self, row: Row, before: int | None) -> Reason | None:
        if not 0 <= row.counter < len(self.devices):
            return Reason.UNKNOWN_COUNTER
        told = self.devices[row.counter].told
        received = row.at if row.received is None else row.received
        counts = [row.headcount] if row.kind is Kind.ABSOLUTE else [row.ingress, row.egress]
        given = [n for n in counts if n != ABSENT]
        most = {Kind.DELTA: 10**9, Kind.CUMULATIVE: 10**15, Kind.ABSOLUTE: self.headcount_most.get(row.counter, 0)}[row.kind]
        checks = [
            (row.kind is not KINDS[told["counts"]], Reason.WRONG_KIND),
            (told["valid_from_us"] is not None and row.at < told["valid_from_us"], Reason.NOT_IN_SERVICE),
            (told["valid_to_us"] is not None and row.at >= told["valid_to_us"], Reason.NOT_IN_SERVICE),
            (not given, Reason.MISSING_COUNT),
            (any(n < 0 for n in given), Reason.NEGATIVE_COUNT),
            (any(n > most for n in given), Reason.IMPOSSIBLE_HEADCOUNT if row.kind is Kind.ABSOLUTE else Reason.IMPOSSIBLE_RATE),
            (row.at > received + MINUTE, Reason.FAR_FUTURE),
            (before is not None and row.at < before - told["lateness_us"], Reason.TOO_LATE),
            (_identity(row) in self.seen, Reason.DUPLICATE),
        ]
        return next((reason for fails, reason in checks if fails), None)


def _identity(row: Row) -> tuple[int, ...]:
    return (row.counter, row.at, row.ordinal) if row.seq == ABSENT else (row.counter, row.seq)


def _turn(row: Row) -> int:
    return row.seq if row.kind is Kind.CUMULATIVE and row.seq != ABSENT else row.at
