"""The same plan with other bars: what a planner tries before writing it down.

`three_in_five_out=1200` moves the bar on people of that stage of the main plan to 1,200. The bar below which the stage is left keeps its share of
it. Everything else stays. What comes out is judged by the same safety analysis as any plan, and refused if that finds a fault. Where a scenario
has several sites, a stage is named with its site: `bund.remote_hold=38000`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flowwatch.core.entries import canonical
from flowwatch.documents import Loaded
from flowwatch.documents.faults import did_you_mean, listed, near, quoted
from flowwatch.safety import analyse
from flowwatch_sim.planned import Planned

Moved = tuple[tuple[str, int], ...]
"""(stage of the main plan, people), in the order in which they were given."""


class BadBarsError(ValueError):
    """The bars mean nothing for this plan, or make it unsafe; the message says what was found and what was expected."""

    def __init__(self, message: str, *, unknown: bool = True) -> None:
        super().__init__(message)
        self.unknown = unknown
        """Whether other people for the same stages would be no better: they have no such bars."""


def read_moved(text: str) -> Moved:
    """The bars in a text such as "three_in_five_out=1200,exit_only=2600". Raises `BadBarsError`.

    >>> read_moved("three_in_five_out=1200,exit_only=2600")
    (('three_in_five_out', 1200), ('exit_only', 2600))
    """
    bars = []
    for part in text.split(","):
        stage, equals, people = part.strip().partition("=")
        if not equals or not people.isdecimal() or not int(people):
            raise BadBarsError(f"found {quoted(part)}, expected a stage and people such as three_in_five_out=1200")
        bars.append((stage, int(people)))
    return tuple(bars)


def name(bars: Moved) -> str:
    """What a variant is called.

    >>> name((("a", 1200), ("b", 2600)))
    '1200/2600'
    """
    return "/".join(str(people) for _, people in bars)


def varied(planned: Planned, bars: Moved) -> Planned:
    """A scenario whose plans have other bars. Raises `BadBarsError`."""
    if not bars or not planned.beside:
        return replace(planned, loaded=vary(planned.loaded, bars)) if bars else planned
    sites = [place.scenario.site for place in planned.sites]
    for wanted, _ in bars:
        if not any(wanted.startswith(f"{site}.") for site in sites):
            raise BadBarsError(f"found {quoted(wanted)}, expected a site and its stage such as {sites[-1]}.exit_only: {listed(sites)}")
    places = []
    for place in planned.sites:
        head = f"{place.scenario.site}."
        mine = tuple((wanted.removeprefix(head), people) for wanted, people in bars if wanted.startswith(head))
        places.append(replace(place, loaded=vary(place.loaded, mine)) if mine else place)
    return replace(places[0], beside=tuple(places[1:]))


def vary(loaded: Loaded, bars: Moved) -> Loaded:
    """The documents with other bars. Raises `BadBarsError`."""
    record: dict[str, Any] = json.loads(loaded.payload)
    stages = {stage["stage"]: stage for stage in record["plans"][0]["stages"]} if record["plans"] else {}
    for wanted, people in bars:
        if wanted not in stages:
            raise BadBarsError(f"found {quoted(wanted)}, expected a stage: {listed(list(stages))}{did_you_mean(near(wanted, stages))}")
        leaves = [leaf for leaf in stages[wanted]["leaves"] if _on_people(leaf)]
        if not leaves:
            raise BadBarsError(f"found no bar on people in {quoted(wanted)}, expected a stage that has one")
        for leaf in leaves:
            _move(leaf, people)
    faults = [finding.en for finding in analyse(record).faults]
    if faults:
        raise BadBarsError(f"{name(bars)}: {faults[0]}", unknown=False)
    payload = canonical(record)
    return Loaded(json.loads(payload), payload, hashlib.sha256(payload).hexdigest()[:12])


def _on_people(leaf: Mapping[str, Any]) -> bool:
    return leaf["kind"] == "people" and leaf["measure"] in ("occupancy", "occupancy_upper", "occupancy_lower")


def _move(leaf: dict[str, Any], people: int) -> None:
    clear = round(leaf["clear_m"] * people * 1000 / leaf["enter_m"] / 1000)
    leaf["enter_m"], leaf["clear_m"] = people * 1000, clear * 1000
    leaf["enter"], leaf["clear"] = str(people), str(clear)
