"""Who must say yes before a stage changes: one step at a time, against what the plan's author was promised."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.core.consent import DECLINED, GRANTED, OPEN, UNANSWERED, Question, Step, step
from flowwatch.core.readings import SECOND
from tests.core.world import AUTOMATIC, T0, asked, stage

MINUTE = 60 * SECOND
terms = st.one_of(
    st.just(AUTOMATIC),
    st.builds(
        asked, st.sampled_from(["officer", "chief"]), st.sampled_from([None, 5 * SECOND, MINUTE]), st.sampled_from(["apply", "keep"])
    ),
)
ladders = st.lists(st.fixed_dictionaries({"rise": terms, "fall": terms}), min_size=2, max_size=6).map(
    lambda confirms: [stage(f"s{i}", confirm=c) for i, c in enumerate(confirms)]
)
days = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 5), st.booleans(), st.sampled_from([None] * 6 + [True, False])), max_size=40)
"""Seconds since the last tick, the rank that the conditions ask for, fresh evidence, and an answer to what is asked by then."""


def _run(stages: list[dict[str, Any]], day: Any) -> list[tuple[int, int, int, bool, bool | None, Step, Question | None]]:
    """(tick, rank before, asked, sure, answer, step, question before) of each tick."""
    told: list[tuple[int, int, int, bool, bool | None, Step, Question | None]] = []
    at, rank = T0, 0
    question: Question | None = None
    for wait, most, sure, said in day:
        at, wanted = at + wait * SECOND, min(most, len(stages) - 1)
        answer = said if question is not None else None
        if question is not None and answer is not None:
            question = _answered(question, yes=answer)
        taken = step(stages, rank, wanted, question, at, sure=sure)
        told.append((at, rank, wanted, sure, answer, taken, question))
        rank, question = taken.rank, taken.question
    return told


def _answered(question: Question, *, yes: bool) -> Question:
    fields = {name: getattr(question, name) for name in question.__slots__}
    return Question(**fields | {"state": GRANTED if yes else DECLINED, "said_by": "Wang", "action": "a1"})


@given(ladders, days)
def test_a_step_never_goes_past_what_is_asked_and_never_the_other_way(stages: Any, day: Any) -> None:
    for _, rank, wanted, _, _, taken, _ in _run(stages, day):
        assert min(rank, wanted) <= taken.rank <= max(rank, wanted)
        assert (taken.question is None) == (taken.rank == wanted)


@given(ladders, days)
def test_what_rises_or_falls_by_itself_does_so_at_once(stages: Any, day: Any) -> None:
    for _, rank, wanted, _, _, taken, _ in _run(stages, day):
        if wanted > rank:
            assert not [r for r in range(taken.rank + 1, wanted + 1) if stages[r]["confirm"]["rise"]["by"] is None]
        elif taken.rank > wanted:
            assert stages[taken.rank]["confirm"]["fall"]["by"] is not None


@given(ladders, days)
def test_a_step_without_an_answer_and_before_any_time_is_over_is_one_that_nobody_is_asked_about(stages: Any, day: Any) -> None:
    for at, rank, wanted, sure, _, taken, before in _run(stages, day):
        for r in range(rank, taken.rank, -1):
            """Every stage that is left fell by itself, was agreed to, or had its time and fresh evidence."""
            way = stages[r]["confirm"]["fall"]
            agreed = before is not None and before.state == GRANTED
            in_time = before is None or way["within_us"] is None or at - before.since < way["within_us"]
            assert way["by"] is None or agreed or (sure and way["otherwise"] == "apply" and not in_time)
        if taken.rank > rank and stages[taken.rank]["confirm"]["rise"]["by"] is not None:
            assert taken.how == "confirmed" or (taken.how == "unanswered" and stages[taken.rank]["confirm"]["rise"]["otherwise"] == "apply")
        assert wanted != rank or taken.rank == rank


@given(ladders, days)
def test_a_question_never_stands_there_granted_and_keeps_its_deadline_while_the_conditions_ask_for_the_same(stages: Any, day: Any) -> None:
    for at, _, wanted, _, answer, taken, before in _run(stages, day):
        question = taken.question
        if question is None:
            continue
        assert question.state in (OPEN, DECLINED, UNANSWERED)
        assert question.to == stages[wanted]["stage"]
        if before is not None and answer is not True and (before.to, before.rises) == (question.to, question.rises) and taken.how == "":
            assert (question.since, question.due, question.by) == (before.since, before.due, before.by)
        assert question.state != UNANSWERED or (question.due is not None and question.due <= at)


@given(ladders, st.lists(st.tuples(st.integers(1, 40), st.integers(0, 5), st.integers(0, 2), st.booleans()), max_size=40))
def test_more_asked_for_by_the_conditions_never_means_a_calmer_stage_while_nobody_answers(stages: Any, day: Any) -> None:
    """Rises only: both days keep asking for what they ever asked for."""
    fewer, more = 0, 0
    low, high = list[Any](), list[Any]()
    for wait, wanted, extra, sure in day:
        fewer = max(fewer, wanted)
        more = max(more, fewer + extra)
        low.append((wait, fewer, sure, None))
        high.append((wait, more, sure, None))
    for calm, crowded in zip(_run(stages, low), _run(stages, high), strict=True):
        assert crowded[5].rank >= calm[5].rank


def _two(**confirm: Any) -> list[dict[str, Any]]:
    both = {"rise": AUTOMATIC, "fall": AUTOMATIC} | confirm
    return [stage("calm"), stage("busy", confirm=both), stage("full", confirm=both)]


def test_a_declined_question_stays_while_the_conditions_ask_for_the_same_and_a_later_yes_counts() -> None:
    stages = _two(rise=asked(within=5 * SECOND, otherwise="apply"))
    first = step(stages, 0, 1, None, T0, sure=True).question
    assert first is not None
    for at in range(1, 100, 9):
        taken = step(stages, 0, 1, _answered(first, yes=False), T0 + at * SECOND, sure=True)
        assert (taken.rank, taken.question and taken.question.state) == (0, DECLINED)
    assert step(stages, 0, 1, _answered(first, yes=True), T0 + 200 * SECOND, sure=True) == Step(1, None, "confirmed", "a1")


def test_an_unanswered_fall_that_is_to_be_applied_waits_for_fresh_evidence() -> None:
    stages = _two(fall=asked(within=MINUTE, otherwise="apply"))
    question = step(stages, 1, 0, None, T0, sure=True).question
    late = step(stages, 1, 0, question, T0 + 10 * MINUTE, sure=False)
    assert (late.rank, late.question) == (1, question)
    assert step(stages, 1, 0, late.question, T0 + 11 * MINUTE, sure=True) == Step(0, None, "unanswered")


@pytest.mark.parametrize(("otherwise", "rank", "state"), [("apply", 1, None), ("keep", 0, UNANSWERED)])
def test_when_its_time_is_over_a_rise_is_applied_or_says_that_nobody_answered(otherwise: str, rank: int, state: str | None) -> None:
    stages = _two(rise=asked(within=MINUTE, otherwise=otherwise))
    question = step(stages, 0, 1, None, T0, sure=False).question
    assert step(stages, 0, 1, question, T0 + MINUTE - 1, sure=False).rank == 0
    over = step(stages, 0, 1, question, T0 + MINUTE, sure=False)
    assert (over.rank, over.question and over.question.state) == (rank, state)


def test_a_higher_rise_has_its_own_time_while_that_of_the_lower_one_goes_on() -> None:
    stages = _two(rise=asked(within=MINUTE, otherwise="apply"))
    question = step(stages, 0, 1, None, T0, sure=False).question
    higher = step(stages, 0, 2, question, T0 + 59 * SECOND, sure=False).question
    assert higher is not None
    assert (higher.to, higher.due) == ("full", T0 + 119 * SECOND)
    taken = step(stages, 0, 2, higher, T0 + MINUTE, sure=False)
    assert (taken.rank, taken.how, taken.question) == (1, "unanswered", higher)
    assert step(stages, 1, 2, taken.question, T0 + 119 * SECOND, sure=False) == Step(2, None, "unanswered")


def test_a_stage_rises_no_sooner_than_its_own_time_after_it_was_asked_for() -> None:
    """The question of the lower stage is older; its role had no time to answer for the middle one."""
    rises = [asked(), asked(within=5 * SECOND, otherwise="apply"), asked()]
    stages = [stage("calm"), *(stage(f"s{i}", confirm={"rise": rise, "fall": AUTOMATIC}) for i, rise in enumerate(rises))]
    question = step(stages, 0, 1, None, T0, sure=True).question
    taken = step(stages, 0, 3, question, T0 + 60 * SECOND, sure=True)
    assert taken.rank == 0
    assert step(stages, 0, 3, taken.question, T0 + 65 * SECOND, sure=True).rank == 2


def test_a_lower_rise_was_asked_for_as_long_as_the_higher_one() -> None:
    stages = _two(rise=asked(within=MINUTE, otherwise="apply"))
    higher = step(stages, 0, 2, None, T0, sure=False).question
    lower = step(stages, 0, 1, higher, T0 + 59 * SECOND, sure=False).question
    assert lower is not None
    assert (lower.to, lower.since, lower.due) == ("busy", T0, T0 + MINUTE)


def test_a_stage_that_rises_when_nobody_answers_does_so_though_a_higher_one_would_wait_for_ever() -> None:
    stages = _two(rise=asked(within=MINUTE, otherwise="apply"))
    stages[2] = stage("full", confirm={"rise": asked(), "fall": AUTOMATIC})
    question = step(stages, 0, 2, None, T0, sure=False).question
    taken = step(stages, 0, 2, question, T0 + MINUTE, sure=False)
    assert (taken.rank, taken.how, taken.question) == (1, "unanswered", question)


def test_a_fall_that_nobody_answered_stops_at_a_stage_that_keeps_and_asks_its_role() -> None:
    stages = _two(fall=asked(within=MINUTE, otherwise="apply"))
    stages[1] = stage("busy", confirm={"rise": AUTOMATIC, "fall": asked("chief")})
    question = step(stages, 2, 0, None, T0, sure=True).question
    taken = step(stages, 2, 0, question, T0 + MINUTE, sure=True)
    assert (taken.rank, taken.how, taken.question and taken.question.by) == (1, "unanswered", "chief")
    assert step(stages, 1, 0, taken.question, T0 + 100 * MINUTE, sure=True).rank == 1


def test_no_question_is_left_when_the_conditions_ask_for_what_stands() -> None:
    stages = _two(rise=asked(), fall=asked())
    up, down = step(stages, 0, 1, None, T0, sure=True).question, step(stages, 1, 0, None, T0, sure=True).question
    assert step(stages, 0, 0, up, T0, sure=True) == Step(0, None)
    assert step(stages, 1, 1, down, T0, sure=True) == Step(1, None)
