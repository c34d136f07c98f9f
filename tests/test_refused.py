from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch import log
from flowwatch.core.readings import MINUTE, Reason
from flowwatch.core.reports import refusals_body
from flowwatch.journal import Journal, JournalError
from flowwatch.refused import plain, refused, totals, unpack
from tests.journal.story import PARTITION, SECOND, START, afternoon


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Journal, Path]]:
    journal, folder = afternoon(tmp_path_factory.mktemp("story"))
    with journal:
        yield journal, folder


def test_totals_tell_how_many_were_refused_where_when_and_why(story: tuple[Journal, Path]) -> None:
    found = {(total.partition, total.reason): total.count for total in totals(story[0])}
    assert found == {(PARTITION, Reason.UNKNOWN_COUNTER): 1, (PARTITION, Reason.NEGATIVE_COUNT): 1, (log.UNROUTED, Reason.UNREADABLE): 1}


def test_the_rows_are_those_that_the_totals_count_with_what_they_said(story: tuple[Journal, Path]) -> None:
    journal, folder = story
    rows = list(refused(journal, folder))
    assert Counter((r.partition, r.reason) for r in rows) == Counter({(t.partition, t.reason): t.count for t in totals(journal)})
    said = {r.reason: plain(r) for r in rows}
    assert said[Reason.NEGATIVE_COUNT]["counter"] == "yuyuan/turnstile-1"
    assert (said[Reason.NEGATIVE_COUNT]["in"], said[Reason.NEGATIVE_COUNT]["out"]) == (30, -3)
    assert said[Reason.NEGATIVE_COUNT]["at"] == "2026-10-01T06:01:13.000000Z"
    assert json.loads(said[Reason.UNKNOWN_COUNTER]["raw"]) == {"counter": "yuyuan/nowhere"}
    assert base64.b64decode(said[Reason.UNREADABLE]["raw_base64"]) == b"\xff not a reading"
    kept = {(row["partition"], row["offset"]): row for row in log.cat(folder)}
    for told in said.values():
        assert kept[told["partition"], told["offset"]]["kind"] == told["kind"]
        json.dumps(told)


def test_a_reason_a_time_and_a_limit_narrow_the_list(story: tuple[Journal, Path]) -> None:
    journal, folder = story
    assert [r.reason for r in refused(journal, folder, reason=Reason.NEGATIVE_COUNT)] == [Reason.NEGATIVE_COUNT]
    assert [t.reason for t in totals(journal, reason=Reason.UNREADABLE)] == [Reason.UNREADABLE]
    assert len(list(refused(journal, folder, limit=2))) == 2
    assert list(refused(journal, folder, limit=0)) == []
    assert list(totals(journal, until=START)) == []
    assert list(totals(journal, since=START + 600 * SECOND)) == []
    assert len(list(totals(journal, since=START + 90 * SECOND, until=START + 91 * SECOND))) == 2


def test_a_row_that_retention_removed_is_listed_as_not_kept(tmp_path: Path) -> None:
    journal, folder = afternoon(tmp_path)
    with journal:
        for segment in sorted((folder / PARTITION).glob("*.seg"))[:-10]:
            segment.unlink()
        (row,) = refused(journal, folder, reason=Reason.NEGATIVE_COUNT)
        assert row.row is None
        assert plain(row)["kept"] is False
        assert "counter" not in plain(row)


@given(st.lists(st.tuples(st.integers(0, 2**62), st.sampled_from(list(Reason))), min_size=1, max_size=50))
def test_what_the_engine_packs_is_unpacked(rows: list[tuple[int, Reason]]) -> None:
    offsets = np.array([offset for offset, _ in rows], np.int64)
    reasons = np.array([reason for _, reason in rows], np.uint8)
    body = refusals_body("p03", 28_000_000 * MINUTE, [(offsets[:1], reasons[:1]), (offsets[1:], reasons[1:])])
    found_offsets, found_reasons = unpack("@p03-1", body["refs"])
    assert sorted(zip(found_offsets.tolist(), found_reasons.tolist(), strict=True)) == sorted(rows)
    assert sum(body["counts"].values()) == len(rows)


@pytest.mark.parametrize(("refs", "told"), [("AAAA", "refs of 3 bytes, expected a multiple of 9"), ("?", "refs are no base64")])
def test_references_that_cannot_be_read_are_an_error_that_names_the_entry(refs: str, told: str) -> None:
    with pytest.raises(JournalError, match=f"entry @p03-7: {told}"):
        unpack("@p03-7", refs)
