"""Many days over processes, and their results as tables: the same bytes for the same scenario, plan, seeds and version.

A folder of results holds

    manifest.json     what was run: names, versions, the hash of everything that went in
    scenario.yaml     the scenario, as it was
    days.parquet      one row a day and measure: plan, sight, seed, measure, value
    curves.parquet    one row a day and minute: plan, sight, seed, minute, people waiting outside, people in each zone

Days are kept in `parts/` as they are done, so that a run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flowwatch import __version__
from flowwatch.core.engine import ENGINE_VERSION
from flowwatch.documents import Source
from flowwatch_sim.counters import Sight
from flowwatch_sim.laboratory import Day, Laboratory
from flowwatch_sim.measures import Bars, bars, of_day
from flowwatch_sim.planned import Planned, read_scenario
from flowwatch_sim.variants import Moved, Operators, other_operators, varied
from flowwatch_sim.variants import name as moved_name

MANIFEST: Final = "manifest.json"
SCENARIO: Final = "scenario.yaml"
TOGETHER: Final = 10
"""Days that one process lives through side by side: enough to share the engine, few enough to spread over cores."""
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, repr=False)
class Setup:
    """One scenario under one set of plans, with one kind of counters and one kind of people in charge."""

    text: Source
    root: Path
    plan: str | None = None
    sight: Sight | None = None
    moved: Moved = ()
    """Bars of the main plan that stand elsewhere than it has them."""
    operators: Operators = ()
    """What people in charge do otherwise than the scenario says."""

    def planned(self) -> Planned:
        """The scenario made ready, once a process. Raises `DocumentErrors`, `BadBarsError`."""
        return _planned(self)

    def __repr__(self) -> str:
        return f"<{Path(self.text.name).stem} under {self.name}{'' if self.sight is None else f', {self.sight} counters'}>"

    def with_bars(self, **people: int) -> Setup:
        """The same with other bars of the main plan: stage=people. Raises `BadBarsError` for what is no plan, or an unsafe one."""
        moved = replace(self, moved=tuple(people.items()))
        moved.planned()
        return moved

    @property
    def name(self) -> str:
        """What its rows are called: the folder of plans or "in-force", the bars that were moved, and what people in charge do otherwise."""
        parts = [self.plan or "in-force", moved_name(self.moved), *(f"{key}={value}" for key, value in self.operators)]
        return " ".join(filter(None, parts))

    def digest(self) -> str:
        """The hash of everything that decides the days but the seed."""
        planned = self.planned()
        went_in = [
            __version__,
            str(ENGINE_VERSION),
            np.__version__,
            self.text.data.hex(),
            planned.version,
            self.sight or planned.scenario.sensing.value,
        ]
        return hashlib.sha256("\n".join(went_in).encode()).hexdigest()


@lru_cache(maxsize=256)
def _planned(setup: Setup) -> Planned:
    planned = read_scenario(setup.text, setup.root, setup.plan)
    return other_operators(varied(planned, setup.moved), setup.operators)


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """What is kept of one day: its measures, and its minutes as a table (minute, queue, people in each zone)."""

    plan: str
    sight: str
    seed: int
    measures: dict[str, float]
    minutes: list[list[int]]

    def __repr__(self) -> str:
        return f"<day of seed {self.seed} under {self.plan}, {self.sight} counters: {len(self.measures)} measures, {len(self.minutes)} minutes>"


def live(setup: Setup, seeds: Sequence[int], over: Bars | None = None, days_done: Progress = lambda _: None) -> list[Result]:
    """The days of some seeds, side by side in this process; `over`: the bars to count people over, if not only the setup's own."""
    planned = setup.planned()
    sight = setup.sight or planned.scenario.sensing.value
    lived, together = Laboratory(planned, seeds, setup.sight).run(), len(planned.sites)
    days = [lived[k : k + together] for k in range(0, len(lived), together)]
    days_done(len(days))
    return [Result(setup.name, sight, day[0].seed, of_day(day, planned, over), _minutes(day)) for day in days]


def _minutes(days: Sequence[Day]) -> list[list[int]]:
    """Of all sites of a day."""
    each = max(1, round(60.0 / days[0].every_s))
    inside = np.hstack([day.inside for day in days])[each - 1 :: each]
    queue = np.hstack([day.outside for day in days]).sum(axis=1)[each - 1 :: each]
    table: list[list[int]] = np.column_stack([np.arange(1, len(queue) + 1), queue, inside]).tolist()
    return table


def run(
    setups: Sequence[Setup],
    seeds: Sequence[int],
    folder: Path,
    processes: int = 1,
    done: Progress = lambda _: None,
    over: Bars | None = None,
) -> list[Result]:
    """All seeds of all setups, in the order of both; `done` hears how many days more are there. What `folder` already has is not run again.

    People are counted over the bars of all setups in each of them, so that two plans can be held against the same bar; or over those in `over`.
    """
    parts = folder / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    found: dict[tuple[int, int], Result] = {}
    todo: list[tuple[int, tuple[int, ...]]] = []
    over = bars(*(setup.planned() for setup in setups)) if over is None else over
    digests = [_digest(setup, over) for setup in setups]
    for i, (setup, digest) in enumerate(zip(setups, digests, strict=True)):
        missing = []
        for seed in seeds:
            kept = _kept(parts / f"{digest[:16]}-{seed}.json")
            if kept is None:
                missing.append(seed)
            else:
                found[i, seed] = replace(kept, plan=setup.name)  # the same day, whatever its setup was called
        todo += [(i, tuple(missing[k : k + TOGETHER])) for k in range(0, len(missing), TOGETHER)]
    done(len(found))
    for i, results in _spread(setups, todo, over, processes):
        for result in results:
            found[i, result.seed] = result
            _keep(parts / f"{digests[i][:16]}-{result.seed}.json", result)
        done(len(results))
    return [found[i, seed] for i in range(len(setups)) for seed in seeds]


def _digest(setup: Setup, over: Bars) -> str:
    """The hash of what decides the kept days of a setup: itself, and what was counted."""
    return hashlib.sha256(f"{setup.digest()}{sorted(over.items())}".encode()).hexdigest()


def _spread(
    setups: Sequence[Setup], todo: Sequence[tuple[int, tuple[int, ...]]], over: Bars, processes: int
) -> Iterable[tuple[int, list[Result]]]:
    if processes <= 1 or len(todo) <= 1:
        for i, seeds in todo:
            yield i, live(setups[i], seeds, over)
        return
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        ahead = {pool.submit(live, setups[i], seeds, over): i for i, seeds in todo}
        for future in as_completed(ahead):
            yield ahead[future], future.result()


def _keep(file: Path, result: Result) -> None:
    text = json.dumps([result.plan, result.sight, result.seed, result.measures, result.minutes])
    new = file.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(file)


def _kept(file: Path) -> Result | None:
    try:
        return Result(*json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write(
    folder: Path, setups: Sequence[Setup], seeds: Sequence[int], results: Sequence[Result], more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The tables, the scenario and the manifest (`more` belongs to it, too); gives the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    planned = setups[0].planned()
    rows = [(r.plan, r.sight, r.seed, name, value) for r in results for name, value in sorted(r.measures.items())]
    columns = list(zip(*rows, strict=True))
    days = pa.table(dict(zip(("plan", "sight", "seed", "measure", "value"), map(list, columns), strict=True)))
    pq.write_table(days, folder / "days.parquet")
    names = ["minute", "outside", *(planned.named(place.scenario.site, zone) for place in planned.sites for zone in place.layout.zones)]
    curves: dict[str, list[Any]] = {
        "plan": [r.plan for r in results for _ in r.minutes],
        "sight": [r.sight for r in results for _ in r.minutes],
        "seed": [r.seed for r in results for _ in r.minutes],
    }
    curves |= {name: [row[k] for r in results for row in r.minutes] for k, name in enumerate(names)}
    pq.write_table(pa.table(curves), folder / "curves.parquet")
    manifest = {
        "scenario": planned.scenario.scenario,
        "site": "+".join(place.scenario.site for place in planned.sites),
        "flowwatch": __version__,
        "engine": ENGINE_VERSION,
        "numpy": np.__version__,
        "seeds": list(seeds),
        "walking": planned.habits.diagram.name,
        "setups": [
            {
                "plan": s.name,
                "folder": s.plan,
                "moved": [list(bar) for bar in s.moved],
                "operators": [list(one) for one in s.operators],
                "sight": s.sight or planned.scenario.sensing.value,
                "sensing": s.sight,
                "documents": s.planned().version,
                "digest": s.digest(),
            }
            for s in setups
        ],
    } | dict(more or {})
    (folder / SCENARIO).write_bytes(setups[0].text.data)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return manifest
