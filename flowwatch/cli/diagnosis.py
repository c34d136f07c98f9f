"""The command that says what is wrong: `doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import Exit, leave
from flowwatch.cli.output import line
from flowwatch.cli.progress import progress
from flowwatch.workspace import Workspace

MARKS: Final = {"fine": ("ok", "green"), "note": ("..", "yellow"), "trouble": ("!!", "red")}


@click.command()
@options.data
@options.documents
@options.as_json
@options.lang
@click.option("--quick", is_flag=True, help="Do not read log, journal and book of handling from end to end: for every minute.")
@click.option("--url", metavar="URL", help="Ask a running service for its figures instead, such as http://127.0.0.1:8470.")
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --url: the file with a token of the scope metrics:read [default: the variable FLOWWATCH_TOKEN].",
)
def doctor(
    workspace: Workspace,
    documents: Path | None,
    as_json: bool,
    lang: options.Language,
    quick: bool,
    url: str | None,
    token_file: Path | None,
) -> None:
    """Look a working folder over, from disk to clock, and say in plain words what is wrong and what to do. Changes nothing.

    With --url it says the same of a running service, by its figures. Exit code 1 when somebody must do something.
    """
    import time

    from flowwatch.cli.findings import Grade
    from flowwatch.cli.health import Patient, examine
    from flowwatch.cli.remote import figures_of

    troubled = False
    now_us = time.time_ns() // 1000
    with progress("reading the log", 0 if url or quick else len(list(workspace.log.glob("*/*.seg"))), "files") as advance:
        patient = Patient(workspace, documents, now_us, advance, quick=quick)
        found = examine(patient) if url is None else figures_of(url, token_file, now_us)
        for finding in found:
            troubled |= finding.grade is Grade.TROUBLE
            if as_json:
                told = {"finding": finding.key, "grade": finding.grade, "what": finding.what(lang), "do": finding.do(lang)}
                line(told | {"values": finding.values})
            else:
                mark, colour = MARKS[finding.grade]
                click.echo(f"{click.style(mark, fg=colour)}  {finding.what(lang)}")
                if finding.do(lang):
                    click.echo(f"    {finding.do(lang)}")
    if troubled:
        leave(Exit.FINDINGS)
