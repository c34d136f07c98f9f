"""`flowwatch-sim compare` and `sweep`: the same days under several plans, with differences that are told only where they are shown."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit
from flowwatch.cli.output import number, table
from flowwatch.cli.progress import progress
from flowwatch_sim.cli.reporting import need_plots, write_page

if TYPE_CHECKING:
    from flowwatch.words import Language
    from flowwatch_sim.runs import Result, Setup

SIGHTS = ("perfect", "declared", "real")
SHOWN = ("queue_most", "queue_time", "wait_mean", "wait_p95", "turned_away", "turned_away_share", "switches", "clear_t100", "band")
"""Measures of the table, after peaks and minutes over bars."""
MANY = 20
"""Verdicts at the 95 % level, of which one is expected to be wrong."""


@click.command()
@click.argument("scenario", type=click.Path(dir_okay=False, path_type=Path))
@options.documents
@click.option("--plan", "plans", multiple=True, metavar="FOLDER", help="A folder of plans under rules/, once for each.")
@click.option("--bars", "moved", multiple=True, metavar="STAGE=PEOPLE,...", help="The plan with other bars, once for each variant.")
@click.option("--sensing", "sights", multiple=True, type=click.Choice(SIGHTS), help="Kinds of counters to set side by side.")
@click.option(
    "--operators", "people", multiple=True, metavar="KEY=VALUE,...", help="Other people in charge, such as answer=20m,carry_out=10m."
)
@click.option("--runs", type=click.IntRange(2, 10_000), default=60, show_default=True, help="How many days of each.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The first seed; the others follow it.")
@click.option("--processes", type=click.IntRange(1, 64), help="How many processes; one a core otherwise.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Where tables and manifest go; days found there are not run again."
)
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="A page (HTML, one file) that tells it to people; up to four plans."
)
@options.lang
def compare(
    scenario: Path,
    documents: Path | None,
    plans: Sequence[str],
    moved: Sequence[str],
    sights: Sequence[str],
    people: Sequence[str],
    runs: int,
    seed: int,
    processes: int | None,
    out: Path | None,
    report: Path | None,
    lang: Language,
) -> None:
    """The same days of a SCENARIO under several plans: what is different, and how sure that is.

    The first is what the others are held against: the plans in force, or the first --plan, with its own bars. Nothing is called better or worse
    while the 95 % interval of the difference holds zero; bounds that hold on 95 % of days with 95 % confidence need 59 days.
    """
    from flowwatch_sim.shelf import single

    if report is not None:
        need_plots()
    setups = _setups(scenario, documents, plans, sights, list(moved), people)
    if len(setups) < 2:
        raise CommandError(Exit.USAGE, "found one plan, expected several: --plan twice, --bars, --operators, or --sensing twice")
    if report is not None:
        single(setups[0].planned(), "--report")
    results = _lived(scenario, setups, range(seed, seed + runs), processes, out)
    _tell(setups, results)
    if report is not None:
        write_page(report, setups, results, lang)


@click.command()
@click.argument("scenario", type=click.Path(dir_okay=False, path_type=Path))
@options.documents
@click.option(
    "--bar", "spans", multiple=True, required=True, metavar="STAGE=FROM:TO[:STEP]", help="Bars of a stage to try, once for each stage."
)
@click.option("--runs", type=click.IntRange(2, 10_000), default=20, show_default=True, help="How many days of each.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The first seed; the others follow it.")
@click.option("--processes", type=click.IntRange(1, 64), help="How many processes; one a core otherwise.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Where tables and manifest go; days found there are not run again."
)
def sweep(
    scenario: Path, documents: Path | None, spans: Sequence[str], runs: int, seed: int, processes: int | None, out: Path | None
) -> None:
    """All combinations of bars on a SCENARIO, against the plan as it stands. What the safety analysis refuses is named and left out."""
    from dataclasses import replace

    from flowwatch_sim.grid import read_grid
    from flowwatch_sim.variants import BadBarsError

    setups = _setups(scenario, documents, (), (), [], [])
    try:
        grid = read_grid(spans)
    except BadBarsError as error:
        raise CommandError(Exit.USAGE, f"--bar: {error}") from error
    for bars in grid:
        tried = replace(setups[0], moved=bars)
        try:
            tried.planned()
        except BadBarsError as error:
            click.echo(f"left out: {error}", err=True)
        else:
            setups.append(tried)
    _tell(setups, _lived(scenario, setups, range(seed, seed + runs), processes, out))


def _setups(
    scenario: Path, documents: Path | None, plans: Sequence[str], sights: Sequence[str], moved: Sequence[str], people: Sequence[str]
) -> list[Setup]:
    """Plans by kinds of counters, each as it stands, then with each of the other bars; and all of that with other people in charge."""
    from flowwatch.documents import shipped
    from flowwatch.documents.load import source
    from flowwatch_sim.runs import Setup
    from flowwatch_sim.shelf import found
    from flowwatch_sim.variants import BadBarsError, read_moved, read_operators

    text, root = source(found(scenario)), shipped() if documents is None else documents
    try:
        variants = [(), *(read_moved(one) for one in moved)]
    except BadBarsError as error:
        raise CommandError(Exit.USAGE, f"--bars: {error}") from error
    charges = [(), *(read_operators(one) for one in people)]
    return [
        Setup(text, root, plan, sight, bars, charge)  # type: ignore[arg-type]
        for charge in charges
        for plan in plans or (None,)
        for sight in sights or (None,)
        for bars in variants
    ]


def _lived(scenario: Path, setups: Sequence[Setup], seeds: range, processes: int | None, out: Path | None) -> list[Result]:
    import tempfile

    from flowwatch_sim import runs as days
    from flowwatch_sim.variants import BadBarsError

    try:
        for setup in setups:
            setup.planned()
    except BadBarsError as error:
        raise CommandError(Exit.USAGE, f"--bars: {error}") from error
    with tempfile.TemporaryDirectory() as nowhere, progress(scenario.stem, len(setups) * len(seeds), "days") as advance:
        results = days.run(setups, seeds, out or Path(nowhere), processes or os.cpu_count() or 1, advance)
        if out is not None:
            days.write(out, setups, list(seeds), results)
    return results


def _tell(setups: Sequence[Setup], results: Sequence[Result]) -> None:
    from flowwatch_sim import comparing

    rows = comparing.compare(results).rows.values()
    first, *others = [f"{setup.name}{'' if setup.sight is None else f', {setup.sight}'}" for setup in setups]
    shown = [row for row in rows if row.measure.partition("/")[0] in SHOWN or row.measure.startswith(("peak/", "minutes_over/"))]
    for i, name in enumerate(others):
        click.echo(f"{name} against {first}, {len(results) // len(setups)} days of each, the same people on both")
        lines = []
        for row in shown:
            difference, verdict = row.differences[i], row.verdicts[i]
            if difference is None:
                continue
            mean, other = row.means[0], row.means[i + 1]
            span = f"{number(difference.low)} … {number(difference.high)}"
            lines.append((row.measure, number(mean), number(other), number(difference.mean), span, "" if verdict is None else str(verdict)))
        table(("", "first", "this", "difference", "95 % interval", ""), lines)
    told = sum(row.verdicts[i] is not None for row in shown for i in range(len(others)))
    if told >= MANY:
        click.echo(f"of {told} verdicts one in twenty is chance where nothing differs; a single one proves little")
