"""The thread that ticks: on the wall's time, and on that of a rehearsal."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from flowwatch import log
from flowwatch.core.readings import SECOND
from flowwatch.ticker import Keep, Ticker
from tests.log.making import document, rows

NOON = 1_790_000_000 * SECOND


def test_a_rehearsal_ticks_through_its_own_time(tmp_path: Path) -> None:
    wall = time.time_ns() // 1000
    log.create(tmp_path, partitions=1, tick_us=10 * SECOND, pace=log.Pace(begins_us=NOON, since_us=wall, times=2000.0))
    with log.Writer.open(tmp_path) as writer:
        writer.append_document(document("a", ["x"]), NOON)
        writer.commit()
    told: list[str] = []
    ticker = Ticker(tmp_path, told.append, Keep())
    ticker.start()
    later = threading.Event()
    while len(rows(tmp_path, "p00")) < 5:
        later.wait(0.01)
    ticker.stop()
    passed = (time.time_ns() // 1000 - wall) * 2000
    ticks = [row[3] for row in rows(tmp_path, "p00", 1)]
    assert ticks == sorted(ticks)
    assert all(NOON < tick <= NOON + passed and tick % (10 * SECOND) == 0 for tick in ticks)
    assert (ticker.failed, told) == (None, [])
