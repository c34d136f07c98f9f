"""What both Bytewax peers read from and write to: bytes and a list in memory. No recovery: they are spared what flowwatch pays for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main


class _Reading(StatelessSourcePartition[Any]):
    def __init__(self, items: Iterator[Iterable[Any]]) -> None:
        self._items = items

    def next_batch(self) -> Iterable[Any]:
        return next(self._items)


class Memory(DynamicSource[Any]):
    """Gives what `batches` yields, a batch at each call."""

    def __init__(self, batches: Iterator[Iterable[Any]]) -> None:
        self._batches = batches

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Reading:  # noqa: ARG002
        return _Reading(self._batches)


class _Writing(StatelessSinkPartition[Any]):
    def __init__(self, kept: list[Any]) -> None:
        self._kept = kept

    def write_batch(self, items: list[Any]) -> None:
        self._kept += items


class Kept(DynamicSink[Any]):
    """Keeps what comes in a list."""

    def __init__(self, kept: list[Any]) -> None:
        self._kept = kept

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Writing:  # noqa: ARG002
        return _Writing(self._kept)


def run(build: Callable[[Dataflow, list[Any]], None]) -> list[Any]:
    """Run the dataflow that `build` makes, on one worker, and give what it kept."""
    kept: list[Any] = []
    flow = Dataflow("peer")
    build(flow, kept)
    cli_main(flow, epoch_interval=timedelta(seconds=10))  # type: ignore[no-untyped-call]  # Bytewax's compiled part carries no types
    return kept
