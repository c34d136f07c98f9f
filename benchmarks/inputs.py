"""How many readings a second come in from many senders, each told when its own are durable: the stager, and a broker before it.

    python -m benchmarks.inputs [--write] [--core 0] [--folder DIR]

All on one core. A message is decoded from bytes, offered, staged and synced; `senders` messages are under way at once, and the next is sent when one
is durable. Staged files are deleted as an engine would that keeps up. With a broker (Mosquitto, on the same core), messages that wait there are
fetched, staged and acknowledged. Aim: 500,000 readings/s in batches of 1,000.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks import measure
from benchmarks.measure import Rounds, rate, table, verdict
from benchmarks.workload import Lines, Shape
from flowwatch import log
from flowwatch.adapters.ndjson import Codec
from flowwatch.documents.deployment import Broker, Format, MqttInput
from flowwatch.inputs.mqtt import MqttSource
from flowwatch.inputs.stager import Receipt, Stager
from flowwatch.log.inbox import Staged, staged_files
from tests.servers import BINARY, Mosquitto

AIM: Final = 500_000
BATCHES: Final = ((1_000, 1), (1_000, 8), (1_000, 64), (100, 64), (1, 64), (1, 512))
"""Readings to a message, messages under way."""
MESSAGES: Final = {1_000: 1_000, 100: 3_000, 1: 20_000}


def offering(lines: bytes, size: int, senders: int, folder: Path) -> float:
    """Seconds to decode, offer and make durable `MESSAGES` messages of `size` readings."""
    width = len(lines) // Shape().rate
    messages = [lines[i * size * width : (i + 1) * size * width] for i in range(min(Shape().rate // size, 4_000))]
    codec, waiting = Codec(), deque[Future[Receipt]]()
    with tempfile.TemporaryDirectory(dir=folder) as place:
        log.create(place, partitions=1)
        stop = threading.Event()
        sweeper = threading.Thread(target=_sweep, args=(Path(place), stop))
        sweeper.start()
        with Stager(place) as stager:
            begin = time.perf_counter()
            for i in range(MESSAGES[size]):
                if len(waiting) >= senders:
                    waiting.popleft().result()
                future = stager.offer(codec.batch(messages[i % len(messages)]))
                assert future is not None
                waiting.append(future)
            for future in waiting:
                future.result()
            took = time.perf_counter() - begin
            assert stager.staged_rows == MESSAGES[size] * size
        stop.set()
        sweeper.join()
    return took


def _sweep(place: Path, stop: threading.Event) -> None:
    while not stop.wait(0.2):
        for file in staged_files(place):
            file.unlink()


def fetching(lines: bytes, size: int, folder: Path) -> float:
    """Seconds to fetch from a broker, make durable and acknowledge messages of `size` readings that wait there."""
    width, count = len(lines) // Shape().rate, MESSAGES[size] // 4
    with (
        tempfile.TemporaryDirectory(dir=folder) as place,
        Mosquitto(Path(place), "max_queued_messages 0\nmax_inflight_messages 0\n", keeps=False) as mosquitto,
    ):
        log.create(Path(place) / "log", partitions=1)
        described = Broker(host="127.0.0.1", port=mosquitto.port, client="bench")
        subscription = MqttInput(broker="b", topic="bench", format=Format.FLOWWATCH)
        with Stager(Path(place) / "log") as stager:
            first = MqttSource(described, [subscription], stager)
            first.start()
            _until(lambda: first.figures.connected)
            first.close()
            sender = Client(CallbackAPIVersion.VERSION2, "sender", protocol=MQTTProtocolVersion.MQTTv5)
            sender.max_inflight_messages_set(1000)
            sender.connect("127.0.0.1", mosquitto.port)
            sender.loop_start()
            sent = [sender.publish("bench", lines[: size * width], 1) for _ in range(count)]
            for one_of in sent:
                one_of.wait_for_publish()
            sender.disconnect()
            sender.loop_stop()
            inputs = MqttSource(described, [subscription], stager)
            begin = time.perf_counter()
            inputs.start()
            _until(lambda: inputs.figures.messages == count and inputs.figures.waiting == 0)
            took = time.perf_counter() - begin
            inputs.close()
        assert sum(len(Staged(path)) for path in staged_files(Path(place) / "log")) == count * size
    return took


def _until(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    while not true():
        pause.wait(0.005)


def main() -> None:
    """Measure and print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--core", type=int, default=0)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options.add_argument("--write", action="store_true")
    chosen = options.parse_args()
    measure.alone(chosen.core)
    lines = next(iter(Lines(Shape(), Shape().rate).blocks(Shape().rate)))
    contenders = {
        f"{size:,} readings a message, {senders} under way": functools.partial(offering, lines, size, senders, chosen.folder)
        for size, senders in BATCHES
    }
    if BINARY is not None:
        contenders |= {
            f"{size:,} readings a message, from a broker": functools.partial(fetching, lines, size, chosen.folder) for size in (1_000, 1)
        }
    rounds = Rounds(contenders)
    rounds.run(chosen.rounds)
    rows = []
    for name in contenders:
        size = int(name.split(" ", 1)[0].replace(",", ""))
        count = MESSAGES[size] // (4 if name.endswith("broker") else 1)
        best = rounds.best(name)
        aim = (
            f"aim {rate(AIM, 1)}: {verdict(met=count * size / best >= AIM)}"
            if size == 1_000 and not name.endswith(("broker", " 1 under way"))
            else ""
        )
        rows.append((name, rate(count * size, best), rate(count, best), aim))
    text = table(("one core, told when durable", "readings/s", "messages/s", "against its aim"), rows)
    measure.report("inputs", f"Best of {chosen.rounds}. {measure.machine()}\n\n{text}", write=chosen.write)


if __name__ == "__main__":
    main()
