"""A day at a site, person by person: what people do at the gates as they are set.

Somebody comes to an entrance, waits in its queue, passes a lane, walks from zone to zone as they please, stays, walks to an exit, passes a lane
and is gone. How fast they walk depends on how many walk there (`walking.py`, `links.py`); a lane serves one at a time (`lanes.py`). Who finds
the entrance shut, or sees it shut before them, goes to another, waits, or turns away; nobody is lost: at every moment

    came = before entrances + walking between them + in lanes inward + inside + left + turned away.

Everything is an event at its exact time; only what is set from outside (`set_gate`, `lead`, `close`) and what is read (`advance`) has steps.
What somebody chooses depends on their luck and on what there is to choose, never on what was drawn before; so a gate more takes people from
the others and sends nobody from one to another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop
from math import log
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from flowwatch.core.settings import Setting
from flowwatch_sim.agenda import Agenda
from flowwatch_sim.lanes import NEVER, Lanes
from flowwatch_sim.layout import GATE, LINK, STREET, Hop, Layout
from flowwatch_sim.links import FULL_SHARE, Link, paces
from flowwatch_sim.people import People, chance, steps
from flowwatch_sim.walking import FINE, LEVEL, Diagram

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

COMES, RETURNS, GIVES_UP, GOES, LEAVES, QUEUES, CROSSES, THROUGH, WAKES, OPENS, ENDS = range(11)
"""What an event is. Of a person: comes to an entrance, has got to another one, has waited long enough; goes on, ends a stay, reaches an exit from
within, has crossed into a zone within. Of a gate: somebody is through a lane, the next one may start. Of a link: the next one may enter, the
first one is at its end."""
AWAY, OUTSIDE, INSIDE, LEFT, TURNED = range(5)
"""Where somebody is: not here yet, outside, inside, gone home, turned away."""
RETRY_S: Final = 30.0
"""Who finds no way on looks again after this (assumed)."""
LINK_M: Final = 20.0
"""Metres of a link whose length nobody said (assumed)."""
SOON_S: Final = 1e-9
"""Moments nearer than this are one: what is left of adding up times."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What people do and how big things are, where the site's documents do not say."""

    diagram: Diagram
    reroute: float = 0.3
    """Share of those at a shut entrance who go to another one that is open (assumed)."""
    balk: float = 0.3
    """Share of those who turn away at once; the others wait as long as their patience lasts (assumed)."""
    between_gates_s: float = 120.0
    """The way from one gate to another, outside or inside (assumed)."""
    clearing_s: float = 20.0
    """How long a lane stands still when it is turned round (assumed)."""
    lengths: Mapping[str, float] = field(default_factory=dict)
    """Link -> metres; `LINK_M` where it is not said."""
    stairs: Mapping[str, str] = field(default_factory=dict)
    """Link -> "up" or "down", as its stairs lead from `from` to `to`; level where it is not said."""
    opposing: float = 1.0
    """How much those who come the other way count in a link's density."""


Offer = tuple[float, int, int]
"""(weight, the step of the decision about it (`people.chance`), a thing to choose)."""


class Crossing(Struct, frozen=True, gc=False):
    """Somebody passed a gate or link: when, which ("gate" or "link", and its index), and which way (0 from `from` to `to`)."""

    at: float
    kind: str
    place: int
    way: int


class World:
    """One day of one site. Times are seconds from the scenario's start."""

    def __init__(self, layout: Layout, people: People, habits: Habits) -> None:
        n, gates, diagram = len(people), len(layout.gates), habits.diagram
        self.layout, self.people, self.habits = layout, people, habits
        self.inside = [0] * len(layout.zones)
        """People in each zone, those in zones within it included."""
        self.outside = [0] * gates
        """People who wait before each entrance."""
        self.came = self.left = self.turned = self.walking = self.passing = 0
        """`walking`: outside, on their way from one entrance to another; `passing`: in a lane inward."""
        self.state: Bytes = np.zeros(n, np.uint8)
        self.entered_at, self.left_at, self.waited = (np.full(n, np.nan) for _ in range(3))
        """`waited`: how long each was outside until they were in a lane, or turned away."""
        self.crossings: list[Crossing] = []
        self.leavers: list[tuple[float, int, int]] = []
        """(when, gate, person) of those who left since the last `advance`."""
        self.led: dict[int, int] = {}
        self.settings = [Setting.parse("in" if entrance else "both") for entrance in layout.entrance_only]
        self.lanes = [
            Lanes(lanes, clearing_s=habits.clearing_s, width_s=1 / (diagram.specific_flow * width))
            for lanes, width in zip(layout.lanes, layout.width, strict=True)
        ]
        for lanes, setting in zip(self.lanes, self.settings, strict=True):
            lanes.set(setting, -habits.clearing_s)
        lengths = [habits.lengths.get(link, LINK_M) for link in layout.links]
        self.links = [
            Link(metres, width, diagram, opposing=habits.opposing, slope=habits.stairs.get(link, LEVEL))
            for link, metres, width in zip(layout.links, lengths, layout.link_width, strict=True)
        ]
        self.mouths: list[tuple[deque[int], deque[int]]] = [(deque(), deque()) for _ in layout.links]
        """Link -> who waits at either end."""
        self._last = [0] * len(layout.links)
        """Link -> the way that the last one entered."""
        self._opens = [NEVER] * len(layout.links)
        self._wakes = [[NEVER, NEVER] for _ in layout.gates]
        """When the next event of a gate or link is due (`Link.due` for its ends); an event at another time means nothing any more."""
        self._service = [((60.0 / rate * people.into).tolist(), (60.0 / rate * people.out).tolist()) for rate in layout.rate]
        self._agenda = Agenda()
        self._push = self._agenda.note
        for who, at in enumerate(people.came.tolist()):
            self._push(at, COMES, who)
        self._zone, self._goal, self._gate = [STREET] * n, [STREET] * n, people.gate.tolist()
        self._next_stay, self._stay_s = [0] * n, [0.0] * n
        self._queued = [False] * n
        """Person -> whether they stand in the queue of an entrance."""
        self._bound = [False] * n
        """Person -> whether they are on their way home."""
        self._onward: dict[int, dict[int, tuple[int, list[Hop]]]] = {}
        self._exits: dict[int, list[Offer]] = {}
        """Ways to each zone, and exits from it, as they are now."""
        self._street = [layout.street(gate) if outer else -1 for gate, outer in enumerate(layout.outer)]
        """Gate -> the way in from the street; -1 for one within."""
        self._luck, self._speed = people.luck.tolist(), people.speed.tolist()
        self._came_at, self._gives_up_at = people.came.tolist(), (people.came + people.patience).tolist()
        self._steps = steps(1 + gates + 2 * len(layout.links))
        """What decides: first whether to wait, then about each gate, then about each link and way."""
        self._moves = layout.moves
        self._room = [int(FULL_SHARE * diagram.jam * area) for area in layout.area]
        self._per_area = [FINE / area for area in layout.area]
        self._across: list[float] = [0.5 * float(area**0.5) for area in layout.area]
        """Zone -> metres across half of it."""
        self._paces = paces(diagram)
        self._closed, self._now = False, 0.0

    @property
    def present(self) -> int:
        """Everybody inside."""
        return sum(count for count, held in zip(self.inside, self.layout.held, strict=True) if len(held) == 1)

    # -- what others do to it ---------------------------------------------------------------------------------------------------------

    def set_gate(self, gate: int, setting: Setting, now: float) -> None:
        """A gate is set. People who queue where it leads their way no more look for another way."""
        if setting == self.settings[gate]:
            return
        self.settings[gate] = setting
        lanes = self.lanes[gate]
        lanes.set(setting, now)
        self._exits.clear()
        if not self.layout.outer[gate]:
            self._onward.clear()
        for way, queue in enumerate(lanes.queues):
            self._wakes[gate][way] = NEVER
            if lanes.leads(way):
                self._pull(gate, way, now)
                continue
            waiting = list(queue)
            queue.clear()
            for who in waiting:
                if way != self._street[gate]:
                    self._looks_again(now, who)
                elif self._queued[who]:
                    self._queued[who] = False
                    self.outside[gate] -= 1
                    if not self._looks_elsewhere(now, who):
                        self._lines_up(now, who)

    def lead(self, link: int, way: int | None) -> None:
        """People are led one way on a link, or (None) both ways again; who is on it walks on, who waits before it looks for another way."""
        self.led.pop(link, None)
        self._exits.clear()
        self._onward.clear()
        if way is not None:
            self.led[link] = way
            waiting = self.mouths[link][1 - way]
            for who in waiting:
                self._looks_again(self._now, who)
            waiting.clear()

    def close(self, now: float) -> None:
        """The day is over: nobody more comes in, and everybody inside sets out for home."""
        self._closed = True
        for who in np.flatnonzero(self.state == OUTSIDE).tolist():
            self._gives_up(now, who)
        for who in np.flatnonzero(self.state == INSIDE).tolist():
            if STREET != self._zone[who] == self._goal[who]:
                self._push(now, LEAVES, who)

    def arrives(self, who: int, at: float) -> None:
        """Somebody whom nobody knew when to expect (`people.came` is `NEVER`) comes to their entrance at `at`, which is not over yet."""
        self._came_at[who], self._gives_up_at[who] = at, at + float(self.people.patience[who])
        self._push(at, COMES, who)

    def advance(self, until: float) -> list[Crossing]:
        """Let time run to `until`; whoever passed a gate or link meanwhile, in order of time."""
        self.crossings, self.leavers = [], []
        act = (
            *(self._comes, self._returns, self._gives_up, self._goes, self._leaves, self._queues),
            *(self._crosses, self._through, self._wakes_up, self._opens_up, self._at_end),
        )
        while (soon := self._agenda.soon()) and soon[0][0] < until:
            while soon and soon[0][0] < until:
                at, _, what, which = heappop(soon)
                act[what](at, which)
        self._now = until
        return self.crossings

    def in_zones(self) -> list[int]:
        """People in each zone, with those who wait before an entrance in the zone outside it."""
        people = list(self.inside)
        for zone, gate in self.layout.waiting.items():
            people[zone] = self.outside[gate]
        return people

    def _choose(self, who: int, offers: Iterable[Offer]) -> int:
        """What somebody takes: each thing with the chance of its share of the weight."""
        luck = self._luck[who]
        return min([(-log(chance(luck, step)) / weight, thing) for weight, step, thing in offers])[1]

    # -- outside ----------------------------------------------------------------------------------------------------------------------

    def _comes(self, at: float, who: int) -> None:
        self.came += 1
        self.state[who] = OUTSIDE
        if self._closed:
            self._turn_away(at, who)
        elif self.lanes[self._gate[who]].leads(self._street[self._gate[who]]) or not self._looks_elsewhere(at, who):
            self._lines_up(at, who)

    def _returns(self, at: float, who: int) -> None:
        self.walking -= 1
        if self._closed:
            self._turn_away(at, who)
        else:
            self._lines_up(at, who)

    def _lines_up(self, at: float, who: int) -> None:
        gate = self._gate[who]
        way = self._street[gate]
        self.lanes[gate].queues[way].append(who)
        self.outside[gate] += 1
        self._queued[who] = True
        self._pull(gate, way, at)
        if self._queued[who]:
            self._push(max(at, self._gives_up_at[who]), GIVES_UP, who)

    def _looks_elsewhere(self, at: float, who: int) -> bool:
        """Before a shut entrance: turn away, or go to one that is open."""
        luck, habits = chance(self._luck[who], self._steps[0]), self.habits
        if luck < habits.balk:
            self._turn_away(at, who)
            return True
        outer = [gate for gate, outer in enumerate(self.layout.outer) if outer]
        offers = [(lanes, self._steps[1 + g], g) for g in outer if (lanes := self.lanes[g].leads(self._street[g]))]
        if not offers or luck >= habits.balk + habits.reroute:
            return False
        self._gate[who] = self._choose(who, offers)
        self.walking += 1
        self._push(at + habits.between_gates_s, RETURNS, who)
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
        lanes, service, ends = self.lanes[gate], self._service[gate][way], self.layout.ends[gate]
        queue, street = lanes.queues[way], way == self._street[gate]
        while queue:
            if street and not self._queued[queue[0]]:
                queue.popleft()
                continue
            started = lanes.start(way, now, service) if self._has_room(ends[way], ends[1 - way]) else now + RETRY_S
            if isinstance(started, float):
                if started < self._wakes[gate][way]:
                    self._wakes[gate][way] = started
                    self._push(started, WAKES, gate << 1 | way)
                return
            end, who = started
            if street:
                self._queued[who] = False
                self.outside[gate] -= 1
                self.passing += 1
                self.state[who], self.waited[who] = INSIDE, now - self._came_at[who]
            self._push(end, THROUGH, who << 16 | gate << 1 | way)

    def _wakes_up(self, at: float, code: int) -> None:
        gate, way = code >> 1, code & 1
        if self._wakes[gate][way] == at:
            self._wakes[gate][way] = NEVER
            self._pull(gate, way, at)

    def _through(self, at: float, code: int) -> None:
        who, gate, way = code >> 16, code >> 1 & 0x7FFF, code & 1
        self.crossings.append(Crossing(at, GATE, gate, way))
        target = self.layout.ends[gate][1 - way]
        self._enter(who, target)
        if target == STREET:
            self.state[who], self.left_at[who] = LEFT, at
            self.left += 1
            self.leavers.append((at, gate, who))
        elif self.layout.outer[gate]:
            self.passing -= 1
            self.entered_at[who] = at
            self._leaves(at, who)
        else:
            self._goes(at, who)
        self._pull(gate, way, at)

    # -- inside -----------------------------------------------------------------------------------------------------------------------

    def _has_room(self, before: int, zone: int) -> bool:
        """Whether one more from zone `before` has room in `zone` and in those that it lies in."""
        for z in self._moves[before][zone][1]:  # noqa: SIM110 - it takes half the time of `all`
            if self.inside[z] >= self._room[z]:
                return False
        return True

    def _enter(self, who: int, zone: int) -> None:
        left, entered = self._moves[self._zone[who]][zone]
        for z in left:
            self.inside[z] -= 1
        for z in entered:
            self.inside[z] += 1
        self._zone[who] = zone

    def _leaves(self, at: float, who: int) -> None:
        """A stay is over: on to the next zone that there is a way to, or home."""
        if self._bound[who]:
            return
        stays, here = self.people.stays[who], self._zone[who]
        while not self._closed and (i := self._next_stay[who]) < len(stays):
            self._next_stay[who] = i + 1
            goal, self._stay_s[who] = stays[i]
            if here == goal or here in self._to(goal):
                self._goal[who] = goal
                self._goes(at, who)
                return
        self._bound[who] = True
        self._sets_out(at, who)

    def _sets_out(self, at: float, who: int) -> None:
        """Home: choose an exit that lets people leave, and walk there; the more lanes it has and the nearer it is, the sooner."""
        here = self._zone[who]
        if here not in self._exits:
            self._exits[here] = self._exits_from(here)
        if self._exits[here]:
            self._gate[who] = gate = self._choose(who, self._exits[here])
            self._goal[who] = self.layout.inner(gate)
            self._goes(at, who)
        else:
            self._goal[who] = STREET
            self._push(at + RETRY_S, GOES, who)

    def _exits_from(self, here: int) -> list[Offer]:
        layout = self.layout
        return [
            (lanes / (1 + ways[here][0]), self._steps[1 + gate], gate)
            for gate, outer in enumerate(layout.outer)
            if outer and (lanes := self.lanes[gate].leads(1 - self._street[gate])) and here in (ways := self._to(layout.inner(gate)))
        ]

    def _goes(self, at: float, who: int) -> None:
        """On by a shortest way to the goal; there stay, or walk to the exit."""
        here, goal = self._zone[who], self._goal[who]
        if self._closed and not self._bound[who]:
            self._leaves(at, who)
        elif here == goal:
            if self._bound[who]:
                self._push(at + self._walk_s(who), QUEUES, who)
            else:
                self._push(at + self._stay_s[who], LEAVES, who)
        elif goal != STREET and here in (ways := self._onward.get(goal) or self._to(goal)):
            hops = ways[here][1]
            self._takes(
                at, who, hops[0] if len(hops) == 1 else hops[self._choose(who, (self._offer(i, hop) for i, hop in enumerate(hops)))]
            )
        elif self._bound[who]:
            self._sets_out(at, who)
        else:
            self._leaves(at, who)

    def _offer(self, i: int, hop: Hop) -> Offer:
        """Hop `i` of several; the wider, the sooner."""
        kind, index, way, _ = hop
        number = {GATE: 1 + index, LINK: 1 + len(self.lanes) + 2 * index + way}.get(kind, 0)
        return self.layout.breadth(hop), self._steps[number], i

    def _takes(self, at: float, who: int, hop: Hop) -> None:
        kind, index, way, target = hop
        if kind == GATE:
            self.lanes[index].queues[way].append(who)
            self._pull(index, way, at)
        elif kind == LINK:
            mouths = self.mouths[index]
            if mouths[0] or mouths[1] or self.links[index].opens > at or not self._has_room(self._zone[who], target):
                mouths[way].append(who)
                self._admit(index, at)
            else:
                self._steps_on(index, way, who, at)
        else:
            self._push(at + self._walk_s(who), CROSSES, who << 16 | target)

    def _crosses(self, at: float, code: int) -> None:
        who, zone = code >> 16, code & 0xFFFF
        if self._has_room(self._zone[who], zone):
            self._enter(who, zone)
            self._goes(at, who)
        else:
            self._push(at + RETRY_S, CROSSES, code)

    def _walk_s(self, who: int) -> float:
        """How long it takes to cross half a zone that is as full as it is."""
        zone = self._zone[who]
        pace = self._paces[min(int(self.inside[zone] * self._per_area[zone]), len(self._paces) - 1)]
        return float(self._across[zone] / (self._speed[who] * pace))

    def _queues(self, at: float, who: int) -> None:
        gate = self._gate[who]
        way = 1 - self._street[gate]
        if self.lanes[gate].leads(way):
            self.lanes[gate].queues[way].append(who)
            self._pull(gate, way, at)
        else:
            self._looks_again(at, who)

    def _looks_again(self, at: float, who: int) -> None:
        """Before a passage within that leads nobody: go to another; whoever is on their way home chooses an exit anew."""
        if self._bound[who]:
            self._goal[who] = STREET
        self._push(at + self.habits.between_gates_s, GOES, who)

    def _to(self, goal: int) -> dict[int, tuple[int, list[Hop]]]:
        if goal not in self._onward:
            shut = {(gate, way) for gate, lanes in enumerate(self.lanes) for way in (0, 1) if not lanes.leads(way)}
            self._onward[goal] = self.layout.onward(goal, self.led, shut)
        return self._onward[goal]

    # -- links ------------------------------------------------------------------------------------------------------------------------

    def _admit(self, link: int, now: float) -> None:
        """Let onto a link whoever may enter it now, from both ends by turns, and come back when the next one may."""
        mouths, corridor = self.mouths[link], self.links[link]
        while mouths[0] or mouths[1]:
            opens = corridor.opens
            if opens <= now:
                way = self._turn(link)
                if way is not None:
                    self._steps_on(link, way, mouths[way].popleft(), now)
                    continue
                opens = now + RETRY_S
            if opens < self._opens[link]:
                self._opens[link] = opens
                self._push(opens, OPENS, link)
            return

    def _turn(self, link: int) -> int | None:
        """The way that the next one enters: the other one, unless nobody waits there who has room behind it."""
        mouths, ends, last = self.mouths[link], self.layout.link_ends[link], self._last[link]
        for way in (1 - last, last):
            if mouths[way] and self._has_room(ends[way], ends[1 - way]):
                return way
        return None

    def _steps_on(self, link: int, way: int, who: int, now: float) -> None:
        self._last[link] = way
        self.links[link].enter(who, way, now, self._speed[who])
        self._watch(link)

    def _opens_up(self, at: float, link: int) -> None:
        if self._opens[link] == at:
            self._opens[link] = NEVER
            self._admit(link, at)

    def _watch(self, link: int) -> None:
        """Be there when the first is at either end. Later than it seemed does no harm: then it is looked at again."""
        corridor = self.links[link]
        for way in corridor.sooner():
            self._push(corridor.due[way], ENDS, link << 1 | way)

    def _at_end(self, at: float, code: int) -> None:
        link, way = code >> 1, code & 1
        corridor = self.links[link]
        if corridor.due[way] != at:
            return
        corridor.due[way] = NEVER
        if corridor.through(way) > at + SOON_S:
            self._watch(link)
            return
        who = corridor.leave(way, at)
        self.crossings.append(Crossing(at, LINK, link, way))
        self._enter(who, self.layout.link_ends[link][1 - way])
        self._watch(link)
        self._goes(at, who)
        mouths = self.mouths[link]
        if mouths[0] or mouths[1]:
            self._admit(link, at)
