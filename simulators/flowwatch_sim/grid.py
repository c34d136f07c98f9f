"""The bars that a search or a sweep may try: of each stage from, to and step, and all their combinations.

    three_in_five_out=1200:1800:100      1,200, 1,300 … 1,800 people; without a step every 50

What a combination is worth is known elsewhere; whether it is a plan at all, `variants` says.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

from flowwatch.documents.faults import quoted
from flowwatch_sim.variants import BadBarsError, Moved

STEP: Final = 50
"""People between two bars where nobody says it (assumed): a fortieth of a full mall, less than days differ by."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where the bar of one stage may stand, in people."""

    stage: str
    low: int
    high: int
    step: int = STEP

    @property
    def bars(self) -> range:
        """All of them, ascending."""
        return range(self.low, self.high + 1, self.step)


def read_span(text: str) -> Span:
    """The span in a text such as "busy=1200:1800:100". Raises `BadBarsError`.

    >>> list(read_span("busy=1200:1400:100").bars), read_span("busy=1200:1400").step
    ([1200, 1300, 1400], 50)
    """
    stage, _, rest = text.strip().partition("=")
    parts = rest.split(":")
    numbers = [int(part) for part in parts if part.isdecimal()]
    if (
        not stage
        or len(parts) not in (2, 3)
        or len(numbers) != len(parts)
        or not 0 < numbers[0] <= numbers[1]
        or not all(numbers[2:] or [1])
    ):
        raise BadBarsError(f"found {quoted(text)}, expected a stage with people from, to and step such as busy=1200:1800:100")
    return Span(stage, *numbers)


@dataclass(frozen=True, slots=True)
class Grid:
    """All combinations of the bars of several stages."""

    spans: tuple[Span, ...]

    def __len__(self) -> int:
        """How many combinations there are."""
        return prod(len(span.bars) for span in self.spans)

    def __iter__(self) -> Iterator[Moved]:
        """Each of them, the last stage's bars changing first."""
        for people in itertools.product(*(span.bars for span in self.spans)):
            yield self.moved(people)

    def moved(self, people: Sequence[int]) -> Moved:
        """A combination, by the bar of each stage in order."""
        return tuple((span.stage, n) for span, n in zip(self.spans, people, strict=True))


def read_grid(texts: Sequence[str]) -> Grid:
    """The grid of several spans. Raises `BadBarsError`, for a stage that is named twice too.

    >>> len(read_grid(["busy=1200:1400:100", "full=2600:2700:100"]))
    6
    """
    spans = tuple(read_span(text) for text in texts)
    twice = [span.stage for i, span in enumerate(spans) if span.stage in {other.stage for other in spans[:i]}]
    if twice:
        raise BadBarsError(f"found {quoted(twice[0])} twice, expected every stage once")
    return Grid(spans)
