"""Who can get out, for many gate tables at once.

The same walk as in `core/gates.py`, backwards from outside; but a *column* here is one bit in each of many tables (numpy's `packbits`), so
that one `&` or `|` of bytes walks one passage in eight tables. Zones that are joined by links or lie in one another are always reached
together and are walked as one *place*.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from flowwatch.core.readings import OUTSIDE, Bools, Bytes


class Ways:
    """The passages of a compiled site. `one_way`: link -> "one_way" (from `from` to `to`) or "one_way_back"; all others lead both ways."""

    def __init__(self, site: Mapping[str, Any], one_way: Mapping[str, str] | None = None) -> None:
        one_way = one_way or {}
        joined: dict[str, str] = {}

        def root(zone: str) -> str:
            while joined.get(zone, zone) != zone:
                zone = joined[zone]
            return zone

        self._directed: list[tuple[str, str]] = []
        for link in site["links"]:
            word = one_way.get(link["link"])
            if word in ("one_way", "one_way_back"):
                ends = (link["from"], link["to"])
                self._directed.append(ends if word == "one_way" else ends[::-1])
            else:
                joined[root(link["from"])] = root(link["to"])
        for zone in site["zones"]:
            if zone["inside"] is not None:
                joined[root(zone["zone"])] = root(zone["inside"])
        names = [OUTSIDE, *(z["zone"] for z in site["zones"])]
        self.place = {name: root(name) for name in names}
        """Zone -> its place."""
        self.needing = [z["zone"] for z in site["zones"] if not z.get("outside") and z["inside"] is None]
        """The zones that need a way out; a zone within another has that one's."""
        self._gates = [(self.place[g["from"]], self.place[g["to"]]) for g in site["gates"]]

    def reached(self, enter: Bytes, leave: Bytes, failed: int | None = None) -> dict[str, Bytes]:
        """Place -> in which tables a way leads outside from it. `enter`, `leave`: (gates, tables / 8) packed. Gate `failed` passes nobody."""
        ways = [(from_, to, enter[g]) for g, (from_, to) in enumerate(self._gates) if g != failed and from_ != to]
        ways += [(to, from_, leave[g]) for g, (from_, to) in enumerate(self._gates) if g != failed and from_ != to]
        every = np.full(enter.shape[1], 255, np.uint8)
        ways += [(self.place[a], self.place[b], every) for a, b in self._directed if self.place[a] != self.place[b]]
        out = {place: np.zeros(enter.shape[1], np.uint8) for place in self.place.values()}
        out[self.place[OUTSIDE]] = every
        changed = {self.place[OUTSIDE]}
        while changed:
            front, changed = changed, set()
            for origin, goal, open_ in ways:
                if goal in front:
                    now = out[origin] | (open_ & out[goal])
                    if not np.array_equal(now, out[origin]):
                        out[origin] = now
                        changed.add(origin)
        return out


def packed(columns: Bools) -> Bytes:
    """(gates, tables) to (gates, tables / 8)."""
    return np.packbits(columns, axis=1)


def unpacked(column: Bytes, tables: int) -> Bools:
    """One column back to (tables,)."""
    return np.unpackbits(column, count=tables).astype(np.bool_)
