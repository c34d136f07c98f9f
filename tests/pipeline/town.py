"""A town of small busy sites for the tests of the whole pipeline: documents in several revisions, minutes of readings, and a log of both.

Bars are low and dwells short, so that stages move all the time; counters repeat themselves, come late, jump and fall silent.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from flowwatch.core.entries import canonical
from flowwatch.core.readings import ABSENT, SECOND, Ints, Kind, Reason
from flowwatch.journal import Journal
from flowwatch.journal.export import canonical_lines
from flowwatch.log import Readings, Writer
from flowwatch.workspace import Workspace
from tests.core.world import T0, act, counter, gate, site, stage, term

SITES = 12
COUNTERS = 4


def document(number: int, revision: int = 0) -> dict[str, Any]:
    """One site; a revision moves its bars, and every second one has another counter."""
    bar = 40 + 5 * number + 7 * revision
    gates = [gate(f"g{i}") for i in range(4)]
    calm = {g["gate"]: "both" for g in gates}
    shut = {g["gate"]: "out" for g in gates}
    stages = [
        stage("calm"),
        stage("busy", [term(bar, bar - 8, hold_us=2 * SECOND)], 5 * SECOND, gates=calm | {"g0": "in", "g1": "out", "g2": "out"}),
        stage("full", [term(2 * bar, 2 * bar - 15, measure="occupancy_upper")], 8 * SECOND, gates=shut),
    ]
    counters = [counter(f"c{i}", gate=f"g{i}") for i in range(COUNTERS - 1)]
    counters += [counter("total", "cumulative", gate="g3", modulus=10_000)]
    counters += [counter("camera", "absolute", camera_error_ppm=100_000)] if revision % 2 else []
    return site(f"site-{number}", stages=stages, gates=gates, counters=counters)


def append_documents(writer: Writer, revision: int, at: int, numbers: range = range(SITES)) -> None:
    """Documents of one revision for some sites."""
    for number in numbers:
        writer.append_document(canonical(document(number, revision)), at)


def append_minutes(writer: Writer, seed: int, since: int, seconds: int, *, cuts: int = 4) -> int:
    """`seconds` of readings and ticks from `since` (microseconds) on, in `cuts` commits a second at most; when they end."""
    random = np.random.default_rng(seed)
    names = [f"site-{n}/{c}" for n in range(SITES) for c in (*(f"c{i}" for i in range(COUNTERS - 1)), "total")]
    kinds = np.array([Kind.CUMULATIVE if n.endswith("total") else Kind.DELTA for n in names], np.uint8)
    for second in range(seconds):
        now = since + second * SECOND
        swing = np.sin((now - T0) / SECOND / 25 + np.arange(len(names)) // COUNTERS)
        people_in, people_out = random.poisson(4 + 3 * swing), random.poisson(4 - 3 * swing)
        total = kinds == Kind.CUMULATIVE
        since_start = (now - T0) // SECOND
        people_in[total], people_out[total] = (since_start * 4) % 10_000, (since_start * 4 + 7) % 10_000
        spoken = np.flatnonzero(random.random(len(names)) > (0.3 if since_start % 97 > 80 else 0.02))
        at = now + random.integers(1, SECOND, len(spoken))
        at -= np.where(random.random(len(spoken)) < 0.05, 20 * SECOND, 0)
        order = random.permutation(np.concatenate([np.arange(len(spoken)), random.integers(0, len(spoken), 3)]))
        for part in np.array_split(order, random.integers(1, cuts + 1)):
            chosen = spoken[part]
            writer.append(
                _readings([names[i] for i in chosen], kinds[chosen], at[part], now + SECOND, people_in[chosen], people_out[chosen])
            )
            writer.append_refused(b"{nonsense", Reason.UNREADABLE, now)
            writer.commit()
        if second % 20 == 7:
            number = int(random.integers(SITES))
            row = act(now, f"a{now}", "recount", f"site-{number}", zone="mall", count=int(random.integers(120)), counted_at_us=now)
            assert row.payload is not None
            writer.append_action(f"site-{number}", row.payload, now)
        if second % 45 == 11:
            number = int(random.integers(SITES))
            row = act(now, f"o{now}", "override", f"site-{number}", gate="g1", mode="both", until_us=now + 15 * SECOND)
            assert row.payload is not None
            writer.append_action(f"site-{number}", row.payload, now)
        writer.tick(now + SECOND)
        writer.commit()
    return since + seconds * SECOND


def _readings(names: list[str], kind: Any, at: Ints, received: int, people_in: Ints, people_out: Ints) -> Readings:
    n = len(names)
    return Readings(
        names=names,
        kind=kind,
        at=at,
        received=np.full(n, received),
        seq=np.full(n, ABSENT),
        ordinal=np.zeros(n, np.int32),
        ingress=people_in,
        egress=people_out,
        headcount=np.full(n, ABSENT),
        raw=lambda i: names[i].encode(),
    )


def canonical_digest(workspace: Workspace) -> str:
    """A hash of `journal export --canonical`."""
    with Journal.open(workspace.journal, create=False) as journal:
        return hashlib.sha256(b"".join(canonical_lines(journal.walk()))).hexdigest()


def start(workspace: Workspace, *options: str) -> subprocess.Popen[bytes]:
    """`flowwatch run` as a process of its own session, so that a test may kill all of it."""
    command = [sys.executable, "-m", "flowwatch", "run", "--data", str(workspace.root), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def finish(workspace: Workspace, *options: str) -> None:
    """Run the log to its end, which must succeed."""
    process = start(workspace, "--until-end", *options)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said.decode()


def copied_log(workspace: Workspace, root: Path) -> Workspace:
    """The same log in another folder, without journal and checkpoints: what a run undisturbed begins with."""
    other = Workspace(root)
    for path in workspace.log.rglob("*"):
        if path.is_file() and path.suffix != ".ckpt":
            target = other.log / path.relative_to(workspace.log)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    for folder in workspace.log.iterdir():
        if folder.is_dir():
            (other.log / folder.name).mkdir(exist_ok=True)
    return other
