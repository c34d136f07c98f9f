"""What must hold in a scenario beyond the types of its fields: what goes together, and what its site has.

One small function a rule, as for plans and their tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from flowwatch.core.readings import MINUTE, SECOND
from flowwatch.documents.faults import quoted
from flowwatch.documents.walk import Problem, Rules
from flowwatch.documents.words import duration_us, moment
from flowwatch.trials.language import Act, Hold
from flowwatch.trials.rules import does_one_thing, holds_one_thing
from flowwatch_sim import scenario as language
from flowwatch_sim.daykinds import days_can_be_told, days_say_something, on_its_day
from flowwatch_sim.rates import rates
from flowwatch_sim.troubles import AHEAD_ONLY, TOTALS_ONLY, TURNSTILES_ONLY

ANY: Final = "any"
_KINDS: Final = {"delta": "sends how many passed", "cumulative": "sends totals", "absolute": "sends the people in view"}


def rules(record: Mapping[str, Any]) -> Rules:
    """All rules for a scenario of the site `record`."""
    return {
        Act: (does_one_thing,),
        Hold: (holds_one_thing,),
        language.Scenario: (days_can_be_told, ticks_fill_minutes, somebody_comes),
        language.OtherDay: (days_say_something,),
        language.Fault: (comes_later, _is_possible(record)),
    }


def can_have(counter: Mapping[str, Any], wrong: str) -> bool:
    """Whether a compiled counter can have such a fault."""
    counts = counter["counts"]
    return not (wrong in TURNSTILES_ONLY and counts == "absolute") and not (wrong in TOTALS_ONLY and counts != "cumulative")


def ticks_fill_minutes(said: language.Scenario) -> Iterator[Problem]:
    """Curves are told by the minute, and nothing is read more often than the engine decides."""
    every = duration_us(said.every)
    if every <= 0 or MINUTE % every:
        yield ("every",), f"found {quoted(said.every)}, expected a part of a minute such as 5s, 10s or 30s"


def somebody_comes(said: language.Scenario) -> Iterator[Problem]:
    """Hours that lie outside the day bring nobody."""
    clock, lasts = moment(said.starts), duration_us(said.lasts) / SECOND
    for i, stream in enumerate(on_its_day(said).streams):
        if stream.people and not rates(stream, clock.hour + clock.minute / 60, lasts).any():
            hours = f"{clock:%H:%M}, for {said.lasts}"
            yield (
                ("streams", i),
                f"found {stream.people} people of whom none comes while the day lasts (from {hours}), expected hours within it",
            )


def comes_later(fault: language.Fault) -> Iterator[Problem]:
    """Nothing arrives before it was sent."""
    if fault.wrong.value in AHEAD_ONLY and fault.by <= 0:
        yield ("by",), f"found {fault.by}, expected seconds above 0: messages come later"


def _is_possible(record: Mapping[str, Any]) -> Callable[[language.Fault], Iterator[Problem]]:
    counters = {counter["counter"]: counter for counter in record["counters"]}

    def is_possible(fault: language.Fault) -> Iterator[Problem]:
        """A camera has no direction that could be swapped, and only totals can be reset."""
        counter, wrong = counters.get(fault.counter), fault.wrong.value
        if counter is not None and not can_have(counter, wrong):
            fit = "a turnstile" if wrong in TURNSTILES_ONLY else "one with counts: cumulative"
            yield ("wrong",), f"found {wrong} at {quoted(fault.counter)}, which {_KINDS[counter['counts']]}, expected {fit}"

    return is_possible
