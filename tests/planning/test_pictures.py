"""A plan as a picture: valid, complete, and no text wider than its place."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.planning.diagram import Ladder, ladder
from flowwatch.planning.measure import width, wrapped
from flowwatch.planning.mermaid import escaped, mermaid
from flowwatch.planning.poster import draw, svg
from tests.planning import made

LADDERS = [
    pytest.param(record, i, lang, id=f"{record.__name__}-{i}-{lang}")
    for record in (made.yuyuan, made.rich, made.big)
    for i in range(len(record()["plans"]))
    for lang in ("zh", "en")
]
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("<>&;:\"'#{}%一二三（）、，。 -"), min_size=1, max_size=80)
ALONG = 0.6
"""Half a coordinate's last digit at each end, and a bit."""


def drawn(record: Callable[[], dict[str, Any]], i: int, lang: Literal["zh", "en"]) -> Ladder:
    """The ladder of a record's plan."""
    found = record()
    return ladder(found, found["plans"][i], lang)


@pytest.mark.parametrize(("record", "i", "lang"), LADDERS)
def test_the_picture_is_xml_and_has_every_stage_and_gate(record: Callable[[], dict[str, Any]], i: int, lang: Literal["zh", "en"]) -> None:
    plan = drawn(record, i, lang)
    root = ET.fromstring(svg(plan))
    words = "".join("".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")).replace(" ", "")
    for state in plan.states:
        assert state.title.replace(" ", "") in words
        for sentence in (*state.rise, *state.fall):
            assert sentence.replace(" ", "")[1:] in words
    names = Counter(gate.title for state in plan.states for gate in state.gates)
    assert all(words.count(wrapped(name, 11.5, 60, bold=True)[0].replace(" ", "")) >= times for name, times in names.items())


@pytest.mark.parametrize(("record", "i", "lang"), LADDERS)
def test_no_text_is_wider_than_its_place(record: Callable[[], dict[str, Any]], i: int, lang: Literal["zh", "en"]) -> None:
    sheet = draw(drawn(record, i, lang))
    for text in sheet.texts:
        begin, end = text.span
        assert begin >= text.left - ALONG, text
        assert end <= text.right + ALONG, text
        assert text.left >= 0
        assert text.right <= sheet.w
        assert 0 < text.y < sheet.h


@pytest.mark.parametrize(("record", "i", "lang"), LADDERS)
def test_no_two_texts_lie_on_each_other(record: Callable[[], dict[str, Any]], i: int, lang: Literal["zh", "en"]) -> None:
    texts = draw(drawn(record, i, lang)).texts
    for n, one in enumerate(texts):
        for other in texts[n + 1 :]:
            (a, b), (c, d) = one.span, other.span
            beside = b <= c + ALONG or d <= a + ALONG
            apart = abs(one.y - other.y) >= min(one.size, other.size) * 0.9
            assert beside or apart, (one, other)


@pytest.mark.parametrize(("record", "i", "lang"), LADDERS)
def test_the_mermaid_diagram_declares_each_state_once_and_joins_neighbours(
    record: Callable[[], dict[str, Any]], i: int, lang: Literal["zh", "en"]
) -> None:
    plan = drawn(record, i, lang)
    text = mermaid(plan)
    ids = re.findall(r'^ {4}state ".*" as (\w+)$', text, re.MULTILINE)
    assert ids == [f"s{n}" for n in range(len(plan.states))]
    arrows = re.findall(r"^ {4}(\w+) --> (\w+): ", text, re.MULTILINE)
    assert arrows == [pair for n in range(1, len(ids)) for pair in ((f"s{n - 1}", f"s{n}"), (f"s{n}", f"s{n - 1}"))]
    for label in re.findall(r'--> \w+: (.*)$|state "(.*)" as', text, re.MULTILINE):
        bare = re.sub(r"#\d+;|<br/>", "", label[0] or label[1])
        assert not set(bare) & set(':;"<>{}[]|%#`')


@given(TEXTS)
def test_an_escaped_text_means_nothing_to_mermaid_and_is_what_it_was(text: str) -> None:
    safe = escaped(text)
    bare = re.sub(r"#\d+;", "", safe)
    assert not set(bare) & set(':;"<>{}[]|%#`\n')
    assert not re.search("style|classDef|-->", bare, re.IGNORECASE)
    assert re.sub(r"#(\d+);", lambda match: chr(int(match[1])), safe) == text


@settings(max_examples=40, deadline=None)
@given(TEXTS, TEXTS, st.lists(TEXTS, min_size=8, max_size=8), st.sampled_from(["zh", "en"]))
def test_titles_of_any_kind_fit_and_leave_the_picture_valid(title: str, stage: str, gates: list[str], lang: Literal["zh", "en"]) -> None:
    record = made.rich()
    plan = record["plans"][0]
    plan["title"] = made.both(title, title)
    plan["stages"][1]["title"] = made.both(stage, stage)
    for gate, name in zip(record["gates"], gates, strict=True):
        gate["title"] = made.both(name, name)
    found = ladder(record, plan, lang)
    ET.fromstring(svg(found))
    mermaid(found)
    for text in draw(found).texts:
        begin, end = text.span
        assert begin >= text.left - ALONG
        assert end <= text.right + ALONG


@given(TEXTS, st.floats(8, 30), st.floats(40, 400), st.booleans())
def test_wrapping_keeps_every_character_and_the_width(text: str, size: float, room: float, bold: bool) -> None:
    lines = wrapped(text, size, room, bold=bold)
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text)
    assert all(width(line, size, bold=bold) <= room + 1e-6 for line in lines)


def test_a_number_stays_with_its_unit_and_punctuation_with_its_word() -> None:
    assert wrapped("持续 10 分钟", 10, 55) == ["持续", "10 分钟"]
    assert wrapped("甲乙丙，丁", 10, 30) == ["甲乙", "丙，丁"]


def test_a_gates_name_is_broken_between_words_only() -> None:
    record = made.yuyuan()
    for gate, name in zip(record["gates"], ("Bai Causeway end", "Hubin entrance", "Waibaidu-Bridge side"), strict=False):
        gate["title"] = made.both("口", name)
    lines = {text.text for text in draw(ladder(record, record["plans"][0], "en")).texts}
    assert {"Bai", "Causeway", "Waibaidu-Bridge"} <= {word for line in lines for word in line.split()}


@pytest.mark.parametrize(
    ("lang", "said"), [("zh", "以“且”相连的，其中一项解除即可"), ("en", 'of those joined by "and", one that ends is enough')]
)
def test_where_leaves_must_hold_together_the_picture_says_that_one_which_ends_is_enough(lang: Literal["zh", "en"], said: str) -> None:
    plan = drawn(made.rich, 0, lang)
    assert any(state.enough == said for state in plan.states)
    assert said.replace(" ", "") in "".join(text.text for text in draw(plan).texts).replace(" ", "")
    assert escaped(said) in mermaid(plan)
    assert all(state.enough == "" for state in drawn(made.yuyuan, 0, lang).states)


def test_the_same_plan_gives_the_same_picture() -> None:
    assert svg(drawn(made.big, 0, "zh")) == svg(drawn(made.big, 0, "zh"))
