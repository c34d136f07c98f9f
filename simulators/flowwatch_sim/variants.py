"""The same scenario with other bars, or with other people in charge: what a planner tries before writing it down.

`three_in_five_out=1200` moves the bar on people of that stage of the main plan to 1,200; of several, the highest, and the others keep their
share of it, as does the bar below which the stage is left. Everything else stays. What comes out is judged by the same safety analysis as any
plan, and refused if that finds a fault. Where a scenario has several sites, a stage is named with its site: `bund.remote_hold=38000`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import UnsetType

from flowwatch.core.entries import canonical
from flowwatch.documents import Loaded, Source
from flowwatch.documents.faults import did_you_mean, listed, near, quoted
from flowwatch.documents.load import read_document
from flowwatch.documents.words import duration_us
from flowwatch.safety import analyse
from flowwatch_sim import scenario as language
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
    bars: list[tuple[str, int]] = []
    for part in text.split(","):
        stage, equals, people = part.strip().partition("=")
        if not equals or not people.isdecimal() or not int(people):
            raise BadBarsError(f"found {quoted(part)}, expected a stage and people such as three_in_five_out=1200")
        if stage in dict(bars):
            raise BadBarsError(f"found {quoted(stage)} twice, expected each stage once")
        bars.append((stage, int(people)))
    return tuple(bars)


Operators = tuple[tuple[str, str], ...]
"""(what of `scenario.Operators` is otherwise, its value as a scenario has it)."""


def read_operators(text: str) -> Operators:
    """What people in charge do otherwise, in a text such as "carry_out=10m,answer=20m". Raises `DocumentErrors`.

    >>> read_operators("carry_out=10m,answer=20m")
    (('carry_out', '10m'), ('answer', '20m'))
    """
    parts = tuple((key.strip(), value.strip()) for key, _, value in (part.partition("=") for part in text.split(",")))
    _operators(parts)
    return parts


def _operators(parts: Operators) -> language.Operators:
    said = ", ".join(f"{key}: {value}" for key, value in parts)
    return read_document(Source("--operators", f"{{{said}}}".encode()), language.Operators, {})


def other_operators(planned: Planned, parts: Operators) -> Planned:
    """A scenario whose people in charge do some things otherwise, at all of its sites."""
    if not parts:
        return planned
    said, keys = _operators(parts), {key for key, _ in parts}
    places = []
    for place in planned.sites:
        own = place.scenario.operators
        now = language.Operators(**{field: getattr(said if name in keys else own, field) for field, name in zip(*_fields(), strict=True)})
        round_ = None if isinstance(now.round_, UnsetType) else duration_us(now.round_) / 1e6
        scenario = msgspec.structs.replace(place.scenario, operators=now)
        seconds = [duration_us(text) / 1e6 for text in (now.carry_out, now.answer)]
        places.append(replace(place, scenario=scenario, carry_out_s=seconds[0], answer_s=seconds[1], round_s=round_))
    return replace(places[0], beside=tuple(places[1:]))


def _fields() -> tuple[tuple[str, ...], tuple[str, ...]]:
    return language.Operators.__struct_fields__, language.Operators.__struct_encode_fields__


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
        highest = max(leaf["enter_m"] for leaf in leaves)
        for leaf in leaves:
            _move(leaf, round(people * leaf["enter_m"] / highest))
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
