"""What persons are asked and what they answer, through the whole engine; and the record day of 2018, on which the police chose not to close.

On 21 February 2018 press reports had 33,581 people inside the Yuyuan lantern show, over the 30,000 at which the plan lets people only out
(domain.md). Nobody closed it. That is a normal state: somebody in charge says no, it is told who, and it goes on being told until the
condition ends.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.engine import Engine
from flowwatch.core.entries import Entry
from flowwatch.core.incidents import What
from flowwatch.core.readings import SECOND
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

MINUTE = 60 * SECOND
BOTH = {"rise": asked("commander", MINUTE, "keep"), "fall": asked("officer_in_charge")}
LANTERN = site(
    zones=[zone(capacity=30_000, area_m2=53_000.0)],
    stages=[
        stage("normal"),
        stage("three_in_five_out", [term(15_000, 13_000)], MINUTE, gates={"g0": "in", "g1": "out"}),
        stage("out_only", [term(30_000, 27_000)], MINUTE, gates={"g0": "out", "g1": "out"}, level="I", confirm=BOTH),
    ],
)


def _asked(entries: Any) -> list[tuple[int, str, str, str, str | None]]:
    """(minute, state of the incident, reason, state of the question, who answered)."""
    found = [b for b in bodies(entries, "incident") if b["what"] == "confirmation_needed"]
    return [((b["tick"] - T0) // MINUTE, b["state"], b["reason"], b["detail"]["state"], b["detail"]["said_by"]) for b in found]


def _incident(engine: Engine) -> str:
    """The name of the incident that asks."""
    return engine.scribe.incidents.open["yu", What.CONFIRMATION_NEEDED, "yu"].name


def _say(at: int, name: str, answer: str | None, incident: str = "yu-i2", by: str = "Wang") -> Row:
    return act(at, name, "confirm", incident=incident, by=by, **({} if answer is None else {"answer": answer}))


def test_on_the_record_day_the_commander_says_no_and_it_is_told_until_people_have_left() -> None:
    engine, entries = Engine("p00"), list[Entry]()
    day = [14_000, 20_000, 28_000, 31_000, 33_581, 33_000, 31_000, 28_500, 26_000, 20_000, 9_000, 8_000]
    for n, inside in enumerate(day):
        at = T0 + n * MINUTE
        no = [_say(at, "no", "no", _incident(engine), by="Commander Zhao")] if inside == 33_581 else []
        entries += play([*([declare(LANTERN)] if n == 0 else []), recount(at, inside), *no, tick(at)], engine=engine).entries
    assert [((at - T0) // MINUTE, to) for at, _, to, _ in stages_seen(entries)] == [(0, "normal"), (1, "three_in_five_out"), (10, "normal")]
    assert _asked(entries) == [
        (3, "raised", "rise:out_only", "open", None),
        (4, "updated", "rise:out_only", "declined", "Commander Zhao"),
        (8, "cleared", "rise:out_only", "declined", "Commander Zhao"),
    ]
    detail = next(b["detail"] for b in bodies(entries, "incident") if b["what"] == "confirmation_needed")
    assert (detail["to"], detail["direction"], detail["by"], detail["due_us"]) == ("out_only", "rise", "commander", T0 + 4 * MINUTE)
    assert [b["level"] for b in bodies(entries, "incident") if b["what"] == "confirmation_needed"] == ["I", "I", "I"]
    assert "out" not in {b["setting"] for b in bodies(entries, "command") if b["gate"] == "g0"}
    assert [b["action"] for b in bodies(entries, "action") if b["type"] == "confirm"] == ["no"]


def test_a_yes_after_the_no_still_closes() -> None:
    rows = [
        declare(LANTERN),
        recount(T0, 33_581),
        tick(T0),
        _say(T0, "no", "no"),
        tick(T0 + MINUTE),
        _say(T0, "yes", "yes", by="Li"),
        tick(T0 + 2 * MINUTE),
    ]
    entries = play(rows).entries
    assert [(to, why) for _, _, to, why in stages_seen(entries)] == [("three_in_five_out", "rise"), ("out_only", "confirmed")]
    assert [(state, said) for _, state, _, said, _ in _asked(entries)] == [
        ("raised", "open"),
        ("updated", "declined"),
        ("cleared", "declined"),
    ]
    transition = bodies(entries, "transition")[-1]
    assert transition["cause"]["action"] == "yes"
    assert {b["action"] for b in bodies(entries, "command") if b["stage"] == "out_only"} == {"yes"}


def test_an_answer_left_out_is_a_yes() -> None:
    entries = play([declare(LANTERN), recount(T0, 33_581), tick(T0), _say(T0, "yes", None), tick(T0 + SECOND)]).entries
    assert [to for _, _, to, _ in stages_seen(entries)] == ["three_in_five_out", "out_only"]


def test_nobody_answers_and_it_says_so_and_a_late_yes_counts() -> None:
    rows = [
        declare(LANTERN),
        recount(T0, 33_581),
        tick(T0),
        *(tick(T0 + n * 30 * SECOND) for n in range(1, 9)),
        _say(T0, "yes", "yes"),
        tick(T0 + 5 * MINUTE),
    ]
    entries = play(rows).entries
    assert _asked(entries)[:2] == [(0, "raised", "rise:out_only", "open", None), (1, "updated", "rise:out_only", "unanswered", None)]
    assert stages_seen(entries)[-1][2:] == ("out_only", "confirmed")


def test_a_question_whose_condition_ends_is_withdrawn_and_an_answer_to_it_refused() -> None:
    rows = [
        declare(LANTERN),
        recount(T0, 33_581),
        tick(T0),
        recount(T0 + SECOND, 20_000),
        tick(T0 + SECOND),
        _say(T0, "yes", "yes"),
        tick(T0 + 2 * SECOND),
    ]
    entries = play(rows).entries
    assert [state for _, state, *_ in _asked(entries)] == ["raised", "cleared"]
    assert [b["refused"] for b in bodies(entries, "action") if b["type"] == "confirm"] == ['no open incident "yu-i2"']


def test_an_incident_that_proposes_nothing_is_confirmed_but_not_declined() -> None:
    rows = [declare(LANTERN), recount(T0, 20_000), tick(T0), _say(T0, "n", "no", "yu-i1"), _say(T0, "y", "yes", "yu-i1"), tick(T0 + SECOND)]
    entries = play(rows).entries
    assert [b["accepted"] for b in bodies(entries, "action") if b["type"] == "confirm"] == [False, True]
    assert [(b["state"], b["reason"]) for b in bodies(entries, "incident") if b["what"] == "stage"][-1] == ("updated", "confirmed")


def test_a_fall_is_asked_for_and_silence_after_the_question_applies_nothing() -> None:
    fall = {"rise": AUTOMATIC, "fall": asked("officer_in_charge", MINUTE, "apply")}
    document = site(stages=[stage("calm"), stage("busy", [term(100, 80)], SECOND, confirm=fall)])
    rows = [declare(document), recount(T0, 150), tick(T0), recount(T0 + MINUTE, 10), tick(T0 + MINUTE)]
    rows += [tick(T0 + n * MINUTE) for n in (3, 30, 300)]
    rows += [recount(T0 + 301 * MINUTE, 12), tick(T0 + 301 * MINUTE)]
    entries = play(rows).entries
    assert [((at - T0) // MINUTE, to, why) for at, _, to, why in stages_seen(entries)] == [(0, "busy", "rise"), (301, "calm", "unanswered")]


def test_a_rise_that_nobody_declines_in_time_is_applied_though_every_counter_is_silent() -> None:
    document = site(
        stages=[stage("calm"), stage("busy", [term(100, 80)], confirm={"rise": asked("officer", MINUTE, "apply"), "fall": AUTOMATIC})]
    )
    entries = play([declare(document), delta(T0, 150), *(tick(T0 + n * 20 * SECOND) for n in range(20))]).entries
    assert [(to, why) for _, _, to, why in stages_seen(entries)] == [("calm", "start"), ("busy", "unanswered")]


# -- documents -------------------------------------------------------------------------------------------------------------------------


def _waiting() -> Engine:
    engine = Engine("p00")
    play([declare(LANTERN), recount(T0, 33_581), tick(T0)], engine=engine)
    return engine


def test_a_document_that_keeps_the_stage_keeps_the_question_its_deadline_and_its_incident() -> None:
    engine = _waiting()
    before = dict(engine.plans.questions)
    entries = play([declare(LANTERN | {"egress_min_per_min": 40}), tick(T0 + SECOND)], engine=engine).entries
    assert engine.plans.questions == before
    assert _asked(entries) == []


def test_a_document_without_the_proposed_stage_withdraws_the_question() -> None:
    engine = _waiting()
    entries = play(
        [declare(site(zones=LANTERN["zones"], stages=LANTERN["plans"][0]["stages"][:2])), tick(T0 + SECOND)], engine=engine
    ).entries
    assert [state for _, state, *_ in _asked(entries)] == ["cleared"]
    assert engine.plans.questions == {}


def test_a_document_without_a_plan_withdraws_the_question_and_with_it_again_asks_anew() -> None:
    engine = _waiting()
    entries = play(
        [declare(site(zones=LANTERN["zones"])), tick(T0 + SECOND), declare(LANTERN), tick(T0 + 2 * SECOND)], engine=engine
    ).entries
    assert [state for _, state, *_ in _asked(entries)] == ["cleared", "raised"]


def test_a_main_plan_under_another_name_asks_on_and_can_be_answered() -> None:
    engine = _waiting()
    renamed = site(zones=LANTERN["zones"], stages=LANTERN["plans"][0]["stages"])
    renamed["plans"][0]["plan"] = "lantern-2018"
    entries = play([declare(renamed), tick(T0 + SECOND)], engine=engine).entries
    told = [b for b in bodies(entries, "incident") if b["what"] == "confirmation_needed"]
    assert [(b["subject"], b["state"]) for b in told][-1] == ("lantern-2018", "raised")
    play([_say(T0, "yes", "yes", told[-1]["incident"]), tick(T0 + 2 * SECOND)], engine=engine)
    assert engine.standings["yu"].stages == {"lantern-2018": "out_only"}


# -- properties ------------------------------------------------------------------------------------------------------------------------

confirmations = st.one_of(
    st.just(AUTOMATIC),
    st.builds(asked, st.just("officer"), st.sampled_from([None, 5 * SECOND, MINUTE]), st.sampled_from(["apply", "keep"])),
)


@st.composite
def places(draw: st.DrawFn) -> Document:
    stages = [stage("calm")]
    for rank in range(1, draw(st.integers(2, 5))):
        confirm = {"rise": draw(confirmations), "fall": draw(confirmations)}
        stages.append(stage(f"s{rank}", [term(40 * rank, 40 * rank - 15)], draw(st.sampled_from([0, 30])) * SECOND, confirm=confirm))
    return site(stages=stages)


@pytest.mark.slow
@settings(max_examples=60)
@given(places(), st.integers(0, 2**32))
def test_a_no_goes_on_being_told_until_the_condition_ends_or_somebody_says_yes(document: Document, seed: int) -> None:
    dice = random.Random(seed)
    engine, now, offset = Engine("p00"), T0, 0
    rows: list[Row] = [declare(document)]
    declined: dict[str, str] = {}
    """Incident -> the question that somebody declined."""
    incidents: dict[str, Document] = {}
    for n in range(60):
        rows.append(
            recount(now, dice.randrange(200)) if dice.random() < 0.4 else delta(now, dice.randrange(9), dice.randrange(9), ordinal=n)
        )
        yes = False
        if incidents and dice.random() < 0.3:
            name, yes = dice.choice(list(incidents)), dice.random() < 0.3
            rows.append(_say(now, f"a{n}", "yes" if yes else "no", name))
        before = {name: b["reason"] for name, b in incidents.items()}
        entries = play([*rows, tick(now)], engine=engine, first=offset).entries
        offset, rows, now = offset + len(rows) + 1, [], now + dice.choice([1, 5, 20, 70]) * SECOND
        for body in bodies(entries, "incident"):
            if body["what"] == "confirmation_needed":
                incidents = {k: v for k, v in incidents.items() if k != body["incident"]}
                if body["state"] != "cleared":
                    incidents[body["incident"]] = body
        question = engine.plans.questions.get("yu")
        assert {b["detail"]["to"] for b in incidents.values()} == ({question.to} if question is not None else set())
        asked_rank, rank = int(engine.plans.asked[0]), int(engine.plans.rank[0])
        assert bool(incidents) == (asked_rank != rank)
        for name, reason in declined.items():
            same = name in incidents and incidents[name]["reason"] == reason and before.get(name) == reason
            assert not same or yes or incidents[name]["detail"]["state"] == "declined"
        declined = {name: b["reason"] for name, b in incidents.items() if b["detail"]["state"] == "declined"}
        if dice.random() < 0.2:
            engine = stored(engine)


@pytest.mark.slow
@settings(max_examples=60)
@given(places(), st.integers(0, 2**32))
def test_while_every_counter_is_silent_no_stage_falls_unless_somebody_says_yes(document: Document, seed: int) -> None:
    dice = random.Random(seed)
    engine, now = Engine("p00"), T0
    play([declare(document), recount(T0, dice.randrange(200)), tick(T0)], engine=engine)
    for n in range(30):
        now += dice.choice([1, 5, 20]) * SECOND
        play(
            [recount(now, dice.randrange(200)) if dice.random() < 0.5 else delta(now, dice.randrange(9), ordinal=n), tick(now)],
            engine=engine,
        )
    now += 2 * MINUTE
    play([tick(now)], engine=engine)
    rank = int(engine.plans.rank[0])
    for n in range(30):
        now += dice.choice([1, 60, 3600, 86_400]) * SECOND
        rows: list[Row] = [_say(now, f"n{n}", "no", f"yu-i{dice.randrange(1, 9)}")] if dice.random() < 0.3 else []
        if dice.random() < 0.1:
            rows.append(declare(document | {"title": {"zh": f"{n}", "en": f"{n}"}}, now))
        play([*rows, tick(now)], engine=engine)
        assert engine.plans.rank[0] >= rank
        rank = int(engine.plans.rank[0])


@pytest.mark.parametrize("inside", [31_000, 40_000])
def test_an_open_question_outlives_a_restart_with_its_deadline(inside: int) -> None:
    engine = Engine("p00")
    play([declare(LANTERN), recount(T0, inside), tick(T0)], engine=engine)
    again = stored(engine)
    later = [tick(T0 + 59 * SECOND), tick(T0 + MINUTE), _say(T0, "yes", "yes"), tick(T0 + 2 * MINUTE)]
    assert play(later, engine=again, first=3) == play(later, engine=engine, first=3)
