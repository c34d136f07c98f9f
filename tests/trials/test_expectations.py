"""Each kind of expectation passes where things stand so, and fails with what it found where they do not."""

from __future__ import annotations

import pytest

from tests.trials.made import found, play

FULL = 'series: {deck.occupancy: "100 450"}\nactions: [{at: 70s, confirm: yes}]'
"""At the first minute the deck is full; ten seconds later the officer agrees."""


@pytest.mark.parametrize(
    ("right", "wrong", "key", "told"),
    [
        ("stage: full", "stage: busy", "stage", "full"),
        ("plans: {pier: full, stairs: open, regatta: none}", "plans: {stairs: narrow}", "plans.stairs", "open"),
        ("gates: {door-1: out, others: out}", "gates: {others: both, door-2: out}", "gates.door-1", "out"),
        ("alert: I", "alert: none", "alert", "I"),
        ("asks: none", 'asks: "rise:full"', "asks", "none"),
        ("incidents: [stage]", "incidents: [stage, fire]", "incidents", "stage"),
        ("tasks: [stewards]", None, "", ""),
        ("barriers: {quay: raise}", "barriers: {quay: lower}", "barriers.quay", "raise"),
        ("links: {stairs: none}", "links: {stairs: one_way}", "links.stairs", "none"),
        ("signs: [board]", None, "", ""),
        ("nothing: false", "nothing: true", "nothing", "pier: calm -> busy"),
    ],
)
def test_how_things_stand_when_the_deck_is_full(right: str, wrong: str | None, key: str, told: str) -> None:
    assert found(play(FULL, f"expect: [{{at: 75s, {right}}}]")) == []
    if wrong is not None:
        assert any(k == key and told in f for k, _, f in found(play(FULL, f"expect: [{{at: 75s, {wrong}}}]")))


@pytest.mark.parametrize(
    "wrong", ["tasks: [stewards]", "signs: [board]", "barriers: {quay: raise}", "incidents: [stage]", "nothing: false"]
)
def test_a_calm_deck_has_none_of_it(wrong: str) -> None:
    outcome = play("series: {deck.occupancy: 100}", f"expect: [{{at: 2m, {wrong}}}]")
    assert [(f.line, f.at) for f in outcome.failures] == [(4, 120_000_000)]


@pytest.mark.parametrize(
    ("never", "broken_at"),
    [("stage: full", 70), ("alert: III", 60), ("stage: calm, alert: I", None), ("gates: {door-1: in}", 60), ("asks: none", 0)],
)
def test_what_never_may_be_fails_at_the_first_moment_at_which_it_is(never: str, broken_at: int | None) -> None:
    outcome = play(FULL, f"expect: [{{from: 0m, until: 5m, never: {{{never}}}}}]")
    assert [f.at for f in outcome.failures] == ([] if broken_at is None else [broken_at * 1_000_000])


def test_never_looks_at_its_own_time_only() -> None:
    script = 'series: {deck.occupancy: "250x3 100"}'
    assert play(script, "expect: [{from: 0s, until: 19s, never: {stage: busy}}]").passed
    assert not play(script, "expect: [{from: 0s, until: 20s, never: {stage: busy}}]").passed
    assert play(script, "expect: [{from: 4m, until: 9m, never: {stage: busy}}]").passed


def test_nothing_is_counted_from_the_expectation_before() -> None:
    script = 'series: {deck.occupancy: "100 250"}'
    assert play(script, "expect: [{at: 79s, nothing: true}, {at: 80s, nothing: false}, {at: 9m, nothing: true}]").passed
    outcome = play(script, "expect: [{at: 79s, nothing: false}, {at: 9m, nothing: true}]")
    assert [key for key, _, _ in found(outcome)] == ["nothing", "nothing"]


def test_every_expectation_that_fails_is_told() -> None:
    outcome = play(
        "series: {deck.occupancy: 100}",
        "expect:\n  - {at: 1m, stage: busy}\n  - {at: 2m, stage: calm}\n  - {at: 3m, stage: full, alert: I}",
    )
    assert [(f.line, len(f.differences)) for f in outcome.failures] == [(5, 1), (7, 2)]
