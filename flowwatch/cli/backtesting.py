"""The command that tries plans on what was recorded: `backtest`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit
from flowwatch.cli.moments import moment
from flowwatch.cli.output import table
from flowwatch.cli.progress import progress

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from flowwatch.backtest import Archive, Contender, Result
    from flowwatch.backtest.sheets import Sheet


@click.command()
@click.argument("archive", type=click.Path(path_type=Path))
@click.option(
    "--plan", "plans", multiple=True, metavar="NAME", help='A folder in rules/, or "log": the documents in the archive. One or two.'
)
@options.documents
@click.option("--site", help="Which site of the archive, where it has several.")
@click.option(
    "--from", "since", metavar="TIME", help="Figures from here on: 2026-10-01T17:30, 17:30 (the first), 90m (after the beginning)."
)
@click.option("--until", metavar="TIME", help="Figures up to here.")
@click.option(
    "--answer",
    type=click.Choice(["yes", "no", "none"]),
    default="yes",
    show_default=True,
    help="What persons say who are asked to confirm: yes at once, no, or nobody answers and time limits decide.",
)
@click.option(
    "--with-operators", is_flag=True, help="Put the archive's overrides, drills and fires to the plans, too, not its recounts alone."
)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Tables, or one JSON object."
)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.png", help="Draw a picture, too (needs matplotlib).")
@options.lang
def backtest(
    archive: Path,
    plans: tuple[str, ...],
    documents: Path | None,
    site: str | None,
    since: str | None,
    until: str | None,
    answer: Literal["yes", "no", "none"],
    with_operators: bool,
    form: Literal["table", "json"],
    plot: Path | None,
    lang: options.Language,
) -> None:
    """Try plans on a recorded day: stages, alerts, gate minutes, peaks, lead times, people in at gates that were to be shut.

    ARCHIVE is a log, or a working folder with one, live or ingested (`flowwatch ingest`). The loop is open: people move as
    they were recorded, whatever a plan asks of the gates. The engine always begins where the archive does, so that --from
    and --until choose what is looked at, and never change it.
    """
    from flowwatch.backtest import Answer, Options
    from flowwatch.backtest import backtest as run
    from flowwatch.backtest.tally import Window

    if not 1 <= len(plans) <= 2:
        raise CommandError(
            Exit.USAGE, f'{len(plans)} --plan given; expected one or two, such as --plan log --plan "{plans[0] if plans else "NAME"}"'
        )
    opened, contenders = _opened(archive, plans, documents, site)
    zone = _zone(contenders[0])
    window = Window(*(None if text is None else _moment(text, opened, zone) for text in (since, until)))
    if window.since is not None and window.until is not None and window.since >= window.until:
        raise CommandError(Exit.USAGE, f'--from "{since}" is not before --until "{until}"')
    if plot is not None:
        _need_plots()
    with progress("backtest", opened.rows, "rows") as advance:
        result = run(opened, contenders, Options(window, Answer(answer), with_operators), advance)
    if plot is not None:
        _draw(result, plot, lang)
    if form == "json":
        _print_json(result)
    else:
        _print_tables(result, lang)


def _opened(archive: Path, plans: tuple[str, ...], documents: Path | None, site: str | None) -> tuple[Archive, list[Contender]]:
    from flowwatch.backtest import LOG, Archive, UnknownPlanError, contender
    from flowwatch.backtest.contenders import loaded_plan
    from flowwatch.documents import shipped

    root = shipped() if documents is None else documents
    try:
        loaded = [None if name == LOG else loaded_plan(name, root) for name in plans]
        named = next((str(found.site["site"]) for found in loaded if found is not None), None)
        opened = Archive(archive, site or named)
        return opened, [contender(name, found, opened) for name, found in zip(plans, loaded, strict=True)]
    except UnknownPlanError as error:
        raise CommandError(Exit.USAGE, str(error)) from error


def _zone(contender: Contender) -> ZoneInfo:
    from zoneinfo import ZoneInfo

    return ZoneInfo(contender.record["time_zone"])


def _moment(text: str, archive: Archive, zone: ZoneInfo) -> int:
    begins = archive.first_tick()
    if begins is None:
        raise CommandError(
            Exit.USAGE, f"{archive.log}: no tick of {archive.site} in it, so that nothing was decided; expected an ingested archive"
        )
    return moment(text, begins, zone)


def _need_plots() -> None:
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise CommandError(Exit.USAGE, "--plot needs matplotlib: `pip install flowwatch-crowd[plots]`")


def _print_json(result: Result) -> None:
    from flowwatch.backtest.comparison import comparison

    told = result.plain() | {"comparison": comparison(result) if len(result.outcomes) == 2 else None}
    sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=1) + "\n")


def _print_tables(result: Result, lang: options.Language) -> None:
    from flowwatch.backtest import comparison, sheets

    for text in sheets.heading(result, lang):
        click.echo(text)
    click.echo(comparison.open_loop(lang))
    for sheet in sheets.sheets(result, lang):
        click.echo()
        _print_sheet(sheet)
    told = comparison.sentences(result, lang)
    if told:
        click.echo()
    for text in told:
        click.echo(f"- {text}")


def _print_sheet(sheet: Sheet) -> None:
    """A drawn table on a terminal, aligned columns elsewhere."""
    if not sys.stdout.isatty():
        click.echo(sheet.title)
        table(*_aligned(sheet))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    drawn = Table(title=sheet.title, title_justify="left", box=SIMPLE_HEAD)
    for i, name in enumerate(sheet.head):
        drawn.add_column(name, justify="right" if i in sheet.numbers else "left")
    for row in sheet.rows:
        drawn.add_row(*row)
    Console().print(drawn)


def _aligned(sheet: Sheet) -> tuple[list[str], list[list[str]]]:
    """Head and rows with numbers set to the right."""
    from rich.cells import cell_len

    rows = [list(sheet.head), *sheet.rows]
    widths = [max(cell_len(row[i]) for row in rows) for i in range(len(sheet.head))]
    set_right = [[" " * (widths[i] - cell_len(text)) + text if i in sheet.numbers else text for i, text in enumerate(row)] for row in rows]
    return set_right[0], set_right[1:]


def _draw(result: Result, file: Path, lang: options.Language) -> None:
    from flowwatch.backtest.picture import NoPlotsError, draw

    try:
        used = draw(result, file, lang)
    except NoPlotsError as error:
        raise CommandError(Exit.USAGE, str(error)) from error
    if used != lang:
        click.echo(f"{file}: in English, since no installed font has Chinese characters (Noto Sans CJK has)", err=True)
