"""Whether devices are as they were asked to be: what was ordered against what was reported, and against the people who pass.

A command is *awaited* when something carries it out by itself: its gate is `automatic`, or a person released it, and nobody put the site back
on advise; in a fire, every device that ever reported. Of such a device three things are told, and of every device that it cannot be reached.
Where people carry commands out, somebody may say that a gate was set on the spot (`turned`): then people who pass against that are told, too.

- nothing that answers the command came within `ANSWER_US`, or the answer was a refusal (`gate_unanswered`);
- it answered, and says that it is set to something else (`gate_wrong_mode`);
- it is set to let nobody pass one way, and people do (`gate_contradicted`): at least `AGAINST_PER_MIN` in each of two whole minutes, the first of
  which begins no sooner than `CLEAR_US` after it was set. A minute below half of that ends it.

People are counted by the gate's own counters; one that reports less than once a minute knows no minute and is left out. A minute in which one of
them was not heard says nothing: silence ends no warning. Whole numbers only, and
nothing is looked at but what changed or came due, so that ten thousand calm sites cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flowwatch.core.incidents import Telling, What
from flowwatch.core.intake import Movements
from flowwatch.core.network import Network
from flowwatch.core.readings import MINUTE, NEVER, SECOND, Bools
from flowwatch.core.reported import Report
from flowwatch.core.scribe import Scribe
from flowwatch.core.settings import Setting
from flowwatch.core.standing import Standing, device_names

ANSWER_US: Final = 30 * SECOND
"""A device that does not answer for so long is not obeying: a lane turns round in 20 s (simulation.md), and the wire takes a second."""
AGAINST_PER_MIN: Final = 6
"""People a minute against a gate's mode that are no stragglers or miscounts: a quarter of what one lane passes (25/min, domain.md; assumed)."""
CLEAR_US: Final = MINUTE
"""What those between the lines get to be through, once a gate is set (architecture.md: two minutes later the flow confirms the effect)."""
GATE_WHATS: Final = (What.GATE_UNANSWERED, What.GATE_WRONG_MODE, What.GATE_LOST, What.GATE_CONTRADICTED, What.RELEASE_NEEDED)


@dataclass(frozen=True, slots=True)
class Asked:
    """What one device is asked to be: its name in incidents, the setting (None: nothing that could be compared), revision and delivery."""

    device: str
    subject: str
    setting: str | None
    revision: int
    delivery: str


class Compliance:
    """Watches the devices of a partition."""

    def __init__(self) -> None:
        self.touched: set[str] = set()
        """Sites where something was ordered, released or reported since the last look."""
        self.due: dict[str, int] = {}
        """Site -> the next tick at which an answer is overdue there."""
        self.minute = NEVER
        self.gates: list[str] = []
        """ "site/gate", in the order of the documents."""
        self.heard: Bools = np.zeros(0, np.bool_)
        """(C,) by code: which counters were heard in this minute."""
        self.since = self.passed = self.strikes = np.zeros(0, np.int64)
        """(G,) when a gate was set as it is, who passed against it in this minute, in how many minutes running too many did."""
        self._bars: Bools = np.zeros((2, 0), np.bool_)
        """(2, G) whether a gate lets nobody in, and nobody out, and answers for it."""
        self._counter = self._gate = np.zeros(0, np.int64)
        self._swapped: Bools = np.zeros(0, np.bool_)
        self._index: dict[str, int] = {}
        self._acting: set[str] = set()
        """Sites of which the documents say that something is carried out by itself or on a person's word."""

    def rebuild(self, network: Network) -> None:
        """Follow the documents: gates that stay keep what is known of them."""
        before = dict(zip(self.gates, zip(self.since, self.passed, self.strikes, self._bars.T, strict=True), strict=True))
        self.gates = [f"{site}/{gate['gate']}" for site, d in zip(network.sites, network.documents, strict=True) for gate in d["gates"]]
        none = (NEVER, 0, 0, (False, False))
        kept = [before.get(name, none) for name in self.gates]
        self.since, self.passed, self.strikes = (np.array([row[i] for row in kept], np.int64) for i in range(3))
        self._bars = np.array([row[3] for row in kept], np.bool_).reshape(-1, 2).T.copy()
        index = {name: g for g, name in enumerate(self.gates)}
        code = {name: c for c, name in enumerate(network.counters)}
        watching = [
            (code[f"{site}/{counter['counter']}"], index[f"{site}/{counter['gate']}"], counter["swapped"])
            for site, d in zip(network.sites, network.documents, strict=True)
            for counter in d["counters"]
            if counter["gate"] is not None and counter["every_us"] <= MINUTE
        ]
        self._counter, self._gate = (np.array([row[i] for row in watching], np.int64) for i in range(2))
        self._swapped = np.array([row[2] for row in watching], np.bool_)
        self.heard = np.concatenate([self.heard, np.zeros(len(network.counters) - len(self.heard), np.bool_)])
        self._index = index
        self._acting = {
            site
            for site, d in zip(network.sites, network.documents, strict=True)
            if any(thing["delivery"] != "advise" for thing in (d, *d["gates"]))
        }

    def report(self, report: Report, standing: Standing) -> None:
        """Take what a device said; news of nothing but its link leave what it said before."""
        said, before = report.reported, standing.reported.get(report.device)
        if before is not None and said.setting is None and said.revision == 0:
            said = before._replace(up=said.up, at=said.at)
        standing.reported[report.device] = said
        self.touched.add(report.site)

    # -- each tick --------------------------------------------------------------------------------------------------------------------

    def look(self, network: Network, standings: Mapping[str, Standing], moved: Movements, scribe: Scribe) -> None:
        """Raise and clear what the tick brought."""
        tick = scribe.tick
        for site in sorted(self.touched | {site for site, due in self.due.items() if due <= tick}):
            if site in network.site_index and (site in self._acting or standings[site].acts or _told(scribe, site)):
                self._compare(network, site, standings[site], scribe)
        self.touched.clear()
        self._count(moved)
        if tick // MINUTE != self.minute:
            if self.minute != NEVER:
                self._judge(network, standings, scribe, tick)
            self.minute = tick // MINUTE

    def _compare(self, network: Network, site: str, standing: Standing, scribe: Scribe) -> None:
        tick, cause = scribe.tick, scribe.cause(network.site_index[site])
        dues = []
        present = set()
        for asked in asked_of(network.documents[network.site_index[site]], standing):
            present.add(asked.subject)
            seen = standing.reported.get(asked.device)
            awaited = _awaited(asked, standing)
            answered = seen is not None and seen.answers(asked.revision)
            lost = seen is not None and not seen.up
            due = standing.asked_at.get(asked.device, NEVER) + ANSWER_US
            refused = seen is not None and seen.declines(asked.revision)
            waits = awaited and not lost and not answered
            if waits and not refused and tick < due:
                dues.append(due)
            unanswered = waits and (refused or tick >= due)
            wrong = awaited and not lost and answered and seen is not None and None not in (seen.setting, asked.setting)
            wrong = wrong and seen is not None and seen.setting != asked.setting
            needed = asked.delivery == "confirm" and not awaited and standing.fire is None and not standing.advised
            needed = needed and not (answered and seen is not None and seen.setting == asked.setting)
            reason = seen.outcome if refused and seen is not None else None
            facts = {"setting": asked.setting, "revision": asked.revision}
            found = None if seen is None else seen.setting
            why = None if seen is None else seen.why
            for what, condition, telling in (
                (What.GATE_UNANSWERED, unanswered, Telling(None, reason or "silent", facts | {"why": why})),
                (What.GATE_WRONG_MODE, wrong, Telling(None, found, facts | {"found": found, "why": why})),
                (What.GATE_LOST, lost, Telling(None, "lost")),
                (What.RELEASE_NEEDED, needed, Telling(None, asked.setting, facts)),
            ):
                scribe.mark((site, what, asked.subject), condition=condition, cause=cause, telling=telling)
            shown = seen.setting if answered and seen is not None and seen.setting is not None else asked.setting
            self._bar(f"{site}/{asked.subject}", asked.device, shown, tick, answers=awaited or (answered and not lost))
        scribe.mark((site, What.ADVISE_ONLY, "site"), condition=standing.advised, cause=cause)
        for key in scribe.incidents.of(site):
            if key[1] in GATE_WHATS and key[2] not in present:
                scribe.clear(key, cause, "document")
        if dues:
            self.due[site] = min(dues)
        else:
            self.due.pop(site, None)

    # -- people against the mode ------------------------------------------------------------------------------------------------------

    def _bar(self, name: str, device: str, shown: str | None, tick: int, *, answers: bool) -> None:
        """Remember which ways a gate that is set so lets nobody pass, from now on if that is new."""
        g = self._index.get(name)
        if g is None or not device.startswith("gate/") or shown is None:
            return
        setting = Setting.parse(shown)
        bars = (answers and not setting.may_enter, answers and not setting.may_leave)
        if bars != tuple(self._bars[:, g].tolist()):
            self._bars[:, g] = bars
            self.since[g], self.passed[g] = tick, 0

    def _count(self, moved: Movements) -> None:
        if not self._bars.any() or not len(self._counter):
            return
        self.heard[moved.heard] = True
        ingress, egress = moved.ingress[self._counter], moved.egress[self._counter]
        inward, outward = np.where(self._swapped, egress, ingress), np.where(self._swapped, ingress, egress)
        against = inward * self._bars[0, self._gate] + outward * self._bars[1, self._gate]
        if against.any():
            np.add.at(self.passed, self._gate, against)

    def _judge(self, network: Network, standings: Mapping[str, Standing], scribe: Scribe, tick: int) -> None:
        """A minute is over: how many passed against the mode in it."""
        began = self.minute * MINUTE
        rate = self.passed // (tick // MINUTE - self.minute)
        whole = self._bars.any(axis=0) & (self.since + CLEAR_US <= began)
        strikes = np.where(whole & (rate >= AGAINST_PER_MIN), np.minimum(self.strikes + 1, 2), 0)
        strikes = np.where(whole & (self.strikes >= 2) & (2 * rate >= AGAINST_PER_MIN), 2, strikes)
        unheard = np.bincount(self._gate, ~self.heard[self._counter], len(self.gates)) > 0
        strikes = np.where(whole & unheard, self.strikes, strikes)
        for g in np.flatnonzero((strikes >= 2) != (self.strikes >= 2)).tolist():
            site, gate = self.gates[g].split("/", 1)
            inward = bool(self._bars[0, g])
            facts = {"setting": standings[site].gates[gate][0], "per_min": int(rate[g]), "direction": "in" if inward else "out"}
            cause = scribe.cause(network.site_index[site])
            telling = Telling(None, str(facts["direction"]), facts)
            scribe.mark((site, What.GATE_CONTRADICTED, gate), condition=bool(strikes[g] >= 2), cause=cause, telling=telling)
        self.strikes = strikes
        self.passed = np.zeros_like(self.passed)
        self.heard[:] = False

    # -- state ------------------------------------------------------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        return {
            "due": self.due,
            "minute": self.minute,
            "heard": self.heard,
            "gates": self.gates,
            "since": self.since,
            "passed": self.passed,
            "strikes": self.strikes,
            "bars": self._bars,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Compliance:
        """What `to_state` wrote; `rebuild` must follow."""
        made = cls()
        made.due, made.minute, made.gates = dict(state["due"]), state["minute"], list(state["gates"])
        made.since, made.passed, made.strikes = (np.array(state[name], np.int64) for name in ("since", "passed", "strikes"))
        made._bars, made.heard = (np.array(state[name], np.bool_) for name in ("bars", "heard"))
        return made


def asked_of(document: Mapping[str, Any], standing: Standing) -> list[Asked]:
    """What the devices of a site are asked to be; of those only that were ever commanded."""
    found = []
    for gate in document["gates"]:
        setting, revision = standing.gates.get(gate["gate"], ("", 0))
        if setting:
            found.append(Asked(f"gate/{gate['gate']}", gate["gate"], setting, revision, gate["delivery"]))
    there = device_names(document)
    for device, (state, revision) in sorted(standing.devices.items()):
        if device not in there:
            continue
        found.append(Asked(device, device, state if isinstance(state, str) else None, revision, document["delivery"]))
    return found


def _told(scribe: Scribe, site: str) -> bool:
    """Whether anything is open that this module tells."""
    return any(key[1] in GATE_WHATS or key[1] is What.ADVISE_ONLY for key in scribe.incidents.of(site))


def _awaited(asked: Asked, standing: Standing) -> bool:
    """Whether something carries the command out by itself."""
    if standing.fire is not None and asked.device.startswith(("gate/", "link/")):
        return asked.device in standing.reported or asked.delivery == "automatic"
    if standing.advised or asked.delivery == "advise":
        return False
    return asked.delivery == "automatic" or standing.released.get(asked.device) == asked.revision
