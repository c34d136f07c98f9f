"""The charts of a report: people inside as a fan for each setup, people waiting outside, minutes in each stage, and the worst days."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from flowwatch_sim.report.ink import GRID, INK, LINES, OF_SETUP, SMALL, SOFT, Paper, begins_h, colour, fitting
from flowwatch_sim.report.matter import Bar, Matter
from flowwatch_sim.report.measured import number
from flowwatch_sim.runs import Result

WIDE_IN: Final = 7.1
"""What A4 leaves between margins of 15 mm."""
ENOUGH: Final = 20
"""Days from which on 5 % and 95 % of them mean something; of fewer, the least and the most are shown."""
IN_ROW: Final = 3
PANEL_IN: Final = 1.35
LINE_IN: Final = 0.165
"""Between two lines of a key."""
APART: Final = 0.075
"""Between the labels of two bars, of a panel's height."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fan:
    """Days on top of one another: their middle and the band around it, minute by minute."""

    hours: Floats
    middle: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class _Row:
    """A stage with its mean minutes under each setup, or (no minutes) the title of a plan."""

    title: str
    level: str | None
    minutes: list[float | None]
    """None: a setup that has no such stage."""


class Charts:
    """Draws what is known of `matter`; writes English where no installed font has Chinese characters."""

    def __init__(self, matter: Matter) -> None:
        """Raises `NoPlotsError`."""
        self.paper = Paper(matter.language)
        self.matter = matter.told_in(self.paper.language)

    @property
    def band(self) -> tuple[str, str]:
        """What the shade of a fan is, in Chinese and in English."""
        n = len(self.matter.table.seeds)
        if n >= ENOUGH:
            return f"{n} 个模拟日的 5%–95%", f"5–95 % of {n} days"
        return f"{n} 个模拟日的最小至最大", f"least to most of {n} days"

    # -- fans -------------------------------------------------------------------------------------------------------------------------

    def inside(self, zone: str) -> str:
        """People in a zone: a fan for each setup, all on the same axes, with the bars of its plans."""
        fans = [self._fan(i, self._column(zone)) for i in range(len(self.matter.setups))]
        told = self.matter.say(f"在场人数：{self.matter.names[0].zone(zone)}", f"People inside: {self.matter.names[0].zone(zone)}")
        return self._panels(f"inside-{self.matter.zones.index(zone)}", zone, fans, [None] * len(fans), told)

    def worst(self) -> str:
        """The worst day of each setup in the largest zone, before the fan of all its days."""
        zone, setups = self.matter.main_zone, range(len(self.matter.setups))
        fans = [self._fan(i, self._column(zone)) for i in setups]
        told = self.matter.say(f"最不利日：{self.matter.names[0].zone(zone)}", f"Worst days: {self.matter.names[0].zone(zone)}")
        return self._panels("worst", zone, fans, [self.matter.worst(i) for i in setups], told)

    def _panels(self, name: str, zone: str, fans: list[Fan], days: list[Result | None], told: str) -> str:
        n = len(fans)
        columns = min(n, IN_ROW if n != 4 else 2)
        rows = ceil(n / columns)
        bars = [self.matter.bars(i, zone) for i in range(n)]
        keys = max([len(of) for of in bars]) + (1 if any(days) else 0)
        tall = 0.3 + PANEL_IN + 0.3 + LINE_IN * keys
        with self.paper.matplotlib.rc_context(self.paper.settings):
            figure = self.paper.figure.Figure(figsize=(WIDE_IN, rows * tall), facecolor="none")
            top = self._top(fans, bars, days, zone)
            wide = WIDE_IN / columns
            for i, fan in enumerate(fans):
                x, y = i % columns * wide, (rows - 1 - i // columns) * tall
                box = ((x + 0.52) / WIDE_IN, (y + tall - 0.3 - PANEL_IN) / (rows * tall), (wide - 1.12) / WIDE_IN, PANEL_IN / (rows * tall))
                part = figure.add_axes(box)
                self._panel(part, i, fan, top)
                self._bars(part, bars[i], top, wide - 1.12)
                day = days[i]
                if day is not None:
                    part.plot(fan.hours, self._day(day, self._column(zone)), color=INK, linewidth=1.1)
                    self._key(part, len(bars[i]), (day.seed, i), wide - 1.12)
            return self.paper.svg(figure, name, told)

    def _panel(self, part: Any, i: int, fan: Fan, top: float) -> None:
        self.paper.plain(part)
        part.fill_between(fan.hours, fan.low, fan.high, color=OF_SETUP[i], alpha=0.22, linewidth=0)
        part.plot(fan.hours, fan.middle, color=OF_SETUP[i], linewidth=1.3)
        part.set_ylim(0, top)
        columns = min(len(self.matter.setups), IN_ROW)
        self.paper.clock(part, self.matter.planned[i], most={1: 8, 2: 5}.get(columns, 3))
        part.set_title(fitting(self.matter.called(i), 72 // columns), loc="left", fontsize=9.5, color=OF_SETUP[i], weight="bold", pad=5)

    def _top(self, fans: list[Fan], bars: list[list[Bar]], days: list[Result | None], zone: str) -> float:
        """How high all panels go: over everybody, and over the bars that are not far above."""
        drawn = [self._day(day, self._column(zone)) for day in days if day is not None]
        highest = max([1.0, *(float(fan.high.max(initial=0)) for fan in fans), *(float(of.max(initial=0)) for of in drawn)])
        near = [bar.people for of in bars for bar in of if bar.people <= 1.6 * highest]
        return 1.08 * max([highest, *near])

    def _bars(self, part: Any, bars: list[Bar], top: float, wide: float) -> None:
        """Lines with their numbers at the right, moved apart where they would touch; below, whose they are. `wide`: the panel, in inches."""
        beside = {"transform": part.transAxes, "clip_on": False}
        last, room = -1.0, int((wide + 0.6) * 15)
        for n, bar in enumerate(bars):
            square = {"marker": "s", "markersize": 5.5, "color": colour(bar.level), "markeredgecolor": INK, "markeredgewidth": 0.6}
            if bar.people <= top:
                part.axhline(bar.people, color=INK, linewidth=0.9, linestyle=(0, (4, 2)))
                place = last = max(bar.people / top, last + APART)
                part.plot([1, 1 + 0.05 / wide], [bar.people / top, place], color=INK, linewidth=0.7, **beside)
                part.plot([1 + 0.11 / wide], [place], **square, **beside)
                part.text(1 + 0.19 / wide, place, number(bar.people, 0), transform=part.transAxes, va="center", fontsize=7.5)
            y = -(0.36 + LINE_IN * n) / PANEL_IN
            part.plot([0.04 / wide], [y], **square, **beside)
            text = fitting(f"{'' if bar.people <= top else '↑ '}{number(bar.people, 0)}  {bar.title}", room)
            part.text(0.14 / wide, y, text, transform=part.transAxes, va="center", fontsize=7.5)

    def _key(self, part: Any, lines: int, of: tuple[int, int], wide: float) -> None:
        """What the two lines of a worst day are: `of` the seed and the setup."""
        seed, i = of
        y, x = -(0.36 + LINE_IN * lines) / PANEL_IN, 0.0
        told = (
            (self.matter.say(f"种子 {seed} 的一天", f"the day of seed {seed}"), INK),
            (self.matter.say("中位数", "median"), OF_SETUP[i]),
        )
        for text, ink in told:
            part.plot([(x - 0.02) / wide, (x + 0.1) / wide], [y, y], color=ink, linewidth=1.2, transform=part.transAxes, clip_on=False)
            part.text((x + 0.14) / wide, y, text, transform=part.transAxes, va="center", fontsize=7.5)
            x += 1.2

    # -- outside and stages -----------------------------------------------------------------------------------------------------------

    def outside(self) -> str:
        """People who wait before all entrances together, all setups on one another."""
        told = self.matter.say("场外排队人数", "People waiting outside")
        with self.paper.matplotlib.rc_context(self.paper.settings):
            figure = self.paper.figure.Figure(figsize=(WIDE_IN, 2.35), facecolor="none")
            part = figure.add_axes((0.52 / WIDE_IN, 0.12, (WIDE_IN - 0.7) / WIDE_IN, 0.74))
            self.paper.plain(part)
            highest, n = 1.0, len(self.matter.setups)
            for i in range(n):
                fan = self._fan(i, 1)
                part.fill_between(fan.hours, fan.low, fan.high, color=OF_SETUP[i], alpha=0.18, linewidth=0)
                part.plot(
                    fan.hours,
                    fan.middle,
                    color=OF_SETUP[i],
                    linewidth=1.3,
                    linestyle=LINES[i],
                    label=fitting(self.matter.called(i), 88 // n),
                )
                highest = max(highest, float(fan.high.max(initial=0)))
            part.set_ylim(0, 1.08 * highest)
            self.paper.clock(part, self.matter.first)
            place = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "ncols": 4, "borderaxespad": 0.2}
            if self.matter.several:
                part.legend(frameon=False, handlelength=2.6, columnspacing=2.2, fontsize=SMALL, **place)
            return self.paper.svg(figure, "outside", told)

    def stages(self) -> str:
        """Mean minutes in each stage of every plan that was in force: a bar for each setup."""
        matter, rows, n = self.matter, self._stage_rows(), len(self.matter.setups)
        top = 0.32 if matter.several else 0.05
        of_row = [1.0 if row.minutes else 0.7 for row in rows]
        place = [sum(of_row[:k]) + of_row[k] / 2 for k in range(len(rows))]
        tall, left, thick = (0.17 * n + 0.11) * sum(of_row) + 0.04 + top, 3.0, 0.8 / n
        with self.paper.matplotlib.rc_context(self.paper.settings):
            figure = self.paper.figure.Figure(figsize=(WIDE_IN, tall), facecolor="none")
            part = figure.add_axes((left / WIDE_IN, 0.02 / tall, (WIDE_IN - left - 0.6) / WIDE_IN, (tall - 0.02 - top) / tall))
            beside = {"transform": part.get_yaxis_transform(), "clip_on": False}
            most = max([1.0, *(minutes for row in rows for minutes in row.minutes if minutes is not None)])
            for row, middle in zip(rows, place, strict=True):
                bold = {"weight": "normal"} if row.minutes else {"weight": "bold", "color": SOFT}
                part.text(-0.055 if row.minutes else -0.02, middle, row.title, ha="right", va="center", fontsize=SMALL, **bold, **beside)
                if row.minutes:
                    square = {"marker": "s", "markersize": 6.5, "color": colour(row.level), "markeredgecolor": INK, "markeredgewidth": 0.6}
                    part.plot([-0.03], [middle], **square, **beside)
                for i, minutes in enumerate(row.minutes):
                    if minutes is None:
                        continue
                    y = middle + (i - (n - 1) / 2) * thick
                    part.barh(y, minutes, height=0.86 * thick, color=OF_SETUP[i])
                    part.text(minutes + most * 0.01, y, number(minutes, 0), va="center", fontsize=7.5, color=OF_SETUP[i])
            part.set_ylim(sum(of_row), 0)
            part.set_xlim(0, most)
            part.set_yticks([])
            part.set_xticks([])
            part.spines[["top", "right", "bottom"]].set_visible(False)
            part.spines["left"].set_color(GRID)
            if matter.several:
                keys = [self.paper.patches.Patch(color=OF_SETUP[i], label=fitting(matter.called(i), 96 // n)) for i in range(n)]
                over = {"loc": "lower left", "bbox_to_anchor": (-left / (WIDE_IN - left - 0.6), 1.0), "ncols": 4, "borderaxespad": 0.1}
                part.legend(handles=keys, frameon=False, handlelength=1.2, fontsize=SMALL, **over)
            return self.paper.svg(figure, "stages", matter.say("各阶段平均时长", "Mean minutes in each stage"))

    def _stage_rows(self) -> list[_Row]:
        """The stages of plans in force, in their order; before those of each plan its title, where there are several."""
        matter, found, seen = self.matter, list[_Row](), set[tuple[str, str]]()
        plans = [(i, plan) for i in range(len(matter.setups)) for plan in matter.in_force(i) if plan["plan"] not in matter.unmoved]
        heads = dict.fromkeys(plan["plan"] for _, plan in plans)
        for head in heads:
            if len(heads) > 1:
                named = next(matter.names[i].plan(head) for i, plan in plans if plan["plan"] == head)
                found.append(_Row(fitting(named, 36), None, []))
            for i, plan in plans:
                for stage in plan["stages"] if plan["plan"] == head else ():
                    if (head, stage["stage"]) in seen:
                        continue
                    seen.add((head, stage["stage"]))
                    row = matter.table.rows.get(f"stage/{head}/{stage['stage']}")
                    spent = [0.0] * len(matter.setups) if row is None else [m or 0.0 for m in row.means]
                    minutes = [m if self._has(k, head, stage["stage"]) else None for k, m in enumerate(spent)]
                    numeral = f"{stage['level']}  " if stage["level"] else ""
                    found.append(_Row(f"{numeral}{fitting(matter.names[i].stage(stage['stage'], head), 34)}", stage["level"], minutes))
        return found

    def _has(self, i: int, plan: str, stage: str) -> bool:
        return any(p["plan"] == plan and any(s["stage"] == stage for s in p["stages"]) for p in self.matter.in_force(i))

    # -- days -------------------------------------------------------------------------------------------------------------------------

    def _column(self, zone: str) -> int:
        return 2 + self.matter.first.layout.zones.index(zone)

    def _day(self, day: Result, column: int) -> Floats:
        return np.array([row[column] for row in day.minutes], np.float64)

    def _fan(self, i: int, column: int) -> Fan:
        days = self.matter.table.days[i].results
        people = np.array([self._day(day, column) for day in days])
        hours = begins_h(self.matter.planned[i]) + np.array([row[0] for row in days[0].minutes], np.float64) / 60
        low, high = (0.05, 0.95) if len(days) >= ENOUGH else (0.0, 1.0)
        return Fan(hours, *(np.asarray(np.quantile(people, q, axis=0), np.float64) for q in (0.5, low, high)))
