"""`flowwatch run`: one instance on a folder, its worker processes, and the ticks of a live log.

In this order, each with a clear refusal: the lock, which the workers inherit, so that it is free only when the last of them is gone; the
documents, which enter the log when they changed (a broken one never replaces a good one); the checkpoints, which this engine must be able to
continue; the journal, which must hold all that the checkpoints wrote. Then the workers start, and a live log begins to tick.

A worker reads "stop" from its pipe and ends cleanly; when the pipe closes without a word, the supervisor has died and the worker dies too. When
any worker dies, all end: the next start continues where the journal stands.
"""

from __future__ import annotations

import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from bytewax.recovery import init_db_dir

from flowwatch.acceptance import Offered, Tell, accept_documents
from flowwatch.core.chains import Chains
from flowwatch.host import CHECKPOINT_S, find_start
from flowwatch.instance import next_generation, sole_instance
from flowwatch.journal import Journal
from flowwatch.log.disk import replace_file, storage
from flowwatch.log.errors import LogError
from flowwatch.log.reader import Reader
from flowwatch.log.settings import load as load_settings
from flowwatch.ticker import Keep, Ticker
from flowwatch.workspace import Workspace

STOP_S: Final = 60.0
"""How long workers may take to finish what they hold and write their checkpoints, before they are killed."""
ROOM: Final = 1 << 20
"""Bytes that a disk must still take, for it not to be the reason for a worker's death."""


class WorkerDied(LogError):  # noqa: N818 - named by what it says
    """A worker process ended by itself. `code` is its exit code: of `cli.exits.Exit` where it knew why."""

    def __init__(self, root: Path, code: int) -> None:
        super().__init__(root, f"a worker ended with exit code {code}", "its message above; a new start continues")
        self.code = code


def run(
    root: Path,
    offered: Offered,
    *,
    workers: int = 1,
    threads: int = 1,
    until_end: bool = False,
    checkpoint_s: float = CHECKPOINT_S,
    keep: Keep = Keep(),  # noqa: B008 - frozen
    tell: Tell = lambda _: None,
) -> None:
    """Run the engine on the folder `root` until SIGTERM or SIGINT, or with `until_end` until the log's end.

    `offered` are the site and plan files to keep in force. `keep` bounds a live log. `workers` counts processes, `threads` Bytewax's workers in
    each; they write checkpoints every `checkpoint_s` seconds. `tell` hears one line for each event.

    Raises `AlreadyRunning`, `DocumentErrors` (nothing to run on), `JournalError` (behind the checkpoints), `LogError`, `StateError`.
    """
    workspace = Workspace(root)
    settings = load_settings(workspace.log)
    with sole_instance(workspace) as lock, _stop_requests() as asked:
        generation = next_generation(workspace.generation)
        accept_documents(workspace, offered.root, tell, offered.approvers)
        _require_journal(workspace)
        _prepare_recovery(workspace)
        ticker = Ticker(workspace.log, tell, keep) if settings.live and not until_end else None
        if ticker:
            ticker.start()
        try:
            tell(f"running on {root}: generation {generation}, {workers} worker{'s' if workers > 1 else ''}, {settings.clock.value} clock")
            processes = _start(workspace, lock, workers, threads, checkpoint_s, until_end=until_end)
            _work(workspace, processes, ticker, asked)
        finally:
            if ticker:
                ticker.stop()
        if ticker and ticker.failed:
            raise ticker.failed


def _require_journal(workspace: Workspace) -> None:
    """See that this engine can go on from every checkpoint and that the journal holds what they wrote."""
    with Journal.open(workspace.journal) as journal:
        for name in load_settings(workspace.log).folders:
            with Reader(workspace.log, name) as reader:
                start = find_start(workspace.log / name, reader.start(), reader.end())
            if start.state is not None:
                journal.require(Chains.from_state(start.state["scribe"]["chains"]).heads)


def _prepare_recovery(workspace: Workspace) -> None:
    """Make Bytewax's recovery store where there is no whole one; its content decides nothing, so a damaged one is made anew."""
    folder = workspace.recovery
    with storage(folder):
        if not _is_whole_store(folder / "part-0.sqlite3"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            init_db_dir(folder, 1)  # type: ignore[no-untyped-call]  # Bytewax's compiled part carries no types


def _is_whole_store(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True)) as store:
            sound: bool = store.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
            return sound and bool(store.execute("SELECT count(*) FROM parts").fetchone() == (1,))
    except sqlite3.Error:
        return False


@contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """While in force, SIGTERM and SIGINT are noted in the list instead of ending the process."""
    asked: list[int] = []
    previous = {s: signal.signal(s, lambda number, _frame: asked.append(number)) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _work(workspace: Workspace, processes: Sequence[subprocess.Popen[bytes]], ticker: Ticker | None, asked: Sequence[int]) -> None:
    """Wait until all workers have ended, or one has died, or somebody has `asked` to stop."""
    told_at = None
    try:
        while any(p.poll() is None for p in processes):
            died = [p for p in processes if p.poll() not in (None, 0)]
            if died or (ticker and (ticker.failed or (told_at is None and not ticker.is_alive()))):
                break
            if asked and told_at is None:
                told_at = time.monotonic()
                if ticker:
                    ticker.stop()
                for process in processes:
                    _say_stop(process)
            if told_at is not None and time.monotonic() - told_at > STOP_S:
                break
            time.sleep(0.02)
        failed = [p.returncode for p in processes if p.poll() not in (None, 0)]
        if failed:
            _require_room(workspace)
            raise WorkerDied(workspace.root, failed[0])
    finally:
        for process in processes:
            process.kill()
            process.wait()
            if process.stdin:
                with suppress(BrokenPipeError):
                    process.stdin.close()


def _require_room(workspace: Workspace) -> None:
    """Raise `DiskRefused` where a disk that is full or cannot be written is why a worker died: what SQLite and Bytewax say then is not clear."""
    probe = workspace.state / "probe"
    replace_file(probe, [bytes(ROOM)])
    probe.unlink()


def _start(
    workspace: Workspace, lock: int, workers: int, threads: int, checkpoint_s: float, *, until_end: bool
) -> list[subprocess.Popen[bytes]]:
    command = [
        sys.executable,
        "-m",
        "flowwatch.dataflow",
        str(workspace.root),
        "--checkpoint-s",
        str(checkpoint_s),
        "--threads",
        str(threads),
    ]
    command += ["--until-end"] if until_end else []
    addresses = _free_addresses(workers) if workers > 1 else []
    return [
        subprocess.Popen(
            [*command, *(["--process", str(i), "--addresses", *addresses] if addresses else [])],
            stdin=subprocess.PIPE,
            pass_fds=(lock,),
            start_new_session=True,
        )
        for i in range(workers)
    ]


def _say_stop(process: subprocess.Popen[bytes]) -> None:
    pipe: IO[bytes] | None = process.stdin
    if pipe is not None:
        with suppress(BrokenPipeError):
            pipe.write(b"stop\n")
            pipe.flush()


def _free_addresses(count: int) -> list[str]:
    """Loopback addresses for the workers to find one another."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    finally:
        for s in sockets:
            s.close()
