"""What the charts of a report share: fonts, colours, the clock along the bottom, and how a figure becomes SVG that stands inside a page.

Writing is drawn as outlines, so that a page looks and prints the same everywhere, with Chinese fonts or without. Titles are never taken for
formulas. The same figure gives the same bytes.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from html import escape
from importlib import import_module
from typing import Any, Final

from flowwatch.backtest.ink import CJK, INK, OF_PLAN, SMALL, SOFT, NoPlotsError, colour
from flowwatch.documents.words import moment
from flowwatch.titles import Language
from flowwatch_sim.planned import Planned

__all__ = ["GRID", "INK", "LINES", "OF_SETUP", "SMALL", "SOFT", "NoPlotsError", "Paper", "colour", "fitting"]

OF_SETUP: Final = (*OF_PLAN, "#2e7d6b", "#7a4a93")
"""A, B, C, D."""
LINES: Final = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)))
"""Lines of A, B, C, D, for who prints in black."""
GRID: Final = "#e4e7eb"
_ID: Final = re.compile(r'(\bid="|\bxlink:href="#|\bhref="#|url\(#)')
_SIZE: Final = re.compile(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', re.DOTALL)
_STYLE: Final = re.compile(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", re.DOTALL)
_METADATA: Final = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)


class Paper:
    """The pieces of matplotlib that draw, and the language in which they can write."""

    def __init__(self, language: Language) -> None:
        """Raises `NoPlotsError`. Where no installed font has Chinese characters, `language` becomes English."""
        try:
            self.matplotlib: Any = import_module("matplotlib")
            self.figure: Any = import_module("matplotlib.figure")
            self.ticker: Any = import_module("matplotlib.ticker")
            self.patches: Any = import_module("matplotlib.patches")
            fonts: Any = import_module("matplotlib.font_manager")
        except ImportError as error:
            raise NoPlotsError("charts need matplotlib: `pip install flowwatch-crowd[plots]`") from error
        self.family = _chinese(fonts)
        self.language: Language = "en" if self.family is None else language

    @property
    def settings(self) -> dict[str, Any]:
        """matplotlib's, for the time of drawing."""
        families = [self.family] if self.language == "zh" and self.family else []
        inks = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK)
        drawn = {"svg.fonttype": "path", "svg.hashsalt": "flowwatch", "text.parse_math": False, "axes.unicode_minus": False}
        lines = {"axes.edgecolor": SOFT, "axes.linewidth": 0.8, "xtick.major.size": 3, "ytick.major.size": 3}
        return {"font.family": [*families, "DejaVu Sans"], "font.size": SMALL, **drawn, **lines, **inks}

    def svg(self, figure: Any, name: str, told: str) -> str:
        """A figure as an SVG element to stand in a page; `name` keeps its ids apart from those of others, `told` says what is seen."""
        file = io.StringIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        text = file.getvalue()
        text = _METADATA.sub("", _STYLE.sub("", text[text.index("<svg") :]))
        text = _ID.sub(lambda found: f"{found[0]}{name}-", text)
        spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        seen = f'role="img" aria-label="{escape(told)}"'
        return _SIZE.sub(lambda found: f'<svg {spaces} viewBox="{found[1]}" {seen}>', text, count=1).strip()

    def clock(self, part: Any, planned: Planned, most: int = 8) -> None:
        """The hours of the day along the bottom of `part`, whose x are hours after midnight; at most so many."""
        begins = begins_h(planned)
        hours = planned.lasts_s / 3600
        part.set_xlim(begins, begins + hours)
        step = next((s for s in (0.25, 0.5, 1, 2, 3, 4, 6, 12, 24) if hours / s <= most - 0.99), 48)
        part.xaxis.set_major_locator(self.ticker.MultipleLocator(step))
        part.xaxis.set_major_formatter(self.ticker.FuncFormatter(lambda h, _: f"{int(h) % 24:02d}:{round(h % 1 * 60):02d}"))

    def plain(self, part: Any) -> None:
        """An open frame, a light grid, grouped numbers upward."""
        part.spines[["top", "right"]].set_visible(False)
        part.yaxis.set_major_formatter(self.ticker.StrMethodFormatter("{x:,.0f}"))
        part.yaxis.set_major_locator(self.ticker.MaxNLocator(5, integer=True))
        part.grid(axis="y", color=GRID, linewidth=0.6)
        part.set_axisbelow(True)
        part.tick_params(color=SOFT)


def begins_h(planned: Planned) -> float:
    """Hours after midnight at which a scenario begins."""
    at = moment(planned.scenario.starts)
    return at.hour + at.minute / 60


def fitting(text: str, room: int) -> str:
    """`text`, cut at its end where it is wider than `room` Latin letters; a Chinese one is as wide as two.

    >>> fitting("只出不进", 8), fitting("只出不进", 7), fitting("Exit only", 5)
    ('只出不进', '只出不…', 'Exit…')
    """
    if _wide(text) <= room:
        return text
    while text and _wide(text) > room - 1:
        text = text[:-1]
    return text.rstrip() + "…"


def _wide(text: str) -> int:
    return sum(2 if ord(c) > 0x2E80 else 1 for c in text)


def _chinese(fonts: Any) -> str | None:
    """The installed family that has Chinese characters; one that came after matplotlib had looked around is found, too."""
    for again in (False, True):
        if again:
            _look_again(fonts)
        installed = {font.name for font in fonts.fontManager.ttflist}
        family = next((name for name in CJK if name in installed), None)
        if family is not None:
            return family
    return None


def _look_again(fonts: Any) -> None:
    known = {font.fname for font in fonts.fontManager.ttflist}
    for file in sorted(fonts.findSystemFonts()):
        if file not in known:
            with contextlib.suppress(OSError, RuntimeError, ValueError):
                fonts.fontManager.addfont(file)
