"""Gates as they are: people and machines that carry commands out after a while, or not.

A reference controller obeys. It may be told to refuse (the gate stays), to jam (it stays for as long as the trouble lasts, and obeys then), to be
slow (three times as long), or to lie (it says that it obeyed, and stays). What it reports is what the site believes; what people find is the
world's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flowwatch.core.settings import Setting

SLOWER: Final = 3.0


@dataclass(frozen=True, slots=True)
class Disobedience:
    """What one gate does from `since` until `until`, in seconds: "refuses", "jams", "slow" or "lies"."""

    gate: int
    does: str
    since: float
    until: float


class Controller:
    """One gate's: a command goes in, a setting comes out later, or never."""

    def __init__(self, setting: Setting, carry_out_s: float, troubles: Sequence[Disobedience]) -> None:
        self.setting = self.reported = setting
        """What the gate really is, and what it says that it is."""
        self.wanted = setting
        self._carry_out_s, self._troubles = carry_out_s, troubles
        self._due: list[tuple[float, Setting]] = []

    def command(self, setting: Setting, now: float) -> None:
        """The gate is asked to be so; a later command replaces one that is not carried out yet."""
        self.wanted = setting
        does = self._does(now)
        if does == "refuses":
            self._due = []
            return
        self._due = [(now + self._carry_out_s * (SLOWER if does == "slow" else 1.0), setting)]

    def at(self, now: float) -> Setting | None:
        """The setting that the gate takes now, if it changes."""
        if not self._due or self._due[0][0] > now:
            return None
        does = self._does(now)
        if does == "jams":
            return None
        (_, setting), self._due = self._due[0], []
        self.reported = setting
        if does == "lies" or setting == self.setting:
            return None
        self.setting = setting
        return setting

    def _does(self, now: float) -> str:
        return next((t.does for t in self._troubles if t.since <= now < t.until), "")
