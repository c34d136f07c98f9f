"""The log: what was seen, in order, durable. `docs/log.md` describes the files for people; each module says what it decides.

Writing: `create`, `Writer`, and `Inbox` for a process that does not hold the lock. Reading: `Reader`, `Chunk`, `blocks`. For people: `cat`,
`table`, `survey`. Time of a live log: `Ticker`. Every error is a `LogError`.
"""

from flowwatch.log.clock import Ticker
from flowwatch.log.errors import BadRecord, DiskRefused, LogDamaged, LogError, LogLocked, RowsOutOfRange, WriterClosed
from flowwatch.log.export import cat, table
from flowwatch.log.inbox import Drained, Inbox
from flowwatch.log.reader import Chunk, Reader, blocks
from flowwatch.log.readings import Readings
from flowwatch.log.segments import checkpoint_file
from flowwatch.log.settings import UNROUTED, Clock, Settings, create, load
from flowwatch.log.survey import Surveyed, survey
from flowwatch.log.writer import Writer

__all__ = [
    "UNROUTED",
    "BadRecord",
    "Chunk",
    "Clock",
    "DiskRefused",
    "Drained",
    "Inbox",
    "LogDamaged",
    "LogError",
    "LogLocked",
    "Reader",
    "Readings",
    "RowsOutOfRange",
    "Settings",
    "Surveyed",
    "Ticker",
    "Writer",
    "WriterClosed",
    "blocks",
    "cat",
    "checkpoint_file",
    "create",
    "load",
    "survey",
    "table",
]
