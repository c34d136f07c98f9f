"""What cannot be meant in a scenario is told with its place."""

from __future__ import annotations

import pytest

from flowwatch.documents import DocumentErrors, Source, shipped
from flowwatch_sim.planned import Planned, read_scenario
from flowwatch_sim.variants import other_operators, read_operators

HEAD = """scenario: quiet
title: {zh: 平日, en: Quiet}
site: yuyuan
starts: 2026-09-22 20:00
lasts: 2h
"""
STREAMS = "streams: [{stream: visitors, people: 900, template: even, stay: 10m}]\n"


def read(more: str = "", streams: str = STREAMS) -> Planned:
    return read_scenario(Source("quiet.yaml", (HEAD + streams + more).encode()), shipped())


def told(more: str = "", streams: str = STREAMS) -> list[str]:
    with pytest.raises(DocumentErrors) as caught:
        read(more, streams)
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("every: 25s\n", 'quiet.yaml:7:8: every: found "25s", expected a part of a minute such as 5s, 10s or 30s'),
        (
            "faults: [{counter: turnstile-1, wrong: reset, at: 5m}]\n",
            'found reset at "turnstile-1", which sends how many passed, expected one with counts: cumulative',
        ),
        (
            "faults: [{counter: camera-9, wrong: swapped, at: 5m}]\n",
            'found swapped at "camera-9", which sends the people in view, expected a turnstile',
        ),
        ("faults: [{counter: turnstile-1, wrong: late, at: 5m, by: -60}]\n", "faults[0].by: found -60, expected seconds above 0"),
        ("faults: [{counter: turnstile-1, wrong: stuk, at: 5m}]\n", 'did you mean "stuck"?'),
        ("inside: 2000\n", "inside"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_place(more: str, said: str) -> None:
    assert any(said in line for line in told(more)), told(more)


def test_a_stream_of_whom_nobody_comes_while_the_day_lasts_is_told() -> None:
    assert (
        "quiet.yaml:6:11: streams[0]: found 900 people of whom none comes while the day lasts (from 20:00, for 2h)"
        in told(streams="streams: [{stream: visitors, people: 900, hours: {1: 1, 2: 1}, stay: 10m}]\n")[0]
    )


def test_a_fault_of_any_counter_is_one_of_those_that_can_have_it() -> None:
    planned = read("faults: [{counter: any, wrong: reset, at: 5m}, {counter: any, wrong: outage, at: 5m}]\n")
    counters = planned.loaded.site["counters"]
    reset = [counters[t.counter]["counts"] for t in planned.troubles if t.what == "reset"]
    assert reset == ["cumulative"] * 2
    assert len([t for t in planned.troubles if t.what == "outage"]) == len(counters)


def test_others_are_the_gates_that_are_not_named() -> None:
    planned = read("gates: [{gate: gate-1, does: jams, at: 5m}, {gate: others, does: refuses, at: 5m}]\n")
    assert [(d.gate, d.does) for d in planned.disobedience] == [(0, "jams"), *((g, "refuses") for g in range(1, 8))]


def test_people_in_charge_may_be_other_ones_in_some_things() -> None:
    planned = read("operators: {answer: 3m, round: 1h}\n")
    late = other_operators(planned, read_operators("carry_out=10m,answer=20m"))
    assert (planned.carry_out_s, planned.answer_s, planned.round_s) == (90, 180, 3600)
    assert (late.carry_out_s, late.answer_s, late.round_s) == (600, 1200, 3600)
    assert late.scenario.operators.decline == 0


@pytest.mark.parametrize(
    ("text", "said"), [("answr=20m", 'did you mean "answer"?'), ("answer=soon", "--operators:1:10: answer"), ("answer", "answer")]
)
def test_what_nobody_in_charge_does_is_told_with_the_near_miss(text: str, said: str) -> None:
    with pytest.raises(DocumentErrors, match="answer") as caught:
        read_operators(text)
    assert said in str(caught.value.faults[0])
