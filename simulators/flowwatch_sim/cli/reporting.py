"""`flowwatch-sim report`: a folder of results as a page; and how the other commands write theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit

if TYPE_CHECKING:
    from flowwatch.words import Language
    from flowwatch_sim.runs import Result, Setup


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.documents
@click.option(
    "--setup", "chosen", multiple=True, metavar="NAME", help="Tell only of these, the first being what the others are held against."
)
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="The file (HTML); report.html in the folder otherwise.")
@options.lang
def report(folder: Path, documents: Path | None, chosen: Sequence[str], to: Path | None, lang: Language) -> None:
    """A page (HTML, one file) of what run, compare, sweep or search wrote into FOLDER with --out. Nothing is run again."""
    from flowwatch.documents import shipped
    from flowwatch.documents.faults import did_you_mean, listed, near, quoted
    from flowwatch_sim.kept import KeptError, read
    from flowwatch_sim.report.matter import LETTERS

    need_plots()
    try:
        setups, results = read(folder, shipped() if documents is None else documents)
    except KeptError as error:
        raise CommandError(Exit.USAGE, str(error)) from error
    days = len(results) // len(setups)
    names = [f"{setup.name}, {results[k * days].sight}" if _twice(setup, setups) else setup.name for k, setup in enumerate(setups)]
    for name in chosen:
        if name not in names:
            told = f"found {quoted(name)}, expected {listed(names)}{did_you_mean(near(name, names))}"
            raise CommandError(Exit.USAGE, f"--setup: {told}")
    kept = [names.index(name) for name in chosen] or list(range(len(names)))
    if len(kept) > len(LETTERS):
        raise CommandError(
            Exit.USAGE, f"found {len(kept)} setups, a page has room for {len(LETTERS)}: choose with --setup, {listed(names)}"
        )
    shown = [result for k in kept for result in results[k * days : (k + 1) * days]]
    write_page(to or folder / "report.html", [setups[k] for k in kept], shown, lang)


def need_plots() -> None:
    """An error before the work rather than after it, where matplotlib is missing."""
    from flowwatch_sim.report import NoPlotsError
    from flowwatch_sim.report.ink import Paper

    try:
        Paper("en")
    except NoPlotsError as error:
        raise CommandError(Exit.USAGE, str(error)) from error


def write_page(file: Path, setups: Sequence[Setup], results: Sequence[Result], lang: Language) -> None:
    """Write the page and say where it is."""
    from flowwatch_sim.report import write

    write(file, setups, results, lang)
    click.echo(f"report: {file}", err=True)


def _twice(setup: Setup, setups: Sequence[Setup]) -> bool:
    return sum(other.name == setup.name for other in setups) > 1
