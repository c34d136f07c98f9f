"""Many replicates of a day at a site at once, as fluids: `world.py` in the mean, to try hundreds of days or plans in seconds.

Where `World` has persons, a fluid has how many of them there are, broken ones too: before each entrance, in each compartment of a stay, on each
leg of a way, before each exit. People pass at the capacities that settings, lanes and widths leave; they walk a leg in the time that its
crowd needs, all alike. Nobody is lost: after every step, in each replicate, up to rounding,

    came + there at first = before entrances + between them + inside + left + turned away.

Unlike in a `World`, nobody has luck: a queue grows only where more come than pass, and replicates differ by their arrivals and settings alone. So
their mean is right, and how far they spread is not. Of several streams before one entrance all advance alike, in no order, and the seconds in a
lane inward are left out.

Inside, replicates lie side by side in the last axis of every array, near to each other in memory; others see them in the first.
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
        self._outside: Floats = np.zeros((len(streams), n, r))
        self._before, self._entered, self._gone = (np.zeros((n, r)) for _ in range(3))
        self.outside: Floats = self._outside.transpose(2, 0, 1)
        """(R, streams, O) before each entrance."""
        self.between: Floats = np.zeros(r)
        """Outside, on their way from one entrance to another."""
        self.came, self.left, self.turned = (np.zeros(r) for _ in range(3))
        self.first: Floats = np.zeros(r)
        """There when the scenario began."""
        self.before: Floats = self._before.T
        """(R, O) inside, before each exit."""
        self.entered, self.gone = self._entered.T, self._gone.T
        """(R, O) all who have passed each outer gate inward, and outward."""
        self._closed, self._steps = False, 0
        self._inside: Floats | None = None
        self._crossed: Floats | None = None
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
        self._people = np.zeros((len(compartments), r))
        self._pool = np.zeros((len(layout.zones), r))
        self._stranded = np.zeros((0, r))
        self._walkers = Walkers(layout, habits, r, self.step_s, pace)
        self._lag = max(1, round(habits.between_gates_s / self.step_s))
        self._walking = np.zeros((self._lag, *self._outside.shape))
        self._seeking = np.zeros((self._lag, *self._before.shape))
        self._sought = np.zeros(self._before.shape)
        self._held = np.zeros((len(layout.zones), len(layout.zones)))
        for zone, held in enumerate(layout.held):
            self._held[list(held), zone] = 1.0
        self._top = np.array([len(held) == 1 for held in layout.held])
        self._patience = np.array([self.step_s / stream.patience_s for stream in streams]).clip(0.0, 1.0)[:, None, None]
        self._connect()

    # -- what others do to it ---------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The time up to which it has run, s."""
        return self._steps * self.step_s

    @property
    def inside(self) -> Floats:
        """(R, zones) people in each zone, those in zones within it included."""
        return self._by_zone().T

    def _by_zone(self) -> Floats:
        if self._inside is None:
            own = self._of_compartment @ self._people + self._pool + self._walkers.where()
            own += self._to_inner @ (self._before + self._sought)
            if self._strands:
                own += self._of_junction @ self._stranded
            self._inside = self._held @ own
        return self._inside

    @property
    def present(self) -> Floats:
        """(R,) everybody inside."""
        return np.asarray(self._by_zone()[self._top].sum(axis=0))

    @property
    def missing(self) -> Floats:
        """(R,) people who came and are nowhere: 0 up to rounding."""
        away = _total(self._outside) + self.between + self.left + self.turned
        return np.asarray(self.came + self.first - away - self.present)

    def fill(self, zone: int, people: float | Floats) -> None:
        """Put (R,) `people` into a zone, who stay there until the site closes; before the first step."""
        self._people[self._stays.residents[zone]] += people
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
        self.turned += _total(self._outside) + self.between
        self._outside[:], self.between[:], self._walking[:] = 0.0, 0.0, 0.0
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
            ways = [self._entered[at], self._gone[at]]
            return np.stack(ways if self._street[at] == 0 else ways[::-1], axis=1)
        if self._crossed is None:
            self._crossed = self._walkers.crossed()
        return np.asarray(self._crossed[index + (len(self.layout.links) if kind == GATE else 0)].T)

    # -- a step -----------------------------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One step of `step_s` seconds."""
        if self._stale:
            self._look_round()
        self._take_passes()
        if self._walkers.looks_at <= self._steps or self._crowded:
            self._crowd = self._by_zone()
            self._crowded = bool((self._crowd > 0.5 * self._walkers.room).any())
            if self._walkers.looks_at <= self._steps:
                self._walkers.look(self._crowd, self._steps)
        entered = self._come_in()
        at = self._walkers.come_off()
        if self._strands:
            at += self._stranded
        at[self._entries] += self._entry @ entered.reshape(-1, self.replicates)
        self._stay(at)
        self._set_out(at)
        self._people[self._visited] += at[self._visits]
        if self._strands:
            self._strand(at)
        self._walkers.set_off(at, self._crowd)
        self._leave(at)
        self._steps += 1
        self._inside = self._crossed = None

    def _take_passes(self) -> None:
        """What gates pass in this step."""
        passes = self.gates.passing(self.now, self.step_s)
        if passes is not self._passes:
            self._passes, by_gate = passes, np.ascontiguousarray(passes.transpose(1, 2, 0))
            self._passes_in, self._passes_out = (by_gate[self.outer, way] for way in (self._street, OUT - self._street))
            self._walkers.pass_gates(by_gate)

    def _come_in(self) -> Floats:
        """(streams, O, R) who come in through each entrance; the others wait, walk on, or turn away."""
        slot = self._steps % self._lag
        outside = self._outside
        if self._any_between:
            joined = self._walking[slot]
            outside += joined
            self.between -= _total(joined)
            joined[:] = 0.0
            self._any_between = bool(self.between.any())
        fresh = self._comes()
        if fresh is not None:
            if self._closed:
                self.turned += self._number
            else:
                outside += self._looks_elsewhere(fresh, slot) if self._any_shut else fresh
        people = outside[0] if len(outside) == 1 else outside.sum(axis=0)
        may = np.minimum(people, self._passes_in)
        if self._crowded:
            may *= self._squeeze(may)
        entered: Floats = outside * (may / np.maximum(people, TINY))
        outside -= entered
        tired = outside * self._patience
        outside -= tired
        self.turned += _total(tired)
        self._entered += may
        return entered

    def _comes(self) -> Floats | None:
        """(streams, O, R) who come in this step; None after the last."""
        step = int(self.now / self.arrivals.step_s + 1e-9)
        if step != self._arriving:
            rate = self.arrivals.at(self.now)
            self._arriving, self._fresh = step, None
            self._number = np.zeros(self.replicates)
            if rate is not None:
                self._fresh = np.ascontiguousarray(rate[:, :, self.outer].transpose(1, 2, 0)) * self.step_s
                self._number = _total(self._fresh)
        self.came += self._number
        return self._fresh

    def _looks_elsewhere(self, fresh: Floats, slot: int) -> Floats:
        """Before a shut entrance: turn away, go to one that is open, or (what is returned) wait."""
        shut, habits = self._shut_in, self.habits
        others = (~shut).sum(axis=0)
        found = fresh * shut
        balk, away = found * habits.balk, found * np.where(others > 0, habits.reroute, 0.0)
        to_each = away.sum(axis=1) / np.maximum(others, 1)
        self._walking[slot] = to_each[:, None] * ~shut
        self.between += _total(away)
        self.turned += _total(balk)
        self._any_between = True
        return np.asarray(fresh - balk - away)

    def _squeeze(self, may: Floats) -> Floats:
        """(O, R) the share of `may` for whom there is room in the zone behind each entrance."""
        wanted = self._to_inner @ may
        room = np.maximum(self._walkers.room - self._crowd, 0.0)
        return np.asarray(np.minimum(1.0, room / np.maximum(wanted, TINY))[self._inner])

    def _stay(self, at: Floats) -> None:
        """Who ends a part of their stay walks to the next from a junction, or is at home or next door at once."""
        if self._stays.holds and not self._closed:
            self._mix()
        moved = self._mixed @ self._people
        walk, home = self._parts
        self._people[:] = 0.0
        self._people[self._stayers] = moved[:walk]
        at[self._walk_from] += moved[walk:home]
        self._pool[self._homeward] += moved[home:]

    def _set_out(self, at: Floats) -> None:
        """Who is on the way home chooses an exit that lets people leave (`World._set_out`); with none they stay where they are."""
        pool = self._pool[self._home_zones]
        at[self._home_junctions] += (pool[:, None] * self._exit_share).reshape(-1, self.replicates)
        self._pool[self._home_zones] = pool * self._no_exit

    def _strand(self, at: Floats) -> None:
        """Who finds no way on stays at the junction."""
        self._stranded[:] = 0.0
        self._stranded[self._stuck] = at[self._stuck] * self._is_stuck
        self._strands = bool(len(self._stuck))

    def _leave(self, at: Floats) -> None:
        """Who is before an exit passes it; where it lets nobody leave any more, they look for another."""
        slot = self._steps % self._lag
        if self._sought.any():
            back = self._seeking[slot]
            self._pool += self._to_inner @ back
            self._sought -= back
        self._seeking[slot] = 0.0
        self._before[self._exits] += at[self._exit_from]
        if self._any_exit_shut:
            turned_back = self._before * self._shut_out
            self._seeking[slot] = turned_back
            self._sought += turned_back
            self._before -= turned_back
        out = np.minimum(self._before, self._passes_out)
        self._before -= out
        self._gone += out
        self.left += out.sum(axis=0)

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
        routes, zone, n = self._routes, self._stays.zone.tolist(), len(self.outer)
        self._home_junctions = [routes.junction(self._home + i, z) for z in self._home_zones for i in range(n)]
        moves = [(a, b) for a, b in np.argwhere(self._stays.move > 0).tolist() if zone[a] != zone[b]]
        self._walks = [(a, b, routes.junction(b, zone[a])) for a, b in moves]
        entry = [
            (s * n + i, routes.junction(compartment, int(self._inner[i])), share)
            for s, gates in enumerate(self._stays.entry)
            for i, gate in enumerate(self.outer)
            for compartment, share in gates[gate]
        ]
        for led, shut in self._patterns:
            routes.shares(led, shut)
        junctions, legs = len(routes.junctions), len(routes.legs)
        table = np.array([np.pad(s, (0, legs - len(s))) for s in (routes.shares(led, shut) for led, shut in self._patterns)])
        self._entries = sorted({junction for _, junction, _ in entry})
        self._entry = np.zeros((len(self._entries), len(self._stays.entry) * n))
        for row, junction, share in entry:
            self._entry[self._entries.index(junction), row] = share
        zones = len(self.layout.zones)
        self._of_junction = one_hot([z for _, z in routes.junctions], zones).T
        self._of_compartment = one_hot(zone, zones).T
        self._to_inner = one_hot(self._inner.tolist(), zones).T
        landings = {junction: errand for junction in range(junctions) if (errand := routes.landing(junction)) is not None}
        self._visits = [junction for junction, errand in landings.items() if errand.gate < 0]
        self._visited = [landings[junction].compartment for junction in self._visits]
        self._exit_from = [junction for junction, errand in landings.items() if errand.gate >= 0]
        self._exits = [landings[junction].gate for junction in self._exit_from]
        goes = one_hot([leg.start for leg in routes.legs], junctions).T @ table.T
        goes[list(landings)] = 1.0
        self._stuck: Ints = np.flatnonzero((goes == 0).any(axis=1))
        self._is_stuck = (goes[self._stuck][:, self._pattern] == 0).astype(np.float64)
        self._stranded = np.pad(self._stranded, ((0, junctions - len(self._stranded)), (0, 0)))
        self._stranded += self._walkers.fit(routes, table, self._pattern)
        self._strands = bool(len(self._stuck) or self._stranded.any())
        hops = [routes.distances(self._home_zones, self.outer, led, shut)[self._home_zones] for led, shut in self._patterns]
        nearness = 1 / (1.0 + np.array(hops)).reshape(len(self._patterns), len(self._home_zones), n)
        self._nearness = np.ascontiguousarray(nearness[self._pattern if len(hops) > 1 else [0]].transpose(1, 2, 0))
        """(home zones, O, R or 1) how much people choose each exit for its nearness."""
        self._mix()
        self._stale = True

    def _mix(self) -> None:
        """Work out where the people of each compartment are after a step: (targets, M), and what the targets are."""
        zone = self._stays.zone
        m, junctions = len(zone), len(self._routes.junctions)
        mixed = np.zeros((m, m + junctions + len(self.layout.zones)))
        if self._closed:
            mixed[np.arange(m), m + junctions + zone] = 1.0
        else:
            move, home = (rate * self.step_s for rate in self._stays.rates(self.now, self.step_s))
            going = move.sum(axis=1) + home
            slower = 1 / np.maximum(going, 1.0)
            move, home = move * slower[:, None], home * slower
            mixed[:, :m] = np.where(zone[:, None] == zone, move, 0.0)
            mixed[np.arange(m), np.arange(m)] += 1.0 - np.minimum(going, 1.0)
            for a, b, junction in self._walks:
                mixed[a, m + junction] += move[a, b]
            mixed[np.arange(m), m + junctions + zone] += home
        targets = np.flatnonzero(mixed.any(axis=0))
        self._mixed = np.ascontiguousarray(mixed[:, targets].T)
        self._parts = np.searchsorted(targets, [m, m + junctions]).tolist()
        stayers, walk_from, homeward = np.split(targets, self._parts)
        self._stayers, self._walk_from, self._homeward = stayers, walk_from - m, homeward - m - junctions

    def _look_round(self) -> None:
        """What is open now: entrances, exits, and how many people choose each exit in each zone."""
        gates = self.gates.open[:, self.outer]
        at = np.arange(len(self.outer))
        self._shut_in = np.ascontiguousarray(gates[:, at, self._street].T == 0)
        out = np.ascontiguousarray(gates[:, at, 1 - self._street].T)
        self._shut_out = out == 0
        self._any_shut, self._any_exit_shut = bool(self._shut_in.any()), bool(self._shut_out.any())
        weights = out * self._nearness
        total = weights.sum(axis=1)
        self._exit_share = weights / np.where(total > 0, total, 1.0)[:, None]
        self._no_exit = (total == 0).astype(np.float64)
        self._stale = False


def _total(array: Floats) -> Floats:
    """(R,) the sum over all other axes."""
    return np.asarray(array.reshape(-1, array.shape[-1]).sum(axis=0))
