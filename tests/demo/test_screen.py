"""The screen fits the terminal that it is drawn for, in both languages, says in words what it says in colours, and agrees with its plain line."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from flowwatch.demo.picture import CELL, draw
from flowwatch.demo.screen import NARROWEST, WIDEST, Alert, View, plain, render, short_mode
from flowwatch.vocabulary import LEVELS, MODES
from flowwatch.words import Language

languages: st.SearchStrategy[Language] = st.sampled_from(["zh", "en"])
LEVEL: dict[str, str | None] = {"正常通行": None, "三进五出": "III", "Exit only, and a long title that no terminal holds": "I"}


@st.composite
def views(draw_: st.DrawFn) -> View:
    """Any moment of a day, gates in any mode."""
    lang = draw_(languages)
    gates = [f"gate-{i + 1}" for i in range(draw_(st.integers(1, 14)))]
    lower, inside, upper = sorted(draw_(st.tuples(*[st.integers(0, 40_000)] * 3)))
    stage = draw_(st.sampled_from(list(LEVEL)))
    minutes = draw_(st.integers(60, 900))
    minute = draw_(st.integers(1, minutes))
    alert = st.builds(Alert, st.just("18:28"), st.sampled_from([None, "III", "I"]), st.text("豫园人数a ,", max_size=120))
    return View(
        title="豫园商城",
        lang=lang,
        gates=gates,
        bars=[(1500, "III"), (3000, "I")],
        opens=datetime(2026, 10, 1, 9, tzinfo=UTC),
        minutes=minutes,
        stage=stage,
        level=LEVEL[stage],
        now=datetime(2026, 10, 1, 18, 31, tzinfo=UTC),
        known=draw_(st.booleans()),
        inside=inside,
        lower=lower,
        upper=upper,
        silent=draw_(st.lists(st.just("1号口闸机"), max_size=3)),
        waiting=draw_(st.integers(0, 5000)),
        speed=936,
        modes={gate: draw_(st.sampled_from(list(MODES))) for gate in gates},
        changed=set(gates[:2]),
        alerts=draw_(st.lists(alert, max_size=12)),
        day=[(inside * i // minute, LEVEL[stage]) for i in range(minute)],
    )


def drawn(view: View, width: int, height: int, **how: Any) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, **how)
    with console.capture() as capture:
        console.print(render(view, width, height))
    return capture.get().splitlines()


@given(views(), st.integers(NARROWEST, 130), st.integers(24, 60))
@settings(max_examples=25)
def test_every_line_is_as_wide_as_the_frame_in_cells(view: View, width: int, height: int) -> None:
    lines = drawn(view, width, height, color_system=None, no_color=True)
    assert {cell_len(line) for line in lines} == {min(width, WIDEST)}


@given(views(), st.integers(NARROWEST, 130), st.integers(24, 60))
@settings(max_examples=25)
def test_the_screen_is_no_higher_than_the_terminal_with_up_to_eight_gates(view: View, width: int, height: int) -> None:
    few = replace(view, gates=view.gates[: min(8, (min(width, WIDEST) - 6) // 9)])
    assert len(drawn(few, width, height, color_system=None)) < height


@given(views())
@settings(max_examples=20)
def test_without_colours_the_stage_its_level_and_every_gates_mode_are_still_told(view: View) -> None:
    calm = replace(view, stage="三进五出", level=view.level or "III")
    text = "\n".join(drawn(calm, 100, 40, color_system=None, no_color=True))
    assert calm.stage in text
    assert LEVELS[str(calm.level)][calm.lang] in text
    for mode in set(calm.modes.values()):
        assert short_mode(mode, calm.lang) in text
    assert "\x1b[3" not in text


@given(views())
@settings(max_examples=20)
def test_an_unknown_figure_is_never_shown_as_a_number(view: View) -> None:
    unknown = replace(view, known=False)
    assert unknown.word("unknown") in plain(unknown)
    assert unknown.word("unknown") in "\n".join(drawn(unknown, 100, 40, color_system=None))


@given(views())
@settings(max_examples=20)
def test_the_plain_line_is_one_line_and_counts_every_gate(view: View) -> None:
    line = plain(view)
    assert "\n" not in line
    told = line.split(f"{view.word('gates')}: ")[1].split("  ")[0]
    assert sum(int(part.rsplit(" ", 1)[1]) for part in told.split(", ")) == len(view.gates)


@given(views())
@settings(max_examples=8)
def test_the_picture_is_sound_asks_for_nothing_from_elsewhere_and_keeps_chinese_in_its_cells(view: View) -> None:
    svg = draw(view)
    root = ET.fromstring(svg)
    assert "http" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "")
    runs = list(root.iter("{http://www.w3.org/2000/svg}text"))
    assert runs
    for run in runs:
        assert float(run.attrib["textLength"]) == pytest.approx(cell_len(run.text or "") * CELL, abs=0.01)
    assert len(svg) < 150 * 1024
