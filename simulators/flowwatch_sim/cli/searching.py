"""`flowwatch-sim search`: bars that cost least in queueing among those that keep people safe."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit
from flowwatch.cli.output import table
from flowwatch.cli.progress import progress

if TYPE_CHECKING:
    from flowwatch.words import Language
    from flowwatch_sim.planned import Planned
    from flowwatch_sim.search import Aim, Confirmed, Search


@click.command()
@click.argument("scenario", type=click.Path(dir_okay=False, path_type=Path))
@options.documents
@click.option(
    "--bar",
    "spans",
    multiple=True,
    required=True,
    metavar="STAGE=LOW:HIGH[:STEP]",
    help="Where a stage's bar may stand, once for each stage.",
)
@click.option(
    "--most",
    "limits",
    multiple=True,
    metavar="ZONE=PEOPLE",
    help="What 95 % of days must stay at or below, in truth; what the scenario expects otherwise.",
)
@click.option(
    "--minimise",
    type=click.Choice(["waited", "turned-away"]),
    default="waited",
    show_default=True,
    help="People-minutes outside, or people.",
)
@click.option("--plan", metavar="FOLDER", help="A folder of plans under rules/ instead of the plans in force.")
@click.option(
    "--sensing", type=click.Choice(["perfect", "declared", "real"]), help="How well counters count; the scenario says it otherwise."
)
@click.option(
    "--candidates", type=click.IntRange(1, 10_000), default=32, show_default=True, help="How many combinations to screen at most."
)
@click.option(
    "--confirm", type=click.IntRange(1, 20), default=3, show_default=True, help="How many of the best to confirm person by person."
)
@click.option("--runs", type=click.IntRange(59, 10_000), default=60, show_default=True, help="How many days of each of these; 59 at least.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The first seed; the others follow it.")
@click.option("--processes", type=click.IntRange(1, 64), help="How many processes; one a core otherwise.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Where tables and manifest go; what is there is not run again."
)
@options.lang
def search(
    scenario: Path,
    documents: Path | None,
    spans: Sequence[str],
    limits: Sequence[str],
    minimise: str,
    plan: str | None,
    sensing: str | None,
    candidates: int,
    confirm: int,
    runs: int,
    seed: int,
    processes: int | None,
    out: Path | None,
    lang: Language,
) -> None:
    """Look for bars that cost least in queueing on a SCENARIO, among those that keep its limits.

    Candidates are screened as a fluid, in seconds; the best are confirmed person by person, on the same days as the bars in force. What the safety
    analysis refuses is never run. Nothing is called better that is not shown to be.
    """
    import tempfile

    from flowwatch.documents import shipped
    from flowwatch.documents.load import source
    from flowwatch_sim import findings
    from flowwatch_sim.grid import read_grid
    from flowwatch_sim.proposals import NoSearchError, Proposals
    from flowwatch_sim.runs import Setup
    from flowwatch_sim.search import Search
    from flowwatch_sim.shelf import found
    from flowwatch_sim.variants import BadBarsError

    sight = sensing if sensing in ("perfect", "declared", "real") else None
    base = Setup(source(found(scenario)), shipped() if documents is None else documents, plan, sight)  # type: ignore[arg-type]
    aim = _aim(minimise, limits, base.planned())
    with tempfile.TemporaryDirectory() as nowhere:
        try:
            grid = read_grid(spans)
            job = Search(base, grid, aim, range(seed, seed + runs), out or Path(nowhere), processes or os.cpu_count() or 1)
            proposals = Proposals(grid, candidates, seed)
        except BadBarsError as error:
            raise CommandError(Exit.USAGE, f"--bar: {error}") from error
        except NoSearchError as error:
            told = f"{error}; or no more than {candidates} combinations ({len(grid)} now), or a greater --candidates"
            raise CommandError(Exit.USAGE, told) from error
        with progress("bars in force", runs, "days") as advance:
            alone = job.live(done=advance)
        with progress("screening", proposals.expected, "candidates") as advance:
            job.screen(alone, proposals, advance)
        chosen = job.best(confirm)
        with progress("confirming", (1 + len(chosen)) * runs, "days") as advance:
            results = job.live(chosen, advance)
        confirmed = job.confirmed(chosen, results)
        if out is not None:
            findings.write(out, job, chosen, results, confirmed)
    _tell(job, confirmed)
    for sentence in findings.conclusion(job, confirmed, lang):
        click.echo(sentence)
    if chosen:
        click.echo(f"the whole comparison: {f'flowwatch-sim report {out}' if out is not None else findings.comparison(job, chosen)}")


def _aim(minimise: str, limits: Sequence[str], planned: Planned) -> Aim:
    from flowwatch.documents.faults import did_you_mean, listed, near, quoted
    from flowwatch_sim.search import Aim, Minimise

    most = {} if limits else dict(planned.scenario.expect.most)
    zones = planned.layout.zones
    for text in limits:
        zone, _, people = text.partition("=")
        if zone not in zones:
            told = f"found {quoted(text)}, expected a zone and people such as {zones[0]}=3000; the zone is {listed(list(zones))}"
            raise CommandError(Exit.USAGE, f"--most: {told}{did_you_mean(near(zone, zones))}")
        if not people.isdecimal() or not int(people):
            raise CommandError(Exit.USAGE, f"--most: found {quoted(text)}, expected people such as {zone}=3000")
        most[zone] = int(people)
    if not most:
        told = f"found no limit: the scenario expects none (expect: most), so say what must hold, such as --most {zones[0]}=3000"
        raise CommandError(Exit.USAGE, told)
    return Aim(Minimise.WAITED if minimise == "waited" else Minimise.TURNED_AWAY, most)


def _tell(job: Search, found: Sequence[Confirmed]) -> None:
    screened = [c for c in job.candidates if c.cost is not None]
    for c in job.candidates:
        if c.refused is not None:
            click.echo(f"left out: {c.refused}", err=True)
    refused = len(job.candidates) - len(screened)
    what = {"queue_time": "people-minutes waited outside", "turned_away": "people turned away"}[job.aim.minimise]
    click.echo(
        f"{len(screened)} candidates screened, {refused} refused by the safety analysis, {len(found) - 1} confirmed on {len(job.seeds)} days; {what}:"
    )
    head = ["bars", "a day", "difference", "95 % interval"]
    head += [f"{zone} ≤ {limit:,}" for zone, limit in job.aim.most.items()]
    lines = []
    for one in found:
        d = one.difference
        bars = ",".join(f"{stage}={people}" for stage, people in one.bars) or "in force"
        cells = [bars, f"{one.cost:,.0f}", *(("", "") if d is None else (f"{d.mean:+,.0f}", f"{d.low:+,.0f} … {d.high:+,.0f}"))]
        cells += [
            f"{'yes' if one.bounds[zone] <= limit else 'NO'}, {one.bounds[zone]:,.0f} ({one.over[zone]} days over)"
            for zone, limit in job.aim.most.items()
        ]
        verdict = (
            ""
            if d is None
            else "better"
            if one.better
            else "limit broken"
            if not one.holds
            else "worse"
            if d.low > 0
            else "no difference shown"
        )
        lines.append((*cells, verdict))
    table((*head, ""), lines)
