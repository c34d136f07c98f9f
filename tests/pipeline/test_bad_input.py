"""Whatever comes in or breaks, `flowwatch run` says so or counts it, and nothing already accepted is lost (docs/bad-input.md has the table).

Each fault is made in a folder whose whole course is known; when the fault is gone, the run must end with the very journal of a folder where it
never was. The reader of the log, the journal and the documents have tests of their own for each way in which they may break.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from flowwatch.cli.exits import Exit
from flowwatch.core.entries import canonical
from flowwatch.core.readings import ABSENT, MINUTE, SECOND, Kind, Reason
from flowwatch.log import Reader, Readings, Writer, checkpoint_file, create
from flowwatch.replay import replay
from flowwatch.workspace import Workspace
from tests.core.world import T0, counter, site
from tests.pipeline.test_kill import rows_decided, workers_of
from tests.pipeline.town import append_documents, append_minutes, canonical_digest, copied_log, finish, start
from tests.places import yuyuan

pytestmark = pytest.mark.slow

SECONDS = 20
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Course:
    """A log of two stretches, decided twice without a fault: after the first stretch, and after both."""

    first: Workspace
    both: Workspace
    digest: str
    """Of the journal of both."""


def append_second(writer: Writer) -> None:
    append_minutes(writer, 2, writer.last_tick_us, SECONDS)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    first = Workspace(tmp_path_factory.mktemp("first"))
    create(first.log, clock="event", partitions=1)
    with Writer.open(first.log) as writer:
        append_documents(writer, 0, T0)
        append_minutes(writer, 1, T0, SECONDS)
    both = copied_log(first, tmp_path_factory.mktemp("both"))
    with Writer.open(both.log) as writer:
        append_second(writer)
    finish(first)
    finish(both)
    return Course(first, both, canonical_digest(both))


@pytest.fixture
def begun(course: Course, tmp_path: Path) -> Workspace:
    """A folder where the first stretch was decided, with its checkpoint."""
    return Workspace(Path(shutil.copytree(course.first.root, tmp_path / "begun")))


def ends_as_if_nothing_had_happened(workspace: Workspace, course: Course) -> None:
    """The second stretch is decided, and the journal is that of the folder without a fault."""
    with Writer.open(workspace.log) as writer:
        if writer.ends == ends_of(course.first):
            append_second(writer)
    finish(workspace)
    assert canonical_digest(workspace) == course.digest
    assert all(span.identical for span in replay(workspace.log, workspace.journal))


def ends_of(workspace: Workspace) -> dict[str, int]:
    with Writer.open(workspace.log) as writer:
        return dict(writer.ends)


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """A process's exit code, and what it said."""
    _, said = process.communicate(timeout=PATIENCE_S)
    return process.returncode, said.decode()


def refused_start(workspace: Workspace, *options: str) -> tuple[int, str]:
    """The exit code of a start that must fail, and the one line that it says."""
    code, said = ended(start(workspace, "--until-end", *options))
    assert said.count("\n") == 1, said
    return code, said


def flowwatch(*arguments: str | Path) -> str:
    """What a command prints, which must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "flowwatch", *map(str, arguments)], capture_output=True, check=False, timeout=PATIENCE_S, text=True
    )
    assert done.returncode == Exit.OK, done.stderr
    return done.stdout


def until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait for something that another process is about to do."""
    patience = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < patience, "it never came"
        time.sleep(0.005)


def flip(file: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def garble(file: Path) -> None:
    file.write_bytes(os.urandom(file.stat().st_size))


def empty(file: Path) -> None:
    file.write_bytes(b"")


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 3)


# -- bad readings -----------------------------------------------------------------------------------------------------------------------------


def test_every_kind_of_bad_reading_is_counted_under_its_reason_and_kept_with_its_bytes(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    create(workspace.log, clock="event", partitions=1)
    counters = [
        counter("door"),
        counter("narrow", max_per_min=60),
        counter("total", "cumulative"),
        counter("camera", "absolute"),
        counter("retired", valid_to_us=T0),
    ]
    now = T0 + 10 * MINUTE
    wide = 100_000_000
    rows: list[tuple[Reason | None, str, Kind, int, int, int, int]] = [
        (None, "yu/door", Kind.DELTA, now, 1, 0, ABSENT),
        (Reason.DUPLICATE, "yu/door", Kind.DELTA, now, 1, 0, ABSENT),
        (Reason.UNKNOWN_SITE, "yo/door", Kind.DELTA, now, 1, 0, ABSENT),
        (Reason.UNKNOWN_COUNTER, "yu/window", Kind.DELTA, now, 1, 0, ABSENT),
        (Reason.WRONG_KIND, "yu/door", Kind.CUMULATIVE, now, 1, 0, ABSENT),
        (Reason.MISSING_COUNT, "yu/door", Kind.DELTA, now + 1, ABSENT, ABSENT, ABSENT),
        (Reason.NEGATIVE_COUNT, "yu/door", Kind.DELTA, now + 2, -1, 0, ABSENT),
        (Reason.FAR_FUTURE, "yu/door", Kind.DELTA, now + 2 * MINUTE, 1, 0, ABSENT),
        (Reason.TOO_LATE, "yu/door", Kind.DELTA, now - 3 * MINUTE, 1, 0, ABSENT),
        (Reason.NOT_IN_SERVICE, "yu/retired", Kind.DELTA, now, 1, 0, ABSENT),
        (Reason.IMPOSSIBLE_RATE, "yu/narrow", Kind.DELTA, now, 1000, 0, ABSENT),
        (Reason.IMPOSSIBLE_HEADCOUNT, "yu/camera", Kind.ABSOLUTE, now, ABSENT, ABSENT, wide),
        (None, "yu/total", Kind.CUMULATIVE, now - 60 * SECOND, 1000, 500, ABSENT),
        (None, "yu/total", Kind.CUMULATIVE, now - 59 * SECOND, 1001, 500, ABSENT),
        (Reason.DECREASED, "yu/total", Kind.CUMULATIVE, now - 58 * SECOND, 900, 500, ABSENT),
    ]
    late = (Reason.SUPERSEDED, "yu/total", Kind.CUMULATIVE, now - 60 * SECOND - 1, 1000, 500, ABSENT)
    with Writer.open(workspace.log) as writer:
        writer.append_document(canonical(site(counters=counters)), T0)
        writer.tick(now - SECOND)
        writer.append(readings(rows, now))
        writer.append_refused(b"{nonsense", Reason.UNREADABLE, now)
        writer.append_refused(b"a bus", Reason.NO_DIRECTION, now)
        writer.append_document(b'{"site": "yu", "group": "yu", "counters": []}', now)
        writer.append_action("yu", b'{"type": "recount"}', now)
        writer.append_report("yu", b'{"device": "gate/g0"}', now)
        writer.tick(now)
        writer.append(readings([late], now))
        writer.tick(now + 2 * MINUTE)
    finish(workspace)
    expected = [row[0] for row in [*rows, late] if row[0] is not None]
    expected += [Reason.UNREADABLE, Reason.NO_DIRECTION, Reason.BAD_DOCUMENT, Reason.BAD_ACTION, Reason.BAD_REPORT]
    assert set(expected) == set(Reason)
    told = [json.loads(line) for line in flowwatch("refused", "--data", tmp_path, "--json").splitlines()]
    assert sorted(row["reason"] for row in told) == sorted(reason.name.lower() for reason in expected)
    assert "{nonsense" in json.dumps(told)
    assert all(span.identical for span in replay(workspace.log, workspace.journal))


def readings(rows: list[tuple[Reason | None, str, Kind, int, int, int, int]], received: int) -> Readings:
    """Rows of (the reason to come, counter, kind, time, in, out, in view), received at one time."""
    names = [row[1] for row in rows]
    columns = np.array([row[3:] for row in rows], np.int64).T
    return Readings(
        names=names,
        kind=np.array([row[2] for row in rows], np.uint8),
        at=columns[0],
        received=np.full(len(rows), received),
        seq=np.full(len(rows), ABSENT),
        ordinal=np.zeros(len(rows), np.int32),
        ingress=columns[1],
        egress=columns[2],
        headcount=columns[3],
        raw=lambda i: names[i].encode(),
    )


# -- broken documents -------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """The shipped documents, to be broken."""
    yuyuan(tmp_path / "places")
    return tmp_path / "places"


def break_plan(places: Path) -> Path:
    plan = places / "rules" / "yuyuan" / "plan.yaml"
    text = plan.read_text(encoding="utf-8")
    plan.write_text(text.replace("gate-5: in", "gate-55: in").replace("dwell: 15m", "dwell: 15"), encoding="utf-8")
    return plan


def test_a_site_whose_first_document_is_broken_does_not_start_and_all_faults_are_told_at_once(tmp_path: Path, places: Path) -> None:
    workspace = Workspace(tmp_path / "data")
    create(workspace.log, partitions=1)
    plan = break_plan(places)
    code, said = ended(start(workspace, "--documents", str(places)))
    assert code == Exit.DOCUMENTS
    assert said.count(f"{plan}:") >= 2
    assert 'did you mean "gate-5"?' in said
    with Reader(workspace.log, "p00") as reader:
        assert reader.end() == 0


def test_a_broken_document_never_replaces_the_one_in_force(tmp_path: Path, places: Path) -> None:
    workspace = Workspace(tmp_path / "data")
    create(workspace.log, clock="event", partitions=1)
    finish(workspace, "--documents", str(places))
    with Reader(workspace.log, "p00") as reader:
        before = reader.documents()
    break_plan(places)
    code, said = ended(start(workspace, "--until-end", "--documents", str(places)))
    assert code == Exit.OK
    assert "the last good document stays in force" in said
    with Reader(workspace.log, "p00") as reader:
        assert reader.documents() == before


# -- a disk that refuses ----------------------------------------------------------------------------------------------------------------------


FULL = "file too large; expected a file size within the limit of this process (`ulimit -f`)"
"""What a file that may not grow is told as; `tests/log/test_disk.py` fills a disk for real."""


def let_no_file_grow(pid: int) -> None:
    """From now on the kernel refuses a process every byte beyond the first few thousand of any file, as a full disk does."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))


def test_a_disk_that_fills_while_a_live_log_ticks_ends_the_run_and_what_was_accepted_stays(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    create(workspace.log, tick_us=SECOND // 5, partitions=1)
    process = start(workspace)
    until(lambda: workspace.journal.exists() and rows_decided(workspace) > 3, process)
    let_no_file_grow(process.pid)
    code, said = ended(process)
    assert code == Exit.DISK
    assert said.splitlines()[-1].endswith(FULL)
    with Reader(workspace.log, "p00") as reader:
        end = reader.end()
    again = start(workspace, "--checkpoint", "0.1")
    until(lambda: any(int(p.stem) > end for p in workspace.log.glob("p00/*.ckpt")), again)
    again.terminate()
    assert ended(again)[0] == Exit.OK
    assert all(span.identical for span in replay(workspace.log, workspace.journal))


def test_a_disk_that_fills_while_decisions_are_written_keeps_those_before_and_makes_the_others_again(
    begun: Workspace, course: Course
) -> None:
    process = start(begun)
    until(lambda: bool(workers_of(process.pid)), process)
    let_no_file_grow(workers_of(process.pid)[0])
    let_no_file_grow(process.pid)
    before = rows_decided(begun)
    with Writer.open(begun.log) as writer:
        append_second(writer)
    code, said = ended(process)
    assert code == Exit.DISK
    assert said.splitlines()[-1].endswith(FULL)
    assert rows_decided(begun) >= before
    ends_as_if_nothing_had_happened(begun, course)


def test_a_disk_that_fills_while_a_checkpoint_is_written_leaves_the_one_before(begun: Workspace, course: Course) -> None:
    with Writer.open(begun.log) as writer:
        append_second(writer)
    process = start(begun)
    until(lambda: rows_decided(begun) == rows_decided(course.both), process)
    let_no_file_grow(workers_of(process.pid)[0])
    let_no_file_grow(process.pid)
    process.send_signal(signal.SIGTERM)
    code, said = ended(process)
    assert code == Exit.DISK
    assert said.splitlines()[-1].endswith(FULL)
    assert [p.name for p in sorted(begun.log.glob("p00/*.ckpt*"))] == [p.name for p in sorted(course.first.log.glob("p00/*.ckpt"))]
    ends_as_if_nothing_had_happened(begun, course)


@pytest.fixture
def make_read_only() -> Iterator[Callable[[Path], bool]]:
    """Takes away the right to write in a folder: by mode, or from root by a read-only mount of the folder on itself, if it may mount."""
    undo: list[Callable[[], object]] = []

    def take(folder: Path) -> bool:
        if os.geteuid() != 0:
            folder.chmod(0o500)
            undo.append(partial(folder.chmod, 0o700))
            return True
        if subprocess.run(["mount", "--bind", folder, folder], check=False, capture_output=True).returncode:
            return False
        undo.append(lambda: subprocess.run(["umount", "-l", folder], check=True))
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True, capture_output=True)
        return True

    yield take
    for step in undo:
        step()


def test_a_folder_that_cannot_be_written_is_told_before_anything_starts(
    begun: Workspace, course: Course, make_read_only: Callable[[Path], bool]
) -> None:
    shutil.rmtree(begun.state)
    if not make_read_only(begun.root):
        begun.state.touch()  # root that may not mount: a file stands where a folder must be made
    code, said = refused_start(begun)
    assert code == Exit.DISK
    assert "run.lock: " in said
    assert "; expected a" in said
    assert canonical_digest(course.first) != course.digest


# -- damage -----------------------------------------------------------------------------------------------------------------------------------


def test_a_damaged_segment_stops_the_start_and_with_the_segment_put_back_nothing_is_missing(begun: Workspace, course: Course) -> None:
    (segment,) = begun.log.glob("p00/*.seg")
    good = segment.read_bytes()
    flip(segment)
    code, said = refused_start(begun)
    assert code == Exit.DAMAGE
    assert str(segment.parent) in said
    assert "cannot be read" in said
    assert "flowwatch doctor" in said
    segment.write_bytes(good)
    ends_as_if_nothing_had_happened(begun, course)


def test_a_torn_end_is_not_decided_and_cut_off_by_the_next_writer(begun: Workspace, course: Course) -> None:
    (segment,) = begun.log.glob("p00/*.seg")
    with segment.open("ab") as file:
        file.write(b"\xf1WF\x01 half a frame")
    finish(begun)
    assert canonical_digest(begun) == canonical_digest(course.first)
    ends_as_if_nothing_had_happened(begun, course)


@pytest.mark.parametrize(("newest", "damage"), [(1, flip), (2, cut)])
def test_damaged_checkpoints_are_passed_over_for_older_ones_or_the_logs_beginning(
    begun: Workspace, course: Course, newest: int, damage: Callable[[Path], None]
) -> None:
    finish(begun)
    with Writer.open(begun.log) as writer:
        append_second(writer)
    finish(begun)
    found = sorted(begun.log.glob("p00/*.ckpt"))
    assert len(found) == 2
    for checkpoint in found[-newest:]:
        damage(checkpoint)
    with Writer.open(begun.log) as writer:
        append_minutes(writer, 3, writer.last_tick_us, 3)
        end = writer.ends["p00"]
    finish(begun)
    assert checkpoint_file(begun.log / "p00", end).exists()
    undisturbed = copied_log(begun, begun.root.parent / "undisturbed")
    finish(undisturbed)
    assert canonical_digest(begun) == canonical_digest(undisturbed)


@pytest.mark.parametrize("damage", [garble, empty, cut])
def test_a_damaged_recovery_store_is_made_anew(begun: Workspace, course: Course, damage: Callable[[Path], None]) -> None:
    (store,) = begun.recovery.glob("*.sqlite3")
    damage(store)
    ends_as_if_nothing_had_happened(begun, course)


def spoil_pages(journal: Path) -> None:
    data = bytearray(journal.read_bytes())
    for page in range(4096 * 4, len(data), 4096):
        data[page : page + 64] = os.urandom(64)
    journal.write_bytes(data)


def fall_behind(journal: Path) -> None:
    """What a backup of the morning put back in the evening is: whole, and too old."""
    journal.unlink()
    empty_folder = Workspace(journal.parent / "morning")
    create(empty_folder.log, clock="event", partitions=1)
    finish(empty_folder)
    empty_folder.journal.rename(journal)


@pytest.mark.parametrize("damage", [garble, spoil_pages, Path.unlink, fall_behind])
def test_a_journal_that_is_damaged_or_behind_stops_the_start_which_names_the_command_that_makes_it_again(
    begun: Workspace, course: Course, damage: Callable[[Path], None]
) -> None:
    damage(begun.journal)
    code, said = refused_start(begun)
    assert code == Exit.DAMAGE
    assert "`flowwatch journal rebuild`" in said
    flowwatch("journal", "rebuild", "--data", begun.root)
    assert canonical_digest(begun) == canonical_digest(course.first)
    ends_as_if_nothing_had_happened(begun, course)
