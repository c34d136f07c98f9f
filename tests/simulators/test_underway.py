"""Who sets off comes off after the time that held then, shared out between two steps, and nobody is lost."""

from __future__ import annotations

import numpy as np

from flowwatch_sim.capacity import Floats
from flowwatch_sim.underway import Underway


def underway(rows: list[int], legs: int, replicates: int = 2) -> Underway:
    made = Underway(replicates)
    made.arrange(np.array(rows, np.int64), legs)
    return made


def steps(crowd: Underway, number: int) -> Floats:
    """(steps, T, R) who come off in the next steps, while nobody sets off."""
    return np.array([crowd.come_off()[:-1].copy() for _ in range(number)])


def test_people_come_off_in_the_two_steps_that_their_time_lies_between() -> None:
    crowd = underway([], 3)
    crowd.take(np.array([[2.25, 1.0], [4.0, 3.5]]), np.array([0, 2]))
    crowd.set_off(np.array([[1.0, 1.0], [2.0, 2.0], [8.0, 8.0]]))
    came = steps(crowd, 5)
    assert came[:, 0].tolist() == [[0.0, 1.0], [0.75, 0.0], [0.25, 0.0], [0.0, 0.0], [0.0, 0.0]]
    assert came[:, 1].tolist() == (2 * came[:, 0]).tolist()
    assert came[:, 2].tolist() == [[0.0, 0.0], [0.0, 0.0], [0.0, 4.0], [8.0, 4.0], [0.0, 0.0]]


def test_a_time_that_changes_holds_for_those_who_set_off_from_then_on() -> None:
    crowd = underway([], 1, 1)
    for took in (4.0, 2.0):
        crowd.take(np.full((1, 1), took), np.array([0]))
        crowd.set_off(np.full((1, 1), took))
    assert steps(crowd, 4).ravel().tolist() == [0.0, 2.0, 0.0, 4.0]


def test_legs_that_come_between_others_take_nobody_along() -> None:
    crowd = underway([], 2, 1)
    crowd.take(np.full((1, 1), 2.0), np.array([0]))
    crowd.set_off(np.array([[3.0], [5.0]]))
    crowd.arrange(np.array([0, 2], np.int64), 3)
    assert crowd.on.ravel().tolist() == [3.0, 0.0, 5.0]
    assert steps(crowd, 2)[1].ravel().tolist() == [3.0, 0.0, 5.0]
    assert crowd.on.tolist() == [[0.0]] * 3


def test_nobody_is_lost_however_times_change() -> None:
    seed = 5
    print("seed", seed)
    luck = np.random.default_rng(seed)
    crowd, went = underway([], 7, 3), np.zeros((7, 3))
    for step in range(200):
        if step % 3 == 0:
            crowd.take(luck.uniform(1.0, 9.0, (3, 3)), np.array([0, 2, 6]))
        crowd.come_off()
        go = luck.random((7, 3))
        crowd.set_off(go)
        went += go
        assert crowd.on.min() >= -1e-12
    steps(crowd, 10)
    assert np.allclose(crowd.came, went, rtol=1e-12)
    assert np.abs(crowd.on).max() < 1e-12 * went.max()
