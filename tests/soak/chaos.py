"""The course of a soak: everything runs, people come and go, and something is killed at random moments, until there were enough kills and commands.

In the middle there is a fire at one site, said while the engine is dead and kept dead until every gate leads out; some kills later a person ends it.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from flowwatch.core.entries import EntryKind
from flowwatch.core.gates import fire_table
from flowwatch.decided import decided
from flowwatch.journal import Journal, JournalError
from flowwatch.log.inbox import backlog
from flowwatch.log.settings import load
from tests.soak import town
from tests.soak.crowd import Crowd, Person, person
from tests.soak.ear import Ear
from tests.soak.plant import PASSWORD, PERSON, Plant

WEIGHTS: Final = {"service": 6, "engine": 4, "worker": 3, "up": 3, "everything": 2, "broker": 4, "gates": 8}
TWO_AT_ONCE: Final = 0.2
FAULTS: Final[tuple[tuple[str, ...], ...]] = ((), (), (), ("delay=0.4s",), ("slow",), ("delay=1s", "slow"), ("drop=2s",))
LOOK_S: Final = 0.1
QUIET_US: Final = 4_000_000
"""How long nothing may have been commanded before it is called settled."""


class SoakError(Exception):
    """The soak could not go on."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to do. `gap_s`: the mean time between two kills; `rest_s`: how long a site's crowd stays as it is."""

    kills: int
    commands: int
    seed: int
    sites: int = 4
    http_sites: int = 1
    tick_ms: int = 500
    workers: int = 1
    gap_s: float = 4.0
    rest_s: tuple[float, float] = (2.0, 4.0)
    patience_s: float = 1_200.0
    settle_s: float = 180.0


@dataclass
class Told:
    """What happened, for whoever judges it."""

    began_us: int = 0
    ended_us: int = 0
    kills: list[tuple[float, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    fire: dict[str, float] = field(default_factory=dict)
    exit_code: int | None = None
    settled_s: float = 0.0


class Soak:
    """One run in a folder."""

    def __init__(self, root: Path, asked: Asked) -> None:
        self.asked, self.told = asked, Told()
        self.dice = random.Random(asked.seed)
        sites = town.names(asked.sites)
        dice = random.Random(asked.seed + 1)
        self.plant = Plant(root, sites, asked.http_sites, asked.tick_ms, lambda: dice.choice(FAULTS), asked.workers)
        base = f"http://127.0.0.1:{self.plant.port}"
        self.crowds = [Crowd(base, "", site, random.Random(asked.seed + 2 + i), asked.rest_s) for i, site in enumerate(sites)]
        self.ear: Ear
        self._wait = threading.Event()
        self._person: Person | None = None

    def run(self) -> None:
        """From the first process to the last."""
        with ExitStack() as owned:
            owned.callback(self.plant.close)
            self.plant.start()
            base = f"http://127.0.0.1:{self.plant.port}"
            self.until("the service's start", lambda: _healthy(base), 60)
            self._person = owned.enter_context(person(base, PERSON, PASSWORD))
            for site in self.plant.sites:
                for zone, count in town.BASE.items():
                    self._person.says(site, "recount", {"zone": zone, "count": count, "reason": "counted before opening"})
            self.until("the first counts", lambda: len(self._actions("recount")) >= 2 * len(self.plant.sites), 60)
            self.told.began_us = _now_us()
            for crowd in self.crowds:
                crowd.token = self.plant.token
                crowd.start()
            self.ear = Ear(self.plant.port, self.plant.token, random.Random(self.asked.seed + 100), self.asked.gap_s / 2)
            owned.callback(self.ear.stop)
            self.ear.start()
            try:
                self._kill_and_go_on()
            finally:
                self.told.ended_us = _now_us()
                for crowd in self.crowds:
                    crowd.stop()
            began = time.monotonic()
            self._settle()
            self.told.settled_s = time.monotonic() - began
            self.ear.finish(self.plant.workspace)
            self.told.exit_code = self.plant.stop()

    # ---- kills

    def _kill_and_go_on(self) -> None:
        asked, patience = self.asked, time.monotonic() + self.asked.patience_s
        fire_at, off_at = asked.kills // 2, asked.kills // 2 + max(asked.kills // 10, 1)
        site = self.plant.sites[0]
        burning = False
        while len(self.told.kills) < asked.kills or burning or self._commanded() < asked.commands:
            if time.monotonic() > patience:
                self.told.faults.append(f"after {asked.patience_s:.0f} s: {len(self.told.kills)} kills, {self._commanded()} commands")
                return
            self._wait.wait(min(self.dice.expovariate(1 / asked.gap_s), 4 * asked.gap_s))
            count = len(self.told.kills)
            if count >= fire_at and not self.told.fire:
                self._fire(site)
                burning = True
            elif burning and count >= min(off_at, asked.kills):
                self._end_fire(site)
                burning = False
            elif count < asked.kills:
                self._strike()

    def _strike(self) -> None:
        """One kill, or two at once."""
        for _ in range(2 if self.dice.random() < TWO_AT_ONCE and len(self.told.kills) + 1 < self.asked.kills else 1):
            there = self.plant.victims()
            kinds = [name for name in there if name in WEIGHTS] + (["gates"] if any(v.startswith("gates ") for v in there) else [])
            what = self.dice.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
            if what == "gates":
                what = self.dice.choice([v for v in there if v.startswith("gates ")])
            self._struck(what, self.dice.choice((0.0, 0.3, 1.0, 3.0)))

    def _struck(self, what: str, away_s: float = 0.0) -> None:
        if self.plant.kill(what, away_s):
            at = (_now_us() - self.told.began_us) / 1e6
            self.told.kills.append((at, what))
            _say(f"{at:7.1f} s  kill {len(self.told.kills)}: {what}")

    # ---- a fire

    def _fire(self, site: str) -> None:
        """Say that there is a fire while there is no engine; it stays dead until every gate of the site leads out."""
        done = threading.Event()

        def hold() -> None:
            """A part of the plot, not of its random kills: only the first counts as one."""
            while not done.is_set():
                self.plant.kill("engine")
                done.wait(0.02)

        self.until("an engine to kill", lambda: "engine" in self.plant.victims(), 90)
        self._struck("engine")
        holding = threading.Thread(target=hold, daemon=True)
        holding.start()
        began = time.monotonic()
        try:
            assert self._person is not None
            self._person.says(site, "fire", {"state": "on", "reason": "smoke"})
            self.told.fire["said_s"] = time.monotonic() - began
            table = fire_table(self.plant.records[site])

            def out() -> bool:
                """By the service's latch, whose revisions are odd."""
                kept = self.plant.memory(site).items()
                return all(m is not None and m.setting == table[gate] and m.by == "command" and m.revision % 2 == 1 for gate, m in kept)

            self.until("all gates out", out, 90)
            self.told.fire["out_s"] = time.monotonic() - began
            if self._actions("fire"):
                self.told.faults.append("the engine was to be dead in the fire, and decided on it")
        finally:
            done.set()
            holding.join()
        _say(
            f"fire at {site} with the engine dead: said after {self.told.fire['said_s']:.2f} s, all gates out after {self.told.fire['out_s']:.2f} s"
        )

    def _end_fire(self, site: str) -> None:
        began = time.monotonic()
        self.until("the engine's word on the fire", lambda: bool(self._actions("fire")), 120)
        assert self._person is not None
        name = self._person.says(site, "fire", {"state": "off", "reason": "nothing was found"})
        self.until("the end of the fire", lambda: name in self._actions("fire"), 120)
        _say(f"the fire is over: {time.monotonic() - began:.2f} s until the journal said so")
        self.told.fire["ended_s"] = time.monotonic() - began

    # ---- looking

    def _settle(self) -> None:
        """Wait until everything that came is decided, nothing more is commanded, and every gate is as the journal says."""
        last = max(row.at_us for crowd in self.crowds for row in crowd.accepted)
        settings = load(self.plant.workspace.log)
        parts = {f"p{settings.partition_of(site):02d}" for site in self.plant.sites}

        def settled() -> bool:
            places = [decided(self.plant.workspace, part) for part in parts]
            commands = self.commands()
            newest = max(entry_at for entry_at, *_ in commands)
            ticks = min(place.tick if place is not None else 0 for place in places)
            return ticks > max(last, newest) + QUIET_US and not backlog(self.plant.workspace.log)[0] and not self.differing(commands)

        try:
            self.until("rest", settled, self.asked.settle_s)
        except SoakError as error:
            self.told.faults.append(f"{error}; differing: {self.differing(self.commands())}")

    def incidents(self) -> Counter[str]:
        """How often what was raised."""
        return Counter(body["what"] for _, body in self._entries(EntryKind.INCIDENT) if body["state"] == "raised")

    def differing(self, commands: Sequence[tuple[int, str, str, str, int]]) -> list[str]:
        """The gates that are not as the last command to them in the journal says."""
        last = {(site, gate): (setting, 2 * revision) for _, site, gate, setting, revision in commands}
        found = []
        for site in self.plant.sites:
            for gate, memory in self.plant.memory(site).items():
                wanted = last.get((site, gate))
                have = None if memory is None else (memory.setting, memory.revision)
                if have != wanted:
                    found.append(f"{site}/{gate} is {have}, wanted {wanted}")
        return found

    def commands(self) -> list[tuple[int, str, str, str, int]]:
        """Every command in the journal: (tick, site, gate, setting, revision)."""
        return [(at, b["site"], b["gate"], b["setting"], b["revision"]) for at, b in self._entries(EntryKind.COMMAND)]

    def _commanded(self) -> int:
        return len(self._entries(EntryKind.COMMAND))

    def _actions(self, kind: str) -> list[str]:
        return [body["action"] for _, body in self._entries(EntryKind.ACTION) if body["type"] == kind and body["accepted"]]

    def _entries(self, kind: EntryKind) -> list[tuple[int, dict[str, Any]]]:
        try:
            with Journal.open(self.plant.workspace.journal, create=False) as journal:
                return [(entry.at, json.loads(entry.body)) for entry in journal.entries(kind=kind)]
        except JournalError as error:
            raise SoakError(f"the journal cannot be read: {error}") from error

    def until(self, what: str, true: Callable[[], bool], patience_s: float) -> None:
        """Wait until something of other processes is so."""
        end = time.monotonic() + patience_s
        while not true():
            if time.monotonic() > end:
                raise SoakError(f"no sign of {what} after {patience_s:.0f} s")
            self._wait.wait(LOOK_S)


def _healthy(base: str) -> bool:
    try:
        return httpx.get(f"{base}/health", timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _now_us() -> int:
    return time.time_ns() // 1000
