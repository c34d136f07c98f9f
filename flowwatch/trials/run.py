"""One test, played: a fresh engine is fed a log of the test's own, and what it tells is compared with what was expected.

Time passes in ticks of `rules.tick_us`, and at every moment that the test names. At one moment, in this order: the step begins, records of
operators are written, the tick decides, and what is expected of this moment is judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import UnsetType

from flowwatch.core.engine import Engine
from flowwatch.core.quantities import Script
from flowwatch.core.readings import NEVER, Kind
from flowwatch.core.standing import by_lead
from flowwatch.documents import Loaded
from flowwatch.documents.words import duration_us
from flowwatch.trials.acts import fields_of
from flowwatch.trials.beginning import start_us
from flowwatch.trials.feed import Counters, Figures, Rows, name, record
from flowwatch.trials.judging import Difference, differences, never
from flowwatch.trials.language import Act, Answer, Expect
from flowwatch.trials.reading import Test
from flowwatch.trials.rules import last_us, tick_us
from flowwatch.trials.told import Told

PARTITION: Final = "p00"


@dataclass(frozen=True, slots=True)
class Failure:
    """Something at line `line` of the test file that was not as expected, at a time from the test's start."""

    line: int
    at: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """How things stood at a time from the test's start, for the timeline; figures in thousandths."""

    at: int
    figures: Mapping[str, tuple[int, bool]]
    """What was written -> (value, whether it was fresh)."""
    estimates: Mapping[str, tuple[int, int, int] | None]
    """Zone -> people inside with the edges of the band, of zones that counters tell about; None while unknown."""
    stage: str
    asks: tuple[str, ...]
    gates: Mapping[str, str]
    acts: tuple[str, ...]
    """What operators did."""


@dataclass(slots=True)
class Outcome:
    """What became of a test; it passed if nothing failed."""

    test: Test
    failures: list[Failure] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.failures


def run(test: Test, loaded: Loaded) -> Outcome:
    """Play a test of the plans in `loaded`."""
    return _Play(test, loaded).play()


class _Play:
    """A test under way."""

    def __init__(self, test: Test, loaded: Loaded) -> None:
        trial = test.trial
        self.test, self.site, self.payload = test, loaded.site, loaded.payload
        self.start = start_us(trial, loaded.site)
        self.every, self.end = duration_us(trial.every), last_us(trial)
        self.engine, self.rows = Engine(PARTITION), Rows()
        self.told = Told(tuple(plan["plan"] for plan in by_lead(loaded.site["plans"])))
        self.figures = Figures(str(loaded.site["site"]), test.series)
        self.counters = Counters(loaded.site, test.readings, self.every)
        self.gates = [gate["gate"] for gate in loaded.site["gates"]]
        self.outcome = Outcome(test)
        self.records = 0
        self.shown = self._zones_shown()
        self.acts = sorted(zip(map(_at, trial.actions), test.acts, trial.actions, strict=True), key=lambda act: act[0])
        self.recounts = sorted(((duration_us(r.at), r) for r in trial.recounts), key=lambda recount: recount[0])
        expected = zip(trial.expect, test.lines, strict=True)
        self.expect = [(line, e) for e, line in expected]
        self.broken: set[int] = set()
        """The lines of what never should have been, and was."""

    def play(self) -> Outcome:
        """From the start to the last expectation."""
        before, step, script = None, -1, dict[tuple[str, str], tuple[int, bool]]()
        self.rows.say(Kind.DOCUMENT, self.start, self.payload)
        for tick in self._ticks():
            while step < tick // self.every:
                step += 1
                script = dict(self.figures.at(step))
                self.engine.script(script)
            sent = self._write_records(tick)
            self.counters.send(self.rows, before, tick, self.start, self._inside())
            self.rows.add(Kind.TICK, self.start + tick)
            entries = self.engine.feed(self.rows.block()).entries
            self.told.take(entries)
            self._answered(tick, sent)
            judged = self._judge(tick)
            if before is None or entries or judged or sent:
                self._keep(tick, script, [act for _, act, _ in sent])
            before = tick
        return self.outcome

    def _ticks(self) -> list[int]:
        """The moments at which time is told, from the test's start."""
        times = {duration_us(str(e.at)) for _, e in self.expect if not isinstance(e.at, UnsetType)}
        times |= {duration_us(str(t)) for _, e in self.expect for t in (e.from_, e.until) if not isinstance(t, UnsetType)}
        times |= {at for at, _, _ in self.acts} | {at for at, _ in self.recounts}
        times |= set(range(0, self.end, self.every)) | set(range(0, self.end, tick_us(self.test.trial)))
        return sorted(times | {0, self.end})

    # -- records ----------------------------------------------------------------------------------------------------------------------

    def _write_records(self, tick: int) -> list[tuple[str, str, tuple[int, Act]]]:
        """Write what operators say at this moment: (record, in words, (line, action)) of each action."""
        while self.recounts and self.recounts[0][0] <= tick:
            at, recount = self.recounts.pop(0)
            self._say("recount", tick, {"zone": recount.zone, "count": recount.count, "counted_at_us": self.start + at})
        sent = []
        while self.acts and self.acts[0][0] <= tick:
            _, line, act = self.acts.pop(0)
            kind, fields, words = self._record(act)
            if fields is None:
                self.outcome.failures.append(Failure(line, tick, (Difference("confirm", "an open question", "none"),)))
                continue
            sent.append((self._say(kind, tick, fields), words, (line, act)))
        return sent

    def _say(self, kind: str, tick: int, fields: Mapping[str, Any]) -> str:
        self.records += 1
        at = self.start + tick
        self.rows.say(Kind.ACTION, at, record(str(self.site["site"]), self.records, kind, at, fields))
        return name(self.records)

    def _record(self, act: Act) -> tuple[str, dict[str, Any] | None, str]:
        """(type, fields, words) of an action's record; no fields for an answer to no question."""
        made = fields_of(act, self.start)
        if made is not None:
            return made
        answer = act.confirm.value if isinstance(act.confirm, Answer) else ""
        incident = self.told.question(self.told.plans[0] if isinstance(act.plan, UnsetType) else act.plan)
        return "confirm", None if incident is None else {"incident": incident, "answer": answer}, f"confirm {answer}"

    def _answered(self, tick: int, sent: list[tuple[str, str, tuple[int, Act]]]) -> None:
        """Whether records were taken or refused as expected."""
        for written, words, (line, act) in sent:
            refused = self.told.refused.get(written)
            if (refused is not None) != act.refused:
                found = "accepted" if refused is None else f"refused: {refused}"
                self.outcome.failures.append(Failure(line, tick, (Difference(words, "refused" if act.refused else "accepted", found),)))

    # -- expectations -----------------------------------------------------------------------------------------------------------------

    def _judge(self, tick: int) -> bool:
        """Judge what is expected of this moment; whether anything was, or something is that never should be."""
        told = False
        for line, expect in self.expect:
            if not isinstance(expect.at, UnsetType):
                if duration_us(expect.at) == tick:
                    told = True
                    found = [*differences(expect, self.told, self.gates), *self._nothing(expect, tick)]
                    if found:
                        self.outcome.failures.append(Failure(line, tick, tuple(found)))
            elif line not in self.broken and self._is_what_never_should_be(expect, tick):
                told = True
                self.broken.add(line)
        return told

    def _nothing(self, expect: Expect, tick: int) -> list[Difference]:
        if isinstance(expect.nothing, UnsetType):
            return []
        times = {duration_us(e.at) for _, e in self.expect if not isinstance(e.at, UnsetType)}
        since = max((at for at in times if at < tick), default=0)
        decided = [text for at, text in self.told.decided if since < at - self.start <= tick]
        if bool(decided) != expect.nothing:
            return []
        found = "; ".join(decided[:4]) + (f"; {len(decided) - 4} more" if len(decided) > 4 else "")
        return [Difference("nothing", "true" if expect.nothing else "false", found or "nothing was decided")]

    def _is_what_never_should_be(self, expect: Expect, tick: int) -> bool:
        if isinstance(expect.never, UnsetType) or not duration_us(str(expect.from_)) <= tick <= duration_us(str(expect.until)):
            return False
        if differences(expect.never, self.told, self.gates):
            return False
        line = next(number for number, e in self.expect if e is expect)
        self.outcome.failures.append(Failure(line, tick, tuple(never(expect.never, self.told, self.gates))))
        return True

    # -- the timeline -----------------------------------------------------------------------------------------------------------------

    def _zones_shown(self) -> list[str]:
        """The zones whose estimates the plans look at, where counters tell them."""
        if not self.test.readings and not self.test.trial.recounts:
            return []
        leaves = [leaf for plan in self.site["plans"] for stage in plan["stages"] for leaf in stage["leaves"]]
        zones = dict.fromkeys(str(leaf["zone"]) for leaf in leaves if leaf["kind"] == "people" and leaf["source"] != "net_flow")
        return [zone for zone in zones if f"{zone}.occupancy" not in self.test.series]

    def _inside(self) -> dict[str, int]:
        """Thousandths of people by zone, as the engine estimates them now."""
        if self.engine.tick == NEVER:
            return {}
        zones = (zone.split("/", 1)[1] for zone in self.engine.network.zones)
        return dict(zip(zones, self.engine.occupancy.zones.inside.tolist(), strict=True))

    def _keep(self, tick: int, script: Script, acts: list[str]) -> None:
        estimates: dict[str, tuple[int, int, int] | None] = {}
        if self.shown:
            network = self.engine.network
            made = self.engine.occupancy.figures(network, self.engine.intake.totals.counted_at, self.engine.tick)
            for zone in self.shown:
                t = network.target(0, zone)
                estimates[zone] = (int(made.inside[t]), int(made.lower[t]), int(made.upper[t])) if made.known[t] else None
        figures = {quantity: value for (_, quantity), value in script.items()}
        asks = tuple(self.told.questions.values())
        self.outcome.moments.append(Moment(tick, figures, estimates, self.told.stage, asks, dict(self.told.gates), tuple(acts)))


def _at(act: Act) -> int:
    return duration_us(act.at)
