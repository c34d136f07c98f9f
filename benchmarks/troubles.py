"""A simulated day at a site whose devices answer, refuse, lie and are lost: what the engine says of it, entry by entry.

The laboratory's gates are turned by people, and nobody reports. Here every gate and sign has a controller that reports over the log as the service
writes it: a scenario's disobedience becomes refusals, silence and lies, and links are lost as `Lost` says. So the engine tells of devices as well as
of counters. No clock and no wire is involved: the same seed gives the same journal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Any, Final, NamedTuple

import numpy as np

from flowwatch.core.entries import Entry, EntryKind, canonical
from flowwatch.core.readings import ABSENT, SECOND, Block, Kind
from flowwatch.documents import Source, find, load, shipped
from flowwatch_sim.deciding import Production
from flowwatch_sim.laboratory import Laboratory
from flowwatch_sim.planned import Planned, read_scenario
from flowwatch_sim.rules import can_have
from flowwatch_sim.scenario import Disobedience, Wrong

FALLS_S: Final = 30.0
"""A gate without a link for so long sets itself to its `on_lost` (gate-protocol.md)."""
SAYS_S: Final = 1.0
"""From a command to the first answer, over the wire."""
RETURNS_S: Final = 5.0
"""From a link that is back to the command that is sent again."""


SITE: Final = "yuyuan"
HEAD: Final = """
scenario: trouble
title: {{zh: 故障, en: Trouble}}
site: yuyuan
starts: 2026-10-01 09:00
lasts: 75m
streams: [{{stream: visitors, people: {people}, template: even, stay: 25m, shocks: [{{at: 35m, lasts: 40m, factor: 0.1}}]}}]
operators: {{answer: 1m, carry_out: 20s}}
"""


@dataclass(frozen=True, slots=True)
class Lost:
    """The link to a gate (None: to all of them) is down from `since` until `until`, seconds."""

    gate: str | None
    since: float
    until: float


class _Told(NamedTuple):
    """A report on its way: when (seconds), in which order, and what it says."""

    at: float
    number: int
    device: str
    fields: Mapping[str, Any]


@dataclass(slots=True)
class _Device:
    """What a device was commanded last, and what it has obeyed."""

    asked: str | None = None
    asked_revision: int = 0
    setting: str | None = None
    revision: int = 0


class Answering(Production):
    """The production engine, and devices that answer. `entries`: what it said of the site, in order."""

    def __init__(self, planned: Planned, lost: Sequence[Lost] = ()) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self._planned, self._lost = planned, lost
        self._site = str(planned.loaded.site["site"])
        self._devices: dict[str, _Device] = {}
        self._told: list[_Told] = []
        self._number = self._first = 0
        names = [gate["gate"] for gate in planned.loaded.site["gates"]]
        self._falls = {f"gate/{gate['gate']}": str(gate["on_lost"]) for gate in planned.loaded.site["gates"]}
        for outage in lost:
            for name in names if outage.gate is None else [outage.gate]:
                self._say(outage.since, f"gate/{name}", {"link": "lost", "setting": None, "revision": 0})
                self._say(outage.until, f"gate/{name}", {"back": outage.until - outage.since >= FALLS_S})

    def feed(self, block: Block) -> Iterable[Entry]:
        """Let the devices say what they have to say up to the tick, and decide."""
        now = (int(block.at[-1]) - self._planned.start_us) / SECOND
        whole = replace(self._with_reports(_automatic(block), now), first=self._first)
        self._first += len(whole)
        found = list(super().feed(whole))
        for entry in found:
            if entry.chain == self._site:
                self.entries.append(entry)
                self._hear(entry, now)
        return found

    def _hear(self, entry: Entry, now: float) -> None:
        if entry.kind not in (EntryKind.COMMAND, EntryKind.DEVICE):
            return
        body = json.loads(entry.body)
        if entry.kind is EntryKind.DEVICE and body["device"] == "link":
            return  # people lead along links
        name = f"gate/{body['gate']}" if entry.kind is EntryKind.COMMAND else f"{body['device']}/{body['name']}"
        asked = body["setting"] if entry.kind is EntryKind.COMMAND else body["state"]
        device = self._devices.setdefault(name, _Device())
        device.asked, device.asked_revision = asked if isinstance(asked, str) else None, 2 * body["revision"]
        self._send(name, now)

    def _send(self, name: str, now: float) -> None:
        """The newest command reaches a device, if anything does."""
        if any(outage.since <= now < outage.until for outage in self._losses(name)):
            return
        does, until = self._does(name, now)
        takes = self._planned.carry_out_s if name.startswith("gate/") else SAYS_S
        match does:
            case "refuses":
                about = self._devices[name].asked_revision
                self._say(now + SAYS_S, name, {"refused": about})
                self._say(until, name, {"again": True})
            case "jams":
                self._say(until, name, {"again": True})
            case "slow":
                self._say(now + 3 * takes, name, {"obeys": self._devices[name].asked_revision})
            case _:
                self._say(now + takes, name, {"obeys": self._devices[name].asked_revision})

    def _losses(self, name: str) -> list[Lost]:
        return [outage for outage in self._lost if name.startswith("gate/") and outage.gate in (None, name.removeprefix("gate/"))]

    def _does(self, name: str, now: float) -> tuple[str, float]:
        gates = self._planned.layout.gates
        if name.removeprefix("gate/") in gates:
            number = gates.index(name.removeprefix("gate/"))
            for trouble in self._planned.disobedience:
                if trouble.gate == number and trouble.since <= now < trouble.until:
                    return trouble.does, trouble.until
        return "", 0.0

    def _say(self, at: float, device: str, fields: Mapping[str, Any]) -> None:
        self._number += 1
        heappush(self._told, _Told(at, self._number, device, fields))

    def _with_reports(self, block: Block, now: float) -> Block:
        payloads = list[bytes]()
        while self._told and self._told[0].at <= now:
            told = heappop(self._told)
            report = self._report(told, now)
            if report is not None:
                payloads.append(
                    canonical({"site": self._site, "device": told.device, "outcome": None, "why": None, "about": None} | report)
                )
        return block if not payloads else _before_the_tick(block, payloads)

    def _report(self, told: _Told, now: float) -> dict[str, Any] | None:
        """What a device says now, which may be nothing any more."""
        device, fields = self._devices.setdefault(told.device, _Device()), told.fields
        if "link" in fields:
            return dict(fields)
        if any(outage.since <= now < outage.until for outage in self._losses(told.device)):
            return None
        if "back" in fields:
            if fields["back"]:
                device.setting = self._falls[told.device]
            self._say(now + RETURNS_S, told.device, {"again": True})
            return {"link": "up", "setting": device.setting, "revision": device.revision}
        if "again" in fields:
            if device.revision != device.asked_revision or device.setting != device.asked:
                self._send(told.device, now)
            return None
        if "refused" in fields:
            about = fields["refused"]
            if about != device.asked_revision:
                return None
            return {
                "link": "up",
                "setting": device.setting,
                "revision": device.revision,
                "outcome": "refused",
                "about": about,
                "why": "hand switch",
            }
        if fields["obeys"] != device.asked_revision:
            return None  # a newer command took its place
        device.setting, device.revision = device.asked, device.asked_revision
        return {"link": "up", "setting": device.setting, "revision": device.revision, "outcome": "done", "about": device.revision}


def at_random(number: int) -> tuple[Planned, list[Lost]]:
    """A morning at Yuyuan on which anything may break: faults of counters, gates that do not obey, links that are lost. The same of each number."""
    luck = np.random.default_rng(number)
    counters = {c["counter"]: c for c in load(*next(files for files in find(shipped()) if files[0].stem == SITE)).site["counters"]}
    possible = {name: [wrong for wrong in Wrong if can_have(counter, wrong)] for name, counter in counters.items()} | {"any": list(Wrong)}
    faults = [
        f"  - {{counter: {name}, wrong: {luck.choice(possible[name])}, at: {int(luck.integers(0, 60))}m, "
        f"lasts: {int(luck.integers(1, 20))}m, share: {luck.random():.2f}, by: {int(luck.integers(1, 400))}}}"
        for name in luck.choice(list(possible), int(luck.integers(1, 8))).tolist()
    ]
    gates = [
        f"  - {{gate: gate-{int(luck.integers(1, 9))}, does: {luck.choice(list(Disobedience))}, at: {int(luck.integers(0, 60))}m}}"
        for _ in range(int(luck.integers(1, 4)))
    ]
    lost = list[Lost]()
    for _ in range(int(luck.integers(0, 5))):
        since = float(luck.integers(0, 4200))
        gate = None if luck.random() < 0.2 else f"gate-{int(luck.integers(1, 9))}"
        lost.append(Lost(gate, since, since + float(luck.integers(5, 1200))))
    people, fire = int(luck.integers(4000, 18000)), int(luck.integers(5, 60))
    acts = f"actions: [{{at: {fire}m, fire: on}}, {{at: {fire + 6}m, fire: off}}]\n" if luck.random() < 0.3 else ""
    text = HEAD.format(people=people) + "faults:\n" + "\n".join(faults) + "\ngates:\n" + "\n".join(gates) + f"\n{acts}"
    return read_scenario(Source(f"trouble {number}", text.encode()), shipped()), lost


def lived(planned: Planned, seed: int, lost: Sequence[Lost] = (), carry_out_s: float = 20.0) -> list[Entry]:
    """What the engine said of one day, in order; machines turn the gates in `carry_out_s` seconds."""
    deciding = Answering(replace(planned, carry_out_s=carry_out_s), lost)
    Laboratory(replace(planned, carry_out_s=carry_out_s), [seed], deciding=deciding).run()
    return deciding.entries


def _automatic(block: Block) -> Block:
    """The same with documents whose gates follow by themselves, so that their answers are awaited; people go on leading along links."""
    documents = np.flatnonzero(block.kind == Kind.DOCUMENT).tolist()
    if not documents:
        return block
    payload = dict(block.payload)
    for row in documents:
        site = json.loads(payload[row])
        payload[row] = canonical({**site, "gates": [{**gate, "delivery": "automatic"} for gate in site["gates"]]})
    return replace(block, payload=payload)


def _before_the_tick(block: Block, payloads: Sequence[bytes]) -> Block:
    """The same with reports before its last row, which is the tick."""
    last, more = len(block.kind) - 1, len(payloads)
    at = int(block.at[-1])

    def grown(column: np.ndarray[Any, np.dtype[Any]], value: int) -> np.ndarray[Any, np.dtype[Any]]:
        return np.concatenate([column[:last], np.full(more, value, column.dtype), column[last:]])

    return Block(
        block.first,
        grown(block.kind, Kind.REPORT),
        grown(block.counter, 0),
        grown(block.at, at),
        grown(block.received, at),
        grown(block.seq, ABSENT),
        grown(block.ordinal, 0),
        grown(block.ingress, ABSENT),
        grown(block.egress, ABSENT),
        grown(block.headcount, ABSENT),
        {**block.payload, **{last + i: data for i, data in enumerate(payloads)}},
    )
