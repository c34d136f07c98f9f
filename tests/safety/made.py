"""Compiled records (format 2) for the tests of the safety analysis, with everything that a test does not speak of filled in."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

Record = dict[str, Any]
SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND


def text(zh: str = "某处", en: str = "somewhere") -> Record:
    return {"zh": zh, "en": en}


def zone(name: str = "mall", **changes: Any) -> Record:
    made = {"zone": name, "title": text("商城"), "area_m2": 12000.0, "capacity": 3000, "inside": None, "outside": None}
    return made | {"accepts_single_exit": None} | changes


def gate(name: str, **changes: Any) -> Record:
    sizes = {"lanes": 4, "width_m": 4.0, "lane_per_min": 25, "on_lost": "out", "emergency": False, "entrance_only": False}
    made = {"gate": name, "title": text("口"), "from": "outside", "to": "mall", "delivery": "advise", "drill": False}
    return made | sizes | changes


def link(name: str, origin: str, goal: str) -> Record:
    return {"link": name, "title": text("道"), "from": origin, "to": goal, "width_m": 3.0}


def people(enter: int, clear: int, hold: int = 30, zone: str = "mall", **changes: Any) -> Record:
    """A condition on people in a zone; bars are whole persons, `hold` seconds."""
    bars = {"enter_m": enter * 1000, "clear_m": clear * 1000, "hold_us": hold * SECOND, "enter": str(enter), "clear": str(clear)}
    made = {"kind": "people", "zone": zone, "measure": "occupancy", "source": "occupancy", "clear_source": "occupancy_upper"}
    return made | bars | changes


def forecast(enter: int, clear: int, zone: str = "mall") -> Record:
    bars = {"enter_m": enter * 1000, "clear_m": clear * 1000, "hold_us": MINUTE, "enter": str(enter), "clear": str(clear)}
    return {"kind": "forecast", "zone": zone, "measure": "forecast_p90", "within_us": 15 * MINUTE} | bars


def passers(gate: str, enter: int, clear: int, **changes: Any) -> Record:
    bars = {"enter_m": enter * 1000, "clear_m": clear * 1000, "hold_us": MINUTE, "enter": str(enter), "clear": str(clear)}
    return {"kind": "passers", "gate": gate, "link": None, "measure": "flow_rate", "direction": "both"} | bars | changes


def health(word: str = "silent", hold: int = 180) -> Record:
    return {"kind": "health", "counter": None, "health": word, "hold_us": hold * SECOND}


def hours(since: str, until: str) -> Record:
    at = [int(t[:2]) * 3600 + int(t[3:]) * 60 for t in (since, until)]
    return {"kind": "time", "from_s": at[0], "until_s": at[1]}


def day(*kinds: str, begins: int = 0) -> Record:
    return {"kind": "day", "days": [*kinds], "business_day_s": begins * 3600}


def when(*clauses: Sequence[Record]) -> Record:
    """Leaves and clauses of any of alls."""
    leaves = [leaf for clause in clauses for leaf in clause]
    numbers, start = [], 0
    for clause in clauses:
        numbers.append([*range(start, start + len(clause))])
        start += len(clause)
    return {"leaves": leaves, "clauses": numbers}


def stage(name: str, *clauses: Sequence[Record], gates: Mapping[str, str] | None = None, **changes: Any) -> Record:
    """A stage; `site` gives gates without a setting `both`, or `in` where nobody can leave."""
    automatic = {"by": None, "within_us": None, "otherwise": "apply"}
    made = {"stage": name, "title": text("阶段", "a stage"), "level": None, "dwell_us": 10 * MINUTE if clauses else 0}
    parts: Record = {
        "links": {},
        "barriers": {},
        "signs": {},
        "tasks": [],
        "confirm": {"rise": automatic, "fall": automatic},
        "alert": None,
    }
    return made | when(*clauses) | {"gates": dict(gates or {})} | parts | changes


def plan(name: str, stages: Sequence[Record], **changes: Any) -> Record:
    made: Record = {"plan": name, "title": text("方案", "a plan"), "basis": None, "zone": None, "case": None}
    made |= {"valid_from_us": None, "valid_to_us": None, "days": {}, "days_until": None}
    return made | {"stages": [*stages], "degraded": []} | changes


def zone_plan(name: str, stages: Sequence[Record], of: str = "mall", **changes: Any) -> Record:
    return plan(name, stages, zone=of, **changes)


def case(name: str, stages: Sequence[Record], effect: str = "tighten", during: Sequence[Sequence[Record]] = (), **changes: Any) -> Record:
    in_force = {"effect": effect, "declared_only": not during} | when(*during)
    return plan(name, stages, case=in_force, **changes)


def rule(name: str, *clauses: Sequence[Record]) -> Record:
    return {"rule": name, "level": "II", "stage": None, "headline": None} | when(*clauses)


def site(*plans: Record, **changes: Any) -> Record:
    """A site "yu" with the zone "mall" and the gates g0 to g3, 100 persons/min each."""
    made: Record = {
        "format": 2,
        "site": "yu",
        "group": "yu",
        "title": text("豫园", "Yuyuan"),
        "delivery": "advise",
        "area": None,
        "time_zone": "Asia/Shanghai",
        "offsets": [[946_684_800_000_000, 28800]],
        "egress_min_per_min": 50,
        "known_empty": None,
        "zones": [zone()],
        "gates": [gate(f"g{i}") for i in range(4)],
        "links": [],
        "counters": [],
        "barriers": [],
        "signs": [],
    } | changes
    shut = {g["gate"]: "in" if g["entrance_only"] else "both" for g in made["gates"]}
    made["plans"] = [p | {"stages": [s | {"gates": _gates(p, shut) | s["gates"]} for s in p["stages"]]} for p in plans]
    return made


def _gates(plan_: Record, all_: dict[str, str]) -> dict[str, str]:
    whole = plan_["zone"] is None and (plan_["case"] is None or plan_["case"]["effect"] == "replace")
    return all_ if whole else {}


SETTINGS: Final = (
    *("in", "out", "both", "out", "both", "metered 40/min", "metered 40/min both", "metered 20/min both"),
    *("wave in 50s hold 10s out 110s", "wave in 60s hold 20s out 20s", "closed"),
)


def random_site(dice: random.Random) -> Record:
    """A small site with a few plans, lawful or not."""
    inner = ("hall", "deck")[: dice.randrange(3)]
    zones = [zone("mall", capacity=dice.randrange(500, 4000)), *(zone(n, inside=dice.choice([None, "mall"])) for n in inner)]
    names = [z["zone"] for z in zones]
    if dice.random() < 0.3:
        zones.append(zone("queue", outside="g0"))
    gates = [gate("g0"), *(_gate(dice, f"g{i}", names) for i in range(1, dice.randrange(2, 5)))]
    links = [link("l", *dice.sample(names, 2))] if len(names) > 1 and dice.random() < 0.5 else []
    plans = [plan("yu", _stages(dice, gates, whole=True))]
    for i in range(dice.randrange(3)):
        kind = dice.choice(["zone", "tighten", "replace"])
        stages = _stages(dice, gates, whole=kind == "replace")
        plans.append(zone_plan(f"p{i}", stages) if kind == "zone" else case(f"p{i}", stages, kind))
    return site(*plans, zones=zones, gates=gates, links=links, egress_min_per_min=dice.choice([0, 50, 120, 200]))


def _gate(dice: random.Random, name: str, zones: list[str]) -> Record:
    ends = {"from": dice.choice(["outside", "outside", *zones]), "to": dice.choice(zones)}
    if ends["from"] == ends["to"]:
        ends["from"] = "outside"
    entrance = dice.random() < 0.2
    return gate(name, lanes=dice.randrange(1, 5), entrance_only=entrance, emergency=not entrance and dice.random() < 0.2, **ends)


def _stages(dice: random.Random, gates: list[Record], *, whole: bool) -> list[Record]:
    made = []
    for i in range(dice.randrange(1, 4)):
        table = {}
        for g in gates:
            if whole or dice.random() < 0.5:
                lawful = ["in", "closed", "metered 40/min"] if g["entrance_only"] and dice.random() < 0.9 else SETTINGS
                table[g["gate"]] = dice.choice(lawful)
        clauses = [[people(1000 * i, 1000 * i - 100)]] if i else []
        made.append(stage(f"s{i}", *clauses, gates=table))
    return made
