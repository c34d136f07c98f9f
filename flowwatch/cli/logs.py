"""The commands about what was seen: `log create | cat | info`."""

from __future__ import annotations

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.moments import span_us
from flowwatch.cli.output import line, moment, table
from flowwatch.cli.workspace import need_log
from flowwatch.workspace import Workspace


@click.group()
def log() -> None:
    """What was seen: create a log, show its records, tell what is in it."""


@log.command()
@options.data
@click.option(
    "--clock",
    type=click.Choice(["wall", "event", "told"]),
    default="wall",
    show_default=True,
    help="Where its time comes from: wall for live use, event for an archive whose time runs with its readings, told for a rehearsal.",
)
@click.option("--tick", default="1s", show_default=True, help="Between two ticks, at which decisions are taken.")
@click.option("--partitions", type=click.IntRange(1, 100), default=16, show_default=True, help="Frozen for the log's life.")
def create(workspace: Workspace, clock: str, tick: str, partitions: int) -> None:
    """Create a log; what is chosen here holds for its whole life. Creating it again with the same settings does nothing."""
    from flowwatch.log import create as make

    settings = make(workspace.log, clock=clock, tick_us=span_us(tick), partitions=partitions)
    click.echo(f"{workspace.log}: clock {settings.clock}, a tick each {settings.tick_us / 1e6:g} s, {settings.partitions} partitions")


@log.command()
@options.data
@click.option("--partition", "partitions", multiple=True, metavar="NAME", help="Only this one (p00, p01, ..., unrouted); may be repeated.")
@click.option("--site", "sites", multiple=True, help="Only the partition of this site; may be repeated.")
@click.option("--start", type=click.IntRange(0), help="The offset to begin with; the oldest record kept if not given.")
@click.option("--limit", type=click.IntRange(1), help="At most so many records of each partition.")
@click.option("--no-ticks", is_flag=True, help="Leave ticks out.")
def cat(
    workspace: Workspace, partitions: tuple[str, ...], sites: tuple[str, ...], start: int | None, limit: int | None, no_ticks: bool
) -> None:
    """Show records as JSON lines: names decoded, times in UTC."""
    from flowwatch.cli.sites import Sites
    from flowwatch.log import cat as rows

    path = need_log(workspace)
    wanted = [*partitions, *(Sites(path).partition(site) for site in sites)]
    for row in rows(path, list(dict.fromkeys(wanted)) or None, start, limit):
        if not (no_ticks and row["kind"] == "tick"):
            line(row)


@log.command()
@options.data
@options.as_json
def info(workspace: Workspace, as_json: bool) -> None:
    """Tell a log's settings, its sites, and how much each partition holds."""
    from contextlib import closing

    from flowwatch.cli.sites import Sites
    from flowwatch.core.readings import ABSENT
    from flowwatch.log import Reader, load
    from flowwatch.log.inbox import staged_files
    from flowwatch.log.segments import offsets, segment_file
    from flowwatch.log.time import last_tick

    path = need_log(workspace)
    settings, sites = load(path), Sites(path)
    partitions = []
    for name in settings.folders:
        firsts = offsets(path / name, ".seg")
        if not firsts:
            continue
        with closing(Reader(path, name)) as reader:
            start, end = reader.start(), reader.end()
        tick = last_tick(path / name)
        partitions.append(
            {
                "partition": name,
                "start": start,
                "end": end,
                "segments": len(firsts),
                "bytes": sum(segment_file(path / name, first).stat().st_size for first in firsts),
                "last_tick": None if tick == ABSENT else moment(tick),
                "sites": " ".join(site for site in sites.names() if sites.partition(site) == name),
            }
        )
    tick_s, staged = settings.tick_us / 1e6, len(staged_files(path))
    if as_json:
        told = {"clock": str(settings.clock), "tick_s": tick_s, "partitions": settings.partitions, "staged": staged}
        line(told | {"holds": partitions})
        return
    click.echo(f"{path}: clock {settings.clock}, a tick each {tick_s:g} s, {settings.partitions} partitions, {staged} files in the inbox")
    if partitions:
        rows = [["-" if value is None else value for value in partition.values()] for partition in partitions]
        table(("partition", "first row", "next row", "segments", "bytes", "last tick", "sites"), rows)
