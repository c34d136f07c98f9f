"""The day as a picture (SVG): people over the hours with their band, the bars of the plan across them, the stages below as a coloured ribbon.

Drawn by hand into text, because a page that is kept for years must need nothing else. Coordinates are in units of a picture that is 1,000 wide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from flowwatch.backtest.ink import CALM, COLOURS, INK, SOFT, UNRATED
from flowwatch.core.terms import SOURCES
from flowwatch.handling.kinds import RANKS
from flowwatch.proof.ledger import GAP_US, HOUR_US, SITE, Ledger, Stretch
from flowwatch.titles import Clock, Names
from flowwatch.words import whole

WIDE: Final = 1000
LEFT: Final = 52
RIGHT: Final = 792
"""To the right of it stand the bars' names."""
TOP: Final = 14
FOOT: Final = 250
RIBBON: Final = 20
APART: Final = 15
"""Between two labels of bars, one above the other."""
GRID: Final = "#e4e7eb"
BLUE: Final = "#1d4e89"
ROOM: Final = 6.2
"""How wide a letter of a label is; a Chinese character is twice that."""


class Figure:
    """The picture of one ledger."""

    def __init__(self, ledger: Ledger, names: Names, clock: Clock) -> None:
        self._ledger, self._names, self._clock = ledger, names, clock
        self.zone = shown_zone(ledger.document)
        self._curve = [(at, zones[self.zone]) for at, zones in ledger.estimates if self.zone in zones]
        highest = max((figures["upper_m"] or figures["inside_m"] for _, figures in self._curve), default=0)
        self._bars = [bar for bar in bars(ledger.document, self.zone, names) if bar[0] <= max(1.7 * highest, 1)]
        self._top = nice(1.08 * max([highest, *(bar[0] for bar in self._bars), 1000]))
        self._plans = [plan for plan, found in ledger.stages.items() if _worth(plan, found, ledger)]
        self.height = FOOT + 26 + (RIBBON + 6) * max(len(self._plans), 1) + 6

    def svg(self) -> str:
        """The picture."""
        told = self._names.say("在场人数、启动阈值与管控阶段", "People inside, bars and stages")
        parts = [*self._grid(), *self._band(), *self._lines(), *self._marked(), *self._ribbons()]
        head = f'<svg viewBox="0 0 {WIDE} {self.height}" role="img" aria-label="{escape(told)}" xmlns="http://www.w3.org/2000/svg">'
        return "\n".join([head, *parts, "</svg>"])

    def _x(self, at: int) -> float:
        since, until = self._ledger.since_us, self._ledger.until_us
        return round(LEFT + (RIGHT - LEFT) * (at - since) / (until - since), 2)

    def _y(self, milli: float) -> float:
        return round(FOOT - (FOOT - TOP) * milli / self._top, 2)

    def _grid(self) -> Iterator[str]:
        for part in range(5):
            value = self._top * part / 4
            y = self._y(value)
            yield f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}" stroke="{GRID}"/>'
            yield _text(LEFT - 7, y + 3.5, whole(round(value)), anchor="end")
        foot = self.height - 6
        for at in range(self._ledger.since_us, self._ledger.until_us + 1, 2 * HOUR_US):
            x = self._x(at)
            last = at == self._ledger.until_us
            yield f'<line x1="{x}" x2="{x}" y1="{TOP}" y2="{foot}" stroke="{GRID}"/>'
            yield _text(x, FOOT + 16, "24:00" if last else self._clock.moment(at)[11:16], anchor="middle")

    def _pieces(self) -> Iterator[list[tuple[int, Mapping[str, Any]]]]:
        """The curve between its gaps."""
        piece: list[tuple[int, Mapping[str, Any]]] = []
        for at, figures in self._curve:
            if piece and at - piece[-1][0] > GAP_US:
                yield piece
                piece = []
            piece.append((at, figures))
        if piece:
            yield piece

    def _band(self) -> Iterator[str]:
        for piece in self._pieces():
            upper = [
                f"{self._x(at)},{self._y(min(f['upper_m'] if f['upper_m'] is not None else f['inside_m'], self._top))}" for at, f in piece
            ]
            lower = [f"{self._x(at)},{self._y(f['lower_m'])}" for at, f in reversed(piece)]
            yield f'<polygon points="{" ".join([*upper, *lower])}" fill="{BLUE}" fill-opacity="0.16"/>'
            line = [f"{self._x(at)},{self._y(f['inside_m'])}" for at, f in piece]
            yield f'<polyline points="{" ".join(line)}" fill="none" stroke="{BLUE}" stroke-width="1.6" stroke-linejoin="round"/>'

    def _lines(self) -> Iterator[str]:
        """The bars; labels that would touch are moved apart, upwards."""
        last: float = FOOT + APART
        for value, title, level in self._bars:
            y = self._y(value)
            place = last = min(y, last - APART)
            dashes = ' stroke-dasharray="2 3"' if level == "" else ""
            yield f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}" stroke="{SOFT}" stroke-width="1"{dashes}/>'
            yield f'<polyline points="{RIGHT},{y} {RIGHT + 8},{place}" fill="none" stroke="{SOFT}" stroke-width="0.8"/>'
            if level:
                yield f'<rect x="{RIGHT + 12}" y="{place - 5}" width="9" height="9" fill="{COLOURS[level]}" stroke="{INK}" stroke-width="0.6"/>'
            room = WIDE - RIGHT - 28
            yield _text(RIGHT + 26, place + 3.5, fitting(f"{whole(round(value))}  {title}", room), colour=INK)

    def _marked(self) -> Iterator[str]:
        """The peak."""
        known = [(f["inside_m"], at, f) for at, f in self._curve if f["known"]]
        if not known:
            return
        inside, at, figures = max(known, key=lambda found: (found[0], -found[1]))
        x, y = self._x(at), self._y(inside)
        say, clock = self._names.say, self._clock.moment(at)[11:16]
        band = f"{whole(figures['lower_m'])}–{whole(figures['upper_m'])}"
        told = say(f"峰值 {whole(inside)} 人（{band}），{clock}", f"peak {whole(inside)} ({band}) at {clock}")
        anchor = "start" if x < LEFT + 130 else "end" if x > RIGHT - 130 else "middle"
        yield f'<circle cx="{x}" cy="{y}" r="3.2" fill="{BLUE}" stroke="white"/>'
        halo = 'stroke="white" stroke-width="4" stroke-linejoin="round" paint-order="stroke" font-weight="600"'
        yield _text(x, max(y - 10, TOP + 6), told, anchor=anchor, colour=INK, more=halo)

    def _ribbons(self) -> Iterator[str]:
        y = FOOT + 26
        for plan in self._plans:
            for stretch in self._ledger.stages[plan]:
                x, wide = self._x(stretch.since_us), self._x(stretch.until_us) - self._x(stretch.since_us)
                level, calm = self._ledger.level(stretch), _rank(self._ledger.document, stretch) == 0
                ink = CALM if calm else UNRATED if level is None else COLOURS[level]
                title = self._names.stage(stretch.stage, plan)
                numeral = "" if level is None else f"{level}  "
                yield f'<rect x="{x}" y="{y}" width="{wide:.2f}" height="{RIBBON}" fill="{ink}" stroke="white"><title>{escape(title)}</title></rect>'
                pen = "white" if level in ("I", "IV") else INK
                if (label := fitting(numeral + title, wide - 8, cut=False)) or (label := fitting(numeral.strip(), wide - 4, cut=False)):
                    yield _text(round(x + wide / 2, 2), y + 14, label, anchor="middle", colour=pen)
            yield _text(RIGHT + 12, y + 14, fitting(self._names.plan(plan), WIDE - RIGHT - 14), colour=INK)
            y += RIBBON + 6


def shown_zone(document: Mapping[str, Any] | None) -> str:
    """The zone whose people the first bar is about; else the whole site."""
    for plan in (document or {}).get("plans", ()):
        for stage in plan["stages"]:
            for leaf in stage["leaves"]:
                if leaf["kind"] == "people" and leaf["source"] in SOURCES[:3]:
                    return str(leaf["zone"])
    return SITE


def bars(document: Mapping[str, Any] | None, zone: str, names: Names) -> list[tuple[int, str, str | None]]:
    """(persons in thousandths, title, level; "" for the capacity) of what is drawn across the curve, ascending."""
    if document is None:
        return []
    found: dict[tuple[int, str], tuple[int, str, str | None]] = {}
    for plan in document["plans"]:
        for stage in plan["stages"]:
            for leaf in stage["leaves"]:
                if plan["case"] is None and leaf["kind"] == "people" and leaf["source"] in SOURCES[:3] and leaf["zone"] == zone:
                    title = names.stage(stage["stage"], plan["plan"])
                    found.setdefault((leaf["enter_m"], title), (leaf["enter_m"], title, stage["level"]))
    outer = [z for z in document["zones"] if z["zone"] == zone or (zone == SITE and z["inside"] is None and z["outside"] is None)]
    capacity = 1000 * sum(int(z["capacity"]) for z in outer)
    told = [*found.values(), (capacity, names.say("承载量", "capacity"), "")] if capacity else list(found.values())
    return sorted(told, key=lambda bar: (bar[0], bar[1]))


def nice(milli: float) -> int:
    """The next round number of persons that four parts divide.

    >>> nice(3_241_000), nice(990_000), nice(1)
    (4000000, 1000000, 4000)
    """
    step = 1
    while True:
        for factor in (1, 2, 2.5, 5):
            top = round(4 * factor * step)
            if top * 1000 >= milli and top % 4 == 0:
                return top * 1000
        step *= 10


def fitting(text: str, room: float, *, cut: bool = True) -> str:
    """`text`, as much of it as fits into `room`; with `cut` false all of it or nothing."""
    if wide(text) <= room:
        return text
    if not cut:
        return ""
    while text and wide(text + "…") > room:
        text = text[:-1]
    return text + "…" if text else ""


def wide(text: str) -> float:
    """How wide a text is, in units of the picture."""
    return sum(ROOM * (2 if ord(c) > 0x2E80 else 1) for c in text) * 0.92


def _rank(document: Mapping[str, Any] | None, stretch: Stretch) -> int | None:
    for plan in (document or {}).get("plans", ()):
        if plan["plan"] == stretch.plan:
            return next((i for i, stage in enumerate(plan["stages"]) if stage["stage"] == stretch.stage), None)
    return None


def _worth(plan: str, found: list[Stretch] | Any, ledger: Ledger) -> bool:
    """Whether a plan's ribbon says anything: the first plan's does, and that of one that moved."""
    first = ((ledger.document or {}).get("plans") or [{"plan": plan}])[0]["plan"]
    return plan == first or len({stretch.stage for stretch in found}) > 1 or any(RANKS[ledger.level(stretch)] for stretch in found)


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = SOFT, more: str = "") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}" {more}>{escape(text)}</text>'
