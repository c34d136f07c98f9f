"""Planted mistakes: a record each, the code that names it, the length of the shortest way (None where no situation is needed), and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flowwatch.safety.report import Code, Path
from tests.safety.made import (
    MINUTE,
    SECOND,
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

WHEN: Final[Path] = ("stages", 1, "when")
GATES: Final[Path] = ("stages", 1, "gates")
HALL: Final = {"from": "mall", "to": "hall"}


@dataclass(frozen=True)
class Bad:
    record: Callable[[], Record]
    code: Code
    steps: int | None = None
    path: Path | None = None


def one(*clauses: list[Record], gates: dict[str, str] | None = None, **changes: object) -> Record:
    """A site with a plan of two stages."""
    return site(plan("yu", [stage("normal"), stage("busy", *(clauses or ([people(1500, 1350)],)), gates=gates, **changes)]))


def ladder(*stages: list[list[Record]], **changes: object) -> Record:
    """A site with a plan whose stages have these clauses."""
    return site(plan("yu", [stage("normal"), *(stage(f"s{i + 1}", *clauses) for i, clauses in enumerate(stages))], **changes))


def together(*others: Record, stages: list[Record] | None = None, **changes: object) -> Record:
    """A site whose main plan has a calm and a busy stage (all out), with more plans."""
    own = stages or [stage("normal"), stage("busy", [people(1500, 1350)], gates=dict.fromkeys(("g0", "g1", "g2", "g3"), "out"))]
    return site(plan("yu", own), *others, **changes)


def rain(gates: dict[str, str], effect: str = "tighten", calm: dict[str, str] | None = None) -> Record:
    return case("rain", [stage("wet", gates=calm), stage("storm", [people(900, 800)], gates=gates)], effect)


def on_the_loop(measure: str, enter: int, clear: int) -> Record:
    """A site whose plan has a bar on who passes a link of three metres."""
    bar = passers("", enter, clear, measure=measure) | {"gate": None, "link": "loop"}
    return site(plan("yu", [stage("normal"), stage("busy", [bar])]), zones=[zone(), zone("hall")], links=[link("loop", "mall", "hall")])


IN: Final = dict.fromkeys(("g0", "g1", "g2", "g3"), "in")
ENTRANCE: Final = [gate("g0"), gate("g1"), gate("door", entrance_only=True)]
BAND: Final = dict.fromkeys(("source", "clear_source", "measure"), "band_width")
INNER: Final = {"zones": [zone(), zone("hall")], "gates": [gate("g0"), gate("g1"), gate("h0", **HALL), gate("h1", **HALL)]}


BAD: Final[dict[str, Bad]] = {
    # the way out
    "nobody leaves the mall when it is busy": Bad(lambda: one(gates=IN), Code.NO_WAY_OUT, 1, GATES),
    "nobody leaves the mall from the start": Bad(
        lambda: site(plan("yu", [stage("normal", gates=IN)])), Code.NO_WAY_OUT, 0, ("stages", 0, "gates")
    ),
    "two plans together shut the way to the outer hall": Bad(
        lambda: together(
            zone_plan("a", [stage("calm"), stage("high", [people(300, 200, zone="hall")], gates={"h1": "out"})]),
            zone_plan("b", [stage("calm"), stage("high", [people(300, 200, zone="hall")], gates={"h0": "out"})]),
            stages=[stage("normal")],
            zones=[zone(), zone("hall")],
            gates=[gate("g0", to="hall"), gate("g1", to="hall"), gate("h0", **HALL), gate("h1", **HALL)],
        ),
        Code.NO_WAY_OUT,
        2,
    ),
    "a case that replaces the plan keeps too few ways out": Bad(
        lambda: together(rain(dict(IN) | {"g0": "out"}, "replace"), egress_min_per_min=150), Code.EGRESS_BELOW_MINIMUM, 2, GATES
    ),
    "a replaced plan had opened what the case shuts": Bad(
        lambda: together(rain({}, "replace", calm=dict(IN) | {"g0": "both"}), egress_min_per_min=150),
        Code.EGRESS_BELOW_MINIMUM,
        1,
        ("stages", 0, "gates"),
    ),
    "too little capacity in the busy stage": Bad(
        lambda: one(gates=dict(IN) | {"g0": "both"}) | {"egress_min_per_min": 60}, Code.EGRESS_BELOW_MINIMUM, 1
    ),
    "a rise costs capacity": Bad(lambda: one(gates={"g0": "in"}), Code.EGRESS_FALLS, 1, GATES),
    "the second rise costs capacity": Bad(
        lambda: site(
            plan(
                "yu",
                [stage("a"), stage("b", [people(900, 800)], gates={"g0": "out"}), stage("c", [people(1900, 1800)], gates={"g0": "both"})],
            )
        ),
        Code.EGRESS_FALLS,
        2,
        ("stages", 2, "gates"),
    ),
    "a case's rise costs capacity": Bad(
        lambda: together(rain({"g1": "in"}, "replace", calm=dict.fromkeys(("g0", "g1", "g2", "g3"), "out"))), Code.EGRESS_FALLS, 2, GATES
    ),
    "a rise costs capacity beside another plan": Bad(
        lambda: together(
            zone_plan("a", [stage("calm"), stage("high", [people(300, 200)], gates={"g1": "out"})]),
            stages=[stage("normal"), stage("busy", [people(1500, 1350)], gates={"g0": "in", "g1": "out"})],
        ),
        Code.EGRESS_FALLS_TOGETHER,
        2,
        GATES,
    ),
    "an emergency gate leads in": Bad(
        lambda: site(
            plan("yu", [stage("normal", gates={"g1": "out"}), stage("busy", [people(1500, 1350)], gates={"g0": "in", "g1": "out"})]),
            gates=[gate("g0", emergency=True), gate("g1")],
        ),
        Code.EMERGENCY_SHUT,
        1,
        GATES,
    ),
    "a wave without an out phase at an emergency gate": Bad(
        lambda: site(
            plan("yu", [stage("normal"), stage("busy", [people(1500, 1350)], gates={"g0": "wave in 50s hold 50s"})]),
            gates=[gate("g0", emergency=True), gate("g1")],
        ),
        Code.EMERGENCY_SHUT,
        1,
    ),
    "people leave by an entrance": Bad(
        lambda: site(plan("yu", [stage("normal"), stage("busy", [people(1500, 1350)], gates={"door": "out"})]), gates=ENTRANCE),
        Code.ENTRANCE_LETS_OUT,
        1,
    ),
    "an entrance that another plan opens outward": Bad(
        lambda: together(
            rain({"door": "both"}), stages=[stage("normal"), stage("busy", [people(1500, 1350)], gates={"door": "closed"})], gates=ENTRANCE
        ),
        Code.ENTRANCE_LETS_OUT,
        2,
    ),
    "an ordinary gate is closed": Bad(lambda: one(gates={"g0": "closed", "g1": "out", "g2": "out"}), Code.GATE_SHUT, 1, GATES),
    "a wave that only holds": Bad(lambda: one(gates={"g0": "wave hold 9s hold 9s", "g1": "out"}), Code.GATE_SHUT, 1),
    "a stage leaves a gate out": Bad(
        lambda: (r := one(), r["plans"][0]["stages"][1]["gates"].pop("g2"))[0], Code.GATE_WITHOUT_SETTING, None, GATES
    ),
    "even all gates are too few in a fire": Bad(
        lambda: one() | {"egress_min_per_min": 500}, Code.FIRE_UNSAFE, None, ("egress_min_per_min",)
    ),
    "a hall with one door": Bad(
        lambda: site(plan("yu", [stage("normal")]), zones=[zone(), zone("hall")], gates=[gate("g0"), gate("g1"), gate("h0", **HALL)]),
        Code.SINGLE_EXIT,
        0,
    ),
    "one passage to the outer hall is left when two plans are high": Bad(
        lambda: together(
            zone_plan("a", [stage("calm"), stage("high", [people(300, 200)], gates={"h1": "out"})]),
            zone_plan("b", [stage("calm"), stage("high", [people(300, 200)], gates={"h2": "out"})]),
            stages=[stage("normal")],
            zones=[zone(), zone("hall")],
            gates=[gate("g0", to="hall"), gate("g1", to="hall"), *(gate(f"h{i}", **HALL) for i in range(3))],
        ),
        Code.SINGLE_EXIT,
        2,
    ),
    "one gate leads out when it is busy": Bad(lambda: one(gates=dict(IN) | {"g0": "out"}), Code.SINGLE_EXIT, 1, GATES),
    "a hall is walked into one way": Bad(
        lambda: site(
            plan("yu", [stage("normal"), stage("busy", [people(1500, 1350)], links={"loop": "one_way"})]),
            zones=[zone(), zone("hall")],
            links=[link("loop", "mall", "hall")],
        ),
        Code.ONE_WAY_WITHOUT_RETURN,
        1,
        ("stages", 1, "links"),
    ),
    "two waves at one gate": Bad(
        lambda: together(
            rain({"g0": "wave in 40s hold 10s out 60s"}),
            stages=[stage("normal"), stage("busy", [people(1500, 1350)], gates={"g0": "wave in 50s hold 10s out 60s"})],
        ),
        Code.WAVES_DO_NOT_MIX,
        3,
    ),
    "a case that replaces the plan lets fewer out": Bad(
        lambda: together(rain({}, "replace", calm={"g0": "in"})), Code.CASE_LOWERS_EGRESS, 1
    ),
    # stages and their conditions
    "windows that never come together": Bad(
        lambda: one([people(1500, 1350), hours("08:00", "10:00"), hours("18:00", "02:00")]), Code.NEVER_REACHED, None, WHEN
    ),
    "days that never come together": Bad(lambda: one([people(1500, 1350), day("sat"), day("mon", "tue")]), Code.NEVER_REACHED, None, WHEN),
    "an event after the plan has ended": Bad(
        lambda: ladder([[day("lantern")]], days={"lantern": [[20_100, 20_102]]}, valid_to_us=20_000 * 86400 * SECOND), Code.NEVER_REACHED
    ),
    "a weekend in a plan that is valid from Monday to Wednesday": Bad(
        lambda: ladder([[day("weekend")]], valid_from_us=20_003 * 86400 * SECOND, valid_to_us=20_005 * 86400 * SECOND), Code.NEVER_REACHED
    ),
    "more people than the floor can hold": Bad(lambda: one([people(90_000, 80_000)]), Code.NEVER_REACHED, None, WHEN),
    "a stage that rests on a forecast alone": Bad(lambda: one([forecast(1600, 1400)]), Code.NOT_REACHABLE_YET, None, WHEN),
    "a stage that rests on a stuck counter alone": Bad(
        lambda: one([people(1500, 1350), health("stuck")]), Code.NOT_REACHABLE_YET, None, WHEN
    ),
    "a forecast beside a bar": Bad(lambda: one([people(1500, 1350)], [forecast(1600, 1400)]), Code.NOT_EVALUATED_YET, None, WHEN),
    "one of two conditions never holds": Bad(lambda: one([people(1500, 1350)], [people(99_000, 900)]), Code.CLAUSE_NEVER_HOLDS, None, WHEN),
    "a band that would have to be very wide": Bad(
        lambda: one([people(99_000, 900, source="occupancy_upper", measure="occupancy_upper")]), Code.BAR_ABOVE_LIMIT, None, WHEN
    ),
    "the higher stage comes first": Bad(lambda: ladder([[people(1500, 1350)]], [[people(1400, 1200)]]), Code.NEVER_ACTIVE, None, WHEN),
    "the higher stage comes first on the upper edge": Bad(
        lambda: ladder(
            [[people(1500, 1350)], [people(2000, 1800), day("sat")]],
            [[people(1500, 1300, hold=10, source="occupancy_upper", measure="occupancy_upper")]],
        ),
        Code.NEVER_ACTIVE,
    ),
    "the higher stage comes first and goes first": Bad(
        lambda: ladder([[people(1500, 1000)]], [[people(1450, 1400)]]), Code.PASSED_THROUGH, None, WHEN
    ),
    "one of a stage's bars comes no later than the stage below": Bad(
        lambda: ladder([[people(1500, 1350)], [people(300, 200), hours("20:00", "22:00")]], [[people(1500, 1450)]]),
        Code.BARS_OUT_OF_ORDER,
        None,
        ("stages", 2, "when"),
    ),
    "bars overlap": Bad(lambda: ladder([[people(1500, 1350)]], [[people(3000, 1400)]]), Code.BARS_OVERLAP, None, ("stages", 2, "when")),
    "bars overlap in nested conditions": Bad(
        lambda: ladder(
            [[people(1500, 1350), day("sat", "sun")], [people(2500, 2400)]],
            [[people(5000, 4000)], [people(2000, 1400), day("sat", "sun", "mon")]],
        ),
        Code.BARS_OVERLAP,
    ),
    "bars overlap two stages apart": Bad(
        lambda: ladder([[people(1500, 1350)]], [[health()]], [[people(3000, 1400)]]), Code.BARS_OVERLAP, None, ("stages", 3, "when")
    ),
    "a dwell of half a minute": Bad(lambda: one(dwell_us=30 * SECOND), Code.DWELL_TOO_SHORT, None, ("stages", 1, "dwell")),
    "bars without a gap": Bad(lambda: one([people(1500, 1500)]), Code.NO_GAP, None, WHEN),
    "a rule's bars without a gap": Bad(
        lambda: site(
            plan(
                "yu",
                [stage("normal")],
                degraded=[rule("wide", [people(500, 500, source="band_width", clear_source="band_width", measure="band_width")])],
            )
        ),
        Code.NO_GAP,
        None,
        ("degraded", 0, "when"),
    ),
    "clears on the lower edge": Bad(
        lambda: one([people(1500, 1350, clear_source="occupancy_lower")]), Code.CLEARS_ON_LOWER_EDGE, None, WHEN
    ),
    "a window shorter than the dwell": Bad(
        lambda: one([people(1500, 1350), hours("20:00", "20:05")]), Code.WINDOW_SHORTER_THAN_DWELL, None, WHEN
    ),
    "a degraded rule without a hold": Bad(
        lambda: site(plan("yu", [stage("normal")], degraded=[rule("blind", [health(hold=0), day("sat")])])),
        Code.RULE_WITHOUT_HOLD,
        None,
        ("degraded", 0, "when"),
    ),
    "a degraded rule that never holds": Bad(
        lambda: site(plan("yu", [stage("normal")], degraded=[rule("drift", [health("drifting")])])), Code.RULE_NEVER_HOLDS
    ),
    "a case that never begins": Bad(
        lambda: together(case("night", [stage("n")], during=[[hours("01:00", "02:00"), hours("03:00", "04:00")]])), Code.CASE_NEVER_BEGINS
    ),
    # numbers that can hardly be meant
    "a hall for more people than can stand there freely": Bad(
        lambda: site(plan("yu", [stage("normal")]), zones=[zone(area_m2=700.0)]),
        Code.CAPACITY_ABOVE_FLOOR,
        None,
        ("zones", "mall", "capacity"),
    ),
    "a waiting area of a capacity in thousands at a site without a plan": Bad(
        lambda: site(zones=[zone(), zone("queue", outside="g0", area_m2=400.0)]),
        Code.CAPACITY_ABOVE_FLOOR,
        None,
        ("zones", "queue", "capacity"),
    ),
    "the width of one lane in the place of all": Bad(
        lambda: site(plan("yu", [stage("normal")]), gates=[gate("g0"), gate("g1", width_m=0.9)]),
        Code.LANE_WIDTH,
        None,
        ("gates", "g1", "width_m"),
    ),
    "one lane as wide as a street": Bad(
        lambda: site(plan("yu", [stage("normal")]), gates=[gate("g0"), gate("g1", lanes=1, width_m=8.0)]), Code.LANE_WIDTH
    ),
    "a bar with a digit too many": Bad(lambda: one([people(15_000, 13_500)]), Code.BAR_ABOVE_CAPACITY, None, WHEN),
    "a share with a digit too many": Bad(
        lambda: one([people(24_000, 21_000, measure="capacity_share") | {"enter": "800%", "clear": "700%"}]),
        Code.BAR_ABOVE_CAPACITY,
        None,
        WHEN,
    ),
    "a bar above the whole site's capacity": Bad(
        lambda: site(
            plan("yu", [stage("normal"), stage("busy", [people(9200, 8000, zone="site")])]),
            zones=[zone(), zone("hall"), zone("stage", inside="mall"), zone("queue", outside="g0")],
        ),
        Code.BAR_ABOVE_CAPACITY,
        None,
        WHEN,
    ),
    "a rule's bar with a digit too many": Bad(
        lambda: site(plan("yu", [stage("normal")], degraded=[rule("many", [people(15_000, 13_500)])])),
        Code.BAR_ABOVE_CAPACITY,
        None,
        ("degraded", 0, "when"),
    ),
    "more people than four lanes pass": Bad(lambda: one([passers("g0", 120, 80)]), Code.BAR_ABOVE_PASSAGE, None, WHEN),
    "a flow by the hour over a link": Bad(lambda: on_the_loop("flow_rate", 4000, 3000), Code.BAR_ABOVE_PASSAGE, None, WHEN),
    "two streams that would both fill the link": Bad(lambda: on_the_loop("opposing_flow", 200, 100), Code.BAR_ABOVE_PASSAGE, None, WHEN),
    "a bar that is believed after a quarter of an hour": Bad(lambda: one([people(1500, 1350, hold=900)]), Code.HOLD_TOO_LONG, None, WHEN),
    "a clear bar just below the other": Bad(lambda: one([people(1500, 1450)]), Code.NARROW_BARS, None, WHEN),
    # what a stage says
    "no English title": Bad(lambda: one(title=text(en=" ")), Code.TEXT_MISSING, None, ("stages", 1, "title")),
    "the same text twice": Bad(lambda: one(title=text("VIP", "VIP")), Code.TEXTS_THE_SAME, None, ("stages", 1, "title")),
    "Chinese in the English text": Bad(lambda: one(title=text("繁忙", "忙 busy")), Code.NOT_ENGLISH, None, ("stages", 1, "title")),
    "English in the Chinese text": Bad(
        lambda: one(signs={"sign": text("Please wait", "Please wait here")}), Code.NOT_CHINESE, None, ("stages", 1, "signs", "sign")
    ),
    "three in, five out at four gates": Bad(
        lambda: one(title=text("三进五出", "Three in, five out"), gates={"g0": "in", "g1": "out", "g2": "out", "g3": "out"}),
        Code.COUNT_IN_NAME,
        None,
        GATES,
    ),
    "1 in 2 out at four gates": Bad(
        lambda: one(title=text("管控", "1 in 2 out"), gates={"g0": "in", "g1": "out", "g2": "out", "g3": "out"}), Code.COUNT_IN_NAME
    ),
    "a rate that no lane can reach": Bad(lambda: one(gates={"g0": "metered 90/min both"}), Code.RATE_ABOVE_LANES, None, (*GATES, "g0")),
    "a wave that lets nobody in": Bad(
        lambda: one(gates={"g0": "wave out 50s hold 10s", "g1": "out"}), Code.WAVE_NEVER_RELEASES, None, (*GATES, "g0")
    ),
    "a wave that turns at once": Bad(
        lambda: one(gates={"g0": "wave in 50s out 50s hold 10s"}), Code.WAVE_WITHOUT_CLEARING, None, (*GATES, "g0")
    ),
    "a task that is nobody's": Bad(
        lambda: one(tasks=[{"task": "t", "role": "", "within_us": MINUTE, "text": text()}]),
        Code.TASK_WITHOUT_ROLE,
        None,
        ("stages", 1, "tasks", 0, "role"),
    ),
}
