"""A checkpoint's bytes: what goes in comes out, and damage is noticed."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.core.engine import Engine
from flowwatch.core.readings import SECOND
from flowwatch.core.state import StateError, dump, load
from tests.core.stories import log, story
from tests.core.world import T0, declare, delta, play, recount, site, tick

DTYPES = ["bool", "uint8", "int32", "int64", "float64"]
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text().filter(lambda k: k != "@"), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_plain_values_come_back_as_they_went_in(value: Any) -> None:
    assert load(dump(value)) == value


@given(st.lists(st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 4), min_size=1, max_size=3), st.integers(0, 2**32)), max_size=5))
def test_arrays_come_back_with_their_dtype_shape_and_values_and_can_be_written(told: list[tuple[str, list[int], int]]) -> None:
    arrays = [np.random.default_rng(seed).integers(0, 2, shape).astype(dtype) for dtype, shape, seed in told]
    back = load(dump({"arrays": arrays}))["arrays"]
    for before, after in zip(arrays, back, strict=True):
        assert after.dtype == before.dtype
        assert after.flags.writeable
        assert np.array_equal(before, after)


def test_an_array_of_another_dtype_has_no_place_in_a_checkpoint() -> None:
    with pytest.raises(TypeError, match="uint64"):
        dump({"x": np.zeros(3, np.uint64)})


@given(st.data())
def test_a_changed_byte_or_a_cut_end_is_noticed(data: st.DataObject) -> None:
    whole = dump({"names": ["a", "b"], "x": np.arange(5), "empty": np.zeros((0, 3))})
    if data.draw(st.booleans()):
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        place = data.draw(st.integers(0, len(whole) - 1))
        damaged = whole[:place] + bytes([whole[place] ^ data.draw(st.integers(1, 255))]) + whole[place + 1 :]
    with pytest.raises(StateError):
        load(damaged)


@given(st.integers(0, 2**32))
def test_an_engine_that_was_stored_is_stored_again_as_the_same_bytes(seed: int) -> None:
    engine = Engine("p00")
    play(log(story(seed, ticks=15)), engine=engine)
    once = dump(Engine.from_state(load(dump(engine.to_state()))).to_state())
    assert dump(Engine.from_state(load(once)).to_state()) == once


def test_a_packed_state_does_not_follow_the_engine_as_it_goes_on() -> None:
    engine = Engine("p00")
    play([declare(site()), recount(T0, 5), tick(T0)], engine=engine)
    packed = dump(engine.to_state())
    dice = random.Random(1)
    play([row for i in range(1, 9) for row in (delta(T0 + i * SECOND, dice.randrange(9)), tick(T0 + i * SECOND))], engine=engine)
    assert load(packed)["occupancy"]["zones"]["inside"].tolist() == [5000]
