"""The readings that every benchmark works on: made once, from a seed, as the bytes that arrive.

200 sites with 20 counters each report once a second, spread within the second: 4,000 readings a second, one JSON object a line, in the
order of their times. Visitors come and go in a slow wave, each site at its own point of it, so that a site's figure crosses its bars
every few minutes: far more often than any real one, since decisions should cost something here. Counts stay within what four lanes let
through.

`Shape` holds the numbers; other shapes (more sites at the same total rate) come from it by changing `sites`. What a right answer is,
`peers/reference.py` says. Knows nothing of flowwatch but the format of a reading and of a compiled site record.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

SECOND_US: Final = 1_000_000
START_US: Final = int(datetime(2026, 10, 1, 1, 0, tzinfo=UTC).timestamp()) * SECOND_US
"""09:00 in Shanghai on National Day."""
AHEAD_US: Final = 8 * 3600 * SECOND_US
MOST: Final = 4
"""The most people that one reading counts each way: one a lane and second."""
MEAN: Final = 0.5
SWING: Final = 0.8
WAVE_S: Final = 600.0
GATES: Final = 4
CALM, CLOSED = "normal", "exit_only"
_LINE: Final = b'{"counter":"site-00000/counter-00","at":"2026-10-01T09:00:00.000000+08:00","in":0,"out":0}\n'
_SITE, _COUNTER, _AT, _IN, _OUT = (_LINE.index(mark) for mark in (b"00000/", b'00",', b"2026", b'0,"out', b"0}"))
WIDTH: Final = len(_LINE)
"""Bytes of a line. All lines are equally long, so any number of them can be cut out without a search; no contender knows."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How many there are of everything. `rate`: readings a second in all; each counter reports every `period_us`."""

    sites: int = 200
    counters: int = 20
    rate: int = 4_000
    seed: int = 20261001

    @property
    def period_us(self) -> int:
        """Microseconds between a counter's readings."""
        return self.sites * self.counters * SECOND_US // self.rate

    @property
    def scale(self) -> float:
        """A site's traffic against that of a site with 20 readings a second; its bars are scaled alike."""
        return self.rate / self.sites / 20

    @property
    def begin(self) -> int:
        """People inside each site at the start."""
        return math.ceil(4_000 * self.scale)

    @property
    def enter(self) -> int:
        """More people than this close the site's entrances."""
        return math.ceil(5_000 * self.scale)

    @property
    def clear(self) -> int:
        """Fewer people than this open them again."""
        return math.ceil(4_500 * self.scale)

    def site(self, s: int) -> str:
        """The name of site `s`."""
        return f"site-{s:05d}"

    def document(self, s: int) -> dict[str, Any]:
        """The compiled record of site `s`: one zone, four gates with their share of the counters, two stages."""
        modes = {stage: {f"gate-{g}": mode for g in range(GATES)} for stage, mode in ((CALM, "both"), (CLOSED, "out"))}
        title = {"zh": "景区", "en": "Site"}
        bars = {"kind": "people", "zone": "all", "measure": "occupancy", "source": "occupancy", "clear_source": "occupancy", "hold_us": 0}
        bars |= {"enter_m": self.enter * 1000, "clear_m": self.clear * 1000, "enter": f"{self.enter}", "clear": f"{self.clear}"}
        alone = {"by": None, "within_us": None, "otherwise": "keep"}
        stage = {"dwell_us": 0, "title": title, "leaves": [], "clauses": [], "confirm": {"rise": alone, "fall": alone}}
        stage |= {"links": {}, "barriers": {}, "signs": {}, "tasks": []}
        alert = {"headline": {"zh": "只出不进", "en": "Exit only"}, "instruction": {"zh": "请从出口离开", "en": "Leave by the exits"}}
        counter = {"link": None, "zone": None, "counts": "delta", "every_us": self.period_us, "lateness_us": 120 * SECOND_US}
        counter |= {"error_ppm": 5_000, "max_per_min": math.ceil(MOST * 60 * SECOND_US / self.period_us), "modulus": None}
        counter |= {"counts_down": False, "swapped": False, "coverage_ppm": 1_000_000, "camera_error_ppm": 150_000}
        gate = {"title": title, "from": "outside", "to": "all", "lanes": 4, "width_m": 4.0, "lane_per_min": 25, "on_lost": "out"}
        gate |= {"delivery": "advise", "drill": False, "emergency": False, "entrance_only": False}
        zone = {"title": title, "area_m2": 12_000.0, "capacity": 6_000, "inside": None, "outside": None, "accepts_single_exit": None}
        return {
            "format": 2,
            "site": self.site(s),
            "group": self.site(s),
            "title": title,
            "time_zone": "Asia/Shanghai",
            "offsets": [[946684800000000, 28800]],
            "egress_min_per_min": 100,
            "known_empty": None,
            "zones": [zone | {"zone": "all"}],
            "gates": [gate | {"gate": f"gate-{g}"} for g in range(GATES)],
            "links": [],
            "counters": [
                counter | {"counter": f"counter-{c:02d}", "gate": f"gate-{c % GATES}", "valid_from_us": None, "valid_to_us": None}
                for c in range(self.counters)
            ],
            "delivery": "advise",
            "area": None,
            "barriers": [],
            "signs": [],
            "plans": [
                {
                    "plan": self.site(s),
                    "title": title,
                    "basis": None,
                    "zone": None,
                    "case": None,
                    "valid_from_us": None,
                    "valid_to_us": None,
                    "days": {},
                    "days_until": None,
                    "degraded": [],
                    "stages": [
                        stage | {"stage": CALM, "level": None, "gates": modes[CALM], "alert": None},
                        stage
                        | {"stage": CLOSED, "level": "I", "gates": modes[CLOSED], "alert": alert}
                        | {"leaves": [bars], "clauses": [[0]]},
                    ],
                }
            ],
        }

    def recount(self, s: int) -> bytes:
        """The operator's record that says how many people are inside site `s` at the start."""
        record = {"action": f"begin-{s:05d}", "type": "recount", "site": self.site(s), "by": "benchmark", "reason": "the start"}
        return json.dumps(record | {"at_us": START_US, "zone": "all", "count": self.begin, "counted_at_us": START_US}).encode()


class Lines:
    """`readings` lines of a shape, in memory."""

    def __init__(self, shape: Shape, readings: int) -> None:
        self.shape, self.readings = shape, readings
        self._bytes = np.empty(readings * WIDTH, np.uint8)
        rng = np.random.default_rng(shape.seed)
        order = rng.permutation(shape.sites * shape.counters)
        phase = rng.uniform(0, 2 * np.pi, shape.sites)
        rows = self._bytes.reshape(readings, WIDTH)
        for first in range(0, readings, 500_000):
            part = rows[first : first + 500_000]
            part[:] = np.frombuffer(_LINE, np.uint8)
            number = np.arange(first, first + len(part))
            site, counter = np.divmod(order[number % len(order)], shape.counters)
            since = (2 * number + 1) * SECOND_US // (2 * shape.rate)
            wave = SWING * np.sin(2 * np.pi / WAVE_S * since / SECOND_US + phase[site])
            _digits(part, _SITE, site, 5)
            _digits(part, _COUNTER, counter, 2)
            _times(part, START_US + AHEAD_US + since)
            _digits(part, _IN, np.minimum(rng.poisson(MEAN * (1 + wave)), MOST), 1)
            _digits(part, _OUT, np.minimum(rng.poisson(MEAN * (1 - wave)), MOST), 1)

    def __len__(self) -> int:
        return self.readings

    @property
    def size(self) -> int:
        """How many bytes."""
        return len(self._bytes)

    def first(self, readings: int) -> Lines:
        """The first `readings` lines, over the same memory."""
        return self.part(0, readings)

    def part(self, start: int, stop: int) -> Lines:
        """Lines start..stop-1, over the same memory."""
        made = object.__new__(Lines)
        made.shape, made._bytes = self.shape, self._bytes[start * WIDTH : stop * WIDTH]
        made.readings = len(made._bytes) // WIDTH
        return made

    def blocks(self, lines: int) -> Iterator[bytes]:
        """All of them, `lines` at a time."""
        for start in range(0, len(self._bytes), lines * WIDTH):
            yield self._bytes[start : start + lines * WIDTH].tobytes()


def _digits(rows: npt.NDArray[np.uint8], place: int, numbers: npt.NDArray[np.int64], digits: int) -> None:
    for digit in range(digits):
        rows[:, place + digits - 1 - digit] = ord("0") + numbers // 10**digit % 10


def _times(rows: npt.NDArray[np.uint8], local_us: npt.NDArray[np.int64]) -> None:
    text = np.datetime_as_string(local_us.astype("datetime64[us]")).astype("S26")
    rows[:, _AT : _AT + 26] = text.view(np.uint8).reshape(-1, 26)
