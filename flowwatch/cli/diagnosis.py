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
def doctor(workspace: Workspace, documents: Path | None, as_json: bool, lang: options.Language) -> None:
    """Look a working folder over, from disk to clock, and say in plain words what is wrong and what to do. Changes nothing.

    Exit code 1 when somebody must do something.
    """
    import time

    from flowwatch.cli.findings import Grade
    from flowwatch.cli.health import Patient, examine

    troubled = False
    with progress("reading the log", len(list(workspace.log.glob("*/*.seg"))), "files") as advance:
        for finding in examine(Patient(workspace, documents, time.time_ns() // 1000, advance)):
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
