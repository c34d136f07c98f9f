"""All cases, in the order of the report. A new one joins here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from flowwatch_sim.verification import draws, fitting, gates, presence, walking
from flowwatch_sim.verification.case import Case

CASES: Final[tuple[Callable[[], Case], ...]] = (*walking.CASES, *gates.CASES, *presence.CASES, *draws.CASES, *fitting.CASES)
SLOW: Final = frozenset((*gates.SLOW, *presence.SLOW, *draws.SLOW, *fitting.SLOW))
"""Those that take more than a few seconds."""


def place(case: Case) -> tuple[int, str]:
    """Where a case stands in the report: V2 before V10."""
    found = re.match(r"\D*(\d+)", case.name)
    return (int(found[1]) if found else 0, case.name)
