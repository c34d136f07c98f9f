"""What holds of the desk's decisions whatever happens, against the records alone: a reader who knows nothing of the desk's own state."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.entries import GENESIS, Entry, link
from flowwatch.documents.alarms import Alarms
from flowwatch.handling import clocks, showing, steps
from flowwatch.handling.kinds import RANKS
from flowwatch.handling.records import FLOWWATCH, Act, Alert, Handling, Shown, Step, body, kind_of
from flowwatch.handling.settings import Settings
from flowwatch.handling.steps import NotPossibleError
from flowwatch.handling.telling import alert_of
from flowwatch.handling.ward import Ward
from tests.handling.tale import SECOND, START, Tale

CHOSEN = Settings.of(Alarms())
SUBJECTS = {
    "gate_lost": ["gate/a", "gate/b"],
    "gate_unanswered": ["gate/a", "gate/b"],
    "counter_silent": ["t1", "t2", "t3", "t4"],
    "stage": ["p", "q", "r"],
    "recount_needed": ["mall", "bridge"],
    "occupancy_unknown": ["mall"],
    "fire": ["fire"],
}
EVENTS = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 20), st.integers(1, 400)),
        st.sampled_from([*SUBJECTS, "act"]),
        st.integers(0, 3),
        st.sampled_from([None, "IV", "III", "II", "I"]),
        st.sampled_from([a for a in Act if a in steps.WAYS]),
    ),
    min_size=1,
    max_size=80,
)  # fmt: skip


class Play:
    """The desk without its thread: alerts, steps and clocks at the times of a drawn story."""

    def __init__(self) -> None:
        self.ward, self.entries, self.tale = Ward(site="yuyuan"), list[Entry](), Tale()
        self.open: dict[tuple[str, str], tuple[str, str | None]] = {}
        self.count = 0

    def take(self, at: int, said: Any) -> None:
        for one in said:
            data, kind = body(one), kind_of(one)
            previous = self.entries[-1].hash if self.entries else GENESIS
            entry = Entry("yuyuan", len(self.entries) + 1, kind, at, data, link(previous, kind, at, data))
            self.entries.append(entry)
            self.ward.take(entry)

    def happens(self, at_s: int, what: str, subject: str, level: str | None) -> None:
        key = (what, subject)
        level = (level or "III") if what == "stage" else None
        if key not in self.open:
            self.count += 1
            name, state = f"i{self.count}", "raised"
            self.open[key] = name, level
        elif what == "stage" and level != self.open[key][1]:
            name, state = self.open[key][0], "updated"
            self.open[key] = name, level
        else:
            name, state = self.open.pop(key)[0], "cleared"
        entry = self.tale.says(name, state, at_s, what=what, subject=subject, level=level)
        alert = alert_of(entry, None, {}, None)
        self.take(entry.at, showing.tell(self.ward, alert, entry.at, CHOSEN.rules))

    def acts(self, at_s: int, act: Act, n: int) -> None:
        names = sorted(self.ward.incidents)
        if not names:
            return
        incident, now = self.ward.incidents[names[n % len(names)]], START + at_s * SECOND
        until = now + 300 * SECOND if act in (Act.DEFER, Act.SHELVE, Act.MAINTAIN) else None
        try:
            handling = steps.check(incident, act, now, reason="why", to="patrol", until_us=until)
        except NotPossibleError:
            return
        step = Step(site="yuyuan", incident=incident.name, act=act, by="wang", reason="why", cycle=incident.cycle, handling=handling, to="patrol", until_us=until)  # fmt: skip # noqa: E501
        self.take(now, [step])
        self.take(now, showing.closing(self.ward, incident.name))

    def clocks(self, at_s: int) -> None:
        now = START + at_s * SECOND
        for incident in list(self.ward.incidents.values()):
            self.take(now, clocks.due(incident, CHOSEN.allowed, CHOSEN.duties, now))
            self.take(now, showing.closing(self.ward, incident.name))
        self.take(now, showing.timed(self.ward, now, CHOSEN.rules))

    def said(self) -> list[tuple[int, Alert | Step]]:
        from flowwatch.handling.records import read  # noqa: PLC0415

        return [(entry.at, read(entry)) for entry in self.entries]


def played(events: list[tuple[int, str, int, str | None, Act]]) -> Play:
    play, now = Play(), 0
    for wait, what, n, level, act in events:
        now += wait
        play.clocks(now)
        if what == "act":
            play.acts(now, act, n)
        else:
            subjects = SUBJECTS[what]
            play.happens(now, what, subjects[n % len(subjects)], level)
    play.clocks(now + 100_000)
    return play


@given(EVENTS)
@settings(max_examples=150)
def test_red_always_sounds_and_nothing_ever_stands_for_it(events: list[Any]) -> None:
    red: set[str] = set()
    worst: dict[str, str | None] = {}
    for _, said in played(events).said():
        if isinstance(said, Alert):
            before = worst.get(said.incident)
            if said.state != "cleared" and said.priority == "I" and before != "I":
                assert said.shown in (Shown.RAISED, Shown.WORSE)
                assert said.parent is None
            worst[said.incident] = None if said.state == "cleared" else said.priority
            (red.add if worst[said.incident] == "I" else red.discard)(said.incident)
        elif said.incident in red:
            assert said.act not in (Act.SUPPRESS, Act.SHELVE)


@given(EVENTS)
@settings(max_examples=150)
def test_what_becomes_worse_is_opened_again_and_what_becomes_milder_is_not(events: list[Any]) -> None:
    said = [one for _, one in played(events).said()]
    worst: dict[str, str | None] = {}
    for n, one in enumerate(said):
        if isinstance(one, Alert):
            worse = one.incident in worst and one.state == "updated" and RANKS[one.priority] > RANKS[worst[one.incident]]
            following = said[n + 1] if n + 1 < len(said) else None
            reopens = isinstance(following, Step) and following.act is Act.REOPEN and following.incident == one.incident
            assert worse == reopens
            worst[one.incident] = one.priority


@given(EVENTS)
@settings(max_examples=150)
def test_each_clock_warns_and_runs_out_at_most_once_between_two_beginnings(events: list[Any]) -> None:
    told: dict[tuple[str, int, str], list[Act]] = defaultdict(list)
    begun: dict[str, int] = defaultdict(int)
    for _, said in played(events).said():
        if isinstance(said, Step):
            if said.act in (Act.REOPEN, Act.RESUME, Act.UNSHELVE, Act.UNSUPPRESS):
                begun[said.incident] += 1
            if said.act in (Act.WARN, Act.ESCALATE):
                told[said.incident, begun[said.incident], said.clock or ""].append(said.act)
    assert all(acts in ([Act.WARN], [Act.ESCALATE], [Act.WARN, Act.ESCALATE]) for acts in told.values())


@given(EVENTS)
@settings(max_examples=150)
def test_orange_and_red_stay_until_a_person_acknowledged_them(events: list[Any]) -> None:
    worst: dict[str, int] = {}
    acknowledged: set[str] = set()
    for _, said in played(events).said():
        if isinstance(said, Alert):
            if said.state != "cleared":
                if said.shown in (Shown.RAISED, Shown.WORSE):
                    acknowledged.discard(said.incident)
                    worst[said.incident] = RANKS[said.priority]
                worst[said.incident] = max(worst.get(said.incident, 0), RANKS[said.priority])
        elif said.act in (Act.ACKNOWLEDGE, Act.DISPATCH):
            acknowledged.add(said.incident)
            worst[said.incident] = 0
        elif said.act is Act.CLOSE and said.by == FLOWWATCH:
            assert worst.get(said.incident, 0) < RANKS["II"] or said.incident in acknowledged


@given(EVENTS)
@settings(max_examples=100)
def test_whoever_reads_the_same_records_knows_the_same(events: list[Any]) -> None:
    play = played(events)
    again = Ward(site="yuyuan")
    for entry in play.entries:
        again.take(entry)
    again.forget(2**62)
    play.ward.forget(2**62)
    assert msgspec.to_builtins(again) == msgspec.to_builtins(play.ward)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(play.ward), type=Ward) == play.ward


@given(EVENTS)
@settings(max_examples=150)
def test_what_does_not_sound_is_no_more_urgent_than_what_stands_for_it_or_was_put_aside(events: list[Any]) -> None:
    now: dict[str, str | None] = {}
    shelved: dict[tuple[str, str], str | None] = {}
    about: dict[str, tuple[str, str]] = {}
    for _, said in played(events).said():
        if isinstance(said, Alert):
            about[said.incident] = said.what, said.subject
            if said.shown in (Shown.PARENT, Shown.GROUP, Shown.FLOOD):
                assert RANKS[said.priority] <= RANKS[now[said.parent or ""]]
            if said.shown is Shown.SHELVED:
                assert RANKS[said.priority] <= RANKS[shelved[said.what, said.subject]]
            now[said.incident] = said.priority
        elif said.act is Act.SUPPRESS:
            assert RANKS[now[said.incident]] <= RANKS[now[said.to or ""]]
        elif said.act is Act.SHELVE:
            shelved[about[said.incident]] = now[said.incident]


@given(EVENTS)
@settings(max_examples=100)
def test_every_entry_of_the_journal_is_told_once_in_its_order(events: list[Any]) -> None:
    play = played(events)
    told = [said.entry for _, said in play.said() if isinstance(said, Alert) and said.entry is not None]
    assert told == [entry.id for entry in play.tale.entries]


@given(EVENTS)
@settings(max_examples=100)
def test_what_ends_and_waits_for_nobody_does_not_stay_open(events: list[Any]) -> None:
    play = played(events)
    for incident in play.ward.incidents.values():
        if not incident.active:
            assert incident.deferred_until is not None or incident.handling not in (Handling.ACKNOWLEDGED, Handling.CLOSED)
            assert incident.handling is not Handling.NEW or incident.latched


@given(EVENTS)
@settings(max_examples=100)
def test_nothing_is_suppressed_by_what_is_not_open(events: list[Any]) -> None:
    for incident in (ward := played(events).ward).incidents.values():
        if incident.parent is not None:
            assert incident.parent in ward.incidents
            assert ward.incidents[incident.parent].active
