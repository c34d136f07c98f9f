"""Two processes kept running: started again when they end, stopped together, not tried for ever where that has no use."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from flowwatch import upkeep
from flowwatch.upkeep import Part

PATIENCE_S = 60
SLEEPER = "import os, signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\nos.write(1, b'up\\n')\ntime.sleep(600)"


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


class Keeper:
    """An `Upkeep` in a process of its own, whose lines are read one by one."""

    def __init__(self, *parts: tuple[str, str], fatal: int = 99, shut_out: int = 98, stop_s: float = 75.0) -> None:
        listed = ", ".join(f"Part({name!r}, {_python(code)!r})" for name, code in parts)
        program = f"""
            import sys
            from flowwatch import upkeep
            from flowwatch.upkeep import Part, Upkeep
            upkeep.STOP_S = {stop_s}
            tell = lambda text: print(text, flush=True)
            sys.exit(Upkeep([{listed}], tell, frozenset([{fatal}]), frozenset([{shut_out}]), {{7: "seven"}}).run())
        """
        root = Path(upkeep.__file__).parents[1]
        self.process = subprocess.Popen(
            _python(textwrap.dedent(program)), stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(root)}
        )
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.seen: list[str] = []

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip())

    def until(self, text: str) -> str:
        while True:
            line = self._lines.get(timeout=PATIENCE_S)
            self.seen.append(line)
            if text in line:
                return line

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def keep() -> Iterator[Callable[..., Keeper]]:
    kept: list[Keeper] = []

    def made(*parts: tuple[str, str], **how: Any) -> Keeper:
        kept.append(Keeper(*parts, **how))
        return kept[-1]

    yield made
    for keeper in kept:
        keeper.close()


def test_a_part_that_is_killed_is_started_again_and_it_is_said(keep: Callable[..., Keeper]) -> None:
    keeper = keep(("a", f"import os\nprint('pid', os.getpid(), flush=True)\n{SLEEPER}"))
    pid = int(keeper.until("pid").split()[1])
    keeper.until("up")
    os.kill(pid, signal.SIGKILL)
    assert keeper.until("a: killed") == "a: killed by SIGKILL; started again in 0.5 s"
    keeper.until("a: started again")
    keeper.until("up")
    assert keeper.end() == 0


def test_the_wait_doubles_with_each_failure_and_the_code_is_told_in_words(keep: Callable[..., Keeper]) -> None:
    keeper = keep(("a", "raise SystemExit(7)"))
    waits = [keeper.until("ended").rsplit(" ", 2)[1] for _ in range(3)]
    assert waits == ["0.5", "1.0", "2.0"]
    assert "(seven)" in keeper.seen[-1]
    keeper.end()


def test_what_trying_again_cannot_mend_ends_both_with_its_code(keep: Callable[..., Keeper]) -> None:
    keeper = keep(("good", SLEEPER), ("bad", "raise SystemExit(3)"), fatal=3)
    assert keeper.process.wait(PATIENCE_S) == 3
    keeper.until("good: stopped")


def test_a_part_that_another_keeps_out_is_tried_again_until_that_one_must_have_ended(keep: Callable[..., Keeper], tmp_path: Path) -> None:
    left = tmp_path / "left"
    held = f"import pathlib, sys\nleft = pathlib.Path({str(left)!r})\nif not left.exists(): sys.exit(5)\nprint('entered', flush=True)\n{SLEEPER}"
    keeper = keep(("good", SLEEPER), ("late", held), shut_out=5)
    keeper.until("late: ended")
    left.touch()
    keeper.until("late: started again")
    keeper.until("entered")
    assert keeper.end() == 0
    assert keep(("never", "raise SystemExit(5)"), shut_out=5, stop_s=0.2).process.wait(PATIENCE_S) == 5


def test_both_are_stopped_cleanly_the_later_one_first(keep: Callable[..., Keeper]) -> None:
    keeper = keep(("engine", SLEEPER), ("service", SLEEPER))
    for _ in range(2):
        keeper.until("up")
    assert keeper.end() == 0
    keeper.until("service: stopped")
    keeper.until("engine: stopped")


def test_parts_end_with_a_keeper_that_is_killed(keep: Callable[..., Keeper]) -> None:
    code = "import signal, os, time\nprint('pid', os.getpid(), flush=True)\nsignal.pause()"
    keeper = keep(("a", code))
    pid = int(keeper.until("pid").split()[1])
    handle = os.pidfd_open(pid)
    keeper.process.kill()
    keeper.process.wait()
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    assert poll.poll(1000 * PATIENCE_S), "the part went on alone"
    os.close(handle)


def test_a_part_that_lived_long_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    part = Part("a", _python("pass"))
    waits: list[Any] = []
    for lived in (1.0, 1.0, upkeep.STEADY_S + 1, 1.0):
        part.start(0.0)
        assert part.process is not None
        part.process.wait()
        assert part.ended(lived) == 0
        waits.append(part.again_at - lived)
    assert waits == [0.5, 1.0, 0.5, 1.0]
    assert part.steady


def test_a_part_that_is_not_needed_stops_nothing_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(upkeep, "FIRST_S", 0.0)
    part = Part("serve", _python("raise SystemExit(3)"), needed=False)
    kept = upkeep.Upkeep([part], told.append, frozenset({3}))
    for _ in range(2):
        part.start(0.0)
        assert part.process is not None
        part.process.wait()
        assert kept._look(1.0) is None
    assert told == ["serve: ended with exit code 3; started again in 0.0 s"] * 2
