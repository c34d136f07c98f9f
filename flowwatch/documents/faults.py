"""What is wrong with a document, and where: one `Fault` a line, all of them at once.

A fault reads `file:line:column: path: what was found, what was expected`, with the near miss where there is one. This module knows neither
YAML nor the language; it only keeps faults and words them alike.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

Path = tuple[str | int, ...]
"""Where in a document: keys and list positions from the top, ("stages", 1, "gates")."""

MOST: Final = 500
"""Faults kept of one file: a file with more is no document with mistakes in it, but something else."""


class Place(Protocol):
    """Anything that has a line and a column, both counted from 1."""

    @property
    def line(self) -> int:
        """Line in the file."""

    @property
    def column(self) -> int:
        """Column, in characters."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong; `str` is the line that people and editors read."""

    file: str
    line: int
    column: int
    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.path}: {self.text}"


class DocumentErrors(Exception):  # noqa: N818 - several faults, said at once
    """The documents cannot be accepted; `faults` are all of the reasons, and the message is one line for each."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: Final = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


class TooManyFaultsError(Exception):
    """Ends the reading of a file that has `MOST` faults; never leaves this package."""


class Faults:
    """The faults of one file, in the order in which they are found."""

    def __init__(self, file: str) -> None:
        self.file: Final = file
        self.found: Final[list[Fault]] = []

    def add(self, place: Place, path: Path, text: str) -> None:
        """Keep one; raises `TooManyFaultsError` at the last that is kept."""
        self.found.append(Fault(self.file, place.line, place.column, shown(path), text))
        if len(self.found) >= MOST:
            self.found.append(Fault(self.file, place.line, place.column, "document", f"{MOST} faults found, the rest is not read"))
            raise TooManyFaultsError

    def sorted(self) -> list[Fault]:
        """The faults from the top of the file to its end; what was found first of one place stands first."""
        return sorted(self.found, key=lambda fault: (fault.line, fault.column))


def shown(path: Path) -> str:
    """`path` as people read it.

    >>> shown(("stages", 1, "gates", "gate-2"))
    'stages[1].gates.gate-2'
    """
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{quoted(step)[1:-1]}" for step in path)
    return text.lstrip(".") or "document"


def quoted(text: str) -> str:
    """`text` in quotes, on one line and not too long to read.

    >>> quoted("a\\nb")
    '"a\\\\nb"'
    """
    plain = "".join(c if c.isprintable() or c == "\u3000" else repr(c)[1:-1] for c in text[:61])
    return f'"{plain[:60]}…"' if len(plain) > 60 else f'"{plain}"'


def listed(words: Sequence[str]) -> str:
    """`words` for the end of a sentence: the one word, or "one of" a dozen of them."""
    if len(words) < 2:
        return "".join(words) or "none: there are none"
    return "one of " + ", ".join(words[:12]) + (f" ({len(words) - 12} more)" if len(words) > 12 else "")


def near(word: str, words: Iterable[str]) -> str | None:
    """The one of `words` that was probably meant by `word`, or None.

    >>> near("Gate_3", ["gate-1", "gate-2", "gate-3"])
    'gate-3'
    """
    plain = {w.casefold().replace("_", "-"): w for w in words}
    found = difflib.get_close_matches(word[:64].casefold().replace("_", "-"), plain, n=1)
    return plain[found[0]] if found else None


def did_you_mean(word: str | None) -> str:
    """The end of a fault's sentence for a near miss; empty without one."""
    return f"; did you mean {quoted(word)}?" if word else ""
