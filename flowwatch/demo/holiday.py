"""A small generated holiday: people who come, stay and leave, and the counters that see them.

It is a demonstration, not the laboratory: one zone with a bridge in it, no walking, no crush. People arrive in groups, pick a gate that leads in
at that moment, stay a while and leave by a gate that leads out; when no gate leads in they wait outside, and give up after a while. So the plan's
commands change who gets in, a minute or two after they were given.

The counters are those of the site document, of whatever kind, with honest faults: they miss people, a camera's errors drift, a turnstile falls
silent over noon, another sends a message twice, a clock is five minutes ahead. Everything follows from the seed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from flowwatch.core.gates import Mode
from flowwatch.core.readings import OUTSIDE

STEP_S: Final = 10
"""Seconds between messages of a turnstile, and between the demo's ticks."""
MEAN_STAY_MIN: Final = 75.0
GIVE_UP_MIN: Final = 20.0
"""Mean patience of people who wait outside closed entrances."""
MISSED: Final = 0.01
"""Share of people whom a turnstile misses (good devices count 95-98 %, domain.md; 99 % keeps the demonstration's band readable)."""
ON_BRIDGE: Final = 0.12
"""Share of the people inside who are on the bridge."""
REACTION_MIN: Final = 2
"""Minutes until a gate command is carried out by the people at the gate."""
GROUP: Final = (0.52, 0.28, 0.12, 0.08)
"""Groups of one to four (a holiday street's mean is 1.7, simulation.md)."""


def arrivals_per_min(hour: float) -> float:
    """People a minute who come at this hour: a late morning wave and the larger one for the evening's lanterns."""
    return 6 + 31 * float(np.exp(-(((hour - 11.3) / 1.5) ** 2))) + 62 * float(np.exp(-(((hour - 18.6) / 1.35) ** 2)))


@dataclass
class Holiday:
    """One day at one site; `site` is its compiled record."""

    site: Mapping[str, Any]
    seed: int
    opens: datetime
    closes: datetime
    inside: int = 40
    """People inside when the day begins: those who open the shops."""
    waiting: int = 0
    gave_up: int = 0
    peak: int = 0
    _leaves: list[float] = field(default_factory=list)
    _totals: dict[str, list[int]] = field(default_factory=dict)
    _orders: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.modes: dict[str, str] = {g["gate"]: Mode.BOTH for g in self.site["gates"]}
        self.gates = [g for g in self.site["gates"] if OUTSIDE in (g["from"], g["to"])]
        self._leaves = [float(m) for m in self.random.uniform(20, 180, self.inside)]
        self._camera = 0.0
        self.on_bridge = int(self.inside * ON_BRIDGE)

    @property
    def minutes(self) -> int:
        """How long the day is."""
        return int((self.closes - self.opens).total_seconds()) // 60

    def order(self, minute: int, modes: Mapping[str, str]) -> None:
        """The plan asks for `modes`; the people at the gates turn them a little later."""
        self._orders.append((minute + REACTION_MIN, dict(modes)))

    def minute(self, minute: int) -> Iterator[tuple[datetime, list[bytes]]]:
        """Live through one minute: for each step its end and the messages that the counters send then."""
        while self._orders and self._orders[0][0] <= minute:
            self.modes |= self._orders.pop(0)[1]
        for step in range(60 // STEP_S):
            now = minute + step * STEP_S / 60
            at = self.opens + timedelta(minutes=now, seconds=STEP_S)
            through = self._move(now)
            yield at, [line for counter in self.site["counters"] for line in self._messages(counter, at, minute, step, through)]

    def _lanes(self, way: str) -> dict[str, float]:
        """Lanes that lead in or out, by gate."""
        lanes = {}
        for gate in self.gates:
            mode = Mode(self.modes[gate["gate"]])
            if mode.may_enter if way == "in" else mode.may_leave:
                lanes[gate["gate"]] = gate["lanes"] * (0.5 if mode is Mode.BOTH else 1.0)
        return lanes

    def _spread(self, people: int, lanes: Mapping[str, float]) -> dict[str, int]:
        share = np.array(list(lanes.values()))
        return dict(zip(lanes, self.random.multinomial(people, share / share.sum()).tolist(), strict=True)) if lanes else {}

    def _move(self, now: float) -> dict[str, tuple[int, int]]:
        """Let people come and go for one step; people through each gate and over the bridge: name -> (in, out)."""
        hour = self.opens.hour + self.opens.minute / 60 + now / 60
        groups = int(self.random.poisson(arrivals_per_min(hour) / 1.76 * STEP_S / 60))
        self.waiting += int(self.random.choice(4, groups, p=GROUP).sum()) + groups
        entrances = self._lanes("in")
        lane_per_step = self.gates[0]["lane_per_min"] * STEP_S / 60
        entering = min(self.waiting, int(sum(entrances.values()) * lane_per_step))
        self.waiting -= entering
        tired = int(self.random.binomial(self.waiting, 1 - np.exp(-STEP_S / 60 / GIVE_UP_MIN)))
        self.waiting -= tired
        self.gave_up += tired
        asked_out = not entrances
        going = [t for t in self._leaves if t <= now]
        hurried = int(self.random.binomial(len(self._leaves) - len(going), 0.0015)) if asked_out else 0
        leaving = min(len(going) + hurried, int(sum(self._lanes("out").values()) * lane_per_step))
        self._leaves.sort()
        self._leaves = self._leaves[leaving:]
        self._leaves += (now + self.random.gamma(2.0, MEAN_STAY_MIN / 2, entering)).tolist()
        self.inside = len(self._leaves)
        self.peak = max(self.peak, self.inside)
        came, went = self._spread(entering, entrances), self._spread(leaving, self._lanes("out"))
        onto = int(self.random.binomial(max(self.inside - self.on_bridge, 0), 0.02))
        off = int(self.random.binomial(self.on_bridge, 0.02 / ON_BRIDGE * (1 - ON_BRIDGE)))
        self.on_bridge += onto - off
        links = [link["link"] for link in self.site["links"]]
        through = {g: (came.get(g, 0), went.get(g, 0)) for g in self.modes}
        if links:
            for name, people_on, people_off in zip(
                links,
                self.random.multinomial(onto, [1 / len(links)] * len(links)).tolist(),
                self.random.multinomial(off, [1 / len(links)] * len(links)).tolist(),
                strict=True,
            ):
                through[name] = (people_on, people_off)
        return through

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
        people_in, people_out = (int(self.random.binomial(n, 1 - MISSED)) for n in passed)
        number = int("".join(ch for ch in counter["counter"] if ch.isdigit()) or 0)
        if counter["counts"] == "cumulative":
            total = self._totals.setdefault(name, [int(n) for n in self.random.integers(1000, 900_000, 2)])
            modulus = counter["modulus"] or 10**12
            total[:] = [(total[0] + people_in) % modulus, (total[1] + people_out) % modulus]
            line = _line(name, at, in_total=total[0], out_total=total[1])
        else:
            line = _line(name, at, **{"in": people_in, "out": people_out})
        if number == 6 and 215 <= minute < 240:
            return  # its cable is out over noon
        yield line
        if number == 2 and minute % 45 == 7 and step == 0:
            yield line  # the gateway sends a message again
        if number == 3 and minute == 300 and step == 3:
            yield _line(name, at + timedelta(minutes=5), **{"in": 4, "out": 4})  # a clock set wrong

    def _in_view(self, counter: Mapping[str, Any]) -> int:
        """What a camera counts: a share of the people, with an error that drifts slowly."""
        self._camera = 0.97 * self._camera + 0.03 * float(self.random.normal())
        people = self.on_bridge if counter["zone"] == "bridge" else self.inside
        error = 1 + counter["camera_error_ppm"] / 1e6 * (self._camera + 0.1 * float(self.random.normal()))
        return max(0, round(float(people * counter["coverage_ppm"] / 1e6 * error)))


def _line(counter: str, at: datetime, **counts: int) -> bytes:
    return json.dumps({"counter": counter, "at": at.isoformat(), **counts}).encode() + b"\n"
