"""The laboratory for a notebook: load a scenario, live through days under several plans, look at them as pandas frames, plot, write the page.

What is found here is what the commands find: the same seed gives the same day, and a difference is told with its interval or not at all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from flowwatch.backtest.ink import OF_PLAN, NoPlotsError
from flowwatch.documents import shipped
from flowwatch.documents.load import source
from flowwatch.words import Language
from flowwatch_sim import runs
from flowwatch_sim.comparing import compare
from flowwatch_sim.counters import Sight
from flowwatch_sim.report import write
from flowwatch_sim.runs import Result, Setup
from flowwatch_sim.shelf import found, names


def scenarios() -> list[str]:
    """The names of the scenarios that ship."""
    return names()


def load(scenario: str | Path, plan: str | None = None, sensing: Sight | None = None, documents: Path | None = None) -> Setup:
    """A scenario that ships, or a file, under the plans in force or those of a folder under rules/; `documents` has rules/ and config/.

    Raises `CommandError` for a scenario that is not there, and `DocumentErrors` with all faults of it.
    """
    setup = Setup(source(found(Path(scenario))), shipped() if documents is None else documents, plan, sensing)
    setup.planned()
    return setup


def live(*setups: Setup, days: int | None = None, seed: int = 1, processes: int = 1, folder: Path | None = None) -> Lived:
    """Days of each setup, the same people in all; as many as the scenario says, if not `days`. What `folder` has is not run again.

    More than one process only where the calling program can be imported (a notebook can; a script needs `if __name__ == "__main__"`).
    Raises ValueError for no setup, `DocumentErrors`, `BadBarsError`.
    """
    if not setups:
        raise ValueError("found no setup, expected one at least, such as load('national-day')")
    seeds = range(seed, seed + (days or setups[0].planned().scenario.runs))
    with tempfile.TemporaryDirectory() as nowhere:
        results = runs.run(setups, seeds, folder or Path(nowhere), processes)
    if folder is not None:
        runs.write(folder, setups, list(seeds), results)
    return Lived(setups, results)


class Lived:
    """Days that were lived through, as tables. Times are minutes from the scenario's start, people are persons."""

    def __init__(self, setups: Sequence[Setup], results: Sequence[Result]) -> None:
        self.setups, self.results = list(setups), list(results)
        n = len(self.results) // len(self.setups)
        sights = [self.results[k * n].sight for k in range(len(self.setups))]
        alone = len({setup.name for setup in self.setups}) == len(self.setups)
        self.names = [setup.name if alone else f"{setup.name}, {sight}" for setup, sight in zip(self.setups, sights, strict=True)]
        """What each setup is called in the tables."""
        self._named = [(name, result) for k, name in enumerate(self.names) for result in self.results[k * n : (k + 1) * n]]

    def __repr__(self) -> str:
        days = len(self.results) // len(self.setups)
        return f"<{days} days of {Path(self.setups[0].text.name).stem} under {', '.join(self.names)}>"

    @property
    def days(self) -> pd.DataFrame:
        """One row a day and measure (`measures.py`): setup, seed, measure, value."""
        rows = [(name, day.seed, measure, value) for name, day in self._named for measure, value in day.measures.items()]
        return pd.DataFrame(rows, columns=["setup", "seed", "measure", "value"])

    @property
    def curves(self) -> pd.DataFrame:
        """One row a day and minute: setup, seed, minute, people waiting outside, people in each zone."""
        zones = self.setups[0].planned().layout.zones
        rows = [(name, day.seed, *minute) for name, day in self._named for minute in day.minutes]
        return pd.DataFrame(rows, columns=["setup", "seed", "minute", "outside", *zones])

    @property
    def differences(self) -> pd.DataFrame:
        """One row a measure and setup but the first: means, the paired difference with its 95 % interval, and the verdict, if one may be given."""
        rows = [
            (name, row.measure, row.means[0], row.means[i + 1], d.mean, d.low, d.high, None if verdict is None else str(verdict))
            for row in compare(self.results).rows.values()
            for i, (name, d, verdict) in enumerate(zip(self.names[1:], row.differences, row.verdicts, strict=True))
            if d is not None
        ]
        return pd.DataFrame(rows, columns=["setup", "measure", "first", "this", "difference", "low", "high", "verdict"])

    def plot(self, column: str | None = None, ax: Any = None) -> Any:
        """The median day and the band of 5–95 % of days of a column of `curves` (the first zone, if left out); gives matplotlib's axes.

        Raises `NoPlotsError` without matplotlib, and KeyError for a column that is not there.
        """
        try:
            ax = import_module("matplotlib.pyplot").subplots()[1] if ax is None else ax
        except ImportError as error:
            raise NoPlotsError("a plot needs matplotlib: `pip install flowwatch-crowd[plots]`") from error
        what = column or self.setups[0].planned().layout.zones[0]
        curves = self.curves
        for k, name in enumerate(self.names):
            people = curves[curves.setup == name].groupby("minute")[what]
            middle, low, high = (people.quantile(q) for q in (0.5, 0.05, 0.95))
            ink = OF_PLAN[k] if k < len(OF_PLAN) else f"C{k}"
            ax.plot(middle.index / 60, middle, color=ink, label=name)
            ax.fill_between(middle.index / 60, low, high, color=ink, alpha=0.2, linewidth=0)
        ax.set(xlabel="hours from the start", ylabel=f"people, {what}", ylim=(0, None))
        ax.legend(frameon=False)
        return ax

    def report(self, file: str | Path, language: Language = "en") -> Path:
        """The planner's page (HTML, one file), for up to four setups; gives the file. Raises `NoPlotsError`."""
        write(Path(file), self.setups, self.results, language)
        return Path(file)
