"""What the analysis takes for sure about conditions is so: days as the engine's clock has them, implications whatever the figures are."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.clocks import clock
from flowwatch.core.network import first_instant
from flowwatch.safety.clauses import Reasoner
from flowwatch.safety.days import WHOLE_DAY, Days, both, seconds, window, within
from tests.safety.made import Record, day, health, hours, passers, people, plan, site, stage, zone

DAY = 86_400_000_000
KINDS = ("mon", "sat", "sun", "workday", "weekend", "holiday", "lantern")
seeds = st.integers(0, 2**32)


def _plan(dice: random.Random, first: int) -> Record:
    spans = {kind: [[first + (k := dice.randrange(30)), first + k + dice.randrange(3)]] for kind in ("holiday", "makeup", "lantern")}
    start, stop = (dice.choice([None, (first + dice.randrange(40)) * DAY + dice.randrange(DAY)]) for _ in range(2))
    return plan("yu", [stage("normal")], days=spans, valid_from_us=start, valid_to_us=stop)


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_days_are_those_on_which_the_engines_clock_holds_while_the_plan_is_valid(seed: int) -> None:
    dice = random.Random(seed)
    first = 17_000 + dice.randrange(1000)
    made = _plan(dice, first)
    place = site(made)
    leaf = day(*dice.sample(KINDS, dice.randrange(1, 3)), begins=dice.choice([0, 5]))
    days = Days(place, made)
    for number in range(first - 10, first + 50):
        begins = first_instant(place, number * DAY + leaf["business_day_s"] * 1_000_000)
        moments = range(begins, begins + DAY, DAY // 48)
        valid = [at for at in moments if (made["valid_from_us"] or 0) <= at < (made["valid_to_us"] or 2**60)]
        on = any(clock(place, made, leaf, at)[0] for at in valid)
        if on:
            assert days.of(leaf)
    last = made["valid_to_us"]
    if not days.of(leaf) and last is not None and (made["valid_from_us"] or 0) < last:
        assert not any(clock(place, made, leaf, at)[0] for at in range(made["valid_from_us"] or last - 30 * DAY, last, DAY // 48))


@pytest.mark.parametrize(
    ("one", "two", "shared"),
    [
        (("08:00", "10:00"), ("09:00", "12:00"), 3600),
        (("22:00", "02:00"), ("01:00", "03:00"), 3600),
        (("22:00", "02:00"), ("23:00", "01:00"), 7200),
        (("00:00", "00:00"), ("05:00", "06:00"), 3600),
        (("08:00", "10:00"), ("10:00", "12:00"), 0),
    ],
)
def test_windows_share_the_seconds_that_are_in_both(one: tuple[str, str], two: tuple[str, str], shared: int) -> None:
    spans = both(window(hours(*one)), window(hours(*two)))
    assert seconds(spans) == shared
    assert within(spans, window(hours(*one)))
    assert within(spans, WHOLE_DAY)


def _leaf(dice: random.Random) -> Record:
    source = dice.choice(["occupancy", "occupancy_lower", "occupancy_upper"])
    enter = dice.randrange(1, 6) * 100
    bar: tuple[int, int, int] = (enter, enter - dice.randrange(1, 4) * 20, dice.choice([0, 30, 60]))
    made = [
        people(*bar, zone=dice.choice(["mall", "hall"]), source=source),
        passers("g0", enter, enter - 50, direction=dice.choice(["in", "both"])),
        hours(f"{dice.randrange(24):02d}:00", f"{dice.randrange(24):02d}:00"),
        day(*dice.sample(KINDS, 2)),
        health(hold=dice.choice([60, 180])),
    ]
    return dice.choice([made[0], *made])


def _holds(leaf: Record, facts: dict[str, Any]) -> bool:
    """Whether a leaf has been above its bar for its hold, when its figure has stood for `held` seconds."""
    match leaf["kind"]:
        case "people":
            on = facts[leaf["zone"]][leaf["source"]] * 1000 > leaf["enter_m"]
        case "passers":
            on = facts[leaf["direction"]] * 1000 > leaf["enter_m"]
        case "time":
            return any(a <= facts["second"] < b for a, b in window(leaf))
        case "day":
            return bool(clock(facts["site"], facts["plan"], leaf, facts["at"])[0])
        case _:
            on = facts["silent"]
    return bool(on and facts["held"] * 1_000_000 >= leaf["hold_us"])


@settings(max_examples=300, deadline=None)
@given(seeds)
def test_a_clause_that_implies_another_never_holds_without_it(seed: int) -> None:
    dice = random.Random(seed)
    made = plan("yu", [stage("normal")], days={"holiday": [[17_540, 17_546]], "makeup": [[17_552, 17_552]], "lantern": [[17_555, 17_556]]})
    place = site(made, zones=[zone(), zone("hall")])
    reasoner = Reasoner(place, made)
    one, two = ([_leaf(dice) for _ in range(dice.randrange(1, 3))] for _ in range(2))
    two = dice.choice([two, [*one[:1], *two[:1]], one])
    if not reasoner.implies(one, two):
        return
    for _ in range(60):
        facts: dict[str, Any] = {"second": dice.randrange(86400), "held": dice.choice([0, 30, 60, 180]), "silent": dice.random() < 0.5}
        facts |= {"site": place, "plan": made, "at": dice.randrange(17_530, 17_570) * DAY, "in": dice.randrange(600)}
        facts["both"] = facts["in"] + dice.randrange(600)
        for name in ("mall", "hall"):
            edges = sorted(dice.randrange(700) for _ in range(3))
            facts[name] = dict(zip(("occupancy_lower", "occupancy", "occupancy_upper"), edges, strict=True))
        if all(_holds(leaf, facts) for leaf in one):
            assert all(_holds(leaf, facts) for leaf in two)
