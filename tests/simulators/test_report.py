"""The report of days whose truth is known: its page is whole, its numbers are those of the tables, and it claims nothing that is not shown."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest

from flowwatch.documents import Source, shipped
from flowwatch_sim import report
from flowwatch_sim.comparing import Table, compare
from flowwatch_sim.report import answer, measured
from flowwatch_sim.report.certainty import certainty
from flowwatch_sim.report.inputs import spans
from flowwatch_sim.report.matter import Matter
from flowwatch_sim.runs import Result, Setup
from flowwatch_sim.statistics import Difference
from tests.simulators.made import SCENARIO, setup, whole_days

pytest.importorskip("matplotlib", reason="matplotlib is not installed: charts need flowwatch-crowd[plots]")

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
VOID = {"meta", "br", "link"}
SEEDS = range(1, 7)
CHINESE = re.compile(r"[\u3400-\u9fff]")
LOWER = 300.0


class Reader(HTMLParser):
    """Reads a page strictly: every element is closed where it should be."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.cells: list[dict[str, str]] = []
        self.classes: list[str] = []
        self.sources: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.classes += found.get("class", "").split()
        self.sources += [found[key] for key in ("src", "href", "xlink:href") if key in found]
        if "data-value" in found:
            self.cells.append(found | {"text": ""})

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "td" and self.cells and not self.cells[-1]["text"]:
            self.cells[-1]["text"] = data
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        """All that is read on the page."""
        return " ".join(self.words)


@cache
def two() -> tuple[tuple[Setup, Setup], tuple[Result, ...]]:
    return (setup(), setup("yuyuan-2018")), (*whole_days("yuyuan", SEEDS), *whole_days("yuyuan-2018", SEEDS, LOWER))


@cache
def page(language: Language, which: str = "two") -> str:
    setups, results = two()
    if which == "one":
        return report.page(setups[:1], results[:6], language)
    if which == "same":
        return report.page([setup(), setup()], [*whole_days("yuyuan", SEEDS)] * 2, language)
    return report.page(setups, results, language)


@pytest.mark.parametrize("which", ["one", "two", "same"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_whole_and_needs_nothing_from_elsewhere(language: Language, which: str) -> None:
    read = Reader(page(language, which))
    assert len(read.ids) == len(set(read.ids))
    assert "script" not in read.tags
    assert all(source.startswith("#") and source[1:] in read.ids for source in read.sources)
    assert page(language, which).count("<svg") == 5


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_is_that_of_the_tables(language: Language) -> None:
    table = compare(two()[1])
    read = Reader(page(language))
    means = [cell for cell in read.cells if "data-measure" in cell]
    differences = [cell for cell in read.cells if "data-difference" in cell]
    assert len(means) == 2 * len(differences)
    assert len(differences) > 25
    for cell in means:
        row = table.rows[cell["data-measure"]]
        assert float(cell["data-value"]) == row.means[int(cell["data-setup"])]
        assert cell["text"] == measured.figure(row.measure, row.means[int(cell["data-setup"])])
    for cell in differences:
        difference = table.rows[cell["data-difference"]].differences[0]
        assert difference is not None
        assert (float(cell["data-low"]), float(cell["data-high"])) == (difference.low, difference.high)
        assert cell["text"] == measured.change(cell["data-difference"], difference)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_plan_beside_itself_is_nowhere_better_or_worse(language: Language) -> None:
    read = Reader(page(language, "same"))
    assert {"better", "worse"}.isdisjoint(read.classes)
    said = " ".join(" ".join(sentences) for sentences in answer.answer(same(language)))
    assert not re.search(r"[1-9]", re.sub("95 ?%", "", said))
    assert not re.search(r"\b(lower|higher|fewer|more|less|sooner|later|shorter|longer)\b|[低高少多快慢] \d", said)
    assert said.count("每天都相同" if language == "zh" else "is the same on every day") == 6


def same(language: Language) -> Matter:
    return Matter([setup(), setup()], [*whole_days("yuyuan", SEEDS)] * 2, language)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", r"the peak at Yuyuan mall is (\d+) people lower \(95 % interval (\d+) to (\d+)\), but ([\d,]+) more people are turned away"),
        ("zh", r"豫园商城峰值低 (\d+) 人（95% 区间 (\d+) 至 (\d+)），但未能入场的多 ([\d,]+) 人"),
    ],
)
def test_the_answer_says_what_was_planted(language: Language, expected: str) -> None:
    (first, second, third), *others = answer.answer(Matter(*two(), language))
    assert not others
    found = re.search(expected, first)
    assert found is not None, first
    mean, low, high, turned = (int(text.replace(",", "")) for text in found.groups())
    assert low <= LOWER <= high
    assert low <= mean <= high
    assert abs(turned - 4 * LOWER) < 10
    assert "不同" in second or "相同" in second or "the same" in second
    assert first in "".join(Reader(page(language)).words)
    assert third


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "B (1,500/30,000): fewer people inside at the peak, a heavier burden outside; one has to be weighed against the other."),
        ("zh", "B（1,500/30,000）：场内峰值降低，场外负担加重，须权衡取舍。"),
    ],
)
def test_one_line_says_who_gains_and_who_pays(language: Language, told: str) -> None:
    assert re.sub(r"\([\d,/]+\)|（[\d,/]+）", "", answer.lead(Matter(*two(), language), 1)) == re.sub(r"\([\d,/]+\)|（[\d,/]+）", "", told)
    assert "weighed" not in answer.lead(same("en"), 1)
    assert answer.lead(same("en"), 1).endswith("no difference shown inside, none shown outside.")


def test_minutes_that_are_less_than_one_are_told_in_seconds() -> None:
    days = [replace(day, measures=day.measures | {"clear_t95": 3.0 + 0.1 * (day.plan == "yuyuan-2018")}) for day in two()[1]]
    ((*_, third),) = answer.answer(Matter(two()[0], days, "zh"))
    assert "离场慢 6 秒（95% 区间 6 至 6）" in third


def test_gates_that_were_closed_alike_are_told_together() -> None:
    shut = {f"closed_in/gate-{n}": 40.0 if n in (1, 4, 6) else 50.0 if n == 8 else 0.0 for n in range(1, 9)}
    read = Reader(report.page([setup()], [replace(day, measures=day.measures | shut) for day in two()[1][:6]], "en")).text
    assert re.search(r"\(gate-1\) and 2 others: closed to entry", read)
    assert re.search(r"\(gate-8\): closed to entry", read)
    assert "gate-4" not in read


def test_a_zone_where_nobody_ever_was_has_a_sentence_and_no_chart() -> None:
    days = [replace(day, measures=day.measures | {"peak/bridge": 0.0}) for day in two()[1][:6]]
    told = report.page([setup()], days, "zh")
    assert told.count("<svg") == page("zh", "one").count("<svg") - 1
    assert "九曲桥：始终无人。" in told


def test_a_plan_that_stayed_in_one_stage_has_a_sentence_and_no_bars() -> None:
    assert "九曲桥分区方案：始终为“双向通行”。" in page("zh", "one")


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_zero_lies_in_the_interval_no_direction_is_told(language: Language) -> None:
    results = [*whole_days("yuyuan", SEEDS, noise=400), *whole_days("yuyuan-2018", SEEDS, noise=400)]
    matter = Matter(two()[0], results, language)
    ((first, *_),) = answer.answer(matter)
    assert "未见差异" in first or "no difference is shown in the peak" in first
    assert not re.search(r"lower|higher|峰值[低高]", first)


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_setup_is_told_without_comparing(language: Language) -> None:
    read = Reader(page(language, "one"))
    assert {"better", "worse"}.isdisjoint(read.classes)
    assert "B" not in {word.strip() for word in read.words}
    assert len(answer.answer(Matter([setup()], whole_days("yuyuan", SEEDS), language))[0]) == 3


def test_the_english_page_has_no_chinese_in_it() -> None:
    assert not CHINESE.search(Reader(page("en")).text)


def test_the_chinese_page_has_no_english_sentence_in_it() -> None:
    read = Reader(page("zh")).text
    rest = re.sub(
        r"flowwatch-sim run .*|yuyuan(-2018)?|visitors|flowwatch|docs/verification\.md|Weidmann|gate-\d|national-day|rush", "", read
    )
    assert not re.findall(r"[A-Za-z]{4,}", rest)


@pytest.mark.parametrize("language", LANGUAGES)
def test_titles_are_escaped_wherever_they_come_from(language: Language) -> None:
    hostile = "'</title><script>alert(1)</script> & \" $\\\\frac{x}{$ {0} {n}'"
    setups = [setup(zh=hostile, en=hostile), setup("yuyuan-2018", zh=hostile, en=hostile)]
    told = report.page(setups, two()[1], language, again=lambda _, seed: f"<img src=x> {seed}")
    read = Reader(told)
    assert "script" not in read.tags
    assert "img" not in read.tags
    assert '</title><script>alert(1)</script> & " $\\\\frac{x}{$ {0} {n}' in read.text
    assert "<img src=x>" in read.text


def test_titles_of_the_site_and_its_plans_are_escaped_too(tmp_path: Path) -> None:
    for folder in ("config/sites/yuyuan.yaml", "rules/yuyuan/plan.yaml", "rules/yuyuan/bridge.plan.yaml"):
        text = (shipped() / folder).read_text(encoding="utf-8")
        text = re.sub(r"(?m)^(\s*(?:- stage: \w+\n\s*)?title: )\{.*\}$", r"""\1{zh: "<b>甲&$x_{$", en: "<b>A&$x_{$"}""", text)
        assert text.count("<b>") >= 4
        (tmp_path / folder).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / folder).write_text(text, encoding="utf-8")
    read = Reader(report.page([replace(setup(None), root=tmp_path)], whole_days("in-force", SEEDS), "en"))
    assert "b" not in read.tags
    assert "peak at <b>A&$x_{$ averages" in read.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_how_many_days_a_bound_needs_or_gives_it(language: Language) -> None:
    assert "59" in " ".join(certainty(Matter(*two(), language)))
    results = whole_days("yuyuan", range(1, 60))
    told = " ".join(certainty(Matter([setup()], results, language)))
    assert f"{max(day.measures['peak/mall'] for day in results):,.0f}" in told


def test_limits_that_did_not_hold_and_counts_that_erred_are_told() -> None:
    limited = SCENARIO.replace("ZH", "高峰").replace("EN", "Rush") + "expect: {most: {mall: 2000}}\n"
    one = replace(setup(), text=Source("rush.yaml", limited.encode()))
    days = [replace(day, measures=day.measures | {"band": 0.6}) for day in two()[1][:6]]
    over = sum(day.measures["peak/mall"] > 2000 for day in days)
    assert over
    told = " ".join(certainty(Matter([one], days, "en")))
    assert f"expects at most 2,000 people at Yuyuan mall; days above that, of 6: {over}." in told
    assert "inside the band only 60 % of the time" in told
    assert "only" not in " ".join(certainty(Matter([setup()], list(two()[1][:6]), "en")))


def test_the_worst_day_can_be_run_again() -> None:
    setups, results = two()
    for i, (name, of) in enumerate(zip(("yuyuan", "yuyuan-2018"), (results[:6], results[6:]), strict=True)):
        worst = max(of, key=lambda day: day.measures["peak/mall"])
        line = f"flowwatch-sim run rush.yaml --seed {worst.seed} --runs 1 --plan {name} --sensing perfect"
        assert line == report.replay(setups[i], worst.seed)
        assert line in Reader(page("en")).text


def test_a_day_with_other_bars_is_run_again_beside_the_plan_as_it_stands() -> None:
    moved = replace(setup(None), moved=(("three_in_five_out", 1200), ("exit_only", 2600)))
    line = report.replay(moved, 4)
    assert line == "flowwatch-sim compare rush.yaml --seed 4 --runs 2 --bars three_in_five_out=1200,exit_only=2600 --sensing perfect"
    results = [*whole_days("in-force", SEEDS), *whole_days("in-force 1200/2600", SEEDS, LOWER)]
    assert "Under B (1,200/2,600), compared with A (1,500/3,000)" in Reader(report.page([setup(None), moved], results, "en")).text


@pytest.mark.determinism
def test_the_same_days_give_the_same_page() -> None:
    setups, results = two()
    assert report.page(setups, results, "zh") == page("zh")


def test_without_matplotlib_the_line_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(report.NoPlotsError, match=r"flowwatch-crowd\[plots\]"):
        report.page(*two(), "en")


def test_days_of_other_setups_are_refused() -> None:
    with pytest.raises(ValueError, match="expected those of"):
        report.page([setup()], whole_days("yuyuan-2018", SEEDS), "en")


def test_every_measure_has_words_in_both_languages() -> None:
    table: Table = compare(two()[1])
    for language in LANGUAGES:
        matter = Matter(*two(), language)
        assert all(name.partition("/")[0] in measured.KINDS for name in table.rows)
        assert all("{" not in measured.title(name, matter) for name in table.rows)


def test_an_interval_without_zero_is_never_written_with_zero_in_it() -> None:
    assert measured.interval("wait_mean", Difference(0.1, 0.02, 0.15, 9), "en") == "+0.02 to +0.15"
    assert measured.interval("wait_mean", Difference(0.1, -0.02, 0.15, 9), "en") == "0.0 to +0.1"
    assert measured.interval("clear_t95", Difference(-0.12, -0.14, -0.09, 9), "zh") == "−0.14 至 −0.09"


def test_seeds_in_a_row_are_told_as_a_span() -> None:
    assert [spans(list(range(a, b))) for a, b in pairwise((1, 2, 4))] == ["1", "2–3"]
