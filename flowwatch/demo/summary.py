"""What a demonstrated day was, in a few lines, and the commands that go on from there, as they can be typed."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.incidents import What
from flowwatch.core.readings import MINUTE
from flowwatch.demo.day import Day
from flowwatch.texts import REASONS
from flowwatch.words import duration

SEVERITY: Final = ("IV", "III", "II", "I")


def summary(day: Day, seconds: float) -> list[str]:
    """The lines that end a demonstration which took `seconds`."""
    say, view = day.names.say, day.view
    kinds = [e.kind for e in day.entries]
    commands, incidents = kinds.count(EntryKind.COMMAND), kinds.count(EntryKind.INCIDENT)
    peak, covered = max(inside for inside, _ in view.day), f"{100 * day.covered / len(view.day):.0f} %"
    long_zh, long_en = duration(view.minutes * MINUTE, "zh"), duration(view.minutes * MINUTE, "en")
    stages = " → ".join(f"{day.clock(at)} {day.names.stage(stage)}" for at, stage in day.stages)
    refused = [(REASONS[reason][view.lang], n) for reason, n in sorted(day.refused.items())]
    told = [
        say(
            f"{seconds:.0f} 秒走完了 {long_zh}。入场 {day.came_in:,} 人，另有 {day.turned_away:,} 人在口外折返或放弃等候。"
            f"估计峰值 {peak:,} 人，模拟真值峰值 {day.peak:,} 人；真值有 {covered} 的时间落在人数区间内。",
            f"{long_en} in {seconds:.0f} s. {day.came_in:,} people came in; {day.turned_away:,} more turned away or gave up outside. "
            f"The estimate peaked at {peak:,}, the simulated truth at {day.peak:,}; the truth lay within the band {covered} of the time.",
        ),
        say("管控阶段：", "Stages: ") + stages,
        say(f"共下达通道口指令 {commands} 条，事件记录 {incidents} 条。", f"{commands} gate commands and {incidents} incident records. ")
        + say(
            "未计入的读数：" + ("；".join(f"{n} 条（{text}）" for text, n in refused) or "无") + "。",
            "Readings not counted: " + (", ".join(f"{n} ({text})" for text, n in refused) or "none") + ".",
        ),
        "",
        say("接下来可以试试：", "Try next:"),
    ]
    return told + [f"  {line}" for line in hints(day)]


def hints(day: Day) -> list[str]:
    """What to type next: why the worst alert came, whether a replay gives the same, what was not counted."""
    data = shlex.quote(str(day.workspace.root))
    # Texts come in the language of the environment unless a command is told otherwise.
    lang = " --lang zh" if day.names.language == "zh" else ""
    worst = worst_alert(day.entries)
    asked = [f"explain --data {data}{lang} {json.loads(worst.body)['incident']}"] if worst is not None else []
    return [f"{program()} {words}" for words in [*asked, f"replay --data {data}", f"refused --data {data}{lang}"]]


def worst_alert(entries: list[Entry]) -> Entry | None:
    """The alert of the highest level, the first of them; None on a day without one."""
    alerts = []
    for entry in entries:
        body = json.loads(entry.body) if entry.kind is EntryKind.INCIDENT else {}
        if body and body["what"] == What.STAGE and body["state"] != "cleared":
            alerts.append((SEVERITY.index(body["level"]) if body["level"] else -1, entry))
    return max(alerts, key=lambda alert: alert[0])[1] if alerts else None


def program() -> str:
    """How this program can be called from here: by its name where that is on the PATH, else as it was called now."""
    called = Path(sys.argv[0])
    if called.name != "flowwatch":
        return f"{shlex.quote(_near(Path(sys.executable)))} -m flowwatch"
    found = shutil.which("flowwatch")
    if found is not None and called.exists() and called.samefile(found):
        return "flowwatch"
    return shlex.quote(_near(called))


def _near(path: Path) -> str:
    """The path as seen from here, if it lies below."""
    near = os.path.relpath(path)
    return str(path) if near.startswith(os.pardir) else near
