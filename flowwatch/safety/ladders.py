"""Stages as a ladder: each can be reached, stays for itself, stands apart from the next, and none comes and goes with every reading.

Conditions are looked at as they are compiled, any of alls, so a bar is found wherever it stands in a nested condition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from flowwatch.core.readings import MINUTE, SECOND
from flowwatch.safety.clauses import EDGES, MEASURED, Clause, Leaf, Never, Reasoner, clauses, figure_of, pending
from flowwatch.safety.days import seconds
from flowwatch.safety.describing import MEASURES, Both, clause_text, figure, leaf_text
from flowwatch.safety.report import Code, Finding, Path
from flowwatch.safety.sentences import finding, number

CHATTER_US: Final = 60 * SECOND
"""An alarm that changes three times within 60 s chatters (ISA-18.2, EEMUA 191): a stage stays for longer than that."""


def ladder(site: Mapping[str, Any], plan: Mapping[str, Any], reasoner: Reasoner) -> Iterator[Finding]:
    """Everything about the conditions of one compiled plan."""
    alive = [[] if rank == 0 else _alive(reasoner, stage) for rank, stage in enumerate(plan["stages"])]
    yield from _reached(site, plan, reasoner)
    unseen: set[int] = set()
    for found, rank in _by_itself(plan, reasoner, alive):
        unseen.add(rank)
        yield found
    yield from _apart(site, plan, reasoner, alive, unseen)
    for rank, stage in enumerate(plan["stages"]):
        if rank:
            yield from _steady(site, plan, reasoner, rank, stage)
    for i, rule in enumerate(plan["degraded"]):
        yield from _rule(site, plan, reasoner, i, rule)
    yield from _case(site, plan, reasoner)


def _alive(reasoner: Reasoner, stage: Mapping[str, Any]) -> list[Clause]:
    """The clauses that may hold, without those that another one of the stage makes superfluous."""
    able = [c for c in clauses(stage) if reasoner.never(c) is None]
    kept: list[Clause] = []
    for i, clause in enumerate(able):
        others = [o for k, o in enumerate(able) if k != i and reasoner.implies(clause.leaves, o.leaves)]
        if all(reasoner.implies(o.leaves, clause.leaves) and able.index(o) > i for o in others):
            kept.append(clause)
    return kept


def _reached(site: Mapping[str, Any], plan: Mapping[str, Any], reasoner: Reasoner) -> Iterator[Finding]:
    name = plan["plan"]
    for rank, stage in enumerate(plan["stages"]):
        path: Path = ("stages", rank, "when")
        for leaf in stage["leaves"]:
            if pending(leaf):
                zh, en = leaf_text(leaf, site)
                yield finding(Code.NOT_EVALUATED_YET, name, stage["stage"], path, where=stage["stage"], leaf=(zh, en))
        if rank == 0:
            continue
        why = [(clause, reasoner.never(clause)) for clause in clauses(stage)]
        reasons = [reason for _, reason in why if reason is not None]
        if len(reasons) == len(why):
            code = Code.NOT_REACHABLE_YET if any(r[0] is Never.PENDING for r in reasons) else Code.NEVER_REACHED
            yield finding(code, name, stage["stage"], path, reason=_joined([r[1] for r in reasons]))
            continue
        for clause, reason in why:
            if reason is not None and reason[0] is not Never.PENDING:
                text = clause_text(stage["leaves"], clause.numbers, site)
                yield finding(Code.CLAUSE_NEVER_HOLDS, name, stage["stage"], path, where=stage["stage"], clause=text, reason=reason[1])


def _joined(reasons: list[Both]) -> Both:
    different = list(dict.fromkeys(reasons)) or [("没有条件", "it has no condition")]
    return "；".join(r[0] for r in different), "; ".join(r[1] for r in different)


def _by_itself(plan: Mapping[str, Any], reasoner: Reasoner, alive: list[list[Clause]]) -> Iterator[tuple[Finding, int]]:
    """Stages that the next ones always take over from; only surely so."""
    stages = plan["stages"]
    for rank in range(1, len(stages)):
        if not alive[rank]:
            continue
        over = [_taken_over(reasoner, clause, alive, rank) for clause in alive[rank]]
        higher = [o for o in over if o is not None]
        if len(higher) < len(over) or any(stages[h]["confirm"]["rise"]["by"] is not None for h in higher):
            continue  # a rise that somebody must agree to may be declined
        lasting = all(
            any(reasoner.outlasts(other.leaves, clause.leaves) for other in alive[h]) and stages[h]["dwell_us"] >= stages[rank]["dwell_us"]
            for clause, h in zip(alive[rank], higher, strict=True)
        )
        code = Code.NEVER_ACTIVE if lasting else Code.PASSED_THROUGH
        path: Path = ("stages", rank, "when")
        yield finding(code, plan["plan"], stages[rank]["stage"], path, higher=stages[max(higher)]["stage"]), rank


def _taken_over(reasoner: Reasoner, clause: Clause, alive: list[list[Clause]], rank: int) -> int | None:
    """The lowest higher stage of which a clause holds whenever `clause` does; one that outlasts it, if there is one."""
    found = None
    for higher in range(rank + 1, len(alive)):
        for other in alive[higher]:
            if reasoner.outlasts(other.leaves, clause.leaves):
                return higher
            if found is None and reasoner.implies(clause.leaves, other.leaves):
                found = higher
    return found


def _split(clause: Clause) -> tuple[dict[tuple[str, ...], Leaf], list[Leaf]] | None:
    """(bars by figure, all other leaves); None where two bars are on one figure."""
    bars: dict[tuple[str, ...], Leaf] = {}
    rest = []
    for leaf in clause.leaves:
        key = figure_of(leaf)
        if key is None:
            rest.append(leaf)
        elif key in bars:
            return None
        else:
            bars[key] = leaf
    return (bars, rest) if bars else None


def _apart(
    site: Mapping[str, Any], plan: Mapping[str, Any], reasoner: Reasoner, alive: list[list[Clause]], unseen: set[int]
) -> Iterator[Finding]:
    """A higher stage enters above a lower one and clears no lower than that one enters, as far as their clauses can be compared.

    They can where both have bars on the same figures and the higher one needs nothing besides that the lower one does not need: a bar that
    is lower only in the evening, or on holidays, or for a much longer hold, is how a careful plan is written.
    """
    stages, name = plan["stages"], plan["plan"]
    for high in range(2, len(stages)):
        for upper in alive[high]:
            for low in range(high - 1, 0, -1):
                found = next((f for lower in alive[low] if (f := _pair(reasoner, lower, upper))), None)
                if found is None:
                    continue
                code, below, above = found
                if code is Code.BARS_OUT_OF_ORDER and low in unseen:
                    break
                texts = {"high": leaf_text(above, site), "low": leaf_text(below, site), "lower": stages[low]["stage"]}
                yield finding(code, name, stages[high]["stage"], ("stages", high, "when"), clear=figure(above["clear"]), **texts)
                break


def _pair(reasoner: Reasoner, lower: Clause, upper: Clause) -> tuple[Code, Leaf, Leaf] | None:
    """(what is wrong, a bar of the lower clause, one of the upper) of two clauses, if they can be compared and something is."""
    low, high = _split(lower), _split(upper)
    if low is None or high is None or low[0].keys() != high[0].keys() or not reasoner.implies(low[1], high[1]):
        return None
    pairs = [(low[0][key], high[0][key]) for key in low[0]]
    if reasoner.implies(lower.leaves, upper.leaves):
        return Code.BARS_OUT_OF_ORDER, *pairs[0]
    above = all(h["enter_m"] >= b["enter_m"] for b, h in pairs) and any(h["enter_m"] > b["enter_m"] for b, h in pairs)
    if above and all(h["clear_m"] < b["enter_m"] for b, h in pairs):
        return Code.BARS_OVERLAP, *pairs[0]
    return None


def _steady(site: Mapping[str, Any], plan: Mapping[str, Any], reasoner: Reasoner, rank: int, stage: Mapping[str, Any]) -> Iterator[Finding]:
    """Nothing comes and goes faster than the dwell."""
    name, where = plan["plan"], stage["stage"]
    if stage["dwell_us"] < CHATTER_US:
        yield finding(Code.DWELL_TOO_SHORT, name, where, ("stages", rank, "dwell"), found=number(stage["dwell_us"] / SECOND))
    yield from _gaps(site, plan, where, stage["leaves"], ("stages", rank, "when"), where)
    for leaf in stage["leaves"]:
        if reasoner.above_limit(leaf) and leaf["source"] == "occupancy_upper":
            facts = {"leaf": leaf_text(leaf, site), "limit": f"{reasoner.limit_m[leaf['zone']] // 1000:,}", "where": where}
            yield finding(Code.BAR_ABOVE_LIMIT, name, where, ("stages", rank, "when"), **facts)
    told = set()
    for clause in clauses(stage):
        times = [leaf for leaf in clause.leaves if leaf["kind"] == "time"]
        span = seconds(reasoner.hours(clause)) * SECOND
        if times and 0 < span < stage["dwell_us"]:
            facts = {"leaf": leaf_text(times[0], site), "found": number(span / MINUTE), "dwell": number(stage["dwell_us"] / MINUTE)}
            if str(facts) not in told:
                told.add(str(facts))
                yield finding(Code.WINDOW_SHORTER_THAN_DWELL, name, where, ("stages", rank, "when"), **facts)


def _gaps(
    site: Mapping[str, Any], plan: Mapping[str, Any], where: str, leaves: list[Leaf], path: Path, stage: str | None
) -> Iterator[Finding]:
    for leaf in leaves:
        if leaf["kind"] not in MEASURED:
            continue
        facts: dict[str, Any] = {"where": where, "leaf": leaf_text(leaf, site)}
        if leaf["clear_m"] >= leaf["enter_m"]:
            yield finding(Code.NO_GAP, plan["plan"], stage, path, clear=figure(leaf["clear"]), **facts)
        elif leaf["kind"] == "people" and EDGES.get(leaf["clear_source"], 9) < EDGES.get(leaf["source"], 0):
            facts |= {key: MEASURES[leaf[key]] for key in ("source", "clear_source")}
            yield finding(Code.CLEARS_ON_LOWER_EDGE, plan["plan"], stage, path, **facts)


def _rule(site: Mapping[str, Any], plan: Mapping[str, Any], reasoner: Reasoner, i: int, rule: Mapping[str, Any]) -> Iterator[Finding]:
    """A degraded rule holds at some time, and not with single readings."""
    path: Path = ("degraded", i, "when")
    for leaf in rule["leaves"]:
        if pending(leaf):
            yield finding(Code.NOT_EVALUATED_YET, plan["plan"], None, path, where=rule["rule"], leaf=leaf_text(leaf, site))
    yield from _gaps(site, plan, rule["rule"], rule["leaves"], path, None)
    why = [reasoner.never(clause) for clause in clauses(rule)]
    reasons = [reason for reason in why if reason is not None]
    if len(reasons) == len(why):
        yield finding(Code.RULE_NEVER_HOLDS, plan["plan"], None, path, rule=rule["rule"], reason=_joined([r[1] for r in reasons]))
    held = [[leaf["hold_us"] for leaf in clause.leaves if "hold_us" in leaf] for clause in clauses(rule)]
    if any(holds and max(holds) == 0 for holds in held):
        yield finding(Code.RULE_WITHOUT_HOLD, plan["plan"], None, path, rule=rule["rule"])


def _case(site: Mapping[str, Any], plan: Mapping[str, Any], reasoner: Reasoner) -> Iterator[Finding]:
    """A case with a `during` comes into force by itself at some time."""
    case = plan["case"]
    if case is None or case["declared_only"]:
        return
    for leaf in case["leaves"]:
        if pending(leaf):
            yield finding(Code.NOT_EVALUATED_YET, plan["plan"], None, ("case", "during"), where=plan["plan"], leaf=leaf_text(leaf, site))
    reasons = [reasoner.never(clause) for clause in clauses(case)]
    known = [r[1] for r in reasons if r is not None]
    if len(known) == len(reasons):
        yield finding(Code.CASE_NEVER_BEGINS, plan["plan"], None, ("case", "during"), reason=_joined(known))
