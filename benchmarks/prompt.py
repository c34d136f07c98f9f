"""How soon: from a reading's 202 over HTTP to the command on the MQTT wire, at 5,000 readings a second.

    python -m benchmarks.prompt [--minutes 1] [--rate 5000] [--connections 50] [--probes 30] [--write]

Real processes side by side: `flowwatch run`, `flowwatch serve` with a deployment file, Mosquitto, and a sender that posts what all counters see
once a second, as gateways do: batches with idempotency keys over connections that stay open, each at its own moment of the second, on a schedule
that waits for nobody. At random moments one reading more, in a request of its own, takes one of the probe sites over its bar, or back. The clock
starts when its 202 is here and stops when a subscriber has all commands that follow, one a gate. The subscriber is the gates, too: it acknowledges
and reports, so that the next command may go. Decisions are taken at ticks: the aim is one tick and 150 ms for 99 in 100.

Beside it: what each process used of a core, and what it held of memory a few seconds after the load began,
half way and at its end.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import numpy as np
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks import measure
from benchmarks.live import REST_S, prepare
from benchmarks.measure import say, table, verdict
from benchmarks.workload import GATES, SECOND_US, Shape
from flowwatch.actuators import protocol
from flowwatch.actuators.mqtt import without_delay
from flowwatch.actuators.protocol import Ack, Command, Outcome, State
from flowwatch.core.readings import ABSENT, Kind
from flowwatch.service.auth.identity import Scope
from flowwatch.service.auth.tokens import Tokens
from flowwatch.service.tables import open_store
from flowwatch.workspace import Workspace
from flowwatch_sim.posting import Posts
from flowwatch_sim.sinks import Texts
from flowwatch_sim.stream import Batch
from tests.servers import BINARY, Mosquitto, free_port

BEYOND_TICK_S: Final = 0.150
PROBES_PER_S: Final = 5.0
WARM_S: Final = 10.0
"""Of load before anything is measured."""
PATIENCE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Probe:
    """A reading that took its site over its bar, or back: `closes`; answered with 202 at `at` (seconds on the monotonic clock)."""

    site: str
    closes: bool
    at: float


@dataclass(frozen=True, slots=True)
class Used:
    """What a process used of a core, and held of memory (MiB) at the begin, half way and at the end."""

    cores: float
    begin: float
    half: float
    end: float


@dataclass(slots=True)
class Load:
    """What the sender did: readings accepted in so many seconds; the most that a batch went out late, and the 99th of 100 answers."""

    readings: int = 0
    took: float = 0.0
    late: float = 0.0
    answered_p99: float = 0.0
    refused: int = 0
    again: int = 0


@dataclass(slots=True)
class Result:
    """Seconds from each probe's answer to its last command, how many had none, and what it cost."""

    waits: list[float] = field(default_factory=list)
    lost: int = 0
    load: Load = field(default_factory=Load)
    used: dict[str, Used] = field(default_factory=dict)


class Gates:
    """Every gate of the probe sites: hears its commands, notes when, obeys and reports at once."""

    def __init__(self, port: int, sites: Sequence[str]) -> None:
        self.heard: list[tuple[float, str, str, str, int]] = []
        """When, site, device, setting, revision; a revision once."""
        self._sites = sites
        self._known: set[tuple[str, str, int]] = set()
        self._client = Client(CallbackAPIVersion.VERSION2, "gates", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message, self._client.on_socket_open = self._hear, without_delay
        self._client.max_inflight_messages_set(0)
        connected = threading.Event()
        self._client.on_connect = lambda *_: connected.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        if not connected.wait(PATIENCE_S):
            raise RuntimeError("the broker does not answer")
        self._client.subscribe("flowwatch/v1/+/gate/+/cmd", qos=1)
        for site in sites:
            for g in range(GATES):
                self._say(site, State(device=f"gate/gate-{g}", link="up", setting="both", on_lost="out", at=datetime.now(UTC)))

    def close(self) -> None:
        """Hang up."""
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        now = time.monotonic()
        command = protocol.read(Command, bytes(message.payload))
        name = (command.site, command.device, command.revision)
        if name not in self._known:
            self._known.add(name)
            self.heard.append((now, command.site, command.device, str(command.setting), command.revision))
        about: dict[str, Any] = {
            "device": command.device,
            "revision": command.revision,
            "command": command.command,
            "attempt": command.attempt,
        }
        ack = Ack(**about, outcome=Outcome.DONE, at=datetime.now(UTC))
        self._client.publish(protocol.topic(command.site, command.device, "cmd/ack"), protocol.write(ack), qos=1)
        state = State(**about, link="up", setting=command.setting, generation=command.generation, on_lost="out", at=datetime.now(UTC))
        self._say(command.site, state)

    def _say(self, site: str, state: State) -> None:
        self._client.publish(protocol.topic(site, state.device, "state"), protocol.write(state), qos=1, retain=True)


def matched(probes: Sequence[Probe], heard: Sequence[tuple[float, str, str, str, int]]) -> tuple[list[float], int]:
    """Seconds from each probe's answer to the last of its commands; and how many probes had not one for every gate.

    The k-th probe of a site is its k-th change. A site whose gates did not hear exactly those changes, in this order, has lost all of its own.
    """
    told: dict[tuple[str, str], list[tuple[str, float]]] = defaultdict(list)
    for when, site, device, setting, _ in heard:
        told[site, device].append((setting, when))
    mine: dict[str, list[Probe]] = defaultdict(list)
    for probe in probes:
        mine[probe.site].append(probe)
    waits: list[float] = []
    lost = 0
    for site, asked in mine.items():
        wanted = ["out" if probe.closes else "both" for probe in asked]
        gates = [told[site, f"gate/gate-{g}"] for g in range(GATES)]
        if any([setting for setting, _ in gate] != wanted for gate in gates):
            lost += len(asked)
            continue
        waits += [max(gate[k][1] for gate in gates) - probe.at for k, probe in enumerate(asked)]
    return waits, lost


class Prober:
    """Posts probes, one request each, over a connection of its own."""

    def __init__(self, port: int, token: str, shape: Shape, sites: Sequence[str]) -> None:
        self.probes: list[Probe] = []
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._step = shape.enter - shape.begin + shape.enter - shape.clear
        self._closed, self._rested = dict.fromkeys(sites, False), dict.fromkeys(sites, 0.0)
        self._rng = np.random.default_rng(shape.seed)

    def work(self, seconds: float) -> None:
        """Probe at random moments for so long, and then wait until the last must be decided."""
        due, until = time.monotonic(), time.monotonic() + seconds
        while (due := due + float(self._rng.exponential(1 / PROBES_PER_S))) < until:
            time.sleep(max(0.0, due - time.monotonic()))
            rested = [site for site, since in self._rested.items() if time.monotonic() >= since]
            if rested:
                self._probe(rested[int(self._rng.integers(len(rested)))])
        time.sleep(max(0.0, until - time.monotonic()) + REST_S)
        self._connection.close()

    def _probe(self, site: str) -> None:
        closes = not self._closed[site]
        people = {"in": self._step, "out": 0} if closes else {"in": 0, "out": self._step}
        body = json.dumps({"counter": f"{site}/counter-00", "at": datetime.now(UTC).isoformat(), **people}).encode()
        self._connection.request("POST", "/v1/readings", body, self._headers)
        answer = self._connection.getresponse()
        told = json.loads(answer.read())
        if answer.status != 202 or told["accepted"] != 1:
            raise RuntimeError(f"a probe was answered {answer.status} {told}")
        self.probes.append(Probe(site, closes, time.monotonic()))
        self._closed[site], self._rested[site] = closes, time.monotonic() + REST_S


def post_load(port: int, token: str, shape: Shape, connections: int, pipe: Connection) -> None:
    """The sender's process: post what all counters see, a batch a connection and second, until the pipe says so; then tell what came of it.

    Anything that comes before the end begins the count anew.
    """
    texts = Texts([shape.site(s) for s in range(shape.sites)], [f"counter-{c:02d}" for c in range(shape.counters)])
    sink = Posts(f"http://127.0.0.1:{port}", token, texts, connections=connections)
    parts = [np.arange(first, shape.sites, connections) for first in range(connections)]
    began = due = time.monotonic()
    load, sent, before = Load(), 0, 0
    while True:
        for sites in parts:
            due += shape.period_us / SECOND_US / connections
            lag = time.monotonic() - due
            if lag < 0:
                time.sleep(-lag)
            load.late = max(load.late, lag)
            sink.send(_seen(sites, shape.counters), 0, max(0.0, lag))
            sent += len(sites) * shape.counters
        if not pipe.poll():
            continue
        if pipe.recv() == "end":
            load.readings, load.took = sent - before, time.monotonic() - began
            break
        load, before, began = Load(), sent, time.monotonic()
    sink.close()
    tally = sink.taken()
    assert tally is not None
    load.answered_p99, load.refused, load.again = tally.wait_s(0.99), tally.refused.total() + sent - tally.accepted, tally.again
    pipe.send(load)


def _seen(sites: np.ndarray[Any, np.dtype[np.int64]], counters: int) -> Batch:
    n = len(sites) * counters
    now, one, none = np.full(n, time.time_ns() // 1000), np.ones(n, np.int64), np.full(n, ABSENT)
    return Batch(np.repeat(sites, counters), np.tile(np.arange(counters), len(sites)), np.full(n, Kind.DELTA), now, now, one, one, none)


@contextmanager
def running(process: subprocess.Popen[bytes]) -> Iterator[int]:
    """A process that is ended; gives its number. Raises RuntimeError where it did not end well."""
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with exit code {process.returncode}")


def trial(root: Path, shape: Shape, seconds: float, connections: int, probed: int, tick_us: int) -> Result:
    """One run."""
    if BINARY is None:
        raise RuntimeError("mosquitto is not installed")
    workspace, sites = Workspace(root), [shape.site(s) for s in range(probed)]
    prepare(root, shape, tick_us, 16, automatic)
    with closing(open_store(workspace.service)) as store:
        token, _ = Tokens(store, lambda: time.time_ns() // 1000).add("benchmark", [Scope.READINGS_WRITE], by="benchmark")
    port = free_port()
    context = multiprocessing.get_context("spawn")
    with ExitStack() as owned:
        broker = owned.enter_context(Mosquitto(root, "max_queued_messages 0\n", keeps=False))
        (root / "deployment.yaml").write_text(_deployment(port, broker.port, sites), encoding="utf-8")
        gates = Gates(broker.port, sites)
        owned.callback(gates.close)
        engine = owned.enter_context(running(measure.flowwatch("run", "--data", root)))
        service = owned.enter_context(running(measure.flowwatch("serve", "--data", root, "--deployment", root / "deployment.yaml")))
        until(lambda: len({row[1:3] for row in gates.heard}) == GATES * probed and listens(port))
        pipe, its = context.Pipe()
        sender = context.Process(target=post_load, args=(port, token, shape, connections, its), daemon=True)
        sender.start()
        owned.callback(sender.kill)
        assert sender.pid is not None
        time.sleep(WARM_S)
        numbers = {"service": service, "engine": engine, "broker": broker.pid, "sender": sender.pid}
        pipe.send("begin")
        gates.heard.clear()
        before, began = {name: spent(pid) for name, pid in numbers.items()}, time.monotonic()
        held = {name: resident(pid) for name, pid in numbers.items()}
        say(f"{shape.sites:,} sites are up; readings for {seconds:g} s")
        half: dict[str, float] = {}
        timer = threading.Timer(seconds / 2, lambda: half.update({name: resident(pid) for name, pid in numbers.items()}))
        timer.start()
        prober = Prober(port, token, shape, sites)
        prober.work(seconds)
        timer.join()
        took = time.monotonic() - began
        used = {name: Used((spent(pid) - before[name]) / took, held[name], half[name], resident(pid)) for name, pid in numbers.items()}
        pipe.send("end")
        load = pipe.recv()
    return Result(*matched(prober.probes, gates.heard), load, used)


def automatic(record: dict[str, Any]) -> dict[str, Any]:
    """A compiled site whose commands go out by themselves."""
    return record | {"delivery": "automatic", "gates": [gate | {"delivery": "automatic"} for gate in record["gates"]]}


def _deployment(port: int, broker_port: int, sites: Sequence[str]) -> str:
    actuators = "".join(f"  {site}: {{via: mqtt, broker: main}}\n" for site in sites)
    broker = f"brokers:\n  main: {{host: 127.0.0.1, port: {broker_port}, client: bench}}\n"
    return f'deployment: bench\nlisten: "127.0.0.1:{port}"\n{broker}actuators:\n{actuators}'


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > end:
            raise RuntimeError(f"not everything was up after {PATIENCE_S:g} s")
        time.sleep(0.05)


def _family(pid: int) -> list[int]:
    """A process and its children."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [member for child in task.read_text().split() for member in _family(int(child))]
    return found


def spent(pid: int) -> float:
    """Seconds of a core that a process and its children have used."""
    fields = [Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split() for member in _family(pid)]
    return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """MiB of memory that a process and its children hold."""
    lines = [line for member in _family(pid) for line in Path(f"/proc/{member}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def told(result: Result, tick_us: int) -> str:
    """The tables."""
    aim = tick_us / SECOND_US + BEYOND_TICK_S
    kept = bool(result.waits) and not result.lost and float(np.percentile(result.waits, 99)) <= aim
    spread = [f"{value * 1000:,.0f}" for value in np.percentile(result.waits, (0, 50, 99, 100))] if result.waits else [""] * 4
    load = result.load
    row = [f"{load.readings / load.took:,.0f}" if load.took else "", f"{len(result.waits):,}", f"{result.lost:,}", *spread]
    row += [verdict(met=kept), f"{load.answered_p99 * 1000:,.0f}", f"{load.late * 1000:,.0f}", f"{load.refused:,}"]
    head = [
        "readings/s",
        "probes",
        "lost",
        "least",
        "p50",
        "p99",
        "max",
        f"p99 within {aim * 1000:,.0f} ms",
        "batches answered, p99",
        "sender late",
    ]
    head.append("refused")
    return f"{table(head, [row])}\n\n{processes(result.used)}"


def processes(used: Mapping[str, Used]) -> str:
    """What each process used."""
    rows = [[name, f"{u.cores * 100:.0f} %", *(f"{mib:,.0f}" for mib in (u.begin, u.half, u.end))] for name, u in used.items()]
    return table(["process", "of a core", "MiB at the begin", "half way", "at the end"], rows)


def main() -> None:
    """Run it, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--rate", type=int, default=5_000)
    parser.add_argument("--sites", type=int, default=100)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--probes", type=int, default=30, help="how many of the sites are probed [default: 30]")
    parser.add_argument("--tick-ms", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, help="where log and journal go, on the disk to be measured [default: a temporary one]")
    parser.add_argument("--note", default="", help="a sentence about the circumstances")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    asked = parser.parse_args()
    shape = Shape(sites=asked.sites, counters=asked.rate // asked.sites, rate=asked.rate)
    tick_us = asked.tick_ms * 1000
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        result = trial(Path(folder), shape, asked.minutes * 60, asked.connections, asked.probes, tick_us)
    how = f"{asked.minutes:g} min, {shape.sites:,} sites, {asked.connections} connections, a tick every {asked.tick_ms} ms; all times in milliseconds"
    text = f"{how}. {measure.machine()}{asked.note and f'. {asked.note}'}\n\n{told(result, tick_us)}"
    measure.report("prompt" if asked.minutes < 5 else "prompt long", text, write=asked.write)


if __name__ == "__main__":
    main()
