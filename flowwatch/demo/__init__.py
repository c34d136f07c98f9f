"""`flowwatch demo`: a simulated holiday through the real pipeline, faster than real time, live in the terminal.

Nothing here is a stand-in: `pipeline` starts engine, service and gates, readings arrive over HTTP like anybody's, commands leave over the gates'
own wire, `screen` shows what the journal says, and the people are those of a scenario of the simulator (`flowwatch_sim`), one by one. The day
ends by itself, with a summary and a folder on which every other command can be tried.

This package is the only one of flowwatch that imports `flowwatch_sim`, and `flowwatch demo` imports it when it is asked for.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live

from flowwatch.demo.day import Day
from flowwatch.demo.pipeline import DemoFailed
from flowwatch.demo.screen import View, plain, render
from flowwatch.demo.summary import summary
from flowwatch.documents import shipped
from flowwatch.documents.load import source
from flowwatch.words import Language
from flowwatch.workspace import Workspace
from flowwatch_sim.planned import read_scenario
from flowwatch_sim.shelf import found, single

__all__ = ["DemoFailed", "demo", "prepared"]

DAY_S: Final = 50.0
"""Seconds that the whole day takes when no speed is asked for."""
PLAIN_MIN: Final = 30
"""Minutes of the day from line to line where there is no terminal."""
SCENARIO: Final = Path("demo-holiday")
"""The day that is shown when nobody names another."""
LONGEST_S: Final = 60
"""Seconds between two decisions, at most: the screen moves by the minute."""
MARKER: Final = "demo.json"
"""Says that a folder holds a demonstration and may be filled again."""


def demo(folder: Path, documents: Path | None, *, lang: Language, seed: int, speed: float | None, scenario: Path = SCENARIO) -> None:
    """Fill `folder` with a day and show it; `speed` is times real time, None for about a minute in all. `scenario`: one that ships, or a file.

    Raises `DemoFailed` when the folder holds something else, or when the engine stops; `CommandError` for a scenario that is not there or of
    several sites; `DocumentErrors` with all of its faults.
    """
    day = prepared(folder, documents, seed, lang, scenario)
    day.view.speed = speed or day.view.minutes * 60 / DAY_S
    console = Console()
    started = time.monotonic()
    with closing(day.minutes()) as minutes, _shown(day.view, console) as show:
        for minute in minutes:
            show(minute)
            pause = started + (minute + 1) * 60 / day.view.speed - time.monotonic()
            if pause > 0:
                time.sleep(pause)
    console.print()
    for line in summary(day, time.monotonic() - started):
        console.print(line, highlight=False, markup=False, soft_wrap=not console.is_terminal or line.startswith(" "))


def prepared(folder: Path, documents: Path | None, seed: int, lang: Language, scenario: Path = SCENARIO) -> Day:
    """A day to live through in `folder`, which is empty, or was filled by an earlier demonstration and is cleared. Raises as `demo` does."""
    root, file = documents or shipped(), found(scenario)
    planned = read_scenario(source(file), root)
    single(planned, "the demo")
    if not planned.loaded.site["plans"]:
        raise DemoFailed(root, f"{planned.scenario.site} has no plan", "config/sites/<site>.yaml with rules/<site>/plan.yaml")
    if planned.every_s > LONGEST_S:
        raise DemoFailed(file, f"every: {planned.scenario.every}", f"a decision every {LONGEST_S} s at least")
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).is_file():
            raise DemoFailed(folder, "holds something that is no demonstration", "an empty folder, or none")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text(json.dumps({"flowwatch": "demo"}) + "\n")
    return Day(Workspace(folder), planned, seed, lang)


@contextmanager
def _shown(view: View, console: Console) -> Iterator[Callable[[int], None]]:
    """A live screen on a terminal, lines elsewhere: gives the function to call each minute."""
    if not console.is_terminal:
        told = [""]

        def line(minute: int) -> None:
            if minute % PLAIN_MIN == PLAIN_MIN - 1 or view.stage != told[0]:
                console.print(plain(view), highlight=False, markup=False, soft_wrap=True)
                told[0] = view.stage

        yield line
        return
    with Live(render(view, console.width, console.height), console=console, auto_refresh=False, transient=False) as live:
        yield lambda _minute: live.update(render(view, console.width, console.height), refresh=True)
