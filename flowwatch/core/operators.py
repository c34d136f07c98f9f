"""What operators' records do: count by hand, hold a stage, a gate or a case, answer a question, exercise, report a fire, approve documents.

Each record is applied or refused with a sentence, and either way told in the journal. A fire is never refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from flowwatch.core.actions import Action, Approve, Confirm, Deliver, Drill, Fire, Override, Recount, Release, Turned
from flowwatch.core.entries import EntryKind
from flowwatch.core.incidents import What
from flowwatch.core.network import Network
from flowwatch.core.occupancy import RECOUNT_ERROR, Occupancy
from flowwatch.core.plan import Plans
from flowwatch.core.readings import MINUTE
from flowwatch.core.reported import Reported
from flowwatch.core.scribe import Scribe
from flowwatch.core.standing import Ask, Held, Standing, device_names, stages_of
from flowwatch.core.terms import Terms

COUNTED_AGO_US: Final = 60 * MINUTE
"""A recount may be entered this long after the counting: as far back as the estimates are kept."""
FIRES: Final = ("fire", "fire_ended")
"""Reasons that stand over every other of the same tick."""
ACTIONS_KEPT: Final = 256
"""Operators' records of a site whose names are remembered, so that none applies twice."""


@dataclass(slots=True)
class Why:
    """Why a site's gates or stages must be looked at again: a reason word and a cause, and those of each plan that moved by itself."""

    reason: str
    cause: dict[str, Any]
    action: str | None = None
    moved: dict[int, tuple[str, dict[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operators:
    """Applies records to a partition's state."""

    network: Network
    terms: Terms
    occupancy: Occupancy
    plans: Plans
    scribe: Scribe

    def apply(self, action: Action, standing: Standing, asks: list[Ask], why: dict[int, Why]) -> None:
        """Do what a record asks, or say why not; `asks` are the plans in force at its site."""
        s = self.network.site_index[action.site]
        standing.actions = [*standing.actions, action.name][-ACTIONS_KEPT:]
        cause = self.scribe.cause(s, action=action.name)
        refused, reason = self._do(s, action, standing, asks)
        if refused is None and reason is not None and (reason in FIRES or s not in why or why[s].reason not in FIRES):
            why[s] = Why(reason, cause, action.name)
        body = {"site": action.site, "action": action.name, "type": action.kind, "record": action.record, "cause": cause}
        self.scribe.entry(action.site, EntryKind.ACTION, body | {"accepted": refused is None, "refused": refused})
        if isinstance(action.what, Confirm) and refused is None:
            key = self.scribe.incidents.named(action.site, action.what.incident)
            assert key is not None
            if key[1] is not What.CONFIRMATION_NEEDED:
                self.scribe.update(key, cause, "confirmed")

    def _do(self, s: int, action: Action, standing: Standing, asks: list[Ask]) -> tuple[str | None, str | None]:
        """(the sentence that refuses it, or None; what the gates must be looked at again for, if they must)."""
        match action.what:
            case Recount() as recount:
                return self._recount(s, recount), None
            case Override() as override:
                return self._override(s, override, action.name, standing, asks), "case" if override.case is not None else "override"
            case Confirm() as confirm:
                return self._confirm(s, action, confirm), None
            case Drill() as drill:
                return self._drill(s, drill, action.name, standing), "drill" if drill.until > self.scribe.tick else "drill_ended"
            case Fire(on):
                if not on and standing.fire is None:
                    return "no fire is reported", None
                standing.drill = None
                standing.retells |= on == (standing.fire is None)
                standing.fire = action.name if on else None
                return None, "fire" if on else "fire_ended"
            case Release() | Deliver() | Turned() as what:
                return self._delivery(s, what, standing), None
            case Approve(version):
                in_force = version.startswith(self.network.versions[s])
                return None if in_force else f'version "{version[:12]}" is not in force', None

    def _recount(self, s: int, recount: Recount) -> str | None:
        name, tick = f"{self.network.sites[s]}/{recount.zone}", self.scribe.tick
        if name not in self.network.zone_index:
            return f'no zone "{recount.zone}"'
        if not tick - COUNTED_AGO_US <= recount.counted_at <= tick + MINUTE:
            return "counted at a time more than an hour ago or in the future"
        sd = max(2.0, RECOUNT_ERROR * recount.count)
        zone = self.network.zone_index[name]
        self.occupancy.anchor(self.network, zone, recount.count, sd, min(recount.counted_at, tick), tick, by_hand=True)
        return None

    def _override(self, s: int, override: Override, action: str, standing: Standing, asks: list[Ask]) -> str | None:
        site, tick = self.network.documents[s], self.scribe.tick
        plans = {p["plan"]: p for p in site["plans"]}
        if not plans:
            return "the site has no plan"
        if override.case is not None:
            case = plans.get(override.case)
            if case is None or case["case"] is None:
                return f'no case "{override.case}"'
            return standing.hold_case(case, Held(override.case, override.until, action), tick)
        if override.stage is not None:
            plan = site["plans"][0] if override.plan is None else plans.get(override.plan)
            if plan is None:
                return f'no plan "{override.plan}"'
            return standing.hold_stage(plan, override.stage, Held(override.stage, override.until, action), tick)
        return standing.hold_gate(str(override.gate), site, asks, Held(str(override.setting), override.until, action), tick)

    def _confirm(self, s: int, action: Action, confirm: Confirm) -> str | None:
        site = self.network.sites[s]
        key = self.scribe.incidents.named(site, confirm.incident)
        if key is None:
            return f'no open incident "{confirm.incident}"'
        if key[1] is not What.CONFIRMATION_NEEDED:
            return None if confirm.answer else f'incident "{confirm.incident}" proposes nothing that could be declined'
        plans = [p["plan"] for p in self.network.documents[s]["plans"]]
        ladder = self.terms.ladders[self.terms.of_site[s][plans.index(key[2])]]
        done = self.plans.answer(ladder, yes=confirm.answer, by=str(action.record["by"]), action=action.name)
        return None if done else f'incident "{confirm.incident}" proposes nothing any more'

    def _delivery(self, s: int, what: Release | Deliver | Turned, standing: Standing) -> str | None:
        match what:
            case Release():
                return self._release(s, what, standing)
            case Deliver():
                return _deliver(what, standing, self.scribe.tick)
        device = f"gate/{what.gate}"
        if device not in device_names(self.network.documents[s]):
            return f'no gate "{what.gate}"'
        revision = 2 * standing.gates.get(what.gate, ("", 0))[1]
        before = standing.reported.get(device)
        up = before is None or before.up
        standing.reported[device] = Reported(str(what.setting), revision, up=up, outcome="done", why=None, at=self.scribe.tick)
        return None

    def _release(self, s: int, release: Release, standing: Standing) -> str | None:
        document = self.network.documents[s]
        kind, _, name = release.device.partition("/")
        if release.device not in device_names(document):
            return f'no {kind} "{name}"' if name else f'no device "{release.device}"'
        gate = next((g for g in document["gates"] if kind == "gate" and g["gate"] == name), document)
        if gate["delivery"] != "confirm":
            return f'commands to {kind} "{name}" wait for nobody: its delivery is "{gate["delivery"]}"'
        if standing.advised:
            return "the site was put back on advise"
        present = standing.gates.get(name, ("", 0))[1] if kind == "gate" else standing.devices.get(release.device, (None, 0))[1]
        if release.revision != present:
            return f'the command to {kind} "{name}" is number {present}, not {release.revision}'
        standing.released[release.device] = release.revision
        standing.asked_at[release.device] = self.scribe.tick
        return None

    def _drill(self, s: int, drill: Drill, action: str, standing: Standing) -> str | None:
        site, tick = self.network.documents[s], self.scribe.tick
        if not site["plans"]:
            return "the site has no plan"
        if drill.until <= tick:
            if standing.drill is None:
                return "its end is past, and no drill is under way"
            standing.drill = None
            return None
        stages = stages_of(site)
        if drill.stage not in stages:
            return f'no stage "{drill.stage}"'
        if standing.fire is not None:
            return "a fire is reported: nobody drills now"
        if not any(gate["drill"] for gate in site["gates"]):
            return "no gate of the site is marked for drills"
        main = site["plans"][0]["plan"]
        names = list(stages)
        if main in standing.stages and names.index(drill.stage) <= names.index(standing.stages[main]):
            return f'the real stage "{standing.stages[main]}" is no calmer than "{drill.stage}"'
        standing.drill = Held(drill.stage, drill.until, action)
        return None


def _deliver(deliver: Deliver, standing: Standing, tick: int) -> str | None:
    if not deliver.advise and not standing.advised:
        return "the site was not put back on advise"
    standing.advised, standing.released = deliver.advise, {}
    standing.asked_at = dict.fromkeys(standing.asked_at, tick)
    return None
