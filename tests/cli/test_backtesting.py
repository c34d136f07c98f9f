"""`backtest`: two plans on a day of a small square, as tables, as JSON, as a picture; and what is wrong with the question."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from flowwatch.backtest import ink
from flowwatch.cli.exits import Exit
from flowwatch.documents import load
from flowwatch.documents.actions import Recount, new_id, payload
from flowwatch.log import Writer
from tests.backtest.made import MINUTE, small_log
from tests.cli.conftest import Invoke
from tests.core.world import T0

SITE: Final = """
site: square
title: {zh: 广场, en: The square}
time_zone: Asia/Shanghai
egress_min_per_min: 0
zones:
  all: {title: {zh: 广场, en: Square}, area_m2: 100, capacity: 25}
gates:
  north: {title: {zh: 北口, en: North gate}, to: all, lanes: 4, width_m: 4}
  south: {title: {zh: 南口, en: South gate}, to: all, lanes: 4, width_m: 4}
counters:
  n: {gate: north, counts: delta, every: 1m, lateness: 0s}
  s: {gate: south, counts: delta, every: 1m, lateness: 0s}
"""
PLAN: Final = """
plan: square
site: square
title: {{zh: {title}方案, en: "{title} plan"}}
stages:
  - stage: calm
    title: {{zh: 平时, en: Calm}}
    gates: {{others: both}}
  - stage: busy
    title: {{zh: 限进, en: Busy}}
    level: II
    when: {{any: [{{zone: all, measure: occupancy, enter: {bar}, clear: 5, hold: 0s}}]}}
    dwell: 1m
    gates: {{north: out, others: both}}
    alert: {{headline: {{zh: 人多, en: Busy}}, instruction: {{zh: 慢走, en: Walk slowly}}}}
"""
PEOPLE: Final = (12, 4, 6, 1, 0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a site and two plans; a day of the site is in the log of its folder "data"."""
    file = tmp_path / "config" / "sites" / "square.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(SITE, encoding="utf-8")
    for name, bar in (("square", 10), ("later", 20)):
        plan = tmp_path / "rules" / name / "plan.yaml"
        plan.parent.mkdir(parents=True)
        plan.write_text(PLAN.format(title=name, bar=bar), encoding="utf-8")
    record = load(file, [tmp_path / "rules" / "square" / "plan.yaml"]).site
    items: list[Any] = [("site", record)]
    for came in PEOPLE:
        items += [("count", "square/n", came, 0), ("tick",)]
    small_log(tmp_path / "data", [items[0], ("tick",), *items[1:]])
    with Writer.open(tmp_path / "data" / "log") as writer:
        at = writer.last_tick_us
        found = Recount(action=new_id(at), site="square", by="Wang", reason="counted", at_us=at, zone="all", count=0, counted_at_us=at)
        writer.append_action("square", payload(found), at)
        writer.tick(at + MINUTE)
    return tmp_path


def test_the_tables_show_both_plans_their_difference_and_the_sentences(invoke: Invoke, root: Path) -> None:
    shown = invoke("backtest", root / "data", "--plan", "square", "--plan", "later", "--documents", root, "--lang", "en").stdout
    assert "The square: 2026-09-21 22:14:00 to 2026-09-21 22:20:00 (Asia/Shanghai), 5 readings" in shown
    assert "Open loop: people move as they were recorded." in shown
    assert any(
        line.split() == ["came", "in", "where", "nobody", "was", "to", "enter", "(people)", "11", "1", "+10"] for line in shown.splitlines()
    )
    assert '"Busy" comes 2 min earlier under A: 2026-09-21 22:15:00 (A), 22:17:00 (B).' in shown
    chinese = invoke("backtest", root / "data", "--plan", "square", "--plan", "later", "--documents", root, "--lang", "zh").stdout
    assert "“限进”：A 早 2 分钟进入：A 2026-09-21 22:15:00，B 22:17:00。" in chinese
    assert "开环回测" in chinese


def test_json_is_one_object_and_the_same_bytes_every_time(invoke: Invoke, root: Path) -> None:
    asked = ("backtest", root / "data" / "log", "--plan", "log", "--plan", "later", "--documents", root, "--format", "json")
    first, second = (invoke(*asked, env={"PYTHONHASHSEED": seed}).stdout_bytes for seed in ("1", "2"))
    assert first == second
    told = json.loads(first)
    assert told["open_loop"]
    assert [plan["came_in_while_shut"] for plan in told["plans"]] == [11, 1]
    assert told["comparison"]["figures"]["came_in_while_shut"] == [11, 1, 10]


def test_one_plan_alone_is_told_without_a_comparison(invoke: Invoke, root: Path) -> None:
    asked = ("backtest", root / "data", "--plan", "rules/later", "--documents", root)
    assert "A − B" not in invoke(*asked).stdout
    assert json.loads(invoke(*asked, "--format", "json").stdout)["comparison"] is None


def test_times_are_of_the_site_or_after_the_beginning(invoke: Invoke, root: Path) -> None:
    asked = ("backtest", root / "data", "--plan", "log", "--documents", root, "--format", "json")
    for since, until in (("22:16", "22:18"), ("2m", "4m"), ("2026-09-21T22:16", "2026-09-21T14:18Z")):
        how = json.loads(invoke(*asked, "--from", since, "--until", until).stdout)["how"]
        assert (how["from_us"], how["until_us"]) == (T0 + 2 * MINUTE, T0 + 4 * MINUTE)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["--plan", "squar"],
            'no plan "squar" in rules/, expected later, square, "log" for the documents in the log; did you mean "square"?',
        ),
        ([], "0 --plan given; expected one or two"),
        (["--plan", "log", "--plan", "log", "--plan", "log"], "3 --plan given"),
        (["--plan", "log", "--site", "sqare"], 'no site "sqare"; expected square; did you mean "square"?'),
        (["--plan", "log", "--from", "22:18", "--until", "22:16"], 'is not before --until "22:16"'),
        (["--plan", "log", "--from", "soon"], '"soon" is no time'),
    ],
)
def test_what_cannot_be_tried_is_said_in_a_line(invoke: Invoke, root: Path, arguments: list[str], expected: str) -> None:
    assert expected in invoke("backtest", root / "data", "--documents", root, *arguments, code=Exit.USAGE).stderr


def test_a_file_is_no_archive_and_the_line_says_how_it_becomes_one(invoke: Invoke, root: Path) -> None:
    asked = ("backtest", root / "config" / "sites" / "square.yaml", "--plan", "log")
    assert "`flowwatch ingest --data DIR --mapping NAME`" in invoke(*asked, code=Exit.USAGE).stderr
    assert "expected a log's folder" in invoke("backtest", root / "rules", "--plan", "log", code=Exit.USAGE).stderr


def test_faults_of_a_plan_are_all_told(invoke: Invoke, root: Path) -> None:
    plan = root / "rules" / "later" / "plan.yaml"
    plan.write_text(plan.read_text(encoding="utf-8").replace("north: out", "nord: out"), encoding="utf-8")
    assert "north" in invoke("backtest", root / "data", "--plan", "later", "--documents", root, code=Exit.DOCUMENTS).stderr


def test_a_picture_is_drawn_beside_the_tables(invoke: Invoke, root: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pictures need flowwatch-crowd[plots]")
    file = root / "picture.png"
    invoke("backtest", root / "data", "--plan", "log", "--plan", "later", "--documents", root, "--plot", file)
    assert file.read_bytes().startswith(b"\x89PNG")


def test_a_picture_of_a_time_without_ticks_is_empty_and_no_error(invoke: Invoke, root: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pictures need flowwatch-crowd[plots]")
    file = root / "picture.png"
    shown = invoke("backtest", root / "data", "--plan", "log", "--from", "2027-01-01T00:00", "--plot", file, "--lang", "en").stdout
    assert "There is no tick in the chosen time" in shown
    assert file.exists()


def test_without_a_chinese_font_the_picture_is_english_and_says_so(invoke: Invoke, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pictures need flowwatch-crowd[plots]")
    monkeypatch.setattr(ink, "CJK", ("No Such Family",))
    result = invoke("backtest", root / "data", "--plan", "log", "--plot", root / "picture.png", "--lang", "zh")
    assert "in English, since no installed font has Chinese characters" in result.stderr
    assert "开环回测" in result.stdout


def test_without_matplotlib_the_line_names_what_to_install(invoke: Invoke, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = invoke("backtest", root / "data", "--plan", "log", "--plot", root / "picture.png", code=Exit.USAGE)
    assert "`pip install flowwatch-crowd[plots]`" in result.stderr
    assert not (root / "picture.png").exists()
