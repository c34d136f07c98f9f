"""Sites whose plan turns nearly every gate round at once, so that the order in which gates turn matters.

People in the yard have two ways out, gates e and f, and the inner gate h back to the hall. Between `calm` and `swapped` a, b, c, d change places,
e and f change places, and h closes the way back: whoever turns f inward or h before e leads out shuts the yard in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from flowwatch.documents import load

GATES: Final = ("a", "b", "c", "d", "e", "f", "g", "h")
OUTER: Final = ("a", "b", "c", "d", "e", "f", "g")
LEVELS: Final = {"calm": 500, "swapped": 1300, "empty": 2200}
"""How many people bring a site to which stage."""
BASE: Final = {"hall": 400, "yard": 100}
"""How many are there at the beginning."""
DWELL_US: Final = 1_000_000

_GATE: Final = "  {name}: {{title: {{zh: 口, en: Gate {name}}}, from: {origin}, to: {goal}, lanes: 4, width_m: 4{more}}}"
_COUNTER: Final = "  at-{name}: {{gate: {name}, counts: delta, every: 10s, error: 0, max_per_min: 1000000, lateness: 10m}}"
_PLAN: Final = """\
plan: turns
site: {site}
title: {{zh: 换向, en: Turns}}
stages:
  - {{stage: calm, title: {{zh: 平时, en: Calm}}, gates: {{a: in, b: in, c: out, d: out, e: in, f: out, g: both, h: both}}}}
  - stage: swapped
    title: {{zh: 换向, en: Swapped}}
    when: {{any: [{{zone: site, measure: occupancy, enter: 1000, clear: 700, hold: 0s, clear_measure: occupancy}}]}}
    dwell: 60s
    gates: {{a: out, b: out, c: in, d: in, e: out, f: in, g: wave in 50s hold 10s out 60s, h: in}}
    confirm: {{fall: {{by: automatic}}}}
  - stage: empty
    title: {{zh: 疏散, en: Emptied}}
    when: {{any: [{{zone: site, measure: occupancy, enter: 1800, clear: 1500, hold: 0s, clear_measure: occupancy}}]}}
    dwell: 60s
    gates: {{h: both, others: out}}
    confirm: {{fall: {{by: automatic}}}}
"""


def names(sites: int) -> list[str]:
    """What the sites are called."""
    return [f"quay-{number}" for number in range(sites)]


def compiled(folder: Path, site: str) -> dict[str, Any]:
    """The record of a site, with stages that may fall after a second: a minute, as the rules ask of documents, would leave little to kill."""
    record = dict(load(site_file(folder, site), [_plan_file(folder, site)]).site)
    plans = [
        {**plan, "stages": [{**stage, "dwell_us": min(stage["dwell_us"], DWELL_US)} for stage in plan["stages"]]}
        for plan in record["plans"]
    ]
    return record | {"plans": plans}


def site_file(folder: Path, site: str) -> Path:
    """Where the site is described."""
    return folder / "config" / "sites" / f"{site}.yaml"


def _plan_file(folder: Path, site: str) -> Path:
    return folder / "rules" / site / "plan.yaml"


def write(folder: Path, sites: int) -> None:
    """The documents of so many sites."""
    for site in names(sites):
        gates = [_GATE.format(name=g, origin="outside", goal="yard" if g in "ef" else "hall", more="") for g in OUTER]
        gates.append(_GATE.format(name="h", origin="hall", goal="yard", more=", on_lost: both"))
        zone = "{title: {zh: 区, en: Part}, area_m2: 5000, capacity: 5000, accepts_single_exit: {reason: a trial, by: nobody}}"
        lines = [
            f"site: {site}",
            "title: {zh: 码头, en: Quay}",
            "time_zone: Asia/Shanghai",
            "delivery: automatic",
            "egress_min_per_min: 250",
        ]
        lines += ["zones:", f"  hall: {zone}", f"  yard: {zone}", "gates:", *gates]
        lines += ["counters:", *(_COUNTER.format(name=g) for g in OUTER)]
        file = site_file(folder, site)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        plan = _plan_file(folder, site)
        plan.parent.mkdir(parents=True, exist_ok=True)
        plan.write_text(_PLAN.format(site=site), encoding="utf-8")
