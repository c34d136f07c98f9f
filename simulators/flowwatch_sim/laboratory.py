"""Days side by side: each replicate a world of its own, all of them decided by one production engine on a simulated clock.

The engine holds one site a replicate, the same documents under another name, and evaluates them together as it does a city; so sixty days cost
little more than one, and what decides here is what decides at the police. Of a scenario of several sites each day has one of each, in a group
of its own: their plans look at each other's stages within the day, and people walk from one to another (`passages.py`).

Every `every` seconds: people move, counters see and send, operators answer, the engine decides, and gates are turned as long
after as people take to turn them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from flowwatch.core.entries import Entry, EntryKind, canonical
from flowwatch.core.readings import ABSENT, SECOND, Block, Kind
from flowwatch_sim.controllers import Controller, Report
from flowwatch_sim.counters import Sight
from flowwatch_sim.deciding import Deciding, Production
from flowwatch_sim.layout import GATE
from flowwatch_sim.luck import Purpose, generator
from flowwatch_sim.passages import Between, site_seed
from flowwatch_sim.people import Floats, Ints
from flowwatch_sim.planned import Planned
from flowwatch_sim.sensing import Sensors
from flowwatch_sim.troubles import Truth
from flowwatch_sim.world import OUTSIDE, World

Counts = npt.NDArray[np.int32]
MINUTE_S: Final = 60.0
HOME_S: Final = 4 * 3600.0
"""How long after the end everybody must be gone; who is not is told as still inside."""
COUNTED_BY_HAND: Final = 0.01
"""Standard deviation of a count by hand, as a share of the people (assumed)."""
CAUGHT: Final = (EntryKind.COMMAND, EntryKind.DEVICE, EntryKind.TRANSITION, EntryKind.INCIDENT)


@dataclass(frozen=True)
class Day:
    """What happened on one day. T ticks, M minutes, Z zones, G gates; times in seconds from the start."""

    seed: int
    every_s: float
    inside: Counts
    """(T, Z) people in each zone, in truth; in one outside an entrance, those who wait there."""
    outside: Counts
    """(T, G) people waiting before each entrance."""
    lower: Counts
    """(M, Z) the band that the engine gave, -1 where it knew nothing."""
    upper: Counts
    truth: Counts
    """(M, Z) people in each zone when the band was given."""
    waited: Floats
    """(people who got in,) how long each stood outside."""
    came: int
    turned_away: int
    left: int
    still_inside: int
    left_at: Floats
    """(people who left,) when, sorted."""
    stages: list[tuple[float, str, str | None]]
    """(when, plan, stage or None where the plan is no longer in force)."""
    settings: list[tuple[float, str, str]]
    """(when, gate, setting): what gates really were."""
    commands: list[tuple[float, str, str]]
    alerts: list[tuple[float, str, str | None]]
    """(when, what, level) of each incident raised."""
    reports: list[Report]
    """What each gate said of itself, minute by minute."""
    sensing: Truth
    went_on: int = 0
    """Of those who left, who walked on to another site of the scenario."""
    arrived: int = 0
    """Of those who came, who came from another site."""


@dataclass
class _Replicate:
    """One day on its way."""

    seed: int
    planned: Planned
    site: str
    world: World
    sensors: Sensors
    controllers: list[Controller]
    answering: np.random.Generator
    counting: np.random.Generator
    inside: Counts
    outside: Counts
    lower: Counts
    upper: Counts
    truth: Counts
    links: list[tuple[float, int, int | None]] = field(default_factory=list)
    answers: list[tuple[float, str]] = field(default_factory=list)
    stages: list[tuple[float, str, str | None]] = field(default_factory=list)
    settings: list[tuple[float, str, str]] = field(default_factory=list)
    commands: list[tuple[float, str, str]] = field(default_factory=list)
    alerts: list[tuple[float, str, str | None]] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    records: int = 0


class Laboratory:
    """Days of one scenario under one set of documents. Of several sites there is a `Day` for each, in the order of the scenario, seed by seed."""

    def __init__(self, planned: Planned, seeds: Sequence[int], sight: Sight | None = None, deciding: Deciding | None = None) -> None:
        """`deciding`: who decides; the production engine in this process, if nobody else."""
        self.planned, self._deciding = planned, deciding or Production()
        self._sight: Sight = sight or planned.scenario.sensing.value
        self._first, self._rows, self._payload = 0, list[tuple[int, ...]](), dict[int, bytes]()
        self._ticks = round(planned.lasts_s / planned.every_s)
        self._betweens = [Between(planned.sites, planned.passages, seed) for seed in seeds]
        self._days: list[_Replicate] = []
        counters = 0
        for i, seed in enumerate(seeds):
            for k, place in enumerate(planned.sites):
                self._days.append(self._replicate(place, seed, (i, k), counters, alone=len(seeds) == 1))
                counters += len(place.layout.site["counters"])
        self._by_site = {day.site: day for day in self._days}

    def _replicate(self, plan: Planned, seed: int, place: tuple[int, int], first: int, *, alone: bool) -> _Replicate:
        """A site of a day; `place`: the number of the day, and of the site."""
        number, k = place
        site = str(plan.loaded.site["site"])
        name = site if alone else f"{site}:{number:05d}"
        record = _renamed(plan.loaded.site, {str(p.loaded.site["site"]): f":{number:05d}" for p in self.planned.sites})
        self._say(Kind.DOCUMENT, 0.0, plan.loaded.payload if alone else canonical(record))
        luck = site_seed(seed, k)
        here, minutes = plan.layout, int(plan.lasts_s // MINUTE_S)
        ticks, zones, world = self._ticks, len(here.zones), self._betweens[number].worlds[k]
        of_gate = [[d for d in plan.disobedience if d.gate == g] for g in range(len(here.gates))]
        return _Replicate(
            seed,
            plan,
            name,
            world,
            Sensors(here, plan.troubles, sight=self._sight, seed=luck, first=first),
            [
                Controller(gate, setting, plan.carry_out_s, mine, here.street(g) if here.outer[g] else 0)
                for g, (gate, setting, mine) in enumerate(zip(here.gates, world.settings, of_gate, strict=True))
            ],
            generator(luck, Purpose.ANSWERS),
            generator(luck, Purpose.HAND_COUNTS),
            np.zeros((ticks, zones), np.int32),
            np.zeros((ticks, len(here.gates)), np.int32),
            lower=np.full((minutes, zones), -1, np.int32),
            upper=np.full((minutes, zones), -1, np.int32),
            truth=np.full((minutes, zones), -1, np.int32),
        )

    # -- a run ------------------------------------------------------------------------------------------------------------------------

    def run(self, advance: Callable[[int], None] = lambda _: None) -> list[Day]:
        """Live through the days; `advance` hears how many ticks are done, each time some are."""
        for now in self.ticks():
            if now:
                advance(1)
        crossed = [ends for between in self._betweens for ends in zip(between.went_on, between.arrived, strict=True)]
        return [self._ended(day, *ends) for day, ends in zip(self._days, crossed, strict=True)]

    def ticks(self) -> Iterator[float]:
        """Live through the days, from one decision to the next; gives the second of each, 0.0 first."""
        every = self.planned.every_s
        for day in self._days:
            here = day.planned.layout
            for zone, held in enumerate(here.held):
                if len(held) == 1 and zone not in here.waiting:
                    self._record(day, 0.0, "recount", {"zone": here.zones[zone], "count": 0, "counted_at_us": self._us(0.0)})
            self._act(day, -1.0, 0.0)
        self._decide(0.0)
        yield 0.0
        for k in range(self._ticks):
            now = (k + 1) * every
            for between in self._betweens:
                between.announce(now)
            for day in self._days:
                self._live(day, k, now)
            for between in self._betweens:
                between.collect()
            self._decide(now)
            if now % MINUTE_S < every:
                self._remember_band(now)
                for day in self._days:
                    day.reports += [controller.report(now) for controller in day.controllers]
            yield now

    @property
    def worlds(self) -> list[World]:
        """The people of each day, in the order of the days."""
        return [day.world for day in self._days]

    def _live(self, day: _Replicate, k: int, now: float) -> None:
        world, before = day.world, now - self.planned.every_s
        for gate, controller in enumerate(day.controllers):
            setting = controller.at(before)
            if setting is not None:
                world.set_gate(gate, setting, before)
                day.settings.append((before, day.planned.layout.gates[gate], str(setting)))
        while day.links and day.links[0][0] <= before:
            _, link, way = day.links.pop(0)
            world.lead(link, way)
        crossings, people = world.advance(now), world.in_zones()
        for crossing in crossings:
            if crossing.kind == GATE:
                day.controllers[crossing.place].passes(crossing.way)
        day.sensors.see(crossings, people, now)
        for m in day.sensors.heard(now):
            self._rows.append(
                (m.kind, m.counter, m.at + self.planned.start_us, m.received + self.planned.start_us, m.ingress, m.egress, m.headcount)
            )
        self._answer(day, now)
        day.inside[k], day.outside[k] = people, world.outside

    def _answer(self, day: _Replicate, now: float) -> None:
        while day.answers and day.answers[0][0] <= now:
            _, incident = day.answers.pop(0)
            no = float(day.answering.random()) < day.planned.scenario.operators.decline
            self._record(day, now, "confirm", {"incident": incident, "answer": "no" if no else "yes"})
        self._act(day, now - self.planned.every_s, now)
        often = day.planned.round_s
        if often is not None and now % often < self.planned.every_s:
            layout = day.planned.layout
            for zone, held in enumerate(layout.held):
                if len(held) == 1 and zone not in layout.waiting:
                    count = max(0, round(day.world.inside[zone] * (1 + COUNTED_BY_HAND * float(day.counting.standard_normal()))))
                    self._record(day, now, "recount", {"zone": layout.zones[zone], "count": count, "counted_at_us": self._us(now)})

    def _act(self, day: _Replicate, after: float, now: float) -> None:
        """What the scenario has people in charge do `after` one moment and up to another."""
        for at, kind, fields in day.planned.acts:
            if after < at <= now:
                self._record(day, now, kind, dict(fields))

    # -- the engine -------------------------------------------------------------------------------------------------------------------

    def _us(self, at: float) -> int:
        return self.planned.start_us + round(at * SECOND)

    def _say(self, kind: Kind, at: float, payload: bytes) -> None:
        self._payload[len(self._rows)] = payload
        self._rows.append((int(kind), 0, self._us(at), self._us(at), ABSENT, ABSENT, ABSENT))

    def _record(self, day: _Replicate, at: float, kind: str, fields: dict[str, Any]) -> None:
        """An operator of this day writes a record."""
        day.records += 1
        head = {
            "action": f"{day.records:026d}",
            "type": kind,
            "site": day.site,
            "by": "operator",
            "reason": "simulated",
            "at_us": self._us(at),
        }
        self._say(Kind.ACTION, at, canonical(head | fields))

    def _decide(self, now: float) -> None:
        self._rows.append((int(Kind.TICK), 0, self._us(now), self._us(now), ABSENT, ABSENT, ABSENT))
        n = len(self._rows)
        kind, counter, at, received, ingress, egress, headcount = np.array(self._rows, np.int64).T
        absent: Ints = np.full(n, ABSENT, np.int64)
        block = Block(
            self._first,
            kind.astype(np.uint8),
            counter.astype(np.int32),
            at,
            received,
            absent,
            np.zeros(n, np.int32),
            ingress,
            egress,
            headcount,
            self._payload,
        )
        self._first, self._rows, self._payload = self._first + n, [], {}
        for entry in self._deciding.feed(block):
            if entry.kind in CAUGHT and entry.chain in self._by_site:
                self._hear(self._by_site[entry.chain], entry, json.loads(entry.body), now)

    def _hear(self, day: _Replicate, entry: Entry, body: dict[str, Any], now: float) -> None:
        layout = day.planned.layout
        match entry.kind:
            case EntryKind.COMMAND:
                setting = self._deciding.taken(entry)
                if setting is not None:
                    day.controllers[layout.gates.index(body["gate"])].command(setting, now)
                day.commands.append((now, body["gate"], body["setting"]))
            case EntryKind.DEVICE if body["device"] == "link":
                way = {"one_way": 0, "one_way_back": 1}.get(str(body["state"]))
                day.links.append((now + day.planned.carry_out_s, layout.links.index(body["name"]), way))
            case EntryKind.TRANSITION:
                day.stages.append((now, body["plan"], body["to"]))
            case EntryKind.INCIDENT:
                if body["state"] == "raised":
                    day.alerts.append((now, body["what"], body["level"]))
                if body["what"] == "confirmation_needed" and body["state"] == "raised":
                    day.answers.append((now + day.planned.answer_s, body["incident"]))

    def _remember_band(self, now: float) -> None:
        minute = int(now // MINUTE_S) - 1
        for day in self._days:
            day.lower[minute], day.upper[minute] = zip(*self._deciding.bands(day.site, day.planned.layout.zones), strict=True)
            day.truth[minute] = day.world.in_zones()

    # -- the end ----------------------------------------------------------------------------------------------------------------------

    def _ended(self, day: _Replicate, went_on: int, arrived: int) -> Day:
        """Everybody goes home through whatever leads out, and the day is closed."""
        world, end = day.world, self.planned.lasts_s
        world.close(end)
        world.advance(end + HOME_S)
        got_in = ~np.isnan(world.entered_at)
        return Day(
            seed=day.seed,
            every_s=self.planned.every_s,
            inside=day.inside,
            outside=day.outside,
            lower=day.lower,
            upper=day.upper,
            truth=day.truth,
            waited=world.waited[got_in],
            came=world.came,
            turned_away=world.turned,
            left=world.left,
            still_inside=world.present + world.passing + int(np.count_nonzero(world.state == OUTSIDE)),
            left_at=np.sort(world.left_at[~np.isnan(world.left_at)]),
            stages=day.stages,
            settings=day.settings,
            commands=day.commands,
            alerts=day.alerts,
            reports=day.reports,
            sensing=day.sensors.truth,
            went_on=went_on,
            arrived=arrived,
        )


def _renamed(record: Mapping[str, Any], tails: Mapping[str, str]) -> dict[str, Any]:
    """A site's documents under another name: its own with its tail, as in what its plans say of the others. `tails`: site -> what is added.

    All sites of one day are one group, which no other day is in.
    """
    tail = tails[record["site"]]

    def leaf(said: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**said, "site": f"{said['site']}{tails[said['site']]}"} if said["kind"] == "neighbour" and said["site"] in tails else said

    def part(said: Mapping[str, Any]) -> dict[str, Any]:
        return {**said, "leaves": [leaf(one) for one in said["leaves"]]}

    plans = [
        plan
        | {
            "stages": [part(stage) for stage in plan["stages"]],
            "degraded": [part(rule) for rule in plan["degraded"]],
            "case": None if plan["case"] is None else part(plan["case"]),
        }
        for plan in record["plans"]
    ]
    name = f"{record['site']}{tail}"
    return dict(record) | {"site": name, "group": name if len(tails) == 1 else f"{record['group']}{tail}", "plans": plans}
