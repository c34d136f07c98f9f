"""The commands that look at devices' formats: `adapters list`, and `adapters try`, which shows what a message becomes and keeps nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit, leave
from flowwatch.cli.output import line, moment, table
from flowwatch.words import Language, say

if TYPE_CHECKING:
    from flowwatch.adapters.batch import Batch
    from flowwatch.adapters.devices.families import Family
    from flowwatch.adapters.devices.message import Device, Devices, Message

STDIN: Final = "-"
MOST_LINES: Final = 12
"""Lines for the deployment file that are shown to people; --json has all of them."""
_DEVICE: Final = re.compile(r"(?P<name>.+?)=(?P<counter>[^=,/]+/[^=,]+)(?P<rest>(?:,(?:swap|in|out|zone=[^,=]+))*)")
_UNNAMED: Final = "\x00"
"""Begins the counters that stand in for those of devices which nobody has named yet; no counter's name can."""


@click.group()
def adapters() -> None:
    """What counting devices send, and what it becomes."""


@adapters.command("list")
@options.as_json
@options.lang
def list_(as_json: bool, lang: Language) -> None:
    """List the families of devices: what is read, how a device is named in the deployment file, and what its entry there needs.

    A family was held against "messages" that devices sent, "examples" that the format's owner published, or fixtures written
    from "documents" alone.
    """
    from flowwatch.adapters.devices.families import FAMILIES

    if as_json:
        for family in FAMILIES.values():
            texts = {"title": family.title[lang], "reads": family.reads[lang], "needs": family.needs[lang]}
            line({"format": family.name, **texts, "device": family.device, "checked": family.checked.value})
        return
    held = {
        "messages": ("设备实发报文", "messages"),
        "examples": ("格式方公布的示例", "examples"),
        "documents": ("仅据文档编写", "documents"),
    }
    for family in FAMILIES.values():
        click.echo(f"{family.name}: {family.title[lang]}")
        click.echo(say(lang, f"  读取：{family.reads['zh']}", f"  reads:   {family.reads['en']}"))
        click.echo(say(lang, f"  设备名：{family.device}", f"  device:  {family.device}"))
        click.echo(say(lang, f"  另需：{family.needs['zh']}", f"  needs:   {family.needs['en']}"))
        zh, en = held[family.checked]
        click.echo(say(lang, f"  依据：{zh}", f"  checked: {en}"))


@adapters.command("try")
@click.argument("file", type=click.Path(path_type=str))
@click.option("--format", "form", metavar="NAME", help="The family of devices (`flowwatch adapters list`); guessed if it is not given.")
@click.option(
    "--device",
    "entries",
    multiple=True,
    metavar="NAME=COUNTER[,...]",
    help="Whose counter a device is, as in the deployment file; ,swap ,in ,out and ,zone=TZ behind it say more of it.",
)
@click.option("--zone", metavar="TZ", help="The time zone of devices that send local time, such as Asia/Shanghai.")
@click.option("--topic", default="", help="The MQTT topic that the message came on.")
@click.option("--url", default="", help="The URL that the message was polled from.")
@click.option("--content-type", default="", help="The HTTP content type; for multipart bodies that do not begin with their boundary.")
@options.as_json
@options.lang
def try_(
    file: str,
    form: str | None,
    entries: tuple[str, ...],
    zone: str | None,
    topic: str,
    url: str,
    content_type: str,
    as_json: bool,
    lang: Language,
) -> None:
    """Show what the message in FILE ("-": standard input) becomes: readings, and what is refused with its reason. Nothing is kept.

    For a device that no --device names, its figures are shown all the same, with the line that makes it a counter's in the
    deployment file. Exit code 1 when the message would not give a single reading.
    """
    from flowwatch.adapters.devices.message import Message

    message = Message(_body(file), time.time_ns() // 1000, content_type, topic, url)
    family, guessed = _family(message, form)
    given = [_entry(text, zone) for text in entries]
    batch = family.read(message, _devices(given))
    unknown = _unknown(batch)
    assumed = [(name, _stand_in(name, zone)) for name in unknown]
    shown = family.read(message, _devices([*given, *assumed])) if assumed else batch
    rows, refused = _rows(shown), _refusals(shown)
    lines = [f'- {{device: "{name}", counter: SITE/COUNTER{_more(name, shown, zone)}}}' for name in unknown]
    if as_json:
        line({"format": family.name, "guessed": guessed})
        for row in rows:
            line(row)
        for refusal in refused:
            line(refusal)
        for text in lines:
            line({"deployment": text})
    else:
        if guessed:
            click.echo(say(lang, f"从内容看是 {family.name}：{family.title['zh']}", f"{family.name}, by its looks: {family.title['en']}"))
        _tell(rows, refused, lines, lang)
    if not len(batch):
        leave(Exit.FINDINGS)


def _body(file: str) -> bytes:
    if file != STDIN:
        return Path(file).read_bytes()
    with open(0, "rb", closefd=False) as stdin:
        return stdin.read()


def _family(message: Message, form: str | None) -> tuple[Family, bool]:
    """The family that was asked for, or that the message looks like, and whether it was guessed."""
    from difflib import get_close_matches

    from flowwatch.adapters.devices.families import FAMILIES, guess

    if form is None:
        found = guess(message)
        if found is None:
            raise CommandError(Exit.USAGE, f"this looks like none of the formats; give one with --format: {', '.join(FAMILIES)}")
        return found, True
    if form not in FAMILIES:
        near = get_close_matches(form, FAMILIES, n=1)
        expected = f'did you mean "{near[0]}"?' if near else f"expected one of {', '.join(FAMILIES)}"
        raise CommandError(Exit.USAGE, f'no format "{form}"; {expected}')
    return FAMILIES[form], False


def _entry(text: str, zone: str | None) -> tuple[str, Device]:
    """A device from `NAME=COUNTER[,swap][,in|out][,zone=TZ]`."""
    from flowwatch.adapters.devices.message import Device

    match = _DEVICE.fullmatch(text)
    if match is None:
        raise CommandError(Exit.USAGE, f'--device "{text}": expected NAME=SITE/COUNTER, then ,swap ,in ,out or ,zone=TZ')
    device = Device(match["counter"], zone=zone)
    for word in match["rest"].split(",")[1:]:
        if word == "swap":
            device = replace(device, swap=True)
        elif word in {"in", "out"}:
            device = replace(device, direction="in" if word == "in" else "out")
        else:
            device = replace(device, zone=word.removeprefix("zone="))
    return match["name"], device


def _devices(entries: Sequence[tuple[str, Device]]) -> Devices:
    from flowwatch.adapters.devices.message import Devices

    try:
        return Devices.of(entries)
    except ValueError as error:
        raise CommandError(Exit.USAGE, str(error)) from error


def _stand_in(name: str, zone: str | None) -> Device:
    from flowwatch.adapters.devices.message import Device

    return Device(_UNNAMED + name, zone=zone)


def _unknown(batch: Batch) -> list[str]:
    """The devices that no entry names, in the order of the message."""
    from flowwatch.adapters.devices.sheet import told
    from flowwatch.core.readings import Reason

    names = (told(refusal.raw).device for refusal in batch.refused if refusal.reason is Reason.UNKNOWN_COUNTER)
    return list(dict.fromkeys(name for name in names if name))


def _rows(batch: Batch) -> list[dict[str, Any]]:
    """The readings as data; the counter is None where nobody has named it."""
    from flowwatch.adapters.devices.sheet import told
    from flowwatch.core.readings import ABSENT, Kind

    readings, rows = batch.readings, []
    figures = (("in", readings.ingress), ("out", readings.egress), ("inside", readings.headcount))
    for i, counter in enumerate(readings.names):
        row: dict[str, Any] = {"device": told(readings.raw(i)).device, "counter": None if counter.startswith(_UNNAMED) else counter}
        row |= {"kind": Kind(int(readings.kind[i])).name.lower(), "at": moment(int(readings.at[i]))}
        rows.append(row | {key: None if column[i] == ABSENT else int(column[i]) for key, column in figures})
    return rows


def _refusals(batch: Batch) -> list[dict[str, Any]]:
    from flowwatch.adapters.devices.sheet import told

    parts = [(refusal.reason.name.lower(), told(refusal.raw)) for refusal in batch.refused]
    return [{"refused": reason, "device": part.device or None, "why": part.why, "bytes": len(part.raw)} for reason, part in parts]


def _more(name: str, batch: Batch, zone: str | None) -> str:
    """What else a device's line needs, as its refusal says."""
    from flowwatch.adapters.devices.sheet import told
    from flowwatch.core.readings import Reason

    parts = [refusal for refusal in batch.refused if told(refusal.raw).device == name]
    direction = ", direction: in" if any(refusal.reason is Reason.NO_DIRECTION for refusal in parts) else ""
    local = any("needs its zone" in told(refusal.raw).why for refusal in parts)
    return direction + (f", zone: {zone or 'Asia/Shanghai'}" if local or zone is not None else "")


def _tell(rows: list[dict[str, Any]], refused: list[dict[str, Any]], lines: list[str], lang: Language) -> None:
    """Print all of it for people."""
    if rows:
        head = ("counter", "kind", "at", "in", "out", "inside", "device")
        table(head, ([_cell(row[key]) for key in head] for row in rows))
    for refusal in refused:
        whose = f"{refusal['device']}: " if refusal["device"] else ""
        click.echo(
            say(lang, f"拒收 {refusal['refused']}：{whose}{refusal['why']}", f"refused, {refusal['refused']}: {whose}{refusal['why']}")
        )
    if lines:
        click.echo(say(lang, "部署文件 devices: 下应加：", "for the deployment file, under devices:"))
        for text in lines[:MOST_LINES]:
            click.echo("  " + text)
        if len(lines) > MOST_LINES:
            rest = len(lines) - MOST_LINES
            click.echo(say(lang, f"  另有 {rest} 行，见 --json", f"  and {rest} more, with --json"))


def _cell(value: object) -> str:
    return "-" if value is None else str(value)
