"""A stream says what was seen and beside it what was true, however many sites send it."""

from __future__ import annotations

import io
import json
from collections import Counter
from functools import cache

import numpy as np
import pytest

from flowwatch.core.readings import SECOND, Kind
from flowwatch.documents import Source, shipped
from flowwatch_sim.emit import send
from flowwatch_sim.planned import Planned, read_scenario
from flowwatch_sim.sinks import Lines
from flowwatch_sim.stream import City, Recording, record

QUIET = """
scenario: quiet
title: {zh: 平日, en: Quiet}
site: yuyuan
starts: 2026-09-22 09:00
lasts: 30m
streams: [{stream: visitors, people: 900, template: even, stay: 10m}]
"""
TROUBLED = """faults:
  - {counter: turnstile-1, wrong: duplicates, at: 5m, lasts: 15m, share: 0.3}
  - {counter: turnstile-2, wrong: late, at: 5m, lasts: 10m, by: 120}
  - {counter: turnstile-3, wrong: disorder, at: 5m, lasts: 15m, share: 0.4}
"""


@cache
def planned(more: str = "") -> Planned:
    return read_scenario(Source("quiet.yaml", (QUIET + more).encode()), shipped())


@cache
def day(more: str = "", seed: int = 1, sight: str = "perfect") -> Recording:
    return record(planned(more), seed, "perfect" if sight == "perfect" else "real")


def lines(city: City) -> list[dict[str, object]]:
    file = io.BytesIO()
    names = [f"s{i}" for i in range(len(city.day))]
    send(city, Lines(file, names, [c["counter"] for c in planned().layout.site["counters"]]), 0, speed=None)
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_perfect_turnstiles_count_everybody_who_is_inside() -> None:
    seen, layout = day(), planned().layout
    delta = seen.kind == Kind.DELTA
    gates = [i for i, c in enumerate(layout.site["counters"]) if c["gate"] is not None]
    at_gate = np.isin(seen.counter, gates)
    inside = int((seen.ingress - seen.egress)[delta & at_gate].sum())
    for i in gates:
        mine = (seen.counter == i) & (seen.kind == Kind.CUMULATIVE)
        inside += int(seen.ingress[mine][-1] - seen.egress[mine][-1]) if mine.any() else 0
    assert inside == seen.minutes[-1, layout.zones.index("mall")]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_copy_is_in_the_truth_for_each_that_was_sent(seed: int) -> None:
    print("seed", seed)
    clean, troubled = day(seed=seed), day(TROUBLED, seed=seed)
    assert np.array_equal(clean.minutes, troubled.minutes)
    copies = len(troubled) - len(clean)
    told = Counter(str(fault["what"]) for fault in troubled.faults)
    late = int(np.count_nonzero(troubled.received - troubled.at > planned().every_s * SECOND))
    assert copies == told["duplicates"] > 0
    assert 0 < late <= told["late"] + told["disorder"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_true_comes_back_when_copies_are_dropped(seed: int) -> None:
    def events(seen: Recording) -> set[tuple[int, ...]]:
        return set(zip(*(c.tolist() for c in (seen.counter, seen.at, seen.ingress, seen.egress, seen.headcount)), strict=True))

    assert events(day(TROUBLED, seed=seed)) <= events(day(seed=seed))
    missing = events(day(seed=seed)) - events(day(TROUBLED, seed=seed))
    end = planned().lasts_s * SECOND
    assert all(at > end - 900 * SECOND for _, at, *_ in missing)


def test_a_city_sends_each_sites_day_once() -> None:
    city = City([day(seed=1), day(seed=2)], 7, seed=5)
    sent = Counter(str(line["counter"]).split("/")[0] for line in lines(city))
    assert sent == {f"s{i}": len(city.recordings[i % 2]) for i in range(7)}


def test_a_site_that_is_not_shifted_sends_what_arrives_at_the_very_start() -> None:
    city = City([day()], 1, seed=next(seed for seed in range(1000) if City([day()], 1, seed).shift_us[0] == 0))
    assert day().received[0] == 0
    assert len(lines(city)) == len(city) == len(day())


def test_what_is_sent_does_not_depend_on_the_steps() -> None:
    city = City([day(TROUBLED), day(seed=2)], 5, seed=5)
    columns = ("site", "counter", "kind", "at", "received", "ingress", "egress", "headcount")
    by_second, at_once = ([batch for _, batch in city.steps(step)] for step in (SECOND, 7200 * SECOND))
    for column in columns:
        once, often = (np.concatenate([getattr(batch, column) for batch in sent]) for sent in (at_once, by_second))
        assert np.array_equal(once, often)


def test_readings_arrive_in_order() -> None:
    city = City([day(TROUBLED)], 5, seed=5)
    received = np.concatenate([batch.received for _, batch in city.steps(SECOND)])
    assert (np.diff(received) >= 0).all()
    assert len(received) == 5 * len(day(TROUBLED))


def test_the_schedule_does_not_wait_for_a_slow_sink() -> None:
    now = [0.0]
    waits: list[float] = []

    class Slow(Lines):
        def send(self, batch: object, start_us: int, late_s: float = 0.0) -> None:
            now[0] += 0.05

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    city = City([day()], 1, seed=1)
    sink = Slow(io.BytesIO(), ["s"], ["c"] * 12)
    sent = send(city, sink, 0, speed=100.0, clock=lambda: now[0], sleep=sleep)
    steps = len(list(city.steps(SECOND)))
    assert waits == [0.01]
    assert sent.most_lag_s == pytest.approx(0.05 * (steps - 1) - 0.01 * steps + 0.01, abs=0.02)
    assert sent.late_batches > 0.9 * steps
