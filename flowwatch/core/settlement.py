"""From stages to orders: what each site's plans, together with its operators, ask of gates, barriers, signs and people, and what is told of it.

A site is settled when something happened to it: a plan moved, an operator spoke, an override ended, the documents changed. Each time, in
this order: stages change (a real stage higher than before, whoever asked for it, ends a drill), gates are commanded, other devices directed,
tasks given and withdrawn, incidents raised and cleared. Everything is told with the reason and the cause of its own plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flowwatch.core import alerts
from flowwatch.core.consent import Question
from flowwatch.core.entries import EntryKind
from flowwatch.core.incidents import Key, Telling, What
from flowwatch.core.network import Network
from flowwatch.core.operators import Why
from flowwatch.core.plan import Plans
from flowwatch.core.scribe import Scribe
from flowwatch.core.standing import Ask, Order, Standing, by_lead, combined
from flowwatch.core.terms import Terms

_REASONS: Final = {"rise": "stage", "fall": "stage", "confirmed": "stage", "unanswered": "stage"}
"""Why a gate is commanded, where the reason of the stage's change says more."""
_OF_PLANS: Final = (
    What.STAGE,
    What.OVERRIDE_ACTIVE,
    What.INVARIANT_BROKEN,
    What.CASE_ACTIVE,
    What.CONFIRMATION_NEEDED,
    What.DEGRADED,
    What.PLAN_NOT_VALID,
)
"""The incidents that end with a site's last plan."""
STAGE: Final = "stage"
"""The subject of an override of the main plan's stage; of another plan's it is "stage:<plan>"."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """Settles the sites of a partition."""

    network: Network
    terms: Terms
    plans: Plans
    scribe: Scribe

    def active(self, ladder: int, standing: Standing) -> Mapping[str, Any]:
        """The stage that a plan's gates follow: the one that is held, or where the plan stands."""
        plan = self.terms.plans[ladder]
        held = standing.stages_held.get(plan["plan"])
        names = self.terms.stages[ladder]
        stage: Mapping[str, Any] = plan["stages"][int(self.plans.rank[ladder]) if held is None else names.index(held.value)]
        return stage

    def asks(self, s: int, standing: Standing) -> list[Ask]:
        """The plans in force at a site, the main plan first: what is calm, by itself or held so, and not in force asks nothing."""
        all_plans = [(ladder, Ask(self.terms.plans[ladder], self.active(ladder, standing))) for ladder in self.terms.of_site[s]]
        return [ask for ladder, ask in all_plans if self.plans.free[ladder] or ask.stage is not ask.plan["stages"][0]]

    def settle(self, s: int, standing: Standing, why: Why) -> None:
        """Bring one site's stages, gates, devices and tasks to where they belong, and tell of it."""
        site, document = self.network.sites[s], self.network.documents[s]
        if not document["plans"]:
            standing.stages_held, standing.gates_held, standing.cases_held, standing.drill = {}, {}, {}, None
        asks = self.asks(s, standing)
        if any(_rank(ask, ask.stage["stage"]) > _rank(ask, standing.stages.get(ask.plan["plan"])) for ask in asks):
            standing.drill = None
        lifted: list[str] = []
        if standing.gates_held and asks and standing.broken(document, asks, standing.gates_held):
            lifted, standing.gates_held = sorted(standing.gates_held), {}
        of = self._stages(s, standing, asks, why)
        wanted, drilled, broken = standing.desired(document, asks)
        for order in standing.command(wanted, drilled):
            self._command(site, document, standing, order, why, of)
        self._direct(site, standing, asks, why, of, lead=not broken)
        standing.retells = False
        if asks or document["plans"]:
            self._plan_incidents(s, standing, asks, why, lifted)
        else:
            self._leave_plan(site, why)
        self._site_incidents(site, standing, why, broken)

    # -- stages and orders ------------------------------------------------------------------------------------------------------------

    def _stages(self, s: int, standing: Standing, asks: list[Ask], why: Why) -> str | None:
        """Tell the stages that changed; returns the entry of the last of them."""
        site, of = self.network.sites[s], None
        now = {ask.plan["plan"]: str(ask.stage["stage"]) for ask in asks}
        for ladder in self.terms.of_site[s]:
            plan = self.terms.plans[ladder]["plan"]
            before, after = standing.stages.get(plan), now.get(plan)
            if before == after:
                continue
            reason, cause = why.moved.get(ladder, (why.reason, why.cause))
            planned = self.terms.stages[ladder][int(self.plans.rank[ladder])]
            body = {"site": site, "plan": plan, "from": before, "to": after, "planned": planned, "reason": reason, "cause": cause}
            of = self.scribe.entry(site, EntryKind.TRANSITION, body).id
        for plan in sorted(standing.stages.keys() - {self.terms.plans[ladder]["plan"] for ladder in self.terms.of_site[s]}):
            gone = {"site": site, "plan": plan, "from": standing.stages[plan], "to": None, "planned": None}
            of = self.scribe.entry(site, EntryKind.TRANSITION, gone | {"reason": why.reason, "cause": why.cause}).id
        standing.stages = now
        return of

    def _command(self, site: str, document: Mapping[str, Any], standing: Standing, order: Order, why: Why, of: str | None) -> None:
        gate = next(g for g in document["gates"] if g["gate"] == order.gate)
        standing.asked_at[f"gate/{order.gate}"] = self.scribe.tick
        setting = order.setting
        body = {
            "site": site,
            "gate": order.gate,
            "mode": setting.mode.value,
            "setting": str(setting),
            "may_enter": setting.may_enter,
            "may_leave": setting.may_leave,
            "per_min": setting.per_min,
            "phases": [list(phase) for phase in setting.phases] or None,
            "revision": order.revision,
            "stage": self.told_stage(document, standing),
            "delivery": gate["delivery"],
            "drill": order.drill,
            "reason": _REASONS.get(why.reason, why.reason),
            "of": of,
            "action": why.action,
        }
        self.scribe.entry(site, EntryKind.COMMAND, body)

    @staticmethod
    def told_stage(document: Mapping[str, Any], standing: Standing) -> str | None:
        """The stage by which a site is called: its main plan's, or that of the case which replaces it."""
        found = (standing.stages.get(plan["plan"]) for plan in by_lead(document["plans"]))
        return next((stage for stage in found if stage is not None), None)

    def _direct(self, site: str, standing: Standing, asks: list[Ask], why: Why, of: str | None, *, lead: bool) -> None:
        reason = _REASONS.get(why.reason, why.reason)
        for d in standing.direct(asks, lead=lead):
            standing.asked_at[f"{d.kind}/{d.name}"] = self.scribe.tick
            told = {"device": d.kind, "name": d.name, "state": d.state, "revision": d.revision, "plan": d.plan, "stage": d.stage}
            self.scribe.entry(site, EntryKind.DEVICE, {"site": site, **told, "reason": reason, "of": of})
        for ask, task, key, stage in standing.give_tasks(asks):
            plan, name = key.split("/", 1)
            body = {"site": site, "task": name, "plan": plan, "stage": stage, "role": None, "text": None, "due_us": None}
            if ask is not None and task is not None:
                body |= {"role": task["role"], "text": task["text"], "due_us": self.scribe.tick + task["within_us"]}
            self.scribe.entry(site, EntryKind.TASK, body | {"state": "withdrawn" if ask is None else "given", "of": of})

    # -- incidents --------------------------------------------------------------------------------------------------------------------

    def _plan_incidents(self, s: int, standing: Standing, asks: list[Ask], why: Why, lifted: list[str]) -> None:
        site, document = self.network.sites[s], self.network.documents[s]
        asking = {ask.plan["plan"] for ask in asks}
        for ladder in self.terms.of_site[s]:
            plan, rank = self.terms.plans[ladder], int(self.plans.rank[ladder])
            name, stage = plan["plan"], plan["stages"][rank]
            _, cause = why.moved.get(ladder, (why.reason, why.cause))
            warns = rank > 0 or (plan["case"] is not None and bool(self.plans.free[ladder]) and stage["level"] is not None)
            self._mark((site, What.STAGE, name), name in asking and warns, cause, self._told(document, standing, stage, cause))
            held = standing.stages_held.get(name)
            key = (site, What.OVERRIDE_ACTIVE, STAGE if plan is document["plans"][0] else f"{STAGE}:{name}")
            differs = held is not None and held.value != stage["stage"]
            self._mark(key, differs, why.cause, Telling(stage["level"], stage["stage"]))
            if plan["case"] is not None:
                detail = {"effect": plan["case"]["effect"], "declared": name in standing.cases_held}
                self._mark((site, What.CASE_ACTIVE, name), name in asking, why.cause, Telling(None, None, detail))
        level, planned = self._planned(s, asks)
        modes = combined(document, asks)
        for gate in modes:
            differs = gate in standing.gates_held and standing.gates_held[gate].value != modes[gate]
            self._mark((site, What.OVERRIDE_ACTIVE, gate), differs, why.cause, Telling(level, planned))
            self._mark((site, What.INVARIANT_BROKEN, gate), gate in lifted, why.cause, Telling(None, "lifted"))
        there, beside = ({plan["plan"] for plan in document["plans"][first:]} for first in (0, 1))
        for key in self.scribe.incidents.of(site):
            _, what, subject = key
            gone = what in (What.STAGE, What.CASE_ACTIVE) and subject not in there
            if what in (What.OVERRIDE_ACTIVE, What.INVARIANT_BROKEN) and subject not in (STAGE, "table"):
                gone = subject.removeprefix(f"{STAGE}:") not in beside if subject.startswith(f"{STAGE}:") else subject not in modes
            if gone:
                self.scribe.clear(key, why.cause, why.reason)

    def _told(self, document: Mapping[str, Any], standing: Standing, stage: Mapping[str, Any], cause: dict[str, Any]) -> Telling:
        alert = stage["alert"]
        if alert is None:
            return Telling(stage["level"], stage["stage"], subject=stage["stage"])
        leaf = cause["term"]["leaf"] if cause["term"] is not None else {}
        table = {gate: text for gate, (text, _) in standing.gates.items() if text}
        values = alerts.values(document, stage, table, cause["estimate"], leaf.get("enter"))
        headline, instruction = (alerts.fill(alert[part], values) for part in ("headline", "instruction"))
        return Telling(stage["level"], stage["stage"], None, headline, instruction, stage["stage"])

    def filled(self, ladder: int, text: Mapping[str, str], cause: dict[str, Any]) -> dict[str, str]:
        """A text of the plan `ladder` with its places filled, at the stage where the plan stands."""
        document = self.network.documents[int(self.terms.ladder_site[ladder])]
        stage = self.terms.plans[ladder]["stages"][int(self.plans.rank[ladder])]
        return alerts.fill(text, alerts.values(document, stage, {}, cause["estimate"], None))

    def _planned(self, s: int, asks: list[Ask]) -> tuple[str | None, str | None]:
        """The level and name of the stage that the leading plan is in by itself."""
        for first in by_lead(ask.plan for ask in asks)[:1]:
            ladder = next(ladder for ladder in self.terms.of_site[s] if self.terms.plans[ladder] is first)
            stage = first["stages"][int(self.plans.rank[ladder])]
            return stage["level"], stage["stage"]
        return None, None

    def _leave_plan(self, site: str, why: Why) -> None:
        """A site without a plan: no stage is told and nothing is overridden; the gates stay as they were last asked to be."""
        for what in _OF_PLANS:
            for key in self.scribe.incidents.of(site):
                if key[1] is what:
                    self.scribe.clear(key, why.cause, why.reason)

    def _site_incidents(self, site: str, standing: Standing, why: Why, broken: list[str]) -> None:
        drill = standing.drill
        detail = None if drill is None else {"until_us": drill.until, "action": drill.action}
        self._mark(
            (site, What.DRILL_ACTIVE, "drill"), drill is not None, why.cause, Telling(None, None if drill is None else drill.value, detail)
        )
        self._mark((site, What.FIRE, "fire"), standing.fire is not None, why.cause, Telling("I", standing.fire))
        self._mark((site, What.INVARIANT_BROKEN, "table"), bool(broken), why.cause, Telling("I", "; ".join(broken)))

    def ask_persons(self, told: dict[str, Question]) -> None:
        """Tell the questions that are new, have changed, or are over; `told` (ladder -> question) is what was told before, and becomes today's."""
        if told == self.plans.questions:
            return
        for name in sorted(self.plans.questions.keys() | told.keys()):
            question = self.plans.questions.get(name)
            ladder = self.terms.ladder_index.get(name)
            if question == told.get(name) or ladder is None:
                continue
            s, plan = int(self.terms.ladder_site[ladder]), self.terms.plans[ladder]
            key: Key = (self.network.sites[s], What.CONFIRMATION_NEEDED, plan["plan"])
            cause = self.scribe.cause(s, action=question.action if question is not None else None)
            if question is None:
                self.scribe.clear(key, cause)
                continue
            stage = next(x for x in plan["stages"] if x["stage"] == question.to)
            detail = {
                "to": question.to,
                "direction": "rise" if question.rises else "fall",
                "by": question.by,
                "due_us": question.due,
                "otherwise": question.otherwise,
                "state": question.state,
                "said_by": question.said_by,
            }
            present = plan["stages"][int(self.plans.rank[ladder])]
            level = stage["level"] if question.rises else present["level"]
            self.scribe.mark(key, condition=True, cause=cause, telling=Telling(level, question.code, detail))
        told.clear()
        told.update(self.plans.questions)

    def _mark(self, key: Key, condition: bool, cause: dict[str, Any], telling: Telling) -> None:  # noqa: FBT001 - what the call is about
        self.scribe.mark(key, condition=condition, cause=cause, telling=telling)


def _rank(ask: Ask, stage: str | None) -> int:
    """How far up a stage stands in its plan; a stage that is not, or no longer, in it counts as calm."""
    return next((r for r, s in enumerate(ask.plan["stages"]) if s["stage"] == stage), 0)
