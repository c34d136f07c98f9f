"""A stage as a column of a picture, measured: its texts wrapped to the column's width, its gates in rows, and how high all of that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flowwatch.core.gates import Setting
from flowwatch.planning.diagram import GateState, State
from flowwatch.planning.glyphs import INK, SIZE
from flowwatch.planning.measure import width, wrapped
from flowwatch.planning.sheet import LEADING, high
from flowwatch.vocabulary import PHASES, level
from flowwatch.words import Language, say, sentence

W: Final = 312.0
"""A column's width."""
PAD: Final = 14.0
"""Between a box's frame and what is in it."""
BODY, SMALL, TINY = 13.5, 12.5, 11.5
"""Sizes of text."""
GREY: Final = "#3f444d"
_INDENT: Final = 14.0
_CELLS: Final = (4, 3, 2)
"""Gates in a row: as many as leave every word of their names whole."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text with its manner."""

    text: str
    size: float
    bold: bool = False
    colour: str = INK
    indent: float = 0
    bullet: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A gate's sign with the lines under it."""

    gate: GateState
    name: list[str]
    detail: list[str]


@dataclass(frozen=True, slots=True)
class Column:
    """A stage, measured: its lines above, its header, its gates in rows, the lines under them, its lines below."""

    state: State
    above: list[Line]
    title: list[str]
    level: list[str]
    in_row: int
    gates: list[list[Cell]]
    inside: list[Line]
    below: list[Line]

    @property
    def head(self) -> float:
        """The header's height."""
        return max(56.0, PAD + high(len(self.title), 18) + high(len(self.level), SMALL) + PAD - 4)

    @property
    def tall(self) -> float:
        """The box's height, its frame included."""
        return self.head + 10 + sum(cells_high(row) for row in self.gates) + 6 + lines_high(self.inside) + PAD


def measured(state: State, lang: Language) -> Column:
    """The column of a stage."""
    room = W - 2 * PAD
    in_row = _in_row([gate.title for gate in state.gates])
    cells = [_cell(gate, lang, cell_wide(in_row)) for gate in state.gates]
    inside = _broken(state.summary, SMALL, room, bold=True)
    for text in state.way_out:
        inside += _broken(text, SMALL, room)
    inside += _points(state.does, SMALL, room)
    above, below = _above(state, lang), _below(state, lang)
    named = wrapped(state.title, 18, W - 64 - PAD, bold=True)
    told = wrapped(level(state.level, lang), SMALL, W - 64 - PAD)
    rows = [cells[i : i + in_row] for i in range(0, len(cells), in_row)]
    return Column(state, above, named, told, in_row, rows, inside, below)


def _in_row(titles: Sequence[str]) -> int:
    """Gates in a row; as many as there can be where some word is too wide for any row."""
    words = [word for title in titles for word in title.split()]
    return next(
        (n for n in _CELLS if all(width(word, TINY, bold=True) <= cell_wide(n) - 8 or not word.isascii() for word in words)), _CELLS[0]
    )


def _above(state: State, lang: Language) -> list[Line]:
    """What stands over a box: how its stage comes."""
    if state.number == 1:
        return []
    several = len(state.rise) > 1
    head = say(lang, "▲ 启动（任一条）", "▲ Begins when any of these holds") if several else say(lang, "▲ 启动", "▲ Begins when")
    common = say(lang, f"{state.common}，且：", f"{sentence(state.common, lang)}, and:") if state.common else ""
    return [
        *_broken(head, SMALL, W, bold=True),
        *_broken(common, BODY, W),
        *_points([sentence(way, lang) for way in state.rise], BODY, W),
        *_broken(sentence(state.rise_by, lang), SMALL, W, colour=GREY),
    ]


def _below(state: State, lang: Language) -> list[Line]:
    """What stands under a box: how its stage goes."""
    if state.number == 1:
        return []
    several = len(state.fall) > 1
    head = (
        say(lang, "▼ 解除（启动条件均已解除）", "▼ Ends when its conditions have ended") if several else say(lang, "▼ 解除", "▼ Ends when")
    )
    return [
        *_broken(head, SMALL, W, bold=True),
        *_points([sentence(way, lang) for way in state.fall], BODY, W),
        *_broken(say(lang, f"（{state.enough}）", f"({state.enough})") if state.enough and several else "", SMALL, W, colour=GREY),
        *_broken(sentence(state.dwell, lang), SMALL, W, colour=GREY),
        *_broken(sentence(state.fall_by, lang), SMALL, W, colour=GREY),
    ]


def _points(texts: Sequence[str], size: float, room: float) -> list[Line]:
    """Texts one under the other, with a point before each if there are several."""
    if len(texts) == 1 and size == BODY:
        return _broken(texts[0], size, room)
    lines = []
    for text in texts:
        lines += [Line(line, size, indent=_INDENT, bullet=i == 0) for i, line in enumerate(wrapped(text, size, room - _INDENT))]
    return lines


def _broken(text: str, size: float, room: float, *, bold: bool = False, colour: str = INK) -> list[Line]:
    return [Line(line, size, bold, colour) for line in wrapped(text, size, room, bold=bold)]


def _cell(gate: GateState, lang: Language, wide: float) -> Cell:
    room = wide - 8
    detail = [line for text in _detail(gate.setting, lang) for line in wrapped(text, TINY, room)]
    return Cell(gate, wrapped(gate.title, TINY, room, bold=True, most=4), detail)


def _detail(setting: Setting | None, lang: Language) -> list[str]:
    """A setting's numbers, a line each."""
    if setting is None:
        return []
    if setting.per_min is not None:
        return [say(lang, f"≤{setting.per_min}人/分", f"≤{setting.per_min}/min")]
    return [say(lang, f"{PHASES[word]['zh']}{seconds}秒", f"{PHASES[word]['en']} {seconds} s") for word, seconds in setting.phases]


def cell_wide(in_row: int) -> float:
    """How wide a gate's cell is."""
    return (W - 2 * PAD) / in_row


def cells_high(row: Sequence[Cell]) -> float:
    """How high a row of gates is."""
    return max(SIZE + 10 + high(len(cell.name) + len(cell.detail), TINY) for cell in row) + 8


def lines_high(lines: Sequence[Line]) -> float:
    """How high some lines are."""
    return sum(line.size * LEADING for line in lines)
