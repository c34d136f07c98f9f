"""All of flowwatch on one folder, for one simulated day: engine and service under `flowwatch up`, and a house of simulated gates that obey.

The laboratory lives the day and asks here who decides (`flowwatch_sim.deciding`). What its counters say arrives over HTTP like anybody's, what
its people in charge say too, signed in; then the log is told the time (decisions/0017) and the journal says what was decided. A command is
taken by a gate once the gate's own controller has reported it. So the day is as slow as the machine and decides the same on every one.
"""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np

from flowwatch.core.entries import Entry, EntryKind, canonical
from flowwatch.core.readings import SECOND, Block, Kind
from flowwatch.core.settings import Setting
from flowwatch.decided import decided
from flowwatch.journal import Journal
from flowwatch.log import Writer, create
from flowwatch.log.errors import LogError
from flowwatch.service.auth.identity import Grant, Role, Scope
from flowwatch.service.auth.passwords import Passwords
from flowwatch.service.auth.tokens import Tokens
from flowwatch.service.auth.users import Users
from flowwatch.service.tables import open_store
from flowwatch.words import Language
from flowwatch.workspace import Workspace
from flowwatch_sim.deciding import Band
from flowwatch_sim.planned import Planned
from flowwatch_sim.sinks import Lines
from flowwatch_sim.stream import Batch

PATIENCE_S: Final = 60.0
"""How long any part may take over one step before the demonstration gives up."""
LOOK_S: Final = 0.001
MESSAGES: Final = (Kind.DELTA, Kind.CUMULATIVE, Kind.ABSOLUTE)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

PEOPLE: Final[dict[str, dict[Language, str]]] = {
    "recount": {"zh": "巡查民警", "en": "patrol"},
    "": {"zh": "值班指挥长", "en": "officer-in-charge"},
}
"""Who writes which record; the last is any other."""
WHY: Final[dict[str, dict[Language, str]]] = {
    "recount": {"zh": "例行清点", "en": "the round"},
    "confirm": {"zh": "现场情况允许", "en": "the place looks quiet"},
    "no": {"zh": "现场情况尚不允许", "en": "the place is not quiet yet"},
    "": {"zh": "演示", "en": "demonstration"},
}
BEFORE_OPENING: Final[dict[Language, str]] = {"zh": "开场前清点", "en": "counted before opening"}


class DemoFailed(LogError):  # noqa: N818 - named by what it says
    """The demonstration could not go on."""


class Pipeline:
    """Decides on the day of `planned` in `workspace`, which `running` fills. `entries`: what the journal said so far of the site."""

    def __init__(self, workspace: Workspace, planned: Planned, lang: Language) -> None:
        self.workspace, self.entries = workspace, list[Entry]()
        self._planned, self._lang, self._site = planned, lang, str(planned.loaded.site["site"])
        self._file = BytesIO()
        self._lines = Lines(self._file, [planned.scenario.site], [c["counter"] for c in planned.loaded.site["counters"]])
        self._reported: dict[str, str] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._machine = self._journal = None  # type: httpx.Client | Journal | None
        self._people: dict[str, httpx.Client] = {}

    # -- what the laboratory asks -----------------------------------------------------------------------------------------------------

    def feed(self, block: Block) -> Iterable[Entry]:
        """Send what happened up to a tick, tell the time, and wait for what is decided."""
        self._send(block)
        for i in np.flatnonzero(block.kind == Kind.ACTION).tolist():
            self._say(json.loads(block.payload[i]))
        at = int(block.at[-1])
        self._ask("POST", "/v1/time", json={"at": _iso(at)})
        self._until("a decision", lambda: (place := decided(self.workspace, "p00")) is not None and place.tick >= at)
        journal = self.journal
        found = list(journal.entries(self._site, after_id=self.entries[-1].id if self.entries else None))
        self.entries += found
        if any(entry.kind in (EntryKind.COMMAND, EntryKind.DEVICE) for entry in found):
            self._until("the devices' reports", self._all_answered)
        return found

    def taken(self, command: Entry) -> Setting | None:
        """What the gate's controller reports, if that is what it was commanded."""
        body = json.loads(command.body)
        return Setting.parse(body["setting"]) if self._reported.get(body["gate"]) == body["setting"] else None

    def bands(self, site: str, zones: Sequence[str]) -> list[Band]:  # noqa: ARG002
        """The journal's minutes have them; the laboratory needs none."""
        return [(-1, -1)] * len(zones)

    # -- over HTTP --------------------------------------------------------------------------------------------------------------------

    def _send(self, block: Block) -> None:
        messages = np.flatnonzero(np.isin(block.kind, MESSAGES))
        if not len(messages):
            return
        start = self._planned.start_us
        columns = (block.counter, block.kind, block.at - start, block.received - start, block.ingress, block.egress, block.headcount)
        self._file.seek(0)
        self._file.truncate()
        self._lines.send(Batch(np.zeros(len(messages), np.int64), *(column[messages].astype(np.int64) for column in columns)), start)
        self._ask("POST", "/v1/readings", content=self._file.getvalue(), headers={"content-type": "application/x-ndjson"})

    def _say(self, record: dict[str, Any]) -> None:
        """A record of somebody in charge, said by somebody who is signed in."""
        kind = record["type"]
        why = WHY["no"] if record.get("answer") == "no" else WHY.get(kind, WHY[""])
        if kind == "recount" and record["at_us"] == self._planned.start_us:
            why = BEFORE_OPENING
        fields = {name: value for name, value in record.items() if name not in ("action", "type", "site", "by", "reason", "at_us")}
        body = {name.removesuffix("_us"): _iso(value) if name.endswith("_us") else value for name, value in fields.items()}
        person = self._people["recount" if kind == "recount" else ""]
        self._ask("POST", f"/v1/sites/{self._site}/actions/{kind}", by=person, json=body | {"reason": why[self._lang]})

    def _all_answered(self) -> bool:
        """Whether every device has reported its newest command, and the log has its report."""
        seen = self._ask("GET", f"/v1/sites/{self._site}/gates").json()
        newest = {name: revision for entry in self.entries for name, revision in _ordered(entry)}
        known = {f"gate/{gate['gate']}": gate["device"] for gate in seen["gates"]}
        known |= {f"{device['device']}/{device['name']}": device["known"] for device in seen["devices"]}
        if seen["reports_waiting"] or not newest.keys() <= known.keys():
            return False
        if any(told is None or told["reported"]["revision"] < 2 * newest.get(name, 0) for name, told in known.items() if _driven(name)):
            return False
        self._reported = {gate["gate"]: gate["device"]["reported"]["setting"] for gate in seen["gates"]}
        return True

    def _ask(self, method: str, path: str, *, by: httpx.Client | None = None, **what: Any) -> httpx.Response:
        client = by or self._machine
        assert isinstance(client, httpx.Client)
        try:
            answer = client.request(method, path, **what)
        except httpx.HTTPError as error:
            raise self._failed(f"{method} {path}: {error}") from error
        if answer.is_error:
            raise self._failed(f"{method} {path}: {answer.status_code} {answer.text:.300}")
        return answer

    @property
    def journal(self) -> Journal:
        """The journal, while `running`."""
        assert isinstance(self._journal, Journal)
        return self._journal

    # -- processes --------------------------------------------------------------------------------------------------------------------

    @contextmanager
    def running(self) -> Iterator[None]:
        """Everything started, and stopped at the end; what the processes say goes to up.log and gates.log in the folder. Raises `DemoFailed`."""
        root, workspace = self.workspace.root, self.workspace
        create(workspace.log, clock="told", tick_us=round(self._planned.every_s * SECOND), partitions=1)
        with Writer.open(workspace.log) as writer:
            writer.append_document(canonical(_automatic(self._planned.loaded.site)), self._planned.start_us)
            writer.commit()
        Journal.open(workspace.journal).close()
        token, passwords = self._accounts()
        with ExitStack() as owned:
            gates = owned.enter_context(self._process("gates", ["flowwatch_sim.cli.gate", *self._fittings()]))
            port = int(self._heard("gates", gates, rb"http port (\d+)"))
            deployment = root / "deployment.yaml"
            deployment.write_text(DEPLOYMENT.format(site=self._site, port=port), encoding="utf-8")
            how = ["--data", str(root), "--deployment", str(deployment), "--listen", "127.0.0.1:0"]
            up = owned.enter_context(self._process("up", ["flowwatch", "up", *how]))
            base = self._heard("up", up, rb"serving (http://\S+)").decode()
            self._machine = owned.enter_context(
                httpx.Client(base_url=base, headers={"authorization": f"Bearer {token}"}, timeout=PATIENCE_S, trust_env=False)
            )
            for role, password in passwords.items():
                self._people[role] = owned.enter_context(httpx.Client(base_url=base, timeout=PATIENCE_S, trust_env=False))
                asked = {"name": PEOPLE[role][self._lang], "password": password}
                csrf = self._ask("POST", "/v1/session", by=self._people[role], json=asked).json()["csrf"]
                self._people[role].headers["x-csrf-token"] = csrf
            self._journal = owned.enter_context(Journal.open(workspace.journal, create=False))
            yield

    def _accounts(self) -> tuple[str, dict[str, str]]:
        """A machine's token, and a password for each of the people in charge; all of them good for this day only."""
        with ExitStack() as owned:
            store = open_store(self.workspace.service)
            owned.callback(store.close)
            scopes = [Scope.READINGS_WRITE, Scope.TIME_WRITE, Scope.READ]
            token, _ = Tokens(store, _now_us).add("the simulated counters", scopes, days=1, by="demo")
            users = Users(store, Passwords(), _now_us)
            passwords = {role: secrets.token_urlsafe(24) for role in PEOPLE}
            for role, password in passwords.items():
                users.add(PEOPLE[role][self._lang], password, [Grant(Role.SUPERVISOR)])
        return token, passwords

    def _fittings(self) -> list[str]:
        site = self._planned.loaded.site
        named = [f"{kind}/{thing[kind]}" for kind in ("gate", "barrier", "sign") for thing in site[f"{kind}s"]]
        devices = [text for name in named for text in ("--device", name)]
        return ["--site", self._site, "--http", "0", "--memory", str(self.workspace.root / "gates"), "--lost-after", "3600", *devices]

    @contextmanager
    def _process(self, name: str, module: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        with self._words(name).open("wb") as words:
            process = subprocess.Popen([sys.executable, "-m", *module], stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT)
        self._processes[name] = process
        try:
            yield process
            del self._processes[name]
            process.terminate()
            if (code := process.wait(PATIENCE_S)) != 0:
                raise DemoFailed(self.workspace.root, f"{name} ended with exit code {code}", f"0; {self._words(name).name} tells more")
        finally:
            process.kill()
            process.wait()

    def _words(self, name: str) -> Path:
        return self.workspace.root / f"{name}.log"

    def _heard(self, name: str, process: subprocess.Popen[bytes], pattern: bytes) -> bytes:
        """What a process says in its log, once it does."""
        found: list[bytes] = []

        def look() -> bool:
            match = re.search(pattern, self._words(name).read_bytes())
            found.extend([match[1]] if match else [])
            return bool(match)

        del process
        self._until(f"the start of {name}", look)
        return found[0]

    def _until(self, what: str, come: Any) -> None:
        """Wait until something has come about, as long as all processes live."""
        patience = time.monotonic() + PATIENCE_S
        while not come():
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise self._failed(f"{name} ended with exit code {process.returncode}")
            if time.monotonic() > patience:
                raise self._failed(f"no sign of {what} after {PATIENCE_S:.0f} s")
            time.sleep(LOOK_S)

    def _failed(self, found: str) -> DemoFailed:
        return DemoFailed(self.workspace.root, found, "engine, service and gates at work; up.log and gates.log tell more")


DEPLOYMENT: Final = """\
# How this demonstration was connected; `flowwatch up --data FOLDER --deployment FOLDER/deployment.yaml` starts it again.
deployment: demo
actuators:
  {site}: {{via: http, url: "http://127.0.0.1:{port}/{{kind}}/{{id}}"}}
"""


def _ordered(entry: Entry) -> Iterator[tuple[str, int]]:
    """The device that an entry orders something of, and the number of the command."""
    if entry.kind in (EntryKind.COMMAND, EntryKind.DEVICE):
        body = json.loads(entry.body)
        yield (f"gate/{body['gate']}" if entry.kind is EntryKind.COMMAND else f"{body['device']}/{body['name']}"), body["revision"]


def _driven(name: str) -> bool:
    """Whether a device has a controller here; people lead others along links."""
    return not name.startswith("link/")


def _automatic(site: Mapping[str, Any]) -> dict[str, Any]:
    """The compiled site with gates that follow by themselves, since nobody is there to turn them."""
    return {**site, "delivery": "automatic", "gates": [{**gate, "delivery": "automatic"} for gate in site["gates"]]}


def _iso(us: int) -> str:
    return (_EPOCH + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")


def _now_us() -> int:
    return time.time_ns() // 1000
