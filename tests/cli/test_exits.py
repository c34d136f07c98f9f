"""Every error leaves as one line on stderr and the exit code that is promised for it."""

from __future__ import annotations

import errno
import importlib
import sqlite3
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from flowwatch.cli.exits import _BY_NAME, CommandError, Exit, verdict
from flowwatch.cli.main import Root
from flowwatch.journal import JournalError, UnknownIdError
from flowwatch.log import LogDamaged, LogLocked
from tests.cli.conftest import Invoke


@pytest.mark.parametrize("name", _BY_NAME)
def test_every_error_that_is_named_exists(name: str) -> None:
    module, _, kind = name.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), kind), Exception)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CommandError(Exit.USAGE, "no"), Exit.USAGE),
        (click.UsageError("no"), Exit.USAGE),
        (KeyboardInterrupt(), Exit.INTERRUPTED),
        (OSError(errno.ENOSPC, "No space left on device", "log/p00/x.seg"), Exit.DISK),
        (OSError(errno.EROFS, "Read-only file system", "log"), Exit.DISK),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x.csv"), Exit.USAGE),
        (LogLocked("log/writer.lock", 12), Exit.LOCKED),
        (LogDamaged("log/p00/x.seg", 96, "damaged frame", "whole frames"), Exit.DAMAGE),
        (UnknownIdError("no entry"), Exit.USAGE),
        (JournalError("behind"), Exit.DAMAGE),
        (ZeroDivisionError("oops"), Exit.INTERNAL),
    ],
)
def test_an_error_has_its_promised_code_and_one_line(error: BaseException, code: Exit) -> None:
    found, line = verdict(error)
    assert found is code
    assert line
    assert "\n" not in line


SAID = {sqlite3.SQLITE_FULL: Exit.DISK, sqlite3.SQLITE_BUSY: Exit.LOCKED, sqlite3.SQLITE_CORRUPT: Exit.DAMAGE}


@pytest.mark.parametrize(("sqlite", "code"), SAID.items())
def test_what_sqlite_says_decides_over_an_error_of_the_journal(sqlite: int, code: Exit) -> None:
    cause = sqlite3.OperationalError("said by sqlite")
    cause.sqlite_errorcode = sqlite
    error = JournalError("could not write")
    error.__cause__ = cause
    assert verdict(error)[0] is code


def test_a_fault_of_flowwatch_shows_its_traceback_only_when_asked() -> None:
    @click.group(cls=Root)
    @click.option("--debug", is_flag=True)
    def root(debug: bool) -> None:
        pass

    @root.command()
    def broken() -> None:
        raise ZeroDivisionError("oops")

    quiet = CliRunner().invoke(root, ["broken"])
    assert (quiet.exit_code, quiet.stdout) == (Exit.INTERNAL, "")
    assert quiet.stderr.startswith("flowwatch: a fault of flowwatch itself: ZeroDivisionError: oops; run again with `flowwatch --debug`")
    assert quiet.stderr.count("\n") == 1
    loud = CliRunner().invoke(root, ["--debug", "broken"])
    assert isinstance(loud.exception, ZeroDivisionError)


def test_a_wrong_option_is_one_line_with_the_near_miss(invoke: Invoke) -> None:
    result = invoke("log", "cat", "--dat", "x", code=Exit.USAGE)
    assert result.stderr.count("\n") == 1
    assert "--data" in result.stderr


def test_a_folder_without_a_log_says_how_to_make_one(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("log", "cat", "--data", tmp_path, code=Exit.USAGE)
    assert f"flowwatch log create --data {tmp_path}" in result.stderr
