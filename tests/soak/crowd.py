"""Readings over HTTP by a sender that gives nothing up, and what a person says: each goes on asking until it has been answered."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from tests.soak import town

EVERY_S: Final = 0.25
AGAIN_S: Final = 0.1
TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Row:
    """One reading that was answered 202."""

    counter: str
    at_us: int
    came: int
    left: int


@dataclass
class Crowd:
    """The counters of one site: people come and go, and every few seconds so many at once that the site passes a bar."""

    base: str
    token: str
    site: str
    dice: random.Random
    rest_s: tuple[float, float]
    accepted: list[Row] = field(default_factory=list)
    requests: int = 0
    tries: int = 0
    faults: list[str] = field(default_factory=list)
    """Answers that should never come."""

    def __post_init__(self) -> None:
        self.inside = sum(town.BASE.values())
        self._level = "calm"
        self._seq = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"crowd {self.site}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Bring the last request to its end and send no more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(
            base_url=self.base, headers={"authorization": f"Bearer {self.token}"}, timeout=TIMEOUT_S, trust_env=False
        ) as client:
            turn_at = time.monotonic() + self.dice.uniform(*self.rest_s)
            while not self._stopping.wait(EVERY_S):
                more = 0
                if time.monotonic() >= turn_at:
                    more = self._turn()
                    turn_at = time.monotonic() + self.dice.uniform(*self.rest_s)
                self._send(client, self._rows(more))

    def _turn(self) -> int:
        """How many come (or go) so that another stage is reached."""
        others = {"calm": ("swapped",) * 4 + ("empty",), "swapped": ("calm",) * 4 + ("empty",), "empty": ("calm", "swapped")}
        self._level = self.dice.choice(others[self._level])
        return town.LEVELS[self._level] - self.inside

    def _rows(self, more: int) -> list[Row]:
        """A few readings of each counter; those of `more` people on three of them."""
        shares = dict.fromkeys(("a", "c", "e"), more // 3) if more else {}
        if shares:
            shares["a"] += more - sum(shares.values())
        now, rows = time.time_ns() // 1000, []
        for number, gate in enumerate(town.OUTER):
            some = self.dice.randrange(4)
            came, left = some + max(shares.get(gate, 0), 0), some + max(-shares.get(gate, 0), 0)
            rows.append(Row(f"{self.site}/at-{gate}", now + number, came, left))
        return rows

    def _send(self, client: httpx.Client, rows: list[Row]) -> None:
        self._seq += 1
        body = "\n".join(json.dumps(self._line(row)) for row in rows).encode()
        headers = {"content-type": "application/x-ndjson", "idempotency-key": f"{self.site}-{self._seq}"}
        self.requests += 1
        while True:
            self.tries += 1
            answer = _answer(client, "/v1/readings", content=body, headers=headers)
            if answer is not None and answer.status_code == 202:
                break
            if answer is not None and answer.status_code not in (429, 503, 409):
                self.faults.append(f"{answer.status_code} {answer.text:.200}")
            time.sleep(AGAIN_S)
        if answer.json()["accepted"] != len(rows):
            self.faults.append(answer.text[:200])
        self.accepted += rows
        self.inside += sum(row.came - row.left for row in rows)

    def _line(self, row: Row) -> dict[str, Any]:
        at = datetime.fromtimestamp(row.at_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        line: dict[str, Any] = {"counter": row.counter, "at": f"{at}.{row.at_us % 1_000_000:06d}Z", "in": row.came, "out": row.left}
        return line | ({"seq": self._seq} if self._seq % 2 else {})


class Person:
    """Somebody in charge, who signs in again whenever that is needed."""

    def __init__(self, base: str, name: str, password: str) -> None:
        self._client = httpx.Client(base_url=base, timeout=TIMEOUT_S, trust_env=False)
        self._who = {"name": name, "password": password}
        self._signed_in = False

    def says(self, site: str, kind: str, record: dict[str, Any], patience_s: float = 120.0) -> str:
        """Write a record; its name once it is durable. Where the answer was lost it is said again."""
        until = time.monotonic() + patience_s
        said = None
        while time.monotonic() < until:
            if self._signed_in or self._sign_in():
                said = _answer(self._client, f"/v1/sites/{site}/actions/{kind}", json=record)
                if said is not None and said.status_code in (200, 202):
                    return str(said.json()["action"])
                self._signed_in = said is None or said.status_code not in (401, 403)
            time.sleep(AGAIN_S)
        raise TimeoutError(f"{kind} at {site}: {said.text if said is not None else 'no answer'}")

    def _sign_in(self) -> bool:
        answer = _answer(self._client, "/v1/session", json=self._who)
        if answer is None or answer.status_code != 201:
            return False
        self._client.headers["x-csrf-token"] = answer.json()["csrf"]
        self._signed_in = True
        return True

    def close(self) -> None:
        """Go."""
        self._client.close()


@contextmanager
def person(base: str, name: str, password: str) -> Iterator[Person]:
    """A person for a while."""
    made = Person(base, name, password)
    try:
        yield made
    finally:
        made.close()


def _answer(client: httpx.Client, path: str, **what: Any) -> httpx.Response | None:
    try:
        return client.post(path, **what)
    except httpx.HTTPError:
        return None
