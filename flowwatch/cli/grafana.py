"""The command that gives out the Grafana dashboards: `grafana export`."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit


@click.group()
def grafana() -> None:
    """Dashboards for a Grafana that asks a Prometheus."""


@grafana.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@options.lang
@click.option("--console", metavar="URL", help="How people reach the service: dashboards then link to its run books.")
@click.option("--force", is_flag=True, help="Write over files that are there and say something else.")
def export(folder: Path, lang: options.Language, console: str | None, force: bool) -> None:
    """Write the six dashboards and what provisions them into FOLDER. A file that is there and the same is left as it is."""
    from flowwatch.documents.wires import web_address
    from flowwatch.grafana.dashboards import provisioning, shipped_text

    try:
        if console is not None:
            web_address(console)
    except ValueError:
        raise CommandError(Exit.USAGE, f'--console: "{console}" is no address, expected one such as https://flowwatch.example.cn') from None
    files = {folder / lang / f"{name}.json": text for name, text in shipped_text(lang, console).items()}
    files |= {folder / "provisioning" / name: text for name, text in provisioning(folder).items()}
    there = {file: file.read_text(encoding="utf-8") for file in files if file.is_file()}
    differing = [file for file, text in there.items() if text != files[file]]
    if differing and not force:
        told = ", ".join(str(file.relative_to(folder)) for file in differing[:3])
        raise CommandError(Exit.USAGE, f"{folder}: {told} {'are' if len(differing) > 1 else 'is'} there and different; --force writes over")
    written = [file for file in files if there.get(file) != files[file]]
    for file in written:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(files[file], encoding="utf-8")
    click.echo(f"{folder}: {len(files)} files, {len(written)} of them written", err=True)
