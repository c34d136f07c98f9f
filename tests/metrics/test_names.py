from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowwatch.metrics import page
from flowwatch.metrics.names import PREFIX, TABLE, Group, Kind, named, samples

ROOT = Path(__file__).parents[2]
OF_THE_PACKAGE = {
    "flowwatch_sim",
    "flowwatch_session",
    "flowwatch_data",
    "flowwatch_no_skips",
    "flowwatch_crowd",
    "flowwatch_up",
    "flowwatch_url",
}
"""What begins alike and is no metric: a package, a cookie, a label, variables of the environment and of a shell."""


def test_every_name_is_there_once() -> None:
    every = [name for metric in TABLE for name in samples(metric)]
    assert len(every) == len(set(every))
    families = [metric.family for metric in TABLE]
    assert len(families) == len(set(families))


@pytest.mark.parametrize("metric", TABLE, ids=lambda metric: metric.name)
def test_names_keep_to_the_conventions(metric: object) -> None:
    assert metric in TABLE
    found = next(m for m in TABLE if m == metric)
    assert re.fullmatch("[a-z][a-z0-9_]*[a-z0-9]", found.name)
    assert not found.name.endswith(("_total", "_info", "_count", "_bucket", "_sum"))
    assert found.name.endswith(found.unit)
    assert found.unit or not found.name.endswith(("_seconds", "_bytes", "_people", "_ratio"))
    assert found.kind is not Kind.HISTOGRAM or found.unit == "seconds"
    assert len(set(found.labels)) == len(found.labels)
    assert not set(found.labels) & {"le", "job", "instance"}


@pytest.mark.parametrize("metric", TABLE, ids=lambda metric: metric.name)
def test_meanings_are_told_in_both_languages(metric: object) -> None:
    found = next(m for m in TABLE if m == metric)
    assert re.search("[一-鿿]", found.zh)
    assert not re.search("[一-鿿]", found.en)
    assert found.en.isprintable()
    assert "|" not in found.en + found.zh


def test_every_group_has_some() -> None:
    assert {metric.group for metric in TABLE} == set(Group)


def test_the_page_is_current() -> None:
    assert page.FILE.read_text(encoding="utf-8") == page.page()


@pytest.mark.parametrize("folder", ["docs", "config", "flowwatch/grafana", "flowwatch/cli", "README.md"])
def test_nothing_else_names_a_metric_that_there_is_not(folder: str) -> None:
    known = {name for metric in TABLE for name in (*samples(metric), metric.family)}
    files = (
        [ROOT / folder]
        if (ROOT / folder).is_file()
        else [f for f in (ROOT / folder).rglob("*") if f.suffix in (".md", ".yml", ".json", ".py")]
    )
    for file in files:
        found = set(re.findall(rf"(?<![:\w]){PREFIX}[a-z0-9_]+\b", file.read_text(encoding="utf-8")))
        strangers = {name for name in found - known if name not in OF_THE_PACKAGE and not name.startswith(tuple(OF_THE_PACKAGE))}
        assert not strangers, file


def test_a_slip_is_told_with_the_near_miss() -> None:
    assert named("plan_stage").sample == named("flowwatch_plan_stage").sample == "flowwatch_plan_stage"
    with pytest.raises(KeyError, match='did you mean "flowwatch_zone_known"'):
        named("zone_knwon")
