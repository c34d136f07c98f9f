"""A plan as a ladder of states, read from the tables that the engine runs: what is drawn by `mermaid.py` and `poster.py`.

A rise is drawn from each stage to the next, a fall to the one before. The engine goes further in one step where the conditions ask for it (it
takes the highest stage that is due, and falls to the highest that still is); what stands on an arrow is what its upper stage needs, so nothing
is lost by drawing single steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowwatch.conditions import comes, one_is_enough, ways_down, ways_up
from flowwatch.core.gates import Setting
from flowwatch.planning import settings
from flowwatch.planning.stages import measures, task
from flowwatch.planning.titles import Titles
from flowwatch.vocabulary import SHORT_MODES
from flowwatch.words import Language, duration


@dataclass(frozen=True, slots=True)
class GateState:
    """What a stage asks of a gate; `setting` None: nothing. `turned`: something else than the stage below."""

    gate: str
    title: str
    setting: Setting | None
    turned: bool


@dataclass(frozen=True, slots=True)
class State:
    """A stage. `rise` and `fall` are sentences without full stops, of which any one is enough (rise) or all are needed (fall)."""

    number: int
    name: str
    title: str
    level: str | None
    gates: tuple[GateState, ...]
    summary: str
    """How many gates do what: "in only 3, out only 5"."""
    way_out: tuple[str, ...]
    """Capacity out and minutes to clear; empty where the stage does not set every gate."""
    common: str
    """What must hold in any case for it to come; "" if nothing."""
    rise: tuple[str, ...]
    rise_by: str
    fall: tuple[str, ...]
    enough: str
    """That one of leaves joined by "and" is enough, where there are such; else ""."""
    dwell: str
    fall_by: str
    does: tuple[str, ...]
    """What else happens in it: links, barriers, signs, tasks."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """A plan's states from calm to closed."""

    plan: str
    title: str
    site: str
    kind: str
    states: tuple[State, ...]
    lang: Language


def ladder(record: Mapping[str, Any], plan: Mapping[str, Any], lang: Language) -> Ladder:
    """The ladder of one of the compiled `record`'s plans."""
    titles = Titles(record, lang)
    states = tuple(_state(record, plan, rank, titles) for rank in range(len(plan["stages"])))
    zone = titles.zone(plan["zone"]) if plan["zone"] is not None else ""
    kind = (
        titles.say("专项预案", "case")
        if plan["case"] is not None
        else titles.say(f"分区方案：{zone}", f"zone plan: {zone}")
        if zone
        else ""
    )
    return Ladder(plan["plan"], titles.text(plan), titles.site, kind, states, lang)


def _state(record: Mapping[str, Any], plan: Mapping[str, Any], rank: int, titles: Titles) -> State:
    stage = plan["stages"][rank]
    below = plan["stages"][rank - 1]["gates"] if rank else stage["gates"]
    gates = tuple(_gate(gate, stage["gates"], below, titles) for gate in record["gates"])
    rules = [rule for rule in plan["degraded"] if rank and rule["stage"] == stage["stage"]]
    common, ways = ways_up(stage, titles) if rank else ("", [])
    rise = ways or ([common] if common else [])
    also = [titles.say(f"规则“{rule['rule']}”：{comes(rule, titles)}", f'rule "{rule["rule"]}": {comes(rule, titles)}') for rule in rules]
    if also and ways and common:
        rise, common = [titles.say(f"{common}，且{way}", f"{common}, and {way}") for way in ways], ""
    return State(
        number=rank + 1,
        name=stage["stage"],
        title=titles.text(stage),
        level=stage["level"],
        gates=gates,
        summary=_summary(gates, titles),
        way_out=_way_out(record, stage, titles),
        common=common if ways else "",
        rise=(*rise, *also),
        rise_by=approval(stage["confirm"]["rise"], titles) if rank else "",
        fall=tuple(ways_down([stage, *rules], titles)) if rank else (),
        enough=one_is_enough([stage, *rules], titles) if rank else "",
        dwell=titles.say(f"至少保持 {duration(stage['dwell_us'], 'zh')}", f"after {duration(stage['dwell_us'], 'en')} at least")
        if rank and stage["dwell_us"]
        else "",
        fall_by=approval(stage["confirm"]["fall"], titles) if rank else "",
        does=(*measures(stage, titles), *(task(found, titles) for found in stage["tasks"])),
    )


def approval(terms: Mapping[str, Any], titles: Titles) -> str:
    """Who must agree, in a few words."""
    if terms["by"] is None:
        return titles.say("自动", "automatic")
    who = titles.role(terms["by"])
    asked = titles.say(f"须{who}确认", f"{who} must agree")
    if terms["within_us"] is None:
        return asked
    within = duration(terms["within_us"], titles.language)
    if terms["otherwise"] == "apply":
        return asked + titles.say(f"，{within}内无答复即执行", f", or {within} pass without an answer")
    return asked + titles.say(f"，{within}内无答复则不执行", f" within {within}, or nothing changes")


def _gate(gate: Mapping[str, Any], table: Mapping[str, str], below: Mapping[str, str], titles: Titles) -> GateState:
    text = table.get(gate["gate"])
    setting = None if text is None else Setting.parse(text)
    return GateState(gate["gate"], titles.gate(gate["gate"]), setting, text != below.get(gate["gate"]))


def short(setting: Setting, titles: Titles) -> str:
    """A setting in a word or two, without its numbers."""
    return titles.word(SHORT_MODES, setting.mode.value)


def _summary(gates: Sequence[GateState], titles: Titles) -> str:
    counts: dict[str, int] = {}
    for gate in gates:
        if gate.setting is not None:
            word = short(gate.setting, titles)
            counts[word] = counts.get(word, 0) + 1
    return titles.say(" · ", ", ").join(titles.say(f"{word} {n}", f"{n} {word}") for word, n in counts.items())


def _way_out(record: Mapping[str, Any], stage: Mapping[str, Any], titles: Titles) -> tuple[str, ...]:
    found = settings.way_out(record, stage["gates"])
    if found is None:
        return ()
    per_min, minutes = found
    out = titles.say(f"疏散能力 {per_min:,} 人/分", f"{per_min:,} persons/min out")
    if minutes is None:
        return (out,)
    return out, titles.say(f"满员清空至少 {minutes:,} 分钟", f"a full site is empty in {minutes:,} min at best")
