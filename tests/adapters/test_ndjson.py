"""The reading format: what each line becomes, and that no line has any effect on another."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowwatch.adapters import schema
from flowwatch.adapters.ndjson import DECLARED_IDS, FIGURES, MOST, Codec, Reading, identity
from flowwatch.core.readings import Kind, Reason
from tests.adapters.told import Row, raws, rows

AT = "2026-10-01T09:00:00+08:00"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def oracle(line: bytes) -> Row:
    """What a line is, by Python's own JSON parser and plain conditions."""
    refused = ("refused", Reason.UNREADABLE, line)
    try:
        body = json.loads(line)
        at = datetime.fromisoformat(body["at"])
        us = (at - EPOCH) // timedelta(microseconds=1)
        counter = body["counter"]
    except (ValueError, TypeError, KeyError):
        return refused
    figures = {name for group in FIGURES.values() for name in group} & set(body)
    kinds = {kind for kind, group in FIGURES.items() if set(group) & set(body)}
    sound = isinstance(counter, str) and set(body) <= {"counter", "at", "seq", "id", *figures} and len(kinds) < 2
    sound = sound and all(type(body[name]) is int and abs(body[name]) <= MOST for name in figures)
    sound = sound and type(body.get("seq", 0)) is int and 0 <= body.get("seq", 0) < DECLARED_IDS
    sound = sound and isinstance(body.get("id", "x"), str) and body.get("id") != "" and not {"seq", "id"} <= set(body)
    if not sound:
        return refused
    if not kinds:
        return ("refused", Reason.MISSING_COUNT, line)
    seq = body.get("seq")
    if "id" in body:
        seq = 2**62 + (int.from_bytes(blake2b(body["id"].encode(), digest_size=8).digest(), "little") >> 2)
    ingress, egress = body.get("in", body.get("in_total")), body.get("out", body.get("out_total"))
    return ("reading", counter, kinds.pop(), us, ingress, egress, body.get("inside"), seq)


COUNTS = st.one_of(
    st.integers(0, 400), st.integers(-(2**70), 2**70), st.sampled_from([MOST, -MOST, MOST + 1, -(2**63), True, 1.5, 2.0, None, "3"])
)
BODIES = st.fixed_dictionaries(
    {
        "counter": st.one_of(st.sampled_from(["yuyuan/turnstile-1", "yuyuan/九曲桥", 'a"b\\c']), st.text(max_size=12)),
        "at": st.one_of(st.sampled_from([AT, "2026-10-01T01:00:00.25Z", "2026-10-01T09:00:00", "soon"]), st.just(7)),
    },
    optional={
        **dict.fromkeys(["in", "out"], COUNTS),
        **dict.fromkeys(["in_total", "out_total", "inside"], COUNTS),
        "seq": st.one_of(st.integers(-1, 2**63), st.none()),
        "id": st.one_of(st.text(max_size=4), st.integers()),
        "ins": st.integers(),
    },
)
USUAL = st.fixed_dictionaries(
    {"counter": st.sampled_from(["s/a", "s/b"]), "at": st.just(AT)}, optional=dict.fromkeys(["in", "out", "seq"], st.integers(0, 300))
)
WRITINGS = st.sampled_from([{"separators": (",", ":")}, {}, {"ensure_ascii": False}, {"sort_keys": True}])
LINES = st.builds(lambda body, how: json.dumps(body, **how).encode(), st.one_of(BODIES, USUAL), WRITINGS)
SCRAPS = st.one_of(
    st.binary(max_size=40),
    LINES.map(lambda line: line[:-1]),
    LINES.map(lambda line: line + b" "),
    LINES.map(lambda line: line + line),
    LINES.map(lambda line: line + b" " + line),
    LINES.map(lambda line: line.replace(b", ", b",\n").replace(b",", b",\n")),
    st.sampled_from([b"", b"   ", b"\xef\xbb\xbf{}", b"[]", b"null", b"{", b"}", b'"', b"[" * 3000, b"\x00", b"{}"]),
)


@given(st.lists(LINES, min_size=1, max_size=12))
def test_a_line_is_what_a_plain_reading_of_the_format_says(lines: list[bytes]) -> None:
    assert rows([Codec().batch(b"\n".join(lines))]) == [oracle(line) for line in lines]


@given(st.lists(st.one_of(LINES, SCRAPS), max_size=12))
@example([b'{"counter":"a",', b'"at":"' + AT.encode() + b'","in":1}', b'{"counter":"a","at":"' + AT.encode() + b'","in":1}' * 2])
def test_a_line_is_the_same_whatever_stands_around_it(lines: list[bytes]) -> None:
    block = b"\n".join(lines)
    alone = [row for line in block.split(b"\n") for row in rows([Codec().batch(line)])]
    assert rows([Codec().batch(block)]) == alone


@given(st.lists(st.one_of(USUAL.map(json.dumps).map(str.encode), LINES, SCRAPS), max_size=10), st.data())
def test_how_lines_are_cut_into_blocks_changes_nothing(lines: list[bytes], data: st.DataObject) -> None:
    lines = b"\n".join(lines).split(b"\n")
    codec, cuts = Codec(), sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=4)))
    batches = [codec.batch(b"\n".join(lines[a:b])) for a, b in zip([0, *cuts], [*cuts, len(lines)], strict=True)]
    assert rows(batches) == rows([Codec().batch(b"\n".join(lines))])


@given(st.binary(max_size=400))
def test_any_bytes_give_one_row_a_line_and_no_error(block: bytes) -> None:
    lines = [line for line in block.replace(b"\r\n", b"\n").split(b"\n") if line.strip(b" \t\r")]
    assert len(rows([Codec().batch(block)])) == len(lines)


@given(st.lists(st.one_of(LINES, SCRAPS), max_size=8))
def test_every_reading_remembers_the_bytes_of_its_line(lines: list[bytes]) -> None:
    block = b"\n".join(lines)
    batch = Codec().batch(block)
    told = rows([batch])
    written = [line for line in (block + b"\n").replace(b"\r\n", b"\n").split(b"\n") if line.strip(b" \t\r")]
    assert raws([batch]) == [line for line, row in zip(written, told, strict=True) if row[0] == "reading"]


def line(**fields: Any) -> bytes:
    return json.dumps({"counter": "s/a", "at": AT} | fields).encode()


@pytest.mark.parametrize(
    ("fields", "kind", "ingress", "egress", "inside"),
    [
        ({"in": 12, "out": 3}, Kind.DELTA, 12, 3, None),
        ({"in": 12}, Kind.DELTA, 12, None, None),
        ({"out": 0}, Kind.DELTA, None, 0, None),
        ({"in_total": 4_000_000_000, "out_total": 7}, Kind.CUMULATIVE, 4_000_000_000, 7, None),
        ({"out_total": 7}, Kind.CUMULATIVE, None, 7, None),
        ({"inside": 0}, Kind.ABSOLUTE, None, None, 0),
        ({"in": -5, "out": 3}, Kind.DELTA, -5, 3, None),
    ],
)
def test_the_fields_say_the_kind_of_count(fields: dict[str, int], kind: Kind, ingress: int, egress: int, inside: int) -> None:
    (row,) = rows([Codec().batch(line(**fields))])
    assert row[2:3] + row[4:] == (kind, ingress, egress, inside, None)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, Reason.MISSING_COUNT),
        ({"in": 1, "inside": 1}, Reason.UNREADABLE),
        ({"in": 1, "out_total": 1}, Reason.UNREADABLE),
        ({"in": 1, "seq": 1, "id": "x"}, Reason.UNREADABLE),
        ({"in": 1, "id": ""}, Reason.UNREADABLE),
        ({"in": None}, Reason.UNREADABLE),
        ({"in": 1.0}, Reason.UNREADABLE),
        ({"in": MOST + 1}, Reason.UNREADABLE),
        ({"in": -(2**63), "out": 1}, Reason.UNREADABLE),
        ({"in": 1, "at": "2026-10-01T09:00:00"}, Reason.UNREADABLE),
        ({"in": 1, "battery": 80}, Reason.UNREADABLE),
        ({"in": 1, "seq": 2**62}, Reason.UNREADABLE),
        ({"in": 1, "counter": None}, Reason.UNREADABLE),
    ],
)
def test_what_is_no_reading_is_refused_with_its_bytes_and_a_reason(fields: dict[str, Any], reason: Reason) -> None:
    assert rows([Codec().batch(line(**fields))]) == [("refused", reason, line(**fields))]


def test_a_declared_identity_is_a_number_that_no_device_sequence_can_be() -> None:
    row = rows([Codec().batch(line(**{"in": 1, "id": "card-17"}))])[0]
    assert row[-1] == identity("card-17") != identity("card-18")
    assert DECLARED_IDS <= identity("card-17") < 2**63


def test_windows_line_ends_and_blank_lines_are_no_part_of_the_format() -> None:
    block = line(**{"in": 1}) + b"\r\n\r\n   \n" + line(**{"in": 2}) + b"\r\n"
    assert [row[4] for row in rows([Codec().batch(block)])] == [1, 2]


def test_the_shipped_json_schema_is_that_of_the_type() -> None:
    for name in ("reading", "import"):
        assert (schema.FOLDER / f"{name}.schema.json").read_text(encoding="utf-8") == schema.schema(name)
    assert set(schema.reading()["properties"]) == set(Reading.__struct_encode_fields__)
