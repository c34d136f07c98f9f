"""A plan in plain words: golden texts, and what every explanation contains."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.core.gates import Setting
from flowwatch.planning.explain import explain, outline
from flowwatch.planning.settings import does, groups, sentences
from flowwatch.planning.stages import stage_lines
from flowwatch.planning.titles import Titles
from flowwatch.vocabulary import setting as called
from tests.planning import made

GOLDEN = Path(__file__).parent / "golden"
LANGUAGES: tuple[Literal["zh", "en"], ...] = ("zh", "en")
RECORDS: tuple[Callable[[], dict[str, Any]], ...] = (made.yuyuan, made.rich, made.big)
SETTINGS = ("in", "out", "both", "closed", "metered 40/min", "metered 5/min both", "wave in 50s hold 10s out 110s")


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("record", [made.yuyuan, made.rich])
def test_a_plan_reads_as_it_was_read_in_review(record: Callable[[], dict[str, Any]], lang: Literal["zh", "en"]) -> None:
    file = GOLDEN / f"{record.__name__}.{lang}.md"
    told = explain(record(), lang)
    if os.environ.get("FLOWWATCH_GOLDEN") == "write":
        file.write_text(told, encoding="utf-8")
    assert told == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("record", RECORDS)
def test_every_gate_of_the_site_occurs_in_every_stage(record: Callable[[], dict[str, Any]], lang: Literal["zh", "en"]) -> None:
    found = record()
    titles = Titles(found, lang)
    for plan in found["plans"]:
        for rank in range(len(plan["stages"])):
            text = "\n".join(line.text for line in stage_lines(found, plan, rank, titles))
            bare = re.sub(r"[（(][^（()）]*[)）]", "", text)
            for gate in titles.gates:
                number = re.fullmatch(r"Gate (\d+)|(\d+)号口", titles.gate(gate))
                wanted = (
                    rf"\b{number[1]}\b"
                    if number and number[1]
                    else rf"(?<!\d){number[2]}(?!\d)"
                    if number
                    else re.escape(titles.gate(gate))
                )
                assert re.search(wanted, bare), (plan["plan"], rank, gate)


@given(st.dictionaries(st.sampled_from([f"gate-{i}" for i in range(1, 9)]), st.sampled_from(SETTINGS)))
def test_every_gate_stands_in_exactly_one_sentence(table: dict[str, str]) -> None:
    titles = Titles(made.site(), "en")
    found = groups(table, titles)
    assert sorted(gate for group in found for gate in group.gates) == sorted(titles.gates)
    assert len(sentences(table, titles)) == len(found)
    for group in found:
        for gate in group.gates:
            assert table.get(gate) == (None if group.setting is None else str(group.setting))


@pytest.mark.parametrize("record", RECORDS)
def test_every_bar_is_told_in_both_languages(record: Callable[[], dict[str, Any]]) -> None:
    found = record()
    for lang in LANGUAGES:
        text = explain(found, lang)
        for plan in found["plans"]:
            for stage in plan["stages"]:
                for leaf in (leaf for leaf in stage["leaves"] if "enter_m" in leaf):
                    assert f"{round(leaf['enter_m'] / 1000):,}" in text
                    assert f"{round(leaf['clear_m'] / 1000):,}" in text


@pytest.mark.parametrize("record", RECORDS)
def test_both_languages_have_the_same_outline(record: Callable[[], dict[str, Any]]) -> None:
    zh, en = ([line.depth for line in outline(record(), lang)] for lang in LANGUAGES)
    assert zh == en


def test_three_in_five_out_is_told_by_its_gates() -> None:
    record = made.yuyuan()
    table = record["plans"][0]["stages"][1]["gates"]
    assert sentences(table, Titles(record, "en")) == [
        "Gates 2, 3 and 5 lead in (3 of 8).",
        "The other five lead out: gates 1, 4, 6, 7 and 8 (5 of 8).",
    ]
    assert sentences(table, Titles(record, "zh")) == [
        "2、3、5号口只进（8 个中 3 个）。",
        "其余 5 个只出：1、4、6、7、8号口（8 个中 5 个）。",
    ]


def test_gates_that_share_a_short_title_are_told_by_their_whole_one() -> None:
    record = made.site(2)
    record["gates"][1]["title"] = made.both("1号口（福佑路）", "Gate 1 (Fuyou Road)")
    titles = Titles(record, "en")
    assert [titles.gate(gate) for gate in titles.gates] == ["Gate 1 (Fangbang Middle Road)", "Gate 1 (Fuyou Road)"]
    record["gates"][1]["title"] = record["gates"][0]["title"]
    titles = Titles(record, "en")
    assert len({titles.gate(gate) for gate in titles.gates}) == 2


def test_a_site_without_a_plan_says_that_nothing_is_decided() -> None:
    assert "nothing is decided" in explain(made.site(), "en")
    assert "不作决定" in explain(made.site(), "zh")


@pytest.mark.parametrize("text", SETTINGS)
def test_settings_have_words_in_both_languages(text: str) -> None:
    zh, en = Titles(made.site(), "zh"), Titles(made.site(), "en")
    setting = Setting.parse(text)
    assert called(setting, "zh") != called(setting, "en")
    assert does(setting, zh, one=True) == does(setting, zh, one=False)
    assert does(setting, en, one=True) != does(setting, en, one=False)
