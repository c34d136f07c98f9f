"""The commands about what was decided: `journal show | export | verify | rebuild`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit, leave
from flowwatch.cli.moments import moment
from flowwatch.cli.output import line, table
from flowwatch.cli.progress import progress
from flowwatch.cli.workspace import need_journal, need_log
from flowwatch.workspace import Workspace

if TYPE_CHECKING:
    from flowwatch.core.entries import Entry

KINDS = ("transition", "command", "incident", "action", "document", "refusals", "engine")

SHOWN = 40
"""Findings that `verify` shows."""


@click.group()
def journal() -> None:
    """What was decided: show it, export it, verify its chains, make it again from the log."""


@journal.command()
@options.data
@options.as_json
@click.option("--site", help="Only this site's chain; @p03 names a partition's.")
@click.option("--kind", type=click.Choice(KINDS), help="Only entries of this kind.")
@click.option("--since", metavar="TIME", help="From this moment on: 2026-10-01T09:00+08:00, or 90m (before now).")
@click.option("--until", metavar="TIME", help="Before this moment.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many entries, the newest.")
@click.option("--all", "everything", is_flag=True, help="All of them, from the oldest on.")
@click.option("--estimates", is_flag=True, help="The minute estimates instead of the entries.")
def show(
    workspace: Workspace,
    as_json: bool,
    site: str | None,
    kind: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    everything: bool,
    estimates: bool,
) -> None:
    """Show entries, or minute estimates; `explain` takes an entry's id."""
    import time

    from flowwatch.core.entries import EntryKind
    from flowwatch.journal import Journal
    from flowwatch.journal.export import plain

    now = time.time_ns() // 1000
    since_us, until_us = (None if text is None else moment(text, now, UTC, back=True) for text in (since, until))
    with Journal.open(need_journal(workspace), create=False) as opened:
        if estimates:
            minutes = opened.estimates(site, since_us, until_us)
            for minute in minutes if everything else islice(minutes, limit):
                line(plain(minute))
            return
        chosen = None if kind is None else EntryKind(kind)
        if everything:
            found = opened.entries(site, chosen, since_us, until_us)
        else:
            found = iter(list(opened.entries(site, chosen, since_us, until_us, limit=limit, newest=True))[::-1])
        if as_json:
            for entry in found:
                line(plain(entry))
        else:
            table(("id", "at", "kind", "what"), ((e.id, plain(e)["at"][:19] + "Z", e.kind.value, summary(e)) for e in found))


def summary(entry: Entry) -> str:
    """What an entry says, in codes, on one line."""
    body: dict[str, Any] = json.loads(entry.body)
    level = f" {body['level']}" if body.get("level") else ""
    told: dict[str, Callable[[], str]] = {
        "transition": lambda: f"{body['from']} -> {body['to']} ({body['reason']})",
        "command": lambda: f"{body['gate']} {body['setting']} (revision {body['revision']}, {body['reason']})",
        "device": lambda: f"{body['device']} {body['name']}: {body['state']} (revision {body['revision']}, {body['reason']})",
        "task": lambda: f"{body['task']} {body['state']} ({body['plan']}, {body['stage']})",
        "incident": lambda: f"{body['incident']} {body['state']}: {body['what']} {body['subject']}{level}",
        "action": lambda: f"{body['type']} by {body['record']['by']}: {'accepted' if body['accepted'] else body['refused']}",
        "document": lambda: f"version {body['version']}",
        "refusals": lambda: ", ".join(f"{count} {reason}" for reason, count in body["counts"].items()),
        "engine": lambda: f"engine {body['engine']}",
    }
    return told[entry.kind.value]()


@journal.command()
@options.data
@click.option("--canonical", is_flag=True, help="The form that two journals are compared by: bodies byte for byte.")
@click.option(
    "--parquet", type=click.Path(file_okay=False, path_type=Path), help="Write entries.parquet and estimates.parquet into this folder."
)
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="The file to write instead of stdout.")
def export(workspace: Workspace, canonical: bool, parquet: Path | None, output: Path | None) -> None:
    """Export everything as JSON lines, or as two Parquet tables."""
    from flowwatch.journal import Journal
    from flowwatch.journal.export import canonical_lines, plain_lines

    if parquet is not None and (canonical or output is not None):
        raise CommandError(Exit.USAGE, "--parquet writes into its folder; --canonical and --output are for JSON lines")
    with Journal.open(need_journal(workspace), create=False) as opened:
        if parquet is not None:
            from flowwatch.journal.parquet import write_parquet

            for name, rows in write_parquet(opened, parquet).items():
                click.echo(f"{parquet / name}.parquet: {rows:,} rows", err=True)
            return
        items = opened.walk()
        lines = canonical_lines(items) if canonical else (text.encode() for text in plain_lines(items))
        if output is None:
            for text in lines:
                sys.stdout.buffer.write(text)
            return
        unfinished = output.with_name(output.name + ".part")
        with unfinished.open("wb") as file:
            file.writelines(lines)
        unfinished.replace(output)


@journal.command()
@options.data
@options.as_json
def verify(workspace: Workspace, as_json: bool) -> None:
    """Compute every chain's hashes again; every place that does not fit is named and the exit code is 1 (`audit verify` proves more)."""
    from flowwatch.journal import Journal

    with Journal.open(need_journal(workspace), create=False) as opened:
        heads, breaks, conflicts = opened.heads(), opened.verify(), opened.conflicts()
    if as_json:
        line(
            {
                "chains": {chain: {"entries": seq, "hash": hash_.hex()} for chain, (seq, hash_) in heads.items()},
                "breaks": [
                    {"fault": b.fault.value, "chain": b.chain, "seq": b.seq, "last": b.last, "also": b.also, "what": b.what} for b in breaks
                ],
                "frozen": [{"chain": c.chain, "seq": c.seq} for c in conflicts],
            }
        )
    else:
        findings = [*breaks, *conflicts]
        for finding in findings[:SHOWN]:
            click.echo(str(finding))
        if len(findings) > SHOWN:
            click.echo(f"and {len(findings) - SHOWN:,} more; --json has all")
        click.echo(f"{len(heads)} chains, {sum(seq for seq, _ in heads.values()):,} entries: {len(breaks)} broken, {len(conflicts)} frozen")
    if breaks or conflicts:
        leave(Exit.FINDINGS)


@journal.command()
@options.data
def rebuild(workspace: Workspace) -> None:
    """Make the journal again from the log, beside the old one, which is kept under another name."""
    from flowwatch import replay

    log = need_log(workspace)
    with progress("rebuild", replay.rows(log), "rows") as advance:
        kept = replay.rebuild(log, workspace.journal, advance)
    click.echo(f"{workspace.journal}: made again from the log" + (f"; the old one is {kept}" if kept is not None else ""))
