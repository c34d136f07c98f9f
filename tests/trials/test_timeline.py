"""A failed test is shown line by line: figures, stage, question, gates, and a mark where it was not as expected."""

from __future__ import annotations

import doctest
import importlib

import pytest

from flowwatch.trials import timeline
from tests.trials.made import play

SCRIPT = 'series: {deck.occupancy: "100 250x2 _"}\nactions: [{at: 150s, override: {stage: full, until: 1h}}]'
EXPECT = "expect: [{at: 90s, stage: calm}, {at: 4m, stage: full, gates: {door-1: in}}]"


def test_the_lines_say_when_what_and_the_marked_ones_what_was_expected() -> None:
    assert timeline(play(SCRIPT, EXPECT), "en") == [
        "  time   deck.occupancy  stage  asks  gates                  operators",
        "  0m     100             calm   –     all both",
        "  1m20s  250             busy   –     door-1 in, door-2 out",
        "> 1m30s  250             busy   –     door-1 in, door-2 out",
        ">        line 5: stage: expected calm, found busy",
        "  2m30s  250             full   –     all out                override full",
        "> 4m     250 (stale)     full   –     all out",
        ">        line 5: gates.door-1: expected in, found out",
    ]


def test_the_same_in_chinese() -> None:
    lines = timeline(play(SCRIPT, EXPECT), "zh")
    assert lines[0].split() == ["时间", "deck.occupancy", "阶段", "待确认", "通道口", "人工操作"]
    assert "250（无新数据）" in lines[6]
    assert ">        第 5 行：stage：预期 calm，实际 busy" in lines


def test_zones_that_counters_tell_about_are_shown_with_their_band() -> None:
    lines = timeline(play("recounts: [{at: 1m, zone: deck, count: 100}]\nreadings: {beam-1: 60}", "expect: [{at: 2m, stage: busy}]"), "en")
    assert "deck" in lines[0]
    assert "160 (" in lines[-2]


@pytest.mark.parametrize("module", ["timeline", "feed", "series"])
def test_the_examples_in_the_docstrings_print_what_they_say(module: str) -> None:
    assert doctest.testmod(importlib.import_module(f"flowwatch.trials.{module}")).failed == 0
