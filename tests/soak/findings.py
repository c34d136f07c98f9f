"""What must be true after a soak, and its figures: read from what journal, log, ledger and the gates' own diaries say."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from flowwatch import checkpoints
from flowwatch.actuators.ledger import Ledger
from flowwatch.core.engine import Engine
from flowwatch.core.gates import violations
from flowwatch.core.readings import Kind
from flowwatch.journal import Journal
from flowwatch.log import Reader, blocks
from flowwatch.log.settings import load
from flowwatch.refused import totals
from flowwatch.replay import replay
from tests.soak import town
from tests.soak.chaos import Soak
from tests.soak.crowd import Row

SHOWN: Final = 5
"""Examples of one kind of fault."""

Event = dict[str, Any]


@dataclass
class Verdict:
    """Faults by what was asked, and the figures in the order of the table."""

    asked: dict[str, list[str]] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether all holds."""
        return not any(self.asked.values())

    def table(self) -> str:
        """For people."""
        wide = max(len(name) for name in (*self.figures, *self.asked))
        lines = [f"{name:<{wide}}  {value}" for name, value in self.figures.items()]
        for name, faults in self.asked.items():
            lines.append(f"{name:<{wide}}  {'holds' if not faults else f'FAILS, {len(faults)} times'}")
            lines += [f"    {fault}" for fault in faults[:SHOWN]]
        return "\n".join(lines)


def judge(soak: Soak) -> Verdict:
    """Everything that is asked of a soak that has ended."""
    found = Verdict()
    diaries = {site: list(_diary(soak, site)) for site in soak.plant.sites}
    found.asked["it went as planned, and ended in order"] = _course(soak)
    found.asked["every gate ends as the journal says"] = _ends(soak, diaries)
    found.asked["no command id with two contents"] = [f for site, told in diaries.items() for f in _contents(site, told)]
    found.asked["no old revision obeyed, none twice unless asked anew"] = [f for site, told in diaries.items() for f in _order(site, told)]
    checked, faults = _ways_out(soak, diaries)
    found.asked["people's way out at every moment"] = faults
    found.asked["no accepted reading is missing, none that nobody sent"] = _readings(soak)
    found.asked["each counted once: occupancy is the sum of what was accepted"] = _occupancy(soak)
    found.asked["chains verify, none is frozen, replay is identical"] = _evidence(soak)
    found.asked["a listener that was cut off has every alert of the journal, in order"] = soak.ear.faults
    found.asked["a fire without an engine opens every gate, and ends"] = _fire(soak, diaries)
    _figures(found, soak, diaries, checked)
    return found


# ---- what is asked


def _course(soak: Soak) -> list[str]:
    plant, told = soak.plant, soak.told
    faults = list(told.faults) + [f"{crowd.site}: {fault}" for crowd in soak.crowds for fault in crowd.faults]
    faults += [f"`up` ended by itself with exit code {code}" for code in plant.ends]
    return faults + ([] if told.exit_code == 0 else [f"`up` ended with exit code {told.exit_code} when it was told to"])


def _ends(soak: Soak, diaries: Mapping[str, list[Event]]) -> list[str]:
    faults = soak.differing(soak.commands())
    for site, told in diaries.items():
        real = {event["device"]: event.get("real", event.get("setting")) for event in told if event["event"] in ("began", "obeyed", "fell")}
        faults += [
            f"{site}/{gate} is {real.get(f'gate/{gate}')}, its controller says {memory.setting if memory else None}"
            for gate, memory in soak.plant.memory(site).items()
            if memory is None or real.get(f"gate/{gate}") != memory.setting
        ]
    return faults


def _contents(site: str, told: list[Event]) -> list[str]:
    """A fire's command has one name for all revisions that it takes while the fire stands."""
    seen: dict[tuple[str, str], set[tuple[int, str]]] = defaultdict(set)
    for event in told:
        if event["event"] == "heard":
            fire = event["command"].startswith("fire-")
            seen[event["device"], event["command"]].add((0 if fire else event["revision"], event["setting"]))
    return [f"{site}/{device}: {name} was {sorted(contents)}" for (device, name), contents in seen.items() if len(contents) > 1]


def _order(site: str, told: list[Event]) -> list[str]:
    last: dict[str, tuple[int, int]] = {}
    faults = []
    for event in told:
        if event["event"] == "obeyed":
            this, before = (event["revision"], event["attempt"]), last.get(event["device"], (0, 0))
            if this <= before:
                faults.append(f"{site}/{event['device']} obeyed {this} after {before}")
            last[event["device"]] = this
    return faults


def _ways_out(soak: Soak, diaries: Mapping[str, list[Event]]) -> tuple[int, list[str]]:
    """Each site's gates as they really were after every change. All of a site's gates write one diary, in the order of what they did.

    Where its process began again, its gates say one after the other how they were all the time since it was killed.
    """
    checked, faults = 0, []
    for site, told in diaries.items():
        record, real = soak.plant.records[site], dict[str, str]()
        changes = [event for event in told if event["event"] in ("began", "obeyed", "fell")]
        for event, after in zip(changes, [*changes[1:], None], strict=True):
            real[event["device"].removeprefix("gate/")] = str(event.get("real", event["setting"]))
            beginning = event["event"] == "began" and after is not None and after["event"] == "began"
            if len(real) == len(town.GATES) and not beginning:
                checked += 1
                faults += [f"{site} at {event['at_us']}: {sentence} ({real})" for sentence in violations(record, real)]
    return checked, faults


def _readings(soak: Soak) -> list[str]:
    accepted = [row for crowd in soak.crowds for row in crowd.accepted]
    there = _logged(soak)
    faults = [f"{row} was answered 202 and is not in the log" for row in accepted if row not in there]
    strange = set(there) - set(accepted)
    return faults + [f"{row} is in the log, and was never answered" for row in strange]


def _logged(soak: Soak) -> Counter[Row]:
    found: Counter[Row] = Counter()
    for part in load(soak.plant.workspace.log).folders:
        with Reader(soak.plant.workspace.log, part) as reader:
            names = reader.names()
            for block in reader.walk(reader.start()):
                for i in np.flatnonzero(block.kind == Kind.DELTA).tolist():
                    found[Row(names[int(block.counter[i])], int(block.at[i]), int(block.ingress[i]), int(block.egress[i]))] += 1
    return found


def _occupancy(soak: Soak) -> list[str]:
    """What the engine itself kept when it stopped, with what came after its last checkpoint, as a start would take it up."""
    log, raw = soak.plant.workspace.log, dict[str, int]()
    for part in load(log).folders:
        kept = checkpoints.newest(log / part)
        with Reader(log, part) as reader:
            engine = Engine(part) if kept is None else Engine.from_state(kept[1])
            for chunk in reader.read(reader.start() if kept is None else kept[0]):
                engine.feed(blocks(chunk))
        network, zones = engine.network, engine.occupancy.zones
        for z, site in enumerate(network.zone_site.tolist()):
            raw[network.sites[site]] = raw.get(network.sites[site], 0) + int(zones.raw[z])
    wrong = [crowd for crowd in soak.crowds if raw.get(crowd.site) != 1000 * crowd.inside]
    faults = [f"{crowd.site}: the engine has {raw.get(crowd.site, 0) / 1000:g}, {crowd.inside} were accepted" for crowd in wrong]
    with Journal.open(soak.plant.workspace.journal, create=False) as journal:
        return faults + [f"{t.count} rows refused as {t.reason.name.lower()}" for t in totals(journal) if t.reason.name != "DUPLICATE"]


def _evidence(soak: Soak) -> list[str]:
    workspace = soak.plant.workspace
    faults = []
    for file in (workspace.journal, workspace.handling):
        with Journal.open(file, create=False) as journal:
            faults += [f"{file.name}: {found}" for found in (*journal.verify(), *journal.conflicts())]
    return faults + [str(span) for span in replay(workspace.log, workspace.journal) if not span.identical]


def _fire(soak: Soak, diaries: Mapping[str, list[Event]]) -> list[str]:
    if not {"out_s", "ended_s"} <= soak.told.fire.keys():
        return [f"the fire came to no end: {soak.told.fire}"]
    site = soak.plant.sites[0]
    opened = {event["device"] for event in diaries[site] if event["event"] == "obeyed" and event["fire"]}
    asked = {event["device"] for event in diaries[site] if event["event"] == "heard" and event["command"].startswith("fire-")}
    return [f"{site}/gate/{gate} was never told of the fire" for gate in town.GATES if f"gate/{gate}" not in opened | asked]


# ---- figures


def _figures(found: Verdict, soak: Soak, diaries: Mapping[str, list[Event]], checked: int) -> None:
    told, plant, figures = soak.told, soak.plant, found.figures
    took = (told.ended_us - told.began_us) / 1e6
    commands = soak.commands()
    kinds = Counter(what.partition(" ")[0] for _, what in told.kills)
    requests, tries = sum(c.requests for c in soak.crowds), sum(c.tries for c in soak.crowds)
    waits = sorted(_waits(commands, diaries))
    figures["listener"] = f"cut off {soak.ear.cuts} times, {soak.ear.broken} times by the service; {len(soak.ear.heard)} alerts heard"
    figures["seed"] = str(soak.asked.seed)
    figures["sites x gates"] = f"{len(plant.sites)} x {len(town.GATES)}"
    figures["kills"] = f"{len(told.kills)} ({', '.join(f'{kind} {count}' for kind, count in sorted(kinds.items()))})"
    figures["took"] = f"{took:.0f} s, and {told.settled_s:.0f} s to settle"
    figures["commands in the journal"] = f"{len(commands):,}, {len(commands) / took:.1f}/s"
    obeyed = sum(event["event"] == "obeyed" for events in diaries.values() for event in events)
    heard = Counter(event["outcome"] for events in diaries.values() for event in events if event["event"] == "heard")
    fell = sum(event["event"] == "fell" for events in diaries.values() for event in events)
    figures["obeyed by gates, falls to on_lost"] = f"{obeyed:,}, {fell}"
    figures["what gates heard"] = ", ".join(f"{name or 'unanswered'} {count:,}" for name, count in heard.most_common())
    figures["decision to gate: p50, p99, longest"] = ", ".join(
        f"{waits[int(share * (len(waits) - 1))]:.1f} s" for share in (0.5, 0.99, 1.0)
    )
    figures["longest outage of delivery"] = f"{_outage(commands, diaries):.1f} s"
    figures["attempts a command: mean, most"] = _attempts(soak)
    figures["incidents about gates"] = ", ".join(
        f"{what} {count}" for what, count in soak.incidents().most_common() if what.startswith("gate_")
    )
    figures["moments of the egress check"] = f"{checked:,}"
    logged = _logged(soak)
    figures["readings accepted, rows in the log"] = f"{sum(len(c.accepted) for c in soak.crowds):,}, {sum(logged.values()):,}"
    figures["requests, tries"] = f"{requests:,}, {tries:,}"
    figures["starts that an earlier life held up"] = str(plant.said("(locked); started again"))
    figures["fire said, all gates out, end known"] = ", ".join(
        f"{told.fire.get(key, float('nan')):.2f} s" for key in ("said_s", "out_s", "ended_s")
    )


def _waits(commands: list[tuple[int, str, str, str, int]], diaries: Mapping[str, list[Event]]) -> Iterator[float]:
    """From each command's tick until its gate obeyed it or a later one, in seconds."""
    obeyed: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for site, events in diaries.items():
        for event in events:
            if event["event"] in ("obeyed", "began") and event["revision"]:
                obeyed[site, event["device"].removeprefix("gate/")].append((event["revision"] // 2, event["at_us"]))
    for at, site, gate, _, revision in commands:
        reached = next((when for got, when in obeyed[site, gate] if got >= revision), None)
        if reached is not None:
            yield max(reached - at, 0) / 1e6


def _outage(commands: list[tuple[int, str, str, str, int]], diaries: Mapping[str, list[Event]]) -> float:
    """The longest time in which commands were waiting and no gate of any site obeyed one, in seconds."""
    moments = sorted(
        [(at, True) for at, *_ in commands] + [(e["at_us"], False) for es in diaries.values() for e in es if e["event"] == "obeyed"]
    )
    longest, since = 0, None
    for at, commanded in moments:
        if commanded:
            since = at if since is None else since
        elif since is not None:
            longest, since = max(longest, at - since), None
    return longest / 1e6


def _attempts(soak: Soak) -> str:
    ledger = Ledger.open(soak.plant.workspace.service)
    try:
        most: Counter[tuple[str, str, int]] = Counter()
        for row in ledger.latest(limit=10_000_000):
            if row.attempt > 0:
                most[row.site, row.device, row.revision] = max(most[row.site, row.device, row.revision], row.attempt)
    finally:
        ledger.close()
    return f"{sum(most.values()) / max(len(most), 1):.2f}, {max(most.values(), default=0)} ({len(most):,} commands sent)"


def _diary(soak: Soak, site: str) -> Iterator[Event]:
    """A kill may cut the last line of a life short."""
    for line in soak.plant.diary(site).read_bytes().splitlines():
        try:
            event: Event = json.loads(line)
        except ValueError:
            continue
        yield event
