"""A whole installation with a Prometheus beside it, and an evening on it in two minutes and a half.

At quay-0 people come until both bars are crossed; one of its counters falls silent, its gates lose their power, somebody acknowledges what came up.
Quay-1, over HTTP, stays calm.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.journal import Journal
from flowwatch.workspace import Workspace
from tests.servers import Prometheus, free_port
from tests.soak import town
from tests.soak.crowd import person
from tests.soak.plant import PASSWORD, PERSON, Plant

ROOT: Final = Path(__file__).parents[2]
SILENT: Final = "quay-0/at-g"
LASTS_S: Final = 155
EVERY_S: Final = 0.5
SCRAPE_S: Final = 1.0
TURNS: Final = {15: 900, 40: 900}
"""Second of the evening -> how many come to quay-0 at once: over 1,000, then over 1,800."""
GATES_GO_S: Final = 60
SILENT_FROM_S: Final = 20
_MORE: Final = """\
inputs:
  mqtt:
    - {{broker: main, topic: "flowwatch/v1/+/count/+", format: flowwatch}}
feeds:
  alertmanager:
    - url: "https://127.0.0.1:{port}"
      tls: {{certificate: client.pem, key: client.key}}
areas: {{quay-0: harbour/east, quay-1: harbour/west}}
"""
_CONFIG: Final = """\
global: {{scrape_interval: 1s, evaluation_interval: 5s}}
rule_files: ["{rules}/*.yml"]
scrape_configs:
  - job_name: flowwatch
    authorization: {{credentials: "{token}"}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@dataclass
class Evening:
    """What is left of it. Seconds since the epoch."""

    workspace: Workspace
    prometheus: str
    instance: str
    began: float
    ended: float
    faults: list[str] = field(default_factory=list)

    def ask(self, expression: str, at: float) -> list[dict[str, Any]]:
        """The series of an expression at one moment."""
        return self._get("query", query=expression, time=at)

    def ask_all(self, expression: str) -> list[dict[str, Any]]:
        """The series of an expression over the whole evening."""
        return self._get("query_range", query=expression, start=self.began, end=self.ended, step=5)

    def _get(self, what: str, **asked: Any) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.prometheus}/api/v1/{what}", params=asked, timeout=30, trust_env=False).json()
        assert answer["status"] == "success", (asked, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def decided(self, kind: EntryKind) -> list[Entry]:
        """The journal's entries of a kind."""
        with Journal.open(self.workspace.journal, create=False) as journal:
            return list(journal.entries(kind=kind))

    def handled(self) -> dict[str, list[Entry]]:
        """The book, by chain."""
        with Journal.open(self.workspace.handling, create=False) as book:
            return {chain: list(book.entries(chain)) for chain in book.heads()}


@contextmanager
def evening(folder: Path) -> Iterator[Evening]:
    """Live it; the installation and Prometheus are there until the end of the context."""
    with ExitStack() as owned:
        plant = Plant(folder / "plant", town.names(2), 1, 500, lambda: (), more=_MORE.format(port=free_port()))
        owned.callback(plant.close)
        _certificate(folder / "plant")
        plant.start()
        base = f"http://127.0.0.1:{plant.port}"
        _until(lambda: _healthy(base))
        config = _CONFIG.format(rules=ROOT / "config" / "prometheus" / "rules", token=plant.token, port=plant.port)
        prometheus = owned.enter_context(Prometheus(folder, config))
        began = time.time()
        made = Evening(plant.workspace, prometheus.url, f"127.0.0.1:{plant.port}", began, began)
        duty = owned.enter_context(person(base, PERSON, PASSWORD))
        for site in plant.sites:
            for zone, count in town.BASE.items():
                duty.says(site, "recount", {"zone": zone, "count": count, "reason": "counted before opening"})
        with httpx.Client(base_url=base, headers={"authorization": f"Bearer {plant.token}"}, timeout=30, trust_env=False) as client:
            _live(client, plant, base, made)
        made.ended = time.time()
        yield made


def _live(client: httpx.Client, plant: Plant, base: str, made: Evening) -> None:
    dice, begun, turns = random.Random(1), time.monotonic(), dict(TURNS)
    power, acknowledged = True, False
    while (second := time.monotonic() - begun) < LASTS_S:
        more = next((turns.pop(at) for at in list(turns) if second >= at), 0)
        lines = [line for site in plant.sites for line in _readings(site, dice, more if site == "quay-0" else 0, second)]
        answer = client.post("/v1/readings", content="\n".join(lines), headers={"content-type": "application/x-ndjson"})
        if answer.status_code != 202 or answer.json()["accepted"] != len(lines):
            made.faults.append(f"{answer.status_code} {answer.text:.200}")
        if power and second >= GATES_GO_S:
            power = not plant.kill("gates quay-0", away_s=3_600)
        if not acknowledged and second >= GATES_GO_S:
            acknowledged = _acknowledge(client, base)
        threading.Event().wait(EVERY_S)


def _readings(site: str, dice: random.Random, more: int, second: float) -> Iterator[str]:
    at = dt.datetime.now(dt.UTC)
    for gate in town.OUTER:
        counter = f"{site}/at-{gate}"
        if counter == SILENT and second >= SILENT_FROM_S:
            continue
        some = dice.randrange(4)
        yield json.dumps({"counter": counter, "at": at.isoformat(), "in": some + (more if gate == "a" else 0), "out": some})


def _acknowledge(client: httpx.Client, base: str) -> bool:
    """Somebody answers all that is open at quay-0 and asks for it; whether there was anything."""
    found = client.get("/v1/sites/quay-0/incidents").json()["incidents"]
    with httpx.Client(base_url=base, timeout=30, trust_env=False) as officer:
        signed = officer.post("/v1/session", json={"name": PERSON, "password": PASSWORD})
        officer.headers["x-csrf-token"] = signed.json()["csrf"]
        paths = [f"/v1/sites/quay-0/incidents/{one['incident']}/acknowledge" for one in found]
        return sum(officer.post(path, json={}).status_code < 300 for path in paths) > 0


def _certificate(folder: Path) -> None:
    """A client's certificate for a receiver, as a deployment file may name one."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "flowwatch")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=90))
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "client.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "client.key").write_bytes(plain)


def _healthy(base: str) -> bool:
    try:
        return httpx.get(f"{base}/health", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _until(true: Callable[[], bool], patience_s: float = 60) -> None:
    until = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < until
        threading.Event().wait(0.1)
