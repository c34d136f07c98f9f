"""How far decisions have come, as an engine notes it."""

from __future__ import annotations

from pathlib import Path

from flowwatch.decided import Note, Place, decided
from flowwatch.workspace import Workspace


def test_what_was_noted_last_is_read_and_a_new_engine_begins_with_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert decided(workspace, "p00") is None
    note = Note(workspace, "p00")
    assert decided(workspace, "p00") is None
    note.put(Place(7, 1_790_000_000_000_000))
    note.put(Place(9, 1_790_000_001_000_000))
    assert decided(workspace, "p00") == Place(9, 1_790_000_001_000_000)
    note.close()
    Note(workspace, "p00").close()
    assert decided(workspace, "p00") is None


def test_bytes_that_no_engine_wrote_say_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    note = Note(workspace, "p00")
    note.put(Place(7, 8))
    note.close()
    file = workspace.state / "decided" / "p00"
    file.write_bytes(file.read_bytes()[:-1] + b"\x55")
    assert decided(workspace, "p00") is None
