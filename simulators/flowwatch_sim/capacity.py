"""What the gates of many replicates let through, by what each is set to: `lanes.py` in the mean.

The lanes of a setting are counted by `Lanes` itself, so that both back-ends open the same ones. Lanes that are turned round pass nobody for the
clearing time; a metered entrance passes its rate at most; a wave passes what the phases leave of a step.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from flowwatch.core.settings import Mode, Setting
from flowwatch_sim.lanes import IN, NEVER, OUT, Lanes
from flowwatch_sim.layout import Layout

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SHARE: Final = {"in": (1.0, 0.0), "out": (0.0, 1.0), "both": (0.5, 0.5), "hold": (0.0, 0.0)}
"""Word of a wave's phase -> the shares of what all lanes pass, by way."""


class Gates:
    """The gates of R replicates; ways are 0 (from `from` to `to`) and 1. They begin as `World`'s do: entrances only as `in`, all others as `both`."""

    def __init__(self, layout: Layout, replicates: int, *, clearing_s: float) -> None:
        n = len(layout.gates)
        self.layout, self.clearing_s = layout, clearing_s
        self.open: Floats = np.zeros((replicates, n, 2))
        """Lanes that lead each way, those that are still being turned round included."""
        self.rate: Floats = np.array(layout.rate, np.float64) / 60.0
        """Persons/s that a lane passes."""
        self.switches: Ints = np.zeros((replicates, n), np.int64)
        """How often each gate was set to something else than it was."""
        self._settings = [Setting.parse("both"), Setting.parse("in")]
        self._setting: Ints = np.tile(np.array(layout.entrance_only, np.int64), (replicates, 1))
        for gate, total in enumerate(layout.lanes):
            self.open[:, gate] = lanes(total, self._settings[int(layout.entrance_only[gate])])
        self._ready: Floats = self.open.copy()
        self._ready_at: Floats = np.full((replicates, n), NEVER)
        self._most: Floats = np.full((replicates, n), np.inf)
        self._since: Floats = np.zeros((replicates, n))
        self._waves: dict[int, tuple[Floats, Floats]] = {}
        self._passes: Floats | None = None

    def set(self, rows: Ints, gate: int, setting: Setting, now: float) -> Ints:
        """Set a gate in the replicates `rows` at `now` (s); gives those of them in which it was not so set before."""
        if setting not in self._settings:
            self._settings.append(setting)
            if setting.mode is Mode.WAVE:
                self._waves[len(self._settings) - 1] = _course(setting)
        number = self._settings.index(setting)
        rows = rows[self._setting[rows, gate] != number]
        if not len(rows):
            return rows
        self._turn(now)
        wanted = np.array(lanes(self.layout.lanes[gate], setting), np.float64)
        ready = np.minimum(self._ready[rows, gate], wanted)
        grown = (wanted > ready).any(axis=1)
        self.open[rows, gate] = wanted
        self._ready[rows, gate] = ready
        self._ready_at[rows, gate] = np.where(grown, now + self.clearing_s, NEVER)
        self._most[rows, gate] = np.inf if setting.per_min is None else setting.per_min / 60.0
        self._since[rows, gate], self._setting[rows, gate] = now, number
        self.switches[rows, gate] += 1
        self._passes = None
        return rows

    def passing(self, now: float, step_s: float) -> Floats:
        """(R, gates, 2) persons that may pass from `now` to `now + step_s`; not to be written to."""
        self._turn(now)
        if self._passes is None:
            passes = self._ready * self.rate[:, None]
            passes[:, :, IN] = np.minimum(passes[:, :, IN], self._most)
            self._passes = passes * step_s
        if not self._waves:
            return self._passes
        passes = self._passes.copy()
        for number, (ends, led) in self._waves.items():
            rows, gates = np.nonzero(self._setting == number)
            since = now - self._since[rows, gates]
            passes[rows, gates] *= (_so_far(since + step_s, ends, led) - _so_far(since, ends, led)) / step_s
        return passes

    def _turn(self, now: float) -> None:
        """Let lanes lead the other way that have been cleared by now."""
        cleared = self._ready_at <= now
        if cleared.any():
            self._ready[cleared] = self.open[cleared]
            self._ready_at[cleared] = NEVER
            self._passes = None


@lru_cache(maxsize=4096)
def lanes(total: int, setting: Setting) -> tuple[float, float]:
    """How many of a gate's `total` lanes lead each way at a setting, one in the middle by halves; a wave's all lead both ways, in turn.

    >>> lanes(5, Setting.parse("both"))
    (2.5, 2.5)
    """
    if setting.mode is Mode.WAVE:
        return float(total), float(total)
    one = Lanes(total)
    one.set(setting, 0.0)
    return one.leads(IN), one.leads(OUT)


def _course(wave: Setting) -> tuple[Floats, Floats]:
    """(n + 1,) when the phases of a wave end, and (n + 1, 2) for how long all lanes have led each way by then, both from its start."""
    seconds = np.array([s for _, s in wave.phases], np.float64)
    shares = np.array([_SHARE[word] for word, _ in wave.phases])
    return np.concatenate([[0.0], np.cumsum(seconds)]), np.concatenate([np.zeros((1, 2)), np.cumsum(shares * seconds[:, None], axis=0)])


def _so_far(since: Floats, ends: Floats, led: Floats) -> Floats:
    """(n, 2) for how long a wave has led each way, `since` seconds after it began."""
    rounds, rest = np.divmod(since, ends[-1])
    return np.stack([rounds * led[-1, way] + np.interp(rest, ends, led[:, way]) for way in (IN, OUT)], axis=1)
