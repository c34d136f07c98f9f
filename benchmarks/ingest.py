"""How much `POST /v1/readings` takes: single readings, and batches of a thousand, over real sockets, durable before the answer.

    python -m benchmarks.ingest [--seconds 10] [--server-core 0] [--client-core 1]

`flowwatch serve` runs on one core on a folder of its own; a client in another process keeps connections busy, each with one request under
way. Nothing is decided meanwhile: the rows lie in the inbox. Beside what came in a second stands what came in a second of the server's own
processor time, which is what one core does when nothing else is on it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop

from flowwatch import log
from flowwatch.core.entries import canonical

SITES, COUNTERS = 50, 20
AIM_REQUESTS, AIM_READINGS = 5_000, 500_000


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of request."""

    name: str
    rows: int
    connections: int
    keyed: bool = False


CASES = (
    Case("single readings", 1, 256),
    Case("batches of 1,000", 1_000, 16),
    Case("batches of 1,000 with Idempotency-Key", 1_000, 16, keyed=True),
)


def document(number: int) -> bytes:
    """As much of a compiled site as the log and the service ask for."""
    counters = [{"counter": f"counter-{i}"} for i in range(COUNTERS)]
    return canonical({"site": f"site-{number}", "group": f"site-{number}", "counters": counters, "plans": [], "gates": [], "zones": []})


def body(rows: int, salt: int) -> bytes:
    """Readings of many counters at one time."""
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - salt // 1000))
    lines = []
    for i in range(rows):
        counter = f"site-{(i + salt) % SITES}/counter-{(i + salt) // SITES % COUNTERS}"
        lines.append(json.dumps({"counter": counter, "at": f"{at}.{(i + salt) % 1000:03d}Z", "in": i % 200, "out": i % 7}))
    return "\n".join(lines).encode()


async def load(port: int, token: str, case: Case, seconds: float) -> tuple[int, float]:
    """Ask for so long; the requests that were answered 202, and the 99th percentile of the seconds that they took."""
    bodies = [body(case.rows, salt) for salt in range(64 if case.rows > 1 else 4_000)]
    took: list[float] = []
    until = time.monotonic() + seconds

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        count = number * 97
        while time.monotonic() < until:
            data = bodies[count % len(bodies)]
            key = f"Idempotency-Key: {os.getpid()}-{number}-{count}\r\n" if case.keyed else ""
            head = (
                f"POST /v1/readings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/x-ndjson\r\n"
                f"{key}Content-Length: {len(data)}\r\n\r\n"
            )
            began = time.perf_counter()
            writer.write(head.encode() + data)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            told = await reader.readexactly(length)
            if not answer.startswith(b"HTTP/1.1 202") or f'"accepted":{case.rows},'.encode() not in told:
                raise RuntimeError(f"{answer!r} {told!r}")
            took.append(time.perf_counter() - began)
            count += 1
        writer.close()

    await asyncio.gather(*(one(number) for number in range(case.connections)))
    took.sort()
    return len(took), took[int(len(took) * 0.99)]


def client(port: int, token: str, case: Case, seconds: float, core: int, out: multiprocessing.Queue[tuple[int, float]]) -> None:
    os.sched_setaffinity(0, {core})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        out.put(runner.run(load(port, token, case, seconds)))


def processor_s(pid: int) -> float:
    """The processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(case: Case, seconds: float, server_core: int, client_core: int) -> tuple[float, float, float]:
    """(requests a second, requests a second of the server's processor, 99th percentile of the time to the answer in ms)."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        log.create(root / "log")
        with log.Writer.open(root / "log") as writer:
            for number in range(SITES):
                writer.append_document(document(number), time.time_ns() // 1000)
        flowwatch = ["taskset", "-c", str(server_core), sys.executable, "-m", "flowwatch"]
        made = subprocess.run(
            [*flowwatch, "token", "add", "bench", "--scope", "readings:write", "--data", folder], check=True, capture_output=True, text=True
        )
        command = [*flowwatch, "serve", "--data", folder, "--listen", "127.0.0.1:0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            port = next(int(line.split("/docs")[0].rpartition(":")[2]) for line in server.stderr if line.startswith("serving "))
            drain = subprocess.Popen(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL)
            out: multiprocessing.Queue[tuple[int, float]] = multiprocessing.Queue()
            for part in (1.0, seconds):  # the first warms up
                before, began = processor_s(server.pid), time.monotonic()
                asking = multiprocessing.Process(target=client, args=(port, made.stdout.strip(), case, part, client_core, out))
                asking.start()
                asking.join(part + 60)
                if asking.exitcode != 0:
                    asking.kill()
                    server.kill()
                    raise RuntimeError("the client failed")
                count, late = out.get()
                spent, passed = processor_s(server.pid) - before, time.monotonic() - began
            server.send_signal(signal.SIGTERM)
            server.wait()
            drain.wait()
    return count / passed, count / spent, late * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    chosen = parser.parse_args()
    print(f"aims on one core: {AIM_REQUESTS:,} requests/s of single readings, {AIM_READINGS:,} readings/s in batches of 1,000\n")
    print("| requests | requests/s | readings/s | requests/s of processor | readings/s of processor | p99 ms |")
    print("|---|---|---|---|---|---|")
    for case in CASES:
        seen, alone, late = measured(case, chosen.seconds, chosen.server_core, chosen.client_core)
        print(f"| {case.name} | {seen:,.0f} | {seen * case.rows:,.0f} | {alone:,.0f} | {alone * case.rows:,.0f} | {late:.0f} |")


if __name__ == "__main__":
    main()
