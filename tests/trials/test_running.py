"""What happens in a test's own world: figures, counters, operators, time."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.documents import Source
from flowwatch.trials import Stock, read
from flowwatch.trials.beginning import start_us
from tests.trials.made import found, pier, play, written

# -- figures --------------------------------------------------------------------------------------------------------------------------


def test_a_hold_that_is_shorter_than_a_step_counts() -> None:
    assert play("series: {deck.occupancy: 250}", "expect: [{at: 19s, stage: calm}, {at: 20s, stage: busy}]").passed


def test_steps_that_are_shorter_than_ten_seconds_are_ticks() -> None:
    script = 'every: 4s\nseries: {deck.occupancy: "250x4 100 250x9"}'
    assert play(script, "expect: [{from: 0s, until: 39s, never: {stage: busy}}, {at: 40s, stage: busy}]").passed


def test_an_upper_edge_of_its_own_keeps_a_stage_up() -> None:
    script = 'series: {deck.occupancy: "250x2 100", deck.occupancy_upper: "250x2 160x9 140"}'
    assert play(script, "expect: [{at: 10m, stage: busy}, {at: 11m, stage: calm}]").passed


def test_missing_figures_never_lower_a_stage_and_fresh_ones_do() -> None:
    script = 'series: {deck.occupancy: "250x2 100 _x20 100"}'
    outcome = play(script.replace("100 _x20", "_x20"), "expect: [{at: 21m, stage: busy}, {at: 22m, stage: calm}]")
    assert outcome.passed, found(outcome)
    assert play('series: {deck.occupancy: "250 stale"}', "expect: [{at: 2h, stage: busy}]").passed


def test_a_series_goes_on_as_its_last_step() -> None:
    assert play('series: {deck.occupancy: "100x3 250"}', "expect: [{at: 3h, stage: busy}]").passed


def test_a_flow_moves_the_plan_that_looks_at_it() -> None:
    script = 'series: {deck.occupancy: 10, stairs.flow_in: "10x2 31x2 10"}'
    expect = """
    expect:
      - {at: 1m, plans: {stairs: open}}
      - {at: 2m, plans: {stairs: narrow}, gates: {door-1: metered 30/min both}, alert: IV}
      - {at: 4m, plans: {stairs: open}}
    """
    assert found(play(script, expect)) == []


# -- counters -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=8),
    st.lists(st.integers(0, 40), min_size=1, max_size=8),
    st.sampled_from(["20s", "1m", "7m"]),
)
def test_everybody_who_is_written_passes_and_nobody_else(deltas: list[tuple[int, int]], rises: list[int], every: str) -> None:
    totals = [1000 + sum(rises[:i]) for i in range(len(rises) + 1)]
    readings = f'{{beam-1: "{" ".join(f"{a}/{b}" for a, b in deltas)} 0", beam-2: "{" ".join(map(str, totals))}"}}'
    steps = max(len(deltas), len(rises))
    end = steps * (int(every[:-1]) * (60 if every[-1] == "m" else 1))
    outcome = play(
        f"every: {every}\nrecounts: [{{at: 0m, zone: deck, count: 200}}]\nreadings: {readings}",
        f"expect: [{{at: {end}s, plans: {{regatta: none}}}}]",
    )
    inside = outcome.moments[-1].estimates["deck"]
    assert inside is not None
    assert inside[0] == 1000 * (200 + sum(a - b for a, b in deltas) + sum(rises))


@pytest.mark.slow
def test_counters_that_are_not_named_are_never_silent() -> None:
    quiet = "incidents: [counter_silent]"
    for script in ("series: {deck.occupancy: 10}", "recounts: [{at: 0m, zone: deck, count: 10}]", "every: 1h", "every: 7s"):
        assert play(script, f"expect: [{{from: 0m, until: 2h, never: {{{quiet}}}}}]").passed, script


def test_a_counter_that_is_stale_is_silent_alone_and_the_plan_says_what_that_means() -> None:
    script = 'recounts: [{at: 0m, zone: deck, count: 10}]\nreadings: {beam-1: "1x3 stale"}'
    expect = "expect: [{at: 4m, incidents: [stage], alert: none}, {at: 6m, incidents: [counter_silent, degraded], alert: II, stage: calm}]"
    outcome = play(script, expect)
    assert [key for key, _, _ in found(outcome)] == ["incidents"]
    assert outcome.failures[0].at == 240_000_000


def test_a_camera_sees_what_is_written_and_otherwise_what_is_estimated() -> None:
    seen = play('readings: {camera: "5x3 40x3"}', "expect: [{at: 5m, stage: calm}]")
    assert seen.passed
    filled = play('recounts: [{at: 0m, zone: tower, count: 5}]\nreadings: {line: "6x5 0"}', "expect: [{at: 30m, stage: calm}]")
    assert filled.passed


def test_without_any_evidence_the_deck_is_unknown() -> None:
    assert play("every: 1m", "expect: [{at: 5m, incidents: [occupancy_unknown], stage: calm}]").passed


def test_a_recount_later_corrects_what_was_counted() -> None:
    script = "recounts: [{at: 0m, zone: deck, count: 100}, {at: 5m, zone: deck, count: 260}]"
    assert play(script, "expect: [{at: 5m, stage: calm}, {at: 320s, stage: busy}]").passed


# -- operators ------------------------------------------------------------------------------------------------------------------------


def test_an_answer_in_time_decides() -> None:
    script = 'series: {deck.occupancy: "250 450"}'
    asked = "{at: 80s, stage: busy, asks: 'rise:full'}"
    assert play(script, f"expect: [{asked}, {{at: 119s, stage: busy}}, {{at: 2m, stage: full}}]").passed
    assert play(f"{script}\nactions: [{{at: 90s, confirm: no}}]", f"expect: [{asked}, {{at: 9m, stage: busy, asks: 'rise:full'}}]").passed
    assert play(f"{script}\nactions: [{{at: 90s, confirm: yes}}]", f"expect: [{asked}, {{at: 90s, stage: full, asks: none}}]").passed


def test_an_answer_to_no_question_fails() -> None:
    outcome = play("series: {deck.occupancy: 10}\nactions: [{at: 1m, confirm: yes}]", "expect: [{at: 2m, stage: calm}]")
    assert found(outcome) == [("confirm", "an open question", "none")]


def test_an_override_holds_a_stage_of_any_plan_or_a_gate_and_can_be_ended() -> None:
    script = """
    series: {deck.occupancy: 10}
    actions:
      - {at: 1m, override: {stage: busy, until: 1h}}
      - {at: 2m, override: {stage: narrow, plan: stairs, until: 4m}}
      - {at: 5m, override: {stage: busy, until: 5m}}
      - {at: 6m, override: {gate: door-1, mode: out, until: 1h}}
    expect:
      - {at: 1m, stage: busy, gates: {door-1: in, door-2: out}, incidents: [override_active]}
      - {at: 2m, plans: {stairs: narrow}, gates: {door-1: metered 30/min both}}
      - {at: 4m, plans: {stairs: open}, gates: {door-1: in}}
      - {at: 5m, stage: calm, gates: {others: both}}
      - {at: 6m, gates: {door-1: out, door-2: both}}
    """
    assert found(play(script)) == []


def test_what_is_refused_fails_unless_it_was_expected_to_be() -> None:
    act = "{at: 1m, override: {gate: door-1, mode: closed, until: 1h}%s}"
    end = "expect: [{at: 2m, gates: {others: both}}]"
    assert play(f"actions: [{act % ', refused: true'}]", end).passed
    ((key, expected, told),) = found(play(f"actions: [{act % ''}]", end))
    assert (key, expected) == ("override door-1 closed", "accepted")
    assert told.startswith("refused: gate")
    taken = "actions: [{at: 1m, override: {gate: door-1, mode: out, until: 1h}, refused: true}]"
    assert found(play(taken, "expect: [{at: 2m, gates: {door-1: out}}]")) == [("override door-1 out", "refused", "accepted")]


def test_a_drill_moves_its_gates_a_fire_all_and_a_case_takes_the_plans_place() -> None:
    script = """
    series: {deck.occupancy: 10}
    actions:
      - {at: 1m, drill: {stage: full, until: 2m}}
      - {at: 3m, fire: "on"}
      - {at: 4m, fire: "off"}
      - {at: 5m, case: {case: regatta, until: 6m}}
    expect:
      - {at: 1m, stage: calm, gates: {door-1: out, door-2: both}, incidents: [drill_active], alert: none}
      - {at: 2m, gates: {others: both}}
      - {at: 3m, gates: {others: out}, incidents: [fire], alert: I}
      - {at: 4m, gates: {others: both}, alert: none}
      - {at: 5m, stage: racing, plans: {pier: none, regatta: racing}, gates: {door-1: in, door-2: out}, incidents: [case_active]}
      - {at: 370s, stage: calm, plans: {regatta: none}, gates: {others: both}}
    """
    assert found(play(script)) == []


# -- time -----------------------------------------------------------------------------------------------------------------------------


def test_a_test_begins_at_nine_on_a_workday_or_when_it_says() -> None:
    def begins(*parts: str) -> datetime:
        (test,) = read(Source("t.yaml", written(*parts, "expect: [{at: 1m, stage: calm}]").encode()), Stock.of(pier().site))
        return datetime.fromtimestamp(start_us(test.trial, pier().site) / 1e6, UTC)

    assert begins("every: 1m") == datetime(2026, 3, 4, 1, tzinfo=UTC)
    assert begins("starts: 2026-10-01 19:30") == datetime(2026, 10, 1, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "day"),
    [
        ({"days": {"holiday": [[20_516, 20_517]]}}, date(2026, 3, 6)),  # the fourth and fifth of March
        ({"days": {"fair": [[20_516, 20_518]]}}, date(2026, 3, 9)),
        ({"valid_from_us": 1_780_000_000_000_000}, date(2026, 5, 29)),
        ({"valid_to_us": 1_700_000_000_000_000}, date(2023, 11, 14)),
    ],
)
def test_a_plain_workday_is_no_holiday_no_event_and_within_the_plans_dates(changes: dict[str, object], day: date) -> None:
    (test,) = read(Source("t.yaml", written("expect: [{at: 1m, stage: calm}]").encode()), Stock.of(pier().site))
    main, *others = pier().site["plans"]
    site = pier().site | {"plans": [main | changes, *others]}
    assert datetime.fromtimestamp(start_us(test.trial, site) / 1e6, UTC).date() == day


def test_the_same_test_ends_the_same_each_time() -> None:
    parts = ('series: {deck.occupancy: "250 450"}\nreadings: {beam-1: 7/2}', "expect: [{at: 9m, stage: calm}]")
    one, two = play(*parts), play(*parts)
    assert (one.failures, one.moments) == (two.failures, two.moments)
