#!/usr/bin/env python3
"""Follow flowwatch's feed in a terminal: alerts and what people do about them, in Chinese or English. Python 3.11, nothing else.

    FLOWWATCH_TOKEN=fw_... python follow.py http://127.0.0.1:8470 [--lang zh] [--site yuyuan] [--keep follow.place] [--json]

It goes on where it was: after a broken connection by itself, after its own restart by the file that --keep names. With --json every event is one
line, for another program. NO_COLOR and a pipe mean no colour. Copy it, change it: `follow` is all that a program of your own needs.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

SILENT_S = 10.0
"""The service says something every 3 s; who hears nothing for so long connects anew."""
AGAIN_S = 1.0
COLOURS = {"I": "1;97;41", "II": "1;38;5;208", "III": "1;33", "IV": "1;34"}
"""红 橙 黄 蓝: the four colours of levels."""
STEPS: dict[str, dict[str, str]] = {
    "zh": {
        "acknowledge": "签收",
        "dispatch": "派警",
        "arrive": "到场",
        "handle": "处置",
        "feedback": "反馈",
        "verify": "核查",
        "close": "办结",
        "return": "退单",
        "defer": "挂账",
        "resume": "恢复办理",
        "shelve": "暂时搁置",
        "unshelve": "取消搁置",
        "maintain": "设备检修",
        "restore": "检修完毕",
        "note": "备注",
        "supervise": "督办",
        "warn": "即将超时",
        "escalate": "超时督办",
        "reopen": "升级重开",
        "suppress": "并入上级预警",
        "unsuppress": "恢复单独提示",
        "flood": "预警密集",
        "flood_over": "预警恢复平稳",
        "group": "同类合并",
        "group_over": "合并解除",
        "handover": "交接班",
    },
    "en": {},
}
WORDS = {
    "zh": {
        "began": "当前未办结预警 {count} 起",
        "missed": "有漏收，正在补收",
        "lost": "连接中断：{why}",
        "notice": "提示",
        "ended": "解除",
    },
    "en": {
        "began": "{count} incidents are open",
        "missed": "some were missed",
        "lost": "disconnected: {why}",
        "notice": "note",
        "ended": "ended",
    },
}


class Event(NamedTuple):
    """One event: its kind, its place in the feed ("" for a state), and what it says."""

    kind: str
    place: str
    data: dict[str, Any]


class Refused(Exception):  # noqa: N818 - named by what it says
    """The service will not answer, however often it is asked."""


def follow(base: str, token: str, place: str = "", *, tell: Callable[[str], None] = print, **query: str) -> Iterator[Event]:
    """Every event behind `place`, for ever; "" begins with a snapshot. Keep the `place` of the last event that you have dealt with.

    `query`: kinds, site. `tell` is told why a connection ended. Raises `Refused`.
    """
    while True:
        try:
            for event in _events(base, token, place, query):
                place = event.place or place
                yield event
                missed = event.data.get("missed") if event.kind == "snapshot" else None
                if missed:  # it was too slow: ask again for what it did not get
                    place = missed["since"]
                    break
        except (OSError, http.client.HTTPException, ValueError) as error:
            tell(str(error) or type(error).__name__)
            time.sleep(AGAIN_S * random.uniform(0.5, 1.5))


def _events(base: str, token: str, place: str, query: dict[str, str]) -> Iterator[Event]:
    """The events of one connection."""
    where = urlsplit(base)
    connect = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = connect(where.hostname or "", where.port, timeout=SILENT_S)
    try:
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"} | ({"Last-Event-ID": place} if place else {})
        connection.request("GET", f"{where.path.rstrip('/')}/v1/feed?{urlencode(query)}", headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            said = answer.read(10_000).decode(errors="replace")
            if 400 <= answer.status < 500 and answer.status != 429:
                raise Refused(f"{answer.status} {said}")
            raise OSError(f"{answer.status} {said:.200}")
        kind, id_, data = "message", "", ""
        while (line := answer.readline().decode()).endswith("\n"):  # what was cut off before its empty line is no event
            name, _, value = line.rstrip("\n").partition(": ")
            if name == "":
                if data:
                    yield Event(kind, id_, json.loads(data))
                kind, id_, data = "message", "", ""
            elif name == "event":
                kind = value
            elif name == "id":
                id_ = value
            elif name == "data":
                data = value
        raise OSError("the stream ended")
    finally:
        connection.close()


class Printer:
    """Events as lines for people."""

    def __init__(self, lang: str, *, colour: bool) -> None:
        self._lang, self._colour = lang, colour

    def line(self, event: Event) -> str | None:
        """The line of an event; None for one that is none of theirs."""
        body = event.data.get("body", {})
        if event.kind == "alert":
            level = body.get("priority")
            name = level or self._word("notice")
            if body["state"] == "cleared":
                name = f"{name} {self._word('ended')}"
            said = body["text"][self._lang]
            instruction = (body.get("instruction") or {}).get(self._lang)
            text = f"[{name}] {body['incident']} {said}" + (f" ▸ {instruction}" if instruction else "")
            return self._at(event) + self._coloured(text, "2" if body["state"] == "cleared" else COLOURS.get(level or "", "0"))
        if event.kind == "handling":
            step = STEPS[self._lang].get(body["act"], body["act"].replace("_", " "))
            said = (body.get("incident"), step, body["by"], body.get("reason"))  # a shift that took over is about no incident
            return f"{self._at(event)}  · {' '.join(word for word in said if word)}"
        if event.kind == "snapshot":
            count = sum(len(site["incidents"]) for site in event.data["sites"])
            return self._word("missed") if event.data["missed"] else self._word("began").format(count=count)
        return None

    def lost(self, why: str) -> str:
        """The line of a connection that ended."""
        return self._coloured(self._word("lost").format(why=why), "2")

    def _word(self, key: str) -> str:
        return WORDS[self._lang][key]

    @staticmethod
    def _at(event: Event) -> str:
        return datetime.fromisoformat(event.data["at"]).astimezone().strftime("%m-%d %H:%M:%S ")

    def _coloured(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def kept(file: Path | None) -> str:
    """The place that was kept."""
    return file.read_text(encoding="ascii").strip() if file is not None and file.exists() else ""


def keep(file: Path | None, place: str) -> None:
    """Keep a place, so that a crash leaves the old one or the new one."""
    if file is not None and place:
        new = file.with_name(f"{file.name}.new")
        new.write_text(place + "\n", encoding="ascii")
        new.replace(file)


def main() -> int:
    """Follow until Ctrl-C."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("base", help="the service's address, such as http://127.0.0.1:8470")
    parser.add_argument("--token-file", type=Path, help="a file with the token [default: the variable FLOWWATCH_TOKEN]")
    parser.add_argument("--lang", choices=("zh", "en"), default="zh" if os.environ.get("LANG", "").startswith("zh") else "en")
    parser.add_argument("--site", help="this site only")
    parser.add_argument("--kinds", default="alert,handling", help="[default: alert,handling]")
    parser.add_argument("--keep", type=Path, help="a file for the place, to go on there after a restart")
    parser.add_argument("--json", action="store_true", help="every event as a line of JSON")
    asked = parser.parse_args()
    token = asked.token_file.read_text(encoding="ascii").strip() if asked.token_file else os.environ.get("FLOWWATCH_TOKEN", "")
    printer = Printer(asked.lang, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    query = {"kinds": asked.kinds} | ({"site": asked.site} if asked.site else {})

    def lost(why: str) -> None:
        print(printer.lost(why), file=sys.stderr, flush=True)

    try:
        for event in follow(asked.base, token, kept(asked.keep), tell=lost, **query):
            line = json.dumps(event._asdict(), ensure_ascii=False) if asked.json else printer.line(event)
            if line is not None and event.kind != "heartbeat":
                print(line, flush=True)
            keep(asked.keep, event.place)  # behind the printing: after a crash an event may come twice, and none is missing
    except Refused as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
