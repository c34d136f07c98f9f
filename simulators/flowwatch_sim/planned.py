"""A scenario made ready: its documents compiled, its demand as rates, its troubles by index."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from flowwatch.documents import DocumentErrors, Loaded, Source, find, load
from flowwatch.documents.faults import Fault, did_you_mean, listed, near, quoted
from flowwatch.documents.load import read_document, shown_path
from flowwatch.documents.names import Names
from flowwatch.documents.nodes import Node
from flowwatch.documents.shelf import alternatives
from flowwatch.documents.words import OTHERS, duration_us, moment, moment_us
from flowwatch.soundness import site_named_in
from flowwatch.trials.acts import fields_of
from flowwatch_sim import scenario as language
from flowwatch_sim.controllers import Disobedience
from flowwatch_sim.coupled import Coupled, Place, coupled
from flowwatch_sim.daykinds import on_its_day
from flowwatch_sim.demand import Batches, Stream, Visit
from flowwatch_sim.layout import Layout, layout
from flowwatch_sim.passages import Passage
from flowwatch_sim.rates import STEP_S, rates
from flowwatch_sim.rules import ANY, can_have, rules
from flowwatch_sim.troubles import Trouble
from flowwatch_sim.walking import DIAGRAMS
from flowwatch_sim.world import Habits


@dataclass(frozen=True)
class Planned:
    """Everything that a replicate needs but its seed. Times in seconds from the start."""

    scenario: language.Scenario
    loaded: Loaded
    layout: Layout
    start_us: int
    lasts_s: float
    every_s: float
    streams: tuple[Stream, ...]
    habits: Habits
    troubles: tuple[Trouble, ...]
    disobedience: tuple[Disobedience, ...]
    carry_out_s: float
    answer_s: float
    round_s: float | None
    acts: tuple[tuple[float, str, Mapping[str, Any]], ...]
    """(when, type, fields) of operators' records that the scenario has."""
    beside: tuple[Planned, ...] = ()
    """The other sites of the same days."""
    passages: tuple[Passage, ...] = ()

    @property
    def sites(self) -> tuple[Planned, ...]:
        """Every site of the scenario, this one first."""
        return (self, *self.beside)

    @property
    def version(self) -> str:
        """The version of the documents, of all sites joined by +."""
        return "+".join(place.loaded.version for place in self.sites)

    def named(self, site: str, name: str) -> str:
        """What a zone or plan of one of its sites is called in measures: with its site where there are several."""
        return f"{site}.{name}" if self.beside else name


def read_scenario(text: Source, root: Path, plan: str | None = None) -> Planned:
    """The scenario in `text` with the documents under `root`; `plan` is a folder of plans to use instead of its own.

    Raises `DocumentErrors` with every fault.
    """
    several = coupled(text)
    if several is not None:
        return _together(several, text, root, plan)
    loaded, names = _documents(read_document(text, language.Scenario, {}), text, root, plan)
    return planned(read_document(text, language.Scenario, rules(loaded.site), names), loaded)


def _together(several: Coupled, text: Source, root: Path, plan: str | None) -> Planned:
    """The sites of a scenario, each as it would be alone, and the ways between them; `plan` belongs to the one that its plans name."""
    folders = {plans[0].parent.name: site_named_in(site) for site, plans in (*find(root), *alternatives(root)) if plans}
    first = several.scenarios([])
    sites = [said.site for said in first]
    if plan is not None and folders.get(plan) not in sites:
        known = [folder for folder, site in folders.items() if site in sites]
        told = f"found {quoted(plan)}, expected a folder under rules/: {listed(known)}{did_you_mean(near(plan, known))}"
        raise DocumentErrors([Fault(text.name, 1, 1, "plan", told)])
    documents = [_documents(said, text, root, plan if folders.get(plan or "") == said.site else None) for said in first]
    said = several.scenarios([rules(loaded.site) for loaded, _ in documents], [names for _, names in documents])
    places = [planned(mine, loaded) for mine, (loaded, _) in zip(said, documents, strict=True)]
    streams = [[stream.stream for stream in mine.streams] for mine in said]
    known_places = {
        site: Place(place.layout, mine, str(place.loaded.site["group"]), str(place.loaded.site["time_zone"]))
        for site, place, mine in zip(sites, places, streams, strict=True)
    }
    passages = []
    for way in several.passages(known_places, duration_us(said[0].every)):
        (start, gate), (end, entrance) = way.from_.split("/"), way.to.split("/")
        to, number = sites.index(end), streams[sites.index(end)].index(way.as_)
        stream = replace(said[to].streams[number], entrances={entrance: 1.0})
        there = _stream(stream, places[to].layout, 0.0, places[to].lasts_s)
        site = sites.index(start)
        passages.append(Passage(site, places[site].layout.gates.index(gate), to, way.share, _s(way.walk), there, number))
    return dataclasses.replace(places[0], beside=tuple(places[1:]), passages=tuple(passages))


def _documents(said: language.Scenario, text: Source, root: Path, plan: str | None) -> tuple[Loaded, Names]:
    """The documents of a scenario's site, and the names in them."""
    name, files = said.site, {site_named_in(site): (site, plans) for site, plans in find(root)}
    if name not in files:
        told = f"found {quoted(name)}, but there is no such site, expected {listed(sorted(files))}{did_you_mean(near(name, files))}"
        raise DocumentErrors([Fault(text.name, 1, 1, "site", told)])
    site_file, plan_files = files[name]
    folder = plan or (None if isinstance(said.plan, UnsetType) else said.plan)
    if folder is not None and plan_files and plan_files[0].parent.name != folder:
        others = {plans[0].parent.name: plans for _, plans in alternatives(root) if plans}
        if folder not in others:
            known = [*others, plan_files[0].parent.name]
            told = f"found {quoted(folder)}, expected a folder under rules/: {listed(known)}{did_you_mean(near(folder, known))}"
            raise DocumentErrors([Fault(text.name, 1, 1, "plan", told)])
        plan_files = others[folder]
    loaded = load(site_file, plan_files)
    return loaded, _names(loaded.site, shown_path(site_file))


def planned(said: language.Scenario, loaded: Loaded) -> Planned:
    """A scenario with its site; its streams are those of the day on which it starts."""
    said = on_its_day(said)
    here = layout(loaded.site)
    start = moment_us(said.starts, ZoneInfo(str(loaded.site["time_zone"])))
    lasts = _s(said.lasts)
    clock = moment(said.starts)
    begins = clock.hour + clock.minute / 60
    crowd = said.crowd
    habits = Habits(
        DIAGRAMS[crowd.walking.value], crowd.reroute, crowd.balk, _s(crowd.between_gates), _s(crowd.clearing), dict(crowd.lengths)
    )
    troubles = [
        Trouble(i, f.wrong.value, _s(f.at), _s(f.at) + _s(f.lasts), f.share, f.by)
        for f in said.faults
        for i, counter in enumerate(loaded.site["counters"])
        if f.counter == counter["counter"] or (f.counter == ANY and can_have(counter, f.wrong.value))
    ]
    disobedience = [
        Disobedience(i, g.does.value, _s(g.at), _s(g.at) + _s(g.lasts))
        for g in said.gates
        for i, gate in enumerate(here.gates)
        if g.gate == gate or (g.gate == OTHERS and gate not in {other.gate for other in said.gates})
    ]
    round_ = said.operators.round_
    return Planned(
        said,
        loaded,
        here,
        start,
        lasts,
        _s(said.every),
        tuple(_stream(stream, here, begins, lasts) for stream in said.streams),
        habits,
        tuple(troubles),
        tuple(disobedience),
        _s(said.operators.carry_out),
        _s(said.operators.answer),
        None if isinstance(round_, UnsetType) else _s(round_),
        tuple(sorted(((_s(act.at), made[0], made[1]) for act in said.actions if (made := fields_of(act, start))), key=lambda a: a[0])),
    )


def _s(text: str) -> float:
    return duration_us(text) / 1e6


def _stream(said: language.Stream, here: Layout, begins: float, lasts_s: float) -> Stream:
    zones = {name: i for i, name in enumerate(here.zones)}
    gates = {name: i for i, name in enumerate(here.gates)}
    entrances = {gates[g]: float(w) for g, w in said.entrances.items() if w} or {
        i: float(here.lanes[i]) for i, outer in enumerate(here.outer) if outer and here.inner(i) not in here.waiting
    }
    first = {g: here.inner(g) if said.zone is UNSET else zones[str(said.zone)] for g in entrances}
    home = said.home
    return Stream(
        name=said.stream,
        rate=rates(said, begins, lasts_s),
        step_s=STEP_S,
        entrances=entrances,
        first=first,
        stay_s=_s(said.stay),
        stay_shape=said.shape,
        visits=[Visit(zones[v.zone], v.share, _s(v.stay)) for v in said.visits],
        group_excess=said.groups,
        unrest=said.unrest,
        turns_s=_s(said.turns),
        patience_s=_s(said.patience),
        batches=None if isinstance(said.batches, UnsetType) else Batches(_s(said.batches.every), _s(said.batches.spread)),
        home_s=None if isinstance(home, UnsetType) else _s(home.at),
        home_share=0.0 if isinstance(home, UnsetType) else home.share,
    )


def _names(record: Mapping[str, Any], file: str) -> Names:
    somewhere = Node(1, 1)
    found: dict[str, Sequence[str]] = {kind: [part[kind] for part in record[f"{kind}s"]] for kind in ("zone", "gate", "link", "counter")}
    found["stage"] = [stage["stage"] for stage in record["plans"][0]["stages"]] if record["plans"] else []
    found["plan"] = [plan["plan"] for plan in record["plans"]]
    found["case"] = [plan["plan"] for plan in record["plans"] if plan["case"] is not None]
    return Names({kind: dict.fromkeys(names, somewhere) for kind, names in found.items()}, dict.fromkeys(found, file))
