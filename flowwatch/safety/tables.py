"""The table of every situation: what all plans that are in force ask of each gate, combined, and which way they lead people on links.

`core.settings.combine` is associative, so a gate's settings and all that they combine to make a small closed set, and the combination of any
two of it stands in a square table; the situations are then looked up in it plan by plan, all at once. A calm main plan asks nothing while a
case that replaces it is in force. On links the plan of the lowest precedence decides (`core/standing.py`). Capacities are whole thousandths of
a person a minute, as in `core/gates.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from flowwatch.core.gates import is_outer, lanes_per_min
from flowwatch.core.readings import Bools, Bytes, Ints
from flowwatch.core.settings import Mode, Setting, combine
from flowwatch.core.standing import precedence
from flowwatch.safety.states import Small, Space
from flowwatch.safety.ways import Led


@dataclass(frozen=True, slots=True)
class Closed:
    """Settings and all that they combine to; number 0 stands for nothing being asked."""

    values: tuple[Setting | None, ...]
    number: Mapping[Setting, int]
    join: Small
    """(V, V) the number of what two numbers combine to."""


def closed(settings: Iterable[Setting], lanes: float) -> Closed:
    """The closure of `settings` at a gate whose lanes together pass `lanes` persons/min."""
    values: list[Setting] = sorted(set(settings), key=str)
    number = {setting: i + 1 for i, setting in enumerate(values)}
    pairs: dict[tuple[int, int], int] = {}
    i = 0
    while i < len(values):
        for k in range(i + 1):
            joined = combine((values[i], values[k]), lanes)
            if joined not in number:
                values.append(joined)
                number[joined] = len(values)
            pairs[i + 1, k + 1] = number[joined]
        i += 1
    join = np.zeros((len(values) + 1, len(values) + 1), np.int16)
    join[0] = join[:, 0] = np.arange(len(values) + 1)
    for (a, b), c in pairs.items():
        join[a, b] = join[b, a] = c
    return Closed((None, *values), number, join)


@dataclass(frozen=True, slots=True)
class Tables:
    """The settings of G gates in N situations."""

    settings: tuple[Closed, ...]
    """(G,)"""
    numbers: tuple[Small, ...]
    """(G,) of (N,): the number of the gate's setting in each situation."""
    mixed: Mapping[int, Bools]
    """Gate -> the situations in which waves that cannot be combined shut its entrance, though all plans would let people in."""
    egress: tuple[Ints, ...]
    """(G,) of (V,): thousandths of persons/min out to the world, by number; 0 at an inner gate."""
    ingress: tuple[Ints, ...]
    capacity: Ints
    """(N,) the sum of all gates' egress."""
    enter: Bytes
    """(G, N / 8) whether people may enter, packed."""
    leave: Bytes
    led: Led
    """The links that some stage leads one way."""

    def setting(self, gate: int, row: int) -> Setting:
        """What a gate is set to in one situation."""
        found = self.settings[gate].values[int(self.numbers[gate][row])]
        assert found is not None
        return found

    def ingress_per_min(self, row: int) -> float:
        """Capacity into the site in one situation."""
        return float(sum(int(self.ingress[g][self.numbers[g][row]]) for g in range(len(self.numbers)))) / 1000

    def leaving(self, gate: int) -> Ints:
        """(N,) thousandths of persons/min out of one gate."""
        return self.egress[gate][self.numbers[gate]]


def tables(site: Mapping[str, Any], space: Space) -> Tables:
    """Every situation's table. Every gate is asked something in each (a main plan and a case that replaces it name every gate)."""
    n = len(space.rows)
    replaced = np.zeros(n, np.bool_)
    for p, column in enumerate(space.columns):
        replaced |= np.array(column.replaces, np.bool_)[space.rows[:, p]]
    silent = replaced & (space.rows[:, 0] == 0)
    sets: dict[tuple[frozenset[Setting], float], Closed] = {}
    all_closed, numbers, egress, ingress, mixed = [], [], [], [], {}
    capacity = np.zeros(n, np.int64)
    enter, leave = [], []
    for g, gate in enumerate(site["gates"]):
        lanes, name = lanes_per_min(gate), gate["gate"]
        asked = frozenset(asks[name] for column in space.columns for asks in column.asks if name in asks)
        if (asked, lanes) not in sets:
            sets[asked, lanes] = closed(asked, lanes)
        settings = sets[asked, lanes]
        number = np.zeros(n, np.int16)
        entering = np.ones(n, np.bool_)
        has_waves = any(s.mode is Mode.WAVE for s in asked)
        for p, column in enumerate(space.columns):
            of_kind = np.array([settings.number[asks[name]] if name in asks else 0 for asks in column.asks], np.int16)
            if not of_kind.any():
                continue
            asks_now = of_kind[space.rows[:, p]]
            if p == 0:
                asks_now = np.where(silent, np.int16(0), asks_now)
            number = settings.join[number, asks_now]
            if has_waves:
                entering &= _of(settings, lambda s: s is None or s.may_enter)[asks_now]
        may_enter, may_leave = (
            _of(settings, lambda s: s is not None and s.may_enter),
            _of(settings, lambda s: s is not None and s.may_leave),
        )
        if has_waves and (entering & ~may_enter[number]).any():
            mixed[g] = entering & ~may_enter[number]
        outer = is_outer(gate)
        out = np.array([round(1000 * s.egress_per_min(lanes)) if s and outer else 0 for s in settings.values], np.int64)
        into = np.array([round(1000 * s.ingress_per_min(lanes)) if s and outer else 0 for s in settings.values], np.int64)
        capacity += out[number]
        enter.append(np.packbits(may_enter[number]))
        leave.append(np.packbits(may_leave[number]))
        all_closed.append(settings)
        numbers.append(number)
        egress.append(out)
        ingress.append(into)
    ways = (np.stack(enter), np.stack(leave))
    return Tables(tuple(all_closed), tuple(numbers), mixed, tuple(egress), tuple(ingress), capacity, *ways, _led(site, space, silent))


def _led(site: Mapping[str, Any], space: Space, silent: Bools) -> Led:
    """`silent`: the situations in which a case keeps the calm main plan from asking anything."""
    found = {}
    for link in (k["link"] for k in site["links"]):
        words = [[links.get(link) for links in column.links] for column in space.columns]
        if not {"one_way", "one_way_back"} & {word for of_plan in words for word in of_plan}:
            continue
        open_ = ~np.zeros((2, len(space.rows)), np.bool_)  # along, and back
        silent_yet = ~np.zeros(len(space.rows), np.bool_)
        for rank in sorted({precedence(column.plan) for column in space.columns}):
            says = np.zeros((3, len(space.rows)), np.bool_)
            for p, of_kind in enumerate(words):
                if precedence(space.columns[p].plan) == rank:
                    for i, way in enumerate(("one_way", "one_way_back", "both")):
                        speaks = np.array([word == way for word in of_kind], np.bool_)[space.rows[:, p]]
                        says[i] |= speaks & ~silent if p == 0 else speaks
            for i, against in enumerate((1, 0)):
                open_[i] &= ~(silent_yet & says[against] & ~says[i] & ~says[2])
            silent_yet &= ~says.any(axis=0)
        found[link] = (np.packbits(open_[0]), np.packbits(open_[1]))
    return found


def _of(settings: Closed, says: Any) -> Bools:
    return np.array([says(s) for s in settings.values], np.bool_)
