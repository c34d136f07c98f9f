"""Commands beside a running flowwatch, as processes of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flowwatch.cli.exits import Exit
from flowwatch.core.entries import EntryKind
from flowwatch.journal import Journal, JournalError
from flowwatch.workspace import Workspace

PATIENCE_S = 60.0

pytestmark = pytest.mark.slow


def flowwatch(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flowwatch", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


Running = tuple[Path, subprocess.Popen[str]]
"""A live folder, and the flowwatch that runs there; it has journaled its first decisions."""


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    assert flowwatch("log", "create", "--data", folder, "--tick", "200ms").returncode == Exit.OK
    with subprocess.Popen([sys.executable, "-m", "flowwatch", "run", "--data", str(folder)], stderr=subprocess.PIPE, text=True) as process:
        try:
            until = time.monotonic() + PATIENCE_S
            while not decided(folder):
                assert process.poll() is None, process.stderr
                assert time.monotonic() < until, "no decision was journaled"
                time.sleep(0.05)  # polling another process, not waiting for luck: the loop ends as soon as it has decided
            yield folder, process
        finally:
            process.kill()


def decided(folder: Path) -> bool:
    """Whether the journal has a gate command."""
    journal = Workspace(folder).journal
    if not journal.is_file():
        return False
    try:
        with Journal.open(journal, create=False) as opened:
            return next(opened.entries(kind=EntryKind.COMMAND), None) is not None
    except JournalError:  # it is being made at this moment
        return False


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("live")) as found:
        yield found


def test_an_operators_record_is_decided_at_the_next_tick_and_the_outcome_told(live: Running) -> None:
    folder, _ = live
    recount = ("recount", "--data", folder, "--site", "yuyuan", "--zone", "mall", "--count", "1600", "--json", "--wait", "30")
    done = flowwatch("operate", *recount)
    assert (done.returncode, json.loads(done.stdout)["outcome"]["accepted"]) == (Exit.OK, True)
    done = flowwatch("operate", "confirm", "--data", folder, "yuyuan-i99", "--wait", "30", "--lang", "en")
    assert done.returncode == Exit.FINDINGS
    assert 'no open incident "yuyuan-i99"' in done.stdout


def test_a_second_instance_refuses_and_names_the_first(live: Running) -> None:
    folder, process = live
    second = flowwatch("run", "--data", folder)
    assert second.returncode == Exit.LOCKED
    assert str(process.pid) in second.stderr
    assert second.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=str)
def test_a_signal_stops_it_cleanly_and_the_folder_is_sound(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as (folder, process):
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == Exit.OK
    findings = [json.loads(line) for line in flowwatch("doctor", "--data", folder, "--json").stdout.splitlines()]
    assert {"not_running", "log", "checkpoints", "journal"} <= {finding["finding"] for finding in findings}
    assert flowwatch("replay", "--data", folder).returncode == Exit.OK


def test_output_that_nobody_reads_to_the_end_is_no_error(live: Running) -> None:
    folder, _ = live
    cat = [sys.executable, "-m", "flowwatch", "log", "cat", "--data", str(folder)]
    with subprocess.Popen(cat, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(PATIENCE_S) == Exit.OK
