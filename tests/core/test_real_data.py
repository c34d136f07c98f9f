"""The engine on measurements that nobody here made, against oracles written as plain loops."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from flowwatch.core.engine import Engine
from flowwatch.core.readings import SECOND
from tests.core.world import T0, Row, bodies, counter, declare, delta, play, recount, site, stage, stages_seen, term, tick

BARS = ((110, 95), (160, 140))
"""Enter and clear of the two stages over the hall of Grand Central."""
NAMES = ("calm", "busy", "full")
INSIDE_AT_START = 70
HALF_HOUR = 1800 * SECOND


def _table(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.DictReader(file)


def _moment(seconds: str) -> int:
    return T0 + round(float(seconds) * 10) * SECOND // 10


def _changes(series: Sequence[tuple[int, int]]) -> list[tuple[int, str, str]]:
    """The oracle: each of a series' (time, people) against the bars of the stage it is in and of those above."""
    rank, found = 0, []
    for at, people in series:
        before = rank
        while rank < 2 and people > BARS[rank][0]:
            rank += 1
        while rank and people < BARS[rank - 1][1]:
            rank -= 1
        if rank != before:
            found.append((at, NAMES[before], NAMES[rank]))
    return found


def _decided(moves: dict[int, list[Row]], sides: int) -> list[tuple[int, str | None, str | None]]:
    """The engine's changes of stage on rows by time, after an anchor at the start."""
    counters = [counter(f"side-{i}", every_us=600 * SECOND) for i in range(sides)]
    stages = [stage("calm"), *(stage(name, [term(*bars)]) for name, bars in zip(NAMES[1:], BARS, strict=True))]
    rows = [declare(site(counters=counters, stages=stages)), recount(T0, INSIDE_AT_START), tick(T0)]
    for at in sorted(moves):
        rows += [*moves[at], tick(at)]
    return [(at, old, new) for at, old, new, _ in stages_seen(play(rows).entries)][1:]


@pytest.mark.slow
def test_the_tracked_people_of_grand_central_move_the_stage_as_a_plain_loop_says(data_dir: Path) -> None:
    """One reading a person and passage, five sides; the people present at the start are the anchor."""
    sides: dict[str, int] = {}
    moves: dict[int, list[Row]] = {}
    inside, series = INSIDE_AT_START, list[tuple[int, int]]()
    for i, event in enumerate(_table(data_dir / "grand_central" / "gate_events.csv.gz")):
        at, enters = _moment(event["t_s"]), event["dir"] == "in"
        if at == T0:
            continue
        side = sides.setdefault(event["gate"], len(sides))
        moves.setdefault(at, []).append(delta(at, int(enters), int(not enters), side, ordinal=i))
        inside += 1 if enters else -1
        if series and series[-1][0] == at:
            series.pop()
        series.append((at, inside))
    assert len(sides) == 5
    changes = _changes(series)
    assert len(changes) == 16
    assert _decided(moves, len(sides)) == changes


def test_the_true_occupancy_of_grand_central_changes_the_stage_fourteen_times(data_dir: Path) -> None:
    series = [(_moment(row["t_s"]), int(row["occupancy_interval"])) for row in _table(data_dir / "grand_central" / "true_occupancy.csv.gz")]
    assert series[0] == (T0, INSIDE_AT_START)
    moves = {at: [delta(at, max(now - before, 0), max(before - now, 0))] for (_, before), (at, now) in pairwise(series)}
    changes = _changes(series)
    assert len(changes) == 14
    assert _decided(moves, 1) == changes


@pytest.fixture(scope="module")
def door(data_dir: Path) -> dict[datetime, list[tuple[int, int]]]:
    """CalIt2: by day, the 48 half-hours of people in (flow 9) and out (flow 7); the file has blank lines."""
    counts: dict[tuple[datetime, str], int] = {}
    for line in (data_dir / "calit2" / "CalIt2.data").read_text().splitlines():
        if line.strip():
            flow, date, time, count = line.split(",")
            counts[datetime.strptime(f"{date} {time}", "%m/%d/%y %H:%M:%S").replace(tzinfo=UTC), flow] = int(count)
    days: dict[datetime, list[tuple[int, int]]] = {}
    for moment in sorted({moment for moment, _ in counts}):
        days.setdefault(moment.replace(hour=0, minute=0), []).append((counts[moment, "9"], counts[moment, "7"]))
    return days


@pytest.mark.slow
def test_the_negative_days_of_the_calit2_door_are_reported_and_the_raw_figure_is_kept(door: dict[datetime, list[tuple[int, int]]]) -> None:
    """Anchored to nobody at midnight, people in less people out falls below nobody on 97 of 105 days."""
    rows, expected, negative_days = [declare(site(counters=[counter("door", every_us=HALF_HOUR)]))], [], 0
    for day, slots in door.items():
        midnight = int(day.timestamp()) * SECOND
        inside, lowest = 0, 0
        rows += [recount(midnight, 0), tick(midnight)]
        for i, (come, gone) in enumerate(slots, 1):
            at = midnight + i * HALF_HOUR - SECOND
            inside += come - gone
            lowest = min(lowest, inside)
            rows += [delta(at, come, gone), tick(at)]
            expected.append((at, inside * 1000, max(inside, 0) * 1000))
        negative_days += lowest < 0
    assert (len(door), negative_days) == (105, 97)
    out = play(rows, engine=Engine("p00"))
    raised = [b["tick"] for b in bodies(out.entries, "incident") if (b["what"], b["state"]) == ("negative_occupancy", "raised")]
    assert len({datetime(1970, 1, 1, tzinfo=UTC).date() + timedelta(microseconds=at) for at in raised}) == negative_days
    minutes = {e.at: json.loads(e.body)["zones"]["mall"] for e in out.estimates}
    assert [(at, minutes[at]["raw_m"], minutes[at]["inside_m"]) for at, _, _ in expected] == expected
