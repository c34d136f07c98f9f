"""A reader of the engine's entries who trusts nothing: what must hold of every journal, whatever happened."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowwatch.core.entries import GENESIS, Entry, link
from flowwatch.core.gates import Setting, egress_per_min, violations
from flowwatch.core.readings import Kind
from flowwatch.core.scribe import Output
from tests.core.world import Document, Row


def documents_by_version(rows: Iterable[Row]) -> dict[str, Document]:
    """The documents of a log by the version that entries call them."""
    payloads = [r.payload for r in rows if r.kind is Kind.DOCUMENT and r.payload is not None]
    return {hashlib.sha256(p).hexdigest()[:12]: json.loads(p) for p in payloads}


def check_chains(out: Output) -> None:
    """Sequence numbers run 1, 2, ... and every hash continues its chain; each site's entries carry the digest of its minutes before."""
    heads: dict[str, tuple[int, bytes]] = {}
    for entry in out.entries:
        seq, head = heads.get(entry.chain, (0, GENESIS))
        assert entry.seq == seq + 1
        assert entry.hash == link(head, entry.kind, entry.at, entry.body)
        heads[entry.chain] = (entry.seq, entry.hash)
    digests = {GENESIS.hex()}
    running: dict[str, bytes] = {}
    for estimate in out.estimates:
        running[estimate.site] = hashlib.sha256(running.get(estimate.site, GENESIS) + estimate.body).digest()
        digests.add(running[estimate.site].hex())
    for entry in out.entries:
        body = json.loads(entry.body)
        assert entry.chain.startswith("@") or body["estimates"] in digests


@dataclass
class Site:
    """What a reader of one site's chain knows."""

    document: Document | None = None
    stages: dict[str, str] = field(default_factory=dict)
    """Plan -> stage, of the plans that are followed."""
    modes: dict[str, str] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    open: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Open incidents: name -> (what, subject; the plan's stage incident keeps its name while the stage changes)."""
    named: set[str] = field(default_factory=set)

    def take(self, entry: Entry, documents: Mapping[str, Document]) -> None:
        body = json.loads(entry.body)
        match entry.kind:
            case "document":
                assert body["previous"] is None or documents[body["previous"]]["site"] == body["site"]
                self.document = documents[body["version"]]
                there = {g["gate"] for g in self.document["gates"]}
                self.modes = {g: m for g, m in self.modes.items() if g in there}
            case "transition":
                assert body["from"] == self.stages.get(body["plan"])
                assert body["to"] != body["from"]
                self.stages.pop(body["plan"], None)
                if body["to"] is not None:
                    self.stages[body["plan"]] = body["to"]
            case "command":
                self._command(body)
            case "incident":
                self._incident(body, entry.at)
            case "action":
                assert body["accepted"] == (body["refused"] is None)
                assert body["refused"] != ""

    def _command(self, body: dict[str, Any]) -> None:
        setting = Setting.parse(body["setting"])
        assert (body["mode"], body["may_enter"], body["may_leave"]) == (setting.mode, setting.may_enter, setting.may_leave)
        assert body["setting"] != self.modes.get(body["gate"])
        assert body["revision"] == self.revisions.get(body["gate"], 0) + 1
        assert body["stage"] == self._leading()
        self.modes[body["gate"]], self.revisions[body["gate"]] = body["setting"], body["revision"]

    def _incident(self, body: dict[str, Any], at: int) -> None:
        name, key = body["incident"], (body["what"], "plan" if body["what"] == "stage" else body["subject"])
        if body["state"] == "raised":
            assert name not in self.named
            assert key not in self.open.values()
            assert body["since_us"] == at
            self.named.add(name)
            self.open[name] = key
        else:
            assert self.open[name] == key
            if body["state"] == "cleared":
                del self.open[name]
            else:
                assert body["state"] == "updated"

    def compare(self, minute: dict[str, Any]) -> None:
        """A minute tells the stage that the chain told, and what it does not know is under an open incident."""
        assert minute["stage"] == self._leading()
        assert self.document is not None
        outer = [z["zone"] for z in self.document["zones"] if z["inside"] is None]
        zones = minute["zones"]
        assert zones["site"]["known"] == all(zones[z]["known"] for z in outer)
        for zone in outer:
            assert zones[zone]["known"] != (("occupancy_unknown", zone) in self.open.values())
        for zone in zones.values():
            assert 0 <= zone["lower_m"] <= zone["inside_m"]
            assert zone["inside_m"] <= zone["upper_m"] if zone["known"] else zone["upper_m"] is None

    def _leading(self) -> str | None:
        """The stage of the main plan if it is followed, else of the case that replaces it, else of a zone plan, else of another case."""
        plans = list(self.document["plans"]) if self.document is not None else []
        replacing = [p for p in plans if p["case"] is not None and p["case"]["effect"] == "replace"]
        others = [p for p in plans[1:] if p not in replacing]
        plans = [*plans[:1], *replacing, *(p for p in others if p["case"] is None), *(p for p in others if p["case"] is not None)]
        return next((self.stages[p["plan"]] for p in plans if p["plan"] in self.stages), None)

    def ways_out(self) -> list[str]:
        """What the desired table of gates breaks now."""
        if self.document is None or not self.document["plans"]:
            return []
        floor = None
        plan = self.document["plans"][0]
        if list(self.stages) == [plan["plan"]]:
            rank = [stage["stage"] for stage in plan["stages"]].index(self.stages[plan["plan"]])
            floor = egress_per_min(self.document, plan["stages"][rank - 1]["gates"]) if rank else None
        return violations(self.document, self.modes, floor)


def check_journal(rows: Sequence[Row], out: Output) -> dict[str, Site]:
    """Read everything tick by tick; returns what is known of each site at the end."""
    check_chains(out)
    documents, sites = documents_by_version(rows), dict[str, Site]()
    entries = [e for e in out.entries if not e.chain.startswith("@")]
    estimates = iter([*out.estimates, None])
    estimate = next(estimates)
    for i, entry in enumerate(entries):
        while estimate is not None and estimate.at < entry.at:
            sites[estimate.site].compare(json.loads(estimate.body))
            estimate = next(estimates)
        sites.setdefault(entry.chain, Site()).take(entry, documents)
        if i + 1 == len(entries) or entries[i + 1].at != entry.at:
            for known in sites.values():
                assert known.ways_out() == []
    return sites
