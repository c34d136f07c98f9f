"""Gates as they are: people and machines that carry commands out after a while, or not, and what they report.

A reference controller obeys. It may be told to refuse (the gate stays), to jam (it stays for as long as the trouble lasts, and obeys then), to be
slow (three times as long), or to lie (it says that it obeyed, and stays). What people find is the gate's `setting`; what it says is in its
reports: the setting that it claims, and how many it let through, which even a liar's light barrier tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from flowwatch.core.settings import Setting

SLOWER: Final = 3.0
IN_LANES: Final = 10
"""People who may still come out of the lanes of a gate that was turned, one a lane (assumed: no gate has more)."""


@dataclass(frozen=True, slots=True)
class Disobedience:
    """What one gate does from `since` until `until`, in seconds: "refuses", "jams", "slow" or "lies"."""

    gate: int
    does: str
    since: float
    until: float


class Report(NamedTuple):
    """What a gate says of itself: when (seconds), its setting, and how many passed it in and out since its last report or change of setting."""

    at: float
    gate: str
    setting: str
    came_in: int
    went_out: int

    @property
    def contradicts(self) -> bool:
        """Whether people pass in a way that the setting does not let them, more than were in its lanes when it was turned."""
        setting = Setting.parse(self.setting)
        return (self.came_in > IN_LANES and not setting.may_enter) or (self.went_out > IN_LANES and not setting.may_leave)


class Controller:
    """One gate's: a command goes in, a setting comes out later, or never. `street`: the way (0 or 1) that leads in."""

    def __init__(self, name: str, setting: Setting, carry_out_s: float, troubles: Sequence[Disobedience], street: int = 0) -> None:
        self.name, self.setting, self.claimed = name, setting, setting
        """What the gate really is, and what it says that it is."""
        self._carry_out_s, self._troubles, self._street = carry_out_s, troubles, street
        self._due: list[tuple[float, Setting]] = []
        self._passed = [0, 0]

    def command(self, setting: Setting, now: float) -> None:
        """The gate is asked to be so; a later command replaces one that is not carried out yet."""
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
        self.claimed, self._passed = setting, [0, 0]
        if does == "lies" or setting == self.setting:
            return None
        self.setting = setting
        return setting

    def passes(self, way: int) -> None:
        """Somebody is through it."""
        self._passed[way ^ self._street] += 1

    def report(self, now: float) -> Report:
        """What it says of itself now."""
        passed, self._passed = self._passed, [0, 0]
        return Report(now, self.name, str(self.claimed), *passed)

    def _does(self, now: float) -> str:
        return next((t.does for t in self._troubles if t.since <= now < t.until), "")
