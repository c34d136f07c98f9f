"""Ordinals: the k-th reading that looks alike is number k, however a source is cut."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.adapters import ordinals
from flowwatch.adapters.ordinals import AHEAD_US, MOST_HORIZON_US, Ordinals, number_whole
from flowwatch.core.readings import ABSENT

SECOND = 1_000_000
DAY = 86_400 * SECOND
STEPS = st.sampled_from([0, 0, 0, SECOND, 7 * SECOND, 3600 * SECOND, 16 * DAY, 40 * DAY, 400 * DAY])
BEHIND = st.sampled_from([0, 0, 0, 0, SECOND, 7 * SECOND, 3600 * SECOND, 2 * DAY, -AHEAD_US, -2 * AHEAD_US, -3000 * DAY])
ROWS = st.lists(st.tuples(st.sampled_from("abc"), STEPS, BEHIND, st.sampled_from([ABSENT, ABSENT, ABSENT, 7])), max_size=60)
Columns = tuple[list[str], list[int], list[int], list[int]]


def columns(rows: list[tuple[str, int, int, int]]) -> Columns:
    clock, made = 10**15, []
    for name, step, behind, seq in rows:
        clock += step
        made.append((name, clock - behind, clock, seq))
    names, at, received, seqs = ([row[i] for row in made] for i in range(4))
    return names, at, received, seqs  # type: ignore[return-value]


def numbered(source: Ordinals, given_columns: Columns, cuts: list[int]) -> list[int]:
    names, at, received, seq = given_columns
    told: list[int] = []
    for a, b in zip([0, *cuts], [*cuts, len(names)], strict=True):
        times = (np.array(column[a:b], np.int64) for column in (at, received, seq))
        told += source.number(names[a:b], *times).tolist()
    return told


def counted(given_columns: Columns, horizon: int) -> list[int]:
    seen: Counter[tuple[str, int]] = Counter()
    told = []
    for name, at, received, seq in zip(*given_columns, strict=True):
        if seq != ABSENT or not received - horizon <= at <= received + AHEAD_US:
            told.append(0)
            continue
        told.append(seen[name, at])
        seen[name, at] += 1
    return told


@given(ROWS, st.sampled_from([0, 10 * SECOND, 3600 * SECOND, MOST_HORIZON_US]), st.data())
def test_alike_readings_within_the_horizon_are_counted_through_any_batches(
    rows: list[tuple[str, int, int, int]], horizon: int, data: st.DataObject
) -> None:
    given_columns = columns(rows)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=5)))
    assert numbered(Ordinals(horizon), given_columns, cuts) == counted(given_columns, horizon)


@given(ROWS)
def test_a_source_that_is_held_whole_is_counted_without_a_horizon(rows: list[tuple[str, int, int, int]]) -> None:
    names, at, _, seq = columns(rows)
    told = number_whole(names, np.array(at, np.int64), np.array(seq, np.int64)).tolist()
    seen: Counter[tuple[str, int]] = Counter()
    for name, time, sequence, ordinal in zip(names, at, seq, told, strict=True):
        assert ordinal == (seen[name, time] if sequence == ABSENT else 0)
        seen[name, time] += sequence == ABSENT


def test_more_names_than_any_city_has_make_it_start_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordinals, "MOST_COUNTERS", 5)
    source = Ordinals()
    for i in range(20):
        names = [f"s/{i}", f"s/{i}"]
        same = np.full(2, 10**15)
        assert source.number(names, same, same, np.full(2, ABSENT)).tolist() == [0, 1]


def test_a_horizon_longer_than_the_keys_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 0 to"):
        Ordinals(MOST_HORIZON_US + 1)
