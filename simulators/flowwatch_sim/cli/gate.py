"""`flowwatch-gate`: simulated gates that obey a real service over a real network."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import click


@click.command()
@click.option("--site", required=True, help="The site whose devices these are.")
@click.option("--gate", "gates", multiple=True, help="A gate's name; may be given several times.")
@click.option("--device", "devices", multiple=True, help='Another device, such as "barrier/fangbang-road".')
@click.option(
    "--all", "all_of", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Every gate, barrier and sign of a site file."
)
@click.option("--broker", help="HOST:PORT of the MQTT 5 broker.")
@click.option("--username", help="Who we are at the broker; the password is in FLOWWATCH_GATE_PASSWORD.")
@click.option("--http", "http_port", type=click.IntRange(0, 65535), help="Serve HTTP on this port instead (0: a free one, printed).")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Where to serve HTTP; a token from FLOWWATCH_GATE_TOKEN is asked for, if set."
)
@click.option(
    "--memory", type=click.Path(file_okay=False, path_type=Path), default=Path("gate-memory"), show_default=True, help="Kept over restarts."
)
@click.option("--log", "diary", type=click.Path(dir_okay=False, path_type=Path), help="Append everything heard and done, as lines of JSON.")
@click.option("--fault", "faults", multiple=True, help="delay=2s, drop=10s, refuse, jam, lie, deaf or slow.")
@click.option(
    "--turn", "turn_s", type=click.FloatRange(0, 600), default=0.0, show_default=True, help="Seconds that a device takes to turn."
)
@click.option("--lost-after", type=click.FloatRange(0.1, 3600), default=30.0, show_default=True, help="Seconds until it falls to on_lost.")
def main(
    site: str,
    gates: tuple[str, ...],
    devices: tuple[str, ...],
    all_of: Path | None,
    broker: str | None,
    username: str | None,
    http_port: int | None,
    host: str,
    memory: Path,
    diary: Path | None,
    faults: tuple[str, ...],
    turn_s: float,
    lost_after: float,
) -> None:
    """Reference gate controllers: obey docs/gate-protocol.md over MQTT or HTTP, with faults on demand."""
    from flowwatch_sim.gatehouse.diary import Diary
    from flowwatch_sim.gatehouse.faults import Faults
    from flowwatch_sim.gatehouse.fittings import fittings
    from flowwatch_sim.gatehouse.house import House, Manner

    if (broker is None) == (http_port is None):
        raise click.UsageError("found both or none of --broker and --http, expected one of them")
    try:
        manner = Manner(turn_s, lost_after, Faults.parse(",".join(faults)))
        fitted = fittings(site, [*(f"gate/{gate}" for gate in gates), *devices], all_of)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    line = None
    if broker is not None:
        name, _, port = broker.rpartition(":")
        if not name or not port.isascii() or not port.isdigit():
            raise click.UsageError(f'found the broker "{broker}", expected HOST:PORT')
        line = (name, int(port), username, os.environ.get("FLOWWATCH_GATE_PASSWORD"))
    server = None if http_port is None else (host, http_port, os.environ.get("FLOWWATCH_GATE_TOKEN"))
    house = House(site, fitted, memory, manner, Diary(diary), broker=line, http=server)
    house.start()
    click.echo(f"{len(fitted)} devices of {site}" + (f", http port {house.http.port}" if house.http is not None else ""))
    sys.stdout.flush()
    ended = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: ended.set())
    ended.wait()
    house.stop()


if __name__ == "__main__":
    main()
