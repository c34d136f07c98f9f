"""What is kept of one run: where stages and gates stood for how long, what was told, and who came in where nobody should have.

Everything is taken from the run's own journal entries and from what its ticks counted:

- What an entry says holds from its tick on. Time counts between two ticks that are no further apart than `GAP_US`, or twice the log's tick
  if that is longer: over the rest of an archive (a night without readings, an outage) nobody decided, and it is told as time without ticks.
- People counted at a tick came since the tick before it, and so under what gates were asked for until then.
- A gate is *shut* while its desired setting lets nobody enter.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from flowwatch.backtest.leads import Leads, above
from flowwatch.backtest.series import Series
from flowwatch.core.engine import Engine
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.gates import Setting
from flowwatch.core.incidents import What
from flowwatch.core.intake import Movements
from flowwatch.core.network import Network
from flowwatch.core.occupancy import Figures
from flowwatch.core.readings import MINUTE, Bools, Ints

GAP_US: Final = 60 * MINUTE
"""An archive has ticks in hours with readings and in the hour after; a live log misses some when it restarts."""


@dataclass(frozen=True, slots=True)
class Window:
    """The time that is looked at, microseconds, `since` <= t < `until`; None: open."""

    since: int | None = None
    until: int | None = None

    def clip(self, start: int, end: int) -> int:
        """How much of start..end lies in it."""
        low = start if self.since is None else max(start, self.since)
        high = end if self.until is None else min(end, self.until)
        return max(high - low, 0)

    def holds(self, at: int) -> bool:
        """Whether `at` lies in it."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@dataclass(slots=True)
class Stood:
    """How long something stood at each of its values (microseconds of observed time)."""

    value: str | None = None
    since: int = 0
    spent: dict[str, int] = field(default_factory=dict)

    def turn(self, value: str | None, clock: int) -> None:
        """It stands at `value` from now on; `clock` is the observed time so far."""
        if self.value is not None and clock > self.since:
            self.spent[self.value] = self.spent.get(self.value, 0) + clock - self.since
        self.value, self.since = value, clock


@dataclass(frozen=True, slots=True)
class Peak:
    """The most people that were in a place: milli-persons, with the band and time of that moment."""

    inside: int
    lower: int
    upper: int
    known: bool
    at: int

    def plain(self) -> dict[str, Any]:
        """As JSON-able data."""
        return {
            "inside_m": self.inside,
            "lower_m": self.lower,
            "upper_m": self.upper if self.known else None,
            "known": self.known,
            "at_us": self.at,
        }


class Tally:
    """The books of one run."""

    def __init__(self, window: Window, tick_us: int, shown: str) -> None:
        """`shown`: the zone, or "site", whose figure is kept over time."""
        self.window, self._limit, self._shown = window, max(GAP_US, 2 * tick_us), shown
        self.clock = self.without_ticks = 0
        """Observed time, and time without ticks, so far (microseconds)."""
        self.first: int | None = None
        self.last: int | None = None
        self.stages: dict[str, Stood] = defaultdict(Stood)
        self.moves: dict[str, list[tuple[int, str | None]]] = defaultdict(list)
        """Plan -> (time, stage) of its changes in the window, the first one being where it stood when that opened."""
        self.gates: dict[str, Stood] = defaultdict(Stood)
        self.transitions = self.commands = 0
        """Without those that put everything in its first place."""
        self.alerts: Counter[str] = Counter()
        self.incidents: Counter[str] = Counter()
        self.refused_actions = 0
        self.peaks: dict[str, Peak] = {}
        self.came: Counter[str] = Counter()
        self.came_while_shut: Counter[str] = Counter()
        self.series, self.leads = Series(), Leads()
        self._network: Network | None = None
        self._main: str | None = None
        self._passages = _Passages({}, ())
        self._shut: Bools = np.zeros(0, np.bool_)
        self._best: Ints = np.zeros(0, np.int64)

    # -- a tick -----------------------------------------------------------------------------------------------------------------------

    def take(self, engine: Engine, entries: list[Entry], moved: Movements | None, figures: Figures | None, tick: int) -> None:
        """Enter what one tick counted and decided."""
        self._pass_time(tick)
        if not engine.network.sites:
            return
        if engine.network is not self._network:
            self._follow(engine)
        inside = self.window.holds(tick)
        shut = 0 if moved is None or not inside else self._count(moved)
        for entry in entries:
            self._enter(entry, counts=inside)
        if figures is None or not inside:
            return
        site = len(figures.inside) - 1
        self.leads.look(above(engine), int(figures.inside[site]), tick)
        if (figures.inside > self._best).any():
            self._note_peaks(figures, tick)
        t = engine.network.target(0, self._shown)
        self.series.note(tick, int(figures.inside[t]), int(figures.lower[t]), int(figures.upper[t]), shut)

    def _pass_time(self, tick: int) -> None:
        if self.last is not None:
            span = self.window.clip(self.last, tick)
            if tick - self.last <= self._limit:
                self.clock += span
            else:
                self.without_ticks += span
        self.last = tick
        if self.first is None and self.window.holds(tick):
            self.first = tick
            for plan, stood in self.stages.items():
                self.moves[plan].append((tick, stood.value))

    def _follow(self, engine: Engine) -> None:
        """Documents came into force."""
        before = self._network
        self._network = engine.network
        document = engine.network.documents[0]
        self._passages = _Passages(document, engine.network.counters)
        self._shut = np.array([self._is_shut(gate) for gate in self._passages.gates], np.bool_)
        names = [engine.network.target_name(t) for t in range(engine.network.targets)]
        if before is None or [before.target_name(t) for t in range(before.targets)] != names:
            self._best = np.array([self.peaks[name].inside if name in self.peaks else -1 for name in names], np.int64)
        self._main = document["plans"][0]["plan"] if document["plans"] else None
        self.leads.follow(engine, document)

    def _is_shut(self, gate: str) -> bool:
        text = self.gates[gate].value if gate in self.gates else None
        return text is not None and not Setting.parse(text).may_enter

    def _count(self, moved: Movements) -> int:
        """Add up who came in at gates; how many of them at shut ones."""
        passages = self._passages
        people = np.where(passages.swapped, moved.egress[passages.code], moved.ingress[passages.code])
        if not people.any():
            return 0
        by_gate = np.bincount(passages.gate, people, len(passages.gates)).astype(np.int64)
        for g in np.flatnonzero(by_gate).tolist():
            self.came[passages.gates[g]] += int(by_gate[g])
        through = by_gate[self._shut]
        if not through.any():
            return 0
        for g in np.flatnonzero((by_gate > 0) & self._shut).tolist():
            self.came_while_shut[passages.gates[g]] += int(by_gate[g])
        return int(through.sum())

    def _note_peaks(self, figures: Figures, tick: int) -> None:
        assert self._network is not None
        for t in np.flatnonzero(figures.inside > self._best).tolist():
            self._best[t] = figures.inside[t]
            name, known = self._network.target_name(t), bool(figures.known[t])
            self.peaks[name] = Peak(int(figures.inside[t]), int(figures.lower[t]), int(figures.upper[t]), known, tick)

    # -- entries ----------------------------------------------------------------------------------------------------------------------

    def _enter(self, entry: Entry, *, counts: bool) -> None:
        body = json.loads(entry.body)
        match entry.kind:
            case EntryKind.TRANSITION:
                self.transitions += counts and body["reason"] != "start"
                self._move(body, entry.at, counts=counts)
            case EntryKind.COMMAND:
                self.commands += counts and body["reason"] != "start"
                self.gates[body["gate"]].turn(body["setting"], self.clock)
                if body["gate"] in self._passages.gates:
                    self._shut[self._passages.gates.index(body["gate"])] = not body["may_enter"]
            case EntryKind.INCIDENT if counts:
                if body["state"] == "raised":
                    self.incidents[body["what"]] += 1
                if body["what"] in (What.STAGE, What.DEGRADED) and body["state"] != "cleared" and body["level"] is not None:
                    self.alerts[body["level"]] += 1
            case EntryKind.ACTION if counts and not body["accepted"]:
                self.refused_actions += 1

    def _move(self, body: Mapping[str, Any], at: int, *, counts: bool) -> None:
        plan = body["plan"]
        self.stages[plan].turn(body["to"], self.clock)
        if counts:
            self.moves[plan].append((at, body["to"]))
        if plan == self._main:
            self.leads.moved(body["to"], at, counts=counts)

    def close(self) -> None:
        """The archive has ended."""
        for stood in (*self.stages.values(), *self.gates.values()):
            stood.turn(stood.value, self.clock)


class _Passages:
    """The counters at a site's gates: their codes, which gate each stands at, and whether it counts the other way round."""

    def __init__(self, document: Mapping[str, Any], counters: tuple[str, ...]) -> None:
        self.gates: list[str] = [gate["gate"] for gate in document.get("gates", ())]
        code = {name: c for c, name in enumerate(counters)}
        there = [c for c in document.get("counters", ()) if c["gate"] is not None]
        self.code = np.array([code[f"{document['site']}/{c['counter']}"] for c in there], np.int64)
        self.gate = np.array([self.gates.index(c["gate"]) for c in there], np.int64)
        self.swapped = np.array([c["swapped"] for c in there], np.bool_)
