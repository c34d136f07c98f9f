"""The body of `/metrics`: made in a thread when somebody asks and the last one is old, and then given to all who ask.

Nothing of it runs in an engine's process, and a scrape that comes while another body is made waits for that one. Text or OpenMetrics, as the
scraper accepts; packed, if it can unpack.
"""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest as as_text
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics
from prometheus_client.registry import Collector

from flowwatch.metrics.board import Board
from flowwatch.metrics.part import Part, fill

FRESH_S: Final = 1.0
"""How old a body may be: what it tells of changes once a minute, or is a matter of seconds."""
TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
"""The two forms; a scraper that accepts something else gets text. All names are such as every version has, so none is escaped."""
PACKED_FROM: Final = 1_024
"""Smaller bodies are sent as they are."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body, its media type, and whether it is packed by gzip."""

    data: bytes
    kind: str
    packed: bool


class _Parts(Collector):
    def __init__(self, parts: Callable[[], dict[str, Part]]) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Family]:
        """All families."""
        board = Board()
        fill(board, self._parts())
        return board.families()

    def describe(self) -> Iterable[Family]:
        """Nothing: the registry need not collect all to know the names."""
        return []


class Bodies:
    """Makes bodies out of parts. For several threads."""

    def __init__(self, parts: Callable[[], dict[str, Part]], fresh_s: float = FRESH_S) -> None:
        """`parts`: what is to be told, by name, asked for each body."""
        self._registry = CollectorRegistry(auto_describe=False)
        self._took_s = 0.0
        self._registry.register(_Parts(lambda: parts() | {"self": self._own}))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._fresh_s = fresh_s
        self._lock = threading.Lock()
        self._made: dict[tuple[str, bool], tuple[float, Body]] = {}

    def body(self, accept: str, *, packed: bool) -> Body:
        """A body that is fresh enough, of the kind that `accept` (the header's value) prefers."""
        kind = OPENMETRICS if OPENMETRICS.partition(";")[0] in accept else TEXT
        with self._lock:
            found = self._made.get((kind, packed))
            if found is not None and time.monotonic() - found[0] < self._fresh_s:
                return found[1]
            began = time.perf_counter()
            data = as_openmetrics(self._registry) if kind is OPENMETRICS else as_text(self._registry)  # type: ignore[no-untyped-call]
            self._took_s = time.perf_counter() - began
            if packed and len(data) >= PACKED_FROM:
                made = Body(gzip.compress(data, compresslevel=1), kind, packed=True)
            else:
                made = Body(data, kind, packed=False)
            self._made[kind, packed] = time.monotonic(), made
            return made

    def _own(self, board: Board) -> None:
        board.put("metrics_seconds", self._took_s)
