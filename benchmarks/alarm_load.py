"""How much a command room is told on a bad day: what the engine says, what of it sounds, and that no red is among what does not.

Days of the simulator with faults in counters, gates and links (`troubles.py`) are told by the desk's own rules to people who answer after a while
(`command_room.py`), and judged by `flowwatch.handling.load`. Everything runs on simulated time: the figures are the same on every machine.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks import measure
from benchmarks.command_room import CommandRoom
from benchmarks.troubles import Lost, at_random, lived
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.documents import Source, shipped
from flowwatch.handling import kinds
from flowwatch.handling.load import HOUR_US, WINDOW_US, Load, load, most_within
from flowwatch.handling.records import SHOWN, Alert, Shown, read
from flowwatch_sim.planned import Planned, read_scenario
from flowwatch_sim.shelf import folder

PEAK: Final = "national-day-troubles"
MINUTE: Final = 60.0
PEAK_LOST: Final = (
    Lost("gate-3", 90 * MINUTE, 100 * MINUTE),
    *(Lost("gate-5", (205 + i) * MINUTE, (205 + i) * MINUTE + 20) for i in range(4)),  # a radio link that flaps
    Lost(None, 402 * MINUTE, 409 * MINUTE),  # all of them, with the gateway of the counters
    Lost("gate-2", 660 * MINUTE, 680 * MINUTE),
    Lost("gate-3", 661 * MINUTE, 680 * MINUTE),
)
"""The links that are lost on the peak day, seconds from its start."""
OTHERS: Final = ("national-day", "demo-holiday", "lantern-festival", "lost-gateway", "counter-outage", "gate-stuck-open")
SEEDS: Final = 6
RANDOM_DAYS: Final = 100


@dataclass(frozen=True, slots=True)
class Told:
    """One day as it was told. `before`: when (microseconds) an alert of the engine would have sounded by itself. Reds by their journal entries."""

    before: list[int]
    after: Load
    returned: int
    reds: frozenset[str]
    reds_shown: frozenset[str]


def scenario(name: str) -> Planned:
    """A shipped scenario. Raises `DocumentErrors`."""
    file = folder() / f"{name}.yaml"
    return read_scenario(Source(str(file), file.read_bytes()), shipped())


def told(planned: Planned, journal: Sequence[Entry], room: CommandRoom) -> Told:
    """A day's journal told to the people of a room."""
    end = planned.start_us + round(planned.lasts_s * 1_000_000)
    book = room.live(journal, end)
    alerts = [said for entry in book if isinstance(said := read(entry), Alert)]
    shown = frozenset(said.entry for said in alerts if said.shown in SHOWN and said.priority == "I" and said.entry is not None)
    before, reds = worsened(journal)
    returned = sum(said.shown is Shown.RETURNED for said in alerts)
    return Told(before, load(book, planned.start_us, end), returned, reds, shown)


def worsened(journal: Iterable[Entry]) -> tuple[list[int], frozenset[str]]:
    """When something was raised or became more urgent, by the engine's entries alone; and the entries with which something became red."""
    urgent: dict[str, str | None] = {}
    times, reds = list[int](), set[str]()
    for entry in journal:
        if entry.kind is not EntryKind.INCIDENT:
            continue
        body = json.loads(entry.body)
        name, what, level = body["incident"], body["what"], body["level"]
        if body["state"] == "cleared":
            urgent.pop(name, None)
            continue
        now = kinds.priority(what, body["subject"], body["reason"], level, {})
        if kinds.RANKS[now] > kinds.RANKS[urgent.get(name)]:
            times.append(entry.at)
            red = (
                what == "fire"
                or (what in ("stage", "degraded") and level == "I")
                or (what, body["subject"]) == ("invariant_broken", "table")
            )
            if red:
                reds.add(entry.id)
        urgent[name] = now
    return times, frozenset(reds)


def peak_day(seed: int) -> Told:
    """The shipped peak day with everything that goes wrong on it."""
    planned = scenario(PEAK)
    return told(planned, lived(planned, seed, PEAK_LOST), CommandRoom(planned.loaded.site, seed))


def random_day(number: int) -> Told:
    """A morning on which anything may break, and a careless operator."""
    planned, lost = at_random(number)
    return told(planned, lived(planned, number, lost), CommandRoom(planned.loaded.site, number, careless=0.2))


HEAD: Final = (
    *("day", "the engine's alerts an hour", "worst 10 min", "**sounding an hour**", "**worst 10 min**", "time in flood", "chatter"),
    *("group", "parent", "flood", "returned", "put aside", "reds raised / shown", "acknowledged p50 / p90"),
)


def row(name: str, days: Sequence[Told]) -> list[str]:
    """The days of one kind: means an hour, and the worst of anything else."""
    hours = sum(day.after.until_us - day.after.since_us for day in days) / HOUR_US
    loads = [day.after for day in days]

    def stood(*reasons: str) -> str:
        return f"{sum(one.suppressed[reason] for one in loads for reason in reasons) / hours:.1f}/h"

    answers = [
        f"{max(times):.0f} s" if (times := [t for one in loads if (t := getattr(one, figure)) is not None]) else "-"
        for figure in ("acknowledge_p50_s", "acknowledge_p90_s")
    ]
    return [
        f"{name}, {len(days)} x" if len(days) > 1 else name,
        f"{sum(len(day.before) for day in days) / hours:.1f}",
        f"{max(most_within(day.before, WINDOW_US)[0] for day in days)}",
        f"{sum(one.shown for one in loads) / hours:.1f}",
        f"{max(one.worst_10min for one in loads)}",
        f"{max(one.flood_share for one in loads):.1%}",
        f"{sum(len(one.chatter) for one in loads)}",
        stood("group"),
        stood("parent"),
        stood("flood"),
        f"{sum(day.returned for day in days) / hours:.1f}/h",
        stood("shelved", "maintenance"),
        f"{sum(len(day.reds) for day in days)} / {sum(len(day.reds & day.reds_shown) for day in days)}",
        " / ".join(answers),
    ]


def main() -> None:
    """Live, tell and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    options.add_argument("--random-days", type=int, default=RANDOM_DAYS, metavar="N")
    given = options.parse_args()
    rows = []
    measure.say(f"{PEAK}, {SEEDS} days")
    peak = [peak_day(seed) for seed in range(SEEDS)]
    rows.append(row(PEAK, peak))
    for name in OTHERS:
        measure.say(name)
        planned = scenario(name)
        rows.append(row(name, [told(planned, lived(planned, 0), CommandRoom(planned.loaded.site, 0))]))
    measure.say(f"{given.random_days} mornings on which anything may break")
    rows.append(row("anything may break", [random_day(number) for number in range(given.random_days)]))
    loudest = "; ".join(f"{one.what} of {one.subject} {one.count}" for one in peak[0].after.top[:5])
    text = f"One operator; commit {measure.commit()}. Loudest on the first peak day: {loudest}.\n\n{measure.table(HEAD, rows)}"
    measure.report("alarm load", text, write=given.write)


if __name__ == "__main__":
    main()
