"""A condition as people say it means what the engine evaluates, and every kind of leaf has its words in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.conditions import comes, falls, rises, tidied, ways_down
from flowwatch.planning.titles import Titles
from tests.planning import made

CLAUSES = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), min_size=1, max_size=8)

SAID = [
    ("豫园商城在场人数超过 1,500 人并持续 30 秒", "there have been more than 1,500 people at Yuyuan mall for 30 s"),
    ("豫园商城人数区间上限超过 3,000 人", "the upper edge of the band at Yuyuan mall is above 3,000 people"),
    ("豫园商城人数区间下限超过 900 人并持续 30 秒", "the lower edge of the band at Yuyuan mall has been above 900 people for 30 s"),
    ("豫园商城人数区间宽度超过 300 人并持续 30 秒", "the band at Yuyuan mall has been wider than 300 people for 30 s"),
    (
        "豫园商城在场人数超过承载量的 80%（2,400 人）并持续 1 分钟",
        "Yuyuan mall has been above 80% of its capacity (2,400 people) for 1 min",
    ),
    (
        "九曲桥人群密度超过每平方米 3.5 人（1,470 人）并持续 1 分钟",
        "the density at Zigzag Bridge has been above 3.5 persons/m² (1,470 people) for 1 min",
    ),
    (
        "九曲桥服务水平达到 E 级（超过 454 人）并持续 1 分钟",
        "the level of service at Zigzag Bridge has been E or worse (more than 454 people) for 1 min",
    ),
    ("九曲桥排队人数超过 200 人并持续 2 分钟", "the queue at Zigzag Bridge has been above 200 people for 2 min"),
    ("全场净流入超过每分钟 60 人并持续 2 分钟", "the net flow into the whole site has been above 60 persons/min for 2 min"),
    ("2号口进入流量超过每分钟 80 人并持续 1 分钟", "the inward flow through Gate 2 has been above 80 persons/min for 1 min"),
    (
        "九曲桥西端双向单位宽度流量超过每米每分钟 60 人（每分钟 144 人）并持续 1 分钟",
        "the two-way flow per metre through Zigzag Bridge, west end has been above 60 persons/m/min (144 persons/min) for 1 min",
    ),
    (
        "九曲桥西端逆向客流超过每分钟 20 人并持续 1 分钟",
        "the weaker of the two streams through Zigzag Bridge, west end has been above 20 persons/min for 1 min",
    ),
    (
        "豫园商城 15 分钟内预测人数（P90）超过 1,650 人并持续 3 分钟（目前尚不判断）",
        "the forecast for Yuyuan mall within 15 min (90th percentile) has been above 1,650 people for 3 min (not judged yet)",
    ),
    ("任一计数器数据中断持续 3 分钟", "any counter has been silent for 3 min"),
    ("计数器“turnstile-4”读数不变（目前尚不判断）", "counter turnstile-4 is stuck (not judged yet)"),
    ("时间在 17:00 至次日 02:00 之间", "the time is within 17:00–02:00"),
    (
        "当日为法定节假日、周六或“lantern”活动日（营业日自 05:00 起算）",
        'it is a public holiday, a Saturday or one of the days of "lantern" (the day begins at 05:00)',
    ),
    ("景区“bund”处于“remote_hold”或更高阶段并持续 30 秒", 'site bund has been at stage "remote_hold" or above for 30 s'),
]


NEIGHBOUR = {"kind": "neighbour", "site": "bund", "plan": "stairs", "stage": "narrow", "hold_us": 0}


@pytest.mark.parametrize(
    ("lang", "on", "off"),
    [
        ("zh", "景区“bund”的方案“stairs”处于“narrow”或更高阶段", "景区“bund”的方案“stairs”已降至“narrow”以下"),
        ("en", 'site bund (plan stairs) is at stage "narrow" or above', 'site bund (plan stairs) is below stage "narrow"'),
    ],
)
def test_the_stage_of_another_site(lang: Any, on: str, off: str) -> None:
    titles = Titles(made.site(), lang)
    assert [rises(NEIGHBOUR, titles), falls(NEIGHBOUR, titles)] == [on, off]


@pytest.mark.parametrize(("leaf", "zh", "en"), [(leaf, *said) for leaf, said in zip(made.leaves(), SAID, strict=True)], ids=lambda v: "")
def test_every_kind_of_leaf_is_said_in_both_languages(leaf: dict[str, Any], zh: str, en: str) -> None:
    assert rises(leaf, Titles(made.site(), "zh")) == zh
    assert rises(leaf, Titles(made.site(), "en")) == en


@pytest.mark.parametrize("leaf", made.leaves(), ids=lambda leaf: leaf.get("measure", leaf["kind"]))
def test_the_way_down_says_the_clear_bar(leaf: dict[str, Any]) -> None:
    zh, en = (falls(leaf, Titles(made.site(), lang)) for lang in ("zh", "en"))
    if "clear_m" in leaf:
        shown = f"{round(leaf['clear_m'] / 1000):,}"
        assert shown in zh
        assert shown in en
    assert zh != en


def evaluated(clauses: Sequence[Sequence[int]], on: set[int]) -> bool:
    """What the engine makes of them."""
    return any(set(clause) <= on for clause in clauses)


@given(CLAUSES, st.sets(st.integers(0, 5)))
def test_a_tidied_condition_holds_exactly_when_the_engine_says_so(clauses: list[list[int]], on: set[int]) -> None:
    found = tidied(clauses)
    said = set(found.common) <= on and (not found.ways or any(set(way) <= on for way in found.ways))
    assert said == evaluated(clauses, on)


@given(CLAUSES)
def test_what_all_ways_share_is_said_once(clauses: list[list[int]]) -> None:
    found = tidied(clauses)
    for way in found.ways:
        assert not set(way) & set(found.common)


def test_alternatives_are_joined_by_or_and_what_they_share_comes_first() -> None:
    some = made.leaves()
    part = {"leaves": [some[15], some[0], some[1]], "clauses": [[0, 1], [0, 2]]}
    assert comes(part, Titles(made.site(), "en")) == (
        "the time is within 17:00–02:00, and at the same time either there have been more than 1,500 people at Yuyuan mall for 30 s, "
        "or the upper edge of the band at Yuyuan mall is above 3,000 people"
    )
    assert comes(part, Titles(made.site(), "zh")) == (
        "时间在 17:00 至次日 02:00 之间，且符合以下之一：豫园商城在场人数超过 1,500 人并持续 30 秒，或豫园商城人数区间上限超过 3,000 人"
    )


def test_leaves_that_end_alike_are_told_once() -> None:
    part = {"leaves": [made.people(), made.people("occupancy_lower")], "clauses": [[0], [1]]}
    assert len(ways_down([part], Titles(made.site(), "en"))) == 1
