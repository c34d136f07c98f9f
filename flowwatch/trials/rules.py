"""What must hold in a test file beyond the types of its fields: what goes together, and what the site and its plans know.

One small function a rule, as for sites and plans (`documents/rules.py`); those that need the site are made for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from msgspec import UNSET, UnsetType

from flowwatch.core.readings import SECOND
from flowwatch.documents.faults import did_you_mean, listed, near, quoted
from flowwatch.documents.walk import Problem, Rules
from flowwatch.documents.words import duration_us
from flowwatch.trials.language import NONE, Act, Drill, Expect, Hold, State, Trial
from flowwatch.trials.stock import Stock

FINEST_US: Final = 10 * SECOND
"""Time passes in ticks of a step, or of this where steps are longer: holds that are shorter than a step count."""
MOST_TICKS: Final = 20_000
"""More than two days of ticks of 10 s; a test is a situation, not a season."""
_KINDS: Final = ("override", "confirm", "drill", "fire", "case")
_STATE: Final = State.__struct_encode_fields__


def tick_us(trial: Trial) -> int:
    """How long one tick of a test is, in microseconds."""
    return min(duration_us(trial.every), FINEST_US)


def says_when(expect: Expect) -> Iterator[Problem]:
    """An expectation is for a moment, or for a time in which something never is."""
    moment = expect.at is not UNSET
    between = [key for key, value in (("from", expect.from_), ("until", expect.until), ("never", expect.never)) if value is not UNSET]
    if moment and between:
        yield (between[0],), f"found {between[0]} beside at, expected either at, or from, until and never"
    elif not moment and not between:
        yield (), "found no time, expected at: 5m, or from: 1m, until: 9m and never"
    elif not moment:
        missing = [key for key in ("from", "until", "never") if key not in between]
        if missing:
            yield (), f"found no {missing[0]} beside {between[0]}, expected from, until and never together"
        elif duration_us(str(expect.from_)) >= duration_us(str(expect.until)):
            yield ("until",), f"found {quoted(str(expect.until))}, expected a time after from: {expect.from_}"


def says_what(expect: Expect) -> Iterator[Problem]:
    """An expectation says something, in the right place."""
    said = _said(expect)
    if expect.at is not UNSET:
        if not said and expect.nothing is UNSET and expect.never is UNSET:
            yield (), f"found no expectation, expected {listed([*_STATE, 'nothing'])}"
    elif not isinstance(expect.never, UnsetType):
        if said or not isinstance(expect.nothing, UnsetType):
            key = said[0] if said else "nothing"
            yield (key,), f"found {key} beside never, expected it below never"
        if not _said(expect.never):
            yield ("never",), f"found nothing in it, expected {listed(_STATE)}"


def does_one_thing(act: Act) -> Iterator[Problem]:
    """An action is one of its kinds."""
    given = [kind for kind in _KINDS if getattr(act, kind) is not UNSET]
    if not given:
        yield (), f"found no action, expected {listed(_KINDS)}"
    for kind in given[1:]:
        yield (kind,), f"found {kind} beside {given[0]}, expected one of them"
    if act.plan is not UNSET and act.confirm is UNSET:
        yield ("plan",), "found plan without confirm, expected it only to say whose question is answered"


def holds_one_thing(hold: Hold) -> Iterator[Problem]:
    """An override holds a stage, or a gate."""
    if (hold.stage is UNSET) == (hold.gate is UNSET):
        yield (), f"found {'neither' if hold.stage is UNSET else 'both'} of stage and gate, expected one of them"
    elif (hold.gate is UNSET) != (hold.mode is UNSET):
        yield (), "found one of gate and mode, expected them together"
    elif hold.plan is not UNSET and hold.stage is UNSET:
        yield ("plan",), "found plan without stage, expected it only to say whose stage is held"


def is_short_enough(trial: Trial) -> Iterator[Problem]:
    """No test goes on for ever."""
    ticks = last_us(trial) // tick_us(trial)
    if ticks > MOST_TICKS:
        yield ("every",), f"found a test of {ticks} ticks of {tick_us(trial) // SECOND} s, expected at most {MOST_TICKS}"


def last_us(trial: Trial) -> int:
    """The last moment of a test at which anything is expected, from its start."""
    ends = [end for expect in trial.expect for end in (expect.at, expect.until) if end is not UNSET]
    return max((duration_us(str(end)) for end in ends), default=0)


def acts_before_the_end(trial: Trial) -> Iterator[Problem]:
    """What happens after the last expectation tests nothing."""
    end = last_us(trial)
    times = [("actions", i, act.at) for i, act in enumerate(trial.actions)] + [("recounts", i, r.at) for i, r in enumerate(trial.recounts)]
    for key, i, at in times:
        if duration_us(at) > end:
            yield (key, i, "at"), f"found {quoted(at)}, expected a time before the last expectation ({end // SECOND}s)"


def _said(state: State) -> list[str]:
    return [key for key in _STATE if getattr(state, key) is not UNSET and getattr(state, key) not in ({}, [])]


def rules(stock: Stock) -> Rules:
    """All rules for tests of one site."""

    def stages_are_there(state: State) -> Iterator[Problem]:
        """Every stage is one of the plan that it is said of."""
        for plan, stage in state.plans.items():
            if plan in stock.plans:
                yield from _unknown(("plans", plan), "stage", stage, [*stock.stages(plan), NONE])
        if isinstance(state.asks, str) and state.asks != NONE:
            yield from _unknown(("asks",), "stage", state.asks.partition(":")[2], stock.all_stages())

    def held_stage_is_there(hold: Hold) -> Iterator[Problem]:
        """A stage that is held is one of its plan."""
        if isinstance(hold.stage, str):
            plan = stock.main if isinstance(hold.plan, UnsetType) else hold.plan
            yield from _unknown(("stage",), "stage", hold.stage, stock.stages(plan))

    def drilled_stage_is_there(drill: Drill) -> Iterator[Problem]:
        """A stage that is exercised is one of the main plan."""
        yield from _unknown(("stage",), "stage", drill.stage, stock.stages(stock.main))

    def has_a_plan(_: Trial) -> Iterator[Problem]:
        """Without a plan nothing is decided."""
        if stock.main is None:
            yield ("expect",), f"found a test of a site without a plan, expected a plan for {quoted(str(stock.record['site']))}"

    of_state: tuple[Callable[[Any], Iterable[Problem]], ...] = (stages_are_there,)
    return {
        State: of_state,
        Expect: (says_when, says_what, *of_state),
        Act: (does_one_thing,),
        Hold: (holds_one_thing, held_stage_is_there),
        Drill: (drilled_stage_is_there,),
        Trial: (has_a_plan, is_short_enough, acts_before_the_end),
    }


def _unknown(path: tuple[str, ...], kind: str, name: str, known: list[str]) -> Iterator[Problem]:
    if name not in known:
        yield path, f"found {quoted(name)}, but there is no such {kind}, expected {listed(known)}{did_you_mean(near(name, known))}"
