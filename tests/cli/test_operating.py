"""`operate`: what people in charge decide is written as records that the engine can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowwatch.cli.exits import Exit
from flowwatch.cli.ticks import log_time
from flowwatch.core.actions import read_action
from flowwatch.core.entries import canonical
from flowwatch.log import Writer
from tests.cli.conftest import Invoke, objects
from tests.journal.story import SECOND, START


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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("override", "--site", "yuyuen", "--stage", "x", "--until", "1h", "--reason", "r"), 'did you mean "yuyuan"?'),
        (("override", "--site", "yuyuan", "--stage", "exit_onli", "--until", "1h", "--reason", "r"), 'did you mean "exit_only"?'),
        (("override", "--site", "yuyuan", "--gate", "gate2", "--mode", "out", "--until", "1h", "--reason", "r"), 'did you mean "gate-2"?'),
        (("override", "--site", "yuyuan", "--gate", "gate-2", "--until", "1h", "--reason", "r"), "--gate with --mode"),
        (("override", "--site", "yuyuan", "--stage", "exit_only", "--gate", "gate-2", "--until", "1h", "--reason", "r"), "either --stage"),
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
