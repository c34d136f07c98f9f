"""Who decides on a simulated day: the production engine in this process, or whatever else takes the same rows and says the same things."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Protocol

from flowwatch.core.engine import Engine
from flowwatch.core.entries import Entry
from flowwatch.core.occupancy import Figures
from flowwatch.core.readings import Block
from flowwatch.core.settings import Setting

Band = tuple[int, int]
"""People at least and at most; (-1, -1) where nothing is known."""


class Deciding(Protocol):
    """What the laboratory asks of whoever decides."""

    def feed(self, block: Block) -> Iterable[Entry]:
        """Take the rows up to a tick, its row included; what was decided at it."""

    def taken(self, command: Entry) -> Setting | None:
        """What the gate makes of a command: the setting that it begins to turn to, None where it stays."""

    def bands(self, site: str, zones: Sequence[str]) -> list[Band]:
        """The band of each zone of a site as of the last tick."""


class Production:
    """The production engine. Its gates take every command; what becomes of it is the simulated controllers' matter."""

    def __init__(self) -> None:
        self.engine = Engine("p00")
        self._figured: tuple[int, Figures] | None = None

    def feed(self, block: Block) -> Iterable[Entry]:
        """Decide."""
        return self.engine.feed(block).entries

    def taken(self, command: Entry) -> Setting | None:
        """What it says."""
        return Setting.parse(json.loads(command.body)["setting"])

    def bands(self, site: str, zones: Sequence[str]) -> list[Band]:
        """From the engine's figures."""
        engine = self.engine
        if self._figured is None or self._figured[0] != engine.tick:
            self._figured = engine.tick, engine.occupancy.figures(engine.network, engine.intake.totals.counted_at, engine.tick)
        figures = self._figured[1]
        first = engine.network.zone_index[f"{site}/{zones[0]}"]
        there = range(first, first + len(zones))
        return [(int(figures.lower[z] // 1000), int(-(-figures.upper[z] // 1000))) if figures.known[z] else (-1, -1) for z in there]
