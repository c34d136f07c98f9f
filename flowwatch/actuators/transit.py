"""Whether people keep their way out while gates turn, when nobody knows at which moment each of them does.

Between a command and the report that it was obeyed a gate may be as it was or as it is told to be; without a connection it may have fallen to
its `on_lost`; one that never reported may be anything. So every gate has a *set* of settings that it may have (`MayBe`), and the site is
judged as if each gate had the worst of its set in every respect at once: what is true of that table is true of every table that the gates
can really form, in whatever order they turn and however late they answer.

Of the egress invariants (`core.gates`) two belong to the whole table and are asked of that worst table: a way out from every zone, and the
site's `egress_min_per_min`. The rules of single gates (an emergency gate lets people leave, an `entrance_only` one never does, no other is
closed) are asked of each setting before it is sent, and then hold of every set. The capacity of the calmer stage (`floor`) is a rule for
decisions and not asked in transit: a table that is entered may be reached from one that was calmer in no respect.

Knows no time, no revisions and no wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flowwatch.core.gates import NO_WAY, egress_per_min, is_outer, violations, zones_without_exit
from flowwatch.core.readings import OUTSIDE
from flowwatch.core.settings import HOLD, Mode, Setting

Record = Mapping[str, Any]
BOTH: Final = "both"
"""The way of a link that nobody leads."""


@dataclass(frozen=True, slots=True)
class MayBe:
    """The settings (canonical texts) of a gate, or ways of a link, of which one is the real one; `anything`: or any other."""

    settings: frozenset[str]
    anything: bool = False

    @property
    def exact(self) -> bool:
        """Whether there is one that it surely is."""
        return not self.anything and len(self.settings) == 1

    def or_(self, setting: str) -> MayBe:
        """The same, or `setting`."""
        return MayBe(self.settings | {setting}, self.anything)


UNKNOWN: Final = MayBe(frozenset(), anything=True)


def lesser(texts: Iterable[str]) -> str:
    """A setting that lets people pass each way only if all of `texts` (at least one) do, and out no faster than the slowest.

    >>> lesser(["out", "both"])
    'wave out 1s hold 1s'
    """
    settings = [Setting.parse(text) for text in texts]
    least = min(settings, key=lambda s: s.egress_share)
    if all(s.may_enter for s in settings):
        return str(least)
    if not least.may_leave:
        return Mode.CLOSED.value
    if not least.may_enter:
        return str(least)
    if least.mode is not Mode.WAVE:
        return str(Setting(Mode.WAVE, phases=(("out", 1), (HOLD, 1))))
    phases: list[tuple[str, int]] = []
    for word, seconds in least.phases:
        split = {"in": ((HOLD, 2 * seconds),), "both": (("out", seconds), (HOLD, seconds))}
        phases += split.get(word, ((word, 2 * seconds),))
    return str(Setting(Mode.WAVE, phases=tuple(phases)))


def gives(gate: Record, new: str, old: str) -> bool:
    """Whether the compiled `gate` takes nobody's way out, and none of the capacity, when it turns from `old` to `new`."""
    now, before = Setting.parse(new), Setting.parse(old)
    inward = now.may_enter or not before.may_enter or gate["from"] == OUTSIDE
    outward = now.may_leave or not before.may_leave
    return inward and outward and (not is_outer(gate) or now.egress_share >= before.egress_share)


def gives_most(gate: Record, setting: str) -> bool:
    """Whether no setting of the compiled `gate` gives more than `setting`; then it may be sent whatever the gate is."""
    return gate["entrance_only"] or all(gives(gate, setting, other) for other in (Mode.OUT.value, BOTH))


@dataclass(frozen=True, slots=True)
class Ways:
    """What people have of ways out: the zones that have none, and capacity in persons/min."""

    shut_in: frozenset[str]
    egress_per_min: float

    def kept(self, least: float) -> bool:
        """Whether every zone has a way out, and the capacity is not below `least`."""
        return not self.shut_in and self.egress_per_min >= least

    def no_worse(self, than: Ways, least: float) -> bool:
        """Whether nobody is worse off here, or so only in capacity that is above `least`."""
        return self.shut_in <= than.shut_in and self.egress_per_min >= min(least, than.egress_per_min)


@dataclass(frozen=True, slots=True)
class Transit:
    """One site's passages: the compiled record, what each gate may be and which way each link may lead."""

    site: Record
    gates: Mapping[str, MayBe]
    links: Mapping[str, MayBe]

    def worst(self) -> Ways:
        """What people surely have."""
        return self._ways({name: self._least_gate(may) for name, may in self.gates.items()}, self._led())

    def exact_but(self, device: str) -> bool:
        """Whether every gate and link except `device` ("gate/x", "link/y") is surely known."""
        others = [may for name, may in self._named() if name != device]
        return all(may.exact for may in others)

    def if_surely(self, device: str, setting: str) -> Ways:
        """`worst`, were `device` surely so."""
        return self.with_(device, MayBe(frozenset({setting}))).worst()

    def with_(self, device: str, may: MayBe) -> Transit:
        """The same with another set for one gate or link."""
        kind, _, name = device.partition("/")
        if kind == "gate":
            return Transit(self.site, {**self.gates, name: may}, self.links)
        return Transit(self.site, self.gates, {**self.links, name: may})

    def may(self, device: str) -> MayBe:
        """The set of one gate or link."""
        kind, _, name = device.partition("/")
        return (self.gates if kind == "gate" else self.links)[name]

    def gives(self, device: str, setting: str) -> bool:
        """Whether turning `device` to `setting` takes nothing from anybody, whichever of its set it is now."""
        kind, _, name = device.partition("/")
        may = self.may(device)
        if kind == "link":
            return setting == BOTH or (not may.anything and may.settings <= {setting})
        gate = next(g for g in self.site["gates"] if g["gate"] == name)
        if may.anything and not gives_most(gate, setting):
            return False
        return all(gives(gate, setting, old) for old in may.settings)

    def keeps(self, device: str, setting: str) -> bool:
        """Whether `device` may be told to be `setting` now: people surely keep their ways out until and after it obeys.

        Where they do not have them as it is, and all else is surely known, it may also turn if nobody is worse off: otherwise a site that was
        found in disorder could never be put in order.
        """
        least = self.site["egress_min_per_min"]
        if self.with_(device, self.may(device).or_(setting)).worst().kept(least):
            return True
        may = self.may(device)
        if may.anything or not self.exact_but(device):
            return False
        after = self.if_surely(device, setting)
        return all(after.no_worse(self.if_surely(device, old), least) for old in may.settings)

    def lacking(self, device: str, setting: str) -> str:
        """The sentence that says what people would not surely have if `device` were told to be `setting` now."""
        ways = self.with_(device, self.may(device).or_(setting)).worst()
        said = [f'zone "{zone}" might have no way out' for zone in sorted(ways.shut_in)]
        least = self.site["egress_min_per_min"]
        if ways.egress_per_min < least:
            said.append(f"sure egress capacity would be {ways.egress_per_min:g} persons/min, expected at least {least:g}")
        unsure = [name for name, may in self._named() if name != device and not may.exact]
        return "; ".join(said) + (f"; not known for sure: {', '.join(unsure)}" if unsure else "")

    def _named(self) -> list[tuple[str, MayBe]]:
        return [(f"gate/{n}", may) for n, may in self.gates.items()] + [(f"link/{n}", may) for n, may in self.links.items()]

    @staticmethod
    def _least_gate(may: MayBe) -> str:
        return Mode.CLOSED.value if may.anything else lesser(may.settings)

    def _led(self) -> dict[str, str]:
        led = {}
        for name, may in self.links.items():
            ways = may.settings - {BOTH}
            led[name] = NO_WAY if may.anything or len(ways) > 1 else next(iter(ways), BOTH)
        return led

    def _ways(self, table: Mapping[str, str], led: Mapping[str, str]) -> Ways:
        return Ways(frozenset(zones_without_exit(self.site, table, led)), egress_per_min(self.site, table))


def unfit(gate: Record, setting: str) -> str | None:
    """What the rules of a single gate say against `setting`; None if nothing. No zones and no capacity are asked for."""
    alone = {"gates": [gate], "zones": [], "links": [], "egress_min_per_min": 0}
    return "; ".join(violations(alone, {gate["gate"]: setting})) or None
