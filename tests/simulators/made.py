"""Days made up by hand, so that what a comparison must say is known; and setups that they can be days of."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from math import sin

from flowwatch.documents import Source, shipped
from flowwatch_sim.runs import Result, Setup

SCENARIO = """
scenario: rush
title: {zh: ZH, en: EN}
site: yuyuan
starts: 2026-10-01 09:00
lasts: 2h
streams:
  - {stream: visitors, people: 5200, template: even, stay: 60m, visits: [{zone: bridge, share: 0.5, stay: 6m}]}
"""
BARS = {"mall": (1500, 3000), "bridge": (453.6, 714, 800)}


def days(plan: str, peaks: Sequence[float], more: Mapping[str, Sequence[float]] | None = None, sight: str = "perfect") -> list[Result]:
    """One day for each peak, seeds 1, 2, 3 …; `more`: measure -> a value for each day."""
    return [
        Result(plan, sight, seed, {"peak/mall": float(peak)} | {name: float(of[seed - 1]) for name, of in (more or {}).items()}, [])
        for seed, peak in enumerate(peaks, 1)
    ]


def setup(plan: str | None = "yuyuan", zh: str = "高峰", en: str = "Rush") -> Setup:
    """Two hours at Yuyuan as it ships."""
    return Setup(Source("rush.yaml", SCENARIO.replace("ZH", zh).replace("EN", en).encode()), shipped(), plan, "perfect")


def whole_days(plan: str, seeds: Sequence[int], lower: float = 0.0, noise: float = 5.0) -> list[Result]:
    """Days with every measure, the same people for a seed under every plan; of a plan the peak is `lower`, give or take `noise` people."""
    return [_whole_day(plan, seed, lower, noise) for seed in seeds]


def _whole_day(plan: str, seed: int, lower: float, noise: float) -> Result:
    luck, own = random.Random(seed), random.Random(f"{plan}{seed}")
    peak = luck.uniform(1500, 2500) - lower + own.uniform(-noise, noise)
    turned = luck.uniform(200, 400) + 4 * lower + own.uniform(-noise, noise)
    measures = {"peak/mall": peak, "peak/bridge": peak / 8, "turned_away": turned, "turned_away_share": turned / 5200}
    for zone, bars in BARS.items():
        measures |= {f"density_p95/{zone}": peak / 12000, f"congested/{zone}": 0.0}
        measures |= {f"minutes_over/{zone}/{bar:g}": max(0.0, peak - bar) / 20 for bar in bars}
        measures |= {f"person_minutes_over/{zone}/{bar:g}": max(0.0, peak - bar) * 3 for bar in bars}
    waits = luck.uniform(1, 3)
    measures |= {
        "queue_most": 90 + 40 * waits,
        "queue_p95": 80 + 30 * waits,
        "queue_time": 900 * waits,
        "wait_mean": waits,
        "wait_p95": 3 * waits,
        "wait_most": 9 * waits,
    }
    measures |= {"came": 5200.0, "entered": 5200 - turned, "switches": float(luck.randrange(8, 20)), "alerts": 3.0}
    measures |= {f"closed_in/gate-{n}": 0.0 if n in (2, 3, 5) else 40 + own.uniform(0, 9) for n in range(1, 9)}
    measures |= {"clear_t95": 2.5 + waits / 9, "clear_t100": 3 + waits / 9, "band": 0.95, "band_lag": 3.0}
    measures |= {"stage/yuyuan/normal": 60.0, "stage/yuyuan/three_in_five_out": 60.0, "stage/bridge/open": 120.0}
    inside = [round(peak * sin(minute / 120 * 3)) for minute in range(1, 121)]
    minutes = [[k + 1, round(waits * 40 * sin(k / 40)) if k < 120 else 0, people, people // 8] for k, people in enumerate(inside)]
    return Result(plan, "perfect", seed, measures, [[max(0, cell) for cell in row] for row in minutes])
