"""Following a journal that grows: in the order of writing, nothing twice, nothing passed over."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from flowwatch.core.entries import EntryKind
from flowwatch.journal import Journal, JournalError
from flowwatch.journal.follower import BEGINNING, Follower, Place
from tests.journal.made import chain


def test_chains_that_lag_are_heard_all_the_same(tmp_path: Path) -> None:
    dice = random.Random(7)
    chains = {name: chain(name, 40) for name in ("yu", "bund", "@p00")}
    with Journal.open(tmp_path / "j.db") as journal:
        follower = Follower.open(tmp_path / "j.db")
        written, heard = [], []
        while any(chains.values()):
            name = dice.choice([n for n, left in chains.items() if left])
            part, chains[name] = chains[name][:7], chains[name][7:]
            journal.append(part)
            written += part
            assert follower.grew()
            heard += list(follower.new())
            assert not follower.grew()
        assert heard == written
        follower.close()


def test_a_reader_goes_on_where_it_was(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        entries = chain("yu", 30)
        journal.append(entries[:20])
        first = Follower.open(tmp_path / "j.db", kinds=[EntryKind.COMMAND])
        before = list(first.new())
        journal.append(entries[20:])
        second = Follower.open(tmp_path / "j.db", first.place, [EntryKind.COMMAND])
        assert second.fits()
        assert before + list(second.new()) == [e for e in entries if e.kind is EntryKind.COMMAND]
        first.close()
        second.close()


def test_a_place_of_another_journal_does_not_fit(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        journal.append(chain("yu", 5, salt="other"))
    for place, fits in ((Place(3, chain("yu", 3)[2].hash), False), (Place(99, b"x"), False), (BEGINNING, True)):
        follower = Follower.open(tmp_path / "j.db", place)
        assert follower.fits() is fits
        follower.close()


def test_a_journal_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal"):
        Follower.open(tmp_path / "none.db")
