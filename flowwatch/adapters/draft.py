"""A first site file for an archive: every counter that the archive holds, each at a gate, so that it loads without code.

What an archive cannot tell (areas, capacities, which counters share a gate) is filled with round numbers and marked as a guess, for the
planner to replace. What it can tell is measured: how many lanes a gate must have for the peaks that its counter reports.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from msgspec import UnsetType

from flowwatch.adapters.batch import Batch
from flowwatch.adapters.ingest import Source
from flowwatch.adapters.mapping import Import
from flowwatch.core.readings import ABSENT, MINUTE, Ints
from flowwatch.documents.site import Counts
from flowwatch.documents.words import Text, duration_us

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
"""What a site file takes as a name (`documents.words`)."""
LANE_PER_MIN: Final = 25
"""Passers a minute and lane, as of a gate whose site file says nothing else."""
MOST_LANES: Final = 200
MOST_GATES: Final = 1000
GUESS: Final = 1000
"""People, and square metres."""


class CounterNames(ValueError):  # noqa: N818 - an error here is named by what is wrong
    """The archive has counters whose texts are no names in a site file; the message is what to add to the import document."""


def draft_site(document: Import, sources: Sequence[Source], site: str | None = None) -> str:
    """The text of a site file (YAML) with all counters of `sources`, which `document` explains; `site` instead of the document's.

    Raises `CounterNames` where counters need other names, `SourceError` where a source cannot be read, ValueError where there is no counter.
    """
    site = site or document.site_name
    peaks = _peaks(document, sources)
    names = sorted((name.removeprefix(f"{site}/") for name in peaks), key=_natural)
    if not names:
        raise ValueError("found no counter in the archive, expected at least one row that can be read")
    odd = [name for name in names if not NAME.fullmatch(name)]
    if odd:
        lines = [f"  {json.dumps(name, ensure_ascii=False)}: counter-{i}" for i, name in enumerate(odd, 1)]
        raise CounterNames("\n".join(["give these counters names in the import document:", "names:", *lines]))
    if document.counts is Counts.ABSOLUTE:
        zones, gates, places = _headcounts(names)
    else:
        zones, gates, places = _passers(document.title, names, [peaks[f"{site}/{name}"] for name in names])
    told = f"counts: {document.counts}, every: {document.every}, lateness: {document.lateness}"
    return "\n".join(
        [
            f"# Drafted from the archive {document.import_}: {len(names)} counters. Areas, capacities, widths and the floor of egress are guesses.",
            f"site: {site}",
            f"title: {_text(document.title.zh, document.title.en)}",
            f"time_zone: {'UTC' if isinstance(document.time.zone, UnsetType) else document.time.zone}",
            "egress_min_per_min: 0",
            "zones:",
            *zones,
            "gates:",
            *gates,
            "counters:",
            *(f"  {name}: {{{place}, {told}}}" for name, place in zip(names, places, strict=True)),
            "",
        ]
    )


def _peaks(document: Import, sources: Sequence[Source]) -> Mapping[str, int]:
    """Every counter with the most that it reports: people a minute one way; 0 for totals and headcounts."""
    window = max(duration_us(document.every), MINUTE)
    peaks: dict[str, int] = {}
    sums: list[pd.DataFrame] = []
    for source in sources:
        for batch in _batches(source):
            peaks |= dict.fromkeys(batch.readings.names, 0)
            if document.counts is Counts.DELTA:
                sums.append(_sums(batch, window))
    if sums:
        most = pd.concat(sums).groupby(["counter", "window"]).sum().max(axis="columns").groupby("counter").max()
        peaks |= {str(name): int(np.ceil(people * MINUTE / window)) for name, people in most.items()}
    return peaks


def _batches(source: Source) -> Iterator[Batch]:
    with source.open() as stream:
        yield from (batch for batch in source.batches(stream) if batch is not None)


def _sums(batch: Batch, window: int) -> pd.DataFrame:
    rows = batch.readings
    columns = {"counter": list(rows.names), "window": rows.at // window, "in": _given(rows.ingress), "out": _given(rows.egress)}
    return pd.DataFrame(columns).groupby(["counter", "window"]).sum()


def _given(people: Ints) -> Ints:
    return np.where(people == ABSENT, 0, people)


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Sorts gate-2 before gate-10."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name)]


def _text(zh: str, en: str) -> str:
    return f"{{zh: {json.dumps(zh, ensure_ascii=False)}, en: {json.dumps(en, ensure_ascii=False)}}}"


def _zone(name: str, zh: str, en: str) -> str:
    return f"  {name}: {{title: {_text(zh, en)}, area_m2: {GUESS}, capacity: {GUESS}}}"


def _gate(name: str, zone: str, lanes: int) -> str:
    return f"  {name}: {{title: {_text(name, name)}, to: {zone}, lanes: {lanes}, width_m: {lanes}}}"


def _passers(title: Text, names: Sequence[str], peaks: Sequence[int]) -> tuple[list[str], list[str], list[str]]:
    """Zones, gates and each counter's place: a gate for each counter, or for neighbours by name where that would be too many gates."""
    share = -(-len(names) // MOST_GATES)
    gates, places = [], []
    for first in range(0, len(names), share):
        peak = sum(peaks[first : first + share])
        gates.append(_gate(names[first], "all", min(max(-(-peak // LANE_PER_MIN), 1), MOST_LANES)))
        places += [f"gate: {names[first]}"] * len(names[first : first + share])
    return [_zone("all", title.zh, title.en)], gates, places


def _headcounts(names: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """The same for counters of people in view: each looks at a zone of its own, which has a gate."""
    return [_zone(name, name, name) for name in names], [_gate(name, name, 1) for name in names], [f"zone: {name}" for name in names]
