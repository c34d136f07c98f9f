"""People inside over time with their band, and across them the bars of the plans and the capacity of the place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flowwatch.backtest.bench import SITE
from flowwatch.backtest.comparison import LETTERS
from flowwatch.backtest.ink import INK, OF_PLAN, SMALL, SOFT, Paper, colour, day, short
from flowwatch.backtest.tally import GAP_US

EDGES: Final = {
    "occupancy": ("", ""),
    "occupancy_upper": ("（按区间上限）", " (upper edge)"),
    "occupancy_lower": ("（按区间下限）", " (lower edge)"),
}
"""The figures that can be drawn as a bar over people inside, and what is said of their bars."""
APART: Final = 0.045
"""Between two labels, of the part's height."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar (persons) with its title, and the level of the stage for each plan, by number, that has it; the capacity is no plan's."""

    value: float
    title: str
    levels: dict[int, str | None]


def draw_curve(paper: Paper, part: Any) -> None:
    """Draw into `part`. Where the plans' sites differ, so may the figures: then each has its own curve."""
    shown = paper.result.how["shown"]
    all_series = [outcome["series"] for outcome in paper.outcomes]
    alike = all(_figure(series) == _figure(all_series[0]) for series in all_series)
    highest = 0.0
    for i, series in enumerate(all_series[:1] if alike else all_series):
        at, inside, lower, upper = columns(series, 2 * max(GAP_US, 2 * int(paper.result.archive["tick_us"])))
        ink = INK if alike else OF_PLAN[i]
        part.fill_between(at, lower, upper, color=ink, alpha=0.15, linewidth=0)
        part.plot(at, inside, color=ink, linewidth=1.3)
        highest = max([highest, *(x for x in upper if x == x)])  # noqa: PLR0124 - only nan differs from itself
    found = bars(paper)
    top = 1.1 * (max([highest, *(bar.value for bar in found if bar.value <= 1.6 * highest)]) or 1.0)
    part.set_ylim(0, top)
    _label_bars(paper, part, [bar for bar in found if bar.value <= top], top)
    said = paper.say("曲线：估计人数；阴影：人数区间（九成情形在内）", "line: the estimate; shade: its band, nine cases in ten")
    part.text(0.008, 0.975, said, transform=part.transAxes, va="top", fontsize=8, color=SOFT)
    zone = paper.names[0].zone(shown)
    part.set_ylabel(short(paper.say(f"在场人数：{zone}", f"people inside: {zone}"), 44))
    part.yaxis.set_major_formatter(paper.ticker.StrMethodFormatter("{x:,.0f}"))
    part.grid(axis="y", color="#e4e7eb", linewidth=0.6)
    part.set_axisbelow(True)
    peak = paper.outcomes[0]["peaks"].get(shown)
    if peak is not None and alike:
        _mark_peak(paper, part, peak)


def bars(paper: Paper) -> list[Bar]:
    """The bars on the shown figure and the capacity of the place, ascending; what several plans have alike is one."""
    shown, found = paper.result.how["shown"], dict[tuple[float, str], Bar]()
    for i, contender in enumerate(paper.result.contenders):
        for stage in contender.main["stages"] if contender.main else ():
            for leaf in stage["leaves"]:
                if leaf["kind"] == "people" and leaf["source"] in EDGES and leaf["zone"] == shown:
                    title = paper.names[i].stage(stage["stage"], paper.main_plan(i)) + paper.say(*EDGES[leaf["source"]])
                    bar = found.setdefault((leaf["enter_m"] / 1000, title), Bar(leaf["enter_m"] / 1000, title, {}))
                    bar.levels.setdefault(i, stage["level"])
    zones = paper.result.contenders[0].record["zones"]
    outer = [zone for zone in zones if zone["zone"] == shown or (shown == SITE and zone["inside"] is None and zone["outside"] is None)]
    capacity = float(sum(zone["capacity"] for zone in outer))
    return sorted([*found.values(), Bar(capacity, paper.say("承载量", "capacity"), {})], key=lambda bar: bar.value)


def columns(series: Mapping[str, Any], gap: int) -> tuple[list[float], list[float], list[float], list[float]]:
    """Time, inside, lower, upper (persons), with a nan wherever nothing was decided for longer than `gap` (microseconds)."""
    out: tuple[list[float], list[float], list[float], list[float]] = ([], [], [], [])
    before = None
    for at, *people in zip(*_figure(series), strict=True):
        if before is not None and at - before > max(gap, 2 * series["width_us"]):
            out[0].append(day((at + before) // 2))
            for column in out[1:]:
                column.append(float("nan"))
        out[0].append(day(at))
        for column, value in zip(out[1:], people, strict=True):
            column.append(value / 1000)
        before = at
    return out


def _figure(series: Mapping[str, Any]) -> list[Any]:
    return [series[key] for key in ("at_us", "inside_m", "lower_m", "upper_m")]


def _mark_peak(paper: Paper, part: Any, peak: Mapping[str, Any]) -> None:
    inside = f"{peak['inside_m'] / 1000:,.0f}"
    text = paper.say(f"至少 {inside}", f"at least {inside}")
    if peak["known"]:
        text = f"{inside} ({peak['lower_m'] / 1000:,.0f}–{peak['upper_m'] / 1000:,.0f})"
    moment = paper.clock.moment(peak["at_us"])[11:16]
    told = paper.say(f"峰值{'' if peak['known'] else '：'} {text}，{moment}", f"peak {text}, {moment}")
    since, until = paper.span()
    along = (peak["at_us"] - since) / (until - since)
    side = "right" if along > 0.85 else "left" if along < 0.15 else "center"
    where = (day(peak["at_us"]), peak["inside_m"] / 1000)
    part.plot([where[0]], [where[1]], marker="o", markersize=4, color=INK)
    box = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
    part.annotate(told, where, xytext=(0, 9), textcoords="offset points", ha=side, fontsize=SMALL, weight="bold", bbox=box)


def _label_bars(paper: Paper, part: Any, found: list[Bar], top: float) -> None:
    """Lines, and beside them whose they are; labels that would touch are moved apart."""
    beside = {"transform": part.transAxes, "clip_on": False}
    last = -1.0
    for bar in found:
        ink = SOFT if not bar.levels else OF_PLAN[min(bar.levels)] if len(bar.levels) == 1 else INK
        style = ":" if not bar.levels else "-" if 0 in bar.levels else (0, (5, 3))
        part.axhline(bar.value, color=ink, linewidth=1.0, linestyle=style, alpha=0.9)
        place = last = max(bar.value / top, last + APART)
        part.plot([1, 1.008], [bar.value / top, place], color=ink, linewidth=0.8, **beside)
        for n, level in enumerate(dict.fromkeys(bar.levels.values())):
            square = {"marker": "s", "markersize": 7, "color": colour(level), "markeredgecolor": INK, "markeredgewidth": 0.8}
            part.plot([1.016 + 0.013 * n], [place], **square, **beside)
        letters = "" if len(paper.outcomes) == 1 else " ".join(LETTERS[i] for i in sorted(bar.levels))
        text = f"{letters}  {bar.value:,.0f}  {short(bar.title, 23)}".strip()
        part.text(1.028, place, text, transform=part.transAxes, va="center", fontsize=SMALL, color=ink)
