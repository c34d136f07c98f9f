"""People inside, and how sure one may be: conservation, anchors, cameras, silence."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.engine import Engine
from flowwatch.core.readings import SECOND
from tests.core.world import T0, Document, Row, bodies, counter, declare, delta, gate, head, link, play, recount, site, tick, total, zone

MINUTE = 60 * SECOND


def _run(document: Document, rows: Sequence[Row], engine: Engine | None = None) -> Engine:
    engine = Engine("p00") if engine is None else engine
    play([declare(document), *rows], engine=engine)
    return engine


def _figure(engine: Engine, target: int = 0) -> tuple[int, int, int, bool]:
    """Inside, lower and upper edge in milli-persons, and whether it is known."""
    figures = engine.occupancy.figures(engine.network, engine.intake.totals.last_at, engine.tick)
    return int(figures.inside[target]), int(figures.lower[target]), int(figures.upper[target]), bool(figures.known[target])


# -- conservation ----------------------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(0, 2**32))
def test_nobody_is_made_or_lost_on_the_way_through_zones_within_zones(seed: int) -> None:
    """A zone holds who stepped into it or what lies in it, less who stepped out; one person walked by hand is the oracle."""
    dice = random.Random(seed)
    inside_of = {
        "outside": set[str](),
        "mall": {"mall"},
        "bridge": {"mall", "bridge"},
        "step": {"mall", "bridge", "step"},
        "hall": {"hall"},
    }
    ways = [("outside", "mall"), ("outside", "step"), ("mall", "bridge"), ("bridge", "hall"), ("hall", "outside"), ("step", "bridge")]
    zones = [zone(), zone("hall"), zone("bridge", inside="mall"), zone("step", inside="bridge")]
    gates = [gate("g0"), gate("g1", to="step"), gate("g4", **{"from": "hall", "to": "outside"})]
    links = [link("l2", "mall", "bridge"), link("l3", "bridge", "hall"), link("l5", "step", "bridge")]
    places = ["g0", "g1", "l2", "l3", "g4", "l5"]
    swapped = [dice.random() < 0.5 for _ in ways]
    counters = [
        counter(f"c{i}", gate=p if p.startswith("g") else None, link=p if p.startswith("l") else None, swapped=swapped[i])
        for i, p in enumerate(places)
    ]
    rows, held, now = [recount(T0, 100, z["zone"]) for z in zones], dict.fromkeys(inside_of, 100), T0
    rows.append(tick(T0))
    for i in range(40):
        now += SECOND
        way, people, back = dice.randrange(6), dice.randrange(1, 5), dice.random() < 0.5
        origin, goal = ways[way][::-1] if back else ways[way]
        for name in inside_of[goal] - inside_of[origin]:
            held[name] += people
        for name in inside_of[origin] - inside_of[goal]:
            held[name] -= people
        rows += [delta(now, *((0, people) if back != swapped[way] else (people, 0)), way, ordinal=i), tick(now)]
    engine = _run(site(zones=zones, gates=gates, links=links, counters=counters), rows)
    assert [int(n) for n in engine.occupancy.zones.inside] == [1000 * held[z["zone"]] for z in zones]
    assert _figure(engine, 4)[0] == 1000 * (max(held["mall"], 0) + max(held["hall"], 0))


def test_people_who_step_between_two_zones_neither_enter_nor_leave_the_site() -> None:
    counters = [counter("c0"), counter("c1", gate=None, link="way")]
    document = site(zones=[zone(), zone("hall")], links=[link("way", "mall", "hall")], counters=counters)
    out = play([declare(document), tick(T0), delta(T0 + SECOND, 5), delta(T0 + SECOND, 3, 0, 1), tick(T0 + SECOND), tick(T0 + 70 * SECOND)])
    whole = json.loads(out.estimates[-1].body)["zones"]["site"]
    assert (whole["in"], whole["out"], whole["raw_m"]) == (5, 0, 5000)


def test_a_late_delta_adds() -> None:
    rows = [
        recount(T0, 10),
        tick(T0),
        delta(T0 + 90 * SECOND, 1),
        tick(T0 + 90 * SECOND),
        delta(T0 + 5 * SECOND, 7),
        tick(T0 + 91 * SECOND),
    ]
    assert _figure(_run(site(), rows))[0] == 18_000


def test_a_reading_ahead_of_time_waits_for_its_tick() -> None:
    rows = [recount(T0, 10), tick(T0), delta(T0 + 30 * SECOND, 7, received=T0), tick(T0 + SECOND)]
    engine = _run(site(), rows)
    assert _figure(engine)[0] == 10_000
    play([tick(T0 + 29 * SECOND)], engine=engine)
    assert _figure(engine)[0] == 10_000
    play([tick(T0 + 30 * SECOND)], engine=engine)
    assert _figure(engine)[0] == 17_000


def test_below_nobody_is_shown_as_nobody_and_said() -> None:
    out = play(
        [
            declare(site()),
            recount(T0, 2),
            tick(T0),
            delta(T0 + SECOND, 0, 5),
            tick(T0 + SECOND),
            delta(T0 + 99 * SECOND, 2),
            tick(T0 + 99 * SECOND),
            delta(T0 + 100 * SECOND, 1),
            tick(T0 + 100 * SECOND),
        ]
    )
    negative = [(b["tick"] - T0, b["state"]) for b in bodies(out.entries, "incident") if b["what"] == "negative_occupancy"]
    assert negative == [(SECOND, "raised"), (100 * SECOND, "cleared")]
    minute = json.loads(out.estimates[0].body)["zones"]["mall"]
    assert (minute["inside_m"], minute["raw_m"]) == (0, -1000)


# -- anchors ---------------------------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 29))
def test_a_recount_holds_for_the_moment_of_counting_and_what_passed_since_is_kept(seed: int, ago: int) -> None:
    dice = random.Random(seed)
    moves = [(dice.randrange(9), dice.randrange(9)) for _ in range(40)]
    rows = [tick(T0)]
    for i, move in enumerate(moves, 1):
        rows += [delta(T0 + i * SECOND, *move), tick(T0 + i * SECOND)]
    now = T0 + 41 * SECOND
    engine = _run(site(), [*rows, recount(now, 500, counted_at=now - (ago + 1) * SECOND), tick(now)])
    assert _figure(engine)[0] == 1000 * (500 + sum(come - gone for come, gone in moves[40 - ago :]))


def test_what_passed_before_a_recount_is_in_it_even_when_it_is_counted_at_the_same_tick() -> None:
    """Time jumped: ten minutes of readings and a count made at their end come before one tick."""
    rows = [recount(T0, 100), tick(T0), tick(T0 + SECOND)]
    rows += [delta(T0 + i * MINUTE, 0, 10) for i in range(1, 11)]
    rows += [recount(T0 + 10 * MINUTE, 500), tick(T0 + 10 * MINUTE)]
    assert _figure(_run(site(counters=[counter("c0", lateness_us=3600 * SECOND)]), rows))[0] == 500_000


@pytest.mark.parametrize(("first", "anchored"), [(10, True), (40, False)])
def test_a_declared_empty_moment_anchors_only_where_it_may_be_true(first: int, anchored: bool) -> None:
    """22:16 in Shanghai, when below 30."""
    document = site(known_empty={"at_s": 80_160, "when_below": 30})
    engine = _run(document, [recount(T0, first), tick(T0), tick(T0 + 119 * SECOND), tick(T0 + 120 * SECOND)])
    assert _figure(engine)[0] == (0 if anchored else first * 1000)


def test_an_empty_moment_that_passed_during_an_outage_anchors_nothing() -> None:
    engine = _run(site(known_empty={"at_s": 80_160, "when_below": 30}), [tick(T0), tick(T0 + 120 * SECOND + 11 * MINUTE)])
    assert not _figure(engine)[3]


def test_an_empty_moment_comes_again_every_day() -> None:
    engine = _run(site(known_empty={"at_s": 80_160, "when_below": 30}), [recount(T0, 5), tick(T0)])
    for day in range(3):
        at = T0 + 120 * SECOND + day * 86_400 * SECOND
        play([recount(at - SECOND, 5), tick(at - SECOND)], engine=engine)
        assert _figure(engine)[0] == 5000
        play([tick(at)], engine=engine)
        assert _figure(engine)[0] == 0


# -- cameras ---------------------------------------------------------------------------------------------------------------------------

CAMERAS = site(counters=[counter("c0"), counter("a", "absolute"), counter("b", "absolute")])


def test_the_first_headcount_anchors_a_zone_by_what_the_camera_sees_of_it() -> None:
    document = site(counters=[counter("a", "absolute", coverage_ppm=500_000)])
    assert _figure(_run(document, [tick(T0), head(T0 + SECOND, 40), tick(T0 + SECOND)]))[::3] == (80_000, True)


def test_two_cameras_that_see_the_same_number_at_once_leave_that_number() -> None:
    assert _figure(_run(CAMERAS, [tick(T0), head(T0 + SECOND, 50, 1), head(T0 + SECOND, 50, 2), tick(T0 + SECOND)]))[0] == 50_000


def test_cameras_pull_the_figure_no_further_than_what_they_see() -> None:
    rows = [recount(T0, 1000), tick(T0)]
    for i in range(1, 100):
        rows += [delta(T0 + i * SECOND, 500, 500), tick(T0 + i * SECOND)]
    now = T0 + 100 * SECOND
    engine = _run(CAMERAS, [*rows, head(now, 900, 1), head(now, 900, 2), tick(now)])
    inside, lower, upper, _ = _figure(engine)
    assert lower <= 900_000 <= inside <= upper


def test_a_headcount_corrects_the_moment_that_it_saw_and_people_since_are_kept() -> None:
    rows = [head(T0, 50, 1), tick(T0)]
    for i in range(1, 21):
        rows += [delta(T0 + i * SECOND, 10), tick(T0 + i * SECOND)]
    engine = _run(CAMERAS, [*rows, head(T0 + 10 * SECOND, 150, 2), tick(T0 + 21 * SECOND)])
    assert _figure(engine)[0] == 250_000


def test_a_camera_that_reads_low_is_trusted_no_more_than_one_that_reads_what_is_there() -> None:
    """A thousand people are inside, and counters that passed 40,000 may be off by 200; the error is 15 % of a thousand, whatever is read."""
    document = site(counters=[counter("c0"), counter("c1", "absolute")])
    widths = []
    for read in (1000, 400, 0):
        rows = [recount(T0, 1000), tick(T0), delta(T0 + SECOND, 20_000, 20_000), tick(T0 + SECOND)]
        _, lower, upper, _ = _figure(_run(document, [*rows, head(T0 + MINUTE, read, counter=1), tick(T0 + MINUTE)]))
        widths.append(upper - lower)
    assert widths[1] == pytest.approx(widths[0], abs=2)
    assert widths[2] >= widths[0] - 2


def test_an_older_headcount_than_the_last_one_changes_nothing() -> None:
    rows = [head(T0 + 10 * SECOND, 50, 1), tick(T0 + 10 * SECOND)]
    engine = _run(CAMERAS, rows)
    before = _figure(engine)
    play([head(T0 + 5 * SECOND, 300, 1), tick(T0 + 11 * SECOND)], engine=engine)
    assert _figure(engine) == before


def test_an_older_headcount_leaves_what_later_ones_weigh_as_it_was() -> None:
    rows = [recount(T0, 300), tick(T0), head(T0 + 10 * SECOND, 50, 1), tick(T0 + 10 * SECOND)]
    older, later = head(T0 + 5 * SECOND, 300, 1), [head(T0 + 12 * SECOND, 40, 1), tick(T0 + 12 * SECOND)]
    assert _figure(_run(CAMERAS, [*rows, older, tick(T0 + 11 * SECOND), *later])) == _figure(
        _run(CAMERAS, [*rows, tick(T0 + 11 * SECOND), *later])
    )


def test_a_headcount_of_a_moment_before_another_correction_meets_the_corrected_past() -> None:
    rows = [tick(T0), head(T0 + 5 * SECOND, 50, 1), tick(T0 + 5 * SECOND), head(T0 + 5 * SECOND, 50, 2), tick(T0 + 6 * SECOND)]
    assert _figure(_run(CAMERAS, rows))[0] == 50_000


def test_a_recount_of_a_moment_before_another_anchor_meets_the_corrected_past() -> None:
    rows = [tick(T0)]
    for i in range(1, 21):
        rows += [delta(T0 + i * SECOND, 10), *([recount(T0 + i * SECOND, 900)] if i == 10 else []), tick(T0 + i * SECOND)]
    rows += [recount(T0 + 21 * SECOND, 300, counted_at=T0 + 5 * SECOND), tick(T0 + 21 * SECOND)]
    assert _figure(_run(site(), rows))[0] == 450_000


def test_a_fraction_of_a_person_below_nobody_is_not_worth_a_word() -> None:
    document = site(counters=[counter("c0"), counter("a", "absolute", coverage_ppm=800_000)])
    rows = [declare(document), tick(T0), head(T0 + SECOND, 1, 1), tick(T0 + SECOND), delta(T0 + 2 * SECOND, 0, 2), tick(T0 + 2 * SECOND)]
    rows += [
        delta(T0 + 3 * SECOND, 0, 1),
        tick(T0 + 3 * SECOND),
        delta(T0 + 4 * SECOND, 1),
        tick(T0 + 4 * SECOND),
        delta(T0 + 5 * SECOND, 1),
        tick(T0 + 5 * SECOND),
    ]
    told = [((b["tick"] - T0) // SECOND, b["state"]) for b in bodies(play(rows).entries, "incident") if b["what"] == "negative_occupancy"]
    assert told == [(3, "raised"), (5, "cleared")]


def test_many_frames_a_minute_know_no_more_than_one() -> None:
    """Errors of frames stay correlated: sixty equal frames leave half the camera's error at least."""
    rows = [row for i in range(120) for row in (head(T0 + i * SECOND, 200, 1), tick(T0 + i * SECOND))]
    _, lower, upper, _ = _figure(_run(CAMERAS, rows))
    assert upper - lower >= 2 * 1.645 * 0.5 * 0.15 * 200_000


# -- silence ---------------------------------------------------------------------------------------------------------------------------


def _busy(counts: str, minutes: int = 30) -> list[Row]:
    """A counter that passes 20 people a minute each way."""
    rows = [recount(T0, 300), *([total(T0, 0, 0)] if counts == "cumulative" else []), tick(T0)]
    for i in range(1, minutes + 1):
        at = T0 + i * MINUTE
        rows += [total(at, 20 * i, 20 * i) if counts == "cumulative" else delta(at, 20, 20), tick(at)]
    return rows


@pytest.mark.parametrize("counts", ["delta", "cumulative"])
def test_silence_widens_the_band_and_leaves_the_figure(counts: str) -> None:
    document = site(counters=[counter("c0", counts, gate="g0", zone=None, max_per_min=200)])
    engine = _run(document, _busy(counts))
    before = _figure(engine)
    widths = []
    for i in range(31, 60):
        play([tick(T0 + i * MINUTE)], engine=engine)
        inside, lower, upper, _ = _figure(engine)
        assert inside == before[0]
        widths.append(upper - lower)
    assert widths == sorted(widths)
    assert widths[-1] > before[2] - before[1]


def test_after_a_silence_a_delta_counter_leaves_the_band_wide_until_an_anchor() -> None:
    engine = _run(site(counters=[counter("c0", max_per_min=200)]), [*_busy("delta"), *(tick(T0 + i * MINUTE) for i in range(31, 60))])
    wide = _figure(engine)
    play([delta(T0 + 60 * MINUTE, 1, 1), tick(T0 + 60 * MINUTE)], engine=engine)
    assert _figure(engine)[2] >= wide[2]
    play([recount(T0 + 61 * MINUTE, 300), tick(T0 + 61 * MINUTE)], engine=engine)
    assert _figure(engine)[2] < 320_000


def test_after_a_silence_a_cumulative_counter_closes_the_band_by_its_new_total() -> None:
    document = site(counters=[counter("c0", "cumulative", gate="g0", zone=None, max_per_min=200)])
    engine = _run(document, _busy("cumulative"))
    narrow = _figure(engine)[2]
    play([*(tick(T0 + i * MINUTE) for i in range(31, 60)), total(T0 + 60 * MINUTE, 1200, 1200), tick(T0 + 60 * MINUTE)], engine=engine)
    assert _figure(engine)[2] < narrow + 50_000


def test_a_total_that_is_refused_does_not_close_the_band_of_a_silence() -> None:
    document = site(counters=[counter("c0", "cumulative", gate="g0", zone=None, max_per_min=200)])
    engine = _run(document, [*_busy("cumulative"), *(tick(T0 + i * MINUTE) for i in range(31, 60))])
    wide = _figure(engine)[2]
    play([total(T0 + 60 * MINUTE, 599, 599), tick(T0 + 60 * MINUTE)], engine=engine)
    assert _figure(engine)[2] >= wide


def test_a_document_that_drops_a_silent_counter_does_not_narrow_the_band() -> None:
    """Nobody knows who passed it while it was silent; taking it out of the site file tells nothing."""
    counters = [counter("c0"), counter("c1", gate="g1")]
    rows = [recount(T0, 500), tick(T0)]
    for i in range(1, 61):
        at = T0 + i * MINUTE
        rows += [delta(at, 5, 5), *([delta(at, 30, 30, 1)] if i < 30 else []), tick(at)]
    engine = _run(site(counters=counters), rows)
    wide = _figure(engine)
    play([declare(site()), delta(T0 + 61 * MINUTE), tick(T0 + 61 * MINUTE)], engine=engine)
    assert _figure(engine)[2] >= wide[2] > 1_000_000


def test_a_counter_that_is_not_in_service_is_not_called_silent() -> None:
    rows = [recount(T0, 5), delta(T0), tick(T0), *(tick(T0 + i * MINUTE) for i in range(1, 9))]
    document = site(counters=[counter("c0", valid_to_us=T0 + 60 * SECOND)])
    assert "counter_silent" not in [b["what"] for b in bodies(play([declare(document), *rows]).entries, "incident")]


@pytest.mark.parametrize(("every", "silent_after"), [(1, 60), (20, 60), (40, 120)])
def test_a_counter_is_silent_after_three_periods_but_not_before_a_minute(every: int, silent_after: int) -> None:
    rows = [declare(site(counters=[counter("c0", every_us=every * SECOND)])), delta(T0), tick(T0)]
    rows += [tick(T0 + i * SECOND) for i in range(1, 200)]
    rows += [delta(T0 + 200 * SECOND), tick(T0 + 200 * SECOND)]
    said = [(b["tick"] - T0, b["state"]) for b in bodies(play(rows).entries, "incident") if b["what"] == "counter_silent"]
    assert said == [((silent_after + 1) * SECOND, "raised"), (200 * SECOND, "cleared")]
