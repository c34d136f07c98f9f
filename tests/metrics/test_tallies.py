"""What is counted as it comes: a record that cannot be read is passed over, and what comes behind it is counted all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowwatch.core.entries import Entry, EntryKind, canonical, link
from flowwatch.handling.records import body
from flowwatch.journal import Journal
from flowwatch.metrics.board import Board
from flowwatch.metrics.tallies import Tallies
from tests.handling.made import START, alert

BAD = [b"", b"\x00damaged", b"[]", b"null", b'{"site":"\xff"}', b'{"site":"yuyuan"}']


def chain(*said: tuple[EntryKind, bytes]) -> list[Entry]:
    made, head = list[Entry](), bytes(32)
    for seq, (kind, data) in enumerate(said, 1):
        head = link(head, kind, START, data)
        made.append(Entry("yuyuan", seq, kind, START, data, head))
    return made


def written(path: Path, entries: list[Entry]) -> None:
    with Journal.open(path) as journal:
        journal.append(entries)


@pytest.mark.parametrize("bad", BAD)
def test_what_comes_behind_a_damaged_record_is_counted(tmp_path: Path, bad: bytes) -> None:
    journal, book = tmp_path / "journal.db", tmp_path / "handling.db"
    tallies = Tallies(journal, book)
    command = canonical({"site": "yuyuan", "gate": "gate-1", "mode": "out", "reason": "stage"})
    raised = {
        "site": "yuyuan",
        "incident": "yuyuan-i1",
        "what": "fire",
        "subject": "site",
        "state": "raised",
        "since_us": START,
        "level": "I",
    }
    written(
        journal,
        chain(
            (EntryKind.INCIDENT, bad),
            (EntryKind.COMMAND, bad),
            (EntryKind.TRANSITION, bad),
            (EntryKind.COMMAND, command),
            (EntryKind.INCIDENT, canonical(raised)),
        ),
    )
    written(book, chain((EntryKind.ALERT, bad), (EntryKind.HANDLING, bad), (EntryKind.ALERT, body(alert(level="II")))))
    board = Board()
    tallies.fill(board, {})
    tallies.close()
    found = {(sample.name.removeprefix("flowwatch_"), *sample.labels.values()): sample.value for sample in board.samples() if sample.value}
    assert found == {
        ("gate_commands_total", "yuyuan", "out"): 1,
        ("incidents_total", "yuyuan", "fire"): 1,
        ("alarms_total", "yuyuan", "II"): 1,
    }
