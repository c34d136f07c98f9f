"""A small generated holiday: people who come, stay and leave, and the counters that see them.

It is a demonstration, not the laboratory: one zone with a bridge in it, no walking, no crush. People arrive in groups, pick a gate that leads in
at that moment, stay a while and leave by a gate that leads out. Where no gate leads in most turn away at the sign, the rest wait and in time give
up. So the plan's commands change who gets in, a minute or two after they were given.

The counters are those of the site document, of whatever kind, with honest faults: they miss people, a camera's errors drift, a turnstile falls
silent over noon, another sends messages twice, the clock of a third is wrong once. Everything follows from the seed; the waves and the habits
are made up so that a day shows every stage.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from flowwatch.core.gates import Mode, Setting
from flowwatch.core.readings import OUTSIDE

STEP_S: Final = 10
"""Seconds between messages of a turnstile, and between the demo's ticks."""
MEAN_STAY_MIN: Final = 75.0
LIGHTS_OUT: Final = 21.0
"""The hour at which the lanterns go out."""
GOING_HOME: Final = 0.004
"""Share of those still inside who set out for home in each step after that."""
HURRIED: Final = 0.0015
"""Share of those inside who leave early in each step because they are asked to."""
TURN_AWAY: Final = 0.7
"""Share of newcomers who turn away when no gate leads in, as the announcement asks; the others wait."""
PATIENCE_MIN: Final = 12.0
"""Mean patience of those who wait outside."""
MISSED: Final = 0.01
"""Share of people whom a turnstile misses (good devices count 95-98 %; 99 % keeps the demonstration's band readable)."""
COUNTED_BY_HAND: Final = 0.01
"""Standard deviation of a count by hand, as a share of the people."""
ON_BRIDGE: Final = 0.12
"""Share of the people inside who are on the bridge."""
REACTION_MIN: Final = 2
"""Minutes until a gate command is carried out by the people at the gate."""
GROUP: Final = (0.52, 0.28, 0.12, 0.08)
"""Groups of one to four."""

SILENT: Final = (5, 160, 185)
"""The place in the document of the turnstile whose cable is out, and from and until which minute of the day."""
REPEATED: Final = (1, (97, 301, 560))
"""The place of the turnstile whose gateway sends a message twice, and the minutes at which it does."""
AHEAD: Final = (2, 327)
"""The place of the turnstile whose clock is five minutes ahead for one message, and the minute of that message."""


def arrivals_per_min(hour: float) -> float:
    """People a minute who come at this hour: a wave before noon, and a steeper one for the evening's lanterns."""
    strollers = 5.0 if hour < LIGHTS_OUT - 0.25 else 0.0
    return strollers + 27 * float(np.exp(-(((hour - 11.2) / 1.4) ** 2))) + 64 * float(np.exp(-(((hour - 18.3) / 0.85) ** 2)))


@dataclass
class Holiday:
    """One day at one site; `site` is its compiled record."""

    site: Mapping[str, Any]
    seed: int
    opens: datetime
    closes: datetime
    inside: int = 40
    """People inside: when the day begins those who open the shops."""
    on_bridge: int = 0
    waiting: int = 0
    came: int = 0
    """People who passed a gate inward."""
    turned_away: int = 0
    """People who came and did not get in: they turned away at once, or waited and gave up."""
    peak: int = 0
    _leaves: list[float] = field(default_factory=list)
    _totals: dict[str, list[int]] = field(default_factory=dict)
    _orders: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.modes: dict[str, str] = {g["gate"]: Mode.BOTH for g in self.site["gates"]}
        self.gates = [g for g in self.site["gates"] if OUTSIDE in (g["from"], g["to"])]
        self._places = {c["counter"]: i for i, c in enumerate(c for c in self.site["counters"] if c["gate"] is not None)}
        self._leaves = [float(m) for m in self.random.uniform(20, 180, self.inside)]
        self._camera = 0.0
        self.on_bridge = int(self.inside * ON_BRIDGE)

    @property
    def minutes(self) -> int:
        """How long the day is."""
        return int((self.closes - self.opens).total_seconds()) // 60

    def order(self, minute: int, modes: Mapping[str, str]) -> None:
        """The plan asks for `modes` (gate -> setting); the people at the gates turn them a little later."""
        self._orders.append((minute + REACTION_MIN, dict(modes)))

    def people(self, zone: Mapping[str, Any]) -> int:
        """How many people are in one of the site's zones."""
        return self.inside if zone["inside"] is None else self.on_bridge

    def count_by_hand(self, zone: Mapping[str, Any]) -> int:
        """What people who go round and count would say."""
        return max(0, round(self.people(zone) * float(self.random.normal(1, COUNTED_BY_HAND))))

    def minute(self, minute: int) -> Iterator[tuple[datetime, list[bytes]]]:
        """Live through one minute: for each step its end and the messages that the counters send then."""
        while self._orders and self._orders[0][0] <= minute:
            self.modes |= self._orders.pop(0)[1]
        for step in range(60 // STEP_S):
            now = minute + step * STEP_S / 60
            at = self.opens + timedelta(minutes=now, seconds=STEP_S)
            through = self._walk_gates(now) | self._walk_links()
            yield at, [line for counter in self.site["counters"] for line in self._messages(counter, at, minute, step, through)]

    def _lanes(self, way: str) -> dict[str, float]:
        """Lanes that lead in or out, by gate."""
        lanes = {}
        for gate in self.gates:
            setting = Setting.parse(self.modes[gate["gate"]])
            share = setting.ingress_share if way == "in" else setting.egress_share
            if share:
                lanes[gate["gate"]] = gate["lanes"] * share
        return lanes

    def _spread(self, people: int, lanes: Mapping[str, float]) -> dict[str, int]:
        share = np.array(list(lanes.values()))
        return dict(zip(lanes, self.random.multinomial(people, share / share.sum()).tolist(), strict=True)) if lanes else {}

    def _some(self, people: int, share: float) -> int:
        return int(self.random.binomial(max(people, 0), share))

    def _walk_gates(self, now: float) -> dict[str, tuple[int, int]]:
        """Let people come and go for one step; people through each gate: name -> (in, out)."""
        entrances, exits = self._lanes("in"), self._lanes("out")
        lane_per_step = self.gates[0]["lane_per_min"] * STEP_S / 60
        hour = self.opens.hour + self.opens.minute / 60 + now / 60
        entering = self._queue(hour, int(sum(entrances.values()) * lane_per_step), open_=bool(entrances))
        self._leaves.sort()
        done = int(np.searchsorted(self._leaves, now, "right"))
        early = self._some(self.inside - done, HURRIED if not entrances else GOING_HOME if hour > LIGHTS_OUT else 0.0)
        leaving = min(done + early, int(sum(exits.values()) * lane_per_step))
        self._leaves = self._leaves[leaving:] + (now + self.random.gamma(2.0, MEAN_STAY_MIN / 2, entering)).tolist()
        self.inside = len(self._leaves)
        self.came += entering
        self.peak = max(self.peak, self.inside)
        into, out = self._spread(entering, entrances), self._spread(leaving, exits)
        return {g: (into.get(g, 0), out.get(g, 0)) for g in self.modes}

    def _queue(self, hour: float, capacity: int, *, open_: bool) -> int:
        """Newcomers, the people who wait, and how many of them get in this step through entrances that let `capacity` pass."""
        groups = int(self.random.poisson(arrivals_per_min(hour) / (1 + np.arange(4) @ GROUP) * STEP_S / 60))
        newcomers = int(self.random.choice(4, groups, p=GROUP).sum()) + groups
        at_once = 0 if open_ else self._some(newcomers, TURN_AWAY)
        self.waiting += newcomers - at_once
        entering = min(self.waiting, capacity)
        self.waiting -= entering
        tired = self._some(self.waiting, 1 - float(np.exp(-STEP_S / 60 / PATIENCE_MIN)))
        self.waiting -= tired
        self.turned_away += at_once + tired
        return entering

    def _walk_links(self) -> dict[str, tuple[int, int]]:
        """Let people walk on and off the bridge for one step: link -> (in, out)."""
        links = [link["link"] for link in self.site["links"]]
        if not links:
            return {}
        onto = min(self._some(self.inside, 0.02), max(self.inside - self.on_bridge, 0))
        off = self._some(self.on_bridge, 0.02 / ON_BRIDGE)
        self.on_bridge += onto - off
        share = [1 / len(links)] * len(links)
        ways = zip(self.random.multinomial(onto, share).tolist(), self.random.multinomial(off, share).tolist(), strict=True)
        return dict(zip(links, ways, strict=True))

    def _messages(
        self, counter: Mapping[str, Any], at: datetime, minute: int, step: int, through: Mapping[str, tuple[int, int]]
    ) -> Iterator[bytes]:
        name = f"{self.site['site']}/{counter['counter']}"
        if counter["zone"] is not None:
            every = max(STEP_S, counter["every_us"] // 1_000_000)
            if (minute * 60 + step * STEP_S) % every == 0:
                yield _line(name, at, inside=self._in_view(counter))
            return
        passed = through.get(counter["gate"] or counter["link"], (0, 0))
        people_in, people_out = (self._some(n, 1 - MISSED) for n in passed)
        if counter["counts"] == "cumulative":
            total = self._totals.setdefault(name, [int(n) for n in self.random.integers(1000, 900_000, 2)])
            modulus = counter["modulus"] or 10**12
            total[:] = [(total[0] + people_in) % modulus, (total[1] + people_out) % modulus]
            counts = {"in_total": total[0], "out_total": total[1]}
        else:
            counts = {"in": people_in, "out": people_out}
        place = self._places.get(counter["counter"])
        if place == SILENT[0] and SILENT[1] <= minute < SILENT[2]:
            return
        if place == AHEAD[0] and (minute, step) == (AHEAD[1], 3):
            yield _line(name, at + timedelta(minutes=5), **counts)
            return
        yield _line(name, at, **counts)
        if place == REPEATED[0] and minute in REPEATED[1] and step == 0:
            yield _line(name, at, **counts)

    def _in_view(self, counter: Mapping[str, Any]) -> int:
        """What a camera counts: a share of the people, with an error that drifts slowly."""
        self._camera = 0.97 * self._camera + 0.03 * float(self.random.normal())
        zone = next(z for z in self.site["zones"] if z["zone"] == counter["zone"])
        error = 1 + counter["camera_error_ppm"] / 1e6 * (self._camera + 0.1 * float(self.random.normal()))
        return max(0, round(float(self.people(zone) * counter["coverage_ppm"] / 1e6 * error)))


def _line(counter: str, at: datetime, **counts: int) -> bytes:
    return json.dumps({"counter": counter, "at": at.isoformat(), **counts}).encode() + b"\n"
