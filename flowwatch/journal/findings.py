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


class Fault(StrEnum):
    """What is wrong at a place in a chain."""

    ALTERED = "altered"
    """What an entry says, its time, its kind, its site or its hash is not what was written."""
    MISSING = "missing"
    INSERTED = "inserted"
    MOVED = "moved"
    """The entry was written, but in another place of the chain."""
    ESTIMATES = "estimates"
    """Minute estimates that do not give the digest which an entry carries: changed, missing, inserted or moved."""


@dataclass(frozen=True, slots=True)
class Break:
    """A place in a chain that does not verify.

    `seq` to `last` (None: `seq` alone): the entries, by the numbers that they have now, or would have. `also`: an entry that may be the changed
    one instead, where the chain cannot tell the two apart. Of estimates, `seq` is the entry whose digest they do not give, 0 where no entry
    carries one, and `since_us` to `until_us` are the first and the last minute among which the fault lies.
    """

    chain: str
    seq: int
    what: str
    fault: Fault = Fault.ALTERED
    last: int | None = None
    also: int | None = None
    since_us: int | None = None
    until_us: int | None = None

    def __str__(self) -> str:
        where = f"entry {self.seq}" if self.last in (None, self.seq) else f"entries {self.seq} to {self.last}"
        return f'chain "{self.chain}", {where if self.seq or self.since_us is None else "estimates"}: {self.what}'

    def holds(self, seq: int) -> bool:
        """Whether the entry with that number is among those that it names."""
        return seq == self.also or self.seq <= seq <= (self.seq if self.last is None else self.last)
