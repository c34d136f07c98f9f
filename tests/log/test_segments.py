"""Segments begin after ticks, are read across, and go only as far as a replay can spare them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch import log
from flowwatch.core.readings import Kind
from flowwatch.log.retention import Held, plan
from flowwatch.log.segments import offsets
from tests.log.making import SECOND, another_boot, document, fresh_log, readings, rows


def _fill(path: Path, seconds: int, per_second: int = 100, **limits: int) -> list[int]:
    """A log of one partition with that many ticks; the offsets at which its segments begin."""
    with log.Writer.open(path, **limits) as writer:
        writer.append_document(document("a", ["x"]), 1)
        for i in range(1, seconds + 1):
            writer.append(readings(["a/x"] * per_second, i * per_second))
            writer.tick(i * SECOND)
            writer.commit()
    return offsets(path / "p00", ".seg")


@settings(max_examples=25)
@given(st.integers(1, 30_000), st.integers(1, 12), st.integers(1, 20), st.booleans())
def test_every_segment_begins_right_after_a_tick_and_reading_crosses_them(size: int, age_s: int, limit: int, restarted: bool) -> None:
    with fresh_log(partitions=1) as path:
        firsts = _fill(path, 12, 30, segment_bytes=size, segment_age_us=age_s * SECOND)
        whole = rows(path, "p00")
        assert [row[0] for row in whole] == list(range(1 + 12 * 31))
        assert all(whole[first - 1][1] == Kind.TICK for first in firsts[1:])
        if restarted:
            another_boot(path)
        with log.Reader(path, "p00") as reader:
            count = 0
            while chunks := reader.read(count, limit):
                count += sum(chunk.rows for chunk in chunks)
            assert count == len(whole)
            for start in (0, 5, 40, 200, len(whole) - 1):
                assert rows(path, "p00", start, limit) == whole[start : start + limit]


def test_a_segment_ends_by_size_and_by_age(tmp_path: Path) -> None:
    log.create(tmp_path / "size", partitions=1)
    log.create(tmp_path / "age", partitions=1)
    by_size = _fill(tmp_path / "size", 20, segment_bytes=40_000)
    by_age = _fill(tmp_path / "age", 20, segment_age_us=5 * SECOND)
    assert by_age == [0, 1 + 6 * 101, 1 + 11 * 101, 1 + 16 * 101]
    sizes = [file.stat().st_size for file in sorted((tmp_path / "size" / "p00").glob("*.seg"))[:-1]]
    assert len(by_size) > 2
    assert all(30_000 < size < 60_000 for size in sizes)


def test_a_reader_on_its_way_finds_the_next_segment(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    with log.Reader(tmp_path, "p00") as reader, log.Writer.open(tmp_path, segment_bytes=1) as writer:
        writer.append_document(document("a", ["x"]), 1)
        seen = 0
        for i in range(1, 6):
            writer.tick(i * SECOND)
            writer.commit()
            seen += sum(chunk.rows for chunk in reader.read(seen))
            assert seen == i + 1


def test_retention_deletes_up_to_a_checkpoint_and_the_rest_is_read(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    firsts = _fill(tmp_path, 10, segment_bytes=1)
    whole = rows(tmp_path, "p00")
    folder = tmp_path / "p00"
    log.checkpoint_file(folder, firsts[2]).write_bytes(b"whole")
    log.checkpoint_file(folder, firsts[5]).write_bytes(b"whole")
    log.checkpoint_file(folder, firsts[8]).write_bytes(b"")
    with log.Reader(tmp_path, "p00") as behind, log.Writer.open(tmp_path) as writer:
        behind.read(0, 1)
        assert writer.retain() == []
        assert writer.retain(max_age_us=8 * SECOND) == []
        assert len(writer.retain(max_age_us=7 * SECOND)) == 2
        assert len(writer.retain(max_bytes=0)) == 3
        assert writer.retain(max_bytes=0) == []
        assert writer.resolve(["a/x"]).tolist() == [0]
        assert behind.start() == firsts[5]
        assert behind.read(1, firsts[1] - 1)
        with pytest.raises(log.RowsOutOfRange, match=f"row {firsts[1]} asked for; expected row {firsts[5]} or later"):
            behind.read(firsts[1])
    assert rows(tmp_path, "p00", firsts[5]) == whole[firsts[5] :]
    with pytest.raises(log.RowsOutOfRange, match=f"row 3 asked for; expected row {firsts[5]} or later"):
        rows(tmp_path, "p00", 3)
    assert offsets(folder, ".ckpt") == [firsts[5], firsts[8]]
    with log.Writer.open(tmp_path) as writer:
        assert writer.ends["p00"] == len(whole)


def test_retention_asks_the_engine_which_checkpoints_are_whole(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    firsts = _fill(tmp_path, 5, segment_bytes=1)
    for first in firsts:
        log.checkpoint_file(tmp_path / "p00", first).write_bytes(b"whole" if first == firsts[1] else b"torn!")
    with log.Writer.open(tmp_path) as writer:
        deleted = writer.retain(max_bytes=0, whole=lambda file: file.exists() and file.read_bytes() == b"whole")
    assert [int(file.stem) for file in deleted] == firsts[:1]


SEGMENTS = st.lists(st.tuples(st.integers(1, 100), st.integers(0, 20), st.booleans()), max_size=8)


@given(st.lists(SEGMENTS, min_size=1, max_size=4), st.one_of(st.none(), st.integers(0, 800)), st.one_of(st.none(), st.integers(0, 80)))
def test_retention_never_deletes_what_a_replay_needs_nor_more_than_it_must(
    drawn: list[list[tuple[int, int, bool]]], max_bytes: int | None, max_age_us: int | None
) -> None:
    partitions: list[list[Held]] = []
    for number, segments in enumerate(drawn):
        tick, held = 0, []
        for i, (size, ticks, restart) in enumerate(segments):
            held.append(Held(Path(f"p{number:02d}"), i, size, tick, restart))
            tick += ticks
        partitions.append(held)
    last = max([segment.since_us for held in partitions for segment in held], default=0)
    gone = plan(partitions, last, max_bytes, max_age_us)
    left_bytes = 0
    for held in partitions:
        mine = [segment for segment in gone if segment in held]
        left = held[len(mine) :]
        left_bytes += sum(segment.bytes for segment in left)
        assert mine == held[: len(mine)], "the oldest go first"
        assert not held or left[0] == held[0] or left[0].restart, "what is left can be replayed"
        further = [segment for segment in left[1:] if segment.restart]
        assert max_age_us is None or all(segment.since_us >= last - max_age_us for segment in further), (
            "nothing too old is left that could go"
        )
    if max_bytes is not None and left_bytes > max_bytes:
        assert not any(segment.restart for held in partitions for segment in held[1:] if held[0] not in gone and segment not in gone)
    if gone and max_age_us is None:
        assert max_bytes is not None
        last_step = sum(segment.bytes for segment in gone if segment.folder == gone[-1].folder)
        assert left_bytes + last_step > max_bytes, "nothing went that could stay"
