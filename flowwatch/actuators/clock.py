"""What time it is for whoever drives devices: pauses, answers and attempts run out in their time, whatever the wall clock does meanwhile."""

from __future__ import annotations

from typing import Final

from flowwatch.log.time import Onward

now_us: Final = Onward()
"""Microseconds since the epoch, never going back. Only what devices compare with their own clocks has the wall clock's time."""
