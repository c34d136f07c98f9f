"""Each verification case holds, and the page that tells of them is current: `python -m flowwatch_sim.verification` writes it anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flowwatch_sim.verification.case import Case
from flowwatch_sim.verification.cases import CASES, SLOW
from flowwatch_sim.verification.report import page, row

PAGE = (Path(__file__).parents[2] / "docs" / "verification.md").read_text(encoding="utf-8")
ROWS = [line + "\n" for line in PAGE.splitlines() if line.startswith("| V")]


@pytest.mark.parametrize("function", [pytest.param(f, marks=[pytest.mark.slow] if f in SLOW else [], id=f.__name__) for f in CASES])
def test_a_case_holds_and_comes_out_as_the_page_says(function: Callable[[], Case]) -> None:
    case = function()
    assert case.passed, f"{case.name}: expected {case.expected}, tolerance {case.tolerance}, got {case.got}"
    assert row(case) in ROWS


def test_the_page_has_every_case_once_and_nothing_else() -> None:
    assert page(ROWS) == PAGE
    assert len(ROWS) == len({line.split()[1] for line in ROWS}) == len(CASES)
