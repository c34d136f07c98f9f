"""Whether how things stand is what was expected: each expectation against what the journal told, with the differences in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec import UnsetType

from flowwatch.core.gates import Setting
from flowwatch.documents.words import OTHERS
from flowwatch.trials.language import NONE, State
from flowwatch.trials.told import Told


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected: its key in the test file, what was expected, and what was found."""

    key: str
    expected: str
    found: str


def differences(state: State, told: Told, gates: Sequence[str]) -> list[Difference]:
    """What is not as `state` has it; `gates` are all gates of the site. Everything is as expected where there are none."""
    return [Difference(key, expected, found) for key, expected, found, same in _compared(state, told, gates) if not same]


def never(state: State, told: Told, gates: Sequence[str]) -> list[Difference]:
    """How things stand, where they stand as they never should."""
    return [Difference(key, f"never {expected}", found) for key, expected, found, same in _compared(state, told, gates) if same]


def _compared(state: State, told: Told, gates: Sequence[str]) -> Iterator[tuple[str, str, str, bool]]:
    """(key, expected, found, whether they agree) of everything that `state` says."""
    if not isinstance(state.stage, UnsetType):
        yield "stage", state.stage, told.stage, state.stage == told.stage
    for plan, stage in state.plans.items():
        found = told.stages.get(plan, NONE)
        yield f"plans.{plan}", stage, found, stage == found
    for gate, text in _each_gate(state, gates):
        setting = str(Setting.parse(text))
        yield f"gates.{gate}", setting, told.gates.get(gate, NONE), setting == told.gates.get(gate, NONE)
    if not isinstance(state.alert, UnsetType):
        yield "alert", state.alert.value, told.alert, state.alert.value == told.alert
    if not isinstance(state.asks, UnsetType):
        asked = list(told.questions.values())
        yield "asks", state.asks, listed(asked), state.asks in asked if state.asks != NONE else not asked
    yield from _among("incidents", [what.value for what in state.incidents], told.kinds)
    yield from _among("tasks", state.tasks, list(told.tasks))
    yield from _among("signs", state.signs, [name for kind, name in told.devices if kind == "sign"])
    words = [("barrier", name, word.value) for name, word in state.barriers.items()]
    words += [("link", name, way.value) for name, way in state.links.items()]
    for kind, name, expected in words:
        found = told.device(kind, name)
        yield f"{kind}s.{name}", expected, found, expected == found


def _each_gate(state: State, gates: Sequence[str]) -> Iterator[tuple[str, str]]:
    for gate, text in state.gates.items():
        if gate != OTHERS:
            yield gate, text
    if OTHERS in state.gates:
        for gate in gates:
            if gate not in state.gates:
                yield gate, state.gates[OTHERS]


def _among(key: str, expected: Sequence[str], there: list[str]) -> Iterator[tuple[str, str, str, bool]]:
    for name in expected:
        yield key, name, listed(there), name in there


def listed(words: Sequence[str]) -> str:
    """Words in a row; "none" of none."""
    return ", ".join(words) or NONE
