"""Compiled records made by hand: Yuyuan as it ships, a rich one with every kind of condition, and a big one (8 stages, 20 gates)."""

from __future__ import annotations

import copy
from typing import Any

MINUTE = 60_000_000
SECOND = 1_000_000
AUTOMATIC: dict[str, Any] = {"by": None, "within_us": None, "otherwise": "apply"}
OFFICER: dict[str, Any] = {"by": "officer_in_charge", "within_us": None, "otherwise": "keep"}


def both(zh: str, en: str) -> dict[str, str]:
    """A text in both languages."""
    return {"zh": zh, "en": en}


def people(measure: str = "occupancy", enter: int = 1500, clear: int = 1350, hold_s: int = 30, **more: Any) -> dict[str, Any]:
    """A leaf on people in the mall."""
    source = measure if measure in ("occupancy_upper", "occupancy_lower", "band_width", "net_flow") else "occupancy"
    clear_source = source if measure in ("band_width", "net_flow") else "occupancy_upper"
    return {
        "kind": "people",
        "zone": "mall",
        "measure": measure,
        "source": source,
        "clear_source": clear_source,
        "enter_m": enter * 1000,
        "clear_m": clear * 1000,
        "hold_us": hold_s * SECOND,
        "enter": str(enter),
        "clear": str(clear),
    } | more


def stage(name: str, title: dict[str, str], gates: dict[str, str], **more: Any) -> dict[str, Any]:
    """A stage; without more it is a calm one."""
    return {
        "stage": name,
        "title": title,
        "level": None,
        "dwell_us": 0,
        "leaves": [],
        "clauses": [],
        "gates": gates,
        "links": {},
        "barriers": {},
        "signs": {},
        "tasks": [],
        "confirm": {"rise": AUTOMATIC, "fall": OFFICER},
        "alert": None,
    } | more


def plan(name: str, title: dict[str, str], stages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A plan without anything beside its stages."""
    return {
        "plan": name,
        "title": title,
        "basis": None,
        "zone": None,
        "case": None,
        "valid_from_us": None,
        "valid_to_us": None,
        "days": {},
        "days_until": None,
        "stages": stages,
        "degraded": [],
    } | more


def gate(number: int, street: tuple[str, str], **more: Any) -> dict[str, Any]:
    """A gate of four lanes."""
    return {
        "gate": f"gate-{number}",
        "title": both(f"{number}号口（{street[0]}）", f"Gate {number} ({street[1]})"),
        "from": "outside",
        "to": "mall",
        "lanes": 4,
        "lane_per_min": 25,
        "width_m": 3.6,
        "on_lost": "out",
        "emergency": False,
        "entrance_only": False,
        "delivery": "advise",
        "drill": False,
    } | more


STREETS = (
    ("方浜中路", "Fangbang Middle Road"),
    ("福佑路", "Fuyou Road"),
    ("旧校场路", "Jiujiaochang Road"),
    ("旧校场路南", "Jiujiaochang Road, south"),
    ("安仁街", "Anren Street"),
    ("安仁街南", "Anren Street, south"),
    ("福佑路东", "Fuyou Road, east"),
    ("方浜中路东", "Fangbang Middle Road, east"),
)


def site(gates: int = 8) -> dict[str, Any]:
    """The mall without a plan."""
    return {
        "format": 2,
        "site": "yuyuan",
        "group": "yuyuan",
        "title": both("豫园商城", "Yuyuan mall"),
        "area": None,
        "time_zone": "Asia/Shanghai",
        "offsets": [[946684800000000, 28800]],
        "egress_min_per_min": 240,
        "known_empty": {"at_s": 18000, "when_below": 30},
        "delivery": "advise",
        "zones": [
            {"zone": "mall", "title": both("豫园商城", "Yuyuan mall"), "inside": None, "area_m2": 12000.0, "capacity": 3000}
            | {"outside": None, "accepts_single_exit": None},
            {"zone": "bridge", "title": both("九曲桥", "Zigzag Bridge"), "inside": "mall", "area_m2": 420.0, "capacity": 800}
            | {"outside": None, "accepts_single_exit": None},
        ],
        "gates": [gate(i + 1, STREETS[i % len(STREETS)], lanes=6 if i == 0 else 4, emergency=i == 7) for i in range(gates)],
        "links": [
            {"link": "bridge-west", "from": "mall", "to": "bridge", "width_m": 2.4, "title": both("九曲桥西端", "Zigzag Bridge, west end")},
            {"link": "main-loop", "from": "mall", "to": "mall", "width_m": 5.0, "title": both("主环线", "Main loop")},
        ],
        "counters": [
            {
                "counter": f"turnstile-{i + 1}",
                "gate": f"gate-{i + 1}",
                "link": None,
                "zone": None,
                "counts": "delta",
                "every_us": 10 * SECOND,
            }
            for i in range(gates)
        ],
        "barriers": [{"barrier": "henan-road", "title": both("河南南路升降柱", "Henan South Road barrier")}],
        "signs": [
            {"sign": "sign-1", "title": both("方浜中路诱导屏", "Fangbang Road sign"), "kind": "sign"},
            {"sign": "loudspeaker", "title": both("全场广播", "Public address"), "kind": "broadcast"},
        ],
        "plans": [],
    }


def table(names: list[str], others: str, **named: str) -> dict[str, str]:
    """Every gate's setting; gates are named like gate_2."""
    wanted = {key.replace("_", "-"): value for key, value in named.items()}
    return {name: wanted.get(name, others) for name in names}


def yuyuan() -> dict[str, Any]:
    """The shipped plan, compiled by hand."""
    record = site()
    names = [g["gate"] for g in record["gates"]]
    record["plans"] = [
        plan(
            "yuyuan",
            both("豫园商城大客流管控方案", "Yuyuan mall crowd plan"),
            [
                stage("normal", both("正常通行", "Normal"), table(names, "both")),
                stage(
                    "three_in_five_out",
                    both("三进五出", "Three in, five out"),
                    table(names, "out", gate_2="in", gate_3="in", gate_5="in"),
                    level="III",
                    dwell_us=10 * MINUTE,
                    leaves=[people()],
                    clauses=[[0]],
                    alert={
                        "headline": both("豫园商城在场人数超过1500人，实行“三进五出”", "Yuyuan mall: more than 1,500 people inside"),
                        "instruction": both("请从2号、3号、5号口进入，从其余五个口离开。", "Please enter by gates 2, 3 and 5."),
                    },
                ),
                stage(
                    "exit_only",
                    both("只出不进", "Exit only"),
                    table(names, "out"),
                    level="I",
                    dwell_us=15 * MINUTE,
                    leaves=[people("occupancy_upper", 3000, 2600, 10)],
                    clauses=[[0]],
                    alert={
                        "headline": both(
                            "豫园商城在场人数可能已超过3000人（{upper}），暂停入场", "Yuyuan mall: {upper} people may be inside"
                        ),
                        "instruction": both("请就近有序离开。", "Please leave by the nearest gate."),
                    },
                ),
            ],
            valid_from_us=1506787200000000,
        )
    ]
    return record


def leaves() -> list[dict[str, Any]]:
    """One leaf of every kind and measure."""
    passers = {"kind": "passers", "gate": None, "link": None, "direction": "both", "hold_us": MINUTE}
    return [
        people(),
        people("occupancy_upper", 3000, 2600, 0),
        people("occupancy_lower", 900, 700, clear_source="occupancy_lower"),
        people("band_width", 300, 200),
        people("capacity_share", 2400, 2100, 60) | {"enter": "80%", "clear": "70%"},
        people("density", 1470, 1260, 60, zone="bridge") | {"enter": "3.5", "clear": "3"},
        people("level_of_service", 453, 302, 60, zone="bridge") | {"enter": "E", "clear": "D", "enter_m": 453600, "clear_m": 302400},
        people("queue", 200, 100, 120, zone="bridge"),
        people("net_flow", 60, 10, 120, zone="site"),
        passers | {"gate": "gate-2", "measure": "flow_rate", "direction": "in"} | bars(80, 60),
        passers | {"link": "bridge-west", "measure": "specific_flow"} | bars(144, 120, "60", "50"),
        passers | {"link": "bridge-west", "measure": "opposing_flow"} | bars(20, 10),
        {"kind": "forecast", "zone": "mall", "measure": "forecast_p90", "within_us": 15 * MINUTE, "hold_us": 3 * MINUTE} | bars(1650, 1350),
        {"kind": "health", "counter": None, "health": "silent", "hold_us": 3 * MINUTE},
        {"kind": "health", "counter": "turnstile-4", "health": "stuck", "hold_us": 0},
        {"kind": "time", "from_s": 61200, "until_s": 7200},
        {"kind": "day", "days": ["holiday", "sat", "lantern"], "business_day_s": 18000},
        {"kind": "neighbour", "site": "bund", "plan": None, "stage": "remote_hold", "hold_us": 30 * SECOND},
    ]


def bars(enter: int, clear: int, enter_text: str = "", clear_text: str = "") -> dict[str, Any]:
    """Both bars of a leaf, in persons (a minute)."""
    return {"enter_m": enter * 1000, "clear_m": clear * 1000, "enter": enter_text or str(enter), "clear": clear_text or str(clear)}


def rich() -> dict[str, Any]:
    """Yuyuan with one of everything: conditions in groups, settings, devices, tasks, confirmations, a zone plan, cases, a degraded rule."""
    record = yuyuan()
    main = record["plans"][0]
    main |= {"basis": both("黄浦区“一点一方案、一案一策”", "Huangpu district: one place, one plan"), "days_until": 21549}
    main["days"] = {"holiday": [[20728, 20735]], "makeup": [[20724, 20724]], "lantern": [[20869, 20871]]}
    some = leaves()
    second, third = main["stages"][1], main["stages"][2]
    second |= {
        "leaves": [some[0], some[4], some[16], some[15]],
        "clauses": [[0], [1, 2, 3]],
        "gates": second["gates"] | {"gate-3": "metered 40/min", "gate-5": "wave in 50s hold 10s out 110s", "gate-6": "metered 30/min both"},
        "links": {"main-loop": "one_way", "bridge-west": "one_way_back"},
        "barriers": {"henan-road": "raise"},
        "signs": {"sign-1": both("三进五出，请绕行", "Three in, five out"), "loudspeaker": both("请按指引通行", "Please follow the signs")},
        "tasks": [
            {"task": "more-patrol", "role": "patrol", "within_us": 5 * MINUTE}
            | {"text": both("九曲桥增派两名民警疏导", "Two officers to the Zigzag Bridge")}
        ],
        "confirm": {
            "rise": {"by": "officer_in_charge", "within_us": 60 * SECOND, "otherwise": "apply"},
            "fall": {"by": "officer_in_charge", "within_us": 5 * MINUTE, "otherwise": "keep"},
        },
    }
    third |= {"leaves": [third["leaves"][0], some[5], some[9], some[12]], "clauses": [[0], [1, 2], [1, 3]]}
    main["degraded"] = [
        {"rule": "blind", "level": "II", "stage": "three_in_five_out", "headline": both("数据中断，请加派人员", "Blind: send people")}
        | {"leaves": [some[13]], "clauses": [[0]]}
    ]
    bridge = plan(
        "bridge",
        both("九曲桥限流方案", "Zigzag Bridge plan"),
        [
            stage("calm", both("平时", "Calm"), {}),
            stage("full", both("限流", "Limited"), {"gate-2": "out"}, level="II", dwell_us=5 * MINUTE, leaves=[some[6]], clauses=[[0]])
            | {"links": {"bridge-west": "one_way"}},
        ],
        zone="bridge",
    )
    lantern = plan(
        "lantern",
        both("灯会专项预案", "Lantern festival"),
        [stage("evening", both("灯会", "Festival"), table([g["gate"] for g in record["gates"]], "both", gate_1="in"))],
        case={"effect": "replace", "declared_only": False, "leaves": [some[16], some[15]], "clauses": [[0, 1]]},
        days={"holiday": [[20728, 20735]], "lantern": [[20869, 20871]]},
    )
    record["plans"] += [bridge, lantern]
    return record


def big() -> dict[str, Any]:
    """20 gates with long names and 8 stages with long conditions."""
    record = site(20)
    record["title"] = both("外滩滨水区观景平台及陈毅广场", "The Bund waterfront, viewing platform and Chen Yi Square")
    record["egress_min_per_min"] = 600
    record["zones"][0] |= {"capacity": 50000, "area_m2": 90000.0, "title": both("外滩观景平台", "Bund viewing platform")}
    record["gates"][11]["title"] = both("南京东路地铁站换乘大厅2号口", "Nanjing East Road metro interchange exit 2")
    record["gates"][15]["title"] = both("十六铺码头", "Shiliupu Ferry Wharf")
    names = [g["gate"] for g in record["gates"]]
    titles = (
        ("平时开放", "Open"),
        ("关注", "Watch"),
        ("南进北出单向通行", "South in, north out, one way along the embankment"),
        ("分批放行", "Wave release"),
        ("限流", "Metered entry"),
        ("三进十七出", "Three in, seventeen out"),
        ("只出不进，周边道路交通管制", "Exit only, traffic control on the surrounding roads"),
        ("全部清场", "Clearance of the whole waterfront"),
    )
    tables = (
        table(names, "both"),
        table(names, "both", gate_1="in"),
        table(names, "out", **{f"gate_{i}": "in" for i in range(1, 9)}),
        table(names, "out", **{f"gate_{i}": "wave in 50s hold 10s out 110s" for i in range(1, 9)}),
        table(names, "out", **{f"gate_{i}": "metered 40/min" for i in range(1, 7)}, gate_7="metered 25/min both"),
        table(names, "out", gate_2="in", gate_3="in", gate_12="in"),
        table(names, "out"),
        table(names, "out", gate_16="closed"),
    )
    record["gates"][15]["entrance_only"] = True
    for i, one in enumerate(tables):
        one["gate-16"] = "in" if i < 6 else "closed"
    levels = (None, None, "IV", "IV", "III", "II", "I", "I")
    bases = (0, 12000, 20000, 26000, 32000, 38000, 44000, 50000)
    stages = []
    for i, (title, gates, level, bar) in enumerate(zip(titles, tables, levels, bases, strict=True)):
        found = stage(f"s{i}", both(*title), gates, level=level, dwell_us=(10 + i) * MINUTE if i else 0)
        if i:
            found |= {"leaves": [people(enter=bar, clear=bar - 2500, hold_s=60)], "clauses": [[0]]}
        if i in (3, 5):
            found["leaves"] += [leaves()[9], leaves()[16], leaves()[15]]
            found["clauses"] += [[1, 2, 3]]
        if i >= 5:
            found["confirm"] = {
                "rise": {"by": "officer_in_charge", "within_us": 60 * SECOND, "otherwise": "apply"},
                "fall": {"by": "officer_in_charge", "within_us": None, "otherwise": "keep"},
            }
            found["barriers"] = {"henan-road": "raise"}
            found["tasks"] = copy.deepcopy(rich()["plans"][0]["stages"][1]["tasks"])
        stages.append(found)
    record["plans"] = [
        plan(
            "bund",
            both("外滩滨水区大客流分级管控方案", "The Bund waterfront, crowd plan by levels"),
            stages,
            valid_from_us=1506787200000000,
        )
    ]
    return record
