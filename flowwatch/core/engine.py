"""The engine: log rows in, journal entries out. The only file that knows the order of the others.

    engine.ingest(block)       rows since the last tick: kept, nothing is decided
    engine.advance(tick)       time moves to `tick`: everything is decided
    engine.feed(block)         both, for a block with ticks in it

The engine is a pure function of the log's rows: no clock, no input or output, no randomness. How rows were cut into blocks changes nothing,
because nothing happens to them before the tick. A tick does, in this order: documents come into force; readings are accepted, and those due
are counted; operators' records apply; figures are rounded; plans decide; gates are asked; incidents are raised and cleared; minutes and
refusals are reported.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np

from flowwatch.core.actions import Action, BadActionError, read_action
from flowwatch.core.causes import Evidence
from flowwatch.core.compliance import Compliance
from flowwatch.core.consent import Question
from flowwatch.core.entries import EntryKind, read_object
from flowwatch.core.flows import Flows
from flowwatch.core.gates import fire_table
from flowwatch.core.incidents import Telling, What
from flowwatch.core.intake import Intake
from flowwatch.core.network import FOREVER, Network, compile_network, next_empty
from flowwatch.core.occupancy import Figures, Occupancy
from flowwatch.core.operators import FIRES, Operators, Why
from flowwatch.core.pending import Rows
from flowwatch.core.plan import Decision, Plans
from flowwatch.core.quantities import Measures, Script
from flowwatch.core.readings import MINUTE, NEVER, Block, Bools, Ints, Kind, Reason, joined_blocks
from flowwatch.core.reported import BadReportError, read_report
from flowwatch.core.reports import minute_bodies, phases, refusals_body
from flowwatch.core.scribe import Output, Scribe
from flowwatch.core.settlement import Settlement
from flowwatch.core.standing import Ask, Standing, device_names, floor
from flowwatch.core.terms import Role, Terms, compile_terms

ENGINE_VERSION: Final = 4
"""Raised by every change after which an old log would give other entries."""
EMPTY_GRACE_US: Final = 10 * MINUTE
"""A declared known-empty moment counts only when time reaches it within this; after an outage nobody knows whether it was empty."""


class Engine:
    """The engine of one partition."""

    def __init__(self, partition: str, fingerprint: dict[str, Any] | None = None) -> None:
        self.partition = partition
        self.fingerprint = fingerprint or {}
        self.tick = NEVER
        self.names: list[str] = []
        self.documents: dict[str, tuple[str, dict[str, Any]]] = {}
        self._texts: dict[str, str] = {}
        self.intake, self.occupancy, self.measures, self.plans = Intake(), Occupancy(), Measures(), Plans()
        self.scribe, self.compliance = Scribe(), Compliance()
        self.standings: dict[str, Standing] = {}
        self.holding: set[str] = set()
        self.flow_minute = NEVER
        self.announced: dict[str, Any] | None = None
        self._script: Script = {}
        self._asked: dict[str, Question] = {}
        """The questions to persons that were told."""
        self._asking: Bools = np.zeros(0, np.bool_)
        """(L,) which plans asked something of gates at the last tick."""
        self._refs: list[tuple[Ints, Any]] = []
        self._rows: list[Block] = []
        self._controls: list[tuple[int, Kind, int, bytes]] = []
        self._compile()

    # -- rows and time ----------------------------------------------------------------------------------------------------------------

    def feed(self, block: Block) -> Output:
        """Ingest `block`, advancing at each tick in it."""
        out = Output()
        ticks = np.flatnonzero(block.kind == Kind.TICK).tolist()
        start = 0
        for i in ticks:
            if i > start:
                self.ingest(block.slice(start, i))
            made = self.advance(int(block.at[i]))
            out.entries += made.entries
            out.estimates += made.estimates
            start = i + 1
        if start < len(block):
            self.ingest(block.slice(start, len(block)) if start else block)
        return out

    def ingest(self, block: Block) -> None:
        """Take rows that hold no tick; they wait for the next one."""
        if not len(block):
            return
        if int(block.kind.max()) < Kind.TICK:
            self._rows.append(block)
            return
        readings = block.kind < Kind.TICK
        for i in np.flatnonzero(~readings).tolist():
            kind = Kind(int(block.kind[i]))
            self._controls.append((block.first + i, kind, int(block.ingress[i]), block.payload.get(i, b"")))
        edges = np.flatnonzero(np.diff(np.concatenate([[False], readings, [False]]).astype(np.int8)))
        for start, stop in edges.reshape(-1, 2).tolist():
            self._rows.append(block.slice(start, stop))

    def advance(self, tick: int) -> Output:
        """Decide everything at `tick` (microseconds, after the last one)."""
        if tick <= self.tick:
            raise ValueError(f"tick {tick} is not after {self.tick}: time in a log never goes back")
        out = self.scribe.begin(tick)
        self.intake.tally.ticks += 1
        if self.announced != self.fingerprint | {"engine": ENGINE_VERSION}:
            self._announce(tick if self.tick == NEVER else self.tick)
        before = self.tick
        why: dict[int, Why] = {}
        actions: list[Action] = []
        if self._controls:
            actions = self._take_controls(tick, why)
        fresh = self._accept(before)
        if self.network.sites:
            moved = self.intake.count(self.network, self.intake.due(self.network, fresh, tick), tick)
            last_at = self.intake.totals.counted_at
            self.occupancy.move(self.network, moved)
            silent = self.occupancy.listen(self.network, last_at, moved, tick, before)
            if before != NEVER:
                self.occupancy.wander(self.network, tick - before)
            if moved.headcounts is not None and len(moved.headcounts):
                self.occupancy.correct(self.network, moved.headcounts, tick)
            self._empty_moments(tick)
            self._apply(actions, why)
            figures = self.occupancy.figures(self.network, last_at, tick)
            self.occupancy.remember(self.network, tick)
            self.measures.flows.count(self.network, self.terms.watched, moved, tick)
            self._settle(self._decide(figures, silent, tick), figures, tick, why)
            self._watch(figures, silent, tick)
            self.compliance.look(self.network, self.standings, moved, self.scribe)
            self._minutes(out, figures, before, tick)
        self.tick = tick
        self._flush_refusals(tick)
        return out

    def script(self, values: Script) -> None:
        """Put figures in the place of those that are counted, from the next tick on: for the tests of plans (see `plan.Script`)."""
        self._script = dict(values)

    def _accept(self, before: int) -> Rows | None:
        if not self._rows:
            return None
        blocks, self._rows = self._rows, []
        offsets = np.concatenate([np.arange(b.first, b.first + len(b)) for b in blocks])
        return self.intake.accept(self.network, joined_blocks(blocks), offsets, before)

    def _announce(self, at: int) -> None:
        """Say which engine decides from here on: the start of a version span.

        It stands in a chain of its own, because which program ran is no function of the log.
        """
        self.announced = self.fingerprint | {"engine": ENGINE_VERSION}
        body = {"partition": self.partition, "engine": ENGINE_VERSION, "fingerprint": self.fingerprint}
        self.scribe.entry(f"@{self.partition}.engine", EntryKind.ENGINE, body, at)

    # -- documents and operators ------------------------------------------------------------------------------------------------------

    def _take_controls(self, tick: int, why: dict[int, Why]) -> list[Action]:
        """Read the rare rows: documents at once, operators' records for later in the tick."""
        controls, self._controls = self._controls, []
        actions: list[Action] = []
        changed: dict[str, str | None] = {}
        reports: list[tuple[int, bytes]] = []
        known, read = set(self.names), set[tuple[str, str]]()
        for offset, kind, code, payload in controls:
            if kind is Kind.REFUSED:
                self._refuse(offset, code if code in Reason._value2member_map_ else Reason.UNREADABLE)
            elif kind is Kind.DOCUMENT:
                try:
                    document = read_object(payload)
                    site, counters = document["site"], [f"{document['site']}/{c['counter']}" for c in document["counters"]]
                except (ValueError, KeyError, TypeError):
                    self._refuse(offset, Reason.BAD_DOCUMENT)
                    continue
                fresh = [name for name in dict.fromkeys(counters) if name not in known]
                self.names += fresh
                known.update(fresh)
                if not _sound(payload):
                    self._refuse(offset, Reason.BAD_DOCUMENT)
                    continue
                previous, version = self.documents.get(site), hashlib.sha256(payload).hexdigest()[:12]
                if previous is not None and previous[0] == version:
                    self._refuse(offset, Reason.DUPLICATE)
                    continue
                changed.setdefault(site, previous and previous[0])
                self.documents[site], self._texts[site] = (version, document), payload.decode()
            elif kind is Kind.REPORT:
                reports.append((offset, payload))
            else:
                actions += self._read_action(offset, payload, read)
        if changed:
            self._replace_documents(changed, tick, why)
        for offset, payload in reports:
            self._take_report(offset, payload, tick)
        return actions

    def _read_action(self, offset: int, payload: bytes, read: set[tuple[str, str]]) -> list[Action]:
        """The operator's record in a row, if it is one that is not among those `read` in this tick or before."""
        try:
            action = read_action(payload)
        except BadActionError:
            self._refuse(offset, Reason.BAD_ACTION)
            return []
        standing, name = self.standings.get(action.site), (action.site, action.name)
        if action.site not in self.documents:
            self._refuse(offset, Reason.UNKNOWN_SITE)
        elif name in read or (standing and action.name in standing.actions):
            self._refuse(offset, Reason.DUPLICATE)
        else:
            read.add(name)
            return [action]
        return []

    def _take_report(self, offset: int, payload: bytes, tick: int) -> None:
        try:
            report = read_report(payload, tick)
        except BadReportError:
            self._refuse(offset, Reason.BAD_REPORT)
            return
        if report.site not in self.documents:
            self._refuse(offset, Reason.UNKNOWN_SITE)
        elif report.device not in device_names(self.documents[report.site][1]):
            self._refuse(offset, Reason.BAD_REPORT)
        else:
            self.compliance.report(report, self.standings[report.site])

    def _refuse(self, offset: int, reason: int) -> None:
        self.intake.refuse(np.full(1, offset, np.int64), np.full(1, reason, np.uint8))

    def _replace_documents(self, changed: dict[str, str | None], tick: int, why: dict[int, Why]) -> None:
        self.occupancy.keep_gaps(self.network, [self.network.site_index[site] for site in changed if site in self.network.site_index])
        self._compile()
        self.intake.totals.grow(len(self.names))
        self.occupancy.rebuild(self.network, tick)
        self.measures.rebuild(self.network, self.terms)
        self.plans.rebuild(self.terms)
        self._asking = self.plans.asking
        for s, site in enumerate(self.network.sites):
            if site not in changed:
                continue
            version, document = self.documents[site]
            previous = changed[site]
            self.scribe.entry(site, EntryKind.DOCUMENT, {"site": site, "version": version, "previous": previous})
            standing = self.standings.setdefault(site, Standing())
            standing.fit(document)
            standing.asked_at = dict.fromkeys(standing.asked_at, tick)  # who delivers what may have changed: time to answer begins anew
            why[s] = Why("start" if previous is None else "document", self.scribe.cause(s))
            self._clear_departed(s)
        self.flags = self._flags_now()

    def _compile(self) -> None:
        """Derive everything that follows from the documents in force."""
        self.network: Network = compile_network(list(self.documents.values()), self.names)
        self.terms: Terms = compile_terms(self.network)
        self.scribe.evidence = Evidence(self.network, self.terms, self.intake.totals, self.partition)
        self.operators = Operators(self.network, self.terms, self.occupancy, self.plans, self.scribe)
        self.settlement = Settlement(self.network, self.terms, self.plans, self.scribe)
        self.phases = phases(self.network.sites)
        self.compliance.rebuild(self.network)
        watched = np.zeros(len(self.network.zones), np.bool_)
        watched[self.network.root] = True
        targets = self.terms.target
        watched[targets[(targets >= 0) & (targets < len(self.network.zones))]] = True
        self.watched: Bools = watched
        self.next_empty = next_empty(self.network, self.tick)
        self.degraded = np.flatnonzero(self.terms.rule_role == Role.DEGRADED)
        self.validity = np.array(
            [
                [NEVER if p["valid_from_us"] is None else p["valid_from_us"], FOREVER if p["valid_to_us"] is None else p["valid_to_us"]]
                for p in self.terms.plans
            ],
            np.int64,
        ).reshape(-1, 2)
        self.flags = self._flags_now()

    def _flags_now(self) -> dict[What, Bools]:
        """Which subjects have an open incident, as arrays in the network's order."""
        network = self.network
        targets = [*network.zones, *(f"{s}/site" for s in network.sites)]
        order = {
            What.COUNTER_SILENT: network.counters,
            What.NEGATIVE_OCCUPANCY: network.zones,
            What.OCCUPANCY_UNKNOWN: network.zones,
            What.RECOUNT_NEEDED: targets,
            What.DEGRADED: [self._degraded_name(r) for r in self.degraded.tolist()],
            What.PLAN_NOT_VALID: [f"{network.sites[int(self.terms.ladder_site[ix])]}/{p['plan']}" for ix, p in enumerate(self.terms.plans)],
        }
        open_names = {(what, f"{site}/{subject}") for site, what, subject in self.scribe.incidents.open}
        return {what: np.fromiter(((what, name) in open_names for name in names), np.bool_, len(names)) for what, names in order.items()}

    def _degraded_name(self, rule: int) -> str:
        """A degraded rule as incidents call it: "site/rule", of another plan than the main one "site/plan.rule"."""
        ladder = int(self.terms.rule_ladder[rule])
        s = int(self.terms.ladder_site[ladder])
        of = "" if int(self.terms.main[s]) == ladder else f"{self.terms.plans[ladder]['plan']}."
        return f"{self.network.sites[s]}/{of}{self.terms.rule_names[rule]}"

    def _clear_departed(self, s: int) -> None:
        """End incidents about things that the site's documents no longer have."""
        site, document = self.network.sites[s], self.network.documents[s]
        mine = [r for r in self.degraded.tolist() if self.terms.ladder_site[self.terms.rule_ladder[r]] == s]
        plans = {p["plan"] for p in document["plans"]}
        there = {
            What.COUNTER_SILENT: {c["counter"] for c in document["counters"]},
            What.NEGATIVE_OCCUPANCY: {z["zone"] for z in document["zones"]},
            What.OCCUPANCY_UNKNOWN: {z["zone"] for z in document["zones"]},
            What.RECOUNT_NEEDED: {"site", *(z["zone"] for z in document["zones"])},
            What.DEGRADED: {self._degraded_name(r).split("/", 1)[1] for r in mine},
            What.PLAN_NOT_VALID: plans,
            What.CONFIRMATION_NEEDED: plans,
        }
        for key in self.scribe.incidents.of(site):
            if key[1] in there and key[2] not in there[key[1]]:
                self.scribe.clear(key, self.scribe.cause(s), "document")
        for ladder in self.terms.of_site[s]:
            if (site, What.CONFIRMATION_NEEDED, self.terms.plans[ladder]["plan"]) not in self.scribe.incidents.open:
                self._asked.pop(self.terms.ladders[ladder], None)

    def _apply(self, actions: list[Action], why: dict[int, Why]) -> None:
        """Do what operators' records ask, or say why not."""
        for action in actions:
            standing, s = self.standings[action.site], self.network.site_index[action.site]
            self.operators.apply(action, standing, self.settlement.asks(s, standing), why)
            self.compliance.touched.add(action.site)
            if standing.holds:
                self.holding.add(action.site)

    def _empty_moments(self, tick: int) -> None:
        """Anchor zones at their site's declared known-empty moment, where the band agrees that it may be empty."""
        due = tick >= self.next_empty
        if not due.any():
            return
        upper = self.occupancy.figures(self.network, self.intake.totals.counted_at, tick).upper
        for s in np.flatnonzero(due & (tick - self.next_empty <= EMPTY_GRACE_US)).tolist():
            limit = self.network.documents[s]["known_empty"]["when_below"]
            for zone in np.flatnonzero((self.network.zone_site == s) & ~self.network.waiting).tolist():
                if upper[zone] < limit * 1000:
                    self.occupancy.anchor(self.network, zone, 0, limit / 3, tick, tick, by_hand=False)
        self.next_empty = next_empty(self.network, tick)

    # -- stages, gates, incidents -----------------------------------------------------------------------------------------------------

    def _decide(self, figures: Figures, silent: Bools, tick: int) -> list[Decision]:
        last_at, recounted_at = self.intake.totals.counted_at, self.occupancy.zones.recounted_at
        quantities = self.measures.at(self.network, self.terms, figures, recounted_at, last_at, silent, self._stood(), tick)
        if self._script:
            quantities = self.measures.scripted(self.network, self.terms, quantities, self._script)
        declared = {
            self.terms.ladder_index[f"{site}/{case}"]
            for site in self.holding
            for case, held in self.standings[site].cases_held.items()
            if held.until > tick
        }
        return self.plans.decide(self.terms, quantities, declared, tick)

    def _settle(self, decisions: Iterable[Decision], figures: Figures, tick: int, why: dict[int, Why]) -> None:
        """Bring stages and gates of the sites that something happened to where they belong."""
        for decision in decisions:
            s = int(self.terms.ladder_site[decision.ladder])
            cause = self.scribe.cause(s, decision=decision, figures=figures, action=decision.action)
            direction = decision.how or ("rise" if decision.new > decision.old else "fall")
            present = why.setdefault(s, Why(direction, cause, decision.action))
            if present.reason not in FIRES:
                present.reason, present.cause = direction, cause
            present.moved[decision.ladder] = (direction, cause)
        for site in sorted(self.holding):
            standing = self.standings[site]
            s = self.network.site_index[site]
            for kind in standing.end_overrides(tick):
                why.setdefault(s, Why(f"{kind}_ended", self.scribe.cause(s)))
            if not standing.holds:
                self.holding.discard(site)
        self._turn_of_cases(why)
        for s in sorted(why):
            self.settlement.settle(s, self.standings[self.network.sites[s]], why[s])
            self.compliance.touched.add(self.network.sites[s])
        if self.plans.questions or self._asked:
            self.settlement.ask_persons(self._asked)

    def _stood(self) -> Ints:
        """(L,) the rank at which every plan stands, operators' overrides included: what other sites go by."""
        ranks = self.plans.rank
        if len(self.terms.neighbour_ladder) and self.holding:
            ranks = ranks.copy()
            for s in sorted(self.network.site_index[site] for site in self.holding):
                for ladder in self.terms.of_site[s]:
                    stage = self.settlement.active(ladder, self.standings[self.network.sites[s]])["stage"]
                    ranks[ladder] = self.terms.stages[ladder].index(stage)
        return ranks

    def _turn_of_cases(self, why: dict[int, Why]) -> None:
        """A plan that begins or ceases to ask something of gates, because a case came into force or went, is something that happened."""
        asking = self.plans.asking
        for ladder in np.flatnonzero(asking != self._asking).tolist():
            s, case = int(self.terms.ladder_site[ladder]), not self.terms.plain[ladder]
            came = bool(asking[ladder]) == case
            why.setdefault(s, Why("case" if came else "case_ended", self.scribe.cause(s)))
        self._asking = asking

    def _watch(self, figures: Figures, silent: Bools, tick: int) -> None:
        """Raise and clear what concerns counters, zones and whole plans."""
        network, terms, zones = self.network, self.terms, self.occupancy.zones
        known = zones.known
        below = known & (zones.inside <= -1000)
        negative = below | (known & self.flags[What.NEGATIVE_OCCUPANCY] & (zones.inside < 0))
        recount = np.zeros(network.targets, np.bool_)
        if self.plans.blocked.any():
            standing = self.plans.blocked & (terms.leaf_rank == self.plans.rank[terms.leaf_ladder]) & (terms.target >= 0)
            recount[terms.target[standing]] = True
        conditions = {
            What.COUNTER_SILENT: silent,
            What.NEGATIVE_OCCUPANCY: negative,
            What.OCCUPANCY_UNKNOWN: self.watched & ~known,
            What.RECOUNT_NEEDED: recount,
            What.DEGRADED: self.plans.rules[self.degraded],
            What.PLAN_NOT_VALID: (tick < self.validity[:, 0]) | (tick >= self.validity[:, 1]),
        }
        for what, condition in conditions.items():
            changed = condition != self.flags[what]
            if not changed.any():
                continue
            self.flags[what] = condition.copy()
            for i in np.flatnonzero(changed).tolist():
                self._mark(what, i, figures, condition=bool(condition[i]))

    def _mark(self, what: What, i: int, figures: Figures, *, condition: bool) -> None:
        """Raise or clear what is watched, number `i` of its kind."""
        network, terms, telling = self.network, self.terms, Telling()
        about: dict[str, Any] = {"figures": figures}
        match what:
            case What.COUNTER_SILENT:
                s, name = int(network.counter_site[i]), network.counters[i].split("/", 1)[1]
                about["counter"] = i
            case What.DEGRADED:
                rule = int(self.degraded[i])
                ladder = int(terms.rule_ladder[rule])
                s, name = int(terms.ladder_site[ladder]), self._degraded_name(rule).split("/", 1)[1]
                found = next(r for r in terms.plans[ladder]["degraded"] if r["rule"] == terms.rule_names[rule])
                whole = self.scribe.cause(s, figures=figures, target=len(network.zones) + s)
                headline = found["headline"] and self.settlement.filled(ladder, found["headline"], whole)
                telling = Telling(found["level"], found["stage"], None, headline)
            case What.PLAN_NOT_VALID:
                s, name = int(terms.ladder_site[i]), str(terms.plans[i]["plan"])
                since = int(self.validity[i, 0])
                telling = Telling(
                    None,
                    "not yet" if self.scribe.tick < since else "over",
                    {"from_us": terms.plans[i]["valid_from_us"], "until_us": terms.plans[i]["valid_to_us"]},
                )
            case _:
                n = len(network.zones)
                s, name = int(network.zone_site[i]) if i < n else i - n, network.target_name(i)
                about["target"] = i
        if s >= 0:
            self.scribe.mark((network.sites[s], what, name), condition=condition, cause=self.scribe.cause(s, **about), telling=telling)

    # -- reports ----------------------------------------------------------------------------------------------------------------------

    def _minutes(self, out: Output, figures: Figures, before: int, tick: int) -> None:
        """Report the minute of each site whose turn it is: sites report at their own second of the minute."""
        if before == NEVER:
            return
        due = np.flatnonzero((tick - self.phases) // MINUTE != (before - self.phases) // MINUTE)
        if not len(due):
            return
        stages = [self.settlement.told_stage(self.network.documents[s], self.standings[self.network.sites[s]]) for s in due.tolist()]
        for site, body in minute_bodies(self.network, self.occupancy, figures, due, stages, tick):
            out.estimates.append(self.scribe.chains.estimate(site, tick, body))
        turn = np.zeros(len(self.network.sites), np.bool_)
        turn[due] = True
        zones = turn[self.network.zone_site]
        self.occupancy.zones.people_in[zones] = 0
        self.occupancy.zones.people_out[zones] = 0
        self.occupancy.within[due] = 0

    def _flush_refusals(self, tick: int) -> None:
        """Report refusals when a minute is over."""
        offsets, reasons = self.intake.refusals()
        if len(offsets):
            self._refs.append((offsets, reasons))
        minute = tick // MINUTE
        if minute != self.flow_minute:
            if self._refs:
                met = minute if self.flow_minute == NEVER else self.flow_minute
                body = refusals_body(self.partition, met * MINUTE, self._refs)
                self.scribe.entry(f"@{self.partition}", EntryKind.REFUSALS, body)
                self._refs = []
            self.flow_minute = minute

    @property
    def idle(self) -> bool:
        """Whether no rows wait for a tick, so that the state may be saved."""
        return not self._rows and not self._controls

    # -- state ------------------------------------------------------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Everything, for a checkpoint; only right after a tick, when no rows wait for one."""
        if not self.idle:
            raise ValueError("a checkpoint is taken right after a tick")
        offsets = np.concatenate([np.zeros(0, np.int64), *(o for o, _ in self._refs)])
        reasons = np.concatenate([np.zeros(0, np.uint8), *(r for _, r in self._refs)])
        return {
            "engine": ENGINE_VERSION,
            "partition": self.partition,
            "announced": self.announced,
            "tick": self.tick,
            "names": self.names,
            "documents": {site: [version, self._texts[site]] for site, (version, _) in sorted(self.documents.items())},
            "intake": self.intake.to_state(),
            "occupancy": self.occupancy.to_state(),
            "flows": self.measures.flows.to_state(),
            "plans": self.plans.to_state(),
            "asking": self._asking,
            "scribe": self.scribe.to_state(),
            "compliance": self.compliance.to_state(),
            "standings": {site: standing.to_state() for site, standing in sorted(self.standings.items())},
            "flow_minute": self.flow_minute,
            "refs": {"offsets": offsets, "reasons": reasons},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], fingerprint: dict[str, Any] | None = None) -> Engine:
        """What `to_state` wrote."""
        made = cls(state["partition"], fingerprint)
        made.announced, made.tick, made.names = state["announced"], state["tick"], state["names"]
        made.documents = {site: (version, json.loads(text)) for site, (version, text) in state["documents"].items()}
        made._texts = {site: text for site, (_, text) in state["documents"].items()}
        made.intake = Intake.from_state(state["intake"])
        made.occupancy = Occupancy.from_state(state["occupancy"])
        made.scribe, made.compliance = Scribe.from_state(state["scribe"]), Compliance.from_state(state["compliance"])
        made.standings = {site: Standing.from_state(s) for site, s in state["standings"].items()}
        made.holding = {site for site, standing in made.standings.items() if standing.holds}
        made.flow_minute = state["flow_minute"]
        if len(state["refs"]["offsets"]):
            made._refs = [(state["refs"]["offsets"], state["refs"]["reasons"])]
        made.plans = Plans.from_state(state["plans"])
        made.measures.flows = Flows.from_state(state["flows"])
        made._asked, made._asking = dict(made.plans.questions), state["asking"]
        made._compile()
        return made


@lru_cache(maxsize=64)
def _sound(payload: bytes) -> bool:
    """Whether a document has all that the engine looks up. The documents package lets no other into a log; a bad one must not stop the engine."""
    document = read_object(payload)
    counters = [f"{document['site']}/{c['counter']}" for c in document["counters"]]
    try:
        network = compile_network([("", document)], counters)
        terms = compile_terms(network)
        next_empty(network, 0)
        fire_table(document)
        standing, plans, scribe = Standing(), Plans(), Scribe()
        plans.rebuild(terms)
        scribe.evidence = Evidence(network, terms, Intake().totals, "")
        settlement = Settlement(network, terms, plans, scribe)
        for ladder, plan in enumerate(terms.plans):
            _whole(document, plan)
            for rank in range(len(plan["stages"])):
                plans.free[:], plans.rank[ladder] = True, rank
                asks = [Ask(p, p["stages"][int(plans.rank[ix])]) for ix, p in enumerate(terms.plans)]
                standing.broken(document, asks, {})
                floor(document, asks)
                settlement.settle(0, standing, Why("rise", scribe.cause(0)))
            for rule in plan["degraded"]:
                _ = rule["level"], rule["headline"] and settlement.filled(ladder, rule["headline"], scribe.cause(0))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, StopIteration):
        return False
    return True


def _whole(document: dict[str, Any], plan: Mapping[str, Any]) -> None:
    """Raise ValueError for a plan that may stand alone and leaves a gate out: a main plan, or a case that replaces it."""
    alone = plan is document["plans"][0] or (plan["case"] is not None and plan["case"]["effect"] == "replace")
    gates = {gate["gate"] for gate in document["gates"]}
    if alone and any(gates - stage["gates"].keys() for stage in plan["stages"]):
        raise ValueError("a plan that leaves a gate out")
