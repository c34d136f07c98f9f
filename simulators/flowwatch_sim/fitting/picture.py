"""Fit against data: people an hour on each day beside the fitted line, and how short counts vary against their mean, counter by counter.

An hour in which counters were dead is drawn as what the others say: as many times the fit as they have.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from flowwatch.titles import Language
from flowwatch_sim.fitting.fit import Fit
from flowwatch_sim.fitting.template import spread
from flowwatch_sim.fitting.writing import groups_of, kind_name
from flowwatch_sim.people import Floats
from flowwatch_sim.report.ink import GRID, INK, OF_SETUP, SOFT, Paper

WIDE_IN: Final = 4.2
HIGH_IN: Final = 3.4
MOST_KINDS: Final = 4
DPI: Final = 150
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
            part.set_ylim(0, most)
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
    """A point a counter: the mean of its counts within quarters of an hour, and their variance."""
    days = fit.days
    size = 900 // days.slot_s
    minutes = days.slot_s // 60
    per_hour = 3600 // days.slot_s
    cells = days.into.reshape(len(days.counters), -1, per_hour)[:, :, : per_hour // size * size]
    there = days.measured.reshape(len(days.counters), -1, per_hour)[:, :, : per_hour // size * size]
    windows = cells.reshape(len(days.counters), -1, size).astype(float)
    whole = there.reshape(windows.shape).all(axis=2)
    counted = np.maximum(whole.sum(axis=1), 1)
    mean = (windows.mean(axis=2) * whole).sum(axis=1) / counted
    variance = (windows.var(axis=2, ddof=1) * whole).sum(axis=1) / counted
    seen = (mean > LEAST) & (variance > 0)
    part.loglog(
        mean[seen], variance[seen], "o", color=INK, markersize=4, alpha=0.75, label=_say(paper, "计数器（实测）", "counters, measured")
    )
    span = np.array([mean[seen].min(), mean[seen].max()]) if seen.any() else np.array([1.0, 10.0])
    ratio = 1 + float(np.average([groups_of(s) for s in fit.streams], weights=[sum(s.entrances.values()) for s in fit.streams]))
    part.loglog(
        span, ratio * span, color=OF_SETUP[0], linewidth=1.6, label=_say(paper, f"拟合：{ratio:.2f} 倍", f"fitted: {ratio:.2f} times")
    )
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


def _plain(part: Any) -> None:
    part.grid(visible=True, color=GRID, linewidth=0.6)
    part.set_axisbelow(True)
    part.spines[["top", "right"]].set_visible(False)
