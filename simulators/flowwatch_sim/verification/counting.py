"""What counters make of a day whose truth is known, and whether the engine's band holds it."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from flowwatch.core.readings import SECOND
from flowwatch.documents import Source, shipped
from flowwatch_sim.counters import Turnstile
from flowwatch_sim.laboratory import Laboratory
from flowwatch_sim.layout import GATE, layout
from flowwatch_sim.planned import read_scenario
from flowwatch_sim.sensing import Message, Sensors
from flowwatch_sim.troubles import Trouble, Truth
from flowwatch_sim.verification.case import SEED, Case, about, at_least, case
from flowwatch_sim.world import Crossing

DAYS: Final = 20
CAME, LEFT = 20_000, 18_500
DAY: Final = """
scenario: band
title: {zh: 误差带, en: Band}
site: yuyuan
starts: 2026-10-01 11:00
lasts: 90m
sensing: declared
streams: [{stream: visitors, people: 5000, template: even, stay: 40m, visits: [{zone: bridge, share: 0.5, stay: 6m}]}]
operators: {answer: 1m, carry_out: 1m}
"""
EVERY_S: Final = 10.0
END_S: Final = 3600.0


def drifting() -> Case:
    """Counters that miss people lose sight of how many are inside."""
    found = []
    for missed_in, missed_out, mean, spread in ((0.02, 0.02, -30.0, 27.5), (0.03, 0.01, -415.0, 27.7)):
        off = np.array([_counted(SEED + i, missed_in, missed_out) for i in range(DAYS)]) - (CAME - LEFT)
        what = f"{missed_in:.0%} and {missed_out:.0%} missed"
        found += [
            about(f"{what}: mean error", mean, float(off.mean()), within=20.0),
            about("SD", spread, float(off.std(ddof=1)), share=0.25),
        ]
    return case(
        "V33a",
        f"20,000 come in and 18,500 go out past counters that miss some: in minus out against the truth; {DAYS} days",
        "binomial",
        "± 20 and ± 50 % (3.2 standard errors)",
        *found,
    )


def _counted(seed: int, missed_in: float, missed_out: float) -> int:
    truth, inside = Truth(), 0
    for index, (people, missed, sign) in enumerate(((CAME, missed_in, 1), (LEFT, missed_out, -1))):
        trouble = [Trouble(0, "misses", 0.0, END_S, share=missed)]
        turnstile = Turnstile(_record(f"gate-{index}", "delta"), index, trouble, truth, "perfect", seed, 2.0)
        for at in np.linspace(0.0, END_S, people, endpoint=False).tolist():
            turnstile.passes(0, at)
        reading = turnstile.read(())
        inside += sign * (reading.ingress if reading is not None else 0)
    return inside


def covering() -> Case:
    """The engine's band holds the truth where counters are as good as the site's documents say."""
    planned = read_scenario(Source("band", DAY.encode()), shipped())
    days = Laboratory(planned, range(SEED, SEED + 8)).run()
    inside = np.mean([((day.lower <= day.truth) & (day.truth <= day.upper) & (day.lower >= 0)).mean(axis=0) for day in days], axis=0)
    mall, bridge = (float(inside[planned.layout.zones.index(zone)]) for zone in ("mall", "bridge"))
    return case(
        "V33b",
        "90 min at Yuyuan with counters as good as its documents declare, 8 days: share of minutes in which the truth lies in the engine's band",
        "the band's own claim; the bridge's is told without a bar: half of its camera's error lasts all day, which the engine cannot see",
        "≥ 0.9",
        at_least("mall, by turnstiles and a camera", 0.9, mall),
        at_least("bridge, by a camera and lines", 0.0, bridge),
    )


def labels() -> Case:
    """What the truth log tells is what was done to the messages."""
    troubles = [
        *(Trouble(0, "duplicates", 600.0, 2400.0, share=0.3), Trouble(0, "late", 600.0, 1200.0, by=120)),
        *(Trouble(1, "outage", 600.0, 1500.0), Trouble(2, "disorder", 300.0, 3000.0, share=0.4)),
    ]
    clean, _ = _sent([])
    messages, truth = _sent(troubles)
    told = Tally(str(fault["what"]) for fault in truth.faults)
    said = [{(m.counter, m.at, m.ingress, m.egress) for m in of} for of in (clean, messages)]
    late = sum(m.received > m.at + SECOND for m in messages if m.counter == 0 and m.at < 1200 * SECOND)
    copies = len(messages) - len({(m.counter, m.at) for m in messages})
    return case(
        "V34",
        "an hour of messages from three counters with copies, delays, disorder and a gap: against the truth log, and the same hour without",
        "the log of the faults",
        "exact",
        about("copies", told["duplicates"], copies),
        about("missing", told["outage"], len(said[0] - said[1])),
        about("held back behind the one that follows", told["disorder"], sum(m.received > m.at for m in messages if m.counter == 2)),
        about("messages that were never sent", 0, len(said[1] - said[0])),
        at_least("late by more than a second", 1, late),
    )


def _sent(troubles: Sequence[Trouble]) -> tuple[list[Message], Truth]:
    luck = np.random.default_rng(SEED)
    sensors = Sensors(_SITE, troubles, sight="perfect", seed=SEED)
    for now in np.arange(EVERY_S, END_S + 1, EVERY_S).tolist():
        crossings = [Crossing(now - EVERY_S + k, GATE, gate, int(luck.random() < 0.4)) for gate in range(3) for k in range(1, 9)]
        sensors.see(crossings, [0], now)
    return sensors.heard(10 * END_S), sensors.truth


def _record(name: str, counts: str) -> dict[str, object]:
    """A compiled counter at the gate of its name."""
    place = {"counter": name, "counts": counts, "gate": name, "link": None, "zone": None}
    return place | {"every_us": int(EVERY_S * SECOND), "error_ppm": 20_000, "modulus": None, "swapped": False}


_SITE: Final = layout(
    {
        "zones": [{"zone": "hall", "area_m2": 100.0, "inside": None}],
        "gates": [
            {"gate": f"gate-{i}", "from": "outside", "to": "hall", "lanes": 4, "lane_per_min": 25, "width_m": 4.0, "entrance_only": False}
            for i in range(3)
        ],
        "links": [],
        "counters": [_record(f"gate-{i}", "delta") for i in range(3)],
    }
)
SLOW: Final[tuple[Callable[[], Case], ...]] = (drifting, covering)
CASES: Final = (drifting, covering, labels)
