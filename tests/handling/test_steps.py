"""Every step from every handling, against the table as the police have it; and clocks, against a watch that looks every second."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flowwatch.documents.alarms import Alarms
from flowwatch.handling import clocks, steps
from flowwatch.handling.incident import Incident, after_step, begun
from flowwatch.handling.records import Act, Handling
from flowwatch.handling.settings import Settings
from flowwatch.handling.steps import NotPossibleError
from tests.handling.made import SECOND, START, alert, step

TABLE = """
                new           acknowledged  dispatched    on_scene      handled     fed_back   verified   closed
acknowledge     acknowledged  -             -             -             -           -          -          -
dispatch        dispatched    dispatched    -             -             -           -          -          -
arrive          -             -             on_scene      -             -           -          -          -
handle          -             handled       handled       handled       -           -          -          -
feedback        -             -             -             -             fed_back    -          -          -
verify          -             -             -             -             -           verified   -          -
close           -             closed        -             -             -           -          closed     -
return          -             -             acknowledged  acknowledged  -           -          -          -
defer           new           acknowledged  dispatched    on_scene      handled     fed_back   verified   -
shelve          new           acknowledged  dispatched    on_scene      handled     fed_back   verified   -
maintain        new           acknowledged  dispatched    on_scene      handled     fed_back   verified   -
supervise       new           acknowledged  dispatched    on_scene      handled     fed_back   verified   -
note            new           acknowledged  dispatched    on_scene      handled     fed_back   verified   closed
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]
CASES = [(row[0], before, after) for row in ROWS[1:] for before, after in zip(ROWS[0], row[1:], strict=True)]


@pytest.mark.parametrize(("act", "before", "after"), CASES)
def test_each_step_leads_from_each_handling_where_the_table_says(act: str, before: str, after: str) -> None:
    ended = replace(begun(alert(), "yuyuan-1", START), active=False, handling=Handling(before))
    given = {"reason": "why", "to": "patrol", "until_us": START + SECOND}
    if after == "-":
        with pytest.raises(NotPossibleError, match=f"yuyuan-i1 is {before}, and {act} follows"):
            steps.check(ended, Act(act), START, **given)  # type: ignore[arg-type]
    else:
        assert steps.check(ended, Act(act), START, **given) is Handling(after)  # type: ignore[arg-type]


@pytest.mark.parametrize("handling", [Handling.ACKNOWLEDGED, Handling.VERIFIED])
def test_what_still_holds_is_not_closed(handling: Handling) -> None:
    holds = replace(begun(alert(), "yuyuan-1", START), handling=handling)
    with pytest.raises(NotPossibleError, match="still holds"):
        steps.check(holds, Act.CLOSE, START)


@pytest.mark.parametrize("act", [Act.SHELVE, Act.MAINTAIN])
def test_a_red_is_neither_shelved_nor_put_under_maintenance(act: Act) -> None:
    red = begun(alert(level="I"), "yuyuan-1", START)
    with pytest.raises(NotPossibleError, match="red"):
        steps.check(red, act, START, reason="why", until_us=START + SECOND)


@pytest.mark.parametrize("act", [Act.SHELVE, Act.MAINTAIN])
def test_what_was_red_is_put_aside_only_once_somebody_acknowledged_the_red(act: Act) -> None:
    milder = replace(begun(alert(level="II"), "yuyuan-1", START), worst="I")
    with pytest.raises(NotPossibleError, match="nobody has acknowledged it"):
        steps.check(milder, act, START, reason="why", until_us=START + SECOND)
    assert act not in steps.possible(milder)
    answered = replace(milder, handling=Handling.ACKNOWLEDGED)
    assert steps.check(answered, act, START, reason="why", until_us=START + SECOND) is Handling.ACKNOWLEDGED


@pytest.mark.parametrize("act", [Act.WARN, Act.ESCALATE, Act.SUPPRESS, Act.REOPEN, Act.FLOOD])
def test_nobody_takes_the_steps_of_the_clock_by_hand(act: Act) -> None:
    with pytest.raises(NotPossibleError, match="no step that a person takes"):
        steps.check(begun(alert(), "yuyuan-1", START), act, START)


@pytest.mark.parametrize("until_s", [0, -1, 31 * 86_400])
def test_what_is_put_off_has_an_end_ahead_and_within_thirty_days(until_s: int) -> None:
    with pytest.raises(NotPossibleError, match="30 days"):
        steps.check(begun(alert(), "yuyuan-1", START), Act.DEFER, START, reason="why", until_us=START + until_s * SECOND)


CHOSEN = Settings.of(Alarms())
WAY = (Act.ACKNOWLEDGE, Act.DISPATCH, Act.ARRIVE, Act.HANDLE)
AFTER = (Handling.ACKNOWLEDGED, Handling.DISPATCHED, Handling.ON_SCENE, Handling.HANDLED)
ALLOWED_S = {"I": (60, 120, 300, 900), "II": (120, 300, 600, 1800)}


def watched(level: str, taken_s: tuple[int | None, ...], until_s: int) -> list[tuple[int, str, str, str]]:
    """(second, act, clock, duty) by somebody who looks at a watch: a warning at four fifths, an escalation at the end, unless it was done."""
    found, escalated = [], 0
    for second in range(until_s + 1):
        for clock, allowed, taken in zip(("acknowledge", "dispatch", "arrive", "handle"), ALLOWED_S[level], taken_s, strict=True):
            if taken is not None and taken < second:
                continue
            if second == allowed:
                escalated += 1
                found.append((second, "escalate", clock, "supervisor"))
            elif second * 5 == allowed * 4:
                found.append((second, "warn", clock, "supervisor" if escalated else "operator"))
    return found


@given(st.sampled_from(["I", "II"]), st.lists(st.integers(0, 400), max_size=4))
@settings(max_examples=60, deadline=None)
def test_clocks_warn_and_escalate_when_a_watch_says_so(level: str, waits: list[int]) -> None:
    taken: list[int | None] = []
    for wait in waits:
        taken.append((taken[-1] or 0) + wait if taken else wait)
    taken_s = (*taken, *[None] * (4 - len(taken)))
    incident: Incident = begun(alert(level=level), "yuyuan-1", START)
    found = []
    for second in range(2001):
        now = START + second * SECOND
        said = list(clocks.due(incident, CHOSEN.allowed, CHOSEN.duties, now))
        due = clocks.next_due(incident, CHOSEN.allowed)
        assert (due is not None and due <= now) == bool(said)
        for one in said:
            found.append((second, one.act.value, one.clock or "", one.to or ""))
            incident = after_step(incident, one, now)
        for n, at in enumerate(taken_s):
            if at == second:
                incident = after_step(incident, step(WAY[n], handling=AFTER[n], to="patrol"), now)
    assert found == watched(level, taken_s, 2000)
