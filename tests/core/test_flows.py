"""People a minute, against a plain recount of what was counted within the window."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.engine import Engine
from flowwatch.core.readings import SECOND
from tests.core.world import (
    T0,
    Document,
    counter,
    declare,
    delta,
    gate,
    link,
    passers,
    play,
    recount,
    site,
    stage,
    stages_seen,
    stored,
    term,
    tick,
    total,
    zone,
)

seeds = st.integers(0, 2**32)
MINUTE = 60 * SECOND
HALL: Document = {"zones": [zone(), zone("hall")], "links": [link("path", "mall", "hall")]}


def _net(where: str, enter: int = 50, clear: int = 10) -> Document:
    return term(enter, clear, zone=where, measure="net_flow", clear_source="net_flow")


def _rate(engine: Engine, name: str) -> tuple[int, bool, bool]:
    """(milli-persons a minute, known, fresh) of the quantity called `name`, as at the last tick."""
    terms, network = engine.terms, engine.network
    i = 4 * terms.targets + [p.name for p in terms.passers].index(name)
    last_at = engine.intake.totals.counted_at
    figures = engine.occupancy.figures(network, last_at, engine.tick)
    silent = np.zeros(len(network.counters), np.bool_)
    found = engine.measures.at(
        network, terms, figures, engine.occupancy.zones.recounted_at, last_at, silent, engine.plans.rank, engine.tick
    )
    return int(found.value[i]), bool(found.known[i]), bool(found.fresh[i])


Counted = list[tuple[int, int, int]]
"""(tick at which people counted, in, out)."""


def _within(counted: Counted, since: int, until: int) -> tuple[int, int]:
    """(in, out) counted after `since` and not after `until`."""
    return sum(i for t, i, _ in counted if since < t <= until), sum(o for t, _, o in counted if since < t <= until)


def _bounds(counted: Counted, window: int, at: int) -> list[tuple[int, int]]:
    """For in and out: the least and the most that two buckets of `window` can say at `at`, milli-persons a minute."""
    begin = (at - 1) // window * window
    now, both = _within(counted, begin, at), _within(counted, begin - window, at)
    return [(60_000_000_000 * n // window, 60_000_000_000 * b // window) for n, b in zip(now, both, strict=True)]


@pytest.mark.slow
@settings(max_examples=60)
@given(seeds, st.sampled_from([1, 7, 10, 30, 60, 90, 900]))
def test_a_rate_and_the_people_of_its_window_lie_between_what_one_bucket_and_what_both_hold(seed: int, every: int) -> None:
    dice = random.Random(seed)
    window = max(every, 60) * SECOND
    leaves = [passers(10**6, 1, direction=way) for way in ("in", "out", "both")]
    document = site(counters=[counter("c0", every_us=every * SECOND, max_per_min=10**6)], stages=[stage("calm"), stage("busy", leaves)])
    engine = Engine("p00")
    rows, at, counted = [declare(document)], T0, list[tuple[int, int, int]]()
    offset = 0
    for n in range(80):
        at += dice.choice([1, 1, 5, every, every, 61]) * SECOND
        come, gone = (dice.choice([0, dice.randrange(50)]) for _ in range(2))
        if dice.random() < 0.7:
            rows.append(delta(at, come, gone, ordinal=n))
            counted.append((at, come, gone))
        rows.append(tick(at))
        play(rows, engine=engine, first=offset)
        offset, rows = offset + len(rows), []
        if dice.random() < 0.1:
            engine = stored(engine)
        told = [_rate(engine, f"yu/g0.flow_{way}")[0] for way in ("in", "out", "both")]
        assert told[2] == told[0] + told[1]
        for rate, people, (least, most) in zip(told[:2], _within(counted, at - window, at), _bounds(counted, window, at), strict=True):
            assert least - 1 <= rate <= most
            assert least - 1 <= people * MINUTE * 1000 // window <= most


@pytest.mark.parametrize("every", [1, 5, 10])
def test_an_even_flow_of_a_counter_that_reports_often_is_told_to_within_a_sixth(every: int) -> None:
    document = site(counters=[counter("c0", every_us=every * SECOND)], stages=[stage("calm"), stage("busy", [passers(10**6, 1)])])
    engine = Engine("p00")
    play([declare(document), tick(T0)], engine=engine)
    for n in range(1, 400):
        play([*([delta(T0 + n * SECOND, 2 * every, 0, ordinal=n)] if n % every == 3 % every else []), tick(T0 + n * SECOND)], engine=engine)
        if n > 120:
            assert abs(_rate(engine, "yu/g0.flow_both")[0] - 120_000) <= 20_000


@pytest.mark.parametrize("every", [15, 30, 59, 60, 300, 900])
@pytest.mark.parametrize("phase", [0.01, 0.3, 0.5, 0.97])
def test_an_even_flow_of_a_slow_counter_is_even_whenever_it_reports(every: int, phase: float) -> None:
    """Reports of a quarter of an hour's people at once are no rush, and the minutes before the next report no calm."""
    document = site(
        counters=[counter("c0", every_us=every * SECOND, max_per_min=10**5)], stages=[stage("calm"), stage("busy", [passers(150, 90)])]
    )
    begin = T0 // (900 * SECOND) * 900 * SECOND
    rows = [declare(document)]
    for n in range(max(8 * every, 600)):
        if n % every == int(phase * every):
            rows.append(delta(begin + n * SECOND, 2 * every, 0))
        if n % 5 == 4 or n % every == int(phase * every):
            rows.append(tick(begin + n * SECOND))
    engine = Engine("p00")
    assert [to for _, _, to, _ in stages_seen(play(rows, engine=engine).entries)] == ["calm"]
    rate = _rate(engine, "yu/g0.flow_both")[0]
    assert 90_000 <= rate <= 150_000


def _played(document: Document, moves: Sequence[tuple[int, int, int]], seconds: int = 130) -> Engine:
    """`moves` (counter, in, out) every second for `seconds`."""
    engine = Engine("p00")
    rows = [declare(document), *(recount(T0, 500, z["zone"]) for z in document["zones"]), tick(T0)]
    for n in range(1, seconds):
        rows += [delta(T0 + n * SECOND, i, o, c, ordinal=n) for c, i, o in moves]
        rows.append(tick(T0 + n * SECOND))
    play(rows, engine=engine)
    return engine


@pytest.mark.parametrize("swapped", [False, True])
def test_a_counter_mounted_the_other_way_round_counts_in_for_out(swapped: bool) -> None:
    leaves = [passers(10**6, 1, direction=way) for way in ("in", "out", "both")]
    document = site(counters=[counter("c0", swapped=swapped)], stages=[stage("calm"), stage("busy", leaves)])
    engine = _played(document, [(0, 3, 1) if not swapped else (0, 1, 3)])
    assert [_rate(engine, f"yu/g0.flow_{way}")[0] for way in ("in", "out", "both")] == [180_000, 60_000, 240_000]


def test_all_counters_at_a_gate_add_up() -> None:
    counters = [counter("c0"), counter("c1"), counter("c2", swapped=True), counter("c3", gate="g1")]
    document = site(counters=counters, stages=[stage("calm"), stage("busy", [passers(10**6, 1, direction="in")])])
    engine = _played(document, [(0, 1, 0), (1, 2, 0), (2, 0, 4), (3, 9, 9)])
    assert _rate(engine, "yu/g0.flow_in")[0] == 7 * 60_000


@pytest.mark.parametrize("swapped", [(False,), (True,), (False, True), (True, True)])
def test_opposing_flow_is_the_weaker_direction_of_all_counters_on_the_link(swapped: tuple[bool, ...]) -> None:
    counters = [counter(f"c{i}", gate=None, link="path", swapped=s) for i, s in enumerate(swapped)]
    leaf = passers(10**6, 1, at="path", on="link", measure="opposing_flow")
    document = site(**HALL, counters=counters, stages=[stage("calm"), stage("busy", [leaf])])
    engine = _played(document, [(i, 1, 3) if s else (i, 3, 1) for i, s in enumerate(swapped)])
    """Everybody's own forward is 3 and backward 1 a second."""
    assert _rate(engine, "yu/path.opposing_flow")[0] == len(swapped) * 60_000


def test_people_all_going_one_way_oppose_nobody() -> None:
    leaf = passers(10**6, 1, at="path", on="link", measure="opposing_flow")
    document = site(**HALL, counters=[counter("c0", gate=None, link="path")], stages=[stage("calm"), stage("busy", [leaf])])
    assert _rate(_played(document, [(0, 5, 0)]), "yu/path.opposing_flow")[0] == 0


def test_a_net_flow_is_who_comes_minus_who_goes_by_every_passage_of_the_zone() -> None:
    counters = [counter("c0"), counter("c1", gate="g1", swapped=True), counter("c2", gate=None, link="path")]
    leaves = [_net("mall"), _net("hall"), _net("site")]
    document = site(
        **HALL,
        gates=[gate("g0"), gate("g1", to="hall")],
        counters=counters,
        stages=[stage("calm"), stage("busy", leaves)],
    )
    engine = _played(document, [(0, 4, 1), (1, 0, 2), (2, 3, 1)])
    found = [_rate(engine, f"yu/{where}.net_flow")[0] // 60_000 for where in ("mall", "hall", "site")]
    assert found == [3 - 2, 2 + 2, 5]


def test_a_net_flow_may_be_below_nothing() -> None:
    document = site(stages=[stage("calm"), stage("busy", [_net("mall")])])
    assert _rate(_played(document, [(0, 0, 2)]), "yu/mall.net_flow")[0] == -120_000


def test_a_net_flow_into_a_zone_within_another_leaves_the_outer_one_alone() -> None:
    document = site(
        zones=[zone(), zone("bridge", inside="mall")],
        links=[link("steps", "mall", "bridge")],
        counters=[counter("c0"), counter("c1", gate=None, link="steps")],
        stages=[stage("calm"), stage("busy", [_net("mall"), _net("bridge")])],
    )
    engine = _played(document, [(0, 1, 0), (1, 3, 0)])
    assert [_rate(engine, f"yu/{where}.net_flow")[0] // 60_000 for where in ("mall", "bridge")] == [1, 3]


def test_a_rate_is_known_once_a_whole_window_was_watched_and_fresh_while_its_counter_speaks() -> None:
    document = site(stages=[stage("calm"), stage("busy", [passers(10**6, 1)])])
    engine, seen = Engine("p00"), list[tuple[bool, bool]]()
    play([declare(document), tick(T0)], engine=engine)
    for n in range(1, 200):
        play([*([delta(T0 + n * SECOND, 1)] if n < 100 else []), tick(T0 + n * SECOND)], engine=engine)
        seen.append(_rate(engine, "yu/g0.flow_both")[1:])
    assert next(n for n, (known, _) in enumerate(seen, 1) if known) == 60
    assert next(n for n, (_, fresh) in enumerate(seen, 1) if not fresh) == 160


def _staged(every: int = 1, **changes: Any) -> Document:
    return site(
        stages=[stage("calm"), stage("busy", [passers(60, 30)], SECOND)], counters=[counter("c0", every_us=every * SECOND)], **changes
    )


def _even(begin: int, end: int, each: int = 2) -> list[Any]:
    return [row for n in range(begin, end) for row in (delta(T0 + n * SECOND, each, 0), tick(T0 + n * SECOND))]


def test_a_flow_that_nobody_counts_any_more_is_no_calm() -> None:
    rows = [declare(_staged()), tick(T0), *_even(1, 200), *(tick(T0 + n * MINUTE) for n in range(4, 60))]
    assert [to for _, _, to, _ in stages_seen(play(rows).entries)] == ["calm", "busy"]


def test_a_flow_that_ends_is_calm_within_two_windows() -> None:
    rows = [declare(_staged()), tick(T0), *_even(1, 200), *_even(200, 400, each=0)]
    told = stages_seen(play(rows).entries)
    assert [to for _, _, to, _ in told] == ["calm", "busy", "calm"]
    assert told[-1][0] - T0 <= 320 * SECOND


@pytest.mark.parametrize("every", [(1, 120), (120, 1), (1, 900), (60, 61)])
def test_a_counter_whose_period_changes_with_the_documents_is_no_calm(every: tuple[int, int]) -> None:
    rows = [declare(_staged(every[0])), tick(T0), *_even(1, 300), declare(_staged(every[1])), *_even(300, 500)]
    assert [to for _, _, to, _ in stages_seen(play(rows).entries)] == ["calm", "busy"]


def test_a_document_that_changes_nothing_about_a_counter_keeps_its_rate() -> None:
    rows = [declare(_staged()), tick(T0), *_even(1, 200), declare(_staged(egress_min_per_min=40)), *_even(200, 203)]
    engine = Engine("p00")
    play(rows, engine=engine)
    assert _rate(engine, "yu/g0.flow_both") == (120_000, True, True)


def test_the_first_total_of_a_device_is_no_flow() -> None:
    document = site(counters=[counter("c0", "cumulative", max_per_min=10**6)], stages=[stage("calm"), stage("busy", [passers(60, 30)])])
    rows = [declare(document), tick(T0), total(T0 + SECOND, 9000, 9000), tick(T0 + SECOND), tick(T0 + 2 * SECOND)]
    assert [to for _, _, to, _ in stages_seen(play(rows).entries)] == ["calm"]


@pytest.mark.slow
@settings(max_examples=20)
@given(seeds)
def test_rates_that_nobody_looks_at_cost_nothing_and_those_looked_at_anew_begin_anew(seed: int) -> None:
    dice = random.Random(seed)
    plain, staged = site(stages=[stage("calm")]), _staged()
    begin = dice.randrange(70, 200)
    engine = Engine("p00")
    rows = [declare(staged), tick(T0), *_even(1, begin), declare(plain), *_even(begin, begin + 50), declare(staged)]
    play(rows, engine=engine)
    n = begin + 50
    while n < begin + 115:
        play(_even(n, n + 1), engine=engine)
        n += 1
        assert _rate(engine, "yu/g0.flow_both")[1] == (n - 1 - (begin + 50) >= 60)
