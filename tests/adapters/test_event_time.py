"""Time in an archive: the clock that readings move, and the ticks that follow from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.adapters import event_time
from flowwatch.adapters.batch import Batch
from flowwatch.adapters.event_time import HOUR, WITNESSES, EventClock, Ticks
from flowwatch.core.readings import ABSENT
from tests.adapters.making import Row, batch, cut

SECOND = 1_000_000
DAY = 24 * HOUR
START = 20_000 * DAY
CAP = 6

STEPS = st.sampled_from([0, 0, SECOND, 5 * SECOND, HOUR, -HOUR, -3 * SECOND, 2 * DAY, -2 * DAY, 300 * DAY, -300 * DAY])
SOURCES = st.lists(st.one_of(st.none(), st.tuples(st.sampled_from("aaaab"), STEPS)), max_size=24)
CUTS = st.lists(st.integers(0, 24), max_size=6)


def source(steps: Sequence[tuple[str, int] | None]) -> list[Row]:
    """Rows whose times go by steps."""
    at = START
    rows: list[Row] = []
    for step in steps:
        if step is not None:
            at += step[1]
            rows.append((step[0], at))
        else:
            rows.append(None)
    return rows


def stamps(rows: Sequence[Row], cuts: Sequence[int], max_jump: int = DAY) -> list[tuple[object, int]]:
    """Each row, a reading's time or a refusal's bytes, with the receipt time that the clock gives it."""
    clock = EventClock(max_jump)
    told: list[tuple[object, int]] = []
    parts: list[Batch | None] = [clock.stamp(_numbered(rows, part)) for part in cut(range(len(rows)), cuts)]
    for part in (*parts, clock.end()):
        if part is None:
            continue
        refused = list(part.refused)
        for i in range(len(part) + 1):
            while refused and refused[0].place == i:
                told.append((refused[0].raw, refused.pop(0).received))
            if i < len(part):
                told.append((int(part.readings.at[i]), int(part.readings.received[i])))
    return told


def _numbered(rows: Sequence[Row], places: Sequence[int]) -> Batch:
    made = batch([rows[i] for i in places])
    refused = iter([i for i in places if rows[i] is None])
    return Batch(made.readings, [r._replace(raw=b"row %d" % next(refused)) for r in made.refused])


def expected(rows: Sequence[Row], max_jump: int = DAY) -> list[tuple[object, int]]:
    """The rule of the module's head, row by row, with the whole source in view."""
    clock: int | None = None
    received: dict[int, int] = {}
    met: set[str] = set()
    places = [i for i, row in enumerate(rows) if row is not None]

    def at(k: int) -> int:
        row = rows[places[k]]
        assert row is not None
        return row[1]

    def name(k: int) -> str:
        row = rows[places[k]]
        assert row is not None
        return row[0]

    i = 0
    while i < len(places):
        if clock is not None and at(i) <= clock + max_jump:
            clock = max(clock, at(i))
            received[places[i]] = clock
            met.add(name(i))
            i += 1
            continue
        k, believed, back = i, False, False
        while k < len(places) and places[k] - places[i] < CAP:
            if clock is not None and at(k) <= clock + max_jump:
                back = True
                break
            k += 1
            names = {name(j) for j in range(i, k)}
            if k - i >= WITNESSES and (clock is None or len(names) > 1 or met <= names):
                believed = True
                break
        full = not back and len(rows) - places[i] >= CAP
        if believed or (not back and (clock is None or (full and k - i >= WITNESSES))):
            clock = min(at(j) for j in range(i, k))
            continue
        for j in range(i, k):
            assert clock is not None
            received[places[j]] = clock
            met.add(name(j))
        i = k
    early = places[0] if places else len(rows)
    told: list[tuple[object, int]] = []
    last = received[places[0]] if places and early < CAP else 0
    for i, row in enumerate(rows):
        last = received.get(i, last)
        told.append((b"row %d" % i if row is None else row[1], last))
    return told


@pytest.fixture(autouse=True)
def _short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_time, "HELD", CAP)


@given(SOURCES, CUTS)
def test_the_clock_is_the_running_maximum_of_what_is_believed_however_the_source_is_cut(
    steps: list[tuple[str, int] | None], cuts: list[int]
) -> None:
    rows = source(steps)
    assert stamps(rows, cuts) == expected(rows)


def test_one_device_with_a_wrong_date_does_not_move_the_clock() -> None:
    rows: list[Row] = [("a", START), ("b", START + SECOND), ("a", START + SECOND), ("b", START + 4000 * DAY), ("a", START + 2 * SECOND)]
    assert [received - START for _, received in stamps(rows, [])] == [0, SECOND, SECOND, SECOND, 2 * SECOND]


def test_a_wrong_date_in_the_first_row_does_not_set_the_clock() -> None:
    rows: list[Row] = [("a", START + 4000 * DAY), ("b", START), ("c", START + SECOND)]
    assert [received - START for _, received in stamps(rows, [1, 2])] == [0, 0, SECOND]


def test_after_a_gap_in_the_archive_the_clock_goes_on_and_no_row_is_taken_for_a_wrong_one() -> None:
    rows: list[Row] = [("a", START), ("b", START)]
    rows += [(c, START + 9 * DAY + i * SECOND) for i, c in enumerate("abab")]
    assert all(received == at for at, received in stamps(rows, [3, 4]))


def ticks(rows: Sequence[tuple[int, int]], cuts: Sequence[int], tick: int, lateness: int, last: int = ABSENT) -> list[tuple[str, int]]:
    """The log's order: ("row", at) and ("tick", time)."""
    source_ticks, told = Ticks(tick, lateness, last), []
    for part in cut(rows, cuts):
        at, received = (np.array([row[i] for row in part], np.int64) for i in (0, 1))
        due = dict(source_ticks.due(at, received))
        for i, time in enumerate(at.tolist()):
            told += [("tick", t) for t in due.get(i, [])]
            told.append(("row", time))
    return told + [("tick", t) for t in source_ticks.end()]


def due_ticks(rows: Sequence[tuple[int, int]], tick: int, lateness: int, last: int = ABSENT) -> list[tuple[str, int]]:
    """The rule of the module's head, one grid step after the other."""
    told: list[tuple[str, int]] = []
    hours: set[int] = set()
    done = None if last == ABSENT else last

    def run(upto: int) -> int:
        time = (START - 3 * DAY) if done is None else done
        while time + tick <= upto:
            time += tick
            if {time // HOUR, time // HOUR - 1} & hours:
                told.append(("tick", time))
        return max(time, upto)

    first = True
    for at, received in rows:
        if at <= received:
            hours.add(at // HOUR)
        upto = (received - lateness - 1) // tick * tick
        done = max(done or upto, upto) if first else run(upto) if upto > (done or 0) else done
        first = False
        told.append(("row", at))
    if rows:
        run(-(-rows[-1][1] // tick) * tick)
    return told


ARCHIVE = st.lists(
    st.tuples(
        st.sampled_from([0, 0, SECOND, 61 * SECOND, 20 * 60 * SECOND, 5 * HOUR]),
        st.sampled_from([0, 0, 30 * SECOND, HOUR, 3 * HOUR, -9 * DAY]),
    ),
    max_size=25,
)


@given(ARCHIVE, CUTS, st.sampled_from([600 * SECOND, 60 * SECOND, HOUR]), st.sampled_from([0, 90 * SECOND, 2 * HOUR]), st.booleans())
def test_ticks_stand_where_their_time_and_the_lateness_have_passed_however_the_source_is_cut(
    steps: list[tuple[int, int]], cuts: list[int], tick: int, lateness: int, again: bool
) -> None:
    clock, rows = START, []
    for step, behind in steps:
        clock += step
        rows.append((clock - behind, clock))
    last = START + 7 * tick if again else ABSENT
    assert ticks(rows, cuts, tick, lateness, last) == due_ticks(rows, tick, lateness, last)


def test_every_row_in_time_stands_before_the_tick_that_counts_it() -> None:
    rows = [(START + s * SECOND, START + s * SECOND) for s in (0, 1, 1, 2, 2, 3)]
    told = ticks(rows, [2, 3], SECOND, 0)
    for i, (what, time) in enumerate(told):
        if what == "tick":
            assert all(at <= time for kind, at in told[:i] if kind == "row")
            assert all(at > time for kind, at in told[i:] if kind == "row")


def test_a_year_without_data_has_no_ticks() -> None:
    rows = [(START, START), (START + 365 * DAY, START + 365 * DAY)]
    told = [time - START for what, time in ticks(rows, [], 60 * SECOND, 0) if what == "tick"]
    assert told == [*range(0, 2 * HOUR, 60 * SECOND), 365 * DAY]
