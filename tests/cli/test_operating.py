"""`operate`: what people in charge decide is written as records that the engine can read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowwatch.cli.exits import Exit
from flowwatch.core.actions import read_action
from flowwatch.core.entries import canonical
from flowwatch.log import Writer
from flowwatch.log.time import log_time
from tests.cli.conftest import Invoke, objects
from tests.journal.story import SECOND, START, holiday, site


def records(invoke: Invoke, folder: Path) -> list[dict[str, object]]:
    """The operators' records in the log, in order, as the engine reads them."""
    rows = [row for row in objects(invoke("log", "cat", "--data", folder)) if row["kind"] == "action"]
    return [read_action(canonical(row["payload"])).record for row in rows]


def now(folder: Path) -> int:
    """What an archive's log takes for now: its last tick."""
    return log_time(folder / "log")


def test_an_override_of_a_stage_says_who_why_and_until_when(invoke: Invoke, told: Path) -> None:
    before = records(invoke, told)
    asked = ("--site", "yuyuan", "--stage", "exit_only", "--until", "90m", "--reason", "灯会延时", "--by", "王警官")
    (said,) = objects(invoke("operate", "override", "--data", told, "--json", *asked))
    after = records(invoke, told)
    assert after == [*before, said["record"]]
    record = after[-1]
    assert (record["by"], record["reason"], record["stage"]) == ("王警官", "灯会延时", "exit_only")
    assert (record["at_us"], record["until_us"]) == (now(told), now(told) + 90 * 60 * SECOND)
    assert said["outcome"] is None


def test_an_override_of_a_gate_has_its_mode(invoke: Invoke, told: Path) -> None:
    invoke(
        "operate",
        "override",
        "--data",
        told,
        "--site",
        "yuyuan",
        "--gate",
        "gate-2",
        "--mode",
        "out",
        "--until",
        "15:00",
        "--reason",
        "crush",
    )
    record = records(invoke, told)[-1]
    assert (record["gate"], record["mode"]) == ("gate-2", "out")
    assert record["until_us"] == START + 3600 * SECOND, "15:00 in the site's own time zone"


def test_an_override_until_now_ends_one_in_force(invoke: Invoke, told: Path) -> None:
    invoke("operate", "override", "--data", told, "--site", "yuyuan", "--stage", "exit_only", "--until", "now", "--reason", "over")
    assert records(invoke, told)[-1]["until_us"] == now(told) + 1


def test_a_recount_says_when_was_counted(invoke: Invoke, told: Path) -> None:
    invoke("operate", "recount", "--data", told, "--site", "yuyuan", "--zone", "mall", "--count", "2840", "--counted-at", "2m")
    record = records(invoke, told)[-1]
    assert (record["zone"], record["count"], record["counted_at_us"]) == ("mall", 2840, now(told) - 120 * SECOND)


def test_a_confirmation_names_its_incident(invoke: Invoke, told: Path) -> None:
    invoke("operate", "confirm", "--data", told, "yuyuan-i6", "--by", "王警官")
    assert records(invoke, told)[-1]["incident"] == "yuyuan-i6"


def test_an_override_may_hold_a_gate_at_any_setting_in_its_canonical_spelling(invoke: Invoke, told: Path) -> None:
    asked = ("--gate", "gate-2", "--mode", "wave in 1m  out 2m", "--until", "1h", "--reason", "let them through in turns")
    invoke("operate", "override", "--data", told, "--site", "yuyuan", *asked)
    assert records(invoke, told)[-1]["mode"] == "wave in 60s out 120s"


def test_an_override_of_a_stage_may_name_its_plan(invoke: Invoke, told: Path) -> None:
    asked = ("--plan", "yuyuan", "--stage", "exit_only", "--until", "1h", "--reason", "r")
    invoke("operate", "override", "--data", told, "--site", "yuyuan", *asked)
    assert (records(invoke, told)[-1]["plan"], records(invoke, told)[-1]["stage"]) == ("yuyuan", "exit_only")


def test_a_case_is_declared_by_its_name(invoke: Invoke, lanterns: Path) -> None:
    asked = ("--case", "lantern", "--until", "2h", "--reason", "灯会提前亮灯")
    invoke("operate", "override", "--data", lanterns, "--site", "yuyuan", *asked)
    assert records(invoke, lanterns)[-1]["case"] == "lantern"


def test_a_confirmation_may_decline_with_a_reason(invoke: Invoke, told: Path) -> None:
    invoke("operate", "confirm", "--data", told, "yuyuan-i6", "--answer", "no", "--reason", "夜间疏散顺畅")
    assert (records(invoke, told)[-1]["answer"], records(invoke, told)[-1]["reason"]) == ("no", "夜间疏散顺畅")


def test_a_drill_has_a_stage_and_an_end_and_now_ends_it(invoke: Invoke, told: Path) -> None:
    for until, end in (("20m", now(told) + 20 * 60 * SECOND), ("now", now(told) + 1)):
        invoke("operate", "drill", "--data", told, "--site", "yuyuan", "--stage", "exit_only", "--until", until)
        record = records(invoke, told)[-1]
        assert (record["type"], record["stage"], record["until_us"]) == ("drill", "exit_only", end)


@pytest.mark.parametrize("state", ["on", "off"])
def test_a_fire_is_reported_and_ended(invoke: Invoke, told: Path, state: str) -> None:
    invoke("operate", "fire", "--data", told, "--site", "yuyuan", f"--{state}", "--by", "王警官")
    record = records(invoke, told)[-1]
    assert (record["type"], record["state"], record["by"]) == ("fire", state, "王警官")


@pytest.fixture
def lanterns(told: Path) -> Path:
    """The working folder after the site has got a case beside its plan."""
    with Writer.open(told / "log") as writer:
        writer.append_document(holiday(), now(told))
        writer.tick(now(told) + SECOND)
    return told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--case", "lantarn"), 'has no case "lantarn"; did you mean "lantern"?'),
        (("--case", "yuyuan"), 'has no case "yuyuan"; it has lantern'),
        (("--plan", "lantarn", "--stage", "waves"), 'has no plan "lantarn"; did you mean "lantern"?'),
        (("--stage", "waves"), 'has no stage "waves" in plan "yuyuan"'),
        (("--plan", "lantern", "--stage", "wave"), 'has no stage "wave" in plan "lantern"; did you mean "waves"?'),
    ],
)
def test_names_are_looked_up_in_the_plan_that_is_meant(invoke: Invoke, lanterns: Path, arguments: tuple[str, ...], said: str) -> None:
    result = invoke(
        "operate", "override", "--data", lanterns, "--site", "yuyuan", *arguments, "--until", "1h", "--reason", "r", code=Exit.USAGE
    )
    assert said in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("override", "--site", "yuyuen", "--stage", "x", "--until", "1h", "--reason", "r"), 'did you mean "yuyuan"?'),
        (("override", "--site", "yuyuan", "--stage", "exit_onli", "--until", "1h", "--reason", "r"), 'did you mean "exit_only"?'),
        (("override", "--site", "yuyuan", "--gate", "gate2", "--mode", "out", "--until", "1h", "--reason", "r"), 'did you mean "gate-2"?'),
        (("override", "--site", "yuyuan", "--gate", "gate-2", "--until", "1h", "--reason", "r"), "--gate with --mode"),
        (("override", "--site", "yuyuan", "--stage", "exit_only", "--gate", "gate-2", "--until", "1h", "--reason", "r"), "either --stage"),
        (("override", "--site", "yuyuan", "--until", "1h", "--reason", "r"), "or --case"),
        (("override", "--site", "yuyuan", "--plan", "yuyuan", "--until", "1h", "--reason", "r"), "either --stage"),
        (("override", "--site", "yuyuan", "--case", "lantern", "--until", "1h", "--reason", "r"), 'no case "lantern"'),
        (("override", "--site", "yuyuan", "--gate", "gate-2", "--mode", "metred 40/min", "--until", "1h", "--reason", "r"), "metered"),
        (
            ("override", "--site", "yuyuan", "--gate", "gate-2", "--mode", "metered 40", "--until", "1h", "--reason", "r"),
            '"metered 40/min"?',
        ),
        (("drill", "--site", "yuyuan", "--stage", "exit_onli", "--until", "1h"), 'did you mean "exit_only"?'),
        (("drill", "--site", "yuyuan", "--stage", "exit_only", "--until", "soon"), "is no time"),
        (("fire", "--site", "yuyuan"), "--on or --off"),
        (("fire", "--site", "yuyuen", "--on"), 'did you mean "yuyuan"?'),
        (("confirm", "yuyuan-i6", "--answer", "no"), "--reason to say why"),
        (("confirm", "yuyuan-i6", "--answer", "perhaps"), "--answer"),
        (("override", "--site", "yuyuan", "--stage", "exit_only", "--until", "later", "--reason", "r"), "is no time"),
        (("override", "--site", "yuyuan", "--stage", "exit_only", "--until", "1h", "--reason", ""), "reason"),
        (("recount", "--site", "yuyuan", "--zone", "mal", "--count", "1"), 'did you mean "mall"?'),
        (("recount", "--site", "yuyuan", "--zone", "mall", "--count", "-1"), "--count"),
        (("confirm", "yuyuan-3"), "names no incident"),
    ],
)
def test_a_slip_is_told_at_once_and_nothing_is_written(invoke: Invoke, told: Path, arguments: tuple[str, ...], said: str) -> None:
    before = records(invoke, told)
    result = invoke("operate", *arguments[:1], "--data", told, *arguments[1:], code=Exit.USAGE)
    assert said in result.stderr
    assert records(invoke, told) == before


def test_while_another_process_holds_the_log_a_record_waits_in_its_inbox(invoke: Invoke, told: Path) -> None:
    before = records(invoke, told)
    with Writer.open(told / "log") as holder:
        invoke("operate", "confirm", "--data", told, "--wait", 0, "yuyuan-i6")
        assert records(invoke, told) == before
        holder.drain()
    assert [r["type"] for r in records(invoke, told)[len(before) :]] == ["confirm"]


def test_a_drill_that_would_move_nothing_is_told_at_once_but_one_may_be_ended(invoke: Invoke, told: Path) -> None:
    record = json.loads(site("nothing drills"))
    record["gates"] = [gate | {"drill": False} for gate in record["gates"]]
    with Writer.open(told / "log") as writer:
        writer.append_document(canonical(record), now(told))
        writer.tick(now(told) + SECOND)
    asked = ("--data", told, "--site", "yuyuan", "--stage", "exit_only", "--until")
    assert 'no gate with "drill: true"' in invoke("operate", "drill", *asked, "20m", code=Exit.USAGE).stderr
    invoke("operate", "drill", *asked, "now")
    assert records(invoke, told)[-1]["type"] == "drill"
