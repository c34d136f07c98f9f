"""However the log is read and whoever reads it, the canonical journal is the same to the letter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from flowwatch.core.readings import SECOND
from flowwatch.core.scribe import Output
from flowwatch.host import Host, find_start
from flowwatch.journal import Journal
from flowwatch.log import Reader, Writer, create
from flowwatch.replay import rebuild, replay
from flowwatch.workspace import Workspace
from tests.core.world import T0
from tests.pipeline.town import append_documents, append_minutes, canonical_digest, copied_log, finish

pytestmark = [pytest.mark.determinism, pytest.mark.slow]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Ten minutes of a town whose documents change twice, decided once by one process."""
    workspace = Workspace(tmp_path_factory.mktemp("town"))
    create(workspace.log, clock="event", partitions=4)
    with Writer.open(workspace.log) as writer:
        now = T0
        for revision in range(3):
            append_documents(writer, revision, now)
            now = append_minutes(writer, revision, now, 200)
    finish(workspace)
    return workspace


def host_in_portions(workspace: Workspace, portions: Iterator[int]) -> None:
    """Decide without Bytewax, reading as many rows at a time as `portions` says."""
    with Journal.open(workspace.journal) as journal:

        def write(out: Output) -> None:
            journal.append(out.entries, out.estimates)

        for folder in sorted(p for p in workspace.log.iterdir() if p.is_dir() and p.name != "inbox"):
            with Reader(workspace.log, folder.name) as reader:
                host = Host(folder, find_start(folder, reader.start(), reader.end()), write)
                while host.offset < reader.end():
                    host.take(reader.read(host.offset, next(portions)))
                host.close()


@pytest.mark.parametrize("seed", range(3))
def test_any_batching_of_the_log_gives_the_same_journal(town: Workspace, tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    other = copied_log(town, tmp_path)
    host_in_portions(other, (int(random.choice([1, 7, 100, 1000, 50_000])) for _ in iter(int, 1)))
    assert canonical_digest(other) == canonical_digest(town)


def test_two_processes_give_the_same_journal_as_one(town: Workspace, tmp_path: Path) -> None:
    other = copied_log(town, tmp_path)
    finish(other, "--workers", "2")
    assert canonical_digest(other) == canonical_digest(town)


def test_two_workers_in_one_process_give_the_same_journal_as_one(town: Workspace, tmp_path: Path) -> None:
    other = copied_log(town, tmp_path)
    finish(other, "--threads", "2")
    assert canonical_digest(other) == canonical_digest(town)


def test_the_town_is_busy_enough_to_prove_something(town: Workspace) -> None:
    with Journal.open(town.journal, create=False) as journal:
        kinds = [entry.kind.value for entry in journal.entries()]
    assert kinds.count("transition") > 100
    assert kinds.count("command") > 300
    assert {"transition", "command", "incident", "action", "document", "refusals", "engine"} == set(kinds)


def test_a_replay_says_identical_for_every_partition(town: Workspace) -> None:
    spans = list(replay(town.log, town.journal))
    assert spans
    assert all(span.identical for span in spans), [str(span) for span in spans]


def test_a_replay_names_the_first_difference_whichever_side_says_more(town: Workspace, tmp_path: Path) -> None:
    other = copied_log(town, tmp_path)
    with Writer.open(other.log) as writer:
        append_documents(writer, 9, writer.last_tick_us, range(1))
        append_minutes(writer, 77, writer.last_tick_us, 5)
    finish(other)
    for log, journal, stored in ((town.log, other.journal, True), (other.log, town.journal, False)):
        found = [span.difference for span in replay(log, journal) if span.difference is not None]
        assert found
        assert all((d.stored is not None, d.offered is not None) == (stored, not stored) for d in found)
        assert all(d.at > T0 + 590 * SECOND for d in found)


def test_a_rebuilt_journal_is_the_old_one(town: Workspace, tmp_path: Path) -> None:
    other = copied_log(town, tmp_path)
    finish(other)
    before = canonical_digest(other)
    kept = rebuild(other.log, other.journal)
    assert kept is not None
    assert kept.exists()
    assert canonical_digest(other) == before


def test_a_log_cut_by_retention_replays_from_the_checkpoint_at_its_start(town: Workspace, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    create(workspace.log, clock="event", partitions=1)
    now = T0
    for piece in range(4):
        with Writer.open(workspace.log, segment_bytes=200_000) as writer:
            if piece == 0:
                append_documents(writer, 0, now)
            now = append_minutes(writer, piece, now, 120)
        finish(workspace)
    with Writer.open(workspace.log) as writer:
        deleted = writer.retain(max_bytes=300_000)
    assert deleted
    assert all(span.identical for span in replay(workspace.log, workspace.journal))
    with Journal.open(workspace.journal, create=False) as journal:
        heads = journal.heads()
    rebuild(workspace.log, workspace.journal)
    with Journal.open(workspace.journal, create=False) as journal:
        again = journal.heads()
    assert {c: h for c, h in again.items() if not c.endswith(".engine")} == {c: h for c, h in heads.items() if not c.endswith(".engine")}
