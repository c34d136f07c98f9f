"""A whole installation in a folder: broker, gates, and `flowwatch up` with its engine and its service; and how to kill each of them.

Nothing of it is in this process. A keeper starts again what was killed, as an init system would: `up` after half a second, the broker and the
gates when they are due. Only processes that stem from here are ever killed, by their ids.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from flowwatch.core.entries import canonical
from flowwatch.journal import Journal
from flowwatch.log import Writer, create
from flowwatch.service.auth.identity import Grant, Role, Scope
from flowwatch.service.auth.passwords import Passwords
from flowwatch.service.auth.tokens import Tokens
from flowwatch.service.auth.users import Users
from flowwatch.service.tables import open_store
from flowwatch.workspace import Workspace
from flowwatch_sim.gatehouse.memory import Memory
from tests.servers import Mosquitto, free_port
from tests.soak import town

PARTITIONS: Final = 4
LOST_AFTER_S: Final = 8.0
"""When a gate that is alone falls; shorter than the protocol's 30 s, so that many do."""
AGAIN_S: Final = 0.5
PERSON: Final = "duty"
PASSWORD: Final = "a long enough phrase"
PATIENCE_S: Final = 90.0

_DEPLOYMENT: Final = """\
deployment: soak
listen: "127.0.0.1:{port}"
limits: {{requests_per_min: 600000}}
brokers:
  main: {{host: 127.0.0.1, port: {broker}, client: soak}}
actuators:
"""


@dataclass
class Plant:
    """`http_sites`: how many of the sites, the last ones, are reached over HTTP; `faults`: gives the faults of gates that start."""

    root: Path
    sites: list[str]
    http_sites: int
    tick_ms: int
    faults: Callable[[], Sequence[str]]
    workers: int = 1
    more: str = ""
    """Further lines of the deployment file."""
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    """Exit codes of every `up` that ended by itself."""

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.workspace = Workspace(self.root / "data")
        self.port = free_port()
        self.token = ""
        self._gate_ports = {site: free_port() for site in self.sites[len(self.sites) - self.http_sites :]}
        self._owned = ExitStack()
        self._lock = threading.RLock()
        self._up: subprocess.Popen[bytes] | None = None
        self._gates: dict[str, subprocess.Popen[bytes]] = {}
        self._due: dict[str, float] = {}
        self._broker_dead = False
        self._ever: set[int] = set()
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)

    # ---- from beginning to end

    def start(self) -> None:
        """Make the folder and start everything."""
        town.write(self.root, len(self.sites))
        self.records = {site: town.compiled(self.root, site) for site in self.sites}
        self.workspace.root.mkdir()
        create(self.workspace.log, clock="wall", tick_us=self.tick_ms * 1000, partitions=PARTITIONS)
        with Writer.open(self.workspace.log) as writer:
            for record in self.records.values():
                writer.append_document(canonical(record), _now_us())
            writer.commit()
        Journal.open(self.workspace.journal).close()
        self._accounts()
        self.broker = self._owned.enter_context(Mosquitto(self.root, "set_tcp_nodelay true\n"))
        text = _DEPLOYMENT.format(port=self.port, broker=self.broker.port)
        for site in self.sites:
            port = self._gate_ports.get(site)
            way = "via: mqtt, broker: main" if port is None else f'via: http, url: "http://127.0.0.1:{port}/{{kind}}/{{id}}"'
            text += f"  {site}: {{{way}}}\n"
        (self.root / "deployment.yaml").write_text(text + self.more, encoding="utf-8")
        for site in self.sites:
            self._start_gates(site)
        self._start_up()
        self._keeper.start()

    def stop(self) -> int:
        """Cut the gates' power, then end the rest as an operator does; `up`'s exit code."""
        self._stopping.set()
        self._keeper.join()
        for gates in self._gates.values():
            _kill(gates)
        assert self._up is not None
        self._up.terminate()
        return self._up.wait(PATIENCE_S)

    def close(self) -> None:
        """Leave no process behind."""
        self._stopping.set()
        if self._keeper.is_alive():
            self._keeper.join()
        self._notice()
        for process in (self._up, *self._gates.values()):
            if process is not None:
                _kill(process)
        for pid in self._ever:
            if str(self.root) in _command(pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._owned.close()

    # ---- killing

    def victims(self) -> list[str]:
        """What can be killed now."""
        found = [name for name, pids in self._parts().items() if pids]
        found += [] if self._broker_dead else ["broker"]
        return found + [f"gates {site}" for site in self.sites if site not in self._due]

    def kill(self, what: str, away_s: float = 0.0) -> bool:
        """Kill -9 one of `victims`; the broker and gates stay away for so long. Whether there was something to kill."""
        with self._lock:
            self._notice()
            if what == "broker":
                if self._broker_dead:
                    return False
                self._broker_dead = True
                self.broker.stop(signal.SIGKILL)
                self._due[what] = time.monotonic() + away_s
                return True
            if what.startswith("gates "):
                site = what.removeprefix("gates ")
                _kill(self._gates[site])
                self._due[site] = time.monotonic() + away_s
                return True
            pids = self._parts().get(what, [])
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return bool(pids)

    def _parts(self) -> dict[str, list[int]]:
        """The processes of flowwatch: name -> ids; "everything" is all of them at once, as when the power goes."""
        with self._lock:
            up = self._up
            if up is None or up.poll() is not None:
                return {}
            children = {_word(pid): pid for pid in _children(up.pid)}
            engine, service = children.get("run"), children.get("serve")
            workers = _children(engine) if engine is not None else []
            whole = [up.pid, *children.values(), *workers]
            found = {"up": [up.pid], "everything": whole, "worker": workers[:1]}
            return found | {"engine": [engine] if engine else [], "service": [service] if service else []}

    def _notice(self) -> None:
        for pids in self._parts().values():
            self._ever.update(pids)

    # ---- starting again

    def _keep(self) -> None:
        up_at = 0.0
        while not self._stopping.wait(0.05):
            now = time.monotonic()
            with self._lock:
                for what in [what for what, due in self._due.items() if due <= now]:
                    del self._due[what]
                    if what == "broker":
                        self.broker.start()
                        self._broker_dead = False
                    else:
                        self._start_gates(what)
                assert self._up is not None
                code = self._up.poll()
                if code is None:
                    up_at = 0.0
                elif not up_at:
                    up_at = now + AGAIN_S
                    if code != -signal.SIGKILL:
                        self.ends.append(code)
                elif now >= up_at:
                    up_at = 0.0
                    self._start_up()

    def _start_up(self) -> None:
        how = ["--data", str(self.workspace.root), "--deployment", str(self.root / "deployment.yaml"), "--workers", str(self.workers)]
        self._up = self._process("up", ["-m", "flowwatch", "up", *how])

    def _start_gates(self, site: str) -> None:
        port = self._gate_ports.get(site)
        way = ["--broker", f"127.0.0.1:{self.broker.port}"] if port is None else ["--http", str(port)]
        kept = ["--memory", str(self.root / "memory"), "--log", str(self.diary(site)), "--lost-after", str(LOST_AFTER_S), "--turn", "0.05"]
        faults = [word for fault in self.faults() for word in ("--fault", fault)]
        named = ["--site", site, "--all", str(town.site_file(self.root, site))]
        self._gates[site] = self._process(f"gates-{site}", ["-m", "flowwatch_sim.cli.gate", *named, *way, *kept, *faults])

    def _process(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.root / f"{name}.log").open("ab") as words:
            return subprocess.Popen([sys.executable, *command], stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT)

    # ---- looking

    def said(self, text: str) -> int:
        """How often `up` and its parts said that."""
        return (self.root / "up.log").read_text(encoding="utf-8", errors="replace").count(text)

    def diary(self, site: str) -> Path:
        """What the site's gates heard and did."""
        return self.root / f"diary-{site}.jsonl"

    def memory(self, site: str) -> dict[str, Memory | None]:
        """What each gate keeps: how it is, and what it obeyed last."""
        found: dict[str, Memory | None] = {}
        for gate in town.GATES:
            try:
                found[gate] = msgspec.json.decode((self.root / "memory" / site / f"gate-{gate}.json").read_bytes(), type=Memory)
            except FileNotFoundError:
                found[gate] = None
        return found

    def _accounts(self) -> None:
        store = open_store(self.workspace.service)
        scopes = [Scope.READINGS_WRITE, Scope.READ, Scope.METRICS_READ]
        try:
            self.token, _ = Tokens(store, _now_us).add("counters", scopes, days=1, by="soak")
            Users(store, Passwords(), _now_us).add(PERSON, PASSWORD, [Grant(Role.SUPERVISOR)])
        finally:
            store.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _children(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(text) for text in listed.stdout.split()]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _word(pid: int) -> str:
    """The command of flowwatch that a process runs."""
    found = re.search(r"flowwatch (run|serve) ", _command(pid))
    return found[1] if found else f"other {pid}"


def _now_us() -> int:
    return time.time_ns() // 1000
