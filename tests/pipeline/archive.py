"""An archive on the way that a planner takes it: import document, drafted site, compiled record, log, engine, journal.

Nothing here judges: a test gives the files, the import document and, where it wants stages, a plan; it gets what was decided, to hold it
against its own reckoning of the same files.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from flowwatch.adapters.draft import draft_site
from flowwatch.adapters.ingest import EventTime, Report, Source, ingest, time_of
from flowwatch.adapters.lines import opened
from flowwatch.adapters.mapping import Import, load_import
from flowwatch.core.intake import Intake, Movements
from flowwatch.core.network import Network
from flowwatch.core.pending import Rows
from flowwatch.core.readings import MINUTE
from flowwatch.core.scribe import Output
from flowwatch.documents import load, shipped
from flowwatch.documents.actions import Recount, new_id, payload
from flowwatch.host import Host, Start
from flowwatch.journal import Journal
from flowwatch.log import Reader, Writer, create
from flowwatch.workspace import Workspace

READ_ROWS: Final = 100_000
People = tuple[int, int]
"""In and out."""


@dataclass
class Decided:
    """What came of an archive."""

    report: Report
    site_file: Path
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """By reason (lower case), as the journal counts them."""
    movements: dict[str, People] = field(default_factory=dict)
    """By counter, without the site's name."""
    entries: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of all entries with "kind" and "at", in canonical order."""
    minutes: dict[int, dict[str, Any]] = field(default_factory=dict)
    """The zones of each estimate, by time."""

    def changes(self) -> list[tuple[int, str, str]]:
        """The changes of stage after the first stage was taken: (time, from, to)."""
        told = [e for e in self.entries if e["kind"] == "transition" and e["from"] is not None]
        return [(e["at"], e["from"], e["to"]) for e in told]


def import_of(name: str) -> Import:
    """A shipped import document."""
    return load_import(shipped() / "config" / "imports" / f"{name}.yaml")


def written_import(folder: Path, text: str) -> Import:
    """An import document of the test's own."""
    file = folder / "import.yaml"
    file.write_text(text, encoding="utf-8")
    return load_import(file)


def documents(root: Path, document: Import, files: Sequence[Path], stages: Sequence[dict[str, Any]], mend: Callable[[str], str]) -> Path:
    """The drafted site file of an archive, which a planner may `mend`, and beside it a plan with `stages`, if any; gives the site's file."""
    site_file = root / "config" / "sites" / f"{document.site_name}.yaml"
    site_file.parent.mkdir(parents=True)
    site_file.write_text(mend(draft_site(document, sources(document, files))), encoding="utf-8")
    if stages:
        name = document.site_name
        plan = {"plan": name, "site": name, "title": {"zh": name, "en": name}, "stages": list(stages)}
        plan_file = root / "rules" / name / "plan.yaml"
        plan_file.parent.mkdir(parents=True)
        plan_file.write_text(json.dumps(plan, ensure_ascii=False, indent=1), encoding="utf-8")  # JSON is YAML
    return site_file


def sources(document: Import, files: Sequence[Path]) -> list[Source]:
    """The files as sources."""
    return [Source(partial(opened, file), document) for file in files]


class Anchoring:
    """A writer that lets somebody count the people of a zone: `before_tick` may append records right before each tick."""

    def __init__(self, writer: Writer, before_tick: Callable[[Writer, int], None]) -> None:
        self._writer, self._before_tick = writer, before_tick
        self.append, self.append_refused, self.commit, self.resolve = writer.append, writer.append_refused, writer.commit, writer.resolve
        self.last_tick_us = writer.last_tick_us

    def tick(self, at_us: int) -> None:
        self._before_tick(self._writer, at_us)
        self._writer.tick(at_us)
        self.last_tick_us = at_us


def recount(writer: Writer, site: str, zone: str, count: int, counted_at: int, at: int) -> None:
    """An operator's count of a zone, as `flowwatch operate recount` writes it."""
    record = Recount(action=new_id(at), site=site, by="Wang", reason="counted", at_us=at, zone=zone, count=count, counted_at_us=counted_at)
    writer.append_action(site, payload(record), at)


def decide(
    root: Path,
    document: Import,
    files: Sequence[Path],
    *,
    tick_us: int,
    begin_us: int | None = None,
    stages: Sequence[dict[str, Any]] = (),
    mend: Callable[[str], str] = str,
    before_tick: Callable[[Writer, int], None] = lambda _writer, _at: None,
) -> Decided:
    """Bring `files` through a log with ticks of `tick_us` and the engine; `root` is an empty folder.

    `begin_us`: a first tick, right after the documents, so that something is known before the first reading. `before_tick`: see `Anchoring`.
    """
    site_file = documents(root, document, files, stages, mend)
    loaded = load(site_file, [root / "rules" / document.site_name / "plan.yaml"] if stages else [])
    workspace = Workspace(root)
    create(workspace.log, clock="event", tick_us=tick_us, partitions=1)
    with Writer.open(workspace.log) as writer:
        writer.append_document(loaded.payload, 0)
        sink = Anchoring(writer, before_tick)
        if begin_us is not None:
            sink.tick(begin_us)
        timing = time_of(writer, document)
        assert isinstance(timing, EventTime)
        timing.log = sink
        report = ingest(sources(document, files), sink, timing)
        sink.tick(writer.last_tick_us + max(tick_us, MINUTE))  # what was refused in the last minute is told when it is over
    return run(workspace, Decided(report, site_file))


def run(workspace: Workspace, decided: Decided) -> Decided:
    """The log through the engine into a journal; fills in `decided`."""
    with Journal.open(workspace.journal) as journal, counted(decided.movements):

        def write(out: Output) -> None:
            journal.append(out.entries, out.estimates)

        for name in ("p00", "unrouted"):
            with Reader(workspace.log, name) as reader:
                host = Host(workspace.log / name, Start(0, None), write, checkpoint_s=None)
                while host.offset < reader.end():
                    host.take(reader.read(host.offset, READ_ROWS))
                host.close()
                decided.accepted += host.engine.intake.accepted
        for entry in journal.entries():
            decided.entries.append(json.loads(entry.body) | {"kind": entry.kind.value, "at": entry.at})
        decided.minutes = {e.at: json.loads(e.body)["zones"] for e in journal.estimates()}
    for body in decided.entries:
        decided.refused.update(body["counts"] if body["kind"] == "refusals" else {})
    return decided


@contextmanager
def counted(movements: dict[str, People]) -> Iterator[None]:
    """While this is open, what every tick counts is added up by counter."""
    really = Intake.count

    def count(intake: Intake, network: Network, rows: Rows | None, tick: int) -> Movements:
        moved = really(intake, network, rows, tick)
        for code in (moved.ingress + moved.egress).nonzero()[0].tolist():
            name = network.counters[code].split("/", 1)[1]
            before = movements.get(name, (0, 0))
            movements[name] = before[0] + int(moved.ingress[code]), before[1] + int(moved.egress[code])
        return moved

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Intake, "count", count)
        yield
    assert Intake.count is really
