from __future__ import annotations

import json
import random
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.approval import keys
from flowwatch.core.entries import canonical
from flowwatch.proof import audit, heads
from flowwatch.proof.audit import FILES, OfHead, examine
from flowwatch.proof.heads import BrokenError, HeadError, Kept
from flowwatch.workspace import Workspace
from tests.proof.tampering import Forger
from tests.proof.test_tampering import copied, forging, rehash
from tests.proof.told import DAY, MIDNIGHT, Place, place

DAYS = [date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 3)]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Three days."""
    return place(tmp_path_factory.mktemp("sound"), days=3, a_day=15)


@pytest.fixture(scope="module")
def key() -> keys.PrivateKey:
    return keys.PrivateKey.generate()


@pytest.fixture(scope="module")
def kept(sound: Place, key: keys.PrivateKey) -> list[Kept]:
    """A head of each day, each behind the one before."""
    found: list[Kept] = []
    for day in DAYS:
        made = audit.make(sound.workspace, day, key, installation="made-up", previous=found[-1] if found else None)
        found.append(heads.kept(heads.written(made), f"{day}.json"))
    return found


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


def against(workspace: Workspace, kept: list[Kept], key: keys.PrivateKey) -> list[OfHead]:
    return examine(workspace, kept, keys.public(key)).against_heads


def test_files_that_nobody_touched_pass_through_every_head(sound: Place, kept: list[Kept], key: keys.PrivateKey) -> None:
    assert examine(sound.workspace, kept, keys.public(key)).findings == []


def test_a_head_says_where_every_chain_was_at_the_end_of_its_day(sound: Place, kept: list[Kept]) -> None:
    head = kept[1].head
    assert (head.zone, head.since_us, head.until_us) == ("UTC", MIDNIGHT + DAY, MIDNIGHT + 2 * DAY)
    for name in FILES:
        with closing(sqlite3.connect(sound.workspace.root / f"{name}.db")) as connection:
            asked = "SELECT chain, max(seq), sum(at_us >= ?) FROM entries WHERE at_us < ? GROUP BY chain"
            told = {chain: (seq, n) for chain, seq, n in connection.execute(asked, (head.since_us, head.until_us))}
        assert {chain: (one.seq, one.entries) for chain, one in head.files[name].chains.items()} == told
    assert {site: day.count for site, day in head.files["journal"].estimates.items()} == {"bund": 60, "yuyuan": 60}


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), file=st.sampled_from(FILES), data=st.data())
def test_an_end_that_is_missing_is_found_by_the_first_head_that_signed_it(
    sound: Place, scratch: Path, kept: list[Kept], key: keys.PrivateKey, seed: int, file: str, data: st.DataObject
) -> None:
    workspace = copied(sound, scratch)
    chain = data.draw(st.sampled_from(sorted(getattr(sound, file))))
    left = data.draw(st.integers(0, kept[-1].head.files[file].chains[chain].seq - 1))
    with forging(scratch / f"{file}.db", seed) as forger:
        forger.connection.execute("DELETE FROM entries WHERE chain = ? AND seq > ?", (chain, left))
    found = [f for f in against(workspace, kept, key) if f.chain == chain and f.file == file]
    first = next(one.head.day for one in kept if chain in one.head.files[file].chains and one.head.files[file].chains[chain].seq > left)
    assert found[0].day == first
    assert ("is gone" if left == 0 else f"ends at entry {left}") in found[0].what


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), file=st.sampled_from(FILES), data=st.data())
def test_a_chain_made_anew_from_some_place_on_is_found_and_the_last_sound_day_named(
    sound: Place, scratch: Path, kept: list[Kept], key: keys.PrivateKey, seed: int, file: str, data: st.DataObject
) -> None:
    """Every hash is right again: the chain itself shows nothing."""
    workspace = copied(sound, scratch)
    chain = data.draw(st.sampled_from(sorted(getattr(sound, file))))
    since = data.draw(st.integers(1, kept[-1].head.files[file].chains[chain].seq))
    with forging(scratch / f"{file}.db", seed) as forger:
        made_anew(forger, chain, since, deed=data.draw(st.sampled_from(("lie", "drop", "swap"))))
    found = examine(workspace, kept, keys.public(key))
    assert [b for b in found.files[file].breaks if b.since_us is None] == []
    told = [f for f in found.against_heads if f.chain == chain and f.file == file]
    sound_days = [one.head.day for one in kept if chain in one.head.files[file].chains and one.head.files[file].chains[chain].seq < since]
    assert told
    assert told[0].day == next(one.head.day for one in kept if chain in one.head.files[file].chains and one.head.day not in sound_days)
    assert told[0].passed == (sound_days[-1] if sound_days else None)


def made_anew(forger: Forger, chain: str, since: int, deed: str) -> None:
    last = forger.connection.execute("SELECT max(seq) FROM entries WHERE chain = ?", (chain,)).fetchone()[0]
    if deed == "drop":
        forger.drop_and_renumber(chain, since)
        if since < last:
            rehash(forger, chain, since)
    elif deed == "swap" and since < last:
        forger.swap(chain, since)
        rehash(forger, chain, since)
    else:
        forger.put(chain, since, body=forger.lie(forger.row(chain, since)[2]))
        rehash(forger, chain, since)


@pytest.mark.parametrize("seed", range(6))
def test_estimates_behind_the_last_entry_are_attested_by_the_head(
    sound: Place, scratch: Path, kept: list[Kept], key: keys.PrivateKey, seed: int
) -> None:
    workspace = copied(sound, scratch)
    at = MIDNIGHT + 2 * DAY + 59 * 60_000_000
    deeds = (
        "DELETE FROM estimates WHERE at_us = ? AND site = 'bund'",
        "UPDATE estimates SET body = body || x'20' WHERE at_us = ? AND site = 'bund'",
    )
    with closing(sqlite3.connect(workspace.journal)) as connection, connection:
        connection.execute(deeds[seed % 2].replace("body || x'20'", "CAST(CAST(body AS TEXT) || ' ' AS BLOB)"), (at,))
    (found,) = [f for f in against(workspace, kept, key) if f.chain == "bund"]
    assert found.day == "2026-10-03"
    assert "estimates" in found.what


def test_a_book_that_is_gone_is_found(sound: Place, scratch: Path, kept: list[Kept], key: keys.PrivateKey) -> None:
    workspace = copied(sound, scratch)
    workspace.handling.unlink()
    assert [f.day for f in against(workspace, kept, key) if "handling is not there" in f.what] == [str(day) for day in DAYS]


def test_a_beginning_that_is_said_to_be_later_is_found(sound: Place, scratch: Path, kept: list[Kept], key: keys.PrivateKey) -> None:
    """Somebody takes the first entries out, and writes down that the chain begins behind them."""
    workspace = copied(sound, scratch)
    with forging(workspace.journal, 1) as forger:
        hash_ = forger.row("bund", 4)[3]
        forger.connection.execute("DELETE FROM entries WHERE chain = 'bund' AND seq <= 4")
        forger.connection.execute("INSERT INTO roots VALUES ('bund', 4, ?)", (hash_,))
    found = [f for f in against(workspace, kept, key) if f.chain == "bund"]
    assert "begins behind entry 4, and began behind 0" in found[0].what


# ---- the heads themselves


def changed(one: Kept, **values: Any) -> Kept:
    plain = json.loads(heads.written(one.head)) | values
    return heads.kept(canonical(plain) + b"\n", one.name)


@pytest.mark.parametrize(
    "values", [{"day": "2026-10-09"}, {"until_us": 5}, {"installation": "another"}, {"previous": "00"}, {"files": {}}, {"signed_us": 1}]
)
def test_a_head_that_was_changed_is_not_signed(kept: list[Kept], key: keys.PrivateKey, values: dict[str, Any]) -> None:
    assert heads.unsigned(changed(kept[1], **values), keys.public(key)) == "its signature is not that of what it says: it was changed"


def test_a_head_of_another_key_does_not_count(sound: Place, kept: list[Kept]) -> None:
    other = keys.public(keys.PrivateKey.generate())
    assert all(
        f.what == f"signed with the key {kept[0].head.key}, expected {other}" for f in examine(sound.workspace, kept, other).against_heads
    )


def test_a_head_put_in_the_place_of_another_does_not_lead_to_the_next(sound: Place, kept: list[Kept], key: keys.PrivateKey) -> None:
    """Even the owner of the key cannot say otherwise afterwards."""
    again = audit.make(sound.workspace, DAYS[1], key, installation="made-up", previous=kept[0])
    replaced = heads.kept(heads.written(again), "again.json")
    (found,) = against(sound.workspace, [kept[0], replaced, kept[2]], key)
    assert (found.day, found.what) == ("2026-10-03", "follows from another head of 2026-10-02 than again.json")


def test_a_day_that_is_not_over_is_not_signed(sound: Place, key: keys.PrivateKey) -> None:
    with pytest.raises(HeadError, match="2026-10-02 is not over in UTC; expected 2026-10-01 or an earlier day"):
        audit.make(sound.workspace, DAYS[1], key, now=lambda: MIDNIGHT + DAY + 5)


@pytest.mark.parametrize("file", FILES)
def test_nobody_signs_over_a_broken_chain(sound: Place, scratch: Path, kept: list[Kept], key: keys.PrivateKey, file: str) -> None:
    workspace = copied(sound, scratch)
    with forging(scratch / f"{file}.db", 3) as forger:
        forger.body("yuyuan", kept[1].head.files[file].chains["yuyuan"].seq + 2)
    with pytest.raises(BrokenError, match='chain "yuyuan" does not verify'):
        audit.make(workspace, DAYS[2], key, previous=kept[1])


@pytest.mark.parametrize("file", FILES)
def test_nobody_signs_over_an_end_that_is_missing(sound: Place, scratch: Path, kept: list[Kept], key: keys.PrivateKey, file: str) -> None:
    workspace = copied(sound, scratch)
    with forging(scratch / f"{file}.db", 3) as forger:
        forger.connection.execute("DELETE FROM entries WHERE chain = 'yuyuan' AND seq > 3")
    with pytest.raises(BrokenError, match="ends at entry 3, and entry"):
        audit.make(workspace, DAYS[2], key, previous=kept[1])


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"form": 1}', b"\xff", b"[" * 100_000])
def test_a_file_that_is_no_head_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(HeadError, match="found no head"):
        heads.kept(data, "elsewhere.json")


def test_openssl_agrees_with_a_signature(kept: list[Kept], tmp_path: Path) -> None:
    """As docs/proof.md tells it: jq and openssl, nothing of ours."""
    openssl, jq = shutil.which("openssl"), shutil.which("jq")
    if openssl is None or jq is None:
        pytest.skip("openssl or jq is not installed: they check the signature without flowwatch")
    (tmp_path / "head.json").write_bytes(heads.written(kept[1].head))
    script = rf"""
        (echo '{heads.DOMAIN}'; jq -cS 'del(.signature)' head.json) > signed
        jq -r .signature head.json | base64 -d > signature
        (printf '\060\052\060\005\006\003\053\145\160\003\041\000'; jq -r .key head.json | base64 -d) > key.der
        openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in signed -sigfile signature
    """
    done = subprocess.run(["/bin/sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout


def test_random_bytes_are_no_head() -> None:
    rng = random.Random(5)
    for _ in range(200):
        with pytest.raises(HeadError):
            heads.kept(rng.randbytes(rng.randrange(200)), "x")
