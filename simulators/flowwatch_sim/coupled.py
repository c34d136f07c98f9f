"""A scenario of several sites, as a file: what holds for all of them at the top, what holds for one under `sites:`, and the ways between them.

    scenario: nanjing-road-and-bund
    starts: 2026-05-02 18:00
    lasts: 2h
    sites:
      - site: nanjing-road
        streams: [...]
      - site: bund
        streams: [...]
    passages:
      - {from: nanjing-road/henan-east, to: bund/henan-cordon, share: 0.6, walk: 2m, as: visitors}

Each site's part, together with the top, is a scenario of that site alone: it is read as one (`scenario.py`), so that all of its words mean the
same here, and names are those of its own site.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from flowwatch.core.readings import SECOND
from flowwatch.documents import DocumentErrors, Source, nodes
from flowwatch.documents.faults import Faults, Path, TooManyFaultsError, did_you_mean, listed, near, quoted
from flowwatch.documents.holes import HOLE
from flowwatch.documents.names import Names
from flowwatch.documents.walk import Rules, Walk, place_of
from flowwatch.documents.wanted import type_of
from flowwatch.documents.words import duration_us
from flowwatch_sim import scenario as language
from flowwatch_sim.layout import Layout

SITES: Final = "sites"
PASSAGES: Final = "passages"
SHARED: Final = ("starts", "lasts", "every", "runs")
"""What is the same for all sites of a day."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a passage needs to know of a site: its gates, its streams by name, its group, and whose clocks it goes by."""

    layout: Layout
    streams: Sequence[str]
    group: str
    time_zone: str


class Coupled:
    """A file with `sites:`. What is wrong in it is raised at the end of each reading, everything at once."""

    def __init__(self, text: Source, tree: nodes.Mapping) -> None:
        self._tree, self._faults = tree, Faults(text.name)

    def scenarios(self, rules: Sequence[Rules], names: Sequence[Names] = ()) -> list[language.Scenario]:
        """One a site. `rules` and `names`: of each site's documents; without them nothing is checked by them. Raises `DocumentErrors`."""
        top = [(key, value) for key, value in self._tree.entries if key.text not in (SITES, PASSAGES)]
        listing = next(value for key, value in self._tree.entries if key.text == SITES)
        parts = listing.items if isinstance(listing, nodes.Listing) else []
        found = []
        with suppress(TooManyFaultsError):
            if len(parts) < 2:
                self._faults.add(
                    listing, (SITES,), "found no list of several, expected two sites or more; a single one stands at the top, as site"
                )
            for i, part in enumerate(parts):
                own = part.entries if isinstance(part, nodes.Mapping) else []
                for key, _ in own:
                    if key.text in SHARED:
                        told = f"found {quoted(key.text)} of one site, expected it once at the top, for all of them"
                        self._faults.add(key, (SITES, i, key.text), told)
                whole = nodes.Mapping(part.line, part.column, [*top, *own], flow=False)
                walk = Walk(self._faults, names[i] if names else Names(), rules[i] if rules else {})
                found.append(walk.value(whole, type_of(language.Scenario), (SITES, i)))
            sites = [scenario.site for scenario in found if scenario.site is not HOLE]
            for site in dict.fromkeys(site for site in sites if sites.count(site) > 1):
                self._say((SITES,), f"found the site {quoted(site)} {sites.count(site)} times, expected it once")
        self._settle()
        return found

    def passages(self, places: Mapping[str, Place], every_us: int) -> list[language.Passage]:
        """The ways between the sites, whose gates and streams there are. Raises `DocumentErrors`."""
        own = [(key, value) for key, value in self._tree.entries if key.text == PASSAGES]
        between = nodes.Mapping(self._tree.line, self._tree.column, own, flow=False)
        said = Walk(self._faults, Names(), {}).value(between, type_of(language.Between))
        self._settle()
        groups = sorted({place.group for place in places.values()})
        if len(groups) > 1:
            self._say((SITES,), f"found sites of the groups {', '.join(groups)}, expected sites of one group, which are decided together")
        if len(clocks := sorted({place.time_zone for place in places.values()})) > 1:
            self._say((SITES,), f"found sites of the time zones {', '.join(clocks)}, expected those of one, so that starts is one moment")
        for i, passage in enumerate(said.passages):
            for key, text in self._wrong(passage, places, every_us):
                self._say((PASSAGES, i, key), text)
            if passage.from_ in [before.from_ for before in said.passages[:i]]:
                self._say((PASSAGES, i, "from"), f"found {quoted(passage.from_)} again, expected one passage from a gate")
        self._settle()
        return list(said.passages)

    def _wrong(self, passage: language.Passage, places: Mapping[str, Place], every_us: int) -> Iterator[tuple[str, str]]:
        """(key, what is wrong with it)."""
        gates = {f"{site}/{gate}": (site, i) for site, p in places.items() for i, gate in enumerate(p.layout.gates) if p.layout.outer[i]}
        for key, end in (("from", passage.from_), ("to", passage.to)):
            if end not in gates:
                yield (
                    key,
                    f"found {quoted(end)}, expected a gate at the edge of a site: {listed(list(gates))}{did_you_mean(near(end, gates))}",
                )
        if passage.from_ in gates and places[gates[passage.from_][0]].layout.entrance_only[gates[passage.from_][1]]:
            yield "from", f"found {quoted(passage.from_)}, by which nobody leaves, expected a gate that leads out"
        if passage.to in gates:
            site = gates[passage.to][0]
            streams = places[site].streams
            if passage.from_.startswith(f"{site}/"):
                yield "to", f"found {quoted(passage.to)}, a gate of the same site, expected one of another site"
            if passage.as_ not in streams:
                yield (
                    "as",
                    f"found {quoted(passage.as_)}, expected a stream of {site}: {listed(streams)}{did_you_mean(near(passage.as_, streams))}",
                )
        if duration_us(passage.walk) < every_us:
            yield "walk", f"found {quoted(passage.walk)}, expected {every_us // SECOND}s at least: the engine decides so often"

    def _say(self, path: Path, text: str) -> None:
        self._faults.add(place_of(self._tree, path), path, text)

    def _settle(self) -> None:
        """Raise what was found; what several sites found at one place of the top counts once."""
        if self._faults.found:
            raise DocumentErrors(list({(fault.line, fault.column, fault.text): fault for fault in self._faults.sorted()}.values()))


def coupled(text: Source) -> Coupled | None:
    """The file as one of several sites, if it has `sites:`; a file that is no YAML has not."""
    try:
        tree = None if text.unreadable else nodes.read_tree(text.data, Faults(text.name))
    except TooManyFaultsError:
        return None
    named = isinstance(tree, nodes.Mapping) and any(key.text == SITES for key, _ in tree.entries)
    return Coupled(text, tree) if named and isinstance(tree, nodes.Mapping) else None
