"""A log is created once, with settings for life, and one process at a time writes it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from flowwatch import log
from tests.log.making import document, rows


def test_a_log_is_created_with_its_folders_and_creating_it_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log"
    made = log.create(path, clock="event", tick_us=5_000_000, partitions=2)
    assert made == log.Settings(clock=log.Clock.EVENT, tick_us=5_000_000, partitions=2)
    assert made.folders == ["p00", "p01", "unrouted"]
    assert sorted(p.name for p in path.iterdir()) == ["inbox", "p00", "p01", "settings.json", "unrouted"]
    assert log.create(path, clock="event", tick_us=5_000_000, partitions=2) == log.load(path) == made


def test_creating_a_log_over_one_with_other_settings_is_an_error(tmp_path: Path) -> None:
    log.create(tmp_path, clock="event")
    told = "already a log, with clock event, tick_us 1000000, 16 partitions; expected .*: clock wall"
    with pytest.raises(log.LogError, match=told):
        log.create(tmp_path, clock="wall")


def test_an_interrupted_creation_is_finished_by_the_next(tmp_path: Path) -> None:
    log.create(tmp_path)
    (tmp_path / "settings.json").unlink()
    (tmp_path / "p07").rmdir()
    with pytest.raises(log.LogError, match=r"no log here \(it has no settings.json\)"):
        log.load(tmp_path)
    log.create(tmp_path)
    assert (tmp_path / "p07").is_dir()


def test_segments_without_settings_are_not_taken_for_an_empty_folder(tmp_path: Path) -> None:
    log.create(tmp_path)
    with log.Writer.open(tmp_path) as writer:
        writer.append_document(document("a", ["x"]), 1)
    (tmp_path / "settings.json").unlink()
    with pytest.raises(log.LogError, match=r"segments without a settings\.json"):
        log.create(tmp_path)


@pytest.mark.parametrize("wrong", [{"clock": "sundial"}, {"tick_us": 0}, {"partitions": 0}, {"partitions": 101}])
def test_settings_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"sundial|partitions"):
        log.create(tmp_path, **wrong)  # type: ignore[arg-type]  # wrong on purpose
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "unreadable"),
        ('{"clock":"sundial"}', "unreadable"),
        ('{"format":2}', "format 2; expected format 1"),
        ('{"partitions":0}', "0 partitions; expected"),
    ],
)
def test_broken_settings_are_told_with_their_file(tmp_path: Path, text: str, told: str) -> None:
    log.create(tmp_path)
    (tmp_path / "settings.json").write_text(text)
    for use in (log.Writer.open, log.Inbox, lambda path: log.Reader(path, "p00")):
        with pytest.raises(log.LogError, match=rf"settings\.json: .*{told}"):
            use(tmp_path)


def test_a_partition_that_is_none_is_an_error(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=4)
    with pytest.raises(log.LogError, match="no partition 'p04'; expected one of p00 to p03, or unrouted"):
        log.Reader(tmp_path, "p04")


def test_a_second_writer_is_told_who_holds_the_log(tmp_path: Path) -> None:
    log.create(tmp_path)
    with log.Writer.open(tmp_path):
        with pytest.raises(log.LogLocked, match=rf"writer\.lock: process {os.getpid()} holds the log's lock") as caught:
            log.Writer.open(tmp_path)
        assert caught.value.pid == os.getpid()
        assert rows(tmp_path, "p00") == []
    log.Writer.open(tmp_path).close()


def test_the_death_of_the_holder_gives_the_lock_back(tmp_path: Path) -> None:
    log.create(tmp_path)
    hold = "import sys; from flowwatch import log; w = log.Writer.open(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(log.LogLocked) as caught:
            log.Writer.open(tmp_path)
        assert caught.value.pid == holder.pid
        holder.kill()
    log.Writer.open(tmp_path).close()


def test_an_opening_that_fails_gives_the_lock_back(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    (tmp_path / "p00" / f"{0:020d}.seg").write_bytes(b"nothing of ours")
    for _ in range(2):
        with pytest.raises(log.LogDamaged, match="byte 0: no whole title frame"):
            log.Writer.open(tmp_path)


def test_a_closed_writer_refuses_everything(tmp_path: Path) -> None:
    log.create(tmp_path)
    writer = log.Writer.open(tmp_path)
    writer.close()
    writer.close()
    with pytest.raises(log.WriterClosed, match="this writer is closed"):
        writer.commit()


@pytest.mark.parametrize(
    "error",
    [log.LogError("w", "x", "y"), log.LogLocked("w", 7), log.LogDamaged("w", 9, "x", "y"), log.DiskRefused("w", "x", "y")],
)
def test_errors_cross_processes_whole(error: log.LogError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
