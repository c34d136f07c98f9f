"""What the things of a compiled site are called, in one language: short where that is clear, in full where it is not.

A gate's title often carries its street in brackets ("Gate 2 (Fuyou Road)"). Read in a row, "gates 2, 3 and 5" is what a command room says; so
the bracket is left out where the gates can be told apart without it, and gates whose titles differ by a number only share the word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from flowwatch.titles import Language, Names
from flowwatch.words import listed

_BRACKET: Final = re.compile(r"\s*[（(][^（()）]*[)）]\s*$")
_NUMBERED: Final = {"en": re.compile(r"(?P<word>[A-Za-z]+) (?P<n>[0-9]+[A-Z]?)"), "zh": re.compile(r"(?P<n>[0-9]+)(?P<word>[^0-9\s]+)")}


class Titles(Names):
    """The titles that the compiled `record` gives to its things, in `language`, without their names; a thing without a title keeps its name."""

    _named = False

    def __init__(self, record: Mapping[str, Any], language: Language) -> None:
        super().__init__(record, language)
        self.gates = tuple(gate["gate"] for gate in record["gates"])
        self._whole = self.say("全场", "the whole site")
        self._short = _told_apart({name: self._titles["gate"][name] or name for name in self.gates})

    def gate(self, name: str) -> str:
        """A gate's short title."""
        return self._short.get(name, name)

    def in_row(self, gates: Iterable[str]) -> str:
        """Gates in the site's order, a common word said once: "gates 2, 3 and 5, and Ferry Wharf"."""
        chosen = set(gates)
        titles = [self.gate(name) for name in self.gates if name in chosen]
        numbered = [match for title in titles if (match := _NUMBERED[self.language].fullmatch(title))]
        words = {match["word"].lower() for match in numbered}
        if len(numbered) < 2 or len(words) != 1:
            return listed(titles, self.language)
        common, same = words.pop(), {match[0] for match in numbered}
        numbers = listed([match["n"] for match in numbered], self.language)
        rest = [title for title in titles if title not in same]
        row = self.say(f"{numbers}{common}", f"{common}s {numbers}")
        return row if not rest else self.say("、".join([row, *rest]), f"{row}, and {listed(rest, 'en')}")


def _told_apart(titles: Mapping[str, str]) -> dict[str, str]:
    """Name -> the shortest of: title without bracket, title, title with name, such that no two are the same."""
    chosen: dict[str, str] = {}
    for offers in ({name: _BRACKET.sub("", title) or title for name, title in titles.items()}, titles):
        offered = {name: title for name, title in offers.items() if name not in chosen}
        times = Counter([*offered.values(), *chosen.values()])
        chosen |= {name: title for name, title in offered.items() if times[title] == 1}
    return {name: chosen.get(name, f"{title} {name}") for name, title in titles.items()}
