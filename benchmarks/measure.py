"""How things are measured here: in a process of its own, on one core, the best of several rounds; and how the figures reach a table.

Each piece of work runs in a fork of the benchmark, so that all begin with the same memory and what one leaves behind cannot slow the
next, and the input is there without being copied. The whole benchmark is tied to one core before numpy, pyarrow and Bytewax count cores
(`alone`), and so is every thread that they start. Rounds go through all contenders in turn: what else the machine does meanwhile hits all
alike, and the best round of each is the one that it hit least.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, TypeVar

T = TypeVar("T")

README: Final = Path(__file__).with_name("README.md")
_FORK: Final = multiprocessing.get_context("fork")


def alone(core: int) -> None:
    """Tie this program to one core from its very start: libraries size their thread pools by what they see when they are loaded."""
    if os.sched_getaffinity(0) != {core}:
        os.sched_setaffinity(0, {core})
        os.execv(sys.executable, sys.orig_argv)


def apart(work: Callable[[], T]) -> T:
    """What `work` gives in a fork of this process. Raises RuntimeError where it fails there."""
    mine, its = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_serve, args=(work, its))
    process.start()
    its.close()
    try:
        done, found = mine.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"the measured process died (exit code {process.exitcode})") from None
    process.join()
    if not done:
        raise RuntimeError(found)
    return found  # type: ignore[no-any-return]


def _serve(work: Callable[[], Any], pipe: Connection) -> None:
    try:
        pipe.send((True, work()))
    except BaseException:  # noqa: BLE001 - whatever it is, the parent says it
        pipe.send((False, traceback.format_exc()))


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


class Rounds:
    """The best time of each contender so far, in seconds; `run` adds a round."""

    def __init__(self, contenders: Mapping[str, Callable[[], float]]) -> None:
        """`contenders`: name -> what gives its time, measured within (so that its preparation does not count)."""
        self._contenders = contenders
        self.times: dict[str, list[float]] = {name: [] for name in contenders}

    def run(self, rounds: int) -> None:
        """Measure all in turn, `rounds` times, each time from another one on."""
        names = list(self._contenders)
        for round_ in range(rounds):
            for name in names[round_ % len(names) :] + names[: round_ % len(names)]:
                self.times[name].append(apart(self._contenders[name]))
                say(f"round {round_ + 1}/{rounds}  {name}: {self.times[name][-1]:.3f} s")

    def best(self, name: str) -> float:
        """The best time of one contender."""
        return min(self.times[name])


def peak_bytes(work: Callable[[], object]) -> int:
    """The most memory that this process holds while it does `work`."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # begin the high-water mark anew
    work()
    return next(int(line.split()[1]) * 1024 for line in _lines("/proc/self/status") if line.startswith("VmHWM"))


def flowwatch(*words: str | Path) -> subprocess.Popen[bytes]:
    """The command line of this checkout, begun; its texts go nowhere but to stderr when it fails."""
    root = README.parent.parent
    environment = os.environ | {"PYTHONPATH": str(root)}
    command = [sys.executable, "-c", "from flowwatch.cli.main import main; main()", *map(str, words)]
    return subprocess.Popen(command, env=environment, cwd=root, stdout=subprocess.DEVNULL)


def say(text: str) -> None:
    """Tell how far it is, beside the tables."""
    print(text, file=sys.stderr, flush=True)


def machine() -> str:
    """Where and on what this was measured, in a line."""
    model = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    memory = next(int(line.split()[1]) / 2**20 for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    libraries = ", ".join(f"{name} {version(name)}" for name in ("bytewax", "numpy", "pyarrow", "msgspec"))
    cores = f"{os.cpu_count()} cores, {memory:.0f} GiB"
    return f"{model}, {cores}, Linux {platform.release()}; Python {platform.python_version()}, {libraries}; commit {commit()}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def commit() -> str:
    """The commit that is measured, and whether something was changed since."""

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(README.parent), *words], capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--", "../flowwatch", ".")
    return (git("rev-parse", "--short=12", "HEAD") or "none") + (" with changes" if changed else "")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown; the first column is text, the others are figures."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = [cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(cells, widths, strict=True))]
        return f"| {' | '.join(padded)} |"

    rule = "|" + "|".join("-" * (width + 2) if i == 0 else "-" * (width + 1) + ":" for i, width in enumerate(widths)) + "|"
    return "\n".join([line(head), rule, *map(line, rows)])


def rate(readings: float, took: float) -> str:
    """Readings a second, to three figures."""
    per_second = readings / took
    return f"{per_second / 1e6:.3g} M" if per_second >= 1e6 else f"{per_second / 1e3:.3g} k"


def verdict(*, met: bool) -> str:
    """A word for an aim."""
    return "met" if met else "**missed**"


def report(section: str, text: str, *, write: bool) -> None:
    """Print `text`; with `write`, also put it between the marks of `section` in README.md."""
    print(text)
    if not write:
        return
    begin, end = f"<!-- {section} -->", f"<!-- end of {section} -->"
    before, found, rest = README.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{README}: expected the marks {begin} and {end}")
    README.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")
