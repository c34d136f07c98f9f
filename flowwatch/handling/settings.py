"""What a deployment says of alarms, as the rules take it: when something sounds, how long each step may take, who answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowwatch.documents.alarms import Alarms
from flowwatch.documents.words import duration_us
from flowwatch.handling import clocks
from flowwatch.handling.showing import Rules


@dataclass(frozen=True, slots=True)
class Settings:
    """`allowed`: priority -> clock -> microseconds; `duties`: who answers, in the order in which it escalates; `priorities`: kind -> priority;
    `operators`: how many people answer at one time.
    """

    rules: Rules
    allowed: clocks.Allowed
    duties: tuple[str, ...]
    priorities: Mapping[str, str] = field(default_factory=dict)
    operators: int = 1

    @classmethod
    def of(cls, alarms: Alarms) -> Settings:
        """What a deployment file says."""
        allowed = {
            level: {step: duration_us(getattr(getattr(alarms.clocks, level), step)) for step in clocks.STEPS}
            for level in ("I", "II", "III", "IV")
        }
        rules = Rules(duration_us(alarms.returns_within), alarms.flood_from, alarms.flood_until)
        priorities = {kind: priority.value for kind, priority in alarms.priorities.items()}
        return cls(rules, allowed, tuple(alarms.duties), priorities, alarms.operators)
