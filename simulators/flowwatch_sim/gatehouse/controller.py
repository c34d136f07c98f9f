"""One device's controller: what it does with a command, without a connection, and with time.

It knows no wire: commands come in as bytes, and what it has to say it says through `Voice`. Its state machine is the one in
docs/gate-protocol.md; what it must not forget is on the disk before it acts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from flowwatch.actuators import protocol
from flowwatch.actuators.protocol import LOST_AFTER_S, STATE_EVERY_S, Ack, Command, Outcome, Passed, ProtocolError, State, Status
from flowwatch_sim.gatehouse.diary import Diary
from flowwatch_sim.gatehouse.faults import Faults
from flowwatch_sim.gatehouse.memory import Memory, MemoryFile

SLOWER: Final = 3.0


@dataclass(frozen=True, slots=True)
class Voice:
    """How a controller is heard."""

    state: Callable[[State], None]
    ack: Callable[[Ack], None]


@dataclass(frozen=True, slots=True)
class Turning:
    """A command that is being carried out, and when that is done, in seconds."""

    command: Command
    done_at: float


@dataclass
class Controller:
    """A gate's, barrier's, link's or sign's. All methods may be called by any thread; `now` is in seconds since 1970."""

    device: str
    file: MemoryFile
    voice: Voice
    diary: Diary
    start_setting: str | None
    on_lost: str | None
    turn_s: float = 0.0
    lost_after_s: float = LOST_AFTER_S
    faults: Faults = field(default_factory=Faults)
    passed: Passed | None = None

    def __post_init__(self) -> None:
        """Take up what was kept."""
        self._lock = threading.RLock()
        kept = self.file.read()
        self.memory = kept if kept is not None else Memory(setting=self.start_setting, by="local", on_lost=self.on_lost)
        self.real = self.memory.setting
        """What people find, which a liar does not tell."""
        self._turning: Turning | None = None
        self._cut_at: float | None = time.time()
        self._service_lost_at: float | None = time.time()
        self._said_at = 0.0
        self.diary.write("began", self.device, setting=self.real, revision=self.memory.revision, generation=self.memory.generation)

    # ---- what comes

    def hear(self, data: bytes) -> Ack | None:
        """A command's bytes; the acknowledgement, which is also given to the voice."""
        with self._lock:
            try:
                command = protocol.read(Command, data)
            except ProtocolError as error:
                self.diary.write("nonsense", self.device, why=str(error))
                return None
            now = time.time()
            outcome, why = self._judge(command, now)
            seen = {"command": command.command, "revision": command.revision, "attempt": command.attempt}
            self.diary.write("heard", self.device, generation=command.generation, setting=command.setting, outcome=outcome, **seen)
            if outcome is None:
                return None
            return self._answer(command, outcome, why)

    def service(self, data: bytes) -> None:
        """The service's status."""
        try:
            status = protocol.read(Status, data)
        except ProtocolError:
            return
        with self._lock:
            if status.generation < self.memory.generation:
                return
            if status.state == "lost":
                self._service_lost_at = self._service_lost_at or time.time()
                return
            self.service_lives(status.generation)
            self.say()

    def service_lives(self, generation: int | None = None) -> None:
        """The service was heard; with its `generation`, which fences earlier ones from now on."""
        with self._lock:
            self._service_lost_at = None
            if generation is not None and generation > self.memory.generation:
                self._keep(generation=generation)

    def connected(self, *, up: bool) -> None:
        """The connection stands, or is gone."""
        with self._lock:
            self._cut_at = None if up else self._cut_at or time.time()
            if up:
                self.say()

    def set_faults(self, faults: Faults) -> None:
        """Misbehave like this from now on."""
        with self._lock:
            self.faults = faults
            self.diary.write("faults", self.device, faults=repr(faults))

    def set_passed(self, passed: Passed) -> None:
        """So many passed; the next state tells."""
        with self._lock:
            self.passed = passed
            self.say()

    def step(self) -> None:
        """Time goes on: what turns arrives, what is without a connection falls, and the state is said again."""
        with self._lock:
            now = time.time()
            if self._turning is not None and now >= self._turning.done_at and not self.faults.jam:
                command, self._turning = self._turning.command, None
                self._obey(command)
                self._answer(command, Outcome.DONE, None)
            alone = [since for since in (self._cut_at, self._service_lost_at) if since is not None]
            if alone and now - min(alone) > self.lost_after_s:
                self._fall()
            if now - self._said_at >= STATE_EVERY_S:
                self.say()

    def state(self) -> State:
        """How it is, as it says."""
        with self._lock:
            m = self.memory
            by: Literal["command", "lost", "local"] = "lost" if m.by == "lost" else "local" if m.by == "local" else "command"
            return State(
                device=self.device,
                link="up",
                setting=m.setting,
                revision=m.revision,
                attempt=m.attempt,
                generation=m.generation,
                command=m.command,
                by=by,
                on_lost=m.on_lost,
                fault="jammed" if self.faults.jam and self._turning is not None else None,
                passed=self.passed,
                at=protocol.moment(time.time_ns() // 1000),
            )

    def say(self) -> None:
        """Tell the state."""
        with self._lock:
            self._said_at = time.time()
            self.voice.state(self.state())
            self.passed = None

    # ---- what it does

    def _judge(self, command: Command, now: float) -> tuple[Outcome | None, str | None]:
        """What comes of `command`; None is silence."""
        m = self.memory
        under_way = self._turning.command if self._turning is not None else None
        if self.faults.deaf:
            return None, None
        if command.generation < m.generation:
            return Outcome.FENCED, f"generation {m.generation} was here"
        if command.generation > m.generation:
            self._keep(generation=command.generation)
        if now > command.expires.timestamp():
            return Outcome.EXPIRED, None
        if under_way is not None and (command.revision, command.attempt) <= (under_way.revision, under_way.attempt):
            return (Outcome.ACCEPTED if command.revision == under_way.revision else Outcome.STALE), None
        if command.revision < m.revision:
            return Outcome.STALE, f"revision {m.revision} was obeyed"
        if command.revision == m.revision and under_way is None and (again := self._again(command)) is not None:
            return again
        if self.faults.refuse:
            return Outcome.REFUSED, "switched to local"
        return self._begin(command, now), None

    def _again(self, command: Command) -> tuple[Outcome, str | None] | None:
        """What comes of a command with the revision that was obeyed last; None where it must be obeyed anew, since the device is not so any more."""
        seen, stands = command.attempt <= self.memory.attempt, command.setting == self.memory.setting
        if not seen:
            self._keep(attempt=command.attempt)
        if stands:
            return Outcome.DONE, None
        return (Outcome.STALE, "this attempt was tried") if seen else None

    def _begin(self, command: Command, now: float) -> Outcome:
        takes = self.turn_s * (SLOWER if self.faults.slow else 1.0) + self.faults.delay_s
        start = command.not_before.timestamp() if command.not_before is not None else now
        done_at = max(now, start) + takes
        if done_at <= now and not self.faults.jam:
            self._turning = None
            self._obey(command)
            return Outcome.DONE
        self._turning = Turning(command, done_at)
        return Outcome.ACCEPTED

    def _obey(self, command: Command) -> None:
        kept = {"setting": command.setting, "revision": command.revision, "attempt": command.attempt, "command": command.command}
        self._keep(by="command", on_lost=command.on_lost or self.memory.on_lost, **kept)
        if not self.faults.lie:
            self.real = command.setting
        self.diary.write("obeyed", self.device, generation=command.generation, real=self.real, fire=command.fire, **kept)
        self.say()

    def _fall(self) -> None:
        self._turning = None
        m = self.memory
        if m.on_lost is None or (m.by == "lost" and m.setting == m.on_lost):
            return
        self._keep(setting=m.on_lost, by="lost")
        self.real = m.on_lost
        self.diary.write("fell", self.device, setting=self.real, real=self.real, revision=m.revision)
        self.say()

    def _keep(self, **changes: object) -> None:
        self.memory = msgspec.structs.replace(self.memory, **changes)
        self.file.keep(self.memory)

    def _answer(self, command: Command, outcome: Outcome, why: str | None) -> Ack:
        ack = Ack(
            command=command.command,
            device=self.device,
            revision=command.revision,
            attempt=command.attempt,
            outcome=outcome,
            why=why,
            at=protocol.moment(time.time_ns() // 1000),
        )
        self.voice.ack(ack)
        return ack
