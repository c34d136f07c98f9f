"""Days made up by hand, so that what a comparison must say is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowwatch_sim.runs import Result


def days(plan: str, peaks: Sequence[float], more: Mapping[str, Sequence[float]] | None = None, sight: str = "perfect") -> list[Result]:
    """One day for each peak, seeds 1, 2, 3 …; `more`: measure -> a value for each day."""
    return [
        Result(plan, sight, seed, {"peak/mall": float(peak)} | {name: float(of[seed - 1]) for name, of in (more or {}).items()}, [])
        for seed, peak in enumerate(peaks, 1)
    ]
