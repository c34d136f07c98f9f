"""The stages of each plan as ribbons over time, and below them who came in at gates that were to let nobody in: A upward, B downward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from flowwatch.backtest.comparison import LETTERS, span
from flowwatch.backtest.ink import CALM, INK, OF_PLAN, SMALL, SOFT, Paper, colour, day, short
from flowwatch.backtest.series import WIDTHS

COLUMNS: Final = 240
"""People at shut gates are drawn in this many columns at most."""
ROOM: Final = 140
"""Characters of a ribbon's writing that fit into the whole width, measured on the page."""
Ribbon = tuple[int, str]
"""(number of the contender, plan)."""


def ribbons(paper: Paper) -> list[Ribbon]:
    """Of each contender the main plan, and every other that was ever above its first stage."""
    return [(i, plan) for i, outcome in enumerate(paper.outcomes) for plan in _shown(outcome)]


def _shown(outcome: Mapping[str, Any]) -> Iterator[str]:
    for plan, moves in outcome["stages"].items():
        if plan == outcome["plan"] or len({stage for _, stage in moves if stage is not None}) > 1:
            yield plan


def draw_ribbons(paper: Paper, part: Any, drawn: list[Ribbon]) -> None:
    """Draw the ribbons `drawn`, one below the other, into `part`."""
    part.set_ylim(len(drawn) - 0.45, -0.55)
    part.set_yticks(range(len(drawn)))
    part.set_yticklabels([_name(paper, i, plan) for i, plan in drawn], weight="bold")
    for label, (i, _) in zip(part.get_yticklabels(), drawn, strict=True):
        label.set_color(OF_PLAN[i])
    part.spines[["left", "bottom"]].set_visible(False)
    part.tick_params(length=0)
    _, until = paper.span()
    for row, (i, plan) in enumerate(drawn):
        ranks = paper.ranks(i, plan)
        for start, end, stage in stretches(paper.outcomes[i]["stages"][plan], until):
            rank, level = ranks.get(stage, (0, None))
            ink, line = (colour(level), 0.7) if rank else (CALM, 0.3)
            part.barh(row, day(end) - day(start), left=day(start), height=0.72, color=ink, edgecolor=INK, linewidth=line)
            text = _fitting(paper, (start, end), paper.names[i].stage(stage, plan), level)
            pen = "white" if level == "I" else INK
            part.text(day((start + end) // 2), row, text, ha="center", va="center", fontsize=SMALL, color=pen, clip_on=True)


def stretches(moves: list[list[Any]], until: int) -> Iterator[tuple[int, int, str]]:
    """(from, to, stage) of a plan's changes [time, stage or None], the last of which lasts to `until`.

    >>> list(stretches([[0, "calm"], [5, "busy"], [8, None]], 9))
    [(0, 5, 'calm'), (5, 8, 'busy')]
    """
    for (start, stage), (end, _) in pairwise([*moves, [until, None]]):
        if stage is not None and end > start:
            yield start, end, stage


def _fitting(paper: Paper, stretch: tuple[int, int], title: str, level: str | None) -> str:
    """The level and the stage's title, as much of it as there is room for in a stretch of time."""
    since, until = paper.span()
    room = ROOM * (stretch[1] - stretch[0]) / (until - since)
    numeral, wide = level or "", 2 if any(ord(c) > 0x2E80 for c in title) else 1
    for text, length in ((f"{numeral} {title}".strip(), 0.6 * len(numeral) + 2 + wide * len(title)), (numeral, 0.6 * len(numeral) + 1)):
        if length <= room:
            return text
    return ""


def _name(paper: Paper, i: int, plan: str) -> str:
    return LETTERS[i] if plan == paper.main_plan(i) else f"{LETTERS[i]} {short(paper.names[i].plan(plan), 10)}"


def draw_shut(paper: Paper, part: Any) -> None:
    """Draw who came in at shut gates into `part`."""
    width = column_us(paper)
    two = len(paper.outcomes) == 2
    highest = 1
    for i, outcome in enumerate(paper.outcomes):
        found: dict[int, int] = {}
        for at, people in zip(outcome["series"]["at_us"], outcome["series"]["in_while_shut"], strict=True):
            if people:
                found[at // width] = found.get(at // width, 0) + people
        highest = max([highest, *found.values()])
        heights = [people if i == 0 else -people for people in found.values()]
        part.bar([day(k * width) for k in found], heights, width=day(width), align="edge", color=OF_PLAN[i], linewidth=0)
        people = outcome["came_in_while_shut"]
        word = paper.say(f"{LETTERS[i]}：{people:,} 人", f"{LETTERS[i]}: {people:,} people")
        place = (0.25 if i else 0.75) if two else 0.5
        part.text(1.012, place, word, transform=part.transAxes, va="center", fontsize=SMALL, color=OF_PLAN[i], weight="bold")
    part.axhline(0, color=SOFT, linewidth=0.8)
    part.set_ylim(-1.15 * highest if two else 0, 1.15 * highest)
    part.yaxis.set_major_locator(paper.ticker.MaxNLocator(4, integer=True))
    part.yaxis.set_major_formatter(paper.ticker.FuncFormatter(lambda n, _: f"{abs(n):,.0f}"))
    each = span(width, paper.language)
    part.set_ylabel(paper.say(f"禁入期间进入\n每 {each}", f"in while shut\nper {each}"), linespacing=1.5)


def column_us(paper: Paper) -> int:
    """The time that a column stands for: whole bins of the series, and whole ticks where some width has them."""
    since, until = paper.span()
    least = max((until - since) // COLUMNS, *(int(outcome["series"]["width_us"]) for outcome in paper.outcomes))
    wide = [width for width in WIDTHS if width >= least]
    tick = int(paper.result.archive["tick_us"])
    return next((width for width in wide if width % tick == 0), wide[0] if wide else least)
