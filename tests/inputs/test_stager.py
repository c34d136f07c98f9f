"""Whoever hands rows over is told when they are durable, and is told to come again where there is no room."""

from __future__ import annotations

import errno
import json
import random
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from flowwatch import log
from flowwatch.adapters.batch import Batch
from flowwatch.adapters.ndjson import Codec
from flowwatch.core.readings import Kind, Reason
from flowwatch.inputs import Bounds, Receipt, Stager
from flowwatch.inputs.stager import MOST_RECORDS
from flowwatch.log.inbox import Inbox, Staged, staged_files
from flowwatch.log.routing import PAYLOAD_BYTES
from tests.log.making import document, rows

WAIT_S = 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log that knows two counters of site a."""
    path = tmp_path / "log"
    log.create(path, partitions=1)
    with log.Writer.open(path) as writer:
        writer.append_document(document("a", ["x", "y"]), 1)
        writer.commit()
    return path


def lines(*counters: str, second: int = 0) -> Batch:
    """A message with a reading of each counter, all of one second."""
    at = f"2026-10-01T09:00:{second:02d}+08:00"
    return Codec().batch(b"".join(json.dumps({"counter": c, "at": at, "in": 1}).encode() + b"\n" for c in counters))


def taken(future: Future[Receipt] | None) -> Receipt:
    """What came of rows that there was room for."""
    assert future is not None
    return future.result(WAIT_S)


class Held(Inbox):
    """An inbox whose commits wait until they may, and that takes reports."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked = threading.Semaphore(0)
        self.may = threading.Semaphore(0)
        self.error: Exception | None = None

    def append_report(self, site: str, payload: bytes, at_us: int) -> None:
        self.append_action(site, b"report " + payload, at_us)

    def commit(self) -> Path | None:
        self.asked.release()
        assert self.may.acquire(timeout=WAIT_S)
        if self.error is not None:
            self._clear()
            raise self.error
        return super().commit()


@pytest.fixture
def held(folder: Path) -> Iterator[Held]:
    """An inbox that in the end lets everything through."""
    inbox = Held(folder)
    yield inbox
    inbox.error = None
    inbox.may.release(1000)


def test_rows_are_in_the_inbox_when_the_future_says_so(folder: Path) -> None:
    with Stager(folder) as stager:
        receipt = taken(stager.offer(lines("a/x", "a/y", "a/x")))
        (file,) = staged_files(folder)
        assert (receipt.readings, receipt.refused, len(Staged(file))) == (3, 0, 3)
    with log.Writer.open(folder) as writer:
        assert writer.drain().bad == []
    found = [row for row in rows(folder, "p00") if row[1] == Kind.DELTA]
    assert [row[4] for row in found] == [receipt.received_us] * 3
    assert [row[6] for row in found] == [0, 0, 1]  # the second of a/x at that time


def test_the_same_message_again_is_the_same_readings_again(folder: Path) -> None:
    with Stager(folder) as stager:
        for batch in (lines("a/x", "a/x"), lines("a/x", second=1), lines("a/x", "a/x")):
            taken(stager.offer(batch))
    with log.Writer.open(folder) as writer:
        writer.drain()
    found = [(row[3], row[6]) for row in rows(folder, "p00") if row[1] == Kind.DELTA]
    assert found[:2] == found[3:]
    assert [ordinal for _, ordinal in found] == [0, 1, 0, 0, 1]


def test_what_waits_while_one_file_is_staged_shares_the_next(folder: Path, held: Held) -> None:
    stager = Stager(folder, inbox=held, every_s=0)
    first = stager.offer(lines("a/x"))
    assert held.asked.acquire(timeout=WAIT_S)
    more = [stager.offer(lines("a/x", second=i)) for i in range(1, 50)]
    held.may.release(2)
    assert [taken(future).readings for future in (first, *more)] == [1] * 50
    stager.close()
    assert [len(Staged(file)) for file in staged_files(folder)] == [1, 49]
    assert (stager.staged_files, stager.staged_rows) == (2, 50)


def test_refusals_are_rows_too(folder: Path) -> None:
    with Stager(folder) as stager:
        receipt = taken(stager.offer(Codec().batch(b"nonsense\n")))
        assert (receipt.readings, receipt.refused) == (0, 1)
        nothing = taken(stager.offer(Codec().batch(b"")))
        assert (nothing.readings, nothing.refused) == (0, 0)
    with log.Writer.open(folder) as writer:
        writer.drain()
    (row,) = [row for row in rows(folder, log.UNROUTED) if row[1] == Kind.REFUSED]
    assert (row[7], row[10]) == (Reason.UNREADABLE, b"nonsense")


def test_there_is_room_for_so_many_rows_and_then_none_until_some_are_durable(folder: Path, held: Held) -> None:
    stager = Stager(folder, Bounds(rows=3), inbox=held, every_s=0)
    first = stager.offer(lines("a/x", "a/y"))
    assert held.asked.acquire(timeout=WAIT_S)
    second = stager.offer(lines("a/x"))
    assert stager.waiting.full
    assert stager.offer(lines("a/x")) is None
    assert (stager.waiting.rows, stager.no_room) == (3, 1)
    held.may.release(2)
    taken(first)
    taken(second)
    held.may.release(1)
    taken(stager.offer(lines("a/x")))
    held.may.release(1)
    stager.close()


def test_a_batch_larger_than_all_room_is_taken_where_nothing_else_waits(folder: Path) -> None:
    with Stager(folder, Bounds(rows=1, size=1)) as stager:
        assert taken(stager.offer(lines("a/x", "a/y"))).readings == 2


def test_files_that_nobody_drains_are_bounded_but_a_fire_still_gets_through(folder: Path) -> None:
    with Stager(folder, Bounds(files=2)) as stager:
        for second in range(2):
            taken(stager.offer(lines("a/x", second=second)))
        assert stager.offer(lines("a/x", second=3)) is None
        assert (stager.waiting.files, stager.waiting.full) == (2, True)
        assert stager.waiting.file_size == sum(file.stat().st_size for file in staged_files(folder))
        taken(stager.offer_action("a", b"fire", 5))
        assert len(staged_files(folder)) == 3


def test_there_is_room_again_once_the_inbox_is_drained(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowwatch.inputs.stager.LOOK_S", 0.01)
    looked = threading.Event()
    with Stager(folder, Bounds(files=1)) as stager:
        taken(stager.offer(lines("a/x")))
        assert stager.offer(lines("a/x", second=1)) is None
        with log.Writer.open(folder) as writer:
            assert writer.drain().files == 1
        while stager.waiting.full:
            looked.wait(0.005)
        assert taken(stager.offer(lines("a/x", second=1))).readings == 1
    assert Stager(folder).waiting.files == 1


def test_an_error_of_the_disk_goes_to_those_whose_rows_it_kept_and_the_next_are_taken(folder: Path, held: Held) -> None:
    stager = Stager(folder, inbox=held, every_s=0)
    held.error = log.DiskRefused(folder, "no space left on device", "free space")
    held.may.release(1)
    lost = stager.offer(lines("a/x"))
    assert lost is not None
    with pytest.raises(log.DiskRefused, match="no space left"):
        lost.result(WAIT_S)
    held.error = None
    held.may.release(2)
    assert taken(stager.offer(lines("a/y"))).readings == 1
    stager.close()
    assert [len(Staged(file)) for file in staged_files(folder)] == [1]


def test_a_real_disk_that_refuses_leaves_nothing_half_staged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Stager(folder) as stager:
        with monkeypatch.context() as broken:
            broken.setattr("flowwatch.log.disk.os.fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "input/output error")))
            lost = stager.offer(lines("a/x"))
            assert lost is not None
            with pytest.raises(log.DiskRefused):
                lost.result(WAIT_S)
        taken(stager.offer(lines("a/y")))
        (file,) = staged_files(folder)
        assert len(Staged(file)) == 1


def test_a_batch_that_cannot_be_staged_harms_no_other(folder: Path, held: Held) -> None:
    stager = Stager(folder, inbox=held, every_s=0)
    first = stager.offer(lines("a/x"))
    assert held.asked.acquire(timeout=WAIT_S)
    broken = lines("a/y")
    bad = stager.offer(Batch(replace(broken.readings, raw=[].__getitem__)))
    good = stager.offer(lines("a/x", second=2))
    held.may.release(2)
    taken(first)
    taken(good)
    assert bad is not None
    with pytest.raises(IndexError):
        bad.result(WAIT_S)
    stager.close()


def test_records_of_a_site_that_the_log_does_not_know_take_nothing_else_with_them(folder: Path, held: Held) -> None:
    stager = Stager(folder, inbox=held, every_s=0)
    first = stager.offer(lines("a/x"))
    assert held.asked.acquire(timeout=WAIT_S)
    others = [
        stager.offer_action("a", b"1", 2),
        stager.offer_action("nowhere", b"2", 2),
        stager.offer_report("a", b"3", 2),
        stager.offer(lines("a/y")),
    ]
    held.may.release(5)
    for future in (first, *others):
        taken(future)
    stager.close()
    with log.Writer.open(folder) as writer:
        assert [len(writer.drain().bad)] == [1]
    assert [row[10] for row in rows(folder, "p00") if row[1] == Kind.ACTION] == [b"1", b"report 3"]
    assert sum(row[1] == Kind.DELTA for row in rows(folder, "p00")) == 2


def test_a_record_that_is_too_long_is_refused_at_once(folder: Path) -> None:
    with Stager(folder) as stager, pytest.raises(log.BadRecord):
        stager.offer_action("a", bytes(PAYLOAD_BYTES + 1), 1)


def test_records_are_bounded_as_well(folder: Path, held: Held) -> None:
    stager = Stager(folder, inbox=held)
    first = stager.offer_action("a", b"", 1)
    assert held.asked.acquire(timeout=WAIT_S)
    assert all(stager.offer_action("a", b"", 1) is not None for _ in range(MOST_RECORDS))
    assert stager.offer_action("a", b"", 1) is None
    held.may.release(2)
    taken(first)
    stager.close()


def test_closing_makes_durable_what_waits_and_takes_nothing_more(folder: Path) -> None:
    stager = Stager(folder, every_s=5)
    futures = [stager.offer(lines("a/x", second=i)) for i in range(10)]
    stager.close()
    stager.close()
    assert sum(taken(future).readings for future in futures) == 10
    assert stager.offer(lines("a/x")) is None
    assert stager.offer_action("a", b"", 1) is None


def test_many_threads_lose_nothing_and_share_files(folder: Path) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)

    def send(number: int) -> None:
        rng = random.Random(seed + number)
        for i in range(40):
            batch = lines(*[f"a/{number}-{i}"] * rng.randint(1, 4))
            assert taken(stager.offer(batch)).readings == len(batch)
            sent[number] += len(batch)

    sent = [0] * 8
    with Stager(folder) as stager:
        threads = [threading.Thread(target=send, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(sent)
        assert stager.staged_rows == sum(sent) == sum(len(Staged(file)) for file in staged_files(folder))
        assert stager.staged_files < 8 * 40
