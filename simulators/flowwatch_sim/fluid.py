"""Many replicates of a day at a site at once, as fluids: `world.py` in the mean, to try hundreds of days or plans in seconds.

Where `World` has persons, a fluid has how many of them there are, broken ones too: before each entrance, in each compartment of a stay, on each
leg of a way, before each exit. People pass at the capacities that settings, lanes and widths leave; they walk a leg in the time that its
crowd needs, all alike. Nobody is lost: after every step, in each replicate, up to rounding,

    came + there at first = before entrances + between them + inside + left + turned away.

Unlike in a `World`, nobody has luck: a queue grows only where more come than pass, and replicates differ by their arrivals and settings alone. So
their mean is right, and how far they spread is not. Of several streams before one entrance all advance alike, in no order, and the seconds in a
lane inward are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from flowwatch.core.settings import Setting
from flowwatch_sim.arrivals import Arrivals
from flowwatch_sim.capacity import Floats, Gates, Ints
from flowwatch_sim.demand import Stream
from flowwatch_sim.lanes import OUT
from flowwatch_sim.layout import GATE, Layout
from flowwatch_sim.routes import Errand, Led, Routes, Shut, one_hot
from flowwatch_sim.stays import stays
from flowwatch_sim.walkers import TINY, Walkers
from flowwatch_sim.walking import free_speeds
from flowwatch_sim.world import Habits

PACE: Final = float((1 / free_speeds((np.arange(2000) + 0.5) / 2000)).mean())
"""Seconds that people take for a metre when alone, in the mean of their speeds (0.78; less than 1.34 m/s, because the slow take longest)."""
STEP_S: Final = 5.0


class Fluid:
    """R replicates of one day at one site. Times are seconds from the scenario's start, people are persons; arrays are not to be written to."""

    def __init__(
        self,
        layout: Layout,
        streams: Sequence[Stream],
        arrivals: Arrivals,
        habits: Habits,
        *,
        step_s: float = STEP_S,
        pace: float = PACE,
    ) -> None:
        r = arrivals.replicates
        self.layout, self.arrivals, self.habits, self.step_s, self.replicates = layout, arrivals, habits, step_s, r
        self.outer = [gate for gate, outer in enumerate(layout.outer) if outer]
        """The outer gates; O of them."""
        self.gates = Gates(layout, r, clearing_s=habits.clearing_s)
        n = len(self.outer)
        self.outside: Floats = np.zeros((r, len(streams), n))
        """(R, streams, O) before each entrance."""
        self.between: Floats = np.zeros(r)
        """Outside, on their way from one entrance to another."""
        self.came, self.left, self.turned = (np.zeros(r) for _ in range(3))
        self.first: Floats = np.zeros(r)
        """There when the scenario began."""
        self.before: Floats = np.zeros((r, n))
        """(R, O) inside, before each exit."""
        self.entered, self.gone = np.zeros((r, n)), np.zeros((r, n))
        """(R, O) all who have passed each outer gate inward, and outward."""
        self._closed, self._steps = False, 0
        self._inside: Floats | None = None
        self._arriving, self._number = -1, np.zeros(r)
        self._fresh: Floats | None = None
        self._any_between, self._stale, self._crowded = False, True, False
        self._passes: Floats | None = None
        self._place(streams, pace)

    def _place(self, streams: Sequence[Stream], pace: float) -> None:
        """Lay out compartments and ways, all empty."""
        layout, habits, r = self.layout, self.habits, self.replicates
        self._stays = stays(layout, streams)
        compartments = self._stays.zone.tolist()
        self._inner = np.array([layout.inner(gate) for gate in self.outer], np.int64)
        self._street = np.array([layout.street(gate) for gate in self.outer], np.int64)
        errands = [Errand(zone, m) for m, zone in enumerate(compartments)]
        self._home = len(errands)
        errands += [Errand(layout.inner(gate), -1, i) for i, gate in enumerate(self.outer)]
        self._routes = Routes(layout, errands)
        self._patterns: list[tuple[Led, Shut]] = [((), frozenset())]
        self._pattern: Ints = np.zeros(r, np.int64)
        self._home_zones = sorted({z for z, home in zip(compartments, self._stays.home, strict=True) if home} | {*self._inner.tolist()})
        self._home_zones = sorted({*self._home_zones, *(compartments[m] for m, _ in self._stays.holds)})
        self._people = np.zeros((r, len(compartments)))
        self._pool = np.zeros((r, len(layout.zones)))
        self._stranded = np.zeros((r, 0))
        self._walkers = Walkers(layout, habits, r, self.step_s, pace)
        self._lag = max(1, round(habits.between_gates_s / self.step_s))
        self._walking = np.zeros((self._lag, *self.outside.shape))
        self._seeking = np.zeros((self._lag, r, len(self.outer)))
        self._sought = np.zeros((r, len(self.outer)))
        self._held = np.zeros((len(layout.zones), len(layout.zones)))
        for zone, held in enumerate(layout.held):
            self._held[zone, list(held)] = 1.0
        self._top = np.array([len(held) == 1 for held in layout.held])
        self._patience = np.array([self.step_s / stream.patience_s for stream in streams]).clip(0.0, 1.0)[None, :, None]
        self._connect()

    # -- what others do to it ---------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The time up to which it has run, s."""
        return self._steps * self.step_s

    @property
    def inside(self) -> Floats:
        """(R, zones) people in each zone, those in zones within it included."""
        if self._inside is None:
            own = self._people @ self._of_compartment + self._pool + self._walkers.where()
            own += self._stranded @ self._of_junction
            own += (self.before + self._sought) @ self._to_inner
            self._inside = own @ self._held
        return self._inside

    @property
    def present(self) -> Floats:
        """(R,) everybody inside."""
        return np.asarray(self.inside[:, self._top].sum(axis=1))

    @property
    def missing(self) -> Floats:
        """(R,) people who came and are nowhere: 0 up to rounding."""
        away = _total(self.outside) + self.between + self.left + self.turned
        return np.asarray(self.came + self.first - away - self.present)

    def fill(self, zone: int, people: float | Floats) -> None:
        """Put (R,) `people` into a zone, who stay there until the site closes; before the first step."""
        self._people[:, self._stays.residents[zone]] += people
        self.first = self.first + people
        self._inside = None

    def set_gate(self, gate: int, setting: Setting, rows: Ints | None = None) -> None:
        """Set a gate from now on, in all replicates or in `rows`."""
        rows = self.gates.set(np.arange(self.replicates) if rows is None else rows, gate, setting, self.now)
        if len(rows) and not self.layout.outer[gate]:
            for way in (0, 1):
                self._repattern(rows, shut=((gate, way), float(self.gates.open[rows[0], gate, way]) == 0))
        self._stale = True

    def lead(self, link: int, way: int | None, rows: Ints | None = None) -> None:
        """Lead people one way on a link from now on, or (None) both ways again, in all replicates or in `rows`."""
        self._repattern(np.arange(self.replicates) if rows is None else rows, led=(link, way))

    def close(self) -> None:
        """The day is over: nobody more comes in, and everybody inside sets out for home."""
        self._closed = True
        self.turned += _total(self.outside) + self.between
        self.outside[:], self.between[:], self._walking[:] = 0.0, 0.0, 0.0
        self._home_zones = list(range(len(self.layout.zones)))
        self._connect()

    def advance(self, until: float) -> None:
        """Let time run to `until`, or to the first step that ends after it."""
        while self.now < until - 1e-9:
            self.step()

    def passed(self, kind: str, index: int) -> Floats:
        """(R, 2) all who have passed a gate ("gate") or link ("link") so far, by way."""
        if kind == GATE and self.layout.outer[index]:
            at = self.outer.index(index)
            ways = [self.entered[:, at], self.gone[:, at]]
            return np.stack(ways if self._street[at] == 0 else ways[::-1], axis=1)
        at = 2 * (index + (len(self.layout.links) if kind == GATE else 0))
        return np.asarray(self._walkers.crossed[:, at : at + 2])

    # -- a step -----------------------------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One step of `step_s` seconds."""
        if self._stale:
            self._look_round()
        passes = self.gates.passing(self.now, self.step_s)
        if passes is not self._passes:
            self._passes = passes
            self._passes_in, self._passes_out = (passes[:, self.outer, way] for way in (self._street, OUT - self._street))
        if self._walkers.looks_at <= self._steps or self._crowded:
            self._crowd = self.inside
            self._crowded = bool((self._crowd > 0.5 * self._walkers.room).any())
            if self._walkers.looks_at <= self._steps:
                self._walkers.look(self._crowd, self._steps)
        entered = self._outside()
        at = self._walkers.come_off(self._steps)
        at += self._stranded
        at += entered.reshape(self.replicates, -1) @ self._entry
        at += self._stay()
        self._set_out(at)
        done = np.zeros((self.replicates, self._people.shape[1] + len(self.outer)))
        done[:, self._done] = at[:, self._landed]
        self._people += done[:, : self._people.shape[1]]
        self._stranded = at * self._stuck
        self._walkers.set_off(at, passes, self._crowd, self._steps)
        self._leave(done[:, self._people.shape[1] :])
        self._steps += 1
        self._inside = None

    def _outside(self) -> Floats:
        """(R, streams, O) who come in through each entrance; the others wait, walk on, or turn away."""
        slot = self._steps % self._lag
        joined = self._walking[slot].copy()
        self._walking[slot] = 0.0
        if self._any_between:
            self.between -= _total(joined)
            self._any_between = bool(self.between.any())
        fresh = self._comes()
        if fresh is not None:
            if self._closed:
                self.turned += self._number
            else:
                joined += self._looks_elsewhere(fresh, slot) if self._any_shut else fresh
        before = self.outside + joined
        people = before[:, 0] if before.shape[1] == 1 else before.sum(axis=1)
        may = np.minimum(people, self._passes_in)
        if self._crowded:
            may *= self._squeeze(may)
        entered: Floats = before * (may / np.maximum(people, TINY))[:, None]
        self.outside = before - entered
        tired = self.outside * self._patience
        self.outside -= tired
        self.turned += _total(tired)
        self.entered += may
        return entered

    def _comes(self) -> Floats | None:
        """(R, streams, O) who come in this step; None after the last."""
        step = int(self.now / self.arrivals.step_s + 1e-9)
        if step != self._arriving:
            rate = self.arrivals.at(self.now)
            self._arriving, self._fresh = step, None if rate is None else rate[:, :, self.outer] * self.step_s
            self._number = np.zeros(self.replicates) if self._fresh is None else _total(self._fresh)
        self.came += self._number
        return self._fresh

    def _looks_elsewhere(self, fresh: Floats, slot: int) -> Floats:
        """Before a shut entrance: turn away, go to one that is open, or (what is returned) wait."""
        shut, habits = self._shut_in[:, None], self.habits
        others = (~self._shut_in).sum(axis=1)
        found = fresh * shut
        balk, away = found * habits.balk, found * np.where(others > 0, habits.reroute, 0.0)[:, None, None]
        to_each = away.sum(axis=2) / np.maximum(others, 1)[:, None]
        self._walking[slot] = to_each[:, :, None] * ~shut
        self.between += _total(away)
        self.turned += _total(balk)
        self._any_between = True
        return np.asarray(fresh - balk - away)

    def _squeeze(self, may: Floats) -> Floats:
        """(R, O) the share of `may` for whom there is room in the zone behind each entrance."""
        wanted = may @ self._to_inner
        room = np.maximum(self._walkers.room - self._crowd, 0.0)
        return np.asarray(np.minimum(1.0, room / np.maximum(wanted, TINY))[:, self._inner])

    def _stay(self) -> Floats:
        """(R, junctions) who end a part of their stay and walk to the next; who ends it at home or next door is moved on."""
        if self._stays.holds and not self._closed:
            self._mix()
        m, j = self._people.shape[1], self._stranded.shape[1]
        moved = self._people @ self._mixed
        self._people = moved[:, :m]
        self._pool += moved[:, m + j :]
        return moved[:, m : m + j]

    def _set_out(self, at: Floats) -> None:
        """Who is on the way home chooses an exit that lets people leave (`World._set_out`); with none they stay where they are."""
        for zone, junctions in zip(self._home_zones, self._home_junctions, strict=True):
            at[:, junctions] += self._pool[:, zone, None] * self._exit_share[:, zone]
            self._pool[:, zone] *= self._no_exit[:, zone]

    def _leave(self, arrived: Floats) -> None:
        """Who is before an exit passes it; where it lets nobody leave any more, they look for another."""
        slot = self._steps % self._lag
        if self._sought.any():
            back = self._seeking[slot]
            self._pool += back @ self._to_inner
            self._sought -= back
        self._seeking[slot] = 0.0
        self.before += arrived
        if self._any_exit_shut:
            turned_back = self.before * self._shut_out
            self._seeking[slot] = turned_back
            self._sought += turned_back
            self.before -= turned_back
        out = np.minimum(self.before, self._passes_out)
        self.before -= out
        self.gone += out
        self.left += _total(out)

    # -- ways -------------------------------------------------------------------------------------------------------------------------

    def _repattern(self, rows: Ints, led: tuple[int, int | None] | None = None, shut: tuple[tuple[int, int], bool] | None = None) -> None:
        """Change a link or an inner gate in the pattern of `rows`."""
        for old in np.unique(self._pattern[rows]).tolist():
            ways, gates = dict(self._patterns[old][0]), set(self._patterns[old][1])
            if led is not None:
                ways.pop(led[0], None)
                if led[1] is not None:
                    ways[led[0]] = led[1]
            if shut is not None:
                (gates.add if shut[1] else gates.discard)(shut[0])
            pattern = (tuple(sorted(ways.items())), frozenset(gates))
            if pattern not in self._patterns:
                self._patterns.append(pattern)
            mine = rows[self._pattern[rows] == old]
            self._pattern[mine] = self._patterns.index(pattern)
        self._connect()

    def _connect(self) -> None:
        """Make the junctions and legs that compartments, exits and patterns need, and the matrices that follow from them."""
        routes, zone = self._routes, self._stays.zone.tolist()
        self._home_junctions = [[routes.junction(self._home + i, z) for i in range(len(self.outer))] for z in self._home_zones]
        moves = [(a, b) for a, b in np.argwhere(self._stays.move > 0).tolist() if zone[a] != zone[b]]
        self._walks = [(a, b, routes.junction(b, zone[a])) for a, b in moves]
        entry = [
            (s * len(self.outer) + i, routes.junction(compartment, int(self._inner[i])), share)
            for s, gates in enumerate(self._stays.entry)
            for i, gate in enumerate(self.outer)
            for compartment, share in gates[gate]
        ]
        for led, shut in self._patterns:
            routes.shares(led, shut)
        junctions, legs = len(routes.junctions), len(routes.legs)
        table = np.array([np.pad(s, (0, legs - len(s))) for s in (routes.shares(led, shut) for led, shut in self._patterns)])
        self._entry = np.zeros((len(self._stays.entry) * len(self.outer), junctions))
        for row, junction, share in entry:
            self._entry[row, junction] = share
        landings = [routes.landing(junction) for junction in range(junctions)]
        m = self._people.shape[1]
        done = [-1 if errand is None else errand.compartment if errand.gate < 0 else m + errand.gate for errand in landings]
        self._landed: Ints = np.flatnonzero(np.array(done) >= 0)
        self._done: Ints = np.array(done, np.int64)[self._landed]
        zones = len(self.layout.zones)
        self._of_junction = one_hot([z for _, z in routes.junctions], zones)
        self._of_compartment = one_hot(zone, zones)
        self._to_inner = one_hot(self._inner.tolist(), zones)
        goes = table @ one_hot([leg.start for leg in routes.legs], junctions) + np.array([errand is not None for errand in landings])
        stuck = (goes == 0).astype(np.float64)
        self._stuck = stuck[self._pattern] if len(table) > 1 else stuck
        self._stranded = np.pad(self._stranded, ((0, 0), (0, junctions - self._stranded.shape[1])))
        self._stranded += self._walkers.fit(routes, table, self._pattern)
        self._mix()
        self._stale = True

    def _mix(self) -> None:
        """(M, M + junctions + zones): where the people of each compartment are after a step."""
        zone = self._stays.zone
        m, junctions = len(zone), self._entry.shape[1]
        self._mixed = np.zeros((m, m + junctions + len(self.layout.zones)))
        if self._closed:
            self._mixed[np.arange(m), m + junctions + zone] = 1.0
            return
        move, home = (rate * self.step_s for rate in self._stays.rates(self.now, self.step_s))
        going = move.sum(axis=1) + home
        slower = 1 / np.maximum(going, 1.0)
        move, home = move * slower[:, None], home * slower
        self._mixed[:, :m] = np.where(zone[:, None] == zone, move, 0.0)
        self._mixed[np.arange(m), np.arange(m)] += 1.0 - np.minimum(going, 1.0)
        for a, b, junction in self._walks:
            self._mixed[a, m + junction] += move[a, b]
        self._mixed[np.arange(m), m + junctions + zone] += home

    def _look_round(self) -> None:
        """What is open now: entrances, exits, and how many people choose each exit in each zone."""
        gates = self.gates.open[:, self.outer]
        at = np.arange(len(self.outer))
        self._shut_in = gates[:, at, self._street] == 0
        out = gates[:, at, 1 - self._street]
        self._shut_out = out == 0
        self._any_shut, self._any_exit_shut = bool(self._shut_in.any()), bool(self._shut_out.any())
        hops = np.array([self._routes.distances(self._home_zones, self.outer, led, shut) for led, shut in self._patterns])
        weights = out[:, None] / (1.0 + hops)[self._pattern]
        total = weights.sum(axis=2, keepdims=True)
        self._exit_share = weights / np.where(total > 0, total, 1.0)
        self._no_exit = (total[:, :, 0] == 0).astype(np.float64)
        self._stale = False


def _total(array: Floats) -> Floats:
    """(R,) the sum over all other axes."""
    return np.asarray(array.reshape(len(array), -1) @ np.ones(array[0].size))
