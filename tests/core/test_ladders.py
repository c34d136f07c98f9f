"""The engine and a model in plain Python agree, tick by tick, on where every ladder stands and on what persons are asked about it.

Plans with nested conditions, holds, dwells and confirmations of all kinds, a zone plan and a case beside them; people come and go, counters
fall silent, somebody counts by hand, declares the case, says yes or no.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from flowwatch.core.engine import Engine
from flowwatch.core.incidents import What
from flowwatch.core.readings import SECOND
from tests.core.ladder_model import Ladder, Leaf, Tree, conditions
from tests.core.world import (
    AUTOMATIC,
    T0,
    Document,
    Row,
    act,
    asked,
    case,
    counter,
    declare,
    delta,
    gate,
    health,
    hours,
    plan,
    play,
    recount,
    site,
    stage,
    stored,
    term,
    tick,
    zone,
)

MINUTE = 60 * SECOND
STEPS = 10_000
LOCAL = (T0 // SECOND + 28_800) % 86_400
"""T0 on the clocks of the site, in seconds after midnight."""
ZONES = {"mall": 0, "hall": 1}
"""Zone -> the counter at its gate."""
FOREVER = T0 + 10**12

confirmations = st.one_of(
    st.just(AUTOMATIC),
    st.builds(
        asked, st.sampled_from(["officer", "chief"]), st.sampled_from([None, 5 * SECOND, 60 * SECOND]), st.sampled_from(["apply", "keep"])
    ),
)
holds = st.sampled_from([0, 0, 3, 30]).map(lambda s: s * SECOND)


@st.composite
def people(draw: st.DrawFn) -> Leaf:
    enter = draw(st.integers(5, 60))
    return term(enter, draw(st.integers(0, enter - 1)), zone=draw(st.sampled_from(["mall", "hall", "site"])), hold_us=draw(holds))


@st.composite
def windows(draw: st.DrawFn) -> Leaf:
    begins = LOCAL + draw(st.integers(-200, 400))
    return hours(begins % 86_400, (begins + draw(st.integers(30, 600))) % 86_400)


leaves: st.SearchStrategy[Leaf] = st.one_of(
    people(), people(), people(), windows(), st.builds(health, st.sampled_from(["c0", "c1", None]), holds)
)
groups = st.sampled_from(["any", "all"])
trees: st.SearchStrategy[Tree] = st.recursive(
    leaves, lambda inner: st.tuples(groups, st.lists(inner, min_size=1, max_size=3)), max_leaves=5
).map(lambda t: t if isinstance(t, tuple) else ("any", [t]))


@st.composite
def ladders(draw: st.DrawFn, name: str) -> tuple[list[Document], dict[int, Tree]]:
    stages, made = [stage("calm")], dict[int, Tree]()
    for rank in range(1, draw(st.integers(2, 5))):
        made[rank] = draw(trees)
        dwell = draw(st.sampled_from([0, 5, 60, 300])) * SECOND
        confirm = {"rise": draw(confirmations), "fall": draw(confirmations)}
        stages.append(stage(f"{name}-{rank}", [], dwell, confirm=confirm, level="III", **conditions(made[rank])))
    return stages, made


class Ladders(RuleBasedStateMachine):
    """A main plan, a zone plan and a case at a site of two zones."""

    steps = 0

    @initialize(
        main=ladders("main"),
        zonal=ladders("zonal"),
        fest=ladders("fest"),
        effect=st.sampled_from(["tighten", "replace"]),
        during=st.one_of(st.none(), windows()),
        start=st.booleans(),
    )
    def begin(self, main: Any, zonal: Any, fest: Any, effect: str, during: Leaf | None, start: bool) -> None:
        self.during, self.effect, self.declared = during, effect, False
        every = {"g0": "both", "g1": "both"} if effect == "replace" else {}
        beside = [
            plan("fest", [s | {"gates": every} for s in fest[0]], case=case(effect, [] if during is None else [during])),
            plan("zonal", zonal[0], zone="hall"),
        ]
        document = site(
            zones=[zone(), zone("hall")],
            gates=[gate("g0"), gate("g1", to="hall")],
            counters=[counter("c0"), counter("c1", gate="g1")],
            stages=main[0],
            beside=beside,
        )
        self.ladders = {
            name: Ladder(p["stages"], made)
            for p, name, (_, made) in zip(document["plans"], ["yu", "fest", "zonal"], [main, fest, zonal], strict=True)
        }
        self.engine, self.offset, self.now, self.ids = Engine("p00"), 0, T0, 0
        self.inside, self.least = dict.fromkeys(ZONES, 0), dict.fromkeys(ZONES, 0)
        self.heard: dict[str, int] = {}
        self.counted: dict[str, int] = {}
        first = [recount(T0, 0, z) for z in ZONES] if start else []
        self.counted |= dict.fromkeys(ZONES, T0) if start else {}
        self._tick([declare(document), *first], T0)

    # -- what happens -----------------------------------------------------------------------------------------------------------------

    @rule(wait=st.sampled_from([1, 1, 2, 5]), moves=st.lists(st.tuples(st.integers(-30, 30), st.integers(-30, 30)), min_size=1, max_size=4))
    def people_pass(self, wait: int, moves: list[tuple[int, int]]) -> None:
        for both in moves:
            rows, at = [], self.now + wait * SECOND
            for name, wanted in zip(ZONES, both, strict=True):
                net = max(wanted, -self.inside[name])
                rows.append(delta(at, max(net, 0), max(-net, 0), ZONES[name], ordinal=self.offset))
                self.inside[name] += net
                self.heard[name] = at
            self._tick(rows, at)

    @rule(wait=st.sampled_from([1, 5, 20]), name=st.sampled_from(["mall", "hall"]), net=st.integers(-40, 40))
    def one_counter_speaks(self, wait: int, name: str, net: int) -> None:
        at = self.now + wait * SECOND
        net = max(net, -self.inside[name])
        self.inside[name] += net
        self.heard[name] = at
        self._tick([delta(at, max(net, 0), max(-net, 0), ZONES[name], ordinal=self.offset)], at)

    @rule(wait=st.sampled_from([1, 10, 61, 70, 300]))
    def nobody_speaks(self, wait: int) -> None:
        self._tick([], self.now + wait * SECOND)

    @rule(wait=st.sampled_from([1, 5]), counts=st.dictionaries(st.sampled_from(["mall", "hall"]), st.integers(0, 80), min_size=1))
    def somebody_counts(self, wait: int, counts: dict[str, int]) -> None:
        at = self.now + wait * SECOND
        for name, count in counts.items():
            self.inside[name], self.counted[name] = count, at
        self._tick([recount(at, n, z) for z, n in counts.items()], at)

    @rule(yes=st.booleans(), which=st.integers(0, 2), wait=st.sampled_from([1, 5]))
    def somebody_answers(self, yes: bool, which: int, wait: int) -> None:
        asked_about = sorted(name for name, ladder in self.ladders.items() if ladder.question is not None)
        if not asked_about:
            return
        name = asked_about[which % len(asked_about)]
        self.ladders[name].answer(yes=yes)
        incident = self.engine.scribe.incidents.open["yu", What.CONFIRMATION_NEEDED, name].name
        at = self.now + wait * SECOND
        self._tick([self._act(at, "confirm", incident=incident, answer="yes" if yes else "no")], at)

    @rule()
    def the_case_is_declared_or_ended(self) -> None:
        self.declared = not self.declared
        at = self.now + SECOND
        self._tick([self._act(at, "override", case="fest", until_us=FOREVER if self.declared else at - SECOND)], at)

    @rule()
    def the_program_starts_again(self) -> None:
        self.engine = stored(self.engine)

    # -- what must be -----------------------------------------------------------------------------------------------------------------

    def _act(self, at: int, kind: str, **fields: Any) -> Row:
        self.ids += 1
        return act(at, f"a{self.ids}", kind, **fields)

    def _tick(self, rows: list[Row], at: int) -> None:
        rows = [*rows, tick(at)]
        play(rows, engine=self.engine, first=self.offset)
        self.offset, self.now = self.offset + len(rows), at
        Ladders.steps += 1
        self.least = {z: min(self.least[z], n) for z, n in self.inside.items()}
        in_force = self.declared or (self.during is not None and bool(self._read(self.during)[0]))
        may_rise = {"yu": not (in_force and self.effect == "replace"), "zonal": True, "fest": in_force}
        for name, ladder in self.ladders.items():
            ladder.tick(at, self._read, may_rise=may_rise[name])
        self._compare(may_rise)

    def _read(self, leaf: Leaf) -> tuple[int, bool]:
        match leaf["kind"]:
            case "time":
                now, since, until = (self.now // SECOND + 28_800) % 86_400, leaf["from_s"], leaf["until_s"]
                return 1000 * (since <= now < until if since < until else not until <= now < since), True
            case "health":
                about = [z for z, c in ZONES.items() if leaf["counter"] in (None, f"c{c}")]
                return 1000 * any(self.now - self.heard.get(z, T0) > MINUTE for z in about), True
        zones = list(ZONES) if leaf["zone"] == "site" else [leaf["zone"]]
        known = all(z in self.counted for z in zones)
        inside = sum(self.inside[z] - (0 if z in self.counted else self.least[z]) for z in zones)
        heard = all(z in self.heard and self.now - self.heard[z] <= MINUTE for z in zones)
        by_hand = all(z in self.counted and self.now - self.counted[z] <= MINUTE for z in zones)
        return 1000 * inside, known and (heard or by_hand)

    def _compare(self, may_rise: dict[str, bool]) -> None:
        standing, plans = self.engine.standings["yu"], self.engine.plans
        found = {name: int(rank) for name, rank in zip(["yu", "fest", "zonal"], plans.rank, strict=True)}
        assert found == {name: ladder.rank for name, ladder in self.ladders.items()}
        asking = {name: ladder for name, ladder in self.ladders.items() if ladder.rank or may_rise[name]}
        assert standing.stages == {name: ladder.stages[ladder.rank]["stage"] for name, ladder in asking.items()}
        questions = {name.removeprefix("yu/"): (q.to, q.rises, q.due, q.state) for name, q in plans.questions.items()}
        expected = {n: (k.stages[q.to]["stage"], q.rises, q.due, q.state) for n, k in self.ladders.items() if (q := k.question) is not None}
        assert questions == expected
        told = {key[2]: o.telling.detail for key, o in self.engine.scribe.incidents.open.items() if key[1] is What.CONFIRMATION_NEEDED}
        assert {name: (d["to"], d["direction"] == "rise", d["due_us"], d["state"]) for name, d in told.items() if d} == expected


@pytest.mark.slow
def test_the_engine_and_the_model_agree_on_where_every_ladder_stands() -> None:
    number = random.SystemRandom().randrange(2**32)
    print(f"seed {number}")
    Ladders.steps = 0
    run_state_machine_as_test(seed(number)(Ladders), settings=settings(max_examples=420, stateful_step_count=50, deadline=None))
    print(f"{Ladders.steps} ticks")
    assert Ladders.steps >= STEPS
