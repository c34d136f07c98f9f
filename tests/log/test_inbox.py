"""Rows that other processes stage enter the log in order, once, and a bad file harms nobody."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch import log
from flowwatch.core.readings import Kind, Reason
from tests.log.drawing import any_readings
from tests.log.making import SECOND, document, fresh_log, readings, rows

STEPS = st.lists(
    st.one_of(
        any_readings(["a/x", "a/y", "b/x", "nobody/x", "a/typo"], 10),
        st.tuples(st.just("action"), st.sampled_from("ab"), st.binary(max_size=20)),
        st.tuples(st.just("document"), st.sampled_from("ab"), st.lists(st.sampled_from("xyz"), unique=True)),
        st.tuples(st.just("refused"), st.sampled_from(list(Reason)), st.binary(max_size=20)),
        st.just("commit"),
    ),
    max_size=12,
)


def _do(to: log.Writer | log.Inbox, steps: list[object], first: int = 0) -> None:
    for i, step in enumerate(steps, first):
        match step:
            case log.Readings():
                to.append(step)
            case ("action", str(site), bytes(payload)):
                to.append_action(site, payload, i)
            case ("document", str(site), [*counters]):
                to.append_document(document(site, [str(counter) for counter in counters]), i)
            case ("refused", Reason() as reason, bytes(raw)):
                to.append_refused(raw, reason, i)
            case _:
                to.commit()


@settings(max_examples=40)
@given(STEPS)
def test_staged_and_drained_is_the_same_as_appended(steps: list[object]) -> None:
    begin: list[object] = [("document", "a", ["x"]), ("document", "b", ["x"])]
    with fresh_log() as direct, fresh_log() as staged:
        with log.Writer.open(direct) as writer:
            _do(writer, begin + steps)
        with log.Writer.open(staged) as writer:
            _do(writer, begin)
            inbox = log.Inbox(staged)
            _do(inbox, steps, len(begin))
            inbox.commit()
            files = len(list((staged / "inbox").iterdir()))
            drained = writer.drain()
            assert (drained.files, drained.bad) == (files, [])
            assert not list((staged / "inbox").iterdir())
            assert writer.drain().files == 0
        for partition in log.load(direct).folders:
            for refused in (False, True):  # a refused row follows the readings that it came with: more of them in a staged run
                assert _of(staged, partition, refused) == _of(direct, partition, refused)


def _of(path: Path, partition: str, refused: bool) -> list[tuple[object, ...]]:
    return [row[1:] for row in rows(path, partition) if (row[1] == Kind.REFUSED) is refused]


def _log(path: Path) -> log.Writer:
    log.create(path, partitions=1)
    writer = log.Writer.open(path)
    writer.append_document(document("a", ["x"]), 1)
    writer.commit()
    return writer


def test_files_are_drained_in_the_order_in_which_they_were_staged(tmp_path: Path) -> None:
    with _log(tmp_path) as writer:
        first, second = log.Inbox(tmp_path), log.Inbox(tmp_path)
        for i in range(6):
            inbox = (first, second)[i % 2]
            inbox.append(readings(["a/x"], i))
            inbox.commit()
        assert writer.drain(limit_rows=4).rows == 4
        assert [row[5] for row in rows(tmp_path, "p00", 1)] == [0, 1, 2, 3]
        assert writer.drain(limit_rows=4).rows == 2
    assert [row[5] for row in rows(tmp_path, "p00", 1)] == [0, 1, 2, 3, 4, 5]


def test_files_are_drained_in_their_order_though_the_clock_was_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _log(tmp_path) as writer:
        now = time.time_ns()
        for i in range(3):
            monkeypatch.setattr("time.time_ns", lambda i=i: now - i * 3600 * 10**9)
            inbox = log.Inbox(tmp_path)
            inbox.append(readings(["a/x"], i))
            inbox.commit()
        assert writer.drain().rows == 3
    assert [row[5] for row in rows(tmp_path, "p00", 1)] == [0, 1, 2]


def test_nothing_is_staged_before_the_commit(tmp_path: Path) -> None:
    log.create(tmp_path)
    inbox = log.Inbox(tmp_path)
    assert inbox.commit() is None
    inbox.append_action("a", b"{}", 1)
    assert list((tmp_path / "inbox").iterdir()) == []
    path = inbox.commit()
    assert path is not None
    assert path.exists()
    assert inbox.commit() is None


def test_a_file_damaged_anywhere_is_set_aside_and_the_others_are_drained(tmp_path: Path) -> None:
    with _log(tmp_path) as writer:
        inbox = log.Inbox(tmp_path)
        inbox.append(readings(["a/x"], 1))
        bad = inbox.commit()
        inbox.append(readings(["a/x"], 2))
        good = inbox.commit()
        assert bad is not None
        assert good is not None
        whole, other = bad.read_bytes(), good.read_bytes()
        for position in range(0, len(whole), 11):
            bad.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
            good.write_bytes(other)
            drained = writer.drain()
            assert drained.files == 1
            ((aside, told),) = drained.bad
            assert aside == bad.with_name(bad.name + ".bad")
            assert str(bad) in told
            aside.unlink()
        bad.write_bytes(whole[:-8])
        assert len(writer.drain().bad) == 1
    assert {row[5] for row in rows(tmp_path, "p00", 1)} == {2}


@pytest.mark.parametrize("wrong", ["group", "site", "two groups"])
def test_a_file_that_cannot_be_placed_is_set_aside_whole(tmp_path: Path, wrong: str) -> None:
    with _log(tmp_path) as writer:
        inbox = log.Inbox(tmp_path)
        inbox.append(readings(["a/x"]))
        match wrong:
            case "group":
                inbox.append_document(document("a", ["x"], "other"), 2)
            case "site":
                inbox.append_action("nobody", b"{}", 2)
            case _:
                inbox.append_document(document("new", ["x"], "one"), 2)
                inbox.append_document(document("new", ["x"], "two"), 2)
        inbox.commit()
        drained = writer.drain()
        assert (drained.files, drained.rows, len(drained.bad)) == (0, 0, 1)
        assert "new" not in writer.routing
    assert len(rows(tmp_path, "p00")) == 1


def test_an_action_may_follow_its_sites_first_document_in_one_file(tmp_path: Path) -> None:
    with _log(tmp_path) as writer:
        inbox = log.Inbox(tmp_path)
        inbox.append_document(document("new", ["x"]), 2)
        inbox.append_action("new", b"{}", 2)
        inbox.commit()
        assert writer.drain().rows == 2


def test_a_crash_between_the_commit_and_the_deletion_repeats_the_file(tmp_path: Path) -> None:
    with _log(tmp_path) as writer:
        inbox = log.Inbox(tmp_path)
        inbox.append_action("a", b'{"action":"01"}', 2)
        file = inbox.commit()
        assert file is not None
        shutil.copy(file, file.with_name("copy"))
        writer.drain()
        file.with_name("copy").rename(file)
        assert writer.drain().rows == 1
    assert [row[-1] for row in rows(tmp_path, "p00", 1)] == [b'{"action":"01"}'] * 2


def test_a_drain_whose_commit_fails_keeps_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = _log(tmp_path)
    inbox = log.Inbox(tmp_path)
    inbox.append(readings(["a/x"], 5))
    inbox.commit()

    def fail(fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", fail)
        with pytest.raises(log.DiskRefused):
            writer.drain()
    writer.close()
    with log.Writer.open(tmp_path) as writer:
        assert writer.drain().rows == 1
    assert [row[5] for row in rows(tmp_path, "p00", 1)] == [5]


def test_half_written_files_and_files_set_aside_are_left_alone(tmp_path: Path) -> None:
    with _log(tmp_path) as writer:
        for name in ("1.staged.tmp", "2.staged.bad"):
            (tmp_path / "inbox" / name).write_bytes(b"half")
        assert writer.drain() == log.Drained()


def test_unknown_counters_in_staged_readings_keep_the_bytes_they_were_read_from(tmp_path: Path) -> None:
    with _log(tmp_path) as writer:
        inbox = log.Inbox(tmp_path)
        inbox.append(readings(["a/x", "a/typo"], received=np.array([1, 2]) * SECOND))
        inbox.commit()
        writer.drain()
    refused = rows(tmp_path, "p00")[-1]
    assert (refused[1], refused[4], refused[7], refused[-1]) == (Kind.REFUSED, 2 * SECOND, Reason.UNKNOWN_COUNTER, b"raw a/typo 1")


def test_an_inbox_without_a_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(log.LogError, match="no log here"):
        log.Inbox(tmp_path)
