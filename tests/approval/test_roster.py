"""The roster: who may sign, read like any document, with faults for keys that are none and people who are one."""

from __future__ import annotations

import base64
import doctest
from pathlib import Path

import pytest

from flowwatch.approval import base64s, points, signatures
from flowwatch.approval.keys import public
from flowwatch.approval.points import is_key
from flowwatch.approval.roster import Right, load_roster
from flowwatch.documents import DocumentErrors
from tests.approval.people import RIGHTS, key_of, roster_text

P = 2**255 - 19
LOW_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]
"""The eight points whose order divides 8, as they are encoded (the list of libsodium's ref10, without its second spellings)."""


def faults(folder: Path, text: str) -> list[str]:
    file = folder / "approvers.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DocumentErrors) as caught:
        load_roster(file)
    return [str(fault).removeprefix(f"{file}:") for fault in caught.value.faults]


@pytest.mark.parametrize("module", [base64s, points, signatures])
def test_the_examples_in_the_docstrings_print_what_they_say(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_a_roster_says_who_may_do_what(tmp_path: Path) -> None:
    file = tmp_path / "approvers.yaml"
    file.write_text(roster_text(), encoding="utf-8")
    roster = load_roster(file)
    assert roster.required
    assert (roster.who_may(Right.WRITE), roster.who_may(Right.APPROVE)) == (["wang", "zhao"], ["li", "zhao"])
    assert roster.people["li"].key == public(key_of("li"))


def test_a_roster_that_is_off_needs_nobody(tmp_path: Path) -> None:
    file = tmp_path / "approvers.yaml"
    file.write_text("approval: off\n", encoding="utf-8")
    assert not load_roster(file).required


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (roster_text(approval="on"), '1:11: approval: found "on", expected one of required, off'),
        (roster_text(approval="require"), '1:11: approval: found "require", expected one of required, off; did you mean "required"?'),
        (roster_text().replace("may:", "might:", 1), '3:10: people.wang.might: found the unknown key "might", expected one of title, may, key'),
        (roster_text(RIGHTS | {"wang": "writes"}), '3:16: people.wang.may[0]: found "writes", expected one of write, approve; did you mean "write"?'),
        (roster_text(RIGHTS | {"wang": ""}), "3:15: people.wang.may: found nothing in it, expected a list"),
        (roster_text(keys={"li": "wang"}), "4:29: people.li.key: found the key of wang again, expected a key of their own"),
        (roster_text({"zhao": "write, approve"}), "1:11: approval: found 1 who may write and 1 who may approve, expected one of each"),
        (roster_text({"wang": "write", "zhao": "write"}), "1:11: approval: found 2 who may write and 0 who may approve, expected one of each"),
        (roster_text().replace("people:", "persons:"), '2:1: persons: found the unknown key "persons", expected one of approval, people'),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_roster_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    assert any(fault.startswith(told) for fault in faults(tmp_path, text)), faults(tmp_path, text)


def test_a_roster_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DocumentErrors, match="cannot be read"):
        load_roster(tmp_path / "approvers.yaml")


@pytest.mark.parametrize("encoded", LOW_ORDER)
def test_a_key_that_any_signature_fits_is_none(tmp_path: Path, encoded: str) -> None:
    assert points._decoded(bytes.fromhex(encoded)) is not None
    assert not is_key(bytes.fromhex(encoded))
    key = base64.b64encode(bytes.fromhex(encoded)).decode()
    text = roster_text().replace(public(key_of("wang")), key)
    assert faults(tmp_path, text)[0].startswith(f'3:29: people.wang.key: found "{key}", expected a public Ed25519 key in base64')


@pytest.mark.parametrize(
    "data",
    [
        (P + 3).to_bytes(32, "little"),  # the point with y = 3, written a second way
        (3 | 1 << 255).to_bytes(32, "little")[:31],
        (7).to_bytes(32, "little"),  # no x goes with y = 7
        b"",
    ],
)
def test_what_is_no_point_or_another_spelling_of_one_is_no_key(data: bytes) -> None:
    assert not is_key(data)


def test_keys_that_are_made_are_keys() -> None:
    assert all(is_key(key_of(str(i)).public_key().public_bytes_raw()) for i in range(40))


def test_a_key_in_another_spelling_of_base64_is_none(tmp_path: Path) -> None:
    key = public(key_of("wang"))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = key[:42] + letters[letters.index(key[42]) + 1] + "="
    assert base64.b64decode(other) == base64.b64decode(key)
    assert "people.wang.key" in faults(tmp_path, roster_text().replace(key, other))[0]
