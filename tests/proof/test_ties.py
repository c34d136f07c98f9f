from __future__ import annotations

import dataclasses
import random
from dataclasses import replace

import msgspec
import pytest

from flowwatch.core.entries import GENESIS, Entry, EntryKind, canonical, link
from flowwatch.handling.records import body
from flowwatch.proof.ties import Fault, untied
from tests.proof.told import MIDNIGHT, MINUTE, alert_of, entry_body


def incidents(count: int, salt: int = 0) -> list[Entry]:
    """Every second entry of the site is one."""
    made, head = list[Entry](), GENESIS
    for n in range(count):
        at = MIDNIGHT + n * MINUTE
        data = canonical({"site": "yuyuan", "salt": salt} | entry_body(EntryKind.INCIDENT, n, at, n))
        head = link(head, EntryKind.INCIDENT, at, data)
        made.append(Entry("yuyuan", 2 * n + 1, EntryKind.INCIDENT, at, data, head))
    return made


def told(entries: list[Entry]) -> list[Entry]:
    return [Entry("yuyuan", n, EntryKind.ALERT, e.at, body(alert_of(e)), GENESIS) for n, e in enumerate(entries, 1)]


def found(decided: list[Entry], records: list[Entry], newest: int = MIDNIGHT + 60 * MINUTE) -> list[tuple[Fault, str]]:
    return [(t.fault, t.entry) for t in untied("yuyuan", decided, records, newest)]


def test_what_was_told_once_each_in_order_is_tied() -> None:
    made = incidents(9)
    assert found(made, told(made)) == []


def test_an_alert_told_twice_and_one_out_of_order_are_named() -> None:
    made = incidents(9)
    assert found(made, told([*made, made[4]])) == [(Fault.REPEATED, "yuyuan-9")]
    assert found(made, told([*made[:4], made[5], made[4], *made[6:]])) == [(Fault.ORDER, "yuyuan-9")]


def test_one_that_was_left_out_is_named_and_an_end_that_waits_is_none_yet() -> None:
    made = incidents(9)
    assert found(made, told([*made[:4], *made[5:]])) == [(Fault.UNTOLD, "yuyuan-9")]
    assert found(made, told(made[:-1]), newest=made[-1].at + MINUTE) == []
    assert found(made, told(made[:-2])) == [(Fault.LATE, "yuyuan-15")]
    assert found(made, []) == [(Fault.LATE, "yuyuan-1")]


def test_an_alert_that_says_another_thing_than_its_entry_is_named() -> None:
    made = incidents(3)
    records = told(made)
    said = records[1].body.replace(b'"state":"updated"', b'"state":"cleared"')
    assert found(made, [records[0], replace(records[1], body=said), records[2]]) == [(Fault.ALTERED, "yuyuan-3")]


def test_a_journal_made_anew_that_was_told_again_is_tied_by_its_own_alerts() -> None:
    """The desk tells another journal from its first entry that differs on; what was told of the old one is named, and nothing else."""
    old, new = incidents(6), incidents(6, salt=1)
    assert found(new, told([*old, *new])) == [(Fault.ALTERED, entry.id) for entry in old]


@pytest.mark.parametrize(
    "bad", [b"", b"\x00damaged", b"[]", b"null", b"1", b'{"state":"\xff"}', b"[" * 100_000, b'{"z":' + b"9" * 5_000 + b"}"]
)
def test_an_entry_whose_body_says_nothing_is_named_whatever_it_is(bad: bytes) -> None:
    """Its hash was left as it is, so that people were told of this very entry."""
    made = incidents(5)
    broken = [*made[:2], replace(made[2], body=bad), *made[3:]]
    assert found(broken, told(made)) == [(Fault.ALTERED, made[2].id)]
    records = told(made)
    records[2] = replace(records[2], body=bad)
    assert (Fault.ALTERED, "-") in found(made, records)


@pytest.mark.parametrize("number", ["9" * 5_000, "9" * 20, "9" * 19, "\u0663", "-3", ""])
def test_a_number_that_no_entry_has_is_named(number: str) -> None:
    made = incidents(3)
    odd = dataclasses.replace(
        told(made)[1], body=body(msgspec.structs.replace(alert_of(made[1]), entry=f"yuyuan-{number}", entry_hash="00"))
    )
    (here, *_) = untied("yuyuan", made, [told(made)[0], odd, told(made)[2]], made[-1].at)
    assert here.fault is Fault.UNKNOWN
    assert len(str(here)) < 300


def test_any_record_that_is_no_alert_is_named_by_its_place_in_the_book() -> None:
    made, rng = incidents(5), random.Random(3)
    records = told(made)
    records[2] = replace(records[2], body=rng.randbytes(40))
    assert (Fault.ALTERED, "-") in found(made, records)
