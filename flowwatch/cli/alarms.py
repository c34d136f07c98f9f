"""The command that says how heavy the alarms were: `alarms report`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit, leave
from flowwatch.cli.moments import date_of, moment
from flowwatch.cli.output import line, table
from flowwatch.cli.workspace import need_book
from flowwatch.words import Language, Text, say
from flowwatch.workspace import Workspace

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from flowwatch.core.entries import Entry
    from flowwatch.handling.load import Bound, Load, Often
    from flowwatch.journal import Journal

DAY_US: Final = 24 * 3_600 * 1_000_000
FIGURES: Final[dict[str, Text]] = {
    "per_operator_hour": {"zh": "平均每小时预警（每名值班员）", "en": "alerts an hour, mean, to each operator"},
    "worst_10min": {"zh": "最密集的 10 分钟", "en": "alerts in the worst 10 minutes"},
    "flood_share": {"zh": "密集时段占比（10 分钟超过 10 条）", "en": "time in flood (over 10 in 10 minutes)"},
    "chatter": {"zh": "反复跳变（1 分钟内变化 3 次及以上）", "en": "things that chatter (3 changes in a minute)"},
    "stale": {"zh": "超过 24 小时无人签收", "en": "unanswered for more than 24 hours"},
    "reds_hidden": {"zh": "未单独提示的Ⅰ级（红色）", "en": "reds that were not shown by themselves"},
}
BANDS: Final[dict[str, Text]] = {
    "high": {"zh": "高（Ⅰ级）", "en": "high (I)"},
    "medium": {"zh": "中（Ⅱ级）", "en": "medium (II)"},
    "low": {"zh": "低（Ⅲ、Ⅳ级）", "en": "low (III, IV)"},
}


@click.group()
def alarms() -> None:
    """What people were told: how heavy it was, and what to mend first."""


@alarms.command()
@options.data
@options.deployment
@options.as_json
@options.lang
@click.option("--site", "sites", multiple=True, help="Only this site's alerts; may be given several times. [default: all]")
@click.option("--since", metavar="TIME", help="From this moment on: 2026-10-01T09:00+08:00, or 8h (before now). [default: 24h]")
@click.option("--until", metavar="TIME", help="Before this moment. [default: now]")
@click.option("--day", metavar="DATE", help="A whole day at the site instead: 2026-10-01.")
@click.option(
    "--operators",
    type=click.IntRange(1, 1_000),
    help="Among how many people the alerts were divided. [default: as the deployment file says, else 1]",
)
def report(
    workspace: Workspace,
    deployment: Path | None,
    as_json: bool,
    lang: Language,
    sites: tuple[str, ...],
    since: str | None,
    until: str | None,
    day: str | None,
    operators: int | None,
) -> None:
    """The alarm load of a span, as EEMUA 191 and ISA-18.2 have it: against their bounds, and what was shown most often.

    Exit code 1 where a bound is broken.
    """
    from flowwatch.documents.alarms import Alarms
    from flowwatch.documents.deployment import load_deployment
    from flowwatch.handling.load import load, plain
    from flowwatch.journal import Journal
    from flowwatch.log.time import now
    from flowwatch.proof.audit import zone_of
    from flowwatch.proof.heads import day_of

    if day is not None and (since is not None or until is not None):
        raise CommandError(Exit.USAGE, "expected either --day, or --since and --until")
    if operators is None:
        operators = (Alarms() if deployment is None else load_deployment(deployment).alarms).operators
    book, now_us = need_book(workspace), now(workspace.log)
    zone = zone_of(workspace, sites)
    with Journal.open(book, create=False) as opened:
        chains = chosen(opened, sites)
        if day is None:
            until_us = now_us if until is None else moment(until, now_us, zone, back=True)
            since_us = until_us - DAY_US if since is None else moment(since, now_us, zone, back=True)
        else:
            since_us, until_us = day_of(date_of(day), zone)
        until_us = min(until_us, now_us)  # what is to come would only thin the mean
        if until_us <= since_us:
            raise CommandError(
                Exit.USAGE, "the span ends before it begins, or has not begun; expected --since before --until and before now"
            )
        found = load(entries_of(opened, chains, since_us, until_us), since_us, until_us, operators=operators)
    if as_json:
        line({"sites": list(sites)} | plain(found))
    else:
        _print(found, sites, zone, _subjects(workspace, found, lang), lang)
    if found.broken:
        leave(Exit.FINDINGS)


def entries_of(book: Journal, chains: Sequence[str], since_us: int, until_us: int) -> Iterator[Entry]:
    """What `load` needs of these chains."""
    from flowwatch.handling.load import LEAD_US

    for chain in chains:
        yield from book.entries(chain, since=since_us - LEAD_US, until=until_us)


def chosen(book: Journal, sites: Sequence[str]) -> list[str]:
    """The chains of these sites, or all. Raises `CommandError` with the near miss for a site of which the book says nothing."""
    from flowwatch.documents.faults import near

    there = sorted(book.heads())
    for site in sites:
        if site not in there:
            meant = near(site, there)
            hint = f'; did you mean "{meant}"?' if meant else f"; there is {', '.join(there) or 'nothing in it yet'}"
            raise CommandError(Exit.USAGE, f'the book of handling has no site "{site}"{hint}')
    return sorted(set(sites)) or there


# -- for people -------------------------------------------------------------------------------------------------------------------------


def _print(found: Load, sites: Sequence[str], zone: ZoneInfo, subjects: dict[tuple[str, str, str], str], lang: Language) -> None:
    from flowwatch.handling.words import KINDS
    from flowwatch.words import listed, word

    where = listed(list(sites), lang) or say(lang, "全部景区", "all sites")
    since, until = (datetime.fromtimestamp(us / 1_000_000, zone).strftime("%Y-%m-%d %H:%M") for us in (found.since_us, found.until_us))
    click.secho(say(lang, f"预警负荷：{where}", f"Alarm load: {where}"), bold=True)
    operators = say(lang, f"，值班员 {found.operators} 名", f", {found.operators} operators") if found.operators > 1 else ""
    click.echo(say(lang, f"{since} 至 {until}（{zone.key}）{operators}", f"{since} to {until} ({zone.key}){operators}"))
    click.echo()
    head = ("", say(lang, "指标", "figure"), say(lang, "实际", "found"), say(lang, "上限", "at most"), say(lang, "依据", "after"))
    table(head, [_row(bound, lang) for bound in found.bounds])
    click.echo()
    for text in _lines(found, lang):
        click.echo(text)
    for title, many, count in (
        (say(lang, "提示最多的十项", "Shown most often"), found.top, say(lang, "次数", "times")),
        (say(lang, "反复跳变", "Chatter"), found.chatter, say(lang, "1 分钟内", "in a minute")),
    ):
        if many:
            click.echo()
            click.secho(title, bold=True)
            table(_head(lang, count), [_often(one, subjects, lang) for one in many])
    if found.stale:
        click.echo()
        click.secho(say(lang, "超过 24 小时无人签收", "Unanswered for more than 24 hours"), bold=True)
        at = [datetime.fromtimestamp(left.since_us / 1_000_000, zone).strftime("%Y-%m-%d %H:%M") for left in found.stale]
        rows = [(left.incident, word(KINDS, left.what, lang), since) for left, since in zip(found.stale, at, strict=True)]
        table((say(lang, "事件", "incident"), say(lang, "类别", "kind"), say(lang, "提示时间", "shown")), rows)


def _row(bound: Bound, lang: Language) -> tuple[str, ...]:
    mark = click.style("!!", fg="red") if bound.broken else click.style("ok", fg="green")
    shown = [_share(value) if bound.name == "flood_share" else _figure(value) for value in (bound.found, bound.most)]
    source = say(lang, "系统自定", "flowwatch's own") if bound.source == "flowwatch" else bound.source
    return mark, FIGURES[bound.name][lang], *shown, source


def _lines(found: Load, lang: Language) -> Iterable[str]:
    """The figures that are not judged, a line each."""
    from flowwatch.handling.load import GUIDE
    from flowwatch.handling.words import CLOCKS, HIDDEN
    from flowwatch.vocabulary import LEVELS
    from flowwatch.words import word

    colon, comma = say(lang, "：", ": "), say(lang, "，", ", ")
    levels = comma.join(word(LEVELS, name, lang) + say(lang, f"{number} 条", f": {number}") for name, number in found.by_priority.items())
    yield say(lang, f"预警 {found.shown} 条{colon}{levels}", f"alerts: {found.shown}, of which {levels}")
    if found.shown:
        bands = comma.join(f"{BANDS[band][lang]} {_share(share)}" for band, share in found.bands.items())
        guide = " / ".join(_share(share) for share in GUIDE.values())
        yield say(lang, f"级别占比{colon}{bands}（参考 {guide}）", f"shares{colon}{bands} (guide: {guide})")
    if found.worst_at_us is not None and found.acknowledge_p50_s is not None and found.acknowledge_p90_s is not None:
        half, most = _seconds(found.acknowledge_p50_s, lang), _seconds(found.acknowledge_p90_s, lang)
        yield say(
            lang,
            f"签收用时：半数在 {half}内，九成在 {most}内；已签收 {found.acknowledged} 条，未签收 {found.unanswered} 条",
            f"acknowledged: half within {half}, nine in ten within {most}; {found.acknowledged} answered, {found.unanswered} not",
        )
    else:
        yield say(lang, f"尚无签收，未签收 {found.unanswered} 条", f"acknowledged: none; {found.unanswered} not answered")
    escalated = comma.join(
        say(lang, f"{word(CLOCKS, clock, lang)} {times} 次", f"{word(CLOCKS, clock, lang)} {times}")
        for clock, times in found.escalations.items()
    )
    yield say(lang, f"超时督办：{escalated or '无'}", f"overdue and escalated: {escalated or 'none'}")
    hidden = comma.join(f"{word(HIDDEN, why, lang)} {number}" for why, number in found.suppressed.items() if number)
    yield say(lang, f"未单独提示的事件：{hidden or '无'}", f"incidents not shown by themselves: {hidden or 'none'}")
    yield say(lang, f"人工搁置 {found.shelved} 次", f"shelved by hand: {found.shelved}")


def _head(lang: Language, count: str) -> tuple[str, ...]:
    return say(lang, "景区", "site"), say(lang, "类别", "kind"), say(lang, "对象", "subject"), count, say(lang, "占比", "share")


def _often(one: Often, subjects: dict[tuple[str, str, str], str], lang: Language) -> tuple[str, ...]:
    from flowwatch.handling.words import KINDS
    from flowwatch.words import word

    subject = subjects.get((one.site, one.what, one.subject), one.subject)
    return one.site, word(KINDS, one.what, lang), subject, str(one.count), _share(one.share)


def _subjects(workspace: Workspace, found: Load, lang: Language) -> dict[tuple[str, str, str], str]:
    """What the sites call what alerts were about."""
    from flowwatch.evidence import Evidence
    from flowwatch.titles import Names

    with Evidence(workspace.log) as evidence:
        names = {site: Names(evidence.document(site), lang) for site in {one.site for one in found.top + found.chatter}}
    return {(o.site, o.what, o.subject): names[o.site].subject(o.what, o.subject) for o in found.top + found.chatter}


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _share(value: float) -> str:
    return f"{value:.1%}" if 0 < value < 0.1 and value * 100 != int(value * 100) else f"{value:.0%}"


def _seconds(value: float, lang: Language) -> str:
    from flowwatch.words import duration

    return duration(round(value) * 1_000_000, lang)
