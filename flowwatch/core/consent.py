"""Who must say yes before a stage changes: what the plan's conditions ask, what stands, and the question in between.

A ladder stands at one rank and its conditions ask for another. Upward it goes at once to the highest stage that rises by itself, downward
past every stage that falls by itself; for the rest a question is put to the plan's role:

- nobody has answered when its time is over: it is applied, or stays open and says so (`otherwise`); a fall that is applied without an answer
  needs fresh evidence at that moment, since silence never lowers anything;
- "yes" applies it (a fall stops at a stage that is another role's to leave, whose role is asked then), "no" declines it; a declined question
  stays open while the conditions ask for the same, and "yes" still answers it;
- when the conditions ask for something else, it is another question. Every stage on the way up has its own time, from when the conditions began
  to ask for it or for a higher one; so it matters nothing in which order stages came to be asked for;
- what nobody has answered goes no further than each stage on the way allows: a stage below the one that is asked about rises when its own
  time is over (more people never mean a calmer stage), and a fall stops at a stage that keeps, whose role is asked then.

Pure functions of plain values; who asks and what it is told by are the engine's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

OPEN: Final = "open"
DECLINED: Final = "declined"
UNANSWERED: Final = "unanswered"
GRANTED: Final = "granted"
"""Answered with yes; the next tick's step acts on it, so that a question never stands there granted."""


@dataclass(frozen=True, slots=True)
class Question:
    """May the ladder go to stage `to`? `by` is the role that is asked, `due` when its time is over (microseconds)."""

    to: str
    rises: bool
    since: int
    due: int | None
    by: str
    otherwise: str
    state: str = OPEN
    said_by: str | None = None
    action: str | None = None
    """The record that answered."""
    waited: tuple[tuple[str, int], ...] = ()
    """Of a rise: (stage, since when it is asked for) of every stage on the way."""

    @property
    def code(self) -> str:
        """ "rise:<stage>" or "fall:<stage>"."""
        return f"{'rise' if self.rises else 'fall'}:{self.to}"


@dataclass(frozen=True, slots=True)
class Step:
    """Where the ladder stands now, the question that is left, and why it moved: "" where it did by itself, "confirmed", "unanswered"."""

    rank: int
    question: Question | None
    how: str = ""
    action: str | None = None


def step(stages: Sequence[Mapping[str, Any]], rank: int, asked: int, question: Question | None, tick: int, *, sure: bool) -> Step:
    """One tick of a ladder with `stages` that stands at `rank` and whose conditions ask for `asked`; `sure`: its evidence is fresh."""
    if asked == rank:
        return Step(rank, None)
    names = [str(stage["stage"]) for stage in stages]
    rises = asked > rank
    reach = _by_itself(stages, rank, asked)
    if question is not None and question.rises == rises and question.state == GRANTED and question.to in names:
        goal = names.index(question.to)
        reach = max(reach, min(goal, asked)) if rises else _granted_fall(stages, rank, max(goal, asked), question.by)
        reach = _by_itself(stages, reach, asked)
        return Step(reach, _ask(stages, reach, asked, None, tick), "confirmed", question.action)
    if reach == asked:
        return Step(asked, None)
    left = _ask(stages, reach, asked, question, tick)
    assert left is not None
    if left.state == OPEN and left.due is not None and tick >= left.due:
        if left.otherwise == "apply" and (rises or sure):
            goal = asked if rises else next((r for r in range(reach - 1, asked, -1) if not _over(stages[r], "fall", left, tick)), asked)
            return Step(goal, _ask(stages, goal, asked, None, tick), "unanswered")
        left = replace(left, state=UNANSWERED) if left.otherwise == "keep" else left
    way = range(reach + 1, asked) if rises and left.state != DECLINED else ()
    passed = max((r for r in way if _over(stages[r], "rise", left, tick)), default=reach)
    return Step(passed, left, "unanswered" if passed > reach else "")


def _granted_fall(stages: Sequence[Mapping[str, Any]], rank: int, goal: int, by: str) -> int:
    """How far down the "yes" of role `by` leads: to a stage whose own fall is another role's to agree to, or to the goal."""
    return next((r for r in range(rank - 1, goal, -1) if stages[r]["confirm"]["fall"]["by"] not in (None, by)), goal)


def _over(stage: Mapping[str, Any], direction: str, question: Question, tick: int) -> bool:
    """Whether a `stage` that the `question` is not about rises or falls all the same when nobody has answered it."""
    terms = stage["confirm"][direction]
    since = dict(question.waited).get(str(stage["stage"]), question.since)
    in_time = terms["within_us"] is None or tick - since < int(terms["within_us"])
    return terms["by"] is None or (terms["otherwise"] == "apply" and not in_time)


def _by_itself(stages: Sequence[Mapping[str, Any]], rank: int, asked: int) -> int:
    """How far towards `asked` nobody has to be asked."""
    if asked > rank:
        return max((r for r in range(rank + 1, asked + 1) if stages[r]["confirm"]["rise"]["by"] is None), default=rank)
    while rank > asked and stages[rank]["confirm"]["fall"]["by"] is None:
        rank -= 1
    return rank


def _ask(stages: Sequence[Mapping[str, Any]], rank: int, asked: int, question: Question | None, tick: int) -> Question | None:
    """The question that is open between `rank` and `asked`: the present one if it is the same, else a new one."""
    if rank == asked:
        return None
    rises = asked > rank
    to = str(stages[asked]["stage"])
    terms = stages[asked]["confirm"]["rise"] if rises else stages[rank]["confirm"]["fall"]
    if question is not None and question.rises == rises and question.to == to:
        return question
    open_ = question is not None and question.rises and question.state in (OPEN, UNANSWERED)
    before = dict(question.waited) if question is not None and open_ else {}
    names = [str(stage["stage"]) for stage in stages[rank + 1 : asked + 1]] if rises else []
    waited = tuple((name, before.get(name, tick)) for name in names)
    since = before.get(to, tick) if rises else tick
    due = None if terms["within_us"] is None else since + int(terms["within_us"])
    return Question(to, rises, since, due, str(terms["by"]), str(terms["otherwise"]), waited=waited)
