"""The scenarios that ship."""

from __future__ import annotations

from pathlib import Path

from flowwatch.cli.exits import CommandError, Exit
from flowwatch.documents.faults import did_you_mean, listed, near, quoted


def folder() -> Path:
    """Where they are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "scenarios"
    return inside if inside.is_dir() else package.parent / "scenarios"


def names() -> list[str]:
    """What they are called."""
    return sorted(file.stem for file in folder().glob("*.yaml"))


def found(scenario: Path) -> Path:
    """The file that is meant: itself, or the one that ships under this name. Raises `CommandError`."""
    if scenario.is_file():
        return scenario
    file = folder() / f"{scenario.name}.yaml"
    if len(scenario.parts) == 1 and file.is_file():
        return file
    meant = did_you_mean(near(scenario.name, names()))
    raise CommandError(Exit.USAGE, f"found no file {quoted(str(scenario))}, expected a scenario's file or {listed(names())}{meant}")
