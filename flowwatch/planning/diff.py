"""What changed between two compiled records, in sentences that a commander reads, the most safety-relevant first.

Main plans are compared with each other whatever they are called, zone plans and cases by name. A stage is the same one while its name is; one
that only changed its name is found by what it does. Two equal records have no changes, and two different ones have at least one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flowwatch.conditions import comes
from flowwatch.planning import changed_sites, changed_stages
from flowwatch.planning.changed_conditions import conditions
from flowwatch.planning.changes import Change, Sentence, Teller, Trend, Weight, ordered, toward
from flowwatch.planning.explain import moment
from flowwatch.planning.titles import Titles
from flowwatch.vocabulary import level
from flowwatch.words import Language, day, day_spans, say

Part = Mapping[str, Any]

_PLAN_WORDS: Final = {"title": ("方案名称", "the plan's title"), "basis": ("方案依据", "the plan's basis")}
_DAYS: Final = {"holiday": ("法定节假日", "public holidays"), "makeup": ("调休上班日", "worked weekends")}


def diff(old: Part, new: Part) -> list[Change]:
    """Everything that changed from the compiled record `old` to `new`; empty if they say the same."""
    if old == new:
        return []
    teller = Teller(old, new)
    changed_sites.site(teller)
    for was, now in _paired(old["plans"], new["plans"]):
        _plan(teller, was, now)
    if not teller.found:
        teller.tell(Weight.WORDS, "", lambda _a, b: b.say("只有写法或顺序不同。", "only spelling or order differ."))
    return ordered(teller.found)


def report(changes: Sequence[Change], lang: Language) -> str:
    """The changes as lines, numbered."""
    if not changes:
        return say(lang, "没有变化。\n", "Nothing changed.\n")
    return "".join(f"{i}. {change.text(lang)}\n" for i, change in enumerate(changes, 1))


# -- plans ------------------------------------------------------------------------------------------------------------------------------


def _paired(old: Sequence[Part], new: Sequence[Part]) -> list[tuple[Part | None, Part | None]]:
    pairs: list[tuple[Part | None, Part | None]] = [(old[0] if old else None, new[0] if new else None)] if old or new else []
    before, after = {p["plan"]: p for p in old[1:]}, {p["plan"]: p for p in new[1:]}
    return pairs + [(before.get(name), after.get(name)) for name in dict.fromkeys((*before, *after))]


def _plan(teller: Teller, old: Part | None, new: Part | None) -> None:
    found = new if new is not None else old
    assert found is not None
    main = any(record["plans"] and record["plans"][0] is found for record in (teller.old, teller.new))
    path = f"plans.{found['plan']}"
    if old is None or new is None:
        with teller.within(path, lambda _a, _b: "", plan=found["plan"]):
            word = ("取消", "removed") if new is None else ("新增", "added")
            trend = Trend.LOOSER if new is None else Trend.TIGHTER
            teller.tell(
                Weight.STAGES,
                "",
                lambda _a, b: b.say(f"{word[0]}方案{b.quoted(b.text(found))}。", f"Plan {b.quoted(b.text(found))} {word[1]}."),
                trend if found["case"] is None else None,
                (old and old["plan"], new and new["plan"]),
            )
        return
    with teller.within(path, lambda _a, b: "" if main else b.say(f"{b.quoted(b.text(new))}：", f"{b.text(new)}: "), plan=new["plan"]):
        _plan_itself(teller, old, new)
        _degraded(teller, old, new)
    pairs = _stages(old["stages"], new["stages"])
    for was, now in pairs:
        stage = now if now is not None else was
        assert stage is not None
        rank = (new if now is not None else old)["stages"].index(stage)
        about = f"{path}.stages.{stage['stage']}"
        with teller.within(about, _before(None if main else new, stage), plan=new["plan"], stage=stage["stage"], rank=rank):
            _stage(teller, was, now, new if now is not None else old)
    kept = [[side["stage"] for side in pair if side is not None] for pair in pairs if None not in pair]
    if [names[0] for names in kept] != [s["stage"] for s in old["stages"] if any(s["stage"] == names[0] for names in kept)]:
        with teller.within(path, lambda _a, _b: "", plan=new["plan"]):
            values = [s["stage"] for s in old["stages"]], [s["stage"] for s in new["stages"]]
            teller.tell(Weight.STAGES, "stages", lambda _a, b: b.say("阶段的次序改变。", "The order of the stages changes."), None, values)


def _before(plan: Part | None, stage: Part) -> Sentence:
    def before(_a: Titles, b: Titles) -> str:
        of = "" if plan is None else b.say(b.quoted(b.text(plan)), f"{b.text(plan)}, ")
        return of + b.quoted(b.text(stage)) + b.say("：", ": ")

    return before


def _plan_itself(teller: Teller, old: Part, new: Part) -> None:
    for key, name in _PLAN_WORDS.items():
        teller.words(Weight.WORDS, key, name, old[key], new[key])
    for key, zh, en in (("plan", "方案代号", "the plan's name"), ("zone", "方案所管区域", "the plan's zone")):
        if old[key] != new[key]:
            _changed(teller, key, (zh, en), (old[key] or "-", new[key] or "-"), Weight.WORDS if key == "plan" else Weight.STAGES)
    for key, zh, en in (("valid_from_us", "生效时间", "valid from"), ("valid_to_us", "失效时间", "valid until")):
        if old[key] != new[key]:
            _moment(teller, key, (zh, en), (old[key], new[key]))
    _case(teller, old["case"], new["case"])
    for table in sorted(old["days"].keys() | new["days"].keys()):
        _days(teller, table, old["days"].get(table, []), new["days"].get(table, []))
    if old["days_until"] != new["days_until"]:
        until = tuple(
            {lang: say(lang, "无", "none") if value is None else day(value, lang) for lang in ("zh", "en")}
            for value in (old["days_until"], new["days_until"])
        )
        teller.tell(
            Weight.CALENDAR,
            "days_until",
            lambda _a, b: b.say(
                f"节假日表的截止日由 {until[0]['zh']} 改为 {until[1]['zh']}。",
                f"holidays are known until {until[1]['en']} instead of {until[0]['en']}.",
            ),
            None,
            (old["days_until"], new["days_until"]),
        )


def _changed(teller: Teller, path: str, name: tuple[str, str], values: tuple[str, str], weight: Weight) -> None:
    was, now = values
    teller.tell(weight, path, lambda _a, b: b.say(f"{name[0]}由 {was} 改为 {now}。", f"{name[1]} is {now} instead of {was}."), None, values)


def _moment(teller: Teller, path: str, name: tuple[str, str], values: tuple[int | None, int | None]) -> None:
    def told(value: int | None, record: Part, titles: Titles) -> str:
        return titles.say("不限", "open") if value is None else moment(record, value, titles.language).strip()

    teller.tell(
        Weight.STAGES,
        path,
        lambda a, b: b.say(
            f"{name[0]}由 {told(values[0], teller.old, a)}改为 {told(values[1], teller.new, b)}。",
            f"{name[1]}: {told(values[1], teller.new, b)} instead of {told(values[0], teller.old, a)}.",
        ),
        None,
        values,
    )


def _case(teller: Teller, old: Part | None, new: Part | None) -> None:
    if old is None or new is None:
        if old is not new:
            word = ("改为常设方案", "is no case any more") if new is None else ("改为专项预案", "becomes a case")
            teller.tell(Weight.CASES, "case", lambda _a, b: b.say(f"{word[0]}。", f"{word[1]}."), None, (old, new))
        return
    if old["effect"] != new["effect"]:
        word = (
            ("启用期间改为代替主方案", "replaces the main plan while it is in force, instead of asking beside it")
            if new["effect"] == "replace"
            else ("启用期间改为与主方案同时生效", "asks beside the main plan while it is in force, instead of replacing it")
        )
        trend = Trend.LOOSER if new["effect"] == "replace" else Trend.TIGHTER
        teller.tell(Weight.CASES, "case.effect", lambda _a, b: b.say(f"{word[0]}。", f"{word[1]}."), trend, (old["effect"], new["effect"]))
    if old["declared_only"] != new["declared_only"]:
        manual = (
            ("改为仅由值班人员宣布启用", "is in force only when declared")
            if new["declared_only"]
            else ("改为可自动启用", "comes into force by itself")
        )
        values = old["declared_only"], new["declared_only"]
        teller.tell(Weight.CASES, "case.declared_only", lambda _a, b: b.say(f"{manual[0]}。", f"{manual[1]}."), None, values)
    conditions(teller, old, new, Weight.CASES)


def _days(teller: Teller, table: str, old: Sequence[Sequence[int]], new: Sequence[Sequence[int]]) -> None:
    before, after = list(old), list(new)
    gone, came = [span for span in before if span not in after], [span for span in after if span not in before]
    if not gone and not came:
        return

    def sentence(_a: Titles, b: Titles) -> str:
        name = b.say(*_DAYS[table]) if table in _DAYS else b.say(f"“{table}”活动日", f'the days of "{table}"')
        told = [
            b.say(f"{zh} {day_spans(spans, 'zh')}", f"{en} {day_spans(spans, 'en')}")
            for zh, en, spans in (("取消", "without", gone), ("新增", "with", came))
            if spans
        ]
        return b.say(f"{name}：{'；'.join(told)}。", f"{name}: now {' and '.join(told)}.")

    teller.tell(Weight.CALENDAR, f"days.{table}", sentence, None, (old, new))


def _degraded(teller: Teller, old: Part, new: Part) -> None:
    before, after = ({rule["rule"]: rule for rule in plan["degraded"]} for plan in (old, new))
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            _rule(teller, name, before.get(name), after.get(name))


def _rule(teller: Teller, name: str, old: Part | None, new: Part | None) -> None:
    called = (f"数据降级规则“{name}”", f'rule "{name}" for failing data')
    path = f"degraded.{name}"
    if old is None or new is None:
        rule = new if new is not None else old
        assert rule is not None
        word = ("取消", "removed") if new is None else ("新增", "added")
        trend = Trend.LOOSER if new is None else Trend.TIGHTER
        teller.tell(
            Weight.DEGRADED,
            path,
            lambda a, b: b.say(
                f"{word[0]}{called[0]}：{comes(rule, a if new is None else b)}。",
                f"{called[1]} {word[1]}: when {comes(rule, a if new is None else b)}.",
            ),
            trend,
            (old, new),
        )
        return
    if old["level"] != new["level"]:
        teller.tell(
            Weight.DEGRADED,
            f"{path}.level",
            lambda _a, b: b.say(
                f"{called[0]}的预警级别由{level(old['level'], 'zh')}改为{level(new['level'], 'zh')}。",
                f"{called[1]}: {level(new['level'], 'en')} instead of {level(old['level'], 'en')}.",
            ),
            toward(changed_stages.severity(old["level"]), changed_stages.severity(new["level"]), Trend.TIGHTER),
            (old["level"], new["level"]),
        )
    if old["stage"] != new["stage"]:
        stages = tuple(value or "-" for value in (old["stage"], new["stage"]))
        _changed(teller, f"{path}.stage", (f"{called[0]}的阶段", f"{called[1]}: its stage"), (stages[0], stages[1]), Weight.DEGRADED)
    teller.words(Weight.WORDS, f"{path}.headline", (f"{called[0]}的提示", f"{called[1]}: its headline"), old["headline"], new["headline"])
    with teller.part(path, lambda _a, b: b.say(f"{called[0]}：", f"{called[1]}: ")):
        conditions(teller, old, new, Weight.DEGRADED)


# -- stages -----------------------------------------------------------------------------------------------------------------------------


def _stages(old: Sequence[Part], new: Sequence[Part]) -> list[tuple[Part | None, Part | None]]:
    """Which stage became which, in the new order, those that are gone last."""
    before, after = {s["stage"]: s for s in old}, {s["stage"]: s for s in new}
    was = {name: before[name] for name in after if name in before}
    free = [s for s in old if s["stage"] not in after]
    for name, stage in after.items():
        if name in was:
            continue
        same = next((s for s in free if _alike(s, stage) or (s is old[0] and stage is new[0])), None)
        if same is not None:
            was[name] = same
            free.remove(same)
    return [(was.get(name), stage) for name, stage in after.items()] + [(stage, None) for stage in free]


def _alike(old: Part, new: Part) -> bool:
    if old["clauses"] and (old["clauses"], old["leaves"]) == (new["clauses"], new["leaves"]):
        return True
    return bool(old["title"] == new["title"]) or (old["level"], old["gates"]) == (new["level"], new["gates"])


def _stage(teller: Teller, old: Part | None, new: Part | None, plan: Part) -> None:
    if old is not None and new is not None:
        if old["stage"] != new["stage"]:
            names = old["stage"], new["stage"]
            teller.tell(
                Weight.STAGES,
                "stage",
                lambda _a, b: b.say(f"阶段代号由 {names[0]} 改为 {names[1]}。", f"renamed from {names[0]} to {names[1]}."),
                None,
                names,
            )
        changed_stages.stage(teller, old, new)
        return
    stage = new if new is not None else old
    assert stage is not None
    rank = plan["stages"].index(stage)

    def sentence(a: Titles, b: Titles) -> str:
        titles = a if new is None else b
        word = b.say("取消该阶段" if new is None else "新增阶段", "this stage is removed" if new is None else "a new stage")
        when = comes(stage, titles) if stage["clauses"] else ""
        below = b.quoted(titles.text(plan["stages"][rank - 1])) if rank else ""
        place = b.say(f"，在{below}之上", f", above {below}") if rank else ""
        came = b.say(f"；{'原' if new is None else ''}启动条件：{when}", f"; condition: {when}") if when else ""
        return b.say(f"{word}（{level(stage['level'], 'zh')}{place}）{came}。", f"{word} ({level(stage['level'], 'en')}{place}){came}.")

    teller.tell(Weight.STAGES, "", sentence, Trend.LOOSER if new is None else Trend.TIGHTER, (old and old["stage"], new and new["stage"]))
