"""The commands that run the engine: `run`, `up`, `demo`, `replay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import Exit, leave
from flowwatch.cli.output import line
from flowwatch.cli.progress import progress
from flowwatch.cli.workspace import need_journal, need_log
from flowwatch.workspace import Workspace

if TYPE_CHECKING:
    from flowwatch.replay import Span


@click.command()
@options.data
@options.documents
@options.approvers
@click.option("--until-end", is_flag=True, help="Stop at the log's end instead of following it: for archives.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that share the log's partitions.")
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="Workers in each process.")
@click.option(
    "--checkpoint",
    "checkpoint_s",
    type=click.FloatRange(0.1),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How often a restart point is written.",
)
@click.option("--keep-days", type=click.FloatRange(0), help="Delete what is older from a live log, as far as a replay can spare it.")
@click.option("--keep-gib", type=click.FloatRange(0), help="Delete the oldest from a live log that is larger.")
def run(
    workspace: Workspace, documents: Path | None, approvers: Path | None, keep_days: float | None, keep_gib: float | None, **how: Any
) -> None:
    """Run the engine over the log: ticks, decisions, journal. SIGTERM or Ctrl-C stops it cleanly.

    Documents that changed are accepted first, signed by two people where their roster asks for it; without --documents the log's own stay in
    force.
    """
    from flowwatch import supervisor
    from flowwatch.acceptance import Offered
    from flowwatch.ticker import Keep

    need_log(workspace)
    keep = Keep(None if keep_gib is None else int(keep_gib * 2**30), None if keep_days is None else int(keep_days * 86_400_000_000))
    supervisor.run(workspace.root, Offered(documents, approvers), keep=keep, tell=_tell, **how)


@click.command()
@options.data
@options.documents
@options.approvers
@options.deployment
@options.listen
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that share the log's partitions.")
def up(
    workspace: Workspace, documents: Path | None, approvers: Path | None, deployment: Path | None, listen: str | None, workers: int
) -> None:
    """Keep the engine (`run`) and the service (`serve`) running side by side, each started again when it ends; makes a live log if there is none."""
    import sys

    from flowwatch import log
    from flowwatch.log.settings import settings_file
    from flowwatch.upkeep import Part, Upkeep

    if not settings_file(workspace.log).exists():
        log.create(workspace.log)
        _tell(f"{workspace.log}: a live log was made")
    base = [sys.executable, "-m", "flowwatch"]
    engine = {"--documents": documents, "--approvers": approvers, "--workers": workers}
    service = {"--deployment": deployment, "--listen": listen}
    parts = [
        Part(name, [*base, name, *_given({"--data": workspace.root, **how})], needed=name == "run")
        for name, how in (("run", engine), ("serve", service))
    ]
    meaning = {code.value: code.name.lower() for code in Exit}
    leave(Exit(Upkeep(parts, _tell, frozenset({Exit.USAGE, Exit.DOCUMENTS}), frozenset({Exit.LOCKED}), meaning).run()))


def _given(options: dict[str, Any]) -> list[str]:
    return [text for name, value in options.items() if value is not None for text in (name, str(value))]


@click.command()
@click.option(
    "--data",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="The folder to fill; it must be empty or hold an earlier demo.",
)
@options.documents
@options.lang
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Which of the days of the scenario.")
@click.option("--speed", type=click.FloatRange(min=1), default=None, help="Times real time. [default: over in about a minute]")
@click.option(
    "--scenario",
    type=click.Path(path_type=Path),
    default=Path("demo-holiday"),
    show_default=True,
    metavar="SCENARIO",
    help="The day: a scenario of one site that ships with flowwatch-sim, or a file.",
)
def demo(folder: Path, documents: Path | None, lang: options.Language, **how: Any) -> None:
    """A simulated holiday at Yuyuan, person by person, through the real pipeline, live in the terminal; it ends by itself."""
    from flowwatch.demo import demo as show

    show(folder, documents, lang=lang, **how)


@click.command()
@options.data
@options.as_json
def replay(workspace: Workspace, as_json: bool) -> None:
    """Run the log through the engine again and compare with the journal: "identical", or the first difference (exit code 1)."""
    from flowwatch import replay as replaying

    log, journal = need_log(workspace), need_journal(workspace)
    with progress("replay", replaying.rows(log), "rows") as advance:
        spans = list(replaying.replay(log, journal, advance))
    for span in spans:
        if as_json:
            line(_plain(span))
        else:
            click.echo(str(span))
    if not all(span.identical for span in spans):
        leave(Exit.FINDINGS)


def _plain(span: Span) -> dict[str, Any]:
    found = span.difference
    told: dict[str, Any] = {"partition": span.partition, "engine": span.engine, "first": span.first, "rows": span.rows}
    told |= {"compared": span.repeatable, "identical": span.identical, "difference": None}
    if found is not None:
        bodies = {name: text and text.decode() for name, text in (("stored", found.stored), ("offered", found.offered))}
        told["difference"] = {"chain": found.chain, "seq": found.seq, "at_us": found.at} | bodies
    return told


def _tell(text: str) -> None:
    click.echo(text, err=True)
