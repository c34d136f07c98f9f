"""Bad data is counted and kept, never fatal: no row that a log can hold stops the engine or moves anybody."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.core.engine import Engine
from flowwatch.core.readings import ABSENT, SECOND, Block, Kind, Reason
from tests.core.audit import check_journal
from tests.core.world import (
    T0,
    Row,
    act,
    bodies,
    counter,
    declare,
    delta,
    play,
    recount,
    refusals,
    refused,
    site,
    stage,
    stages_seen,
    term,
    tick,
    zone,
)

BASE = [declare(site(stages=[stage("calm"), stage("busy", [term(100, 80)], SECOND)])), recount(T0, 0), tick(T0)]


def _said(row: Row) -> list[tuple[int, Reason]]:
    """What is refused when `row` comes after a plain beginning; the engine lives on."""
    engine = Engine("p00")
    play([*BASE, row, tick(T0 + SECOND), delta(T0 + 2 * SECOND, 7), tick(T0 + 2 * SECOND)], engine=engine)
    assert engine.occupancy.zones.inside.tolist() == [7000]
    return refusals(engine)


RECORD = {
    "action": "a1",
    "type": "recount",
    "site": "yu",
    "by": "Wang",
    "reason": "r",
    "at_us": T0,
    "zone": "mall",
    "count": 1,
    "counted_at_us": T0,
}
HOLD = {
    "action": "a1",
    "type": "override",
    "site": "yu",
    "by": "Wang",
    "reason": "r",
    "at_us": T0,
    "gate": "g0",
    "mode": "out",
    "until_us": T0,
}
BAD_ACTIONS: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b"\xff\xfe{}",
    "a list": b"[]",
    "nested without end": b"[" * 100_000,
    "a number too long to read": b'{"type":"recount","count":' + b"9" * 5000 + b"}",
    "no type": json.dumps(RECORD | {"type": None}).encode(),
    "another type": json.dumps(RECORD | {"type": "dance"}).encode(),
    "a count that is no number": json.dumps(RECORD | {"count": "many"}).encode(),
    "a count that is true": json.dumps(RECORD | {"count": True}).encode(),
    "a negative count": json.dumps(RECORD | {"count": -1}).encode(),
    "a time beyond all times": json.dumps(RECORD | {"counted_at_us": 2**63}).encode(),
    "nobody's": json.dumps(RECORD | {"by": ""}).encode(),
    "a gate without a mode": json.dumps({k: v for k, v in HOLD.items() if k != "mode"}).encode(),
    "a gate with a mode that is no text": json.dumps(HOLD | {"mode": 5}).encode(),
    "a gate with an unknown mode": json.dumps(HOLD | {"mode": "wave"}).encode(),
    "a gate and a stage": json.dumps(HOLD | {"stage": "busy"}).encode(),
    "neither gate nor stage": json.dumps(HOLD | {"gate": None}).encode(),
    "no end": json.dumps({k: v for k, v in HOLD.items() if k != "until_us"}).encode(),
    "half a character in a name": json.dumps(RECORD | {"by": "\ud800"}).encode(),
    "a number that is none": json.dumps(RECORD)[:-1].encode() + b',"note":NaN}',
    "a number without end": json.dumps(RECORD)[:-1].encode() + b',"note":1e999}',
}


@pytest.mark.parametrize("payload", BAD_ACTIONS.values(), ids=BAD_ACTIONS.keys())
def test_an_operators_record_that_is_none_is_refused(payload: bytes) -> None:
    assert _said(Row(Kind.ACTION, T0, payload=payload)) == [(3, Reason.BAD_ACTION)]


def test_an_operators_record_of_an_unknown_site_is_refused() -> None:
    assert _said(recount(T0, 5, site_name="nowhere")) == [(3, Reason.UNKNOWN_SITE)]


BAD_DOCUMENTS: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "nested without end": b"[" * 100_000,
    "no zones": b'{"site":"x","counters":[]}',
    "a site that is a list": b'{"site":["x"],"counters":[],"zones":[],"gates":[],"links":[],"plans":[]}',
    "counters that are a number": b'{"site":"x","counters":5}',
}


@pytest.mark.parametrize("payload", BAD_DOCUMENTS.values(), ids=BAD_DOCUMENTS.keys())
def test_a_document_that_does_not_compile_is_refused_and_the_present_one_stays(payload: bytes) -> None:
    assert _said(Row(Kind.DOCUMENT, T0, payload=payload)) == [(3, Reason.BAD_DOCUMENT)]


def test_the_same_document_again_is_a_duplicate_and_changes_nothing() -> None:
    assert _said(BASE[0]) == [(3, Reason.DUPLICATE)]


@pytest.mark.parametrize("code", [-1, 1, 99, 2**31 - 1, -(2**31)])
def test_a_counter_that_no_document_gives_is_unknown(code: int) -> None:
    assert _said(delta(T0, 1, 0, code)) == [(3, Reason.UNKNOWN_COUNTER)]


@pytest.mark.parametrize("code", [*range(20), 255, 10**6, ABSENT])
def test_a_row_that_the_edge_refused_is_counted_under_its_reason(code: int) -> None:
    known = [int(r) for r in Reason]
    assert _said(refused(T0, code)) == [(3, Reason(code) if code in known else Reason.UNREADABLE)]


def test_an_impossible_headcount_is_refused_whatever_stands_in_the_columns_that_it_does_not_use() -> None:
    for unused in (ABSENT, 0, 5):
        engine = Engine("p00")
        document = site(counters=[counter("a", "absolute")], zones=[zone(area_m2=10.0)])
        rows = [replaced for n in (-5, 72, ABSENT) for replaced in [Row(Kind.ABSOLUTE, T0, 0, unused, unused, n, ordinal=n % 97)]]
        play([declare(document), tick(T0), *rows, tick(T0 + SECOND)], engine=engine)
        assert [r for _, r in refusals(engine)] == [Reason.NEGATIVE_COUNT, Reason.IMPOSSIBLE_HEADCOUNT, Reason.MISSING_COUNT]


extremes = st.sampled_from(
    [ABSENT, ABSENT + 1, -(2**62), -1, 0, 1, 7, 10**9, 10**9 + 1, 10**15, 2**62, 2**63 - 1, T0, T0 - 10**8, T0 + 10**6]
)


@st.composite
def rubbish(draw: st.DrawFn) -> Block:
    """Readings whose every column may hold anything."""
    n = draw(st.integers(1, 12))

    def column(values: st.SearchStrategy[int], dtype: Any) -> Any:
        return np.array(draw(st.lists(values, min_size=n, max_size=n)), dtype)

    kinds = st.sampled_from([int(Kind.DELTA), int(Kind.CUMULATIVE), int(Kind.ABSOLUTE)])
    codes, ordinals = st.sampled_from([-1, 0, 1, 2, 3, 99]), st.sampled_from([-(2**31), -1, 0, 1, 2**31 - 1])
    columns = [column(extremes, np.int64) for _ in range(6)]
    return Block(
        5, column(kinds, np.uint8), column(codes, np.int32), columns[0], columns[1], columns[2], column(ordinals, np.int32), *columns[3:]
    )


@given(st.lists(rubbish(), min_size=1, max_size=4))
def test_readings_of_any_content_stop_nothing(blocks: list[Block]) -> None:
    counters = [counter("c0"), counter("c1", "cumulative", gate="g0", zone=None), counter("c2", "absolute")]
    rows = [declare(site(counters=counters, stages=[stage("calm"), stage("busy", [term(100, 80)], SECOND)])), recount(T0, 0), tick(T0)]
    engine = Engine("p00")
    out = play(rows, engine=engine)
    for i, rubbish_block in enumerate(blocks, 1):
        engine.ingest(rubbish_block)
        made = engine.advance(T0 + i * SECOND)
        out.entries += made.entries
        out.estimates += made.estimates
    made = play(
        [delta(T0 + 100 * SECOND, 1), tick(T0 + 100 * SECOND), recount(T0 + 101 * SECOND, 3), tick(T0 + 101 * SECOND)], engine=engine
    )
    out.entries += made.entries
    out.estimates += made.estimates
    check_journal(rows, out)
    assert engine.occupancy.zones.inside.tolist() == [3000]


def test_a_reading_that_waits_while_its_counter_changes_its_kind_of_count_does_not_change_what_others_mean() -> None:
    """Were the total taken for a difference, nine hundred people would come at once."""
    later = site(counters=[counter("c0", "cumulative", gate="g0", zone=None)])
    rows = [declare(site()), recount(T0, 5), delta(T0 + 2 * SECOND, 1, received=T0), tick(T0)]
    rows += [declare(later), Row(Kind.CUMULATIVE, T0 + 2 * SECOND + 1, 0, 900, 0), tick(T0 + 3 * SECOND)]
    engine = Engine("p00")
    play(rows, engine=engine)
    assert engine.occupancy.zones.inside[0] in (5000, 6000)


def test_time_that_goes_back_or_stands_is_an_error() -> None:
    engine = Engine("p00")
    play(BASE, engine=engine)
    for at in (T0, T0 - 1):
        with pytest.raises(ValueError, match="never goes back"):
            engine.advance(at)


def test_time_may_jump_by_years() -> None:
    out = play([*BASE, recount(T0 + SECOND, 150), tick(T0 + SECOND), tick(T0 + 10 * 365 * 86400 * SECOND)])
    assert [to for _, _, to, _ in stages_seen(out.entries)] == ["calm", "busy"]


def test_refusals_are_told_by_the_minute_with_their_places_in_the_log() -> None:
    rows = [
        *BASE,
        delta(T0, 1, 0, 9),
        act(T0, "a", "dance"),
        tick(T0 + SECOND),
        delta(T0, -1),
        tick(T0 + 60 * SECOND),
        delta(T0, -1),
        tick(T0 + 61 * SECOND),
    ]
    out = play([*rows, tick(T0 + 120 * SECOND)])
    told = [(b["tick"], b["minute_us"], b["counts"]) for b in bodies(out.entries, "refusals")]
    assert told == [
        (T0 + 60 * SECOND, T0, {"unknown_counter": 1, "bad_action": 1, "negative_count": 1}),
        (T0 + 120 * SECOND, T0 + 60 * SECOND, {"negative_count": 1}),
    ]


def test_refusals_before_a_jump_of_time_are_told_under_the_minute_in_which_they_were_met() -> None:
    rows = [*BASE, delta(T0, -1), tick(T0 + SECOND), tick(T0 + 3600 * SECOND)]
    assert [b["minute_us"] for b in bodies(play(rows).entries, "refusals")] == [T0]
