"""What may not change a decision: how the log is cut, when the engine is stored, in which order rows come, who else shares the partition."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.engine import Engine
from flowwatch.core.entries import Entry
from flowwatch.core.readings import SECOND, Kind, Reason
from flowwatch.core.scribe import Output
from flowwatch.core.state import dump, load
from tests.core.stories import Line, log, story
from tests.core.world import T0, Row, block, bodies, counter, declare, delta, play, recount, refusals, refused, site, stored, tick, total

seeds = st.integers(0, 2**32)
fractions = st.lists(st.floats(0, 1), max_size=12)


def _places(share: Sequence[float], among: int) -> list[int]:
    return sorted(int(f * among) for f in share)


@settings(max_examples=40)
@given(seeds, fractions)
def test_cutting_the_log_into_blocks_anywhere_changes_no_byte(seed: int, cuts: list[float]) -> None:
    rows = log(story(seed, ("bund", "yu")))
    whole = play(rows)
    parts = play(rows, _places(cuts, len(rows)))
    assert parts.entries == whole.entries
    assert parts.estimates == whole.estimates


@settings(max_examples=10)
@given(seeds)
def test_a_log_read_row_by_row_gives_what_it_gives_at_once(seed: int) -> None:
    rows = log(story(seed, ticks=30))
    one_by_one = play(rows, range(1, len(rows)))
    assert one_by_one == play(rows)


@settings(max_examples=10)
@given(seeds)
def test_ingesting_and_advancing_by_hand_is_feeding(seed: int) -> None:
    rows = log(story(seed, ticks=30))
    engine, out, start = Engine("p00"), Output(), 0
    for i, row in enumerate(rows):
        if row.kind is Kind.TICK:
            engine.ingest(block(rows[start:i], start))
            made = engine.advance(row.at)
            out.entries += made.entries
            out.estimates += made.estimates
            start = i + 1
    assert out == play(rows)


def _restarted(rows: Sequence[Row], at: Sequence[int]) -> Output:
    """What is said when the engine is stored and read back after the ticks numbered `at`."""
    after = [i + 1 for i, row in enumerate(rows) if row.kind is Kind.TICK]
    engine, out, start = Engine("p00"), Output(), 0
    for stop in [*(after[i] for i in at), len(rows)]:
        made = play(rows[start:stop], engine=engine, first=start)
        out.entries += made.entries
        out.estimates += made.estimates
        start = stop
        if stop < len(rows):
            engine = stored(engine)
    return out


@settings(max_examples=40)
@given(seeds, fractions)
def test_an_engine_stored_after_any_ticks_goes_on_as_if_it_never_stopped(seed: int, stops: list[float]) -> None:
    rows = log(story(seed, ("bund", "yu")))
    assert _restarted(rows, _places(stops, 59)) == play(rows)


@settings(max_examples=5)
@given(seeds)
def test_an_engine_stored_after_every_tick_goes_on_as_if_it_never_stopped(seed: int) -> None:
    rows = log(story(seed, ticks=40))
    assert _restarted(rows, range(39)) == play(rows)


@settings(max_examples=15)
@given(seeds)
def test_storing_an_engine_changes_nothing_in_it(seed: int) -> None:
    rows = log(story(seed, ticks=40))
    after = [i + 1 for i, row in enumerate(rows) if row.kind is Kind.TICK]
    engine, out = Engine("p00"), Output()
    for start, stop in zip([0, *after], after, strict=False):
        made = play(rows[start:stop], engine=engine, first=start)
        out.entries += made.entries
        out.estimates += made.estimates
        assert dump(engine.to_state()) == dump(engine.to_state())
    assert out == play(rows)


def test_an_engine_says_once_who_decides_and_again_after_the_machine_has_changed() -> None:
    rows = [declare(site()), *(tick(T0 + i * SECOND) for i in range(5))]
    engine = Engine("p00", {"numpy": "2"})
    assert [b["fingerprint"] for b in bodies(play(rows, engine=engine).entries, "engine")] == [{"numpy": "2"}]
    state = load(dump(engine.to_state()))
    later = [tick(T0 + 9 * SECOND), tick(T0 + 10 * SECOND)]
    same, other = Engine.from_state(state, {"numpy": "2"}), Engine.from_state(state, {"numpy": "3"})
    assert bodies(play(later, engine=same).entries, "engine") == []
    assert [b["fingerprint"] for b in bodies(play(later, engine=other).entries, "engine")] == [{"numpy": "3"}]


def test_an_engine_is_stored_only_right_after_a_tick() -> None:
    engine = Engine("p00")
    play([declare(site()), tick(T0), delta(T0, 1)], engine=engine)
    with pytest.raises(ValueError, match="right after a tick"):
        engine.to_state()


def test_a_number_sent_again_with_a_new_time_counts_alike_after_a_restart() -> None:
    document = site(counters=[counter("c0", lateness_us=10 * SECOND)])
    rows = [declare(document), delta(T0, 1, seq=1), tick(T0), delta(T0 + 5 * SECOND, 1, seq=2), tick(T0 + 5 * SECOND)]
    rows += [tick(T0 + 14 * SECOND), delta(T0 + 14 * SECOND, 1, seq=1), tick(T0 + 15 * SECOND)]
    engine = Engine("p00")
    play(rows, engine=engine)
    restarted = Engine("p00")
    play(rows[:5], engine=restarted)
    restarted = stored(restarted)
    play(rows[5:], engine=restarted, first=5)
    assert refusals(restarted) == refusals(engine)
    assert restarted.occupancy.zones.inside.tolist() == engine.occupancy.zones.inside.tolist()


def test_a_number_used_again_after_its_time_is_known_again() -> None:
    document = site(counters=[counter("c0", lateness_us=10 * SECOND)])
    again = delta(T0 + 14 * SECOND, 1, seq=1)
    rows = [declare(document), delta(T0, 1, seq=1), delta(T0 + 8 * SECOND, 1, seq=2), tick(T0 + 8 * SECOND), tick(T0 + 14 * SECOND)]
    rows += [again, delta(T0 + 14 * SECOND, 1, seq=3), tick(T0 + 15 * SECOND), again, tick(T0 + 16 * SECOND)]
    engine = Engine("p00")
    play(rows, engine=engine)
    assert refusals(engine) == [(8, Reason.DUPLICATE)]


def test_a_reading_repeated_after_its_counter_was_granted_more_lateness_does_not_count_again() -> None:
    documents = [site(counters=[counter("c0", lateness_us=late * SECOND)]) for late in (10, 3600)]
    rows = [declare(documents[0]), tick(T0)]
    for i in range(1, 50):
        rows += [delta(T0 + i * SECOND, 1), tick(T0 + i * SECOND)]
    rows += [declare(documents[1]), tick(T0 + 50 * SECOND), delta(T0 + 5 * SECOND, 1), tick(T0 + 51 * SECOND)]
    engine = Engine("p00")
    play(rows, engine=engine)
    assert engine.occupancy.zones.inside.tolist() == [49_000]


def _plain(entry: Entry) -> tuple[str, int, str, int, dict[str, Any]]:
    """An entry without what names places in the log."""
    body = json.loads(entry.body)
    for reading in (body.get("cause") or {}).get("readings", []):
        del reading["offset"]
    return entry.chain, entry.seq, entry.kind, entry.at, body


@pytest.mark.slow
@settings(max_examples=30)
@given(seeds)
def test_sites_that_share_a_partition_decide_as_each_would_alone(seed: int) -> None:
    names = ("bund", "tian", "yu")
    lines = story(seed, names, ticks=40)
    together = play(log(lines))
    for name in names:
        alone = play(log(lines, only=name))
        assert [_plain(e) for e in alone.entries if e.chain == name] == [_plain(e) for e in together.entries if e.chain == name]
        assert alone.estimates == [e for e in together.estimates if e.site == name]


def test_a_site_that_joins_a_running_partition_decides_as_it_would_alone() -> None:
    late, early = site("yu"), site("bund")
    rows = [tick(T0 + 30 * SECOND), declare(late), recount(T0, 0)]
    for i in range(31, 36):
        rows += [delta(T0 + i * SECOND, 100), tick(T0 + i * SECOND)]
    rows += [tick(T0 + i * 60 * SECOND) for i in range(2, 12)]
    alone = play(rows)
    together = play([declare(early), *(replace(r, counter=1) if r.kind is Kind.DELTA else r for r in rows)])
    assert [e for e in together.estimates if e.site == "yu"] == alone.estimates


def test_a_recount_is_not_moved_by_a_neighbour_whose_empty_moment_comes_with_it() -> None:
    neighbour, place = site("bund", known_empty={"at_s": 80_041, "when_below": 20}), site("yu", counters=[counter("c0")])
    rows = [declare(place), tick(T0), delta(T0 + SECOND, 9), recount(T0 + SECOND, 5), tick(T0 + SECOND)]
    shared = [declare(neighbour), *(replace(r, counter=1) if r.kind is Kind.DELTA else r for r in rows)]
    engines = [Engine("p00"), Engine("p00")]
    play(rows, engine=engines[0])
    play(shared, engine=engines[1])
    assert engines[1].occupancy.zones.inside[1] == engines[0].occupancy.zones.inside[0]


def test_a_declared_empty_moment_in_the_hour_that_comes_twice_survives_a_restart() -> None:
    change = 1_792_890_000 * SECOND
    """2026-10-25T01:00Z: clocks in Amsterdam go back from 03:00 to 02:00."""
    where: dict[str, Any] = {"time_zone": "Europe/Amsterdam", "offsets": [[946_684_800_000_000, 7200], [change, 3600]]}
    document = site(known_empty={"at_s": 9000, "when_below": 1000}, **where)
    rows = [declare(document), *(tick(change + i * SECOND) for i in (-1860, -1800)), delta(change - 1740 * SECOND, 10)]
    rows += [tick(change + i * SECOND) for i in (-1740, 600)]
    later = [tick(change + i * SECOND) for i in (1800, 1860, 1920)]
    engine = Engine("p00")
    play(rows, engine=engine)
    again = stored(engine)
    assert play(later, engine=again) == play(later, engine=engine)
    assert again.occupancy.zones.inside.tolist() == engine.occupancy.zones.inside.tolist()


def test_one_name_of_an_operators_record_serves_two_sites() -> None:
    rows = [declare(site("bund")), declare(site("yu")), tick(T0)]
    rows += [recount(T0, 5, name="noon", site_name="bund"), recount(T0, 7, name="noon", site_name="yu"), tick(T0 + SECOND)]
    engine = Engine("p00")
    play(rows, engine=engine)
    assert engine.occupancy.zones.inside.tolist() == [5000, 7000]


@pytest.mark.slow
@settings(max_examples=30)
@given(seeds)
def test_repeats_of_readings_change_nothing_but_the_refusals(seed: int) -> None:
    """Where one log repeats a reading, the other holds a row that the edge had refused as a repeat."""
    dice = random.Random(seed)
    repeating: list[Line] = []
    plain: list[Line] = []
    for line in story(seed, documents=False):
        repeating.append(line)
        plain.append(line)
        again = dice.choice(repeating[-8:])
        if again.counter is not None and dice.random() < 0.3:
            repeating.append(again)
            plain.append(Line(line.site, refused(T0, Reason.DUPLICATE)))
    said = [play(log(lines)) for lines in (repeating, plain)]
    bodies_said = [[e.body for e in out.entries if e.chain == "yu"] for out in said]
    assert bodies_said[0] == bodies_said[1]
    assert said[0].estimates == said[1].estimates


@pytest.mark.slow
@settings(max_examples=40)
@given(st.integers(0, 2**32), st.sampled_from(["delta", "cumulative"]))
def test_rows_in_any_order_within_the_declared_lateness_move_the_same_people(seed: int, counts: str) -> None:
    dice = random.Random(seed)
    document = site(counters=[counter("c0", counts, gate="g0", zone=None), counter("c1", counts, gate="g1", zone=None)])
    totals = [[0, 0], [0, 0]]
    first = [[0, 0], [0, 0]]
    """A device's first total moves nobody."""
    due: list[tuple[int, Row]] = []
    for i in range(120):
        for c in (0, 1):
            come, gone = dice.randrange(4), dice.randrange(4)
            totals[c] = [totals[c][0] + come, totals[c][1] + gone]
            if i == 0 and counts == "cumulative":
                first[c] = totals[c]
            at = T0 + i * SECOND
            row = delta(at, come, gone, c, ordinal=i) if counts == "delta" else total(at, totals[c][0], totals[c][1], c)
            due.append((i, row))
    engines = []
    for late in (0, 110):
        arriving = sorted(((i + (dice.uniform(0, late) if i else 0), row) for i, row in due), key=lambda pair: pair[0])
        engine = Engine("p00")
        rows, now = [declare(document), tick(T0 - SECOND)], 0
        for when, row in arriving:
            while when > now:
                rows.append(tick(T0 + now * SECOND))
                now += 1
            rows.append(replace(row, received=T0 + now * SECOND))
        rows.append(tick(T0 + 300 * SECOND))
        play(rows, engine=engine)
        engines.append(engine)
    inside = [e.occupancy.zones.inside.tolist() for e in engines]
    assert inside[0] == inside[1]
    assert inside[0] == [1000 * sum(come - gone for come, gone in [*totals, *([-a, -b] for a, b in first)])]
