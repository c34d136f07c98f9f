"""An archive as a backtest reads it: one site's rows of a log, from tick to tick, with the counters' codes as a fresh engine gives them.

Any log will do, live or ingested. What belongs to other sites of the partition is left out here, and so is all that came before the site's
first document: nobody decided anything of it then. A step holds what lies between two ticks; memory is bounded by that and by a read's rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from flowwatch import checkpoints
from flowwatch.core.readings import Block, Kind
from flowwatch.core.state import StateError
from flowwatch.documents.faults import did_you_mean, listed, near, quoted
from flowwatch.log.errors import DiskRefused, LogError
from flowwatch.log.reader import Reader, blocks
from flowwatch.log.routing import Routing
from flowwatch.log.segments import checkpoint_file
from flowwatch.log.settings import Settings, load

READ_ROWS: Final = 200_000

Advance = Callable[[int], None]
"""Hears how many more rows were read."""


class NoArchiveError(LogError):
    """There is no log at that place, or no such site in it."""


@dataclass(frozen=True, slots=True)
class Step:
    """All that waits for one tick: readings, the site's documents and operators' records as they stand in the log, and the tick's time."""

    readings: list[Block]
    documents: list[bytes]
    actions: list[bytes]
    tick: int


class Archive:
    """One site's part of the log in a folder."""

    def __init__(self, path: Path, site: str | None = None) -> None:
        """Open the log at `path`, or in the working folder `path`; `site` may be left out where the log has only one.

        Raises `NoArchiveError`, `LogError`.
        """
        self.log = _log_in(path)
        self.settings: Settings = load(self.log)
        places = Routing(self.log, self.settings).sites
        self.site = _site_in(path, sorted(places), site)
        self.partition = places[self.site].partition
        with Reader(self.log, self.partition) as reader:
            self.start, end = reader.start(), reader.end()
            names = reader.names() if end else []
        self.rows = end - self.start
        """How many rows a pass reads: those of the whole partition."""
        self.names = [name for name in names if name.partition("/")[0] == self.site]
        """The site's counters, "site/counter", in the order of the codes that a pass gives them: 0, 1, ..."""
        self._code = np.full(len(names), -1, np.int32)
        self._code[[i for i, name in enumerate(names) if name in set(self.names)]] = np.arange(len(self.names))

    @property
    def whole(self) -> bool:
        """Whether nothing was cut off its beginning by retention."""
        return self.start == 0

    def first_document(self) -> bytes | None:
        """The site's document where the log begins, if that is not in the log itself but was kept in the checkpoint there."""
        if self.whole:
            return None
        try:
            state = checkpoints.read(checkpoint_file(self.log / self.partition, self.start))
        except (DiskRefused, StateError):
            return None
        found = state["documents"].get(self.site)
        return None if found is None else str(found[1]).encode()

    def first_tick(self) -> int | None:
        """The time of the first step (microseconds); None where there is none."""
        for step in self.steps(lambda _: None):
            return step.tick
        return None

    def steps(self, advance: Advance) -> Iterator[Step]:
        """The steps in order, up to the log's present end. Raises `LogError` at damage."""
        begun = not self.whole
        step = Step([], [], [], 0)
        for block in self._blocks(advance):
            start = 0
            for i in np.flatnonzero(block.kind >= Kind.TICK).tolist():
                if begun and i > start:
                    step.readings.extend(self._mine(block.slice(start, i)))
                start = i + 1
                kind = block.kind[i]
                if kind == Kind.TICK:
                    if begun:
                        yield replace(step, tick=int(block.at[i]))
                        step = Step([], [], [], 0)
                elif kind == Kind.DOCUMENT and self._names_site(block.payload[i]):
                    begun = True
                    step.documents.append(block.payload[i])
                elif kind == Kind.ACTION and begun and self._names_site(block.payload[i]):
                    step.actions.append(block.payload[i])
            if begun and start < len(block):
                step.readings.extend(self._mine(block.slice(start, len(block))))

    def _blocks(self, advance: Advance) -> Iterator[Block]:
        with Reader(self.log, self.partition) as reader:
            offset, end = self.start, self.start + self.rows
            while offset < end:
                block = blocks(*reader.read(offset, min(READ_ROWS, end - offset)))
                yield block
                offset += len(block)
                advance(len(block))

    def _mine(self, block: Block) -> list[Block]:
        """The site's readings of a block without other rows."""
        if len(self.names) == len(self._code):
            return [block]
        code = self._code[block.counter]
        mine = code >= 0
        if not mine.any():
            return []
        columns = {
            name: getattr(block, name)[mine] for name in ("kind", "at", "received", "seq", "ordinal", "ingress", "egress", "headcount")
        }
        return [Block(block.first, counter=code[mine], **columns)]

    def _names_site(self, payload: bytes) -> bool:
        try:
            found = json.loads(payload)
        except (ValueError, RecursionError):
            return False
        return isinstance(found, dict) and found.get("site") == self.site


def _log_in(path: Path) -> Path:
    for folder in (path, path / "log"):
        if (folder / "settings.json").is_file():
            return folder
    if path.is_file():
        steps = "`flowwatch log create --clock event --data DIR`, then `flowwatch ingest --data DIR --mapping NAME`"
        raise NoArchiveError(path, "a file", f"a log folder; bring the file into one first: {steps}")
    raise NoArchiveError(path, "no log here", "a log's folder, or a working folder with a log in it")


def _site_in(path: Path, known: list[str], site: str | None) -> str:
    if site is None and len(known) == 1:
        return known[0]
    if site is None:
        expected = f"--site with one of {listed(known)}" if known else "a log that sites were accepted into"
        raise NoArchiveError(path, f"{len(known)} sites", expected)
    if site not in known:
        raise NoArchiveError(path, f"no site {quoted(site)}", f"{listed(known)}{did_you_mean(near(site, known))}")
    return site
