"""What the things of a compiled site are called, in one language: short where that is clear, in full where it is not.

A gate's title often carries its street in brackets ("Gate 2 (Fuyou Road)"). Read in a row, "gates 2, 3 and 5" is what a command room says; so
the bracket is left out where the gates can be told apart without it, and gates whose titles differ by a number only share the word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from flowwatch.core.readings import OUTSIDE
from flowwatch.planning.words import listed, say
from flowwatch.titles import Language

_BRACKET: Final = re.compile(r"\s*[（(][^（()）]*[)）]\s*$")
_NUMBERED: Final = {"en": re.compile(r"(?P<word>[A-Za-z]+) (?P<n>[0-9]+[A-Z]?)"), "zh": re.compile(r"(?P<n>[0-9]+)(?P<word>[^0-9\s]+)")}


class Titles:
    """The titles that the compiled `record` gives to its things, in `lang`; a thing without a title keeps its name."""

    def __init__(self, record: Mapping[str, Any], lang: Language) -> None:
        self.lang: Language = lang
        self.site = self._title(record, record["site"])
        self._full = {
            kind: {thing[kind]: self._title(thing, thing[kind]) for thing in record.get(f"{kind}s", ())}
            for kind in ("zone", "gate", "link", "counter", "barrier", "sign")
        }
        self.gates = tuple(gate["gate"] for gate in record["gates"])
        self._short = _told_apart(self._full["gate"])

    def say(self, zh: str, en: str) -> str:
        """Whichever of the two is in this language."""
        return say(self.lang, zh, en)

    def zone(self, name: str) -> str:
        """A zone's title; "site" is the whole, "outside" the world beyond."""
        if name == "site":
            return self.say("全场", "the whole site")
        if name == OUTSIDE:
            return self.say("场外", "outside")
        return self._full["zone"].get(name, name)

    def in_zone(self, name: str) -> str:
        """English: the zone with its preposition."""
        return f"on {self.zone(name)}" if name == "site" else f"in {self.zone(name)}"

    def gate(self, name: str) -> str:
        """A gate's short title."""
        return self._short.get(name, name)

    def full_gate(self, name: str) -> str:
        """A gate's whole title."""
        return self._full["gate"].get(name, name)

    def of(self, kind: str, name: str) -> str:
        """The title of a link, counter, barrier or sign."""
        return self._full[kind].get(name, name)

    def text(self, thing: Mapping[str, Any], key: str = "title") -> str:
        """One of the texts of a part of the record, in this language; "" where there is none."""
        return str((thing.get(key) or {}).get(self.lang) or "")

    def stage(self, plan: Mapping[str, Any], name: str | None) -> str:
        """The title of a stage of `plan`."""
        return next((self._title(s, s["stage"]) for s in plan["stages"] if s["stage"] == name), name or "")

    def in_row(self, gates: Iterable[str]) -> str:
        """Gates in the site's order, a common word said once: "gates 2, 3 and 5, and Ferry Wharf"."""
        chosen = set(gates)
        titles = [self.gate(name) for name in self.gates if name in chosen]
        numbered = [match for title in titles if (match := _NUMBERED[self.lang].fullmatch(title))]
        words = {match["word"].lower() for match in numbered}
        if len(numbered) < 2 or len(words) != 1:
            return listed(titles, self.lang)
        common, same = words.pop(), {match[0] for match in numbered}
        numbers = listed([match["n"] for match in numbered], self.lang)
        rest = [title for title in titles if title not in same]
        row = self.say(f"{numbers}{common}", f"{common}s {numbers}")
        return row if not rest else self.say("、".join([row, *rest]), f"{row}, and {listed(rest, 'en')}")

    def _title(self, thing: Mapping[str, Any], name: str) -> str:
        return self.text(thing) or str(name)


def _told_apart(titles: Mapping[str, str]) -> dict[str, str]:
    """Name -> the shortest of: title without bracket, title, title with name, such that no two are the same."""
    chosen: dict[str, str] = {}
    for offers in ({name: _BRACKET.sub("", title) or title for name, title in titles.items()}, titles):
        offered = {name: title for name, title in offers.items() if name not in chosen}
        times = Counter([*offered.values(), *chosen.values()])
        chosen |= {name: title for name, title in offered.items() if times[title] == 1}
    return {name: chosen.get(name, f"{title} {name}") for name, title in titles.items()}
