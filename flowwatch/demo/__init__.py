"""`flowwatch demo`: a generated holiday through the real pipeline, faster than real time, live in the terminal.

Nothing here is a stand-in. The counters' messages are JSON lines that the edge decodes into a durable log; `flowwatch run` is a process of its own
that decides on the log's ticks and writes the journal; the screen, and the people at the gates, know only what the journal says. The day waits for
the journal each minute, so that the same seed gives the same day on any machine.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from rich.console import Console
from rich.live import Live

from flowwatch.adapters.batch import stamped
from flowwatch.adapters.ndjson import Codec
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.network import utc_offset
from flowwatch.core.readings import SECOND
from flowwatch.demo.holiday import STEP_S, Holiday
from flowwatch.demo.screen import View, plain, render
from flowwatch.documents import find, load, shipped
from flowwatch.documents.actions import Recount, payload
from flowwatch.journal import Journal
from flowwatch.log import Writer, create
from flowwatch.log.errors import LogError
from flowwatch.texts import Language, Names, incident
from flowwatch.workspace import Workspace

DAY_S: Final = 50.0
"""Seconds that the whole day takes when no speed is asked for."""
MARKER: Final = "demo.json"
"""Says that a folder holds a demonstration and may be filled again."""
OPENS: Final = datetime(2026, 10, 1, 9, 0)  # noqa: DTZ001 - the site's zone is added
CLOSES: Final = datetime(2026, 10, 1, 21, 30)  # noqa: DTZ001
PATIENCE_S: Final = 60.0
"""How long the journal may take over one minute before the demonstration gives up."""


class DemoFailed(LogError):  # noqa: N818 - named by what it says
    """The demonstration could not go on."""


def demo(folder: Path, documents: Path | None, *, lang: Language, seed: int, speed: float | None) -> None:
    """Fill `folder` with a holiday and show it; `speed` is times real time, None for about a minute in all.

    Raises `DemoFailed` when the folder holds something else, or when the engine stops.
    """
    workspace = _prepare(folder)
    site_file, plan_file = next((s, p) for s, p in find(documents or shipped()) if p is not None)
    loaded = load(site_file, plan_file)
    zone = ZoneInfo(loaded.site["time_zone"])
    holiday = Holiday(loaded.site, seed, OPENS.replace(tzinfo=zone), CLOSES.replace(tzinfo=zone))
    names = Names(loaded.site, lang)
    create(workspace.log, clock="event", tick_us=STEP_S * SECOND, partitions=1)
    Journal.open(workspace.journal).close()
    console = Console()
    day = _Day(workspace, holiday, names, _view(loaded.site, names, lang, holiday, speed))
    started = time.monotonic()
    with Writer.open(workspace.log) as writer, Journal.open(workspace.journal, create=False) as journal:
        opens = int(holiday.opens.timestamp()) * SECOND
        writer.append_document(loaded.payload, opens)
        for i, z in enumerate(loaded.site["zones"]):
            counted = Recount(
                action=f"{i:026d}",
                site=loaded.site["site"],
                by="demo",
                reason=names.say("开场前清点", "counted before opening"),
                at_us=opens,
                zone=z["zone"],
                count=holiday.inside if z["inside"] is None else holiday.on_bridge,
                counted_at_us=opens,
            )
            writer.append_action(loaded.site["site"], payload(counted), opens)
        writer.tick(opens)
        writer.commit()
        with _engine(workspace) as engine, _shown(day.view, console) as show:
            for minute in range(holiday.minutes):
                day.live(writer, minute)
                day.follow(journal, engine, minute)
                show(minute)
                pause = started + (minute + 1) * 60 / day.view.speed - time.monotonic()
                if pause > 0:
                    time.sleep(pause)
        day.follow(journal, None, holiday.minutes - 1)
        _summary(console, day, journal, time.monotonic() - started)


def _prepare(folder: Path) -> Workspace:
    """An empty folder, or one that an earlier demonstration filled: cleared."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).is_file():
            raise DemoFailed(folder, "holds something that is no demonstration", "an empty folder, or none")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text(json.dumps({"flowwatch": "demo"}) + "\n")
    return Workspace(folder)


def _view(site: dict[str, Any], names: Names, lang: Language, holiday: Holiday, speed: float | None) -> View:
    stages = site["plan"]["stages"]
    bars = [(t["enter_m"] // 1000, names.stage(s["stage"]), s["level"]) for s in stages for t in s["any"]]
    labels = [(g["gate"], g["gate"].removeprefix("gate-")) for g in site["gates"]]
    return View(
        title=f"flowwatch · {names.zone('site')}",
        lang=lang,
        gates=labels,
        bars=sorted(bars),
        stage=names.stage(stages[0]["stage"]),
        speed=speed or holiday.minutes * 60 / DAY_S,
    )


@contextmanager
def _engine(workspace: Workspace) -> Iterator[subprocess.Popen[bytes]]:
    """`flowwatch run` on the demonstration's folder; its words go to run.log there."""
    with (workspace.root / "run.log").open("wb") as words:
        command = [sys.executable, "-m", "flowwatch", "run", "--data", str(workspace.root)]
        process = subprocess.Popen(command, stdout=words, stderr=subprocess.STDOUT)
        try:
            yield process
            process.terminate()
            if process.wait(PATIENCE_S) != 0:
                raise DemoFailed(workspace.root, f"the engine ended with exit code {process.returncode}", "0; run.log tells more")
        finally:
            process.kill()
            process.wait()


@contextmanager
def _shown(view: View, console: Console) -> Iterator[Any]:
    """A live screen on a terminal, lines elsewhere: gives the function to call each minute."""
    if not console.is_terminal:
        told = [""]

        def line(minute: int) -> None:
            if minute % 30 == 0 or view.stage != told[0]:
                plain(view, console)
                told[0] = view.stage

        yield line
        return
    with Live(render(view), console=console, refresh_per_second=12, transient=False) as live:
        yield lambda _minute: live.update(render(view))


class _Day:
    """The day so far: what the journal has said, and what the people at the gates were asked."""

    def __init__(self, workspace: Workspace, holiday: Holiday, names: Names, view: View) -> None:
        self.workspace, self.holiday, self.names, self.view = workspace, holiday, names, view
        self.site = str(holiday.site["site"])
        self.entries: list[Entry] = []
        self._codec = Codec()

    def live(self, writer: Writer, minute: int) -> None:
        """One minute of the holiday into the log, with its ticks, durable when this returns."""
        for at, lines in self.holiday.minute(minute):
            now = int(at.timestamp()) * SECOND
            batch = self._codec.batch(b"".join(lines))
            writer.append(stamped(batch, np.full(len(batch), now), now).readings)
            writer.tick(now)
            self.view.now = at
        writer.commit()

    def follow(self, journal: Journal, engine: subprocess.Popen[bytes] | None, minute: int) -> None:
        """Wait until the journal holds this minute, then show it and pass its commands on."""
        end = (int(self.holiday.opens.timestamp()) + (minute + 1) * 60) * SECOND
        patience = time.monotonic() + PATIENCE_S
        while (estimate := journal.estimate_before(self.site, end)) is None or estimate.at <= end - 60 * SECOND:
            if engine is not None and engine.poll() is not None:
                raise DemoFailed(
                    self.workspace.root, f"the engine ended with exit code {engine.returncode}", "it to run; run.log tells why"
                )
            if time.monotonic() > patience:
                raise DemoFailed(self.workspace.root, f"no estimate after {PATIENCE_S:.0f} s", "one each minute; run.log tells more")
            time.sleep(0.002)
        self._show_estimate(json.loads(estimate.body))
        orders: dict[str, str] = {}
        self.view.changed = set()
        for entry in journal.entries(self.site, after_id=self.entries[-1].id if self.entries else None):
            self.entries.append(entry)
            self._show_entry(entry, orders)
        if orders:
            self.holiday.order(minute, orders)

    def _show_estimate(self, body: dict[str, Any]) -> None:
        zone, view = body["zones"]["site"], self.view
        view.known = zone["known"]
        view.inside, view.lower = round(zone["inside_m"] / 1000), round(zone["lower_m"] / 1000)
        view.upper = round((zone["upper_m"] or zone["inside_m"]) / 1000)
        view.day.append(view.inside)
        view.waiting = self.holiday.waiting

    def _show_entry(self, entry: Entry, orders: dict[str, str]) -> None:
        body, view = json.loads(entry.body), self.view
        if entry.kind is EntryKind.COMMAND:
            orders[body["gate"]] = view.modes[body["gate"]] = body["mode"]
            view.changed.add(body["gate"])
        elif entry.kind is EntryKind.TRANSITION:
            stage = next(s for s in self.holiday.site["plan"]["stages"] if s["stage"] == body["to"])
            view.stage, view.level = self.names.stage(body["to"]), stage["level"]
        elif entry.kind is EntryKind.INCIDENT:
            view.alerts.append((self.clock(entry.at), body["level"], incident(body, self.names)))

    def clock(self, at: int) -> str:
        """A moment as the site's time of day."""
        local = at + utc_offset(self.holiday.site, at)
        return f"{local // (3600 * SECOND) % 24:02d}:{local // (60 * SECOND) % 60:02d}"


def _summary(console: Console, day: _Day, journal: Journal, seconds: float) -> None:
    """What the day was, and what to try next."""
    say = day.names.say
    kinds = [e.kind for e in day.entries]
    bodies = [(e, json.loads(e.body)) for e in day.entries]
    refused: dict[str, int] = {}
    for entry in journal.entries(kind=EntryKind.REFUSALS):
        for reason, count in json.loads(entry.body)["counts"].items():
            refused[reason] = refused.get(reason, 0) + count
    alerts = [(e, b) for e, b in bodies if e.kind is EntryKind.INCIDENT and b["what"] == "stage" and b["state"] in ("raised", "updated")]
    console.print()
    told = [
        say(
            f"{seconds:.0f} 秒走完 {day.holiday.minutes // 60} 小时 {day.holiday.minutes % 60} 分钟：估计峰值 {max(day.view.day):,} 人，"
            f"模拟实际峰值 {day.holiday.peak:,} 人。",
            f"{day.holiday.minutes // 60} h {day.holiday.minutes % 60} min in {seconds:.0f} s: the estimate peaked at {max(day.view.day):,}, "
            f"the simulated truth at {day.holiday.peak:,} people.",
        ),
        say("管控阶段：", "Stages: ")
        + " → ".join(f"{day.clock(e.at)} {day.names.stage(b['to'])}" for e, b in bodies if e.kind is EntryKind.TRANSITION),
        say(
            f"通道口指令 {kinds.count(EntryKind.COMMAND)} 条，事件记录 {kinds.count(EntryKind.INCIDENT)} 条；未计入的读数："
            + ("、".join(f"{r} {n}" for r, n in sorted(refused.items())) or "无")
            + "。",
            f"{kinds.count(EntryKind.COMMAND)} gate commands, {kinds.count(EntryKind.INCIDENT)} incident records; readings refused: "
            + (", ".join(f"{n} {r}" for r, n in sorted(refused.items())) or "none")
            + ".",
        ),
        say("接下来可以试试：", "Try next:"),
    ]
    folder = day.workspace.root
    if alerts:
        told.append(f"  flowwatch explain {alerts[-1][0].id} --data {folder}")
    told += [f"  flowwatch replay --data {folder}", f"  flowwatch refused --data {folder}"]
    for text in told:
        console.print(text, highlight=False, soft_wrap=True)
