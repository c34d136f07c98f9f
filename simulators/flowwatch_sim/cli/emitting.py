"""`flowwatch-sim emit`: a scenario as a stream of readings."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit, leave
from flowwatch.cli.progress import progress

if TYPE_CHECKING:
    from flowwatch_sim.planned import Planned
    from flowwatch_sim.sinks import Sink

TOKEN = "FLOWWATCH_TOKEN"  # noqa: S105 - the variable's name


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
@click.option(
    "--to",
    metavar="URL",
    help="http://HOST:PORT, a service, in batches (--token-file or FLOWWATCH_TOKEN); mqtt://HOST:PORT, a broker, a message for each reading "
    "(FLOWWATCH_MQTT_USERNAME, FLOWWATCH_MQTT_PASSWORD); https and mqtts encrypt. There is no Kafka.",
)
@click.option("--token-file", type=click.Path(dir_okay=False, path_type=Path), help="--to http: a file whose first line is the token.")
@click.option("--connections", type=click.IntRange(1, 1000), default=8, show_default=True, help="--to http: so many; a site keeps to one.")
@click.option("--gzip", "compress", is_flag=True, help="--to http: pack the batches.")
@click.option(
    "--patience",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="--to: how many seconds a request is tried, or a broker may acknowledge nothing, before the stream ends.",
)
@click.option("--now", "from_now", is_flag=True, help="The day begins now, not when the scenario says: for a log with a wall clock.")
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
    to: str | None,
    token_file: Path | None,
    connections: int,
    compress: bool,
    patience: float,
    from_now: bool,
    truth: Path | None,
    site_files: Path | None,
) -> None:
    """Send the readings of a SCENARIO (a file, or the name of one that ships) in the reading format (docs/readings.md).

    To standard output, a file (--out), a log (--log), a service over HTTP or an MQTT broker (--to). The exit code is 1 if a receiver refused any.

    The schedule does not wait for a slow receiver; how far behind it the stream was is told at the end, on standard error.
    """
    import time
    from contextlib import ExitStack

    from flowwatch.cli.entrance import entrance
    from flowwatch.documents import shipped
    from flowwatch.documents.load import source
    from flowwatch_sim import emit as sending
    from flowwatch_sim.planned import read_scenario
    from flowwatch_sim.shelf import found
    from flowwatch_sim.sinks import Lines, Log, SinkError
    from flowwatch_sim.stream import DAYS, City, records

    if sum(place is not None for place in (out, log, to)) > 1:
        raise CommandError(Exit.USAGE, "found more than one of --out, --log and --to, expected one of them: readings go to one place")
    if (token_file is not None or compress) and (to is None or not to.startswith("http")):
        raise CommandError(Exit.USAGE, "found --token-file or --gzip without --to http://..., expected both: they are for a service")
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
    with ExitStack() as owned:
        sink: Sink
        if to is not None:
            sink = _network(to, names, counters, token_file, connections=connections, compress=compress, patience_s=patience)
        elif log is not None:
            sink = Log(owned.enter_context(entrance(log / "log")), names, counters)
        elif out is not None:
            sink = Lines(owned.enter_context(out.open("wb")), names, counters)
        else:
            sink = Lines(sys.stdout.buffer, names, counters)
        start_us = time.time_ns() // 1000 if from_now else planned.start_us
        if truth is not None:
            sending.write_truth(truth, city, names, [place.layout.zones for place in planned.sites], start_us)
        with progress("sending", len(city), "readings") as advance:
            try:
                sent = sending.send(city, sink, start_us, speed=speed, advance=advance)
            except SinkError as error:
                so_far = sink.taken()
                raise CommandError(Exit.USAGE, f"{error}; so far: {so_far}" if so_far is not None else str(error)) from error
    asked = "" if sent.asked_per_s is None else f" (asked for {sent.asked_per_s:,.0f}/s)"
    late = f"; {sent.late_batches} batches late, by {sent.most_lag_s:.2f} s at most" if speed is not None else ""
    click.echo(f"{sent.readings:,} readings in {sent.seconds:.1f} s, {sent.per_s:,.0f}/s{asked}{late}", err=True)
    taken = sink.taken()
    if taken is not None:
        click.echo(str(taken), err=True)
        if taken.refused:
            leave(Exit.FINDINGS)


def _network(
    to: str, names: list[str], counters: list[str], token_file: Path | None, *, connections: int, compress: bool, patience_s: float
) -> Sink:
    """A sink at an address."""
    from msgspec import UNSET

    from flowwatch.documents.secrets import SecretError, secret
    from flowwatch_sim.posting import Posts
    from flowwatch_sim.publishing import Messages
    from flowwatch_sim.sinks import Texts

    try:
        match to.partition("://")[0]:
            case "http" | "https":
                file = UNSET if token_file is None else str(token_file)
                token = secret(file, TOKEN, Path()) or ""
                return Posts(to, token, Texts(names, counters), connections=connections, compress=compress, patience_s=patience_s)
            case "mqtt" | "mqtts":
                return Messages(to, names, counters, os.environ, patience_s=patience_s)
    except (ValueError, SecretError) as error:
        raise CommandError(Exit.USAGE, f"--to: {error}") from error
    raise CommandError(Exit.USAGE, f'--to: found "{to}", expected http://HOST:PORT, https://..., mqtt://HOST:PORT or mqtts://...')


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
