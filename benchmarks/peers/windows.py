"""The same job as Bytewax's documentation would write it: decode, key, a tumbling window of event time, a stateful threshold.

    lines ──map: decode──▶ ──key_on: site──▶ ──fold_window: 1 s, sum──▶ ──stateful_map: threshold──▶ ──filter──▶ changes

Tuned as far as the form allows: typed decoding that reads the time too, large source batches, folding in the order of arrival
(`ordered=False`), and a wait for the late of one second, which costs nothing against none. It is there for pauses of the process:
Bytewax's watermark runs on with the wall clock meanwhile, and what then comes behind it is dropped as late.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import bytewax.operators as op
import msgspec
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, TumblingWindower, fold_window

from benchmarks.peers.decode import Timed
from benchmarks.peers.reference import Change
from benchmarks.peers.source import Kept, Memory, run
from benchmarks.workload import START_US, Lines

WAIT: Final = timedelta(seconds=1)
_START: Final = datetime.fromtimestamp(START_US / 1_000_000, UTC)

State = tuple[int, bool]


def changes(lines: Lines, batch: int) -> list[Change]:
    """Every change, as its window closes; the source gives `batch` lines at a time."""
    begin, enter, clear = lines.shape.begin, lines.shape.enter, lines.shape.clear
    begin_s = START_US // 1_000_000

    def judge(state: State | None, window: tuple[int, int]) -> tuple[State, tuple[int, bool] | None]:
        number, moved = window
        inside, closed = state or (begin, False)
        inside += moved
        if (inside < clear) if closed else (inside > enter):
            return (inside, not closed), (begin_s + number, not closed)
        return (inside, closed), None

    def batches() -> Iterator[list[bytes]]:
        return (block.splitlines() for block in lines.blocks(batch))

    def build(flow: Dataflow, kept: list[Any]) -> None:
        raw = op.input("lines", flow, Memory(batches()))
        decoded = op.map("decode", raw, msgspec.json.Decoder(Timed).decode)
        keyed = op.key_on("site", decoded, _site)
        clock = EventClock(_at, WAIT)
        summed = fold_window("second", keyed, clock, TumblingWindower(timedelta(seconds=1), _START), int, _add, _both, ordered=False)
        judged = op.stateful_map("judge", summed.down, judge)
        op.output("kept", op.filter("changed", judged, _changed), Kept(kept))

    return [(site, second, closed) for site, (second, closed) in run(build)]


def _site(reading: Timed) -> str:
    return reading.counter.partition("/")[0]


def _at(reading: Timed) -> datetime:
    return reading.at


def _add(total: int, reading: Timed) -> int:
    return total + reading.ingress - reading.egress


def _both(one: int, other: int) -> int:
    return one + other


def _changed(item: tuple[str, tuple[int, bool] | None]) -> bool:
    return item[1] is not None
