"""A day as a moving map: zones as large as their areas and as dark as they are dense, gates around them with what they let people do, the
queues before them, the clock, and the stage of every plan. A GIF, the same bytes for the same day. Needs matplotlib (`flowwatch-crowd[plots]`).

The map is a scheme: sizes are true to each other, places are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from math import ceil, sqrt
from pathlib import Path
from typing import Any, Final

import numpy as np

from flowwatch.core.settings import Setting
from flowwatch.planning.measure import wrapped
from flowwatch.titles import Language, Names
from flowwatch.vocabulary import MODES
from flowwatch_sim.laboratory import Day
from flowwatch_sim.layout import STREET, Layout
from flowwatch_sim.planned import Planned
from flowwatch_sim.report.ink import INK, SMALL, SOFT, Paper, begins_h, colour, fitting
from flowwatch_sim.report.measured import number

FRAMES: Final = 84
PER_S: Final = 6
DPI: Final = 90
WIDE, HIGH = 100.0, 62.0
"""The map's own units; eight hundredths of an inch each at the size that it is drawn in."""
FILL: Final = 0.58
"""How much of its cell the largest zone takes each way; the rest is for gates and queues."""
LONGEST: Final = 7.0
"""The longest queue of the day, in the map's units."""
SMALLEST: Final = 15.0
"""A zone that is smaller has its figures below it."""
SIGNS: Final = {
    "in": ("v", "#1d4e89", True),
    "out": ("^", "#b3541e", True),
    "both": ("D", "#2e7d6b", True),
    "closed": ("X", "#1f2933", True),
    "metered": ("v", "#1d4e89", False),
    "wave": ("D", "#2e7d6b", False),
}
"""Mode -> marker, colour, and whether it is filled; "v" points inward."""
POINTS: Final = 5.76
"""Of type, in one of the map's units at the size that it is drawn in."""
MOST_NAMED: Final = 16
"""A site with more gates has no room for their names."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle: its lower left corner, width and height."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a gate is, and the direction (one step) that leads out of its zone."""

    x: float
    y: float
    out: tuple[int, int]


def animate(day: Day, planned: Planned, file: Path, language: Language, frames: int = FRAMES) -> int:
    """Write a day as a GIF of about so many frames; gives how many there are. Raises `NoPlotsError`, and `OSError`.

    Where no installed font has Chinese characters it is in English.
    """
    paper = Paper(language)
    animation: Any = import_module("matplotlib.animation")
    moments = times(planned.lasts_s, frames)
    with paper.matplotlib.rc_context(paper.settings):
        figure = paper.figure.Figure(figsize=(WIDE / 10 * 0.8, HIGH / 10 * 0.8), dpi=DPI, facecolor="white")
        scene = _Scene(day, planned, paper, figure)
        writer = animation.PillowWriter(fps=PER_S)
        with writer.saving(figure, file, DPI):
            for at in moments:
                scene.draw(at)
                writer.grab_frame()
    return len(moments)


def times(lasts_s: float, frames: int) -> list[float]:
    """Moments from the start to the end, a whole number of minutes apart.

    >>> times(3600, 4), len(times(14 * 3600, 84))
    ([900.0, 1800.0, 2700.0, 3600.0], 84)
    """
    step = max(60.0, 60.0 * ceil(lasts_s / max(frames, 1) / 60.0))
    return [step * (k + 1) for k in range(max(int(lasts_s // step), 1))]


def boxes(layout: Layout) -> list[Box]:
    """Each zone's rectangle: areas are true to each other; a zone that lies in another is drawn in it."""
    whole = [i for i, held in enumerate(layout.held) if len(held) == 1]
    columns = ceil(sqrt(len(whole)))
    rows = ceil(len(whole) / columns)
    wide, high = WIDE / columns, (HIGH - 12) / rows
    largest = max(layout.area[i] for i in whole)
    found: dict[int, Box] = {}
    for k, zone in enumerate(whole):
        side = FILL * sqrt(layout.area[zone] / largest)
        middle = ((k % columns + 0.5) * wide, (rows - 1 - k // columns + 0.5) * high + 2)
        found[zone] = Box(middle[0] - side * wide / 2, middle[1] - side * high / 2, side * wide, side * high)
    for depth in range(2, max(len(held) for held in layout.held) + 1):
        for parent in [i for i, held in enumerate(layout.held) if len(held) == depth - 1]:
            _within(layout, parent, [i for i, held in enumerate(layout.held) if len(held) == depth and held[1] == parent], found)
    return [found[i] for i in range(len(layout.zones))]


def _within(layout: Layout, parent: int, children: Sequence[int], found: dict[int, Box]) -> None:
    """Children in a row in the lower part of their parent."""
    box, x = found[parent], 0.0
    for child in children:
        side = min(sqrt(layout.area[child] / layout.area[parent]), 0.9 / len(children), 0.5)
        cell = box.w / len(children)
        found[child] = Box(box.x + x + (cell - side * box.w) / 2, box.y + 0.12 * box.h, side * box.w, side * box.h)
        x += cell


def spots(layout: Layout, places: Sequence[Box]) -> list[Spot]:
    """Each gate's place on the edge of the zone behind it, spread over the four sides; a gate between zones is between them."""
    found: dict[int, Spot] = {}
    for zone, box in enumerate(places):
        mine = [g for g in range(len(layout.gates)) if layout.outer[g] and layout.inner(g) == zone]
        lengths = [box.w, box.h, box.w, box.h]
        counts = [int(len(mine) * length / sum(lengths)) for length in lengths]
        for side in sorted(range(4), key=lambda s: counts[s] / lengths[s]) * 2:
            counts[side] += sum(counts) < len(mine)
        sides = [(side, (n + 1) / (counts[side] + 1)) for side in range(4) for n in range(counts[side])]
        for gate, (side, share) in zip(mine, sides, strict=True):
            found[gate] = (
                Spot(box.x + share * box.w, box.y + box.h, (0, 1)),
                Spot(box.x + box.w, box.y + (1 - share) * box.h, (1, 0)),
                Spot(box.x + (1 - share) * box.w, box.y, (0, -1)),
                Spot(box.x, box.y + share * box.h, (-1, 0)),
            )[side]
    for gate, (a, b) in enumerate(layout.ends):
        if gate not in found and STREET not in (a, b):
            one, two = places[a], places[b]
            found[gate] = Spot((one.x + two.x + (one.w + two.w) / 2) / 2, (one.y + two.y + (one.h + two.h) / 2) / 2, (0, 1))
    return [found[g] for g in range(len(layout.gates))]


class _Scene:
    """One picture, drawn anew for each moment."""

    def __init__(self, day: Day, planned: Planned, paper: Paper, figure: Any) -> None:
        self.day, self.planned, self.paper, self.layout = day, planned, paper, planned.layout
        self.names = Names(planned.loaded.site, paper.language)
        self.part = figure.add_axes((0, 0, 1, 1))
        self.boxes = boxes(self.layout)
        self.spots = spots(self.layout, self.boxes)
        self.beside = min(box.x for box in self.boxes) - 2.2
        """The room beside a zone."""
        self.longest = max(1, int(day.outside.max(initial=1)))
        densest = float((day.inside / np.array(self.layout.area)).max(initial=0.0))
        self.densest = next((d for d in (0.25, 0.5, 1.0, 2.0, 4.0) if densest <= d), 6.0)
        self.colours = paper.matplotlib.colormaps["Purples"]
        self.changes = {gate: [(at, setting) for at, name, setting in day.settings if name == gate] for gate in self.layout.gates}
        self.modes = sorted({"both", *(Setting.parse(setting).mode.value for _, _, setting in day.settings)}, key=list(SIGNS).index)

    def draw(self, at: float) -> None:
        """The map at a moment, seconds from the start."""
        part = self.part
        part.clear()
        part.set_xlim(0, WIDE)
        part.set_ylim(0, HIGH)
        part.axis("off")
        k = min(max(round(at / self.day.every_s) - 1, 0), len(self.day.inside) - 1)
        for zone in range(len(self.layout.zones)):
            self._zone(zone, int(self.day.inside[k, zone]))
        for gate in range(len(self.layout.gates)):
            self._gate(gate, at, int(self.day.outside[k, gate]))
        self._head(at, int(self.day.outside[k].sum()))
        self._foot()

    def _zone(self, zone: int, people: int) -> None:
        box, density = self.boxes[zone], people / self.layout.area[zone]
        shade = self.colours(min(density / self.densest, 1.0) * 0.85)
        self.part.add_patch(self.paper.patches.Rectangle((box.x, box.y), box.w, box.h, facecolor=shade, edgecolor=INK, linewidth=1))
        title, told = self.names.zone(self.layout.zones[zone]), number(people, 0)
        dense = self.names.say(f"{density:.2f} 人/m²", f"{density:.2f}/m²")
        middle = box.x + box.w / 2
        label = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
        if len(self.layout.held[zone]) > 1:
            text = f"{fitting(title, 30)}  {told} · {dense}"
            self.part.text(middle, box.y + box.h + 1.3, text, ha="center", va="bottom", fontsize=SMALL, bbox=label)
        elif min(box.w, box.h) < SMALLEST:
            text = "\n".join([*wrapped(title, SMALL, 3 * SMALLEST * POINTS), f"{told} · {dense}"])
            self.part.text(middle, box.y - 3.4, text, ha="center", va="top", fontsize=SMALL, bbox=label)
        else:
            ink = INK if 0.3 * shade[0] + 0.59 * shade[1] + 0.11 * shade[2] > 0.55 else "white"
            lines, top = wrapped(title, SMALL, 0.9 * box.w * POINTS)[:2], box.y + box.h * 0.86
            self.part.text(middle, top, "\n".join(lines), ha="center", va="center", fontsize=SMALL, color=ink)
            self.part.text(middle, top - 2.6 - 0.9 * len(lines), told, ha="center", va="center", fontsize=14, weight="bold", color=ink)
            self.part.text(middle, top - 5.8 - 0.9 * len(lines), dense, ha="center", va="center", fontsize=SMALL, color=ink)

    def _gate(self, gate: int, at: float, waiting: int) -> None:
        spot, mode = self.spots[gate], self._mode(gate, at)
        dx, dy = spot.out
        if waiting:
            length = LONGEST * waiting / self.longest
            x, y = spot.x + 1.4 * dx - 0.6 * abs(dy), spot.y + 1.4 * dy - 0.6 * abs(dx)
            size = (length * dx + 1.2 * abs(dy), length * dy + 1.2 * abs(dx))
            self.part.add_patch(self.paper.patches.Rectangle((x, y), *size, facecolor=SOFT, edgecolor="none"))
        sign, ink, full = SIGNS[mode]
        angle = {(0, 1): 0, (1, 0): 3, (0, -1): 2, (-1, 0): 1}[spot.out]
        turned = {"v": "v>^<"[angle], "^": "^<v>"[angle]}.get(sign, sign)
        style = {"markersize": 8, "markeredgewidth": 1.4, "zorder": 5}
        self.part.plot([spot.x], [spot.y], turned, markerfacecolor=ink if full else "white", markeredgecolor=ink, **style)
        name = self._short(gate) if len(self.layout.gates) <= MOST_NAMED else ""
        if dx:
            lines = [*wrapped(name, 7.5, self.beside * POINTS)[:2], *([number(waiting, 0)] if waiting else [])]
            place = {"ha": "left" if dx > 0 else "right", "va": "bottom"}
            self.part.text(spot.x + 1.6 * dx, spot.y + 1.2, "\n".join(lines), fontsize=7.5, color=INK, linespacing=1.05, **place)
        else:
            told = f"{name}  {number(waiting, 0)}" if waiting else name
            self.part.text(spot.x + 1.2, spot.y + 1.5 * dy, told, ha="left", va="bottom" if dy > 0 else "top", fontsize=7.5, color=INK)

    def _short(self, gate: int) -> str:
        """A gate's title without what stands in brackets, or its name."""
        title = self.names.text(self.layout.site["gates"][gate])
        return fitting(title.partition("（")[0].partition(" (")[0], 20) or self.layout.gates[gate]

    def _mode(self, gate: int, at: float) -> str:
        found = "both"
        for since, setting in self.changes[self.layout.gates[gate]]:
            found = Setting.parse(setting).mode.value if since < at else found
        return found

    def _head(self, at: float, waiting: int) -> None:
        hour = begins_h(self.planned) + at / 3600
        clock = f"{int(hour + 1e-9) % 24:02d}:{round((hour % 1) * 60) % 60:02d}"
        self.part.text(3, HIGH - 3, clock, fontsize=20, weight="bold", va="center")
        told = self.names.say(f"场外排队 {number(waiting, 0)} 人", f"{number(waiting, 0)} waiting outside")
        self.part.text(3, HIGH - 7, told, fontsize=9, va="center", color=SOFT)
        for row, (title, level) in enumerate(self._stages(at)[:4]):
            y = HIGH - 3 - 3.1 * row
            square = {"markersize": 9, "color": colour(level), "markeredgecolor": INK, "markeredgewidth": 0.8}
            self.part.plot([WIDE - 3], [y], "s", **square)
            bold = "bold" if row == 0 else "normal"
            self.part.text(WIDE - 5, y, fitting(title, 52), ha="right", va="center", fontsize=11 if row == 0 else SMALL, weight=bold)

    def _stages(self, at: float) -> list[tuple[str, str | None]]:
        """The stage of each plan in force, the main plan's first."""
        now = {plan: stage for when, plan, stage in self.day.stages if when <= at}
        told = []
        for n, plan in enumerate(self.planned.loaded.site["plans"]):
            name = now.get(plan["plan"])
            level = next((stage["level"] for stage in plan["stages"] if stage["stage"] == name), None)
            if name is not None:
                stage = self.names.stage(name, plan["plan"])
                numeral = f"{level}  " if level else ""
                whose = "" if n == 0 else self.names.say(f"{self.names.plan(plan['plan'])}：", f"{self.names.plan(plan['plan'])}: ")
                told.append((f"{whose}{numeral}{stage}", level))
        return told

    def _foot(self) -> None:
        x = 3.0
        for mode in self.modes:
            sign, ink, full = SIGNS[mode]
            self.part.plot([x], [2.2], sign, markersize=7, markerfacecolor=ink if full else "white", markeredgecolor=ink)
            word = MODES[mode][self.paper.language]
            self.part.text(x + 1.4, 2.2, word, va="center", fontsize=SMALL)
            x += 4.5 + 1.15 * sum(2 if ord(c) > 0x2E80 else 1 for c in word)
        left, step = WIDE - 31, 0.4
        for n in range(40):
            patch = self.paper.patches.Rectangle((left + n * step, 1.4), step + 0.05, 1.6, color=self.colours(n / 40 * 0.85), linewidth=0)
            self.part.add_patch(patch)
        self.part.text(left - 0.8, 2.2, "0", ha="right", va="center", fontsize=SMALL)
        self.part.text(
            left + 16.8, 2.2, self.names.say(f"{self.densest:g} 人/m²", f"{self.densest:g} persons/m²"), va="center", fontsize=SMALL
        )
