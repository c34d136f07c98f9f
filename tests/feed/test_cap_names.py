"""Identifiers of CAP messages: 31 characters, by the site's clock, none twice."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.feed.cap_names import LETTERS, CapNames, is_name, names_in
from flowwatch.journal import Journal
from tests.feed.told import CODE, NOON, SECOND, alert, write

SHANGHAI = "Asia/Shanghai"
ZONES = st.sampled_from([SHANGHAI, "UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"])
MOMENTS = st.integers(NOON, NOON + 3 * SECOND) | st.integers(0, 4_102_444_800 * SECOND)


def test_a_name_has_31_characters_of_code_second_and_letter() -> None:
    name = CapNames(CODE).next(NOON + 999_999, SHANGHAI)
    assert name == "31010100000001_20261001140300_0"
    assert len(name) == 31


def test_messages_of_one_second_have_36_letters_and_then_take_the_next_second() -> None:
    names = CapNames(CODE)
    given = [names.next(NOON, SHANGHAI) for _ in range(75)]
    assert [name[-1] for name in given[:36]] == list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert given[36] == f"{CODE}_20261001140301_0"
    assert given[74] == f"{CODE}_20261001140302_2"
    assert names.next(NOON + SECOND, SHANGHAI) == f"{CODE}_20261001140302_3"


def test_what_the_book_holds_is_not_given_again(tmp_path: Path) -> None:
    before = CapNames(CODE)
    held = [before.next(NOON, SHANGHAI) for _ in range(40)]
    write(tmp_path / "handling.db", [("yuyuan", NOON, alert(cap=name)) for name in held] + [("yuyuan", NOON, alert(cap=None))])
    after = CapNames(CODE)
    with Journal.open(tmp_path / "handling.db") as book:
        found = list(names_in(book))
    assert sorted(found) == sorted(held)
    for name in found:
        after.used(name)
    assert after.next(NOON, SHANGHAI) == f"{CODE}_20261001140301_4"


def test_names_of_another_installation_take_none_of_ours() -> None:
    names = CapNames(CODE)
    for text in ("99999999999999_20261001140300_0", "", "nonsense", f"{CODE}_20261001140300_a"):
        names.used(text)
    assert names.next(NOON, SHANGHAI)[-1] == "0"


def test_an_hour_that_a_clock_shows_twice_gives_no_name_twice() -> None:
    names, berlin = CapNames(CODE), "Europe/Berlin"
    first = int(datetime(2026, 10, 25, 2, 30, fold=0, tzinfo=ZoneInfo(berlin)).timestamp()) * SECOND
    given_ = [names.next(first + hours * 3600 * SECOND, berlin) for hours in (0, 1)]
    assert given_ == [f"{CODE}_20261025023000_{letter}" for letter in "01"]


def test_a_code_of_another_form_is_refused() -> None:
    for code in ("", "3101010000000", "3101010000000é", "31010100000001\n"):
        with pytest.raises(ValueError, match="expected 14 characters"):
            CapNames(code)


def test_a_zone_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError):
        CapNames(CODE).next(NOON, "Asia/Nowhere")


@given(st.lists(st.tuples(MOMENTS, ZONES), max_size=120), st.integers(0, 120))
def test_no_name_comes_twice_whatever_the_moments_the_zones_and_a_restart(asked: list[tuple[int, str]], restart: int) -> None:
    names, given_ = CapNames(CODE), list[str]()
    for i, (at, zone) in enumerate(asked):
        if i == restart:
            names = CapNames(CODE)
            for name in reversed(given_):
                names.used(name)
        given_.append(names.next(at, zone))
    assert len(set(given_)) == len(given_)
    assert all(is_name(name) and name[-1] in LETTERS for name in given_)
    for (at, zone), name in zip(asked, given_, strict=True):
        shown = datetime.fromtimestamp(at // SECOND, ZoneInfo(zone)).replace(tzinfo=None)
        late = (datetime.strptime(name[15:29], "%Y%m%d%H%M%S") - shown).total_seconds()  # noqa: DTZ007 - digits have no zone
        assert 0 <= late <= 4 or late % 1800 == 0
