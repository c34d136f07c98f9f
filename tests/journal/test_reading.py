from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowwatch.core.entries import GENESIS, Entry, EntryKind, canonical, link
from flowwatch.journal import Journal, UnknownIdError
from flowwatch.journal.export import canonical_lines, iso, plain_lines
from flowwatch.journal.pages import Sought
from flowwatch.journal.parquet import write_parquet
from tests.journal.made import MINUTE, NOON, chain, exported, minutes

NAMES = ["bund", "yuyuan", "@p03"]


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    with Journal.open(tmp_path_factory.mktemp("journal") / "journal.db") as opened:
        for name in NAMES:
            opened.append(chain(name, 20), minutes(name, 20))
        yield opened


def test_entries_of_several_chains_come_by_time_then_chain_then_number(journal: Journal) -> None:
    read = [(e.at, e.chain, e.seq) for e in journal.entries()]
    assert read == sorted(read)
    assert len(read) == 60


def test_what_is_read_is_what_was_appended(journal: Journal) -> None:
    assert list(journal.entries("bund")) == chain("bund", 20)
    assert list(journal.estimates("bund")) == minutes("bund", 20)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(page=st.integers(1, 70), name=st.sampled_from([None, *NAMES]))
def test_reading_page_by_page_behind_the_last_id_misses_and_repeats_nothing(journal: Journal, page: int, name: str | None) -> None:
    read, last = [], None
    while got := list(journal.entries(name, after_id=last, limit=page)):
        read += got
        last = got[-1].id
    assert read == list(journal.entries(name))


def test_entries_are_chosen_by_kind_and_time_and_the_newest_come_last_first(journal: Journal) -> None:
    second = 1_000_000
    read = list(journal.entries(kind=EntryKind.COMMAND, since=NOON + 3 * second, until=NOON + 15 * second))
    assert read
    assert all(e.kind is EntryKind.COMMAND and NOON + 3 * second <= e.at < NOON + 15 * second for e in read)
    assert [e.id for e in journal.entries("bund", limit=2, newest=True)] == ["bund-20", "bund-19"]


def test_estimates_are_chosen_by_site_and_time(journal: Journal) -> None:
    assert list(journal.estimates("bund", NOON + 5 * MINUTE, NOON + 8 * MINUTE)) == minutes("bund", 20)[5:8]
    assert [m.site for m in journal.estimates(since=NOON + 19 * MINUTE)] == sorted(NAMES)
    assert journal.estimate_before("bund", NOON + 5 * MINUTE - 1) == minutes("bund", 20)[4]
    assert journal.estimate_before("bund", NOON - 1) is None


def test_heads_are_the_last_entries_and_an_unknown_chain_has_not_begun(journal: Journal) -> None:
    assert journal.heads() == {name: (20, chain(name, 20)[-1].hash) for name in NAMES}
    assert journal.head("bund") == journal.heads()["bund"]
    assert journal.head("nowhere") == (0, GENESIS)


def test_an_entry_is_found_by_its_id(journal: Journal) -> None:
    assert journal.get("@p03-7") == chain("@p03", 7)[-1]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("yuyuan-21", 'no entry "yuyuan-21": chain "yuyuan" ends at yuyuan-20'),
        ("yuyaun-3", 'no chain "yuyaun"; did you mean "yuyuan-3"'),
        ("nowhere-3", 'no entry "nowhere-3": no chain "nowhere"$'),
        ("yuyuan", '"yuyuan" names no entry; expected one as yuyuan-17'),
    ],
)
def test_an_unknown_id_is_an_error_with_the_near_miss(journal: Journal, asked: str, told: str) -> None:
    with pytest.raises(UnknownIdError, match=told):
        journal.get(asked)


def test_the_canonical_export_is_canonical_json_in_canonical_order(journal: Journal) -> None:
    lines = list(canonical_lines(journal.walk()))
    decoded = [json.loads(line) for line in lines]
    assert [json.dumps(d, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n" for d in decoded] == lines
    entries = [(d["chain"], d["seq"]) for d in decoded if "chain" in d]
    estimates = [(d["site"], d["at_us"]) for d in decoded if "site" in d]
    assert entries == sorted(entries)
    assert estimates == sorted(estimates)
    assert [*decoded[: len(entries)]] == [d for d in decoded if "chain" in d]


def test_the_canonical_export_is_of_one_moment_even_while_another_writes(journal: Journal, tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal.db") as mine, Journal.open(tmp_path / "journal.db") as theirs:
        mine.append(chain("yuyuan", 3_000))
        before = exported(mine)
        lines = canonical_lines(mine.walk())
        first = next(lines)
        theirs.append(chain("yuyuan", 3_001), minutes("yuyuan", 1))
        assert first + b"".join(lines) == before


def test_the_plain_export_has_ids_and_times_as_text(journal: Journal) -> None:
    lines = [json.loads(line) for line in plain_lines([chain("yuyuan", 1)[0], minutes("yuyuan", 2)[1]])]
    assert lines[0]["id"] == "yuyuan-1"
    assert lines[0]["at"] == "2026-10-01T04:00:01.000000Z"
    assert lines[1]["body"]["minute_at"] == "2026-10-01T04:01:00.000000Z"


def test_a_moment_that_no_calendar_has_stays_a_number() -> None:
    assert iso(2**62) == str(2**62)


def test_parquet_opens_in_pandas_as_flat_tables(journal: Journal, tmp_path: Path) -> None:
    assert write_parquet(journal, tmp_path / "out") == {"entries": 60, "estimates": 120}
    entries = pd.read_parquet(tmp_path / "out" / "entries.parquet")
    assert entries.loc[entries["chain"] == "@p03", "site"].isna().all()
    zones = pd.read_parquet(tmp_path / "out" / "estimates.parquet").set_index("at")
    assert isinstance(zones.index, pd.DatetimeIndex)
    assert str(zones.index.tz) == "UTC"
    mall = zones[(zones["site"] == "yuyuan") & (zones["zone"] == "mall")]
    assert mall["people"].tolist() == [float(n) for n in range(20)]
    assert mall["upper"].isna().tolist() == (~mall["known"]).tolist() == [True, *[False] * 19]
    assert (mall["upper"] - mall["lower"]).dropna().eq(1.0).all()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["entries.parquet", "estimates.parquet"]


def test_an_incidents_entries_are_those_of_its_name_and_of_no_other(tmp_path: Path) -> None:
    head, made = GENESIS, list[Entry]()
    named = ("yuyuan-i1", "yuyuan-i11", "yuyuan-i1", None)
    for n, name in enumerate(named, 1):
        body = canonical({"site": "yuyuan", "headline": "yuyuan-i1", "incident": name, "state": "cleared" if n == 3 else "raised"})
        head = link(head, EntryKind.INCIDENT, n, body)
        made.append(Entry("yuyuan", n, EntryKind.INCIDENT, n, body, head))
    with Journal.open(tmp_path / "journal.db") as journal:
        journal.append(made)
        assert [entry.seq for entry in journal.about("yuyuan-i1")] == [1, 3]
        assert list(journal.about("bund-i1")) == []
        assert [journal.open_before("yuyuan", at) for at in (1, 2, 3, 4)] == [
            [],
            ["yuyuan-i1"],
            ["yuyuan-i1", "yuyuan-i11"],
            ["yuyuan-i11"],
        ]


def test_a_file_of_an_earlier_version_gets_its_indexes_from_whoever_may_write(tmp_path: Path) -> None:
    made = chain("yuyuan", 30)
    with Journal.open(tmp_path / "journal.db") as journal:
        journal.append(made)
    later = ("entries_by_chain_and_kind", "entries_by_chain_and_at", "entries_by_incident")
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection, connection:
        for name in later:
            connection.execute(f"DROP INDEX {name}")

    def there() -> set[str]:
        with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
            return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}

    with Journal.open(tmp_path / "journal.db", create=False) as journal:
        assert [e.seq for e in journal.page(Sought(["yuyuan"]), None, 5, newest=True)[0]] == [30, 29, 28, 27, 26]
    assert not there() & set(later)
    Journal.open(tmp_path / "journal.db").close()
    assert there() >= set(later)


@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize("kind", [None, EntryKind.COMMAND])
@pytest.mark.parametrize("span", [(None, None), (5, None), (None, 40), (7, 33)])
@pytest.mark.parametrize("chains", [None, ["yuyuan"], ["bund", "yuyuan"]])
def test_pages_hold_what_was_asked_for_in_the_order_of_writing(
    tmp_path: Path, newest: bool, kind: EntryKind | None, span: tuple[int | None, int | None], chains: list[str] | None
) -> None:
    """Beside a list of all that was written, filtered by hand."""
    written: list[Entry] = []
    with Journal.open(tmp_path / "journal.db") as journal:
        both = [chain(name, 60) for name in ("yuyuan", "bund")]
        for start in range(0, 60, 20):
            for one in both:
                journal.append(one[start : start + 20])
                written += one[start : start + 20]
        since, until = (None if n is None else NOON + n * 1_000_000 for n in span)
        wanted = [
            e.id
            for e in (written[::-1] if newest else written)
            if (chains is None or e.chain in chains)
            and (kind is None or e.kind is kind)
            and (since is None or e.at >= since)
            and (until is None or e.at < until)
        ]
        found, mark = list[str](), None
        while True:
            page, mark = journal.page(Sought(chains, kind, since, until), mark, 7, newest=newest)
            found += [e.id for e in page]
            if len(page) < 7:
                break
    assert found == wanted
