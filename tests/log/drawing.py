"""What the property tests of the log draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from flowwatch import log
from flowwatch.core.readings import ABSENT
from tests.log.making import readings

_INTS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-5, 5), st.just(ABSENT))


@st.composite
def any_readings(draw: st.DrawFn, names: Sequence[str], most: int = 40) -> log.Readings:
    """Readings of those counters with any numbers in their columns."""
    n = draw(st.integers(0, most))
    of = {
        "kind": (st.integers(1, 3), np.uint8),
        "ordinal": (st.integers(-(2**31), 2**31 - 1), np.int32),
        **dict.fromkeys(("at", "received", "seq", "ingress", "egress", "headcount"), (_INTS, np.int64)),
    }
    columns: dict[str, Any] = {
        name: np.array(draw(st.lists(values, min_size=n, max_size=n)), dtype) for name, (values, dtype) in of.items()
    }
    return readings(draw(st.lists(st.sampled_from(names), min_size=n, max_size=n)), **columns)
