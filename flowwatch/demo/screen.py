"""The demonstration's one screen: people inside with the band against the bars, the stage, the gates, the day, the alerts; and the same as a line.

Drawn anew each minute for the size that the terminal has, from 60 columns and 20 lines on. Colours repeat what a word or a numeral says, so that
nothing is lost without them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from rich.box import ROUNDED
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from flowwatch.vocabulary import LEVELS, MODES, SHORT_MODES
from flowwatch.words import Language

COLOURS: Final = {None: "#4cc38a", "IV": "#3b82f6", "III": "#ffe066", "II": "#fb8500", "I": "#ff4d5e"}
"""Calm, and the four levels' colours, red lightened to read on a dark terminal; always beside the level's name, never colour alone."""
GATES: Final = {
    "in": ("▼", "cyan"),
    "out": ("▲", "magenta"),
    "both": ("▼▲", "white"),
    "closed": ("✕", "red"),
    "metered": ("▽", "cyan"),
    "wave": ("≈", "cyan"),
}
"""A sign and a colour for each mode."""
BLOCKS: Final = " ▁▂▃▄▅▆▇█"
WIDEST: Final = 104
NARROWEST: Final = 60
GATE_CELLS: Final = 9
"""The narrowest that a gate is drawn."""
HEADROOM: Final = 1.15
"""How far the scale reaches beyond the highest bar."""

WORDS: Final[dict[str, dict[Language, str]]] = {
    "inside": {"zh": "在场人数", "en": "People inside"},
    "band": {"zh": "区间", "en": "band"},
    "stage": {"zh": "管控阶段", "en": "Stage"},
    "gates": {"zh": "通道口", "en": "Gates"},
    "alerts": {"zh": "预警与事件", "en": "Alerts"},
    "day": {"zh": "当日走势", "en": "The day"},
    "queue": {"zh": "口外等候（模拟）", "en": "waiting outside (simulated)"},
    "silent": {"zh": "数据中断", "en": "silent"},
    "starting": {"zh": "正在启动……", "en": "starting ..."},
    "unknown": {"zh": "未知，等待清点", "en": "unknown, waiting for a count"},
    "quiet": {"zh": "暂无", "en": "none yet"},
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One line of the list of alerts; the level is None for what is no stage, or over."""

    time: str
    level: str | None
    text: str


@dataclass
class View:
    """What the screen shows now; people in persons."""

    title: str
    lang: Language
    gates: Sequence[str]
    bars: Sequence[tuple[int, str | None]]
    """(enter bar, level of its stage), ascending."""
    opens: datetime
    minutes: int
    """How long the day is."""
    stage: str
    level: str | None = None
    now: datetime | None = None
    known: bool = False
    inside: int = 0
    lower: int = 0
    upper: int = 0
    silent: Sequence[str] = ()
    """Titles of the counters that should have spoken and have not."""
    waiting: int = 0
    speed: float = 1.0
    modes: dict[str, str] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    """Gates that were given another mode in this minute."""
    alerts: list[Alert] = field(default_factory=list)
    """Oldest first."""
    day: list[tuple[int, str | None]] = field(default_factory=list)
    """(people inside, level of the stage) of each minute so far."""

    def word(self, key: str) -> str:
        """A word of the screen in its language."""
        return WORDS[key][self.lang]


def render(view: View, width: int = WIDEST, height: int = 40) -> RenderableType:
    """The whole screen for a terminal of `width` columns and `height` lines."""
    width = max(NARROWEST, min(width, WIDEST))
    cells = width - 6
    gates = _gates(view, cells)
    # Frame, head, people and scale, stage, gates, hours, two headings, and the blank lines between them.
    left = height - 15 - 3 * len(gates)
    curve = max(2, min(8, left // 2))
    body = Group(
        _head(view),
        Text(),
        _people(view),
        *_scale(view, cells),
        Text(),
        _stage(view),
        *gates,
        Text(view.word("day"), style="dim"),
        *_curve(view, cells, curve),
        Text(),
        Text(view.word("alerts"), style="dim"),
        *_alerts(view, max(2, min(9, left - curve))),
    )
    return Panel(body, box=ROUNDED, width=width, padding=(0, 2), border_style=COLOURS[view.level])


def plain(view: View) -> str:
    """One line for a log: where things stand."""
    modes = Counter(view.modes.get(gate, "both") for gate in view.gates)
    gates = ", ".join(f"{MODES[mode][view.lang]} {n}" for mode, n in sorted(modes.items()))
    people = f"{view.inside:>5,} ({view.lower:,}–{view.upper:,})" if view.known else view.word("unknown")
    silent = f"  {view.word('silent')}: {', '.join(view.silent)}" if view.silent else ""
    return f"{view.now:%H:%M}  {view.word('inside')} {people}  {view.stage}  {view.word('gates')}: {gates}{silent}"


def _head(view: View) -> Table:
    head = Table.grid(expand=True)
    head.add_column()
    head.add_column(justify="right")
    clock = f"{view.now:%Y-%m-%d  %H:%M}" if view.now else ""
    speed = f"  ×{view.speed:,.0f}" if view.speed > 1 else ""
    head.add_row(Text.assemble(("flowwatch  ", "dim"), (view.title, "bold")), Text.assemble((clock, "bold"), (speed, "dim")))
    return head


def _people(view: View) -> Text:
    label = (f"{view.word('inside')}  ", "dim")
    if not view.known:
        return Text.assemble(label, (view.word("unknown" if view.day else "starting"), "bold"))
    text = Text.assemble(
        label, (f"{view.inside:,}", f"bold {COLOURS[view.level]}"), f"   {view.word('band')} {view.lower:,}–{view.upper:,}"
    )
    if view.waiting:
        text.append(f"   {view.word('queue')} {view.waiting:,}", style="dim")
    return text


def _stage(view: View) -> Text:
    colour = COLOURS[view.level]
    text = Text.assemble((f"{view.word('stage')}  ", "dim"), (view.stage, f"bold {colour}"), overflow="ellipsis", no_wrap=True)
    if view.level:
        text.append(f"   {LEVELS[view.level][view.lang]}", style=colour)
    if view.silent:
        text.append(f"   {view.word('silent')}: {', '.join(view.silent)}", style="dim")
    return text


def _scale(view: View, cells: int) -> Iterator[Text]:
    """A ruler from nobody to a little over the highest bar: what is surely inside solid, the rest of the band hatched, the bars as marks."""

    top = max([*(bar * HEADROOM for bar, _ in view.bars), view.upper, 1])

    def place(people: float) -> int:
        return min(cells - 1, int(people / top * cells))

    colour = COLOURS[view.level]
    surely, perhaps = place(view.lower), place(view.upper) - place(view.lower) + 1 if view.known else 0
    yield Text.assemble(("█" * surely, colour), ("▒" * perhaps, colour))
    ruler = Text()
    for bar, level in view.bars:
        ruler.append("─" * (place(bar) - len(ruler)), "dim")
        ruler.append(f"┃{bar:,}", COLOURS[level])
    ruler.append("─" * (cells - len(ruler)), "dim")
    yield ruler


def _gates(view: View, cells: int) -> list[Table]:
    """The gates, in as many rows as they need."""
    across = max(1, min(len(view.gates), cells // GATE_CELLS))
    rows = []
    for start in range(0, len(view.gates), across):
        row = Table.grid()
        for _ in range(across):
            row.add_column(width=cells // across)
        row.add_row(*(_gate(view, gate, cells // across) for gate in view.gates[start : start + across]))
        rows.append(row)
    return rows


def short_mode(mode: str, lang: Language) -> str:
    """A gate's mode in as few cells as a small frame has."""
    return SHORT_MODES[mode]["zh"] if lang == "zh" else mode


def _gate(view: View, gate: str, cells: int) -> Panel:
    mode = view.modes.get(gate, "both")
    sign, colour = GATES[mode]
    short = short_mode(mode, view.lang)
    label = f"{sign} {short}" if cell_len(f"{sign} {short}") + 2 <= cells else short
    number = gate.removeprefix("gate-")
    full = gate if number == gate else f"{number}号口" if view.lang == "zh" else f"gate {number}"
    weight = "bold" if gate in view.changed else "dim"
    return Panel(
        Text(label, justify="center", style=f"bold {colour}", no_wrap=True),
        title=Text(full if cell_len(full) + 6 <= cells else number, style=weight),
        box=ROUNDED,
        padding=0,
        border_style=f"{weight} {colour}",
    )


def _curve(view: View, cells: int, rows: int) -> Iterator[Text]:
    """The day so far as columns `rows` high, with the bars as dotted lines, over the hours."""
    axis = 7
    across = cells - axis

    def column(minute: int) -> int:
        return minute * across // view.minutes

    highest: list[tuple[int, str | None]] = [(0, None)] * across
    for minute, (inside, level) in enumerate(view.day):
        highest[column(minute)] = max(highest[column(minute)], (inside, level), key=lambda point: point[0])
    # The highest bar is drawn through the middle of the top row.
    top = max([*(bar * rows / (rows - 0.5) for bar, _ in view.bars), *(inside for inside, _ in view.day), 1])
    marks = {int(bar / top * rows): (bar, level) for bar, level in view.bars}
    for row in reversed(range(rows)):
        bar, level = marks.get(row, (0, None))
        line = Text()
        line.append(f"{bar:>{axis - 2},} ┤" if bar else " " * (axis - 1) + "│", COLOURS[level] if bar else "dim")
        for inside, reached in highest:
            eighths = max(0, min(8, round((inside / top * rows - row) * 8)))
            if eighths:
                line.append(BLOCKS[eighths], COLOURS[reached])
            else:
                line.append("┈" if bar else " ", f"dim {COLOURS[level]}" if bar else "")
        yield line
    hours = Text(" " * axis)
    first = view.opens.replace(minute=0)
    for hour in range(0, view.minutes // 60 + 1, 2):
        place = axis + column(int((first + timedelta(hours=hour) - view.opens).total_seconds()) // 60)
        label = f"{first + timedelta(hours=hour):%H:%M}"
        if len(hours) <= place <= cells - len(label):
            hours.append(" " * (place - len(hours)) + label)
    hours.stylize("dim")
    yield hours


def _alerts(view: View, lines: int) -> list[Text]:
    """The last alerts, as many as there are lines for."""
    if not view.alerts:
        return [Text(f"  {view.word('quiet')}", style="dim")]
    return [
        Text.assemble(
            (f"{alert.time} ", "dim"),
            (f"{alert.level or '':>3}  ", COLOURS[alert.level]),
            (alert.text, COLOURS[alert.level] if alert.level else "default"),
            overflow="ellipsis",
            no_wrap=True,
        )
        for alert in view.alerts[-lines:]
    ]
