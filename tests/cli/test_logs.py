"""`log create | cat | info`."""

from __future__ import annotations

from pathlib import Path

from flowwatch.cli.exits import Exit
from tests.cli.conftest import Invoke, objects


def test_creating_a_log_twice_with_the_same_settings_does_nothing(invoke: Invoke, tmp_path: Path) -> None:
    first = invoke("log", "create", "--data", tmp_path, "--clock", "event", "--tick", "500ms")
    assert invoke("log", "create", "--data", tmp_path, "--clock", "event", "--tick", "500ms").stdout == first.stdout
    refused = invoke("log", "create", "--data", tmp_path, "--clock", "wall", code=Exit.USAGE)
    assert "clock event" in refused.stderr


def test_cat_shows_every_record_and_can_leave_ticks_out(invoke: Invoke, told: Path) -> None:
    every = objects(invoke("log", "cat", "--data", told))
    assert [row for row in every if row["kind"] != "tick"] == objects(invoke("log", "cat", "--data", told, "--no-ticks"))
    assert {"delta", "cumulative", "absolute", "tick", "document", "action", "refused"} == {row["kind"] for row in every}


def test_cat_can_be_narrowed_to_a_site_and_an_offset(invoke: Invoke, told: Path) -> None:
    rows = objects(invoke("log", "cat", "--data", told, "--site", "yuyuan", "--start", 90, "--limit", 3))
    assert [(row["partition"], row["offset"]) for row in rows] == [("p00", 90), ("p00", 91), ("p00", 92)]


def test_cat_of_an_unknown_site_names_the_near_miss(invoke: Invoke, told: Path) -> None:
    assert 'did you mean "yuyuan"?' in invoke("log", "cat", "--data", told, "--site", "yuyuen", code=Exit.USAGE).stderr


def test_info_counts_what_cat_shows(invoke: Invoke, told: Path) -> None:
    (info,) = objects(invoke("log", "info", "--data", told, "--json"))
    rows = objects(invoke("log", "cat", "--data", told))
    assert {p["partition"]: p["end"] - p["start"] for p in info["holds"]} == {
        name: sum(row["partition"] == name for row in rows) for name in ("p00", "unrouted")
    }
    ticks = [row["at"] for row in rows if row["kind"] == "tick"]
    assert {p["last_tick"] for p in info["holds"]} == {max(ticks)}
    assert "yuyuan" in invoke("log", "info", "--data", told).stdout
