"""The journal: what was decided, in hash chains, with minute estimates beside them. `Journal` is the way in."""

from flowwatch.journal.database import JournalError, install
from flowwatch.journal.findings import Appended, Break, Conflict, Difference, Fault, JournalGapError, Lag, Standing, UnknownIdError
from flowwatch.journal.journal import Journal
from flowwatch.journal.queries import Head

__all__ = [
    "Appended",
    "Break",
    "Conflict",
    "Difference",
    "Fault",
    "Head",
    "Journal",
    "JournalError",
    "JournalGapError",
    "Lag",
    "Standing",
    "UnknownIdError",
    "install",
]
