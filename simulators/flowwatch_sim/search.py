"""A search for bars that cost least in queueing and keep people safe: many candidates on fluid days, the best few on days of persons.

    1  the bars in force, person by person: what they cost, and how far above a fluid's mean peak the worst days lie
    2  candidates on fluid days (`tryout.py`), proposed by `proposals.py`; what the safety analysis refuses is never run
    3  the best few, person by person, on the same days as the bars in force: 59 at least (`statistics.py`)

A zone's limit holds where 95 % of days stay at or below it with 95 % confidence. A fluid knows no luck, so in step 2 its mean peak is raised by
what luck, erring counters and late operators added under the bars in force (step 1); a guess that only chooses whom step 3 looks at. Of several
candidates one may look better by chance: the intervals of step 3 hold for all of them together (Bonferroni).

What `folder` holds is not run again, so a search that was cut off goes on where it stopped and ends the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from statistics import fmean
from typing import Final

from flowwatch_sim import runs
from flowwatch_sim.grid import Grid
from flowwatch_sim.measures import bars as bars_of
from flowwatch_sim.proposals import Proposals
from flowwatch_sim.runs import Result, Setup
from flowwatch_sim.statistics import CONFIDENCE, Difference, paired, runs_for, upper_bound
from flowwatch_sim.tryout import DAYS, Tryout, try_out
from flowwatch_sim.variants import BadBarsError, Moved

REFUSED: Final = 10.0
"""By how much bars that the safety analysis refuses break what must hold, as a share: more than any that are run."""
CANDIDATES: Final = 32
CONFIRMED: Final = 3
"""How many are confirmed: with the bars in force they fill a page."""


class Minimise(StrEnum):
    """What a search makes least, as the measure is called."""

    WAITED = "queue_time"
    TURNED_AWAY = "turned_away"


@dataclass(frozen=True, slots=True)
class Aim:
    """What is made least, and what must hold: zone -> people that 95 % of days stay at or below with 95 % confidence."""

    minimise: Minimise
    most: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Bars that were looked at: refused, or screened."""

    bars: Moved
    refused: str | None
    cost: float | None
    """Mean over the fluid days, in the unit of the measure."""
    peaks: Mapping[str, float]
    """Zone with a limit -> mean peak over the fluid days."""
    beyond: float
    """By how much it is expected to break its limits, as a share of the limit; 0 or less: it keeps them."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What the bars in force, or a candidate, came to person by person."""

    bars: Moved
    cost: float
    difference: Difference | None
    """From the bars in force; None for these themselves."""
    bounds: Mapping[str, float]
    """Zone -> what 95 % of days stay at or below with 95 % confidence."""
    over: Mapping[str, int]
    """Zone -> days above the limit."""
    holds: bool

    @property
    def better(self) -> bool:
        """Whether it is shown to cost less and keeps its limits."""
        return self.holds and self.difference is not None and self.difference.high < 0


class Search:
    """The steps, one after another; each may be asked for again and is not done again."""

    def __init__(self, base: Setup, grid: Grid, aim: Aim, seeds: Sequence[int], folder: Path, processes: int = 1) -> None:
        """Raises `BadBarsError` for a stage that has no bar on people, and ValueError for fewer than 59 seeds."""
        if len(seeds) < runs_for():
            raise ValueError(f"found {len(seeds)} days, expected at least {runs_for()}: what must hold takes so many to be shown")
        self.base, self.grid, self.aim, self.seeds = base, grid, aim, list(seeds)
        self.folder, self.processes = folder, processes
        self.candidates: list[Candidate] = []
        self.now: Candidate | None = None
        """The bars in force, once they were screened."""
        self.allowed: dict[str, float] = {}
        """Zone with a limit -> people that its mean peak is raised by, once the bars in force were screened."""
        self._over = bars_of(base.planned())
        self._stages_known()

    def _stages_known(self) -> None:
        """An error for the first stage that cannot be moved at all, before anything is run."""
        for span in self.grid.spans:
            try:
                replace(self.base, moved=((span.stage, span.low),)).planned()
            except BadBarsError as error:
                if error.unknown:
                    raise

    def live(self, chosen: Sequence[Candidate] = (), done: runs.Progress = lambda _: None) -> list[Result]:
        """Days of persons: of the bars in force, then of each of `chosen`; `done` hears how many more there are."""
        return runs.run([self.base, *self.setups(chosen)], self.seeds, self.folder, self.processes, done, self._over)

    def setups(self, chosen: Sequence[Candidate]) -> list[Setup]:
        """What candidates are to be run as."""
        return [replace(self.base, moved=candidate.bars) for candidate in chosen]

    # -- screening --------------------------------------------------------------------------------------------------------------------

    def screen(self, alone: Sequence[Result], proposals: Proposals, advance: Callable[[int], None] = lambda _: None) -> list[Candidate]:
        """All candidates; `alone` are the days of the bars in force, and `advance` hears how many candidates more are known."""
        (mine,) = self._tried([self.base])
        for zone in self.aim.most:
            self.allowed[zone] = upper_bound([day.measures[f"peak/{zone}"] for day in alone]) - mine.mean(f"peak/{zone}")
        self.now, self.candidates = self._candidate(self.base.moved, None, mine), []
        while asked := proposals.ask():
            setups, refused = self._sound(asked)
            tried = dict(zip(setups, self._tried(list(setups.values())), strict=True)) if setups else {}
            for bars in asked:
                candidate = self._candidate(bars, refused.get(bars), tried.get(bars))
                self.candidates.append(candidate)
                proposals.learn(bars, 0.0 if candidate.cost is None else candidate.cost, candidate.beyond)
            advance(len(asked))
        return self.candidates

    def _sound(self, asked: Sequence[Moved]) -> tuple[dict[Moved, Setup], dict[Moved, str]]:
        """Those that the safety analysis lets pass, and what it says of the others."""
        setups: dict[Moved, Setup] = {}
        refused: dict[Moved, str] = {}
        for bars in asked:
            setup = replace(self.base, moved=bars)
            try:
                setup.planned()
            except BadBarsError as error:
                refused[bars] = str(error)
            else:
                setups[bars] = setup
        return setups, refused

    def _candidate(self, bars: Moved, refused: str | None, tried: Tryout | None) -> Candidate:
        if tried is None:
            return Candidate(bars, refused, None, {}, REFUSED)
        peaks = {zone: tried.mean(f"peak/{zone}") for zone in self.aim.most}
        beyond = max((peaks[zone] + self.allowed[zone]) / limit - 1 for zone, limit in self.aim.most.items())
        return Candidate(bars, None, tried.mean(self.aim.minimise), peaks, beyond)

    def _tried(self, setups: Sequence[Setup]) -> list[Tryout]:
        """The fluid days of some setups, kept together: what is screened side by side is the same to the last digit only side by side."""
        digests = [setup.digest() for setup in setups]
        name = hashlib.sha256(f"{digests} {DAYS} {self.seeds[0]}".encode()).hexdigest()[:16]
        file = self.folder / "parts" / f"screened-{name}.json"
        try:
            return [Tryout(**kept) for kept in json.loads(file.read_text(encoding="utf-8"))]
        except (OSError, ValueError, TypeError):
            tried = try_out([setup.planned() for setup in setups], DAYS, self.seeds[0])
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        new.write_text(json.dumps([asdict(one) for one in tried]), encoding="utf-8")
        new.replace(file)
        return tried

    def best(self, count: int = CONFIRMED) -> list[Candidate]:
        """Those worth confirming: the cheapest that are expected to keep their limits, then those nearest to it. Never the bars in force."""
        now = self.base.planned().loaded.version
        run = [c for c in self.candidates if c.cost is not None and replace(self.base, moved=c.bars).planned().loaded.version != now]
        return sorted(run, key=lambda c: (max(0.0, c.beyond), c.cost, c.bars))[:count]

    # -- the end ----------------------------------------------------------------------------------------------------------------------

    def confirmed(self, chosen: Sequence[Candidate], results: Sequence[Result]) -> list[Confirmed]:
        """What `live` of `chosen` came to: the bars in force first."""
        n = len(self.seeds)
        of = [results[k * n : (k + 1) * n] for k in range(len(chosen) + 1)]
        costs = [[day.measures[self.aim.minimise] for day in days] for days in of]
        confidence = 1 - (1 - CONFIDENCE) / max(1, len(chosen))
        found = []
        for k, (bars, days) in enumerate(zip([self.base.moved, *(c.bars for c in chosen)], of, strict=True)):
            peaks = {zone: [day.measures[f"peak/{zone}"] for day in days] for zone in self.aim.most}
            bounds = {zone: upper_bound(values) for zone, values in peaks.items()}
            over = {zone: sum(peak > self.aim.most[zone] for peak in values) for zone, values in peaks.items()}
            holds = all(bounds[zone] <= limit for zone, limit in self.aim.most.items())
            difference = paired(costs[0], costs[k], confidence) if k else None
            found.append(Confirmed(bars, fmean(costs[k]), difference, bounds, over, holds))
        return found
