"""The demonstration's one screen: people inside with the band against the bars, the stage, the gates, the alerts; and the same as plain lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from rich.align import Align
from rich.box import ROUNDED
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from flowwatch.texts import LEVELS, MODES, Language

COLOURS: Final = {None: "green", "IV": "#3b82f6", "III": "#ffe066", "II": "#fb8500", "I": "#ff4d5e"}
"""The four levels' colours (stack.md), red lightened to read on a dark terminal; always beside the level's name, never colour alone."""
ARROWS: Final = {"in": "→▐", "out": "▐→", "both": "◀▐▶", "closed": "▐✕▌"}
BARS: Final = " ▁▂▃▄▅▆▇█"
WIDTH: Final = 100

WORDS: Final[dict[str, dict[Language, str]]] = {
    "inside": {"zh": "实时在场人数", "en": "People inside"},
    "band": {"zh": "人数区间", "en": "band"},
    "stage": {"zh": "管控阶段", "en": "Stage"},
    "gates": {"zh": "通道口", "en": "Gates"},
    "alerts": {"zh": "预警与事件", "en": "Alerts"},
    "day": {"zh": "当日曲线", "en": "The day so far"},
    "queue": {"zh": "口外等候（模拟）", "en": "waiting outside (simulated)"},
    "unknown": {"zh": "未知（等待清点）", "en": "unknown (waiting for a count)"},
    "quiet": {"zh": "暂无", "en": "none yet"},
}


@dataclass
class View:
    """What the screen shows now; people in persons."""

    title: str
    lang: Language
    gates: Sequence[tuple[str, str]]
    """(id, title) in order."""
    bars: Sequence[tuple[int, str, str | None]]
    """(enter bar, stage title, level), ascending."""
    now: datetime | None = None
    known: bool = False
    inside: int = 0
    lower: int = 0
    upper: int = 0
    stage: str = ""
    level: str | None = None
    waiting: int = 0
    speed: float = 1.0
    modes: dict[str, str] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    alerts: list[tuple[str, str | None, str]] = field(default_factory=list)
    """(time, level, text), oldest first."""
    day: list[int] = field(default_factory=list)

    def word(self, key: str) -> str:
        """A word of the screen in its language."""
        return WORDS[key][self.lang]


def render(view: View) -> RenderableType:
    """The whole screen."""
    clock = f"{view.now:%Y-%m-%d %H:%M}" if view.now else ""
    head = Table.grid(expand=True)
    head.add_column()
    head.add_column(justify="right")
    head.add_row(Text(view.title, style="bold"), Text(f"{clock}   ×{view.speed:,.0f}", style="dim"))
    colour = COLOURS[view.level]
    stage = Text(view.stage, style=f"bold {colour}")
    if view.level:
        stage.append(f"   {LEVELS[view.level][view.lang]}", style=colour)
    body = Group(
        head,
        Text(),
        _people(view),
        _scale(view),
        Text(),
        Text.assemble((f"{view.word('stage')}  ", "dim"), stage),
        Text(),
        Columns([_gate(view, gate, title) for gate, title in view.gates], equal=True, expand=True, padding=(0, 0)),
        Text(),
        Text(view.word("day"), style="dim"),
        _curve(view),
        Text(),
        Text(view.word("alerts"), style="dim"),
        *_alerts(view),
    )
    return Align.left(Panel(body, box=ROUNDED, width=WIDTH, padding=(0, 2), border_style=colour))


def _people(view: View) -> Text:
    if not view.known:
        return Text.assemble((f"{view.word('inside')}  ", "dim"), (view.word("unknown"), "bold"))
    text = Text.assemble((f"{view.word('inside')}  ", "dim"), (f"{view.inside:,}", f"bold {COLOURS[view.level]}"))
    text.append(f"   {view.word('band')} {view.lower:,}–{view.upper:,}")
    if view.waiting:
        text.append(f"   {view.word('queue')} {view.waiting:,}", style="dim")
    return text


def _scale(view: View) -> Text:
    """A ruler from nobody to a little over the highest bar: the band as a light stretch, the estimate in it, the bars as marks."""
    cells = WIDTH - 8
    top = max([*(bar for bar, _, _ in view.bars), view.upper, 1]) * 1.15

    def place(people: float) -> int:
        return min(cells - 1, int(people / top * cells))

    marks = {place(bar): (f"┃{bar:,}", COLOURS[level]) for bar, _, level in view.bars}
    ruler = Text()
    position = 0
    while position < cells:
        if position in marks:
            label, colour = marks[position]
            ruler.append(label, style=colour)
            position += len(label)
        else:
            ruler.append("─", style="dim")
            position += 1
    line = Text()
    colour = COLOURS[view.level]
    for cell in range(cells):
        if cell < place(view.lower):
            line.append("█", style=colour)
        elif cell == place(view.inside) and view.known:
            line.append("█", style=f"bold {colour}")
        elif cell <= place(view.upper) and view.known:
            line.append("▒", style=colour)
        else:
            line.append(" ")
    return Text("\n").join([line, ruler])


def _gate(view: View, gate: str, title: str) -> Panel:
    mode = view.modes.get(gate, "both")
    style = {"in": "cyan", "out": "magenta", "both": "white", "closed": "red"}[mode]
    text = Text(f"{ARROWS[mode]}\n{MODES[mode][view.lang]}", justify="center", style=f"bold {style}")
    return Panel(text, title=title, box=ROUNDED, padding=(0, 0), border_style="bold" if gate in view.changed else "dim")


def _curve(view: View) -> Text:
    cells = WIDTH - 8
    top = max([*(bar for bar, _, _ in view.bars), *view.day, 1])
    step = max(1, -(-len(view.day) // cells))
    points = [max(view.day[i : i + step]) for i in range(0, len(view.day), step)]
    curve = Text()
    for point in points:
        level = next((lv for bar, _, lv in reversed(view.bars) if point > bar), None)
        curve.append(BARS[min(8, int(point / top * 8 + 0.5))], style=COLOURS[level])
    return curve


def _alerts(view: View) -> list[Text]:
    shown = view.alerts[-6:]
    if not shown:
        return [Text(f"  {view.word('quiet')}", style="dim")]
    return [
        Text.assemble((f"  {time} ", "dim"), (text, COLOURS[level] if level else "white"), overflow="ellipsis", no_wrap=True)
        for time, level, text in shown
    ]


def plain(view: View, console: Console) -> None:
    """One line for a log: where things stand."""
    modes: dict[str, list[str]] = {}
    for gate, _ in view.gates:
        modes.setdefault(view.modes.get(gate, "both"), []).append(gate)
    gates: Any = ", ".join(f"{MODES[mode][view.lang]} {len(names)}" for mode, names in sorted(modes.items()))
    people = f"{view.inside:,} ({view.lower:,}–{view.upper:,})" if view.known else view.word("unknown")
    console.print(
        f"{view.now:%H:%M}  {view.word('inside')} {people}  {view.stage}  {view.word('gates')}: {gates}", highlight=False, soft_wrap=True
    )
