"""Passages between sites of one day: who leaves one site by a gate, and walks on to an entrance of another.

Whoever leaves by a passage's gate takes it with the chance of its `share`, a group together, and stands before the entrance at its other end
after `walk_s`, which is the same for everybody. There they are new visitors: counted, held up and turned away like all others, with stays and
patience of the stream that the passage names and their own pace. Nobody takes a passage twice, so that two passages, there and back, end.

All luck is drawn before the day, as for everybody (`people.py`): each site has a place in its list for everyone who might ever come over, with
an arrival that is still unknown. What a gate does decides when, or whether, they come, and never who they are.

Between two steps nobody arrives who has left in the same step: a walk is as long as a step at least, so sites may be advanced one after the
other. At every moment, over all sites,

    came from the street = waiting + inside + on the way between sites + left for good + turned away.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np

from flowwatch_sim.demand import PURPOSES, Stream, drawn, people, together
from flowwatch_sim.lanes import NEVER
from flowwatch_sim.layout import Layout
from flowwatch_sim.people import Floats, Ints, People
from flowwatch_sim.world import Habits, World

SITE_LUCK: Final = 1 << 31
"""What sets a further site's seeds apart from the numbers of streams and counters, which are all smaller."""
WALK_LUCK: Final = 1 << 30
"""What sets the draws for those who walk over apart from those of streams."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A way from one site of the day to another. Sites and gates by number."""

    site: int
    gate: int
    to_site: int
    share: float
    """Of those who leave by the gate, who take it."""
    walk_s: float
    stream: Stream
    """What those who come over do there; its one entrance is where they come to."""
    number: int
    """That of the stream at the other site."""


class Ground(Protocol):
    """What a world is made of: one site of the day, who comes to it, and how they walk."""

    @property
    def layout(self) -> Layout:
        """The site."""

    @property
    def streams(self) -> Sequence[Stream]:
        """Who comes from the street."""

    @property
    def habits(self) -> Habits:
        """How people walk and wait."""


@dataclass(frozen=True, slots=True)
class _Walkers:
    """People of one site, by their places in its list, who share a stream and the passages that brought them."""

    site: int
    origin: tuple[int, int]
    """Site and stream that they belong to."""
    way: tuple[int, ...]
    """The passages that they have taken."""
    who: Ints
    luck: Ints
    speed: Floats


class Between:
    """One day's sites, and those on their way from one to another. With one site and no passage it is that site's world and nothing else."""

    def __init__(self, grounds: Sequence[Ground], passages: Sequence[Passage], seed: int) -> None:
        own = [people(ground.streams, site_seed(seed, i)) for i, ground in enumerate(grounds)]
        lists, self._onward = _with_walkers(own, passages, seed)
        self.worlds = [World(ground.layout, those, ground.habits) for ground, those in zip(grounds, lists, strict=True)]
        self.went_on, self.arrived = [0] * len(grounds), [0] * len(grounds)
        """Site -> how many left it for another one; and came from another one."""
        self._passages = passages
        self._ahead: list[deque[tuple[float, int]]] = [deque() for _ in passages]
        """Passage -> (when they arrive, who they are there), soonest first."""

    @property
    def walking(self) -> int:
        """People on their way from one site to another."""
        return sum(map(len, self._ahead))

    def announce(self, until: float) -> None:
        """Before a step: whoever arrives before its end is on the other site's clock."""
        for passage, ahead in zip(self._passages, self._ahead, strict=True):
            while ahead and ahead[0][0] < until:
                at, who = ahead.popleft()
                self.worlds[passage.to_site].arrives(who, at)
                self.arrived[passage.to_site] += 1

    def collect(self) -> None:
        """After a step of every site: whoever left by a passage sets out."""
        for passage, ahead, onward in zip(self._passages, self._ahead, self._onward, strict=True):
            for at, gate, who in self.worlds[passage.site].leavers:
                if gate == passage.gate and who in onward:
                    ahead.append((at + passage.walk_s, onward[who]))
                    self.went_on[passage.site] += 1


def site_seed(seed: int, site: int) -> int:
    """The seed of a site of the day; the first one's is the day's own, so that a scenario of one site knows nothing of this."""
    return seed + (SITE_LUCK + site << 32) if site else seed


def _with_walkers(own: Sequence[People], passages: Sequence[Passage], seed: int) -> tuple[list[People], list[dict[int, int]]]:
    """Each site's people with those who may come over from others; and passage -> who takes it -> who they are at its end."""
    parts, sizes = [[those] for those in own], [len(those) for those in own]
    onward: list[dict[int, int]] = [{} for _ in passages]
    ahead = deque(
        _Walkers(site, (site, stream), (), who, those.luck[who], those.speed[who])
        for site, those in enumerate(own)
        for stream in np.unique(those.stream).tolist()
        for who in [np.flatnonzero(those.stream == stream)]
    )
    while ahead:
        walkers = ahead.popleft()
        for i, passage in enumerate(passages):
            if passage.site != walkers.site or i in walkers.way:
                continue
            who, there = _over(walkers, i, passage, seed)
            places = sizes[passage.to_site] + np.arange(len(there))
            onward[i].update(zip(who.tolist(), places.tolist(), strict=True))
            parts[passage.to_site].append(there)
            sizes[passage.to_site] += len(there)
            ahead.append(_Walkers(passage.to_site, walkers.origin, (*walkers.way, i), places, there.luck, there.speed))
    return [mine[0] if len(mine) == 1 else together(mine) for mine in parts], onward


def _over(walkers: _Walkers, i: int, passage: Passage, seed: int) -> tuple[Ints, People]:
    """Who of `walkers` would take a passage, and who they are at its end."""
    _, first, group = np.unique(walkers.luck, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    group = rank[group]
    order = np.argsort(group, kind="stable")
    sizes = np.bincount(group, minlength=len(first))
    way = 0
    for taken in (*walkers.way, i):
        way = way * 64 + taken + 1
    key = [site_seed(seed, passage.to_site), WALK_LUCK, way, *walkers.origin]
    random = {purpose: np.random.default_rng([*key, k]) for k, purpose in enumerate(PURPOSES)}
    goes = np.repeat(np.random.default_rng([*key, len(PURPOSES)]).random(len(first)) < passage.share, sizes)
    there = replace(drawn(passage.stream, passage.number, random, np.full(len(first), NEVER), sizes), speed=walkers.speed[order])
    return walkers.who[order][goes], _only(there, goes)


def _only(those: People, kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> People:
    return People(
        came=those.came[kept],
        stream=those.stream[kept],
        gate=those.gate[kept],
        stays=[stay for stay, keep in zip(those.stays, kept.tolist(), strict=True) if keep],
        speed=those.speed[kept],
        patience=those.patience[kept],
        into=those.into[kept],
        out=those.out[kept],
        luck=those.luck[kept],
    )
