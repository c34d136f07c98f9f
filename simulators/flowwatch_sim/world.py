"""A day at a site, person by person: what people do at the gates as they are set.

Somebody comes to an entrance, waits in its queue, passes a lane, walks from zone to zone as they please, stays, walks to an exit, passes a lane
and is gone. How fast they walk depends on how many walk there (`walking.py`); a lane serves one at a time (`lanes.py`); a link passes what its
width passes, first come first served. Who finds the entrance shut goes to another, waits, or turns away; nobody is lost: at every moment

    came = before entrances + walking between them + in lanes inward + inside + left + turned away.

Everything is an event at its exact time; only what is set from outside (`set_gate`, `lead`, `close`) and what is read (`advance`) has steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from flowwatch.core.settings import Setting
from flowwatch_sim.lanes import IN, NEVER, OUT, Lanes
from flowwatch_sim.layout import FREE, GATE, LINK, STREET, Hop, Layout
from flowwatch_sim.people import People
from flowwatch_sim.walking import FINE, Diagram

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

COMES, WALKS, GIVES_UP, HOPS, LEAVES, QUEUES, THROUGH, WAKES = range(8)
"""What an event is: comes to an entrance, has got to another one, has waited long enough; has passed a link, ends a stay, reaches an exit from
within, is through a lane; a gate may let in the next."""
AWAY, OUTSIDE, INSIDE, LEFT, TURNED = range(5)
"""Where somebody is: not here yet, outside, inside, gone home, turned away."""
FULL_SHARE: Final = 0.9
"""Nobody squeezes into a zone that is this full of its jam density."""
RETRY_S: Final = 30.0
"""Who finds no way on looks again after this."""
SLOWEST: Final = 0.05
"""The share of their speed that people keep in any crowd: they shuffle."""
LINK_M: Final = 20.0
"""Metres of a link whose length nobody said."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What people do and how big things are, where the site's documents do not say."""

    diagram: Diagram
    reroute: float = 0.3
    """Share of those at a shut entrance who go to another one that is open."""
    balk: float = 0.3
    """Share of those who turn away at once; the others wait as long as their patience lasts."""
    between_gates_s: float = 120.0
    """The way from one gate to another, outside or inside."""
    clearing_s: float = 20.0
    """How long a lane stands still when it is turned round."""
    lengths: Mapping[str, float] = field(default_factory=dict)
    """Link -> metres; `LINK_M` where it is not said."""
    opposing: float = 1.0
    """How much those who come the other way count in a link's density."""


class Crossing(NamedTuple):
    """Somebody passed a gate or link: when, which ("gate" or "link", and its index), and which way (0 from `from` to `to`)."""

    at: float
    kind: str
    place: int
    way: int


class World:
    """One day of one site. Times are seconds from the scenario's start."""

    def __init__(self, layout: Layout, people: People, habits: Habits) -> None:
        n = len(people)
        self.layout, self.people, self.habits = layout, people, habits
        self.inside = [0] * len(layout.zones)
        """People in each zone, those in zones within it included."""
        self.outside = [0] * len(layout.gates)
        """People who wait before each entrance."""
        self.came = self.left = self.turned = self.walking = self.passing = 0
        """`walking`: outside, on their way from one entrance to another; `passing`: in a lane inward."""
        self.state: Bytes = np.zeros(n, np.uint8)
        self.entered_at, self.left_at, self.waited = (np.full(n, np.nan) for _ in range(3))
        """`waited`: how long each stood outside until they were in the lane, or turned away."""
        self.crossings: list[Crossing] = []
        self.led: dict[int, int] = {}
        self.settings = [Setting.parse("both")] * len(layout.gates)
        self.lanes = [
            (Lanes(lanes, IN, clearing_s=habits.clearing_s), Lanes(lanes, OUT, clearing_s=habits.clearing_s)) for lanes in layout.lanes
        ]
        for ways, setting in zip(self.lanes, self.settings, strict=True):
            for lanes in ways:
                lanes.set(setting, -habits.clearing_s)
        self._service = [((60.0 / rate * people.into).tolist(), (60.0 / rate * people.out).tolist()) for rate in layout.rate]
        self._events: list[tuple[float, int, int, int]] = [(t, i, COMES, i) for i, t in enumerate(people.came.tolist())]
        heapify(self._events)
        self._number = n
        self._due = list(range(n))
        """Person -> the number of the one event that moves them on; an older one means nothing any more."""
        self._zone, self._gate = [STREET] * n, people.gate.tolist()
        self._next_stay, self._stay_s = [0] * n, [0.0] * n
        self._path: list[list[Hop]] = [[] for _ in range(n)]
        self._queued = [False] * n
        """Person -> whether they stand in the queue of an entrance."""
        self._bound = [False] * n
        """Person -> whether they are on their way home."""
        self._on_link = [[0, 0] for _ in layout.links]
        self._link_free = [[0.0, 0.0] for _ in layout.links]
        self._ways: dict[int, dict[int, list[Hop]]] = {}
        self._luck, self._speed = people.luck.tolist(), people.speed.tolist()
        self._patience, self._came_at = people.patience.tolist(), people.came.tolist()
        self._wakes = [[NEVER, NEVER] for _ in layout.gates]
        self._room = [int(FULL_SHARE * habits.diagram.jam * area) for area in layout.area]
        self._per_area = [FINE / area for area in layout.area]
        self._across: list[float] = [0.5 * float(area**0.5) for area in layout.area]
        """Zone -> metres across half of it."""
        self._shares = [max(share, SLOWEST) for share in habits.diagram.shares()]
        self._closed = False

    @property
    def present(self) -> int:
        """Everybody inside."""
        return sum(count for count, held in zip(self.inside, self.layout.held, strict=True) if len(held) == 1)

    # -- what others do to it ---------------------------------------------------------------------------------------------------------

    def set_gate(self, gate: int, setting: Setting, now: float) -> None:
        """A gate is set. People who queue inside, where it leads their way no more, look for another way."""
        if setting == self.settings[gate]:
            return
        self.settings[gate] = setting
        self._ways.clear()
        for way, lanes in enumerate(self.lanes[gate]):
            lanes.set(setting, now)
            self._wakes[gate][way] = NEVER
            self._pull(gate, way, now)
        for way, lanes in enumerate(self.lanes[gate]):
            inside = not (self.layout.outer[gate] and way == self.layout.street(gate))
            if inside and not lanes.open:
                for _, who in lanes.queue:
                    self._path[who] = []
                    self._push(now + self.habits.between_gates_s, LEAVES, who)
                lanes.queue.clear()

    def lead(self, link: int, way: int | None) -> None:
        """People are led one way on a link, or (None) both ways again."""
        self.led.pop(link, None)
        if way is not None:
            self.led[link] = way
        self._ways.clear()

    def close(self, now: float) -> None:
        """The day is over: nobody more comes in, and everybody inside sets out for home."""
        self._closed = True
        for who in np.flatnonzero(self.state == OUTSIDE).tolist():
            self._gives_up(now, who)
        for who in np.flatnonzero(self.state == INSIDE).tolist():
            if not self._path[who] and not self._bound[who] and self._zone[who] != STREET:
                self._push(now, LEAVES, who)

    def advance(self, until: float) -> list[Crossing]:
        """Let time run to `until`; whoever passed a gate or link meanwhile, in order of time."""
        self.crossings = []
        events, due, act = self._events, self._due, (self._comes, self._comes, self._gives_up, self._ends_hop, self._moves_on, self._queues)
        while events and events[0][0] < until:
            at, number, what, who = heappop(events)
            if what == WAKES:
                self._wakes[who >> 1][who & 1] = NEVER
                self._pull(who >> 1, who & 1, at)
            elif what == THROUGH:
                self._through(at, who)
            elif what == GIVES_UP or due[who] == number:
                act[what](at, who)
        return self.crossings

    def _push(self, at: float, what: int, who: int) -> None:
        self._number += 1
        self._due[who] = self._number
        heappush(self._events, (at, self._number, what, who))

    def _tell(self, at: float, what: int, who: int) -> None:
        """An event that does not put an end to what somebody is about."""
        self._number += 1
        heappush(self._events, (at, self._number, what, who))

    # -- outside ----------------------------------------------------------------------------------------------------------------------

    def _comes(self, at: float, who: int) -> None:
        gate, first = self._gate[who], self.state[who] == AWAY
        if first:
            self.came += 1
        else:
            self.walking -= 1
        if self._closed:
            self._turn_away(at, who)
            return
        self.state[who] = OUTSIDE
        if first and not self._entrance(gate).open and self._looks_elsewhere(at, who, gate):
            return
        self._entrance(gate).queue.append((at, who))
        self.outside[gate] += 1
        self._queued[who] = True
        self._tell(at + self._patience[who], GIVES_UP, who)
        self._pull(gate, self.layout.street(gate), at)

    def _entrance(self, gate: int) -> Lanes:
        return self.lanes[gate][self.layout.street(gate)]

    def _looks_elsewhere(self, at: float, who: int, gate: int) -> bool:
        """Before a shut entrance: turn away, or go to one that is open."""
        luck, habits = self._luck[who][0], self.habits
        if luck < habits.balk:
            self._turn_away(at, who)
            return True
        others = [g for g in range(len(self.lanes)) if g != gate and self.layout.outer[g] and self._entrance(g).open]
        if not others or luck >= habits.balk + habits.reroute:
            return False
        self._gate[who] = others[int((luck - habits.balk) / habits.reroute * len(others))]
        self.walking += 1
        self._push(at + habits.between_gates_s, WALKS, who)
        return True

    def _gives_up(self, at: float, who: int) -> None:
        if self._queued[who]:
            self._queued[who] = False
            self.outside[self._gate[who]] -= 1
            self._turn_away(at, who)

    def _turn_away(self, at: float, who: int) -> None:
        self.state[who], self.waited[who] = TURNED, at - self._came_at[who]
        self.turned += 1

    # -- gates ------------------------------------------------------------------------------------------------------------------------

    def _pull(self, gate: int, way: int, now: float) -> None:
        """Let into the lanes whoever may start now, and come back when the next one may."""
        lanes, service = self.lanes[gate][way], self._service[gate][way]
        street = self.layout.outer[gate] and way == self.layout.street(gate)
        target = self.layout.ends[gate][1 - way]
        while lanes.queue:
            if street and not self._queued[lanes.queue[0][1]]:
                lanes.queue.popleft()
                continue
            full = target != STREET and self.inside[target] >= self._room[target]
            started = now + RETRY_S if full else lanes.start(now, service)
            if isinstance(started, float):
                if started < self._wakes[gate][way]:
                    self._wakes[gate][way] = started
                    self._tell(started, WAKES, gate << 1 | way)
                return
            end, who = started
            if street:
                self._queued[who] = False
                self.outside[gate] -= 1
                self.passing += 1
                self.state[who], self.waited[who] = INSIDE, now - self._came_at[who]
            self._tell(end, THROUGH, who << 16 | gate << 1 | way)

    def _through(self, at: float, code: int) -> None:
        who, gate, way = code >> 16, code >> 1 & 0x7FFF, code & 1
        self.crossings.append(Crossing(at, GATE, gate, way))
        target = self.layout.ends[gate][1 - way]
        self._enter(who, target)
        if target == STREET:
            self.state[who], self.left_at[who] = LEFT, at
            self.left += 1
        elif self.layout.outer[gate]:
            self.passing -= 1
            self.entered_at[who] = at
            self._moves_on(at, who)
        else:
            self._path[who].pop(0)
            self._goes(at, who)
        self._pull(gate, way, at)

    def _enter(self, who: int, zone: int) -> None:
        before = self._zone[who]
        for z in self.layout.held[before] if before != STREET else ():
            self.inside[z] -= 1
        for z in self.layout.held[zone] if zone != STREET else ():
            self.inside[z] += 1
        self._zone[who] = zone

    # -- inside -----------------------------------------------------------------------------------------------------------------------

    def _moves_on(self, at: float, who: int) -> None:
        """A stay is over: on to the next zone, or home."""
        stays, i = self.people.stays[who], self._next_stay[who]
        if self._closed or self._bound[who] or i >= len(stays):
            self._set_out(at, who)
            return
        zone, stay = stays[i]
        way = self._ways_from(self._zone[who]).get(zone)
        if way is None:
            self._push(at + RETRY_S, LEAVES, who)
            return
        self._next_stay[who], self._stay_s[who], self._path[who] = i + 1, stay, list(way)
        self._goes(at, who)

    def _set_out(self, at: float, who: int) -> None:
        """Home: choose an exit that lets people leave, and walk there."""
        self._bound[who] = True
        layout, ways, luck = self.layout, self._ways_from(self._zone[who]), self._luck[who]
        weights = {
            gate: lanes / (1 + len(ways[layout.inner(gate)]))
            for gate, outer in enumerate(layout.outer)
            if outer and layout.inner(gate) in ways and (lanes := self.lanes[gate][1 - layout.street(gate)].open)
        }
        if not weights:
            self._push(at + RETRY_S, LEAVES, who)
            return
        draw, chosen = luck[1] * sum(weights.values()), -1
        for gate, weight in weights.items():
            chosen, draw = gate, draw - weight
            if draw < 0:
                break
        luck[1] = (luck[1] + luck[2]) % 1.0
        self._gate[who], self._path[who] = chosen, list(ways[layout.inner(chosen)])
        self._goes(at, who)

    def _goes(self, at: float, who: int) -> None:
        """Walk on along the path; at its end stay, or queue at the exit."""
        if self._path[who]:
            kind, index, way, _ = self._path[who][0]
            if kind == GATE:
                self._due[who] = -1
                self.lanes[index][way].queue.append((at, who))
                self._pull(index, way, at)
            elif kind == FREE:
                self._push(at + self._walk_s(who), HOPS, who)
            else:
                self._push(self._link_end(at, who, index, way), HOPS, who)
        elif self._bound[who]:
            self._push(at + self._walk_s(who), QUEUES, who)
        else:
            self._push(at if self._closed else at + self._stay_s[who], LEAVES, who)

    def _link_end(self, at: float, who: int, link: int, way: int) -> float:
        """When somebody who sets out on a link is at its other end: at their speed, after those before them, and as its width passes people."""
        width, there, free = self.layout.link_width[link], self._on_link[link], self._link_free[link]
        metres = self.habits.lengths.get(self.layout.links[link], LINK_M)
        density = (1 + there[way] + self.habits.opposing * there[1 - way]) / (width * metres)
        speed = self._speed[who] * self._shares[min(int(density * FINE), len(self._shares) - 1)]
        free[way] = max(at + metres / speed, free[way] + 1 / (self.habits.diagram.specific_flow * width))
        there[way] += 1
        return free[way]

    def _walk_s(self, who: int) -> float:
        """How long it takes to cross half a zone that is as full as it is."""
        zone = self._zone[who]
        share = self._shares[min(int(self.inside[zone] * self._per_area[zone]), len(self._shares) - 1)]
        return float(self._across[zone] / (self._speed[who] * share))

    def _ends_hop(self, at: float, who: int) -> None:
        kind, index, way, target = self._path[who].pop(0)
        if kind == LINK:
            self._on_link[index][way] -= 1
            self.crossings.append(Crossing(at, LINK, index, way))
        self._enter(who, target)
        self._goes(at, who)

    def _queues(self, at: float, who: int) -> None:
        gate = self._gate[who]
        way = 1 - self.layout.street(gate)
        if self.lanes[gate][way].open:
            self.lanes[gate][way].queue.append((at, who))
            self._pull(gate, way, at)
        else:
            self._push(at + self.habits.between_gates_s, LEAVES, who)

    def _ways_from(self, here: int) -> dict[int, list[Hop]]:
        if here not in self._ways:
            shut = {(g, way) for g, ways in enumerate(self.lanes) for way, lanes in enumerate(ways) if not lanes.open}
            self._ways[here] = self.layout.ways(here, self.led, shut)
        return self._ways[here]
