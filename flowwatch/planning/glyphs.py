"""A gate as a small sign: a wall with an opening, and what may pass through it.

Outside is above the wall and the site below it, so an arrow down leads in and an arrow up leads out. In is hollow and out is solid, so that
the two differ in grey and upside down as well. A metered gate lets drops through, a wave has both arrows and a swell between them.
"""

from __future__ import annotations

from typing import Final

from flowwatch.core.gates import Mode, Setting
from flowwatch.planning.sheet import Box, Sheet, n

SIZE: Final = 36.0
"""A sign's width and height."""
INK: Final = "#111111"
_IN: Final = "#ffffff"


def glyph(sheet: Sheet, x: float, y: float, setting: Setting | None) -> None:
    """Draw the sign of `setting` with its top left corner at (x, y); None: nothing is asked of the gate."""
    middle, left, right = y + SIZE / 2, x, x + SIZE
    if setting is None:
        sheet.path(f"M{n(left)} {n(middle)}H{n(right)}", stroke="#8a8f98", line=2, extra='stroke-dasharray="2 4"')
        return
    if setting.mode is Mode.CLOSED:
        sheet.rect(Box(left, middle - 3, SIZE, 6), INK)
        a, b = x + 9, x + SIZE - 9
        sheet.path(f"M{n(a)} {n(middle - 9)}L{n(b)} {n(middle + 9)}M{n(b)} {n(middle - 9)}L{n(a)} {n(middle + 9)}", line=3)
        return
    wide = setting.may_enter and setting.may_leave
    wall = 4.0 if wide else 8.0
    sheet.rect(Box(left, middle - 2.5, wall, 5), INK)
    sheet.rect(Box(right - wall, middle - 2.5, wall, 5), INK)
    spread = 7.5 if wide else 0.0
    if setting.may_enter:
        _arrow(sheet, x + SIZE / 2 - spread, y, down=True, dotted=setting.mode is Mode.METERED)
    if setting.may_leave:
        _arrow(sheet, x + SIZE / 2 + spread, y, down=False, dotted=False)
    if setting.mode is Mode.WAVE:
        s, m = left - 1, middle
        d = f"M{n(s)} {n(m + 5)}q{n(4.75)} {n(-5)} {n(9.5)} 0t{n(9.5)} 0t{n(9.5)} 0t{n(9.5)} 0"
        sheet.path(d, stroke="#ffffff", line=4.5)
        sheet.path(d, line=2)


def _arrow(sheet: Sheet, x: float, y: float, *, down: bool, dotted: bool) -> None:
    """An arrow through the opening, its head 12 wide and its shaft 6."""
    top, bottom = y + 1, y + SIZE - 1
    tip, tail, back = (bottom, top, bottom - 12) if down else (top, bottom, top + 12)
    head = f"M{n(x)} {n(tip)}L{n(x - 6.5)} {n(back)}H{n(x + 6.5)}Z"
    fill = _IN if down else INK
    if dotted:
        for i in range(3):
            sheet.rect(Box(x - 3, tail + i * 7.5 if down else tail - i * 7.5 - 5, 6, 5), fill, INK, 1.6)
        sheet.path(head, line=1.8, fill=fill)
        return
    d = f"M{n(x - 3)} {n(tail)}V{n(back)}H{n(x - 6.5)}L{n(x)} {n(tip)}L{n(x + 6.5)} {n(back)}H{n(x + 3)}V{n(tail)}Z"
    sheet.path(d, line=1.8, fill=fill)
