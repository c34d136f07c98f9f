"""Situations are counted, found again and left out as they should be, however many there are."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flowwatch.safety
from flowwatch.core.gates import Setting
from flowwatch.safety import Code, analyse
from flowwatch.safety.states import counted, space
from flowwatch.safety.tables import closed
from tests.safety import oracle
from tests.safety.made import SETTINGS, case, people, plan, random_site, site, stage, zone_plan


def test_more_situations_than_64_bits_can_number_are_visited_from_calm_outwards() -> None:
    stages = [stage("calm"), *(stage(f"s{k}", [people(500 * k, 440 * k)], gates={"g0": f"metered {k}/min both"}) for k in range(1, 8))]
    plans = [plan("yu", stages), *(zone_plan(f"z{i}", stages) for i in range(25))]
    plans[4]["stages"][3]["gates"] = {"g1": "closed"}
    report = analyse(site(*plans), budget=20_000)
    assert report.coverage.situations == 8**26
    assert report.coverage.away_from_calm == 2
    assert report.coverage.visited == 1 + 26 * 7 + 26 * 25 // 2 * 49
    assert not report.coverage.complete
    assert [f.code for f in report.warnings] == [Code.NOT_ALL_VISITED]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 10**6))
def test_a_row_is_found_again_by_what_is_changed_in_it(seed: int, budget: int) -> None:
    made = space(random_site(random.Random(seed))["plans"], budget)
    rows = np.arange(len(made.rows))
    assert (made.find(made.keys) == rows).all()
    for p in range(made.rows.shape[1]):
        away = rows[made.rows[:, p] != 0]
        for kind in set(made.rows[away, p].tolist()):
            these = away[made.rows[away, p] == kind]
            calm = made.exchanged(these, p, kind, 0)
            assert (made.rows[calm, p] == 0).all()
            assert (np.delete(made.rows[calm], p, 1) == np.delete(made.rows[these], p, 1)).all()
    assert counted(made.columns, made.deepest)[0] >= len(made.rows)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_stages_that_ask_the_same_are_visited_once_and_counted_all(seed: int) -> None:
    dice = random.Random(seed)
    record = random_site(dice)
    record["plans"][-1]["stages"] = [s | {"gates": record["plans"][-1]["stages"][0]["gates"]} for s in record["plans"][-1]["stages"]]
    report = analyse(record)
    assert report.coverage.situations == report.coverage.visited == len(oracle.distances(record))
    assert report.coverage.different <= report.coverage.situations


@given(st.lists(st.sampled_from(SETTINGS), min_size=1, max_size=5), st.sampled_from([25.0, 100.0]))
def test_a_closed_set_knows_every_combination_of_its_settings(texts: list[str], lanes: float) -> None:
    found = closed({Setting.parse(t) for t in texts}, lanes)
    n = len(found.values)
    assert (found.join == found.join.T).all()
    assert (found.join[0] == np.arange(n)).all()
    assert (np.diag(found.join) == np.arange(n)).all()
    assert found.join.max() < n


def test_a_replacing_case_silences_only_a_calm_main_plan() -> None:
    out = dict.fromkeys(("g0", "g1", "g2", "g3"), "out")
    low = {"g0": "both", "g1": "in", "g2": "in", "g3": "in"}
    record = site(
        plan("yu", [stage("normal"), stage("busy", [people(900, 800)], gates=out)]), case("rain", [stage("wet", gates=low)], "replace")
    )
    rows = {(c.plan, c.stage): (c.egress_per_min, c.lowest_per_min) for c in analyse(record).capacities}
    assert rows == {("yu", "normal"): (200, 50), ("yu", "busy"): (400, 400), ("rain", "wet"): (50, 50)}


@pytest.mark.parametrize("path", sorted(Path(flowwatch.safety.__file__).parent.glob("*.py")), ids=lambda path: path.name)
def test_the_package_imports_numpy_the_standard_library_and_the_core_only(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("flowwatch"):
            assert str(node.module).startswith(("flowwatch.core", "flowwatch.safety"))
