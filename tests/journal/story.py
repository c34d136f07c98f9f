"""A small site's afternoon and its evening through the real log, engine and journal: what explanations and refusals are tested on."""

from __future__ import annotations

import json
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
    return made | {"on_lost": "out", "emergency": False, "entrance_only": False, "delivery": "advise", "drill": name == "gate-2"}


def counter(name: str, counts: str, zh: str, en: str, **where: str) -> dict[str, Any]:
    made: dict[str, Any] = {"counter": name, "title": text(zh, en), "counts": counts, "gate": None, "link": None, "zone": None}
    made |= {"every_us": 10 * SECOND, "lateness_us": 60 * SECOND, "error_ppm": 5000, "max_per_min": 6000, "modulus": None}
    made |= {"counts_down": False, "swapped": False, "coverage_ppm": 1_000_000, "camera_error_ppm": 150_000}
    return made | {"valid_from_us": None, "valid_to_us": None} | where


AUTOMATIC: dict[str, Any] = {"by": None, "within_us": None, "otherwise": "keep"}
OFFICER: dict[str, Any] = {"by": "officer_in_charge", "within_us": 60 * SECOND, "otherwise": "keep"}


def people(zone: str, enter: int, clear: int, **changes: Any) -> dict[str, Any]:
    """A leaf on the people in a zone."""
    bars = {"enter_m": enter * 1000, "clear_m": clear * 1000, "hold_us": 3 * SECOND, "enter": str(enter), "clear": str(clear)}
    leaf = {"kind": "people", "zone": zone, "measure": "occupancy", "source": "occupancy", "clear_source": "occupancy_upper"}
    return leaf | bars | changes


def stage(
    name: str, zh: str, en: str, level: str | None, bars: tuple[int, int] | None, modes: dict[str, str], **more: Any
) -> dict[str, Any]:
    alert = {
        "headline": text(f"豫园商城启动“{zh}”", f"Yuyuan mall: {en}"),
        "instruction": text("按表调整通道口", "Set the gates as listed"),
    }
    made: dict[str, Any] = {"stage": name, "title": text(zh, en), "level": level, "dwell_us": 10 * SECOND, "gates": modes}
    made |= {"alert": level and alert}
    made |= {"leaves": [people("mall", *bars)] if bars else [], "clauses": [[0]] if bars else []}
    made |= {"confirm": {"rise": AUTOMATIC, "fall": AUTOMATIC}, "links": {}, "barriers": {}, "signs": {}, "tasks": []}
    return made | more


def plan(name: str, zh: str, en: str, stages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    made = {"plan": name, "title": text(zh, en), "basis": None, "zone": None, "case": None, "valid_from_us": None, "valid_to_us": None}
    return made | {"days": {}, "days_until": None, "stages": stages, "degraded": []} | more


def site(note: str = "first", plans: list[dict[str, Any]] | None = None) -> bytes:
    """The compiled site; another `note` makes another version."""
    both, one, out = {"gate-1": "both", "gate-2": "both"}, {"gate-1": "out", "gate-2": "in"}, {"gate-1": "out", "gate-2": "out"}
    of_zone = {"outside": None, "accepts_single_exit": None}
    zones = [
        {"zone": "mall", "title": text("豫园商城", "Yuyuan mall"), "area_m2": 12000.0, "capacity": 3000, "inside": None} | of_zone,
        {"zone": "bridge", "title": text("九曲桥", "Zigzag Bridge"), "area_m2": 420.0, "capacity": 800, "inside": "mall"} | of_zone,
    ]
    patrol = text("九曲桥增派两名民警疏导", "Two officers to the Zigzag Bridge")
    tasks = [{"task": "more-patrol", "role": "patrol", "within_us": 300 * SECOND, "text": patrol}]
    stages = [
        stage("normal", "正常", "normal", None, None, both),
        stage("three_in_five_out", "三进五出", "three in, five out", "III", (1500, 1350), one, tasks=tasks, links={"main-loop": "one_way"}),
        stage("exit_only", "只出不进", "exit only", "I", (3000, 2600), out, barriers={"henan-road": "raise"}),
    ]
    made: dict[str, Any] = {"format": 2, "site": "yuyuan", "group": "yuyuan", "title": text("豫园", "Yuyuan"), "time_zone": "Asia/Shanghai"}
    made |= {"offsets": [[946_684_800 * SECOND, 28_800]], "egress_min_per_min": 50, "known_empty": None, "zones": zones}
    loop = {"link": "main-loop", "title": text("主环路", "main loop"), "from": "mall", "to": "bridge", "width_m": 3.0}
    lane = {"link": "back-lane", "title": text("后巷", "back lane"), "from": "bridge", "to": "mall", "width_m": 2.0}
    made |= {"links": [loop, lane]}
    made |= {"barriers": [{"barrier": "henan-road", "title": text("河南路口", "Henan Road")}], "delivery": "advise", "area": None}
    made |= {"signs": [{"sign": "sign-1", "title": text("1 号屏", "Sign 1"), "kind": "sign"}]}
    made |= {"gates": [gate("gate-1", "1 号口", "Gate 1"), gate("gate-2", "2 号口", "Gate 2")], "note": note}
    made["plans"] = [plan("yuyuan", "豫园管控方案", "Yuyuan plan", stages)] if plans is None else plans
    made["counters"] = [
        counter("turnstile-1", "delta", "1 号闸机", "Turnstile 1", gate="gate-1"),
        counter("turnstile-2", "cumulative", "2 号闸机", "Turnstile 2", gate="gate-2"),
        counter("camera-9", "absolute", "桥头摄像头", "Bridge camera", zone="bridge"),
    ]
    return canonical(made)


def holiday() -> bytes:
    """The site on a night when exit only needs an officer, with a case beside the plan: waves on the bridge side while the lanterns are lit."""
    stages = json.loads(site())["plans"][0]["stages"]
    stages[2]["confirm"] = {"rise": OFFICER, "fall": OFFICER | {"within_us": None}}
    wave = {"gate-1": "wave in 50s hold 10s out 110s"}
    full = text("桥上客流已满，请绕行", "The bridge is full, please go round")
    case = [
        stage("lit", "亮灯", "lit", None, None, {"gate-1": "metered 40/min both"}),
        stage("waves", "分批上桥", "waves to the bridge", "II", (5000, 4000), wave, signs={"sign-1": full}, alert=None),
    ]
    blind = {"kind": "health", "counter": "turnstile-2", "health": "silent", "hold_us": 20 * SECOND}
    rule = {"rule": "blind", "level": "II", "stage": None, "headline": None, "leaves": [blind], "clauses": [[0]]}
    declared = {"effect": "tighten", "declared_only": True, "leaves": [], "clauses": []}
    of_case = plan("lantern", "元宵灯会预案", "Lantern Festival", case, case=declared)
    return site(
        "holiday", [plan("yuyuan", "豫园管控方案", "Yuyuan plan", stages, degraded=[rule], valid_to_us=START + 190 * SECOND), of_case]
    )


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
    return decided(folder, story)


def evening(folder: Path) -> tuple[Journal, Path]:
    """A case; a drill; 3,200 people, whom an officer does not shut out at first; a fire; and a fall that nobody has agreed to yet."""
    story = Story(folder)
    with closing(story.writer) as writer:
        writer.append_document(holiday(), START)
        story.until(2)
        story.act("recount-1", "recount", zone="mall", count=1000, counted_at_us=START)
        story.act("recount-2", "recount", zone="bridge", count=20, counted_at_us=START)
        story.until(4)
        story.act("case-1", "override", case="lantern", until_us=START + 26 * SECOND)
        story.until(6)
        story.act("hold-1", "override", plan="lantern", stage="waves", until_us=START + 9 * SECOND)
        story.until(10)
        story.act("drill-1", "drill", stage="exit_only", until_us=START + 20 * SECOND)
        story.until(30)
        story.act("recount-3", "recount", zone="mall", count=3200, counted_at_us=START + 30 * SECOND)
        story.until(45)
        story.act("no-1", "confirm", incident="yuyuan-i6", answer="no")
        story.until(70)
        story.act("fire-1", "fire", state="on")
        story.act("drill-2", "drill", stage="exit_only", until_us=START + 200 * SECOND)
        story.until(75)
        story.act("fire-2", "fire", state="off")
        story.until(100)
        story.act("yes-1", "confirm", incident="yuyuan-i6", answer="yes")
        story.until(150)
        story.act("recount-4", "recount", zone="mall", count=1000, counted_at_us=START + 150 * SECOND)
        story.read(("yuyuan/turnstile-2", Kind.CUMULATIVE, 10_006, 9_002))
        story.until(200)
    return decided(folder, story)


def decided(folder: Path, story: Story) -> tuple[Journal, Path]:
    """What the engine says to a log: the journal, and the log's folder."""
    journal = Journal.open(folder / "journal.db")
    for partition in (PARTITION, log.UNROUTED):
        engine = Engine(partition)
        with closing(log.Reader(story.log, partition)) as reader:
            for chunk in reader.read(0):
                out = engine.feed(log.blocks(chunk))
                journal.append(out.entries, out.estimates)
    return journal, story.log
