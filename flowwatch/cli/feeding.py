"""The command that gives alerts to other systems as files: `feed cap`."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit
from flowwatch.cli.moments import moment
from flowwatch.cli.workspace import need_log
from flowwatch.workspace import Workspace


@click.group()
def feed() -> None:
    """Alerts for other systems, beside what `serve` tells them."""


@feed.command()
@options.data
@options.deployment
@click.option("--site", help="Only this site's alerts.")
@click.option("--since", metavar="TIME", help="From this moment on: 2026-10-01T09:00+08:00, or 90m (before now).")
@click.option("--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def cap(workspace: Workspace, deployment: Path | None, site: str | None, since: str | None, follow: bool, folder: Path) -> None:
    """Write every alert into FOLDER as a CAP 1.2 file, and atom.xml, which lists the newest. A file that is there and the same is left as it is."""
    import time
    from datetime import UTC

    from msgspec import UnsetType

    from flowwatch.documents.deployment import CapFeed, load_deployment
    from flowwatch.evidence import Evidence
    from flowwatch.feed.cap import Speaker
    from flowwatch.feed.folder import CapFolder
    from flowwatch.journal import Journal
    from flowwatch.log.time import now as log_now

    path = need_log(workspace)
    if not workspace.handling.is_file():
        hint = f"`flowwatch serve --data {workspace.root}` writes one, --data names another folder"
        raise CommandError(Exit.USAGE, f"{workspace.handling}: no record of alerts here yet; {hint}")
    said = None if deployment is None else load_deployment(deployment)
    sender = (CapFeed() if said is None else said.feeds.cap).sender
    public_url = None if said is None or isinstance(said.public_url, UnsetType) else said.public_url
    since_us = None if since is None else moment(since, log_now(path), UTC, back=True)
    folder.mkdir(parents=True, exist_ok=True)
    with Journal.open(workspace.handling, create=False) as book, Evidence(path) as evidence:
        if site is not None and site not in (known := evidence.documents()):
            raise CommandError(Exit.USAGE, f'--site: no site "{site}"; there is {", ".join(sorted(known)) or "none"}')
        out = CapFolder(folder, book, Speaker(sender, public_url), evidence.documents, site, since_us)
        written, there = out.write()
        click.echo(f"{folder}: {there + written:,} alerts, {written:,} of them written", err=True)
        try:
            while follow:
                time.sleep(1)
                written, _ = out.write()
                if written:
                    click.echo(f"{folder}: {written:,} more", err=True)
        except KeyboardInterrupt:
            return
