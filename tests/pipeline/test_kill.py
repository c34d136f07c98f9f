"""Kill it anywhere and it resumes to the letter: nothing lost, nothing twice, whatever was killed and whatever changed meanwhile."""

from __future__ import annotations

import fcntl
import os
import random
import secrets
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from flowwatch.journal import Journal
from flowwatch.log import Writer, create
from flowwatch.replay import replay
from flowwatch.workspace import Workspace
from tests.core.world import T0
from tests.pipeline.town import SITES, append_documents, append_minutes, canonical_digest, copied_log, finish, start

pytestmark = [pytest.mark.slow]

KILLS = 52
"""In each of two runs: more than 100 in all."""


def workers_of(supervisor: int) -> list[int]:
    """The process ids of a supervisor's children."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(supervisor)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


def rows_decided(workspace: Workspace) -> int:
    with Journal.open(workspace.journal) as journal:
        return sum(seq for seq, _ in journal.heads().values())


def kill_somewhere(workspace: Workspace, process: subprocess.Popen[bytes], dice: random.Random, before: int) -> str:
    """Wait for a sign of life, or not, then a random while, then kill a random part without warning."""
    if dice.random() < 0.7:
        patience = time.monotonic() + 20
        while process.poll() is None and rows_decided(workspace) == before and time.monotonic() < patience:
            time.sleep(0.02)
        time.sleep(dice.uniform(0, 0.25))
    else:
        time.sleep(dice.uniform(0, 0.9))
    victim = dice.choice(["everything", "supervisor", "worker"])
    workers = workers_of(process.pid)
    victims = {"everything": [process.pid, *workers], "supervisor": [process.pid], "worker": workers[:1] or [process.pid]}[victim]
    for pid in victims:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=60)
    return victim


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_killed_at_random_moments_decides_as_one_that_was_never_killed(tmp_path: Path, workers: int) -> None:
    seed = int(os.environ.get("FLOWWATCH_SEED", secrets.randbelow(2**31)))
    print(f"FLOWWATCH_SEED={seed}")
    dice = random.Random(seed)
    workspace = Workspace(tmp_path / "killed")
    create(workspace.log, clock="event", partitions=3)
    now, revision = T0, 0
    with Writer.open(workspace.log) as writer:
        append_documents(writer, revision, now)
    victims = []
    for life in range(KILLS):
        with Writer.open(workspace.log) as writer:
            if dice.random() < 0.3:
                revision += 1
                append_documents(writer, revision, now, range(dice.randrange(SITES), SITES))
            now = append_minutes(writer, seed + life, now, dice.randrange(5, 40), cuts=2)
        before = rows_decided(workspace)
        process = start(workspace, "--workers", str(workers), "--checkpoint", "0.1")
        victims.append(kill_somewhere(workspace, process, dice, before))
        wait_for_the_lock(workspace)
    assert len(victims) == KILLS
    finish(workspace, "--workers", str(workers))
    undisturbed = copied_log(workspace, tmp_path / "undisturbed")
    finish(undisturbed)
    assert canonical_digest(workspace) == canonical_digest(undisturbed)
    assert all(span.identical for span in replay(workspace.log, workspace.journal))
    with Journal.open(workspace.journal) as journal:
        assert journal.verify() == []
        assert journal.conflicts() == []


def wait_for_the_lock(workspace: Workspace) -> None:
    """Workers whose supervisor died end by themselves; a new start is refused until the last is gone."""
    patience = time.monotonic() + 30
    workspace.state.mkdir(exist_ok=True)
    with workspace.run_lock.open("a+") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                assert time.monotonic() < patience, "workers outlived their supervisor"
                time.sleep(0.005)
            else:
                return


def test_a_second_instance_refuses_to_start_and_names_the_first(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    create(workspace.log, clock="event", partitions=1)
    with Writer.open(workspace.log) as writer:
        append_documents(writer, 0, T0)
        append_minutes(writer, 1, T0, 3)
    first = start(workspace)
    try:
        while rows_decided(workspace) == 0:
            assert first.poll() is None
            time.sleep(0.005)
        second = start(workspace)
        _, said = second.communicate(timeout=30)
        assert second.returncode == 5
        assert f"process {first.pid}" in said.decode()
    finally:
        first.terminate()
        _, said = first.communicate(timeout=30)
    assert first.returncode == 0, said.decode()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_with_a_checkpoint_at_the_last_row(tmp_path: Path, signal_number: int) -> None:
    workspace = Workspace(tmp_path)
    create(workspace.log, clock="event", partitions=1)
    with Writer.open(workspace.log) as writer:
        append_documents(writer, 0, T0)
        append_minutes(writer, 1, T0, 3)
        end = writer.ends["p00"]
    process = start(workspace)
    while rows_decided(workspace) == 0:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal_number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said.decode()
    assert (workspace.log / "p00" / f"{end:020d}.ckpt").is_file()
