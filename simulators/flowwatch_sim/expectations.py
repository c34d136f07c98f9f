"""What a scenario expects of its plan, held against what happened on a day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from msgspec import UnsetType

from flowwatch_sim.measures import of_site
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
    """The expectations of the scenario that this day broke, in the order of the file; of several sites each with its name."""
    for place in planned.sites:
        measures = of_site(result.measures, planned, place)
        for found in (*_stages(result.seed, measures, place), *_figures(result.seed, measures, place)):
            yield replace(found, key=f"{place.scenario.site}: {found.key}") if planned.beside else found


def _stages(seed: int, measures: Mapping[str, float], planned: Planned) -> Iterator[Broken]:
    said, main = planned.scenario.expect, planned.loaded.site["plans"]
    minutes = _minutes(measures, main[0]["plan"] if main else "")
    for stage in said.stages:
        if not minutes.get(stage):
            yield Broken(seed, "stages", stage, _reached(minutes))
    for stage in said.never:
        if minutes.get(stage):
            yield Broken(seed, "never", f"not {stage}", f"{minutes[stage]:.0f} min in {stage}")
    for plan, stage in said.plans.items():
        if not (beside := _minutes(measures, plan)).get(stage):
            yield Broken(seed, f"plans.{plan}", stage, _reached(beside))


def _figures(seed: int, measures: Mapping[str, float], planned: Planned) -> Iterator[Broken]:
    said = planned.scenario.expect
    for zone, most in said.most.items():
        peak = measures[f"peak/{zone}"]
        if peak > most:
            yield Broken(seed, f"most.{zone}", f"at most {most:,}", f"{peak:,.0f}")
    for zone, least in said.least.items():
        peak = measures[f"peak/{zone}"]
        if peak <= least:
            yield Broken(seed, f"least.{zone}", f"more than {least:,}", f"{peak:,.0f}")
    if not isinstance(said.turned_away, UnsetType) and measures["turned_away_share"] > said.turned_away:
        yield Broken(seed, "turned_away", f"at most {said.turned_away:.1%}", f"{measures['turned_away_share']:.1%}")
    if not isinstance(said.within_band, UnsetType) and measures["band"] < said.within_band:
        yield Broken(seed, "within_band", f"at least {said.within_band:.0%}", f"{measures['band']:.0%}")


def _minutes(measures: Mapping[str, float], plan: str) -> dict[str, float]:
    """Stage -> minutes in it."""
    return {name.rsplit("/", 1)[1]: value for name, value in measures.items() if name.startswith(f"stage/{plan}/")}


def _reached(minutes: Mapping[str, float]) -> str:
    return ", ".join(stage for stage, spent in minutes.items() if spent) or "none"
