"""The two memories of the intake: what has been seen, and what waits for its tick."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.identities import Identities
from flowwatch.core.pending import Pending, Rows
from flowwatch.core.readings import ABSENT, Int32s, Ints
from flowwatch.core.state import dump, load

Identity = tuple[int, int, int, int]
"""Counter, event time, sequence, ordinal."""


def _columns(rows: list[Identity]) -> tuple[Int32s, Ints, Ints, Int32s]:
    counter, at, seq, ordinal = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return counter.astype(np.int32), at, seq, ordinal.astype(np.int32)


def _key(row: Identity) -> tuple[int, ...]:
    counter, at, seq, ordinal = row
    return (counter, at, ordinal) if seq == ABSENT else (counter, seq)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.sampled_from([5, 3000]))
def test_within_the_horizon_memory_and_a_set_agree_whatever_is_forgotten_and_stored(seed: int, most: int) -> None:
    dice = random.Random(seed)
    memory, seen, now, horizon = Identities(), dict[tuple[int, ...], int](), 1000, 0
    for _ in range(12):
        rows: list[Identity] = []
        for _ in range(dice.randrange(1, most)):
            at = now - dice.randrange(now - horizon if horizon else 100)
            seq = ABSENT if dice.random() < 0.7 else dice.choice([at * 10, at * 10 - 400])
            rows.append((dice.randrange(4), at, seq, dice.randrange(3)))
        repeats, fresh = [], set[tuple[int, ...]]()
        for row in rows:
            repeats.append(seen.get(_key(row), horizon - 1) >= horizon or _key(row) in fresh)
            fresh.add(_key(row))
        assert memory.repeats(*_columns(rows), horizon).tolist() == repeats
        new = [row for row, repeated in zip(rows, repeats, strict=True) if not repeated]
        if new:
            memory.add(*_columns(new))
        seen |= {_key(row): row[1] for row in new}
        now += dice.randrange(1, 60)
        horizon = now - 100
        memory.forget(horizon)
        if dice.random() < 0.3:
            memory = Identities.from_state(load(dump(memory.to_state())))


def _rows(ats: list[int], first: int) -> Rows:
    n = len(ats)
    columns = {name: np.zeros(n, np.int64) for name in ("seq", "ingress", "egress", "headcount")}
    places = np.arange(first, first + n)
    return Rows(
        np.zeros(n, np.uint8), np.zeros(n, np.int32), np.array(ats, np.int64), ordinal=np.zeros(n, np.int32), offset=places, **columns
    )


@given(st.lists(st.tuples(st.lists(st.integers(0, 50), max_size=9), st.integers(0, 60), st.booleans()), max_size=12))
def test_what_waits_comes_out_once_at_the_first_tick_at_or_after_its_time(story: list[tuple[list[int], int, bool]]) -> None:
    pending, waiting, offset, now = Pending(), list[tuple[int, int]](), 0, 0
    for ats, wait, restart in story:
        pending.put(_rows(ats, offset))
        waiting += [(at, offset + i) for i, at in enumerate(ats)]
        offset += len(ats)
        now += wait
        if restart:
            pending = Pending.from_state(load(dump(pending.to_state())))
        rows = pending.due(now)
        due = [] if rows is None else list(zip(rows.at.tolist(), rows.offset.tolist(), strict=True))
        assert sorted(due) == sorted(pair for pair in waiting if pair[0] <= now)
        waiting = [pair for pair in waiting if pair[0] > now]
        assert len(pending) == len(waiting)
