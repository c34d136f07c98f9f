"""What a scenario expects of its plan, held against what happened on a day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import UnsetType

from flowwatch_sim.planned import Planned
from flowwatch_sim.runs import Result


@dataclass(frozen=True, slots=True)
class Broken:
    """One expectation that a day did not meet."""

    seed: int
    key: str
    expected: str
    found: str


def broken(result: Result, planned: Planned) -> Iterator[Broken]:
    """The expectations of the scenario that this day broke, in the order of the file."""
    said, main = planned.scenario.expect, planned.loaded.site["plans"]
    plan = main[0]["plan"] if main else ""
    minutes = {name.rsplit("/", 1)[1]: value for name, value in result.measures.items() if name.startswith(f"stage/{plan}/")}
    for stage in said.stages:
        if not minutes.get(stage):
            yield Broken(result.seed, "stages", stage, ", ".join(s for s, m in minutes.items() if m) or "none")
    for stage in said.never:
        if minutes.get(stage):
            yield Broken(result.seed, "never", f"not {stage}", f"{minutes[stage]:.0f} min in {stage}")
    for zone, most in said.most.items():
        peak = result.measures[f"peak/{zone}"]
        if peak > most:
            yield Broken(result.seed, f"most.{zone}", f"at most {most:,}", f"{peak:,.0f}")
    for zone, least in said.least.items():
        peak = result.measures[f"peak/{zone}"]
        if peak <= least:
            yield Broken(result.seed, f"least.{zone}", f"more than {least:,}", f"{peak:,.0f}")
    if not isinstance(said.turned_away, UnsetType) and result.measures["turned_away_share"] > said.turned_away:
        yield Broken(result.seed, "turned_away", f"at most {said.turned_away:.1%}", f"{result.measures['turned_away_share']:.1%}")
    if not isinstance(said.within_band, UnsetType) and result.measures["band"] < said.within_band:
        yield Broken(result.seed, "within_band", f"at least {said.within_band:.0%}", f"{result.measures['band']:.0%}")
