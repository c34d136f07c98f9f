"""One day through all of flowwatch, and what the journal says of it, by the minute.

The people are the simulator's, and so are their counters; who decides on them is the pipeline (`pipeline.py`), over its own wires. What is shown
comes from the journal alone. The day waits for the journal at every step, so that what is shown is what was decided.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator
from datetime import datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.network import utc_offset
from flowwatch.core.readings import MINUTE, SECOND, Reason
from flowwatch.demo.pipeline import DemoFailed, Pipeline
from flowwatch.demo.screen import Alert, View
from flowwatch.journal import Journal
from flowwatch.texts import incident
from flowwatch.titles import Language, Names
from flowwatch.workspace import Workspace
from flowwatch_sim.laboratory import Laboratory
from flowwatch_sim.planned import Planned

__all__ = ["Day", "DemoFailed"]

MINUTE_S: Final = 60


class Truth(NamedTuple):
    """People at the site, and before its entrances, in truth."""

    inside: int
    waiting: int


class Day:
    """A day of a scenario: lived through by `minutes`, and what the journal has said of it so far."""

    def __init__(self, workspace: Workspace, planned: Planned, seed: int, lang: Language) -> None:
        self.workspace, self.planned = workspace, planned
        self.pipeline = Pipeline(workspace, planned, lang)
        self._laboratory = Laboratory(planned, [seed], deciding=self.pipeline)
        (self._world,) = self._laboratory.worlds
        site = planned.loaded.site
        self._site, self._plan, self._zone = str(site["site"]), site["plans"][0], ZoneInfo(site["time_zone"])
        self._opens = planned.start_us
        self.names = Names(site, lang)
        self.view = View(
            title=self.names.zone("site"),
            lang=lang,
            gates=[g["gate"] for g in site["gates"]],
            bars=sorted((t["enter_m"] // 1000, s["level"]) for s in self._plan["stages"] for t in s["leaves"] if t["kind"] == "people"),
            opens=datetime.fromtimestamp(self._opens / SECOND, self._zone),
            minutes=int(planned.lasts_s) // 60,
            stage=self.names.stage(self._plan["stages"][0]["stage"]),
        )
        self.refused: Counter[Reason] = Counter()
        """Readings that were not counted, by reason; once the day is over."""
        self.covered = 0
        """Minutes in which the simulated truth lay within the band."""
        self._truth: dict[int, Truth] = {}
        self._shown = 0

    @property
    def entries(self) -> list[Entry]:
        """What the journal has said of the site so far."""
        return self.pipeline.entries

    @property
    def came_in(self) -> int:
        """People who passed an entrance so far."""
        return int(np.count_nonzero(~np.isnan(self._world.entered_at)))

    @property
    def turned_away(self) -> int:
        """People who came and did not get in so far: they turned away at once, or waited and gave up."""
        return self._world.turned

    @property
    def stages(self) -> list[tuple[int, str]]:
        """(when, stage) of each transition of the main plan."""
        told = [(e.at, json.loads(e.body)) for e in self.entries if e.kind is EntryKind.TRANSITION]
        return [(at, body["to"]) for at, body in told if body["plan"] == self._plan["plan"]]

    @property
    def peak(self) -> int:
        """Most people who were inside at once, in truth."""
        return max(tick.inside for tick in self._truth.values())

    def minutes(self) -> Generator[int]:
        """Live through the day; gives each minute once `view` shows it. Raises `DemoFailed` when a part of flowwatch stops or stalls."""
        with self.pipeline.running():
            minute = 0
            for now in self._laboratory.ticks():
                self._truth[self._opens + round(now * SECOND)] = Truth(self._world.present, sum(self._world.outside))
                if now >= (minute + 1) * MINUTE_S:
                    self._follow(self.pipeline.journal, minute)
                    yield minute
                    minute += 1
            for entry in self.pipeline.journal.entries(kind=EntryKind.REFUSALS):
                self.refused.update({Reason[name.upper()]: n for name, n in json.loads(entry.body)["counts"].items()})

    def _follow(self, journal: Journal, minute: int) -> None:
        """Take in what the journal says of a minute that is over."""
        end = self._opens + (minute + 1) * MINUTE
        estimate = journal.estimate_before(self._site, end + 1)
        if estimate is None or estimate.at <= end - MINUTE:
            raise DemoFailed(self.workspace.root, f"no estimate of minute {minute}", "one each minute; up.log tells more")
        self._take_estimate(estimate.at, json.loads(estimate.body))
        self.view.changed = set()
        fresh, self._shown = self.entries[self._shown :], len(self.entries)
        for entry in fresh:
            self._take_entry(entry)

    def _take_estimate(self, at: int, body: dict[str, Any]) -> None:
        zone, view, truth = body["zones"]["site"], self.view, self._truth[at]
        view.now = datetime.fromtimestamp(at / SECOND, self._zone)
        view.known = zone["known"]
        view.inside, view.lower = round(zone["inside_m"] / 1000), round(zone["lower_m"] / 1000)
        view.upper = view.inside if zone["upper_m"] is None else round(zone["upper_m"] / 1000)
        view.silent = [self.names.title("counter", name) for name in zone["silent"]]
        view.waiting = truth.waiting
        if len(view.day) < view.minutes:
            view.day.append((view.inside, view.level))
            self.covered += view.lower <= truth.inside <= view.upper

    def _take_entry(self, entry: Entry) -> None:
        body, view = json.loads(entry.body), self.view
        if entry.kind is EntryKind.COMMAND:
            view.modes[body["gate"]] = body["mode"]
            view.changed.add(body["gate"])
        elif entry.kind is EntryKind.TRANSITION and body["plan"] == self._plan["plan"]:
            stage = next(s for s in self._plan["stages"] if s["stage"] == body["to"])
            view.stage, view.level = self.names.stage(body["to"]), stage["level"]
        elif entry.kind is EntryKind.INCIDENT:
            level = None if body["state"] == "cleared" else body["level"]
            view.alerts.append(Alert(self.clock(entry.at), level, incident(body, self.names)))

    def clock(self, at: int) -> str:
        """A moment as the site's time of day."""
        local = at + utc_offset(self.planned.loaded.site, at)
        return f"{local // (3600 * SECOND) % 24:02d}:{local // MINUTE % 60:02d}"
