"""People a minute through gates and links, and into zones: what the conditions on flow look at.

The rate of a counter is a sliding sum over its window w, the longer of a minute and its own reporting period (a counter that reports every
quarter of an hour knows no minute), from two buckets of that length:

    rate = (now + before * (w - elapsed) / w) / w        elapsed: how much of the present bucket is over, 0 < elapsed <= w

A counter that reports less than `OFTEN` times in its window says everything at once, so that this would go up and down with the bucket like a
saw; its rate is that of the fuller bucket, max(now, before) / w, which is right at an even flow and falls late. Either rate lies between
what the present bucket and what both hold.

People are counted when their reading counts, in whole numbers; rates are milli-persons a minute, rounded down. Only counters that some
condition looks at are kept. A rate is known once a whole window was watched, and fresh while its counters are; where a counter's window
changes with the documents, its watch begins anew.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from flowwatch.core.intake import Movements
from flowwatch.core.network import Network
from flowwatch.core.readings import MINUTE, NEVER, SECOND, Ints

_COLUMNS: Final = ("now_in", "now_out", "before_in", "before_out", "bucket", "since", "length")
OFTEN: Final = 6
"""Reports in a window from which on a sliding sum is right to within a sixth at an even flow."""


class Flows:
    """What is remembered of each counter's passers, (C,)."""

    def __init__(self) -> None:
        self.now_in = self.now_out = self.before_in = self.before_out = self.bucket = self.since = self.length = np.zeros(0, np.int64)

    def rebuild(self, counters: int, watched: Ints) -> None:
        """Make room for `counters` counters in all; those that nobody watches any more are forgotten."""
        for name in _COLUMNS:
            old: Ints = getattr(self, name)
            new = np.full(counters, NEVER if name == "since" else 0, np.int64)
            kept = watched[watched < len(old)]
            new[kept] = old[kept]
            setattr(self, name, new)

    def count(self, network: Network, watched: Ints, moved: Movements, tick: int) -> None:
        """Take in the people of one tick at the counters `watched` (codes)."""
        if not len(watched):
            return
        length = window(network, watched)
        fresh = watched[(self.since[watched] == NEVER) | (self.length[watched] != length)]
        self.since[fresh], self.bucket[fresh] = tick, NEVER
        self.length[watched] = length
        bucket = (tick - 1) // length
        passed = bucket - self.bucket[watched]
        stay, next_ = passed == 0, passed == 1
        for now, before, people in (
            (self.now_in, self.before_in, moved.ingress),
            (self.now_out, self.before_out, moved.egress),
        ):
            kept = now[watched]
            before[watched] = np.where(stay, before[watched], np.where(next_, kept, 0))
            now[watched] = np.where(stay, kept, 0) + people[watched]
        self.bucket[watched] = bucket

    def rates(self, network: Network, watched: Ints, tick: int) -> tuple[Ints, Ints]:
        """Milli-persons a minute (in, out) of the counters `watched`."""
        length = window(network, watched)
        elapsed = (tick - self.bucket[watched] * length) // SECOND
        w = length // SECOND

        often = network.every[watched] * OFTEN <= length

        def rate(now: Ints, before: Ints) -> Ints:
            late, early = now[watched], before[watched]
            sliding = late * w + early * np.maximum(w - elapsed, 0)
            return np.asarray(np.where(often, sliding, np.maximum(late, early) * w) * 60_000 // (w * w))

        return rate(self.now_in, self.before_in), rate(self.now_out, self.before_out)

    def known(self, network: Network, watched: Ints, tick: int) -> Any:
        """(W,) whether each counter of `watched` was watched for a whole window."""
        return (self.since[watched] != NEVER) & (tick - self.since[watched] >= window(network, watched))

    def to_state(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        return {name: getattr(self, name) for name in _COLUMNS}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Flows:
        """What `to_state` wrote."""
        made = cls()
        for name in _COLUMNS:
            setattr(made, name, state[name])
        return made


def window(network: Network, counters: Ints) -> Ints:
    """The window of each of `counters`, whole seconds in microseconds."""
    return np.asarray(np.maximum(network.every[counters], MINUTE) // SECOND * SECOND)
