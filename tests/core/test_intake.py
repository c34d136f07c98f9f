"""Every reading counts once or is refused with the right reason: the intake and a loop in plain Python agree on random streams."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.intake import Intake
from flowwatch.core.network import Network, compile_network
from flowwatch.core.readings import ABSENT, NEVER, SECOND, Reason
from tests.core.intake_oracle import Device, Oracle
from tests.core.world import T0, Row, block, counter, delta, head, site, total, zone

Told = dict[str, Any]
DEVICES = [
    counter("tripod", max_per_min=600, lateness_us=20 * SECOND),
    counter("numbered", max_per_min=600, every_us=5 * SECOND, lateness_us=60 * SECOND),
    counter("plain", "cumulative", gate="g0", zone=None, max_per_min=600, every_us=5 * SECOND, lateness_us=30 * SECOND),
    counter("wrapping", "cumulative", gate="g0", zone=None, max_per_min=240, modulus=1000, lateness_us=30 * SECOND),
    counter("sequenced", "cumulative", gate="g0", zone=None, max_per_min=600, every_us=2 * SECOND, lateness_us=60 * SECOND),
    counter("backward", "cumulative", gate="g0", zone=None, max_per_min=600, counts_down=True, lateness_us=30 * SECOND),
    counter("dated", max_per_min=600, valid_from_us=T0 + 40 * SECOND, valid_to_us=T0 + 160 * SECOND),
    counter("camera", "absolute", every_us=5 * SECOND, lateness_us=20 * SECOND, coverage_ppm=900_000),
    counter("second-camera", "absolute", lateness_us=5 * SECOND),
]
DOCUMENT = site(counters=DEVICES, zones=[zone(area_m2=30.0)])
HEADCOUNT_MOST = {7: 192, 8: 213}
"""7.1 persons/m2 on 30 m2, and on nine tenths of it, rounded up."""


def _network() -> Network:
    return compile_network([("v1", DOCUMENT)], [f"yu/{c['counter']}" for c in DEVICES])


class Street:
    """A source of readings with all the faults that the field knows, from one seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.totals = {c: [self.dice.randrange(2000), self.dice.randrange(2000)] for c in (2, 3, 4, 5)}
        self.totals[3] = [self.dice.randrange(1000), self.dice.randrange(1000)]
        self.seq = {1: 100, 4: 10}
        self.numbered: dict[tuple[int, int], int] = {}
        """When each number was first used; a number is used again only while it must be remembered."""
        self.direction = {2: 1, 3: 1, 4: 1, 5: -1}
        self.sent: list[Row] = []

    def rows(self, now: int) -> list[Row]:
        """Some readings around the time `now`."""
        return [self._one(now) for _ in range(self.dice.choice([0, 1, 3, 8, 20]))]

    def _one(self, now: int) -> Row:
        dice = self.dice
        if self.sent and dice.random() < 0.12:
            old = dice.choice(self.sent[-30:])
            if self.numbered.get((old.counter, old.seq), now) < now - 55 * SECOND:
                return self._one(now)
            other = dice.random() < 0.3 and old.ingress != ABSENT
            return replace(old, received=now, ingress=dice.randrange(9) if other else old.ingress)
        at = now + dice.choice([0, 0, 0, 0, 1, -1, -3, -10, -40, -70, 5, 20, 59, 60, 61, 300]) * SECOND + dice.choice([0, 0, 0, 17])
        code = dice.choice([*range(len(DEVICES)), *range(len(DEVICES)), 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, len(DEVICES), -1])
        row = self._reading(code, at, now)
        row = replace(row, received=now, ordinal=dice.choice([0, 0, 0, 1, 2]))
        if dice.random() < 0.05:
            row = replace(row, kind=dice.choice([delta(0).kind, total(0).kind, head(0, 0).kind]))
        self.sent.append(row)
        return row

    def _reading(self, code: int, at: int, now: int) -> Row:
        dice = self.dice
        if code in self.totals:
            return self._total(code, at, now)
        if code in (7, 8):
            return head(at, dice.choice([0, 3, 50, 192, 193, 213, 214, 10**6, -1, ABSENT]), code)
        people = dice.choices([0, 1, 5, 19, 20, 21, 100, 5000, 10**9, 10**9 + 1, -1, ABSENT], [9, 9, 9, 3, 3, 3, 2, 1, 1, 1, 1, 3], k=2)
        row = delta(at, people[0], people[1], code)
        if code == 1 and dice.random() < 0.8:
            row = replace(row, seq=self._number(code, at, now))
        return row

    def _total(self, code: int, at: int, now: int) -> Row:
        dice, totals = self.dice, self.totals[code]
        fault = dice.random()
        if fault < 0.03:
            self.direction[code] = -self.direction[code]
        elif fault < 0.06:
            totals[:] = [0, dice.choice([0, totals[1]])]
        elif fault < 0.08:
            totals[dice.randrange(2)] += dice.choice([10**6, 5000, 300, 10**15])
        for i in (0, 1):
            totals[i] = max(totals[i] + self.direction[code] * dice.choice([0, 0, 1, 3, 8, 30]), 0)
            if code == 3:
                totals[i] %= 1000
        shown = [t if dice.random() > 0.04 else dice.choice([ABSENT, 0, 7, -4, t + 40, max(t - 40, 0), 10**15, 10**15 + 1]) for t in totals]
        row = total(at, shown[0], shown[1], code)
        if code == 4 and dice.random() < 0.9:
            row = replace(row, seq=self._number(code, at, now))
        return row

    def _number(self, code: int, at: int, now: int) -> int:
        """The next sequence number of a device, sometimes one used before."""
        number = self.seq[code] + self.dice.choice([1, 1, 1, 1, 2, 0, -1, -3])
        while self.numbered.get((code, number), now) < now - 55 * SECOND:
            number += 1
        self.seq[code] = number
        self.numbered[code, number] = min(at, self.numbered.get((code, number), at))
        return number


def _compare(seed: int, ticks: int) -> None:
    street, dice = Street(seed), random.Random(seed + 1)
    network, intake = _network(), Intake()
    intake.totals.grow(len(DEVICES))
    oracle = Oracle([Device(told) for told in DEVICES], HEADCOUNT_MOST)
    now, before, offset = T0, None, 0
    of: list[int] = []
    reasons: Counter[Reason] = Counter()
    fit, passed = np.zeros(len(DEVICES), np.int64), np.zeros((len(DEVICES), 2), np.int64)
    for _ in range(ticks):
        rows = street.rows(now)
        of += [row.counter for row in rows]
        np.add.at(fit, [row.counter for row in rows if 0 <= row.counter < len(DEVICES)], 1)
        fresh = None
        if rows:
            offsets = np.arange(offset, offset + len(rows))
            fresh = intake.accept(network, block(rows, offset), offsets, NEVER if before is None else before)
        movements = intake.count(network, intake.due(network, fresh, now), now)
        offsets, codes = intake.refusals()
        moved, heads, refused = oracle.tick([(offset + i, row) for i, row in enumerate(rows)], before, now)
        assert list(zip(offsets.tolist(), map(Reason, codes.tolist()), strict=True)) == refused
        reasons.update(reason for _, reason in refused)
        np.subtract.at(fit, [of[o] for o, _ in refused if 0 <= of[o] < len(DEVICES)], 1)
        people = [moved.get(c, [0, 0]) for c in range(len(DEVICES))]
        passed += people
        assert np.stack([movements.ingress, movements.egress], axis=1).tolist() == people
        seen = (
            {}
            if movements.headcounts is None
            else dict(zip(movements.headcounts.counter.tolist(), movements.headcounts.headcount.tolist(), strict=True))
        )
        assert seen == heads
        waiting = np.bincount([row.counter for _, row in oracle.waiting], minlength=len(DEVICES))
        tally = intake.tally
        if len(tally.readings):
            assert tally.readings.tolist() == (fit - waiting).tolist()
            assert np.stack([tally.people_in, tally.people_out], axis=1).tolist() == passed.tolist()
        assert {Reason(r): n for r, n in enumerate(tally.refused.tolist()) if n} == reasons
        offset += len(rows)
        before = now
        now += dice.choice([1, 1, 1, 2, 10, 45]) * SECOND


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_intake_and_a_plain_loop_agree_on_movements_headcounts_and_refusals(seed: int) -> None:
    _compare(seed, 60)
