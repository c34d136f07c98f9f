"""Random logs of busy hours, one seed each: sites with lawful plans, readings with every fault, operators at work, documents that change."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from flowwatch.core.gates import egress_per_min, violations
from flowwatch.core.readings import ABSENT, SECOND, Reason
from tests.core.world import (
    T0,
    Document,
    Row,
    act,
    counter,
    declare,
    delta,
    gate,
    head,
    link,
    recount,
    refused,
    site,
    stage,
    term,
    tick,
    total,
    zone,
)

ZONES: Final = ("mall", "bridge", "hall")
MEASURES: Final = ("occupancy", "occupancy_lower", "occupancy_upper")
MODES: Final = ("in", "out", "both", "closed")
NOWHERE: Final = 10_000
"""A counter's code that no document gives."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row before codes are given: whose it is (None: everybody's), the name of its counter, or the names that it declares."""

    site: str | None
    row: Row
    counter: str | None = None
    declares: tuple[str, ...] = ()


def log(lines: Iterable[Line], only: str | None = None) -> list[Row]:
    """The rows of a partition's log, counters coded in the order of their documents; of one site alone if `only` names it."""
    codes: dict[str, int] = {}
    rows = []
    for line in lines:
        if only in (None, line.site) or line.site is None:
            for name in line.declares:
                codes.setdefault(f"{line.site}/{name}", len(codes))
            rows.append(line.row if line.counter is None else replace(line.row, counter=codes.get(f"{line.site}/{line.counter}", NOWHERE)))
    return rows


def lawful_tables(dice: random.Random, document: Document, stages: int) -> list[dict[str, str]]:
    """Gate tables, calm to closed, that leave people their way out and never lose capacity out; as unlike each other as chance allows."""
    tables: list[dict[str, str]] = []
    floor = None
    for _ in range(stages):
        for _ in range(60):
            table = {g["gate"]: dice.choice(MODES[::3] if g["entrance_only"] else MODES[:3]) for g in document["gates"]}
            if not violations(document, table, floor):
                break
        else:
            table = {g["gate"]: "closed" if g["entrance_only"] else "out" for g in document["gates"]}
        tables.append(table)
        floor = egress_per_min(document, table)
    return tables


def lawful_plan(dice: random.Random, document: Document, *, dwells: tuple[int, ...] = (1, 5, 30, 120)) -> Document:
    """The document with a random plan that passes the static checks (bars and names included)."""
    count = dice.randrange(2, 5)
    stages = [stage("calm")]
    names = dice.sample(["busy", "full", "over", "shut", "gone"], count - 1)
    zones = [z["zone"] for z in document["zones"]] + ["site"]
    for name in names:
        conditions = {}
        for _ in range(dice.randrange(1, 3)):
            enter = dice.randrange(2, 60)
            measure = dice.choice(MEASURES)
            where = dice.choice(zones)
            clear_measure = dice.choice(["occupancy_upper", measure])
            hold = dice.choice([0, 0, 3, 20]) * SECOND
            conditions[where, measure] = term(
                enter, dice.randrange(enter), zone=where, measure=measure, clear_measure=clear_measure, hold_us=hold
            )
        stages.append(stage(name, list(conditions.values()), dice.choice(dwells) * SECOND))
    tables = lawful_tables(dice, document, count)
    made = site(document["site"], stages=[s | {"gates": t} for s, t in zip(stages, tables, strict=True)], gates=document["gates"])
    return document | {"plans": made["plans"]}


def random_site(dice: random.Random, name: str = "yu", **more: Any) -> Document:
    """Two outer zones and one within, three to five gates (one perhaps between zones), counters of all kinds, a lawful plan."""
    gates = [
        gate("g0", emergency=dice.random() < 0.3),
        gate("g1", to="hall", lanes=dice.randrange(1, 9)),
        gate("g2", lanes=dice.randrange(1, 6)),
    ]
    if dice.random() < 0.5:
        gates.append(gate("g3", entrance_only=True, on_lost="closed"))
    if dice.random() < 0.5:
        gates.append(gate("inner", **{"from": "mall", "to": "bridge"}))
    counters = [
        counter("d0"),
        counter("d1", gate="g1", every_us=10 * SECOND, swapped=dice.random() < 0.3, max_per_min=1200),
        counter("d2", gate=None, link="path", max_per_min=1200),
        counter("t0", "cumulative", gate="g2", max_per_min=600, modulus=dice.choice([None, 500])),
        counter("a0", "absolute", every_us=5 * SECOND),
        counter("a1", "absolute", zone="bridge", coverage_ppm=800_000),
    ]
    document = site(
        name,
        zones=[zone("mall", area_m2=60.0), zone("hall"), zone("bridge", inside="mall", area_m2=20.0)],
        gates=gates,
        links=[link("path", "mall", "hall"), link("steps", "mall", "bridge")],
        counters=dice.sample(counters, dice.randrange(3, 7)),
        known_empty={"at_s": 80_160, "when_below": 20} if dice.random() < 0.3 else None,
        **more,
    )
    return lawful_plan(dice, document)


class Place:
    """One site's life: what its devices and operators send."""

    def __init__(self, dice: random.Random, name: str, *, documents: bool) -> None:
        self.dice, self.name, self.documents = dice, name, documents
        self.document = random_site(dice, name)
        self.sent: list[tuple[Row, str]] = []
        self.ids = 0
        self.ordinal = 0
        self.total = [dice.randrange(400), dice.randrange(400)]

    def declaration(self, at: int) -> Line:
        return Line(self.name, declare(self.document, at), declares=tuple(c["counter"] for c in self.document["counters"]))

    def lines(self, now: int) -> list[Line]:
        """What happens at the site before the tick at `now`."""
        dice, made = self.dice, list[Line]()
        if self.documents and dice.random() < 0.04:
            changed = random_site(dice, self.name)
            self.document = changed | {"plans": []} if dice.random() < 0.1 else changed
            made.append(self.declaration(now))
        made += [self._reading(now) for _ in range(dice.choice([0, 1, 2, 4, 8]))]
        if dice.random() < 0.1:
            made.append(Line(self.name, self._action(now)))
        if dice.random() < 0.02:
            made.append(Line(self.name, refused(now, dice.choice([*Reason]))))
        return made

    def _reading(self, now: int) -> Line:
        dice = self.dice
        if self.sent and dice.random() < 0.1:
            row, name = dice.choice(self.sent[-20:])
            return Line(self.name, replace(row, received=now), name)
        at = now - dice.choice([0, 0, 0, 0, 1, 5, 40, 130]) * SECOND + dice.choice([0, 0, 0, 0, 1, 30, 400]) * SECOND
        name = dice.choice([*(c["counter"] for c in self.document["counters"]), "d0", "t0", "a0"])
        self.ordinal += 1
        if dice.random() < 0.02:
            return Line(self.name, delta(at, 1, 0, dice.choice([-1, NOWHERE])))
        if name.startswith("t"):
            self.total[dice.randrange(2)] += dice.choice([0, 0, 1, 3, 9, 2000])
            row = total(at, self.total[0] if dice.random() > 0.02 else dice.choice([0, ABSENT, -1]), self.total[1])
        elif name.startswith("a"):
            row = head(at, dice.choice([0, 3, 8, 20, 45, 900, ABSENT]))
        else:
            more = dice.choice([6, 6, 30])
            row = delta(at, dice.randrange(more) if dice.random() > 0.01 else 10**7, dice.randrange(6) if dice.random() > 0.03 else ABSENT)
        row = replace(row, received=now, ordinal=self.ordinal)
        self.sent.append((row, name))
        return Line(self.name, row, name)

    def _action(self, now: int) -> Row:
        dice = self.dice
        self.ids += dice.choice([1, 1, 1, 1, 0])
        name = f"{self.name}-a{self.ids}"
        until = now + dice.choice([-5, 0, 3, 20, 90, 300]) * SECOND
        stages = [s["stage"] for s in self.document["plans"][0]["stages"]] if self.document["plans"] else ["calm"]
        match dice.randrange(6):
            case 0 | 1:
                where, counted_at = dice.choice([*ZONES, "cellar"]), now - dice.choice([0, 1, 30, 600, 4000]) * SECOND
                return recount(now, dice.randrange(60), where, name=name, site_name=self.name, counted_at=counted_at)
            case 2:
                return act(now, name, "override", self.name, stage=dice.choice([*stages, "nothing"]), until_us=until)
            case 3 | 4:
                gate_name = dice.choice([*(g["gate"] for g in self.document["gates"]), "g9"])
                return act(now, name, "override", self.name, gate=gate_name, mode=dice.choice(MODES), until_us=until)
            case _:
                kind = dice.choice(["confirm", "confirm", "dance"])
                return act(now, name, kind, dice.choice([self.name, "nowhere"]), incident=f"{self.name}-i{dice.randrange(1, 12)}")


def story(seed: int, sites: tuple[str, ...] = ("yu",), ticks: int = 60, *, documents: bool = True) -> list[Line]:
    """The lines of `ticks` ticks at `sites`, all declared before the first tick; `documents`: whether any change later."""
    dice = random.Random(seed)
    places = [Place(random.Random(dice.random()), name, documents=documents) for name in sites]
    lines = [place.declaration(T0) for place in places]
    now = T0
    for _ in range(ticks):
        made = [place.lines(now) for place in places]
        order = [i for i, some in enumerate(made) for _ in some]
        dice.shuffle(order)
        queues = [iter(some) for some in made]
        lines += [next(queues[i]) for i in order]
        lines.append(Line(None, tick(now)))
        now += dice.choice([1, 1, 1, 2, 7, 30, 61]) * SECOND
    return lines
