"""Rise early, fall late, never take the way out: what must hold on every day, whatever the plan, the people and the devices do."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.engine import Engine
from flowwatch.core.readings import SECOND, Kind
from tests.core.audit import check_journal
from tests.core.stories import lawful_plan, log, story
from tests.core.world import (
    T0,
    Document,
    Row,
    bodies,
    counter,
    declare,
    delta,
    link,
    play,
    recount,
    site,
    stage,
    stages_seen,
    stored,
    term,
    tick,
    zone,
)

seeds = st.integers(0, 2**32)
MINUTE = 60 * SECOND
COUNTERS = [counter("c0"), counter("c1", gate="g1"), counter("c2", gate=None, link="path", every_us=30 * SECOND)]
SHAPE: Document = {"zones": [zone(), zone("hall")], "links": [link("path", "mall", "hall")], "counters": COUNTERS}


def _plan(
    dice: random.Random, *, dwells: tuple[int, ...] = (1, 10, 60), measures: Sequence[str] = ("occupancy", "occupancy_upper")
) -> Document:
    """The site of this file under a lawful plan that looks at `measures` only."""
    while True:
        document = lawful_plan(dice, site(**SHAPE), dwells=dwells)
        told = [t for s in document["plans"][0]["stages"] for t in s["leaves"]]
        if all({t["measure"], t["clear_source"]} <= set(measures) and t["zone"] in ("mall", "hall", "site") for t in told):
            return document


def _day(dice: random.Random, ticks: int, *, recounts: float = 0.05) -> list[list[Row]]:
    """Rows by tick, each list ending with its tick: three counters, at most 20 people at a time, now and then a recount."""
    day, now = [[recount(T0, dice.randrange(40)), recount(T0, dice.randrange(20), "hall"), tick(T0)]], T0
    for i in range(ticks):
        now += dice.choice([1, 1, 1, 5, 20, 61]) * SECOND
        lean = dice.choice([2, 6, 20])
        rows = [delta(now - dice.choice([0, 0, 1, 20]) * SECOND, dice.randrange(lean), dice.randrange(8), c, ordinal=i) for c in (0, 1, 2)]
        if dice.random() < recounts:
            rows.append(recount(now, dice.randrange(40), dice.choice(["mall", "hall"])))
        day.append([*rows, tick(now)])
    return day


def _ranks(document: Document, day: Sequence[Sequence[Row]], engine: Engine | None = None) -> list[int]:
    """The rank of the planned stage after each tick."""
    engine = Engine("p00") if engine is None else engine
    ranks, first = [], 0
    for rows in [[declare(document), *day[0]], *day[1:]]:
        play(rows, engine=engine, first=first)
        ranks.append(int(engine.plans.rank[0]))
        first += len(rows)
    return ranks


def _more(rows: Sequence[Row], dice: random.Random) -> list[Row]:
    """The same rows with more people in at the two gates."""
    return [replace(r, ingress=r.ingress + dice.choice([0, 0, 1, 9])) if r.kind is Kind.DELTA and r.counter < 2 else r for r in rows]


# -- every journal ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=80)
@given(seeds)
def test_whatever_happens_the_journal_holds_together_and_no_desired_table_takes_the_way_out(seed: int) -> None:
    rows = log(story(seed, ("bund", "yu") if seed % 3 == 0 else ("yu",), ticks=70))
    check_journal(rows, play(rows))


# -- people and stages -----------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=60)
@given(seeds)
def test_more_people_on_a_day_never_lower_a_stage_of_a_plan_without_dwell(seed: int) -> None:
    dice = random.Random(seed)
    document, day = _plan(dice, dwells=(0,)), _day(dice, 50)
    fewer, more = _ranks(document, day), _ranks(document, [_more(rows, dice) for rows in day])
    assert all(b >= a for a, b in zip(fewer, more, strict=True))


@pytest.mark.slow
@settings(max_examples=40)
@given(seeds)
def test_more_people_before_a_tick_never_lower_the_stage_that_it_decides(seed: int) -> None:
    dice = random.Random(seed)
    document, day = _plan(dice, measures=("occupancy", "occupancy_lower", "occupancy_upper")), _day(dice, 40)
    engine = Engine("p00")
    for rows in [[declare(document), *day[0]], *day[1:]]:
        crowded = stored(engine)
        play(rows, engine=engine)
        play(_more(rows, dice), engine=crowded)
        assert crowded.plans.rank[0] >= engine.plans.rank[0]


@pytest.mark.slow
@settings(max_examples=60)
@given(seeds)
def test_a_stage_falls_only_on_counters_heard_in_time_or_a_recount(seed: int) -> None:
    dice = random.Random(seed)
    document, day = _plan(dice), _day(dice, 60)
    stops = {c: dice.randrange(80) for c in (0, 1, 2) if dice.random() < 0.7}
    day = [[r for r in rows if r.kind is not Kind.DELTA or i <= stops.get(r.counter, 99)] for i, rows in enumerate(day)]
    heard, counted, before = dict[int, int](), dict[str, int](), 0
    feeding = {"mall": (0, 1, 2), "hall": (2,), "site": (0, 1, 2)}
    conditions = [[t["zone"] for t in s["leaves"]] for s in document["plans"][0]["stages"]]
    for rows, rank in zip(day, _ranks(document, day), strict=True):
        now = rows[-1].at
        for row in rows:
            if row.kind is Kind.DELTA:
                heard[row.counter] = max(row.at, heard.get(row.counter, row.at))
            elif row.kind is Kind.ACTION:
                counted["mall" if b'"mall"' in (row.payload or b"") else "hall"] = now
        if rank < before:
            sure = {z for z, fed in feeding.items() if all(now - heard.get(c, 0) <= (90 if c == 2 else 60) * SECOND for c in fed)}
            sure |= {z for z, at in counted.items() if now - at <= MINUTE}
            sure |= {"site"} if {"mall", "hall"} <= {z for z, at in counted.items() if now - at <= MINUTE} else set()
            assert sure & set(conditions[before])
        before = rank


@pytest.mark.slow
@settings(max_examples=40)
@given(seeds)
def test_when_every_counter_stops_no_stage_ever_falls_again(seed: int) -> None:
    dice = random.Random(seed)
    document, day = _plan(dice), _day(dice, 40)
    now = day[-1][-1].at + 2 * MINUTE
    silence = []
    for _ in range(40):
        silence.append([tick(now)])
        now += dice.choice([1, 60, 3600, 86400]) * SECOND
    ranks = _ranks(document, [*day, *silence])[len(day) :]
    assert ranks == sorted(ranks)


@pytest.mark.slow
@settings(max_examples=40)
@given(seeds, st.booleans())
def test_between_the_bars_the_stage_never_moves(seed: int, risen: bool) -> None:
    dice = random.Random(seed)
    document = site(stages=[stage("calm"), stage("busy", [term(100, 80)], SECOND)])
    rows = [declare(document), recount(T0, 120 if risen else 0), tick(T0), recount(T0 + SECOND, 90), tick(T0 + SECOND)]
    inside, now = 90, T0 + SECOND
    for i in range(100):
        now += dice.choice([1, 1, 10, 70]) * SECOND
        goal = dice.randrange(80, 101)
        if dice.random() < 0.8:
            rows.append(delta(now, max(goal - inside, 0), max(inside - goal, 0), ordinal=i))
            inside = goal
        rows.append(tick(now))
    assert [to for _, _, to, _ in stages_seen(play(rows).entries)] == ["busy" if risen else "calm"]


@pytest.mark.parametrize(("inside", "falls"), [(80, False), (79, True)])
def test_a_stage_falls_below_its_clear_bar_and_not_on_it(inside: int, falls: bool) -> None:
    document = site(stages=[stage("calm"), stage("busy", [term(100, 80)], SECOND)])
    rows = [declare(document), recount(T0, 120), tick(T0), recount(T0 + 9 * SECOND, inside), tick(T0 + 9 * SECOND)]
    assert len(stages_seen(play(rows).entries)) == (2 if falls else 1)


@pytest.mark.parametrize(("inside", "rises"), [(100, False), (101, True)])
def test_a_stage_rises_above_its_enter_bar_and_not_on_it(inside: int, rises: bool) -> None:
    document = site(stages=[stage("calm"), stage("busy", [term(100, 80)], SECOND)])
    rows = [declare(document), tick(T0), recount(T0 + SECOND, inside), tick(T0 + SECOND)]
    assert len(stages_seen(play(rows).entries)) == (2 if rises else 1)


@pytest.mark.slow
@settings(max_examples=60)
@given(seeds)
def test_a_stage_falls_only_after_its_dwell(seed: int) -> None:
    dice = random.Random(seed)
    document, day = _plan(dice, dwells=(5, 30, 300)), _day(dice, 60, recounts=0.3)
    dwells = [s["dwell_us"] for s in document["plans"][0]["stages"]]
    risen, before = dict[int, int](), 0
    for rows, rank in zip(day, _ranks(document, day), strict=True):
        now = rows[-1].at
        for passed in range(before + 1, rank + 1):
            risen[passed] = now
        if rank < before:
            assert now - risen[before] >= dwells[before]
        before = rank


def test_a_stage_falls_at_the_first_tick_at_which_its_dwell_is_over() -> None:
    document = site(stages=[stage("calm"), stage("busy", [term(100, 80)], 30 * SECOND)])
    rows = [declare(document), recount(T0, 150), tick(T0), recount(T0 + SECOND, 10), *(tick(T0 + i * SECOND) for i in range(1, 40))]
    assert [(at - T0) // SECOND for at, *_ in stages_seen(play(rows).entries)] == [0, 30]


def test_a_stage_that_was_passed_on_the_way_up_has_risen_then() -> None:
    stages = [stage("calm"), stage("busy", [term(100, 80)], 30 * SECOND), stage("full", [term(200, 150)], 10 * SECOND)]
    rows = [
        declare(site(stages=stages)),
        recount(T0, 250),
        tick(T0),
        recount(T0 + SECOND, 10),
        *(tick(T0 + i * SECOND) for i in range(1, 40)),
    ]
    seen = [((at - T0) // SECOND, to) for at, _, to, _ in stages_seen(play(rows).entries)]
    assert seen == [(0, "full"), (10, "busy"), (30, "calm")]


@pytest.mark.parametrize("measure", ["occupancy", "occupancy_upper"])
def test_a_wide_band_does_not_keep_a_stage_from_rising_when_it_clears_on_a_lower_figure(measure: str) -> None:
    """The upper edge far above the bar must raise the stage, though the figure that clears it is below its bar."""
    clear_measure = {"occupancy": "occupancy_lower", "occupancy_upper": "occupancy"}[measure]
    bars = term(100, 80, measure=measure, clear_measure=clear_measure)
    document = site(counters=[counter("c0", error_ppm=200_000)], stages=[stage("calm"), stage("busy", [bars], 600 * SECOND)])
    rows = [declare(document), recount(T0, 70), tick(T0)]
    now = T0
    for i in range(1, 60):
        now = T0 + i * SECOND
        rows += [delta(now, 40 + (i == 59) * 50, 40), tick(now)]
    engine = Engine("p00")
    out = play(rows, engine=engine)
    figures = engine.occupancy.figures(engine.network, engine.intake.totals.last_at, now)
    values = {"occupancy": figures.inside[0], "occupancy_upper": figures.upper[0]}
    assert values[measure] > 100_000
    assert [to for _, _, to, _ in stages_seen(out.entries)] == ["calm", "busy"]


def test_a_stage_whose_figure_stands_above_its_enter_bar_does_not_fall() -> None:
    bars = term(100, 80, measure="occupancy_upper", clear_measure="occupancy")
    document = site(counters=[counter("c0", error_ppm=200_000)], stages=[stage("calm"), stage("busy", [bars], 2 * SECOND)])
    rows = [declare(document), recount(T0, 90), tick(T0)]
    for i in range(1, 60):
        rows += [delta(T0 + i * SECOND, 40, 40 if i != 50 else 60), tick(T0 + i * SECOND)]
    assert [to for _, _, to, _ in stages_seen(play(rows).entries)][1:] == ["busy"]


def test_readings_that_are_refused_are_no_fresh_evidence() -> None:
    """A counter that sends only impossible numbers knows nothing: the stage stays until somebody counts."""
    document = site(counters=[counter("c0"), counter("c1", gate="g1")], stages=[stage("calm"), stage("busy", [term(100, 80)], SECOND)])
    rows = [declare(document), recount(T0, 150), delta(T0), delta(T0, counter=1), tick(T0)]
    for i in range(1, 200):
        now = T0 + i * SECOND
        rows += [delta(now, 0, 1), delta(now, 10**7, 0, 1), tick(now)]
    assert len(stages_seen(play(rows).entries)) == 1


def test_a_recount_made_long_ago_is_no_fresh_evidence() -> None:
    """Counters stopped an hour ago; what somebody counted 50 minutes ago says nothing about those who came since."""
    document = site(stages=[stage("calm"), stage("busy", [term(100, 80)], SECOND)])
    rows = [declare(document), recount(T0, 150), delta(T0), *(tick(T0 + i * MINUTE) for i in range(60))]
    rows += [recount(T0 + 60 * MINUTE, 70, counted_at=T0 + 10 * MINUTE), tick(T0 + 60 * MINUTE)]
    assert len(stages_seen(play(rows).entries)) == 1


def test_a_recount_made_long_ago_does_not_narrow_the_band_of_a_silence_since() -> None:
    document = site()
    rows = [declare(document), recount(T0, 500), tick(T0)]
    for i in range(1, 31):
        rows += [delta(T0 + i * MINUTE, 30, 30), tick(T0 + i * MINUTE)]
    rows += [tick(T0 + i * MINUTE) for i in range(31, 81)]
    rows += [recount(T0 + 81 * MINUTE, 500, counted_at=T0 + 31 * MINUTE), tick(T0 + 81 * MINUTE)]
    engine = Engine("p00")
    play(rows, engine=engine)
    upper = engine.occupancy.figures(engine.network, engine.intake.totals.last_at, T0 + 81 * MINUTE).upper[0]
    assert upper > 1_000_000


# -- what is not known -----------------------------------------------------------------------------------------------------------------


def test_a_stage_rises_while_occupancy_is_unknown_on_what_is_surely_inside() -> None:
    document = site(stages=[stage("calm"), stage("busy", [term(100, 80)], SECOND)])
    rows = [declare(document), tick(T0)]
    for i in range(1, 30):
        rows += [delta(T0 + i * SECOND, 0, 4) if i < 10 else delta(T0 + i * SECOND, 6, 0), tick(T0 + i * SECOND)]
    out = play(rows)
    assert stages_seen(out.entries)[1:] == [(T0 + 26 * SECOND, "calm", "busy", "rise")]
    assert ("occupancy_unknown", "raised") in [(b["what"], b["state"]) for b in bodies(out.entries, "incident")]


def test_a_stage_does_not_fall_while_occupancy_is_unknown() -> None:
    document = site(stages=[stage("calm"), stage("busy", [term(100, 80)], SECOND)])
    rows = [declare(document), delta(T0, 0, 0), tick(T0), delta(T0 + SECOND, 150, 0), tick(T0 + SECOND)]
    for i in range(2, 60):
        rows += [delta(T0 + i * SECOND, 0, 2), tick(T0 + i * SECOND)]
    out = play(rows)
    assert [to for _, _, to, _ in stages_seen(out.entries)] == ["calm", "busy"]
    assert ("recount_needed", "mall") in [(b["what"], b["subject"]) for b in bodies(out.entries, "incident")]


@settings(max_examples=30)
@given(seeds)
def test_until_something_anchors_it_a_site_is_under_an_unknown_occupancy_incident(seed: int) -> None:
    dice = random.Random(seed)
    document, day = _plan(dice), _day(dice, 30, recounts=0.0)
    day[0] = day[0][2:]
    rows = [declare(document), *(r for some in day for r in some)]
    sites = check_journal(rows, play(rows))
    assert {("occupancy_unknown", "mall"), ("occupancy_unknown", "hall")} <= set(sites["yu"].open.values())


# -- documents -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=80)
@given(seeds)
def test_a_new_plan_by_itself_never_lowers_a_stage(seed: int) -> None:
    """While every counter is silent nothing may lower a stage; a new document does not either."""
    dice = random.Random(seed)
    old, day = _plan(dice), _day(dice, 30)
    now = day[-1][-1].at + 5 * MINUTE
    engine = Engine("p00")
    rank = _ranks(old, [*day, [tick(now)]], engine)[-1]
    before = [s["stage"] for s in old["plans"][0]["stages"]]
    for i in range(4):
        new = _plan(dice)
        names = [s["stage"] for s in new["plans"][0]["stages"]]
        least = names.index(before[rank]) if before[rank] in names else min(rank, len(names) - 1)
        play([declare(new), tick(now + (2 * i + 1) * SECOND), tick(now + (2 * i + 2) * SECOND)], engine=engine)
        rank, before = int(engine.plans.rank[0]), names
        assert rank >= least


def test_a_stage_that_takes_the_place_of_another_keeps_its_dwell() -> None:
    old, new = (site(stages=[stage("calm"), stage(name, [term(100, 80)], 600 * SECOND)]) for name in ("busy", "crowded"))
    rows = [declare(old), recount(T0, 150), tick(T0), declare(new), tick(T0 + SECOND), recount(T0 + 2 * SECOND, 50), tick(T0 + 2 * SECOND)]
    assert [to for _, _, to, _ in stages_seen(play(rows).entries)] == ["busy", "crowded"]


@pytest.mark.parametrize("how", ["dropped", "out of service"])
def test_a_zone_without_a_counter_has_no_fresh_evidence_until_somebody_counts(how: str) -> None:
    stages = [stage("calm"), stage("busy", [term(100, 80)], 600 * SECOND)]
    ends = None if how == "dropped" else T0 + 701 * SECOND
    rows = [declare(site(stages=stages, counters=[counter("c0", valid_to_us=ends)])), recount(T0, 150), delta(T0), tick(T0)]
    rows += [delta(T0 + SECOND, 0, 80), tick(T0 + SECOND), tick(T0 + 700 * SECOND)]
    if how == "dropped":
        rows.append(declare(site(stages=stages, counters=[])))
    rows += [tick(T0 + i * SECOND) for i in (701, 702, 5000)]
    assert len(stages_seen(play(rows).entries)) == 1
    rows += [recount(T0 + 5001 * SECOND, 70), tick(T0 + 5001 * SECOND)]
    assert len(stages_seen(play(rows).entries)) == 2


def test_a_plan_that_is_taken_away_and_given_back_finds_its_stage_again() -> None:
    plan = site(stages=[stage("calm"), stage("busy", [term(100, 80)], 600 * SECOND)])
    rows = [declare(plan), recount(T0, 150), tick(T0), recount(T0 + SECOND, 90), tick(T0 + SECOND)]
    rows += [declare(site()), tick(T0 + 2 * SECOND), declare(plan), tick(T0 + 3 * SECOND)]
    assert [(to, why) for _, _, to, why in stages_seen(play(rows).entries)] == [("busy", "rise"), (None, "document"), ("busy", "document")]
