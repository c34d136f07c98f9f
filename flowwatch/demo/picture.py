"""`python -m flowwatch.demo.picture OUT --lang zh`: the demonstration's screen as an SVG, in the minute in which the day is at its fullest.

A demo is run for it, so the picture shows what the program shows. It asks for no font from elsewhere and stands in a README as it is.
"""

from __future__ import annotations

import argparse
import html
import io
import itertools
import re
import tempfile
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from flowwatch.demo import prepared
from flowwatch.demo.screen import BLOCKS, WIDEST, View, render
from flowwatch.words import Language

LINES: Final = 36
THEME: Final = TerminalTheme(
    (22, 24, 29),
    (214, 218, 226),
    [(60, 64, 74), (255, 77, 94), (76, 195, 138), (255, 224, 102), (59, 130, 246), (199, 125, 255), (86, 204, 222), (214, 218, 226)],
)
CELL: Final = 12.2
LINE: Final = 24.4
BASELINE: Final = 18.5
"""rich's measures of a cell: its width, its height, and how far below its top the text stands."""
HATCH: Final = "▒"
RUN: Final = re.compile(
    r'<text class="(?P<style>[^"]+)" x="(?P<x>[^"]+)" y="(?P<y>[^"]+)" textLength="[^"]+" clip-path="[^"]+">(?P<text>[^<]*)</text>'
)
FRAME: Final = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="flowwatch demo">
<style>
.{unique_id}-matrix {{ font: 20px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace; }}
{styles}
</style>
<rect fill="#16181d" width="{width}" height="{height}" rx="8"/>
<g transform="translate(9, 24)" shape-rendering="crispEdges">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def draw(view: View) -> str:
    """The screen as SVG text."""
    console = Console(record=True, width=WIDEST, height=LINES, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(render(view, WIDEST, LINES))
    return RUN.sub(_placed, console.export_svg(theme=THEME, code_format=FRAME, unique_id="flowwatch"))


def _placed(run: re.Match[str]) -> str:
    """A run of text as wide as its cells (rich counts characters, and Chinese ones take two), or its blocks as shapes that meet."""
    text = html.unescape(run["text"])
    left, top = float(run["x"]), float(run["y"]) - BASELINE
    if not set(text) <= set(BLOCKS[1:] + HATCH):
        return f'<text class="{run["style"]}" x="{left:g}" y="{run["y"]}" textLength="{cell_len(text) * CELL:g}">{run["text"]}</text>'
    shapes = []
    for block, equal in itertools.groupby(text):
        width = len(list(equal)) * CELL
        high = LINE * (1 if block == HATCH else BLOCKS.index(block) / 8)
        faint = ' opacity=".45"' if block == HATCH else ""
        shapes.append(f'<rect class="{run["style"]}" x="{left:g}" y="{top + LINE - high:g}" width="{width:g}" height="{high:g}"{faint}/>')
        left += width
    return "".join(shapes)


def fullest(lang: Language, seed: int) -> View:
    """What the screen shows when most people are inside, on the day of `seed`."""
    with tempfile.TemporaryDirectory() as folder:
        day = prepared(Path(folder) / "demo", None, seed, lang)
        best = day.view
        with closing(day.minutes()) as minutes:
            for _ in minutes:
                if day.view.inside >= best.inside:
                    best = deepcopy(day.view)
        return best


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(prog="python -m flowwatch.demo.picture", description=__doc__)
    parser.add_argument("out", type=Path, help="the SVG file to write")
    parser.add_argument("--lang", choices=["zh", "en"], default="en")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    asked.out.write_text(draw(fullest(asked.lang, asked.seed)), encoding="utf-8")


if __name__ == "__main__":
    main()
