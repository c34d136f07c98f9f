"""What a search found: a table of all candidates, what may be said of the best, and the command for the whole comparison.

Beside the tables that every folder of results has (`runs.py`) a search leaves

    candidates.parquet, candidates.csv    one row for each candidate: its bars, refused or screened, and what came of those that were confirmed

and in the manifest what was asked for. Nothing is called better than the bars in force that is not shown to be.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from flowwatch.words import Language, say
from flowwatch_sim import runs
from flowwatch_sim.kept import shown_name
from flowwatch_sim.runs import Result, Setup
from flowwatch_sim.search import Candidate, Confirmed, Minimise, Search
from flowwatch_sim.tryout import DAYS
from flowwatch_sim.variants import Moved, name

UNITS = {
    Minimise.WAITED: ("人·分钟场外等候", "people-minutes waited outside"),
    Minimise.TURNED_AWAY: ("人未能入场", "people turned away"),
}


def rows(search: Search, found: Sequence[Confirmed]) -> list[dict[str, Any]]:
    """All candidates, the bars in force first; figures that nobody has are None."""
    of = {one.bars: one for one in found}
    table = [_row(search, search.base.moved, search.now, of[search.base.moved])]
    return table + [_row(search, c.bars, c, of.get(c.bars)) for c in search.candidates]


def _row(search: Search, bars: Moved, screened: Candidate | None, found: Confirmed | None) -> dict[str, Any]:
    limits, people = search.aim.most, dict(bars)
    row: dict[str, Any] = {"bars": name(bars) or "in-force"}
    row |= {f"bar/{span.stage}": people.get(span.stage) for span in search.grid.spans}
    row |= {"refused": None if screened is None else screened.refused, "screened": None if screened is None else screened.cost}
    row |= {f"screened_peak/{zone}": None if screened is None else screened.peaks.get(zone) for zone in limits}
    difference = None if found is None else found.difference
    row |= {"confirmed": None if found is None else found.cost}
    row |= {
        key: None if difference is None else getattr(difference, of)
        for key, of in (("difference", "mean"), ("low", "low"), ("high", "high"))
    }
    row |= {f"bound/{zone}": None if found is None else found.bounds[zone] for zone in limits}
    row |= {f"days_over/{zone}": None if found is None else found.over[zone] for zone in limits}
    return row | {"holds": None if found is None else found.holds, "better": None if found is None else found.better}


def write(folder: Path, search: Search, chosen: Sequence[Candidate], results: Sequence[Result], found: Sequence[Confirmed]) -> None:
    """The tables and the manifest of a search; the same bytes for the same scenario, plans, grid, aim, seeds and version."""
    setups = [search.base, *search.setups(chosen)]
    asked = {
        "minimise": str(search.aim.minimise),
        "most": dict(search.aim.most),
        "grid": {span.stage: [span.low, span.high, span.step] for span in search.grid.spans},
        "candidates": len(search.candidates),
        "screened_days": DAYS,
        "peaks_raised_by": search.allowed,
    }
    runs.write(folder, setups, search.seeds, results, {"search": asked})
    table = rows(search, found)
    kinds = {"bars": pa.string(), "refused": pa.string(), "holds": pa.bool_(), "better": pa.bool_()}
    whole = {key: kinds.get(key) or (pa.int64() if key.startswith(("bar/", "days_over/")) else pa.float64()) for key in table[0]}
    columns = pa.table({key: pa.array([row[key] for row in table], kind) for key, kind in whole.items()})
    pq.write_table(columns, folder / "candidates.parquet")
    pc.write_csv(columns, folder / "candidates.csv")


def conclusion(search: Search, found: Sequence[Confirmed], language: Language) -> list[str]:
    """What may be said, in sentences; the last one that nothing is better, where that is so."""
    now, *others = found
    n, unit = len(search.seeds), say(language, *UNITS[search.aim.minimise])
    told = []
    if not others:
        return [say(language, "没有可供复核的备选阈值：均被安全分析否决，或与现行阈值相同。", _NONE_LEFT)]
    if not now.holds:
        told.append(
            say(
                language,
                f"现行阈值未守住限值：{_broken(search, now, 'zh')}。",
                f"The bars in force do not keep the limit: {_broken(search, now, 'en')}.",
            )
        )
    better = sorted((one for one in others if one.better), key=lambda one: one.cost)
    if better:
        best, gained = better[0], better[0].difference
        assert gained is not None
        span = f"{-gained.high:,.0f}", f"{-gained.low:,.0f}"
        told.append(
            say(
                language,
                f"{_called(best)} 优于现行阈值：平均每天少 {-gained.mean:,.0f} {unit}（95% 区间 {span[0]} 至 {span[1]}），且守住限值。",
                f"{_called(best)} is shown better than the bars in force: {-gained.mean:,.0f} fewer {unit} a day "
                f"(95 % interval {span[0]} to {span[1]}), and it keeps the limits.",
            )
        )
        return told
    kept = sorted((one for one in others if one.holds), key=lambda one: one.cost)
    if not now.holds and kept:
        told.append(
            say(
                language,
                f"{_called(kept[0])} 守住限值，平均每天 {kept[0].cost:,.0f} {unit}，现行阈值为 {now.cost:,.0f}。",
                f"{_called(kept[0])} keeps it, at {kept[0].cost:,.0f} {unit} a day; the bars in force come to {now.cost:,.0f}.",
            )
        )
        return told
    told.append(
        say(
            language,
            f"复核的 {len(others)} 组备选阈值中，没有一组被证明优于现行阈值（{n} 个模拟日）。",
            f"None of the {len(others)} candidates confirmed is shown better than the bars in force on {n} days.",
        )
    )
    if not kept:
        told.append(say(language, "也没有一组守住限值。", "None of them keeps the limits either."))
    return told


_NONE_LEFT = "There is no candidate to confirm: the safety analysis refuses them, or they are the bars in force."


def _called(one: Confirmed) -> str:
    return ",".join(f"{stage}={people}" for stage, people in one.bars)


def _broken(search: Search, one: Confirmed, language: Language) -> str:
    n, told = len(search.seeds), []
    for zone, bound in one.bounds.items():
        limit, over = search.aim.most[zone], one.over[zone]
        if bound > limit:
            zh = f"{zone} 限 {limit:,} 人，95% 的日子（置信度 95%）的上界为 {bound:,.0f} 人，{n} 天中有 {over} 天超出"
            en = f"{zone} may hold {limit:,}; 95 % of days stay at or below {bound:,.0f} with 95 % confidence, and {over} of {n} are above"
            told.append(say(language, zh, en))
    return say(language, "；", "; ").join(told)


def comparison(search: Search, chosen: Sequence[Candidate]) -> str:
    """The command that holds the confirmed candidates against the bars in force, on the same days, as a page."""
    base = search.base
    words = ["flowwatch-sim", "compare", shown_name(base.text)]
    words += [] if base.plan is None else ["--plan", base.plan]
    words += [] if base.sight is None else ["--sensing", base.sight]
    for setup in search.setups(chosen):
        words += ["--bars", _bars(setup)]
    return shlex.join([*words, "--runs", str(len(search.seeds)), "--seed", str(search.seeds[0]), "--report", "page.html"])


def _bars(setup: Setup) -> str:
    return ",".join(f"{stage}={people}" for stage, people in setup.moved)
