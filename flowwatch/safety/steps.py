"""What a stage says: its settings do what they are meant to, its tasks are somebody's, its name counts rightly, its texts are in two languages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from flowwatch.core.gates import is_outer, lanes_per_min
from flowwatch.core.settings import Mode, Setting
from flowwatch.safety.report import Code, Finding, Path
from flowwatch.safety.sentences import finding, number

_DIGITS: Final = "零一二三四五六七八九十"
_WORDS: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_ZH_NUMBER: Final = "([0-9]{1,2}|[一二两三四五六七八九十]{1,3})"
_EN_NUMBER: Final = f"([0-9]{{1,2}}|{'|'.join(_WORDS[1:])})"
_ZH_COUNT: Final = re.compile(_ZH_NUMBER + "进" + _ZH_NUMBER + "出")
_EN_COUNT: Final = re.compile(rf"\b{_EN_NUMBER}[\s_-]*in[\s,_-]+(?:and[\s_-]+)?{_EN_NUMBER}[\s_-]*out\b", re.IGNORECASE)
_HAN: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_LETTER: Final = re.compile(r"[^\W\d_]")
_PLACEHOLDER: Final = re.compile(r"\{[a-z_]*\}")


def steps(site: Mapping[str, Any], plan: Mapping[str, Any]) -> Iterator[Finding]:
    """Everything about what the stages of one compiled plan say."""
    gates = {gate["gate"]: gate for gate in site["gates"]}
    for rank, stage in enumerate(plan["stages"]):
        for name, text in stage["gates"].items():
            if name in gates:
                yield from _setting(plan, rank, stage, gates[name], Setting.parse(text))
        for i, task in enumerate(stage["tasks"]):
            if not (task.get("role") or "").strip():
                yield finding(Code.TASK_WITHOUT_ROLE, plan["plan"], stage["stage"], ("stages", rank, "tasks", i, "role"), task=task["task"])
        yield from _counts(site, plan, rank, stage)
    for path, where, text in _texts(plan):
        yield from _text(plan, path, where, text)


def _setting(plan: Mapping[str, Any], rank: int, stage: Mapping[str, Any], gate: Mapping[str, Any], setting: Setting) -> Iterator[Finding]:
    path: Path = ("stages", rank, "gates", gate["gate"])
    facts = {"gate": gate["gate"], "setting": str(setting)}
    passes = setting.ingress_share * lanes_per_min(gate)
    if setting.per_min is not None and setting.per_min > passes:
        facts = {"gate": gate["gate"], "found": number(setting.per_min), "passes": number(passes)}
        yield finding(Code.RATE_ABOVE_LANES, plan["plan"], stage["stage"], path, **facts)
    if setting.mode is Mode.WAVE:
        if not setting.may_enter:
            yield finding(Code.WAVE_NEVER_RELEASES, plan["plan"], stage["stage"], path, **facts)
        words = [word for word, _ in setting.phases]
        if any(pair == ("in", "out") for pair in zip(words, [*words[1:], words[0]], strict=True)):
            yield finding(Code.WAVE_WITHOUT_CLEARING, plan["plan"], stage["stage"], path, **facts)


def _counts(site: Mapping[str, Any], plan: Mapping[str, Any], rank: int, stage: Mapping[str, Any]) -> Iterator[Finding]:
    """ "Three in, five out" is three outer gates that lead in and five that lead out; a gate that does both may stand for either or both."""
    outer = [gate["gate"] for gate in site["gates"] if is_outer(gate)]
    if not all(gate in stage["gates"] for gate in outer):
        return
    settings = [Setting.parse(stage["gates"][gate]) for gate in outer]
    into = sum(s.may_enter and not s.may_leave for s in settings)
    out = sum(s.may_leave and not s.may_enter for s in settings)
    turning = sum(s.may_leave and s.may_enter for s in settings)
    told = set()
    for text in (stage["title"]["zh"], stage["title"]["en"], stage["stage"]):
        for said in (_ZH_COUNT.search(text), _EN_COUNT.search(text)):
            if said is None:
                continue
            n, m = _count(said[1]), _count(said[2])
            fits = into <= n <= into + turning and out <= m <= out + turning and n + m >= into + out + turning
            if not fits and (n, m) not in told:
                told.add((n, m))
                ways = (f"{into}进{out}出，另有{turning}个双向" if turning else f"{into}进{out}出", _ways(into, out, turning))
                yield finding(Code.COUNT_IN_NAME, plan["plan"], stage["stage"], ("stages", rank, "gates"), text=said[0], ways=ways)


def _ways(into: int, out: int, turning: int) -> str:
    return f"{into} in, {out} out" + (f", {turning} both ways" if turning else "")


def _count(text: str) -> int:
    """The number that a text says, 1 to 99.

    >>> _count("十二"), _count("两"), _count("Three"), _count("二十")
    (12, 2, 3, 20)
    """
    if text.isdigit() and text.isascii():
        return int(text)
    if text.lower() in _WORDS:
        return _WORDS.index(text.lower())
    tens, ten, ones = text.replace("两", "二").rpartition("十")
    return (_DIGITS.index(tens or "一") * 10 if ten else 0) + (_DIGITS.index(ones) if ones else 0)


def _texts(plan: Mapping[str, Any]) -> Iterator[tuple[Path, tuple[str, str, str | None], Any]]:
    """(path, (what it is in Chinese, in English, its stage), text) of everything that people read."""
    yield ("title",), ("方案标题", "the plan's title", None), plan["title"]
    if plan.get("basis") is not None:
        yield ("basis",), ("依据", "the basis", None), plan["basis"]
    for rank, stage in enumerate(plan["stages"]):
        name = stage["stage"]
        at: Path = ("stages", rank)
        yield (*at, "title"), (f"阶段“{name}”的标题", f'the title of "{name}"', name), stage["title"]
        for part, zh in (("headline", "预警标题"), ("instruction", "预警指引")):
            if stage["alert"] is not None:
                yield (*at, "alert", part), (f"“{name}”的{zh}", f'the {part} of "{name}"', name), stage["alert"][part]
        for i, task in enumerate(stage["tasks"]):
            yield (*at, "tasks", i, "text"), (f"任务“{task['task']}”", f'task "{task["task"]}"', name), task["text"]
        for sign, text in stage["signs"].items():
            yield (*at, "signs", sign), (f"“{name}”中显示屏或广播“{sign}”", f'sign "{sign}" of "{name}"', name), text
    for i, rule in enumerate(plan["degraded"]):
        if rule["headline"] is not None:
            where = (f"降级规则“{rule['rule']}”的标题", f'the headline of rule "{rule["rule"]}"', None)
            yield ("degraded", i, "headline"), where, rule["headline"]


def _text(plan: Mapping[str, Any], path: Path, where: tuple[str, str, str | None], text: Any) -> Iterator[Finding]:
    what, stage = where[:2], where[2]
    zh, en = (str((text or {}).get(language) or "").strip() for language in ("zh", "en"))
    for said, language in ((zh, ("中文", "Chinese")), (en, ("英文", "English"))):
        if not said:
            yield finding(Code.TEXT_MISSING, plan["plan"], stage, path, what=what, language=language)
    if not zh or not en:
        return
    plain = {"zh": _PLACEHOLDER.sub("", zh), "en": _PLACEHOLDER.sub("", en)}
    if not _LETTER.search(plain["zh"] + plain["en"]):
        return  # numbers and placeholders are the same in every language
    if zh == en:
        yield finding(Code.TEXTS_THE_SAME, plan["plan"], stage, path, what=what, text=zh)
        return
    if _HAN.search(plain["en"]):
        yield finding(Code.NOT_ENGLISH, plan["plan"], stage, path, what=what, text=en)
    if _LETTER.search(plain["zh"]) and not _HAN.search(plain["zh"]):
        yield finding(Code.NOT_CHINESE, plan["plan"], stage, path, what=what, text=zh)
