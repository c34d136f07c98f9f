"""The way into the log: what stands there in the end, for files and streams, archives and live logs."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch import log
from flowwatch.adapters import lines
from flowwatch.adapters.ingest import EventTime, Report, Source, WallTime, ingest, time_of
from flowwatch.adapters.lines import SourceError, Stream, opened
from flowwatch.adapters.mapping import RULES, Import
from flowwatch.adapters.times import microseconds
from flowwatch.core.readings import ABSENT, Kind, Reason
from flowwatch.documents import Source as DocumentSource
from flowwatch.documents import read_document
from flowwatch.log.time import clock_of
from tests.log.making import document, fresh_log, rows

SECOND = 1_000_000
START = microseconds("2026-10-01T09:00:00+08:00")
TABLE = """\
import: s
title: {zh: 表, en: Table}
time: {from: "{t}", format: seconds, epoch: "2026-10-01T09:00:00+08:00"}
counter: "{c}"
counts: delta
in: in
lateness: 0s
"""


def line(at_s: float, counter: str = "s/a", **fields: Any) -> bytes:
    us = round(at_s * SECOND)
    clock = f"{9 + us // SECOND // 3600:02d}:{us // SECOND // 60 % 60:02d}:{us // SECOND % 60:02d}.{us % SECOND:06d}"
    return json.dumps({"counter": counter, "at": f"2026-10-01T{clock}+08:00", **(fields or {"in": 1})}).encode() + b"\n"


def table(text: str = TABLE) -> Import:
    return read_document(DocumentSource("s.yaml", text.encode()), Import, RULES)


@contextmanager
def event_log(*counters: str, tick_s: int = 1) -> Iterator[Path]:
    """A log with an event clock that knows site s with these counters."""
    with fresh_log(clock="event", tick_us=tick_s * SECOND, partitions=1) as path:
        with log.Writer.open(path) as writer:
            writer.append_document(document("s", counters or ("a", "b")), START - 3600 * SECOND)
        yield path


def told(path: Path, partition: str = "p00") -> list[tuple[str, int]]:
    """The log in order: a reading's and a tick's seconds after START, and refusals' receipt."""
    made = []
    for row in rows(path, partition):
        kind = Kind(row[1])
        if kind is not Kind.DOCUMENT:
            made.append((kind.name.lower(), ((row[4] if kind is Kind.REFUSED else row[3]) - START) // SECOND))
    return made


def file(folder: Path, data: bytes, name: str = "readings") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def brought(path: Path, *files: Path, explained: Import | None = None, lateness_s: int = 0) -> Report:
    with log.Writer.open(path) as writer:
        return ingest([Source(partial(opened, f), explained) for f in files], writer, time_of(writer, explained, lateness_s * SECOND))


def test_an_archive_gets_its_ticks_and_its_clock_from_its_own_times(tmp_path: Path) -> None:
    with event_log() as path:
        report = brought(path, file(tmp_path, line(0) + line(1.5, "s/b") + line(1) + b"{}\n" + line(3)))
        assert told(path) == [("delta", 0), ("tick", 0), ("tick", 1), ("delta", 1), ("delta", 1), ("tick", 2), ("delta", 3), ("tick", 3)]
        assert told(path, "unrouted") == [("refused", 1), ("tick", 2), ("tick", 3)]
        received = [(row[4] - START) / SECOND for row in rows(path, "p00") if row[1] == Kind.DELTA]
        assert received == [0, 1.5, 1.5, 3]
    assert (report.readings, report.refused, report.rows, report.ticks) == (4, {Reason.UNREADABLE: 1}, 5, 4)
    assert (report.first_us, report.last_us) == (START, START + 3 * SECOND)


def test_ticks_wait_for_the_lateness_and_the_last_row_gets_the_last_tick(tmp_path: Path) -> None:
    with event_log(tick_s=10) as path:
        brought(path, file(tmp_path, line(0) + line(15) + line(40) + line(12)), lateness_s=20)
        assert told(path) == [
            ("delta", 0),
            ("delta", 15),
            ("tick", 0),
            ("tick", 10),
            ("delta", 40),
            ("delta", 12),
            *(("tick", t) for t in (20, 30, 40)),
        ]


STEPS = st.tuples(st.sampled_from([0, 0, 1, 2, 700, 9000]), st.sampled_from(["s/a", "s/b", "z/a", ""]))


@settings(max_examples=12)
@given(st.lists(STEPS, max_size=20), st.integers(20, 400))
def test_how_a_file_is_cut_into_blocks_changes_no_row_of_the_log(steps: list[tuple[int, str]], block: int) -> None:
    at, data = 0, b""
    for step, counter in steps:
        at += step
        data += line(at, counter) if counter else b"no reading\n"
    got = []
    kept = lines.BLOCK
    for size in (kept, block):
        lines.BLOCK = size  # type: ignore[misc]
        with event_log() as path:
            brought(path, file(path.parent, data))
            got.append([rows(path, partition) for partition in ("p00", "unrouted")])
        lines.BLOCK = kept  # type: ignore[misc]
    assert got[0] == got[1]


def test_two_people_in_one_second_are_two_readings_and_a_file_read_twice_is_not(tmp_path: Path) -> None:
    with event_log() as path:
        source = file(tmp_path, line(0) + line(0) + line(0, "s/b") + line(0))
        brought(path, source, source)
        ordinals = [(row[2], row[6]) for row in rows(path, "p00") if row[1] == Kind.DELTA]
        assert ordinals == [(0, 0), (0, 1), (1, 0), (0, 2)] * 2


def test_several_files_are_one_archive_and_ticks_go_through_all_of_them(tmp_path: Path) -> None:
    with event_log() as path:
        brought(path, file(tmp_path, line(0) + line(5), "one"), file(tmp_path, line(4) + line(6), "two"), lateness_s=10)
        assert told(path) == [*(("delta", t) for t in (0, 5, 4, 6)), *(("tick", t) for t in range(7))]


def test_an_archive_that_is_sorted_by_device_enters_the_log_in_the_order_of_time(tmp_path: Path) -> None:
    sorted_by_device = "t,c,in\n0,a,1\n2,a,1\nx,a,1\n0,b,1\n1,b,1\n"
    with event_log() as path:
        report = brought(path, file(tmp_path, sorted_by_device.encode()), explained=table(TABLE + "order: time\n"))
        assert told(path) == [("delta", 0), ("delta", 0), ("tick", 0), ("delta", 1), ("tick", 1), ("delta", 2), ("tick", 2)]
        assert told(path, "unrouted") == [("refused", 2), ("tick", 2)]
    assert (report.readings, report.refused) == (4, {Reason.UNREADABLE: 1})


def test_readings_of_counters_that_the_log_does_not_know_are_counted_by_reason_with_examples(tmp_path: Path) -> None:
    with event_log() as path:
        report = brought(path, file(tmp_path, line(0) + line(0, "s/door") + line(1, "t/a") + line(1, "t/a")))
        assert report.refused == {Reason.UNKNOWN_COUNTER: 1, Reason.UNKNOWN_SITE: 2}
        assert list(report.unknown) == ["s/door", "t/a"]
        payloads = [row[-1] for partition in ("p00", "unrouted") for row in rows(path, partition) if row[1] == Kind.REFUSED]
        assert payloads == [line(0, "s/door")[:-1], line(1, "t/a")[:-1], line(1, "t/a")[:-1]]


def test_a_reading_from_the_far_future_is_reported_and_the_ticks_do_not_follow_it(tmp_path: Path) -> None:
    with event_log() as path:
        report = brought(path, file(tmp_path, line(0) + line(1, "s/b") + line(2).replace(b"2026", b"2062") + line(3, "s/b") + line(4)))
        assert report.ahead == 1
        assert [t for kind, t in told(path) if kind == "tick"] == [0, 1, 2, 3, 4]


def test_a_second_import_goes_on_after_the_last_tick(tmp_path: Path) -> None:
    with event_log() as path:
        brought(path, file(tmp_path, line(0) + line(2), "one"))
        brought(path, file(tmp_path, line(1) + line(4), "two"))
        assert [t for kind, t in told(path) if kind == "tick"] == [0, 1, 2, 3, 4]


def test_what_was_read_before_a_source_broke_off_is_in_the_log_and_the_error_is_told(tmp_path: Path) -> None:
    with event_log() as path:
        with pytest.raises(SourceError, match="nowhere"):
            brought(path, file(tmp_path, line(0) + line(1)), tmp_path / "nowhere")
        assert told(path) == [("delta", 0), ("tick", 0), ("delta", 1)]


def test_progress_is_told_with_the_bytes_taken_and_the_rows_so_far(tmp_path: Path) -> None:
    data = b"".join(line(i / 1000) for i in range(9000))
    seen: list[tuple[str, int, int]] = []
    with event_log() as path, log.Writer.open(path) as writer:
        source = Source(partial(opened, file(tmp_path, data)))
        ingest([source], writer, time_of(writer, lateness_us=0), lambda report: seen.append((report.source, report.taken, report.rows)))
    assert seen[-1] == (str(tmp_path / "readings"), len(data), 9000)
    assert seen == sorted(seen)
    assert len(seen) > 2


def wall_log() -> Any:
    return fresh_log(clock="wall", partitions=1)


def test_a_live_stream_is_committed_when_it_pauses_and_rows_are_received_now() -> None:
    reading, writing = os.pipe()
    committed = threading.Event()
    with wall_log() as path, log.Writer.open(path) as writer:
        writer.append_document(document("s", ["a"]), 0)
        begun = time.time_ns() // 1000

        @contextmanager
        def pipe() -> Iterator[Stream]:
            yield Stream(reading, "stdin")

        def progress(report: Report) -> None:
            if report.commits:
                committed.set()

        def send() -> None:
            os.write(writing, line(0) + line(1)[:30])
            committed.wait(30)
            os.write(writing, line(1)[30:])
            os.close(writing)

        sender = threading.Thread(target=send)
        sender.start()
        report = ingest([Source(pipe)], writer, time_of(writer), progress)
        sender.join()
        os.close(reading)
        assert committed.is_set()
        assert (report.readings, report.ticks) == (2, 0)
        assert report.commits >= 2
        received = [row[4] for row in rows(path, "p00") if row[1] == Kind.DELTA]
        assert begun <= received[0] <= received[1] <= time.time_ns() // 1000


def test_while_another_process_holds_the_log_the_same_rows_are_staged_and_drained(tmp_path: Path) -> None:
    now = datetime.now(UTC).isoformat()
    data = line(0, at=now, out=1) + b"no reading\n" + line(0, at=now, out=1) + line(0, "s/x")
    with wall_log() as path, log.Writer.open(path) as holder:
        holder.append_document(document("s", ["a"]), 0)
        holder.commit()
        report = ingest([Source(partial(opened, file(tmp_path, data)))], log.Inbox(path), WallTime(clock_of(path)))
        assert (report.readings, report.refused) == (3, {Reason.UNREADABLE: 1})
        assert holder.drain().rows == 4
        kinds = [(Kind(row[1]), row[6]) for row in rows(path, "p00") if row[1] == Kind.DELTA]
        assert kinds == [(Kind.DELTA, 0), (Kind.DELTA, 1)]
        assert [row[-1] for row in rows(path, "unrouted")] == [b"no reading"]


def test_the_time_of_a_log_is_the_clock_that_it_was_made_with() -> None:
    with wall_log() as path, log.Writer.open(path) as writer:
        assert isinstance(time_of(writer), WallTime)
    with event_log() as path, log.Writer.open(path) as writer:
        assert isinstance(time_of(writer), EventTime)
        assert writer.last_tick_us == ABSENT
