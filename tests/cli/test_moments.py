"""Times as people type them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.cli.exits import CommandError
from flowwatch.cli.moments import moment, span_us

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = round(datetime(2026, 10, 1, 21, 0, tzinfo=SHANGHAI).timestamp() * 1e6)
HOUR = 3_600_000_000


@pytest.mark.parametrize(
    ("text", "ahead"),
    [
        ("now", 0),
        ("90m", 1.5),
        ("1h30m", 1.5),
        ("45s", 1 / 80),
        ("22:30", 1.5),
        ("20:00", 23),
        ("21:00", 24),
        ("2026-10-01T22:30", 1.5),
        ("2026-10-01T22:30+08:00", 1.5),
        ("2026-10-01T14:30Z", 1.5),
    ],
)
def test_a_moment_to_come(text: str, ahead: float) -> None:
    assert moment(text, NOW, SHANGHAI) == NOW + ahead * HOUR


@pytest.mark.parametrize(("text", "ago"), [("now", 0), ("90m", 1.5), ("20:00", 1), ("22:30", 22.5), ("21:00", 0)])
def test_a_moment_gone_by(text: str, ago: float) -> None:
    assert moment(text, NOW, SHANGHAI, back=True) == NOW - ago * HOUR


@pytest.mark.parametrize("text", ["", "soon", "25:00", "-5m", "1.5h", "m"])
def test_what_is_no_time_is_said_to_be_none(text: str) -> None:
    with pytest.raises(CommandError, match="no time"):
        moment(text, NOW, SHANGHAI)


@given(st.integers(0, 99), st.integers(0, 999), st.integers(0, 9999))
def test_a_while_adds_up(hours: int, minutes: int, seconds: int) -> None:
    assert span_us(f"{hours}h{minutes}m{seconds}s") == (hours * 3600 + minutes * 60 + seconds) * 1_000_000


@given(st.integers(0, 4_000_000_000_000_000))
def test_any_iso_time_with_an_offset_is_that_moment(us: int) -> None:
    text = datetime.fromtimestamp(us // 1_000_000, UTC).astimezone(SHANGHAI).isoformat()
    assert moment(text, NOW, UTC) == us // 1_000_000 * 1_000_000
