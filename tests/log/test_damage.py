"""A torn end is cut off, damage is told, and no damaged row is ever read."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flowwatch import log
from flowwatch.core.readings import Reason
from flowwatch.log import buffer
from flowwatch.log.frames import MAGIC
from tests.log.making import SECOND, another_boot, document, forget_marks, only_segment, readings, rows, rows_of

COMMITS = 4


@pytest.fixture
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Syncs that return at once: these tests open a log hundreds of times and cut no power."""
    monkeypatch.setattr("os.fsync", lambda fd: None)
    monkeypatch.setattr("os.fdatasync", lambda fd: None)


def _log(path: Path) -> list[tuple[int, int]]:
    """A log of one partition with `COMMITS` commits; after each, the segment's bytes and the partition's rows."""
    log.create(path, partitions=1)
    ends = []
    with log.Writer.open(path) as writer:
        writer.append_document(document("a", ["x", "y"]), 1)
        for i in range(COMMITS):
            writer.append(readings(["a/x", "a/y"], 2 * i))
            writer.tick((i + 1) * SECOND)
            if i == COMMITS - 1:
                shutil.copy(path / "committed", path / "committed.before")
            writer.commit()
            ends.append((only_segment(path, "p00").stat().st_size, writer.ends["p00"]))
    return ends


def _before_the_last_mark(path: Path) -> None:
    """As a kill leaves the log between the last commit's writing and its mark."""
    shutil.copy(path / "committed.before", path / "committed")


@pytest.mark.parametrize("afterwards", [_before_the_last_mark, forget_marks])
def test_a_last_commit_torn_at_any_byte_is_not_read_and_is_cut_off(
    tmp_path: Path, quick_disk: None, afterwards: Callable[[Path], None]
) -> None:
    ends = _log(tmp_path)
    segment = only_segment(tmp_path, "p00")
    whole = segment.read_bytes()
    expected = rows(tmp_path, "p00", limit=ends[-2][1])
    marks = (tmp_path / "committed").read_bytes()
    for cut in range(ends[-2][0], ends[-1][0]):
        segment.write_bytes(whole[:cut])
        (tmp_path / "committed").write_bytes(marks)
        afterwards(tmp_path)
        assert rows(tmp_path, "p00") == expected
        with log.Writer.open(tmp_path) as writer:
            assert len(writer.repaired) == (cut > ends[-2][0])
            assert writer.last_tick_us == (COMMITS - 1) * SECOND
        assert segment.stat().st_size == ends[-2][0]
    with log.Writer.open(tmp_path) as writer:
        writer.append(readings(["a/x"], 99))
    assert rows(tmp_path, "p00")[-1][5] == 99


def test_accepted_rows_that_were_cut_off_are_damage_and_not_a_torn_end(tmp_path: Path, quick_disk: None) -> None:
    ends = _log(tmp_path)
    segment = only_segment(tmp_path, "p00")
    whole = segment.read_bytes()
    for cut in range(ends[-2][0], ends[-1][0]):
        segment.write_bytes(whole[:cut])
        with pytest.raises(log.LogDamaged) as caught:
            log.Writer.open(tmp_path)
        assert (caught.value.path, caught.value.position) == (segment, ends[-2][0])
        assert segment.stat().st_size == cut
        with log.Reader(tmp_path, "p00") as reader, pytest.raises(log.LogDamaged):
            reader.read(ends[-2][1])


@pytest.mark.slow
@pytest.mark.parametrize("afterwards", [lambda path: None, another_boot])
def test_a_flipped_bit_anywhere_is_found_and_the_rows_before_it_are_read(
    tmp_path: Path, quick_disk: None, afterwards: Callable[[Path], None]
) -> None:
    ends = _log(tmp_path)
    afterwards(tmp_path)
    segment = only_segment(tmp_path, "p00")
    whole = segment.read_bytes()
    expected = rows(tmp_path, "p00")
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    bit = random.Random(seed)
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << bit.randrange(8)
        segment.write_bytes(damaged)
        before = max([0, *(row for size, row in ends if size <= position)])
        with pytest.raises(log.LogDamaged, match=str(segment)) as caught:
            log.Writer.open(tmp_path)
        assert caught.value.position <= position
        found: list[tuple[object, ...]] = []
        with pytest.raises(log.LogDamaged), log.Reader(tmp_path, "p00") as reader:  # noqa: PT012 - where it raises is the point
            while True:
                chunks = reader.read(len(found))
                found += [row for chunk in chunks for row in rows_of(log.blocks(chunk))]
                assert chunks
        assert found == expected[:before]
        assert segment.read_bytes() == bytes(damaged)


def test_without_marks_a_flipped_bit_in_any_commit_but_the_last_is_damage(tmp_path: Path, quick_disk: None) -> None:
    ends = _log(tmp_path)
    forget_marks(tmp_path)
    segment = only_segment(tmp_path, "p00")
    whole = segment.read_bytes()
    for position in range(0, ends[-2][0], 7):
        segment.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(log.LogDamaged):
            log.Writer.open(tmp_path)
        with pytest.raises(log.LogDamaged):
            rows(tmp_path, "p00")


def test_damage_in_the_middle_names_the_file_the_byte_and_the_rows(tmp_path: Path) -> None:
    ends = _log(tmp_path)
    forget_marks(tmp_path)
    segment = only_segment(tmp_path, "p00")
    data = bytearray(segment.read_bytes())
    data[ends[0][0] + 100] ^= 1
    segment.write_bytes(data)
    first, after = ends[0][1], ends[1][1]
    told = (
        rf"{segment}:byte {ends[0][0]}: damaged frame; rows {first} to {after - 1} cannot be read, whole frames go on at byte {ends[1][0]}"
    )
    with pytest.raises(log.LogDamaged, match=told):
        log.Writer.open(tmp_path)
    surveyed = {found.partition: found for found in log.survey(tmp_path)}
    assert "damaged frame" in str(surveyed["p00"].fault)
    assert surveyed["p00"].end == first


def test_a_commit_of_several_frames_is_torn_where_its_first_frame_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "FRAME_ROWS", 10)
    ends = _log(tmp_path)
    with log.Writer.open(tmp_path) as writer:
        writer.append(readings(["a/x"] * 35, 100))
    segment = only_segment(tmp_path, "p00")
    data = bytearray(segment.read_bytes())
    data[ends[-1][0] + 200] ^= 1  # the disk wrote the last commit's frames in another order, and then the power failed
    segment.write_bytes(data)
    forget_marks(tmp_path)
    assert len(rows(tmp_path, "p00")) == ends[-1][1]
    with log.Writer.open(tmp_path) as writer:
        assert "torn commit" in writer.repaired[0]
    assert segment.stat().st_size == ends[-1][0]


def test_rows_written_but_not_yet_marked_are_not_read_by_others(tmp_path: Path) -> None:
    ends = _log(tmp_path)
    _before_the_last_mark(tmp_path)
    assert len(rows(tmp_path, "p00")) == ends[-2][1]
    with log.Writer.open(tmp_path):
        assert len(rows(tmp_path, "p00")) == ends[-1][1]


def test_after_a_restart_of_the_machine_everything_whole_is_read(tmp_path: Path) -> None:
    ends = _log(tmp_path)
    _before_the_last_mark(tmp_path)
    another_boot(tmp_path)
    assert len(rows(tmp_path, "p00")) == ends[-1][1]


@pytest.mark.parametrize("marks", [b"", b"nonsense", b"fwmark01" + bytes(100), None])
def test_marks_that_say_nothing_are_not_believed(tmp_path: Path, marks: bytes | None) -> None:
    ends = _log(tmp_path)
    file = tmp_path / "committed"
    data = bytearray(file.read_bytes())
    data[25] ^= 1  # a mark without its complement
    file.write_bytes(bytes(data) if marks is None else marks)
    assert len(rows(tmp_path, "p00")) == ends[-1][1]
    with log.Writer.open(tmp_path) as writer:
        assert writer.ends["p00"] == ends[-1][1]
        with log.Reader(tmp_path, "p00") as reader:
            assert reader.end() == ends[-1][1]


def test_a_frame_sent_to_us_inside_a_reading_is_never_taken_for_ours(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "log"
    _log(other)
    theirs = only_segment(other, "p00").read_bytes()
    later = theirs[theirs.rindex(MAGIC) :]
    log.create(path, partitions=1)
    with log.Writer.open(path) as writer:
        writer.append_refused(b"first", Reason.UNREADABLE, 1)
        writer.commit()
        size = only_segment(path, log.UNROUTED).stat().st_size
        for shift in range(8):
            writer.append_refused(b"." * shift + later, Reason.UNREADABLE, 2)
    segment = only_segment(path, log.UNROUTED)
    data = bytearray(segment.read_bytes())
    assert data.count(later) == 8
    data[size + 60] ^= 1
    segment.write_bytes(data)
    forget_marks(path)
    with log.Writer.open(path) as writer:
        assert "torn commit" in writer.repaired[0]
    assert len(rows(path, log.UNROUTED)) == 1


def _rolled(path: Path) -> list[Path]:
    log.create(path, partitions=1)
    with log.Writer.open(path, segment_bytes=1) as writer:
        writer.append_document(document("a", ["x"]), 1)
        for i in range(4):
            writer.append(readings(["a/x"], i))
            writer.tick((i + 1) * SECOND)
    return sorted((path / "p00").glob("*.seg"))


def test_a_missing_segment_in_the_middle_is_damage(tmp_path: Path) -> None:
    segments = _rolled(tmp_path)
    segments[1].unlink()
    with pytest.raises(log.LogDamaged, match=f"{segments[0]}:byte {segments[0].stat().st_size}: no whole frame with row 3"):
        rows(tmp_path, "p00", 2)
    assert [bool(found.fault) for found in log.survey(tmp_path)] == [True, False, False, False]


def test_missing_newest_segments_are_damage_and_never_written_over(tmp_path: Path) -> None:
    segments = _rolled(tmp_path)
    for segment in segments[2:]:
        segment.unlink()
    with pytest.raises(log.LogDamaged, match="rows 5 to 8 were accepted and are gone"):
        log.Writer.open(tmp_path)
    for segment in segments[:2]:
        segment.unlink()
    with pytest.raises(log.LogDamaged, match="9 rows were accepted and there is no segment"):
        log.Writer.open(tmp_path)
    with log.Reader(tmp_path, "p00") as reader, pytest.raises(log.LogError):
        reader.read(0)
    assert [str(found.fault) for found in log.survey(tmp_path)] == ["9 rows were accepted and there is no segment"]


def test_a_segment_under_another_name_or_in_another_partition_is_damage(tmp_path: Path) -> None:
    *_, newest = _rolled(tmp_path)
    renamed = newest.rename(newest.with_name(f"{10:020d}.seg"))
    with pytest.raises(log.LogDamaged, match="the title names partition p00 and row 9; expected partition p00 and row 10"):
        log.Writer.open(tmp_path)
    renamed.rename(newest)
    shutil.copy(newest, tmp_path / log.UNROUTED / f"{0:020d}.seg")
    with pytest.raises(log.LogDamaged, match="the title names partition p00"):
        log.Writer.open(tmp_path)


def test_a_half_made_segment_is_no_segment(tmp_path: Path) -> None:
    segments = _rolled(tmp_path)
    leftover = segments[-1].with_name(f"{9:020d}.seg.tmp")
    leftover.write_bytes(b"half")
    with log.Writer.open(tmp_path) as writer:
        assert writer.ends["p00"] == 9
    assert not leftover.exists()


def test_a_segment_of_a_later_format_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowwatch.log.segments.FORMAT", 2)
    _rolled(tmp_path)
    monkeypatch.undo()
    with pytest.raises(log.LogError, match=r"\.seg: format 2; expected format 1"):
        log.Writer.open(tmp_path)
