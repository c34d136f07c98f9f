"""`flowwatch up`: the engine and the service side by side, each a process of its own, started again when it ends.

Neither needs the other to go on: without the engine the service still takes readings in, and turns every gate outward in a fire; without the
service the engine decides, and what it decided is sent when the service is back. So one that ends is started again by itself, sooner or later:
after `FIRST_S`, twice as long after each further failure, at most `LONGEST_S`; one that lived `STEADY_S` begins anew. Each time it is said which
part ended, how, and when it is tried again.

When the keeper itself is killed, the kernel tells both to stop (`PR_SET_PDEATHSIG`), so that a new one soon finds the folder free. It may be there
before that: a part that is refused because another holds the folder is tried again for as long as an earlier one may take to end (`STOP_S`).

What cannot be mended by trying again ends both: a part without which there is nothing to keep (`needed`) that is used wrongly, or whose documents
have faults, before it ever ran steadily; and one that others keep from the folder for longer than that. A service that cannot start, for its
port is taken or its deployment file has a fault, does not stop the engine: it is tried again, and each time it is said.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

FIRST_S: Final = 0.5
LONGEST_S: Final = 30.0
STEADY_S: Final = 60.0
STOP_S: Final = 75.0
"""How long a part may take to end cleanly: longer than the engine gives its own workers (`supervisor.STOP_S`)."""
LOOK_S: Final = 0.1

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)

Tell = Callable[[str], None]


@dataclass(slots=True)
class Part:
    """One process of the two: what starts it, and what became of it."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    again_at: float = 0.0
    failures: int = 0
    steady: bool = False
    """Whether it ever lived for `STEADY_S`."""
    needed: bool = True
    """Whether its own faults end everything."""
    shut_out: float | None = None
    """Since when it has been ending because others hold what it needs."""

    def start(self, now: float) -> None:
        """Begin a process; signals to us are not signals to it, because we stop it ourselves. What cannot be begun now is begun later."""
        self.began = now
        try:
            self.process = subprocess.Popen(self.command, start_new_session=True, preexec_fn=_end_with_parent)  # noqa: PLW1509 - one thread
        except OSError:
            self.failures += 1
            self.again_at = now + min(FIRST_S * 2 ** (self.failures - 1), LONGEST_S)

    def ended(self, now: float) -> int | None:
        """The exit code of a process that has ended since the last look; None while it lives, or waits to be started."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        lived = now - self.began
        self.steady |= lived >= STEADY_S
        self.failures = 1 if lived >= STEADY_S else self.failures + 1
        self.again_at = now + min(FIRST_S * 2 ** (self.failures - 1), LONGEST_S)
        self.process = None
        return code


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Keeps parts running. `fatal`: exit codes after which a part that never ran steadily is not tried again; `shut_out`: those after which it
    is, but no longer than `STOP_S`; `meaning` says codes in words."""

    parts: Sequence[Part]
    tell: Tell
    fatal: frozenset[int] = field(default_factory=frozenset)
    shut_out: frozenset[int] = field(default_factory=frozenset)
    meaning: Mapping[int, str] = field(default_factory=dict)

    def run(self) -> int:
        """Until SIGTERM or SIGINT: 0; or until trying again has no use: that part's exit code."""
        with _requests() as asked:
            try:
                for part in self.parts:
                    part.start(time.monotonic())
                    self.tell(f"{part.name}: started")
                while not asked():
                    code = self._look(time.monotonic())
                    if code is not None:
                        return code
                return 0
            finally:
                self._stop()

    def _look(self, now: float) -> int | None:
        for part in self.parts:
            code = part.ended(now)
            if code is not None:
                how = self._how(code)
                if self._is_hopeless(part, code, now):
                    self.tell(f"{part.name}: {how}; trying again would change nothing, see its message above")
                    return code
                self.tell(f"{part.name}: {how}; started again in {part.again_at - now:.1f} s")
            elif part.process is None and now >= part.again_at:
                part.start(now)
                self.tell(f"{part.name}: started again")
        return None

    def _is_hopeless(self, part: Part, code: int, now: float) -> bool:
        if code not in self.shut_out:
            part.shut_out = None
            return part.needed and code in self.fatal and not part.steady
        if part.shut_out is None:
            part.shut_out = now
        return now - part.shut_out > STOP_S and not part.steady

    def _how(self, code: int) -> str:
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        told = self.meaning.get(code)
        return f"ended with exit code {code}" + (f" ({told})" if told else "")

    def _stop(self) -> None:
        """End all parts, the first of them last: what takes readings in ends before what decides on them."""
        for part in reversed(self.parts):
            if part.process is None or part.process.poll() is not None:
                continue
            part.process.terminate()
            try:
                part.process.wait(STOP_S)
                self.tell(f"{part.name}: stopped")
            except subprocess.TimeoutExpired:
                part.process.kill()
                part.process.wait()
                self.tell(f"{part.name}: killed, because it did not stop within {STOP_S:g} s")


def _end_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def _requests() -> Iterator[Callable[[], bool]]:
    """A function that waits `LOOK_S` and says whether SIGTERM or SIGINT has come; a signal ends the wait at once."""
    readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    wakeup = signal.set_wakeup_fd(writable)
    came: list[int] = []
    previous = {s: signal.signal(s, lambda number, _frame: came.append(number)) for s in (signal.SIGTERM, signal.SIGINT)}

    def asked() -> bool:
        if not came:
            select.select([readable], [], [], LOOK_S)
        return bool(came)

    try:
        yield asked
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.close(readable)
        os.close(writable)
