"""A plan tried on many days at once: fluids of a site, and the engine of production deciding about each.

Every replicate is a site of its own in one engine: the same compiled record under another name. Counters at gates and links tell each tick who
passed, exactly; in the place of the cameras of zones that such counters feed (they are out of service here) somebody counts the people by hand
every so often. The engine's commands to gates and links are carried out after the reaction time; who is asked for a confirmation says yes after
the answer time. Everything else is the plan's.

For the last word on a plan there is `World`: counters that err, people with luck.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flowwatch.core.actions import Action
from flowwatch.core.engine import Engine
from flowwatch.core.entries import Entry, EntryKind, canonical
from flowwatch.core.incidents import What
from flowwatch.core.occupancy import RECOUNT_ERROR, Figures
from flowwatch.core.operators import Why
from flowwatch.core.readings import ABSENT, SECOND, Block, Bools, Kind
from flowwatch.core.scribe import Output
from flowwatch.core.settings import Setting
from flowwatch_sim.capacity import Floats, Ints
from flowwatch_sim.fluid import Fluid
from flowwatch_sim.layout import GATE, LINK

PARTITION: Final = "p00"
LED: Final = {"one_way": 0, "one_way_back": 1}
"""How plans lead people on a link -> the way that is left."""


@dataclass(frozen=True, slots=True)
class Routine:
    """How those on the spot work, s."""

    tick_s: float = 30.0
    """How often counters send and the engine decides."""
    reaction_s: float | Floats = 60.0
    """From a command until a gate stands as commanded; one, or (R,) of each replicate."""
    answer_s: float = 120.0
    """From a question until somebody says yes."""
    recount_s: float = 3600.0
    """How often people are counted by hand; the first time at the start."""


class Screening:
    """A fluid and an engine with a site for each of its replicates; `record` is the compiled site with its plans, `start_us` when it begins (UTC).

    `plans`: (R,) the plans of each replicate, where they are not those of the record.
    """

    def __init__(
        self,
        record: Mapping[str, Any],
        fluid: Fluid,
        start_us: int,
        routine: Routine | None = None,
        plans: Sequence[Sequence[Mapping[str, Any]]] | None = None,
    ) -> None:
        self.fluid, self.routine, self.start_us = fluid, routine or Routine(), start_us
        r = fluid.replicates
        self.sites = [f"{record['site']}-{i + 1:04d}" for i in range(r)]
        self.reaction_s: Floats = np.broadcast_to(np.asarray(self.routine.reaction_s, np.float64), (r,))
        self.transitions: list[tuple[float, int, str, str | None]] = []
        """(when, replicate, plan, stage) of every stage that the plans went to; None: the plan is no longer in force."""
        self._row = {site: i for i, site in enumerate(self.sites)}
        self._counters = _Counters(record, fluid)
        self._engine = _Replicas(self._counters.record, self.sites, plans)
        self._gates = {name: i for i, name in enumerate(fluid.layout.gates)}
        self._links = {name: i for i, name in enumerate(fluid.layout.links)}
        self._zones = [(i, name) for i, name in enumerate(fluid.layout.zones) if i not in fluid.layout.waiting]
        self._orders: dict[tuple[float, str, int, str | None], list[int]] = {}
        self._questions: dict[tuple[str, str], float] = {}
        self._said, self._recounted, self._offset = 0, -np.inf, 0
        self._tick()

    def advance(self, until: float) -> None:
        """Let time run to `until` (s from the start), tick by tick."""
        while self.fluid.now < until - 1e-9:
            after = min(until, self.fluid.now + self.routine.tick_s)
            while self.fluid.now < after - 1e-9:
                self._carry_out()
                self.fluid.step()
            self._tick()

    # -- towards the engine -----------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        now = self.fluid.now
        at = self.start_us + round(now * SECOND)
        records = list(self._answers(now))
        if now - self._recounted >= self.routine.recount_s:
            self._recounted = now
            self._engine.counted = self._count(np.rint(self.fluid.inside).astype(np.int64))
        if records:
            payload = {i: self._record(at, site, fields) for i, (site, fields) in enumerate(records)}
            self._ingest(at, np.full(len(records), int(Kind.ACTION)), payload=payload)
        self._ingest(at, self._counters.kind, self._counters.code, self._counters.counts())
        self._take(self._engine.advance(at).entries, now)

    def _count(self, people: Ints) -> list[tuple[str, int]]:
        """(zone, people in it) of (R, zones) `people`."""
        return [(f"{site}/{name}", int(people[row, zone])) for row, site in enumerate(self.sites) for zone, name in self._zones]

    def _answers(self, now: float) -> Iterable[tuple[str, dict[str, Any]]]:
        for site, incident in [key for key, asked in self._questions.items() if now >= asked + self.routine.answer_s]:
            del self._questions[site, incident]
            yield site, {"type": "confirm", "incident": incident, "answer": "yes"}

    def _record(self, at: int, site: str, fields: Mapping[str, Any]) -> bytes:
        self._said += 1
        return canonical(
            {"action": f"screening-{self._said}", "site": site, "by": "screening", "reason": "screening", "at_us": at} | dict(fields)
        )

    def _ingest(
        self,
        at: int,
        kind: Ints,
        code: Ints | None = None,
        counts: tuple[Ints, Ints, Ints] | None = None,
        payload: Mapping[int, bytes] | None = None,
    ) -> None:
        n = len(kind)
        times, absent = np.full(n, at, np.int64), np.full(n, ABSENT, np.int64)
        codes, zeros = np.zeros(n, np.int32) if code is None else code.astype(np.int32), np.zeros(n, np.int32)
        columns = (absent, absent, absent) if counts is None else counts
        self._engine.ingest(Block(self._offset, kind.astype(np.uint8), codes, times, times, absent, zeros, *columns, payload or {}))
        self._offset += n

    # -- from the engine --------------------------------------------------------------------------------------------------------------

    def _take(self, entries: Sequence[Entry], now: float) -> None:
        for entry in entries:
            row = self._row.get(entry.chain)
            if row is None or entry.kind in (EntryKind.ACTION, EntryKind.TASK, EntryKind.DOCUMENT):
                continue
            body = json.loads(entry.body)
            if entry.kind is EntryKind.COMMAND:
                self._order(row, now, GATE, self._gates[body["gate"]], body["setting"])
            elif entry.kind is EntryKind.DEVICE and body["device"] == LINK:
                self._order(row, now, LINK, self._links[body["name"]], body["state"])
            elif entry.kind is EntryKind.TRANSITION:
                self.transitions.append((now, row, body["plan"], body["to"]))
            elif entry.kind is EntryKind.INCIDENT and body["what"] == What.CONFIRMATION_NEEDED:
                key = (entry.chain, body["incident"])
                if body["state"] == "cleared":
                    self._questions.pop(key, None)
                else:
                    self._questions[key] = now

    def _order(self, row: int, now: float, kind: str, index: int, word: str | None) -> None:
        self._orders.setdefault((now + float(self.reaction_s[row]), kind, index, word), []).append(row)

    def _carry_out(self) -> None:
        """Do what was commanded and is due."""
        due = sorted((key for key in self._orders if key[0] <= self.fluid.now + 1e-9), key=lambda key: key[0])
        for key in due:
            _, kind, index, word = key
            rows = np.array(self._orders.pop(key), np.int64)
            if kind == GATE:
                self.fluid.set_gate(index, Setting.parse(str(word)), rows)
            else:
                self.fluid.lead(index, LED.get(str(word)), rows)


class _Replicas(Engine):
    """An engine that begins with one record, which `documents` has checked, under many names, each with plans of its own where there are such.

    It takes recounts without a record of them, and reports neither minutes nor what is watched, for they decide nothing.
    """

    counted: Sequence[tuple[str, int]] = ()
    """(zone, people in it) that are counted by hand at the next tick."""

    def __init__(self, record: Mapping[str, Any], sites: Sequence[str], plans: Sequence[Sequence[Mapping[str, Any]]] | None = None) -> None:
        super().__init__(PARTITION)
        self._version = hashlib.sha256(canonical(dict(record))).hexdigest()[:12]
        own = [record["plans"]] * len(sites) if plans is None else plans
        self._controls = [(0, Kind.DOCUMENT, ABSENT, b"")]
        """The documents are taken at the first tick, this one in the place of all."""
        self._waiting = {site: {**record, "site": site, "plans": list(mine)} for site, mine in zip(sites, own, strict=True)}

    def _take_controls(self, tick: int, why: dict[int, Why]) -> list[Action]:
        if self._waiting:
            for site, document in self._waiting.items():
                self.documents[site] = (self._version, document)
                self.names += [f"{site}/{counter['counter']}" for counter in document["counters"]]
            self._replace_documents(dict.fromkeys(self._waiting), tick, why)
            self._waiting, self._controls = {}, self._controls[1:]
        return super()._take_controls(tick, why)

    def _apply(self, actions: list[Action], why: dict[int, Why]) -> None:
        """What people counted by hand holds as it does when `Operators` takes their record."""
        tick = self.scribe.tick
        for zone, people in self.counted:
            sd = max(2.0, RECOUNT_ERROR * people)
            self.occupancy.anchor(self.network, self.network.zone_index[zone], people, sd, tick, tick, by_hand=True)
        self.counted = ()
        super()._apply(actions, why)

    def _watch(self, figures: Figures, silent: Bools, tick: int) -> None:
        """Nobody is told here."""

    def _minutes(self, out: Output, figures: Figures, before: int, tick: int) -> None:
        """Nobody reads them here."""


class _Counters:
    """What the counters of all replicates send."""

    def __init__(self, record: Mapping[str, Any], fluid: Fluid) -> None:
        self._fluid, layout = fluid, fluid.layout
        passages = {name: (GATE, i) for i, name in enumerate(layout.gates)} | {name: (LINK, i) for i, name in enumerate(layout.links)}
        zones = {name: i for i, name in enumerate(layout.zones)}
        ends = {(GATE, i): ends for i, ends in enumerate(layout.ends)} | {(LINK, i): ends for i, ends in enumerate(layout.link_ends)}
        counted = [passages[c["gate"] or c["link"]] for c in record["counters"] if c["zone"] is None]
        fed = {zone for passage in counted for end in ends[passage] if end >= 0 for zone in layout.held[end]}
        self._waiting = layout.waiting
        self._passers: list[tuple[int, str, int]] = []
        """(place among a site's counters, kind of the passage, its index)."""
        self._cameras: list[tuple[int, int, float]] = []
        """(place among a site's counters, zone, share of it that is seen)."""
        counters = []
        for code, counter in enumerate(record["counters"]):
            if counter["zone"] is None:
                self._passers.append((code, *passages[counter["gate"] or counter["link"]]))
                counters.append(counter | {"counts": "delta", "swapped": False, "counts_down": False, "modulus": None})
            elif zones[counter["zone"]] in fed:
                counters.append(counter | {"valid_to_us": 0})
            else:
                self._cameras.append((code, zones[counter["zone"]], counter["coverage_ppm"] / 1e6))
                counters.append(counter)
        self.record = {**record, "counters": counters}
        """The record with the counters that send here."""
        codes = sorted([code for code, *_ in self._passers] + [code for code, *_ in self._cameras])
        place = {code: i for i, code in enumerate(codes)}
        self._columns = [place[code] for code, *_ in self._passers]
        self._camera_columns = [place[code] for code, *_ in self._cameras]
        self.code: Ints = (np.arange(fluid.replicates)[:, None] * len(counters) + np.array(codes, np.int64)).ravel()
        """The code of each row, replicate by replicate."""
        self.kind: Ints = np.full((fluid.replicates, len(codes)), int(Kind.DELTA))
        self.kind[:, self._camera_columns] = int(Kind.ABSOLUTE)
        self.kind = self.kind.ravel()
        self._told: Ints = np.zeros((fluid.replicates, len(self._passers), 2), np.int64)

    def counts(self) -> tuple[Ints, Ints, Ints]:
        """People in, out and in view of every row, since the last call and now; in whole persons, of which none is lost."""
        fluid = self._fluid
        columns = np.full((3, fluid.replicates, len(self._columns) + len(self._camera_columns)), ABSENT, np.int64)
        if self._passers:
            passed = np.stack([fluid.passed(kind, passage) for _, kind, passage in self._passers], axis=1)
            total = np.rint(passed).astype(np.int64)
            columns[:2, :, self._columns] = np.moveaxis(total - self._told, 2, 0)
            self._told = total
        for column, (_, zone, seen) in zip(self._camera_columns, self._cameras, strict=True):
            waiting = self._waiting.get(zone)
            people = fluid.inside[:, zone] if waiting is None else fluid.outside[:, :, fluid.outer.index(waiting)].sum(axis=1)
            columns[2, :, column] = np.rint(people * seen)
        return columns[0].ravel(), columns[1].ravel(), columns[2].ravel()
