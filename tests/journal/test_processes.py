from __future__ import annotations

import multiprocessing
import os
import random
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest

from flowwatch.journal import Journal, JournalError, install
from tests.journal.made import append_in_steps, chain, exported, minutes

spawn = multiprocessing.get_context("spawn")


def started(path: Path, names: list[str], length: int, step: int) -> tuple[SpawnProcess, Connection]:
    here, there = spawn.Pipe(duplex=False)
    child = spawn.Process(target=append_in_steps, args=(path, names, length, step, there))
    child.start()
    there.close()
    return child, here


def said(pipe: Connection) -> int:
    """The last that a child said before it ended."""
    last = 0
    try:
        while True:
            last = pipe.recv()
    except EOFError:
        pipe.close()
        return last


def undisturbed(path: Path, names: list[str], length: int) -> bytes:
    with Journal.open(path) as journal:
        journal.append([e for name in names for e in chain(name, length)], [m for name in names for m in minutes(name, length)])
        return exported(journal)


def test_two_processes_append_their_chains_to_one_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    mine, yours = ["yuyuan", "@p03"], ["bund", "@p07"]
    children = [started(path, names, 200, 4) for names in (mine, yours)]
    assert [said(pipe) for _, pipe in children] == [200, 200]
    for child, _ in children:
        child.join()
        assert child.exitcode == 0
    with Journal.open(path) as journal:
        assert exported(journal) == undisturbed(tmp_path / "plain.db", mine + yours, 200)


def test_a_kill_in_an_append_leaves_a_prefix_and_what_was_acknowledged(tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(4))
    print("seed", seed)
    rng = random.Random(seed)
    names, length = ["yuyuan", "bund"], 200
    path = tmp_path / "journal.db"
    whole = {name: chain(name, length) for name in names}
    for _ in range(6):
        child, pipe = started(path, names, length, 1)
        for _ in range(rng.randrange(1, length // 2)):
            acknowledged = pipe.recv()
        child.kill()
        acknowledged = max(acknowledged, said(pipe))
        child.join()
        with Journal.open(path) as journal:
            assert journal.verify() == []
            heads = {name: journal.head(name)[0] for name in names}
            assert len(set(heads.values())) == 1
            assert min(heads.values()) >= acknowledged
            for name in names:
                assert list(journal.entries(name)) == whole[name][: heads[name]]
                assert list(journal.estimates(name)) == minutes(name, length)[: heads[name]]
    child, pipe = started(path, names, length, 1)
    assert said(pipe) == length
    child.join()
    with Journal.open(path) as journal:
        assert exported(journal) == undisturbed(tmp_path / "plain.db", names, length)


def test_a_rebuilt_journal_takes_the_place_of_the_old_one_which_is_kept(tmp_path: Path) -> None:
    old, new = tmp_path / "journal.db", tmp_path / "journal.db.new"
    with Journal.open(old) as journal:
        journal.append(chain("yuyuan", 3, salt="another story"))
    with Journal.open(new) as journal:
        journal.append(chain("yuyuan", 5))
    kept = install(new, old)
    assert kept is not None
    with Journal.open(old, create=False) as journal:
        assert journal.head("yuyuan")[0] == 5
        assert journal.verify() == []
    with Journal.open(kept, create=False) as journal:
        assert journal.head("yuyuan")[0] == 3
    assert sorted(p.name for p in tmp_path.iterdir()) == ["journal.db", "journal.db.replaced-1"]


def test_a_rebuilt_journal_replaces_one_that_cannot_be_opened_and_its_write_ahead_log(tmp_path: Path) -> None:
    old, new = tmp_path / "journal.db", tmp_path / "journal.db.new"
    old.write_bytes(os.urandom(9_000))
    Path(f"{old}-wal").write_bytes(os.urandom(9_000))
    with Journal.open(new) as journal:
        journal.append(chain("yuyuan", 5))
    install(new, old)
    with Journal.open(old, create=False) as journal:
        assert journal.head("yuyuan")[0] == 5
        assert journal.verify() == []
    assert (tmp_path / "journal.db.replaced-1").stat().st_size == 9_000


def test_a_journal_is_not_replaced_while_it_is_open(tmp_path: Path) -> None:
    old, new = tmp_path / "journal.db", tmp_path / "journal.db.new"
    Journal.open(new).close()
    with Journal.open(old) as journal:
        journal.append(chain("yuyuan", 3))
        with pytest.raises(JournalError, match="another process has it open"):
            install(new, old)
        assert journal.append(chain("yuyuan", 4)).written == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["journal.db", "journal.db.new"]
