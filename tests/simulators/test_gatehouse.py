"""The reference controller does what docs/gate-protocol.md asks of one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flowwatch.actuators import protocol
from flowwatch.actuators.protocol import Ack, Command, State, Status
from flowwatch_sim.cli.gate import main
from flowwatch_sim.gatehouse.controller import Controller, Voice
from flowwatch_sim.gatehouse.diary import Diary
from flowwatch_sim.gatehouse.faults import Faults
from flowwatch_sim.gatehouse.fittings import fittings
from flowwatch_sim.gatehouse.memory import MemoryFile


class Bench:
    """One controller, what it says, and a clock that the test turns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 1_790_000_000.0
        self.states: list[State] = []
        self.acks: list[Ack] = []
        self.controller = self.restarted()

    def restarted(self, **changes: Any) -> Controller:
        made = {"turn_s": 0.0} | changes
        voice = Voice(self.states.append, self.acks.append)
        self.controller = Controller("gate/a", MemoryFile(self.folder / "a.json"), voice, Diary(None), "out", "out", **made)
        self.controller.connected(up=True)
        return self.controller

    def tell(self, setting: str, revision: int, attempt: int = 1, generation: int = 1, late_s: float = 0.0, **changes: Any) -> str | None:
        """The outcome of a command."""
        command = Command(
            command=f"yu-{revision}", site="yu", device="gate/a", setting=setting, revision=revision, attempt=attempt, generation=generation,
            expires=protocol.moment(int((self.now + 60 - late_s) * 1e6)), sent=protocol.moment(int(self.now * 1e6)), **changes
        )  # fmt: skip
        ack = self.controller.hear(protocol.write(command))
        return None if ack is None else ack.outcome.value

    def status(self, state: Any, generation: int = 1) -> None:
        self.controller.service(protocol.write(Status(generation=generation, state=state)))

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.controller.step()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    moment: Callable[[], float] = lambda: made.now  # noqa: E731 - the clock that is put in the place of the real one
    made = Bench.__new__(Bench)
    made.now = 1_790_000_000.0
    monkeypatch.setattr(time, "time", moment)
    monkeypatch.setattr(time, "time_ns", lambda: int(made.now * 1e9))
    Bench.__init__(made, tmp_path)
    return made  # type: ignore[return-value]


def test_revisions_only_rise_over_restarts_too(bench: Bench) -> None:
    assert bench.tell("in", 10) == "done"
    assert bench.tell("out", 8) == "stale"
    bench.restarted()
    assert bench.tell("out", 8) == "stale"
    assert bench.controller.real == "in"


def test_the_same_again_is_answered_and_not_obeyed(bench: Bench) -> None:
    assert [bench.tell("in", 10), bench.tell("in", 10), bench.tell("in", 10, 2)] == ["done", "done", "done"]
    assert bench.controller.memory.attempt == 2


def test_an_older_service_is_fenced_by_a_command_or_a_status(bench: Bench) -> None:
    bench.status("up", 7)
    assert bench.tell("in", 10, generation=6) == "fenced"
    bench.restarted()
    assert bench.tell("in", 10, generation=6) == "fenced"
    assert bench.tell("in", 10, generation=7) == "done"


def test_what_comes_too_late_is_expired(bench: Bench) -> None:
    assert bench.tell("in", 10, late_s=61) == "expired"
    assert bench.controller.real == "out"


@pytest.mark.parametrize("alone", ["connection", "service"])
def test_alone_it_falls_and_goes_back_only_on_a_new_attempt(bench: Bench, alone: str) -> None:
    bench.status("up")
    assert bench.tell("in", 10, on_lost="both") == "done"
    if alone == "connection":
        bench.controller.connected(up=False)
    else:
        bench.status("lost")
    bench.after(29)
    assert bench.controller.real == "in"
    bench.after(2)
    assert bench.controller.real == "both"
    bench.controller.connected(up=True)
    bench.status("up")
    bench.after(100)
    assert (bench.states[-1].setting, bench.states[-1].by, bench.states[-1].revision) == ("both", "lost", 10)
    assert bench.tell("in", 10, 1) == "stale"
    assert bench.tell("in", 10, 2) == "done"
    assert bench.controller.real == "in"


def test_a_replaced_service_that_dies_is_no_loss(bench: Bench) -> None:
    bench.status("up", 2)
    bench.status("lost", 1)
    bench.tell("in", 10, generation=2)
    bench.after(40)
    assert bench.controller.real == "in"


def test_while_it_turns_the_newest_command_wins(bench: Bench) -> None:
    bench.restarted(turn_s=10.0)
    bench.status("up")
    assert bench.tell("in", 10) == "accepted"
    bench.after(5)
    assert bench.tell("in", 10, 2) == "accepted"
    assert bench.tell("both", 12) == "accepted"
    assert bench.tell("in", 10, 3) == "stale"
    bench.after(9)
    assert bench.states[-1].setting == "out"
    bench.after(2)
    assert (bench.states[-1].setting, bench.acks[-1].outcome.value) == ("both", "done")


def test_the_state_is_said_before_the_answer(bench: Bench) -> None:
    order: list[str] = []
    bench.controller.voice = Voice(lambda s: order.append(f"state {s.setting}"), lambda a: order.append(a.outcome.value))
    bench.tell("in", 10)
    assert order == ["state in", "done"]


@pytest.mark.parametrize(
    ("fault", "outcome", "claims"), [("refuse", "refused", "out"), ("jam", "accepted", "out"), ("deaf", None, "out"), ("lie", "done", "in")]
)
def test_it_misbehaves_when_it_is_asked_to(bench: Bench, fault: str, outcome: str | None, claims: str) -> None:
    bench.controller.set_faults(Faults.parse(fault))
    assert bench.tell("in", 10) == outcome
    bench.after(1)
    assert (bench.controller.real, bench.controller.state().setting) == ("out", claims)


def test_slow_and_late_ones_take_their_time(bench: Bench) -> None:
    bench.restarted(turn_s=1.0, faults=Faults.parse("slow,delay=2s"))
    bench.tell("in", 10)
    bench.after(4.9)
    assert bench.controller.real == "out"
    bench.after(0.2)
    assert bench.controller.real == "in"


def test_nonsense_is_no_command(bench: Bench) -> None:
    assert bench.controller.hear(b'{"v":1') is None
    bench.controller.service(b"[]")
    assert bench.controller.real == "out"


def test_faults_that_are_none_are_named() -> None:
    with pytest.raises(ValueError, match='found the fault "sulk", expected one of refuse'):
        Faults.parse("lie,sulk")


def test_a_site_file_names_its_devices() -> None:
    root = Path(__file__).parents[2] / "config" / "sites" / "yuyuan.yaml"
    found = {f.device: f for f in fittings("yuyuan", [], root)}
    assert found["gate/gate-1"].setting == found["gate/gate-1"].on_lost == "out"
    with pytest.raises(ValueError, match='expected "bund"'):
        fittings("bund", [], root)
    with pytest.raises(ValueError, match="found no device"):
        fittings("yuyuan", [], None)


def test_the_command_says_what_it_misses() -> None:
    told = CliRunner().invoke(main, ["--site", "yuyuan", "--gate", "gate-1"])
    assert told.exit_code == 2
    assert "--broker and --http" in told.output
