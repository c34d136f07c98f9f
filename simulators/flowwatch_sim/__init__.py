"""A planner's laboratory and a load generator: people at a site, its counters and gates, and the production engine on a simulated clock.

    import flowwatch_sim as sim

`sim.scenarios()` names those that ship, `sim.load` makes one ready, `sim.live` lives through days of it and gives them as pandas frames. Everything
else is in the modules; these are imported when they are asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowwatch_sim.bench import Lived, live, load, scenarios
    from flowwatch_sim.runs import Result, Setup

__all__ = ["Lived", "Result", "Setup", "live", "load", "scenarios"]


def __getattr__(name: str) -> Any:
    """Import what is asked for: `flowwatch-sim --help` needs neither numpy nor pandas."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module("flowwatch_sim.runs" if name in ("Result", "Setup") else "flowwatch_sim.bench"), name)


def __dir__() -> list[str]:
    return __all__
