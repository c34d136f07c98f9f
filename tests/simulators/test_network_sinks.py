"""A stream over the network: every reading is in the log of a real service, and counts once, whoever is killed meanwhile."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest
from click.testing import CliRunner

from flowwatch import log
from flowwatch.core.readings import SECOND, Kind
from flowwatch.log.export import utc
from flowwatch.log.inbox import Staged, staged_files
from flowwatch.log.readings import Readings
from flowwatch.service.auth.identity import Scope
from flowwatch.service.auth.tokens import Tokens
from flowwatch.service.tables import open_store
from flowwatch_sim.cli.main import main
from flowwatch_sim.posting import Posts
from flowwatch_sim.publishing import PASSWORD, USERNAME, Messages
from flowwatch_sim.sinks import Sink, SinkError, Texts
from flowwatch_sim.stream import Batch, City
from flowwatch_sim.tally import Tally
from tests.log.making import document
from tests.servers import BINARY, WAIT_S, Mosquitto, free_port
from tests.simulators.test_stream import TROUBLED, day, planned

ROOT = Path(__file__).parents[2]
START_US = 1_790_000_000 * SECOND
SITES = ["s0", "s1", "s2"]


def counters() -> list[str]:
    return [c["counter"] for c in planned().layout.site["counters"]]


def city(sites: int = len(SITES)) -> City:
    return City([day(TROUBLED)], sites, seed=5)


def emitted(batches: Iterable[Batch]) -> Counter[tuple[str, str]]:
    """How often each reading is sent, as counter and time."""
    names = counters()
    return Counter(
        (f"{SITES[site]}/{names[counter]}", str(utc(START_US + at)))
        for batch in batches
        for site, counter, at in zip(batch.site.tolist(), batch.counter.tolist(), batch.at.tolist(), strict=True)
    )


def everything(city: City) -> Counter[tuple[str, str]]:
    """The same, of all that a city sends."""
    return emitted(batch for _, batch in city.steps(60 * SECOND))


class Service:
    """`flowwatch serve` in a process of its own, on a log that knows the sites."""

    def __init__(self, root: Path, deployment: str = "") -> None:
        self.root, self.port = root, free_port()
        root.mkdir(exist_ok=True)
        log.create(root / "log", partitions=1)
        with log.Writer.open(root / "log") as writer:
            for site in (*SITES, "yuyuan"):
                writer.append_document(document(site, counters()), 1)
            writer.commit()
        with closing(open_store(root / "service.db")) as store:
            self.token, _ = Tokens(store, lambda: time.time_ns() // 1000).add("sim", [Scope.READINGS_WRITE], by="test")
        self._file = root / "deployment.yaml"
        self._file.write_text(f"deployment: test\n{deployment}", encoding="utf-8")
        self.start()
        self.wait()

    def start(self) -> None:
        words = ["serve", "--data", self.root, "--deployment", self._file, "--listen", f"127.0.0.1:{self.port}"]
        command = [sys.executable, "-c", "from flowwatch.cli.main import main; main()", *map(str, words)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self) -> None:
        until(lambda: self._process.poll() is None and _listens(self.port))

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(WAIT_S)

    def rows(self) -> list[dict[str, Any]]:
        """The readings in the log, with what waits in the inbox."""
        with log.Writer.open(self.root / "log") as writer:
            while writer.drain().files:
                pass
        kinds = {kind.name.lower() for kind in (Kind.DELTA, Kind.CUMULATIVE, Kind.ABSOLUTE)}
        return [row for row in log.cat(self.root / "log") if row["kind"] in kinds]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGKILL)


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def until(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(WAIT_S * 100):
        if true():
            return
        pause.wait(0.01)
    raise AssertionError("it never came to be so")


def play(city: City, sink: Sink, halfway: Callable[[], None] = lambda: None, every_s: int = 5) -> Tally:
    """Send everything as fast as it goes, so many seconds at a time; `halfway` happens in between."""
    steps = list(city.steps(every_s * SECOND))
    for i, (_, batch) in enumerate(steps):
        if i == len(steps) // 2:
            halfway()
        sink.send(batch, START_US)
    sink.close()
    tally = sink.taken()
    assert tally is not None
    return tally


def found(service: Service) -> Counter[tuple[str, str]]:
    rows = service.rows()
    assert {row["ordinal"] for row in rows} == {0}  # a copy is the same reading again and no other one
    return Counter((row["counter"], row["at"]) for row in rows)


@pytest.mark.parametrize("compress", [False, True])
def test_what_is_posted_is_in_the_log_once(tmp_path: Path, compress: bool) -> None:
    with Service(tmp_path / "w") as service:
        sink = Posts(f"http://127.0.0.1:{service.port}", service.token, Texts(SITES, counters()), connections=2, compress=compress)
        tally = play(city(), sink)
        service.stop()
        sent = everything(city())
        assert (tally.accepted, tally.refused, tally.again) == (sent.total(), Counter(), 0)
        assert found(service) == sent


@pytest.mark.slow
def test_a_service_that_is_killed_midway_gets_all_and_counts_nothing_twice(tmp_path: Path) -> None:
    with Service(tmp_path / "w") as service:

        def kill() -> None:
            service.stop(signal.SIGKILL)
            service.start()

        tally = play(city(), Posts(f"http://127.0.0.1:{service.port}", service.token, Texts(SITES, counters())), kill)
        service.stop()
        sent = everything(city())
        assert tally.accepted == sent.total()
        assert tally.again
        assert set(found(service)) == set(sent)


@pytest.mark.slow
def test_who_is_told_to_wait_waits_and_loses_nothing(tmp_path: Path) -> None:
    with Service(tmp_path / "w", "limits: {readings_per_s: 2000}\n") as service:
        sink = Posts(f"http://127.0.0.1:{service.port}", service.token, Texts(SITES, counters()))
        steps, times, tally = list(city().steps(60 * SECOND)), 0, sink.taken()
        assert tally is not None
        while not tally.again:  # however slowly it goes on this machine
            assert times < 50
            times += 1
            for _, batch in steps:
                sink.send(batch, START_US)
        sink.close()
        assert tally.accepted == times * len(city())
        service.stop()
        assert found(service) == Counter({name: times * n for name, n in everything(city()).items()})


class Moody(BaseHTTPRequestHandler):
    """Answers what its server has for it, 202 otherwise, and keeps who asked when."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked: list[tuple[float, str, bytes]] = self.server.asked  # type: ignore[attr-defined]
        answers: list[tuple[int, str | None]] = self.server.answers  # type: ignore[attr-defined]
        asked.append((time.monotonic(), self.headers["Idempotency-Key"], body))
        status, after = answers.pop(0) if answers else (202, None)
        told = {"accepted": body.count(b"\n"), "refused": {}} if status == 202 else {"detail": "not now"}
        data = json.dumps(told).encode()
        self.send_response(status)
        if after is not None:
            self.send_header("Retry-After", after)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        pass


@pytest.fixture
def moody() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Moody) as server:
        server.asked, server.answers = [], []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_the_same_request_comes_again_when_it_was_told_to(moody: ThreadingHTTPServer) -> None:
    moody.answers += [(503, "1"), (429, "1"), (409, "1"), (500, None)]  # type: ignore[attr-defined]
    sink = Posts(f"http://127.0.0.1:{moody.server_port}", "t", Texts(SITES, counters()), connections=1)
    batch = next(batch for _, batch in city().steps(60 * SECOND) if len(batch))
    sink.send(batch, START_US)
    sink.close()
    asked: list[tuple[float, str, bytes]] = moody.asked  # type: ignore[attr-defined]
    times, keys, bodies = zip(*asked[:5], strict=True)
    assert (len(set(keys)), len(set(bodies))) == (1, 1)
    assert all(after - before >= 1 for before, after in itertools.pairwise(times[:4]))
    tally = sink.taken()
    assert tally is not None
    assert (tally.accepted, tally.again) == (len(batch), 4)
    assert tally.wait_s(1.0) > 3


def test_what_is_refused_for_good_is_counted_and_the_rest_goes_on(moody: ThreadingHTTPServer) -> None:
    moody.answers += [(413, None)]  # type: ignore[attr-defined]
    sink = Posts(f"http://127.0.0.1:{moody.server_port}", "t", Texts(SITES, counters()), connections=1)
    tally = play(city(), sink, every_s=300)
    assert tally.refused["answered 413"] > 0
    assert tally.accepted + tally.refused.total() == len(city())


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_not_good_ends_the_stream(moody: ThreadingHTTPServer, status: int) -> None:
    moody.answers += [(status, None)]  # type: ignore[attr-defined]
    with pytest.raises(SinkError, match=f"{status} not now"):
        play(city(), Posts(f"http://127.0.0.1:{moody.server_port}", "t", Texts(SITES, counters())))


def test_where_nobody_is_the_stream_ends_when_patience_does() -> None:
    with pytest.raises(SinkError, match=r"not taken within 0\.5 s"):
        play(city(), Posts(f"http://127.0.0.1:{free_port()}", "t", Texts(SITES, counters()), patience_s=0.5))
    with pytest.raises(SinkError, match=r"nothing was acknowledged for 0\.5 s"):
        play(city(), Messages(f"mqtt://127.0.0.1:{free_port()}", SITES, counters(), {}, patience_s=0.5))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    place = tmp_path / "broker"
    place.mkdir()
    with Mosquitto(place, "log_type error\nlog_type warning\nlog_type subscribe\n") as one:
        yield one


def awaited(root: Path) -> None:
    """Wait until the service has subscribed: what comes before that is for nobody."""
    until(lambda: b"flowwatch/v1/+/count/+" in (root / "broker" / "mosquitto.log").read_bytes())


def subscribed(root: Path, broker: Mosquitto) -> Service:
    return Service(
        root,
        f"brokers:\n  main: {{host: 127.0.0.1, port: {broker.port}, client: fw}}\n"
        'inputs:\n  mqtt:\n    - {broker: main, topic: "flowwatch/v1/+/count/+", format: flowwatch}\n',
    )


@pytest.mark.slow
def test_what_is_published_is_in_the_log_though_service_and_broker_are_started_anew(tmp_path: Path, broker: Mosquitto) -> None:
    with subscribed(tmp_path / "w", broker) as service:
        awaited(tmp_path)

        def restart() -> None:
            service.stop(signal.SIGKILL)
            service.start()
            broker.stop()
            threading.Timer(0.5, broker.start).start()

        tally = play(city(1), Messages(f"mqtt://127.0.0.1:{broker.port}", SITES, counters(), {}), restart)
        sent = everything(city(1))
        assert (tally.accepted, tally.again) == (sent.total(), 1)
        service.wait()
        until(lambda: _staged(service).keys() >= sent.keys())
        service.stop()
        assert set(found(service)) == set(sent)


@pytest.mark.slow
def test_a_broker_that_is_killed_gets_again_what_it_did_not_acknowledge(tmp_path: Path, broker: Mosquitto) -> None:
    with subscribed(tmp_path / "w", broker) as service:
        awaited(tmp_path)
        steps = [batch for _, batch in city(1).steps(5 * SECOND)]
        first = emitted(steps[: len(steps) // 2])

        def kill() -> None:
            until(lambda: _staged(service) >= first)  # what it acknowledged and had not written would be lost with it
            broker.stop(signal.SIGKILL)
            threading.Timer(0.5, broker.start).start()

        tally = play(city(1), Messages(f"mqtt://127.0.0.1:{broker.port}", SITES, counters(), {}), kill)
        sent = everything(city(1))
        assert (tally.accepted, tally.again) == (sent.total(), 1)
        until(lambda: _staged(service).keys() >= sent.keys())
        service.stop()
        assert set(found(service)) == set(sent)


def _staged(service: Service) -> Counter[tuple[str, str]]:
    """How often each reading waits in the inbox: one that came again after a break is the same once more."""
    parts = [part for path in staged_files(service.root / "log") for part in Staged(path).parts if isinstance(part, Readings)]
    return Counter((name, str(utc(at))) for part in parts for name, at in zip(part.names, part.at.tolist(), strict=True))


def test_a_broker_that_refuses_us_ends_the_stream(tmp_path: Path) -> None:
    assert BINARY is not None
    (tmp_path / "b").mkdir()
    with Mosquitto(tmp_path / "b", anonymous=False) as broker:
        environment = {USERNAME: "sim", PASSWORD: "wrong"}
        with pytest.raises(SinkError, match="the broker refuses us: Not authorized"):
            play(city(), Messages(f"mqtt://127.0.0.1:{broker.port}", SITES, counters(), environment))


def test_the_command_sends_a_scenario_and_fails_where_some_was_refused(tmp_path: Path) -> None:
    def emit(*words: str | Path, code: int = 0) -> str:
        result = CliRunner().invoke(main, ["emit", "drill", *map(str, words)], env={"FLOWWATCH_TOKEN": service.token})
        assert result.exit_code == code, result.output
        return result.stderr

    with Service(tmp_path / "w") as service:
        address = f"http://127.0.0.1:{service.port}"
        emit("--out", tmp_path / "lines", "--truth", tmp_path / "truth")
        sent = [json.loads(line) for line in (tmp_path / "lines").read_bytes().splitlines()]
        assert f"{len(sent):,} accepted" in emit("--to", address, "--truth", tmp_path / "again", "--gzip")
        assert (tmp_path / "again").read_bytes() == (tmp_path / "truth").read_bytes()
        told = emit("--to", address, "--sites", "2", "--now", code=1)
        assert "\n0 accepted" in told
        assert "unknown_site" in told
        token = tmp_path / "token"
        token.write_text("nonsense", encoding="utf-8")
        token.chmod(0o600)
        assert "401" in emit("--to", address, "--token-file", token, code=2)
        assert "one of them" in emit("--to", address, "--out", tmp_path / "x", code=2)
        assert "they are for a service" in emit("--to", "mqtt://127.0.0.1", "--gzip", code=2)
        assert "expected http://" in emit("--to", "kafka://127.0.0.1:9092", code=2)
        service.stop()
        assert Counter(row["counter"] for row in service.rows() if "yuyuan/" in row["counter"]) == Counter(row["counter"] for row in sent)
