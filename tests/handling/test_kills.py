"""A desk that is killed at any moment has told every incident exactly once, in order, and lost no step that it said was kept."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from flowwatch.handling.records import Act
from flowwatch.journal import Journal
from tests.handling.tale import Room, Tale

ROOT = Path(__file__).resolve().parents[2]
KILLS = 12


@pytest.mark.slow
def test_kills_at_random_moments(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    luck, room, tale, kept = random.Random(seed), Room(tmp_path), Tale(), list[str]()
    tale.says("i0", "raised", 0, subject="gate/g0")
    tale.write(room.journal)
    for life in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.handling.keeper", str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        n, reads = 0, child.stdout
        if life % 3:  # the others die while they begin
            assert reads.readline().strip() == "ready"
        killer = threading.Timer(luck.uniform(0.05, 1.0), child.kill)
        killer.start()
        while True:
            n += 1
            name = f"i{life * 1000 + n}"
            tale.says(name, "raised", life * 1000 + n, subject=f"gate/{name}")
            tale.write(room.journal)
            try:
                child.stdin.write(f"yuyuan-{luck.choice(list(tale.known)).removeprefix('yuyuan-')}\n")
                child.stdin.flush()
            except BrokenPipeError:
                break
            answer = reads.readline().strip()
            if not answer:
                break
            kept += [answer] if answer not in ("-", "ready") else []
        with suppress(BrokenPipeError):
            child.communicate(timeout=30)
        killer.join()
    last = room.desk()
    assert last.caught_up(30.0)
    last.stop()
    assert [alert.entry for alert in room.alerts() if alert.entry is not None] == [entry.id for entry in tale.entries]
    with Journal.open(room.book, create=False) as book:
        assert book.verify() == []
        notes = {entry.id for entry in book.entries("yuyuan")}
    assert kept
    assert set(kept) <= notes
    assert sum(step.act is Act.NOTE for step in room.steps()) >= len(kept)
