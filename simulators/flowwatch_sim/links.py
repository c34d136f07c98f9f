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
WAYS: Final = ((), (0,), (1,), (0, 1))
"""No way, either and both."""


def paces(diagram: Diagram) -> list[float]:
    """`Diagram.shares`, but nobody ever stands."""
    return [max(share, SLOWEST) for share in diagram.shares()]


class Link:
    """One link. Times are seconds; ways are 0 (`from` to `to`) and 1.

    What is done whenever somebody comes or goes is written out for either way: nothing in a day is done as often.
    """

    __slots__ = (
        *("_ahead", "_clock", "_headway", "_next", "_opposing", "_pace", "_paces", "_per", "_seconds", "_shared", "_since"),
        *("count", "due", "most", "opens"),
    )

    def __init__(self, metres: float, width: float, diagram: Diagram, *, opposing: float = 1.0, slope: str = LEVEL) -> None:
        """A link `metres` long and `width` metres wide; `slope`: "up" or "down" as stairs lead way 0.

        `opposing`: how much those who come the other way count in the density.
        """
        slopes = (slope, BACK[slope])
        self.count = [0, 0]
        """People on it, by way."""
        self.most = max(1, int(FULL_SHARE * diagram.jam * metres * width))
        """People who have room."""
        self.due = [NEVER, NEVER]
        """Way -> when somebody is going to look whether the first is through (`sooner`)."""
        self._opposing, self._per, self._paces = opposing, FINE / (metres * width), paces(diagram)
        last = len(self._paces) - 1
        densities = [min(int(people * self._per), last) for people in range(int(last / self._per) + 2)]
        flows = diagram.receives()
        self._shared = [self._paces[k] for k in densities]
        """People on it -> the pace of all, where they count the same whichever way they walk."""
        self._headway = [[1 / (flows[k] * STAIRS_FLOW[s] * width) if flows[k] else NEVER for k in densities] for s in slopes]
        """Way -> people on it -> seconds from one to the next who may enter."""
        self._seconds = tuple(metres / STAIRS_SPEED[s] for s in slopes)
        """Way -> seconds at 1 m/s."""
        self._ahead: tuple[list[tuple[float, int]], list[tuple[float, int]]] = ([], [])
        """Way -> (the clock when they are through, who); heaps."""
        self._clock, self._pace, self._since = [0.0, 0.0], [self._paces[0]] * 2, 0.0
        self._next = -NEVER
        """When the width lets the next one in."""
        self.opens = self._next
        """When the next one may enter; `NEVER` while it is full."""

    def enter(self, who: int, way: int, now: float, speed: float) -> None:
        """Somebody who walks at `speed` m/s when alone sets out at `now`."""
        people = self._change(now, way, 1)
        heappush(self._ahead[way], (self._clock[way] + self._seconds[way] / speed, who))
        self._next = now + self._headway[way][people]
        self.opens = self._next if people < self.most else NEVER

    def through(self, way: int) -> float:
        """When the first is through, if nobody comes or goes before; `NEVER` if nobody walks this way."""
        ahead = self._ahead[way]
        if not ahead:
            return NEVER
        left = ahead[0][0] - self._clock[way]
        return self._since + left / self._pace[way] if left > 0.0 else self._since

    def leave(self, way: int, now: float) -> int:
        """The first is through at `now`: who it is."""
        people = self._change(now, way, -1)
        self.opens = self._next if people < self.most else NEVER
        return heappop(self._ahead[way])[1]

    def sooner(self) -> tuple[int, ...]:
        """The ways whose first is through sooner than `due` says, which says so from now on."""
        there, back = self._ahead
        clock, pace, due, found = self._clock, self._pace, self.due, 0
        if there:
            left = there[0][0] - clock[0]
            at = self._since + left / pace[0] if left > 0.0 else self._since
            if at < due[0]:
                due[0], found = at, 1
        if back:
            left = back[0][0] - clock[1]
            at = self._since + left / pace[1] if left > 0.0 else self._since
            if at < due[1]:
                due[1], found = at, found + 2
        return WAYS[found]

    def _change(self, now: float, way: int, by: int) -> int:
        """Let the clocks run until `now`, and set the pace for one more or less: how many there are."""
        clock, pace, count = self._clock, self._pace, self.count
        seconds = now - self._since
        clock[0] += pace[0] * seconds
        clock[1] += pace[1] * seconds
        self._since = now
        count[way] += by
        people = count[0] + count[1]
        if self._opposing == 1.0:
            pace[0] = pace[1] = self._shared[people]
        else:
            pace[0], pace[1] = self._own_pace(0), self._own_pace(1)
        return people

    def _own_pace(self, way: int) -> float:
        density = (self.count[way] + self._opposing * self.count[1 - way]) * self._per
        return self._paces[min(int(density), len(self._paces) - 1)]
