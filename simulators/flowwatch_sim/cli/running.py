"""`flowwatch-sim run`: a scenario, so many days, a summary, tables, and what was expected."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import Exit, leave
from flowwatch.cli.output import line, number, table
from flowwatch.cli.progress import progress
from flowwatch_sim.cli.reporting import need_plots, write_page

if TYPE_CHECKING:
    from flowwatch.words import Language
    from flowwatch_sim.planned import Planned
    from flowwatch_sim.runs import Result

SHOWN = (
    ("queue_most", "most people waiting outside"),
    ("wait_mean", "wait outside, mean, min"),
    ("wait_p95", "wait outside, 95 %, min"),
    ("turned_away_share", "turned away, share"),
    ("switches", "gates turned"),
    ("clear_t100", "minutes until all are out"),
    ("band", "minutes with the truth inside the band, share"),
)
"""The measures of a summary, after the peaks."""
BETWEEN = (("arrived", "came from another site"), ("went_on", "left for another site"))
"""Those that several sites have besides."""


@click.command()
@click.argument("scenario", type=click.Path(dir_okay=False, path_type=Path))
@options.documents
@click.option("--plan", "plans", multiple=True, metavar="FOLDER", help="A folder of plans under rules/, once for each that is to be run.")
@click.option(
    "--sensing", type=click.Choice(["perfect", "declared", "real"]), help="How well counters count; the scenario says it otherwise."
)
@click.option("--runs", type=click.IntRange(1, 10_000), help="How many days; the scenario says it otherwise.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The first seed; the others follow it.")
@click.option("--processes", type=click.IntRange(1, 64), help="How many processes; one a core otherwise.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Where tables and manifest go; days found there are not run again."
)
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="A page (HTML, one file) that tells it to people.")
@options.as_json
@options.lang
def run(
    scenario: Path,
    documents: Path | None,
    plans: Sequence[str],
    sensing: str | None,
    runs: int | None,
    seed: int,
    processes: int | None,
    out: Path | None,
    report: Path | None,
    as_json: bool,
    lang: Language,
) -> None:
    """Live through days of a SCENARIO (a file, or the name of one that ships) and sum them up.

    The same scenario, plan and seed give the same day to the byte. What the scenario expects is checked on every day (exit code 1).
    """
    import tempfile

    from flowwatch.documents import shipped
    from flowwatch.documents.load import source
    from flowwatch_sim import runs as days
    from flowwatch_sim.expectations import broken
    from flowwatch_sim.shelf import found, single

    if report is not None:
        need_plots()
    file, root = found(scenario), shipped() if documents is None else documents
    sight = sensing if sensing in ("perfect", "declared", "real") else None
    setups = [days.Setup(source(file), root, plan, sight) for plan in plans or (None,)]  # type: ignore[arg-type]
    planned = [setup.planned() for setup in setups]
    if report is not None:
        single(planned[0], "--report")
    seeds = range(seed, seed + (runs or planned[0].scenario.runs))
    with tempfile.TemporaryDirectory() as nowhere, progress(file.stem, len(setups) * len(seeds), "days") as advance:
        folder = out or Path(nowhere)
        results = days.run(setups, seeds, folder, processes or os.cpu_count() or 1, advance)
        if out is not None:
            days.write(out, setups, list(seeds), results)
    for i, place in enumerate(planned):
        mine = results[i * len(seeds) : (i + 1) * len(seeds)]
        _tell(place, mine, as_json=as_json)
    if report is not None:
        write_page(report, setups, results, lang)
    failed = [b for i, place in enumerate(planned) for r in results[i * len(seeds) : (i + 1) * len(seeds)] for b in broken(r, place)]
    for b in failed:
        click.echo(f"{file.name}: seed {b.seed}: {b.key}: expected {b.expected}, found {b.found}", err=True)
    if failed:
        click.echo(
            f"{len(failed)} expectations not met; one day again: flowwatch-sim run {scenario} --seed {failed[0].seed} --runs 1", err=True
        )
        leave(Exit.FINDINGS)


def _tell(planned: Planned, results: Sequence[Result], *, as_json: bool) -> None:
    if as_json:
        for r in results:
            line({"plan": r.plan, "sight": r.sight, "seed": r.seed, **r.measures})
        return
    from flowwatch_sim.measures import of_site

    one = results[0]
    for place in planned.sites:
        days = [of_site(r.measures, planned, place) for r in results]
        texts = (
            {f"peak/{zone}": f"most people in {zone}" for zone in place.layout.zones}
            | dict(SHOWN)
            | dict(BETWEEN if planned.beside else ())
        )
        rows = []
        for name, text in texts.items():
            values = sorted(day[name] for day in days)
            rows.append((text, *(number(v) for v in (values[0], sum(values) / len(values), values[-1]))))
        click.echo(f"{planned.scenario.scenario} at {place.scenario.site}, plans {one.plan}, counters {one.sight}, {len(results)} days")
        table(("", "least", "mean", "most"), rows)
