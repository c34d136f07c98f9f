"""The day's ledger as one HTML page: nothing is loaded from anywhere, it prints on A4, and it reads as a duty room's report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from flowwatch.backtest.ink import CALM, COLOURS, INK, SOFT, UNRATED
from flowwatch.handling.records import Act
from flowwatch.proof.cases import WAY, Case
from flowwatch.proof.figure import Figure
from flowwatch.proof.ledger import Ledger, Peak, Stretch
from flowwatch.proof.phrases import ACTS, CLOCKS, DEEDS, FILES, Batch, Phrases
from flowwatch.texts import REASONS
from flowwatch.vocabulary import LEVELS
from flowwatch.words import Language, whole

STYLE: Final = f"""
@page {{ size: A4; margin: 14mm 13mm 15mm; }}
* {{ box-sizing: border-box; }}
body {{ font: 13px/1.5 "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "Helvetica Neue", Arial, sans-serif;
  color: {INK}; background: #fff; max-width: 1040px; margin: 0 auto; padding: 30px 28px 40px; font-variant-numeric: tabular-nums; }}
header {{ display: flex; justify-content: space-between; align-items: flex-end; border-bottom: 2px solid {INK}; padding-bottom: 10px; }}
h1 {{ font-size: 23px; line-height: 1.25; margin: 0; font-weight: 650; letter-spacing: .01em; }}
header p {{ margin: 0; color: {SOFT}; text-align: right; }}
h2 {{ font-size: 15px; margin: 26px 0 7px; font-weight: 650; break-after: avoid; }}
h2 small {{ font-weight: 400; color: {SOFT}; font-size: 12px; margin-left: 8px; }}
.tiles {{ display: grid; grid-template-columns: repeat(5, 1fr); gap: 0; margin: 16px 0 4px; border: 1px solid #dde2e7; border-radius: 6px; }}
.tiles div {{ padding: 10px 13px 9px; border-left: 1px solid #dde2e7; }}
.tiles div:first-child {{ border-left: 0; }}
.tiles b {{ display: block; font-size: 19px; line-height: 1.3; font-weight: 650; }}
.tiles span {{ color: {SOFT}; font-size: 12px; }}
svg {{ display: block; width: 100%; height: auto; margin: 4px 0; }}
svg text {{ font-size: 11.5px; }}
table {{ border-collapse: collapse; width: 100%; font-size: 12.2px; line-height: 1.42; }}
th {{ white-space: nowrap; text-align: left; font-weight: 500; color: {SOFT}; border-bottom: 1px solid #b8c1ca;
  padding: 4px 10px 4px 0; vertical-align: bottom; }}
td {{ border-bottom: 1px solid #e9edf0; padding: 4px 10px 4px 0; vertical-align: top; }}
tr {{ break-inside: avoid; }}
thead {{ display: table-header-group; }}
.n {{ text-align: right; white-space: nowrap; width: 1%; padding-left: 6px; }}
.t {{ white-space: nowrap; }}
.soft {{ color: {SOFT}; }}
.note {{ border-left: 3px solid {COLOURS["I"]}; background: #fbf1f0; margin: 12px 0 0; padding: 6px 12px; }}
.late {{ color: {COLOURS["I"]}; font-weight: 600; }}
.hash {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, monospace; font-size: 10.5px; word-break: break-all; }}
.mark {{ display: inline-block; min-width: 24px; text-align: center; padding: 0 6px; border-radius: 3px; font-size: 11.5px; font-weight: 600; }}
.drill {{ border: 1px solid {INK}; border-radius: 3px; padding: 0 4px; font-size: 11px; margin-right: 4px; white-space: nowrap; }}
.two {{ display: grid; grid-template-columns: 1fr 1fr; gap: 0 30px; }}
.two > section {{ min-width: 0; }}
footer {{ margin-top: 26px; border-top: 1px solid #dde2e7; padding-top: 8px; color: {SOFT}; font-size: 11.5px; }}
.empty {{ color: {SOFT}; margin: 2px 0; }}
.sign {{ display: grid; grid-template-columns: repeat(3, 1fr); gap: 30px; margin-top: 34px; }}
.sign div {{ border-top: 1px solid {INK}; padding-top: 4px; color: {SOFT}; }}
@media print {{ body {{ padding: 0; max-width: none; font-size: 10.4px; }} table {{ font-size: 9.4px; }} h1 {{ font-size: 19px; }}
  .tiles b {{ font-size: 15px; }} h2 {{ font-size: 12.5px; margin-top: 18px; }} .hash {{ font-size: 8px; }}
  * {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }} }}
"""

Cell = str | tuple[str, str]
"""A cell's HTML, or (class, HTML)."""


def page(ledger: Ledger, lang: Language) -> str:
    """The page of a ledger."""
    return _Page(ledger, lang).html()


class _Page:
    def __init__(self, ledger: Ledger, lang: Language) -> None:
        self._ledger = ledger
        self._p = Phrases(ledger, lang)
        self._say = self._p.say
        plans = (ledger.document or {}).get("plans") or [{"plan": None}]
        self._first = plans[0]["plan"]
        """The main plan, whose stages need not say whose they are."""

    def html(self) -> str:
        say, ledger = self._say, self._ledger
        site = self._p.names.site or ledger.site
        title = say(f"{site}客流运行日报", f"{site}: the day's ledger")
        code = {"zh": "zh-CN", "en": "en"}[self._p.lang]
        day = say("{}年{}月{}日".format(*(part.lstrip("0") for part in ledger.day.split("-"))), ledger.day)
        head = f'<!doctype html>\n<html lang="{code}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        head += f"<title>{escape(title)} {escape(ledger.day)}</title><style>{STYLE}</style></head><body>"
        zone = say(f"电子台账 · 时间为 {self._p.clock.zone}", f"times are those of {self._p.clock.zone}")
        day = f"{escape(day)}{say('，', ', ')}<b>{escape(self._p.unfinished)}</b>" if self._p.unfinished else escape(day)
        parts = [head, f"<header><h1>{escape(title)}</h1><p>{day}<br>{escape(zone)}</p></header>"]
        parts += [f'<p class="note">{escape(self._p.unreadable)}</p>'] if self._p.unreadable else []
        parts.append(self._tiles())
        parts += [*self._curve(), *self._cases(), *self._load(), *self._orders(), *self._deeds(), *self._tasks()]
        parts += ['<div class="two">', *self._hours(), *self._readings(), "</div>", *self._proof()]
        parts += [f'<div class="sign"><div>{say("值班员", "on duty")}</div><div>{say("值班长", "supervisor")}</div>']
        parts += [f"<div>{say('日期', 'date')}</div></div>", self._foot(), "</body></html>\n"]
        return "\n".join(parts)

    # ---- pieces

    def _tiles(self) -> str:
        say, ledger, p = self._say, self._ledger, self._p
        peak = next((peak for peak in ledger.peaks if peak.zone == "site"), None)
        came = sum(hour.people_in for hour in ledger.hours)
        worst = ledger.worst
        real = [case for case in ledger.cases if not case.drill]
        late = sum(1 for case in real if case.overdue)
        gates = [order for order in ledger.orders if order.last is not None]
        done = sum(1 for order in gates if order.last is not None and order.last.outcome == "done")
        told = [
            (self._people(peak) if peak else "–", say("全场峰值", "most people inside") + (f" · {p.hour(peak.at_us)}" if peak else "")),
            (f"{came:,}", say("进入人次", "came in")),
            (self._stage(worst) if worst else "–", say("最高阶段", "highest stage")),
            (f"{len(real)}", say("事件", "incidents") + self._late(late)),
            (
                f"{len(ledger.orders)}",
                say(f"指令 · 到位 {done}", f"commands · {done} done") if ledger.delivered else say("指令", "commands"),
            ),
        ]
        return '<div class="tiles">' + "".join(f"<div><b>{value}</b><span>{name}</span></div>" for value, name in told) + "</div>"

    def _late(self, late: int) -> str:
        if not self._ledger.handled:
            return ""
        told = self._say(f"超时 {late}", f"{late} overdue")
        return f' · <span class="late">{told}</span>' if late else f" · {told}"

    def _curve(self) -> Iterator[str]:
        say = self._say
        if not self._ledger.estimates:
            yield self._title(say("客流曲线", "People over the day"))
            yield self._nothing(say("当日没有人数估计。", "There are no estimates of this day."))
            return
        figure = Figure(self._ledger, self._p.names, self._p.clock)
        zone = self._p.names.zone(figure.zone)
        note = say(f"{zone}在场人数；阴影为人数区间", f"people inside: {zone}; shade: its band")
        yield self._title(say("客流与管控阶段", "People and stages"), note)
        yield figure.svg()
        yield '<div class="two"><section>'
        yield self._title(say("各区域峰值", "Peaks"))
        rows: list[list[Cell]] = [
            [self._name(peak), ("n", self._people(peak)), ("n", self._band(peak)), ("n", self._p.hour(peak.at_us))]
            for peak in self._ledger.peaks
        ]
        yield self._table([say("区域", "zone"), ("n", say("峰值", "peak")), ("n", say("区间", "band")), ("n", say("时间", "at"))], rows)
        yield "</section><section>"
        yield self._title(say("管控阶段", "Stages"))
        yield self._table(
            [say("阶段", "stage"), ("n", say("起", "from")), ("n", say("止", "to")), ("n", say("时长", "for"))], self._stage_rows()
        )
        yield "</section></div>"

    def _stage_rows(self) -> Iterator[list[Cell]]:
        for plan, stretches in self._ledger.stages.items():
            for stretch in stretches:
                called = self._stage(stretch)
                if plan != self._first:
                    called += f' <span class="soft">{escape(self._p.names.plan(plan))}</span>'
                until = "24:00" if stretch.until_us == self._ledger.until_us else self._p.hour(stretch.until_us)
                if not self._ledger.over and stretch.until_us == self._ledger.as_of_us:
                    until = self._say("至今", "so far")
                yield [
                    called,
                    ("n", self._p.hour(stretch.since_us)),
                    ("n", until),
                    ("n", self._p.span(stretch.until_us - stretch.since_us)),
                ]

    def _cases(self) -> Iterator[str]:
        say, p = self._say, self._p
        yield self._title(
            say("事件与处置", "Incidents and their handling"), "" if self._ledger.handled else say("无处置台账", "no book of handling")
        )
        if not self._ledger.handled:
            told = "本工作目录没有处置台账（handling.db）：以下只有系统判定的事件，没有签收、派警、到场等处置时间。"
            yield self._nothing(
                say(told, "There is no book of handling (handling.db) here: what was decided is listed, not who answered for it and when.")
            )
        if not self._ledger.cases:
            yield self._nothing(say("当日无事件。", "There was none."))
            return
        head: list[Cell] = [say("紧急程度", "priority"), say("事件", "incident"), ("n", say("发生", "since")), ("n", say("结束", "ended"))]
        shown = WAY if self._ledger.handled else ()
        ways = [act for act in shown if act in (Act.ACKNOWLEDGE, Act.CLOSE) or any(act in case.steps for case in self._ledger.cases)]
        head += [("n", ACTS[act][p.lang]) for act in ways]
        head += [say("经办与备注", "by whom")] if self._ledger.handled else []
        yield self._table(head, [self._case(case, ways) for case in self._ledger.cases])

    def _case(self, case: Case, ways: Sequence[Act]) -> list[Cell]:
        p = self._p
        name = f"{self._drill(drill=case.drill)}{escape(p.case(case).removeprefix(self._say('【演练】', '[DRILL] ')))}"
        name += f' <span class="soft t">{escape(case.name)}</span>'
        open_ = f"<b>{self._say('未结束', 'still open')}</b>"
        cells: list[Cell] = [
            self._level(case.priority),
            name,
            ("n", p.time(case.since_us)),
            ("n", p.time(case.ended_us) if case.ended_us else open_),
        ]
        cells += [("n", self._step(case, act)) for act in ways]
        return [*cells, self._by(case)] if self._ledger.handled else cells

    def _step(self, case: Case, act: Act) -> str:
        if act in case.steps:
            return self._p.time(case.steps[act].at_us)
        return f"<b>{self._say('未办结', 'not closed')}</b>" if act is Act.CLOSE else "–"

    def _by(self, case: Case) -> str:
        told = [escape(text) for text in self._p.by(case)]
        for clock, due in case.overdue.items():
            what, at = self._p.names.word(CLOCKS, clock), self._p.hour(due)
            told.append(f'<span class="late">{escape(self._say(f"{what}超时（{at}）", f"{what} overdue at {at}"))}</span>')
        return self._say("；", "; ").join(told) or "–"

    def _load(self) -> Iterator[str]:
        load, say = self._ledger.load, self._say
        if load is None:
            return
        yield self._title(say("预警负荷", "Alarm load"), "EEMUA 191 · ISA-18.2")

        def seconds(value: float | None) -> str:
            return "–" if value is None else self._p.span(round(value) * 1_000_000)

        worst = f"{load.worst_10min}" + (f" ({self._p.hour(load.worst_at_us)})" if load.worst_at_us is not None else "")
        told = [
            (say("出声提示", "shown"), f"{load.shown:,}"),
            (say("每小时", "an hour"), f"{load.per_hour:.1f}"),
            (say("10 分钟内最多", "most in 10 min"), worst),
            (say("泛滥时间占比", "share in flood"), f"{load.flood_share:.1%}"),
            (
                say("签收用时 p50 / p90", "to acknowledge, p50 / p90"),
                f"{seconds(load.acknowledge_p50_s)} / {seconds(load.acknowledge_p90_s)}",
            ),
            (say("无人签收", "unanswered"), f"{load.unanswered:,}"),
        ]
        yield self._table([name for name, _ in told], [[value for _, value in told]])

    def _orders(self) -> Iterator[str]:
        say = self._say
        note = "" if self._ledger.delivered else say("无下发记录", "no record of deliveries")
        yield self._title(say("指令与执行", "Commands and their effect"), note)
        if not self._ledger.orders:
            yield self._nothing(say("当日未下达指令。", "Nothing was commanded."))
            return
        head: list[Cell] = [
            ("n", say("时间", "at")),
            say("设备", "device"),
            say("指令", "commanded"),
            say("原因", "why"),
            say("应答", "answer"),
        ]
        yield self._table([*head, say("实况", "observed")], [self._batch(batch) for batch in self._p.batches()])

    def _batch(self, batch: Batch) -> list[Cell]:
        order = batch.orders[0]
        effect = escape(self._p.effect(order))
        bad = bool(order.effects) or (order.last is not None and order.last.outcome not in ("done", None))
        return [
            ("n", self._p.time(order.at_us)),
            escape(self._p.devices(batch)),
            self._drill(drill=batch.drill) + escape(batch.asked),
            ("soft", escape(batch.why)),
            escape(self._p.answers(batch)),
            (("late" if bad else "t"), effect),
        ]

    def _deeds(self) -> Iterator[str]:
        say, p = self._say, self._p
        yield self._title(say("人工操作", "What operators did"))
        if not self._ledger.deeds:
            yield self._nothing(say("当日无人工操作。", "Nothing."))
            return
        rows = list[list[Cell]]()
        for deed in self._ledger.deeds:
            record = deed.body["record"] or {}
            kind = p.names.word(DEEDS, deed.body["type"])
            refused = escape(say("未采纳：", "refused: ") + str(deed.body["refused"]))
            outcome = say("已采纳", "accepted") if deed.body["accepted"] else f'<span class="late">{refused}</span>'
            words = (p.deed(deed.body), str(record.get("by", "")), str(record.get("reason") or "–"))
            drill = self._drill(drill=deed.body["type"] == "drill")
            told: list[Cell] = [("n", p.time(deed.at_us)), drill + escape(kind), *map(escape, words), outcome]
            rows.append(told)
        head: list[Cell] = [
            ("n", say("时间", "at")),
            say("操作", "what"),
            say("内容", "of what"),
            say("操作人", "by"),
            say("理由", "why"),
            say("结果", "outcome"),
        ]
        yield self._table(head, rows)

    def _tasks(self) -> Iterator[str]:
        given = [(at, body) for at, body in self._ledger.tasks if body["state"] == "given"]
        if not given:
            return
        yield self._title(self._say("任务下达", "Tasks given"))
        rows = [self._task(at, body) for at, body in given]
        head: list[Cell] = [("n", self._say("下达", "given")), self._say("岗位", "to whom"), self._say("任务", "task")]
        yield self._table([*head, ("n", self._say("时限", "by"))], rows)

    def _task(self, at: int, body: Mapping[str, Any]) -> list[Cell]:
        text = str((body["text"] or {}).get(self._p.lang) or body["task"])
        who = self._p.names.role(body["role"])
        return [("n", self._p.time(at)), ("t", escape(who)), escape(text), ("n", self._p.time(body["due_us"]))]

    def _hours(self) -> Iterator[str]:
        say, p = self._say, self._p
        yield "<section>" + self._title(say("逐时客流", "Hour by hour"), say("全场", "the whole site"))
        shown = [hour for hour in self._ledger.hours if hour.peak is not None]
        rows: list[list[Cell]] = [
            [
                f"{p.hour(hour.since_us)}",
                ("n", f"{hour.people_in:,}"),
                ("n", f"{hour.people_out:,}"),
                ("n", self._people(hour.peak) if hour.peak else "–"),
                ("n", self._band(hour.peak) if hour.peak else "–"),
            ]
            for hour in shown
        ]
        head: list[Cell] = [
            say("时段起", "from"),
            ("n", say("进", "in")),
            ("n", say("出", "out")),
            ("n", say("最多在场", "most inside")),
            ("n", say("区间", "band")),
        ]
        yield (self._table(head, rows) if rows else self._nothing("–")) + "</section>"

    def _readings(self) -> Iterator[str]:
        say, readings = self._say, self._ledger.readings
        yield "<section>" + self._title(say("读数", "Readings"))
        if readings is None:
            yield self._nothing(say("没有这一天的日志。", "There is no log of this day."))
        else:
            rows: list[list[Cell]] = [
                [say("收到", "received"), ("n", f"{readings.total:,}")],
                [say("计入", "counted"), ("n", f"{readings.accepted:,}")],
            ]
            rows += [
                [escape(f"{say('拒收：', 'refused: ')}{REASONS[reason][self._p.lang]}"), ("n", f"{n:,}")]
                for reason, n in readings.refused.items()
            ]
            if not readings.refused:
                rows.append([say("拒收", "refused"), ("n", "0")])
            yield self._table([say("项目", "what"), ("n", say("条数", "readings"))], rows)
            if not readings.whole:
                yield self._nothing(
                    say("日志已按保留期限删除了这一天的开头。", "Retention has removed the beginning of the day from the log.")
                )
        yield self._title(say("方案版本", "Documents in force"))
        since: list[list[Cell]] = [[("hash", escape(version)), ("n", self._p.time(at))] for at, version in self._ledger.documents]
        yield (self._table([say("版本", "version"), ("n", say("生效", "since"))], since) if since else self._nothing("–")) + "</section>"

    def _proof(self) -> Iterator[str]:
        say = self._say
        yield self._title(say("记录链末", "Where the chains stood"), self._p.unfinished or say("当日结束时", "at the end of the day"))
        rows: list[list[Cell]] = [
            [self._p.names.word(FILES, end.file), escape(end.chain), ("n", f"{end.seq:,}"), ("hash", end.hash)] for end in self._ledger.ends
        ]
        yield self._table([say("文件", "file"), say("链", "chain"), ("n", say("条数", "entries")), "SHA-256"], rows)
        if self._ledger.head is not None:
            told = say("当日链末签名文件的 SHA-256：", "SHA-256 of the signed head of this day: ")
            yield f'<p class="soft">{told}<span class="hash">{self._ledger.head}</span></p>'

    def _foot(self) -> str:
        told = self._say(
            "本日报由 flowwatch 根据决策记录、处置台账和日志生成；核验：flowwatch audit verify。",
            "Drawn by flowwatch from the journal, the book of handling and the log; `flowwatch audit verify` proves them.",
        )
        return f"<footer>{escape(told)}</footer>"

    # ---- bits

    def _title(self, text: str, note: str = "") -> str:
        return f"<h2>{escape(text)}{f'<small>{escape(note)}</small>' if note else ''}</h2>"

    def _nothing(self, text: str) -> str:
        return f'<p class="empty">{escape(text)}</p>'

    def _table(self, head: Sequence[Cell], rows: Iterable[Sequence[Cell]]) -> str:
        def row(cells: Sequence[Cell], tag: str) -> str:
            made = (("", cell) if isinstance(cell, str) else cell for cell in cells)
            return (
                "<tr>"
                + "".join(f'<{tag} class="{kind}">{html}</{tag}>' if kind else f"<{tag}>{html}</{tag}>" for kind, html in made)
                + "</tr>"
            )

        return f"<table><thead>{row(head, 'th')}</thead><tbody>{''.join(row(cells, 'td') for cells in rows)}</tbody></table>"

    def _people(self, peak: Peak) -> str:
        return whole(peak.inside_m) if peak.known else self._say(f"至少 {whole(peak.lower_m)}", f"at least {whole(peak.lower_m)}")

    def _band(self, peak: Peak) -> str:
        return f"{whole(peak.lower_m)}–{whole(peak.upper_m)}" if peak.upper_m is not None and peak.known else "–"

    def _name(self, peak: Peak) -> str:
        return escape(self._p.zone(peak.zone))

    def _stage(self, stretch: Stretch) -> str:
        level = self._ledger.level(stretch)
        return (self._level(level) + " " if level else "") + escape(self._p.names.stage(stretch.stage, stretch.plan))

    def _level(self, level: str | None) -> str:
        if level is None:
            return f'<span class="mark" style="background:{CALM};color:{SOFT}">–</span>'
        pen = "#fff" if level in ("I", "IV") else INK
        told = escape(self._p.names.word(LEVELS, level))
        return f'<span class="mark" style="background:{COLOURS.get(level, UNRATED)};color:{pen}" title="{told}">{level}</span>'

    def _drill(self, *, drill: bool) -> str:
        return f'<span class="drill">{self._say("演练", "drill")}</span>' if drill else ""
