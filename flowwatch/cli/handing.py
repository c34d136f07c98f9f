"""The command that shows what a shift hands over: `handover`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit
from flowwatch.cli.output import line
from flowwatch.cli.workspace import need_book
from flowwatch.words import Language
from flowwatch.workspace import Workspace

if TYPE_CHECKING:
    from flowwatch.handling.handover import Open
    from flowwatch.handling.settings import Settings
    from flowwatch.journal import Journal


@click.command()
@options.data
@options.deployment
@options.as_json
@options.lang
@click.option("--site", help="Only this site. [default: every site of the book, one after the other]")
def handover(workspace: Workspace, deployment: Path | None, as_json: bool, lang: Language, site: str | None) -> None:
    """The handover of a shift (交接班): what is open and who answers for it, overrides, shelvings, drills, and what the shift had.

    It only reads. That a shift took over is written in somebody's name by POST /v1/sites/SITE/handover. Clocks and duties are those of
    --deployment, else the usual ones.
    """
    from flowwatch.cli.alarms import chosen
    from flowwatch.documents.alarms import Alarms
    from flowwatch.documents.deployment import load_deployment
    from flowwatch.evidence import Evidence
    from flowwatch.handling.handover import plain
    from flowwatch.handling.page import page
    from flowwatch.handling.records import SERVICE
    from flowwatch.handling.settings import Settings
    from flowwatch.journal import Journal
    from flowwatch.log.time import now
    from flowwatch.picture import Picture
    from flowwatch.service.handovers import gathered

    settings = Settings.of(Alarms() if deployment is None else load_deployment(deployment).alarms)
    picture, now_us = Picture(workspace.journal), now(workspace.log)
    with Journal.open(need_book(workspace), create=False) as book, Evidence(workspace.log) as evidence:
        sites = [name for name in chosen(book, [] if site is None else [site]) if name != SERVICE]
        if not sites:
            raise CommandError(Exit.USAGE, f"{workspace.handling}: the book of handling says nothing of any site yet")
        undelivered = _folded(book, SERVICE, settings)
        for i, name in enumerate(sites):
            document = evidence.document(name)
            found = gathered(
                name,
                now_us,
                standing=picture.site(name),
                book=book,
                document=document,
                incidents=_folded(book, name, settings),
                undelivered=undelivered,
            )
            if as_json:
                line(plain(found) | {"digest": found.digest})
                continue
            if i:
                click.echo()
            for kind, text in page(found, document, lang):
                click.secho(text, bold=kind == "title", fg="red" if kind == "urgent" else None)
    picture.close()


def _folded(book: Journal, chain: str, settings: Settings) -> list[Open]:
    """The open incidents of a chain, as its records say, the most urgent first."""
    from flowwatch.handling.handover import Open
    from flowwatch.handling.incident import Incident
    from flowwatch.handling.ward import Ward

    found = sorted(Ward.of(chain, book.entries(chain)).incidents.values(), key=Incident.order)
    return [Open.of(incident, settings.allowed, settings.duties) for incident in found]
