"""`flowwatch-sim animate`: one day as a moving map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.progress import progress
from flowwatch_sim.cli.reporting import need_plots

if TYPE_CHECKING:
    from flowwatch.words import Language


@click.command()
@click.argument("scenario", type=click.Path(dir_okay=False, path_type=Path))
@options.documents
@click.option("--plan", metavar="FOLDER", help="A folder of plans under rules/ instead of the plans in force.")
@click.option("--site", help="Which site, of a scenario of several; the first otherwise.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Which day.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file, a GIF.")
@options.lang
def animate(scenario: Path, documents: Path | None, plan: str | None, site: str | None, seed: int, out: Path, lang: Language) -> None:
    """One day of a SCENARIO as a moving map: zones by how full they are, gates as they are set, who waits outside."""
    from flowwatch.documents import shipped
    from flowwatch.documents.load import source
    from flowwatch_sim.animation import animate as draw
    from flowwatch_sim.laboratory import Laboratory
    from flowwatch_sim.planned import read_scenario
    from flowwatch_sim.shelf import found, site_of

    need_plots()
    planned = read_scenario(source(found(scenario)), shipped() if documents is None else documents, plan)
    shown = site_of(planned, site)
    with progress("living through the day", round(planned.lasts_s / planned.every_s), "ticks") as advance:
        days = Laboratory(planned, [seed]).run(advance)
    frames = draw(days[shown], planned.sites[shown], out, lang)
    click.echo(f"{out}: {frames} frames", err=True)
