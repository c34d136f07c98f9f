"""How long the static safety analysis takes: a large site with ever more plans that are in force together.

    python -m benchmarks.safety [--gates 50] [--zones 20] [--stages 8]

Each line is one site: its main plan alone, then with zone plans and cases of five stages each. The aim is 5 s for 50 gates, 20 zones,
a main plan of 8 stages and three more plans; beyond the budget of situations the analysis visits those nearest to calm and says so.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence
from typing import Any, Final

from flowwatch.safety import analyse
from tests.safety.made import case, gate, link, people, plan, site, stage, zone, zone_plan

AIM_S: Final = 5.0
Record = dict[str, Any]


def place(gates: int, zones: int, stages: int, more: Sequence[str]) -> Record:
    """A site whose plans all ask something else of nearly every gate; `more`: "zone", "tighten" and "replace"."""
    names = [f"z{i}" for i in range(zones)]
    areas = [zone(name, inside=names[i // 2] if i % 3 == 1 else None) for i, name in enumerate(names)]
    ends = [{"from": names[(i * 5 + 2) % zones] if i % 4 == 3 else "outside", "to": names[i % zones]} for i in range(gates)]
    doors = [gate(f"g{i}", lanes=2 + i % 5, emergency=i % 10 == 0, entrance_only=i % 25 == 24, **end) for i, end in enumerate(ends)]
    ways = [link(f"l{i}", names[i], names[i + 1]) for i in range(0, zones - 1, 2)]
    main = plan("main", _stages(doors, stages, 0, whole=True))
    others = [_other(doors, kind, i + 1) for i, kind in enumerate(more)]
    return site(main, *others, zones=areas, gates=doors, links=ways, egress_min_per_min=500)


def _other(doors: list[Record], kind: str, seed: int) -> Record:
    stages = _stages(doors, 5, seed, whole=kind == "replace")
    return zone_plan(f"p{seed}", stages, of="z0") if kind == "zone" else case(f"p{seed}", stages, kind)


def _stages(doors: list[Record], count: int, seed: int, *, whole: bool) -> list[Record]:
    made = []
    for rank in range(count):
        table = {}
        for i, door in enumerate(doors):
            if whole or (i + seed) % 3 == 0:
                table[door["gate"]] = _setting(door, i, rank, seed)
        clauses = [[people(1000 * rank, 1000 * rank - 100, zone="z0")]] if rank else []
        made.append(stage(f"s{rank}", *clauses, gates=table))
    return made


def _setting(door: Record, i: int, rank: int, seed: int) -> str:
    if door["entrance_only"]:
        return ("in", f"metered {40 - rank}/min", "closed")[(i + rank) % 3]
    if (i * 7 + seed * 3) % 10 < rank:
        return "out"
    return ("both", f"metered {60 + seed - rank}/min both", "wave in 50s hold 10s out 110s")[(i + seed) % 3]


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, most in (("gates", 50), ("zones", 20), ("stages", 8)):
        options.add_argument(f"--{name}", type=int, default=most)
    chosen = options.parse_args()
    print(f"{chosen.gates} gates, {chosen.zones} zones, main plan of {chosen.stages} stages")
    print(f"{'more plans':<48} {'situations':>16} {'visited':>12} {'findings':>8} {'seconds':>8} {'MiB':>6}")
    three = ("zone", "tighten", "replace")
    for more in ((), three[:1], three, ("replace",) * 3, (*three, "zone"), (*three, *three), ("zone",) * 10):
        record = place(chosen.gates, chosen.zones, chosen.stages, more)
        start = time.perf_counter()
        report = analyse(record)
        took = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        counts = f"{report.coverage.situations:>16,} {report.coverage.visited:>12,} {len(report.findings):>8}"
        print(f"{', '.join(more) or 'none':<48} {counts} {took:>8.2f} {peak:>6}{'' if took <= AIM_S else '  over the aim'}")


if __name__ == "__main__":
    main()
