"""One holiday through the real pipeline: a log, `flowwatch run` as a process of its own, a journal; and what the journal says of it, by the minute.

The counters' messages are JSON lines that the edge decodes into the log. What is shown, and what the people at the gates do, comes from the
journal alone. The day waits for the journal each minute, so that the same seed gives the same day on any machine.
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

import numpy as np

from flowwatch.adapters.batch import stamped
from flowwatch.adapters.ndjson import Codec
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.incidents import What
from flowwatch.core.network import utc_offset
from flowwatch.core.readings import MINUTE, SECOND, Reason
from flowwatch.demo.holiday import STEP_S, Holiday
from flowwatch.demo.screen import Alert, View
from flowwatch.documents.actions import Confirm, Recount, payload
from flowwatch.documents.load import Loaded
from flowwatch.journal import Journal
from flowwatch.log import Writer, create
from flowwatch.log.errors import LogError
from flowwatch.texts import incident
from flowwatch.titles import Language, Names
from flowwatch.workspace import Workspace

OPENS: Final = datetime(2026, 10, 1, 9, 0)  # noqa: DTZ001 - the site's zone is added
CLOSES: Final = datetime(2026, 10, 1, 22, 0)  # noqa: DTZ001
ANSWERED_AFTER: Final = 2
"""Minutes until the officer in charge agrees to what the plan proposes."""
QUIET_MINUTE: Final = 390
"""When somebody goes round and counts: 15:30."""
PATIENCE_S: Final = 60.0
"""How long the journal may take over one minute before the demonstration gives up."""


class DemoFailed(LogError):  # noqa: N818 - named by what it says
    """The demonstration could not go on."""


class Day:
    """A day at the site of `loaded`: lived through by `minutes`, and what the journal has said of it so far."""

    def __init__(self, workspace: Workspace, loaded: Loaded, seed: int, lang: Language) -> None:
        self.workspace, self._loaded = workspace, loaded
        self._zone = ZoneInfo(loaded.site["time_zone"])
        self.holiday = Holiday(loaded.site, seed, OPENS.replace(tzinfo=self._zone), CLOSES.replace(tzinfo=self._zone))
        self.names = Names(loaded.site, lang)
        self.view = _view(loaded.site, self.names, self.holiday)
        self.entries: list[Entry] = []
        self.refused: Counter[Reason] = Counter()
        """Readings that were not counted, by reason; once the day is over."""
        self.covered = 0
        """Minutes in which the simulated truth lay within the band."""
        self._site = str(loaded.site["site"])
        self._truth: dict[int, int] = {}
        """People inside by tick, as simulated."""
        self._codec = Codec()
        self._questions: list[tuple[int, str]] = []
        """What the officer in charge is asked: (the minute of the answer, the incident)."""

    def minutes(self) -> Generator[int]:
        """Live through the day; gives each minute once `view` shows it. Raises `DemoFailed` when the engine stops or stalls."""
        create(self.workspace.log, clock="event", tick_us=STEP_S * SECOND, partitions=1)
        Journal.open(self.workspace.journal).close()
        with Writer.open(self.workspace.log) as writer, Journal.open(self.workspace.journal, create=False) as journal:
            opens = int(self.holiday.opens.timestamp()) * SECOND
            writer.append_document(self._loaded.payload, opens)
            self._recount(writer, opens, self.names.say("开场前清点", "counted before opening"))
            writer.tick(opens)
            writer.commit()
            with _engine(self.workspace) as engine:
                for minute in range(self.holiday.minutes):
                    self._live(writer, minute)
                    self._follow(journal, engine, minute)
                    yield minute
            self._follow(journal, None, self.holiday.minutes - 1)
            for entry in journal.entries(kind=EntryKind.REFUSALS):
                self.refused.update({Reason[name.upper()]: n for name, n in json.loads(entry.body)["counts"].items()})

    def _recount(self, writer: Writer, at: int, reason: str) -> None:
        """Somebody goes round and counts every zone by hand."""
        for i, zone in enumerate(self._loaded.site["zones"]):
            counted = Recount(
                action=f"{at // SECOND:020d}{i:06d}",
                site=self._site,
                by="demo",
                reason=reason,
                at_us=at,
                zone=zone["zone"],
                count=self.holiday.count_by_hand(zone),
                counted_at_us=at,
            )
            writer.append_action(self._site, payload(counted), at)

    def _answer(self, writer: Writer, minute: int) -> None:
        """The officer in charge agrees to what the plan proposed a little earlier."""
        at = int(self.holiday.opens.timestamp()) * SECOND + minute * MINUTE
        for _, incident_name in [q for q in self._questions if q[0] <= minute]:
            agreed = Confirm(
                action=f"{at // SECOND:020d}{len(self.entries):06d}",
                site=self._site,
                by=self.names.say("值班指挥员", "officer in charge"),
                reason=self.names.say("现场情况允许", "the place looks quiet"),
                at_us=at,
                incident=incident_name,
            )
            writer.append_action(self._site, payload(agreed), at)
        self._questions = [q for q in self._questions if q[0] > minute]

    def _live(self, writer: Writer, minute: int) -> None:
        """One minute of the holiday into the log, with its ticks, durable when this returns."""
        self._answer(writer, minute)
        for at, lines in self.holiday.minute(minute):
            now = int(at.timestamp()) * SECOND
            batch = self._codec.batch(b"".join(lines))
            writer.append(stamped(batch, np.full(len(batch), now), now).readings)
            self.view.now, self._truth[now] = at, self.holiday.inside
            if minute == QUIET_MINUTE and at.second == 0:
                self._recount(writer, now, self.names.say("午后例行清点", "the afternoon's round"))
            writer.tick(now)
        writer.commit()

    def _follow(self, journal: Journal, engine: subprocess.Popen[bytes] | None, minute: int) -> None:
        """Wait until the journal holds this minute, then take in what it says and pass its commands on."""
        end = int(self.holiday.opens.timestamp()) * SECOND + (minute + 1) * MINUTE
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
        orders: dict[str, str] = {}
        self.view.changed = set()
        for entry in journal.entries(self._site, after_id=self.entries[-1].id if self.entries else None):
            self.entries.append(entry)
            self._take_entry(entry, orders, minute)
        if orders:
            self.holiday.order(minute, orders)

    def _take_estimate(self, at: int, body: dict[str, Any]) -> None:
        zone, view = body["zones"]["site"], self.view
        view.known = zone["known"]
        view.inside, view.lower = round(zone["inside_m"] / 1000), round(zone["lower_m"] / 1000)
        view.upper = view.inside if zone["upper_m"] is None else round(zone["upper_m"] / 1000)
        view.silent = [self.names.title("counter", name) for name in zone["silent"]]
        view.waiting = self.holiday.waiting
        if len(view.day) < self.holiday.minutes:
            view.day.append((view.inside, view.level))
            self.covered += view.lower <= self._truth[at] <= view.upper

    def _take_entry(self, entry: Entry, orders: dict[str, str], minute: int) -> None:
        body, view = json.loads(entry.body), self.view
        if entry.kind is EntryKind.COMMAND:
            orders[body["gate"]], view.modes[body["gate"]] = body["setting"], body["mode"]
            view.changed.add(body["gate"])
        elif entry.kind is EntryKind.TRANSITION and body["plan"] == self._loaded.site["plans"][0]["plan"]:
            stage = next(s for s in self._loaded.site["plans"][0]["stages"] if s["stage"] == body["to"])
            view.stage, view.level = self.names.stage(body["to"]), stage["level"]
        elif entry.kind is EntryKind.INCIDENT:
            if body["what"] == What.CONFIRMATION_NEEDED and body["state"] == "raised":
                self._questions.append((minute + ANSWERED_AFTER, body["incident"]))
            level = None if body["state"] == "cleared" else body["level"]
            view.alerts.append(Alert(self.clock(entry.at), level, incident(body, self.names)))

    def clock(self, at: int) -> str:
        """A moment as the site's time of day."""
        local = at + utc_offset(self._loaded.site, at)
        return f"{local // (3600 * SECOND) % 24:02d}:{local // MINUTE % 60:02d}"


def _view(site: dict[str, Any], names: Names, holiday: Holiday) -> View:
    stages = site["plans"][0]["stages"]
    return View(
        title=names.zone("site"),
        lang=names.language,
        gates=[g["gate"] for g in site["gates"]],
        bars=sorted((t["enter_m"] // 1000, s["level"]) for s in stages for t in s["leaves"] if t["kind"] == "people"),
        opens=holiday.opens,
        minutes=holiday.minutes,
        stage=names.stage(stages[0]["stage"]),
    )


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
