"""How much may be made of so many days: what intervals and bounds are, which limits did not hold, and whether the plans knew how many there were."""

from __future__ import annotations

from typing import Final

from flowwatch_sim.report.matter import Matter
from flowwatch_sim.report.measured import figure

KNOWN: Final = 0.9
"""Share of the time that the true figure should lie inside the band, at least (assumed: what an officer can still rely on)."""


def certainty(matter: Matter) -> list[str]:
    """How much may be made of so many days: what intervals are, and what a statement on the worst day takes."""
    say, n = matter.say, len(matter.table.seeds)
    told = []
    if matter.several and n > 1:
        told.append(
            say(
                f"各方案经历相同的 {n} 个模拟日（游客相同，各人的随机因素也相同），逐日相减；区间内含 0 时，不作优劣判断。",
                f"All plans lived through the same {n} simulated days, with the same visitors and their same luck; differences are taken day by "
                "day, and nothing is called better or worse while its interval contains 0.",
            )
        )
        told.append(
            say(
                "每个区间各按 95% 计算；指标较多，其中约二十分之一可能只是偶然不含 0。",
                "Each interval is at 95 % for itself; of many measures, about one in twenty leaves 0 out by chance.",
            )
        )
    elif matter.several:
        told.append(
            say(
                "只有一个模拟日，无法作差异判断；至少需要两个。",
                "There is a single simulated day: nothing can be said of differences, which takes two at least.",
            )
        )
    needs = matter.table.bound_needs
    if needs:
        told.append(
            say(
                f"共 {n} 个模拟日，不足以给出 95% 的日子（置信度 95%）不会超过的上界，该上界需要 {needs} 个。",
                f"A bound that 95 % of days stay below with 95 % confidence takes {needs} days; there {'is' if n == 1 else 'are'} {n}.",
            )
        )
    else:
        measure = f"peak/{matter.main_zone}"
        bounds = [figure(measure, bound) for bound in matter.table.rows[measure].bounds]
        zone, letters = matter.names[0].zone(matter.main_zone), matter.letters if matter.several else [""]
        zh = "，".join(f"{letter} {bound} 人".strip() for letter, bound in zip(letters, bounds, strict=True))
        en = ", ".join(f"{letter} {bound}".strip() for letter, bound in zip(letters, bounds, strict=True))
        told.append(
            say(
                f"{zone}峰值在 95% 的日子不会超过的上界（置信度 95%）：{zh}。",
                f"With 95 % confidence, the peak at {zone} stays on 95 % of days at or below: {en} people.",
            )
        )
    return [*told, *_limits_broken(matter), *_unknown(matter)]


def _limits_broken(matter: Matter) -> list[str]:
    """On how many days the people that the scenario expects at most in a zone were exceeded, where they were."""
    say, table, told = matter.say, matter.table, []
    for zone, most in matter.first.scenario.expect.most.items():
        over = [sum(peak > most for peak in of.values(f"peak/{zone}") or ()) for of in table.days]
        n, name = len(table.seeds), matter.names[0].zone(zone)
        days = say("，", ", ").join(f"{matter.letters[i]} {many}" if matter.several else str(many) for i, many in enumerate(over))
        if any(over):
            zh = f"模拟场景要求{name}不超过 {most:,} 人；{n} 天中超出的天数：{days}。"
            told.append(say(zh, f"The scenario expects at most {most:,} people at {name}; days above that, of {n}: {days}."))
    return told


def _unknown(matter: Matter) -> list[str]:
    """A warning where the plans decided on figures that were wrong more often than `KNOWN` allows."""
    row = matter.table.rows.get("band")
    share = min((mean for mean in row.means if mean is not None), default=1.0) if row is not None else 1.0
    if share >= KNOWN:
        return []
    zh = f"方案依据的计数有误差：实际人数仅在 {share:.0%} 的时间内落在人数区间内。取舍阈值之前，宜先安排定时人工清点（operators: round）再作比较。"
    en = f"The plans decided on counts that err: the true figure was inside the band only {100 * share:.0f} % of the time. Before bars are judged, "
    return [matter.say(zh, en + "compare again with people counted by hand every so often (operators: round).")]
