"""A disk that refuses: a clear error, nothing reported that is not safe, nothing lost that was, and a log that opens again."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from flowwatch import log
from tests.log.making import SECOND, document, only_segment, readings, rows


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB where this process may mount one, else an ordinary folder (the limit on file sizes is tested beside it)."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=False, capture_output=True).returncode == 0
    print(f"mounted a small disk: {mounted}")
    yield disk
    if mounted:
        subprocess.run(["umount", "-l", disk], check=True)


def _fill(disk: Path) -> Path:
    """Leave a few kilobytes on the small disk."""
    ballast = disk / "ballast"
    room = shutil.disk_usage(disk).free - 40 * 1024
    if room < 2 << 20:
        ballast.write_bytes(bytes(room))
    return ballast


@contextmanager
def _file_size_limit(limit: int) -> Iterator[None]:
    """No file of this process grows beyond `limit` bytes: the kernel writes up to there and then says EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _fill_device_under(path: Path) -> None:
    """The writer's descriptor of the segment leads to /dev/full, where every write meets ENOSPC."""
    segment = str(only_segment(path, "p00"))
    (fd,) = (int(fd) for fd in os.listdir("/proc/self/fd") if os.path.realpath(f"/proc/self/fd/{fd}") == segment)  # noqa: PTH208 - numbers
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, fd)
    os.close(full)


@contextmanager
def _failing_sync(monkeypatch: pytest.MonkeyPatch, number: int) -> Iterator[None]:
    """A simulated device whose sync fails: a real one cannot be had in a test."""

    def fail(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", fail)
        patch.setattr("os.fsync", fail)
        yield


def _begun(path: Path) -> log.Writer:
    log.create(path, partitions=1)
    writer = log.Writer.open(path)
    writer.append_document(document("a", ["x"]), 1)
    writer.append(readings(["a/x"] * 10))
    writer.tick(SECOND)
    writer.commit()
    return writer


def _check_refusing_and_repaired(path: Path, writer: log.Writer, before: list[tuple[object, ...]]) -> None:
    for refused in (
        lambda: writer.append(readings(["a/x"])),
        lambda: writer.tick(9 * SECOND),
        writer.commit,
        writer.drain,
        lambda: writer.append_action("a", b"{}", 1),
        lambda: writer.append_document(document("b", ["x"]), 1),
        writer.retain,
    ):
        with pytest.raises(log.WriterClosed, match="out of use after DiskRefused"):
            refused()
    assert rows(path, "p00") == before
    writer.close()
    with log.Writer.open(path) as again:
        assert rows(path, "p00") == before
        again.append(readings(["a/x"], 1000))
    assert rows(path, "p00")[:-1] == before
    assert rows(path, "p00")[-1][5] == 1000


def test_a_full_file_system_refuses_the_commit_and_what_was_committed_stays(small_disk: Path) -> None:
    path = small_disk / "log"
    writer = _begun(path)
    before = rows(path, "p00")
    ballast = _fill(small_disk)
    if not ballast.exists():
        with _file_size_limit(only_segment(path, "p00").stat().st_size + 50_000), pytest.raises(log.DiskRefused):
            _many(writer)
    else:
        with pytest.raises(log.DiskRefused, match="no space left on device; expected free space on the disk"):
            _many(writer)
        ballast.unlink()
    _check_refusing_and_repaired(path, writer, before)


def _many(writer: log.Writer) -> None:
    for i in range(100):
        writer.append(readings(["a/x"] * 5_000, i))
    writer.commit()


def test_on_a_full_disk_the_log_still_opens_so_that_retention_can_make_room(small_disk: Path) -> None:
    path = small_disk / "log"
    log.create(path, partitions=1)
    with log.Writer.open(path, segment_bytes=50_000) as writer:
        writer.append_document(document("a", ["x"]), 1)
        for i in range(1, 5):
            writer.append(readings(["a/x"] * 1000, i))
            writer.tick(i * SECOND)
            writer.commit()
    _fill(small_disk)
    with pytest.raises(OSError, match="No space"), (small_disk / "rest").open("wb") as rest:  # noqa: PT012 - the last bytes go here
        if not (small_disk / "ballast").exists():
            raise OSError(errno.ENOSPC, "No space")
        while True:
            rest.write(bytes(4096))
            rest.flush()
    for first in log.segments.offsets(path / "p00", ".seg")[1:]:
        log.checkpoint_file(path / "p00", first).touch()
    with log.Writer.open(path) as writer:
        assert writer.retain(max_bytes=100_000, whole=lambda file: file.exists())
        writer.append(readings(["a/x"], 7))
    assert rows(path, "p00", writer.ends["p00"] - 1)[0][5] == 7


@pytest.mark.parametrize("taken_back", [True, False])
@pytest.mark.parametrize("room", [0, 1, 30, 48, 49, 500, 5_000])
def test_a_file_size_limit_in_the_middle_of_a_frame_leaves_what_was_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, taken_back: bool
) -> None:
    writer = _begun(tmp_path)
    before = rows(tmp_path, "p00")
    if not taken_back:
        monkeypatch.setattr(log.segments.SegmentWriter, "undo", lambda segment: None)
    writer.append(readings(["a/x"] * 100, 50))
    size = only_segment(tmp_path, "p00").stat().st_size
    with _file_size_limit(size + room), pytest.raises(log.DiskRefused, match=r"file too large; expected .*ulimit"):
        writer.commit()
    _check_refusing_and_repaired(tmp_path, writer, before)


def test_a_device_without_room_is_told_with_the_segments_name(tmp_path: Path) -> None:
    writer = _begun(tmp_path)
    before = rows(tmp_path, "p00")
    writer.append(readings(["a/x"] * 100, 50))
    _fill_device_under(tmp_path)
    with pytest.raises(log.DiskRefused, match=rf"{only_segment(tmp_path, 'p00')}: no space left"):
        writer.commit()
    _check_refusing_and_repaired(tmp_path, writer, before)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_sync_that_fails_commits_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    writer = _begun(tmp_path)
    before = rows(tmp_path, "p00")
    writer.append(readings(["a/x"] * 100, 50))
    with _failing_sync(monkeypatch, number), pytest.raises(log.DiskRefused, match=os.strerror(number).lower()):
        writer.commit()
    _check_refusing_and_repaired(tmp_path, writer, before)


def test_a_sync_that_fails_while_a_segment_ends_leaves_the_log_repairable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.create(tmp_path, partitions=1)
    writer = log.Writer.open(tmp_path, segment_bytes=1)
    writer.append_document(document("a", ["x"]), 1)
    writer.tick(SECOND)
    writer.commit()
    before = rows(tmp_path, "p00")
    writer.append(readings(["a/x"] * 5))
    with _failing_sync(monkeypatch, errno.EIO), pytest.raises(log.DiskRefused):
        writer.tick(2 * SECOND)
    _check_refusing_and_repaired(tmp_path, writer, before)


def test_staging_on_a_full_disk_stages_nothing(tmp_path: Path) -> None:
    log.create(tmp_path)
    inbox = log.Inbox(tmp_path)
    inbox.append(readings(["a/x"] * 1000))
    with _file_size_limit(10_000), pytest.raises(log.DiskRefused):
        inbox.commit()
    assert list((tmp_path / "inbox").iterdir()) == []


@pytest.fixture
def make_read_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Takes away the right to write in a folder: by mode for an ordinary user, for root by a read-only mount of the folder on itself."""
    undo: list[Callable[[], object]] = []

    def take(path: Path) -> None:
        folders = [path, *(p for p in path.rglob("*") if p.is_dir())]
        if os.geteuid() != 0:
            for folder in folders:
                folder.chmod(0o500)
                undo.append(partial(folder.chmod, 0o700))
            return
        if subprocess.run(["mount", "--bind", path, path], check=False, capture_output=True).returncode == 0:
            undo.append(lambda: subprocess.run(["umount", "-l", path], check=True))
            subprocess.run(["mount", "-o", "remount,bind,ro", path], check=True, capture_output=True)
            return
        print("no read-only mount here: os.open is made to refuse instead")
        really = os.open

        def refuse(file: os.PathLike[str] | str, flags: int, *rest: int) -> int:
            if Path(file).is_relative_to(path) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            return really(file, flags, *rest)

        monkeypatch.setattr("os.open", refuse)

    yield take
    for step in undo:
        step()


def test_a_read_only_log_can_be_read_and_says_why_it_cannot_be_written(tmp_path: Path, make_read_only: Callable[[Path], None]) -> None:
    path = tmp_path / "log"
    _begun(path).close()
    (path / "writer.lock").unlink()
    before = rows(path, "p00")
    make_read_only(path)
    with pytest.raises(log.DiskRefused, match=r"writer\.lock: (read-only file system|permission denied); expected a (file system|folder)"):
        log.Writer.open(path)
    inbox = log.Inbox(path)
    inbox.append_action("a", b"{}", 1)
    with pytest.raises(log.DiskRefused, match="inbox"):
        inbox.commit()
    assert rows(path, "p00") == before
    assert [found.fault for found in log.survey(path)] == [None]


def test_a_log_cannot_be_created_in_a_read_only_folder(tmp_path: Path, make_read_only: Callable[[Path], None]) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    if os.geteuid() == 0:
        (folder / "log").mkdir()
    make_read_only(folder)
    with pytest.raises(log.DiskRefused, match=r"read-only|permission"):
        log.create(folder / "log")
