"""Counts of an archive on one grid of time: people in and out of every counter, slot by slot, and which slots were measured.

The adapters of `flowwatch ingest` read the files; this module only adds up. A slot is as long as counters report, a minute at least and an hour at
most. Where each row is one person, a slot without rows is a slot without people; elsewhere it is one that nobody measured. Running totals
count from one row to the next, and where a total falls (a reset) nothing is known of that step. What is left out is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from msgspec import UnsetType

from flowwatch.adapters.ingest import Source
from flowwatch.adapters.mapping import Import
from flowwatch.core.readings import ABSENT, SECOND, Bools, Ints, Kind
from flowwatch.documents.faults import did_you_mean, listed, near, quoted
from flowwatch.documents.words import duration_us

SLOTS_S: Final = (60, 120, 180, 240, 300, 360, 600, 720, 900, 1200, 1800, 3600)
"""Lengths of slots of which an hour has a whole number."""
MOST_CELLS: Final = 100_000_000
"""Counters times slots that are held in memory (a gigabyte and a half)."""


class NoDemandError(ValueError):
    """The archive has nothing from which a demand can be fitted; the message says why and what would do."""


@dataclass(frozen=True)
class Counts:
    """People by counter and slot: `into`, `out` and `measured` have shape (counters, slots); what was not measured is 0 there."""

    site: str
    counters: tuple[str, ...]
    slot_s: int
    first_us: int
    """When the first slot begins, microseconds since 1970-01-01T00:00Z."""
    into: Ints
    out: Ints
    measured: Bools
    both_ways: bool
    """Some reading says how many went in and some how many went out."""
    left_out: dict[str, int]
    """Rows that moved nobody here, by why."""


def read_counts(sources: Sequence[Source], document: Import | None, site: str | None = None) -> Counts:
    """The counts of `sources`, which `document` explains (None: flowwatch's own format); `site`: whose, where there are several.

    Raises `SourceError` where a file cannot be read and `NoDemandError` where there are no counts of people who pass, or too seldom ones.
    """
    left_out: dict[str, int] = {}
    rows = _rows(sources, left_out)
    if not len(rows):
        why = f" ({', '.join(f'{n:,} {reason}' for reason, n in left_out.items())})" if left_out else ""
        raise NoDemandError(f"found no row that can be read{why}, expected counts of people who pass")
    if (rows["kind"] == Kind.ABSOLUTE).all():
        raise NoDemandError("found headcounts (counts: absolute), expected counts of people who pass: in and out, or running totals")
    rows = _of_site(rows, site or (None if document is None else document.site_name))
    one_each = document is not None and not isinstance(document.direction, UnsetType) and isinstance(document.people, UnsetType)
    slot_s = _slot(rows, document, one_each=one_each)
    if not one_each:
        rows = _stepwise(rows, left_out)
    bad = (rows["in"] < 0) | (rows["out"] < 0)
    _note(left_out, "negative_count", int(bad.sum()))
    rows = rows[~bad]
    if not len(rows):
        raise NoDemandError("found no row that counts people from the row before, expected two rows of a counter at least")
    return _gridded(rows, slot_s, left_out, one_each=one_each)


def _rows(sources: Sequence[Source], left_out: dict[str, int]) -> pd.DataFrame:
    """All readings, with people as they stand: NaN where a reading does not say."""
    parts = []
    for source in sources:
        with source.open() as stream:
            for batch in source.batches(stream):
                if batch is None:
                    continue
                for refusal in batch.refused:
                    _note(left_out, refusal.reason.name.lower(), 1)
                found = batch.readings
                columns = {"name": list(found.names), "kind": found.kind, "at": found.at}
                parts.append(pd.DataFrame(columns | {"in": _given(found.ingress), "out": _given(found.egress)}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"name": []})


def _given(people: Ints) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.where(people == ABSENT, np.nan, people).astype(np.float64)


def _note(left_out: dict[str, int], why: str, rows: int) -> None:
    if rows:
        left_out[why] = left_out.get(why, 0) + rows


def _of_site(rows: pd.DataFrame, site: str | None) -> pd.DataFrame:
    names = rows["name"].str.partition("/")
    sites = sorted(names[0].unique())
    if site is None and len(sites) > 1:
        raise NoDemandError(f"found counters of {len(sites)} sites, expected --site with {listed(sites)}")
    chosen = sites[0] if site is None else site
    if chosen not in sites:
        raise NoDemandError(f"found no counter of {quoted(chosen)}, expected {listed(sites)}{did_you_mean(near(chosen, sites))}")
    ways = rows["in"].isna() * 2 + rows["out"].isna()
    found = rows.assign(site=names[0], counter=names[2], way=ways)[names[0] == chosen]
    return found.sort_values(["counter", "way", "at"], kind="stable")


def _stepwise(rows: pd.DataFrame, left_out: dict[str, int]) -> pd.DataFrame:
    """One row a counter, direction and time, counting from the row before: totals become differences."""
    twice = rows.duplicated(["counter", "way", "at"])
    _note(left_out, "same_counter_and_time", int(twice.sum()))
    rows = rows[~twice]
    totals = rows["kind"] == Kind.CUMULATIVE
    if totals.any():
        steps = rows.groupby(["counter", "way"])[["in", "out"]].diff()
        rows = rows.assign(**{way: rows[way].where(~totals, steps[way]) for way in ("in", "out")})
        rows = rows[~(totals & steps.isna().all(axis="columns"))]
    return rows[rows["kind"] != Kind.ABSOLUTE]


def _slot(rows: pd.DataFrame, document: Import | None, *, one_each: bool) -> int:
    """Seconds of a slot."""
    if one_each and document is not None:
        gap = duration_us(document.every) / SECOND
    else:
        gaps = rows.groupby(["counter", "way"])["at"].diff()
        gap = float(gaps[gaps > 0].median() / SECOND) if (gaps > 0).any() else 3600.0
    fitting = [slot for slot in SLOTS_S if slot >= gap - 1]
    if not fitting:
        raise NoDemandError(f"found a count every {gap / 3600:.1f} h, expected one an hour at least: hours cannot be told from it")
    return fitting[0]


def _gridded(rows: pd.DataFrame, slot_s: int, left_out: dict[str, int], *, one_each: bool) -> Counts:
    """A row counts the people up to its time, so one at the end of a slot belongs to that slot; a person's row is when they passed."""
    slot = (rows["at"].to_numpy(np.int64) - (0 if one_each else 1)) // (slot_s * SECOND)
    first, width = int(slot.min()), int(slot.max() - slot.min()) + 1
    counters = tuple(sorted(rows["counter"].unique()))
    if len(counters) * width > MOST_CELLS:
        raise NoDemandError(f"found {len(counters):,} counters over {width:,} slots of {slot_s} s, expected a shorter archive")
    place = (pd.Categorical(rows["counter"], list(counters)).codes.astype(np.int64), slot - first)
    both = {}
    for way in ("in", "out"):
        people = np.zeros((len(counters), width), np.int64)
        np.add.at(people, place, rows[way].fillna(0).to_numpy(np.float64).astype(np.int64))
        both[way] = people
    measured = np.ones((len(counters), width), np.bool_)
    if not one_each:
        measured[:] = False
        measured[place] = True
    said = bool(rows["in"].notna().any() and rows["out"].notna().any())
    site = str(rows["site"].iloc[0])
    return Counts(site, counters, slot_s, first * slot_s * SECOND, both["in"], both["out"], measured, said, left_out)
