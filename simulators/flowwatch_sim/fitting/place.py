"""At which gates an archive's counters count: by the site's documents, where there are any, and otherwise each counter at a gate of its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from flowwatch.core.readings import OUTSIDE
from flowwatch.documents import find, load
from flowwatch.documents.faults import did_you_mean, listed, near, quoted
from flowwatch.soundness import site_named_in
from flowwatch_sim.fitting.archive import Counts, NoDemandError


@dataclass(frozen=True)
class Place:
    """`gates`: counter -> gate, of counters that count who comes from the street; `zone`: the site's clocks, None where nobody knows them."""

    gates: Mapping[str, str]
    zone: ZoneInfo | None
    known: bool
    """The site has documents, ..."""
    enclosed: bool
    """... and every gate to the street is counted."""


def place_of(counts: Counts, root: Path) -> tuple[Place, Counts]:
    """Where the counters stand, and the counts with swapped counters turned round. Raises `DocumentErrors`, `NoDemandError`."""
    files = {site_named_in(site): site for site, _ in find(root)}
    if counts.site not in files:
        return Place({counter: counter for counter in counts.counters}, None, known=False, enclosed=False), counts
    record = load(files[counts.site]).site
    outer = {gate["gate"] for gate in record["gates"] if OUTSIDE in (gate["from"], gate["to"])}
    counters: dict[str, Mapping[str, Any]] = {counter["counter"]: counter for counter in record["counters"]}
    gates = {name: counters[name]["gate"] for name in counts.counters if name in counters and counters[name]["gate"] in outer}
    if not gates:
        name = counts.counters[0]
        told = f"found no counter at a gate to the street of {counts.site}, such as {quoted(name)}, expected {listed(list(counters))}"
        raise NoDemandError(f"{told}{did_you_mean(near(name, counters))}")
    swapped = np.array([name in counters and bool(counters[name]["swapped"]) for name in counts.counters])[:, None]
    turned = replace(counts, into=np.where(swapped, counts.out, counts.into), out=np.where(swapped, counts.into, counts.out))
    return Place(gates, ZoneInfo(str(record["time_zone"])), known=True, enclosed=outer <= set(gates.values())), turned
