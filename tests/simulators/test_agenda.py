"""An agenda gives what is noted in the order of time, and of one moment in the order of noting."""

from __future__ import annotations

from heapq import heappop

from hypothesis import given
from hypothesis import strategies as st

from flowwatch_sim.agenda import NEVER, PAGE_S, Agenda

AHEAD = st.one_of(st.just(0.0), st.sampled_from([PAGE_S, 2 * PAGE_S, 1e7]), st.floats(0.0, 5 * PAGE_S))


@given(st.lists(AHEAD, max_size=20), st.lists(st.lists(AHEAD, max_size=3), max_size=40))
def test_events_come_in_the_order_of_one_heap(known: list[float], meanwhile: list[list[float]]) -> None:
    agenda, noted = Agenda(), 0
    waiting: list[tuple[float, int]] = []

    def note(at: float) -> None:
        nonlocal noted
        agenda.note(at, 0, noted)
        waiting.append((at, noted))
        noted += 1

    for at in known:
        note(at)
    more = iter(meanwhile)
    while soon := agenda.soon():
        at, _, _, which = heappop(soon)
        assert (at, which) == min(waiting)
        waiting.remove((at, which))
        for ahead in next(more, ()):
            note(at + ahead)
    assert not waiting


def test_what_never_happens_is_not_noted() -> None:
    agenda = Agenda()
    agenda.note(NEVER, 0, 0)
    assert not agenda.soon()
