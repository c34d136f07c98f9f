"""What a command's exit code means, and which code and sentence an error becomes.

The codes are a promise to scripts and never change their meaning. An error that a person can mend is one line on stderr that says where,
what was found and what to do; only `--debug` shows a traceback. The packages' errors stand here by name, because importing them would make
every command as slow as the heaviest.
"""

from __future__ import annotations

import errno
import sqlite3
from enum import IntEnum
from typing import Final, NoReturn

import click


class Exit(IntEnum):
    """The exit codes of every `flowwatch` command."""

    OK = 0
    FINDINGS = 1
    """The command did its work and found something: a difference, a finding of the doctor, a broken chain."""
    USAGE = 2
    """The command was asked for something that does not exist or cannot be."""
    DOCUMENTS = 3
    """A site, plan or import document has faults; nothing was changed."""
    DAMAGE = 4
    """The log, a checkpoint or the journal is damaged, or they contradict one another."""
    LOCKED = 5
    """Another process holds the log or runs on the folder."""
    DISK = 6
    """The disk is full, or the folder cannot be written."""
    INTERNAL = 70
    """A fault of flowwatch itself."""
    INTERRUPTED = 130


def leave(code: Exit) -> NoReturn:
    """End the command with this exit code."""
    raise click.exceptions.Exit(code)


class CommandError(Exception):
    """An error whose sentence is meant for the person at the keyboard, with its exit code."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code


_BY_NAME: Final = {
    "flowwatch.log.errors.LogLocked": Exit.LOCKED,
    "flowwatch.log.errors.LogDamaged": Exit.DAMAGE,
    "flowwatch.log.errors.DiskRefused": Exit.DISK,
    "flowwatch.log.errors.BadRecord": Exit.DOCUMENTS,
    "flowwatch.log.errors.LogError": Exit.USAGE,
    "flowwatch.journal.findings.UnknownIdError": Exit.USAGE,
    "flowwatch.journal.database.JournalError": Exit.DAMAGE,
    "flowwatch.core.state.StateError": Exit.DAMAGE,
    "flowwatch.documents.faults.DocumentErrors": Exit.DOCUMENTS,
    "flowwatch.documents.actions.ActionError": Exit.USAGE,
    "flowwatch.approval.keys.KeyFileError": Exit.USAGE,
    "flowwatch.proof.heads.BrokenError": Exit.FINDINGS,
    "flowwatch.proof.heads.HeadError": Exit.USAGE,
    "flowwatch.proof.day.DayError": Exit.USAGE,
    "flowwatch.adapters.lines.SourceError": Exit.USAGE,
    "flowwatch.adapters.draft.CounterNames": Exit.DOCUMENTS,
    "flowwatch.instance.AlreadyRunning": Exit.LOCKED,
    "flowwatch.host.VersionError": Exit.DAMAGE,
    "flowwatch.supervisor.WorkerDied": Exit.INTERNAL,
    "flowwatch.documents.secrets.SecretError": Exit.USAGE,
    "flowwatch.tls.TlsFileError": Exit.USAGE,
}
"""The exit code of each family of errors; the nearest base class that is named decides."""

_BY_SQLITE: Final = {
    sqlite3.SQLITE_FULL: Exit.DISK,
    sqlite3.SQLITE_READONLY: Exit.DISK,
    sqlite3.SQLITE_CANTOPEN: Exit.DISK,
    sqlite3.SQLITE_PERM: Exit.DISK,
    sqlite3.SQLITE_IOERR: Exit.DISK,
    sqlite3.SQLITE_BUSY: Exit.LOCKED,
}
"""What SQLite's primary result code says about an error of the journal, where it says more than "damaged"."""

_DISK: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG}


def verdict(error: BaseException) -> tuple[Exit, str]:
    """The exit code for `error`, and its one line; no line where there is nothing to add."""
    match error:
        case CommandError():
            return error.code, str(error)
        case click.ClickException():
            return Exit.USAGE, _usage(error)
        case KeyboardInterrupt() | EOFError() | click.Abort():
            return Exit.INTERRUPTED, "interrupted"
        case OSError():
            return (Exit.DISK if error.errno in _DISK else Exit.USAGE), _system(error)
    if _name(type(error)) == "flowwatch.supervisor.WorkerDied" and getattr(error, "code", None) in set(Exit):
        return Exit(getattr(error, "code", Exit.INTERNAL)), str(error)
    named = next((_BY_NAME[name] for name in map(_name, type(error).__mro__) if name in _BY_NAME), None)
    if named is None:
        fault = f"a fault of flowwatch itself: {type(error).__name__}: {error}"
        return Exit.INTERNAL, f"{fault}; run again with `flowwatch --debug` for the traceback"
    return _BY_SQLITE.get(_sqlite_code(error), named), str(error)


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _usage(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f" (see `{context.command_path} --help`)" if context is not None else ""
    return " ".join(error.format_message().split()) + hint


def _system(error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    return f"{error.filename}: {reason}" if error.filename is not None else reason


def _sqlite_code(error: BaseException) -> int:
    """The primary result code of the SQLite error behind `error`, 0 where there is none."""
    seen: BaseException | None = error
    while seen is not None:
        origin = getattr(seen, "orig", seen)
        if isinstance(origin, sqlite3.Error):
            return int(getattr(origin, "sqlite_errorcode", 0)) & 0xFF
        seen = seen.__cause__
    return 0
