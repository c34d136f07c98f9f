"""A journal that tests write, a broker that they start and kill, and reports that they wait for."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flowwatch.actuators.dispatcher import Dispatcher
from flowwatch.actuators.ledger import Ledger
from flowwatch.actuators.wires import Actuator, Broker
from flowwatch.core.entries import GENESIS, Entry, EntryKind, canonical, link
from flowwatch.core.settings import Setting
from flowwatch.journal import Journal
from flowwatch_sim.gatehouse.diary import Diary
from flowwatch_sim.gatehouse.house import Fitting, House, Manner
from tests.safety.made import gate, site, zone
from tests.servers import Mosquitto

PATIENCE_S = 60.0
SITE = "yu"


def now_us() -> int:
    return time.time_ns() // 1000


def place(*names: str, **changes: Any) -> dict[str, Any]:
    """A mall with gates that go automatically."""
    gates = [gate(name, delivery="automatic") for name in names or ("a", "b")]
    return site(
        **{"site": SITE, "delivery": "automatic", "zones": [zone()], "gates": gates, "links": [], "egress_min_per_min": 50, **changes}
    )


class Story:
    """The journal of one site, written as the engine would write it."""

    def __init__(self, path: Path) -> None:
        self._journal = Journal.open(path)
        self._seq, self._head = self._journal.head(SITE)
        self.revisions: dict[str, int] = {}

    def tell(self, *told: tuple[EntryKind, dict[str, Any] | bytes], at: int | None = None) -> list[Entry]:
        """Some entries in one transaction; a body of bytes as it is."""
        made = []
        for kind, body in told:
            data, moment = body if isinstance(body, bytes) else canonical(body), at or now_us()
            self._head, self._seq = link(self._head if self._seq else GENESIS, kind, moment, data), self._seq + 1
            made.append(Entry(SITE, self._seq, kind, moment, data, self._head))
        self._journal.append(made)
        return made

    def command(self, at: int | None = None, *, delivery: str = "automatic", drill: bool = False, **table: str) -> list[Entry]:
        """Commands to gates."""
        return self.commands(table, at, delivery=delivery, drill=drill)

    def commands(self, table: Mapping[str, str], at: int | None = None, *, delivery: str = "automatic", drill: bool = False) -> list[Entry]:
        """Commands to the gates of `table`."""
        told: list[tuple[EntryKind, dict[str, Any] | bytes]] = []
        for name, text in table.items():
            self.revisions[name] = self.revisions.get(name, 0) + 1
            setting = Setting.parse(text)
            body: dict[str, Any] = {
                "site": SITE,
                "gate": name,
                "mode": setting.mode.value,
                "setting": text,
                "revision": self.revisions[name],
            }
            body |= {"delivery": delivery, "drill": drill, "reason": "stage", "of": None, "action": None, "stage": "calm", "per_min": None}
            told.append((EntryKind.COMMAND, body | {"may_enter": setting.may_enter, "may_leave": setting.may_leave, "phases": None}))
        return self.tell(*told, at=at)

    def action(self, name: str, kind: str, *, accepted: bool = True, **record: Any) -> tuple[EntryKind, dict[str, Any]]:
        """An operators' record as the engine tells it; to be told."""
        body = {"site": SITE, "action": name, "type": kind, "record": {"type": kind, **record}, "accepted": accepted, "refused": None}
        return EntryKind.ACTION, body

    def close(self) -> None:
        self._journal.close()


class Post:
    """What the dispatcher reported."""

    def __init__(self) -> None:
        self._heard = threading.Condition()
        self.all: list[dict[str, Any]] = []

    def __call__(self, site_: str, payload: bytes, at_us: int) -> None:
        with self._heard:
            self.all.append(json.loads(payload))
            self._heard.notify_all()

    def until(self, true: Callable[[dict[str, dict[str, Any]]], bool], what: str = "") -> None:
        """Wait until `true` of the last report of every device."""

        def met() -> bool:
            last = {body["device"]: body for body in self.all}
            return true(last)

        with self._heard:
            assert self._heard.wait_for(lambda: _safely(met), PATIENCE_S), (what, self.all[-8:])

    def settled(self, **table: str) -> None:
        """Wait until the gates report these settings, up."""
        self.until(
            lambda last: all(last[f"gate/{g}"]["setting"] == s and last[f"gate/{g}"]["link"] == "up" for g, s in table.items()), str(table)
        )

    def outcome(self, device: str, outcome: str) -> None:
        """Wait until an attempt ended like this."""
        with self._heard:
            assert self._heard.wait_for(lambda: any(b["device"] == device and b["outcome"] == outcome for b in self.all), PATIENCE_S), (
                self.all
            )


def _safely(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except KeyError:
        return False


class Watched(Diary):
    """A diary that can be waited for."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._written = threading.Condition()
        self._seen: list[tuple[str, str]] = []

    def write(self, event: str, device: str, **fields: Any) -> None:
        super().write(event, device, **fields)
        with self._written:
            self._seen.append((event, device))
            self._written.notify_all()

    def until(self, event: str, device: str, times: int = 1) -> None:
        """Wait until `device` did `event` so often."""
        with self._written:
            assert self._written.wait_for(lambda: self._seen.count((event, device)) >= times, PATIENCE_S), self._seen

    def close(self) -> None:
        """Several houses of a test write it; it is closed with the test's end."""


class Lab:
    """Broker, gates, journal and dispatchers of one test."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.folder, self.broker = folder, broker
        self.record = place()
        self.diary = Watched(folder / "diary.jsonl")
        self.post = Post()
        self.story = Story(folder / "journal.db")
        self.ledger = Ledger.open(folder / "service.db")
        self._houses: list[House] = []
        self._dispatchers: list[Dispatcher] = []
        self._processes: list[subprocess.Popen[str]] = []

    def house(self, *, turn_s: float = 0.0, memory: str = "memory", **gates: str) -> House:
        """Controllers in this process, first set as in `gates`."""
        fittings = [Fitting(f"gate/{g}", s, "out") for g, s in gates.items()]
        manner = Manner(turn_s)
        house = House(SITE, fittings, self.folder / memory, manner, self.diary, broker=("127.0.0.1", self.broker.port, None, None))
        house.start()
        self._houses.append(house)
        return house

    def process(self, *gates: str, more: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Controllers in a process of their own."""
        names = [arg for g in gates for arg in ("--gate", g)]
        places = ["--memory", str(self.folder / "memory"), "--log", str(self.folder / "diary.jsonl")]
        code = "from flowwatch_sim.cli.gate import main; main()"
        command = [sys.executable, "-c", code, "--site", SITE, "--broker", f"127.0.0.1:{self.broker.port}", *names, *places, *more]
        started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._processes.append(started)
        assert started.stdout is not None
        started.stdout.readline()
        return started

    def dispatcher(
        self,
        generation: int = 1,
        *,
        ways: list[Actuator] | None = None,
        ledger: Ledger | None = None,
        client: str = "",
        broker: Broker | None = None,
    ) -> Dispatcher:
        """A service's actuators, started."""
        brokers = [broker or Broker("main", "127.0.0.1", self.broker.port, client or f"flowwatch-{generation}")]
        made = Dispatcher(
            self.folder / "journal.db",
            ledger or self.ledger,
            generation,
            lambda name, _version: self.record if name == SITE else None,
            self.post,
            actuators=ways if ways is not None else [Actuator(SITE, broker="main")],
            brokers=brokers,
        )
        made.start()
        self._dispatchers.append(made)
        return made

    def knows(self, house: House, generation: int) -> None:
        """Wait until every controller knows of this generation of the service."""
        until, pause = time.monotonic() + PATIENCE_S, threading.Event()
        while any(controller.memory.generation != generation for controller in house.controllers.values()):
            assert time.monotonic() < until, house.controllers
            pause.wait(0.01)

    def told(self) -> list[dict[str, Any]]:
        """What the controllers heard and did."""
        path = self.folder / "diary.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def obeyed(self) -> list[tuple[str, str, int]]:
        """(device, setting, revision) of every command that was obeyed, in order."""
        return [(e["device"], e["setting"], e["revision"]) for e in self.told() if e["event"] == "obeyed"]

    def end(self) -> None:
        """End all."""
        for dispatcher in self._dispatchers:
            if dispatcher.alive:
                dispatcher.stop()
        for house in self._houses:
            house.stop()
        for process in self._processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        Diary.close(self.diary)
        self.story.close()
        self.ledger.close()


def modes(record: Mapping[str, Any], **table: str) -> dict[str, str]:
    """A whole table: `table`, all other gates out."""
    return {g["gate"]: table.get(g["gate"], "out") for g in record["gates"]}
