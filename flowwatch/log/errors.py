"""What the log says when it cannot do its work: one family of errors, each with where, what was found and what was expected."""

from __future__ import annotations

from pathlib import Path


class LogError(Exception):
    """Something about the log is not as it must be: `what` was found in the file or folder `where`; `expected` would be right."""

    def __init__(self, where: Path | str, what: str, expected: str) -> None:
        super().__init__(where, what, expected)
        self.where = str(where)
        self.what = what
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; expected {self.expected}"


class LogLocked(LogError):  # noqa: N818 - an error here is named by what it says
    """Another process writes this log. `pid` is its number, None where the lock does not tell."""

    def __init__(self, where: Path | str, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(where, f"{holder} holds the log's lock", "no other writer of this log (stop it, or stage into the inbox)")
        self.args = (where, pid)
        self.pid = pid


class LogDamaged(LogError):  # noqa: N818
    """Bytes that were accepted are gone or altered. `position` is the byte in the file `where` at which the damage begins."""

    def __init__(self, where: Path | str, position: int, what: str, expected: str) -> None:
        super().__init__(f"{where}:byte {position}", what, expected)
        self.args = (where, position, what, expected)
        self.path = Path(where)
        self.position = position


class DiskRefused(LogError):  # noqa: N818
    """The operating system refused a read or a write: full disk, read-only folder, missing right, failing device."""


class RowsOutOfRange(LogError):  # noqa: N818
    """Rows were asked for that retention has deleted, or that the log never had."""


class BadRecord(LogError):  # noqa: N818
    """A document or an action that the log cannot place: unreadable, another group than the frozen one, an unknown site."""


class WriterClosed(LogError):  # noqa: N818
    """The writer was closed, or a write failed; what was buffered is not in the log. Open it again to go on."""
