"""The command that reads documents as a planner would want them read: `check`, every fault at once."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import Exit, leave
from flowwatch.cli.output import line


@click.command()
@options.documents
@options.as_json
def check(documents: Path | None, as_json: bool) -> None:
    """Read all sites, plans and import mappings; name every fault with file, line and column (exit code 3), or say what is there."""
    from flowwatch.adapters.mapping import load_import
    from flowwatch.documents import DocumentErrors, Fault, find, load, shipped

    root = shipped() if documents is None else documents
    faults: list[Fault] = []
    good: list[str] = []
    try:
        pairs = find(root)
    except DocumentErrors as errors:
        pairs = []
        faults += errors.faults
    for site_file, plan_file in pairs:
        try:
            loaded = load(site_file, plan_file)
        except DocumentErrors as errors:
            faults += errors.faults
        else:
            record = loaded.site
            stages = len(record["plan"]["stages"]) if record["plan"] else 0
            holds = f"{len(record['zones'])} zones, {len(record['gates'])} gates, {len(record['counters'])} counters, {stages} stages"
            good.append(f"{record['site']}: version {loaded.version}, {holds}")
    for mapping in sorted((root / "config" / "imports").glob("*.yaml")):
        try:
            good.append(f"{load_import(mapping).import_}: import mapping")
        except DocumentErrors as errors:
            faults += errors.faults
    for fault in faults:
        if as_json:
            line({"file": fault.file, "line": fault.line, "column": fault.column, "path": fault.path, "text": fault.text})
        else:
            click.echo(str(fault))
    if faults:
        click.echo(f"{len(faults)} fault{'s' if len(faults) > 1 else ''} in {root}", err=True)
        leave(Exit.DOCUMENTS)
    if not as_json:
        for text in good:
            click.echo(text)
