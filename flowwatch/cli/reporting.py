"""`report DAY`: the day's ledger of every site (电子台账, 运行日报) as HTML to read, print and keep, and as CSV."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit
from flowwatch.cli.moments import date_of
from flowwatch.cli.planning import near_miss
from flowwatch.cli.workspace import need_journal
from flowwatch.workspace import Workspace


@click.command()
@click.argument("day_text", metavar="DAY")
@options.data
@options.lang
@click.option("--site", "wanted", multiple=True, help="Only this site; may be repeated. [default: every site]")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    show_default="here",
    help="The folder to write into; each site gets one of its own in it.",
)
def report(day_text: str, workspace: Workspace, lang: options.Language, wanted: tuple[str, ...], out: Path) -> None:
    """The ledger of DAY (2026-10-01, in each site's time zone): SITE-DAY/ledger.html, which loads nothing from anywhere, and CSV files.

    Readings accepted and refused, people with their band, stages, commands and what came of them, incidents and who handled them when, what
    operators did, and where the chains stood.
    """
    from flowwatch.log.disk import replace_file
    from flowwatch.proof.day import ledger, sites_of
    from flowwatch.proof.page import page
    from flowwatch.proof.sheets import sheets

    day = date_of(day_text)
    need_journal(workspace)
    known = sites_of(workspace)
    for site in wanted:
        if site not in known:
            expected = f"expected one of {', '.join(known) or 'none: nothing was decided yet'}"
            raise CommandError(Exit.USAGE, f'found no site "{site}" in {workspace.journal}, {expected}{near_miss(site, known)}')
    for site in wanted or known:
        found = ledger(workspace, site, day)
        folder = out / f"{site}-{day}"
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / "ledger.html", [page(found, lang).encode()])
        for name, data in sheets(found, lang):
            replace_file(folder / f"{name}.csv", [data])
        without = "" if found.handled else "; no book of handling here"
        click.echo(f"{folder / 'ledger.html'}: {len(found.cases)} incidents, {len(found.orders)} commands{without}")
