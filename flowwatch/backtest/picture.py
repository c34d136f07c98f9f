"""The picture of a backtest, to be printed: people inside with the bars of the plans, the stages of each, and who came in at shut gates.

One page, three parts over the same time. Stages have the colours of the warning levels, and beside the colour the numeral and the stage's
title, for who prints in black. Needs matplotlib (`flowwatch-crowd[plots]`), which nothing else here does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from flowwatch.backtest.bench import SITE, Result
from flowwatch.backtest.comparison import LETTERS
from flowwatch.backtest.curve import draw_curve
from flowwatch.backtest.ink import OF_PLAN, SOFT, NoPlotsError, Paper, day, short
from flowwatch.backtest.ribbons import draw_ribbons, draw_shut, ribbons
from flowwatch.titles import Language

__all__ = ["NoPlotsError", "draw"]

SIZE_IN: Final = (11.69, 8.27)
"""A4, lying."""
LEFT: Final = 0.095
RIGHT: Final = 0.82
"""Of the page's width; beside it stand whose the bars are."""


def draw(result: Result, file: Path, language: Language) -> Language:
    """Write the picture as PNG; in English where no installed font has Chinese characters. Gives the language that it is in.

    Raises `NoPlotsError`, and `OSError` where the file cannot be written.
    """
    paper = Paper(result, language)
    with paper.matplotlib.rc_context(paper.settings):
        page = paper.figure.Figure(figsize=SIZE_IN, dpi=150, facecolor="white")
        _compose(paper, page)
        page.savefig(file, format="png", metadata={"Software": None})
    return paper.language


def _compose(paper: Paper, page: Any) -> None:
    drawn = ribbons(paper)
    heights = [5.2, 0.5 * max(len(drawn), 1), 1.7]
    grid = page.add_gridspec(3, 1, height_ratios=heights, hspace=0.1, left=LEFT, right=RIGHT, top=0.885, bottom=0.1)
    top = page.add_subplot(grid[0])
    middle, low = page.add_subplot(grid[1], sharex=top), page.add_subplot(grid[2], sharex=top)
    for part in (top, middle, low):
        part.spines[["top", "right"]].set_visible(False)
        part.tick_params(length=3, color=SOFT, labelbottom=part is low)
    _title(paper, page)
    draw_curve(paper, top)
    draw_ribbons(paper, middle, drawn)
    draw_shut(paper, low)
    for part in (top, low):
        part.yaxis.set_label_coords(-0.072, 0.5)
    since, until = paper.span()
    top.set_xlim(day(since), day(until))
    locator = paper.dates.AutoDateLocator(tz=paper.zone, minticks=5, maxticks=11)
    low.xaxis.set_major_locator(locator)
    shown = {"formats": ["%Y", "%m", "%m-%d", "%H:%M", "%H:%M", "%S"], "zero_formats": ["", "%Y", "%m-%d", "%m-%d", "%H:%M", "%H:%M"]}
    low.xaxis.set_major_formatter(paper.dates.ConciseDateFormatter(locator, tz=paper.zone, show_offset=False, **shown))
    note = paper.say(
        "开环回测：人员流动按记录原样回放，未计入方案对人流的影响。",
        "Open loop: people move as recorded; what the plans would have changed in that is not in the picture.",
    )
    page.text(LEFT, 0.025, f"{note}  ({paper.zone.key})", fontsize=8, color=SOFT)


def _title(paper: Paper, page: Any) -> None:
    archive = paper.result.archive
    title = short(paper.names[0].zone(SITE), 60)
    if archive["first_us"] is not None:
        start, end = (paper.clock.moment(archive[key])[:16] for key in ("first_us", "last_us"))
        title += f"  {start} – {end if end[:10] != start[:10] else end[11:]}"
    page.text(LEFT, 0.955, title, fontsize=14, weight="bold")
    for i, (contender, outcome) in enumerate(zip(paper.result.contenders, paper.outcomes, strict=True)):
        told = (outcome["title"] or {}).get(paper.language) or contender.name
        text = short(f"{LETTERS[i]}  {told}" + ("" if told == contender.name else f" ({contender.name})"), 52)
        page.text(LEFT + 0.38 * i, 0.92, text, fontsize=10, color=OF_PLAN[i], weight="bold")
