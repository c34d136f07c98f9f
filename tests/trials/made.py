"""A small site with one of everything that a test can speak of, and ways to write and play tests of its plans."""

from __future__ import annotations

import re
from functools import cache
from textwrap import dedent, indent
from typing import Final

from flowwatch.documents import DocumentErrors, Loaded, Source, compile_sources
from flowwatch.trials import Outcome, Stock, read, run

SITE: Final = """
site: pier
title: {zh: 码头, en: Pier}
time_zone: Asia/Shanghai
egress_min_per_min: 40
zones:
  deck: {title: {zh: 甲板, en: Deck}, area_m2: 900, capacity: 400}
  tower: {title: {zh: 塔楼, en: Tower}, area_m2: 100, capacity: 60, inside: deck}
gates:
  door-1: {title: {zh: 一号门, en: Door 1}, to: deck, lanes: 4, width_m: 3, drill: true}
  door-2: {title: {zh: 二号门, en: Door 2}, to: deck, lanes: 4, width_m: 3}
links:
  stairs: {title: {zh: 楼梯, en: Stairs}, from: deck, to: tower, width_m: 3}
  ramp: {title: {zh: 坡道, en: Ramp}, from: deck, to: tower, width_m: 2}
barriers:
  quay: {title: {zh: 码头街路障, en: Quay Street barrier}}
signs:
  board: {title: {zh: 显示屏, en: Board}, kind: sign}
counters:
  beam-1: {gate: door-1, counts: delta, every: 10s}
  beam-2: {gate: door-2, counts: cumulative, every: 10s}
  line: {link: stairs, counts: delta, every: 10s}
  camera: {zone: tower, counts: absolute, every: 5s}
"""

PLAN: Final = """
plan: pier
site: pier
title: {zh: 码头方案, en: Pier plan}
stages:
  - {stage: calm, title: {zh: 平时, en: Calm}, gates: {others: both}}
  - stage: busy
    title: {zh: 繁忙, en: Busy}
    level: III
    when: {any: [{zone: deck, measure: occupancy, enter: 200, clear: 150, hold: 20s}]}
    dwell: 2m
    gates: {door-1: in, door-2: out}
    links: {stairs: one_way}
    confirm: {fall: {by: automatic}}
    alert: {headline: {zh: 人多, en: Busy}, instruction: {zh: 慢走, en: Slowly}}
  - stage: full
    title: {zh: 满, en: Full}
    level: I
    when: {any: [{zone: deck, measure: occupancy, enter: 400, clear: 300, hold: 0s}]}
    dwell: 5m
    gates: {others: out}
    barriers: {quay: raise}
    signs: {board: {zh: 请稍候, en: Please wait}}
    tasks: [{task: stewards, role: patrol, within: 5m, text: {zh: 增派两人, en: Two more}}]
    confirm: {rise: {by: officer, within: 60s, otherwise: apply}, fall: {by: officer}}
    alert: {headline: {zh: 满, en: Full}, instruction: {zh: 请离开, en: Please leave}}
degraded:
  - {rule: blind, when: {any: [{counter: any, health: silent, hold: 30s}]}, level: II}
"""

STAIRS: Final = """
plan: stairs
site: pier
title: {zh: 楼梯方案, en: Plan for the stairs}
zone: tower
stages:
  - {stage: open, title: {zh: 平时, en: Open}}
  - stage: narrow
    title: {zh: 收紧, en: Narrow}
    level: IV
    when: {any: [{link: stairs, measure: flow_rate, direction: in, enter: 30, clear: 20, hold: 0s}]}
    dwell: 30s
    gates: {door-1: metered 30/min both}
    confirm: {fall: {by: automatic}}
    alert: {headline: {zh: 楼梯, en: Stairs}, instruction: {zh: 慢走, en: Slowly}}
"""

REGATTA: Final = """
plan: regatta
site: pier
title: {zh: 赛船, en: Regatta}
case: {effect: replace}
stages:
  - {stage: racing, title: {zh: 比赛日, en: Racing}, gates: {door-1: in, door-2: out}}
"""


@cache
def pier() -> Loaded:
    """The site with its plans, compiled."""
    plans = [Source(f"{name}.yaml", text.encode()) for name, text in (("plan", PLAN), ("stairs.plan", STAIRS), ("regatta.plan", REGATTA))]
    return compile_sources(Source("pier.yaml", SITE.encode()), plans)


def written(*parts: str, name: str = "a test") -> str:
    """A file with one test: YAML of its keys, without the name."""
    return f"tests:\n  - name: {name}\n" + "".join(indent(dedent(part).strip() + "\n", "    ") for part in parts)


def faults(text: str, loaded: Loaded | None = None) -> list[str]:
    """Every fault of a file called t.yaml, as lines."""
    stock = Stock.of((loaded or pier()).site, "pier.yaml", "rules/pier")
    try:
        read(Source("t.yaml", text.encode()), stock)
    except DocumentErrors as errors:
        return [str(fault) for fault in errors.faults]
    return []


def play(*parts: str, loaded: Loaded | None = None) -> Outcome:
    """What becomes of the one test that `written` makes of these parts."""
    place = loaded or pier()
    (test,) = read(Source("t.yaml", written(*parts).encode()), Stock.of(place.site))
    return run(test, place)


def found(outcome: Outcome) -> list[tuple[str, str, str]]:
    """(key, expected, found) of all that was not as expected."""
    return [(d.key, d.expected, d.found) for failure in outcome.failures for d in failure.differences]


def place(fault: str) -> tuple[int, int]:
    """Line and column of a fault."""
    at = re.match(r"t\.yaml:(\d+):(\d+): ", fault)
    assert at is not None, fault
    return int(at[1]), int(at[2])
