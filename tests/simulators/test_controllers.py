"""Gates that do as they are told, or not, and what they say of themselves."""

from __future__ import annotations

import pytest

from flowwatch.core.settings import Setting
from flowwatch.documents import Source, shipped
from flowwatch_sim.controllers import IN_LANES, SLOWER, Controller, Disobedience, Report
from flowwatch_sim.laboratory import Day, Laboratory
from flowwatch_sim.measures import measures
from flowwatch_sim.planned import read_scenario

BOTH, OUT = Setting.parse("both"), Setting.parse("out")


def turned(does: str, until: float = 1000.0) -> tuple[Controller, list[float]]:
    """A gate that is told at 0 to lead out, which takes 60 s, and when it was turned, looked at every 10 s."""
    controller = Controller("gate", BOTH, 60.0, [Disobedience(0, does, 0.0, until)])
    controller.command(OUT, 0.0)
    return controller, [now for now in map(float, range(0, 600, 10)) if controller.at(now) is not None]


@pytest.mark.parametrize(
    ("does", "until", "at"), [("", 0, [60]), ("slow", 1000, [60 * SLOWER]), ("jams", 300, [300]), ("refuses", 1000, []), ("lies", 1000, [])]
)
def test_a_gate_is_turned_when_it_is_turned(does: str, until: float, at: list[float]) -> None:
    controller, times = turned(does, until)
    assert times == at
    assert controller.setting == (OUT if at else BOTH)


@pytest.mark.parametrize(("does", "claimed"), [("refuses", "both"), ("jams", "both"), ("lies", "out"), ("", "out")])
def test_only_a_liar_says_what_is_not_so(does: str, claimed: str) -> None:
    controller, _ = turned(does)
    assert controller.report(600.0) == Report(600.0, "gate", claimed, 0, 0)


def test_a_later_command_replaces_one_that_is_not_carried_out_yet() -> None:
    controller = Controller("gate", BOTH, 60.0, [])
    controller.command(OUT, 0.0)
    controller.command(Setting.parse("closed"), 30.0)
    assert [now for now in range(0, 200, 10) if controller.at(float(now)) is not None] == [90]
    assert str(controller.setting) == "closed"


def test_a_report_tells_who_passed_since_the_one_before_or_since_the_gate_was_turned() -> None:
    controller = Controller("gate", BOTH, 60.0, [], street=1)
    controller.command(OUT, 0.0)
    for _ in range(5):
        controller.passes(1)
    controller.at(60.0)
    controller.passes(0)
    assert controller.report(60.0) == Report(60.0, "gate", "out", 0, 1)
    assert controller.report(120.0) == Report(120.0, "gate", "out", 0, 0)


def test_people_who_were_in_the_lanes_contradict_no_setting() -> None:
    assert not Report(0.0, "g", "out", IN_LANES, 90).contradicts
    assert Report(0.0, "g", "out", IN_LANES + 1, 0).contradicts
    assert Report(0.0, "g", "in", 90, IN_LANES + 1).contradicts
    assert not Report(0.0, "g", "both", 90, 90).contradicts


SCENARIO = """scenario: liar
title: {{zh: 谎报, en: Liar}}
site: yuyuan
starts: 2026-10-01 12:00
lasts: 70m
sensing: perfect
streams: [{{stream: visitors, people: 6000, template: even, stay: 90m}}]
operators: {{carry_out: 30s, answer: 1m}}
gates: [{{gate: gate-6, does: {does}, at: 0s, lasts: 2h}}]
"""


def day(does: str) -> tuple[Day, float]:
    planned = read_scenario(Source("liar.yaml", SCENARIO.format(does=does).encode()), shipped())
    lived = Laboratory(planned, [1]).run()[0]
    return lived, measures(lived, planned)["contradicted"]


def test_the_flow_gives_a_liar_away_and_says_nothing_against_one_who_refuses() -> None:
    (lying, lies), (refusing, refuses) = day("lies"), day("refuses")
    assert lying.settings == refusing.settings
    assert refuses == 0
    assert lies > 5
    assert {report.gate for report in lying.reports if report.contradicts} == {"gate-6"}
