"""The page: one file of HTML with everything in it, to be read on a screen or printed on A4. Every text from a document is escaped.

Cells that hold a figure carry it unrounded (`data-measure`, `data-setup`, `data-value`), so that a table can be read back from the page.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path

from flowwatch.documents import shipped
from flowwatch.titles import Language
from flowwatch_sim.comparing import Comparison
from flowwatch_sim.kept import shown_name
from flowwatch_sim.report.answer import answer, lead, question
from flowwatch_sim.report.certainty import certainty
from flowwatch_sim.report.charts import Charts
from flowwatch_sim.report.ink import OF_SETUP
from flowwatch_sim.report.inputs import limits, rows
from flowwatch_sim.report.matter import Matter
from flowwatch_sim.report.measured import NOTHING, change, figure, groups, interval, never_congested, never_over, number, title, unit
from flowwatch_sim.report.style import CSS
from flowwatch_sim.runs import Result, Setup
from flowwatch_sim.statistics import Verdict

Replay = Callable[[Setup, int], str]
"""What runs one day of a setup again."""
VERDICTS = {
    Verdict.BETTER: ("better", "▲ 更好", "▲ better"),
    Verdict.WORSE: ("worse", "▼ 更差", "▼ worse"),
    Verdict.OPEN: ("open", "未见差异", "no difference shown"),
}


def replay(setup: Setup, seed: int) -> str:
    """The command line that runs one day again; with other bars, beside the day of the plan as it stands and those of the next seed."""
    words = [
        "flowwatch-sim",
        "compare" if setup.moved else "run",
        shown_name(setup.text),
        "--seed",
        str(seed),
        "--runs",
        "2" if setup.moved else "1",
    ]
    words += [] if setup.plan is None else ["--plan", setup.plan]
    words += ["--bars", ",".join(f"{stage}={people}" for stage, people in setup.moved)] if setup.moved else []
    words += [] if setup.sight is None else ["--sensing", setup.sight]
    words += [] if setup.root == shipped() else ["--documents", str(setup.root)]
    return shlex.join(words)


def page(setups: Sequence[Setup], results: Sequence[Result], language: Language, again: Replay = replay) -> str:
    """The report of some setups over their days, as HTML. With one setup it compares nothing and says the rest.

    Raises `NoPlotsError` without matplotlib, `DocumentErrors`, `BadBarsError`, and ValueError where results are not those of the setups.
    """
    matter = Matter(setups, results, language)
    return _Page(matter, Charts(matter), again).html()


def write(file: Path, setups: Sequence[Setup], results: Sequence[Result], language: Language, again: Replay = replay) -> None:
    """Write `page` to a file. Raises what it raises, and `OSError`."""
    file.write_text(page(setups, results, language, again), encoding="utf-8", newline="\n")


class _Page:
    def __init__(self, matter: Matter, charts: Charts, again: Replay) -> None:
        self.matter, self.charts, self.again, self.say = matter, charts, again, matter.say

    def html(self) -> str:
        heading = self.say(f"{self.matter.site}：{self.matter.title}模拟评估", f"{self.matter.site}: {self.matter.title}, simulated")
        parts = [*self._head(heading), *self._verdict(), *self._plans(), *self._day(), *self._table(), *self._worst(), *self._inputs()]
        lang = self.say("zh-CN", "en")
        return (
            f'<!DOCTYPE html>\n<html lang="{lang}">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(heading)}</title>\n<style>{CSS}</style>\n'
            f'</head>\n<body lang="{lang}">\n' + "\n".join(parts) + "\n</body>\n</html>\n"
        )

    # -- what is asked and answered -----------------------------------------------------------------------------------------------------

    def _head(self, heading: str) -> Iterator[str]:
        n = len(self.matter.table.seeds)
        starts = self.matter.first.scenario.starts
        said = self.say(f"{starts} 起，{n} 个模拟日", f"{starts}, {n} simulated {'day' if n == 1 else 'days'}")
        kicker = self.say("管控方案模拟评估报告", "Simulated days under crowd plans")
        yield f"<header><p>{kicker}</p><h1>{escape(heading)}</h1><p>{escape(said)}</p></header>"

    def _verdict(self) -> Iterator[str]:
        yield f"<h2>{self.say('问题', 'The question')}</h2>\n<p class='question'>{escape(question(self.matter))}</p>"
        yield f"<h2>{self.say('结论', 'The answer')}</h2>"
        for i, sentences in enumerate(answer(self.matter), 1):
            first = f"<p class='lead'>{escape(lead(self.matter, i))}</p>" if self.matter.several else ""
            yield f"<div class='answer'>{first}" + "".join(f"<p>{escape(text)}</p>" for text in sentences) + "</div>"
        yield "<ul class='note'>" + "".join(f"<li>{escape(text)}</li>" for text in certainty(self.matter)) + "</ul>"

    def _plans(self) -> Iterator[str]:
        matter, say = self.matter, self.say
        zone = matter.main_zone
        yield f"<h2>{say('方案', 'The plan' if not matter.several else 'The plans')}</h2>"
        head = [
            "",
            say("方案", "Plan"),
            say("目录", "Folder"),
            say("版本", "Version"),
            say("阈值：", "Bars: ") + matter.names[0].zone(zone),
        ]
        yield "<table><thead><tr>" + "".join(f"<th>{escape(text)}</th>" for text in head) + "</tr></thead><tbody>"
        for i, setup in enumerate(matter.setups):
            bars = say("；", "; ").join(f"{number(bar.people, 0)} {bar.title}" for bar in matter.bars(i, zone)) or NOTHING
            letter = f"<span class='swatch' style='background:{OF_SETUP[i]}'></span>{matter.letters[i] if matter.several else ''}"
            where = setup.name if setup.plan else setup.name.replace("in-force", say("现行方案", "in force"), 1)
            cells = [matter.plan_title(i), where, matter.planned[i].loaded.version, bars]
            told = "".join(f"<td class='{'code' if n == 2 else ''}'>{escape(text)}</td>" for n, text in enumerate(cells))
            yield f"<tr><th class='code'>{letter}</th>{told}</tr>"
        yield "</tbody></table>"

    # -- charts ------------------------------------------------------------------------------------------------------------------------

    def _day(self) -> Iterator[str]:
        say, charts, called = self.say, self.charts, self.matter.names[0]
        band = say(*self.charts.band)
        yield f"<h2>{say('一天中的在场人数', 'The day inside')}</h2>"
        if charts.paper.language != self.matter.language:
            yield "<p class='note'>本机没有中文字体，图中文字为英文。</p>"
        for zone in self.matter.zones:
            told = say(
                f"线：中位数；阴影：{band}；虚线：方案的阈值；↑：在图的上方之外。",
                f"Line: median; shade: {band}; broken lines: the plan's bars; ↑: beyond the top.",
            )
            yield self._figure(say(f"{called.zone(zone)}：在场人数", f"{called.zone(zone)}: people inside"), charts.inside(zone), told)
        told = say(
            f"所有入口排队人数合计。线：中位数；阴影：{band}。", f"People waiting at all entrances together. Line: median; shade: {band}."
        )
        yield f"<h2>{say('场外排队', 'The queue outside')}</h2>" + self._figure("", charts.outside(), told)
        told = say("平均每天分钟数；方块为预警级别颜色。", "Mean minutes a day; squares have the colour of the warning level.")
        for plan, stage in self.matter.unmoved.values():
            told += say(f"{plan}：始终为{called.quoted(stage)}。", f" {plan}: {called.quoted(stage)} all the time.")
        yield f"<h2>{say('各管控阶段时长', 'Time in each stage')}</h2>" + self._figure("", charts.stages(), told)

    def _figure(self, heading: str, svg: str, caption: str) -> str:
        head = f"<h3>{escape(heading)}</h3>" if heading else ""
        return f"<figure>{head}{svg}<figcaption>{escape(caption)}</figcaption></figure>"

    # -- the table ---------------------------------------------------------------------------------------------------------------------

    def _table(self) -> Iterator[str]:
        matter, say = self.matter, self.say
        yield f"<h2>{say('指标', 'Measures')}</h2>"
        heads = [("", say("每日平均值", "means of the days")), *(("n", self._letter(i)) for i in range(len(matter.setups)))]
        heads += [("", say("单位", "unit"))]
        for letter in matter.letters[1:]:
            heads += (
                [("n", f"{letter} − A")] if self._narrow else [("n", f"{letter} − A"), ("n", say("95% 区间", "95 % interval")), ("", "")]
            )
        if not matter.several:
            heads += [("n", say("各日最小至最大", "least to most of the days"))]
        yield "<table class='measures'><thead><tr>"
        yield "".join(f"<th class='{kind}'>{escape(text)}</th>" for kind, text in heads) + "</tr></thead><tbody>"
        for heading, told_of in groups(matter):
            yield f"<tr class='group'><th colspan='{len(heads)}'>{escape(heading)}</th></tr>"
            for name in told_of:
                yield self._row(matter.table.rows[name])
        yield "</tbody></table>"
        if never_congested(matter):
            told = say(
                "各区域平均密度任何时候都未超过 4 人/m²（IMO 拥挤判据）。", "No zone was ever over 4 people/m² (IMO's mark of congestion)."
            )
            yield f"<p class='note'>{escape(told)}</p>"
        for zone in matter.empty:
            told = say(f"{matter.names[0].zone(zone)}：始终无人。", f"{matter.names[0].zone(zone)}: nobody at any time.")
            yield f"<p class='note'>{escape(told)}</p>"
        for zone, bars in never_over(matter):
            those = matter.names[0].listed([number(bar, 0) for bar in bars], say(" 或 ", "or"))
            told = say(
                f"{matter.names[0].zone(zone)}：任何一天都未超过 {those} 人。",
                f"{matter.names[0].zone(zone)}: on no day over {those} people.",
            )
            yield f"<p class='note'>{escape(told)}</p>"
        if matter.several:
            told = say(
                "差值为该方案减 A，逐日配对；▲ 更好、▼ 更差，仅在区间不含 0 时标出。禁入时间、预警次数和到达人数不作优劣判断。",
                "Differences are a plan less A, day by day. ▲ better and ▼ worse stand only where the interval leaves 0 out. Minutes closed to "
                "entry, alerts and arrivals are not judged.",
            )
            yield f"<p class='note'>{escape(told)}</p>"
        yield from self._bounds()

    def _bounds(self) -> Iterator[str]:
        """What the worst days are bounded by, where there are days enough."""
        matter = self.matter
        if matter.table.bound_needs:
            return
        heading = self.say("95% 的日子不会超过的上界（置信度 95%）", "What 95 % of days stay at or below, with 95 % confidence")
        yield f"<h3>{escape(heading)}</h3><table class='measures bounds'><thead><tr><th></th>"
        yield "".join(f"<th class='n'>{self._letter(i)}</th>" for i in range(len(matter.setups))) + "<th></th></tr></thead><tbody>"
        for name in [name for _, group in groups(matter) for name in group]:
            row = matter.table.rows[name]
            if any(bound is not None for bound in row.bounds):
                cells = "".join(f"<td class='n'>{figure(name, bound)}</td>" for bound in row.bounds)
                yield f"<tr><th>{escape(title(name, matter))}</th>{cells}<td class='unit'>{escape(unit(name, matter.language))}</td></tr>"
        yield "</tbody></table>"

    @property
    def _narrow(self) -> bool:
        """Whether a difference has one column for all that is told of it."""
        return len(self.matter.setups) > 2

    def _letter(self, i: int) -> str:
        return self.matter.letters[i] if self.matter.several else self.say("平均", "mean")

    def _row(self, row: Comparison) -> str:
        matter, name = self.matter, row.measure
        cells = [f"<th>{escape(title(name, matter))}</th>"]
        for i, mean in enumerate(row.means):
            value = "" if mean is None else f" data-value='{mean!r}'"
            cells.append(f"<td class='n' data-measure='{escape(name)}' data-setup='{i}'{value}>{figure(name, mean)}</td>")
        cells.append(f"<td class='unit'>{escape(unit(name, matter.language))}</td>")
        cells += [self._difference(row, i) for i in range(1, len(matter.setups))]
        if not matter.several:
            span = row.spans[0]
            told = NOTHING if span is None else self.say(" 至 ", " to ").join(figure(name, end) for end in span)
            cells.append(f"<td class='interval'>{told}</td>")
        return f"<tr>{''.join(cells)}</tr>"

    def _difference(self, row: Comparison, i: int) -> str:
        """The cells of what one setup differs by: a number, its interval, and the verdict."""
        name, difference, verdict = row.measure, row.differences[i - 1], row.verdicts[i - 1]
        if difference is None:
            return f"<td class='n'>{NOTHING}</td>" + ("" if self._narrow else f"<td class='interval'>{NOTHING}</td><td></td>")
        exact = f"data-value='{difference.mean!r}' data-low='{difference.low!r}' data-high='{difference.high!r}'"
        number_ = f"<td class='n' data-difference='{escape(name)}' data-setup='{i}' {exact}>{change(name, difference)}"
        ends = interval(name, difference, self.matter.language)
        kind, zh, en = VERDICTS[verdict] if verdict is not None else ("open", "", "")
        if self._narrow:
            return f"{number_}<br><span class='ends'>{ends}</span><br><span class='verdict {kind}'>{self.say(zh, en)}</span></td>"
        return f"{number_}</td><td class='interval'>{ends}</td><td class='verdict {kind}'>{self.say(zh, en)}</td>"

    # -- the worst day and what went in ----------------------------------------------------------------------------------------------------

    def _worst(self) -> Iterator[str]:
        matter, say = self.matter, self.say
        zone = matter.names[0].zone(matter.main_zone)
        yield f"<h2>{say('最不利的一天', 'The worst day')}</h2>"
        told = say(f"{zone}峰值最高的一天，叠在全部模拟日之上。", f"The day with the highest peak at {zone}, over all days.")
        yield self._figure("", self.charts.worst(), told)
        yield f"<p class='small'>{say('单独重算这一天：', 'To run that day again:')}</p>"
        for i, setup in enumerate(matter.setups):
            day = matter.worst(i)
            peak = figure(f"peak/{matter.main_zone}", day.measures.get(f"peak/{matter.main_zone}"))
            letter = (matter.letters[i] + say("：", ": ")) if matter.several else ""
            said = say(f"{letter}种子 {day.seed}，峰值 {peak} 人", f"{letter}seed {day.seed}, peak {peak} people")
            yield f"<p class='small'>{escape(said)}</p><pre><code>{escape(self.again(setup, day.seed))}</code></pre>"

    def _inputs(self) -> Iterator[str]:
        say = self.say
        yield f"<h2>{say('输入条件', 'What went in')}</h2>\n<table class='inputs'><tbody>"
        for what, lines in rows(self.matter):
            yield f"<tr><th>{escape(what)}</th><td>{'<br>'.join(escape(line) for line in lines)}</td></tr>"
        yield "</tbody></table>"
        yield f"<section class='limits'><h2>{say('适用范围', 'Limits of validity')}</h2>"
        yield "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in limits(self.matter)) + "</ul></section>"
