"""Whatever goes wrong with counters and gates: people keep a way out, silence lowers nothing, nothing is commanded twice."""

from __future__ import annotations

import numpy as np
import pytest

from flowwatch.core.gates import violations
from flowwatch.documents import Source, find, load, shipped
from flowwatch_sim.laboratory import Day, Laboratory
from flowwatch_sim.planned import Planned, read_scenario
from flowwatch_sim.rules import can_have
from flowwatch_sim.scenario import Disobedience, Wrong

HEAD = """
scenario: trouble
title: {{zh: 故障, en: Trouble}}
site: yuyuan
starts: 2026-10-01 09:00
lasts: 75m
streams: [{{stream: visitors, people: {people}, template: even, stay: 25m, shocks: [{{at: 35m, lasts: 40m, factor: 0.1}}]}}]
operators: {{answer: 1m, carry_out: 30s}}
"""
WRONG = [w.value for w in Wrong]
COUNTERS = {c["counter"]: c for c in load(*next(files for files in find(shipped()) if files[0].stem == "yuyuan")).site["counters"]}
POSSIBLE = {"any": WRONG} | {
    name: [wrong for wrong in WRONG if can_have(COUNTERS[name], wrong)] for name in [*(f"turnstile-{i}" for i in range(1, 9)), "camera-10"]
}
"""Counter -> the faults that it can have."""
SEEDS = 20
STALE_S = 75.0
"""A turnstile that has sent nothing for so long is silent (60 s, and its period)."""


def trouble(number: int) -> Planned:
    luck = np.random.default_rng(number)
    faults = [
        f"  - {{counter: {counter}, wrong: {luck.choice(POSSIBLE[counter])}, at: {int(luck.integers(0, 60))}m, "
        f"lasts: {int(luck.integers(1, 20))}m, share: {luck.random():.2f}, by: {int(luck.integers(1, 400))}}}"
        for counter in luck.choice(list(POSSIBLE), int(luck.integers(1, 8))).tolist()
    ]
    gates = [
        f"  - {{gate: gate-{int(luck.integers(1, 9))}, does: {luck.choice([d.value for d in Disobedience])}, at: {int(luck.integers(0, 60))}m}}"
        for _ in range(int(luck.integers(1, 4)))
    ]
    people = int(luck.integers(4000, 9000))
    text = HEAD.format(people=people) + "faults:\n" + "\n".join(faults) + "\ngates:\n" + "\n".join(gates) + "\n"
    return read_scenario(Source(f"trouble {number}", text.encode()), shipped())


def wrong_with(day: Day, planned: Planned) -> list[str]:
    """What no day may have."""
    site, found = planned.loaded.site, list[str]()
    for what, changes in (("asked for", day.commands), ("set", day.settings)):
        table = dict.fromkeys(planned.layout.gates, "both")
        last = dict.fromkeys(planned.layout.gates, "")
        times = dict.fromkeys(at for at, _, _ in changes)
        for at in times:
            for _, gate, setting in [change for change in changes if change[0] == at]:
                if setting == last[gate]:
                    found.append(f"{gate} {what} {setting} twice, at {at}")
                table[gate] = last[gate] = setting
            if what == "asked for":
                found += [f"{broken}, {what} at {at}" for broken in violations(site, table)]
    gated = [i for i, counter in enumerate(site["counters"]) if counter["gate"] is not None]
    for at, kind, level in day.alerts:
        if kind == "confirmation_needed" and level is not None:
            silent = [t for t in planned.troubles if t.what == "outage" and t.counter in gated and t.since + STALE_S < at < t.until]
            if silent:
                found.append(f"a fall is asked for at {at} while {len(silent)} turnstiles are silent")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("number", range(10))
def test_days_full_of_trouble_keep_what_must_be_kept(number: int) -> None:
    planned = trouble(number)
    for day in Laboratory(planned, range(SEEDS)).run():
        found = wrong_with(day, planned)
        assert not found, (
            f"scenario {number}, seed {day.seed}: {found}; again: pytest tests/simulators/test_random_faults.py -k '[{number}]'"
        )
        assert day.came == day.left + day.turned_away + day.still_inside
