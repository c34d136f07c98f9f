"""On small sites, lawful or not, the analysis says what going through every situation one by one says."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.gates import egress_per_min, violations
from flowwatch.safety import Code, analyse, render
from flowwatch.safety.report import Report
from tests.safety import oracle
from tests.safety.made import random_site

INVARIANTS = [*oracle.KINDS, "egress_falls", "egress_falls_together"]
seeds = st.integers(0, 2**32)


def _shortest(report: Report) -> dict[str, int]:
    found: dict[str, int] = {}
    for f in report.findings:
        if f.code in INVARIANTS:
            far = len(f.events or ())
            code = f.code.value.removesuffix("_together")
            found[code] = min(found.get(code, far), far)
    return found


@settings(max_examples=150, deadline=None)
@given(seeds)
def test_the_same_invariants_are_broken_by_the_same_shortest_ways(seed: int) -> None:
    site = random_site(random.Random(seed))
    assert _shortest(analyse(site)) == oracle.shortest(site)


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_the_same_gates_cut_off_the_same_zones(seed: int) -> None:
    site = random_site(random.Random(seed))
    report = analyse(site)
    told = oracle.cut_off(site)
    assert {(f.gate, zone) for f in report.failures for zone in f.cut_off} == set(told)
    for failure in report.failures:
        near = [far for (gate, _), far in told.items() if gate == failure.gate]
        assert (None if failure.events is None else len(failure.events)) == min(near, default=None)
    exits = [f for f in report.findings if f.code is Code.SINGLE_EXIT]
    assert len(exits) == len({zone for _, zone in told})


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_capacities_are_those_of_the_situations(seed: int) -> None:
    site = random_site(random.Random(seed))
    report = analyse(site)
    assert {(c.plan, c.stage): c.lowest_per_min for c in report.capacities} == oracle.lowest(site)
    assert all(c.lowest_per_min <= c.egress_per_min for c in report.capacities)
    calm = report.capacities[0]
    assert calm.egress_per_min == egress_per_min(site, oracle.table(site, oracle.start(site)))
    assert report.coverage.situations == report.coverage.visited == len(oracle.distances(site))


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_the_engine_refuses_the_overrides_that_the_table_says(seed: int) -> None:
    site = random_site(random.Random(seed))
    stages = [s["stage"] for s in site["plans"][0]["stages"]]
    for override in analyse(site).overrides:
        refused = oracle.refused(site, override.gate, override.setting)
        assert [*override.refused] == refused
        for admitted, lifted in override.lifted.items():
            assert admitted not in refused
            assert lifted == next(s for s in stages[stages.index(admitted) :] if s in refused)


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_where_no_situation_has_a_fault_lifting_every_override_always_leaves_a_way_out(seed: int) -> None:
    dice = random.Random(seed)
    site = random_site(dice)
    if any(f.code in INVARIANTS for f in analyse(site).findings):
        return
    for situation in oracle.distances(site):
        table = oracle.table(site, situation)
        held = {g["gate"]: dice.choice(["in", "out", "both"]) for g in site["gates"] if dice.random() < 0.5}
        admitted = table | held
        assert violations(site, admitted if not violations(site, admitted) else table) == []


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 30))
def test_a_smaller_budget_finds_nothing_that_is_not_there_and_says_what_it_left_out(seed: int, budget: int) -> None:
    site = random_site(random.Random(seed))
    whole, part = analyse(site), analyse(site, budget)
    known, told = _shortest(whole), _shortest(part)
    assert all(told[code] >= known[code] for code in told)
    assert part.coverage.complete == all(f.code is not Code.NOT_ALL_VISITED for f in part.findings)
    assert 0 < part.coverage.visited <= part.coverage.situations == whole.coverage.situations
    if part.coverage.away_from_calm is not None:
        assert (
            part.coverage.visited
            == sum(
                sum(one != calm for one, calm in zip(s, oracle.start(site), strict=True)) <= part.coverage.away_from_calm
                for s in oracle.distances(site)
            )
            or part.coverage.different < part.coverage.situations
        )


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_a_report_is_plain_data_and_prints_in_both_languages(seed: int) -> None:
    report = analyse(random_site(random.Random(seed)))
    assert analyse(random_site(random.Random(seed))).to_json() == report.to_json()
    for text in (render(report, "zh", overrides=True), render(report, "en", overrides=True)):
        assert text.startswith("yu")
        assert "{" not in text
