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
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from flowwatch.core.actions import Action, BadActionError, Confirm, Override, Recount, read_action
from flowwatch.core.causes import Evidence
from flowwatch.core.chains import Chains
from flowwatch.core.entries import Entry, EntryKind, Estimate, read_object
from flowwatch.core.incidents import Incidents, Key, What
from flowwatch.core.intake import Intake
from flowwatch.core.network import Network, compile_network, next_empty
from flowwatch.core.occupancy import RECOUNT_ERROR, Figures, Occupancy
from flowwatch.core.pending import Rows
from flowwatch.core.plan import Decision, Plan, Terms, compile_terms
from flowwatch.core.readings import MINUTE, NEVER, Block, Bools, Ints, Kind, Reason, joined_blocks
from flowwatch.core.reports import minute_bodies, phases, refusals_body
from flowwatch.core.standing import Held, Standing, stages_of

ENGINE_VERSION: Final = 1
"""Raised by every change after which an old log would give other entries."""
EMPTY_GRACE_US: Final = 10 * MINUTE
"""A declared known-empty moment counts only when time reaches it within this; after an outage nobody knows whether it was empty."""
COUNTED_AGO_US: Final = 60 * MINUTE
"""A recount may be entered this long after the counting: as far back as the estimates are kept."""
ACTIONS_KEPT: Final = 256
"""Operators' records of a site whose names are remembered, so that none applies twice."""


@dataclass(slots=True)
class Output:
    """What ticks decided: journal entries, in order within each chain, and minute estimates."""

    entries: list[Entry] = field(default_factory=list)
    estimates: list[Estimate] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Why:
    """Why a site's gates or stage must be looked at again: a reason word and a cause."""

    reason: str
    cause: dict[str, Any]
    action: str | None = None


class Engine:
    """The engine of one partition."""

    def __init__(self, partition: str, fingerprint: dict[str, Any] | None = None) -> None:
        self.partition = partition
        self.fingerprint = fingerprint or {}
        self.tick = NEVER
        self.names: list[str] = []
        self.documents: dict[str, tuple[str, dict[str, Any]]] = {}
        self._texts: dict[str, str] = {}
        self.intake, self.occupancy, self.plan = Intake(), Occupancy(), Plan()
        self.incidents, self.chains = Incidents(), Chains()
        self.standings: dict[str, Standing] = {}
        self.holding: set[str] = set()
        self.flow_minute = NEVER
        self.announced: dict[str, Any] | None = None
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
        out = Output()
        if self.announced != self.fingerprint | {"engine": ENGINE_VERSION}:
            self._announce(out, tick if self.tick == NEVER else self.tick)
        before = self.tick
        why: dict[int, _Why] = {}
        actions: list[Action] = []
        if self._controls:
            actions = self._take_controls(out, tick, why)
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
            for action in actions:
                self._apply(out, action, tick, why)
            figures = self.occupancy.figures(self.network, last_at, tick)
            self.occupancy.remember(self.network, tick)
            decisions = self.plan.decide(self.network, self.terms, figures, self.occupancy.zones.recounted_at, tick)
            self._settle(out, decisions, figures, tick, why)
            self._watch(out, figures, silent, tick)
            self._minutes(out, figures, before, tick)
        self.tick = tick
        self._flush_refusals(out, tick)
        return out

    def _accept(self, before: int) -> Rows | None:
        if not self._rows:
            return None
        blocks, self._rows = self._rows, []
        offsets = np.concatenate([np.arange(b.first, b.first + len(b)) for b in blocks])
        return self.intake.accept(self.network, joined_blocks(blocks), offsets, before)

    def _announce(self, out: Output, tick: int) -> None:
        """Say which engine decides from here on: the start of a version span.

        It stands in a chain of its own, because which program ran is no function of the log.
        """
        self.announced = self.fingerprint | {"engine": ENGINE_VERSION}
        body = {"partition": self.partition, "engine": ENGINE_VERSION, "fingerprint": self.fingerprint}
        self._entry(out, f"@{self.partition}.engine", EntryKind.ENGINE, tick, body)

    # -- documents and operators ------------------------------------------------------------------------------------------------------

    def _take_controls(self, out: Output, tick: int, why: dict[int, _Why]) -> list[Action]:
        """Read the rare rows: documents at once, operators' records for later in the tick."""
        controls, self._controls = self._controls, []
        actions: list[Action] = []
        changed: dict[str, str | None] = {}
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
                if not _sound(document, counters):
                    self._refuse(offset, Reason.BAD_DOCUMENT)
                    continue
                previous, version = self.documents.get(site), hashlib.sha256(payload).hexdigest()[:12]
                if previous is not None and previous[0] == version:
                    self._refuse(offset, Reason.DUPLICATE)
                    continue
                changed.setdefault(site, previous and previous[0])
                self.documents[site], self._texts[site] = (version, document), payload.decode()
            else:
                try:
                    action = read_action(payload)
                except BadActionError:
                    self._refuse(offset, Reason.BAD_ACTION)
                    continue
                standing = self.standings.get(action.site)
                if action.site not in self.documents:
                    self._refuse(offset, Reason.UNKNOWN_SITE)
                elif (action.site, action.name) in read or (standing and action.name in standing.actions):
                    self._refuse(offset, Reason.DUPLICATE)
                else:
                    read.add((action.site, action.name))
                    actions.append(action)
        if changed:
            self._replace_documents(out, changed, tick, why)
        return actions

    def _refuse(self, offset: int, reason: int) -> None:
        self.intake.refuse(np.full(1, offset, np.int64), np.full(1, reason, np.uint8))

    def _replace_documents(self, out: Output, changed: dict[str, str | None], tick: int, why: dict[int, _Why]) -> None:
        self.occupancy.keep_gaps(self.network, [self.network.site_index[site] for site in changed if site in self.network.site_index])
        self._compile()
        self.intake.totals.grow(len(self.names))
        self.occupancy.rebuild(self.network, tick)
        self.plan.rebuild(self.network, self.terms)
        for s, site in enumerate(self.network.sites):
            if site not in changed:
                continue
            version, document = self.documents[site]
            previous = changed[site]
            self._entry(out, site, EntryKind.DOCUMENT, tick, {"site": site, "version": version, "previous": previous})
            standing = self.standings.setdefault(site, Standing())
            stages = stages_of(document)
            if standing.stage_held is not None and standing.stage_held.value not in stages:
                standing.stage_held = None
            standing.keep_gates({g["gate"] for g in document["gates"]})
            why[s] = _Why("start" if previous is None else "document", self._cause(s, tick))
            self._clear_departed(out, s, tick)
        self.flags = self._flags_now()

    def _compile(self) -> None:
        """Derive everything that follows from the documents in force."""
        self.network: Network = compile_network(list(self.documents.values()), self.names)
        self.terms: Terms = compile_terms(self.network)
        self.phases = phases(self.network.sites)
        watched = np.zeros(len(self.network.zones), np.bool_)
        watched[self.network.root] = True
        watched[self.terms.target[self.terms.target < len(self.network.zones)]] = True
        self.watched: Bools = watched
        self.next_empty = next_empty(self.network, self.tick)
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
        }
        open_names = {(what, f"{site}/{subject}") for site, what, subject in self.incidents.open}
        return {what: np.fromiter(((what, name) in open_names for name in names), np.bool_, len(names)) for what, names in order.items()}

    def _clear_departed(self, out: Output, s: int, tick: int) -> None:
        """End incidents about things that the site's documents no longer have."""
        site = self.network.sites[s]
        document = self.network.documents[s]
        there = {
            What.COUNTER_SILENT: {c["counter"] for c in document["counters"]},
            What.NEGATIVE_OCCUPANCY: {z["zone"] for z in document["zones"]},
            What.OCCUPANCY_UNKNOWN: {z["zone"] for z in document["zones"]},
            What.RECOUNT_NEEDED: {"site", *(z["zone"] for z in document["zones"])},
        }
        for key in self.incidents.of(site):
            if key[1] in there and key[2] not in there[key[1]]:
                self._clear(out, key, tick, self._cause(s, tick))

    def _apply(self, out: Output, action: Action, tick: int, why: dict[int, _Why]) -> None:
        """Do what an operator's record asks, or say why not."""
        s = self.network.site_index[action.site]
        standing = self.standings[action.site]
        standing.actions = [*standing.actions, action.name][-ACTIONS_KEPT:]
        cause = self._cause(s, tick, action=action.name)
        refused = None
        match action.what:
            case Recount() as recount:
                refused = self._recount(s, recount, tick)
            case Override() as override:
                refused = self._override(s, override, action.name, tick)
                if refused is None:
                    why[s] = _Why("override", cause, action.name)
                    self.holding.add(action.site)
            case Confirm(incident):
                refused = None if self.incidents.named(action.site, incident) else f'no open incident "{incident}"'
        body = {"site": action.site, "action": action.name, "type": action.kind, "record": action.record, "cause": cause}
        self._entry(out, action.site, EntryKind.ACTION, tick, body | {"accepted": refused is None, "refused": refused})
        if isinstance(action.what, Confirm) and refused is None:
            key = self.incidents.named(action.site, action.what.incident)
            assert key is not None
            self._incident(out, key, "updated", tick, cause, reason="confirmed")

    def _recount(self, s: int, recount: Recount, tick: int) -> str | None:
        name = f"{self.network.sites[s]}/{recount.zone}"
        if name not in self.network.zone_index:
            return f'no zone "{recount.zone}"'
        if not tick - COUNTED_AGO_US <= recount.counted_at <= tick + MINUTE:
            return "counted at a time more than an hour ago or in the future"
        sd = max(2.0, RECOUNT_ERROR * recount.count)
        zone = self.network.zone_index[name]
        self.occupancy.anchor(self.network, zone, recount.count, sd, min(recount.counted_at, tick), tick, by_hand=True)
        return None

    def _override(self, s: int, override: Override, action: str, tick: int) -> str | None:
        document, standing = self.network.documents[s], self.standings[self.network.sites[s]]
        stages = stages_of(document)
        if not stages:
            return "the site has no plan"
        if override.stage is not None:
            return standing.hold_stage(override.stage, stages, Held(override.stage, override.until, action), tick)
        gate, mode = str(override.gate), str(override.mode and override.mode.value)
        return standing.hold_gate(gate, document, self._active(s), Held(mode, override.until, action), tick)

    def _active(self, s: int) -> str:
        """The stage that the site's gates follow (of a site with a plan)."""
        planned = self.terms.stages[s][self.plan.rank[s]]
        return self.standings[self.network.sites[s]].active(planned) or planned

    def _empty_moments(self, tick: int) -> None:
        """Anchor zones at their site's declared known-empty moment, where the band agrees that it may be empty."""
        due = tick >= self.next_empty
        if not due.any():
            return
        upper = self.occupancy.figures(self.network, self.intake.totals.counted_at, tick).upper
        for s in np.flatnonzero(due & (tick - self.next_empty <= EMPTY_GRACE_US)).tolist():
            limit = self.network.documents[s]["known_empty"]["when_below"]
            for zone in np.flatnonzero(self.network.zone_site == s).tolist():
                if upper[zone] < limit * 1000:
                    self.occupancy.anchor(self.network, zone, 0, limit / 3, tick, tick, by_hand=False)
        self.next_empty = next_empty(self.network, tick)

    # -- stages, gates, incidents -----------------------------------------------------------------------------------------------------

    def _settle(self, out: Output, decisions: Iterable[Decision], figures: Figures, tick: int, why: dict[int, _Why]) -> None:
        """Bring stages and gates of the sites that something happened to where they belong."""
        for decision in decisions:
            cause = self._cause(decision.site, tick, decision=decision, figures=figures)
            why[decision.site] = _Why("rise" if decision.new > decision.old else "fall", cause, why.get(decision.site, _Why("", {})).action)
        for site in sorted(self.holding):
            standing = self.standings[site]
            if standing.end_overrides(tick):
                s = self.network.site_index[site]
                why.setdefault(s, _Why("override_ended", self._cause(s, tick)))
            if not standing.holds:
                self.holding.discard(site)
        for s in sorted(why):
            if self.terms.stages[s]:
                self._settle_site(out, s, tick, why[s])
            else:
                self._leave_plan(out, s, tick, why[s])

    def _settle_site(self, out: Output, s: int, tick: int, why: _Why) -> None:
        site, document = self.network.sites[s], self.network.documents[s]
        standing = self.standings[site]
        planned, active = self.terms.stages[s][self.plan.rank[s]], self._active(s)
        lifted = []
        if standing.gates_held:
            broken = standing.broken(document, active, standing.gates_held)
            if broken:
                lifted, standing.gates_held = sorted(standing.gates_held), {}
        of = None
        if active != standing.stage:
            body = {"site": site, "from": standing.stage, "to": active, "planned": planned, "reason": why.reason, "cause": why.cause}
            of = self._entry(out, site, EntryKind.TRANSITION, tick, body).id
            standing.stage = active
        for gate, mode, revision in standing.command(document):
            reason = {"rise": "stage", "fall": "stage"}.get(why.reason, why.reason)
            body = {"site": site, "gate": gate, "mode": mode.value, "may_enter": mode.may_enter, "may_leave": mode.may_leave}
            body |= {"revision": revision, "stage": active, "reason": reason, "of": of, "action": why.action}
            self._entry(out, site, EntryKind.COMMAND, tick, body)
        rank = int(self.plan.rank[s])
        stage = document["plan"]["stages"][rank]
        self._mark(out, (site, What.STAGE, "plan"), rank > 0, tick, why.cause, stage["level"], planned)
        held = standing.stage_held is not None and standing.stage_held.value != planned
        self._mark(out, (site, What.OVERRIDE_ACTIVE, "stage"), held, tick, why.cause, stage["level"], planned)
        plan_modes = stage["gates"]
        for gate in plan_modes:
            differs = gate in standing.gates_held and standing.gates_held[gate].value != plan_modes[gate]
            self._mark(out, (site, What.OVERRIDE_ACTIVE, gate), differs, tick, why.cause, stage["level"], planned)
            key = (site, What.INVARIANT_BROKEN, gate)
            self._mark(out, key, gate in lifted, tick, why.cause, None, "lifted")

        for key in self.incidents.of(site):
            if key[1] in (What.OVERRIDE_ACTIVE, What.INVARIANT_BROKEN) and key[2] != "stage" and key[2] not in plan_modes:
                self._clear(out, key, tick, why.cause)

    def _leave_plan(self, out: Output, s: int, tick: int, why: _Why) -> None:
        """A site without a plan: no stage is told and nothing is overridden; the gates stay as they were last asked to be."""
        site = self.network.sites[s]
        standing = self.standings[site]
        standing.stage_held, standing.gates_held = None, {}
        for what in (What.STAGE, What.OVERRIDE_ACTIVE, What.INVARIANT_BROKEN):
            for key in self.incidents.of(site):
                if key[1] is what:
                    self._clear(out, key, tick, why.cause)

    def _watch(self, out: Output, figures: Figures, silent: Bools, tick: int) -> None:
        """Raise and clear what concerns counters and zones."""
        network, zones = self.network, self.occupancy.zones
        n = len(network.zones)
        known = zones.known
        below = known & (zones.inside <= -1000)
        negative = below | (known & self.flags[What.NEGATIVE_OCCUPANCY] & (zones.inside < 0))
        recount = np.zeros(network.targets, np.bool_)
        if self.plan.blocked.any():
            standing = self.terms.rank == self.plan.rank[self.terms.site]
            recount[self.terms.target[self.plan.blocked & standing]] = True
        conditions = {
            What.COUNTER_SILENT: silent,
            What.NEGATIVE_OCCUPANCY: negative,
            What.OCCUPANCY_UNKNOWN: self.watched & ~known,
            What.RECOUNT_NEEDED: recount,
        }
        for what, condition in conditions.items():
            changed = condition != self.flags[what]
            if not changed.any():
                continue
            self.flags[what] = condition.copy()
            for i in np.flatnonzero(changed).tolist():
                if what is What.COUNTER_SILENT:
                    s, name = int(network.counter_site[i]), network.counters[i].split("/", 1)[1]
                    target = None
                else:
                    s, name = int(network.zone_site[i]) if i < n else i - n, network.target_name(i)
                    target = i
                if s >= 0:
                    cause = self._cause(s, tick, target=target, counter=None if target is not None else i, figures=figures)
                    self._mark(out, (network.sites[s], what, name), bool(condition[i]), tick, cause, None, None)

    def _mark(
        self,
        out: Output,
        key: Key,
        condition: bool,  # noqa: FBT001 - what the call is about
        tick: int,
        cause: dict[str, Any],
        level: str | None,
        reason: str | None,
    ) -> None:
        """Raise, update or clear an incident, as its condition says."""
        if not condition:
            self._clear(out, key, tick, cause)
            return
        put = self.incidents.put(key, tick, level, reason)
        if put is not None:
            self._incident(out, key, put[0], tick, cause, reason)

    def _clear(self, out: Output, key: Key, tick: int, cause: dict[str, Any]) -> None:
        if key in self.incidents.open:
            self._incident(out, key, "cleared", tick, cause, self.incidents.open[key].reason)
            self.incidents.clear(key)

    def _incident(self, out: Output, key: Key, state: str, tick: int, cause: dict[str, Any], reason: str | None) -> None:
        site, what, subject = key
        incident = self.incidents.open[key]
        alert: dict[str, Any] | None = None
        if what is What.STAGE and incident.reason is not None:
            stage = stages_of(self.documents[site][1]).get(incident.reason)
            alert, subject = stage and stage["alert"], incident.reason
        body: dict[str, Any] = {
            "site": site,
            "incident": incident.name,
            "state": state,
            "what": what.value,
            "subject": subject,
            "level": incident.level,
        }
        texts = {"headline": alert and alert["headline"], "instruction": alert and alert["instruction"]}
        body |= {"reason": reason, "since_us": incident.since, "cause": cause}
        self._entry(out, site, EntryKind.INCIDENT, tick, body | texts)

    def _cause(self, s: int, tick: int, **more: Any) -> dict[str, Any]:
        return Evidence(self.network, self.terms, self.intake.totals, self.partition).cause(s, tick, **more)

    def _entry(self, out: Output, chain: str, kind: EntryKind, tick: int, body: dict[str, Any]) -> Entry:
        entry = self.chains.entry(chain, kind, tick, body)
        out.entries.append(entry)
        return entry

    # -- reports ----------------------------------------------------------------------------------------------------------------------

    def _minutes(self, out: Output, figures: Figures, before: int, tick: int) -> None:
        """Report the minute of each site whose turn it is: sites report at their own second of the minute."""
        if before == NEVER:
            return
        due = np.flatnonzero((tick - self.phases) // MINUTE != (before - self.phases) // MINUTE)
        if not len(due):
            return
        stages = [self.standings[self.network.sites[s]].stage for s in due.tolist()]
        for site, body in minute_bodies(self.network, self.occupancy, figures, due, stages, tick):
            out.estimates.append(self.chains.estimate(site, tick, body))
        turn = np.zeros(len(self.network.sites), np.bool_)
        turn[due] = True
        zones = turn[self.network.zone_site]
        self.occupancy.zones.people_in[zones] = 0
        self.occupancy.zones.people_out[zones] = 0
        self.occupancy.within[due] = 0

    def _flush_refusals(self, out: Output, tick: int) -> None:
        """Report refusals when a minute is over."""
        offsets, reasons = self.intake.refusals()
        if len(offsets):
            self._refs.append((offsets, reasons))
        minute = tick // MINUTE
        if minute != self.flow_minute:
            if self._refs:
                met = minute if self.flow_minute == NEVER else self.flow_minute
                body = refusals_body(self.partition, met * MINUTE, self._refs)
                self._entry(out, f"@{self.partition}", EntryKind.REFUSALS, tick, body)
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
            "plan": self.plan.to_state(),
            "incidents": self.incidents.to_state(),
            "chains": self.chains.to_state(),
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
        made.plan = Plan.from_state(state["plan"])
        made.incidents = Incidents.from_state(state["incidents"])
        made.chains = Chains.from_state(state["chains"])
        made.standings = {site: Standing.from_state(s) for site, s in state["standings"].items()}
        made.holding = {site for site, standing in made.standings.items() if standing.holds}
        made.flow_minute = state["flow_minute"]
        if len(state["refs"]["offsets"]):
            made._refs = [(state["refs"]["offsets"], state["refs"]["reasons"])]
        made._compile()
        return made


def _sound(document: dict[str, Any], counters: list[str]) -> bool:
    """Whether a document has all that the engine looks up. The documents package lets no other into a log; a bad one must not stop the engine."""
    try:
        network = compile_network([("", document)], counters)
        compile_terms(network)
        next_empty(network, 0)
        for stage in stages_of(document).values():
            Standing().broken(document, stage["stage"], {})
            if stage["alert"] is not None:
                _ = stage["level"], stage["alert"]["headline"], stage["alert"]["instruction"]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError):
        return False
    return True
