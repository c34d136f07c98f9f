"""Gates held by hand: which the engine refuses in which stage, and which it would lift when the stage then rises.

An override of a stage makes one of the situations that are checked anyway. One of a gate puts a setting in the place of what the plans ask,
and the engine admits it only while the whole table keeps the invariants and the calmer stage's capacity (`core/standing.py`); where a higher
stage makes it inadmissible it is lifted, and the situation's own table is left, which is checked. So no override takes people's way out
where the situations have no fault; this table says in advance what operators will be refused.

The settings stand for all: a metered gate is a way out like `in`, or like `both`, and a wave lies between those.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from flowwatch.core.gates import Setting, is_outer, lanes_per_min
from flowwatch.core.readings import Bools, Bytes, Ints
from flowwatch.safety.egress import wrong
from flowwatch.safety.place import Place
from flowwatch.safety.report import Override
from flowwatch.safety.ways import Led, packed, unpacked

TRIED: Final = tuple(Setting.parse(text) for text in ("in", "out", "both", "closed"))


def overrides(place: Place) -> Iterator[Override]:
    """Each gate in each setting, in every stage of the main plan with all else calm."""
    main = place.space.columns[0]
    stages = [stage["stage"] for stage in main.plan["stages"]]
    rows = np.array([place.space.where({0: kind}) for kind in main.kind], np.int64)
    bits = _bits(place.tables.enter, rows), _bits(place.tables.leave, rows)
    led = {link: tuple(packed(_bits(way[None], rows))[0] for way in ways) for link, ways in place.tables.led.items()}
    capacity = place.tables.capacity[rows]
    floor = np.maximum(1000 * place.site["egress_min_per_min"], np.concatenate([[0], capacity[:-1]]))
    lawful = [np.array([not wrong(gate, place.tables.setting(g, row)) for row in rows]) for g, gate in enumerate(place.site["gates"])]
    for g, gate in enumerate(place.site["gates"]):
        others = np.logical_and.reduce([fits for k, fits in enumerate(lawful) if k != g] or [np.ones(len(rows), np.bool_)])
        without = capacity - place.tables.leaving(g)[rows]
        for setting in TRIED:
            out = round(1000 * setting.egress_per_min(lanes_per_min(gate))) if is_outer(gate) else 0
            kept = others & (without + out >= floor) & (not wrong(gate, setting)) & _all_out(place, g, setting, bits, led)
            refused = tuple(stage for stage, fine in zip(stages, kept.tolist(), strict=True) if not fine)
            yield Override(gate["gate"], str(setting), refused, _lifted(stages, kept))


def _bits(columns: Bytes, rows: Ints) -> Bools:
    """(columns, rows) of packed columns."""
    return (columns[:, rows // 8] >> (7 - rows % 8) & 1).astype(np.bool_)


def _all_out(place: Place, gate: int, setting: Setting, bits: tuple[Bools, Bools], led: Led) -> Bools:
    """(stages,) whether every zone has a way out with the gate in that setting, links walked as people are led."""
    enter, leave = bits[0].copy(), bits[1].copy()
    enter[gate], leave[gate] = setting.may_enter, setting.may_leave
    out = place.ways.reached(packed(enter), packed(leave), led)
    n = enter.shape[1]
    fine: Bools = np.logical_and.reduce([unpacked(out[place.ways.place[zone]], n) for zone in place.ways.needing] or [np.ones(n, np.bool_)])
    return fine


def _lifted(stages: list[str], kept: Bools) -> dict[str, str]:
    """Each stage in which it is admitted, with the next higher one in which it is not."""
    found: dict[str, str] = {}
    for rank in np.flatnonzero(kept).tolist():
        higher = np.flatnonzero(~kept[rank + 1 :])
        if len(higher):
            found[stages[rank]] = stages[rank + 1 + int(higher[0])]
    return found
