"""The working folder as commands need it: what is not there yet is an error that says how to get it."""

from __future__ import annotations

from pathlib import Path

from flowwatch.cli.exits import CommandError, Exit
from flowwatch.workspace import Workspace


def need_log(workspace: Workspace) -> Path:
    """The log's folder. Raises `CommandError` where there is none."""
    if not (workspace.log / "settings.json").is_file():
        root = workspace.root
        hint = f"`flowwatch log create --data {root}` makes one, --data names another folder"
        raise CommandError(Exit.USAGE, f"{workspace.log}: no log here; {hint}")
    return workspace.log


def need_journal(workspace: Workspace) -> Path:
    """The journal's file. Raises `CommandError` where there is none."""
    if not workspace.journal.is_file():
        root = workspace.root
        hint = f"`flowwatch run --data {root}` writes one, --data names another folder"
        raise CommandError(Exit.USAGE, f"{workspace.journal}: no journal here yet; {hint}")
    return workspace.journal


def need_book(workspace: Workspace) -> Path:
    """The book of handling. Raises `CommandError` where there is none."""
    if not workspace.handling.is_file():
        root = workspace.root
        hint = f"`flowwatch serve --data {root}` writes one beside a `run`, --data names another folder"
        raise CommandError(Exit.USAGE, f"{workspace.handling}: no book of handling here yet; {hint}")
    return workspace.handling
