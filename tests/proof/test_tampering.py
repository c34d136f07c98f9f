from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.entries import link
from flowwatch.journal import Break, Fault
from flowwatch.proof import ties
from flowwatch.proof.audit import FILES, examine
from flowwatch.workspace import Workspace
from tests.proof.tampering import DEEDS, RENUMBERS, Deed, Forger, tamper
from tests.proof.told import MIDNIGHT, MINUTE, Place, place


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return place(tmp_path_factory.mktemp("sound"))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


def copied(sound: Place, scratch: Path) -> Workspace:
    """The files, anew; everything was folded in when they were closed."""
    for name in FILES:
        shutil.copy(sound.workspace.root / f"{name}.db", scratch / f"{name}.db")
    return Workspace(scratch)


@contextmanager
def forging(path: Path, seed: int) -> Iterator[Forger]:
    with closing(sqlite3.connect(path)) as connection, connection:
        yield Forger(connection, random.Random(seed))


def unnamed(deeds: list[Deed], found: list[Break]) -> list[str]:
    """The places where something was done, and no break says so."""
    return [f"{d.name} {d.chain} {p}" for d in deeds for p in d.places if not any(b.chain == d.chain and b.holds(p) for b in found)]


def unfounded(deeds: list[Deed], found: list[Break]) -> list[str]:
    """The breaks at places where nothing was done."""
    return [str(b) for b in found if not any(b.chain == d.chain and any(b.holds(p) for p in d.places + d.reach) for d in deeds)]


def test_files_that_nobody_touched_have_no_break(sound: Place) -> None:
    found = examine(sound.workspace)
    assert [books.there for books in found.files.values()] == [True, True]
    assert found.findings == []


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), file=st.sampled_from(FILES), wanted=st.lists(st.sampled_from(sorted(DEEDS)), min_size=1, max_size=8))
def test_whatever_is_done_to_entries_is_found_and_named_where_it_was_done(
    sound: Place, scratch: Path, seed: int, file: str, wanted: list[str]
) -> None:
    workspace = copied(sound, scratch)
    lengths = sound.journal if file == "journal" else sound.handling
    with forging(scratch / f"{file}.db", seed) as forger:
        done = tamper(forger, lengths, wanted)
    found = examine(workspace).files[file].breaks
    assert unnamed(done, found) == [], (seed, done, found)
    assert unfounded(done, found) == [], (seed, done, found)


@pytest.mark.parametrize("name", sorted(DEEDS))
@pytest.mark.parametrize("file", FILES)
def test_each_deed_alone_leaves_one_name_for_each_place(sound: Place, scratch: Path, file: str, name: str) -> None:
    for seed in range(10):
        workspace = copied(sound, scratch)
        with forging(scratch / f"{file}.db", seed) as forger:
            done = tamper(forger, sound.journal if file == "journal" else sound.handling, [name])
        found = examine(workspace).files[file].breaks
        assert unnamed(done, found) == unfounded(done, found) == []
        assert len(found) <= len(done[0].places) + len(done[0].reach), (seed, found)


FAULTS = {
    "site": {Fault.ALTERED},
    "hash": {Fault.ALTERED},
    "drop": {Fault.MISSING},
    "insert": {Fault.INSERTED},
    "insert_fitting": {Fault.INSERTED},
    "swap": {Fault.MOVED},
    "swap_far": {Fault.MOVED},
    "swap_words": {Fault.MOVED},
    "move": {Fault.MOVED},
}


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_what_was_done_is_called_what_it_is(sound: Place, scratch: Path, name: str) -> None:
    workspace = copied(sound, scratch)
    with forging(scratch / "journal.db", 7) as forger:
        tamper(forger, {"yuyuan": sound.journal["yuyuan"]}, [name])
    assert {b.fault for b in examine(workspace).files["journal"].breaks} == FAULTS[name]


# ---- what the ties say where the chain alone leaves two places


def told_incidents(workspace: Workspace) -> list[int]:
    with closing(sqlite3.connect(workspace.journal)) as connection:
        asked = "SELECT seq FROM entries WHERE chain = 'yuyuan' AND kind = 'incident' ORDER BY seq"
        return [seq for (seq,) in connection.execute(asked)]


def test_an_entry_that_was_changed_with_its_hash_is_named_by_what_people_were_told(sound: Place, scratch: Path) -> None:
    workspace = copied(sound, scratch)
    seq = told_incidents(workspace)[3]
    with forging(workspace.journal, 1) as forger:
        forger.words_and_hash("yuyuan", seq)
    assert [(t.fault, t.entry) for t in examine(workspace).ties] == [(ties.Fault.ALTERED, f"yuyuan-{seq}")]


def test_bodies_that_nobody_can_read_hide_nothing_else(sound: Place, scratch: Path) -> None:
    """The newest incident's body, and the kind of the newest entry, are broken; an earlier entry was altered, too."""
    workspace = copied(sound, scratch)
    seq, last = told_incidents(workspace)[-1], sound.journal["yuyuan"]
    with forging(workspace.journal, 1) as forger:
        forger.put("yuyuan", 3, at_us=1)
        forger.put("yuyuan", seq, body=b"\x00damaged")
        forger.put("yuyuan", last, kind="rumour")
    found = examine(workspace)
    places = found.files["journal"].breaks
    assert all(any(b.holds(place) for b in places) for place in (3, seq, last)), [str(b) for b in places]
    assert (ties.Fault.ALTERED, f"yuyuan-{seq}") in [(t.fault, t.entry) for t in found.ties] or seq == last


def test_an_entry_taken_out_with_the_rest_numbered_anew_shows_in_what_was_told_behind_it(sound: Place, scratch: Path) -> None:
    workspace = copied(sound, scratch)
    incidents = told_incidents(workspace)
    out = next(seq for seq in range(2, incidents[-2]) if seq not in incidents)
    behind = next(seq for seq in incidents if seq > out)
    with forging(workspace.journal, 1) as forger:
        forger.drop_and_renumber("yuyuan", out)
    (tie,) = examine(workspace).ties
    assert (tie.fault, tie.entry) == (ties.Fault.MOVED, f"yuyuan-{behind}")
    assert "an entry before it was taken out" in tie.what


@pytest.mark.parametrize("seed", range(8))
def test_a_book_that_was_made_anew_without_one_alert_left_something_untold(sound: Place, scratch: Path, seed: int) -> None:
    workspace = copied(sound, scratch)
    with forging(workspace.handling, seed) as forger:
        rows = forger.connection.execute("SELECT seq, body FROM entries WHERE chain = 'yuyuan' AND kind = 'alert' ORDER BY seq").fetchall()
        seq, body = forger.rng.choice(rows[:-2])
        forger.drop_and_renumber("yuyuan", seq)
        rehash(forger, "yuyuan", seq)
    found = examine(workspace)
    entry = body.decode().partition('"entry":"')[2].partition('"')[0]
    assert found.files["handling"].breaks == []
    assert [(t.fault, t.entry) for t in found.ties] == [(ties.Fault.UNTOLD, entry)]


def rehash(forger: Forger, chain: str, since: int) -> None:
    """Give every entry from `since` on the hash that fits."""
    previous = forger.before(chain, since)
    rows = forger.connection.execute("SELECT seq, kind, at_us, body FROM entries WHERE chain = ? AND seq >= ? ORDER BY seq", (chain, since))
    for seq, kind, at, body in rows.fetchall():
        previous = link(previous, kind, at, body)
        forger.put(chain, seq, hash=previous)


# ---- estimates


def spans(sound: Place) -> list[int]:
    """When the site's entries were written: what one attests lies between two of these."""
    with closing(sqlite3.connect(sound.workspace.journal)) as connection:
        return [at for (at,) in connection.execute("SELECT DISTINCT at_us FROM entries WHERE chain = 'yuyuan' ORDER BY at_us")]


ESTIMATES = {
    "changed": "UPDATE estimates SET body = CAST(replace(CAST(body AS TEXT), '\"in\":1', '\"in\":7') AS BLOB) WHERE site = 'yuyuan' AND at_us = ?",
    "missing": "DELETE FROM estimates WHERE site = 'yuyuan' AND at_us = ?",
    "later": "UPDATE estimates SET at_us = at_us + 1 WHERE site = 'yuyuan' AND at_us = ?",
    "elsewhere": "UPDATE estimates SET site = 'another' WHERE site = 'yuyuan' AND at_us = ?",
    "empty": "UPDATE estimates SET body = x'' WHERE site = 'yuyuan' AND at_us = ?",
    "no object": "UPDATE estimates SET body = CAST('[]' AS BLOB) WHERE site = 'yuyuan' AND at_us = ?",
    "no minute": """UPDATE estimates SET body = CAST('{"minute_us":{},"site":"yuyuan"}' AS BLOB) WHERE site = 'yuyuan' AND at_us = ?""",
    "too deep": "UPDATE estimates SET body = CAST(replace(hex(zeroblob(50000)), '0', '[') AS BLOB) WHERE site = 'yuyuan' AND at_us = ?",
    "nothing": "UPDATE estimates SET body = CAST('{}' AS BLOB) WHERE site = 'yuyuan' AND at_us = ?",
}


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**32), names=st.lists(st.sampled_from(sorted(ESTIMATES)), min_size=1, max_size=4))
def test_whatever_is_done_to_estimates_is_found_between_the_entries_that_attest_them(
    sound: Place, scratch: Path, seed: int, names: list[str]
) -> None:
    rng = random.Random(seed)
    workspace = copied(sound, scratch)
    told = spans(sound)
    minutes = rng.sample(range(MIDNIGHT, told[-2], MINUTE), len(names))
    with closing(sqlite3.connect(workspace.journal)) as connection, connection:
        for name, at in zip(names, minutes, strict=True):
            assert connection.execute(ESTIMATES[name], (at,)).rowcount == 1
    found = [b for b in examine(workspace).files["journal"].breaks if b.chain == "yuyuan"]
    assert {b.fault for b in found} == {Fault.ESTIMATES}
    for at in minutes:
        here = [b for b in found if attested(b, told)[0] <= at <= attested(b, told)[1]]
        assert here, (seed, names, minutes, [str(b) for b in found])
    for b in found:
        assert any(attested(b, told)[0] <= at <= attested(b, told)[1] for at in minutes), (seed, str(b))


def attested(b: Break, told: list[int]) -> tuple[int, int]:
    """From the entry before the minutes that a break names to the entry behind them."""
    since = b.since_us if b.since_us is not None else MIDNIGHT
    until = b.until_us if b.until_us is not None else told[-1]
    return max((at for at in told if at < since), default=MIDNIGHT), min((at for at in told if at >= until), default=told[-1])


def test_a_minute_that_was_put_in_is_named_alone(sound: Place, scratch: Path) -> None:
    workspace = copied(sound, scratch)
    at = MIDNIGHT + 7 * MINUTE + 30_000_000
    body = f'{{"minute_us":{at},"site":"yuyuan","stage":"calm","zones":{{}}}}'.encode()
    with closing(sqlite3.connect(workspace.journal)) as connection, connection:
        connection.execute("INSERT INTO estimates VALUES (?, 'yuyuan', ?)", (at, body))
    (found,) = examine(workspace).files["journal"].breaks
    assert (found.fault, found.since_us, found.until_us) == (Fault.ESTIMATES, at, at)


def test_deeds_that_renumber_say_so() -> None:
    assert set(RENUMBERS) <= set(DEEDS)
