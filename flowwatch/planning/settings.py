"""What a plan asks of the gates, in words: one setting, and a whole stage's gates in groups with the capacity out that they leave.

The numbers are those that the engine and the checks use (`flowwatch.core.gates`); nothing is computed twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flowwatch.core.gates import Mode, Setting, egress_per_min
from flowwatch.planning.titles import Titles
from flowwatch.vocabulary import MODES, phases
from flowwatch.vocabulary import setting as called
from flowwatch.words import count

_ORDER: Final = (Mode.IN, Mode.METERED, Mode.WAVE, Mode.BOTH, Mode.OUT, Mode.CLOSED)


@dataclass(frozen=True, slots=True)
class Group:
    """Gates that a stage asks the same of, in the site's order; `setting` None: nothing is asked of them."""

    setting: Setting | None
    gates: tuple[str, ...]


def does(setting: Setting, titles: Titles, *, one: bool) -> str:
    """What gates with this setting do, as the verb of a sentence."""
    if titles.language == "zh":
        return "双向通行" if setting.mode is Mode.BOTH else called(setting, "zh")
    s, are = ("s", "is") if one else ("", "are")
    match setting.mode:
        case Mode.IN | Mode.OUT:
            return f"lead{s} {setting.mode.value}"
        case Mode.BOTH:
            return f"{are} open both ways"
        case Mode.CLOSED:
            return f"{are} {MODES['closed']['en']}"
        case Mode.METERED:
            out = "people may leave" if setting.leave else "nobody leaves"
            return f"let{s} in at most {setting.per_min} persons/min{'' if one else ' each'} and {out}"
    return f"let{s} people through in waves: {phases(setting, 'en')}"


def groups(table: Mapping[str, str], titles: Titles) -> list[Group]:
    """The gates of the site by what `table` (gate -> setting text) asks of them; those that it does not name come last."""
    found: dict[str, list[str]] = {}
    for gate in titles.gates:
        found.setdefault(table.get(gate, ""), []).append(gate)
    made = [Group(Setting.parse(text) if text else None, tuple(gates)) for text, gates in found.items()]
    return sorted(made, key=lambda group: len(_ORDER) if group.setting is None else _ORDER.index(group.setting.mode))


def sentences(table: Mapping[str, str], titles: Titles) -> list[str]:
    """A sentence for each group, all gates by name and how many of the site's they are; the largest group is "the other"."""
    found = groups(table, titles)
    n = len(titles.gates)
    asked = [group for group in found if group.setting is not None]
    last = max(asked, key=lambda group: len(group.gates), default=None) if len(found) > 1 and len(asked) == len(found) else None
    told = [_one(group, n, titles) for group in asked if group is not last]
    if last is not None:
        told.append(_others(last, n, titles))
    for group in found:
        if group.setting is None:
            row, k = titles.in_row(group.gates), len(group.gates)
            told.append(
                titles.say(f"其余 {k} 个通道口由其他方案决定：{row}。", f"This plan asks nothing of the other {count(k)}: {row}.")
                if asked
                else titles.say(f"对各通道口均不作要求：{row}。", f"This plan asks nothing of the gates: {row}.")
            )
    return told


def _one(group: Group, n: int, titles: Titles) -> str:
    assert group.setting is not None
    k, row = len(group.gates), titles.in_row(group.gates)
    verb = does(group.setting, titles, one=k == 1)
    if k == n and n > 1:
        return titles.say(f"{n} 个通道口全部{verb}：{row}。", f"All {count(n)} gates {verb}: {row}.")
    return titles.say(f"{row}{verb}（{n} 个中 {k} 个）。", f"{titles.sentence(row)} {verb} ({k} of {n}).")


def _others(group: Group, n: int, titles: Titles) -> str:
    assert group.setting is not None
    k, row = len(group.gates), titles.in_row(group.gates)
    verb = does(group.setting, titles, one=k == 1)
    if k == 1:
        return titles.say(f"{row}{verb}（{n} 个中 1 个）。", f"The other one {verb}: {row} (1 of {n}).")
    return titles.say(f"其余 {k} 个{verb}：{row}（{n} 个中 {k} 个）。", f"The other {count(k)} {verb}: {row} ({k} of {n}).")


def capacity(record: Mapping[str, Any]) -> int:
    """Persons that the site may hold at one moment: the sum over its outer zones, without waiting areas outside."""
    return sum(zone["capacity"] for zone in record["zones"] if zone["inside"] is None and zone.get("outside") is None)


def way_out(record: Mapping[str, Any], table: Mapping[str, str]) -> tuple[int, int | None] | None:
    """Capacity out, whole persons/min (rounded down), and whole minutes (rounded up) until a full site is empty at that capacity.

    None where `table` does not set every gate; the minutes are None where nobody can leave.
    """
    if any(gate["gate"] not in table for gate in record["gates"]):
        return None
    per_min = egress_per_min(record, table)
    return math.floor(per_min), math.ceil(capacity(record) / per_min) if per_min > 0 else None
