"""Operators' records: typed, named, written in one form, and read by the engine."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.core.actions import read_action
from flowwatch.core.gates import Mode
from flowwatch.documents.actions import Action, ActionError, Confirm, Override, Recount, new_id, parse, payload

AT = 1_790_000_000_000_000
WHO: dict[str, Any] = {"site": "yuyuan", "by": "王警官", "reason": "现场人工计数", "at_us": AT}
RECORDS: list[Action] = [
    Override(action=new_id(AT), stage="exit_only", until_us=AT + 1, **WHO),
    Override(action=new_id(AT), gate="gate-2", mode=Mode.OUT, until_us=AT + 1, **WHO),
    Recount(action=new_id(AT), zone="mall", count=0, counted_at_us=AT - 60, **WHO),
    Confirm(action=new_id(AT), incident="yuyuan-i12", **WHO),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: type(r).__name__)
def test_a_record_comes_back_from_its_payload_as_it_was(record: Action) -> None:
    assert parse(payload(record)) == record


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: type(r).__name__)
def test_the_engine_reads_the_payload_as_it_was_meant(record: Action) -> None:
    seen = read_action(payload(record))
    assert (seen.name, seen.site, seen.kind) == (record.action, record.site, type(record).__name__.lower())
    assert seen.record == msgspec.to_builtins(record)


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: type(r).__name__)
def test_the_payload_is_canonical_and_says_nothing_that_was_not_said(record: Action) -> None:
    text = payload(record).decode()
    body = json.loads(text)
    assert text == json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert None not in body.values()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"stage": "calm"}, "one of them"),
        ({"gate": None}, "gate"),
        ({"mode": "sideways"}, "mode"),
        ({"until_us": AT}, "later time"),
        ({"reason": ""}, "reason"),
        ({"by": 7}, "by"),
        ({"action": "1"}, "action"),
        ({"site": "a/b"}, "site"),
        ({"at_us": -1}, "at_us"),
        ({"type": "fire"}, "fire"),
        ({"why": "so"}, "why"),
    ],
)
def test_a_record_that_is_wrong_is_refused_with_what_is_wrong(change: dict[str, Any], complaint: str) -> None:
    body = json.loads(payload(RECORDS[1])) | change
    with pytest.raises(ActionError, match=complaint):
        parse(json.dumps(body).encode())


def test_an_override_needs_a_stage_or_a_gate_with_its_mode() -> None:
    wrongs: list[dict[str, Any]] = [{}, {"gate": "gate-2"}, {"stage": "calm", "mode": Mode.OUT}]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="expected"):
            Override(action=new_id(AT), until_us=AT + 1, **WHO, **wrong)


def test_a_field_that_no_record_may_have_is_refused_when_it_is_written() -> None:
    with pytest.raises(ActionError, match="count"):
        payload(Recount(action=new_id(AT), zone="mall", count=-1, counted_at_us=AT, **WHO))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_and_never_raise_anything_else(data: bytes) -> None:
    with pytest.raises(ActionError):
        parse(data)


@given(st.lists(st.integers(0, 2**53), min_size=2, max_size=20))
def test_names_sort_as_records_were_written_and_never_repeat(times: list[int]) -> None:
    names = [new_id(at) for at in times]
    assert len(set(names)) == len(names)
    assert all(len(name) == 26 for name in names)
    by_name = [at // 1000 for _, at in sorted(zip(names, times, strict=True))]
    assert by_name == sorted(by_name)
