"""Operators' records: typed, named, written in one form, and read by the engine."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.core import actions as core
from flowwatch.core.actions import BadActionError, read_action
from flowwatch.core.gates import Setting
from flowwatch.documents.actions import (
    Action,
    ActionError,
    Approve,
    Confirm,
    Drill,
    Fire,
    Override,
    Recount,
    Signed,
    new_id,
    parse,
    payload,
)

AT = 1_790_000_000_000_000
WHO: dict[str, Any] = {"site": "yuyuan", "by": "王警官", "reason": "现场人工计数", "at_us": AT}
AUTHOR = Signed(by="wang", key="A" * 43 + "=", at="2026-10-01T09:00:00Z", signature="A" * 86 + "==")
APPROVER = Signed(by="li", key="B" * 43 + "=", at="2026-10-01T10:00:00Z", signature="B" * 86 + "==")
RECORDS: list[Action] = [
    Override(action=new_id(AT), stage="exit_only", until_us=AT + 1, **WHO),
    Override(action=new_id(AT), gate="gate-2", mode="wave in 50s hold 10s out 2m", until_us=AT + 1, **WHO),
    Override(action=new_id(AT), stage="busy", plan="bridge", until_us=AT + 1, **WHO),
    Override(action=new_id(AT), case="lantern", until_us=AT + 1, **WHO),
    Recount(action=new_id(AT), zone="mall", count=0, counted_at_us=AT - 60, **WHO),
    Confirm(action=new_id(AT), incident="yuyuan-i12", **WHO),
    Confirm(action=new_id(AT), incident="yuyuan-i12", answer="no", **WHO),
    Drill(action=new_id(AT), stage="exit_only", until_us=AT + 1, **WHO),
    Fire(action=new_id(AT), state="on", **WHO),
    Fire(action=new_id(AT), state="off", **WHO),
    Approve(action=new_id(AT), version="0a" * 32, author=AUTHOR, approver=APPROVER, **WHO),
]
READ: list[core.What] = [
    core.Override("exit_only", None, None, None, None, AT + 1),
    core.Override(None, None, "gate-2", Setting.parse("wave in 50s hold 10s out 120s"), None, AT + 1),
    core.Override("busy", "bridge", None, None, None, AT + 1),
    core.Override(None, None, None, None, "lantern", AT + 1),
    core.Recount("mall", 0, AT - 60),
    core.Confirm("yuyuan-i12", answer=True),
    core.Confirm("yuyuan-i12", answer=False),
    core.Drill("exit_only", AT + 1),
    core.Fire(on=True),
    core.Fire(on=False),
    core.Approve("0a" * 32, "wang", "li"),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: type(r).__name__)
def test_a_record_comes_back_from_its_payload_as_it_was(record: Action) -> None:
    assert parse(payload(record)) == record


@pytest.mark.parametrize(("record", "read"), list(zip(RECORDS, READ, strict=True)), ids=lambda r: type(r).__name__)
def test_the_engine_reads_the_payload_as_it_was_meant(record: Action, read: core.What) -> None:
    seen = read_action(payload(record))
    assert (seen.name, seen.site, seen.kind) == (record.action, record.site, type(record).__name__.lower())
    assert seen.what == read
    assert seen.record == msgspec.to_builtins(record)


def test_a_confirmation_without_an_answer_is_a_yes() -> None:
    body = json.loads(payload(RECORDS[5]))
    del body["answer"]
    assert read_action(json.dumps(body).encode()).what == core.Confirm("yuyuan-i12", answer=True)
    assert parse(json.dumps(body).encode()) == RECORDS[5]


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
        ({"case": "lantern"}, "one of them"),
        ({"plan": "bridge"}, "without `stage`"),
        ({"gate": None}, "gate"),
        ({"mode": "sideways"}, 'mode`: found "sideways"'),
        ({"mode": "metered"}, "metered 40/min"),
        ({"until_us": AT}, "later time"),
        ({"reason": ""}, "reason"),
        ({"by": 7}, "by"),
        ({"action": "1"}, "action"),
        ({"site": "a/b"}, "site"),
        ({"at_us": -1}, "at_us"),
        ({"type": "fire"}, "gate"),
        ({"type": "dance"}, "dance"),
        ({"why": "so"}, "why"),
    ],
)
def test_a_record_that_is_wrong_is_refused_with_what_is_wrong(change: dict[str, Any], complaint: str) -> None:
    body = json.loads(payload(RECORDS[1])) | change
    with pytest.raises(ActionError, match=complaint):
        parse(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("number", "change"),
    [
        (0, {"gate": "gate-2", "mode": "out"}),
        (0, {"case": "lantern"}),
        (0, {"mode": "out"}),
        (0, {"plan": 7}),
        (1, {"mode": None}),
        (1, {"mode": "metered 0/min"}),
        (1, {"plan": "bridge"}),
        (3, {"case": ""}),
        (3, {"plan": "lantern"}),
        (6, {"answer": "perhaps"}),
        (6, {"answer": True}),
        (7, {"stage": None}),
        (7, {"until_us": "soon"}),
        (8, {"state": True}),
        (8, {"state": "burning"}),
        (10, {"version": "0a" * 6}),
        (10, {"author": "wang"}),
        (10, {"author": {"by": "wang"}}),
        (10, {"author": msgspec.to_builtins(APPROVER)}),
        (10, {"author": msgspec.to_builtins(AUTHOR) | {"key": APPROVER.key}}),
    ],
)
def test_the_engine_refuses_an_order_that_says_two_things_or_half_of_one(number: int, change: dict[str, Any]) -> None:
    body = json.loads(payload(RECORDS[number])) | change
    with pytest.raises(BadActionError):
        read_action(json.dumps(body).encode())


@pytest.mark.parametrize("number", [0, 7])
def test_an_end_lies_after_the_beginning(number: int) -> None:
    body = json.loads(payload(RECORDS[number])) | {"until_us": AT}
    with pytest.raises(ActionError, match="later time"):
        parse(json.dumps(body).encode())


@given(st.text(max_size=60) | st.from_regex(r"(in|out|both|closed|metered \d{0,3}/min|wave( (in|out|hold) \d{1,3}[smh]){0,3})"))
def test_the_records_and_the_engine_take_the_same_settings(mode: str) -> None:
    body = json.loads(payload(RECORDS[1])) | {"mode": mode}
    data = json.dumps(body).encode()
    try:
        parse(data)
    except ActionError:
        with pytest.raises(BadActionError):
            read_action(data)
    else:
        what = read_action(data).what
        assert isinstance(what, core.Override)
        assert what.setting == Setting.parse(mode)


def test_an_override_needs_a_stage_a_case_or_a_gate_with_its_mode() -> None:
    wrongs: list[dict[str, Any]] = [
        {},
        {"gate": "gate-2"},
        {"stage": "calm", "mode": "out"},
        {"stage": "calm", "case": "lantern"},
        {"plan": "x"},
    ]
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
