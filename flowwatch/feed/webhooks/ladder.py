"""When a delivery that failed is tried again: fast first, for a restart; then the long ladder, for a night; then never by itself.

The long steps are those that the Standard Webhooks specification gives as its example. Each is up to a tenth longer, by the delivery's name, so that
not all who waited come at once; the same delivery always waits the same.
"""

from __future__ import annotations

import zlib
from typing import Final

SECOND: Final = 1_000_000
FAST_S: Final = (1, 5, 15, 60)
LONG_S: Final = (300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
STEPS_S: Final = (*FAST_S, *LONG_S)
LONGEST_S: Final = 86_400
"""The longest that a receiver's Retry-After is believed."""


def wait_us(name: str, failures: int, retry_after_s: float | None = None) -> int | None:
    """How long a delivery waits after so many failures (1 at least), microseconds; None when it is not tried again.

    >>> wait_us("a", 1, 30.0) == 30_000_000, wait_us("a", 13)
    (True, None)
    """
    if failures > len(STEPS_S):
        return None
    share = zlib.crc32(f"{name} {failures}".encode()) % 1000 / 10_000
    wait = STEPS_S[failures - 1] * (1 + share)
    return round(max(wait, min(retry_after_s or 0.0, LONGEST_S)) * SECOND)


def is_long(waits_us: int | None) -> bool:
    """Whether that is a longer wait than any between the fast tries, whoever asked for it: then people are told.

    >>> is_long(wait_us("a", 4)), is_long(wait_us("a", 5)), is_long(wait_us("a", 1, 3_600.0)), is_long(None)
    (False, True, True, True)
    """
    return waits_us is None or waits_us > FAST_S[-1] * SECOND * 11 // 10
