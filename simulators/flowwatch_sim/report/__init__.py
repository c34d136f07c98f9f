"""The planner's report of simulated days: `write` a page, or take its HTML from `page`."""

from __future__ import annotations

from flowwatch_sim.report.ink import NoPlotsError
from flowwatch_sim.report.page import page, replay, write

__all__ = ["NoPlotsError", "page", "replay", "write"]
