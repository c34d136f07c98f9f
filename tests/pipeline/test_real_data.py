"""Right, on measurements that nobody here made: whole archives on the real way, against plain reckonings of the same files.

The reckonings are pandas or plain loops and know nothing of flowwatch but its prose: what they need of the drafted site (how often a device
reports, how many people a gate lets through) they read from the site file as a person would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import yaml

from flowwatch.log import Writer
from tests.pipeline.archive import Decided, People, decide, documents, import_of, recount, written_import

pytestmark = pytest.mark.slow

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE


# -- Grand Central ----------------------------------------------------------------------------------------------------------------------------

FILM_BEGINS: Final = int(datetime(2026, 10, 1, 1, tzinfo=ZoneInfo("UTC")).timestamp()) * SECOND
"""The epoch that the import document chose."""
FRAME: Final = 800_000
"""Both files of Grand Central have a row, or none, every 0.8 s."""
DWELL: Final = SECOND
"""The shortest that a plan may say."""
STAGES: Final = ("calm", "busy", "full")
ENTER: Final = (110, 160)
CLEAR: Final = (95, 140)


def stages(zone: str) -> list[dict[str, Any]]:
    """The plan's stages over a zone, as a planner writes them."""
    made: list[dict[str, Any]] = [{"stage": "calm", "title": {"zh": "正常", "en": "calm"}, "gates": {"others": "both"}}]
    for name, enter, clear in zip(STAGES[1:], ENTER, CLEAR, strict=True):
        bars = {"zone": zone, "measure": "occupancy", "enter": enter, "clear": clear, "clear_measure": "occupancy", "hold": "0s"}
        made.append(made[0] | {"stage": name, "when": {"any": [bars]}, "dwell": "1s"})
    return made


def changes(series: Sequence[tuple[int, int]], stale: frozenset[int] = frozenset()) -> list[tuple[int, str, str]]:
    """When a series of (time, people) changes the stage; at the times `stale` none falls."""
    rank, risen, found = 0, 0, []
    for at, people in series:
        due = sum(people > bar for bar in ENTER)
        held = sum(people >= bar for bar in CLEAR)
        new = max(due, min(rank, held))
        if new < rank and (at in stale or at - risen < DWELL):
            new = rank
        if new != rank:
            found.append((at, STAGES[rank], STAGES[new]))
            rank, risen = new, at if new > rank else risen
    return found


def test_the_passages_of_grand_central_change_the_stage_as_a_plain_loop_says(data_dir: Path, tmp_path: Path) -> None:
    """12,074 passages at four sides and in the middle of the hall, from a hall that a recount says is empty."""
    file = data_dir / "grand_central" / "gate_events.csv.gz"
    events = pd.read_csv(file)
    frame = (events["t_s"] / 0.8).round().astype(int)
    net = np.where(events["dir"] == "in", 1, -1)
    inside = pd.Series(net).groupby(frame).sum().reindex(range(3000), fill_value=0).cumsum()
    heard = [sorted(set(frames)) for _, frames in frame.groupby(events["gate"])]
    quiet = {k for side in heard for before, after in pairwise([*side, 10**9]) for k in range(before + 226, min(after, 3000))}  # 3 min
    series = [(FILM_BEGINS + int(k) * FRAME, int(people)) for k, people in inside.items()]
    expected = changes(series, frozenset(FILM_BEGINS + k * FRAME for k in quiet))

    def empty(writer: Writer, at: int) -> None:
        if at == FILM_BEGINS - FRAME:
            recount(writer, "grand-central", "all", 0, at, at)

    decided = decide(
        tmp_path,
        import_of("grand-central"),
        [file],
        tick_us=FRAME,
        begin_us=FILM_BEGINS - FRAME,
        stages=stages("all"),
        before_tick=empty,
    )
    assert (decided.report.readings, decided.accepted, decided.refused) == (len(events), len(events), Counter())
    assert decided.movements == by_counter(events["gate"], net > 0)
    assert len(expected) == 16
    assert decided.changes() == expected


def test_the_true_occupancy_of_grand_central_counted_by_hand_changes_the_stage_fourteen_times(data_dir: Path, tmp_path: Path) -> None:
    """What is truly inside, given as the zone's count at every frame."""
    truth = pd.read_csv(data_dir / "grand_central" / "true_occupancy.csv.gz")
    series = [(FILM_BEGINS + round(t * 10) * SECOND // 10, int(n)) for t, n in zip(truth["t_s"], truth["occupancy_interval"], strict=True)]
    counts = dict(series)
    expected = changes(series)

    def count(writer: Writer, at: int) -> None:
        if at in counts:
            recount(writer, "grand-central", "all", counts[at], at, at)

    passages = data_dir / "grand_central" / "gate_events.csv.gz"
    decided = decide(tmp_path, import_of("grand-central"), [passages], tick_us=FRAME, stages=stages("all"), before_tick=count)
    assert len(expected) == 14
    assert decided.changes() == expected


def by_counter(counters: pd.Series[Any], enters: Any) -> dict[str, People]:
    """Rows that are one person each, summed by counter: (in, out)."""
    sums = pd.DataFrame({"counter": counters, "in": enters, "out": ~enters}).groupby("counter").sum()
    return {str(name): (int(people["in"]), int(people["out"])) for name, people in sums.iterrows()}
