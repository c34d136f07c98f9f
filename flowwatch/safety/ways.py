"""Who can get out, for many gate tables at once.

The same walk as in `core/gates.py`, backwards from outside; but a *column* here is one bit in each of many tables (numpy's `packbits`), so
that one `&` or `|` of bytes walks one passage in eight tables. Zones that are always reached together are walked as one *place*: those that
are joined by links which no stage leads one way, and those within one another where no link joins the two.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from flowwatch.core.readings import OUTSIDE, Bools, Bytes

Led = Mapping[str, tuple[Bytes, Bytes]]
"""Link -> in which tables people may walk along it (from `from` to `to`), and back; packed."""


class Ways:
    """The passages of a compiled site. `led`: the links that some stage leads one way; all others always lead both ways."""

    def __init__(self, site: Mapping[str, Any], led: Collection[str] = ()) -> None:
        joined: dict[str, str] = {}

        def root(zone: str) -> str:
            while joined.get(zone, zone) != zone:
                zone = joined[zone]
            return zone

        for link in site["links"]:
            if link["link"] not in led:
                joined[root(link["from"])] = root(link["to"])
        linked = {frozenset((link["from"], link["to"])) for link in site["links"]}
        for zone in site["zones"]:
            if zone["inside"] is not None and frozenset((zone["zone"], zone["inside"])) not in linked:
                joined[root(zone["zone"])] = root(zone["inside"])
        self.place = {name: root(name) for name in (OUTSIDE, *(z["zone"] for z in site["zones"]))}
        """Zone -> its place."""
        zones = [z for z in site["zones"] if not z.get("outside")]
        self.needing = [z["zone"] for z in zones if z["inside"] is None or self.place[z["zone"]] != self.place[z["inside"]]]
        """The zones that need a way out of their own; any other has that of the zone it lies in."""
        self._gates = [(self.place[g["from"]], self.place[g["to"]]) for g in site["gates"]]
        self._links = [(k["link"], self.place[k["from"]], self.place[k["to"]]) for k in site["links"] if k["link"] in led]

    def reached(self, enter: Bytes, leave: Bytes, led: Led | None = None, failed: int | None = None) -> dict[str, Bytes]:
        """Place -> in which tables a way leads outside from it. `enter`, `leave`: (gates, tables / 8) packed. Gate `failed` passes nobody.

        `led`: which way links are walked; both ways, if left out.
        """
        every = np.full(enter.shape[1], 255, np.uint8)
        ways = [(from_, to, enter[g]) for g, (from_, to) in enumerate(self._gates) if g != failed]
        ways += [(to, from_, leave[g]) for g, (from_, to) in enumerate(self._gates) if g != failed]
        for link, from_, to in self._links:
            along, back = led[link] if led is not None else (every, every)
            ways += [(from_, to, along), (to, from_, back)]
        ways = [way for way in ways if way[0] != way[1]]
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
