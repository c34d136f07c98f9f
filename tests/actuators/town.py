"""A site whose gates obey the protocol over a network that loses, doubles, delays and reorders what is sent: what reconciling is tested on.

Time stands in whole seconds. The service's side is kept here as the fleet keeps it; the controllers' side is what `docs/gate-protocol.md` asks.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from flowwatch.actuators.reconcile import SECOND, Flight, Known, Plan, Reported, Wanted, may_be, open_flights, reconcile
from flowwatch.core.gates import violations
from tests.safety.made import gate, link, site, zone

LIVES_S: Final = 60
LOST_AFTER_S: Final = 30
NOTICED_S: Final = 22
SETTINGS: Final = ("in", "out", "both", "metered 40/min", "metered 40/min both", "wave in 50s hold 10s out 60s", "wave in 10s out 90s")


def random_place(dice: random.Random) -> dict[str, Any]:
    """Up to four zones, joined by links and inner gates, with outer gates at some of them; on_lost takes nobody's way out."""
    zones = [zone(f"z{i}") for i in range(dice.randint(1, 4))]
    names = [z["zone"] for z in zones]
    gates = []
    for i in range(dice.randint(1, 5)):
        entrance = dice.random() < 0.15
        marks = {"entrance_only": entrance, "emergency": not entrance and dice.random() < 0.1, "on_lost": "closed" if entrance else "out"}
        gates.append(gate(f"g{i}", to=dice.choice(names), lanes=dice.randint(1, 4), delivery="automatic", **marks))
    links = []
    if len(names) > 1:
        for i in range(dice.randint(0, 4)):
            origin, goal = dice.sample(names, 2)
            gates.append(gate(f"i{i}", **{"from": origin, "to": goal, "on_lost": "both", "delivery": "automatic"}))
        links = [link(f"l{i}", *dice.sample(names, 2)) for i in range(dice.randint(0, 2))]
    return site(zones=zones, gates=gates, links=links, egress_min_per_min=dice.choice([0, 20, 50, 100]))


def random_table(place: Mapping[str, Any], dice: random.Random, tries: int = 60) -> tuple[dict[str, str], dict[str, str]] | None:
    """(gates, links) that keep people's way out, if chance finds such."""
    for _ in range(tries):
        table = {g["gate"]: dice.choice(("in", "closed") if g["entrance_only"] else SETTINGS) for g in place["gates"]}
        led = {x["link"]: dice.choice(("one_way", "one_way_back", "both")) for x in place["links"]}
        if not violations(place, table, led=led):
            return table, led
    return None


def wanted_of(
    place: Mapping[str, Any], table: Mapping[str, str], led: Mapping[str, str], revision: int, **changes: Any
) -> dict[str, Wanted]:
    """Every device of a site as wanted, all with one revision."""
    all_ = {f"gate/{g}": text for g, text in table.items()} | {f"link/{x}": way for x, way in led.items()}
    return {d: Wanted(d, s, revision, f"c-{revision}", "automatic", **changes) for d, s in all_.items()}


@dataclass
class Controller:
    """One device's, as the protocol asks it to be."""

    device: str
    setting: str
    on_lost: str
    revision: int = 0
    attempt: int = 0
    generation: int = 1
    alive: bool = True
    linked: bool = True
    cut_at: int = 0
    refuses: bool = False
    turning: tuple[int, Flight] | None = None
    obeyed: list[tuple[int, int]] = field(default_factory=list)

    def hear(self, flight: Flight, now: int, takes: int) -> None:
        """A command arrives."""
        if flight.generation < self.generation or now * SECOND > flight.expires_us or self.refuses:
            return
        self.generation = flight.generation
        latest = self.turning[1] if self.turning else None
        if latest is not None and (flight.revision, flight.attempt) <= (latest.revision, latest.attempt):
            return
        if flight.revision < self.revision or (flight.revision == self.revision and flight.attempt <= self.attempt):
            return
        if flight.revision == self.revision and flight.setting == self.setting:
            self.attempt = flight.attempt
            return
        self.turning = (now + takes, flight)

    def step(self, now: int) -> None:
        """A second passes: what turns arrives, what is without a connection falls."""
        if self.turning and now >= self.turning[0]:
            flight, self.turning = self.turning[1], None
            assert flight.setting is not None
            self.setting, self.revision, self.attempt = flight.setting, flight.revision, flight.attempt
            self.obeyed.append((flight.revision, flight.attempt))
        if not self.linked and now - self.cut_at > LOST_AFTER_S:
            self.setting, self.turning = self.on_lost, None


@dataclass
class Town:
    """The site, its controllers, the network between, and what the service knows."""

    place: dict[str, Any]
    dice: random.Random
    controllers: dict[str, Controller]
    now: int = 1000
    known: dict[str, Known] = field(default_factory=dict)
    air: list[tuple[int, str, Flight]] = field(default_factory=list)
    said: list[tuple[int, str, Reported]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    calm: bool = False
    """From now on nothing is lost, cut or refused."""

    @classmethod
    def new(cls, place: dict[str, Any], dice: random.Random, table: Mapping[str, str], led: Mapping[str, str], *, heard: bool) -> Town:
        """Gates as in `table`; where `heard`, the service knows it already."""
        lost = {g["gate"]: g["on_lost"] for g in place["gates"]}
        controllers = {f"gate/{g}": Controller(f"gate/{g}", s, lost[g]) for g, s in table.items()}
        controllers |= {f"link/{x}": Controller(f"link/{x}", way, "both") for x, way in led.items()}
        town = cls(place, dice, controllers)
        for device, c in controllers.items():
            town.known[device] = Known(reported=town.state(c) if heard else None)
        return town

    def state(self, c: Controller, *, up: bool = True) -> Reported:
        """What a controller says of itself now."""
        return Reported(c.setting, c.revision, c.attempt, c.generation, up, up, self.now * SECOND, 0, c.on_lost)

    def table(self) -> tuple[dict[str, str], dict[str, str]]:
        """What people find: (gates, links)."""
        both: tuple[dict[str, str], dict[str, str]] = ({}, {})
        for device, c in self.controllers.items():
            kind, _, name = device.partition("/")
            both[kind == "link"][name] = c.setting
        return both

    def broken(self) -> list[str]:
        """What is wrong with it."""
        table, led = self.table()
        return violations(self.place, table, led=led)

    def step(self, wanted: Mapping[str, Wanted]) -> Plan:
        """One second: the service acts, the network delivers, the controllers turn."""
        dice = self.dice
        plan = reconcile(self.place, wanted, self.known, self.now * SECOND)
        for send in plan.sends:
            device = send.wanted.device
            have = self.known[device]
            flight = Flight(send.wanted.setting, send.revision, send.attempt, 1, self.now * SECOND, (self.now + LIVES_S) * SECOND)
            attempts = {**have.attempts, send.revision: send.attempt}
            mine = {f.revision: f for f in have.flights}
            mine[flight.revision] = flight.after(mine.get(flight.revision))
            self.known[device] = replace(have, flights=tuple(mine.values()), attempts=attempts)
            self.log.append(f"{self.now}: {device} {flight.setting} r{flight.revision}.{flight.attempt}")
            for _ in range(1 if self.calm else dice.choice([0, 1, 1, 1, 2])):
                self.air.append((self.now + (0 if self.calm else dice.choice([0, 1, 3, 20, 70])), device, flight))
        self._deliver()
        for c in self.controllers.values():
            if not self.calm:
                self._trouble(c)
            before = (c.setting, c.revision, c.attempt)
            c.step(self.now)
            if c.alive and c.linked and (before != (c.setting, c.revision, c.attempt) or dice.random() < 0.1):
                self.said.append((self.now + (0 if self.calm else dice.choice([0, 0, 1, 5])), c.device, self.state(c)))
        self.now += 1
        return plan

    def _deliver(self) -> None:
        due = [a for a in self.air if a[0] <= self.now]
        self.air = [a for a in self.air if a[0] > self.now]
        self.dice.shuffle(due)
        for _, device, flight in due:
            c = self.controllers[device]
            if c.alive and c.linked:
                c.hear(flight, self.now, 0 if self.calm else self.dice.choice([0, 0, 2, 10]))
        heard = [s for s in self.said if s[0] <= self.now]
        self.said = [s for s in self.said if s[0] > self.now]
        for _, device, state in heard:
            self._take(device, state)

    def _take(self, device: str, state: Reported) -> None:
        """One connection keeps the order of what a device says: what was said before the last word is passed over."""
        have = self.known[device]
        if have.reported is not None and have.reported.heard_us > state.heard_us:
            return
        self.known[device] = replace(have, reported=state)

    def _trouble(self, c: Controller) -> None:
        dice = self.dice
        if c.linked and dice.random() < 0.02:
            c.linked, c.cut_at = False, self.now
        elif not c.linked:
            if self.now - c.cut_at == NOTICED_S:
                have = self.known[c.device]
                if have.reported is not None:
                    self.said = [s for s in self.said if s[1] != c.device]
                    lost = replace(have.reported, up=False, live=False, heard_us=self.now * SECOND)
                    self.known[c.device] = replace(have, reported=lost)
            if dice.random() < 0.03:
                c.linked = True
                self.said.append((self.now, c.device, self.state(c)))
        if c.alive and dice.random() < 0.01:
            c.alive, c.linked, c.cut_at, c.turning = False, False, self.now, None
        elif not c.alive and dice.random() < 0.05:
            c.alive = c.linked = True
            self.said.append((self.now, c.device, self.state(c)))
        if dice.random() < 0.02:
            c.refuses = not c.refuses

    def quiet(self) -> None:
        """All is well from now on."""
        self.calm = True
        for c in self.controllers.values():
            c.alive = c.linked = True
            c.refuses = False
            self.said.append((self.now, c.device, self.state(c)))

    def sound(self) -> list[str]:
        """The devices that are what the service thinks they cannot be; must be none."""
        return [
            f"{d}: {c.setting} not in {sorted(may_be(self.known[d]).settings)}, flights {open_flights(self.known[d])}"
            for d, c in self.controllers.items()
            if not may_be(self.known[d]).anything and str(c.setting) not in may_be(self.known[d]).settings
        ]
