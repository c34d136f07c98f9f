"""One plan at work on an archive: an engine of its own, the site's record in force from the first tick on, and somebody who answers.

The engine is the one that decides live. This module listens to what its ticks count and figure, hands both to the tally, and answers what
the plan asks of persons: an answer is an operator's record like any other, and counts at the next tick.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from flowwatch.backtest.archive import Archive, Step
from flowwatch.backtest.contenders import Contender
from flowwatch.backtest.tally import Tally, Window
from flowwatch.core.consent import OPEN
from flowwatch.core.engine import Engine
from flowwatch.core.entries import canonical, read_object
from flowwatch.core.incidents import What
from flowwatch.core.intake import Intake, Movements
from flowwatch.core.network import Network
from flowwatch.core.occupancy import Figures, Occupancy
from flowwatch.core.pending import Rows
from flowwatch.core.readings import Bytes, Ints, Kind, Reason
from flowwatch.log.schema import Row, block_of


class Answer(StrEnum):
    """What the person who is asked to confirm does."""

    YES = "yes"
    NO = "no"
    NONE = "none"
    """Nobody answers: the plan's time limits decide."""


@dataclass(frozen=True, slots=True)
class Options:
    """How plans are tried. `with_operators`: overrides, drills and fires of the log apply, too, and not its recounts alone."""

    window: Window = field(default_factory=Window)
    answer: Answer = Answer.YES
    with_operators: bool = False


class _HeardIntake(Intake):
    """An intake that keeps what the last tick counted, and why rows were refused."""

    def __init__(self) -> None:
        super().__init__()
        self.moved: Movements | None = None
        self.reasons: Counter[Reason] = Counter()

    def count(self, network: Network, rows: Rows | None, tick: int) -> Movements:
        self.moved = super().count(network, rows, tick)
        return self.moved

    def refuse(self, offsets: Ints, reasons: Bytes) -> None:
        super().refuse(offsets, reasons)
        for code, n in zip(*np.unique(reasons, return_counts=True), strict=True):
            self.reasons[Reason(int(code))] += int(n)


class _SeenOccupancy(Occupancy):
    """An occupancy that keeps the last tick's figures."""

    def __init__(self) -> None:
        super().__init__()
        self.last_figures: Figures | None = None

    def figures(self, network: Network, last_at: Ints, tick: int) -> Figures:
        self.last_figures = super().figures(network, last_at, tick)
        return self.last_figures


class _OpenEngine(Engine):
    """An engine whose ticks can be listened to."""

    def __init__(self, partition: str) -> None:
        super().__init__(partition)
        self.heard, self.seen = _HeardIntake(), _SeenOccupancy()
        self.intake, self.occupancy = self.heard, self.seen
        self._compile()


class Run:
    """One contender's way through the archive."""

    def __init__(self, contender: Contender, archive: Archive, options: Options, shown: str) -> None:
        """`shown`: the zone, or "site", whose figure is kept over time."""
        self.contender, self._options = contender, options
        self.engine = _OpenEngine(archive.partition)
        self.tally = Tally(options.window, archive.settings.tick_us, shown)
        self.asked: Counter[str] = Counter()
        """How often persons were asked, by direction."""
        self.actions: Counter[str] = Counter()
        """Operators' records by what became of them here: "applied", "left_out"."""
        self.readings = 0
        """How many readings were put to it."""
        self._site = archive.site
        self._waiting: list[Row] = []
        self._put: dict[str, tuple[Any, ...]] = {}
        self._answers = 0
        payload = contender.payload
        if payload is None:
            payload = archive.first_document()
        if contender.payload is not None or not archive.whole:
            self.engine.names = list(archive.names)
        if payload is not None:
            self._waiting.append(Row(Kind.DOCUMENT, payload=payload))

    def take(self, step: Step) -> None:
        """One step of the archive."""
        for block in step.readings:
            self.engine.ingest(block)
            self.readings += len(block)
        controls, self._waiting = self._waiting, []
        if self.contender.payload is None:
            controls += [Row(Kind.DOCUMENT, payload=payload) for payload in step.documents]
        controls += [Row(Kind.ACTION, payload=payload) for payload in step.actions if self._applies(payload)]
        if controls:
            self.engine.ingest(block_of(controls))
        out = self.engine.advance(step.tick)
        entries = [entry for entry in out.entries if entry.chain == self._site]
        self.tally.take(self.engine, entries, self.engine.heard.moved, self.engine.seen.last_figures, step.tick)
        if self.engine.plans.questions:
            self._answer(step.tick)

    def _applies(self, payload: bytes) -> bool:
        """Whether an operator's record of the log is put to this plan."""
        try:
            kind = read_object(payload).get("type")
        except ValueError:
            return False
        # A "confirm" answers an incident by its number, and incidents have other numbers under other plans.
        applies = kind == "recount" or (self._options.with_operators and (kind != "confirm" or self.contender.payload is None))
        self.actions["applied" if applies else "left_out"] += 1
        return applies

    def _answer(self, tick: int) -> None:
        """Note new questions, and answer them as the options say."""
        engine = self.engine
        for ladder, question in sorted(engine.plans.questions.items()):
            key = (ladder, question.to, question.rises, question.since)
            if self._put.get(ladder) == key:
                continue
            self._put[ladder] = key
            if self._options.window.holds(tick):
                self.asked["rise" if question.rises else "fall"] += 1
            plan = engine.terms.plans[engine.terms.ladders.index(ladder)]["plan"]
            incident = engine.scribe.incidents.open.get((self._site, What.CONFIRMATION_NEEDED, plan))
            if self._options.answer is not Answer.NONE and incident is not None and question.state == OPEN:
                self._answers += 1
                self._waiting.append(self._said(incident.name, tick))

    def _said(self, incident: str, tick: int) -> Row:
        record = {
            "action": f"backtest-{self._answers}",
            "type": "confirm",
            "site": self._site,
            "by": "backtest",
            "reason": f"answer {self._options.answer.value}",
            "at_us": tick,
            "incident": incident,
            "answer": self._options.answer.value,
        }
        return Row(Kind.ACTION, at=tick, payload=canonical(record))

    @property
    def refused(self) -> dict[str, int]:
        """How many readings were not counted, by reason."""
        return {r.name.lower(): n for r, n in sorted(self.engine.heard.reasons.items()) if r < Reason.BAD_ACTION}
