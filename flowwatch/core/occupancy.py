"""People inside each zone and site, with a band that says how far the figure may be off.

The figure is conservation, pulled back by headcounts and anchors:

    x(t) = x(t-1) + entered - left + corrections

Its error has two parts. *Spread* (persons squared) is what the last anchor or camera left open. *Drift* D (persons) is what the counters may
have missed since: declared error share x people counted, summed as if all counters erred the same way. The variance is
P = spread + D + D^2 (each passage may be miscounted by itself: D; all alike: D^2) and the band is x -+ 1.645 sqrt(P), nine cases in ten.

- A headcount h at time t of a camera that sees the share k of a zone is compared with the estimate *at t* (a short history), and the
  correction is carried forward: x += K (h/k - x(t)), K = P / (P + R). R is the camera's declared error squared, times 60 s over the time
  since it was last used: errors of frames stay correlated for about 60 s (design trial on a mall camera), so many frames a minute know no more
  than one. The error is a share of the people whom the camera sees or whom the estimate has, whichever are more: one that reads low is not
  surer for it. Half the camera's error is taken to be bias, which no number of frames averages away: a camera pulls only where P is above that
  squared, and never below it.
- A recount is the truth give or take 2 %, and so is a declared known-empty moment up to its limit.
- A silent counter widens the band by its recent flow, for as long as it is silent; the figure stays.
- Until something anchors a zone its occupancy is unknown; what is sure is "at least", the rise above the lowest point so far, since nobody
  can be inside less than nobody.
- A zone that no passage counter feeds is known by its headcounts alone; between them P grows by 0.12 persons^2 a person and second
  (Grand Central's hall: 7.7 persons in 5 s at a mean of 102).

People are counted in integers between ticks; figures and edges are rounded to 1/1000 person before anyone compares them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from flowwatch.core.intake import Movements
from flowwatch.core.network import FOREVER, Network, carry
from flowwatch.core.pending import Rows
from flowwatch.core.readings import MINUTE, NEVER, SECOND, Bools, Floats, Int32s, Ints, Kind

Z90: Final = 1.645
"""Half-width of a band that holds nine cases in ten, in standard deviations."""
CORRELATED_US: Final = 60 * SECOND
WANDER: Final = 0.12
"""persons^2 per person and second, between headcounts of a zone without passage counters."""
LEAST_CAMERA_SD: Final = 2.0
"""No camera counts better than give or take two people (assumption)."""
RECOUNT_ERROR: Final = 0.02
"""A manual count's relative error (assumption; at least two people)."""
PPM: Final = 1e6


@dataclass(frozen=True, slots=True)
class Figures:
    """What a tick knows of every target (zones, then sites): milli-persons, shape (T,)."""

    inside: Ints
    lower: Ints
    upper: Ints
    known: Bools
    fresh: Bools
    """Whether every counter that feeds the target was heard within three periods, 60 s at least."""


class History:
    """Figures of the recent past: a ring of `length` samples at least `period` microseconds apart, (length, Z)."""

    def __init__(self, period: int, length: int, zones: int) -> None:
        self.period, self.length = period, length
        self.at = np.full(length, NEVER, np.int64)
        self.inside = np.zeros((length, zones), np.int64)
        self.drift = np.zeros((length, zones), np.int64)
        self.next = 0

    def note(self, tick: int, inside: Ints, drift: Ints) -> None:
        """Keep `inside` and `drift` (Z,) if the last sample is at least a period old."""
        if tick - self.at[self.next - 1] >= self.period:
            self.at[self.next] = tick
            self.inside[self.next], self.drift[self.next] = inside, drift
            self.next = (self.next + 1) % self.length

    def place(self, at: int) -> int | None:
        """The row of the newest sample not after `at`, or None when the ring does not reach back so far."""
        usable = (self.at <= at) & (self.at != NEVER)
        return int(np.argmax(np.where(usable, self.at, NEVER))) if usable.any() else None

    def to_state(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        return {"period": self.period, "at": self.at, "inside": self.inside, "drift": self.drift, "next": self.next}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> History:
        """What `to_state` wrote."""
        made = cls(state["period"], len(state["at"]), state["inside"].shape[1])
        made.at, made.inside, made.drift, made.next = state["at"], state["inside"], state["drift"], state["next"]
        return made


@dataclass(slots=True)
class Zones:
    """What is remembered of each zone, (Z,)."""

    inside: Ints
    """Milli-persons, corrections included, never clamped."""
    raw: Ints
    """Milli-persons by counting alone since the last anchor."""
    least: Ints
    """The lowest `inside` while unknown."""
    known: Bools
    spread: Floats
    drift: Ints
    """Micro-persons."""
    people_in: Ints
    """People through since the zone's last minute estimate."""
    people_out: Ints
    recounted_at: Ints

    @classmethod
    def empty(cls, n: int) -> Zones:
        """`n` zones of which nothing is known."""
        return cls(
            inside=np.zeros(n, np.int64),
            raw=np.zeros(n, np.int64),
            least=np.zeros(n, np.int64),
            known=np.zeros(n, np.bool_),
            spread=np.zeros(n),
            drift=np.zeros(n, np.int64),
            people_in=np.zeros(n, np.int64),
            people_out=np.zeros(n, np.int64),
            recounted_at=np.full(n, NEVER, np.int64),
        )


@dataclass(slots=True)
class Feeds:
    """What is remembered of each counter as a source of evidence, (C,)."""

    born: Ints
    """The tick at which a document first declared it."""
    used_at: Ints
    """The newest headcount used."""
    gap: Ints
    """Micro-persons that may have passed unseen in the present silence."""
    rate: Ints
    """Micro-persons a second, a running mean over minutes with traffic."""
    passed: Ints
    """People since the last full minute."""

    @classmethod
    def empty(cls) -> Feeds:
        """For no counters."""
        return cls(*(np.zeros(0, np.int64) for _ in fields(cls)))

    def grow(self, n: int, tick: int) -> None:
        """Make room for `n` counters in all, new ones born at `tick`."""
        fresh = {"born": tick, "used_at": NEVER}
        for f in fields(self):
            old = getattr(self, f.name)
            setattr(self, f.name, np.concatenate([old, np.full(n - len(old), fresh.get(f.name, 0), np.int64)]))


class Occupancy:
    """The state of all zones of a partition."""

    def __init__(self) -> None:
        self.zones = Zones.empty(0)
        self.feeds = Feeds.empty()
        self.histories = self._blank(0)
        self.silent: Bools = np.zeros(0, np.bool_)
        self.within = np.zeros(0, np.int64)
        """(S,) people who stepped from one outer zone to another since the site's last minute estimate."""
        self._sites: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()

    @staticmethod
    def _blank(zones: int) -> tuple[History, History]:
        """The last half minute by the tick, the last hour by the minute."""
        return History(1, 32, zones), History(MINUTE, 60, zones)

    def rebuild(self, network: Network, tick: int) -> None:
        """Carry what is known of zones and counters over to the documents now in force."""
        old, new = carry(self._names, network.zones)
        zones = Zones.empty(len(network.zones))
        for f in fields(Zones):
            getattr(zones, f.name)[new] = getattr(self.zones, f.name)[old]
        self.zones, self._names = zones, network.zones
        old_sites, new_sites = carry(self._sites, network.sites)
        within = np.zeros(len(network.sites), np.int64)
        within[new_sites] = self.within[old_sites]
        self.within, self._sites = within, network.sites
        histories = self._blank(len(network.zones))
        for fresh, past in zip(histories, self.histories, strict=True):
            fresh.at, fresh.next = past.at, past.next
            fresh.inside[:, new], fresh.drift[:, new] = past.inside[:, old], past.drift[:, old]
        self.histories = histories
        self.feeds.grow(len(network.counters), tick)
        self.silent = np.concatenate([self.silent, np.zeros(len(network.counters) - len(self.silent), np.bool_)])

    # -- a tick -----------------------------------------------------------------------------------------------------------------------

    def move(self, network: Network, moved: Movements) -> None:
        """Let the people of one tick pass."""
        z = self.zones
        both = np.concatenate([moved.ingress, moved.egress])
        people_in, people_out = network.by_zone(both[network.edge_in]), network.by_zone(both[network.edge_out])
        if network.zone_ppm is not None:
            z.drift += (people_in + people_out) * network.zone_ppm
        else:
            z.drift += network.by_zone((moved.ingress + moved.egress)[network.edge_counter] * network.edge_ppm)
        net = (people_in - people_out) * 1000
        z.inside += net
        z.raw += net
        z.people_in += people_in
        z.people_out += people_out
        self.feeds.passed += moved.ingress + moved.egress
        if len(network.inner_counter):
            within = (moved.ingress + moved.egress)[network.inner_counter]
            self.within += np.bincount(network.inner_site, within, len(network.sites)).astype(np.int64)

    def listen(self, network: Network, last_at: Ints, moved: Movements, tick: int, before: int) -> Bools:
        """Which counters (C,) are silent at `tick`; widens the band for them. `before` is the tick before."""
        f = self.feeds
        if f.gap.any() and (gap := f.gap[moved.heard]).any():
            back = moved.heard[gap > 0]
            self._settle_gaps(network, back, keep=network.kind[back] == Kind.DELTA)
        heard = np.maximum(last_at, f.born)
        silent = network.in_service(tick) & (tick - heard > network.stale_after)
        if silent.any():
            since = np.where(self.silent[silent], before, heard[silent])
            f.gap[silent] += f.rate[silent] * (tick - since) // SECOND
        minutes = tick // MINUTE - before // MINUTE if before != NEVER else 0
        if minutes:
            seen = (f.passed > 0) & ~silent
            f.rate[seen] = (3 * f.rate[seen] + f.passed[seen] * 1_000_000 // (60 * minutes)) // 4
            f.passed[:] = 0
        self.silent = silent
        return silent

    def keep_gaps(self, network: Network, sites: list[int]) -> None:
        """What silent counters of `sites` may have missed stays open, even if their next documents (`network` has the last) do without them."""
        silent = np.flatnonzero((self.feeds.gap > 0) & np.isin(network.counter_site, sites))
        self._settle_gaps(network, silent, keep=np.ones(len(silent), np.bool_))

    def _settle_gaps(self, network: Network, counters: Ints | Int32s, keep: Bools) -> None:
        """A counter that speaks again: what may have passed unseen stays open in its zones (`keep`), or the new total holds it."""
        if not self.feeds.gap[counters].any():
            return
        gap = np.zeros(len(network.counters), np.int64)
        gap[counters[keep]] = self.feeds.gap[counters[keep]]
        self.zones.drift += network.by_zone(gap[network.edge_counter])
        self.feeds.gap[counters] = 0

    def correct(self, network: Network, headcounts: Rows, tick: int) -> None:
        """Pull zones towards what cameras saw; the rows hold one headcount a counter."""
        f = self.feeds
        counter = headcounts.counter.astype(np.int64)
        zone = network.headcount_zone[counter]
        usable = (zone >= 0) & (headcounts.at > f.used_at[counter])
        counter, zone = counter[usable], zone[usable]
        seen_at, people = headcounts.at[usable], headcounts.headcount[usable] / network.coverage[counter]
        while len(counter):
            _, first = np.unique(zone, return_index=True)
            self._pull(network, counter[first], zone[first], seen_at[first], people[first], tick)
            rest = np.setdiff1d(np.arange(len(counter)), first)
            counter, zone, seen_at, people = counter[rest], zone[rest], seen_at[rest], people[rest]

    def _pull(self, network: Network, counter: Ints, zone: Ints, seen_at: Ints, people: Floats, tick: int) -> None:
        """Each zone here has one camera; the history was corrected for those before it."""
        z, f = self.zones, self.feeds
        past = np.array([self._at(int(zz), int(t), tick)[0] for zz, t in zip(zone, seen_at, strict=True)], np.int64) / 1000
        unknown = ~z.known[zone]
        there = np.where(unknown, people, np.maximum(people, past))
        sd = np.maximum(there * network.camera_error[counter], LEAST_CAMERA_SD)
        since = np.clip(seen_at - f.used_at[counter], 1, CORRELATED_US)
        noise = sd * sd * (CORRELATED_US / since)
        variance, bias = self._variance(network)[zone], (0.5 * sd) ** 2
        gain = np.where(unknown, 1.0, np.where(variance > bias, variance / (variance + noise), 0.0))
        now = z.inside[zone] / 1000
        corrected = now + gain * (people - past)
        left = np.where(unknown, sd * sd, np.maximum((1 - gain) * variance, np.minimum(variance, bias)))
        drift = ((1 - gain) * z.drift[zone]).astype(np.int64)
        inside = np.rint(corrected * 1000).astype(np.int64)
        for history in self.histories:
            history.inside[:, zone] += inside - z.inside[zone]
            history.drift[:, zone] = (history.drift[:, zone] * (1 - gain)).astype(np.int64)
        z.inside[zone] = inside
        z.raw[zone] = np.where(unknown, inside, z.raw[zone])
        z.drift[zone] = drift
        d = drift / PPM
        z.spread[zone] = np.maximum(left - d - d * d, 0.0)
        z.known[zone] = True
        f.used_at[counter] = seen_at

    def _at(self, zone: int, at: int, tick: int) -> tuple[int, int]:
        """Estimate (milli-persons) and drift (micro-persons) at time `at`, or the oldest kept; nobody and none before the first tick.

        What this tick (`tick`) counted came after any earlier time.
        """
        if at >= tick:
            return int(self.zones.inside[zone]), int(self.zones.drift[zone])
        for history in self.histories:
            row = history.place(at)
            if row is not None:
                return int(history.inside[row, zone]), int(history.drift[row, zone])
        _, minutes = self.histories
        oldest = int(np.argmin(np.where(minutes.at == NEVER, FOREVER, minutes.at)))
        return int(minutes.inside[oldest, zone]), int(minutes.drift[oldest, zone])

    def remember(self, network: Network, tick: int) -> None:
        """Keep the estimates of this tick, for what will be told of it later."""
        drift = self._drift(network)
        for history in self.histories:
            history.note(tick, self.zones.inside, drift)

    def anchor(self, network: Network, zone: int, people: int, sd: float, counted_at: int, tick: int, *, by_hand: bool) -> None:
        """Set a zone to a true count made at `counted_at` (`by_hand`: that is fresh evidence for a while); what moved since is kept."""
        z = self.zones
        feeding = np.unique(network.edge_counter[network.edge_zone == zone])
        self._settle_gaps(network, feeding, keep=np.ones(len(feeding), np.bool_))
        inside_then, drift_then = self._at(zone, counted_at, tick)
        correction = people * 1000 - inside_then
        z.inside[zone] += correction
        z.raw[zone] = z.inside[zone]
        z.known[zone] = True
        z.spread[zone], z.drift[zone] = sd * sd, max(int(z.drift[zone]) - drift_then, 0)
        if by_hand:
            z.recounted_at[zone] = max(counted_at, int(z.recounted_at[zone]))
        for history in self.histories:
            history.inside[:, zone] += correction
            history.drift[:, zone] = np.maximum(history.drift[:, zone] - drift_then, 0)

    def wander(self, network: Network, elapsed: int) -> None:
        """Let zones without passage counters grow unsure over `elapsed` microseconds."""
        lost = network.flowless & self.zones.known
        if lost.any():
            people = np.maximum(self.zones.inside[lost] / 1000, 10.0)
            self.zones.spread[lost] += WANDER * people * (elapsed / SECOND)

    def figures(self, network: Network, last_at: Ints, tick: int) -> Figures:
        """Round the state to what may be compared and journaled, and remember it."""
        z = self.zones
        unknown = ~z.known
        if unknown.any():
            np.minimum(z.least, z.inside, out=z.least, where=unknown)
            z.least[z.known] = 0
        half = np.rint(Z90 * 1000 * np.sqrt(self._variance(network))).astype(np.int64)
        surely = np.where(unknown, z.inside - z.least, z.inside)
        inside = np.maximum(surely, 0)
        lower, upper = np.maximum(surely - half, 0), np.maximum(surely + half, 0)
        upper = np.where(unknown, inside, upper)
        serving = network.in_service(tick)
        fresh = network.feeding(serving)
        stale = serving & (tick - last_at > network.stale_after)
        if stale.any():
            fresh[network.feed_target[stale[network.feed_counter]]] = False
        root = network.root

        def with_sites(column: Ints) -> Ints:
            return np.concatenate([column, np.add.reduceat(column[root], network.root_first)])

        return Figures(
            inside=with_sites(inside),
            lower=with_sites(lower),
            upper=with_sites(upper),
            known=np.concatenate([z.known, np.logical_and.reduceat(z.known[root], network.root_first)]),
            fresh=fresh,
        )

    def _variance(self, network: Network) -> Floats:
        d = self._drift(network) / PPM
        return np.asarray(self.zones.spread + d + d * d)

    def _drift(self, network: Network) -> Ints:
        """(Z,) what counters may have missed, those silent now included."""
        if not self.feeds.gap.any():
            return self.zones.drift
        return self.zones.drift + network.by_zone(self.feeds.gap[network.edge_counter])

    # -- state ------------------------------------------------------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        return {
            "zones": {f.name: getattr(self.zones, f.name) for f in fields(Zones)},
            "feeds": {f.name: getattr(self.feeds, f.name) for f in fields(Feeds)},
            "histories": [h.to_state() for h in self.histories],
            "silent": self.silent,
            "names": list(self._names),
            "within": self.within,
            "sites": list(self._sites),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Occupancy:
        """What `to_state` wrote."""
        made = cls()
        made.zones, made.feeds = Zones(**state["zones"]), Feeds(**state["feeds"])
        ticks, minutes = (History.from_state(h) for h in state["histories"])
        made.histories = (ticks, minutes)
        made.silent, made._names = state["silent"], tuple(state["names"])
        made.within, made._sites = state["within"], tuple(state["sites"])
        return made
