"""What people answer to a plan, and what cases, drills and fires do to its gates."""

from __future__ import annotations

from typing import Any

from flowwatch.core.engine import Engine
from flowwatch.core.readings import SECOND
from tests.core.audit import check_journal
from tests.core.world import (
    AUTOMATIC,
    T0,
    Document,
    Row,
    act,
    asked,
    bodies,
    declare,
    delta,
    gate,
    link,
    plan,
    play,
    recount,
    site,
    stage,
    stages_seen,
    stored,
    term,
    tick,
    zone,
)

OUT = {"g0": "out", "g1": "out"}
BOTH = {"g0": "both", "g1": "both"}
RISE_ASKED = {"rise": asked(), "fall": AUTOMATIC}
FALL_ASKED = {"rise": AUTOMATIC, "fall": asked()}


def _s(seconds: int) -> int:
    return T0 + seconds * SECOND


def _told(document: Document, *rows: Row, inside: int = 0) -> Any:
    """The entries of a day that begins with so many inside, checked by a reader who trusts nothing."""
    all_rows = [declare(document), recount(T0, inside), tick(T0), *rows]
    out = play(all_rows)
    check_journal(all_rows, out)
    return out.entries


def _counted(seconds: int, people: int) -> list[Row]:
    return [recount(_s(seconds), people), tick(_s(seconds))]


def _questions(entries: Any) -> list[tuple[int, str, str]]:
    found = [b for b in bodies(entries, "incident") if b["what"] == "confirmation_needed"]
    return [((b["tick"] - T0) // SECOND, b["state"], b["detail"]["state"]) for b in found]


def _confirm(seconds: int, incident: str, answer: str = "yes") -> Row:
    return act(_s(seconds), f"answer-{seconds}", "confirm", incident=incident, answer=answer)


def _place(confirm: Document, **changes: Any) -> Document:
    return site(stages=[stage("calm"), stage("shut", [term(100, 80)], SECOND, gates=OUT, confirm=confirm)], **changes)


def test_the_bar_is_crossed_the_officer_declines_and_the_system_keeps_saying_so() -> None:
    rows = [*_counted(10, 150), _confirm(20, "yu-i1", "no"), tick(_s(20)), *_counted(60, 160), *_counted(600, 170), *_counted(700, 50)]
    entries = _told(_place(RISE_ASKED), *rows)
    assert [to for _, _, to, _ in stages_seen(entries)] == ["calm"]
    assert _questions(entries) == [(10, "raised", "open"), (20, "updated", "declined"), (700, "cleared", "declined")]
    action = bodies(entries, "action")[2]
    assert (action["accepted"], action["record"]["answer"], action["record"]["by"]) == (True, "no", "Wang")


def test_a_declined_question_can_still_be_answered_with_yes() -> None:
    rows = [*_counted(10, 150), _confirm(20, "yu-i1", "no"), tick(_s(20)), _confirm(30, "yu-i1"), tick(_s(30))]
    assert stages_seen(_told(_place(RISE_ASKED), *rows))[1:] == [(_s(30), "calm", "shut", "confirmed")]


def test_a_fall_waits_for_a_person_however_long_it_takes() -> None:
    rows = [*_counted(5, 20), *_counted(4000, 20), _confirm(4010, "yu-i2"), tick(_s(4010))]
    entries = _told(_place(FALL_ASKED), *rows, inside=150)
    assert stages_seen(entries) == [(T0, None, "shut", "rise"), (_s(4010), "shut", "calm", "confirmed")]


def test_a_fall_that_is_asked_for_no_more_is_withdrawn_when_people_come_back() -> None:
    entries = _told(_place(FALL_ASKED), *_counted(5, 20), *_counted(10, 150), inside=150)
    assert [to for _, _, to, _ in stages_seen(entries)] == ["shut"]
    assert [state for _, state, _ in _questions(entries)] == ["raised", "cleared"]


def test_a_rise_that_nobody_answers_is_applied_when_the_plan_says_so() -> None:
    confirm = {"rise": asked(within=60 * SECOND, otherwise="apply"), "fall": AUTOMATIC}
    rows = [*_counted(10, 150), tick(_s(69)), tick(_s(70))]
    assert stages_seen(_told(_place(confirm), *rows))[1:] == [(_s(70), "calm", "shut", "unanswered")]


def test_a_rise_that_nobody_answers_says_so_and_stays_open_when_the_plan_keeps_it() -> None:
    confirm = {"rise": asked(within=60 * SECOND), "fall": AUTOMATIC}
    rows = [*_counted(10, 150), tick(_s(69)), tick(_s(70)), tick(_s(400))]
    assert _questions(_told(_place(confirm), *rows)) == [(10, "raised", "open"), (70, "updated", "unanswered")]


def test_a_fall_that_nobody_answers_is_not_applied_on_stale_evidence() -> None:
    confirm = {"rise": AUTOMATIC, "fall": asked(within=60 * SECOND, otherwise="apply")}
    rows = [*_counted(5, 20), tick(_s(64)), tick(_s(66)), tick(_s(300)), delta(_s(301)), tick(_s(301))]
    entries = _told(_place(confirm), *rows, inside=150)
    assert stages_seen(entries) == [(T0, None, "shut", "rise"), (_s(301), "shut", "calm", "unanswered")]


def test_an_engine_stored_while_a_question_is_open_goes_on_with_it() -> None:
    engine = Engine("p00")
    play([declare(_place(RISE_ASKED)), recount(T0, 0), tick(T0), *_counted(10, 150)], engine=engine)
    again = stored(engine)
    rest = [_confirm(20, "yu-i1"), tick(_s(20)), *_counted(30, 20)]
    assert play(rest, engine=again, first=5) == play(rest, engine=engine, first=5)


def test_a_yes_leads_no_further_down_than_the_role_that_said_it_may() -> None:
    officer, chief = ({"rise": AUTOMATIC, "fall": asked(role)} for role in ("officer", "chief"))
    stages = [
        stage("calm"),
        stage("busy", [term(50, 40)], SECOND, confirm=chief),
        stage("full", [term(80, 70)], SECOND, confirm=officer),
        stage("shut", [term(100, 90)], SECOND, gates=OUT, confirm=officer),
    ]
    rows = [*_counted(5, 10), _confirm(6, "yu-i2"), tick(_s(6)), tick(_s(7)), _confirm(8, "yu-i2"), tick(_s(8))]
    entries = _told(site(stages=stages), *rows, inside=150)
    assert [(at, to) for at, _, to, _ in stages_seen(entries)] == [(T0, "shut"), (_s(6), "busy"), (_s(8), "calm")]
    asked_of = [b["detail"]["by"] for b in bodies(entries, "incident") if b["what"] == "confirmation_needed" and b["state"] != "cleared"]
    assert asked_of == ["officer", "chief"]


# -- cases and zone plans ----------------------------------------------------------------------------------------------------------------


def _case(effect: str, *, bar: int = 40) -> Document:
    case = {"effect": effect, "declared_only": True, "leaves": [], "clauses": []}
    stages = [stage("usual", gates=BOTH), stage("rain", [term(bar, bar - 10)], SECOND, gates=OUT)]
    return plan("storm", stages, case=case)


def _declared(seconds: int, until: int) -> Row:
    return act(_s(seconds), f"case-{seconds}", "override", case="storm", until_us=_s(until))


def test_a_case_that_nobody_declared_asks_nothing() -> None:
    document = site(stages=[stage("calm")], beside=[_case("tighten")])
    assert [b["tick"] for b in bodies(_told(document, *_counted(10, 90)), "command")] == [T0, T0]


def test_a_declared_case_tightens_the_gates_and_its_end_lowers_nothing_while_it_is_not_calm() -> None:
    document = site(stages=[stage("calm")], beside=[_case("tighten")])
    rows = [_declared(5, 60), *_counted(5, 90), tick(_s(6)), tick(_s(60)), tick(_s(61)), *_counted(100, 10), tick(_s(101))]
    entries = _told(document, *rows)
    orders = [((b["tick"] - T0) // SECOND, b["gate"], b["setting"]) for b in bodies(entries, "command")[2:]]
    assert [o for o in orders if o[2] == "out"] == [(5, "g0", "out"), (5, "g1", "out")]
    assert {o for o in orders if o[2] == "both"} == {(100, "g0", "both"), (100, "g1", "both")}
    cases = [((b["tick"] - T0) // SECOND, b["state"]) for b in bodies(entries, "incident") if b["what"] == "case_active"]
    assert cases[0] == (5, "raised")
    assert cases[-1][1] == "cleared"
    assert cases[-1][0] >= 100


def test_a_replacing_case_lets_a_calm_main_plan_rest_and_a_raised_one_go_on() -> None:
    document = site(stages=[stage("calm"), stage("shut", [term(60, 50)], SECOND, gates=OUT)], beside=[_case("replace", bar=900)])
    calm = _told(document, _declared(5, 600), tick(_s(5)), *_counted(10, 90))
    assert "shut" not in [to for _, _, to, _ in stages_seen(calm)]
    raised = _told(document, _declared(5, 600), tick(_s(5)), tick(_s(6)), inside=90)
    assert {b["gate"]: b["setting"] for b in bodies(raised, "command")} == OUT


def test_a_zone_plan_and_the_main_plan_together_ask_the_least_ingress_and_the_most_egress() -> None:
    beside = plan("lane", [stage("open"), stage("slow", [term(50, 40)], SECOND, gates={"g1": "metered 30/min both"})])
    document = site(stages=[stage("calm")], beside=[beside])
    entries = _told(document, *_counted(10, 80))
    assert {b["gate"]: b["setting"] for b in bodies(entries, "command")} == {"g0": "both", "g1": "metered 30/min both"}


# -- drill and fire ----------------------------------------------------------------------------------------------------------------------


def _drilled(**changes: Any) -> Document:
    stages = [stage("calm"), stage("busy", [term(50, 40)], SECOND), stage("shut", [term(100, 80)], SECOND, gates=OUT)]
    return site(stages=stages, gates=[gate("g0"), gate("g1", drill=True)], **changes)


def test_a_drill_reaches_only_the_gates_marked_for_it_and_a_real_rise_ends_it() -> None:
    drill = act(_s(5), "drill-5", "drill", stage="shut", until_us=_s(900))
    entries = _told(_drilled(), drill, tick(_s(5)), *_counted(20, 60))
    orders = [((b["tick"] - T0) // SECOND, b["gate"], b["setting"], b["drill"]) for b in bodies(entries, "command")[2:]]
    assert orders == [(5, "g1", "out", True), (20, "g1", "both", False)]
    assert [b["state"] for b in bodies(entries, "incident") if b["what"] == "drill_active"] == ["raised", "cleared"]


def test_a_drill_is_refused_where_no_gate_is_marked_for_it() -> None:
    drill = act(_s(5), "drill-5", "drill", stage="shut", until_us=_s(900))
    entries = _told(_place(FALL_ASKED), drill, tick(_s(5)))
    assert bodies(entries, "action")[-1]["refused"] == "no gate of the site is marked for drills"


def test_a_fire_turns_every_gate_outward_over_overrides_and_restarts_until_a_person_ends_it() -> None:
    gates = [gate("g0"), gate("g1", lanes=9), gate("g2", entrance_only=True, on_lost="closed")]
    document = site(stages=[stage("calm")], gates=gates)
    engine = Engine("p00")
    rows = [declare(document), recount(T0, 0), tick(T0), act(_s(1), "o1", "override", gate="g0", mode="in", until_us=_s(5000)), tick(_s(1))]
    play(rows, engine=engine)
    burning = play([act(_s(2), "f1", "fire", state="on"), tick(_s(2))], engine=engine, first=5)
    assert {b["gate"]: b["setting"] for b in bodies(burning.entries, "command")} == {"g0": "out", "g1": "out", "g2": "closed"}
    engine = stored(engine)
    assert bodies(play([*_counted(9, 40), tick(_s(3000))], engine=engine, first=7).entries, "command") == []
    over = play([act(_s(3001), "f2", "fire", state="off"), tick(_s(3001))], engine=engine, first=10)
    assert {b["gate"]: b["setting"] for b in bodies(over.entries, "command")} == {"g0": "in", "g1": "both", "g2": "in"}


def test_an_operators_higher_stage_is_real_and_ends_a_drill() -> None:
    drill = act(_s(5), "drill-5", "drill", stage="shut", until_us=_s(900))
    held = act(_s(9), "o9", "override", stage="busy", until_us=_s(800))
    entries = _told(_drilled(), drill, tick(_s(5)), held, tick(_s(9)))
    assert [b["state"] for b in bodies(entries, "incident") if b["what"] == "drill_active"] == ["raised", "cleared"]


def test_a_drill_that_a_record_ends_is_told_as_ended() -> None:
    rows = [act(_s(5), "d5", "drill", stage="shut", until_us=_s(900)), tick(_s(5)), act(_s(9), "d9", "drill", stage="shut", until_us=_s(8))]
    entries = _told(_drilled(), *rows, tick(_s(9)))
    assert [(b["setting"], b["reason"], b["drill"]) for b in bodies(entries, "command")[2:]] == [
        ("out", "drill", True),
        ("both", "drill_ended", False),
    ]


def test_in_a_fire_no_link_is_led_one_way() -> None:
    zones, links = [zone("mall"), zone("hall")], [link("path", "mall", "hall")]
    stages = [stage("calm", links={"path": "one_way"})]
    gates = [gate("g0"), gate("g1", to="hall")]
    rows = [act(_s(5), "f5", "fire", state="on"), tick(_s(5)), act(_s(9), "f9", "fire", state="off"), tick(_s(9))]
    entries = _told(site(stages=stages, zones=zones, links=links, gates=gates), *rows)
    assert [(b["name"], b["state"]) for b in bodies(entries, "device")] == [("path", "one_way"), ("path", None), ("path", "one_way")]


def test_an_override_that_leaves_a_zone_whose_link_leads_away_from_the_exit_is_refused() -> None:
    zones, links = [zone("mall"), zone("hall")], [link("path", "mall", "hall")]
    gates = [gate("g0"), gate("g1", to="hall")]
    two_ways, one_way = ([stage("calm", links=led)] for led in ({}, {"path": "one_way"}))
    hold = act(_s(5), "o5", "override", gate="g1", mode="in", until_us=_s(900))
    for stages, refused in ((two_ways, None), (one_way, 'zone "hall" would have no way out')):
        entries = _told(site(stages=stages, zones=zones, links=links, gates=gates, egress_min_per_min=10), hold, tick(_s(5)))
        assert bodies(entries, "action")[-1]["refused"] == refused


# -- devices and tasks -------------------------------------------------------------------------------------------------------------------


def test_where_plans_lead_people_away_from_every_exit_no_link_is_led_and_the_gates_go_on() -> None:
    """Each link has a way back alone; the main plan and a case together leave the mall none."""
    zones, links = [zone("mall"), zone("hall")], [link("path", "hall", "mall"), link("lane", "hall", "mall")]
    gates = [gate("g0", to="hall"), gate("g1", to="hall")]
    led = plan("storm", [stage("on", links={"lane": "one_way"}, gates=OUT)], case={"effect": "tighten", "declared_only": True} | _nothing())
    document = site(stages=[stage("calm", links={"path": "one_way"})], zones=zones, links=links, gates=gates, beside=[led])
    rows = [act(_s(3), "c3", "override", case="storm", until_us=_s(9)), tick(_s(3)), tick(_s(9))]
    entries = _told(document, *rows)
    assert [(b["tick"], b["name"], b["state"]) for b in bodies(entries, "device")] == [
        (T0, "path", "one_way"),
        (_s(3), "path", None),
        (_s(9), "path", "one_way"),
    ]
    assert [(b["tick"], b["setting"]) for b in bodies(entries, "command") if b["gate"] == "g0"] == [
        (T0, "both"),
        (_s(3), "out"),
        (_s(9), "both"),
    ]
    broken = [(b["tick"], b["state"], b["subject"]) for b in bodies(entries, "incident") if b["what"] == "invariant_broken"]
    assert broken == [(_s(3), "raised", "table"), (_s(9), "cleared", "table")]


def test_a_case_held_calm_asks_nothing_while_nobody_declared_it() -> None:
    document = site(stages=[stage("calm")], beside=[_case("tighten")])
    rows = [act(_s(3), "h3", "override", plan="storm", stage="usual", until_us=_s(60)), tick(_s(3))]
    entries = _told(document, *rows)
    assert [(b["plan"], b["to"]) for b in bodies(entries, "transition")] == [("yu", "calm")]
    assert not [b for b in bodies(entries, "incident") if b["what"] == "case_active"]


def test_a_case_that_is_over_announces_its_first_stage_no_more_while_somebody_holds_another() -> None:
    told: dict[str, Any] = {
        "level": "I",
        "alert": {"headline": {"zh": "雷电", "en": "Lightning"}, "instruction": {"zh": "离开", "en": "Leave"}},
    }
    stages = [stage("out", gates=OUT, **told), stage("all-out", [term(500, 400)], gates=OUT)]
    storm = plan("storm", stages, case={"effect": "tighten", "declared_only": True} | _nothing())
    rows = [act(_s(3), "h3", "override", plan="storm", stage="all-out", until_us=_s(60)), tick(_s(3))]
    found = [b for b in bodies(_told(site(stages=[stage("calm")], beside=[storm]), *rows), "incident") if b["what"] == "stage"]
    assert found == []


def test_a_stage_gives_tasks_raises_barriers_and_withdraws_both_when_it_falls() -> None:
    task = {"task": "patrol", "role": "patrol", "within_us": 300 * SECOND, "text": {"zh": "巡逻", "en": "patrol"}}
    shut = stage("shut", [term(100, 80)], SECOND, gates=OUT, barriers={"road": "raise"}, tasks=[task])
    entries = _told(site(stages=[stage("calm"), shut]), *_counted(10, 150), *_counted(30, 20))
    tasks = [((b["tick"] - T0) // SECOND, b["state"], b["due_us"]) for b in bodies(entries, "task")]
    assert tasks == [(10, "given", _s(310)), (30, "withdrawn", None)]
    assert [(b["name"], b["state"], b["revision"]) for b in bodies(entries, "device")] == [("road", "raise", 1), ("road", None, 2)]


def test_silence_may_raise_a_degraded_mode_but_never_lowers_a_stage() -> None:
    leaf = {"kind": "health", "counter": None, "health": "silent", "hold_us": 0}
    rule = {"rule": "blind", "level": "II", "stage": "busy", "headline": None, "leaves": [leaf], "clauses": [[0]]}
    document = site(stages=[stage("calm"), stage("busy", [term(100, 80)], SECOND)], degraded=[rule])
    entries = _told(document, delta(_s(1)), tick(_s(1)), tick(_s(62)), tick(_s(500)))
    assert [to for _, _, to, _ in stages_seen(entries)] == ["calm", "busy"]
    assert [(b["subject"], b["level"]) for b in bodies(entries, "incident") if b["what"] == "degraded"] == [("blind", "II")]


def _directed(*beside: Document, main: str = "one_way", zone_names: tuple[str, ...] = ("mall", "hall")) -> Document:
    """Two zones with a path each way between them; the main plan leads the path one way from the start."""
    links = [link("path", "mall", "hall"), link("back", "hall", "mall")]
    gates = [gate("g0"), gate("g1", to="hall")]
    return site(stages=[stage("calm", links={"path": main})], zones=[zone(n) for n in zone_names], links=links, gates=gates, beside=beside)


def _other(name: str, way: str, **changes: Any) -> Document:
    return plan(name, [stage("on", links={"path": way})], **changes)


def _way_of_the_path(document: Document, *rows: Row) -> str:
    return str([b["state"] for b in bodies(_told(document, *rows), "device") if b["name"] == "path"][-1])


def test_a_zone_plan_leads_people_before_the_main_plan_whatever_it_is_called() -> None:
    for name in ("a", "zz"):
        assert _way_of_the_path(_directed(_other(name, "one_way_back", zone="hall"))) == "one_way_back"


def test_a_replacing_case_leads_people_before_a_zone_plan() -> None:
    for name in ("a", "zz"):
        storm = plan(
            name, [stage("on", links={"path": "both"}, gates=BOTH)], case={"effect": "replace", "declared_only": True} | _nothing()
        )
        rows = [act(_s(3), "c3", "override", case=name, until_us=_s(500)), tick(_s(3))]
        assert _way_of_the_path(_directed(_other("m", "one_way_back", zone="hall"), storm), *rows) == "both"


def test_two_zone_plans_that_disagree_leave_a_link_open_both_ways() -> None:
    document = _directed(_other("a", "one_way_back", zone="hall"), _other("b", "one_way", zone="mall"))
    assert _way_of_the_path(document) == "both"


def test_a_barrier_that_any_plan_raises_is_raised() -> None:
    lowered = plan("a", [stage("on", barriers={"road": "lower"})], zone="mall")
    stages = [stage("calm", barriers={"road": "raise"})]
    entries = _told(site(stages=stages, barriers=[{"barrier": "road", "title": {"zh": "路", "en": "road"}}], beside=[lowered]))
    assert [b["state"] for b in bodies(entries, "device")] == ["raise"]


def test_a_case_that_comes_into_force_announces_its_first_stage() -> None:
    told: dict[str, Any] = {
        "level": "I",
        "alert": {"headline": {"zh": "雷电", "en": "Lightning"}, "instruction": {"zh": "离开", "en": "Leave"}},
    }
    storm = plan("storm", [stage("out", gates=OUT, **told)], case={"effect": "replace", "declared_only": True} | _nothing())
    rows = [act(_s(3), "c3", "override", case="storm", until_us=_s(9)), tick(_s(3)), tick(_s(9))]
    found = [b for b in bodies(_told(site(stages=[stage("calm")], beside=[storm]), *rows), "incident") if b["what"] == "stage"]
    assert [(b["state"], b["level"], b["headline"] and b["headline"]["en"]) for b in found] == [
        ("raised", "I", "Lightning"),
        ("cleared", "I", "Lightning"),
    ]


def _nothing() -> Document:
    return {"leaves": [], "clauses": []}
