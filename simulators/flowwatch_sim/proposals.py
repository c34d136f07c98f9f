"""Which bars to try next. Where all combinations are few enough, all of them; else optuna's tree-structured Parzen estimator asks for some, hears
what they came to, and asks on, nearer to the best (Bergstra et al. 2011; Watanabe 2023). Needs `flowwatch-crowd[search]` only then.

Questions come in rounds of a fixed size, answered in order, so that the same seed asks the same whatever runs beside.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from flowwatch_sim.grid import Grid
from flowwatch_sim.variants import Moved

ROUND: Final = 8
"""Bars asked for at once: they are screened side by side, which costs little more than one alone."""
PATIENCE: Final = 25
"""Times that a question may come back with bars that are known before a round goes without it."""


class NoSearchError(Exception):
    """optuna is not installed."""


class Proposals:
    """Rounds of bars until `most` were asked for or nothing new comes."""

    def __init__(self, grid: Grid, most: int, seed: int) -> None:
        """Raises `NoSearchError` where there are more combinations than `most` and optuna is not installed."""
        self.grid, self.most = grid, most
        self._asked: dict[Moved, list[Any]] = {}
        self._known: dict[Moved, tuple[float, float]] = {}
        self._study = None if len(grid) <= most else _study(seed)

    @property
    def expected(self) -> int:
        """How many bars will be asked for, at most."""
        return min(len(self.grid), self.most)

    def ask(self) -> list[Moved]:
        """The next round, none of which was asked for before; empty when it is over."""
        room = min(ROUND, self.most - len(self._asked))
        left = [bars for bars in self.grid if bars not in self._asked][:room] if self._study is None else []
        fresh = left if self._study is None else self._asked_of(self._study, room)
        for bars in fresh:
            self._asked.setdefault(bars, [])
        return fresh

    def learn(self, bars: Moved, cost: float, beyond: float) -> None:
        """What bars came to; `beyond` is by how much they break what must hold, 0 or less where they do not."""
        self._known[bars] = (cost, beyond)
        for trial in self._asked[bars]:
            self._tell(trial, bars)

    def _asked_of(self, study: Any, room: int) -> list[Moved]:
        fresh: list[Moved] = []
        for _ in range(room + PATIENCE):
            if len(fresh) == room:
                break
            trial = study.ask()
            bars = self.grid.moved([trial.suggest_int(s.stage, s.low, s.bars[-1], step=s.step) for s in self.grid.spans])
            if bars in self._known:
                self._tell(trial, bars)
                continue
            if bars not in self._asked:
                fresh.append(bars)
            self._asked.setdefault(bars, []).append(trial)
        return fresh

    def _tell(self, trial: Any, bars: Moved) -> None:
        cost, beyond = self._known[bars]
        trial.set_constraint("beyond", beyond)
        self._study.tell(trial, cost)  # type: ignore[union-attr]


def _study(seed: int) -> Any:
    try:
        optuna: Any = import_module("optuna")
    except ImportError as error:
        raise NoSearchError("a search among so many bars needs optuna: `pip install flowwatch-crowd[search]`") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True))
