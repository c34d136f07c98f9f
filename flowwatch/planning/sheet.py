"""A drawing as a list of shapes and texts that know the box they stand in, and its SVG: no library, no font from elsewhere.

Coordinates are in pixels from the top left corner; a text's `y` is its baseline. Numbers are written with at most one decimal, so that the
same plan gives the same file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal
from xml.sax.saxutils import escape, quoteattr

from flowwatch.planning.measure import width, wrapped

_CHINESE: Final = '"Noto Sans CJK SC","Source Han Sans SC","PingFang SC","Microsoft YaHei"'
_LATIN: Final = '"Helvetica Neue",Arial,"Liberation Sans","Noto Sans"'
FONTS: Final = {"zh-CN": f"{_CHINESE},{_LATIN},sans-serif", "en": f"{_LATIN},{_CHINESE},sans-serif"}
"""The fonts of each language, the first that a machine has."""
_NOT_XML: Final = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
LEADING: Final = 1.36
"""A line's height in font sizes."""
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class Written:
    """A line of text, and the left and right edge that it must stay between."""

    text: str
    x: float
    y: float
    size: float
    left: float
    right: float
    bold: bool = False
    colour: str = "#111111"
    anchor: Anchor = "start"

    @property
    def span(self) -> tuple[float, float]:
        """Where the text begins and ends, as measured."""
        w = width(self.text, self.size, bold=self.bold)
        begin = self.x - {"start": 0.0, "middle": w / 2, "end": w}[self.anchor]
        return begin, begin + w


@dataclass(slots=True)
class Sheet:
    """A drawing of a size, filled from the back to the front."""

    w: float
    h: float
    title: str
    lang: str
    shapes: list[str] = field(default_factory=list)
    texts: list[Written] = field(default_factory=list)

    def rect(self, box: Box, fill: str, stroke: str = "none", line: float = 1, round_: float = 0, extra: str = "") -> None:
        """A rectangle; `fill` is a colour or a pattern."""
        at = f'x="{n(box.x)}" y="{n(box.y)}" width="{n(box.w)}" height="{n(box.h)}"'
        self.shapes.append(f'<rect {at} rx="{n(round_)}" fill="{fill}" stroke="{stroke}" stroke-width="{n(line)}"{_more(extra)}/>')

    def path(self, d: str, stroke: str = "#111111", line: float = 1.5, fill: str = "none", extra: str = "") -> None:
        """A path in SVG's own words."""
        self.shapes.append(f'<path d="{d}" fill="{fill}" stroke="{stroke}" stroke-width="{n(line)}"{_more(extra)}/>')

    def write(
        self, lines: Sequence[str], box: Box, size: float, *, bold: bool = False, colour: str = "#111111", anchor: Anchor = "start"
    ) -> None:
        """Lines of text from the top of `box` down."""
        x = {"start": box.x, "middle": box.x + box.w / 2, "end": box.x + box.w}[anchor]
        for i, line in enumerate(lines):
            baseline = box.y + size * (i * LEADING + 1.05)
            self.texts.append(Written(line, x, baseline, size, box.x, box.x + box.w, bold, colour, anchor))

    def flow(self, text: str, box: Box, size: float, *, bold: bool = False, colour: str = "#111111", most: int | None = None) -> float:
        """Write `text` in as many lines as it needs in the width of `box`; returns the height that it took."""
        lines = wrapped(text, size, box.w, bold=bold, most=most)
        self.write(lines, box, size, bold=bold, colour=colour)
        return high(len(lines), size)

    def svg(self, definitions: str = "") -> str:
        """The drawing, ending with a newline."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {n(self.w)} {n(self.h)}" width="{n(self.w)}" height="{n(self.h)}" '
            f'role="img" xml:lang="{self.lang}" font-family={quoteattr(FONTS[self.lang])}>'
        )
        texts = [
            f'<text x="{n(t.x)}" y="{n(t.y)}" font-size="{n(t.size)}" fill="{t.colour}"'
            + (' font-weight="bold"' if t.bold else "")
            + ("" if t.anchor == "start" else f' text-anchor="{t.anchor}"')
            + f">{_clean(t.text)}</text>"
            for t in self.texts
        ]
        return "\n".join([head, f"<title>{_clean(self.title)}</title>", definitions, *self.shapes, *texts, "</svg>"]) + "\n"


def high(lines: int, size: float) -> float:
    """How high so many lines are."""
    return lines * size * LEADING


def n(value: float) -> str:
    """A coordinate."""
    return f"{value:.1f}".removesuffix(".0")


def _clean(text: str) -> str:
    """A text as XML has it; characters that XML has not are left out."""
    return escape(_NOT_XML.sub("", text))


def _more(extra: str) -> str:
    return f" {extra}" if extra else ""
