"""Settings are read as they are written, and combined by least ingress and most egress in any order."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.core.gates import Mode, Setting, combine

phases = st.tuples(st.sampled_from(["in", "out", "both", "hold"]), st.sampled_from([1, 7, 10, 50, 110, 600]))
settings = st.one_of(
    st.sampled_from([Setting(Mode.IN), Setting(Mode.OUT), Setting(Mode.BOTH), Setting(Mode.CLOSED)]),
    st.builds(lambda n, leave: Setting(Mode.METERED, n, leave), st.sampled_from([1, 20, 40, 50, 70, 100, 999_999]), st.booleans()),
    st.lists(phases, min_size=2, max_size=4).map(lambda p: Setting(Mode.WAVE, phases=tuple(p))),
)
lanes = st.sampled_from([0.5, 25.0, 75.0, 100.0, 1000.0])

READ = [
    ("in", "in", (1, 0)),
    (" out ", "out", (0, 1)),
    ("both", "both", (0.5, 0.5)),
    ("closed", "closed", (0, 0)),
    ("metered 40/min", "metered 40/min", (1, 0)),
    ("metered  40/min   both", "metered 40/min both", (0.5, 0.5)),
    ("wave in 50s hold 10s out 1m", "wave in 50s hold 10s out 60s", (50 / 120, 0.5)),
    ("wave both 1h out 1h", "wave both 3600s out 3600s", (0.25, 0.75)),
]
BAD = [
    ("inn", 'did you mean "in"'),
    ("", 'found ""'),
    ("In", 'found "In", expected'),
    ("metered", "expected"),
    ("metred 40/min", 'did you mean "metered"'),
    ("metered 0/min", "expected"),
    ("metered 40/h", "expected"),
    ("metered 4.5/min", "expected"),
    ("metered 40/min out", "expected"),
    ("wave", "expected"),
    ("wave in 50s", "found 1 phases"),
    ("wave in 50s out", 'the phase "out"'),
    ("wave in 50s our 10s", 'did you mean "out"'),
    ("wave in 50s out 0s", 'the phase "out 0s"'),
    ("wave in 50s out 10", 'the phase "out 10"'),
]


@pytest.mark.parametrize(("text", "canonical", "shares"), READ)
def test_a_setting_is_read_as_it_is_written(text: str, canonical: str, shares: tuple[float, float]) -> None:
    setting = Setting.parse(text)
    assert str(setting) == canonical
    assert (setting.ingress_share, setting.egress_share) == shares
    assert (setting.may_enter, setting.may_leave) == (shares[0] > 0, shares[1] > 0)


@pytest.mark.parametrize(("text", "said"), BAD)
def test_what_is_no_setting_is_refused_with_what_was_expected(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Setting.parse(text)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Setting(Mode.IN, per_min=4),
        lambda: Setting(Mode.METERED),
        lambda: Setting(Mode.METERED, per_min=-1),
        lambda: Setting(Mode.BOTH, leave=True),
        lambda: Setting(Mode.WAVE),
        lambda: Setting(Mode.OUT, phases=(("in", 1), ("out", 1))),
        lambda: Setting(Mode.WAVE, phases=(("in", 1), ("closed", 1))),
    ],
)
def test_a_setting_that_no_text_can_say_cannot_be_built(build: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        build()  # type: ignore[operator]


@given(settings)
def test_the_canonical_text_is_read_as_the_same_setting(setting: Setting) -> None:
    assert Setting.parse(str(setting)) == setting


@given(settings, lanes)
def test_people_who_pass_are_never_more_than_the_lanes_pass(setting: Setting, pass_: float) -> None:
    assert setting.ingress_share + setting.egress_share <= 1 + 1e-12
    assert 0 <= setting.ingress_per_min(pass_) <= pass_
    assert 0 <= setting.egress_per_min(pass_) <= pass_


@given(st.lists(settings, min_size=1, max_size=4), lanes)
def test_combining_gives_least_ingress_and_most_egress(asked: list[Setting], pass_: float) -> None:
    combined = combine(asked, pass_)
    assert combined.ingress_per_min(pass_) <= min(s.ingress_per_min(pass_) for s in asked)
    assert combined.egress_per_min(pass_) >= max(s.egress_per_min(pass_) for s in asked)
    assert combined.may_leave == any(s.may_leave for s in asked)


@given(settings, settings, settings, lanes)
def test_the_order_of_combining_does_not_matter(one: Setting, two: Setting, three: Setting, pass_: float) -> None:
    whole = combine([one, two, three], pass_)
    for a, b, c in itertools.permutations([one, two, three]):
        assert combine([combine([a, b], pass_), c], pass_) == whole
    assert combine([whole, one, two], pass_) == whole
    assert combine([one, one], pass_) == one


@pytest.mark.parametrize(
    ("asked", "combined"),
    [
        (["in", "out"], "out"),
        (["in", "both"], "both"),
        (["closed", "in"], "closed"),
        (["closed", "both"], "out"),
        (["both", "metered 40/min"], "metered 40/min both"),
        (["metered 40/min", "metered 20/min both"], "metered 20/min both"),
        (["wave in 50s hold 10s out 110s", "both"], "wave in 50s hold 10s out 110s"),
        (["wave in 50s hold 10s out 110s", "in", "metered 40/min"], "wave in 50s hold 10s out 110s"),
        (["wave in 50s hold 10s out 110s", "metered 20/min"], "out"),
        (["wave in 50s out 60s", "wave in 60s out 50s"], "out"),
        (["wave in 50s hold 60s", "wave in 60s hold 50s"], "closed"),
        (["wave in 50s hold 60s", "both"], "out"),
    ],
)
def test_settings_combine_as_these_do(asked: list[str], combined: str) -> None:
    assert str(combine([Setting.parse(text) for text in asked], 100)) == combined
