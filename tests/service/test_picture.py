from __future__ import annotations

from pathlib import Path

import pytest

from flowwatch.core.entries import Entry, EntryKind, link
from flowwatch.picture import Standing
from tests.journal.story import afternoon, evening


@pytest.mark.parametrize("story", [afternoon, evening])
def test_what_stands_is_the_same_whether_the_chain_is_read_backwards_or_taken_entry_by_entry(tmp_path: Path, story: object) -> None:
    assert callable(story)
    journal, _ = story(tmp_path)
    with journal:
        taken = Standing()
        for entry in journal.entries("yuyuan"):
            taken.take(entry)
        read = Standing.of(journal, "yuyuan")
    assert taken.gates
    assert read == taken
    for field in ("stages", "gates", "devices", "incidents", "actions"):
        assert list(getattr(read, field)) == list(getattr(taken, field)), field


DAMAGED = [b"{not JSON", b"\xff", b"[]", b"null", b"{}", b'{"incident":5}', b'{"gate":null,"plan":[],"device":1}']
DAMAGED += [b'{"incident":"yuyuan-i1","state":"raised"}', b'{"x":' * 5_000 + b"1" + b"}" * 5_000]


@pytest.mark.parametrize("body", DAMAGED)
def test_what_was_damaged_says_nothing_and_takes_nothing_from_the_rest(tmp_path: Path, body: bytes) -> None:
    journal, _ = evening(tmp_path)
    with journal:
        whole = list(journal.entries("yuyuan"))
        before = Standing()
        for entry in whole:
            before.take(entry)
        seq, hash_, damaged = whole[-1].seq, whole[-1].hash, list[Entry]()
        for kind in EntryKind:
            seq, hash_ = seq + 1, link(hash_, kind, whole[-1].at, body)
            damaged.append(Entry("yuyuan", seq, kind, whole[-1].at, body, hash_))
        journal.append(damaged)
        after = Standing()
        for entry in journal.entries("yuyuan"):
            after.take(entry)
        read = Standing.of(journal, "yuyuan")
    for found in (after, read):
        assert found.seq == seq
        for field in ("stages", "gates", "devices", "incidents"):
            assert getattr(found, field) == getattr(before, field), field


def test_a_site_of_which_nothing_was_decided_stands_as_it_begins(tmp_path: Path) -> None:
    journal, _ = afternoon(tmp_path)
    with journal:
        assert Standing.of(journal, "nowhere") == Standing()
