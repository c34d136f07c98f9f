"""A figure with its band over a whole archive, in a bounded number of bins: when there are too many, they become wider.

A bin keeps the highest figure in it with the band of that moment, and how many people came in at gates that were to let nobody in. Bins are
whole multiples of their width since 1970-01-01T00:00Z, so two runs over the same ticks have the same bins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from flowwatch.core.readings import DAY, MINUTE, SECOND

WIDTHS: Final = (
    SECOND,
    5 * SECOND,
    15 * SECOND,
    *(n * MINUTE for n in (1, 5, 15, 30, 60, 120, 240, 720)),
    DAY,
    7 * DAY,
    28 * DAY,
    364 * DAY,
)
"""How wide bins can be: each is a multiple of the one before."""
MOST: Final = 1500
"""More bins than this no picture has columns for."""


@dataclass(slots=True)
class Bin:
    """The highest figure in the bin with its band, milli-persons, and people in at shut gates."""

    inside: int = 0
    lower: int = 0
    upper: int = 0
    shut: int = 0

    def join(self, other: Bin) -> None:
        """Take what another bin has in."""
        if other.inside > self.inside:
            self.inside, self.lower, self.upper = other.inside, other.lower, other.upper
        self.shut += other.shut


@dataclass(slots=True)
class Series:
    """The bins; `width` is in microseconds."""

    width: int = SECOND
    bins: dict[int, Bin] = field(default_factory=dict)

    def note(self, at: int, inside: int, lower: int, upper: int, shut: int) -> None:
        """What was so at time `at`."""
        key = at // self.width
        present = self.bins.get(key)
        if present is None:
            self.bins[key] = Bin(inside, lower, upper, shut)
            if len(self.bins) > MOST:
                self._widen()
        else:
            present.join(Bin(inside, lower, upper, shut))

    def _widen(self) -> None:
        while len(self.bins) > MOST and self.width != WIDTHS[-1]:
            wider = WIDTHS[WIDTHS.index(self.width) + 1]
            bins, self.bins = self.bins, {}
            for key, found in bins.items():
                self.bins.setdefault(key * self.width // wider, Bin(found.inside, found.lower, found.upper)).join(found)
            self.width = wider

    def plain(self) -> dict[str, Any]:
        """As columns: the start of each bin that has anything in it, and its figures."""
        found = sorted(self.bins.items())
        columns = {f"{edge}_m": [getattr(b, edge) for _, b in found] for edge in ("inside", "lower", "upper")}
        return {
            "width_us": self.width,
            "at_us": [key * self.width for key, _ in found],
            **columns,
            "in_while_shut": [b.shut for _, b in found],
        }
