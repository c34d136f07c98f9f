"""The days that the simulator's benchmarks live through: a large site, and two rushes whose answers are known.

The large site has 20 zones in a ring, each joined to the next by a link, and 8 gates at zones spread over it; a counter at every gate and link, a
camera in every zone. Its plan meters the entrances at 80 % of the capacity and shuts them at 100 %, with the usual waits. 30,000 people come over
the hours of a street, stay 90 minutes in the mean behind the gate that they came through, and see two more zones on their way. They stand here as
the documents that a planner would write, so that they go through the same reading as any other.

Knows nothing of how anything is measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowwatch.documents import Source

PEOPLE: Final = 30_000
ZONES: Final = 20
GATES: Final = 8
HOURS: Final = 12

SITE: Final = """site: large
title: {{zh: 大景区, en: Large site}}
time_zone: Asia/Shanghai
egress_min_per_min: 200
zones:
{zones}
gates:
{gates}
links:
{links}
counters:
{counters}
"""
PLAN: Final = """plan: large
site: large
title: {{zh: 方案, en: Plan}}
basis: {{zh: 试, en: A trial}}
stages:
  - stage: open
    title: {{zh: 开放, en: Open}}
    gates: {{{all_both}}}
  - stage: metered
    title: {{zh: 限流, en: Metered}}
    level: III
    when: {{any: [{{zone: site, measure: occupancy, enter: {metered}, clear: {metered_clear}, hold: 1m}}]}}
    dwell: 10m
    gates: {{{some_metered}}}
  - stage: full
    title: {{zh: 只出不进, en: Exit only}}
    level: I
    when: {{any: [{{zone: site, measure: occupancy, enter: {full}, clear: {full_clear}, hold: 30s}}]}}
    dwell: 10m
    gates: {{{all_out}}}
"""
SCENARIO: Final = """scenario: large-day
title: {{zh: 大景区的一天, en: A day at the large site}}
site: large
starts: 2026-10-01 08:00
lasts: {hours}h
streams:
  - {{stream: visitors, people: {people}, stay: 90m, visits: [{visits}]}}
"""


@dataclass(frozen=True, slots=True)
class Large:
    """How large the site is, and how many come."""

    people: int = PEOPLE
    zones: int = ZONES
    gates: int = GATES
    hours: int = HOURS

    def scenario(self) -> Source:
        """The day."""
        seen = sorted({self.zones // 3, 2 * self.zones // 3})
        visits = ", ".join(f"{{zone: z{zone}, share: 0.4, stay: 10m}}" for zone in seen)
        return Source("large-day.yaml", SCENARIO.format(hours=self.hours, people=self.people, visits=visits).encode())

    def write(self, root: Path) -> Path:
        """Its site and its plan under `root`, where documents lie; gives `root`."""
        gates, zones = [f"gate-{g}" for g in range(self.gates)], range(self.zones)
        site = SITE.format(
            zones=_lines(
                f"z{z}: {{title: {{zh: 区, en: Zone}}, area_m2: {60_000 / self.zones:.0f}, capacity: {40_000 // self.zones}}}"
                for z in zones
            ),
            gates=_lines(
                f"{gate}: {{title: {{zh: 口, en: Gate}}, to: z{g * self.zones // self.gates}, lanes: 8, width_m: 8}}"
                for g, gate in enumerate(gates)
            ),
            links=_lines(f"l{z}: {{title: {{zh: 道, en: Way}}, from: z{z}, to: z{(z + 1) % self.zones}, width_m: 6}}" for z in zones),
            counters=_lines(
                [
                    *(f"c-{gate}: {{gate: {gate}, counts: delta, every: 10s}}" for gate in gates),
                    *(f"c-l{z}: {{link: l{z}, counts: delta, every: 10s}}" for z in zones),
                    *(f"camera-{z}: {{zone: z{z}, counts: absolute, every: 30s}}" for z in zones),
                ]
            ),
        )
        bars = {"full": self.people // 6, "full_clear": self.people // 7, "metered": self.people // 8, "metered_clear": self.people // 9}
        plan = PLAN.format(
            **bars,
            all_both=", ".join(f"{gate}: both" for gate in gates),
            some_metered=", ".join(f"{gate}: metered 60/min both" for gate in gates),
            all_out=", ".join(f"{gate}: out" for gate in gates),
        )
        for file, text in ((root / "config/sites/large.yaml", site), (root / "rules/large/plan.yaml", plan)):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return root


def _lines(items: Iterable[str]) -> str:
    return "\n".join(f"  {item}" for item in items)
