"""A listener of the feed that is cut off again and again, in the midst of whatever it reads, and goes on behind the last whole event that it had."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

from flowwatch.core.entries import EntryKind
from flowwatch.journal import Journal
from flowwatch.journal.pages import Sought
from flowwatch.workspace import Workspace

BEGINNING: Final = "j0-h0"
AGAIN_S: Final = 0.2
PATIENCE_S: Final = 60.0


@dataclass
class Ear:
    """`gap_s`: the mean time between two cuts."""

    port: int
    token: str
    dice: random.Random
    gap_s: float = 2.0
    cuts: int = 0
    broken: int = 0
    """How often the service ended the connection, or was not there."""
    place: str = BEGINNING
    faults: list[str] = field(default_factory=lambda: ["it was never finished"])
    heard: list[tuple[str, str | None]] = field(default_factory=list)
    """(the alert's name in the book, the journal's entry that it tells of), as they came."""
    _stopping: threading.Event = field(default_factory=threading.Event)
    _whole: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._thread = threading.Thread(target=self._run, name="ear", daemon=True)
        self._thread.start()

    def finish(self, workspace: Workspace) -> None:
        """Cut no more, and listen until everything that the journal tells of has come; what is wrong at the end stands in `faults`."""
        self._whole.set()
        until = time.monotonic() + PATIENCE_S
        while (found := wrong(self, workspace)) and time.monotonic() < until:
            self._stopping.wait(0.1)
        self.faults = found
        self.stop()

    def stop(self) -> None:
        """Hang up."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(30.0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except (OSError, http.client.HTTPException, ValueError):
                self.broken += 1
                self._stopping.wait(AGAIN_S)

    def _listen(self) -> None:
        """One connection, to its end or to a cut."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10.0)
        cut_at = time.monotonic() + self.dice.expovariate(1 / self.gap_s)
        cut_after = self.dice.choice((30, 1_000, 20_000, 10**9))
        try:
            headers = {"authorization": f"Bearer {self.token}", "last-event-id": self.place}
            connection.request("GET", "/v1/feed?kinds=alert", headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise OSError(answer.status)
            fields: dict[str, str] = {}
            rest, read = b"", 0
            while not self._stopping.is_set():
                data = answer.read1(64)
                if not data:
                    raise OSError("the stream ended")
                read += len(data)
                if not self._whole.is_set() and (time.monotonic() > cut_at or read > cut_after):
                    self.cuts += 1
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    name, _, value = line.decode().partition(": ")
                    if line:
                        fields[name] = value
                    else:
                        self._take(fields)
                        fields = {}
        finally:
            connection.close()

    def _take(self, fields: dict[str, str]) -> None:
        if fields.get("event") == "alert":
            said: dict[str, Any] = json.loads(fields["data"])
            self.heard.append((said["id"], said["body"].get("entry")))
        elif fields.get("event") == "snapshot":
            missed = json.loads(fields["data"]).get("missed")
            self.place = missed["since"] if missed else self.place
            if missed:
                raise OSError("too slow; again from there")
        self.place = fields.get("id") or self.place


def alerts(workspace: Workspace) -> list[Any]:
    """The alerts of the book, in the order in which they were written."""
    with Journal.open(workspace.handling, create=False) as book:
        found, mark = list[Any](), None
        while True:
            page, mark = book.page(Sought(kind=EntryKind.ALERT), mark)
            found += page
            if not page:
                return found


def wrong(ear: Ear, workspace: Workspace) -> list[str]:
    """What is wrong with what the ear heard, against the book; and with the book, against the journal."""
    book = alerts(workspace)
    once = list(dict.fromkeys(name for name, _ in ear.heard))
    written = [entry.id for entry in book]
    found = (
        [] if once == written else [f"heard {len(once)} alerts, the book has {len(written)}; first difference {_differs(once, written)}"]
    )
    told = [json.loads(entry.body).get("entry") for entry in book]
    with Journal.open(workspace.journal, create=False) as journal:
        for chain in journal.heads():
            wanted = [entry.id for entry in journal.entries(chain, EntryKind.INCIDENT)]
            mine = [name for name in told if name is not None and name.rpartition("-")[0] == chain]
            if mine != wanted:
                found.append(
                    f"{chain}: told of {len(mine)} entries, the journal has {len(wanted)}; first difference {_differs(mine, wanted)}"
                )
    return found


def _differs(one: list[str], other: list[str]) -> str:
    for n, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return f"at {n}: {a}, expected {b}"
    return f"at {min(len(one), len(other))}"
