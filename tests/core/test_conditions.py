"""Conditions of every kind: any and all, health of counters, bands, times; what they ask for, and what a missing answer never does."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.engine import Engine
from flowwatch.core.readings import SECOND
from tests.core.world import (
    T0,
    Document,
    bodies,
    counter,
    declare,
    delta,
    gate,
    health,
    hours,
    link,
    passers,
    play,
    recount,
    rule,
    site,
    stage,
    stages_seen,
    term,
    tick,
    when,
    zone,
)

seeds = st.integers(0, 2**32)
MINUTE = 60 * SECOND
LOCAL = (T0 // SECOND + 28_800) % 86_400
TWO: Document = {
    "zones": [zone(), zone("hall")],
    "gates": [gate("g0"), gate("g1", to="hall")],
    "counters": [counter("c0"), counter("c1", gate="g1")],
}
LEAVES = [term(20, 10), term(20, 10, zone="hall"), term(50, 30, zone="site"), hours(LOCAL, LOCAL + 90), health("c1"), passers(40, 20)]


def _going(entries: Any) -> list[tuple[int, str | None]]:
    return [((at - T0) // SECOND, to) for at, _, to, _ in stages_seen(entries)]


@settings(max_examples=60)
@given(seeds)
def test_a_stage_is_due_while_any_clause_has_all_its_leaves_on(seed: int) -> None:
    dice = random.Random(seed)
    leaves = dice.sample(LEAVES, dice.randrange(1, 6))
    clauses = [dice.sample(range(len(leaves)), dice.randrange(1, len(leaves) + 1)) for _ in range(dice.randrange(1, 5))]
    engine, offset, now = Engine("p00"), 0, T0
    rows = [
        declare(site(**TWO, stages=[stage("calm"), stage("busy", [], **when(leaves, clauses))])),
        recount(T0, 0),
        recount(T0, 0, "hall"),
    ]
    for n in range(60):
        rows += [delta(now, dice.randrange(8), dice.randrange(7), c, ordinal=n) for c in (0, 1) if dice.random() < 0.8]
        rows.append(tick(now))
        play(rows, engine=engine, first=offset)
        offset, rows, now = offset + len(rows), [], now + dice.choice([1, 1, 5, 70]) * SECOND
        on = engine.plans.on.tolist()
        assert bool(engine.plans.rank[0]) == any(all(on[i] for i in clause) for clause in clauses)


@settings(max_examples=40)
@given(seeds)
def test_more_leaves_on_never_mean_a_calmer_stage(seed: int) -> None:
    """From the same state, a script with higher figures and later times asks for no less."""
    dice = random.Random(seed)
    stages = [stage("calm")]
    for rank in range(1, dice.randrange(2, 5)):
        leaves = [LEAVES[5], *dice.sample(LEAVES[:3], dice.randrange(1, 4))]
        clauses = [dice.sample(range(len(leaves)), dice.randrange(1, len(leaves) + 1)) for _ in range(dice.randrange(1, 3))]
        stages.append(stage(f"s{rank}", [], dice.choice([0, 30]) * SECOND, **when(leaves, clauses)))
    document = site(**TWO, stages=stages)
    names = ["mall.occupancy", "hall.occupancy", "site.occupancy", "g0.flow_both"]
    engines = [Engine("p00"), Engine("p00")]
    for engine in engines:
        play([declare(document)], engine=engine)
    for n in range(40):
        values = {("yu", name): dice.randrange(70) * 1000 for name in names}
        for more, engine in enumerate(engines):
            lift = dice.randrange(20_000) if more else 0
            engine.script({key: (value + lift, True) for key, value in values.items()})
            play([tick(T0 + n * 7 * SECOND)], engine=engine)
        assert (engines[1].plans.on >= engines[0].plans.on).all() or any(s["dwell_us"] for s in stages)
        if not any(s["dwell_us"] for s in stages):
            assert engines[1].plans.rank[0] >= engines[0].plans.rank[0]


def test_every_leaf_of_a_clause_holds_by_itself_and_the_last_of_them_makes_the_stage_due() -> None:
    due = when([term(20, 10, hold_us=30 * SECOND), term(20, 10, zone="hall")], [[0, 1]])
    rows = [declare(site(**TWO, stages=[stage("calm"), stage("busy", [], SECOND, **due)])), recount(T0, 30), recount(T0, 30, "hall")]
    entries = play([*rows, *(tick(T0 + n * SECOND) for n in range(40))]).entries
    assert _going(entries) == [(0, "calm"), (30, "busy")]
    assert bodies(entries, "transition")[-1]["cause"]["term"]["zone"] == "mall"


def test_a_clause_ends_with_the_first_of_its_leaves() -> None:
    due = when([term(20, 10), term(20, 10, zone="hall")], [[0, 1]])
    rows = [
        declare(site(**TWO, stages=[stage("calm"), stage("busy", [], SECOND, **due)])),
        recount(T0, 30),
        recount(T0, 30, "hall"),
        tick(T0),
    ]
    entries = play([*rows, recount(T0 + 9 * SECOND, 5, "hall"), tick(T0 + 9 * SECOND)]).entries
    assert _going(entries) == [(0, "busy"), (9, "calm")]
    assert bodies(entries, "transition")[-1]["cause"]["term"]["zone"] == "hall"


@pytest.mark.slow
@settings(max_examples=40)
@given(seeds)
def test_while_no_counter_speaks_no_leaf_on_people_or_passers_goes_off(seed: int) -> None:
    dice = random.Random(seed)
    document = site(
        **TWO, stages=[stage("calm"), *(stage(f"s{i}", [leaf], i * SECOND) for i, leaf in enumerate(LEAVES) if "enter" in leaf)]
    )
    rows, now = [declare(document), recount(T0, 20), recount(T0, 20, "hall")], T0
    for n in range(80):
        rows += [delta(now, dice.randrange(9), dice.randrange(8), c, ordinal=n) for c in (0, 1)] + [tick(now)]
        now += SECOND
    engine = Engine("p00")
    play(rows, engine=engine)
    now += 2 * MINUTE
    play([tick(now)], engine=engine)
    before = engine.plans.on.copy()
    for _ in range(30):
        now += dice.choice([1, 60, 3600, 86_400]) * SECOND
        play([tick(now)], engine=engine)
        assert (engine.plans.on >= before).all()
        before = engine.plans.on.copy()


# -- health ----------------------------------------------------------------------------------------------------------------------------


def test_a_degraded_rule_announces_and_ends_when_its_counter_speaks_again() -> None:
    document = site(stages=[stage("calm")], degraded=[rule("blind", [health("c0", 30 * SECOND)])])
    rows = [
        declare(document),
        delta(T0),
        *(tick(T0 + n * SECOND) for n in range(120)),
        delta(T0 + 120 * SECOND),
        tick(T0 + 120 * SECOND),
    ]
    told = [
        ((b["tick"] - T0) // SECOND, b["subject"], b["level"], b["state"])
        for b in bodies(play(rows).entries, "incident")
        if b["what"] == "degraded"
    ]
    assert told == [(91, "blind", "II", "raised"), (120, "blind", "II", "cleared")]


def test_a_degraded_rule_holds_its_stage_at_least_and_its_dwell_keeps_it() -> None:
    stages = [stage("calm"), stage("busy", [term(100, 80)], 30 * SECOND, gates={"g1": "out"})]
    document = site(stages=stages, degraded=[rule("blind", [health()], stage="busy")])
    rows = [declare(document), recount(T0, 0), delta(T0), *(tick(T0 + n * SECOND) for n in range(70))]
    for n in range(70, 120):
        rows += [delta(T0 + n * SECOND), tick(T0 + n * SECOND)]
    entries = play(rows).entries
    assert _going(entries) == [(0, "calm"), (61, "busy"), (91, "calm")]
    assert [b["setting"] for b in bodies(entries, "command") if b["gate"] == "g1"] == ["both", "out", "both"]


def test_any_counter_is_each_of_the_site_and_a_name_only_that_one() -> None:
    rules = [rule("any", [health()]), rule("c0", [health("c0")]), rule("both", [health("c0"), health("c1")], [[0, 1]])]
    rows = [declare(site(**TWO, stages=[stage("calm")], degraded=rules)), tick(T0)]
    for n in range(1, 100):
        rows += [delta(T0 + n * SECOND, counter=0, ordinal=n), tick(T0 + n * SECOND)]
    told = {b["subject"] for b in bodies(play(rows).entries, "incident") if b["what"] == "degraded"}
    assert told == {"any"}


@pytest.mark.parametrize("what", ["stuck", "implausible", "drifting"])
def test_health_that_nobody_sees_yet_never_holds(what: str) -> None:
    document = site(stages=[stage("calm"), stage("busy", [health("c0", what=what)])], degraded=[rule("odd", [health(what=what)])])
    entries = play([declare(document), *(tick(T0 + n * MINUTE) for n in range(30))]).entries
    assert _going(entries) == [(0, "calm")]
    assert not [b for b in bodies(entries, "incident") if b["what"] == "degraded"]


def test_a_forecast_never_holds_yet() -> None:
    leaf = term(1, 0) | {"kind": "forecast", "measure": "forecast_p90", "within_us": 15 * MINUTE}
    del leaf["source"], leaf["clear_source"]
    rows = [declare(site(stages=[stage("calm"), stage("busy", [leaf])])), recount(T0, 500), tick(T0), tick(T0 + MINUTE)]
    assert _going(play(rows).entries) == [(0, "calm")]


def test_the_headline_of_a_degraded_rule_is_told_with_its_places_filled() -> None:
    headline = {"zh": "{site}的计数器没有声音", "en": "Counters of {site} are silent"}
    document = site(stages=[stage("calm")], degraded=[rule("blind", [health()], headline=headline)])
    told = [
        b["headline"]
        for b in bodies(play([declare(document), tick(T0), tick(T0 + 2 * MINUTE)]).entries, "incident")
        if b["what"] == "degraded"
    ]
    assert told == [{"zh": "yu的计数器没有声音", "en": "Counters of yu are silent"}]


def test_a_degraded_rule_that_the_documents_drop_is_over() -> None:
    with_rule, without = (site(stages=[stage("calm")], degraded=d) for d in ([rule("blind", [health()])], []))
    entries = play([declare(with_rule), tick(T0), tick(T0 + 2 * MINUTE), declare(without), tick(T0 + 3 * MINUTE)]).entries
    assert [b["state"] for b in bodies(entries, "incident") if b["what"] == "degraded"] == ["raised", "cleared"]


# -- bands -----------------------------------------------------------------------------------------------------------------------------


def _band(enter: int, clear: int, **changes: Any) -> Document:
    return term(enter, clear, measure="band_width", clear_source="band_width", **changes)


@pytest.mark.parametrize("where", ["mall", "site"])
def test_a_wide_band_makes_a_stage_due_and_a_recount_ends_it(where: str) -> None:
    document = site(
        counters=[counter("c0", error_ppm=200_000)], stages=[stage("calm"), stage("unsure", [_band(100, 50, zone=where)], SECOND)]
    )
    rows = [declare(document), recount(T0, 100), tick(T0)]
    for n in range(1, 61):
        rows += [delta(T0 + n * SECOND, 20, 20), tick(T0 + n * SECOND)]
    engine = Engine("p00")
    entries = play([*rows, recount(T0 + 61 * SECOND, 100), tick(T0 + 61 * SECOND)], engine=engine).entries
    assert [to for _, to in _going(entries)] == ["calm", "unsure", "calm"]
    assert bodies(entries, "transition")[1]["cause"]["term"]["measure"] == "band_width"


def test_a_band_grows_through_silence_until_its_stage_rises() -> None:
    document = site(stages=[stage("calm"), stage("unsure", [_band(100, 50)], SECOND)])
    rows = [declare(document), recount(T0, 100), tick(T0)]
    for n in range(1, 121):
        rows += [delta(T0 + n * SECOND, 2, 2), tick(T0 + n * SECOND)]
    rows += [tick(T0 + n * MINUTE) for n in range(3, 20)]
    assert [to for _, to in _going(play(rows).entries)] == ["calm", "unsure"]


# -- scripts ---------------------------------------------------------------------------------------------------------------------------


def test_a_script_takes_the_place_of_what_is_counted_and_stale_figures_lower_nothing() -> None:
    document = site(
        **TWO | {"counters": [*TWO["counters"], counter("c2", gate=None, link="path")]},
        links=[link("path", "mall", "hall")],
        stages=[stage("calm"), stage("busy", [term(20, 10, zone="site"), passers(40, 20, at="path", on="link")])],
    )
    engine = Engine("p00")
    said = []
    for n, script in enumerate(
        [
            {("yu", "site.occupancy"): (30_000, True)},
            {("yu", "site.occupancy"): (5_000, False)},
            {("yu", "site.occupancy"): (5_000, True)},
            {("yu", "site.occupancy"): (5_000, True), ("yu", "path.flow_both"): (41_000, False)},
            {("yu", "site.occupancy"): (5_000, True), ("yu", "path.flow_both"): (0, False)},
            {("yu", "site.occupancy"): (5_000, True), ("yu", "path.flow_both"): (0, True)},
        ]
    ):
        engine.script(script)
        play([*([declare(document)] if n == 0 else []), tick(T0 + n * SECOND)], engine=engine)
        said.append(engine.standings["yu"].stages["yu"])
    assert said == ["busy", "busy", "calm", "busy", "busy", "calm"]


def test_a_scripted_occupancy_stands_for_its_edges_unless_they_are_given() -> None:
    leaf = term(20, 10, measure="occupancy_upper", clear_measure="occupancy_lower")
    engine = Engine("p00")
    engine.script({("yu", "mall.occupancy"): (15_000, True)})
    play([declare(site(stages=[stage("calm"), stage("busy", [leaf])])), tick(T0)], engine=engine)
    assert engine.plans.rank[0] == 0
    engine.script({("yu", "mall.occupancy"): (15_000, True), ("yu", "mall.occupancy_upper"): (25_000, True)})
    play([tick(T0 + SECOND)], engine=engine)
    assert engine.plans.rank[0] == 1


# -- documents -------------------------------------------------------------------------------------------------------------------------

OLD = [term(20, 10)]


@pytest.mark.parametrize(
    "new",
    [
        when([*OLD, term(20, 10, zone="hall")], [[0, 1]]),
        when([*OLD, hours(LOCAL + 3600, LOCAL + 7200)], [[0, 1]]),
        when([*OLD, health("c0")], [[0, 1]]),
        when([term(20, 10, zone="hall")], [[0]]),
    ],
    ids=["another zone", "another hour", "a silent counter", "only another zone"],
)
def test_a_document_by_itself_lowers_nothing_while_no_counter_speaks(new: Document) -> None:
    """Silence, then a plan that asks for more than what is on before the same stage rises: it stays, until somebody counts."""
    before, after = (site(**TWO, stages=[stage("calm"), stage("busy", [], SECOND, **due)]) for due in (when(OLD, [[0]]), new))
    rows = [declare(before), recount(T0, 30), recount(T0, 0, "hall"), delta(T0), delta(T0, counter=1), tick(T0), tick(T0 + 5 * MINUTE)]
    rows += [declare(after), *(tick(T0 + n * MINUTE) for n in range(6, 20))]
    assert [to for _, to in _going(play(rows).entries)] == ["busy"]
