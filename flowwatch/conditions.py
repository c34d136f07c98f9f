"""What a plan waits for, in words: the condition of a stage as its document has it, told without any figure of the moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowwatch.crossings import bar_text, clock_text, day_text, health_text, place_text, spaced
from flowwatch.titles import Names


def condition(part: Mapping[str, Any], names: Names) -> str:
    """When a stage is asked for: `part` has the compiled `leaves` and `clauses`, any of which suffices."""
    clauses = [names.say("且", " and ").join(_leaf(part["leaves"][i], names) for i in clause) for clause in part["clauses"]]
    return names.say("；或", "; or ").join(clauses)


def _leaf(leaf: Mapping[str, Any], names: Names) -> str:
    say = names.say
    match leaf["kind"]:
        case "health":
            return _lasting(health_text(leaf, names), leaf, names)
        case "time":
            return say(f"时间在 {clock_text(leaf)} 之间", f"the time is {clock_text(leaf)}")
        case "day":
            return say(f"当日为{spaced(day_text(leaf, names))}", f"the day is {day_text(leaf, names)}")
    limit = bar_text({"bar_m": leaf["enter_m"], "edge": "enter"}, leaf, names)
    return _lasting(say(f"{place_text(leaf, names)}超过{spaced(limit)}", f"{place_text(leaf, names)} over {limit}"), leaf, names)


def _lasting(text: str, leaf: Mapping[str, Any], names: Names) -> str:
    held = leaf["hold_us"] // 1_000_000
    return text + (names.say(f"持续 {held} 秒", f" for {held} s") if held else "")
