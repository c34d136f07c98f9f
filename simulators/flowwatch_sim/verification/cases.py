"""All cases, in the order of the report. A new one joins here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from flowwatch_sim.verification import counting, draws, fitting, gates, jams, plans, presence, rushes, walking
from flowwatch_sim.verification.case import Case

PARTS: Final = (walking, jams, gates, rushes, presence, plans, draws, fitting, counting)
CASES: Final[tuple[Callable[[], Case], ...]] = tuple(case for part in PARTS for case in part.CASES)
SLOW: Final = frozenset((*gates.SLOW, *presence.SLOW, *plans.SLOW, *draws.SLOW, *fitting.SLOW, *counting.SLOW))
"""Those that take more than a few seconds."""


def place(case: Case) -> tuple[int, str]:
    """Where a case stands in the report: V2 before V10."""
    found = re.match(r"\D*(\d+)", case.name)
    return (int(found[1]) if found else 0, case.name)
