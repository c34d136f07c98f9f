"""Everything is killed at random moments, and in the end every gate is as the journal says, with a way out at every moment between."""

from __future__ import annotations

import random
from typing import Any

import pytest

from flowwatch.actuators.dispatcher import Dispatcher
from flowwatch.core.gates import violations
from tests.actuators.lab import Lab, place

pytestmark = pytest.mark.slow
GATES = ("a", "b", "c", "d")
SETTINGS = ("in", "out", "both", "metered 40/min", "wave in 50s hold 10s out 60s")


class Kills:
    """A day on which nothing stays up."""

    def __init__(self, lab: Lab, seed: int) -> None:
        self.lab, self.dice = lab, random.Random(seed)
        lab.record = place(*GATES, egress_min_per_min=150)
        self.generation = 1
        self.gates = lab.process(*GATES, more=("--turn", "0.02"))
        self.service: Dispatcher = lab.dispatcher(1)
        self.wanted = dict.fromkeys(GATES, "out")

    def table(self) -> dict[str, str]:
        """A table that keeps people's way out."""
        while True:
            table = {g: self.dice.choice(SETTINGS) for g in GATES}
            if not violations(self.lab.record, table):
                return table

    def step(self) -> None:
        """One more blow, or a decision."""
        what = self.dice.choice(["decide"] * 6 + ["gates", "service", "broker"])
        if what == "decide":
            table = self.table()
            changed = {g: s for g, s in table.items() if s != self.wanted[g]}
            self.wanted = table
            if changed:
                self.lab.story.commands(changed)
        elif what == "gates":
            self.gates.kill()
            self.gates.wait()
            self.gates = self.lab.process(*GATES, more=("--turn", "0.02"))
        elif what == "service":
            self.service.abandon()
            self.generation += 1
            self.service = self.lab.dispatcher(self.generation)
        else:
            self.lab.broker.kill()
            self.lab.broker.start()
        if self.dice.random() < 0.5:
            self.lab.post.until(lambda last: all(last[f"gate/{g}"]["link"] == "up" for g in GATES))


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_killed_nobody_loses_the_way_out_and_nothing_is_obeyed_twice(lab: Lab, seed: int) -> None:
    day = Kills(lab, seed)
    for _ in range(30):
        day.step()
    lab.story.commands(day.wanted)
    said = [(f"gate/{g}", 2 * lab.story.revisions[g]) for g in GATES]
    lab.post.until(lambda last: all(last[d]["revision"] == r and last[d]["outcome"] in (None, "done") for d, r in said))
    real: dict[str, str] = {}
    obeyed: dict[str, list[tuple[int, int]]] = {}
    content: dict[tuple[str, str], set[Any]] = {}
    events = lab.told()
    for event, after in zip(events, [*events[1:], None], strict=True):
        if event["event"] in ("began", "obeyed", "fell"):
            real[event["device"].removeprefix("gate/")] = event.get("real", event["setting"])
            # those that begin again say one after the other how all of them were since they were killed
            beginning = event["event"] == "began" and after is not None and after["event"] == "began"
            if len(real) == len(GATES) and not beginning:
                assert not violations(lab.record, real), (seed, event, real)
        if event["event"] == "obeyed":
            obeyed.setdefault(event["device"], []).append((event["revision"], event["attempt"]))
        if event["event"] == "heard":
            content.setdefault((event["device"], event["command"]), set()).add((event["revision"], event["setting"]))
    assert real == day.wanted
    for device, order in obeyed.items():
        assert order == sorted(set(order)), (seed, device, order)
        assert len({revision for revision, _ in order}) == len(order), (seed, device, order)
    assert all(len(seen) == 1 for seen in content.values()), (seed, content)
