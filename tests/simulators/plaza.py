"""Small places to try simulators on: records as `layout` wants them, and streams without luck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flowwatch_sim.demand import Stream
from flowwatch_sim.layout import Layout, layout
from flowwatch_sim.walking import Diagram

AIR = Diagram("air", ((0.0, 1.34), (1000.0, 1.34)), 1000.0, 1.3)
"""Nobody is in anybody's way."""
HALL = 4.0
"""A hall of so many square metres is crossed in no time."""
WIDE = {"width_m": 1000.0, "entrance_only": False}
"""Of gates that only their lanes hold people up at."""


def place(
    gates: Mapping[str, tuple[int, float]],
    zones: Mapping[str, float] | None = None,
    links: Sequence[tuple[str, str, str, float]] = (),
    behind: Mapping[str, str] | None = None,
) -> Layout:
    """Gate -> (lanes, persons/min a lane), from the street into `behind` (else into the first zone); zone -> m²; (link, from, to, width)."""
    rooms = {"hall": HALL} if zones is None else zones
    first, inner = next(iter(rooms)), behind or {}
    record: dict[str, Any] = {
        "zones": [{"zone": name, "inside": None, "area_m2": area} for name, area in rooms.items()],
        "gates": [
            {"gate": name, "from": "outside", "to": inner.get(name, first), "lanes": lanes, "lane_per_min": rate, **WIDE}
            for name, (lanes, rate) in gates.items()
        ],
        "links": [{"link": name, "from": a, "to": b, "width_m": width} for name, a, b, width in links],
    }
    return layout(record)


def stream(per_s: float | Sequence[float], gates: Sequence[int] = (0,), *, step_s: float = 60.0, steps: int = 1440, **more: Any) -> Stream:
    """So many persons/s (all along, or by the step) to each of `gates` alike, one by one and patient, who stay an hour."""
    rate = np.full(steps, per_s) if isinstance(per_s, float) else np.array(per_s, np.float64)
    given: dict[str, Any] = {"stay_s": 3600.0, "group_excess": 0.0, "unrest": 0.0, "patience_s": 1e12} | more
    return Stream("visitors", rate * step_s, step_s, dict.fromkeys(gates, 1.0), dict.fromkeys(gates, 0), **given)
