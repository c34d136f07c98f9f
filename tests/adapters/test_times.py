"""Times of readings: which texts name one, and which one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.adapters.times import column, microseconds
from flowwatch.core.readings import ABSENT

OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 30), timezones=OFFSETS)  # noqa: DTZ001 - hypothesis adds the zone
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def written(moment: datetime, decimals: int, *, zulu: bool) -> str:
    text = (moment.astimezone(UTC) if zulu else moment).isoformat(timespec="microseconds")
    body, zone = (text[:26], "Z") if zulu else (text[:26], text[26:])
    return body[: 19 + (decimals + 1 if decimals else 0)] + zone


@given(MOMENTS, st.integers(0, 6), st.booleans())
def test_a_time_is_its_microseconds_since_the_epoch_cut_to_its_decimals(moment: datetime, decimals: int, zulu: bool) -> None:
    cut = moment.replace(microsecond=moment.microsecond // 10 ** (6 - decimals) * 10 ** (6 - decimals))
    assert microseconds(written(moment, decimals, zulu=zulu)) == us(cut)


@given(st.lists(st.tuples(MOMENTS, st.integers(0, 6), st.booleans()), max_size=150), st.booleans())
def test_a_column_reads_each_text_as_if_it_stood_alone(parts: list[tuple[datetime, int, bool]], alike: bool) -> None:
    texts = [written(m, parts[0][1] if alike else d, zulu=parts[0][2] if alike else z) for m, d, z in parts]
    assert column(texts).tolist() == [microseconds(text) for text in texts]


@given(st.lists(st.sampled_from(["2026-10-01T09:00:00+08:00", "2026-10-01T09:00:01+08:00", "2026-02-30T09:00:00+08:00"]), max_size=300))
def test_runs_of_equal_texts_are_read_like_others(texts: list[str]) -> None:
    assert column(texts).tolist() == [microseconds(text) for text in texts]


@given(
    st.lists(
        st.one_of(st.text(max_size=30), st.sampled_from(["2026-10-01T09:00:00+08:0", "02026-10-01T09:00:00+08:00", "\n", ""])), max_size=20
    )
)
def test_no_text_is_ever_an_error(texts: list[str]) -> None:
    assert column(texts).tolist() == [microseconds(text) for text in texts]


@given(st.integers(0, 24), st.sampled_from("0123456789-:TZ+. \nx"), st.integers(1, 80))
def test_a_wrong_character_spoils_only_its_own_text(place: int, character: str, others: int) -> None:
    good = "2026-10-01T09:00:00+08:00"
    odd = good[:place] + character + good[place + 1 :]
    texts = [good] * others + [odd] + [good]
    assert column(texts).tolist() == [microseconds(good)] * others + [microseconds(odd), microseconds(good)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2026-10-01T09:00:00", "no offset"),
        ("2026-10-01", "no time"),
        ("2026-02-29T09:00:00Z", "no such day"),
        ("2026-13-01T09:00:00Z", "no such month"),
        ("0000-01-01T09:00:00Z", "no such year"),
        ("2026-10-01T24:00:00Z", "no such hour"),
        ("2026-10-01T09:60:00Z", "no such minute"),
        ("2026-10-01T09:00:61Z", "no such second"),
        ("2026-10-01T09:00:00+24:00", "no such offset"),
        ("2026-10-01T09:00:00+0800", "an offset without its colon"),
        ("2026-10-01T09:00:00.Z", "a dot without decimals"),
        ("２026-10-01T09:00:00Z", "a digit of another script"),
        ("2026-10-01T09:00:00Z ", "a blank behind it"),
    ],
)
def test_what_is_no_time_is_absent(text: str, told: str) -> None:
    many = [text.replace("09", f"{hour:02d}") for hour in range(1, 4)] * 40
    assert microseconds(text) == ABSENT, told
    assert (column([text] * 3) == ABSENT).all(), told
    assert column(many).tolist() == [microseconds(one) for one in many], told


def test_the_lesser_known_forms_of_rfc_3339_are_read() -> None:
    plain = microseconds("2026-10-01T01:00:00Z")
    assert [microseconds(text) for text in ("2026-10-01t01:00:00z", "2026-10-01 01:00:00-00:00", "2026-10-01T01:00:00.0000009Z")] == [
        plain
    ] * 3
    assert microseconds("2016-12-31T23:59:60Z") == microseconds("2017-01-01T00:00:00Z")
    assert column(["2016-12-31T23:59:60Z"]).dtype == np.int64
