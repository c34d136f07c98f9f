"""What a site is asked to do now: the active stage of each of its plans, its gates' settings, and the operators' words in between.

Each gate is asked for something by every plan that is in force, and takes the least ingress and the most egress of it (`gates.combine`). Over
that stand, in this order:

- a gate override, as long as the whole table keeps people's way out (`gates.violations`); one that would not is refused, and one that no
  longer does when a stage changes is lifted;
- a drill, a second state of the main plan that reaches only gates marked for it, and only ever tightens: it is combined with what is real;
- a fire, which turns every gate outward until a person ends it.

The plans' stages run on beneath all of them. A combined table that would take people's way out is not used: the gates stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flowwatch.core.gates import Setting, combine, egress_per_min, fire_table, violations
from flowwatch.core.reported import Reported

Record = Mapping[str, Any]
Table = dict[str, str]
"""Gate -> the canonical text of its setting."""


@dataclass(frozen=True, slots=True)
class Held:
    """An override in force: what it holds, its end (microseconds) and the action that ordered it."""

    value: str
    until: int
    action: str


@dataclass(frozen=True, slots=True)
class Ask:
    """One plan that is in force, its compiled record and its active stage."""

    plan: Record
    stage: Record


@dataclass(frozen=True, slots=True)
class Order:
    """A command to one gate: its new setting, the how-many-eth it is, and whether it is only a drill."""

    gate: str
    setting: Setting
    revision: int
    drill: bool


@dataclass(frozen=True, slots=True)
class Device:
    """What a barrier, a link or a sign is told to be: a word, a text in both languages, or nothing any more."""

    kind: str
    name: str
    state: Any
    revision: int
    plan: str
    stage: str


@dataclass(slots=True)
class Standing:
    """One site's present state of affairs."""

    stages: dict[str, str] = field(default_factory=dict)
    """Plan -> its active stage, of the plans that are in force."""
    stages_held: dict[str, Held] = field(default_factory=dict)
    """Plan -> the stage that somebody holds."""
    gates: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Gate -> (desired setting, revision); a revision counts the commands to that gate."""
    gates_held: dict[str, Held] = field(default_factory=dict)
    cases_held: dict[str, Held] = field(default_factory=dict)
    """Case -> the declaration that it is in force."""
    drill: Held | None = None
    fire: str | None = None
    """The record that reported a fire, while it stands."""
    devices: dict[str, tuple[Any, int]] = field(default_factory=dict)
    """ "barrier/x" -> (state, revision)."""
    tasks: dict[str, str] = field(default_factory=dict)
    """ "plan/task" -> the stage that gave it, while it stands."""
    actions: list[str] = field(default_factory=list)
    """The names of the last actions, so that none is applied twice."""
    reported: dict[str, Reported] = field(default_factory=dict)
    """ "gate/x" -> what it said last."""
    asked_at: dict[str, int] = field(default_factory=dict)
    """ "gate/x" -> since when (tick) its newest command may go out."""
    released: dict[str, int] = field(default_factory=dict)
    """ "gate/x" -> the revision that a person released."""
    advised: bool = False
    """Whether somebody put the site back on advise."""
    retells: bool = False
    """Whether every gate is to be told anew, though its setting stays: a fire began or ended, and a gate may follow the service's own word."""

    @property
    def holds(self) -> bool:
        """Whether anything is in force that ends by itself."""
        return bool(self.stages_held or self.gates_held or self.cases_held or self.drill)

    @property
    def acts(self) -> bool:
        """Whether there is anything to hold its devices to, besides what its documents say: they report, or somebody put it back on advise."""
        return bool(self.reported or self.advised)

    def end_overrides(self, tick: int) -> list[str]:
        """End what has come to its end; the kinds of what ended: "override", "case", "drill"."""
        ended = []
        for held, kind in ((self.stages_held, "override"), (self.gates_held, "override"), (self.cases_held, "case")):
            for name in [n for n, h in held.items() if h.until <= tick]:
                del held[name]
                ended.append(kind)
        if self.drill is not None and self.drill.until <= tick:
            self.drill = None
            ended.append("drill")
        return ended

    # -- gates ------------------------------------------------------------------------------------------------------------------------

    def table(self, site: Record, asks: Iterable[Ask], gates_held: Mapping[str, Held] | None = None) -> Table:
        """Every gate's setting as the plans in `asks` have it, with the gate overrides in force (or `gates_held` instead of them)."""
        held = self.gates_held if gates_held is None else gates_held
        modes = combined(site, asks)
        return modes | {gate: h.value for gate, h in held.items() if gate in modes}

    def broken(self, site: Record, asks: Iterable[Ask], gates_held: Mapping[str, Held]) -> list[str]:
        """What the egress invariants say against `gates_held`: sentences, none when people keep their way out."""
        asked = list(asks)
        return violations(site, self.table(site, asked, gates_held), floor(site, asked), led(asked))

    def hold_stage(self, plan: Record, stage: str, held: Held, tick: int) -> str | None:
        """Override a plan's stage, or end an override when its new end is past; the sentence that refuses it, if it is refused."""
        if stage not in {s["stage"] for s in plan["stages"]}:
            return f'no stage "{stage}"'
        return _hold(self.stages_held, plan["plan"], held, tick, "the stage")

    def hold_case(self, plan: Record, held: Held, tick: int) -> str | None:
        """Declare a case in force, or end the declaration; the sentence that refuses it, if it is refused."""
        return _hold(self.cases_held, plan["plan"], held, tick, f'case "{plan["plan"]}"')

    def hold_gate(self, gate: str, site: Record, asks: Iterable[Ask], held: Held, tick: int) -> str | None:
        """Override one gate while `asks` are followed, or end its override; the sentence that refuses it, if it is refused."""
        if gate not in {g["gate"] for g in site["gates"]}:
            return f'no gate "{gate}"'
        if held.until <= tick:
            return _hold(self.gates_held, gate, held, tick, f'gate "{gate}"')
        wanted = self.gates_held | {gate: held}
        broken = self.broken(site, asks, wanted)
        if not broken:
            self.gates_held = wanted
        return "; ".join(broken) or None

    def desired(self, site: Record, asks: Iterable[Ask]) -> tuple[Table, set[str], list[str]]:
        """(what every gate is to be, the gates that are so only for a drill, what is wrong with what is asked).

        Where something is wrong no link is led (`direct`); if the gates alone are wrong, they stay as they are.
        """
        if self.fire is not None:
            return fire_table(site), set(), []
        asked = list(asks)
        if not asked:
            return {}, set(), []
        wanted = self.table(site, asked)
        broken = violations(site, wanted, led=led(asked))
        if broken and not violations(site, wanted):
            return wanted, set(), broken
        if broken:
            return {gate: text for gate, (text, _) in self.gates.items() if text and gate in wanted}, set(), broken
        if self.drill is None:
            return wanted, set(), []
        stages = {s["stage"]: s for s in site["plans"][0]["stages"]}
        drilled = stages[self.drill.value]["gates"]
        both = dict(wanted)
        for gate in site["gates"]:
            if gate["drill"] and gate["gate"] in drilled:
                both[gate["gate"]] = _combine(gate, [wanted[gate["gate"]], drilled[gate["gate"]]])
        if violations(site, both, led=led(asked)):
            return wanted, set(), []
        return both, {gate for gate, text in both.items() if text != wanted[gate]}, []

    def command(self, wanted: Table, drilled: set[str]) -> list[Order]:
        """Bring the gates to the table `wanted`: an order for each that must change, in the table's order; for all of them if it `retells`."""
        changed = []
        for gate, text in wanted.items():
            present, revision = self.gates.get(gate, ("", 0))
            if present != text or self.retells:
                self.gates[gate] = (text, revision + 1)
                changed.append(Order(gate, Setting.parse(text), revision + 1, gate in drilled))
        return changed

    # -- barriers, links, signs, tasks ------------------------------------------------------------------------------------------------

    def direct(self, asks: Iterable[Ask], *, lead: bool = True) -> list[Device]:
        """Bring barriers, links and signs to what the stages ask (`directed`). What nobody asks is ended. Links are told anew if it `retells`.

        In a fire no link is led, nor where `lead` is false: people may leave by it whichever way is nearer.
        """
        lead = lead and self.fire is None
        wanted = {f"{kind}/{name}": told for (kind, name), told in directed(asks).items() if kind != "link" or lead}
        changed = []
        for key in sorted(wanted.keys() | self.devices.keys()):
            state, plan, stage = wanted.get(key, (None, "", ""))
            present, revision = self.devices.get(key, (None, 0))
            kind, _, name = key.partition("/")
            if state != present or (self.retells and kind == "link"):
                self.devices[key] = (state, revision + 1)
                changed.append(Device(kind, name, state, revision + 1, plan, stage))
        return changed

    def give_tasks(self, asks: Iterable[Ask]) -> list[tuple[Ask | None, Record | None, str, str]]:
        """(ask, task, key, stage) of each task that a stage newly gives, and (None, None, key, stage) of each whose stage has gone."""
        wanted = {f"{a.plan['plan']}/{t['task']}": (a, t) for a in asks for t in a.stage["tasks"]}
        gone = sorted(self.tasks.keys() - wanted.keys())
        changed: list[tuple[Ask | None, Record | None, str, str]] = [(None, None, key, self.tasks.pop(key)) for key in gone]
        for key, (ask, task) in wanted.items():
            if key not in self.tasks:
                self.tasks[key] = ask.stage["stage"]
                changed.append((ask, task, key, ask.stage["stage"]))
        return changed

    # -- documents and state ----------------------------------------------------------------------------------------------------------

    def fit(self, site: Record) -> None:
        """Forget what is gone from the documents, but not how often a gate or device was commanded; and end what was held of it."""
        there = {g["gate"] for g in site["gates"]}
        stages = {p["plan"]: {s["stage"] for s in p["stages"]} for p in site["plans"]}
        self.gates = {g: (text if g in there else "", revision) for g, (text, revision) in self.gates.items()}
        self.gates_held = {g: h for g, h in self.gates_held.items() if g in there}
        known = device_names(site)
        self.reported = {d: r for d, r in self.reported.items() if d in known}
        self.released = {d: r for d, r in self.released.items() if d in known}
        self.asked_at = {d: at for d, at in self.asked_at.items() if d in known}
        self.stages_held = {p: h for p, h in self.stages_held.items() if h.value in stages.get(p, ())}
        cases = {p["plan"] for p in site["plans"] if p["case"] is not None}
        self.cases_held = {p: h for p, h in self.cases_held.items() if p in cases}
        if self.drill is not None and (not site["plans"] or self.drill.value not in stages[site["plans"][0]["plan"]]):
            self.drill = None

    def to_state(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""

        def held(of: Mapping[str, Held]) -> dict[str, list[Any]]:
            return {name: [h.value, h.until, h.action] for name, h in of.items()}

        return {
            "stages": self.stages,
            "stages_held": held(self.stages_held),
            "gates": {g: list(v) for g, v in self.gates.items()},
            "gates_held": held(self.gates_held),
            "cases_held": held(self.cases_held),
            "drill": self.drill and [self.drill.value, self.drill.until, self.drill.action],
            "fire": self.fire,
            "devices": {d: list(v) for d, v in self.devices.items()},
            "tasks": self.tasks,
            "actions": self.actions,
            "reported": {d: list(r) for d, r in self.reported.items()},
            "asked_at": self.asked_at,
            "released": self.released,
            "advised": self.advised,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Standing:
        """What `to_state` wrote."""

        def held(of: Mapping[str, list[Any]]) -> dict[str, Held]:
            return {name: Held(*h) for name, h in of.items()}

        return cls(
            dict(state["stages"]),
            held(state["stages_held"]),
            {g: (text, revision) for g, (text, revision) in state["gates"].items()},
            held(state["gates_held"]),
            held(state["cases_held"]),
            Held(*state["drill"]) if state["drill"] else None,
            state["fire"],
            {d: (value, revision) for d, (value, revision) in state["devices"].items()},
            dict(state["tasks"]),
            list(state["actions"]),
            {d: Reported(*r) for d, r in state["reported"].items()},
            dict(state["asked_at"]),
            dict(state["released"]),
            state["advised"],
        )


def device_names(site: Record) -> set[str]:
    """The devices of a compiled site as reports name them: "gate/x", "barrier/x", "sign/x", "link/x"."""
    return {f"{kind}/{thing[kind]}" for kind in ("gate", "barrier", "sign", "link") for thing in site[f"{kind}s"]}


def combined(site: Record, asks: Iterable[Ask]) -> Table:
    """What the plans in `asks` together ask of each gate; a gate of which none speaks is left out."""
    asked = list(asks)
    made: Table = {}
    for gate in site["gates"]:
        texts = [a.stage["gates"][gate["gate"]] for a in asked if gate["gate"] in a.stage["gates"]]
        if texts:
            made[gate["gate"]] = texts[0] if len(texts) == 1 else _combine(gate, texts)
    return made


def precedence(plan: Record) -> int:
    """Whose word on links and signs counts, the lowest first: a replacing case, a tightening case, a zone plan, the main plan.

    What is for an occasion or a place knows more of it than what is for every day and the whole.
    """
    if plan["case"] is not None:
        return 0 if plan["case"]["effect"] == "replace" else 1
    return 2 if plan["zone"] is not None else 3


def directed(asks: Iterable[Ask]) -> dict[tuple[str, str], tuple[Any, str, str]]:
    """("barrier" | "link" | "sign", name) -> (what is asked of it, plan, stage), no matter in which order the plans come.

    A barrier that any plan raises is raised. Links and signs follow the plans of the lowest `precedence` that speak of them; where several of
    one precedence disagree, a link is left open both ways, and a sign shows the words of the gravest stage (of equals, of the first by name).
    """
    wanted: dict[tuple[str, str], tuple[Any, str, str]] = {}
    spoken: dict[tuple[str, str], int] = {}
    for ask in sorted(asks, key=lambda a: (precedence(a.plan), -_gravity(a.stage), a.plan["plan"])):
        rank, whose = precedence(ask.plan), (ask.plan["plan"], ask.stage["stage"])
        for kind in ("barrier", "link", "sign"):
            for name, state in ask.stage[f"{kind}s"].items():
                key = (kind, name)
                first = key not in wanted
                if first or (kind == "barrier" and state == "raise" != wanted[key][0]):
                    wanted[key], spoken[key] = (state, *whose), rank
                elif kind == "link" and spoken[key] == rank and state != wanted[key][0]:
                    wanted[key] = ("both", *wanted[key][1:])
    return wanted


def led(asks: Iterable[Ask]) -> dict[str, str]:
    """Link -> the way that the plans in `asks` together lead people on it; only links of which one speaks."""
    return {name: told[0] for (kind, name), told in directed(asks).items() if kind == "link"}


def by_lead(plans: Iterable[Record]) -> list[Record]:
    """Plans in the order in which a site is called by their stages: the main plan, cases that replace it, zone plans, other cases."""
    return sorted(plans, key=lambda plan: (3, 0, 2, 1).index(precedence(plan)))


def _gravity(stage: Record) -> int:
    return ("IV", "III", "II", "I").index(stage["level"]) + 1 if stage["level"] is not None else 0


def floor(site: Record, asks: Iterable[Ask]) -> float | None:
    """The egress capacity (persons/min) that a gate override may not go below: that of the calmer stage of any plan; None at the bottom."""
    asked = list(asks)
    found = []
    for i, ask in enumerate(asked):
        stages = ask.plan["stages"]
        rank = next(r for r, s in enumerate(stages) if s["stage"] == ask.stage["stage"])
        if rank:
            calmer = [*asked[:i], Ask(ask.plan, stages[rank - 1]), *asked[i + 1 :]]
            found.append(egress_per_min(site, combined(site, calmer)))
    return max(found, default=None)


def _combine(gate: Record, texts: list[str]) -> str:
    return str(combine([Setting.parse(text) for text in texts], float(gate["lanes"] * gate["lane_per_min"])))


def _hold(where: dict[str, Held], name: str, held: Held, tick: int, what: str) -> str | None:
    if held.until > tick:
        where[name] = held
        return None
    return None if where.pop(name, None) else f"its end is past, and no override of {what} is in force"


def stages_of(document: Record) -> dict[str, dict[str, Any]]:
    """The stages of a compiled site's main plan by name, calm to closed; none when it has no plan."""
    return {stage["stage"]: stage for stage in document["plans"][0]["stages"]} if document["plans"] else {}
