"""Records as careful planners write them; the analysis finds no fault and nothing to warn of."""

from __future__ import annotations

from typing import Final

from tests.safety.made import (
    MINUTE,
    Record,
    case,
    day,
    forecast,
    gate,
    health,
    hours,
    link,
    passers,
    people,
    plan,
    rule,
    site,
    stage,
    text,
    zone,
    zone_plan,
)

OUT: Final = {f"gate-{i}": "out" for i in range(1, 9)}


def yuyuan() -> Record:
    """The example site: eight gates, three in and five out, then out only; a bridge, a lantern case, a rain case."""
    gates = [gate(f"gate-{i}", lanes=6 if i == 1 else 4, emergency=i == 8) for i in range(1, 9)]
    three = OUT | {"gate-2": "in", "gate-3": "metered 40/min", "gate-5": "in"}
    alert = {"headline": text("人多，{inside}人", "crowded, {inside} people"), "instruction": text("慢走", "walk slowly")}
    main = plan(
        "yuyuan",
        [
            stage("normal", title=text("正常通行", "Normal")),
            stage(
                "three_in_five_out",
                [people(1500, 1350)],
                [
                    people(2400, 2100) | {"measure": "capacity_share", "enter": "80%", "clear": "70%"},
                    day("holiday", "sat", "lantern"),
                    hours("17:00", "23:00"),
                ],
                gates=three,
                title=text("三进五出", "Three in, five out"),
                tasks=[{"task": "more-patrol", "role": "patrol", "within_us": 5 * MINUTE, "text": text("增派巡逻", "more patrols")}],
                signs={"sign-1": text("请从2号口进", "Please enter by gate 2")},
                alert=alert,
            ),
            stage(
                "exit_only",
                [people(3000, 2600, hold=10, source="occupancy_upper", measure="occupancy_upper")],
                gates=OUT,
                dwell_us=15 * MINUTE,
                title=text("只出不进", "Exit only"),
                confirm={
                    "rise": {"by": "officer", "within_us": MINUTE, "otherwise": "apply"},
                    "fall": {"by": "officer", "within_us": None, "otherwise": "keep"},
                },
            ),
        ],
        degraded=[rule("blind", [health()])],
        days={"holiday": [[20_000, 20_007]], "makeup": [], "lantern": [[20_100, 20_101]]},
        basis=text("一点一方案", "one place, one plan"),
    )
    bridge = zone_plan(
        "bridge",
        [
            stage("open"),
            stage("one_way", [people(600, 500, zone="bridge")], links={"west": "one_way"}),
            stage("full", [people(700, 600, zone="bridge")], [passers("gate-1", 150, 120)], gates={"gate-6": "metered 30/min both"}),
        ],
        of="bridge",
    )
    lantern = case(
        "lantern",
        [
            stage("evening", gates={"gate-1": "wave in 50s hold 10s out 110s", "gate-4": "both"}),
            stage("crowded", [people(1200, 1000)], gates=OUT | {"gate-2": "in"}),
        ],
        "replace",
        during=[[day("lantern"), hours("18:00", "01:00")]],
        days={"lantern": [[20_100, 20_101]]},
    )
    rain = case("sudden-rain", [stage("wet"), stage("shelter", [people(1000, 900)], gates={"gate-7": "out"})])
    zones = [zone(capacity=3000), zone("bridge", inside="mall", area_m2=420.0, capacity=800), zone("queue", outside="gate-1")]
    links = [link("west", "mall", "bridge"), link("east", "mall", "bridge")]
    return site(main, bridge, lantern, rain, zones=zones, gates=gates, links=links, egress_min_per_min=240)


def evening() -> Record:
    """Bars that are lower in the evening and on holidays, and a lower bar for a crowd that lasts."""
    return site(
        plan(
            "yu",
            [
                stage("normal"),
                stage("busy", [people(2000, 1800)], [people(1000, 900), day("sat", "sun")], gates={"g0": "out"}),
                stage(
                    "full",
                    [people(3000, 2600)],
                    [people(1800, 1500), day("sat", "sun"), hours("17:00", "23:00")],
                    [people(1900, 1800, hold=1800)],
                    gates={"g0": "out", "g1": "out"},
                ),
                stage(
                    "sure",
                    [people(3000, 2700, hold=60, source="occupancy_lower")],
                    [people(2500, 2200), health()],
                    gates=dict.fromkeys(("g0", "g1", "g2"), "out"),
                ),
            ],
        )
    )


def two_zones() -> Record:
    """Stages on two zones together, a single exit that somebody accepts, an entrance that nobody can leave by."""
    return site(
        plan(
            "yu",
            [
                stage("normal", gates={"door": "in"}),
                stage("busy", [people(1500, 1300), people(300, 250, zone="hall")], gates={"door": "metered 40/min"}),
                stage("full", [people(2500, 2300), people(300, 250, zone="hall")], [people(3000, 2800)], gates={"door": "closed"}),
            ],
        ),
        zones=[zone(), zone("hall", accepts_single_exit={"reason": "one door by construction", "by": "Li"})],
        gates=[gate("g0"), gate("g1"), gate("door", entrance_only=True), gate("hall-door", **{"from": "mall", "to": "hall"})],
    )


def with_forecast() -> Record:
    """A forecast beside a bar that is evaluated today."""
    return site(plan("yu", [stage("normal"), stage("busy", [people(1500, 1300)], [forecast(1600, 1400)])]))


GOOD: Final = {"yuyuan": yuyuan, "evening": evening, "two_zones": two_zones, "with_forecast": with_forecast}
