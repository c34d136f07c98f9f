"""A link as people walk it: everybody at their own pace, all of them slower the more they are.

Who is on a link walks at their speed when alone times a share that depends on how many are on it at that moment; nobody queues behind a slow walker.
That is the queue M/G/c/c with service that depends on the state (Yuhaski and Smith 1989), and exact in time: each way has a clock that runs
as fast as people walk, and somebody is through when the clock has gone on by as much as they take when alone.

Before its mouths people wait, who may enter as the width takes them in (`Diagram.receives`), both ways sharing the width, and as there is room.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final

from flowwatch_sim.walking import BACK, FINE, LEVEL, STAIRS_FLOW, STAIRS_SPEED, Diagram

FULL_SHARE: Final = 0.9
"""Nobody squeezes in where it is this full of the jam density (assumed)."""
SLOWEST: Final = 0.05
"""The share of their speed that people keep in any crowd: they shuffle (assumed; it keeps a crowd from standing for ever)."""
NEVER: Final = float("inf")


def paces(diagram: Diagram) -> list[float]:
    """`Diagram.shares`, but nobody ever stands."""
    return [max(share, SLOWEST) for share in diagram.shares()]


class Link:
    """One link. Times are seconds; ways are 0 (`from` to `to`) and 1."""

    __slots__ = ("_ahead", "_clock", "_headway", "_next", "_opposing", "_pace", "_paces", "_per", "_seconds", "_since", "count", "most")

    def __init__(self, metres: float, width: float, diagram: Diagram, *, opposing: float = 1.0, slope: str = LEVEL) -> None:
        """A link `metres` long and `width` metres wide; `slope`: "up" or "down" as stairs lead way 0.

        `opposing`: how much those who come the other way count in the density.
        """
        slopes = (slope, BACK[slope])
        self.count = [0, 0]
        """People on it, by way."""
        self.most = max(1, int(FULL_SHARE * diagram.jam * metres * width))
        """People who have room."""
        self._opposing, self._per, self._paces = opposing, FINE / (metres * width), paces(diagram)
        self._seconds = tuple(metres / STAIRS_SPEED[s] for s in slopes)
        """Way -> seconds at 1 m/s."""
        self._headway = [[1 / (flow * STAIRS_FLOW[s] * width) if flow else NEVER for flow in diagram.receives()] for s in slopes]
        self._ahead: tuple[list[tuple[float, int]], list[tuple[float, int]]] = ([], [])
        """Way -> (the clock when they are through, who); heaps."""
        self._clock, self._pace, self._since = [0.0, 0.0], [self._paces[0]] * 2, 0.0
        self._next = -NEVER

    def opens(self) -> float:
        """When the next one may enter; `NEVER` while it is full."""
        return self._next if sum(self.count) < self.most else NEVER

    def enter(self, who: int, way: int, now: float, speed: float) -> None:
        """Somebody who walks at `speed` m/s when alone sets out at `now`."""
        self._run(now)
        heappush(self._ahead[way], (self._clock[way] + self._seconds[way] / speed, who))
        self.count[way] += 1
        self._adapt()
        self._next = now + self._headway[way][min(int(sum(self.count) * self._per), len(self._paces) - 1)]

    def through(self, way: int) -> float:
        """When the first is through, if nobody comes or goes before; `NEVER` if nobody walks this way."""
        ahead = self._ahead[way]
        return self._since + max(0.0, ahead[0][0] - self._clock[way]) / self._pace[way] if ahead else NEVER

    def leave(self, way: int, now: float) -> int:
        """The first is through at `now`: who it is."""
        self._run(now)
        self.count[way] -= 1
        self._adapt()
        return heappop(self._ahead[way])[1]

    def _run(self, now: float) -> None:
        for way in (0, 1):
            self._clock[way] += self._pace[way] * (now - self._since)
        self._since = now

    def _adapt(self) -> None:
        for way in (0, 1):
            density = (self.count[way] + self._opposing * self.count[1 - way]) * self._per
            self._pace[way] = self._paces[min(int(density), len(self._paces) - 1)]
