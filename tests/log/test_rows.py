"""Rows come out of the log as they went in, however they were appended, committed and read."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch import log
from flowwatch.core.readings import ABSENT, Kind, Reason
from tests.log.drawing import any_readings
from tests.log.making import document, fresh_log, readings, rows, rows_of

NAMES = ["a/x", "a/y", "b/x", "c/x"]
SITES = {"a": ["x", "y"], "b": ["x"], "c": ["x"]}


def _expected(parts: list[log.Readings], site: str) -> list[tuple[object, ...]]:
    found = []
    for part in parts:
        for i, name in enumerate(part.names):
            if name.startswith(f"{site}/"):
                columns = (getattr(part, c)[i].item() for c in ("at", "received", "seq", "ordinal", "ingress", "egress", "headcount"))
                found.append((part.kind[i].item(), name, *columns))
    return found


@settings(max_examples=60)
@given(st.lists(st.tuples(any_readings(NAMES), st.booleans(), st.booleans()), max_size=6), st.integers(1, 50))
def test_what_was_appended_is_read_in_order_whatever_the_commits_and_the_chunks(
    parts: list[tuple[log.Readings, bool, bool]], limit: int
) -> None:
    with fresh_log() as path:
        with log.Writer.open(path) as writer:
            for site, counters in SITES.items():
                writer.append_document(document(site, counters), 1)
            for part, commit, reopen in parts:
                writer.append(part)
                if commit or reopen:
                    writer.commit()
                if reopen:
                    writer.close()
                    writer = log.Writer.open(path)  # noqa: PLW2901 - the block's own is closed
            writer.commit()
            writer.close()
            sites = dict(writer.routing)
        for site, place in sites.items():
            whole = rows(path, place.partition)
            assert [row[0] for row in whole] == list(range(len(whole)))
            with log.Reader(path, place.partition) as reader:
                names = reader.names()
                chunked: list[tuple[object, ...]] = []
                while chunks := reader.read(len(chunked), limit):
                    assert sum(chunk.rows for chunk in chunks) <= limit
                    chunked += [row for chunk in chunks for row in rows_of(log.blocks(pickle.loads(pickle.dumps(chunk))))]
            assert chunked == whole
            kept = [(row[1], names[row[2]], *row[3:10]) for row in whole if row[1] < Kind.TICK]
            assert [row for row in kept if row[1].startswith(f"{site}/")] == _expected([part for part, _, _ in parts], site)


@settings(max_examples=30)
@given(st.lists(st.one_of(st.binary(max_size=50), st.none()), max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_rare_rows_keep_their_payloads_between_readings(payloads: list[bytes | None], start: int, count: int) -> None:
    with fresh_log(partitions=1) as path:
        with log.Writer.open(path) as writer:
            writer.append_document(document("a", ["x"]), 1)
            for payload in payloads:
                if payload is None:
                    writer.append(readings(["a/x"]))
                else:
                    writer.append_action("a", payload, 5)
        found = rows(path, "p00", 1)
        assert [row[-1] for row in found] == payloads
        assert rows(path, "p00", min(start, len(payloads)), count) == rows(path, "p00")[min(start, len(payloads)) :][:count]


def test_a_commit_of_many_rows_is_cut_into_frames_of_65536(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    n = 150_000
    with log.Writer.open(tmp_path) as writer:
        writer.append_document(document("a", ["x"]), 1)
        writer.commit()
        writer.append(readings(["a/x"] * n))
        writer.commit()
    with log.Reader(tmp_path, "p00") as reader:
        assert [chunk.rows for chunk in reader.read(1)] == [65_536, 65_536, n - 2 * 65_536]
        assert np.concatenate([block.seq for block in reader.walk(1)]).tolist() == list(range(n))


def test_frames_stay_small_when_payloads_are_large(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    with log.Writer.open(tmp_path) as writer:
        writer.append_document(document("a", ["x"]), 1)
        for i in range(12):
            writer.append_action("a", bytes([i]) * (3 << 20), i)
    with log.Reader(tmp_path, "p00") as reader:
        chunks = reader.read(0)
        assert max(len(chunk.data) for chunk in chunks) < 20 << 20
        assert [row[-1][0] for chunk in chunks for row in rows_of(log.blocks(chunk))[-12:] if row[1] == Kind.ACTION] == list(range(12))


def test_decoded_columns_are_views_of_the_bytes_that_were_read(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    with log.Writer.open(tmp_path) as writer:
        writer.append_document(document("a", ["x"]), 1)
        writer.append(readings(["a/x"] * 100))
    with log.Reader(tmp_path, "p00") as reader:
        (chunk,) = reader.read(0)
    block = log.blocks(chunk)
    whole = np.frombuffer(chunk.data, np.uint8)
    for column in (block.kind, block.counter, block.at, block.received, block.seq, block.ordinal, block.ingress, block.headcount):
        assert np.shares_memory(column, whole)
        assert not column.flags.writeable


def test_rows_are_not_in_the_log_before_the_commit(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    writer = log.Writer.open(tmp_path)
    writer.append_document(document("a", ["x"]), 1)
    assert rows(tmp_path, "p00") == []
    writer.commit()
    assert len(rows(tmp_path, "p00")) == 1
    writer.append(readings(["a/x"]))
    writer.close()
    assert len(rows(tmp_path, "p00")) == 1


def test_a_block_that_ends_with_an_error_commits_nothing(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    with pytest.raises(KeyError), log.Writer.open(tmp_path) as writer:  # noqa: PT012 - the block is what is tested
        writer.append_document(document("a", ["x"]), 1)
        raise KeyError
    assert rows(tmp_path, "p00") == []


def test_an_append_whose_raw_bytes_fail_buffers_nothing(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    with log.Writer.open(tmp_path) as writer:
        writer.append_document(document("a", ["x"]), 1)
        good = readings(["a/x", "nobody/x"])

        def broken(i: int) -> bytes:
            raise OSError(i)

        bad = dataclasses.replace(good, raw=broken)
        with pytest.raises(OSError, match="1"):
            writer.append(bad)
    assert [row[1] for row in rows(tmp_path, "p00")] == [Kind.DOCUMENT]


def test_a_follower_sees_new_rows_by_reading_again(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    with log.Reader(tmp_path, "p00") as reader, log.Writer.open(tmp_path) as writer:
        assert (reader.start(), reader.end(), reader.read(0)) == (0, 0, [])
        writer.append_document(document("a", ["x"]), 1)
        for i in range(1, 6):
            writer.commit()
            (chunk,) = reader.read(i - 1)
            assert (chunk.first, chunk.rows) == (i - 1, 1)
            assert reader.read(i) == []
            writer.tick(i * 10)
        assert reader.end() == 5


def test_rows_beyond_the_end_are_an_error(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    with log.Reader(tmp_path, "p00") as reader, pytest.raises(log.RowsOutOfRange, match="row 1 asked for"):
        reader.read(1)


def test_refused_bytes_are_kept_up_to_four_kilobytes_with_their_reason(tmp_path: Path) -> None:
    log.create(tmp_path)
    with log.Writer.open(tmp_path) as writer:
        writer.append_refused(b"?" * 10_000, Reason.UNREADABLE, 99)
    (row,) = rows(tmp_path, log.UNROUTED)
    assert row == (0, Kind.REFUSED, -1, ABSENT, 99, ABSENT, -1, Reason.UNREADABLE, ABSENT, ABSENT, b"?" * 4096)


@pytest.mark.parametrize(
    ("column", "values"),
    [("kind", np.array([16], np.uint8)), ("kind", np.array([0], np.uint8)), ("at", np.zeros(2, np.int64)), ("seq", np.zeros(1, np.int32))],
)
def test_columns_that_are_no_readings_are_an_error(column: str, values: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> None:
    with pytest.raises(ValueError, match=column):
        readings(["a/x"], **{column: values})
