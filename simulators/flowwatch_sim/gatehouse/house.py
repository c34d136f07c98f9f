"""All controllers of one process, their lines and their clock."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flowwatch.actuators.protocol import LOST_AFTER_S
from flowwatch_sim.gatehouse.controller import Controller
from flowwatch_sim.gatehouse.diary import Diary
from flowwatch_sim.gatehouse.faults import Faults
from flowwatch_sim.gatehouse.http import SILENT, HttpLines
from flowwatch_sim.gatehouse.memory import MemoryFile
from flowwatch_sim.gatehouse.mqtt import MqttLine

STEP_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Fitting:
    """One device as it is built in: its name ("gate/gate-3"), how it is on the first start, and what it falls to."""

    device: str
    setting: str | None
    on_lost: str | None


@dataclass(frozen=True, slots=True)
class Manner:
    """How all controllers of a house behave."""

    turn_s: float = 0.0
    lost_after_s: float = LOST_AFTER_S
    faults: Faults = field(default_factory=Faults)


class House:
    """Controllers of a site. Exactly one of `broker` (host, port, user, password) and `http` (host, port, token) says how they are reached."""

    def __init__(
        self,
        site: str,
        fittings: Sequence[Fitting],
        memory: Path,
        manner: Manner,
        diary: Diary,
        *,
        broker: tuple[str, int, str | None, str | None] | None = None,
        http: tuple[str, int, str | None] | None = None,
    ) -> None:
        self._diary = diary
        self._lines = [MqttLine(site, f.device, *broker) for f in fittings] if broker is not None else []
        voices = [line.voice for line in self._lines] or [SILENT] * len(fittings)
        self.controllers: Mapping[str, Controller] = {
            f.device: Controller(
                f.device,
                MemoryFile(memory / site / f"{f.device.replace('/', '-')}.json"),
                voice,
                diary,
                f.setting,
                f.on_lost,
                manner.turn_s,
                manner.lost_after_s,
                manner.faults,
            )
            for f, voice in zip(fittings, voices, strict=True)
        }
        for line, controller in zip(self._lines, self.controllers.values(), strict=False):
            line.attach(controller)
        self.http = HttpLines(self.controllers, *http) if http is not None else None
        self._stopping = threading.Event()
        self._clock = threading.Thread(target=self._run, name="gatehouse", daemon=True)

    def start(self) -> None:
        """Connect all, and let time pass."""
        for controller in self.controllers.values() if self.http is not None else ():
            controller.connected(up=True)
        for line in self._lines:
            line.start()
        if self.http is not None:
            self.http.start()
        self._clock.start()

    def stop(self) -> None:
        """As when the power goes."""
        self._stopping.set()
        for line in self._lines:
            line.stop()
        if self.http is not None:
            self.http.stop()
        self._clock.join()
        self._diary.close()

    def _run(self) -> None:
        while not self._stopping.wait(STEP_S):
            for controller in self.controllers.values():
                controller.step()
