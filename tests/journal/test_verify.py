from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.journal import Journal
from tests.journal.made import MINUTE, NOON, attested, chain, minutes


def by_hand(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Journal.open(tmp_path / "journal.db") as journal:
        journal.append(chain("yuyuan", 6) + chain("bund", 6) + attested("tianzifang", minutes("tianzifang", 7)), minutes("tianzifang", 7))
        assert journal.verify() == []
    return tmp_path / "journal.db"


def broken(path: Path) -> list[tuple[str, int]]:
    with Journal.open(path) as journal:
        return [(b.chain, b.seq) for b in journal.verify()]


@settings(max_examples=40)
@given(seq=st.integers(1, 6), place=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_a_change_of_any_byte_of_a_body_is_found_at_its_entry(seq: int, place: int, flip: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        entries = chain("yuyuan", 6)
        with Journal.open(path) as journal:
            journal.append(entries + chain("bund", 6))
        body = bytearray(entries[seq - 1].body)
        body[place % len(body)] ^= flip
        by_hand(path, "UPDATE entries SET body = ? WHERE chain = 'yuyuan' AND seq = ?", bytes(body), seq)
        assert broken(path) == [("yuyuan", seq)]


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("DELETE FROM entries WHERE chain = 'bund' AND seq = 3", ("bund", 3)),
        ("DELETE FROM entries WHERE chain = 'bund' AND seq = 1", ("bund", 1)),
        ("UPDATE entries SET seq = 9 WHERE chain = 'bund' AND seq = 6", ("bund", 9)),
        ("UPDATE entries SET hash = zeroblob(32) WHERE chain = 'bund' AND seq = 4", ("bund", 4)),
        ("UPDATE entries SET kind = 'rumour' WHERE chain = 'bund' AND seq = 5", ("bund", 5)),
        (f"DELETE FROM estimates WHERE at_us = {NOON}", ("tianzifang", 1)),
        (f"UPDATE estimates SET body = CAST('{{}}' AS BLOB) WHERE at_us = {NOON + 3 * MINUTE}", ("tianzifang", 2)),
    ],
)
def test_a_missing_moved_or_changed_row_is_found(path: Path, statement: str, where: tuple[str, int]) -> None:
    by_hand(path, statement)
    assert broken(path) == [where]


def test_a_body_cannot_become_text_by_hand(path: Path) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="cannot store TEXT"):
        by_hand(path, "UPDATE entries SET body = replace(body, 'n', 'm')")


def test_a_break_reads_as_a_sentence(path: Path) -> None:
    by_hand(path, "DELETE FROM entries WHERE chain = 'bund' AND seq = 3")
    with Journal.open(path) as journal:
        assert [str(b) for b in journal.verify()] == ['chain "bund", entry 3: missing, the next is 4']
