"""The scenarios that ship."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flowwatch.cli.exits import CommandError, Exit
from flowwatch.documents.faults import did_you_mean, listed, near, quoted

if TYPE_CHECKING:
    from flowwatch_sim.planned import Planned


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


def single(planned: Planned, what: str) -> None:
    """Raises `CommandError` for a scenario of several sites; `what` is for one only."""
    if planned.beside:
        sites = " and ".join(place.scenario.site for place in planned.sites)
        raise CommandError(Exit.USAGE, f"{what}: found a scenario of {sites}, expected one of a single site")


def site_of(planned: Planned, site: str | None) -> int:
    """The number of one of a scenario's sites; the first, if none is named. Raises `CommandError`."""
    names = [place.scenario.site for place in planned.sites]
    if site is not None and site not in names:
        raise CommandError(Exit.USAGE, f"--site: found {quoted(site)}, expected {listed(names)}{did_you_mean(near(site, names))}")
    return 0 if site is None else names.index(site)
