"""A short soak: a few kills of everything, and then nothing is lost and nothing was done twice. `python -m tests.soak` is the long one."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from tests.soak.chaos import Asked, Soak
from tests.soak.findings import judge


@pytest.mark.slow
def test_whatever_is_killed_nothing_is_lost_and_nothing_done_twice(tmp_path: Path) -> None:
    seed = int(os.environ.get("FLOWWATCH_SEED", secrets.randbelow(2**31)))
    print(f"FLOWWATCH_SEED={seed}")
    soak = Soak(tmp_path, Asked(kills=7, commands=100, seed=seed, sites=2, gap_s=1.0, rest_s=(1.0, 2.0)))
    soak.run()
    verdict = judge(soak)
    assert verdict.good, f"seed {seed}\n{verdict.table()}"
