"""What the journal has to say about itself: conflicts, lags, differences, breaks. Plain values with a sentence each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from flowwatch.journal.database import REBUILD, JournalError


class JournalGapError(JournalError):
    """An entry was offered whose predecessor is not stored, or to which it does not link."""


class UnknownIdError(JournalError):
    """No entry, incident or action has this id."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two different entries claimed one place. `seq` 0: a minute's estimate, hashed alone. `body` is the one that was turned away."""

    chain: str
    seq: int
    stored: bytes
    offered: bytes
    body: bytes

    def __str__(self) -> str:
        what = f"entry {self.seq}" if self.seq else "an estimate"
        return (
            f'chain "{self.chain}": {what} was offered with hash {self.offered.hex()[:12]}, stored is {self.stored.hex()[:12]};'
            f" the chain is frozen, run {REBUILD}"
        )


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append did: rows written, rows that were there already, rows left out because their chain is frozen, and new conflicts."""

    written: int
    repeated: int
    withheld: int
    conflicts: tuple[Conflict, ...]


class Standing(StrEnum):
    """How a chain in the journal compares with a head that the engine remembers."""

    BEHIND = "behind"
    """The journal ends earlier."""
    DIFFERS = "differs"
    """The journal has another entry in this place."""
    FROZEN = "frozen"
    """The journal stopped taking this chain."""


@dataclass(frozen=True, slots=True)
class Lag:
    """A chain whose journal does not hold what the engine's checkpoint says was written: `expected` entries; `stored` is where it ends."""

    chain: str
    standing: Standing
    expected: int
    stored: int

    def __str__(self) -> str:
        found = {
            Standing.BEHIND: f"ends at entry {self.stored}",
            Standing.DIFFERS: f"has another entry {self.expected}",
            Standing.FROZEN: f"is frozen at entry {self.stored}",
        }[self.standing]
        return f'chain "{self.chain}" {found}, the checkpoint expects entry {self.expected}'


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where a re-run departs from the journal; `seq` 0: an estimate.

    `stored` is None where the journal has nothing, `offered` where the re-run says nothing.
    """

    chain: str
    seq: int
    at: int
    stored: bytes | None
    offered: bytes | None

    def __str__(self) -> str:
        what = f"{self.chain}-{self.seq}" if self.seq else f"the estimate of {self.chain}"
        held, said = (text.decode() if text is not None else "nothing" for text in (self.stored, self.offered))
        return f"{what} at {self.at} us: the journal holds {held:.300}, the engine says {said:.300}"


@dataclass(frozen=True, slots=True)
class Break:
    """The first place in a chain that does not verify."""

    chain: str
    seq: int
    what: str

    def __str__(self) -> str:
        return f'chain "{self.chain}", entry {self.seq}: {self.what}'
