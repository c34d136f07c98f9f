"""The command that brings counts into the log: `ingest`, from files or standard input, in flowwatch's own format or through a mapping."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit, leave
from flowwatch.cli.moments import span_us
from flowwatch.cli.output import line, moment
from flowwatch.cli.progress import Advance, progress
from flowwatch.cli.workspace import need_log
from flowwatch.workspace import Workspace

if TYPE_CHECKING:
    from flowwatch.adapters.ingest import Report, Source
    from flowwatch.adapters.lines import Stream
    from flowwatch.adapters.mapping import Import

STDIN: Final = "-"


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=str))
@options.data
@options.documents
@options.approvers
@click.option("--mapping", metavar="NAME|FILE", help="The import mapping of CSV files: a file, or the name of one in config/imports.")
@click.option("--site", help="With --mapping: the site that the counters belong to, if not the mapping's own.")
@click.option("--lateness", metavar="TIME", help="Without --mapping, into an archive's log: how late readings may stand.  [default: 2m]")
@click.option("--draft", is_flag=True, help="With --mapping: do not ingest, but print a first site file with the archive's counters.")
@options.as_json
def ingest(
    workspace: Workspace,
    files: tuple[str, ...],
    documents: Path | None,
    approvers: Path | None,
    mapping: str | None,
    site: str | None,
    lateness: str | None,
    draft: bool,
    as_json: bool,
) -> None:
    """Bring counts into the log: FILES (gzip too), or standard input where none is given or one is "-".

    Without --mapping a line is one reading in flowwatch's own format: {"counter": "yuyuan/turnstile-1", "at":
    "2026-10-01T09:00:00+08:00", "in": 12, "out": 3}. What cannot be read or counted is kept as refused, with its
    reason. Into a log that has no documents yet, those of --documents (or the shipped ones) go first. Exit code 1 when
    not a single reading was taken.
    """
    from flowwatch.adapters.ingest import DEFAULT_LATENESS_US, Source

    if mapping is None and (site is not None or draft):
        raise CommandError(
            Exit.USAGE, "--site and --draft go with --mapping; readings in flowwatch's own format name their site themselves"
        )
    document = None if mapping is None else load_mapping(mapping, documents)
    names = files or (STDIN,)
    sources = [Source(Opener(name), document, site) for name in names]
    if draft and document is not None:
        click.echo(site_file(document, sources, site), nl=False)
        return
    need_log(workspace)
    sizes = [Path(name).stat().st_size if Path(name).is_file() else None for name in names]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    late = DEFAULT_LATENESS_US if lateness is None else span_us(lateness)
    accept(workspace, documents, approvers)
    with progress("ingest", total, "bytes") as advance:
        report, staged = bring(workspace, sources, document, late, Meter(advance))
    if as_json:
        line(plain(report, staged=staged))
    else:
        tell(report, staged=staged)
    if report.rows and not report.readings:
        leave(Exit.FINDINGS)


class Opener:
    """Opens one source when its turn comes."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self) -> AbstractContextManager[Stream]:
        """The file, or standard input, as a stream. Raises `SourceError`."""
        from flowwatch.adapters.lines import Stream, opened

        return nullcontext(Stream(0, "standard input")) if self.name == STDIN else opened(self.name)


class Meter:
    """Turns reports, which say how far the present source was read, into progress over all sources."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._source, self._taken = "", 0

    def __call__(self, report: Report) -> None:
        """Hear of a report."""
        if report.source != self._source:
            self._source, self._taken = report.source, 0
        self._advance(report.taken - self._taken)
        self._taken = report.taken


def load_mapping(mapping: str, documents: Path | None) -> Import:
    """The import document of that file, or of that name in `documents` or among the shipped ones. Raises `CommandError`, `DocumentErrors`."""
    from difflib import get_close_matches

    from flowwatch.adapters.mapping import load_import
    from flowwatch.documents import shipped

    if Path(mapping).suffix:
        return load_import(Path(mapping))
    roots = [shipped()] if documents is None else [shipped(), documents]
    known = {path.stem: path for root in roots for path in sorted((root / "config" / "imports").glob("*.yaml"))}
    if mapping not in known:
        near = get_close_matches(mapping, known, n=1)
        expected = f'did you mean "{near[0]}"?' if near else f"expected a file, or one of {', '.join(known)}"
        raise CommandError(Exit.USAGE, f'no import mapping "{mapping}"; {expected}')
    return load_import(known[mapping])


def site_file(document: Import, sources: list[Source], site: str | None) -> str:
    """A first site file with the counters of an archive. Raises `CommandError` for an archive without any, `CounterNames`, `SourceError`."""
    from flowwatch.adapters.draft import CounterNames, draft_site

    try:
        return draft_site(document, sources, site)
    except CounterNames:
        raise
    except ValueError as error:
        raise CommandError(Exit.USAGE, str(error)) from error


def accept(workspace: Workspace, documents: Path | None, approvers: Path | None) -> None:
    """Put documents into a log that has none yet, or has others than `documents`. Raises `DocumentErrors`."""
    from flowwatch.acceptance import accept_documents

    accept_documents(workspace, documents, lambda text: click.echo(text, err=True), approvers)


def bring(workspace: Workspace, sources: list[Source], document: Import | None, late_us: int, meter: Meter) -> tuple[Report, bool]:
    """Ingest the sources; the report, and whether the rows wait in the inbox. Raises `SourceError`, `LogError`."""
    from flowwatch.adapters.ingest import WallTime, time_of
    from flowwatch.adapters.ingest import ingest as run
    from flowwatch.cli.entrance import LiveSink
    from flowwatch.log import Writer, load
    from flowwatch.log.time import clock_of

    if load(workspace.log).live:
        with LiveSink(workspace) as sink:
            return run(sources, sink, WallTime(clock_of(workspace.log)), meter), sink.staged
    with Writer.open(workspace.log) as writer:
        return run(sources, writer, time_of(writer, document, late_us), meter), False


def plain(report: Report, *, staged: bool) -> dict[str, Any]:
    """The report as data."""
    from flowwatch.core.readings import ABSENT

    refused = {reason.name.lower(): count for reason, count in report.refused.most_common() if count}
    told: dict[str, Any] = {"rows": report.rows, "readings": report.readings, "refused": refused, "unknown": list(report.unknown)}
    told |= {"ahead": report.ahead, "ticks": report.ticks, "staged": staged}
    spans = (("first", report.first_us), ("last", report.last_us))
    return told | {key: None if us == ABSENT else moment(us) for key, us in spans}


def tell(report: Report, *, staged: bool) -> None:
    """Print the report for people."""
    told = plain(report, staged=staged)
    span = f", from {told['first']} to {told['last']}" if told["first"] is not None else ""
    click.echo(f"{report.rows:,} rows: {report.readings:,} readings{span}")
    for reason, count in told["refused"].items():
        click.echo(f"refused: {count:,} {reason}")
    if report.unknown:
        click.echo(
            f"the log's documents have no {', '.join(report.unknown)}; `flowwatch log info` lists the sites, --documents adds others"
        )
    if report.ahead:
        click.echo(f"{report.ahead:,} readings are more than a minute ahead of their receipt; the engine will refuse them")
    if staged:
        click.echo("flowwatch runs on this folder: the rows went through its inbox")
