"""Barriers, links and signs that stages move, and the tasks that they give: told once when they change, and taken back."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.engine import Engine
from flowwatch.core.readings import SECOND
from tests.core.world import (
    T0,
    Document,
    act,
    bodies,
    case,
    declare,
    gate,
    link,
    plan,
    play,
    recount,
    site,
    stage,
    stored,
    term,
    tick,
    zone,
)

MINUTE = 60 * SECOND
BUSY_SIGN = {"zh": "请绕行", "en": "Please go round"}
CALM_SIGN = {"zh": "欢迎", "en": "Welcome"}
PATROL: Document = {"task": "more-patrol", "role": "patrol", "within_us": 5 * MINUTE, "text": {"zh": "增派巡逻", "en": "More patrols"}}
CLOSE: Document = {"task": "close-road", "role": "traffic", "within_us": 2 * MINUTE, "text": {"zh": "封路", "en": "Close the road"}}
STAGES = [
    stage("calm", signs={"s1": CALM_SIGN}),
    stage("busy", [term(100, 80)], SECOND, links={"path": "one_way"}, barriers={"road": "raise"}, signs={"s1": BUSY_SIGN}, tasks=[PATROL]),
    stage("full", [term(200, 180)], SECOND, links={"path": "one_way"}, barriers={"road": "raise", "alley": "lower"}, tasks=[PATROL, CLOSE]),
]
EQUIPPED: Document = {
    "zones": [zone(), zone("hall")],
    "gates": [gate("g0"), gate("g1", to="hall")],
    "links": [link("path", "mall", "hall")],
    "barriers": [{"barrier": b, "title": {"zh": b, "en": b}} for b in ("road", "alley")],
    "signs": [{"sign": "s1", "title": {"zh": "s1", "en": "s1"}, "kind": "sign"}],
}
PLACE = site(stages=STAGES, **EQUIPPED)


def _devices(entries: Any) -> list[tuple[int, str, str, Any, int, str]]:
    """(second, device, name, state, revision, reason)."""
    return [((b["tick"] - T0) // SECOND, b["device"], b["name"], b["state"], b["revision"], b["reason"]) for b in bodies(entries, "device")]


def _tasks(entries: Any) -> list[tuple[int, str, str, str]]:
    return [((b["tick"] - T0) // SECOND, b["task"], b["state"], b["stage"]) for b in bodies(entries, "task")]


def _rows(*inside: int, document: Document = PLACE) -> list[Any]:
    """A tick a second, at each of which so many people were counted."""
    return [declare(document), *(row for n, count in enumerate(inside) for row in (recount(T0 + n * SECOND, count), tick(T0 + n * SECOND)))]


def test_devices_are_told_when_a_stage_moves_them_and_ended_when_nobody_asks_for_them() -> None:
    entries = play(_rows(0, 150, 150, 250, 0, 0)).entries
    assert _devices(entries) == [
        (0, "sign", "s1", CALM_SIGN, 1, "start"),
        (1, "barrier", "road", "raise", 1, "stage"),
        (1, "link", "path", "one_way", 1, "stage"),
        (1, "sign", "s1", BUSY_SIGN, 2, "stage"),
        (3, "barrier", "alley", "lower", 1, "stage"),
        (3, "sign", "s1", None, 3, "stage"),
        (4, "barrier", "alley", None, 2, "stage"),
        (4, "barrier", "road", None, 2, "stage"),
        (4, "link", "path", None, 2, "stage"),
        (4, "sign", "s1", CALM_SIGN, 4, "stage"),
    ]
    rose = next(b for b in bodies(entries, "device") if b["name"] == "road")
    assert (rose["plan"], rose["stage"]) == ("yu", "busy")
    assert rose["of"] == next(e.id for e in entries if e.kind == "transition" and e.at == T0 + SECOND)


def test_a_task_is_given_with_its_time_and_withdrawn_with_its_stage() -> None:
    entries = play(_rows(0, 150, 250, 250, 0)).entries
    assert _tasks(entries) == [
        (1, "more-patrol", "given", "busy"),
        (2, "close-road", "given", "full"),
        (4, "close-road", "withdrawn", "full"),
        (4, "more-patrol", "withdrawn", "busy"),
    ]
    given_ = bodies(entries, "task")[0]
    assert (given_["role"], given_["text"], given_["due_us"], given_["plan"]) == ("patrol", PATROL["text"], T0 + SECOND + 5 * MINUTE, "yu")


def test_a_stage_that_rises_again_gives_its_tasks_again() -> None:
    assert [(n, state) for n, _, state, _ in _tasks(play(_rows(150, 0, 150)).entries)] == [(0, "given"), (1, "withdrawn"), (2, "given")]


def test_of_two_plans_that_speak_of_one_device_the_earlier_decides_and_the_later_takes_over() -> None:
    hall = plan("hall-plan", [stage("h-calm", barriers={"road": "lower"})], zone="hall")
    entries = play(_rows(0, 150, 0, document=site(stages=STAGES, beside=[hall], **EQUIPPED))).entries
    assert [(n, state) for n, _, name, state, _, _ in _devices(entries) if name == "road"] == [(0, "lower"), (1, "raise"), (2, "lower")]


def test_devices_and_tasks_follow_a_stage_that_is_held() -> None:
    rows = [*_rows(0), act(T0, "o", "override", stage="busy", until_us=T0 + 9 * SECOND), tick(T0 + SECOND), tick(T0 + 9 * SECOND)]
    entries = play(rows).entries
    assert [(n, state, why) for n, _, name, state, _, why in _devices(entries) if name == "road"] == [
        (1, "raise", "override"),
        (9, None, "override_ended"),
    ]
    assert [(n, state) for n, _, state, _ in _tasks(entries)] == [(1, "given"), (9, "withdrawn")]


def test_devices_of_a_case_come_and_go_with_it() -> None:
    fest = plan("fest", [stage("fest-calm", barriers={"alley": "raise"}, tasks=[CLOSE])], case=case("tighten"))
    rows = _rows(0, document=site(stages=STAGES, beside=[fest], **EQUIPPED))
    rows += [
        act(T0, "a", "override", case="fest", until_us=T0 + MINUTE),
        tick(T0 + SECOND),
        act(T0, "b", "override", case="fest", until_us=T0),
        tick(T0 + 2 * SECOND),
    ]
    entries = play(rows).entries
    assert [(n, state) for n, _, name, state, _, _ in _devices(entries) if name == "alley"] == [(1, "raise"), (2, None)]
    assert [(n, b) for n, _, b, _ in _tasks(entries)] == [(1, "given"), (2, "withdrawn")]
    assert {b["plan"] for b in bodies(entries, "task")} == {"fest"}


def test_a_drill_moves_no_device_and_gives_no_task() -> None:
    document = site(stages=STAGES, **EQUIPPED | {"gates": [gate("g0", drill=True), gate("g1", to="hall")]})
    rows = [*_rows(0, document=document), act(T0, "d", "drill", stage="full", until_us=T0 + MINUTE), tick(T0 + SECOND)]
    entries = play(rows).entries
    assert [n for n, *_ in _devices(entries)] == [0]
    assert _tasks(entries) == []


def test_documents_that_drop_a_device_or_the_plan_end_what_was_told_and_revisions_go_on() -> None:
    bare = site(stages=[stage("calm"), stage("busy", [term(100, 80)], SECOND), stage("full", [term(200, 180)], SECOND)])
    entries = play(
        [*_rows(150), declare(bare), tick(T0 + SECOND), declare(PLACE), tick(T0 + 2 * SECOND), declare(site()), tick(T0 + 3 * SECOND)]
    ).entries
    assert [(n, state, revision) for n, _, name, state, revision, _ in _devices(entries) if name == "road"] == [
        (0, "raise", 1),
        (1, None, 2),
        (2, "raise", 3),
        (3, None, 4),
    ]
    assert [(n, state) for n, _, state, _ in _tasks(entries)] == [(0, "given"), (1, "withdrawn"), (2, "given"), (3, "withdrawn")]


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_a_reader_of_the_journal_knows_every_device_and_task_as_the_stages_ask(seed: int) -> None:
    dice = random.Random(seed)
    engine, offset, now = Engine("p00"), 0, T0
    devices: dict[tuple[str, str], tuple[Any, int]] = {}
    tasks: set[tuple[str, str]] = set()
    rows: list[Any] = [declare(PLACE)]
    for n in range(40):
        rows.append(recount(now, dice.choice([0, 90, 150, 190, 250])))
        if dice.random() < 0.2:
            rows.append(
                act(now, f"o{n}", "override", stage=dice.choice(["calm", "busy", "full"]), until_us=now + dice.choice([-1, 10]) * SECOND)
            )
        entries = play([*rows, tick(now)], engine=engine, first=offset).entries
        for body in bodies(entries, "device"):
            key = (body["device"], body["name"])
            assert body["revision"] == devices.get(key, (None, 0))[1] + 1
            assert body["state"] != devices.get(key, (None, 0))[0]
            devices[key] = (body["state"], body["revision"])
        for body in bodies(entries, "task"):
            key = (body["plan"], body["task"])
            assert (key in tasks) == (body["state"] == "withdrawn")
            tasks ^= {key}
        active = next(s for s in STAGES if s["stage"] == engine.standings["yu"].stages["yu"])
        asked = {(kind, name): state for kind in ("barrier", "link", "sign") for name, state in active[f"{kind}s"].items()}
        assert {key: state for key, (state, _) in devices.items() if state is not None} == asked
        assert tasks == {("yu", t["task"]) for t in active["tasks"]}
        offset, rows, now = offset + len(rows) + 1, [], now + dice.choice([1, 5, 20]) * SECOND
        if dice.random() < 0.2:
            engine = stored(engine)
