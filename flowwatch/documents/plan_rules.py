"""What must hold in a plan file beyond the types of its keys, without looking at the site."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from msgspec import UNSET

from flowwatch.documents.conditions import Condition, When, leaves
from flowwatch.documents.faults import Path, did_you_mean, listed, near, quoted
from flowwatch.documents.holes import decided
from flowwatch.documents.plan import AUTOMATIC, Approval, Case, Degraded, Plan, Span, Stage, Task, Template
from flowwatch.documents.templates import wrong_placeholders
from flowwatch.documents.walk import Problem
from flowwatch.documents.words import CALENDAR_DAYS, Level, Text, duration_us


def days_in_order(span: Span) -> Iterator[Problem]:
    """Days in a row end no earlier than they begin; dates as text sort as the days do."""
    if span.until < span.from_:
        yield ("until",), f'found "{span.until}", expected a day not before from: {span.from_}'


def follows_the_clock(case: Case) -> Iterator[Problem]:
    """A case is in force by the calendar, by what happens at another site, or by somebody's word; figures decide its stages."""
    if isinstance(case.during, When):
        for path, condition in leaves(case.during, ("during",)):
            wrong = next((key for key in ("zone", "gate", "link", "counter") if getattr(condition, key) is not UNSET), None)
            if wrong:
                yield (*path, wrong), f"found {wrong} in during:, expected only time, day and site conditions"


def placeholders_are_known(template: Template) -> Iterator[Problem]:
    """A text that is filled in names only what there is to fill in."""
    for key, text in (("zh", template.zh), ("en", template.en)):
        if isinstance(text, str):
            for told in wrong_placeholders(text):
                yield (key,), told


def task_has_plain_words(task: Task) -> Iterator[Problem]:
    """Tasks are not filled in, so that a placeholder would be read as it stands."""
    yield from _braces(("text",), task.text)


def signs_have_plain_words(stage: Stage) -> Iterator[Problem]:
    """Signs and broadcasts are not filled in either: the public would read the braces."""
    for sign, text in stage.signs.items():
        yield from decided(_braces(("signs", sign), text))


def _braces(path: Path, text: Text) -> Iterator[Problem]:
    for key, words in (("zh", text.zh), ("en", text.en)):
        if {"{", "}"} & set(words):
            yield (*path, key), f"found braces in {quoted(words)}, expected plain words: only alerts and headlines have placeholders"


def asks_whole_questions(approval: Approval) -> Iterator[Problem]:
    """Who is asked, how long, and what happens without an answer: all of it, or nobody is asked."""
    if approval.by == AUTOMATIC:
        for key in ("within", "otherwise"):
            if getattr(approval, key) is not UNSET:
                yield (key,), f"found {key} with by: automatic, expected it only where somebody is asked"
        return
    if near(approval.by, [AUTOMATIC]):
        yield ("by",), f"found {quoted(approval.by)}, expected a role of the roster, or automatic{did_you_mean(AUTOMATIC)}"
    if approval.otherwise is not UNSET and approval.within is UNSET:
        yield ("otherwise",), "found otherwise without within, expected how long an answer is waited for, such as within: 60s"
    if approval.within is not UNSET and approval.otherwise is UNSET:
        yield ("within",), "found within without otherwise, expected what happens without an answer: otherwise: apply or keep"


def says_its_level(stage: Stage) -> Iterator[Problem]:
    """An alert without a level cannot be ranked by those who get it."""
    if stage.alert is not UNSET and stage.level is UNSET:
        yield ("level",), f"found an alert without a level, expected {listed(list(Level))}"


def does_something(rule: Degraded) -> Iterator[Problem]:
    """A degraded rule announces a level or holds a stage."""
    if rule.level is UNSET and rule.stage is UNSET:
        yield (), "found neither level nor stage, expected at least one of them"


def only_the_first_is_unconditional(plan: Plan) -> Iterator[Problem]:
    """The calm stage is what remains when no condition holds; a higher one without a condition would always hold."""
    for i, stage in enumerate(plan.stages):
        yield from decided(_conditional(("stages", i), stage, first=i == 0))
    yield from decided(_calm_warns_nobody(plan))


def _calm_warns_nobody(plan: Plan) -> Iterator[Problem]:
    """A case announces its first stage when it comes into force; in any other plan the first stage is every day."""
    if plan.case is UNSET and plan.stages:
        for key in ("level", "alert"):
            if getattr(plan.stages[0], key) is not UNSET:
                yield (
                    ("stages", 0, key),
                    f"found {key} in the first stage, expected none: it is in force every day; only a case announces its first stage",
                )


def _conditional(path: Path, stage: Stage, *, first: bool) -> Iterator[Problem]:
    if first and stage.when is not UNSET:
        yield (*path, "when"), "found a condition in the first stage, expected none: it is the one that remains when no other is due"
    if first and stage.dwell is not UNSET:
        yield (*path, "dwell"), "found a dwell in the first stage, expected none: there is no calmer stage to fall to"
    if not first and stage.when is UNSET:
        yield (*path, "when"), "found no condition, expected when: in every stage after the first"
    if not first and (stage.dwell is UNSET or duration_us(stage.dwell) == 0):
        yield (*path, "dwell"), "found no dwell, expected how long the stage stays at least, such as 10m"


def levels_rise(plan: Plan) -> Iterator[Problem]:
    """A stage that is closer to closed is no milder warning."""
    order = list(Level)
    leveled = [(i, stage.level) for i, stage in enumerate(plan.stages) if isinstance(stage.level, Level)]
    for (_, below), (i, above) in pairwise(leveled):
        if order.index(above) < order.index(below):
            yield ("stages", i, "level"), f"found {above}, expected {below} or a more serious level, as the stage below has {below}"


def days_can_be_told(plan: Plan) -> Iterator[Problem]:
    """Which days are holidays only a calendar tells; and a makeup workday is a weekend only by the week."""
    if plan.calendar is UNSET:
        for path, condition in conditions(plan):
            yield from decided(_without_calendar(path, condition))


def _without_calendar(path: Path, condition: Condition) -> Iterator[Problem]:
    for i, word in enumerate(() if condition.day is UNSET else condition.day):
        if word in CALENDAR_DAYS:
            yield (
                (*path, "day", i),
                f"found {quoted(word)} without a calendar, expected calendar: with a country's code in this plan, such as CN",
            )


def conditions(plan: Plan) -> Iterator[tuple[Path, Condition]]:
    """Every condition without parts in the plan, with its path: of stages, degraded rules and the case; until a hole in each."""
    for i, stage in enumerate(plan.stages):
        yield from decided(_below(("stages", i, "when"), stage, "when"))
    for i, rule in enumerate(plan.degraded):
        yield from decided(_below(("degraded", i, "when"), rule, "when"))
    yield from decided(_below(("case", "during"), plan.case, "during"))


def _below(path: Path, holder: object, key: str) -> Iterator[tuple[Path, Condition]]:
    group = getattr(holder, key, UNSET)
    if isinstance(group, When):
        yield from leaves(group, path)


def degraded_stages_are_higher(plan: Plan) -> Iterator[Problem]:
    """A blind spot can only raise: the first stage is held anyway."""
    for i, rule in enumerate(plan.degraded):
        if rule.stage == plan.stages[0].stage:
            yield ("degraded", i, "stage"), f"found {quoted(plan.stages[0].stage)}, the first stage, expected a higher one"
