from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.entries import GENESIS, Estimate
from flowwatch.journal import Conflict, Journal, JournalError, JournalGapError, Standing
from tests.journal.made import chain, exported, minutes

NAMES = ["yuyuan", "bund", "@p03"]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.db") as opened:
        yield opened


@st.composite
def histories(draw: st.DrawFn) -> list[list[tuple[str, int, int]]]:
    """Appends, each of some chains' stretches, that reach every chain's end with repetitions but no gap."""
    ends = dict.fromkeys(NAMES, 0)
    appends = []
    for _ in range(draw(st.integers(1, 12))):
        append = []
        for name in draw(st.permutations(NAMES)):
            start = draw(st.integers(0, ends[name]))
            stop = draw(st.integers(start, 12))
            append.append((name, start, stop))
            ends[name] = max(ends[name], stop)
        appends.append(append)
    return [*appends, [(name, ends[name], 12) for name in NAMES]]


@settings(max_examples=40)
@given(histories(), st.randoms(use_true_random=False))
def test_any_interleaving_and_repetition_of_appends_gives_the_same_canonical_export(
    history: list[list[tuple[str, int, int]]], rng: random.Random
) -> None:
    chains = {name: chain(name, 12) for name in NAMES}
    estimates = {name: minutes(name, 12) for name in NAMES}
    with TemporaryDirectory() as folder, Journal.open(Path(folder) / "plain.db") as plain, Journal.open(Path(folder) / "odd.db") as odd:
        plain.append([e for name in NAMES for e in chains[name]], [m for name in NAMES for m in estimates[name]])
        for append in history:
            entries = [e for name, start, stop in append for e in chains[name][start:stop]]
            some = [m for name, start, stop in append for m in estimates[name][start:stop]]
            rng.shuffle(entries)
            rng.shuffle(some)
            done = odd.append(entries, some)
            assert done.written + done.repeated == len(entries) + len(some)
            assert not done.conflicts
            assert not done.withheld
        assert exported(odd) == exported(plain)
        assert odd.verify() == []


def test_an_append_tells_what_it_wrote_and_what_was_there(journal: Journal) -> None:
    entries, some = chain("yuyuan", 5), minutes("yuyuan", 2)
    assert journal.append(entries[:3], some[:1]).written == 4
    done = journal.append(entries, some)
    assert (done.written, done.repeated, done.withheld) == (3, 4, 0)


def test_an_empty_append_is_allowed(journal: Journal) -> None:
    assert journal.append([]).written == 0


def test_an_entry_without_its_predecessor_is_an_error_that_names_the_command_and_keeps_nothing(journal: Journal) -> None:
    journal.append(chain("yuyuan", 5)[:2])
    with pytest.raises(JournalGapError, match=r'chain "yuyuan": entry 4 has no predecessor.*ends at 2.*expected entry 3.*journal rebuild'):
        journal.append(chain("bund", 1) + chain("yuyuan", 5)[3:])
    assert journal.heads().keys() == {"yuyuan"}


def test_an_entry_that_does_not_link_to_the_stored_one_is_an_error(journal: Journal) -> None:
    journal.append(chain("yuyuan", 2))
    with pytest.raises(JournalGapError, match=r"entry 3 does not link to entry 2.*journal rebuild"):
        journal.append(chain("yuyuan", 3, salt="another story")[2:])


def test_an_entry_whose_hash_is_not_that_of_its_body_is_an_error(journal: Journal) -> None:
    first, second = chain("yuyuan", 2)
    with pytest.raises(JournalGapError):
        journal.append([first, replace(second, body=first.body)])


def test_a_conflict_freezes_its_chain_and_no_other(journal: Journal, tmp_path: Path) -> None:
    journal.append(chain("yuyuan", 3) + chain("bund", 3))
    other = chain("yuyuan", 5, salt="another story")
    done = journal.append(other[1:] + chain("bund", 5), minutes("yuyuan", 1) + minutes("bund", 1))
    assert done.conflicts == (Conflict("yuyuan", 2, chain("yuyuan", 3)[1].hash, other[1].hash, other[1].body),)
    assert "journal rebuild" in str(done.conflicts[0])
    assert (done.written, done.repeated, done.withheld) == (3, 3, 5)
    assert journal.head("yuyuan")[0] == 3
    assert journal.head("bund")[0] == 5
    journal.close()
    with Journal.open(tmp_path / "journal.db", create=False) as again:
        assert again.append(chain("yuyuan", 5)).withheld == 5
        assert list(again.estimates("yuyuan")) == []
        assert again.conflicts() == list(done.conflicts)
        assert [lag.standing for lag in again.behind(again.heads())] == [Standing.FROZEN]


def test_two_entries_of_one_place_in_one_append_are_a_conflict(journal: Journal) -> None:
    done = journal.append(chain("yuyuan", 2) + chain("yuyuan", 2, salt="another story"))
    assert [c.seq for c in done.conflicts] == [1]
    assert (done.written, done.repeated, done.withheld) == (1, 0, 3)


def test_an_estimate_that_differs_from_the_stored_one_freezes_its_sites_chain(journal: Journal) -> None:
    journal.append([], minutes("yuyuan", 3) + minutes("bund", 3))
    done = journal.append(chain("bund", 1), minutes("yuyuan", 4, salt=7) + minutes("bund", 4))
    assert [(c.chain, c.seq) for c in done.conflicts] == [("yuyuan", 0)]
    assert list(journal.estimates("yuyuan", until=minutes("yuyuan", 3)[-1].at + 1)) == minutes("yuyuan", 3)
    assert list(journal.estimates("bund")) == minutes("bund", 4)
    assert journal.append(chain("yuyuan", 1)).withheld == 1


def test_a_rebuilt_chain_may_begin_behind_a_head_whose_log_is_gone(journal: Journal) -> None:
    whole = chain("yuyuan", 9)
    journal.start_after({"yuyuan": (4, whole[3].hash), "bund": (0, GENESIS)})
    with pytest.raises(JournalGapError):
        journal.append(whole[5:])
    journal.append(whole[4:])
    assert journal.verify() == []
    assert journal.behind({"yuyuan": (4, whole[3].hash), "bund": (0, GENESIS)}) == []
    assert journal.heads() == {"yuyuan": (9, whole[8].hash)}
    with pytest.raises(JournalError, match='chain "yuyuan" already ends at entry 9'):
        journal.start_after({"yuyuan": (4, whole[3].hash)})


def test_a_start_is_refused_when_the_journal_is_behind_the_checkpoint_or_differs(journal: Journal) -> None:
    journal.append(chain("yuyuan", 3) + chain("bund", 3) + chain("ahead", 3))
    told = {
        "yuyuan": (5, chain("yuyuan", 5)[4].hash),
        "bund": (2, chain("bund", 2, salt="another story")[1].hash),
        "ahead": (2, chain("ahead", 2)[1].hash),
        "fresh": (0, GENESIS),
        "gone": (1, chain("gone", 1)[0].hash),
    }
    assert [(lag.chain, lag.standing, lag.expected, lag.stored) for lag in journal.behind(told)] == [
        ("yuyuan", Standing.BEHIND, 5, 3),
        ("bund", Standing.DIFFERS, 2, 3),
        ("gone", Standing.BEHIND, 1, 0),
    ]
    with pytest.raises(
        Exception, match=r'"yuyuan" ends at entry 3.*expects entry 5.*"bund" has another entry 2.*`flowwatch journal rebuild`'
    ):
        journal.require(told)
    journal.require({"ahead": told["ahead"]})


def test_a_re_run_is_compared_without_writing_and_the_first_difference_by_time_is_told(journal: Journal) -> None:
    journal.append(chain("yuyuan", 5) + chain("bund", 5), minutes("yuyuan", 3))
    assert journal.first_difference(chain("yuyuan", 5) + chain("bund", 5), minutes("yuyuan", 3)) is None
    changed = chain("bund", 6)
    changed[3] = replace(changed[3], at=changed[3].at + 1)
    found = journal.first_difference(chain("yuyuan", 6) + changed)
    assert found is not None
    assert (found.chain, found.seq, found.stored) == ("bund", 4, chain("bund", 4)[3].body)
    found = journal.first_difference(chain("yuyuan", 6))
    assert found is not None
    assert (found.chain, found.seq, found.stored) == ("yuyuan", 6, None)
    found = journal.first_difference([], [Estimate("yuyuan", minutes("yuyuan", 2)[1].at, b"{}")])
    assert found is not None
    assert (found.chain, found.seq, found.offered) == ("yuyuan", 0, b"{}")
    assert journal.head("yuyuan")[0] == 5
