from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from flowwatch.journal import Journal, JournalError
from tests.journal.made import append_on_small_disk, chain, open_as_nobody

spawn = multiprocessing.get_context("spawn")


def test_a_full_database_is_a_clear_error_and_nothing_that_was_kept_is_lost(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal.db") as journal:
        journal.append(chain("yuyuan", 10))
        with journal._database.engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(JournalError, match=r"journal\.db: no space left on the disk.*SQLITE_FULL"):
            journal.append(chain("yuyuan", 1_000))
        assert journal.head("yuyuan")[0] == 10
        with journal._database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        assert journal.append(chain("yuyuan", 1_000)).written == 990
        assert journal.verify() == []


def test_a_file_that_may_not_grow_is_a_clear_error_and_work_goes_on_when_it_may(tmp_path: Path) -> None:
    here, there = spawn.Pipe()
    child = spawn.Process(target=append_on_small_disk, args=(tmp_path / "journal.db", 200_000, there))
    child.start()
    there.close()
    error = here.recv()
    kept, head, breaks = here.recv()
    assert "nothing of this write was kept" in error
    assert 10 < kept == head < 2_000
    assert breaks == []
    assert here.recv() == (2_000, [])
    child.join()
    here.close()


def test_a_user_who_may_only_read_gets_a_clear_error(request: pytest.FixtureRequest) -> None:
    folder = Path(tempfile.mkdtemp(prefix="flowwatch-"))
    request.addfinalizer(lambda: shutil.rmtree(folder))
    with Journal.open(folder / "journal.db") as journal:
        journal.append(chain("bund", 1))
    (folder / "journal.db").chmod(0o444)
    folder.chmod(0o555)
    request.addfinalizer(lambda: folder.chmod(0o755))
    for name in ("journal.db", "new.db"):
        here, there = spawn.Pipe()
        child = spawn.Process(target=open_as_nobody, args=(folder / name, there))
        child.start()
        there.close()
        told = here.recv()
        assert str(folder / name) in told
        assert "expected" in told
        child.join()
        here.close()


def test_what_is_no_journal_is_refused_with_what_it_is(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(os.urandom(10_000))
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("CREATE TABLE visitors (name TEXT)")
    empty = tmp_path / "empty.db"
    empty.touch()
    cases: list[tuple[Path | str, bool, str]] = [
        (garbage, True, "not a database, expected a flowwatch journal"),
        (other, True, "not a flowwatch journal: it holds tables visitors"),
        (empty, False, "not a flowwatch journal: it holds nothing"),
        (tmp_path / "none.db", False, "no journal; `flowwatch run` begins one"),
        (tmp_path / "no" / "folder.db", True, "the folder .*no does not exist"),
        (tmp_path, True, "is a folder or a device, expected a file"),
        ("postgresql://host/flowwatch", True, "postgresql are not supported"),
    ]
    for path, create, told in cases:
        with pytest.raises(JournalError, match=told):
            Journal.open(path, create=create)
    assert not (tmp_path / "none.db").exists()
    assert len(garbage.read_bytes()) == 10_000


def test_a_journal_of_a_later_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal.open(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = '2' WHERE key = 'schema'")
    with pytest.raises(JournalError, match="schema 2, this flowwatch reads schema 1; a later flowwatch wrote it"):
        Journal.open(path)


def test_the_journal_of_another_log_is_refused(tmp_path: Path) -> None:
    Journal.open(tmp_path / "journal.db").close()
    Journal.open(tmp_path / "journal.db", log="a1").close()
    Journal.open(tmp_path / "journal.db", log="a1").close()
    Journal.open(tmp_path / "journal.db").close()
    with pytest.raises(JournalError, match="belongs to the log a1, not to b2"):
        Journal.open(tmp_path / "journal.db", log="b2")


def test_a_damaged_page_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal:
        journal.append(chain("yuyuan", 500))
    data = bytearray(path.read_bytes())
    for page in range(4096 * 16, len(data), 4096):
        data[page : page + 64] = os.urandom(64)
    path.write_bytes(data)
    with Journal.open(path) as journal, pytest.raises(JournalError, match=r"journal\.db: the database is damaged.*journal rebuild"):
        journal.verify()
