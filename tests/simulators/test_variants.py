"""A plan with other bars is the plan in everything else, and is refused where the safety analysis would refuse it."""

from __future__ import annotations

import json

import pytest

from flowwatch.documents import Loaded, find, load, shipped
from flowwatch_sim.variants import BadBarsError, read_moved, vary


def yuyuan() -> Loaded:
    return load(*next((site, plans[:1]) for site, plans in find(shipped()) if site.stem == "yuyuan"))


def bars(loaded: Loaded) -> dict[str, tuple[int, int]]:
    stages = loaded.site["plans"][0]["stages"]
    return {s["stage"]: (leaf["enter_m"], leaf["clear_m"]) for s in stages for leaf in s["leaves"] if leaf["kind"] == "people"}


def test_bars_move_and_those_to_leave_a_stage_keep_their_share() -> None:
    varied = vary(yuyuan(), read_moved("three_in_five_out=1200,exit_only=2400"))
    assert bars(yuyuan()) == {"three_in_five_out": (1_500_000, 1_350_000), "exit_only": (3_000_000, 2_600_000)}
    assert bars(varied) == {"three_in_five_out": (1_200_000, 1_080_000), "exit_only": (2_400_000, 2_080_000)}


def test_nothing_else_changes() -> None:
    plain, varied = (json.loads(one.payload) for one in (yuyuan(), vary(yuyuan(), read_moved("three_in_five_out=1200"))))
    for stage in (*plain["plans"][0]["stages"], *varied["plans"][0]["stages"]):
        for leaf in stage["leaves"]:
            for key in ("enter", "clear", "enter_m", "clear_m"):
                leaf.pop(key, None)
    assert plain == varied


def test_the_same_bars_are_the_same_version() -> None:
    assert vary(yuyuan(), read_moved("three_in_five_out=1500")).version == yuyuan().version


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("busy=1200", 'found "busy", expected a stage'),
        ("three_in_five_out", "expected a stage and people such as"),
        ("three_in_five_out=0", "expected a stage and people such as"),
        ("normal=100", 'found no bar on people in "normal"'),
        ("exit_only=1400", "is never active by itself"),
    ],
)
def test_what_means_nothing_or_is_unsafe_is_refused(text: str, told: str) -> None:
    with pytest.raises(BadBarsError, match=told):
        vary(yuyuan(), read_moved(text))
