"""A small site's afternoon through the real log, engine and journal: what explanations and refusals are tested on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from flowwatch import log
from flowwatch.core.engine import Engine
from flowwatch.core.entries import canonical
from flowwatch.core.readings import ABSENT, Kind, Reason
from flowwatch.journal import Journal

SECOND = 1_000_000
START = 1_790_834_400 * SECOND
"""2026-10-01 14:00:00 in Shanghai."""
PARTITION = "p00"


def text(zh: str, en: str) -> dict[str, str]:
    return {"zh": zh, "en": en}


def gate(name: str, zh: str, en: str) -> dict[str, Any]:
    made = {"gate": name, "title": text(zh, en), "from": "outside", "to": "mall", "lanes": 4, "width_m": 4.0, "lane_per_min": 25}
    return made | {"on_lost": "out", "emergency": False, "entrance_only": False}


def counter(name: str, counts: str, zh: str, en: str, **where: str) -> dict[str, Any]:
    made: dict[str, Any] = {"counter": name, "title": text(zh, en), "counts": counts, "gate": None, "link": None, "zone": None}
    made |= {"every_us": 10 * SECOND, "lateness_us": 60 * SECOND, "error_ppm": 5000, "max_per_min": 6000, "modulus": None}
    made |= {"counts_down": False, "swapped": False, "coverage_ppm": 1_000_000, "camera_error_ppm": 150_000}
    return made | {"valid_from_us": None, "valid_to_us": None} | where


def stage(name: str, zh: str, en: str, level: str | None, bars: tuple[int, int] | None, modes: dict[str, str]) -> dict[str, Any]:
    bar: dict[str, Any] = {"zone": "mall", "measure": "occupancy", "clear_measure": "occupancy_upper", "hold_us": 3 * SECOND}
    alert = {
        "headline": text(f"豫园商城启动“{zh}”", f"Yuyuan mall: {en}"),
        "instruction": text("按表调整通道口", "Set the gates as listed"),
    }
    made = {"stage": name, "title": text(zh, en), "level": level, "dwell_us": 10 * SECOND, "gates": modes, "alert": level and alert}
    return made | {"any": [bar | {"enter_m": bars[0] * 1000, "clear_m": bars[1] * 1000}] if bars else []}


def site(note: str = "first") -> bytes:
    """The compiled site; another `note` makes another version."""
    both, one, out = {"gate-1": "both", "gate-2": "both"}, {"gate-1": "out", "gate-2": "in"}, {"gate-1": "out", "gate-2": "out"}
    zones = [
        {"zone": "mall", "title": text("豫园商城", "Yuyuan mall"), "area_m2": 12000.0, "capacity": 3000, "inside": None},
        {"zone": "bridge", "title": text("九曲桥", "Zigzag Bridge"), "area_m2": 420.0, "capacity": 800, "inside": "mall"},
    ]
    stages = [
        stage("normal", "正常", "normal", None, None, both),
        stage("three_in_five_out", "三进五出", "three in, five out", "III", (1500, 1350), one),
        stage("exit_only", "只出不进", "exit only", "I", (3000, 2600), out),
    ]
    plan = {"plan": "yuyuan", "title": text("管控方案", "plan"), "valid_from_us": None, "valid_to_us": None, "stages": stages}
    made: dict[str, Any] = {"format": 1, "site": "yuyuan", "group": "yuyuan", "title": text("豫园", "Yuyuan"), "time_zone": "Asia/Shanghai"}
    made |= {"offsets": [[946_684_800 * SECOND, 28_800]], "egress_min_per_min": 50, "known_empty": None, "zones": zones, "links": []}
    made |= {"gates": [gate("gate-1", "1 号口", "Gate 1"), gate("gate-2", "2 号口", "Gate 2")], "plan": plan, "note": note}
    made["counters"] = [
        counter("turnstile-1", "delta", "1 号闸机", "Turnstile 1", gate="gate-1"),
        counter("turnstile-2", "cumulative", "2 号闸机", "Turnstile 2", gate="gate-2"),
        counter("camera-9", "absolute", "桥头摄像头", "Bridge camera", zone="bridge"),
    ]
    return canonical(made)


def readings(rows: Sequence[tuple[str, Kind, int, int, int]]) -> log.Readings:
    """(counter, kind, second, in or headcount, out) as an adapter hands them over."""
    n = len(rows)
    at = np.array([START + r[2] * SECOND for r in rows], np.int64)
    absolute = np.array([r[1] is Kind.ABSOLUTE for r in rows])
    first, out = np.array([r[3] for r in rows], np.int64), np.array([r[4] for r in rows], np.int64)
    return log.Readings(
        [r[0] for r in rows],
        np.array([r[1] for r in rows], np.uint8),
        at,
        at + 200_000,
        np.full(n, ABSENT, np.int64),
        np.zeros(n, np.int32),
        np.where(absolute, ABSENT, first),
        np.where(absolute, ABSENT, out),
        np.where(absolute, first, ABSENT),
        lambda i: f'{{"counter":"{rows[i][0]}"}}'.encode(),
    )


def action(name: str, second: int, kind: str, **asked: Any) -> bytes:
    made = {"action": name, "type": kind, "site": "yuyuan", "by": "王警官", "reason": "现场确认", "at_us": START + second * SECOND}
    return canonical(made | asked)


class Story:
    """A log that is written second by second."""

    def __init__(self, folder: Path) -> None:
        self.log, self.second = folder / "log", 0
        log.create(self.log, clock="event", partitions=1)
        self.writer = log.Writer.open(self.log, segment_age_us=10 * SECOND)

    def until(self, second: int) -> None:
        """Tick up to that second; turnstile 1 and the camera report every ten seconds that nothing changes."""
        while self.second < second:
            self.second += 1
            if self.second % 10 == 0:
                self.read(("yuyuan/turnstile-1", Kind.DELTA, 0, 0), ("yuyuan/camera-9", Kind.ABSOLUTE, 20, 0))
            self.writer.tick(START + self.second * SECOND)
        self.writer.commit()

    def read(self, *rows: tuple[str, Kind, int, int]) -> None:
        self.writer.append(readings([(name, kind, self.second, a, b) for name, kind, a, b in rows]))

    def act(self, name: str, kind: str, **asked: Any) -> None:
        self.writer.append_action("yuyuan", action(name, self.second, kind, **asked), START + self.second * SECOND)


def afternoon(folder: Path) -> tuple[Journal, Path]:
    """Up to the first stage, an override, a recount, and down again; with readings that are refused. The journal, and the log's folder."""
    story = Story(folder)
    with closing(story.writer) as writer:
        writer.append_document(site(), START)
        story.until(2)
        story.act("recount-1", "recount", zone="mall", count=1490, counted_at_us=START)
        story.act("recount-2", "recount", zone="bridge", count=20, counted_at_us=START)
        story.until(5)
        story.read(("yuyuan/turnstile-2", Kind.CUMULATIVE, 10_000, 9_000))
        story.until(72)
        story.read(("yuyuan/turnstile-1", Kind.DELTA, 30, 3), ("yuyuan/turnstile-2", Kind.CUMULATIVE, 10_005, 9_001))
        story.until(73)
        story.read(("yuyuan/nowhere", Kind.DELTA, 1, 1), ("yuyuan/turnstile-1", Kind.DELTA, 30, -3))
        writer.append_refused(b"\xff not a reading", Reason.UNREADABLE, START + 73 * SECOND)
        story.until(80)
        story.act("hold-1", "override", gate="gate-2", mode="out", until_us=START + 95 * SECOND)
        story.until(90)
        story.act("hold-2", "override", gate="gate-9", mode="out", until_us=START + 95 * SECOND)
        story.until(95)
        story.act("hold-3", "override", stage="exit_only", until_us=START + 99 * SECOND)
        story.until(100)
        story.act("seen-1", "confirm", incident="yuyuan-i2")
        story.until(110)
        story.act("recount-3", "recount", zone="mall", count=1000, counted_at_us=START + 110 * SECOND)
        story.read(("yuyuan/turnstile-2", Kind.CUMULATIVE, 10_006, 9_002))
        story.until(200)
        writer.append_document(site("second"), START + 200 * SECOND)
        story.until(215)
    journal = Journal.open(folder / "journal.db")
    for partition in (PARTITION, log.UNROUTED):
        engine = Engine(partition)
        with closing(log.Reader(story.log, partition)) as reader:
            for chunk in reader.read(0):
                out = engine.feed(log.blocks(chunk))
                journal.append(out.entries, out.estimates)
    return journal, story.log
