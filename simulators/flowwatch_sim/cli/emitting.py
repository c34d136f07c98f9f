"""`flowwatch-sim emit`: a scenario as a stream of readings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit
from flowwatch.cli.progress import progress

if TYPE_CHECKING:
    from flowwatch_sim.planned import Planned


@click.command()
@click.argument("scenario", type=click.Path(dir_okay=False, path_type=Path))
@options.documents
@click.option(
    "--sites",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="How many sites send; of a scenario of several, how many times all of them.",
)
@click.option("--days", type=click.IntRange(1, 1000), help="How many different days are recorded for them; 4, or one a site, otherwise.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The first seed.")
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), help="How many times as fast as life; as fast as can be otherwise.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A file for the lines; standard output otherwise.")
@click.option(
    "--log", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A working folder, into whose log the readings go."
)
@click.option("--truth", type=click.Path(dir_okay=False, path_type=Path), help="A file for what really happened.")
@click.option(
    "--site-files", type=click.Path(file_okay=False, path_type=Path), help="A folder for the sites' documents (rules/ and config/)."
)
def emit(
    scenario: Path,
    documents: Path | None,
    sites: int,
    days: int | None,
    seed: int,
    speed: float | None,
    out: Path | None,
    log: Path | None,
    truth: Path | None,
    site_files: Path | None,
) -> None:
    """Send the readings of a SCENARIO (a file, or the name of one that ships) in the reading format (docs/readings.md).

    The schedule does not wait for a slow receiver; how far behind it the stream was is told at the end, on standard error.
    """
    from flowwatch.documents import shipped
    from flowwatch.documents.load import source
    from flowwatch_sim import emit as sending
    from flowwatch_sim.planned import read_scenario
    from flowwatch_sim.shelf import found
    from flowwatch_sim.sinks import Lines, Log
    from flowwatch_sim.stream import DAYS, City, records

    if out is not None and log is not None:
        raise CommandError(Exit.USAGE, "found --out and --log, expected one of them: readings go to one place")
    root = shipped() if documents is None else documents
    planned = read_scenario(source(found(scenario)), root)
    many = min(days or DAYS, sites)
    with progress("living through days", many, "days") as advance:
        recordings = []
        for k in range(many):
            recordings += records(planned, seed + k)
            advance(1)
    together = len(planned.sites)
    city, names = City(recordings, sites * together, seed, together), _names(planned, sites)
    counters = [c["counter"] for place in planned.sites for c in place.layout.site["counters"]]
    if site_files is not None:
        _write_sites(planned, names, site_files, root)
    if truth is not None:
        sending.write_truth(truth, city, names, [place.layout.zones for place in planned.sites], planned.start_us)
    with progress("sending", len(city), "readings") as advance:
        if log is not None:
            from flowwatch.cli.entrance import entrance

            with entrance(log / "log") as to:
                sent = sending.send(city, Log(to, names, counters), planned.start_us, speed=speed, advance=advance)
        elif out is not None:
            with out.open("wb") as file:
                sent = sending.send(city, Lines(file, names, counters), planned.start_us, speed=speed, advance=advance)
        else:
            sent = sending.send(city, Lines(sys.stdout.buffer, names, counters), planned.start_us, speed=speed, advance=advance)
    asked = "" if sent.asked_per_s is None else f" (asked for {sent.asked_per_s:,.0f}/s)"
    late = f"; {sent.late_batches} batches late, by {sent.most_lag_s:.2f} s at most" if speed is not None else ""
    click.echo(f"{sent.readings:,} readings in {sent.seconds:.1f} s, {sent.per_s:,.0f}/s{asked}{late}", err=True)


def _names(planned: Planned, sites: int) -> list[str]:
    return [place.scenario.site if sites == 1 else f"{place.scenario.site}-{i:05d}" for i in range(sites) for place in planned.sites]


def _write_sites(planned: Planned, names: list[str], folder: Path, root: Path) -> None:
    """The sites' documents under each name, so that a log can be made for the city; what plans say of a site beside goes with it."""
    import re

    from flowwatch.documents import find
    from flowwatch.soundness import site_named_in

    files = {site_named_in(s): (s, p) for s, p in find(root)}
    own = [place.scenario.site for place in planned.sites]
    (folder / "config" / "sites").mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        site, tail = own[i % len(own)], name.removeprefix(own[i % len(own)])

        def renamed(file: Path, tail: str = tail) -> str:
            text = file.read_text(encoding="utf-8")
            for one in own:
                text = re.sub(rf"(?m)(^site:|\{{site:)(\s*){re.escape(one)}(?![\w.:-])", rf"\g<1>\g<2>{one}{tail}", text)
            return text

        text = renamed(files[site][0])
        text = re.sub(r"(?m)^(group:\s*[\w.:-]+)", rf"\g<1>{tail}", text) if len(own) > 1 else re.sub(r"(?m)^group:.*\n", "", text)
        (folder / "config" / "sites" / f"{name}.yaml").write_text(text, encoding="utf-8")
        (folder / "rules" / name).mkdir(parents=True, exist_ok=True)
        for plan in files[site][1]:
            (folder / "rules" / name / plan.name).write_text(renamed(plan), encoding="utf-8")
