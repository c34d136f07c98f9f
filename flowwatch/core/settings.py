"""What one gate is set to: which way people may pass, how fast, and when.

A *setting* is written as people write it in a plan, and `str` gives its one canonical spelling:

=====================================  ==================================  =======================================================
setting                                ingress                             egress
=====================================  ==================================  =======================================================
`in`                                   every lane                          none
`out`                                  none                                every lane
`both`                                 half the lanes                      half the lanes
`closed`                               none                                none; only for a gate that is no way out by construction
`metered 40/min`                       40/min, or what its lanes pass      none
`metered 40/min both`                  40/min, or what half its lanes pass  half the lanes
`wave in 50s hold 10s out 110s`        every lane for 50 s in each 170 s   every lane for 110 s in each 170 s
=====================================  ==================================  =======================================================

What several plans ask of one gate is combined by least ingress and most egress, so there are no ties and no order (`combine`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final


class Mode(StrEnum):
    """The first word of a setting; the members' values are the words of the documents."""

    IN = "in"
    OUT = "out"
    BOTH = "both"
    CLOSED = "closed"
    METERED = "metered"
    WAVE = "wave"


HOLD: Final = "hold"
"""The phase of a wave in which nobody passes, so that those between the lines get clear before the direction turns."""

_SHARES: Final = {"in": (1.0, 0.0), "out": (0.0, 1.0), "both": (0.5, 0.5), "closed": (0.0, 0.0), HOLD: (0.0, 0.0)}
"""Word -> shares of the lanes (inward, outward); words of settings and of the phases of a wave."""
_PHASES: Final = ("in", "out", "both", HOLD)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_METERED: Final = re.compile(r"metered ([1-9][0-9]{0,5})/min( both)?")
_PHASE: Final = re.compile(r"(\S+) ([1-9][0-9]{0,4})([smh])")
_EXPECTED: Final = 'expected "in", "out", "both", "closed", "metered 40/min", "metered 40/min both" or "wave in 50s hold 10s out 110s"'


@dataclass(frozen=True, slots=True)
class Setting:
    """What a gate is set to. Raises ValueError for a combination that no text can say."""

    mode: Mode
    per_min: int | None = None
    """Metered: people let in a minute, at most."""
    leave: bool = False
    """Metered: whether people may leave meanwhile."""
    phases: tuple[tuple[str, int], ...] = ()
    """Wave: (`in`, `out`, `both` or `hold`; seconds), in turn and for ever."""

    def __post_init__(self) -> None:
        if (self.per_min is not None) != (self.mode is Mode.METERED) or (self.leave and self.mode is not Mode.METERED):
            raise ValueError(f'found a rate for "{self.mode}", {_EXPECTED}')
        if bool(self.phases) != (self.mode is Mode.WAVE) or len(self.phases) == 1:
            raise ValueError(f'found {len(self.phases)} phases for "{self.mode}", expected at least 2 for a wave and none else')
        if any(word not in _PHASES or seconds < 1 for word, seconds in self.phases) or (self.per_min is not None and self.per_min < 1):
            raise ValueError(f"found {self.phases or self.per_min}, {_EXPECTED}")

    @classmethod
    def parse(cls, text: str) -> Setting:
        """The setting that `text` says. Raises ValueError with what was found and expected.

        >>> str(Setting.parse("wave in  1m out 2m"))
        'wave in 60s out 120s'
        """
        return _parse(text)

    def __str__(self) -> str:
        if self.mode is Mode.METERED:
            return f"metered {self.per_min}/min{' both' if self.leave else ''}"
        return " ".join([self.mode.value, *(f"{word} {seconds}s" for word, seconds in self.phases)])

    @property
    def period_s(self) -> int:
        """How long one round of a wave takes, in seconds; 0 where nothing turns."""
        return sum(seconds for _, seconds in self.phases)

    @property
    def ingress_share(self) -> float:
        """The share of the lanes that lead in, 0 to 1; of a wave, on the average of its round."""
        return self._share(0)

    @property
    def egress_share(self) -> float:
        """The share of the lanes that lead out, 0 to 1; of a wave, on the average of its round."""
        return self._share(1)

    @property
    def may_enter(self) -> bool:
        """Whether people may go in, in some phase at least."""
        return self.ingress_share > 0

    @property
    def may_leave(self) -> bool:
        """Whether people may go out, in some phase at least."""
        return self.egress_share > 0

    def _share(self, way: int) -> float:
        if self.mode is Mode.METERED:
            return _SHARES["both" if self.leave else "in"][way]
        if self.mode is Mode.WAVE:
            return sum(_SHARES[word][way] * seconds for word, seconds in self.phases) / self.period_s
        return _SHARES[self.mode.value][way]

    def ingress_per_min(self, lanes_per_min: float) -> float:
        """Persons/min let in through a gate all of whose lanes together pass `lanes_per_min`."""
        passes = self.ingress_share * lanes_per_min
        return passes if self.per_min is None else min(float(self.per_min), passes)

    def egress_per_min(self, lanes_per_min: float) -> float:
        """Persons/min let out through a gate all of whose lanes together pass `lanes_per_min`."""
        return self.egress_share * lanes_per_min


@lru_cache(maxsize=4096)
def _parse(text: str) -> Setting:
    said = " ".join(text.split())
    if said in (Mode.IN, Mode.OUT, Mode.BOTH, Mode.CLOSED):
        return Setting(Mode(said))
    if rate := _METERED.fullmatch(said):
        return Setting(Mode.METERED, per_min=int(rate[1]), leave=rate[2] is not None)
    word, _, rest = said.partition(" ")
    if word == Mode.WAVE and rest:
        return Setting(Mode.WAVE, phases=tuple(_phase(part, text) for part in re.findall(r"\S+ \S+|\S+", rest)))
    near = difflib.get_close_matches(word, [mode.value for mode in Mode], 1)
    hint = f'; did you mean "{near[0]}"?' if near and near[0] != word else ""
    raise ValueError(f'found "{text}", {_EXPECTED}{hint}')


def _phase(part: str, text: str) -> tuple[str, int]:
    found = _PHASE.fullmatch(part)
    if found is None or found[1] not in _PHASES:
        near = difflib.get_close_matches(part.split(maxsplit=1)[0], _PHASES, 1)
        hint = f'; did you mean "{near[0]}"?' if near and not part.startswith(near[0]) else ""
        raise ValueError(f'found the phase "{part}" in "{text}", expected in, out, both or hold, each with a duration such as 50s{hint}')
    return found[1], int(found[2]) * _SECONDS[found[3]]


def combine(settings: Iterable[Setting], lanes_per_min: float) -> Setting:
    """Least ingress and most egress of all `settings` (at least one) asked of a gate whose lanes together pass `lanes_per_min` persons/min.

    Commutative, associative, idempotent. Waves are not mixed: one stays where it lets in no more and out no less than all else that is asked
    together; in every other case nobody may enter, and the gate is `out`, or `closed` if nobody asked that people may leave.

    >>> str(combine([Setting.parse("in"), Setting.parse("metered 40/min"), Setting.parse("both")], 100))
    'metered 40/min both'
    """
    asked = set(settings)
    if len(asked) == 1:
        return asked.pop()
    waves = [s for s in asked if s.mode is Mode.WAVE]
    steady = [s for s in asked if s.mode is not Mode.WAVE]
    leave = any(s.may_leave for s in asked)
    if all(s.may_enter for s in asked):
        if not waves:
            return _steady(steady, leave)
        if len(waves) == 1:
            # What a wave covers is closed under `_steady`, whose ingress and egress are exactly the least and the most of its parts; so the
            # order of combining does not matter.
            rest = _steady(steady, any(s.may_leave for s in steady))
            if (
                rest.ingress_per_min(lanes_per_min) >= waves[0].ingress_per_min(lanes_per_min)
                and rest.egress_share <= waves[0].egress_share
            ):
                return waves[0]
    return Setting(Mode.OUT if leave else Mode.CLOSED)


def _steady(asked: list[Setting], leave: bool) -> Setting:  # noqa: FBT001 - a private helper's second half of a pair
    rates = [s.per_min for s in asked if s.per_min is not None]
    if rates:
        return Setting(Mode.METERED, per_min=min(rates), leave=leave)
    return Setting(Mode.BOTH if leave else Mode.IN)
