"""What a site is asked to do now: its active stage, its gates' modes, and the operators' overrides that stand between plan and gates.

The plan's stage runs on beneath an override; the gates follow the override until it ends. A gate override replaces the mode that the stage
asks of that gate, as long as the whole table keeps people's way out (`gates.violations`); one that would not is refused, and one that no
longer does when the stage changes is lifted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowwatch.core.gates import Mode, egress_per_min, violations


@dataclass(frozen=True, slots=True)
class Held:
    """An override in force: the stage or mode it holds, its end (microseconds) and the action that ordered it."""

    value: str
    until: int
    action: str


@dataclass(slots=True)
class Standing:
    """One site's present state of affairs."""

    stage: str | None = None
    stage_held: Held | None = None
    gates: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Gate -> (desired mode, revision); a revision counts the commands to that gate."""
    gates_held: dict[str, Held] = field(default_factory=dict)
    actions: list[str] = field(default_factory=list)
    """The names of the last actions, so that none is applied twice."""

    def active(self, planned: str | None) -> str | None:
        """The stage that the gates follow: the overriding one, or the planned."""
        return planned if self.stage_held is None else self.stage_held.value

    @property
    def holds(self) -> bool:
        """Whether any override is in force."""
        return self.stage_held is not None or bool(self.gates_held)

    def end_overrides(self, tick: int) -> bool:
        """End the overrides whose time has come; whether there were any."""
        ended = [gate for gate, held in self.gates_held.items() if held.until <= tick]
        for gate in ended:
            del self.gates_held[gate]
        if self.stage_held is None or self.stage_held.until > tick:
            return bool(ended)
        self.stage_held = None
        return True

    def table(self, document: Mapping[str, Any], stage: str, gates_held: Mapping[str, Held] | None = None) -> dict[str, str]:
        """Every gate's mode when `stage` is active, with the gate overrides in force (or `gates_held` instead of them)."""
        held = self.gates_held if gates_held is None else gates_held
        modes: dict[str, str] = dict(stages_of(document)[stage]["gates"])
        return modes | {gate: h.value for gate, h in held.items() if gate in modes}

    def broken(self, document: Mapping[str, Any], stage: str, gates_held: Mapping[str, Held]) -> list[str]:
        """What the egress invariants say against `gates_held` when `stage` is active: sentences, none when people keep their way out."""
        stages = list(stages_of(document))
        rank = stages.index(stage)
        floor = egress_per_min(document, self.table(document, stages[rank - 1], {})) if rank else None
        return violations(document, self.table(document, stage, gates_held), floor)

    def hold_stage(self, stage: str, stages: Mapping[str, Any], held: Held, tick: int) -> str | None:
        """Override the stage, or end an override when its new end is past; the sentence that refuses it, if it is refused."""
        if stage not in stages:
            return f'no stage "{stage}"'
        if held.until <= tick:
            if self.stage_held is None:
                return "its end is past, and no override of the stage is in force"
            self.stage_held = None
        else:
            self.stage_held = held
        return None

    def hold_gate(self, gate: str, document: Mapping[str, Any], active: str, held: Held, tick: int) -> str | None:
        """Override one gate while stage `active` is followed, or end its override; the sentence that refuses it, if it is refused."""
        if gate not in {g["gate"] for g in document["gates"]}:
            return f'no gate "{gate}"'
        if held.until <= tick:
            return None if self.gates_held.pop(gate, None) else f'its end is past, and no override of gate "{gate}" is in force'
        wanted = self.gates_held | {gate: held}
        broken = self.broken(document, active, wanted)
        if not broken:
            self.gates_held = wanted
        return "; ".join(broken) or None

    def keep_gates(self, there: set[str]) -> None:
        """Forget what gates that are gone were asked for, but not how often; and end their overrides."""
        self.gates = {g: (mode if g in there else "", revision) for g, (mode, revision) in self.gates.items()}
        self.gates_held = {g: h for g, h in self.gates_held.items() if g in there}

    def command(self, document: Mapping[str, Any]) -> list[tuple[str, Mode, int]]:
        """Bring the gates to the active stage's table: (gate, mode, revision) for each that must change, in the document's order."""
        wanted = self.table(document, self.stage) if self.stage is not None else {}
        changed = []
        for gate, mode in wanted.items():
            present, revision = self.gates.get(gate, ("", 0))
            if present != mode:
                self.gates[gate] = (mode, revision + 1)
                changed.append((gate, Mode(mode), revision + 1))
        return changed

    def to_state(self) -> list[Any]:
        """Everything, for a checkpoint."""
        held = {g: [h.value, h.until, h.action] for g, h in self.gates_held.items()}
        stage_held = self.stage_held and [self.stage_held.value, self.stage_held.until, self.stage_held.action]
        return [self.stage, stage_held, {g: list(v) for g, v in self.gates.items()}, held, self.actions]

    @classmethod
    def from_state(cls, state: list[Any]) -> Standing:
        """What `to_state` wrote."""
        stage, stage_held, gates, held, actions = state
        return cls(
            stage,
            Held(*stage_held) if stage_held else None,
            {g: (mode, revision) for g, (mode, revision) in gates.items()},
            {g: Held(*h) for g, h in held.items()},
            list(actions),
        )


def stages_of(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The stages of a compiled site's plan by name, calm to closed; none when it has no plan."""
    return {stage["stage"]: stage for stage in document["plan"]["stages"]} if document["plan"] else {}
