"""What is read of a folder: counters and gates as the engine counted them, how far it is behind, and what nobody knows is absent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest

from flowwatch.adapters.batch import Batch, unstamped
from flowwatch.core.entries import canonical
from flowwatch.core.readings import ABSENT, Kind
from flowwatch.decided import Note
from flowwatch.decided import Place as Decided
from flowwatch.figures import Watcher
from flowwatch.log import Reader, Writer, create
from flowwatch.metrics.ground import Ground
from flowwatch.workspace import Workspace
from tests.service.place import SECOND, START, Place, document, make

Told = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as owned:
        yield make(tmp_path, owned, attended=False)


def told(place: Place) -> Told:
    ground = Ground(place.workspace)
    try:
        return {(sample.name.removeprefix("flowwatch_"), tuple(sorted(sample.labels.items()))): sample.value for sample in ground.samples()}
    finally:
        ground.close()


def of(found: Told, name: str, **labels: str) -> float | None:
    return found.get((name, tuple(sorted(labels.items()))))


def noted(place: Place) -> None:
    """The engines say what they know."""
    for partition, engine in place.live.engines.items():
        Watcher(place.workspace, partition, lambda engine=engine: engine, wall=True).write()  # type: ignore[misc]
        note = Note(place.workspace, partition)
        note.put(Decided(place.live.read.get(partition, 0), engine.tick))
        note.close()


def counted(place: Place, *readings: tuple[str, int, int]) -> None:
    """Readings of (counter of yuyuan, in, out) at this moment, decided."""
    place.now.advance(1)
    n, at = len(readings), place.now() - SECOND // 2
    names, came, left = zip(*readings, strict=True)
    columns = unstamped(
        [f"yuyuan/{name}" for name in names],
        np.full(n, Kind.DELTA, np.uint8),
        np.full(n, at, np.int64),
        np.array(came, np.int64),
        np.array(left, np.int64),
        np.full(n, ABSENT, np.int64),
        lambda i: b"reading %d" % i,
    )
    place.stager.offer(Batch(columns))
    place.live.drain(2)


def partition(place: Place, site: str) -> str:
    return next(name for name, engine in place.live.engines.items() if site in engine.documents)


def test_people_through_a_gate_are_those_of_its_counters_the_right_way_round(place: Place) -> None:
    record = json.loads(document("yuyuan"))
    one, two = record["counters"][0], record["counters"][1]
    counters = [one, two | {"gate": "gate-1", "counts": "delta", "swapped": True}, *record["counters"][2:]]
    place.live.writer.append_document(canonical(record | {"counters": counters, "note": "turned"}), place.now())
    place.live.writer.commit()
    place.live.drain(2)
    counted(place, ("turnstile-1", 5, 1), ("turnstile-2", 2, 7))
    noted(place)
    found = told(place)
    assert of(found, "gate_flow_people_total", site="yuyuan", gate="gate-1", direction="in") == 5 + 7
    assert of(found, "gate_flow_people_total", site="yuyuan", gate="gate-1", direction="out") == 1 + 2
    assert of(found, "counter_flow_people_total", site="yuyuan", counter="turnstile-2", direction="in") == 2
    assert of(found, "counter_readings_total", site="yuyuan", counter="turnstile-1") == 1
    assert of(found, "readings_total", partition=partition(place, "yuyuan"), outcome="counted") == 2


def test_a_refused_row_is_told_by_its_reason(place: Place) -> None:
    counted(place, ("nobody", 1, 0), ("turnstile-1", -3, 0))
    noted(place)
    found = told(place)
    refused = {dict(labels)["reason"]: value for (name, labels), value in found.items() if name == "readings_refused_total" and value}
    assert refused == {"unknown_counter": 1, "negative_count": 1}


def test_a_counter_that_was_never_heard_has_no_last_reading(place: Place) -> None:
    counted(place, ("turnstile-1", 1, 0))
    noted(place)
    found = told(place)
    assert of(found, "counter_last_reading_timestamp_seconds", site="yuyuan", counter="turnstile-1") == pytest.approx(
        place.now() / SECOND, abs=5
    )
    assert of(found, "counter_last_reading_timestamp_seconds", site="yuyuan", counter="camera-9") is None
    assert of(found, "counter_silent", site="yuyuan", counter="camera-9") == 0


def test_a_silent_counter_is_told_as_the_journal_tells_it(place: Place) -> None:
    counted(place, ("turnstile-1", 1, 0))
    place.live.drain(200)
    noted(place)
    found = told(place)
    assert of(found, "counter_silent", site="yuyuan", counter="turnstile-1") == 1


def test_lag_is_what_is_in_the_log_and_not_decided(place: Place) -> None:
    noted(place)
    at = partition(place, "yuyuan")
    assert of(told(place), "log_lag_rows", partition=at) == 0
    for _ in range(15):
        place.now.advance(1)
        place.live.writer.tick(place.now())
    place.live.writer.commit()
    found = told(place)
    assert of(found, "log_lag_rows", partition=at) == 15
    assert of(found, "log_lag_seconds", partition=at) == 15
    with closing(Reader(place.workspace.log, at)) as reader:
        assert of(found, "log_rows", partition=at) == reader.end()


def test_an_engine_behind_the_log_is_not_up_nor_one_in_a_log_that_stands_still(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowwatch.metrics.ground.time.time_ns", lambda: place.now() * 1000)
    noted(place)
    assert of(told(place), "engine_up") == 1
    for _ in range(11):
        place.now.advance(1)
        place.live.writer.tick(place.now())
    place.live.writer.commit()
    assert of(told(place), "engine_up") == 0
    place.live.drain(1)
    noted(place)
    assert of(told(place), "engine_up") == 1
    place.now.advance(11)
    assert of(told(place), "engine_up") == 0


def test_a_log_whose_time_is_told_has_no_tick_that_could_stand_still(tmp_path: Path) -> None:
    create(tmp_path / "log", clock="told", partitions=1)
    with Writer.open(tmp_path / "log") as writer:
        writer.append_document(document("yuyuan"), START)
        writer.tick(START)
    ground = Ground(Workspace(tmp_path))
    found = {sample.name: sample.value for sample in ground.samples() if not sample.labels or "partition" in sample.labels}
    ground.close()
    assert found["flowwatch_log_rows"] == 2
    assert found["flowwatch_engine_up"] == 0
    assert "flowwatch_log_tick_timestamp_seconds" not in found


def test_when_an_engine_said_its_figures_is_told_and_stays_once_it_has_ended(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowwatch.figures._now", lambda: START)
    noted(place)
    at = partition(place, "yuyuan")
    monkeypatch.setattr("flowwatch.figures._now", lambda: START + 3600 * SECOND)
    assert of(told(place), "engine_figures_timestamp_seconds", partition=at) == START / SECOND


def test_before_any_engine_said_anything_nothing_is_told_of_one(place: Place) -> None:
    found = told(place)
    assert not [name for name, _ in found if name.startswith(("counter_", "ticks", "decide", "readings", "engine_start", "engine_figures"))]
    assert of(found, "engine_up") == 0
    assert of(found, "metrics_failed", part="engine") == 0


def test_a_folder_without_a_log_fails_part_by_part(tmp_path: Path) -> None:
    ground = Ground(Workspace(tmp_path / "nothing"))
    failed = {sample.labels["part"]: sample.value for sample in ground.samples() if sample.name == "flowwatch_metrics_failed"}
    assert failed == {"sites": 1, "engine": 1, "log": 1, "journal": 0}
