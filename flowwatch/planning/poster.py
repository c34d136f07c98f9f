"""A ladder as a picture that a command room hangs up: stages from calm to closed, what leads up above them, what leads down below.

Nothing is drawn before everything is measured: each column's texts are wrapped to its width, a row is as high as its tallest column. More than
four stages go on in a second row, so that the picture fits a sheet of paper. Levels differ by colour, numeral, pattern and thickness of the
frame, so that the picture says the same when it is printed in grey.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from flowwatch.core.gates import Setting
from flowwatch.planning.columns import BODY, GREY, PAD, SMALL, TINY, Cell, Column, Line, W, cell_wide, cells_high, lines_high, measured
from flowwatch.planning.diagram import Ladder
from flowwatch.planning.glyphs import INK, SIZE, glyph
from flowwatch.planning.measure import width
from flowwatch.planning.mermaid import COLOURS
from flowwatch.planning.sheet import LEADING, Box, Sheet, high, n
from flowwatch.vocabulary import MODES
from flowwatch.words import say, sentence

MOST_IN_ROW: Final = 4
GAP: Final = 48.0
MARGIN: Final = 48.0
_STUB: Final = 26.0
"""From a box to where an arrow leaves the sheet's row."""
_LANE: Final = 24.0
"""Between a box and the arrow that runs along its row."""
_NUMERALS: Final = {"IV": "Ⅳ", "III": "Ⅲ", "II": "Ⅱ", "I": "Ⅰ"}
_FRAMES: Final[Mapping[str | None, float]] = {None: 1.5, "IV": 2, "III": 2.5, "II": 3.25, "I": 4.5}
_PATTERNS: Final = """<defs>
<pattern id="p-IV" width="8" height="8" patternUnits="userSpaceOnUse"><circle cx="2" cy="2" r="1.3" fill="#0b1220" fill-opacity=".55"/></pattern>
<pattern id="p-III" width="8" height="8" patternUnits="userSpaceOnUse"><path d="M-2 2l4-4M0 8l8-8M6 10l4-4" stroke="#1a1a1a" stroke-opacity=".5" stroke-width="1.3"/></pattern>
<pattern id="p-II" width="8" height="8" patternUnits="userSpaceOnUse"><path d="M0 0l8 8M8 0l-8 8" stroke="#1a1a1a" stroke-opacity=".55" stroke-width="1.3"/></pattern>
<pattern id="p-I" width="8" height="8" patternUnits="userSpaceOnUse"><path d="M0 4h8" stroke="#ffffff" stroke-opacity=".45" stroke-width="2"/></pattern>
<marker id="up" viewBox="0 0 10 10" refX="8.5" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0l10 5-10 5z" fill="#111111"/></marker>
<marker id="down" viewBox="0 0 10 10" refX="8.5" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path d="M1 1l8.5 4-8.5 4z" fill="#ffffff" stroke="#3f444d" stroke-width="1.6"/></marker>
</defs>"""  # noqa: E501


def svg(ladder: Ladder) -> str:
    """The picture as SVG text, ending with a newline."""
    return draw(ladder).svg(_PATTERNS)


def draw(ladder: Ladder) -> Sheet:
    """The picture as a sheet."""
    columns = [measured(state, ladder.lang) for state in ladder.states]
    rows = math.ceil(len(columns) / MOST_IN_ROW)
    per_row = math.ceil(len(columns) / rows)
    shown = max(per_row, 2)
    sheet = Sheet(2 * MARGIN + shown * W + (shown - 1) * GAP, 0, ladder.title, {"zh": "zh-CN", "en": "en"}[ladder.lang])
    y = _headline(sheet, ladder)
    for first in range(0, len(columns), per_row):
        y = _row(sheet, columns, first, per_row, y) + 30
    y = _legend(sheet, ladder, y)
    sheet.h = y + MARGIN / 2
    paper = Sheet(sheet.w, sheet.h, sheet.title, sheet.lang)
    paper.rect(Box(0, 0, sheet.w, sheet.h), "#ffffff")
    sheet.shapes[:0] = paper.shapes
    return sheet


# -- drawing ----------------------------------------------------------------------------------------------------------------------------


def _headline(sheet: Sheet, ladder: Ladder) -> float:
    room = sheet.w - 2 * MARGIN
    y = MARGIN / 2 + 8
    y += sheet.flow(ladder.title, Box(MARGIN, y, room, 0), 28, bold=True)
    about = [ladder.kind] if ladder.kind else []
    about += [] if ladder.site in ladder.title else [ladder.site]
    order = say(
        ladder.lang,
        "由平时到最严；条件成立的最高一级生效，可越级启动",
        "calm to strictest; the highest stage that is due is in force, several steps at once if need be",
    )
    y += sheet.flow(" · ".join([*about, order]) if about else sentence(order, ladder.lang), Box(MARGIN, y, room, 0), BODY, colour=GREY)
    return y + 16


def _row(sheet: Sheet, columns: Sequence[Column], first: int, per_row: int, y: float) -> float:
    """One row of stages from `y` down; returns where it ends."""
    row = columns[first : first + per_row]
    lane = y + max(lines_high(column.above) for column in row) + (10 if any(column.above for column in row) else 0)
    if not any(column.above for column in row) and len(columns) == 1:
        lane = y - _LANE
    top = lane + _LANE
    tall = max(column.tall for column in row)
    under = top + tall + _LANE
    for i, column in enumerate(row):
        x = MARGIN + i * (W + GAP)
        _lines(sheet, column.above, x, lane - 10 - lines_high(column.above))
        _box(sheet, column, Box(x, top, W, tall))
        _lines(sheet, column.below, x, under + 8)
        if column.state.number > 1:
            _arrows(sheet, column, x, (lane, top, top + tall, under), begins=i == 0)
        if i == len(row) - 1 and first + i + 1 < len(columns):
            _onward(sheet, column, x, (lane, top, top + tall, under))
    return under + 8 + max(lines_high(column.below) for column in row)


def _lines(sheet: Sheet, lines: Sequence[Line], x: float, y: float, room: float = W) -> None:
    for line in lines:
        if line.bullet:
            sheet.rect(Box(x + 3, y + line.size * 0.52, 5, 5), line.colour, round_=2.5)
        sheet.write([line.text], Box(x + line.indent, y, room - line.indent, 0), line.size, bold=line.bold, colour=line.colour)
        y += line.size * LEADING


def _arrows(sheet: Sheet, column: Column, x: float, at: tuple[float, float, float, float], *, begins: bool) -> None:
    """From the stage before and back to it; where a row begins they come from and go to its number."""
    lane, top, bottom, under = at
    here, before = x + W * 0.14, x - GAP - W * 0.14
    if begins:
        before = x - _STUB
        sheet.path(f"M{n(before)} {n(lane)}H{n(here)}V{n(top - 2)}", line=2, extra='marker-end="url(#up)"')
        back = f"M{n(here)} {n(bottom + 2)}V{n(under)}H{n(before + 10)}"
        sheet.path(back, GREY, 2, extra='stroke-dasharray="6 4" marker-end="url(#down)"')
        _number(sheet, before, lane, column.state.number - 1)
        _number(sheet, before, under, column.state.number - 1)
        return
    sheet.path(f"M{n(before)} {n(top)}V{n(lane)}H{n(here)}V{n(top - 2)}", line=2, extra='marker-end="url(#up)"')
    back = f"M{n(here)} {n(bottom)}V{n(under)}H{n(before)}V{n(bottom + 3)}"
    sheet.path(back, GREY, 2, extra='stroke-dasharray="6 4" marker-end="url(#down)"')


def _onward(sheet: Sheet, column: Column, x: float, at: tuple[float, float, float, float]) -> None:
    """The last stage of a row goes on in the next one."""
    lane, top, bottom, under = at
    here, after = x + W * 0.86, x + W + _STUB
    sheet.path(f"M{n(here)} {n(top)}V{n(lane)}H{n(after - 10)}", line=2, extra='marker-end="url(#up)"')
    sheet.path(f"M{n(after)} {n(under)}H{n(here)}V{n(bottom + 3)}", GREY, 2, extra='stroke-dasharray="6 4" marker-end="url(#down)"')
    _number(sheet, after, lane, column.state.number + 1)
    _number(sheet, after, under, column.state.number + 1)


def _number(sheet: Sheet, x: float, y: float, number: int) -> None:
    sheet.rect(Box(x - 10, y - 10, 20, 20), "#ffffff", INK, 1.5, 10)
    sheet.write([str(number)], Box(x - 10, y - 9, 20, 0), 12, bold=True, anchor="middle")


def _box(sheet: Sheet, column: Column, box: Box) -> None:
    code = column.state.level
    fill, ink, frame = COLOURS[code]
    sheet.rect(box, "#ffffff", round_=8)
    head = column.head
    d = f"M{n(box.x)} {n(box.y + head)}V{n(box.y + 8)}q0 -8 8 -8H{n(box.x + box.w - 8)}q8 0 8 8V{n(box.y + head)}Z"
    sheet.path(d, "none", 0, fill if code else "#eef0f3")
    if code:
        strip = f"M{n(box.x)} {n(box.y + head)}V{n(box.y + 8)}q0 -8 8 -8H{n(box.x + 56)}V{n(box.y + head)}Z"
        sheet.path(strip, "none", 0, f"url(#p-{code})")
    sheet.path(f"M{n(box.x)} {n(box.y + head)}H{n(box.x + box.w)}", frame, 1.5)
    sheet.rect(box, "none", frame, _FRAMES[code], 8)
    _badge(sheet, column, Box(box.x, box.y, 56, head))
    text = Box(box.x + 64, box.y + PAD - 4, box.w - 64 - PAD, 0)
    sheet.write(column.title, text, 18, bold=True, colour=ink)
    sheet.write(column.level, Box(text.x, text.y + high(len(column.title), 18), text.w, 0), SMALL, colour=ink)
    y, wide = box.y + head + 10, cell_wide(column.in_row)
    for row in column.gates:
        for i, cell in enumerate(row):
            _gate(sheet, cell, Box(box.x + PAD + i * wide, y, wide, cells_high(row) - 6))
        y += cells_high(row)
    sheet.path(f"M{n(box.x + PAD)} {n(y)}H{n(box.x + box.w - PAD)}", "#c3c8d0", 1)
    y += 6
    _lines(sheet, column.inside, box.x + PAD, y, box.w - 2 * PAD)


def _badge(sheet: Sheet, column: Column, box: Box) -> None:
    """The level's numeral, or the stage's place where it warns nobody."""
    numeral = _NUMERALS.get(column.state.level or "", "")
    middle = box.y + box.h / 2
    sheet.rect(Box(box.x + 10, middle - 19, 36, 38), "#ffffff", INK, 1.5, 5)
    if numeral:
        sheet.write([numeral], Box(box.x + 10, middle - 17, 36, 0), 20, bold=True, anchor="middle")
        sheet.write([str(column.state.number)], Box(box.x + 10, middle + 6, 36, 0), 10, anchor="middle", colour=INK)
    else:
        sheet.write([str(column.state.number)], Box(box.x + 10, middle - 13, 36, 0), 20, bold=True, anchor="middle")


def _gate(sheet: Sheet, cell: Cell, box: Box) -> None:
    if cell.gate.turned:
        sheet.rect(Box(box.x + 2, box.y, box.w - 4, box.h), "#f3f5f8", "#4b515c", 1.8, 5)
    glyph(sheet, box.x + (box.w - SIZE) / 2, box.y + 5, cell.gate.setting)
    text = Box(box.x + 4, box.y + SIZE + 7, box.w - 8, 0)
    sheet.write(cell.name, text, TINY, bold=True, anchor="middle")
    sheet.write(cell.detail, Box(text.x, text.y + high(len(cell.name), TINY), text.w, 0), TINY, anchor="middle")


def _legend(sheet: Sheet, ladder: Ladder, y: float) -> float:
    """The signs that occur, with their words."""
    lang = ladder.lang
    signs = ("in", "out", "both", "metered 1/min", "wave in 1s out 1s", "closed")
    words = {text: MODES[text.split(maxsplit=1)[0]][lang] for text in signs}
    used = {gate.setting.mode.value for state in ladder.states for gate in state.gates if gate.setting is not None}
    sheet.path(f"M{n(MARGIN)} {n(y)}H{n(sheet.w - MARGIN)}", "#c3c8d0", 1)
    x, y = MARGIN, y + 12
    for text, word in words.items():
        if text.split(maxsplit=1)[0] in used:
            x, y = _entry(sheet, x, y, (Setting.parse(text), word))
    if any(gate.setting is None for state in ladder.states for gate in state.gates):
        x, y = _entry(sheet, x, y, (None, say(lang, "不作要求", "not asked")))
    y += SIZE + 8
    note = say(
        lang,
        "通道口：横线以上为场外，箭头向下为进（空心）、向上为出（实心）；粗框表示与上一级相比有变化。实线为启动，虚线为解除。",
        "Gates: above the line is outside; arrows down lead in (hollow), arrows up lead out (solid). A frame marks what differs from the stage "
        "before. Full lines are rises, broken lines are falls.",
    )
    return y + sheet.flow(note, Box(MARGIN, y, sheet.w - 2 * MARGIN, 0), SMALL, colour=GREY)


def _entry(sheet: Sheet, x: float, y: float, entry: tuple[Setting | None, str]) -> tuple[float, float]:
    setting, word = entry
    wide = SIZE + 8 + width(word, SMALL) + 26
    if x > MARGIN and x + wide > sheet.w - MARGIN:
        x, y = MARGIN, y + SIZE + 8
    glyph(sheet, x, y, setting)
    sheet.write([word], Box(x + SIZE + 8, y + SIZE / 2 - SMALL * 0.75, width(word, SMALL) + 2, 0), SMALL)
    return x + wide, y
