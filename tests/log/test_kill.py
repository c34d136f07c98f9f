"""`kill -9` at any moment: what was committed is there, once, and nothing torn is ever seen."""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from flowwatch import log
from flowwatch.core.readings import Kind

KILLS = 20
ROOT = Path(__file__).parents[2]


def _killed_after(path: Path, seed: int, seconds: float) -> dict[str, int]:
    """Run the appender for that long after it opened the log; the partition ends that it told last."""
    command = [sys.executable, "-m", "tests.log.appender", str(path), str(seed)]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        told = child.stdout.readline()
        assert told == b"open\n"
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([child.stdout], [], [], left)[0]:
                told += os.read(child.stdout.fileno(), 1 << 16)
        child.kill()
        told += child.stdout.read()
    lines = told[: told.rfind(b"\n")].decode().split("\n")
    return {name: int(end) for name, _, end in (pair.partition("=") for pair in lines[-1].split() if "=" in pair)}


def _whole(path: Path, partition: str) -> int:
    """Check that a partition's rows follow one another without a gap or a repetition; how many there are."""
    with log.Reader(path, partition) as reader:
        found = list(reader.walk(0))
    end = 0
    for block in found:
        assert block.first == end
        end += len(block)
    if found:
        kind, counter, at, seq = (np.concatenate([getattr(block, name) for block in found]) for name in ("kind", "counter", "at", "seq"))
        for code in np.unique(counter[kind == Kind.DELTA]):
            mine = seq[(kind == Kind.DELTA) & (counter == code)]
            assert np.array_equal(mine, np.arange(len(mine)))
        assert np.all(np.diff(at[kind == Kind.TICK]) > 0)
    return end


@pytest.mark.slow
def test_after_a_kill_at_any_moment_every_committed_row_is_there_once_and_nothing_torn_is_read(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=6)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    for kill in range(KILLS):
        told = _killed_after(tmp_path, seed + kill, draw.uniform(0, 0.1))
        before = {partition: _whole(tmp_path, partition) for partition in log.load(tmp_path).folders}
        assert all(before[partition] >= end for partition, end in told.items())
        log.Writer.open(tmp_path).close()
        after = {partition: _whole(tmp_path, partition) for partition in log.load(tmp_path).folders}
        assert all(after[partition] >= before[partition] for partition in after)
        assert not [found for found in log.survey(tmp_path) if found.fault or found.torn_bytes]
    assert sum(after.values()) > 1000
