"""The bench: an archive once through, past every contender, and what came of each as plain data.

Plain data is what `--format json` prints and what comparison, sheets and picture are made from. It is a function of the archive's rows and
the contenders' documents alone: no path, no clock and no program version stands in it. Times are microseconds UTC, people of estimates
thousandths of a person, minutes are minutes of observed time (`tally`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from flowwatch.backtest.archive import Advance, Archive
from flowwatch.backtest.contenders import Contender
from flowwatch.backtest.run import Answer, Options, Run
from flowwatch.backtest.tally import Stood
from flowwatch.core.gates import Setting
from flowwatch.core.readings import MINUTE
from flowwatch.core.terms import SOURCES

__all__ = ["Answer", "Options", "Result", "backtest"]

FORMAT: Final = 1
LEVELS: Final = ("I", "II", "III", "IV")
SITE: Final = "site"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a backtest: `archive` and `how` it was run, and the outcome of each contender."""

    archive: dict[str, Any]
    how: dict[str, Any]
    outcomes: list[dict[str, Any]]
    contenders: Sequence[Contender]

    def plain(self) -> dict[str, Any]:
        """As JSON-able data, without the comparison."""
        return {"format": FORMAT, "open_loop": True, "archive": self.archive, "how": self.how, "plans": self.outcomes}


def backtest(archive: Archive, contenders: Sequence[Contender], options: Options, advance: Advance = lambda _: None) -> Result:
    """Try `contenders` on `archive`, all in one pass. Raises `LogError` where the log is damaged."""
    shown = shown_zone(contenders)
    runs = [Run(contender, archive, options, shown) for contender in contenders]
    window = options.window
    readings = 0
    for step in archive.steps(advance):
        readings += sum(len(block) for block in step.readings) if window.holds(step.tick) else 0
        for run in runs:
            run.take(step)
        if window.until is not None and step.tick >= window.until:
            break
    for run in runs:
        run.tally.close()
    told = runs[0].tally
    about: dict[str, Any] = {"site": archive.site, "partition": archive.partition, "clock": archive.settings.clock.value}
    about |= {"tick_us": archive.settings.tick_us, "readings": readings, "first_us": told.first, "last_us": told.last}
    about |= {"observed_min": _minutes(told.clock), "without_ticks_min": _minutes(told.without_ticks)}
    how: dict[str, Any] = {
        "answer": options.answer.value,
        "with_operators": options.with_operators,
        "from_us": window.since,
        "until_us": window.until,
    }
    return Result(about, how | {"shown": shown}, [outcome(run, archive) for run in runs], contenders)


def shown_zone(contenders: Sequence[Contender]) -> str:
    """The zone whose people the plans look at: that of the first bar on occupancy in any main plan that all sites have, else the whole site."""
    there = set.intersection(*({zone["zone"] for zone in c.record["zones"]} for c in contenders)) | {SITE}
    for contender in contenders:
        for stage in contender.main["stages"] if contender.main else ():
            for leaf in stage["leaves"]:
                if leaf["kind"] == "people" and leaf["source"] in SOURCES[:3] and leaf["zone"] in there:
                    return str(leaf["zone"])
    return SITE


def outcome(run: Run, archive: Archive) -> dict[str, Any]:
    """What came of one run."""
    contender, tally = run.contender, run.tally
    main = contender.main
    declared = {f"{archive.site}/{c['counter']}" for c in contender.record["counters"]}
    stages = {plan: _spent(tally.stages[plan]) for plan in sorted(tally.stages)}
    observed = _minutes(tally.clock)
    gates = {gate["gate"]: _gate(run, gate["gate"]) for gate in contender.record["gates"]}
    return {
        "name": contender.name,
        "version": contender.version,
        "plan": main["plan"] if main else None,
        "title": main["title"] if main else None,
        "readings": {"put": run.readings, "counted": run.engine.intake.accepted, "refused": run.refused},
        "counters": {
            "only_in_archive": sorted(set(archive.names) - declared),
            "only_in_site_file": sorted(declared - set(archive.names)),
        },
        "operators": {"applied": run.actions["applied"], "left_out": run.actions["left_out"], "refused": tally.refused_actions},
        "stages": {plan: [[at, stage] for at, stage in tally.moves[plan]] for plan in stages},
        "stage_min": stages,
        "stage_share": {plan: {s: round(m / observed, 6) if observed else 0.0 for s, m in spent.items()} for plan, spent in stages.items()},
        "transitions": tally.transitions,
        "commands": tally.commands,
        "confirmations_asked": {way: run.asked[way] for way in ("rise", "fall")},
        "alerts": {level: tally.alerts[level] for level in LEVELS},
        "incidents": dict(sorted(tally.incidents.items())),
        "gates": gates,
        "came_in": tally.came.total(),
        "came_in_while_shut": tally.came_while_shut.total(),
        "shut_min": round(sum(told["shut_min"] for told in gates.values()), 3),
        "peaks": {zone: peak.plain() for zone, peak in sorted(tally.peaks.items())},
        "leads": tally.leads.plain(),
        "series": tally.series.plain(),
    }


def _gate(run: Run, gate: str) -> dict[str, Any]:
    tally = run.tally
    settings = _spent(tally.gates.get(gate, Stood()))
    modes: dict[str, float] = {}
    shut = 0.0
    for text, minutes in settings.items():
        setting = Setting.parse(text)
        modes[setting.mode.value] = round(modes.get(setting.mode.value, 0.0) + minutes, 3)
        shut += 0.0 if setting.may_enter else minutes
    people = {"came_in": tally.came[gate], "came_in_while_shut": tally.came_while_shut[gate]}
    return {"mode_min": modes, "setting_min": settings, "shut_min": round(shut, 3), **people}


def _spent(stood: Stood) -> dict[str, float]:
    """Minutes at each value."""
    return {value: _minutes(us) for value, us in sorted(stood.spent.items())}


def _minutes(us: int) -> float:
    return round(us / MINUTE, 3)
