"""Fit against data: people an hour on each day beside the fitted line, and how short counts vary against their mean, counter by counter.

An hour in which counters were dead is drawn as what the others say: as many times the fit as they have.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from flowwatch.core.readings import Bools
from flowwatch.titles import Language
from flowwatch_sim.demand import UNREST_S
from flowwatch_sim.fitting.drawn import counts, stream_of
from flowwatch_sim.fitting.fit import Fit
from flowwatch_sim.fitting.template import spread
from flowwatch_sim.fitting.writing import kind_name
from flowwatch_sim.people import Floats
from flowwatch_sim.report.ink import GRID, INK, OF_SETUP, SOFT, Paper
from flowwatch_sim.scenario import DayKind

WIDE_IN: Final = 4.2
HIGH_IN: Final = 3.4
MOST_KINDS: Final = 4
DPI: Final = 150
DRAWN_DAYS: Final = 7
"""Of each stream, on the kinds of the first days of the archive."""
LEAST: Final = 0.2
"""Persons in a slot, of a counter that is drawn."""


def draw(fit: Fit, file: Path, language: Language) -> None:
    """A PNG. Raises `NoPlotsError` without matplotlib. It is in English where no installed font has Chinese characters."""
    paper = Paper(language)
    kinds = sorted(dict.fromkeys(fit.days.kinds), key=lambda kind: (kind is not fit.usual, str(kind)))[:MOST_KINDS]
    varied = int(fit.streams[0].ratio is not None)
    with paper.matplotlib.rc_context(paper.settings):
        figure = paper.figure.Figure(figsize=(WIDE_IN * (len(kinds) + varied), HIGH_IN), layout="constrained", dpi=DPI)
        parts = figure.subplots(1, len(kinds) + varied, squeeze=False)[0]
        for part, kind in zip(parts, kinds, strict=False):
            _hours(part, fit, kind, paper)
        most = max(part.get_ylim()[1] for part in parts[: len(kinds)])
        for part in parts[: len(kinds)]:
            part.set_ylim(0, most * 1.2)
        if varied:
            _scatter(parts[-1], fit, paper)
        figure.savefig(file, format="png", metadata={"Software": None})


def _say(paper: Paper, zh: str, en: str) -> str:
    return zh if paper.language == "zh" else en


def _hours(part: Any, fit: Fit, kind: Any, paper: Paper) -> None:
    """Each day as it was measured, and the fit."""
    days = fit.days
    chosen = [d for d, found in enumerate(days.kinds) if found is kind]
    at = days.begins + (np.arange(days.hours) + 0.5)
    for i, d in enumerate(chosen):
        label = None if i else _say(paper, "实测（每日一线）", "measured, a line a day")
        part.plot(at, _measured(fit, d), color=SOFT, linewidth=1.0, label=label)
    fitted = sum(spread(stream.kinds[kind].hours, days.into.shape[2], days.slot_s) for stream in fit.streams)
    fine = days.begins + (np.arange(days.into.shape[2]) + 0.5) * days.slot_s / 3600
    part.plot(fine, fitted * (3600 / days.slot_s), color=OF_SETUP[0], linewidth=1.8, label=_say(paper, "拟合", "fitted"))
    name = kind_name(kind, paper.language)
    part.set_title(_say(paper, f"{name}（{len(chosen)} 天）", f"{name} ({len(chosen)})"), loc="left", color=INK)
    part.set_ylabel(_say(paper, "人/小时", "persons/h"))
    part.xaxis.set_major_locator(paper.ticker.MultipleLocator(max(2, days.hours // 6)))
    part.xaxis.set_major_formatter(paper.ticker.FuncFormatter(lambda h, _: f"{int(h) % 24:02d}:00"))
    part.yaxis.set_major_formatter(paper.ticker.FuncFormatter(lambda n, _: f"{n:,.0f}"))
    part.legend(frameon=False, loc="upper left")
    _plain(part)


def _measured(fit: Fit, d: int) -> Floats:
    """(H,) people of a day in each hour; NaN where less than half of those expected could be seen."""
    days, shape = fit.days, (len(fit.days.counters), fit.days.hours, -1)
    offered = fit.offered(days.kinds[d]).reshape(shape)
    there = days.measured[:, d].reshape(shape)
    whole, seen = offered.sum(axis=(0, 2)), (offered * there).sum(axis=(0, 2))
    people = days.into[:, d].reshape(shape).sum(axis=(0, 2)).astype(float)
    return np.where(
        (seen >= whole / 2) & there.any(axis=(0, 2)), people * np.divide(whole, seen, out=np.ones(len(seen)), where=seen > 0), np.nan
    )


def _scatter(part: Any, fit: Fit, paper: Paper) -> None:
    """A point a counter: the mean of its counts within quarters of an hour, and their variance; a ring an entrance of simulated days."""
    days = fit.days
    minutes = days.slot_s // 60
    mean, variance = _moments(days.into.astype(float), days.measured, days.slot_s)
    part.loglog(mean, variance, "o", color=INK, markersize=4, alpha=0.75, label=_say(paper, "计数器（实测）", "counters, measured"))
    chosen = days.kinds[:DRAWN_DAYS]
    drawn = np.concatenate([_drawn(fit, i, chosen) for i in range(len(fit.streams))])
    again = _moments(drawn, np.ones(drawn.shape, np.bool_), days.slot_s)
    told = _say(paper, f"入口（模拟 {len(chosen)} 天）", f"entrances, {len(chosen)} days simulated")
    part.loglog(*again, "o", color=OF_SETUP[0], markersize=6.5, markerfacecolor="none", label=told)
    span = np.array([mean.min(initial=1.0), mean.max(initial=1.0)])
    part.loglog(
        span, span, color=SOFT, linestyle=(0, (4, 2)), linewidth=1.0, label=_say(paper, "纯随机（泊松）", "by chance alone (Poisson)")
    )
    part.legend(frameon=False, loc="lower right")
    part.set_title(_say(paper, f"{minutes} 分钟计数的波动", f"How {minutes}-min counts vary"), loc="left", color=INK)
    for axis in (part.xaxis, part.yaxis):
        axis.set_major_formatter(paper.ticker.FuncFormatter(lambda n, _: f"{n:,g}"))
        axis.set_minor_formatter(paper.ticker.NullFormatter())
    part.set_xlabel(_say(paper, "均值（人）", "mean, persons"))
    part.set_ylabel(_say(paper, "方差（刻钟内）", "variance within quarters of an hour"))
    _plain(part)


def _drawn(fit: Fit, i: int, kinds: Sequence[DayKind | None]) -> Floats:
    """(entrances, days, S) people of simulated days of a stream."""
    fitted, slot_s = fit.streams[i], fit.days.slot_s
    days = [counts(stream_of(fit, fitted, kind), len(fitted.entrances), i, seed, slot_s) for seed, kind in enumerate(kinds)]
    return np.stack(days, axis=1).astype(float)


def _moments(people: Floats, measured: Bools, slot_s: int) -> tuple[Floats, Floats]:
    """Mean and variance of counts within quarters of an hour, of each of those who have any."""
    size, per_hour = int(UNREST_S) // slot_s, 3600 // slot_s
    cut = [a.reshape(len(a), -1, per_hour)[:, :, : per_hour // size * size].reshape(len(a), -1, size) for a in (people, measured)]
    whole = cut[1].all(axis=2)
    counted = np.maximum(whole.sum(axis=1), 1)
    mean = (cut[0].mean(axis=2) * whole).sum(axis=1) / counted
    variance = (cut[0].var(axis=2, ddof=1) * whole).sum(axis=1) / counted
    seen = (mean > LEAST) & (variance > 0)
    return mean[seen], variance[seen]


def _plain(part: Any) -> None:
    part.grid(visible=True, color=GRID, linewidth=0.6)
    part.set_axisbelow(True)
    part.spines[["top", "right"]].set_visible(False)
