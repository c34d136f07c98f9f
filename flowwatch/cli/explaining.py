"""The commands that answer why: `explain` for what was decided, `refused` for what was not counted."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC
from typing import TYPE_CHECKING, Final

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit
from flowwatch.cli.moments import moment
from flowwatch.cli.output import line, table
from flowwatch.cli.workspace import need_book, need_journal, need_log
from flowwatch.words import say
from flowwatch.workspace import Workspace

if TYPE_CHECKING:
    from flowwatch.core.readings import Reason
    from flowwatch.handling.records import Alert
    from flowwatch.journal import Journal

OWN: Final = re.compile(r".+-h\d+")
"""The incidents that the desk raises itself; they stand in the book of handling alone."""
LINES: Final = 20
"""Refused records that are shown to people unless they ask for more."""


@click.command()
@click.argument("id_", metavar="ID")
@options.data
@options.as_json
@options.lang
def explain(workspace: Workspace, id_: str, as_json: bool, lang: options.Language) -> None:
    """Why something was decided: from a gate command, alert, stage or operator's record back to the readings.

    ID is an entry's (yuyuan-17), an incident's (yuyuan-i3) or an operator's record's, as `flowwatch journal show` prints them; or one of the
    service's own incidents (yuyuan-h1), of which all that the book of handling says is told.
    """
    show(workspace, id_, as_json=as_json, lang=lang)


def show(workspace: Workspace, id_: str, *, as_json: bool, lang: options.Language) -> None:
    """Print the explanation of `id_`. Raises `UnknownIdError`, `LogError`."""
    if OWN.fullmatch(id_):
        _show_own(workspace, id_, as_json=as_json, lang=lang)
        return
    from flowwatch.explain import explain as in_words
    from flowwatch.explain import explanation
    from flowwatch.journal import Journal

    log = need_log(workspace)
    with Journal.open(need_journal(workspace), create=False) as journal:
        if as_json:
            line(explanation(journal, log, id_, lang))
        else:
            click.echo(in_words(journal, log, id_, lang))


def _show_own(workspace: Workspace, id_: str, *, as_json: bool, lang: options.Language) -> None:
    """Print what the book says of an incident that the desk raised itself, and for what it stands: no reading decided it."""
    from flowwatch.evidence import Evidence
    from flowwatch.handling.records import FLOWWATCH
    from flowwatch.handling.timeline import timeline
    from flowwatch.journal import Journal, UnknownIdError
    from flowwatch.journal.export import iso
    from flowwatch.titles import Clock

    chain = id_.rpartition("-")[0]
    with Journal.open(need_book(workspace), create=False) as book, Evidence(need_log(workspace)) as evidence:
        entries = list(book.about(id_))
        alerts, members = _told(book, chain, id_)
        if not entries:
            there = [name for name in alerts if OWN.fullmatch(name)]
            hint = f"there is {', '.join(there)}" if there else "it has none of the service's own for that site"
            raise UnknownIdError(f'no incident "{id_}" in the book of handling: {hint}')
        document = evidence.document(chain)
        moments = timeline([], entries, document)
    if as_json:
        facts = [{"at": iso(one.entry.at), "by": one.by, "role": one.role, "reason": one.reason} for one in moments]
        steps = [
            {"what": one.what, "id": one.entry.id, "facts": told, "text": say(lang, one.text.zh, one.text.en)}
            for one, told in zip(moments, facts, strict=True)
        ]
        line({"id": id_, "kind": "incident", "site": chain, "steps": steps, "stands_for": members})
        return
    clock, gap = Clock(document), say(lang, "　", "  ")
    for one in moments:
        reason = say(lang, f"（{one.reason}）", f" ({one.reason})") if one.reason and one.by != FLOWWATCH else ""
        click.echo(f"{clock.moment(one.entry.at)}{gap}{say(lang, one.text.zh, one.text.en)}{reason}")
    if members:
        click.echo(say(lang, f"归并的事件（{len(members)} 起）：", f"It stands for {len(members)}:"))
        for name in members:
            at, alert = alerts[name]
            click.echo(f"  {clock.moment(at)}{gap}{name}{gap}{say(lang, alert.text.zh, alert.text.en)}")
    click.echo(say(lang, f"以上为 {clock.zone} 时间。", f"Times are {clock.zone}."))


def _told(book: Journal, chain: str, parent: str) -> tuple[dict[str, tuple[int, Alert]], list[str]]:
    """The first alert of each incident of a chain, with its time; and those for which `parent` ever stood. Passes over what cannot be read."""
    from flowwatch.handling.readable import readable
    from flowwatch.handling.records import Act, Alert

    alerts: dict[str, tuple[int, Alert]] = {}
    members: dict[str, None] = {}
    for entry, said in readable(book.entries(chain)):
        if isinstance(said, Alert):
            alerts.setdefault(said.incident, (entry.at, said))
        if (said.parent if isinstance(said, Alert) else said.to if said.act is Act.SUPPRESS else None) == parent:
            members[said.incident] = None
    return alerts, [name for name in members if name in alerts]


@click.command()
@options.data
@options.as_json
@options.lang
@click.option("--reason", "name", metavar="REASON", help="Only this one, as the totals name it: duplicate, too_late, ...")
@click.option("--since", metavar="TIME", help="From this moment on: 2026-10-01T09:00+08:00, or 90m (before now).")
@click.option("--until", metavar="TIME", help="Before this moment.")
@click.option("--limit", type=click.IntRange(1), help=f"At most so many records. [default: {LINES}, with --json all]")
def refused(
    workspace: Workspace, as_json: bool, lang: options.Language, name: str | None, since: str | None, until: str | None, limit: int | None
) -> None:
    """What was not counted, and why: totals by reason, and the records themselves as they came. With --json the records only."""
    from flowwatch import refused as refusals
    from flowwatch import texts
    from flowwatch.journal import Journal
    from flowwatch.log.time import now

    log, reason = need_log(workspace), _reason(name)
    since_us, until_us = (None if text is None else moment(text, now(log), UTC, back=True) for text in (since, until))
    with Journal.open(need_journal(workspace), create=False) as journal:
        if as_json:
            for row in refusals.refused(journal, log, since_us, until_us, reason, limit):
                line(refusals.plain(row))
            return
        counts: Counter[Reason] = Counter()
        for minute in refusals.totals(journal, since_us, until_us, reason):
            counts[minute.reason] += minute.count
        if not counts:
            click.echo("没有拒收的记录" if lang == "zh" else "nothing was refused")
            return
        head = ("条数", "原因", "说明") if lang == "zh" else ("records", "reason", "which says")
        table(head, ((f"{count:,}", reason.name.lower(), texts.REASONS[reason][lang]) for reason, count in counts.most_common()))
        click.echo()
        for row in refusals.refused(journal, log, since_us, until_us, reason, limit or LINES):
            line(refusals.plain(row))
        left = counts.total() - (limit or LINES)
        if left > 0:
            click.echo(f"……还有 {left:,} 条（--limit）" if lang == "zh" else f"... and {left:,} more (--limit)")


def _reason(name: str | None) -> Reason | None:
    from difflib import get_close_matches

    from flowwatch.core.readings import Reason

    if name is None:
        return None
    known = {reason.name.lower(): reason for reason in Reason}
    if name not in known:
        near = get_close_matches(name, known, n=1)
        expected = f'did you mean "{near[0]}"?' if near else f"expected one of {', '.join(known)}"
        raise CommandError(Exit.USAGE, f'no reason "{name}"; {expected}')
    return known[name]
