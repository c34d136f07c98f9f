"""The shipped tests of the shipped plan: it passes them, and a plan with a wrong bar, hold, dwell, level or gate does not."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from flowwatch.core.entries import canonical
from flowwatch.documents import Loaded, find, load, shipped
from flowwatch.documents.load import source
from flowwatch.trials import Stock, Test, read, run


@cache
def yuyuan() -> tuple[Loaded, Path]:
    site_file, plan_files = next((site, plans) for site, plans in find(shipped()) if site.stem == "yuyuan")
    return load(site_file, plan_files), plan_files[0].parent


@cache
def shipped_tests() -> list[Test]:
    loaded, folder = yuyuan()
    return [test for file in sorted(folder.glob("*.test.yaml")) for test in read(source(file), Stock.of(loaded.site))]


def mutants() -> Iterator[tuple[str, dict[str, Any]]]:
    """The compiled site with one number or word of the main plan changed, and what was changed."""
    record = yuyuan()[0].site
    for rank, stage in enumerate(record["plans"][0]["stages"]):
        for i, leaf in enumerate(stage["leaves"]):
            if leaf["kind"] != "people":
                continue
            for key, factor in (("enter_m", 0.9), ("enter_m", 1.1), ("clear_m", 0.9), ("clear_m", 1.1), ("hold_us", 0), ("hold_us", 3)):
                if leaf[key] * factor != leaf[key]:
                    yield (
                        f"{stage['stage']}: {leaf['zone']} {key} x {factor}",
                        _with(record, rank, ("leaves", i, key), int(leaf[key] * factor)),
                    )
        if rank:
            for factor in (0.5, 2):
                yield f"{stage['stage']}: dwell x {factor}", _with(record, rank, ("dwell_us",), int(stage["dwell_us"] * factor))
            yield f"{stage['stage']}: level", _with(record, rank, ("level",), "II")
        yield (
            f"{stage['stage']}: gate-3",
            _with(record, rank, ("gates", "gate-3"), {"in": "out", "out": "both", "both": "out"}[stage["gates"]["gate-3"]]),
        )


def _with(record: dict[str, Any], rank: int, path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    made = copy.deepcopy(record)
    part = made["plans"][0]["stages"][rank]
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return made


@pytest.mark.parametrize("test", shipped_tests(), ids=lambda test: test.trial.name)
def test_the_shipped_plan_does_what_its_tests_say(test: Test) -> None:
    assert run(test, yuyuan()[0]).failures == []


@pytest.mark.slow
@pytest.mark.parametrize(("changed", "record"), list(mutants()), ids=lambda part: part if isinstance(part, str) else "")
def test_a_plan_with_a_mistake_in_it_fails_some_test(changed: str, record: dict[str, Any]) -> None:
    wrong = Loaded(record, canonical(record), "")
    assert any(not run(test, wrong).passed for test in shipped_tests()), changed
