"""The command that shows what to do when an incident is shown: the same pages as the service's, in the terminal."""

from __future__ import annotations

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit
from flowwatch.cli.output import table


@click.command()
@click.argument("kind", required=False)
@options.lang
def runbook(kind: str | None, lang: options.Language) -> None:
    """What to do when an incident of KIND is shown (fire, gate_lost, ...); without a kind, which there are."""
    from flowwatch.handling import runbooks

    if kind is None:
        table(("类别", "手册") if lang == "zh" else ("kind", "run book"), ((name, runbooks.title(name, lang)) for name in runbooks.kinds()))
        return
    from difflib import get_close_matches

    from rich.console import Console
    from rich.markdown import Markdown

    try:
        page = runbooks.text(kind, lang)
    except runbooks.NoRunbookError as error:
        near = get_close_matches(kind, error.kinds, n=1)
        told = f'no run book "{kind}"; did you mean "{near[0]}"?' if near else str(error)
        raise CommandError(Exit.USAGE, told) from error
    Console().print(Markdown(runbooks.linked(page, "{text} (`{kind}`)")))
