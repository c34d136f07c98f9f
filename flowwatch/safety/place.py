"""A site with the tables of all its situations, and the questions that every check asks of them: who is stuck, how one gets there, whose is it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from flowwatch.core.readings import Bools
from flowwatch.safety.clauses import Reasoner, clauses
from flowwatch.safety.describing import Both, clause_text, event
from flowwatch.safety.report import Event, Happening, Path
from flowwatch.safety.states import Space, State
from flowwatch.safety.tables import Tables
from flowwatch.safety.ways import Led, Ways, unpacked


@dataclass(frozen=True)
class Place:
    """A compiled site with the tables of all its situations."""

    site: Mapping[str, Any]
    space: Space
    tables: Tables
    reasoners: tuple[Reasoner, ...]
    """One for each plan."""

    @cached_property
    def ways(self) -> Ways:
        """The passages of the site."""
        return Ways(self.site, self.tables.led)

    @cached_property
    def stuck(self) -> dict[str, Bools]:
        """Zone -> the situations in which it has no way out, even if people walk every link both ways; only zones with such."""
        return self._stuck()

    @cached_property
    def led_astray(self) -> dict[str, Bools]:
        """Zone -> the situations in which it has a way out, but none when links are walked as people are led; only zones with such."""
        return self._besides(self._stuck(self.tables.led))

    def cut_off(self, gate: int) -> dict[str, Bools]:
        """Zone -> the situations in which it has a way out, but none when the gate fails; only zones with such."""
        return self._besides(self._stuck(failed=gate))

    def _besides(self, stuck: dict[str, Bools]) -> dict[str, Bools]:
        more = {zone: mask & ~self.stuck[zone] if zone in self.stuck else mask for zone, mask in stuck.items()}
        return {zone: mask for zone, mask in more.items() if mask.any()}

    def _stuck(self, led: Led | None = None, failed: int | None = None) -> dict[str, Bools]:
        out = self.ways.reached(self.tables.enter, self.tables.leave, led, failed)
        n = len(self.space.rows)
        masks = {place: ~unpacked(bits, n) for place, bits in out.items()}
        found = {zone: masks[self.ways.place[zone]] for zone in self.ways.needing}
        return {zone: mask for zone, mask in found.items() if mask.any()}

    def events(self, row: int) -> tuple[Event, ...]:
        """The shortest way to a situation from all calm."""
        return tuple(e for p in range(len(self.space.columns)) for e in self.steps(p, int(self.space.rows[row, p])))

    def steps(self, plan: int, kind: int) -> list[Event]:
        """What one plan adds to it."""
        column = self.space.columns[plan]
        return self.way(plan, column.states[column.best[kind]])

    def way(self, plan: int, state: State) -> list[Event]:
        """The shortest way of one plan to one of its states."""
        made = self.space.columns[plan].plan
        return [event(h, made, rank, self._why(plan, h, rank), main=plan == 0) for h, rank in state.steps]

    def rise(self, plan: int, rank: int) -> Event:
        """One plan rises to a stage."""
        return event(Happening.RISES, self.space.columns[plan].plan, rank, self._why(plan, Happening.RISES, rank), main=plan == 0)

    def _why(self, plan: int, happening: Happening, rank: int | None) -> Both | None:
        """The condition that brings an event about: the one with the fewest leaves of those that may hold."""
        made = self.space.columns[plan].plan
        part = made["case"] if happening is Happening.BEGINS else made["stages"][rank] if rank is not None else None
        if part is None or happening is Happening.ENDS:
            return None
        able = [c for c in clauses(part) if self.reasoners[plan].never(c) is None]
        return clause_text(part["leaves"], min(able, key=lambda c: len(c.leaves)).numbers, self.site) if able else None

    def blamed(self, row: int, key: str) -> tuple[str, str | None, Path]:
        """(plan, stage, path in its file, to `key` of the stage if it has that) of the last plan away from calm; the main plan if none is."""
        away = np.flatnonzero(self.space.rows[row])
        p = int(away[-1]) if len(away) else 0
        column = self.space.columns[p]
        rank = column.states[column.best[int(self.space.rows[row, p])]].rank or 0
        stage = column.plan["stages"][rank]
        return column.plan["plan"], stage["stage"], ("stages", rank, key if stage[key] else "gates")
