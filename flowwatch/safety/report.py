"""What the analysis says: findings with the way that leads to them, tables of capacity, and how much was looked at.

Everything here is plain data: `Report.to_json` gives dictionaries, lists, numbers and texts, in one order, whatever the machine.
Capacities are persons/min; times to clear are minutes for as many people as the site's outer zones may hold (their capacity).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

Path = tuple[str | int, ...]
"""Where in the plan's file: ("stages", 2, "gates")."""


class Severity(StrEnum):
    """A fault makes a plan unfit for use; a warning deserves a second look; a note says what is so."""

    FAULT = "fault"
    WARNING = "warning"
    NOTE = "note"


class Code(StrEnum):
    """What a finding is about; the sentences to each are in `sentences.py`."""

    # the way out, in every situation
    NO_WAY_OUT = "no_way_out"
    EGRESS_BELOW_MINIMUM = "egress_below_minimum"
    EGRESS_FALLS = "egress_falls"
    EGRESS_FALLS_TOGETHER = "egress_falls_together"
    EMERGENCY_SHUT = "emergency_shut"
    ENTRANCE_LETS_OUT = "entrance_lets_out"
    GATE_SHUT = "gate_shut"
    GATE_WITHOUT_SETTING = "gate_without_setting"
    FIRE_UNSAFE = "fire_unsafe"
    SINGLE_EXIT = "single_exit"
    SINGLE_EXIT_ACCEPTED = "single_exit_accepted"
    ONE_WAY_WITHOUT_RETURN = "one_way_without_return"
    CASE_LOWERS_EGRESS = "case_lowers_egress"
    WAVES_DO_NOT_MIX = "waves_do_not_mix"
    # stages and their conditions
    NEVER_REACHED = "never_reached"
    NOT_REACHABLE_YET = "not_reachable_yet"
    NOT_EVALUATED_YET = "not_evaluated_yet"
    NEVER_ACTIVE = "never_active_by_itself"
    PASSED_THROUGH = "passed_through"
    CLAUSE_NEVER_HOLDS = "clause_never_holds"
    BAR_ABOVE_LIMIT = "bar_above_limit"
    CASE_NEVER_BEGINS = "case_never_begins"
    RULE_NEVER_HOLDS = "rule_never_holds"
    BARS_OUT_OF_ORDER = "bars_out_of_order"
    BARS_OVERLAP = "bars_overlap"
    DWELL_TOO_SHORT = "dwell_too_short"
    NO_GAP = "no_gap"
    CLEARS_ON_LOWER_EDGE = "clears_on_lower_edge"
    WINDOW_SHORTER_THAN_DWELL = "window_shorter_than_dwell"
    RULE_WITHOUT_HOLD = "rule_without_hold"
    # numbers that can hardly be meant
    CAPACITY_ABOVE_FLOOR = "capacity_above_floor"
    LANE_WIDTH = "lane_width"
    BAR_ABOVE_CAPACITY = "bar_above_capacity"
    BAR_ABOVE_PASSAGE = "bar_above_passage"
    HOLD_TOO_LONG = "hold_too_long"
    NARROW_BARS = "narrow_bars"
    # what a stage says
    TEXT_MISSING = "text_missing"
    TEXTS_THE_SAME = "texts_the_same"
    NOT_ENGLISH = "not_english"
    NOT_CHINESE = "not_chinese"
    COUNT_IN_NAME = "count_in_name"
    RATE_ABOVE_LANES = "rate_above_lanes"
    WAVE_NEVER_RELEASES = "wave_never_releases"
    WAVE_WITHOUT_CLEARING = "wave_without_clearing"
    TASK_WITHOUT_ROLE = "task_without_role"
    NO_PLAN = "no_plan"
    NOT_ALL_VISITED = "not_all_visited"


class Happening(StrEnum):
    """What an event is."""

    RISES = "rises"
    SET = "set"
    BEGINS = "begins"
    ENDS = "ends"


@dataclass(frozen=True, slots=True)
class Event:
    """One step on the way from all calm to a situation: a plan rises (or somebody sets it), a case begins or ends."""

    happening: Happening
    plan: str
    stage: str | None
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found, in both languages, with the shortest way to it where a situation is needed."""

    code: Code
    severity: Severity
    plan: str | None
    stage: str | None
    path: Path
    zh: str
    en: str
    events: tuple[Event, ...] | None = None
    """None where no situation is needed; empty where it is so from the start, with everything calm."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """Capacity while one plan is in one stage and all others are calm; and the lowest over all situations with that stage."""

    plan: str
    stage: str
    egress_per_min: float
    ingress_per_min: float
    minutes_to_clear: float | None
    lowest_per_min: float
    lowest_events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """One gate passes nobody: the capacity out that is left, and the zones that then have no way out in some situation."""

    gate: str
    left_per_min: dict[str, float]
    """Stage of the main plan, all else calm -> persons/min."""
    lowest_per_min: float
    cut_off: tuple[str, ...]
    events: tuple[Event, ...] | None
    """The shortest way to where a zone is cut off; None where none is."""


@dataclass(frozen=True, slots=True)
class Override:
    """One gate held by hand in one setting, all else by the main plan: where the engine refuses it, and where it would be lifted."""

    gate: str
    setting: str
    refused: tuple[str, ...]
    """Stages of the main plan."""
    lifted: dict[str, str]
    """Stage in which it is admitted -> the next higher stage, where it is lifted."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much was looked at."""

    situations: int
    """All combinations of stages and of cases in force or not."""
    different: int
    """Those that are left when stages that ask the same of all gates are taken as one."""
    visited: int
    """Of `situations`, those whose table was checked, each by itself or through one that asks the same."""
    away_from_calm: int | None
    """None if all were visited; else those were in which at most so many plans are away from calm."""

    @property
    def complete(self) -> bool:
        """Whether every situation was visited."""
        return self.visited == self.situations


@dataclass(frozen=True, slots=True)
class Report:
    """The analysis of one site."""

    site: str
    findings: tuple[Finding, ...] = ()
    people: int = 0
    """The capacity of the site's outer zones, for whom the times to clear are meant."""
    egress_min_per_min: float = 0.0
    capacities: tuple[Capacity, ...] = ()
    failures: tuple[Failure, ...] = ()
    overrides: tuple[Override, ...] = ()
    coverage: Coverage = field(default_factory=lambda: Coverage(0, 0, 0, None))

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(f for f in self.findings if f.severity is severity)

    @property
    def faults(self) -> tuple[Finding, ...]:
        """What makes the plan unfit for use."""
        return self.of(Severity.FAULT)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What deserves a second look."""
        return self.of(Severity.WARNING)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What is so."""
        return self.of(Severity.NOTE)

    def to_json(self) -> dict[str, Any]:
        """Everything as dictionaries, lists, numbers and texts."""
        made: dict[str, Any] = _plain(asdict(self))
        made["coverage"]["complete"] = self.coverage.complete
        return made


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.value if isinstance(value, StrEnum) else value
