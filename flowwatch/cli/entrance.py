"""The way into a log for a command: its writer, or its inbox while another process holds the lock.

A `run` ticks only while it holds the log. So a command that reads a live stream for hours must not keep the lock from it: as soon as
somebody runs on the folder, `LiveSink` hands the lock over at its next commit and goes on through the inbox, which the runner drains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from flowwatch.cli.holders import named_process_lives
from flowwatch.core.readings import Ints, Reason
from flowwatch.log import Inbox, LogLocked, Readings, Writer
from flowwatch.workspace import Workspace


@contextmanager
def entrance(log: Path) -> Iterator[Writer | Inbox]:
    """What takes a few rows for the log; commits when the body ends without an error. Raises `LogError`.

    What others staged while nobody held the log is taken in first: an end that was said before a beginning must not end it.
    """
    to = _open(log)
    if isinstance(to, Inbox):
        yield to
        to.commit()
    else:
        with to:
            while to.drain().files:
                pass
            yield to


class LiveSink:
    """Takes rows for a live log for as long as they come, and leaves the lock to whoever runs. Closing it gives the lock back."""

    def __init__(self, workspace: Workspace) -> None:
        """Raises `LogError` where there is no log, or a damaged one."""
        self._workspace = workspace
        self._to = Inbox(workspace.log) if self._wanted() else _open(workspace.log)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(self._to, Writer):
            self._to.close()

    @property
    def staged(self) -> bool:
        """Whether rows go through the inbox."""
        return isinstance(self._to, Inbox)

    def append(self, readings: Readings) -> int | None:
        """Take readings; how many of them are of counters that the log does not know, None where that is seen later."""
        return self._to.append(readings)

    def append_refused(self, raw: bytes, reason: Reason, received_us: int) -> None:
        """Take bytes that are no reading."""
        self._to.append_refused(raw, reason, received_us)

    def resolve(self, names: Sequence[str]) -> Ints:
        """As the writer's; only where `append` has counted unknown names."""
        assert isinstance(self._to, Writer)
        return self._to.resolve(names)

    def commit(self) -> None:
        """Make durable what was taken. Raises `DiskRefused`."""
        self._to.commit()
        if isinstance(self._to, Writer) and self._wanted():
            self._to.close()
            self._to = Inbox(self._workspace.log)

    def _wanted(self) -> bool:
        """Whether somebody who runs on the folder needs the lock."""
        return named_process_lives(self._workspace.run_lock)


def _open(log: Path) -> Writer | Inbox:
    try:
        return Writer.open(log)
    except LogLocked:
        return Inbox(log)
