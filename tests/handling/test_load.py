"""The figures of alarm load: by example, and against naive counting second by second."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.handling.load import HIDDEN, Load, load
from flowwatch.handling.records import FLOWWATCH, SHOWN, Act, Alert, Handling, Shown, Step
from tests.handling.made import SECOND, START, alert, entries, step

HOUR = 3_600
DAY = 24 * HOUR
Said = tuple[float, Alert | Step]


def of(*said: Said, since: float = 0, until: float = HOUR, **more: Any) -> Load:
    return load(entries(*said), START + int(since * SECOND), START + int(until * SECOND), **more)


def shown_at(*seconds: float) -> list[Said]:
    return [(at, alert(f"yuyuan-i{i}", subject=f"gate-{i}")) for i, at in enumerate(sorted(seconds), 1)]


def test_an_empty_span_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a span"):
        of(until=0)
    with pytest.raises(ValueError, match="one operator"):
        of(operators=0)


def test_a_quiet_span_breaks_nothing() -> None:
    quiet = of()
    assert (quiet.shown, quiet.per_hour, quiet.worst_10min, quiet.worst_at_us, quiet.flood_share) == (0, 0, 0, None, 0)
    assert (quiet.acknowledge_p50_s, quiet.broken, quiet.bands) == (None, (), {"high": 0, "medium": 0, "low": 0})


def test_the_mean_is_divided_among_the_operators() -> None:
    found = of(*shown_at(*range(0, HOUR, 400)), operators=2)
    assert (found.shown, found.per_hour, found.per_operator_hour, found.broken) == (9, 9, 4.5, ())
    assert of(*shown_at(*range(0, HOUR, 400))).broken == ("per_operator_hour",)


def test_ten_in_ten_minutes_are_borne_and_eleven_are_a_flood() -> None:
    ten = of(*shown_at(*range(10)), until=10 * HOUR)
    assert (ten.worst_10min, ten.flood_share, ten.broken) == (10, 0, ())
    eleven = of(*shown_at(*range(11)), until=10 * HOUR)
    assert (eleven.worst_10min, eleven.worst_at_us, eleven.broken) == (11, START + 10 * SECOND, ("worst_10min", "flood_share"))
    assert eleven.flood_share == 590 / (10 * HOUR), "from the eleventh until the first is ten minutes old"


def test_ten_minutes_end_before_their_end() -> None:
    assert of(*shown_at(0, 600)).worst_10min == 1
    assert of(*shown_at(0, 599.999999)).worst_10min == 2


def test_what_came_before_the_span_is_counted_nowhere_but_may_still_wait() -> None:
    found = of((-2 * DAY, alert()), (-10, alert("yuyuan-i2")), (5, step(Act.ACKNOWLEDGE, "yuyuan-i2", handling=Handling.ACKNOWLEDGED)))
    assert (found.shown, found.acknowledged, found.unanswered) == (0, 0, 0)
    assert [(left.incident, left.since_us) for left in found.stale] == [("yuyuan-i1", START - 2 * DAY * SECOND)]


def test_an_answer_is_a_persons_first_step_and_counts_for_every_time_that_it_was_shown() -> None:
    found = of(
        (0, alert()),
        (4, step(Act.ESCALATE, by=FLOWWATCH, clock="acknowledge")),
        (5, step(Act.NOTE)),
        (60, alert(level="II", shown=Shown.WORSE)),
        (61, step(Act.REOPEN, by=FLOWWATCH)),
        (90, step(Act.DISPATCH, handling=Handling.DISPATCHED, to="patrol-3")),
        (99, step(Act.ARRIVE, handling=Handling.ON_SCENE)),
    )
    assert (found.shown, found.acknowledged, found.unanswered) == (2, 2, 0)
    assert (found.acknowledge_p50_s, found.acknowledge_p90_s) == (30, 90)
    assert found.escalations == {"acknowledge": 1}


def test_what_is_not_counted_as_shown_is_not_counted_as_answered_either() -> None:
    """It happened before the span and was told in it, because nobody could be told before."""
    late = alert(told_us=START + 10 * SECOND)
    found = of((-60, late), (20, step(Act.ACKNOWLEDGE, handling=Handling.ACKNOWLEDGED)))
    assert (found.shown, found.acknowledged, found.unanswered, found.acknowledge_p50_s) == (0, 0, 0, None)


@pytest.mark.parametrize("bad", [b"", b"\x00damaged", b"null", b'{"site":"\xff"}'])
def test_a_record_that_cannot_be_read_is_passed_over_and_named_once(bad: bytes, caplog: pytest.LogCaptureFixture) -> None:
    book = entries(*shown_at(0, 9, 18))
    book[1] = dataclasses.replace(book[1], chain=f"yuyuan{len(bad)}", body=bad)
    for _ in range(3):
        assert load(book, START, START + HOUR * SECOND).shown == 2
    assert [record.message.partition(":")[0] for record in caplog.records] == [book[1].id]


@pytest.mark.parametrize("bad", [{"level": "V"}, {"priority": "red"}, {"since_us": -1}, {"told_us": 2**62}])
def test_an_alert_with_words_that_nobody_knows_is_passed_over(bad: dict[str, Any]) -> None:
    found = of((0, alert("yuyuan-i1")), (1, alert("yuyuan-i2", **({"level": None} | bad))))
    assert (found.shown, sum(found.bands.values())) == (1, 1)


def test_what_ended_by_itself_was_not_answered() -> None:
    found = of((0, alert()), (50, alert(state="cleared", shown=Shown.ENDED)), (51, step(Act.CLOSE, by=FLOWWATCH, handling=Handling.CLOSED)))
    assert (found.acknowledged, found.unanswered, found.acknowledge_p50_s, found.stale) == (0, 1, None, ())


@pytest.mark.parametrize("act", [Act.SHELVE, Act.DEFER, Act.SUPPRESS])
def test_what_somebody_put_off_is_not_stale_until_it_goes_on(act: Act) -> None:
    back = {Act.SHELVE: Act.UNSHELVE, Act.DEFER: Act.RESUME, Act.SUPPRESS: Act.UNSUPPRESS}[act]
    assert len(of((0, alert()), until=DAY + 1).stale) == 1
    assert not of((0, alert()), until=DAY).stale
    assert not of((0, alert()), (9, step(act)), until=2 * DAY).stale
    assert len(of((0, alert()), (9, step(act)), (99, step(back)), until=2 * DAY).stale) == 1


def test_three_changes_of_one_thing_within_a_minute_are_chatter_whatever_its_incident() -> None:
    found = of(
        (0, alert("yuyuan-i1")),
        (20, alert("yuyuan-i1", state="cleared", shown=Shown.ENDED)),
        (40, alert("yuyuan-i2", shown=Shown.RETURNED)),
        (41, alert("yuyuan-i3", subject="gate-3")),
    )
    assert [(one.subject, one.count) for one in found.chatter] == [("gate-2", 3)]
    assert found.broken == ("chatter",)


def test_changes_that_nobody_saw_and_facts_that_changed_are_no_chatter() -> None:
    hidden = [(20.0 * i, alert(shown=Shown.MAINTENANCE)) for i in range(3)]
    ended = [(20.0 * i + 10, alert(state="cleared", shown=Shown.ENDED)) for i in range(3)]
    assert not of(*sorted(hidden + ended, key=lambda said: said[0])).chatter
    assert not of(*((i, alert(state="updated", shown=Shown.SAME if i else Shown.RAISED)) for i in range(5))).chatter
    levels = ["II", "III", "IV"]
    assert of(*((i, alert(level=level, shown=Shown.SAME if i else Shown.RAISED)) for i, level in enumerate(levels))).chatter


def test_what_was_not_shown_is_counted_by_its_reason_once_an_incident_and_a_red_among_it_breaks_a_bound() -> None:
    found = of(*((i, alert(shown=why)) for i, why in enumerate([*HIDDEN, Shown.GROUP])), (9, step(Act.SHELVE)))
    assert found.suppressed == dict.fromkeys((why.value for why in HIDDEN), 1)
    assert (found.shown, found.shelved, found.reds_hidden, found.broken) == (0, 1, 0, ())
    assert of((0, alert(level="I", shown=Shown.FLOOD))).broken == ("reds_hidden",)


def test_what_stands_for_itself_again_sounds_and_asks_for_an_answer() -> None:
    again = step(Act.UNSUPPRESS, by=FLOWWATCH, detail={"sounds": True})
    found = of((0, alert(shown=Shown.GROUP)), (60, again), (90, step(Act.ACKNOWLEDGE, handling=Handling.ACKNOWLEDGED)))
    assert (found.shown, found.by_priority["III"], found.top[0].subject, found.acknowledge_p50_s) == (1, 1, "gate-2", 30)
    assert of((0, alert(shown=Shown.GROUP)), (60, step(Act.UNSUPPRESS, by=FLOWWATCH))).shown == 0


def test_the_top_ten_are_the_ten_shown_most_often_with_their_share() -> None:
    said = [(i, alert(f"yuyuan-i{i}", subject=f"gate-{i % 12}")) for i in range(25)]
    found = of(*said)
    assert len(found.top) == 10
    assert (found.top[0].subject, found.top[0].count, found.top[0].share) == ("gate-0", 3, 3 / 25)


def test_priorities_are_counted_and_stand_in_the_three_bands_of_the_guide() -> None:
    found = of(*((i, alert(f"yuyuan-i{i}", level=level)) for i, level in enumerate(["I", "II", "III", "IV"])))
    assert found.by_priority == {"I": 1, "II": 1, "III": 1, "IV": 1}
    assert found.bands == {"high": 0.25, "medium": 0.25, "low": 0.5}


# -- against an oracle ------------------------------------------------------------------------------------------------------------------

SPAN = 1_800
names = st.sampled_from([f"yuyuan-i{i}" for i in range(1, 5)] + ["bund-i1"])
alerts = st.builds(
    lambda name, subject, level, shown, told: alert(name, subject=subject, level=level, shown=shown, told_us=told),
    names,
    st.sampled_from(["gate-1", "gate-2"]),
    st.sampled_from(["I", "II", "III", "IV"]),
    st.sampled_from([*Shown, Shown.RAISED, Shown.RAISED]),
    st.one_of(st.none(), st.integers(0, 60).map(lambda s: START + s * SECOND)),
)
steps = st.builds(
    lambda name, act, by, handling: step(act, name, by, handling),
    names,
    st.sampled_from(list(Act)),
    st.sampled_from(["wang", FLOWWATCH]),
    st.sampled_from(list(Handling)),
)
stories = st.lists(st.tuples(st.integers(-300, SPAN + 60), st.one_of(alerts, alerts, steps)), max_size=60).map(
    lambda said: sorted(said, key=lambda one: one[0])
)


def answered(after: Sequence[Said]) -> float | None:
    """When a person answered, of what is said about one incident after an alert; None if nobody did."""
    for at, said in after:
        if isinstance(said, Step) and said.handling is not Handling.NEW:
            if said.by != FLOWWATCH:
                return at
            if said.handling is Handling.CLOSED:
                return None
    return None


@given(stories)
def test_counts_are_those_of_naive_counting(story: list[Said]) -> None:
    found = of(*story, until=SPAN)
    before = [(at, said) for at, said in story if at < SPAN]
    inside = [(at, said) for at, said in before if at >= 0]
    times = [at for at, said in inside if isinstance(said, Alert) and said.shown in SHOWN]
    assert found.shown == len(times)
    each = [sum(second - 600 < at <= second for at in times) for second in range(SPAN)]
    assert found.worst_10min == max(each)
    assert found.flood_share == sum(number > 10 for number in each) / SPAN
    waits = []
    for i, (at, said) in enumerate(before):
        if isinstance(said, Alert) and said.shown in SHOWN and at >= 0:
            mine = [one for one in before[i + 1 :] if one[1].incident == said.incident]
            heard = at if said.told_us is None else (said.told_us - START) / SECOND
            waits.append((heard, answered(mine)))
    took = sorted(max(0, end - heard) for heard, end in waits if end is not None)
    assert (found.acknowledged, found.unanswered) == (len(took), len(waits) - len(took))
    assert found.unanswered >= 0
    if took:
        assert found.acknowledge_p50_s == took[math.ceil(len(took) / 2) - 1]
        assert found.acknowledge_p90_s == took[math.ceil(len(took) * 9 / 10) - 1]
    said_by = Counter((said.site, said.what, said.subject) for _, said in inside if isinstance(said, Alert) and said.shown in SHOWN)
    assert [one.count for one in found.top] == sorted(said_by.values(), reverse=True)[:10]
    assert {(one.site, one.what, one.subject): one.count for one in found.top} == said_by
    for why in HIDDEN:
        assert found.suppressed[why] == len({said.incident for _, said in inside if isinstance(said, Alert) and said.shown is why})


@given(st.lists(st.integers(0, 3 * HOUR - 1), max_size=80))
def test_floods_are_those_of_every_second(seconds: list[int]) -> None:
    found = of(*shown_at(*seconds), until=3 * HOUR)
    each = [sum(second - 600 < at <= second for at in seconds) for second in range(3 * HOUR)]
    assert found.flood_share == sum(number > 10 for number in each) / (3 * HOUR)
    assert found.worst_10min == max(each)
    assert (found.flood_share > 0) == (found.worst_10min > 10)


@given(stories, st.integers(1, SPAN - 1))
def test_what_is_counted_is_counted_once_however_the_span_is_divided(story: list[Said], cut: int) -> None:
    whole, first, second = of(*story, until=SPAN), of(*story, until=cut), of(*story, since=cut, until=SPAN)
    assert whole.shown == first.shown + second.shown
    assert whole.shelved == first.shelved + second.shelved
    assert Counter(whole.by_priority) == Counter(first.by_priority) + Counter(second.by_priority)
    assert whole.worst_10min >= max(first.worst_10min, second.worst_10min)
