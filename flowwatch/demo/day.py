"""One day through the real pipeline: a log, `flowwatch run` as a process of its own, a journal; and what the journal says of it, by the minute.

The people are the simulator's (`flowwatch_sim.diary`), and so are their counters, whose messages are JSON lines that the edge decodes into the
log. What is shown comes from the journal alone: the simulated people obeyed an engine of their own, and the one here decides the same. While it
does, the next minute is lived. The day waits for the journal each minute, so that what is shown is what was decided.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from flowwatch.adapters.batch import stamped
from flowwatch.adapters.ndjson import Codec
from flowwatch.core.entries import Entry, EntryKind, canonical
from flowwatch.core.network import utc_offset
from flowwatch.core.readings import MINUTE, SECOND, Reason
from flowwatch.demo.screen import Alert, View
from flowwatch.journal import Journal
from flowwatch.log import Writer, create
from flowwatch.log.errors import LogError
from flowwatch.texts import incident
from flowwatch.titles import Language, Names
from flowwatch.workspace import Workspace
from flowwatch_sim.diary import Diary, Tick

PATIENCE_S: Final = 60.0
"""How long the journal may take over one minute before the demonstration gives up."""


SAID: Final[dict[str, tuple[dict[Language, str], dict[Language, str]]]] = {
    "recount": ({"zh": "巡查民警", "en": "patrol"}, {"zh": "例行清点", "en": "the round"}),
    "confirm": ({"zh": "值班指挥员", "en": "officer in charge"}, {"zh": "现场情况允许", "en": "the place looks quiet"}),
    "": ({"zh": "值班指挥员", "en": "officer in charge"}, {"zh": "演示", "en": "demonstration"}),
}
"""Who writes which record, and why; the last is any other."""
BEFORE_OPENING: Final[dict[Language, str]] = {"zh": "开场前清点", "en": "counted before opening"}
NOT_YET: Final[dict[Language, str]] = {"zh": "现场情况尚不允许", "en": "the place is not quiet yet"}


class DemoFailed(LogError):  # noqa: N818 - named by what it says
    """The demonstration could not go on."""


class Day:
    """A day of a scenario: lived through by `minutes`, and what the journal has said of it so far."""

    def __init__(self, workspace: Workspace, diary: Diary, lang: Language) -> None:
        self.workspace, self.diary = workspace, diary
        planned = diary.planned
        site = planned.loaded.site
        self._site, self._plan, self._zone = str(site["site"]), site["plans"][0], ZoneInfo(site["time_zone"])
        self._opens = planned.start_us
        self.names = Names(site, lang)
        self.view = View(
            title=self.names.zone("site"),
            lang=lang,
            gates=[g["gate"] for g in site["gates"]],
            bars=sorted((t["enter_m"] // 1000, s["level"]) for s in self._plan["stages"] for t in s["leaves"] if t["kind"] == "people"),
            opens=datetime.fromtimestamp(self._opens / SECOND, self._zone),
            minutes=int(planned.lasts_s) // 60,
            stage=self.names.stage(self._plan["stages"][0]["stage"]),
        )
        self.entries: list[Entry] = []
        self.refused: Counter[Reason] = Counter()
        """Readings that were not counted, by reason; once the day is over."""
        self.covered = 0
        """Minutes in which the simulated truth lay within the band."""
        self._truth: dict[int, Tick] = {}
        self._codec = Codec()

    @property
    def stages(self) -> list[tuple[int, str]]:
        """(when, stage) of each transition of the main plan."""
        told = [(e.at, json.loads(e.body)) for e in self.entries if e.kind is EntryKind.TRANSITION]
        return [(at, body["to"]) for at, body in told if body["plan"] == self._plan["plan"]]

    @property
    def peak(self) -> int:
        """Most people who were inside at once, in truth."""
        return max(tick.inside for tick in self._truth.values())

    def minutes(self) -> Generator[int]:
        """Live through the day; gives each minute once `view` shows it. Raises `DemoFailed` when the engine stops or stalls."""
        create(self.workspace.log, clock="event", tick_us=round(self.diary.planned.every_s * SECOND), partitions=1)
        Journal.open(self.workspace.journal).close()
        with Writer.open(self.workspace.log) as writer, Journal.open(self.workspace.journal, create=False) as journal:
            minutes = self._lived()
            self._write(writer, next(minutes))
            with _engine(self.workspace) as engine:
                coming = next(minutes)
                for minute in range(self.view.minutes):
                    self._write(writer, coming)
                    coming = next(minutes, [])
                    self._follow(journal, engine, minute)
                    yield minute
            self._follow(journal, None, self.view.minutes - 1)
            for entry in journal.entries(kind=EntryKind.REFUSALS):
                self.refused.update({Reason[name.upper()]: n for name, n in json.loads(entry.body)["counts"].items()})

    def _lived(self) -> Iterator[list[Tick]]:
        """What happens before the day begins, and then in each of its minutes."""
        ticks, end = [], self._opens
        for tick in self.diary.ticks():
            ticks.append(tick)
            if tick.at >= end:
                yield ticks
                ticks, end = [], end + MINUTE

    def _write(self, writer: Writer, ticks: list[Tick]) -> None:
        """What happened, into the log, with its ticks, durable when this returns."""
        for tick in ticks:
            if tick.document is not None:
                writer.append_document(tick.document, tick.at)
            batch = self._codec.batch(tick.lines)
            writer.append(stamped(batch, tick.received, tick.at).readings)
            for record in tick.records:
                writer.append_action(self._site, self._said(json.loads(record)), tick.at)
            writer.tick(tick.at)
            self._truth[tick.at] = tick
        writer.commit()

    def _said(self, record: dict[str, Any]) -> bytes:
        """An operator's record in the words of somebody at the site."""
        by, reason = SAID.get(record["type"], SAID[""])
        if record["type"] == "recount" and record["at_us"] == self._opens:
            reason = BEFORE_OPENING
        if record.get("answer") == "no":
            reason = NOT_YET
        return canonical(record | {"by": by[self.view.lang], "reason": reason[self.view.lang]})

    def _follow(self, journal: Journal, engine: subprocess.Popen[bytes] | None, minute: int) -> None:
        """Wait until the journal holds this minute, then take in what it says and pass its commands on."""
        end = self._opens + (minute + 1) * MINUTE
        patience = time.monotonic() + PATIENCE_S
        while (estimate := journal.estimate_before(self._site, end)) is None or estimate.at <= end - MINUTE:
            if engine is not None and engine.poll() is not None:
                raise DemoFailed(
                    self.workspace.root, f"the engine ended with exit code {engine.returncode}", "it to run; run.log tells why"
                )
            if time.monotonic() > patience:
                raise DemoFailed(self.workspace.root, f"no estimate after {PATIENCE_S:.0f} s", "one each minute; run.log tells more")
            time.sleep(0.002)
        self._take_estimate(estimate.at, json.loads(estimate.body))
        self.view.changed = set()
        for entry in journal.entries(self._site, after_id=self.entries[-1].id if self.entries else None):
            self.entries.append(entry)
            self._take_entry(entry)

    def _take_estimate(self, at: int, body: dict[str, Any]) -> None:
        zone, view, truth = body["zones"]["site"], self.view, self._truth[at]
        view.now = datetime.fromtimestamp(at / SECOND, self._zone)
        view.known = zone["known"]
        view.inside, view.lower = round(zone["inside_m"] / 1000), round(zone["lower_m"] / 1000)
        view.upper = view.inside if zone["upper_m"] is None else round(zone["upper_m"] / 1000)
        view.silent = [self.names.title("counter", name) for name in zone["silent"]]
        view.waiting = truth.waiting
        if len(view.day) < view.minutes:
            view.day.append((view.inside, view.level))
            self.covered += view.lower <= truth.inside <= view.upper

    def _take_entry(self, entry: Entry) -> None:
        body, view = json.loads(entry.body), self.view
        if entry.kind is EntryKind.COMMAND:
            view.modes[body["gate"]] = body["mode"]
            view.changed.add(body["gate"])
        elif entry.kind is EntryKind.TRANSITION and body["plan"] == self._plan["plan"]:
            stage = next(s for s in self._plan["stages"] if s["stage"] == body["to"])
            view.stage, view.level = self.names.stage(body["to"]), stage["level"]
        elif entry.kind is EntryKind.INCIDENT:
            level = None if body["state"] == "cleared" else body["level"]
            view.alerts.append(Alert(self.clock(entry.at), level, incident(body, self.names)))

    def clock(self, at: int) -> str:
        """A moment as the site's time of day."""
        local = at + utc_offset(self.diary.planned.loaded.site, at)
        return f"{local // (3600 * SECOND) % 24:02d}:{local // MINUTE % 60:02d}"


@contextmanager
def _engine(workspace: Workspace) -> Iterator[subprocess.Popen[bytes]]:
    """`flowwatch run` on the demonstration's folder; its words go to run.log there."""
    with (workspace.root / "run.log").open("wb") as words:
        command = [sys.executable, "-m", "flowwatch", "run", "--data", str(workspace.root)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT)
        try:
            yield process
            process.terminate()
            if process.wait(PATIENCE_S) != 0:
                raise DemoFailed(workspace.root, f"the engine ended with exit code {process.returncode}", "0; run.log tells more")
        finally:
            process.kill()
            process.wait()
